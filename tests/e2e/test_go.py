"""Guests in Go, by `mote build`: what tests/guests/go has an entry for."""

import os
import re
import shutil
import subprocess
import threading

import pytest

import apps
from event_stream import parse
from frames import TEXT, Socket
from origin import TIMEOUT_S, Origin
from program import ROOT

GUESTS = os.path.join(ROOT, "tests", "guests", "go")
MINOR_MIN = 24


def why_not():
    """Why guests in Go cannot be built here, or None."""
    if shutil.which("go") is None:
        return "there is no Go: install 1.24 or newer from https://go.dev/dl"
    version = subprocess.run(["go", "env", "GOVERSION"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             check=False, env=dict(os.environ, GOTOOLCHAIN="local")).stdout.strip()
    found = re.match(r"go1\.(\d+)", version)
    return None if found and int(found.group(1)) >= MINOR_MIN else f"Go is {version}, older than 1.{MINOR_MIN}"


MISSING = why_not()
pytestmark = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))


def environment():
    """The compiler's own cache is the user's, so that a build takes a second; nothing is downloaded."""
    cache = subprocess.run(["go", "env", "GOCACHE"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                           check=True).stdout.strip()
    return {"GOCACHE": cache, "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}


def manifest_of(name):
    """A manifest for `mote build`: nothing but where the component is to be."""
    return f'[[serve]]\n[serve.routes]\n"GET /" = "{name}#hello"\n[components.{name}]\nsource = "wasm/{name}.wasm"\n'


def build(home, name, folder="app"):
    """tests/guests/go/NAME, built in a copy."""
    copy = home.path(folder)
    if not os.path.exists(copy):
        shutil.copytree(GUESTS, copy)
    home.write(os.path.join(folder, "mote.toml"), manifest_of(name))
    done = home.run("build", folder, environment=environment(), seconds=600)
    return done, os.path.join(copy, "wasm", name + ".wasm")


@pytest.fixture(scope="module")
def made(workshop):
    """made(name): the Wasm of tests/guests/go/NAME."""
    def get(name):
        key = "go-" + name
        if key not in workshop.made:
            done, workshop.made[key] = build(workshop.home, name, "go")
            assert done.status == 0, done
        return workshop.made[key]
    return get


ROUTES = {"GET /hello/:name": "zoo#hello", "POST /echo": "zoo#echo", "GET /events": "zoo#events", "WS /socket": "zoo#socket",
          **{f"GET /{name}": "zoo#" + name for name in ("crash", "stuck", "fetch", "calls", "together", "workers")}}


@pytest.fixture
def zoo(use_shared, made):
    wasm = made("zoo")
    return use_shared("go", apps.app(
        ROUTES,
        {"zoo": {"source": wasm, "capability": "boss"},
         "worker": {"source": wasm, "entry": "square", "capability": "worker"},
         "counter": {"source": wasm, "entry": "counter", "resident": True}},
        capabilities={"boss": {"allow-spawn": ["worker"], "allow-network": ["127.0.0.0/8"]},
                      "worker": {"accept-links": True}}))


def test_a_handler_answers(zoo):
    answer = zoo.get("/hello/go")
    assert (answer.status, answer.text) == (200, "hello go\n")


def test_a_body_is_echoed_while_it_comes(zoo):
    with zoo.connect() as connection:
        connection.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: text/x\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.send(b"5\r\nfirst\r\n")
        head = connection.read_head()
        assert (head.status, head.header("content-type")) == (200, "text/x")
        assert connection.read_chunk() == b"first"
        connection.send(b"6\r\nsecond\r\n0\r\n\r\n")
        assert connection.read_chunk() == b"second"
        assert connection.read_chunk() == b""


def test_a_panic_is_502_and_the_log_has_the_goroutine(zoo):
    assert zoo.get("/crash").status == 502
    zoo.log.wait_for("panic: assignment to entry in nil map")
    zoo.log.wait_for("goroutine 1 [running]:")
    zoo.log.wait_for("zoo/main.go:")


def test_who_waits_for_nothing_that_can_come_is_ended(zoo):
    assert zoo.get("/stuck").status == 502
    zoo.log.wait_for("all goroutines are asleep - deadlock!")


def test_goroutines_go_on_while_one_waits_for_mail_and_one_for_a_stream(zoo):
    assert zoo.get("/together").text == "through a stream\n"


def test_events_arrive(zoo):
    answer = zoo.get("/events")
    assert [(one.event, one.id, one.data) for one in parse(answer.body)[0]] == [
        ("count", str(i), f"number {i}") for i in range(3)]


def test_a_websocket_echoes_and_hears_what_is_published(zoo):
    with Socket(zoo.address, "/socket") as socket:
        socket.send_text("hi")
        socket.expect(TEXT, b"hi")
        socket.send_text("publish")
        socket.expect(TEXT, b"published: to all")
        socket.finish()


def test_calls_and_casts_reach_a_service(zoo):
    lines = zoo.get("/calls").text.splitlines()
    assert lines[0] == "bump: <nil>" and lines[1] == "cast: <nil>", lines
    assert re.fullmatch(r"total: \d+ <nil>", lines[2]), lines
    assert lines[3:] == [
        "sum: 5 <nil>", "fails: because of that: mote: limit reached, a limit: true", "other: true", "late: true",
        "slow: after others <nil>"]


def test_workers_work_and_their_ends_are_told(zoo):
    assert zoo.get("/workers").text.splitlines() == ["sum 14", "a number below 0", "denied: true", "supervisor: <nil>"]


def test_a_request_to_somebody_else_lets_goroutines_go_on(zoo):
    released = threading.Event()

    def behave(peer):
        """The first request is answered only once another goroutine has sent the second."""
        while (head := peer.read_head()) is not None:
            if head[1] == "/release":
                released.set()
            assert peer.header("x-from") == "go" and released.wait(TIMEOUT_S)
            peer.answer(b"from elsewhere")
    origin = Origin(behave)
    try:
        answer = zoo.get(f"/fetch?url=http://127.0.0.1:{origin.port}/")
        assert (answer.status, answer.text) == (200, "from elsewhere, <nil>\n")
        assert zoo.get("/fetch?url=http://192.0.2.1/").status == 403
    finally:
        origin.close()


def test_a_program_that_does_not_compile_is_told_with_file_and_line(home):
    shutil.copytree(GUESTS, home.path("app"))
    home.write("app/zoo/main.go", "package main\n\nfunc main() { nothing() }\n")
    done, wasm = build(home, "zoo")
    assert done.status == 1 and "zoo/main.go:3:15: undefined: nothing" in done.err, done
    assert not os.path.exists(wasm)


def test_without_a_compiler_it_is_said_what_to_install(home):
    shutil.copytree(GUESTS, home.path("app"))
    home.write("app/mote.toml", manifest_of("zoo"))
    done = home.run("build", "app", environment={"PATH": "/nonexistent"})
    assert done.status == 1 and "install Go 1.24 or newer" in done.err, done


WEB = {"GET /web/*": "web#pages", "POST /web/*": "web#pages"}


@pytest.mark.soak
def test_an_http_handler_of_the_standard_library(serve, made):
    node = serve(apps.app(WEB, {"web": {"source": made("web"), "capability": "net"}},
                          capabilities={"net": {"allow-network": ["127.0.0.0/8"]}}))
    answer = node.get("/web/hello/gopher", [("X-From", "afar")])
    assert (answer.status, answer.header("x-method"), answer.text) == (200, "GET", "hello gopher, afar\n")
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert node.get("/web/nowhere").status == 404
    assert node.post("/web/echo", b"x" * 100000).body == b"x" * 100000
    assert node.get("/web/ticks").text == "tick 0\ntick 1\ntick 2\n"
    assert node.get("/web/log").status == 204
    node.log.wait_for("a line of slog who=zoo number=7")
    assert node.get("/web/crash").status == 502
    node.log.wait_for("panic: assignment to entry in nil map")

    def behave(peer):
        while peer.read_head() is not None:
            peer.answer(b"from elsewhere", status="203 Perhaps")
    origin = Origin(behave)
    try:
        answer = node.get(f"/web/fetch?url=http://127.0.0.1:{origin.port}/")
        assert (answer.status, answer.text) == (203, "from elsewhere")
        assert node.get("/web/fetch?url=http://192.0.2.1/").status == 403
    finally:
        origin.close()
