#!/usr/bin/env python3
"""Makes of src/guest/abi.toml, which describes what a guest can call, everything that must agree with it.

    tools/abi.py [ROOT]           write src/guest/abi_table.h, the marked parts of sdk/c/mote.h and docs/guest-abi.md, and for
                                  components sdk/wit/mote-runtime.wit and the table of the engine's shim, and
                                  the imports of the SDKs for Go and Rust
    tools/abi.py --check [ROOT]   write nothing; status 1 and a line for each file that is not up to date
    tools/abi.py --hostile WAT C  write Wasm text with an entry for each pointer parameter, which passes a bad one, and
                                  the names of these entries, for a C array
    tools/abi.py --self-test      plant mistakes and see them found
"""

import copy
import os
import re
import sys
import textwrap
import tomllib

import abi_component
import abi_go
import abi_rust

TABLE = "src/guest/abi.toml"
OUTPUTS = ["src/guest/abi_table.h", "sdk/c/mote.h", "docs/guest-abi.md", "sdk/wit/mote-runtime.wit",
           "src/engine/shim/src/typed_table.rs", "sdk/go/internal/abi/abi.go", "sdk/rust/src/abi.rs"]

# type: (Wasm types, C declarations with {} for the name, names in the documentation)
PLAIN = {
    "i32": ("i", ["int32_t {}"]),
    "u32": ("i", ["uint32_t {}"]),
    "i64": ("I", ["int64_t {}"]),
    "u64": ("I", ["uint64_t {}"]),
    "ns": ("I", ["int64_t {}"]),
    "pid": ("I", ["uint64_t {}"]),
    "reference": ("I", ["uint64_t {}"]),
    "label": ("I", ["uint64_t {}"]),
    "timeout": ("I", ["int64_t {}"]),
    "handle": ("i", ["int32_t {}"]),
    "handle?": ("i", ["int32_t {}"]),
    "bool": ("i", ["uint32_t {}"]),
    "bytes?": ("ii", ["const void *{}", "size_t {}_size"]),
    "text?": ("ii", ["const char *{}", "size_t {}_size"]),
    "text": ("ii", ["const char *{}", "size_t {}_size"]),
    "bytes": ("ii", ["const void *{}", "size_t {}_size"]),
    "text-out": ("ii", ["char *{}", "size_t capacity"]),
    "bytes-out": ("ii", ["void *{}", "size_t capacity"]),
    "pids-out": ("ii", ["uint64_t *{}", "size_t capacity"]),
}
RESULTS = {
    "status": ("i", "int32_t"), "size": ("i", "int32_t"), "count": ("i", "int32_t"), "flag": ("i", "int32_t"),
    "handle": ("i", "int32_t"), "reference": ("I", "int64_t"), "pid": ("I", "uint64_t"), "ns": ("I", "int64_t"),
    "never": ("", "void"), "none": ("", "void"),
}
FIELD = {"u8": (1, "uint8_t"), "u32": (4, "uint32_t"), "i32": (4, "int32_t"), "u64": (8, "uint64_t"), "i64": (8, "int64_t")}
SHOWN = {"I": "i64"}


class Mistake(Exception):
    """The table contradicts itself."""


def field_of(kind):
    """(bytes, alignment, C type, C suffix) of a field's type."""
    match = re.fullmatch(r"(\w+?)(?:\[(\d+)\])?", kind)
    if match is None or match.group(1) not in FIELD:
        raise Mistake(f"field type {kind}")
    size, c_type = FIELD[match.group(1)]
    count = int(match.group(2) or 1)
    return size * count, size, c_type, f"[{count}]" if match.group(2) else ""


def parameter_of(table, text):
    """(name, type, Wasm types, C declarations, what it points to or None) of "name: type"."""
    name, _, kind = (part.strip() for part in text.partition(":"))
    if kind in PLAIN:
        wasm, declarations = PLAIN[kind]
        return name, kind, wasm, [one.format(name) for one in declarations]
    if kind in table["enum_by_name"]:
        return name, kind, "i", [f"int32_t {name}"]
    match = re.fullmatch(r"(in|out|inout|list) (\w+)(\?)?", kind)
    if match is None:
        raise Mistake(f"parameter type {kind}")
    way, target = match.group(1), match.group(2)
    if target in ("pid", "u64"):
        c_type = "uint64_t"
    elif target in table["struct_by_name"]:
        c_type = f"struct mote_{target}"
    else:
        raise Mistake(f"parameter type {kind}: no struct {target}")
    const = "const " if way == "in" else ""
    declarations = [f"{const}{c_type} *{name}"]
    if way == "list":
        return name, kind, "ii", declarations + ["size_t count"]
    return name, kind, "i", declarations


def load(text):
    """The table, checked, with what is derived from it."""
    table = tomllib.loads(text)
    for kind in ("error", "enum", "struct", "record", "group", "function"):
        names = [one["name"] for one in table[kind]]
        if len(set(names)) != len(names):
            raise Mistake(f"two of one name among {kind}: {names}")
        table[kind + "_by_name"] = dict(zip(names, table[kind]))
    for one in table["struct"]:
        offset = 0
        for name, kind, _ in one["fields"]:
            size, alignment, _, _ = field_of(kind)
            if offset % alignment != 0:
                raise Mistake(f"struct {one['name']}: a hole before {name}")
            offset += size
        if offset != one["size"] or offset % 8 != 0:
            raise Mistake(f"struct {one['name']}: its fields have {offset} bytes, not {one['size']}")
    for function in table["function"]:
        if function["group"] not in table["group_by_name"] or function["result"] not in RESULTS:
            raise Mistake(f"{function['name']}: group or result")
        unknown = set(function.get("errors", [])) - set(table["error_by_name"])
        if unknown:
            raise Mistake(f"{function['name']}: errors {unknown}")
        function["parsed"] = [parameter_of(table, one) for one in function.get("parameters", [])]
        wasm = "".join(one[2] for one in function["parsed"])
        if len(wasm) > 10:
            raise Mistake(f"{function['name']}: more than 10 parameters")
        function["signature"] = wasm + ":" + RESULTS[function["result"]][0]
    return table


def wrapped(prefix, parts, end, width=100):
    """`prefix` and the parts, separated by commas, in lines of at most `width`, aligned behind the prefix."""
    lines, line = [], prefix
    for index, part in enumerate(parts):
        word = part + ("," if index + 1 < len(parts) else end)
        if len(line) + len(word) + 1 > width and line.strip():
            lines.append(line.rstrip())
            line = " " * len(prefix)
        line += word + " "
    lines.append(line.rstrip())
    return "\n".join(lines)


def comment(text, indent=""):
    """A documentation comment of one or more lines."""
    one = f"{indent}/** {text[:1].upper() + text[1:]} */"
    if len(one) <= 100:
        return one
    lines = textwrap.wrap(text[:1].upper() + text[1:], 95 - len(indent))
    return f"{indent}/** " + f"\n{indent} *  ".join(lines) + " */"


def c_enums(table, prefix):
    """Errors, enums and structs for C: prefix "abi" for the host, "mote" for guests."""
    upper = prefix.upper()
    lines = [comment("Results below zero."), f"enum {prefix}_error {{"]
    if prefix == "mote":
        lines.append("    MOTE_OK = 0,")
    for error in table["error"]:
        lines += [comment(error["text"], "    "), f"    {upper}_{error['name'].upper()} = {error['number']},"]
    lines += ["};", ""]
    for enum in table["enum"]:
        middle = enum["prefix"].upper() + "_" if "prefix" in enum else ""
        if prefix == "abi" and not middle:
            middle = enum["name"].upper() + "_"
        lines += [comment(enum["text"]), f"enum {prefix}_{enum['name']} {{"]
        for name, number, text in enum["values"]:
            if text:
                lines.append(comment(text, "    "))
            lines.append(f"    {upper}_{middle}{name.upper()} = {number},")
        lines += ["};", ""]
    for struct in table["struct"]:
        lines += [comment(struct["text"]), f"struct {prefix}_{struct['name']} {{"]
        for name, kind, text in struct["fields"]:
            _, _, c_type, suffix = field_of(kind)
            if text:
                lines.append(comment(text, "    "))
            lines.append(f"    {c_type} {name}{suffix};")
        lines += ["};", ""]
    return lines


def x_macro(name, functions):
    lines = [f"#define {name}(X)"]
    for function in functions:
        parks = "true" if function.get("parks") else "false"
        lines.append(f'    X({function["name"]}, "{function["signature"]}", {parks})')
    return "\n".join(line.ljust(99) + "\\" for line in lines[:-1]) + "\n" + lines[-1]


def make_table(table):
    """src/guest/abi_table.h."""
    lines = ["/**", " * @file",
             " * The ABI as numbers, layouts and signatures: made of abi.toml by tools/abi.py, which also tells what each",
             " * function does (docs/guest-abi.md). Change that file, not this one.", " */", "#pragma once", "",
             "#include <stdint.h>", "", "/* clang-format off */", ""]
    lines += c_enums(table, "abi")
    for struct in table["struct"]:
        lines.append(f"_Static_assert(sizeof(struct abi_{struct['name']}) == {struct['size']}, \"layout\");")
    lines.append("")
    for layer in ("guest", "serve"):
        functions = [one for one in table["function"] if one.get("layer", "guest") == layer]
        lines += [f"/** X(name, signature, parks) for each host function of src/{layer}. */",
                  x_macro("ABI_" + layer.upper(), functions), ""]
    lines += ["/* clang-format on */", ""]
    return "\n".join(lines)


def make_header(table):
    """The marked part of sdk/c/mote.h."""
    lines = ["/* clang-format off */", ""] + c_enums(table, "mote")
    lines += ["/* ---- the host's functions, as docs/guest-abi.md has them ---- */", "",
              '#define MOTE_IMPORT(name) __attribute__((import_module("mote"), import_name(name)))', ""]
    for function in table["function"]:
        _, c_type = RESULTS[function["result"]]
        parts = [one for parameter in function["parsed"] for one in parameter[3]] or ["void"]
        never = "__attribute__((noreturn)) " if function["result"] == "never" else ""
        first = f'MOTE_IMPORT("{function["name"]}") {never}'
        head = f"{c_type} mote_abi_{function['name']}("
        whole = first + head + ", ".join(parts) + ");"
        lines.append(whole if len(whole) <= 100 else first.rstrip() + "\n" + wrapped(head, parts, ");"))
    lines += ["", "/* clang-format on */"]
    return "\n".join(lines)


def shown_parameters(function):
    """"buffer, capacity", with the type where it is not i32."""
    shown = []
    for _, kind, wasm, declarations in function["parsed"]:
        for letter, declaration in zip(wasm, declarations):
            name = declaration.split()[-1].lstrip("*")
            optional = kind.endswith("?") and declaration == declarations[0]
            shown.append(name + (": i64" if letter == "I" else " or 0" if optional else ""))
    return ", ".join(shown)


def document_functions(table):
    lines = []
    for group in table["group"]:
        lines += ["## " + group["title"], ""]
        if "text" in group:
            lines += textwrap.wrap(group["text"], 120) + [""]
        lines += ["| function | | | errors |", "|---|---|---|---|"]
        for function in table["function"]:
            if function["group"] != group["name"]:
                continue
            wasm, _ = RESULTS[function["result"]]
            result = {"i": " -> i32", "I": " -> i64", "": ""}[wasm]
            lines.append(f"| `{function['name']}({shown_parameters(function)}){result}` "
                         f"| {'parks' if function.get('parks') else ''} | {function['text']} "
                         f"| {', '.join(one.replace('_', ' ') for one in function.get('errors', []))} |")
        lines.append("")
    return "\n".join(lines[:-1])


def document_layouts(table):
    lines = []
    for enum in table["enum"]:
        lines += [f"`{enum['name']}`: {enum['text'][:1].lower() + enum['text'][1:]}", "", "| | | |", "|---|---|---|"]
        lines += [f"| {number} | {name.replace('_', ' ')} | {text} |" for name, number, text in enum["values"]]
        lines.append("")
    for struct in table["struct"]:
        lines += [f"`{struct['name']}`, {struct['size']} bytes: {struct['text'][:1].lower() + struct['text'][1:]}", "",
                  "| offset | type | name | |", "|---|---|---|---|"]
        offset = 0
        for name, kind, text in struct["fields"]:
            lines.append(f"| {offset} | {kind} | `{name}` | {text} |")
            offset += field_of(kind)[0]
        lines.append("")
    return "\n".join(lines[:-1])


def document_errors(table):
    lines = ["| | | |", "|---|---|---|"]
    lines += [f"| {one['number']} | {one['name'].replace('_', ' ')} | {one['text']} |" for one in table["error"]]
    return "\n".join(lines)


def between(text, begin, end, inside, path):
    """The text with what is between two marks replaced."""
    head, found, rest = text.partition(begin + "\n")
    _, closed, tail = rest.partition("\n" + end)
    if not found or not closed:
        raise Mistake(f"{path}: no '{begin}' ... '{end}'")
    return head + begin + "\n" + inside + "\n" + end + tail


def make_all(table, old):
    """What each output file should hold. `old`: what they hold now."""
    header = between(old["sdk/c/mote.h"], "/* made by tools/abi.py: begin */", "/* made by tools/abi.py: end */",
                     make_header(table), "sdk/c/mote.h")
    page = old["docs/guest-abi.md"]
    for name, make in (("errors", document_errors), ("functions", document_functions), ("layouts", document_layouts)):
        page = between(page, f"<!-- made by tools/abi.py: {name} -->", "<!-- end -->", "\n" + make(table) + "\n",
                       "docs/guest-abi.md")
    return {"src/guest/abi_table.h": make_table(table), "sdk/c/mote.h": header, "docs/guest-abi.md": page,
            "sdk/wit/mote-runtime.wit": abi_component.make_wit(table),
            "src/engine/shim/src/typed_table.rs": abi_component.make_rust(table),
            "sdk/go/internal/abi/abi.go": abi_go.make_go(table),
            "sdk/rust/src/abi.rs": abi_rust.make_rust(table)}


def hostile(table):
    """A module whose entries "function.parameter.how" pass one bad pointer each; all else is harmless."""
    functions = [one for one in table["function"] if one.get("layer", "guest") == "guest"]
    lines = [";; Made by tools/abi.py: each entry passes one pointer that reaches outside the memory.", "(module"]
    for function in functions:
        wasm, _, result = function["signature"].partition(":")
        types = " ".join("i64" if one == "I" else "i32" for one in wasm)
        back = f" (result {'i64' if result == 'I' else 'i32'})" if result else ""
        lines.append(f'  (import "mote" "{function["name"]}" (func ${function["name"]}'
                     f'{" (param " + types + ")" if types else ""}{back}))')
    lines.append('  (memory (export "memory") 1)')
    for function in functions:
        drop = "(drop {})" if function["signature"].split(":")[1] else "{}"
        for index, (name, kind, wasm, _) in enumerate(function["parsed"]):
            if not (wasm == "ii" or kind.split()[0] in ("in", "out", "inout")):
                continue
            # Pointer and size: far outside; wrapping around; a byte too long. A struct: its last byte outside.
            bad = [(0x7ffffff0, 16), (-8, 16), (65535, 2)] if wasm == "ii" else [(0x7ffffff0,), (-4,), (65532,)]
            for how, numbers in enumerate(bad):
                arguments = []
                for other, (_, _, types, _) in enumerate(function["parsed"]):
                    values = numbers if other == index else (8,) * len(types) if types != "ii" else (8, 1)
                    arguments += [f"(i{'64' if letter == 'I' else '32'}.const {value})"
                                  for letter, value in zip(types, values)]
                call = f"(call ${function['name']} {' '.join(arguments)})"
                lines.append(f'  (func (export "{function["name"]}.{name}.{how}") {drop.format(call)})')
    return "\n".join(lines) + ")\n"


def hostile_entries(module):
    return "".join(f'"{name}",\n' for name in re.findall(r'\(export "([^"]+\.[^"]+)"\)', module))


def read_all(root):
    old = {}
    for path in OUTPUTS:
        full = os.path.join(root, path)
        if os.path.exists(full):
            with open(full, encoding="utf-8") as file:
                old[path] = file.read()
    with open(os.path.join(root, TABLE), encoding="utf-8") as file:
        return old, file.read()


def update(root, check):
    old, text = read_all(root)
    stale = [(path, content) for path, content in make_all(load(text), old).items() if old.get(path) != content]
    for path, content in stale:
        if check:
            print(f"{path}: not what {TABLE} says; run tools/abi.py")
        else:
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(content)
    return 1 if check and stale else 0


PLANTED = [
    ('size = 64', 'size = 56', "bytes, not"),
    ('["size", "u32", "of the body, all of it"],', '', "a hole before"),
    ('filter: in filter?', 'filter: in sieve?', "no struct"),
    ('errors = ["timeout", "invalid"]', 'errors = ["tiredness"]', "errors"),
    ('name = "unlink"', 'name = "link"', "two of one name"),
    ('result = "never"', 'result = "perhaps"', "group or result"),
    ('level: log_level', 'level: loudness', "parameter type"),
]


def self_test(root):
    old, text = read_all(root)
    failures = 0
    for was, becomes, words in PLANTED:
        try:
            load(text.replace(was, becomes, 1))
            print(f"FAIL: {becomes!r} was not found")
            failures += 1
        except Mistake as mistake:
            if words not in str(mistake):
                print(f"FAIL: {becomes!r}: {mistake}")
                failures += 1
    for path in OUTPUTS:
        changed = copy.copy(old)
        changed[path] = re.sub("mail_read|call_begin|call-begin|CallBegin", "nothing", old[path])
        if make_all(load(text), changed)[path] == changed[path]:
            print(f"FAIL: a change of {path} was not found")
            failures += 1
    print(f"{len(PLANTED) + len(OUTPUTS) - failures} of {len(PLANTED) + len(OUTPUTS)} planted cases behave")
    return 1 if failures else 0


def main(arguments):
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    try:
        if arguments[:1] == ["--self-test"]:
            return self_test(root)
        if arguments[:1] == ["--hostile"] and len(arguments) == 3:
            module = hostile(load(read_all(root)[1]))
            for path, content in zip(arguments[1:], (module, hostile_entries(module))):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(content)
            return 0
        check = arguments[:1] == ["--check"]
        rest = arguments[1:] if check else arguments
        if len(rest) > 1 or (rest and rest[0].startswith("-")):
            print(__doc__, file=sys.stderr)
            return 2
        return update(rest[0] if rest else root, check)
    except (Mistake, tomllib.TOMLDecodeError) as mistake:
        print(f"{TABLE}: {mistake}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
