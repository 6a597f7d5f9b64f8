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
from go_guests import GUESTS, MISSING, build, environment, made, manifest_of
from origin import TIMEOUT_S, Origin
from program import ROOT

pytestmark = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))

ROUTES = {"GET /hello/:name": "zoo#hello", "POST /echo": "zoo#echo", "POST /patient": "zoo#patient", "GET /generous": "zoo#generous", "GET /events": "zoo#events", "WS /socket": "zoo#socket",
          **{f"GET /{name}": "zoo#" + name for name in ("crash", "stuck", "fetch", "calls", "together", "workers")}}


@pytest.fixture
def zoo(use_shared, workshop):
    wasm = made(workshop, "zoo")
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


def test_goroutines_go_on_while_one_reads_a_body_that_comes_slowly(zoo):
    with zoo.connect() as connection:
        connection.send(b"POST /patient HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        zoo.log.wait_for("tick 5 of /patient", seconds=60)
        connection.send(b"6\r\nsecond\r\n0\r\n\r\n")
        assert connection.read().text == "11 <nil>\n"


def test_goroutines_go_on_while_one_writes_to_a_client_that_does_not_read(zoo):
    with zoo.connect(receive_bytes=4096) as connection:
        connection.send_request("GET", "/generous")
        zoo.log.wait_for("tick 40 of /generous", seconds=60)
        answer = connection.read()
        assert (answer.status, len(answer.body), answer.cut) == (200, 64 << 17, False)


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


def test_what_is_passed_between_processes_is_cbor(home):
    """The SDK's own tests, natively: values of the RFC, other forms of them, and what is broken."""
    sdk = home.path("sdk")
    shutil.copytree(os.path.join(ROOT, "sdk", "go"), sdk)
    done = subprocess.run(["go", "test", "."], cwd=sdk, env=home.environment(**environment()), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


WEB = {"GET /web/*": "web#pages", "POST /web/*": "web#pages"}


@pytest.mark.soak
def test_an_http_handler_of_the_standard_library(serve, workshop):
    node = serve(apps.app(WEB, {"web": {"source": made(workshop, "web"), "capability": "net"}},
                          capabilities={"net": {"allow-network": ["127.0.0.0/8"]}}))
    answer = node.get("/web/hello/gopher", [("X-From", "afar")])
    assert (answer.status, answer.header("x-method"), answer.text) == (200, "GET", "hello gopher, afar\n")
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert node.get("/web/nowhere").status == 404
    head = node.request("HEAD", "/web/hello/gopher")
    assert (head.status, head.header("content-length"), head.body) == (200, "15", b"")
    split = node.get("/web/split")
    assert (split.status, split.header("x-split"), split.header("x-more")) == (204, "one  X-More: two", None)
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


# ---- apps by `mote new`, and the samples of the documentation


@pytest.mark.parametrize("template", [
    "todo", *(pytest.param(one, marks=pytest.mark.soak) for one in ("hello", "api", "chat", "worker"))])
def test_a_new_app_is_built_and_its_own_tests_hold(home, template):
    done = home.run("new", "shop", "--lang", "go", "--template", template)
    assert done.status == 0, done
    for command in ("build", "test"):
        done = home.run(command, environment=environment(), cwd=home.path("shop"), seconds=600)
        assert done.status == 0, done
    assert "1 of 1 tests hold" in done.out, done


def samples():
    """[(what, program, manifest, [(target, answer)])] of the quick start."""
    with open(os.path.join(ROOT, "docs", "quickstart-go.md"), encoding="utf-8") as file:
        page = file.read()
    module = re.search(r"```\n(module .*?)```", page, re.S).group(1)
    found = []
    for part in page.split("\n## ")[1:]:
        program, manifest = (re.search(rf"```{kind}\n(.*?)```", part, re.S) for kind in ("go", "toml"))
        asked = re.findall(r"^\$ curl http://127.0.0.1:8080(\S+)\n(.*?)^```", part, re.S | re.M)
        if program:
            found.append(pytest.param(module, program.group(1), manifest.group(1), asked, id=part.split("\n")[0],
                                      marks=[pytest.mark.soak] if "net/http" in program.group(1) else []))
    assert len(found) == 4
    return found


@pytest.mark.parametrize("module, program, manifest, asked", samples())
def test_the_samples_of_the_quick_start_do_what_it_says(home, serve, module, program, manifest, asked):
    home.write("go.mod", module)
    home.write("main.go", program)
    home.write("mote.toml", manifest)
    done = home.run("build", environment=environment(), seconds=600)
    assert done.status == 0, done
    node = serve(manifest.replace("[[serve]]", '[[serve]]\nlisten = "127.0.0.1:0"'), home=home)
    for target, answer in asked:
        assert node.get(target).text == answer
