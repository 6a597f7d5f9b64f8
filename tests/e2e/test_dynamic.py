"""Code that guests bring: spawn_from(), inline and by URL, under a template's grant."""

import contextlib
import hashlib
import os
import signal
import threading
import urllib.parse

import pytest

import apps
import wasm
from guests import component_path
from origin import Origin, each
from waiting import wait_until

DENIED, NOT_FOUND, INVALID, LIMIT, CLOSED, MISPLACED, NO_MEMORY, MALFORMED, TIMEOUT, _, _, ABORTED = range(-1, -13, -1)

SAY = '(import "mote" "log" (func $log (param i32 i32 i32) (result i32)))'
LOOPBACK = {"allow-network": ["127.0.0.0/8"]}


def saying(text, more=""):
    """A module whose `run` logs that text."""
    return (f'(module {SAY} (memory (export "memory") 1) (data (i32.const 8) "{text}") '
            f'(func (export "run") (drop (call $log (i32.const 2) (i32.const 8) (i32.const {len(text)}))) {more}))')


class App:
    """A node whose handler `lender` spawns what tests bring, as `model`."""

    def __init__(self, serve, workshop, model=None, lender=None, **sections):
        self.workshop = workshop
        quiet = workshop.wat_text("dynamic-quiet", '(module (memory (export "memory") 1) (func (export "run")))')
        self.node = serve(apps.app(
            {"POST /run": "lender#run", "GET /run": "lender#run"},
            {"lender": {"source": workshop.c("lender"), "capability": "lends"},
             "model": {"source": quiet, "entry": "run", "template": True, "capability": "lent"},
             "other": {"source": quiet, "entry": "run"},
             "hidden": {"source": quiet, "entry": "run", "template": True}},
            node={"workers": 2, "fetch-keep-ms": 50},
            capabilities={"lends": {"allow-spawn": ["model", "other"], **(lender or {})}, "lent": model or {}},
            **sections))

    def wat(self, name, text, *features):
        with open(self.workshop.wat_text("dynamic-" + name, text, *features), "rb") as file:
            return file.read()

    def run(self, source, template="model", **query):
        query = urllib.parse.urlencode({"template": template, **query})
        return self.node.post("/run?" + query, source)

    def run_text(self, source, template="model", **query):
        return self.node.get("/run?" + urllib.parse.urlencode({"template": template, "source": source, **query}))

    def compiled(self):
        return self.node.stats()["dynamic"]["compiled"]

    def keeps(self, count):
        """So many sources stay loaded, each a mapped file for each worker: no leak."""
        self.node.baseline["descriptors"] += count * 2

    def children(self):
        """The processes that compile, as pids."""
        with open(f"/proc/{self.node.process.pid}/task/{self.node.process.pid}/children", encoding="ascii") as file:
            own = file.read().split()
        for task in os.listdir(f"/proc/{self.node.process.pid}/task"):
            try:
                with open(f"/proc/{self.node.process.pid}/task/{task}/children", encoding="ascii") as file:
                    own += file.read().split()
            except FileNotFoundError:
                pass  # the thread has ended
        return set(own)


@pytest.fixture
def app(serve, workshop):
    return lambda **options: App(serve, workshop, **options)


@pytest.fixture
def origin():
    """origin(behave) starts a server of the test's own."""
    made = []

    def start(behave):
        made.append(Origin(behave))
        return made[-1]
    yield start
    for one in made:
        one.close()


def normal(response):
    assert (response.status, response.text) == (200, "normal\n"), response


def failed(response, error):
    assert (response.status, response.text) == (503, f"error -{-error:02}\n"), response


def unique(text):
    """The same, as nobody has compiled it before."""
    return f"{text} {os.urandom(8).hex()}"


# ---- what goes well ----

def test_code_in_the_call_runs_as_the_template(app):
    one = app()
    normal(one.run(one.wat("new", saying(unique("I am new")))))
    one.node.log.wait_for("guest", "component=model", "I am new")
    one.keeps(1)


def test_code_is_compiled_once(app):
    one = app()
    code = one.wat("once", saying(unique("once")))
    answers = []

    def ask():
        answers.append(one.run(code))
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answer in answers + [one.run(code)]:
        normal(answer)
    assert len(answers) == 4 and one.compiled() == 1
    assert one.node.stats()["dynamic"] == {"loaded": 1, "queued": 0, "compiled": 1, "refused": 0}
    one.keeps(1)


def test_code_that_was_loaded_is_known_by_its_digest(app):
    one = app()
    code = one.wat("digest", saying(unique("digest")))
    name = "sha256:" + hashlib.sha256(code).hexdigest()
    failed(one.run_text(name), NOT_FOUND)
    normal(one.run(code))
    normal(one.run_text(name))
    assert one.compiled() == 1
    one.keeps(1)


def test_what_was_compiled_is_in_the_cache_of_the_next_node(app):
    first = app()
    code = first.wat("kept", saying(unique("kept")))
    normal(first.run(code))
    first.keeps(1)
    second = app()
    normal(second.run(code))
    assert (first.compiled(), second.compiled()) == (1, 0)
    second.keeps(1)


def test_large_code_is_gathered_in_pieces(app):
    one = app()
    padding = wasm.section(0, content=wasm.text("padding") + os.urandom(1 << 20))
    normal(one.run(one.wat("large", saying("large")) + padding))
    one.keeps(1)


def test_code_comes_from_a_url(app, origin):
    one = app(lender=LOOPBACK)
    code = one.wat("url", saying(unique("from afar")))

    def behave(peer, _, target):
        if target == "/moved":
            peer.answer(b"", "302 Found", ["Location: /code"])
        elif target == "/code":
            peer.answer(code)
        else:
            peer.answer(b"no", "404 Not Found")
    server = origin(each(behave))
    for path in ("/code", "/moved"):
        normal(one.run_text("url:" + server.url(path)))
    failed(one.run_text("url:" + server.url("/nothing")), ABORTED)
    one.node.log.wait_for("spawn_from", "answers 404")
    one.node.log.wait_for("guest", "component=model", "from afar", count=2)
    assert one.compiled() == 1
    one.keeps(1)


# ---- what does not ----

def test_what_is_no_code_is_refused_and_remembered(app):
    one = app()
    whole = one.wat("whole", saying(unique("whole")))
    bad = {"truncated": whole[:-9], "header": whole[:8] + b"\x7f" + os.urandom(63), "short": whole[:4]}
    for content in bad.values():
        failed(one.run(content), MALFORMED)
    one.node.log.wait_for("code refused", "template=model", count=len(bad))
    before = one.compiled()
    for content in bad.values():
        failed(one.run(content), MALFORMED)
    assert one.compiled() == before == len(bad)
    for text in ("", "nonsense", "sha256:12", "url:", "kv:bucket"):
        failed(one.run(text.encode() or b"?"), MALFORMED)


@pytest.mark.parametrize("name, text, why", [
    ("imports", '(module (import "mote" "fly" (func)) (func (export "run")))', "mote::fly"),
    ("memories", '(module (memory 1) (memory 1) (func (export "run")))', "2 memories"),
    ("tables", "(module " + "(table 1 funcref)" * 5 + '(func (export "run")))', "5 tables"),
])
def test_code_that_takes_what_no_template_has_is_refused(app, name, text, why):
    one = app()
    failed(one.run(one.wat(name, text, "--enable-multi-memory")), MALFORMED)
    one.node.log.wait_for("code refused", "template=model", why)


def test_code_without_the_entry_is_not_started(app):
    one = app()
    failed(one.run(one.wat("walks", '(module (func (export "walk")))')), NOT_FOUND)
    one.keeps(1)


def test_a_component_that_takes_more_than_the_templates_own_code_is_refused(app):
    one = app()
    with open(component_path("http"), "rb") as file:
        failed(one.run(file.read()), MALFORMED)
    one.node.log.wait_for("code refused", "template=model", "core instances")


def test_there_is_no_store(app):
    one = app()
    failed(one.run_text("kv:bucket/key"), MISPLACED)
    one.node.log.wait_for("denied", "spawn_from", "no store")


# ---- who may not ----

def test_only_templates_that_one_may_spawn_are_lent(app):
    one = app()
    code = one.wat("denied", saying("denied"))
    failed(one.run(code, "hidden"), DENIED)
    failed(one.run(code, "other"), DENIED)
    failed(one.run(code, "nobody"), DENIED)
    lines = one.node.log.wait_for("denied", "spawn_from")
    assert "allow-spawn" in lines[0] and one.compiled() == 0


def test_a_process_has_what_its_template_has_and_no_more(app):
    grow = ('(module (memory (export "memory") 1) (func (export "run") '
            '(if (i32.eq (memory.grow (i32.const 100)) (i32.const -1)) (then (unreachable)))))')
    one = app(model={"max-memory-mb": 2})
    assert "asked for" in one.run(one.wat("grow", grow)).text
    failed(one.run(one.wat("grow", grow), memory=4), DENIED)
    one.keeps(1)


def test_code_has_the_capability_of_its_template_not_of_its_spawner(app):
    spawning = ('(module (import "mote" "spawn" (func $spawn (param i32 i32 i32 i32 i32 i32) (result i32))) '
                '(memory (export "memory") 1) (data (i32.const 8) "model") (func (export "run") '
                '(if (i32.ne (call $spawn (i32.const 8) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 0) '
                '(i32.const 0)) (i32.const -1)) (then (unreachable)))))')
    one = app()
    code = one.wat("spawning", spawning)
    normal(one.run(code))
    one.node.log.wait_for("denied", "component=model", "allow-spawn")
    failed(one.run(code, "model#nowhere"), NOT_FOUND)
    one.keeps(1)


def test_code_that_begins_larger_than_its_template_may_be_does_not_run(app):
    one = app(model={"max-memory-mb": 1})
    assert "asked for" in one.run(one.wat("begins", '(module (memory 40) (func (export "run")))')).text
    one.keeps(1)


def test_a_url_out_of_reach_is_denied(app, origin):
    server = origin(each(lambda peer, *_: peer.answer(b"", "302 Found", ["Location: http://127.0.0.2:1/code"])))
    one = app(lender={"allow-network": ["127.0.0.1"]})
    failed(one.run_text("url:" + server.url()), DENIED)
    failed(one.run_text("url:http://127.0.0.3:1/code"), DENIED)
    failed(one.run_text("url:file:///etc/passwd"), INVALID)
    one.node.log.wait_for("denied", "spawn_from", "allow-network")


def test_who_may_not_fetch_may_not_fetch_code(app, origin):
    server = origin(each(lambda peer, *_: peer.answer(b"")))
    one = app(model=LOOPBACK)
    failed(one.run_text("url:" + server.url()), DENIED)
    assert server.made == 0


def test_a_url_whose_answer_is_too_large_or_no_code_is_refused(app, origin):
    def behave(peer, _, target):
        if target == "/text":
            peer.answer(b"<html>")
            return
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n\0asm")
        while True:
            peer.send(bytes(1 << 20))
    server = origin(each(behave))
    one = app(lender=LOOPBACK)
    failed(one.run_text("url:" + server.url("/text")), MALFORMED)
    server.wait_ended(1)
    failed(one.run_text("url:" + server.url("/endless")), LIMIT)
    server.wait_ended(2)


# ---- bombs, and ends on the way ----

def bomb():
    """Valid, and work for much longer than a compiler may take: loops in loops that change many variables."""
    many = 1000
    changes = b"".join(b"\x20" + wasm.leb(i) + b"\x41\1\x6a\x21" + wasm.leb(i) for i in range(many))
    loops = b"\x03\x40" * many + changes + b"\x41\0\x0d\0\x0b" * many + b"\x0b"
    body = wasm.leb(1) + wasm.leb(many) + b"\x7f" + loops
    return (wasm.CORE + wasm.section(1, b"\x60\0\0") + wasm.section(3, wasm.leb(0))
            + wasm.section(7, wasm.text("run") + b"\0\0") + wasm.section(10, wasm.leb(len(body)) + body)
            + wasm.section(0, content=wasm.text("unique") + os.urandom(8)))


def begin(one, code):
    """Ask for it and wait until it is compiled; returns the connection."""
    connection = one.node.connect()
    connection.send_request("POST", "/run?template=model", body=code)
    wait_until(one.children, what="a process that compiles")
    return connection


def test_a_bomb_costs_its_compiler_only_and_that_ends_with_who_waits(app):
    one = app()
    with begin(one, bomb()):
        waiting = [process["pid"] for process in one.node.processes() if process["component"] == "lender"]
        normal(one.run(one.wat("beside", saying(unique("beside")))))
        assert len(waiting) == 1 and one.node.home.run("kill", str(waiting[0])).status == 0
        wait_until(lambda: not one.children(), what="no process that compiles")
    assert not one.node.log.having("code refused")
    one.keeps(1)


def test_a_compiler_that_is_killed_is_a_refusal(app):
    one = app()
    code = bomb()
    with begin(one, code) as connection:
        for pid in one.children():
            os.kill(int(pid), signal.SIGKILL)
        failed(connection.read(), MALFORMED)
    one.node.log.wait_for("code refused", "template=model")
    failed(one.run(code), MALFORMED)
    assert one.compiled() == 1


def test_a_template_has_a_share_of_what_waits_to_be_compiled(app):
    """Sixteen sources; the compilers stand still meanwhile."""
    one = app()
    plain = one.wat("plain", '(module (memory (export "memory") 1) (func (export "run")))')

    def another():
        return plain + wasm.section(0, content=wasm.text("unique") + os.urandom(8))
    with contextlib.ExitStack() as stack:
        stuck = [stack.enter_context(begin(one, bomb())) for _ in range(2)]
        wait_until(lambda: len(one.children()) == 2, what="two compilers")
        for pid in one.children():
            os.kill(int(pid), signal.SIGSTOP)
        waiting = [stack.enter_context(one.node.connect()) for _ in range(14)]
        for connection in waiting:
            connection.send_request("POST", "/run?template=model", body=another())
        wait_until(lambda: one.node.stats()["dynamic"]["queued"] == 16)
        failed(one.run(another()), LIMIT)
        for pid in one.children():
            os.kill(int(pid), signal.SIGKILL)
        for connection in stuck:
            failed(connection.read(), MALFORMED)
        for connection in waiting:
            normal(connection.read())
        normal(one.run(another()))
    one.keeps(15)


def test_who_waits_no_longer_leaves_it_to_the_compiler_which_ends_with_the_node(app):
    one = app()
    failed(one.run(bomb(), timeout=50), TIMEOUT)
    wait_until(one.children, what="a process that compiles")
    children = one.children()
    one.node.terminate()
    assert one.node.wait() == 0
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children), what="the end of the compiler")
