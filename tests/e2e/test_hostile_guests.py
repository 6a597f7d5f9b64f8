"""Guests that mean harm: each ends as the documentation says, and nobody else notices."""

import urllib.parse
import zlib

import pytest

import apps
from client import request

# ---- bad pointers and lengths, to every host function

# Function -> its arguments: numbers, or "p<n>" for the pointer of a buffer and "n<n>" for its length.
BUFFERS = {
    "log": ["2", "p", "n"],
    "random": ["p", "n"],
    "env_get": ["p", "n", "q", "m"],
    "request_get": ["0", "p", "n"],
    "request_param": ["p", "n", "q", "m"],
    "request_query_value": ["p", "n", "q", "m"],
    "request_header": ["p", "n", "q", "m"],
    "request_header_at": ["0", "p", "n"],
    "request_read": ["p", "n"],
    "respond": ["200", "p", "n", "q", "m"],
    "respond_begin": ["200", "p", "n", "-1"],
    "respond_write": ["p", "n"],
}
BAD = {
    "a pointer behind the end": ("0xffffffff", "1"),
    "a length beyond the end": ("0", "0xffffffff"),
    "a negative length": ("16", "-1"),
    "the smallest negative length": ("16", "0x80000000"),
    "both at their largest": ("0xffffffff", "0xffffffff"),
    "a sum that wraps around": ("0xfffffff0", "0x20"),
    "two bytes at the last one": ("end-1", "2"),
    "one byte at the end": ("end", "1"),
    "everything and one more": ("1", "end"),
    "two gigabytes": ("0x80000000", "0x7fffffff"),
}
EDGES = {
    "no byte at the end": ("end", "0"),
    "the last byte": ("end-1", "1"),
    "no byte at zero": ("0", "0"),
}


@pytest.fixture
def abi(use_shared, workshop):
    routes = {"* /call/:a": "abi#one_call", "* /script": "abi#script", "GET /count": "abi#count"}
    return use_shared("hostile-abi", apps.app(
        routes, {"abi": {"source": workshop.c("abi"), "capability": "reader"}},
        capabilities={"reader": {"env": ["PATH"], "max-cpu-ms": 3000}}))


# Names that are there to be found: then the value is copied to wherever the guest said.
NAMES = {"env_get": "PATH", "request_param": "a", "request_query_value": "f", "request_header": "host"}
NAME = ("name", "size")


def one_call(node, function, arguments, body=b"body", begun=0):
    query = {"f": function, "begun": begun, "name": NAMES.get(function, "x")}
    query.update({f"a{i}": one for i, one in enumerate(arguments)})
    return node.post("/call/value?" + urllib.parse.urlencode(query), body)


def with_buffers(shape, first, second):
    """The arguments of a function with both of its buffers put in place."""
    places = {"p": first[0], "n": first[1], "q": second[0], "m": second[1]}
    return [places.get(one, one) for one in shape]


GOOD = ("1024", "8")


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("function", BUFFERS)
def test_a_bad_window_ends_the_guest_that_passed_it(abi, function, bad):
    shape = BUFFERS[function]
    cases = [with_buffers(shape, BAD[bad], GOOD)]
    if "q" in shape:
        cases.append(with_buffers(shape, NAME if function in NAMES else GOOD, BAD[bad]))
        cases.append(with_buffers(shape, BAD[bad], BAD[bad]))
    for case in cases:
        seen = len(abi.log.having("process exited", "reaches outside the memory"))
        response = one_call(abi, function, case, begun=int(function == "respond_write"))
        assert response.status == 502 or response.cut, (case, response)
        line = abi.log.wait_for("process exited", "reaches outside the memory", count=seen + 1)[-1]
        assert "one_call" in line, "the backtrace names the guest's function"


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("function", BUFFERS)
def test_a_window_that_just_fits_is_no_crash(abi, function, edge):
    case = with_buffers(BUFFERS[function], EDGES[edge], EDGES[edge])
    response = one_call(abi, function, case, begun=int(function == "respond_write"))
    assert response.status < 500 and not response.cut, (case, response)


@pytest.mark.parametrize("function", ["env_get", "request_param", "request_query_value", "request_header"])
def test_windows_that_overlap_are_no_crash(abi, function):
    for first, second in [(("1024", "8"), ("1024", "8")), (("1024", "8"), ("1020", "16")),
                          (("0", "100"), ("50", "4000"))]:
        response = one_call(abi, function, with_buffers(BUFFERS[function], first, second))
        assert response.text.startswith("result "), response


@pytest.mark.parametrize("function, arguments, result", [
    ("log", ["4", "16", "1"], -3), ("log", ["-1", "16", "1"], -3), ("log", ["0xffffffff", "16", "1"], -3),
    ("sleep", ["-1"], -3), ("sleep", ["0x7fffffffffffffff"], -3),
    ("random", ["0", "end"], None), ("request_get", ["10", "0", "0"], -3),
    ("request_get", ["-1", "0", "0"], -3), ("request_header_at", ["0xffffffff", "0", "0"], -2),
    ("request_read", ["1024", "0"], -3), ("env_get", ["1024", "0", "1024", "8"], -3),
    ("env_get", ["1024", "129", "1024", "8"], -3),
    ("respond", ["99", "0", "0", "0", "0"], -3), ("respond", ["-1", "0", "0", "0", "0"], -3),
    ("respond_begin", ["200", "0", "0", "-2"], -3),
    ("respond_begin", ["200", "0", "0", "0x8000000000000000"], -3),
])
def test_a_number_out_of_range_is_an_error_for_the_guest(abi, function, arguments, result):
    response = one_call(abi, function, arguments)
    if result is None:
        assert response.status in (200, 502)
    else:
        assert response.text == f"result {result}"


def test_names_of_any_length_and_bytes_are_looked_up_in_vain(abi):
    for function in ("request_param", "request_query_value", "request_header"):
        for size in ("0", "1", "20000"):
            assert one_call(abi, function, ["0", size, "0", "0"]).text == "result -2"


# ---- calls in the wrong order

OK, INVALID, CLOSED, MISPLACED = 0, -3, -5, -6


def script(node, steps, headers="", method="POST", body=b"", **options):
    query = urllib.parse.urlencode({"steps": steps, "headers": headers})
    return node.request(method, "/script?" + query, body=body, **options)


def results(node, steps, headers="", **options):
    """The results of the steps, as the guest saw them."""
    seen = len(node.log.having("INFO guest", "stream=log"))
    response = script(node, steps, headers, **options)
    if any(step[0] in "rb" for step in steps.split(",")) and response.header("content-type") is None:
        line = node.log.wait_for("INFO guest", "stream=log", count=seen + 1)[-1]
        text = line.split("text=", 1)[1].strip('"')
    else:
        text = response.text
    return [int(one) for one in text.split()]


@pytest.mark.parametrize("steps, expected", [
    ("w:5", [MISPLACED]),
    ("w:0", [MISPLACED]),
    ("r:200,r:200", [OK, MISPLACED]),
    ("r:200,b:200", [OK, MISPLACED]),
    ("b:200,r:200", [OK, MISPLACED]),
    ("b:200,b:200", [OK, MISPLACED]),
    ("r:200,w:5", [OK, MISPLACED]),
    ("b:200:3,w:5", [OK, MISPLACED]),
    ("b:200:3,w:3,w:1", [OK, OK, MISPLACED]),
    ("b:200:0,w:1", [OK, MISPLACED]),
    ("b:200,w:0,w:0", [OK, OK, OK]),
    ("e:10,e:10,e:10,r:200", [4, 0, 0, OK]),
    ("r:200,e:10,e:10", [OK, 4, 0]),
    ("r:100,r:200", [INVALID, OK]),
    ("r:101,r:200", [INVALID, OK]),
    ("b:600,r:200", [INVALID, OK]),
    ("b:0,w:5,r:200", [INVALID, MISPLACED, OK]),
    ("g:0,r:200,g:0", [0, OK, 0]),
])
def test_calls_in_the_wrong_order_are_refused_and_harmless(abi, steps, expected):
    assert results(abi, steps, body=b"body") == expected


def test_the_first_answer_counts(abi):
    response = script(abi, "r:201,r:500")
    assert (response.status, response.body) == (201, b"dd")


def test_less_than_the_announced_length_is_a_cut(abi):
    with abi.connect() as connection:
        connection.send(request("GET", "/script?steps=b:200:100,w:60"))
        response = connection.read()
        assert response.cut and response.body == b"d" * 60
        assert connection.is_closed(), "what follows would be taken for the rest"


def test_more_than_the_announced_length_never_leaves(abi):
    with abi.connect() as connection:
        connection.send(request("GET", "/script?steps=b:200:10,w:11,w:10,w:1"))
        response = connection.read()
        assert response.body == b"d" * 10
        connection.send(request("GET", "/count"))
        assert connection.read().text == "1"


@pytest.mark.parametrize("headers", [
    "a: b\r\n", "a: b\r\nx: y\n", "a: \rb\n", "a\r: b\n", "a: b\0c\n", "a: b\x7f\n", "a: b\x01\n",
    "a b: c\n", ": c\n", "a\n", "a: b", "content-length: 5\n", "Content-Length: 5\n",
    "transfer-encoding: chunked\n", "Connection: close\n", "keep-alive: 1\n", "upgrade: h2c\n",
    "trailer: x\n", "a: b\n\n", "\n", "\r\n\r\nHTTP/1.1 200 OK\n", "a: b\nbroken\n", "\u00fc: x\n",
    "a:b:c\r\n",
])
def test_headers_that_could_break_the_framing_are_refused(abi, headers):
    for steps in ("r:200", "b:200"):
        response = script(abi, steps, headers)
        assert response.text == str(INVALID), (headers, response)
        assert response.header("a") is None and response.header("x") is None


@pytest.mark.parametrize("headers, name, value", [
    ("a: b\n", "a", "b"), ("A:b\n", "A", "b"), ("a:   b\n", "a", "b"), ("a: b: c\n", "a", "b: c"),
    ("a: \n", "a", ""), ("a: b\tc\n", "a", "b\tc"), ("a: \u00fc\n", "a", "\u00c3\u00bc"),
    ("set-cookie: a=1\nset-cookie: b=2\n", "set-cookie", "a=1, b=2"), ("date: x\n", "date", "x"),
    ("server: mine\n", "server", "mine"),
])
def test_ordinary_headers_of_a_guest_go_out(abi, headers, name, value):
    response = script(abi, "r:200", headers)
    assert response.header(name) == value


def test_a_guest_cannot_choose_the_request_id(abi):
    response = script(abi, "r:200", "x-request-id: forged\n")
    assert "forged" not in (response.header("x-request-id") or "forged")


def test_too_many_headers_of_a_guest_are_refused(abi):
    assert script(abi, "r:200", "a: b\n" * 90).status == 200
    seen = script(abi, "r:200", "\n".join(["a:"] * 200) + "\n")
    assert seen.status in (200, 502)


# ---- greed

HOSTILE = {
    "recurse": (502, "stack overflow"),
    "recurse_wide": (502, "stack overflow"),
    "recurse_host": (502, "stack overflow"),
    "grow_by_one": (502, "crashed: memory"),
    "grow_at_once": (502, "crashed: memory"),
    "grow_and_touch": (502, "crashed: memory"),
    "grow_nothing": (200, None),
    "table_grow": (502, "crashed: memory"),
    "table_grow_at_once": (502, "crashed: memory"),
    "read_outside": (502, "out of bounds"),
    "write_outside": (502, "out of bounds"),
    "read_far_outside": (502, "out of bounds"),
    "fill_outside": (502, "out of bounds"),
    "call_nothing": (502, "not set"),
    "call_outside_the_table": (502, "table access out of bounds"),
    "divide_by_zero": (502, "division by zero"),
    "divide_overflow": (502, "integer overflow"),
    "convert": (502, "conversion"),
    "spin": (504, "crashed: cpu"),
    "fill_for_ever": (504, "crashed: cpu"),
    "nap_for_ever": (504, "crashed: "),
    "survive": (200, None),
}


@pytest.fixture
def hostile(use_shared, workshop):
    return use_shared("hostile", apps.app(
        {f"GET /{name}": f"hostile#{name}" for name in HOSTILE},
        {"hostile": {"source": workshop.wat("hostile"), "max-cpu-ms": 300}},
        serve={"deadline-ms": 10000}))


@pytest.mark.parametrize("name", HOSTILE)
def test_greed_and_faults_end_as_documented(hostile, name):
    status, reason = HOSTILE[name]
    for _ in range(1 if status == 504 else 3):
        response = hostile.get("/" + name)
        assert response.status == status
        assert hostile.get("/survive").text == "survived\n"
    if reason:
        assert [line for line in hostile.log.wait_for("process exited", reason)], hostile.log_text()


START = {
    "a start function that never ends": ("(func $start (loop $l (br $l)))", 504),
    "a start function that traps": ("(func $start unreachable)", 502),
    "a start function that recurses": ("(func $start (call $start))", 502),
    "a start function that grows": ("(func $start (loop $l (drop (memory.grow (i32.const 16))) (br $l)))",
                                    502),
    "an initialiser that never ends": ("(func (export \"_initialize\") (loop $l (br $l))) (func $start)", 504),
    "an initialiser that traps": ("(func (export \"_initialize\") unreachable) (func $start)", 502),
}


@pytest.mark.parametrize("name", START)
def test_what_runs_before_the_entry_is_bounded_too(serve, workshop, name):
    text, status = START[name]
    wasm = workshop.wat_text(name.replace(" ", "-"), f"""(module
        (memory (export "memory") 1) {text} (start $start) (func (export "handle")))""")
    node = serve(apps.app({"GET /": "bad#handle", "GET /good": "zoo#hello"},
                          {"bad": {"source": wasm, "max-cpu-ms": 200}, "zoo": workshop.zoo()},
                          serve={"deadline-ms": 4000}))
    for _ in range(3):
        assert node.get("/").status == status
        assert node.get("/good").status == 200


RESPOND = """(import "mote" "respond" (func $respond (param i32 i32 i32 i32 i32) (result i32)))"""


def test_a_host_call_without_a_memory_ends_the_guest(serve, workshop):
    wasm = workshop.wat_text("no-memory", f"""(module {RESPOND} (func (export "handle")
        (drop (call $respond (i32.const 200) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1)))))""")
    node = serve(apps.app({"GET /": "bad#handle"}, {"bad": wasm}))
    assert node.get("/").status == 502


@pytest.mark.parametrize("export", ['(memory 1)', '(memory (export "mem") 1)', '(memory (export "Memory") 1)',
                                    '(memory 1) (global (export "memory") i32 (i32.const 0))'])
def test_a_memory_that_is_not_exported_as_memory_is_not_there(serve, workshop, export):
    name = f"memory-{zlib.crc32(export.encode()):x}"
    wasm = workshop.wat_text(name, f"""(module {RESPOND} {export} (func (export "handle")
        (drop (call $respond (i32.const 200) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1)))))""")
    node = serve(apps.app({"GET /": "bad#handle"}, {"bad": wasm}))
    assert node.get("/").status == 502


def test_a_guest_without_memory_can_still_answer_nothing(serve, workshop):
    wasm = workshop.wat_text("bare", f"""(module {RESPOND} (func (export "handle")
        (drop (call $respond (i32.const 204) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))))""")
    node = serve(apps.app({"GET /": "bad#handle"}, {"bad": wasm}))
    assert node.get("/").status in (204, 502)


# ---- what is declared too large


def one_line(done):
    """The only line on standard error besides the log's."""
    lines = [line for line in done.err.splitlines() if " INFO " not in line]
    assert len(lines) == 1, done
    return lines[0]


DECLARED = {
    "a memory larger than its ceiling": '(memory (export "memory") 2000)',
    "a memory of four gigabytes": '(memory (export "memory") 65536)',
    "a table of a hundred million": '(memory (export "memory") 1) (table 100000000 funcref)',
    "a table of four billion": '(memory (export "memory") 1) (table 4294967295 funcref)',
}


@pytest.mark.parametrize("name", DECLARED)
def test_a_declaration_that_cannot_be_met_is_refused_by_name_or_fails_alone(serve, workshop, home, name):
    wasm = workshop.wat_text(name.replace(" ", "-"),
                             f'(module {DECLARED[name]} (func (export "handle")))')
    manifest = apps.app({"GET /": "bad#handle", "GET /good": "zoo#hello"},
                        {"bad": wasm, "zoo": workshop.zoo()})
    home.write("mote.toml", manifest)
    done = home.run("check")
    if done.status == 0:
        node = serve(manifest)
        assert node.get("/").status in (502, 503)
        assert node.get("/good").status == 200
    else:
        assert done.status == 2
        assert "component 'bad'" in one_line(done), done


EXOTIC = {
    "memory64": ('(module (memory (export "memory") i64 1) (func (export "handle")))', "--enable-memory64"),
    "two memories": ('(module (memory (export "memory") 1) (memory 1) (func (export "handle")))',
                     "--enable-multi-memory"),
    "many memories": ('(module (memory (export "memory") 1) ' + "(memory 1)" * 20
                      + ' (func (export "handle")))', "--enable-multi-memory"),
    "shared memory": ('(module (memory (export "memory") 1 10 shared) (func (export "handle")))',
                      "--enable-threads"),
    "exceptions": ('(module (memory (export "memory") 1) (tag $t) (func (export "handle") throw $t))',
                   "--enable-exceptions"),
    "tail calls for ever": ('(module (memory (export "memory") 1) (func $f (export "handle") return_call $f))',
                            "--enable-tail-call"),
}


@pytest.mark.parametrize("name", EXOTIC)
def test_features_beyond_the_basics_run_or_are_refused_by_name(serve, workshop, home, name):
    text, feature = EXOTIC[name]
    wasm = workshop.wat_text(name.replace(" ", "-"), text, feature)
    manifest = apps.app({"GET /": "bad#handle", "GET /good": "zoo#hello"},
                        {"bad": {"source": wasm, "max-cpu-ms": 200}, "zoo": workshop.zoo()})
    home.write("mote.toml", manifest)
    done = home.run("check")
    if done.status == 0:
        node = serve(manifest)
        assert node.get("/").status in (502, 504)
        assert node.get("/good").status == 200
    else:
        assert done.status == 2
        assert "component 'bad'" in one_line(done), done


def test_host_calls_with_a_64_bit_memory_are_bounded(serve, workshop, home):
    wasm = workshop.wat_text("memory64-calls", f"""(module {RESPOND} (memory (export "memory") i64 1)
        (func (export "handle")
        (drop (call $respond (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0x10001)))))""",
                             "--enable-memory64")
    manifest = apps.app({"GET /": "bad#handle"}, {"bad": wasm})
    home.write("mote.toml", manifest)
    if home.run("check").status == 0:
        assert serve(manifest).get("/").status == 502


def test_a_guest_cannot_use_functions_of_a_request_in_mote_run(workshop, home):
    wasm = workshop.wat_text("run-respond", f"""(module {RESPOND} (memory (export "memory") 1)
        (func (export "_start")
        (drop (call $respond (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))))""")
    done = home.run("run", wasm)
    assert done.status == 1
    assert "mote::respond" in done.err
