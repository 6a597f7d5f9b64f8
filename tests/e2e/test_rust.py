"""Guests in Rust, by `mote build`: what tests/guests/rust has an entry for."""

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
from rust_guests import GUESTS, MISSING, TOOLS, build, environment, made, manifest_of

pytestmark = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))

ROUTES = {"GET /hello/:name": "zoo#hello", "POST /echo": "zoo#echo", "POST /json": "zoo#person", "GET /events": "zoo#events",
          "WS /socket": "zoo#socket", "GET /plain-calls": "zoo#plain_calls",
          **{f"GET /{name}": "zoo#" + name for name in ("large", "deep", "crash", "fails", "stuck", "fetch", "calls", "together", "workers")}}


@pytest.fixture
def zoo(use_shared, workshop):
    wasm = made(workshop, "zoo")
    return use_shared("rust", apps.app(
        ROUTES,
        {"zoo": {"source": wasm, "capability": "boss"},
         "worker": {"source": wasm, "entry": "square", "capability": "worker"},
         "counter": {"source": wasm, "entry": "counter", "resident": True}},
        capabilities={"boss": {"allow-spawn": ["worker"], "allow-network": ["127.0.0.0/8"]},
                      "worker": {"accept-links": True}}))


def test_a_handler_answers_and_a_header_cannot_begin_another(zoo):
    answer = zoo.get("/hello/rust")
    assert (answer.status, answer.text) == (200, "hello rust\n")
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert (answer.header("x-split"), answer.header("x-more")) == ("one  X-More: two", None)


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


def test_a_large_answer_arrives_whole(zoo):
    assert zoo.get("/large").body == b"x" * (3 << 20)


def test_json_is_read_and_written(zoo):
    answer = zoo.post("/json", b' {"born": 1815, "friends": ["Ch\\u00e4rles\\n"], "name": "Ada", "tall": 1.5, "unknown": [{}, null, -1e3]} ')
    assert (answer.status, answer.text) == (200, '{"name":"Ada","born":1815,"friends":["Chärles\\n"],"tall":1.5}\n')
    assert zoo.post("/json", b"{}").text == '{"name":"","born":null,"friends":[],"tall":0}\n'
    for broken in (b"", b"{", b'{"name": 1}', b'{"born": 70000}', b'{"name": "x"} x', b'{"name": "\\ud800"}', b"[" * 65, b'{"tall": 01}',
                   b'{"name": "\xff"}', b"x" * 1025):
        assert zoo.post("/json", broken).status == 400, broken


def test_what_is_as_deep_as_it_may_be_fits_the_stack(zoo):
    assert zoo.get("/deep").text == '{"a":[' * 16 + "]}" * 16 + "\n"


def test_a_panic_is_502_and_the_log_has_the_line(zoo):
    assert zoo.get("/crash").status == 502
    zoo.log.wait_for("panic at src/lib.rs:", "index out of bounds: the len is 3 but the index is 9")


def test_an_error_is_502_and_the_log_has_it(zoo):
    assert zoo.get("/fails").status == 502
    zoo.log.wait_for("there are too many of them")


def test_who_waits_for_nothing_that_can_come_is_ended(zoo):
    assert zoo.get("/stuck").status == 502
    zoo.log.wait_for("every task waits for what cannot come")


def test_tasks_go_on_while_one_waits_for_mail_and_one_for_a_stream(zoo):
    assert zoo.get("/together").text == "through a stream\nTimeout: timeout\n"


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
    lines = zoo.get("/calls").text.split("\n")
    assert re.fullmatch(r"\d+", lines[0]) and lines[1] == "()" and re.fullmatch(r"\d+", lines[2]), lines
    assert int(lines[2]) - int(lines[0]) == 2, lines
    assert lines[3:] == ['"onetwo"', "Limit: because of that", "NotFound: not found", "Timeout: timeout", '"after others"']


def test_calls_that_nothing_goes_on_beside_reach_it_too(zoo):
    assert zoo.get("/plain-calls").text.split("\n") == [
        "3003", "Limit: because of that", "NotFound: not found", "Timeout: timeout", '"after others"', "NotFound: not found"]


def test_workers_work_and_their_ends_are_told(zoo):
    assert zoo.get("/workers").text.split("\n") == ["sum 14", "a number below 0", "Denied: not granted", "()"]


def test_a_request_to_somebody_else_lets_tasks_go_on(zoo):
    released = threading.Event()

    def behave(peer):
        """The first request is answered only once another task has sent the second."""
        while (head := peer.read_head()) is not None:
            if head[1] == "/release":
                released.set()
            assert peer.header("x-from") == "rust" and released.wait(TIMEOUT_S)
            peer.answer(b"from elsewhere")
    origin = Origin(behave)
    try:
        answer = zoo.get(f"/fetch?url=http://127.0.0.1:{origin.port}/")
        assert (answer.status, answer.text) == (200, "from elsewhere")
        assert zoo.get("/fetch?url=http://192.0.2.1/").status == 403
    finally:
        origin.close()


def test_a_program_that_does_not_compile_is_told_with_file_and_line(home):
    shutil.copytree(GUESTS, home.path("app"))
    home.write("app/zoo/src/lib.rs", "#[mote::export]\nfn hello() { nothing() }\n")
    done, wasm = build(home, "zoo")
    assert done.status == 1 and "cannot find function `nothing`" in done.err and " src/lib.rs:2:14\n" in done.err, done
    assert not os.path.exists(wasm)


def test_without_a_compiler_it_is_said_what_to_install(home):
    shutil.copytree(GUESTS, home.path("app"))
    home.write("app/mote.toml", manifest_of("zoo"))
    done = home.run("build", "app", environment={"PATH": "/nonexistent", "CARGO": None})
    assert done.status == 1 and "rustup target add wasm32-wasip1" in done.err, done


def test_what_is_passed_between_processes_is_cbor(home):
    """The SDK's own tests, natively: values of the RFC, other forms of them, and what is broken."""
    sdk = home.path("sdk")
    shutil.copytree(os.path.join(ROOT, "sdk", "rust"), sdk)
    done = subprocess.run([TOOLS[0], "test", "--quiet", "--test", "wire"], cwd=sdk, env=home.environment(**environment()), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "0 failed" in done.stdout, done.stdout + done.stderr


# ---- apps by `mote new`, and the samples of the documentation


@pytest.mark.parametrize("template", [
    "todo", *(pytest.param(one, marks=pytest.mark.soak) for one in ("hello", "api", "chat", "worker"))])
def test_a_new_app_is_built_and_its_own_tests_hold(home, template):
    done = home.run("new", "shop", "--lang", "rust", "--template", template)
    assert done.status == 0, done
    for command in ("build", "test"):
        done = home.run(command, environment=environment(), cwd=home.path("shop"), seconds=600)
        assert done.status == 0 and "warning" not in done.err, done
    assert "1 of 1 tests hold" in done.out, done


def samples():
    """[(what, package, program, manifest, [(target, answer)])] of the quick start."""
    with open(os.path.join(ROOT, "docs", "quickstart-rust.md"), encoding="utf-8") as file:
        page = file.read()
    found, package = [], None
    for part in page.split("\n## ")[1:]:
        manifests = re.findall(r"```toml\n(.*?)```", part, re.S)
        program = re.search(r"```rust\n(.*?)```", part, re.S)
        asked = re.findall(r"^\$ curl http://127.0.0.1:8080(\S+)\n(.*?)^```", part, re.S | re.M)
        if program:
            package = package or manifests.pop(0)
            found.append(pytest.param(package, program.group(1), manifests[0], asked, id=part.split("\n")[0],
                                      marks=[pytest.mark.soak] if found else []))
    assert len(found) == 4
    return found


@pytest.mark.parametrize("package, program, manifest, asked", samples())
def test_the_samples_of_the_quick_start_do_what_it_says(home, serve, package, program, manifest, asked):
    home.write("Cargo.toml", package)
    home.write("src/lib.rs", program)
    home.write("mote.toml", manifest)
    done = home.run("build", environment=environment(), seconds=600)
    assert done.status == 0 and "warning" not in done.err, done
    node = serve(manifest.replace("[[serve]]", '[[serve]]\nlisten = "127.0.0.1:0"'), home=home)
    for target, answer in asked:
        assert node.get(target).text == answer
