"""HTTP/2 with prior knowledge: every event of a handler, credit, floods, and leaving at any time."""

import os
import re
import shutil
import subprocess

import h2.errors
import h2.settings
import pytest
from hpack import Encoder
from hyperframe.frame import (ContinuationFrame, DataFrame, HeadersFrame, PingFrame, PriorityFrame, RstStreamFrame,
                              SettingsFrame, WindowUpdateFrame)

import apps
import frames
from http2_client import PREFACE, Connection, Raw
from waiting import wait_until

CALM = int(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)
INTERNAL = int(h2.errors.ErrorCodes.INTERNAL_ERROR)
PROTOCOL = int(h2.errors.ErrorCodes.PROTOCOL_ERROR)


def connect(node, **options):
    return Connection(node.address, **options)


def fetch(node, method, path, extra=(), body=None, **options):
    with connect(node) as connection:
        return connection.fetch(method, path, extra, body, **options)


@pytest.fixture
def abi(use_shared, workshop):
    routes = {"GET /" + name: "abi#" + name for name in ("late", "drip", "deaf", "pause", "flood", "fields", "count")}
    routes["POST /swallow"] = "abi#swallow"
    routes["POST /late"] = "abi#late"
    return use_shared("http2", apps.app(routes, {"abi": workshop.c("abi")}, serve={
        "disconnect-grace-ms": 200, "max-header-bytes": 2048, "max-header-count": 20, "max-target-bytes": 100,
        "max-body-bytes": 1000000, "stream-buffer-bytes": 65536}))


@pytest.fixture
def leaving(use_shared, workshop):
    """A node where a guest ends with its client."""
    routes = {"GET /late": "abi#late", "POST /late": "abi#late", "POST /swallow": "abi#swallow",
              "GET /fields": "abi#fields"}
    return use_shared("http2-leaving", apps.app(routes, {"abi": workshop.c("abi")}, serve={
        "cancel-on-disconnect": True, "disconnect-grace-ms": 3600000, "stream-buffer-bytes": 65536}))


# ---- the table


def test_a_response_comes_verbatim(zoo):
    answer = fetch(zoo, "GET", "/users/7?x=1")
    assert answer.status == 200
    assert answer.text == '{"id":"7"}\n'
    assert answer.header("content-length") == "11"
    assert answer.header("server") == "mote"
    assert re.fullmatch("[0-9a-f]{16}", answer.header("x-request-id"))
    assert answer.header("date").endswith(" GMT")
    assert answer.header("connection") is None and answer.header("transfer-encoding") is None


def test_an_error_status_of_the_guest_comes_verbatim(zoo):
    assert fetch(zoo, "GET", "/status/418").status == 418
    for status in (204, 304):
        answer = fetch(zoo, "GET", f"/status/{status}")
        assert (answer.status, answer.body) == (status, b"")
        assert answer.header("content-length") is None


def test_no_route_wrong_method_head_and_options(zoo):
    before = zoo.stats()["processes"]["spawned"]
    assert fetch(zoo, "GET", "/nowhere").status == 404
    wrong = fetch(zoo, "POST", "/users/7", body=b"x")
    assert (wrong.status, wrong.header("allow")) == (405, "GET, HEAD, OPTIONS")
    assert fetch(zoo, "OPTIONS", "/users/7").status == 204
    assert fetch(zoo, "OPTIONS", "*").status == 204
    assert fetch(zoo, "BREW", "/nowhere").status == 501
    assert zoo.stats()["processes"]["spawned"] == before
    head = fetch(zoo, "HEAD", "/users/7")
    assert (head.status, head.body, head.header("content-length")) == (200, b"", "11")


@pytest.mark.parametrize("path, status", [("/../x", 400), ("/%2e%2e/x", 400), ("/%00", 400), ("/a#b", 400),
                                          ("/" + "x" * 9000, 414)])
def test_a_bad_target_is_refused(zoo, path, status):
    before = zoo.stats()["processes"]["spawned"]
    with connect(zoo) as connection:
        assert connection.fetch("GET", path).status == status
        assert connection.fetch("GET", "/users/7").status == 200
    assert zoo.stats()["processes"]["spawned"] == before + 1


@pytest.mark.parametrize("extra, authority", [
    ([("host", "other")], "test"),
    ([("host", "one"), ("host", "two")], None),
    ([], "user@test"),
    ([], "a b"),
])
def test_a_bad_authority_is_refused(zoo, extra, authority):
    with connect(zoo) as connection:
        answer = connection.fetch("GET", "/", extra, authority=authority)
        assert answer.status == 400 or answer.reset == PROTOCOL, answer
        assert connection.fetch("GET", "/users/7").status == 200


@pytest.mark.parametrize("extra", [
    [("connection", "close")], [("keep-alive", "1")], [("transfer-encoding", "chunked")], [("upgrade", "h2c")],
    [("te", "gzip")], [("X-Capital", "x")], [("x-control", "a\rb")], [("x-zero", "a\0b")], [("x", " blank")],
    [(":late", "x")], [("content-length", "x")], [("content-length", "5")],
])
def test_a_malformed_head_resets_its_stream_only(zoo, extra):
    before = zoo.stats()["processes"]["spawned"]
    with connect(zoo) as connection:
        answer = connection.fetch("GET", "/users/7", extra)
        assert (answer.status, answer.reset) == (None, PROTOCOL)
        assert connection.fetch("GET", "/users/7").status == 200
    assert zoo.stats()["processes"]["spawned"] == before + 1


def test_limits_of_the_head_and_the_body_have_their_statuses(abi):
    with connect(abi) as connection:
        assert connection.fetch("GET", "/count", [("x-large", "v" * 2100)]).status == 431
        assert connection.fetch("GET", "/count", [(f"x-{i}", "v") for i in range(21)]).status == 431
        assert connection.fetch("GET", "/" + "t" * 200).status == 414
        large = connection.begin("POST", "/swallow", [("content-length", "1000001")], end=False)
        assert connection.read(large).status == 413
        assert connection.fetch("POST", "/swallow", body=b"b" * 1000001).status in (200, 413)
        assert connection.fetch("GET", "/count", [("expect", "a-pony")]).status == 417
        assert connection.fetch("CONNECT", "/count").status in (None, 501)
        assert connection.fetch("GET", "/fields").status == 200


def test_a_crash_costs_one_stream(zoo):
    with connect(zoo) as connection:
        streams = {name: connection.begin("GET", "/" + name) for name in ("crash", "oom", "silent", "spin", "late-crash")}
        fine = connection.begin("GET", "/users/7")
        assert connection.read(fine).text == '{"id":"7"}\n'
        for name in ("crash", "oom", "silent"):
            assert connection.read(streams[name]).status == 502
        assert connection.read(streams["spin"]).status == 504
        cut = connection.read(streams["late-crash"])
        assert (cut.status, cut.reset, cut.ended) == (200, INTERNAL, False)
        assert connection.fetch("GET", "/users/7").status == 200
        assert connection.goaway is None


def test_a_full_node_says_503(serve, workshop):
    node = serve(apps.zoo(workshop, node={"max-processes": 1}))
    with connect(node) as connection:
        held = connection.begin("GET", "/sleep?ms=60000")
        node.wait_processes(1)
        answer = connection.fetch("GET", "/users/7")
        assert (answer.status, answer.header("retry-after")) == (503, "1")
        connection.h2.reset_stream(held)
        connection.flush()
        connection.ping()
    node.terminate()
    assert node.wait() == 0


def test_the_request_is_the_same_as_in_http1(abi):
    answer = fetch(abi, "GET", "/fields?q=%20", authority="example.org:8080")
    fields = dict(line.split("=", 1) for line in answer.text.splitlines())
    assert fields["method"] == "GET" and fields["path"] == "/fields" and fields["query"] == "q=%20"
    assert fields["host"] == "example.org:8080" and fields["id"] == answer.header("x-request-id")


def test_cookies_are_one_line_and_the_host_is_there(zoo):
    text = fetch(zoo, "GET", "/headers", [("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")]).text
    assert sorted(text.splitlines()) == ["cookie: a=1; b=2", "host: test", "x: y"]


def test_the_access_log_has_a_line_for_each_stream(zoo):
    answer = fetch(zoo, "GET", "/users/8")
    line, = zoo.log.wait_for("request", answer.header("x-request-id"))
    assert "path=/users/8 status=200 bytes=11" in line and "sent=whole" in line


def test_the_listeners_own_headers_are_added(serve, workshop):
    node = serve(apps.zoo(workshop, headers={"X-Added": "always"}))
    answer = fetch(node, "GET", "/users/7")
    assert answer.header("x-added") == "always"


# ---- bodies


def test_a_body_comes_back(zoo):
    body = os.urandom(1500000)
    assert fetch(zoo, "POST", "/echo", body=body).body == body


def test_trailers_are_dropped(zoo):
    with connect(zoo) as connection:
        stream = connection.begin("POST", "/echo", end=False)
        connection.body(stream, b"body", end=False)
        connection.h2.send_headers(stream, [("x-trailer", "1")], end_stream=True)
        connection.flush()
        assert connection.read(stream).body == b"body"


def test_a_client_that_waits_is_told_to_continue(zoo):
    with connect(zoo) as connection:
        stream = connection.begin("POST", "/echo", [("expect", "100-continue")], end=False)
        connection.until(lambda: connection.answers[stream].interim)
        connection.body(stream, b"continued")
        answer = connection.read(stream)
        assert (answer.interim, answer.body) == ([100], b"continued")


def test_a_body_that_is_not_what_its_length_said_is_a_reset(zoo):
    with connect(zoo) as connection:
        stream = connection.begin("POST", "/echo", [("content-length", "3")], end=False)
        connection.body(stream, b"four")
        assert connection.read(stream).reset == PROTOCOL
        assert connection.fetch("GET", "/users/7").status == 200


def test_a_guest_that_does_not_read_stalls_its_own_stream_only(leaving):
    with connect(leaving) as connection:
        stalled = connection.begin("POST", "/late?ms=600000", end=False)
        connection.ping()  # now the server's settings count
        sent = 0
        while (room := min(connection.h2.local_flow_control_window(stalled), 16384)) > 0:
            connection.h2.send_data(stalled, b"x" * room)
            connection.flush()
            sent += room
        connection.ping()
        assert sent == 65536
        assert connection.h2.local_flow_control_window(stalled) == 0
        for _ in range(20):
            assert connection.fetch("POST", "/swallow", body=b"y" * 200000).status == 200
        connection.ping()
        assert connection.h2.local_flow_control_window(stalled) == 0


def test_a_slow_reader_of_a_body_gets_it_all(abi):
    body = b"z" * 700000
    assert fetch(abi, "POST", "/swallow?pause=1&piece=60000", body=body).text.startswith("700000 ")


def test_a_client_without_credit_stalls_its_own_stream_only(abi):
    with connect(abi, window=1000, gives_credit=False) as connection:
        stalled = connection.begin("GET", "/flood")
        connection.until(lambda: len(connection.answers[stalled].body) == 1000)
        assert connection.fetch("GET", "/fields").status == 200
        held = abi.stats()["connections"]["buffered_bytes"]
        assert held < 1000000
        connection.h2.increment_flow_control_window(500, stalled)
        connection.flush()
        connection.until(lambda: len(connection.answers[stalled].body) == 1500)
    abi.wait_processes(0)


# ---- leaving


@pytest.mark.parametrize("how", ["stream", "close", "reset"])
def test_a_client_that_leaves_a_stream_is_gone_for_its_guest(abi, how):
    connection = connect(abi)
    stream = connection.begin("GET", "/drip")
    connection.until(lambda: connection.answers[stream].body)
    if how == "stream":
        connection.h2.reset_stream(stream)
        connection.flush()
        abi.wait_processes(0)
        assert connection.fetch("GET", "/fields").status == 200
    elif how == "reset":
        connection.reset_socket()
    abi.wait_processes(0) if how == "stream" else connection.close()
    abi.wait_processes(0)
    connection.close()


def test_cancel_on_disconnect_kills_at_once(leaving):
    with connect(leaving) as connection:
        stream = connection.begin("GET", "/late?ms=600000")
        leaving.wait_processes(1)
        connection.h2.reset_stream(stream)
        connection.flush()
        leaving.wait_processes(0)


def test_a_handler_without_that_runs_on(abi):
    with connect(abi) as connection:
        spawned = abi.spawned()
        stream = connection.begin("GET", "/late?ms=100")
        abi.wait_spawned(spawned + 1)
        connection.h2.reset_stream(stream)
        connection.flush()
        connection.ping()
        abi.log.wait_for("late: ")


def conversation():
    """The bytes of a client, frame by frame: every kind of frame that a request may need."""
    encoder = Encoder()
    block = encoder.encode([(":method", "POST"), (":path", "/swallow"), (":scheme", "http"), (":authority", "t"),
                            ("x-filler", "f" * 50)])
    half = len(block) // 2
    frames = [SettingsFrame(0, {3: 10}), SettingsFrame(0, flags=["ACK"]), WindowUpdateFrame(0, 1000),
              HeadersFrame(1, block[:half]), ContinuationFrame(1, block[half:], flags=["END_HEADERS"]),
              DataFrame(1, b"some", flags=[]), PingFrame(0, b"12345678"), PriorityFrame(1, 0, 10),
              WindowUpdateFrame(1, 1000), DataFrame(1, b"more", flags=["END_STREAM"])]
    return [PREFACE] + [frame.serialize() for frame in frames]


@pytest.mark.parametrize("how", ["close", "reset"])
def test_leaving_at_any_point_of_a_conversation_leaves_nothing_behind(abi, how):
    whole = b"".join(conversation())
    places = {0}
    for piece in conversation():
        end = max(places) + len(piece)
        places |= {end - len(piece) + 1, end - len(piece) // 2, end - 1, end}
    for place in sorted(place for place in places if place <= len(whole)):
        connection = abi.connect()
        connection.send(whole[:place])
        connection.reset() if how == "reset" else connection.close()
    abi.check_baseline()


# ---- floods


def flood(node, pieces):
    """Send until the server ends the connection; returns the code of its GOAWAY."""
    with Raw(node) as raw:
        for piece in pieces:
            if not raw.send(piece) or not raw.sync():
                break
        return raw.end()


def opened(stream, flags=("END_HEADERS",), path="/late?ms=600000", method="GET"):
    block = Encoder().encode([(":method", method), (":path", path), (":scheme", "http"), (":authority", "t")],
                             huffman=False)
    return HeadersFrame(stream, block, flags=list(flags)).serialize()


ENDED = ("END_HEADERS", "END_STREAM")


def in_pieces(frames):
    """Frames of 1,000 streams, some at a time."""
    streams = range(1, 2001, 2)
    return [b"".join(frames(stream) for stream in streams[at:at + 20]) for at in range(0, len(streams), 20)]


def raw_frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


FLOODS = {
    "pings": [PingFrame(0, b"12345678").serialize() * 3000],
    "settings": [SettingsFrame(0, {3: 10}).serialize() * 3000],
    "priorities": [PriorityFrame(1, 0, 10).serialize() * 3000],
    "credit of the connection": [WindowUpdateFrame(0, 1).serialize() * 3000],
    "empty data": [opened(1, method="POST"), DataFrame(1, b"").serialize() * 3000],
    "data that is padding": [opened(1, method="POST"), raw_frame(0, 8, 1, b"\0") * 3000],
    "goodbyes": [raw_frame(7, 0, 0, bytes(8)) * 3000],
    "frames of a type that nobody knows": [raw_frame(99, 0, 0, b"") * 3000],
    "continuations": [HeadersFrame(1, b"").serialize() + ContinuationFrame(1, b"").serialize() * 3000],
    "resets": in_pieces(lambda stream: opened(stream, ENDED) + RstStreamFrame(stream, 8).serialize()),
    "resets that the server is made to send": in_pieces(
        lambda stream: opened(stream, path="/fields") + WindowUpdateFrame(stream, 2**31 - 1).serialize()),
    "refused requests": in_pieces(lambda stream: opened(stream, ENDED, path="/../x")),
}


@pytest.mark.parametrize("name", sorted(FLOODS))
def test_a_flood_ends_its_connection(leaving, name):
    node = leaving
    before = node.stats()["connections"]["refused"]
    assert flood(node, FLOODS[name]) == CALM
    wait_until(lambda: node.stats()["connections"]["refused"] > before)
    node.wait_processes(0)
    assert fetch(node, "GET", "/fields").status == 200


def test_more_streams_than_allowed_are_refused(leaving):
    with connect(leaving) as connection:
        connection.ping()
        assert connection.h2.remote_settings[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS] == 100
        connection.send(b"".join(opened(stream, ENDED) for stream in range(1, 203, 2)))
        assert connection.ended_by() == PROTOCOL


# ---- draining, and clients of others


def test_a_drain_ends_what_runs_and_says_so(serve, workshop):
    node = serve(apps.zoo(workshop))
    with Raw(node) as raw:
        raw.send(opened(1, ENDED, path="/sleep?ms=2000"))
        node.wait_spawned(1)
        node.terminate()
        assert raw.end() == 0
        assert raw.ended_streams == {1}
        assert len(raw.goaways) == 2  # first: no more; then: this was the last one
    assert node.wait() == 0


@pytest.mark.skipif(shutil.which("nghttp") is None, reason="no nghttp2-client")
def test_nghttp_and_h2load_are_served(zoo):
    done = subprocess.run(["nghttp", "-ans", zoo.address + "/users/7"], capture_output=True, text=True, timeout=60,
                          check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0 and " 200 " in done.stdout, done
    done = subprocess.run(["h2load", "-n", "2000", "-c", "4", "-m", "50", zoo.address + "/"], capture_output=True,
                          text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert "2000 succeeded, 0 failed, 0 errored" in done.stdout, done


def test_a_listener_speaks_both(zoo):
    assert fetch(zoo, "GET", "/users/7").status == 200
    assert zoo.get("/users/7").status == 200
    # What begins like the preface, and is none, is for HTTP/1.
    with zoo.connect() as connection:
        connection.send(PREFACE[:10])
        connection.send(b"x")
        connection.send(PREFACE[10:])
        assert connection.read().status == 400
    with zoo.connect() as connection:
        connection.send_request("PROPFIND", "/nowhere")
        assert connection.read().status == 501


# ---- WebSockets as streams


def test_a_websocket_is_a_stream_beside_others(serve, workshop):
    node = serve(apps.zoo(workshop, routes={"GET /users/:id": "zoo#user", "WS /ws": "zoo#ws_echo"}))
    with connect(node) as connection:
        connection.ping()
        assert connection.h2.remote_settings[h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL] == 1
        extended = [(":protocol", "websocket"), ("sec-websocket-version", "13")]
        stream = connection.begin("CONNECT", "/ws", extended, end=False)
        connection.until(lambda: connection.answers[stream].status is not None)
        answer = connection.answers[stream]
        assert answer.status == 200 and answer.header("sec-websocket-accept") is None
        text = b"t" * 3000
        connection.body(stream, frames.frame(frames.TEXT, text), end=False)
        connection.until(lambda: len(answer.body) >= len(text) + 4)
        assert answer.body[:2] == b"\x81\x7e" and answer.body[4:] == text
        assert connection.fetch("GET", "/users/7").status == 200
        answer.body = b""
        connection.body(stream, frames.closing(1000), end=False)
        connection.until(lambda: len(answer.body) >= 4)
        assert answer.body[:4] == b"\x88\x02\x03\xe8"
        connection.until(lambda: answer.ended or answer.reset is not None)
        assert answer.ended
        node.wait_processes(0)
        left = connection.begin("CONNECT", "/ws", extended, end=False)
        connection.until(lambda: connection.answers[left].status is not None)
        node.wait_processes(1)
        connection.h2.reset_stream(left)
        connection.flush()
        node.wait_processes(0)
        old = connection.begin("CONNECT", "/ws", [(":protocol", "websocket"), ("sec-websocket-version", "8")], end=False)
        assert connection.read(old).status == 426
        nowhere = connection.begin("CONNECT", "/users/7", extended, end=False)
        assert connection.read(nowhere).status in (404, 405)
