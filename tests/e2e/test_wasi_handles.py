"""Handles of WASI that a component misuses: forged, dropped, of another type, given away, or with children that live. It ends for it,
alone; what it leaves open is closed."""

import pytest

import apps
from waiting import wait_until

WIT = """package test:guests;

world handles {
    import wasi:cli/stdout@0.2.12;
    import wasi:clocks/monotonic-clock@0.2.12;
    import wasi:io/poll@0.2.12;
    import wasi:io/streams@0.2.12;
    import wasi:http/types@0.2.12;
%s}

package wasi:io@0.2.12 {
    interface poll {
        resource pollable {
            ready: func() -> bool;
        }
        poll: func(in: list<borrow<pollable>>) -> list<u32>;
    }
    interface streams {
        use poll.{pollable};
        resource output-stream {
            subscribe: func() -> pollable;
        }
    }
}

package wasi:cli@0.2.12 {
    interface stdout {
        use wasi:io/streams@0.2.12.{output-stream};
        get-stdout: func() -> output-stream;
    }
}

package wasi:clocks@0.2.12 {
    interface monotonic-clock {
        use wasi:io/poll@0.2.12.{pollable};
        subscribe-duration: func(when: u64) -> pollable;
    }
}

package wasi:http@0.2.12 {
    interface types {
        use wasi:io/streams@0.2.12.{output-stream};
        resource fields {
            constructor();
        }
        resource outgoing-body {
            write: func() -> result<output-stream>;
        }
        resource outgoing-request {
            constructor(headers: fields);
            body: func() -> result<outgoing-body>;
            headers: func() -> fields;
        }
    }
}
"""

HEAD = """(module
  (import "wasi:cli/stdout@0.2.12" "get-stdout" (func $stdout (result i32)))
  (import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $timer (param i64) (result i32)))
  (import "wasi:io/poll@0.2.12" "[method]pollable.ready" (func $ready (param i32) (result i32)))
  (import "wasi:io/poll@0.2.12" "poll" (func $poll (param i32 i32 i32)))
  (import "wasi:io/poll@0.2.12" "[resource-drop]pollable" (func $drop_pollable (param i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.subscribe" (func $subscribe (param i32) (result i32)))
  (import "wasi:io/streams@0.2.12" "[resource-drop]output-stream" (func $drop_stream (param i32)))
  (import "wasi:http/types@0.2.12" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.2.12" "[resource-drop]fields" (func $drop_fields (param i32)))
  (import "wasi:http/types@0.2.12" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.body" (func $body (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.headers" (func $headers (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[resource-drop]outgoing-request" (func $drop_request (param i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-body.write" (func $write (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[resource-drop]outgoing-body" (func $drop_body (param i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  ;; A result at 1024: the handle in it.
  (func $good (result i32)
    (if (i32.load8_u (i32.const 1024)) (then unreachable))
    (i32.load (i32.const 1028)))
  (func $body_of (param i32) (result i32) (call $body (local.get 0) (i32.const 1024)) (call $good))
  (func $stream_of (param i32) (result i32) (call $write (local.get 0) (i32.const 1024)) (call $good))
"""

# What is between is a local: a stream, a pollable, a request, a body, another.
LOCALS = "(local $s i32) (local $p i32) (local $r i32) (local $b i32) (local $f i32)"
STREAM = "(local.set $s (call $stdout))"
POLLABLE = STREAM + "(local.set $p (call $subscribe (local.get $s)))"
REQUEST = "(local.set $r (call $request (call $fields)))"
BODY = REQUEST + "(local.set $b (call $body_of (local.get $r)))"
BODY_STREAM = BODY + "(local.set $s (call $stream_of (local.get $b)))"

CRASHES = {
    "forged": "(drop (call $subscribe (i32.const 77)))",
    "zero": "(drop (call $subscribe (i32.const 0)))",
    "largest": "(drop (call $subscribe (i32.const -1)))",
    "of-another-type": STREAM + "(drop (call $ready (local.get $s)))",
    "of-another-interface": STREAM + "(drop (call $headers (local.get $s)))",
    "after-its-drop": STREAM + "(call $drop_stream (local.get $s)) (drop (call $subscribe (local.get $s)))",
    "dropped-twice": STREAM + "(call $drop_stream (local.get $s)) (call $drop_stream (local.get $s))",
    "dropped-as-another": STREAM + "(call $drop_pollable (local.get $s))",
    "drop-of-nothing": "(call $drop_pollable (i32.const 5))",
    "stream-before-its-pollable": POLLABLE + "(call $drop_stream (local.get $s))",
    "body-before-its-stream": BODY_STREAM + "(call $drop_body (local.get $b))",
    "given-away": "(local.set $f (call $fields)) (drop (call $request (local.get $f))) (drop (call $request (local.get $f)))",
    "dropped-what-was-given-away": "(local.set $f (call $fields)) (drop (call $request (local.get $f)))"
                                   "(call $drop_fields (local.get $f))",
    "poll-of-nothing": "(call $poll (i32.const 0) (i32.const 0) (i32.const 1024))",
    "poll-of-a-forged-one": "(i32.store (i32.const 16) (i32.const 77)) (call $poll (i32.const 16) (i32.const 1) (i32.const 1024))",
    "poll-outside": "(call $poll (i32.const 65532) (i32.const 2) (i32.const 1024))",
    "poll-of-many": "(call $poll (i32.const 16) (i32.const 0x40000001) (i32.const 1024))",
    "too-many": "(loop $again (drop (call $timer (i64.const 86400000000000))) (br $again))",
}
FINE = {
    "in-order": POLLABLE + "(call $drop_pollable (local.get $p)) (call $drop_stream (local.get $s))" + BODY_STREAM +
                "(call $drop_stream (local.get $s)) (call $drop_body (local.get $b)) (call $drop_request (local.get $r))",
    "left-open": POLLABLE + BODY_STREAM + "(drop (call $headers (local.get $r))) (drop (call $timer (i64.const 86400000000000)))",
    "polled-twice": "(local.set $p (call $timer (i64.const 0))) (i32.store (i32.const 16) (local.get $p))"
                    "(i32.store (i32.const 20) (local.get $p)) (call $poll (i32.const 16) (i32.const 2) (i32.const 1024))",
}


@pytest.fixture(scope="module")
def handles(workshop):
    entries = {**CRASHES, **FINE}
    functions = "".join(f'  (func (export "{name}") {LOCALS} {body})\n' for name, body in entries.items())
    return workshop.component_wat("handles", WIT % "".join(f"    export {name}: func();\n" for name in entries),
                                  HEAD + functions + ")")


@pytest.mark.parametrize("entry", CRASHES)
def test_a_handle_that_is_misused_ends_the_component(home, handles, entry):
    done = home.run("run", "--actor", "--entry", entry, handles)
    assert done.status == 134, done
    assert "panic" not in done.err and "engine failed" not in done.err, done


@pytest.mark.parametrize("entry", FINE)
def test_handles_that_are_used_well_or_left_open_are_fine(home, handles, entry):
    done = home.run("run", "--actor", "--entry", entry, handles)
    assert done.status == 0, done


def test_a_node_goes_on_and_nothing_of_them_is_left(serve, workshop, handles):
    entries = [*CRASHES, *FINE]
    components = {name: {"source": handles, "entry": name} for name in entries}
    components["spawner"] = {"source": workshop.c("spawner"), "capability": "spawning"}
    node = serve(apps.app({"GET /run/:name": "spawner#run"}, components,
                          capabilities={"spawning": {"inherits": "sandboxed", "allow-spawn": entries}}))

    def there():
        return sorted(one["component"] for one in node.processes())
    before = there()
    for _ in range(3):
        for name in CRASHES:
            assert node.get(f"/run/{name}").text not in ("", "normal"), name
        for name in FINE:
            assert node.get(f"/run/{name}").text == "normal", name
    wait_until(lambda: there() == before, what="the end of all of them")
    assert not [one for one in node.log.all() if "engine failed" in one]
