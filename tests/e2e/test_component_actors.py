"""Components that use the package mote:runtime: workers, services, jobs, handlers, and hostile ones."""

import json
import os

import pytest

import apps
from waiting import wait_until

# ---- everything a component can call


@pytest.fixture
def act(home, workshop):
    """Runs the component alone, with what it shall do as its input."""
    wasm = os.path.join(os.path.dirname(workshop.component_c("actor")), "actor.wasm")
    if not os.path.exists(wasm):
        os.link(workshop.component_c("actor"), wasm)  # it spawns itself by this name
    return lambda *words, options=(): home.run("run", "--actor", *options, wasm, *words)


@pytest.mark.parametrize("what", ["process", "messages", "calls", "ties", "names", "timers", "streams", "supervisors",
                                  "spawning", "fetching"])
def test_a_component_has_what_core_modules_have(act, what):
    done = act(what)
    assert done.status == 0, done


@pytest.mark.parametrize("what, status, told", [
    ("trap", 134, "unreachable"), ("leave", 1, "exited: out of luck"), ("grow", 137, "memory"),
    ("no such thing", 1, "exited: line")])
def test_its_end_is_told_as_that_of_a_core_module(act, what, status, told):
    done = act(what)
    assert done.status == status and told in done.err, done


@pytest.mark.parametrize("what", ["spin", "park", "nap", "read", "call"])
def test_its_time_is_limited_whatever_it_waits_for(act, what):
    assert act(what, options=["--timeout-ms", "300"]).status == 124


# ---- in a node

ROUTES = {"GET /bump": "web#web_bump", "GET /peek": "web#web_peek", "GET /crash": "web#web_crash",
          "GET /page/:name": "actor#page", "POST /page/:name": "actor#page", "GET /broken": "actor#tick"}


def manifest(workshop, extra="", **components):
    made = workshop.component_c("actor")
    return apps.app(ROUTES, {
        "web": workshop.c("actors"), "actor": made,
        "counter": {"source": made, "entry": "counter", "resident": True}, **components}) + extra


def pid_of(node, name):
    found = [one["pid"] for one in node.processes() if name in one["names"]]
    return found[0] if found else None


def test_a_component_is_a_service_with_state(serve, workshop):
    node = serve(manifest(workshop))
    assert [node.get("/bump").text for _ in range(3)] == ["1", "2", "3"]


def test_a_service_that_traps_is_there_again_and_its_callers_are_told(serve, workshop):
    node = serve(manifest(workshop))
    assert node.get("/bump").text == "1"
    before = pid_of(node, "counter")
    assert node.get("/crash").status == 503
    wait_until(lambda: pid_of(node, "counter") not in (None, before), what="another counter")
    assert node.get("/bump").text == "1"


def test_a_service_that_is_killed_is_there_again(serve, workshop):
    node = serve(manifest(workshop))
    before = pid_of(node, "counter")
    assert node.home.run("kill", str(before)).status == 0
    wait_until(lambda: pid_of(node, "counter") not in (None, before), what="another counter")
    assert node.get("/bump").text == "1"


def test_a_component_is_a_schedules_job(serve, workshop):
    job = {"source": workshop.component_c("actor"), "entry": "tick"}
    node = serve(manifest(workshop, "[[schedule]]\nevery = 20\ncomponent = \"job\"\n", job=job))
    wait_until(lambda: int(node.get("/peek").text) >= 3)


def test_a_component_answers_requests(serve, workshop):
    node = serve(manifest(workshop))
    assert node.get("/page/here").text == "/page/here"
    body = b"x" * 100_000
    assert node.post("/page/there", body).body == body
    assert node.get("/broken").status == 502, "it returned without an answer"


# ---- hostile ones: what the canonical ABI makes of numbers that no compiler would give

HEAD = """(module
  (import "mote:runtime/process@0.1.0" "log" (func $log (param i32 i32 i32 i32)))
  (import "mote:runtime/process@0.1.0" "list" (func $list (param i32)))
  (import "mote:runtime/messages@0.1.0" "send" (func $send (param i64 i64 i32 i32 i32 i32 i32)))
  (import "mote:runtime/messages@0.1.0" "receive"
    (func $receive (param i32 i32 i64 i32 i32 i32 i64 i32)))
  (import "mote:runtime/messages@0.1.0" "wait" (func $wait (param i32 i32 i32 i64 i32)))
  (import "mote:runtime/streams@0.1.0" "stream-close" (func $close (param i32 i32)))
  (import "mote:runtime/streams@0.1.0" "stream-try-read" (func $read (param i32 i32 i32)))
  (import "mote:runtime/supervisors@0.1.0" "supervisor-start"
    (func $supervise (param i32 i32 i32 i32 i32 i32)))
  (import "mote:runtime/ties@0.1.0" "kill" (func $kill (param i64 i32)))
  (memory (export "memory") 2)
  (global $where (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (global.get $where))
"""
NOT_FOUND, INVALID, LIMIT = 1, 2, 3


def log(level=0, pointer=8, size=1, to=1024):
    return f"(call $log (i32.const {level}) (i32.const {pointer}) (i32.const {size}) (i32.const {to}))"


def send(pointer=8, size=1, some=0, handle=0):
    return (f"(call $send (i64.const 1) (i64.const 0) (i32.const {pointer}) (i32.const {size}) (i32.const {some})"
            f" (i32.const {handle}) (i32.const 1024))")


def receive(filter_is=1, kinds=0, labels=8, count=0, timeout_is=1):
    return (f"(call $receive (i32.const {filter_is}) (i32.const {kinds}) (i64.const 0) (i32.const {labels})"
            f" (i32.const {count}) (i32.const {timeout_is}) (i64.const 0) (i32.const 1024))")


def wait(pointer=16, count=1):
    return f"(call $wait (i32.const {pointer}) (i32.const {count}) (i32.const 1) (i64.const 0) (i32.const 1024))"


def supervise(pointer=16, count=1, strategy=0):
    return (f"(call $supervise (i32.const {strategy}) (i32.const 0) (i32.const 1) (i32.const {pointer})"
            f" (i32.const {count}) (i32.const 1024))")


# 100 children whose input is all of the memory, each.
OVERLAP = """(local $at i32) (local.set $at (i32.const 20000))
  (loop $next
    (i32.store (local.get $at) (i32.const 8)) (i32.store offset=4 (local.get $at) (i32.const 1))
    (i32.store offset=8 (local.get $at) (i32.const 8)) (i32.store offset=12 (local.get $at) (i32.const 1))
    (i32.store offset=16 (local.get $at) (i32.const 0)) (i32.store offset=20 (local.get $at) (i32.const 131072))
    (local.set $at (i32.add (local.get $at) (i32.const 36)))
    (br_if $next (i32.lt_u (local.get $at) (i32.const 23600))))""" + supervise(20000, 100)

CRASHES = {
    "level": log(level=99), "level-negative": log(level=-1),
    "text-outside": log(pointer=0x7ffffff0, size=16), "text-wraps": log(pointer=-8, size=16),
    "text-too-long": log(pointer=131071, size=2), "text-huge": log(size=-1), "result-outside": log(to=131071),
    "result-wraps": log(to=-2), "text-no-utf8": "(i32.store8 (i32.const 8) (i32.const 255))" + log(),
    "bytes-outside": send(pointer=131000, size=1000), "bytes-huge": send(size=-1), "no-such-option": send(some=2),
    "labels-huge": receive(count=0x20000000), "labels-askew": receive(labels=9, count=1),
    "filter-no-such-option": receive(filter_is=7), "timeout-no-such-option": receive(timeout_is=9),
    "wait-enum": "(i32.store8 (i32.const 16) (i32.const 44))" + wait(), "wait-outside": wait(pointer=131068, count=2),
    "wait-huge": wait(count=0x20000000), "no-such-strategy": supervise(strategy=3), "children-outside": supervise(131000, 100),
    "children-huge": supervise(count=0x7fffffff), "children-overlap": OVERLAP,
    "child-outside": "(i32.store offset=4 (i32.const 16) (i32.const -1))" + supervise(),
    "room-outside": "(global.set $where (i32.const -16)) (call $list (i32.const 1024))",
    "room-askew": "(global.set $where (i32.const 4097)) (call $list (i32.const 1024))",
    "room-at-the-end": "(global.set $where (i32.const 131072)) (call $list (i32.const 1024))",
}


def error(call, number, at=1025):
    """The body of an entry: that call fails with that error, and does nothing else."""
    return (call + f"(if (i32.ne (i32.load8_u (i32.const 1024)) (i32.const 1)) (then unreachable))"
            f"(if (i32.ne (i32.load8_u (i32.const {at})) (i32.const {number})) (then unreachable))")


REFUSED = {
    "forged-handle": error("(call $close (i32.const 77) (i32.const 1024))", NOT_FOUND),
    "negative-handle": error("(call $close (i32.const -1) (i32.const 1024))", NOT_FOUND),
    "zero-handle": error("(call $close (i32.const 0) (i32.const 1024))", NOT_FOUND),
    "largest-handle": error("(call $close (i32.const 0x7fffffff) (i32.const 1024))", NOT_FOUND),
    "handle-to-send": error(send(some=1, handle=-7), NOT_FOUND),
    "read-of-everything": error("(call $read (i32.const 5) (i32.const -1) (i32.const 1024))", NOT_FOUND, at=1028),
    "forged-pid": error("(call $kill (i64.const -1) (i32.const 1024))", NOT_FOUND),
    "too-many-labels": error(receive(labels=2048, count=1000), INVALID, at=1032),
    "too-many-waits": error(wait(pointer=2048, count=1000), INVALID, at=1028),
    "too-many-children": error(supervise(pointer=2048, count=3000), LIMIT, at=1032),
}


@pytest.fixture(scope="session")
def hostile(workshop):
    entries = {**CRASHES, **REFUSED}
    exports = "".join(f"    export {name}: func();\n" for name in entries)
    wit = ("package test:guests;\nworld hostile {\n    include mote:runtime/imports@0.1.0;\n" + exports + "}\n")
    functions = "".join(f'  (func (export "{name}") {body})\n' for name, body in entries.items())
    return workshop.component_wat("hostile", wit, HEAD + functions + ")")


@pytest.mark.parametrize("entry", CRASHES)
def test_a_value_that_cannot_be_ends_the_component_alone(home, hostile, entry):
    done = home.run("run", "--actor", "--entry", entry, hostile)
    assert done.status == 134, done
    assert "panic" not in done.err


@pytest.mark.parametrize("entry", REFUSED)
def test_a_number_of_anothers_is_an_error(home, hostile, entry):
    done = home.run("run", "--actor", "--entry", entry, hostile)
    assert done.status == 0, done


# ---- what it needs

def test_what_a_component_imports_is_explained(home, workshop):
    home.write("mote.toml", f'[components.actor]\nsource = "{workshop.component_c("actor")}"\n')
    told = json.loads(home.run("check", "--explain", "actor", "--json").out)["imports"]
    states = {one["module"]: one["state"] for one in told}
    assert states["mote:runtime/spawning@0.1.0"] == states["mote:runtime/supervisors@0.1.0"] == "denied"
    assert states["mote:runtime/messages@0.1.0"] == "granted"
    assert [one["needs"] for one in told if "spawning" in one["module"]] == ['allow-spawn = ["COMPONENT"]']


# ---- a component that wants what is not offered

def test_an_import_that_is_not_offered_is_refused_by_name(home, workshop):
    wit = ("package test:guests;\nworld stranger {\n    import nothing: interface { go: func(); }\n"
           "    include mote:runtime/imports@0.1.0;\n    export run: func();\n}\n")
    made = workshop.component_wat("stranger", wit, '''(module
      (import "nothing" "go" (func $go))
      (import "mote:runtime/process@0.1.0" "ready" (func $ready))
      (memory (export "memory") 1)
      (func (export "run") (call $ready) (call $go)))''')
    done = home.run("run", "--actor", made)
    assert done.status == 1 and "nothing" in done.err, done
