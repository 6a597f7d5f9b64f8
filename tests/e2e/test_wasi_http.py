"""Components that export wasi:http/incoming-handler: every row of the table of HTTP handlers, over every protocol."""

import pytest

import apps
import guests
import tls_client
from client import chunked, request
from http2_client import Connection as Http2Connection
from waiting import wait_until

MIB = 1 << 20
ROUTES = {"* /*": "web"}


@pytest.fixture(scope="module")
def certificate(authority):
    return authority.issue("localhost", "localhost")


def manifest(certificate=None, component=None, serve=None, **sections):
    settings = {"source": guests.component_path("http"), "max-cpu-ms": 400, **(component or {})}
    text = apps.app(ROUTES, {"web": settings},
                    serve={"component": "web", "disconnect-grace-ms": 200, **(serve or {})}, **sections)
    text = text.replace('[serve.routes]\n"* /*" = "web"\n', "")
    if certificate is None:
        return text
    text = text.replace("[components.web]", "[serve.tls]\n" + apps.keys(
        {"certificate": certificate[0], "key": certificate[1]}) + "[components.web]")
    return text


@pytest.fixture
def web(use_shared):
    return use_shared("wasi-http", manifest())


class Plain:
    """HTTP/1.1."""

    def __init__(self, node):
        self.node = node

    def connect(self):
        return self.node.connect()

    def ask(self, method, path, headers=(), body=None):
        with self.connect() as connection:
            connection.send_request(method, path, [("TE", "trailers"), *headers], body)
            return connection.read(to_head=method == "HEAD")


class Secure(Plain):
    """HTTP/1.1 by TLS."""

    def __init__(self, node, authority):
        super().__init__(node)
        self.context = tls_client.context(authority.path)

    def connect(self):
        return tls_client.Connection(self.node.address, self.context)


class Two(Plain):
    """HTTP/2."""

    def ask(self, method, path, headers=(), body=None):
        with Http2Connection(self.node.address) as connection:
            answer = connection.fetch(method, path, [(name.lower(), value) for name, value in headers], body)
            answer.cut = not answer.ended
            return answer


@pytest.fixture(params=["http/1", "tls", "http/2"])
def wire(request, use_shared, authority, certificate):
    """The same component behind each protocol."""
    if request.param == "tls":
        return Secure(use_shared("wasi-https", manifest(certificate)), authority)
    node = use_shared("wasi-http", manifest())
    return Two(node) if request.param == "http/2" else Plain(node)


# ---- normal


def test_a_component_answers_with_its_status_headers_and_body(wire):
    answer = wire.ask("GET", "/")
    assert (answer.status, answer.text) == (200, "hello\n")
    assert answer.header("content-type") == "text/plain"
    assert answer.header("content-length") == "6", "what is complete at once has a length"


def test_an_answer_whose_guest_lost_its_turn_in_the_middle_has_a_length_too(serve):
    node = serve(manifest(node={"workers": 1}))
    with node.connect() as one, node.connect() as two:
        one.send_request("GET", "/spin")
        two.send_request("GET", "/spin")
        for _ in range(5):
            answer = node.get("/dawdle")
            assert (answer.text, answer.header("content-length")) == ("in the end\n", "11")
        assert (one.read().status, two.read().status) == (504, 504)


@pytest.mark.parametrize("status", [200, 201, 404, 418, 500, 502, 503, 599])
def test_its_status_goes_out_verbatim(wire, status):
    answer = wire.ask("GET", f"/status/{status}")
    assert (answer.status, answer.text) == (status, "as you wish\n")


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none(wire, status):
    answer = wire.ask("GET", f"/status/{status}")
    assert (answer.status, answer.body) == (status, b"")


def test_every_request_has_an_instance_of_its_own(web):
    with web.connect() as connection:
        for _ in range(5):
            connection.send_request("GET", "/count")
            assert connection.read().text == "1"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_the_request_is_told_as_it_came(wire, method):
    answer = wire.ask(method, "/tell?a=%20b", [("X-Test", "one"), ("X-Test", "two")],
                      b"" if method in ("POST", "PUT", "PATCH") else None)
    scheme = "https" if isinstance(wire, Secure) else "http"
    assert answer.text == f"{method} /tell?a=%20b {scheme} test one two\n"


def test_a_method_of_ones_own_is_told_as_such(web):
    assert web.request("BREW", "/tell").text == "other /tell http test\n"


def test_a_target_that_an_url_may_not_have_is_escaped_on_the_way(web):
    assert web.get("/tell?<a>`").text == "GET /tell?%3Ca%3E%60 http test\n"


def test_a_client_that_names_no_host_is_served(web):
    with web.connect() as connection:
        connection.send(b"GET /tell HTTP/1.0\r\n\r\n")
        assert connection.read().text == "GET /tell http localhost\n"


def test_head_has_the_head_only(web):
    with web.connect() as connection:
        for path in ("/", "/stream", "/sized"):
            connection.send_request("HEAD", path)
            assert connection.read(to_head=True).status == 200
        connection.send_request("GET", "/")
        assert connection.read().text == "hello\n"


def test_a_length_that_the_component_names_is_the_answers(wire):
    answer = wire.ask("GET", "/sized")
    assert (answer.header("content-length"), answer.body) == ("5", b"12345")


# ---- bodies


def test_a_body_comes_back(wire):
    body = bytes(range(256)) * 4096
    answer = wire.ask("POST", "/echo", body=body)
    assert (answer.status, answer.body, answer.cut) == (200, body, False)


def test_an_empty_body_comes_back(wire):
    answer = wire.ask("POST", "/echo", body=b"")
    assert (answer.status, answer.body) == (200, b"")


def test_a_large_answer_comes_whole(wire):
    answer = wire.ask("GET", "/stream")
    assert (len(answer.body), answer.cut) == (MIB, False)


def test_the_answer_begins_before_the_request_is_complete(web):
    with web.connect() as connection:
        connection.send(request("POST", "/echo", [("Transfer-Encoding", "chunked")], b"4\r\nfour\r\n"))
        response = connection.read_head()
        assert (response.status, connection.read_chunk()) == (200, b"four")
        connection.send(b"3\r\nsix\r\n")
        assert connection.read_chunk() == b"six"
        connection.send(b"0\r\n\r\n")
        assert connection.read_chunk() == b""


def test_a_client_that_waits_is_told_to_continue(web):
    with web.connect() as connection:
        connection.send(request("POST", "/echo", [("Content-Length", "4"), ("Expect", "100-continue")]))
        assert connection.read_head.__self__ is connection
        line = connection._line()
        assert line.startswith("HTTP/1.1 100")
        assert connection._line() == ""
        connection.send(b"four")
        assert connection.read().text == "four"


def test_trailers_of_an_answer_arrive(wire):
    answer = wire.ask("GET", "/trailers")
    assert (answer.body, answer.cut, answer.trailers) == (b"body\n", False, [("x-sum", "42")])


def test_trailers_are_no_surprise_for_an_old_client(web):
    answer = web.get("/trailers")
    assert (answer.body, answer.cut, answer.trailers) == (b"body\n", False, [])


def test_trailers_of_a_request_reach_the_component(web):
    with web.connect() as connection:
        connection.send(request("POST", "/echo", [("Transfer-Encoding", "chunked"), ("TE", "trailers")],
                                chunked(b"body", trailers="X-Sum: 7 7\r\nX-Other: 1\r\n")))
        answer = connection.read()
        assert (answer.body, answer.trailers) == (b"body", [("x-sum", "7 7")])


def test_trailers_of_an_http2_request_reach_the_component(web):
    with Http2Connection(web.address) as connection:
        stream = connection.begin("POST", "/echo", end=False)
        connection.body(stream, b"body", end=False)
        connection.h2.send_headers(stream, [("x-sum", "42")], end_stream=True)
        connection.flush()
        answer = connection.read(stream)
        assert (answer.body, answer.trailers) == (b"body", [("x-sum", "42")])


# ---- back-pressure


def buffered(node):
    return node.stats()["connections"]["buffered_bytes"]


def test_a_client_that_does_not_read_parks_the_component(web):
    with web.connect(receive_bytes=4096) as connection:
        connection.send_request("GET", "/endless")
        web.wait_processes(1)
        before = [None]

        def still():
            last, before[0] = before[0], buffered(web)
            return web.processes()[0]["state"] == "parked" and last == before[0] != 0
        wait_until(still)
        assert buffered(web) <= 2 * 262144 + 131072
        connection.reset()
    web.wait_processes(0)


def test_a_component_that_waits_for_a_slow_sender_is_parked(serve):
    node = serve(manifest(serve={"body-bytes-per-second": 0}))
    with node.connect() as connection:
        connection.send(request("POST", "/upload", [("Content-Length", "50")]))
        for _ in range(10):
            node.wait_processes(1)
            wait_until(lambda: node.processes()[0]["state"] == "parked")
            connection.send(b"bytes")
        assert connection.read().text == "read 50\n"


def test_a_body_above_the_limit_fails_the_read(serve):
    node = serve(manifest(serve={"max-body-bytes": 1000}))
    assert node.post("/upload", b"x" * 1001).status == 413
    with node.connect() as connection:
        connection.send(request("POST", "/upload", [("Transfer-Encoding", "chunked")]))
        node.wait_processes(1)
        connection.send(chunked(b"x" * 1001))
        assert connection.read().status in (400, 413)


# ---- what goes wrong


@pytest.mark.parametrize("path", ["/crash", "/oom"])
def test_a_crash_is_502_and_costs_one_request(wire, path):
    assert wire.ask("GET", path).status == 502
    assert wire.ask("GET", "/").text == "hello\n"


def test_memory_past_the_ceiling_is_a_class_of_its_own(web):
    assert web.get("/oom").status == 502
    assert web.log.wait_for("process exited", "crashed: memory")


def test_returning_without_an_answer_is_502(wire):
    before = wire.node.stats()["processes"]["exits"]["normal"]
    assert wire.ask("GET", "/silent").status == 502
    assert wire.node.stats()["processes"]["exits"]["normal"] == before + 1


def test_an_error_in_place_of_an_answer_is_502_and_logged(wire):
    assert wire.ask("GET", "/refuse").status == 502
    assert wire.node.log.wait_for("guest", "wasi:http", "answered with the error")


def test_a_status_that_nobody_may_send_is_502(web):
    assert web.get("/status/999").status == 502
    assert web.log.wait_for("process exited", "the answer cannot be sent")


@pytest.mark.parametrize("path", ["/late-crash", "/abandoned", "/unfinished"])
def test_an_answer_that_breaks_off_is_cut(wire, path):
    answer = wire.ask("GET", path)
    assert (answer.status, answer.body, answer.cut) == (200, b"begun\n", True)


def test_an_answer_shorter_than_its_length_is_cut(wire):
    answer = wire.ask("GET", "/short")
    assert (answer.status, answer.body, answer.cut) == (200, b"12345", True)


def test_a_whole_answer_survives_a_crash_behind_it(wire):
    answer = wire.ask("GET", "/behind-crash")
    assert (answer.status, answer.body, answer.cut) == (200, b"complete\n", False)


def test_a_complete_answer_waits_for_nothing_behind_it(web):
    # Its component sleeps for an hour after that; its client's leaving ends it, after the grace.
    with web.connect() as connection:
        connection.send_request("GET", "/behind")
        assert connection.read().text == "complete\n"
    web.wait_processes(0)


def test_cpu_over_budget_before_the_head_is_504(wire):
    assert wire.ask("GET", "/spin").status == 504
    assert wire.node.log.wait_for("process exited", "crashed: cpu")


def test_cpu_over_budget_after_the_head_cuts_the_answer(wire):
    answer = wire.ask("GET", "/late-spin")
    assert (answer.status, answer.body, answer.cut) == (200, b"begun\n", True)


def test_a_deadline_before_the_head_is_504(serve):
    node = serve(manifest(serve={"deadline-ms": 150}))
    for wire in (Plain(node), Two(node)):
        assert wire.ask("GET", "/sleep").status == 504
        assert wire.ask("GET", "/").text == "hello\n"
    assert node.log.wait_for("process exited", "crashed: timeout")


def test_a_stream_deadline_cuts_the_answer(serve):
    node = serve(manifest(serve={"stream-deadline-ms": 150}))
    for wire in (Plain(node), Two(node)):
        answer = wire.ask("GET", "/late-sleep")
        assert (answer.status, answer.body, answer.cut) == (200, b"begun\n", True)


def test_a_full_node_answers_503_with_retry_after(serve):
    node = serve(manifest(node={"max-processes": 2}, serve={"cancel-on-disconnect": True}))
    sleepers = [node.connect() for _ in range(2)]
    for sleeper in sleepers:
        sleeper.send_request("GET", "/sleep")
    node.wait_processes(2)
    response = node.get("/")
    assert (response.status, response.header("retry-after") is not None) == (503, True)
    for sleeper in sleepers:
        sleeper.close()
    node.wait_processes(0)
    assert node.get("/").status == 200


# ---- clients that leave


def killed(node):
    return node.stats()["processes"]["exits"]["killed"]


@pytest.mark.parametrize("how", ["fin", "reset"])
def test_a_component_that_streams_to_nobody_finds_its_stream_closed(web, how):
    before = web.stats()["processes"]["exits"]["normal"]
    connection = web.connect(receive_bytes=4096)
    connection.send_request("GET", "/endless")
    assert connection.read_head().status == 200
    connection.reset() if how == "reset" else connection.close()
    web.wait_processes(0)
    assert web.stats()["processes"]["exits"]["normal"] == before + 1


def test_a_component_that_does_not_notice_is_killed_after_the_grace(web):
    before = killed(web)
    connection = web.connect()
    connection.send_request("GET", "/late-sleep")
    assert connection.read_head().status == 200
    connection.close()
    web.wait_processes(0)
    assert killed(web) == before + 1
    assert web.log.wait_for("process exited", "class=killed", "disconnect")


@pytest.mark.parametrize("path", ["/sleep", "/late-sleep"])
def test_cancel_on_disconnect_kills_at_once(use_shared, path):
    node = use_shared("wasi-http-cancelling", manifest(
        serve={"cancel-on-disconnect": True, "disconnect-grace-ms": 3600000}))
    before = killed(node)
    connection = node.connect()
    connection.send_request("GET", path)
    node.wait_processes(1)
    connection.reset()
    node.wait_processes(0)
    assert killed(node) == before + 1


def test_leaving_inside_the_body_fails_the_read(web):
    connection = web.connect()
    connection.send(request("POST", "/upload", [("Content-Length", "1000")], b"some"))
    web.wait_processes(1)
    connection.reset()
    web.wait_processes(0)


def test_resetting_a_stream_of_http2_ends_its_component(web):
    with Http2Connection(web.address) as connection:
        stream = connection.begin("GET", "/late-sleep")
        connection.until(lambda: connection.answers[stream].body)
        connection.h2.reset_stream(stream)
        connection.flush()
        web.wait_processes(0)


# ---- events


def test_a_stream_of_events_is_one_also_from_a_component(serve):
    node = serve(manifest(serve={"heartbeat-ms": 20, "protocol": "sse"}))
    with node.connect() as connection:
        connection.send_request("GET", "/events")
        response = connection.read_head()
        assert (response.status, response.header("content-type")) == (200, "text/event-stream")
        text = b""
        while b": still here" not in text:
            text += connection.read_chunk()
        assert text.startswith(b"data: one\n\ndata: two\n\n")
        connection.reset()
    node.wait_processes(0)
    assert node.get("/").status == 502, "what is no stream of events is no answer there"
    assert node.get("/status/404").status == 404, "but a refusal is"


# ---- the manifest


def test_a_component_answers_beside_modules(serve, workshop):
    node = serve(apps.app({"GET /web": "web", "GET /zoo": "zoo#hello"},
                          {"web": guests.component_path("hello"), "zoo": workshop.zoo()}))
    assert node.get("/web").text == "hello\n"
    assert node.get("/zoo").text == "hello\n"
    assert node.post("/web", b"").status == 405


def test_an_entry_of_a_component_that_has_none_is_refused(home):
    home.write("mote.toml", apps.app({"GET /": "web#handle"}, {"web": guests.component_path("hello")}))
    done = home.run("check", "-f", "mote.toml")
    assert done.status != 0
    assert "name it without the entry 'handle'" in done.err


def test_a_component_as_websocket_is_refused(home):
    home.write("mote.toml", apps.app({"WS /": "web"}, {"web": guests.component_path("hello")}))
    done = home.run("check", "-f", "mote.toml")
    assert done.status != 0
    assert "knows no WebSockets" in done.err


def test_standard_error_goes_to_the_log_where_that_is_granted(serve):
    node = serve(manifest(component={"capability": "talker"},
                          capabilities={"talker": {"inherits": "sandboxed", "allow-stdio": True}}))
    assert node.get("/complain").text == "complained\n"
    assert node.log.wait_for("guest", "stream=stderr", "a word of the guest")
