"""Apps made for RUSM 0.7: its manifest, its interfaces and imports, and what goes between a connection and a guest."""

import base64
import json
import os
import shutil

import pytest

from event_stream import Listener
from frames import BINARY, CLOSE, Socket, closing, frame
from guests import GUESTS, run_tool
from program import Home, Node
from waiting import wait_until

MANIFEST = """
[node]
listen = "127.0.0.1:4000"
profile = "balanced"

[log]
level = "info"

[[serve]]
protocol = "http"
listen = "127.0.0.1:0"
[serve.routes]
"GET /hello/:name" = "app#envelope"
"POST /echo" = "app#echo"
"POST /raw" = "app#raw"
"POST /publish" = "app#publish"
"GET /do/actors" = "app#actors"
"GET /do/streams" = "app#streams"
"GET /do/storage" = "app#storage"
"GET /do/supervision" = "app#supervision"
"GET /heard" = "app#heard"
"GET /trap" = "app#trap"
"GET /silent" = "app#silent"
"GET /twice" = "app#twice"
"GET /huge" = "app#huge"
"GET /too-huge" = "app#too-huge"
"GET /delegate" = "app#delegate"
"GET /late" = "slow#late"
"GET /core" = "core#anything"
"GET /unknown" = "app#unheard-of"
[serve.headers]
"x-policy" = "ours"

[[serve]]
protocol = "ws"
listen = "127.0.0.1:0"
max_message_size = 65536
subprotocols = ["chat"]
disconnect-grace-ms = 50
[serve.routes]
"GET /room/:room" = "app"

[[serve]]
protocol = "sse"
component = "feed"
listen = "127.0.0.1:0"
disconnect-grace-ms = 50

[components.app]
capability = "free"
[components.slow]
deadline-ms = 200
[components.worker]
[components.child]
[components.core]
[components.counter]
resident = true

[capabilities.free]
inherits = "trusted"
allow-storage = true
"""


def make_component(workshop):
    """tests/guests/rusm/app.c, of the published interfaces."""
    def make(path):
        bindings, wit = workshop.home.path("rusm-bindings"), os.path.join(GUESTS, "rusm", "wit")
        os.makedirs(bindings, exist_ok=True)
        workshop.componentize("bindings", wit, "process", bindings)
        made = os.path.join(bindings, "process")
        run_tool(os.environ.get("MOTE_CLANG", "clang"), "--target=wasm32-wasi", "-mexec-model=reactor", "-O1", "-Wall",
                 "-Wextra", "-Werror", "-I", bindings, "-x", "c", os.path.join(GUESTS, "rusm", "app.c"), made + ".c",
                 "-x", "none", made + "_component_type.o", "-o", path + ".core")
        workshop.componentize("component", wit, "process", path + ".core", path)
    return workshop._once("rusm-app", make)


def fill(home, workshop):
    """The folder of an app as RUSM has it: wasm/NAME.wasm for each component."""
    app = make_component(workshop)
    os.makedirs(home.path("wasm"), exist_ok=True)
    for name in ("app", "slow", "worker", "child", "counter", "feed"):
        shutil.copy(app, home.path("wasm", name + ".wasm"))
    shutil.copy(workshop.c("rusm/core"), home.path("wasm", "core.wasm"))


@pytest.fixture(scope="module")
def running(cache, workshop):
    home = Home(cache)
    fill(home, workshop)
    node = Node(home, MANIFEST, file="rusm.toml")
    yield node
    node.finish()
    home.remove()


@pytest.fixture
def app(running):
    """The app; after each test everything that it took is given back."""
    yield running
    running.check_baseline()


def heard(node, what):
    """Wait until the service was told that."""
    wait_until(lambda: what in node.get("/heard").text.split(";"), what=lambda: node.get("/heard"))


# ---- requests


def test_a_routed_handler_gets_the_request_as_json_and_answers_with_json(app):
    answer = app.get("/hello/a%20b?x=1&y", headers=[("X-Some", "Thing")])
    assert answer.status == 200 and answer.header("x-made-for") == "rusm", answer
    assert answer.header("x-policy") == "ours"
    asked = answer.json()
    assert asked["op"] == "fetch" and asked["ref"] == 0 and asked["action"] == "envelope"
    assert int(asked["from"]) > 0
    assert asked["params"] == [["name", "a b"]]
    request = asked["request"]
    assert request["method"] == "GET" and request["url"] == "/hello/a%20b?x=1&y" and request["body"] == ""
    assert ["x-some", "Thing"] in request["headers"]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 70_001, 1_000_000])
def test_bodies_go_both_ways(app, size):
    body = os.urandom(size)
    answer = app.post("/echo", body)
    assert answer.status == 201 and answer.body == body


def test_what_a_guest_can_do(app):
    for what in ("actors", "streams", "storage", "supervision"):
        answer = app.get("/do/" + what)
        assert answer.status == 200 and answer.text == "good", (what, answer)


def test_a_core_module_is_served_by_the_same_functions(app):
    answer = app.get("/core")
    assert answer.status == 200 and answer.text == "core", answer


def test_a_head_is_answered_as_a_get_without_its_body(app):
    answer = app.request("HEAD", "/hello/a")
    assert answer.status == 200 and answer.header("x-made-for") == "rusm" and answer.body == b"", answer
    with app.connect(2) as connection:
        connection.send_request("HEAD", "/events")
        assert connection.read(to_head=True).header("content-type") == "text/event-stream"


def test_the_first_answer_counts_and_another_process_may_give_it(app):
    assert app.get("/twice").text == "first"
    answer = app.get("/delegate")
    assert answer.status == 202 and answer.text == "by another", answer


def test_an_answer_may_be_large_but_no_larger_than_a_message(app):
    assert app.get("/huge").body == b"h" * (2 << 20)
    assert app.get("/too-huge").status == 502
    app.log.wait_for("denied", "max-message-bytes")


@pytest.mark.parametrize("target, status", [
    ("/trap", 502), ("/silent", 502), ("/late", 504), ("/unknown", 404), ("/nowhere", 404), ("/echo", 405)])
def test_every_request_gets_an_answer(app, target, status):
    assert app.get(target).status == status


def reply(**ok):
    return json.dumps({"ref": 0, "ok": ok}).encode()


BODY = base64.b64encode(b"body").decode()


@pytest.mark.parametrize("raw", [
    b"", b"no json", b"{", b"[]", b"{}", b"null", b'{"ok":null}', b'{"ok":7}', b"\xff\xfe", b"[" * 100_000,
    reply(), reply(status="200"), reply(status=0), reply(status=-1), reply(status=199), reply(status=600), reply(status=2e2),
    reply(status=200, body="no base64!"), reply(status=200, body="YQ="), reply(status=200, body=7),
    reply(status=200, headers=7), reply(status=200, headers=[["a"]]), reply(status=200, headers=[["a", 1]]),
    reply(status=200, headers=[["a b", "c"]]), reply(status=200, headers=[["a", "b\r\nc: d"]]),
    reply(status=200, headers=[["a", "b"]] * 129), reply(status=200) + b"x"])
def test_an_answer_that_is_none_is_a_502(app, raw):
    answer = app.post("/raw", raw)
    assert answer.status == 502 and answer.header("c") is None, (raw[:80], answer)


@pytest.mark.parametrize("raw, status, body", [
    (reply(status=200), 200, b""), (reply(status=418, body=BODY, more=[{"a": [1, {}]}]), 418, b"body"),
    (b' { "ok" : { "body" : "\\u0059m9ke\\u0051=\\u003D" , "status":201 } } ', 201, b"body"),
    (reply(status=200, headers=[["Content-Length", "99"], ["Transfer-Encoding", "chunked"], ["a", "b"]], body=BODY), 200, b"body"),
    (b'{"ref":0,"err":"it is not there"}', 500, b"it is not there")])
def test_an_answer_in_any_form(app, raw, status, body):
    answer = app.post("/raw", raw)
    assert answer.status == status and answer.body.rstrip(b"\n") == body and not answer.cut, answer


def test_a_client_that_leaves_takes_nothing_with_it(app):
    with app.connect() as connection:
        before = app.spawned()
        connection.send_request("GET", "/late")
        app.wait_spawned(before + 2)
        connection.reset()
    with app.connect() as connection:
        connection.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nsome")
        connection.reset()
    assert app.get("/twice").status == 200


# ---- WebSockets


def room(node, target="/room/7?q=1", **options):
    return Socket(node.addresses[1], target, **options)


def ends(one, code, reason=""):
    """The server says close; so does the client, then, and the server closes."""
    one.expect(CLOSE, code, reason)
    one.send(closing(code))
    assert one.read_frame() is None


def test_a_websocket_has_a_guest_of_its_own(app):
    with room(app, headers=[("X-Who", "me"), ("Sec-WebSocket-Protocol", "other, chat"), ("Origin", "http://elsewhere")]) as one:
        one.send_text("hello")
        one.expect(BINARY, b"hello")
        one.send(frame(BINARY, b"\0\xff"))
        one.expect(BINARY, b"\0\xff")
        one.send_text("text:gr\u00fc\u00df")
        one.expect(1, "gr\u00fc\u00df".encode())
        one.send_text("info")
        _, told = one.read_message()
        assert told.decode() == "GET /room/7?q=1 param room=7 header x-who=me speaks chat"
        one.finish()
    heard(app, "ws closed")


def test_a_websocket_is_closed_by_its_guest(app):
    with room(app) as one:
        one.send_text("close")
        ends(one, 4001, "bye")
    with room(app) as one:
        one.send_text("leave")
        one.expect(BINARY, b"left")
        ends(one, 1000)
    with room(app) as one:
        one.send_text("trap")
        ends(one, 1011)


def test_a_guest_that_floods_waits_for_its_client(app):
    with room(app, receive_bytes=4096) as one:
        one.send_text("flood")
        for i in range(200):
            kind, data = one.read_message()
            assert kind == BINARY and data == bytes([ord("a") + i % 26]) * 100_000
        one.expect(BINARY, b"end")
        one.finish()


def test_a_guest_that_does_not_notice_a_lost_client_is_ended(app):
    with room(app, "/room/1?stay") as one:
        one.reset()
    with room(app) as one:
        one.send_text("flood")
        one.reset()
    app.check_baseline()


def test_a_websocket_is_refused_as_anywhere(app):
    with app.connect(1) as connection:
        connection.send_request("GET", "/room/7")
        assert connection.read().status == 426
    with room(app, shake=False) as one:
        one.send_request("GET", "/elsewhere")
        assert one.read().status == 404
    with room(app) as one:
        one.send(frame(BINARY, b"x" * 65537))
        assert one.read_message()[:2] == (CLOSE, 1009)


# ---- events


def test_events_go_to_who_listens(app):
    with app.connect(2) as first, app.connect(2) as second:
        listeners = [Listener(first, "/events"), Listener(second, "/events?x")]
        for one in listeners:
            assert one.response.status == 200 and one.response.header("content-type") == "text/event-stream"
            event = one.next()
            assert (event.data, event.event, event.id) == ("hello\nworld", "greeting", "7")
        assert app.post("/publish", b"news\nof today").text == "published"
        for one in listeners:
            assert one.next().data == "news\nof today"
        assert app.post("/publish", b"end").text == "published"
        for one in listeners:
            one.rest()
            assert not one.cut


def test_a_stream_of_events_is_cut_when_its_guest_traps(app):
    with app.connect(2) as connection:
        listener = Listener(connection, "/events")
        listener.next()
        app.post("/publish", b"trap")
        listener.rest()
        assert listener.cut


def test_a_guest_hears_that_its_listener_has_left(app):
    with app.connect(2) as connection:
        Listener(connection, "/events").next()
    heard(app, "sse closed")
    with app.connect(2) as connection:
        Listener(connection, "/events?stay")
    app.check_baseline()


# ---- the manifest


def test_a_manifest_of_theirs_is_checked_with_what_it_says_in_vain(home, workshop):
    fill(home, workshop)
    home.write("rusm.toml", MANIFEST)
    done = home.run("check", "-f", "rusm.toml")
    assert done.status == 0, done
    for said in ("rusm.toml:3:1: warning: 'listen'", "'profile'", "'allow-storage'"):
        assert said in done.err, (said, done)
    home.write("rusm.toml", MANIFEST + '\nbridges = ["weather"]\n')
    done = home.run("serve", "-f", "rusm.toml")
    assert done.status != 0 and "'bridges'" in done.err, done


def test_what_a_route_must_name(home, workshop):
    fill(home, workshop)
    for route, protocol, said in (("app", "http", "no action"), ("app#x", "ws", "without the action 'x'")):
        home.write("rusm.toml", f'[[serve]]\nprotocol = "{protocol}"\nlisten = "127.0.0.1:0"\n[serve.routes]\n'
                   f'"GET /" = "{route}"\n[components.app]\n')
        done = home.run("serve", "-f", "rusm.toml")
        assert done.status != 0 and said in done.err and "rusm.toml:5" in done.err, done
