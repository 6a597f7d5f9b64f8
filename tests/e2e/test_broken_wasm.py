"""Files that are no good WebAssembly, or not what mote can run: one clear line, and nothing started."""

import random
import zlib

import pytest

import apps
import guests
import wasm


@pytest.fixture(params=["check", "serve", "run"])
def command(request):
    return request.param


def refusal(home, workshop, command, path, entry="handle"):
    """Give the file to a command; returns what it says of it, on one line."""
    if command == "run":
        done = home.run("run", path)
        assert done.status == 1, done
    else:
        home.write("mote.toml", apps.app({"GET /": f"bad#{entry}", "GET /good": "zoo#hello"},
                                         {"bad": path, "zoo": workshop.zoo()}))
        arguments = ["--listen", "127.0.0.1:0"] if command == "serve" else []
        done = home.run(command, *arguments)
        assert done.status == 2, done
    assert done.out == ""
    lines = [line for line in done.err.splitlines() if " INFO " not in line]
    assert len(lines) == 1, done
    assert path in lines[0]
    if command != "run":
        assert lines[0].startswith("mote.toml:") and "component 'bad'" in lines[0]
    return lines[0]


def good(workshop):
    with open(workshop.zoo(), "rb") as file:
        return file.read()


def damaged(name, content, *words):
    return pytest.param(name, content, words, id=name)


CONTENTS = [
    damaged("an empty file", b"", "empty"),
    damaged("text", b"hello, world\n", "not WebAssembly"),
    damaged("half of the magic number", b"\0as", "truncated"),
    damaged("the magic number alone", b"\0asm", "truncated"),
    damaged("an ELF program", b"\x7fELF\x02\x01\x01" + b"\0" * 100, "not WebAssembly"),
    damaged("a script", b"#!/bin/sh\nexit 0\n", "not WebAssembly"),
    damaged("text WebAssembly", b"(module)", "not WebAssembly"),
    damaged("an unknown version", b"\0asm\x02\0\0\0", "version"),
    damaged("an unknown section", wasm.CORE + b"\x63\x01\x00", "section"),
    damaged("a section longer than the file", wasm.CORE + b"\x01\xff\x7f", "truncated"),
    damaged("a length without an end", wasm.CORE + b"\x01\xff\xff\xff\xff\xff\xff", "invalid"),
    damaged("an export of what is not there",
            wasm.CORE + wasm.section(7, wasm.text("handle") + b"\x00\x05"), "handle"),
]


@pytest.mark.parametrize("name, content, words", CONTENTS)
def test_a_broken_file_is_refused_in_one_line(home, workshop, command, name, content, words):
    if name == "an export of what is not there":
        words = ()
    path = home.write("bad.wasm", content)
    line = refusal(home, workshop, command, path)
    for word in words:
        assert word in line


def test_random_bytes_are_refused(home, workshop):
    source = random.Random(1)
    for size in (8, 100, 5000):
        path = home.write("bad.wasm", source.randbytes(size))
        assert "not WebAssembly" in refusal(home, workshop, "check", path)


def test_random_bytes_behind_a_good_head_are_refused(home, workshop):
    source = random.Random(2)
    for head in (wasm.CORE, wasm.COMPONENT):
        for _ in range(10):
            path = home.write("bad.wasm", head + b"\x01" + source.randbytes(200))
            refusal(home, workshop, "check", path)


def test_a_truncated_file_is_refused_wherever_it_ends(home, workshop):
    content = good(workshop)
    for cut in range(0, len(content), max(1, len(content) // 40)):
        path = home.write("bad.wasm", content[:cut])
        done = home.run("run", path)
        assert done.status == 1, (cut, done)
        assert "bad.wasm" in done.err and len(done.err.splitlines()) == 1, (cut, done)


def test_flipped_bits_are_refused_or_run_but_never_harm(home, workshop):
    source = random.Random(3)
    content = bytearray(good(workshop))
    for _ in range(25):
        damaged_content = bytearray(content)
        for _ in range(source.randint(1, 4)):
            damaged_content[source.randrange(8, len(content))] ^= 1 << source.randrange(8)
        path = home.write("bad.wasm", bytes(damaged_content))
        home.write("mote.toml", apps.app({"GET /": "bad#hello"}, {"bad": path}))
        assert home.run("check").status in (0, 2)


def module(workshop, name, text):
    return workshop.wat_text(name, text)


def test_an_unknown_import_is_named_with_what_is_there(home, workshop, command):
    path = module(workshop, "unknown-import", """(module
        (import "env" "frobnicate" (func (param i32) (result i64)))
        (memory (export "memory") 1) (func (export "handle")) (func (export "_start")))""")
    line = refusal(home, workshop, command, path)
    assert "env::frobnicate" in line and "(i32) -> (i64)" in line
    assert "mote" in line and "wasi_snapshot_preview1" in line, "what is offered"


def test_an_unknown_function_of_mote_is_named(home, workshop, command):
    path = module(workshop, "unknown-function", """(module
        (import "mote" "teleport" (func)) (func (export "handle")) (func (export "_start")))""")
    assert "mote::teleport" in refusal(home, workshop, command, path)


def test_an_import_of_another_type_is_named(home, workshop, command):
    path = module(workshop, "mistyped-import", """(module
        (import "mote" "sleep" (func (param i32) (result i32)))
        (func (export "handle")) (func (export "_start")))""")
    line = refusal(home, workshop, command, path)
    assert "mote" in line and "sleep" in line


def test_an_import_that_is_no_function_is_named(home, workshop, command):
    path = module(workshop, "memory-import", """(module
        (import "env" "memory" (memory 1)) (func (export "handle")) (func (export "_start")))""")
    line = refusal(home, workshop, command, path)
    assert "env::memory" in line and "a memory" in line


def test_a_missing_export_lists_what_is_there(home, workshop, command):
    path = module(workshop, "missing-export", """(module
        (func (export "one")) (func (export "two")) (memory (export "memory") 1))""")
    line = refusal(home, workshop, command, path)
    assert ("_start" if command == "run" else "handle") in line
    assert "one" in line and "two" in line


def test_a_module_that_exports_nothing_says_so(home, workshop, command):
    path = module(workshop, "nothing", "(module)")
    assert "nothing that can be run" in refusal(home, workshop, command, path)


@pytest.mark.parametrize("export, what", [
    ('(func (export "handle") (export "_start") (param i32))', "(i32) -> ()"),
    ('(func (export "handle") (export "_start") (result i32) i32.const 0)', "() -> (i32)"),
    ('(memory (export "handle") (export "_start") 1)', "a memory"),
    ('(global (export "handle") (export "_start") i32 (i32.const 0))', "a global"),
    ('(table (export "handle") (export "_start") 1 funcref)', "a table"),
])
def test_an_export_of_another_type_says_what_it_is(home, workshop, command, export, what):
    path = module(workshop, f"mistyped-{zlib.crc32(export.encode()):x}", f"(module {export})")
    line = refusal(home, workshop, command, path)
    assert what in line
    assert ("_start" if command == "run" else "handle") in line


def test_code_that_does_not_validate_is_refused(home, workshop, command):
    # A function that should leave an i32 and leaves nothing.
    types = wasm.section(1, b"\x60\x00\x01\x7f")
    functions = wasm.section(3, b"\x00")
    exports = wasm.section(7, wasm.text("handle") + b"\x00\x00", wasm.text("_start") + b"\x00\x00")
    code = wasm.section(10, b"\x02\x00\x0b")
    path = home.write("bad.wasm", wasm.CORE + types + functions + exports + code)
    refusal(home, workshop, command, path)


@pytest.mark.parametrize("interface", ["wasi:cli/environment@0.3.0", "wasi:http/types@0.3.0-rc-2025-09-16"])
def test_a_component_of_wasi_0_3_is_refused_by_name(home, workshop, command, interface):
    path = home.write("bad.wasm", wasm.component(wasm.import_of_instance(interface)))
    line = refusal(home, workshop, command, path)
    assert "WASI 0.3" in line and "0.2" in line, "and what to do"


def test_a_component_with_an_unknown_import_is_refused_by_name(home, workshop, command):
    path = home.write("bad.wasm", wasm.component(wasm.import_of_instance("acme:rockets/launch@1.0.0")))
    assert "acme:rockets/launch" in refusal(home, workshop, command, path)


@pytest.mark.parametrize("kind", ["run", "plain"])
def test_a_component_without_the_handler_of_a_route_is_refused(home, workshop, kind):
    path = home.write("bad.wasm", guests.component(kind))
    assert "no export handle; it exports" in refusal(home, workshop, "check", path)


def test_a_file_that_is_not_there_is_named(home, workshop, command):
    path = home.path("nowhere.wasm")
    if command == "run":
        done = home.run("run", path)
        assert done.status == 1
        assert f"{path}: No such file or directory" in done.err
    else:
        home.write("mote.toml", apps.app({"GET /": "bad#handle"}, {"bad": path}))
        done = home.run(command)
        assert done.status == 2
        assert path in done.err and "mote.toml:" in done.err


def test_a_folder_is_no_file(home, workshop):
    done = home.run("run", home.folder)
    assert done.status == 1
    assert home.folder in done.err


def test_all_components_are_told_of_at_once(home, workshop):
    home.write("one.wasm", b"")
    home.write("two.wasm", b"two")
    home.write("mote.toml", apps.app({"GET /": "one#x", "GET /2": "two#x"},
                                     {"one": "one.wasm", "two": "two.wasm"}))
    done = home.run("check")
    assert done.status == 2
    assert "component 'one'" in done.err and "component 'two'" in done.err


def test_all_routes_are_told_of_at_once(home, workshop):
    home.write("mote.toml", apps.app({"GET /1": "zoo#no_such", "GET /2": "zoo#nor_this",
                                      "GET /3": "zoo#hello"}, {"zoo": workshop.zoo()}))
    done = home.run("check")
    assert done.status == 2
    assert "no_such" in done.err and "nor_this" in done.err
    lines = [line for line in done.err.splitlines() if " INFO " not in line]
    assert len(lines) == 2 and all(line.startswith("mote.toml:") for line in lines)


def test_a_name_section_that_lies_is_harmless(serve, workshop):
    # Functions named with control bytes reach the log in a backtrace.
    name = wasm.text("evil\x1b[31m\nname")
    types = wasm.section(1, b"\x60\x00\x00")
    functions = wasm.section(3, b"\x00")
    exports = wasm.section(7, wasm.text("handle") + b"\x00\x00")
    code = wasm.section(10, b"\x03\x00\x00\x0b")
    names = wasm.section(0, content=wasm.text("name") + b"\x01" + wasm.leb(len(name) + 2)
                         + b"\x01\x00" + name)
    content = wasm.CORE + types + functions + exports + code + names
    node = serve(apps.app({"GET /": "bad#handle"}, {"bad": workshop.bytes("evil-name", content)}))
    assert node.get("/").status == 502
    line = node.log.wait_for("process exited", "evil")[0]
    assert "\x1b" not in line and r"\x1b[31m\nname" in line
