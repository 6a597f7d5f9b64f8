"""The component side of src/guest/abi.toml: a WIT package, and the table of the engine's shim. Used by tools/abi.py."""

import re
import textwrap

VERSION = "0.1.0"
PACKAGE = f"mote:runtime@{VERSION}"

# Words that WIT keeps for itself, as far as they are names here.
KEYWORDS = {"list", "stream", "use", "type", "func", "record", "flags", "enum", "own", "future", "from", "include", "with", "as"}

# A parameter's type: (WIT, Rust).
PARAMETERS = {
    "i32": ("s32", "i32"), "u32": ("u32", "u32"), "i64": ("s64", "i64"), "u64": ("u64", "u64"), "bool": ("bool", "bool"),
    "ns": ("duration", "u64"), "pid": ("pid", "u64"), "reference": ("reference", "u64"), "label": ("label", "u64"),
    "timeout": ("option<duration>", "Option<u64>"), "handle": ("handle", "i32"), "handle?": ("option<handle>", "Option<i32>"),
    "text": ("string", "WasmStr"), "text?": ("option<string>", "Option<WasmStr>"), "bytes": ("list<u8>", "ByteList"),
    "bytes?": ("option<list<u8>>", "Option<ByteList>"),
}
ALIASES = [
    ("pid", "u64", "A process. Never used again, and never 0."),
    ("reference", "u64", "A monitor, a call or a timer."),
    ("label", "u64", "What a sender says that a message is."),
    ("duration", "u64", "Nanoseconds. As a timeout: 0: try; none: for ever; at most a year."),
    ("handle", "s32", "An end of a byte stream that this process has."),
]
RESULTS = {"size": ("u32", "Size"), "count": ("u32", "Size"), "flag": ("bool", "Flag"), "reference": ("reference", "Wide")}
PLAIN_RESULTS = {"pid": "pid", "ns": "duration"}

# Functions with a `typed` of their own: parameters and output in Rust, and before which parameter the output stands.
SPECIAL = {
    "call": ("(u64, u64, ByteList, Option<i32>, Option<u64>)", "Calling", 5),
    "wait": ("(WasmList<WaitItem>, Option<u64>)", "Positions", 2),
    "supervisor_start": ("(SupervisorSpec, WasmList<Child>)", "Family", 2),
}


def kebab(name):
    return name.replace("_", "-")


def type_name(name):
    """In WIT, where a type may not be named as a function of an interface that uses it."""
    return {"info": "process-info", "fetch_head": "fetched-head", "fetch_reason": "fetch-failure"}.get(name, kebab(name))


def escaped(name):
    name = kebab(name)
    return "%" + name if name in KEYWORDS else name


def camel(name):
    return "".join(part.capitalize() for part in re.split("[_-]", name))


def document(text, indent):
    text = text[:1].upper() + text[1:] + ("" if text[-1:] in ".:" else ".")
    return [f"{indent}/// {line}" for line in textwrap.wrap(text, 108 - len(indent))]


def typed_enums(table):
    return [one for one in table["enum"] if one.get("components", True)]


def typed_values(enum):
    """Its values without those that components have no use for."""
    return [one for one in enum["values"] if one[0] not in enum.get("components_without", [])]


def typed_structs(table):
    return [one for one in table["struct"] if one.get("components", True)]


def enum_of(table, field):
    """The enum that a field of a struct holds, or None."""
    for name in (field[0], field[2]):
        if name in table["enum_by_name"]:
            return name
    return None


def fields_of(table, struct):
    """(name, WIT type, Rust type, how Rust makes it of the C field, text) of what a component sees of a struct."""
    plain = {"u32": "u32", "i32": "i32", "u64": "u64", "i64": "i64"}
    for field in struct["fields"]:
        name, kind, text = field
        enum = enum_of(table, field)
        if name == "reserved" or (struct["name"] == "mail" and name == "size"):
            continue
        if enum is not None:
            yield name, type_name(enum), camel(enum), f"{camel(enum)}::of(self.{name})?", "" if text == enum else text
        elif kind.startswith("u8["):
            yield name, "string", "String", f"text_of(&self.{name})", ""
        elif name in ("pid", "sender", "parent", "reference", "label"):
            wit = {"sender": "pid", "parent": "pid"}.get(name, name)
            yield name, wit, "u64", f"self.{name}", text
        elif name in ("stream", "reader", "writer"):
            yield name, "handle", "i32", f"self.{name}", text
        else:
            yield name, {"i32": "s32", "i64": "s64"}.get(kind, kind), plain[kind], f"self.{name}", text


def read_structs(table):
    """Those that a guest gives to the host."""
    kinds = [kind for function in table["function"] for _, kind, _, _ in function["parsed"]]
    return {kind[3:].rstrip("?") for kind in kinds if kind.startswith("in ")}


class Shape:
    """A function as components see it."""

    def __init__(self, table, function):
        self.inputs, self.rust = [], []
        self.at = None
        self.output, self.answer = None, None
        errors = bool(function.get("errors"))
        for name, kind, _, _ in function["parsed"]:
            if name in function.get("typed_without", []):
                continue
            self._parameter(table, function, name, kind)
        if self.output is None:
            self._result(function["result"], errors)
        elif not errors:
            self.output = f"Sure<{self.output}>"
        else:
            self.answer = f"result<{self.answer}, error>"
        if self.at is None:
            self.at = len(self.rust)

    def _parameter(self, table, function, name, kind):
        if kind in PARAMETERS:
            self._input(name, *PARAMETERS[kind])
        elif kind in table["enum_by_name"]:
            self._input(name, type_name(kind), camel(kind))
        elif kind.startswith("in "):
            target = kind[3:].rstrip("?")
            optional = kind.endswith("?")
            wit, rust = kebab(target), camel(target)
            self._input(name, f"option<{wit}>" if optional else wit, f"Option<{rust}>" if optional else rust)
        elif kind == "out mail":
            self._output("mail", "Received")
        elif self.output == "Received":
            return # the buffer: the body is part of the record
        elif kind == "text-out":
            self._output("string", "Whole<String>")
        elif kind == "bytes-out" and function.get("whole"):
            self._output("list<u8>", "Whole<Vec<u8>>")
        elif kind == "bytes-out":
            self._input("max", "u32", "u32")
            filled = function["result"] == "status"
            self._output("list<u8>" if filled else "option<list<u8>>", "Filled" if filled else "Part")
        elif kind == "pids-out":
            self._output("list<pid>", "Many<u64>")
        elif kind.startswith("list "):
            self._output(f"list<{kebab(kind[5:])}>", f"Many<C{camel(kind[5:])}>")
        else:
            target = kind.removeprefix("out ").rstrip("?")
            self._output(type_name(target), "Out<u64>" if target == "pid" else f"Out<C{camel(target)}>")

    def _input(self, name, wit, rust):
        self.inputs.append(f"{escaped(name)}: {wit}")
        self.rust.append(rust)

    def _output(self, wit, rust):
        self.answer, self.output, self.at = wit, rust, len(self.rust)

    def _result(self, result, errors):
        if result in PLAIN_RESULTS:
            self.answer, self.output = PLAIN_RESULTS[result], "Plain"
        elif result in ("never", "none"):
            self.answer, self.output = None, "Nothing"
        elif result == "status":
            self.answer, self.output = ("result<_, error>", "Status") if errors else (None, "Nothing")
        else:
            wit, output = RESULTS[result]
            self.answer = f"result<{wit}, error>" if errors else wit
            self.output = output if errors else f"Sure<{output}>"

    def wit(self):
        arrow = f" -> {self.answer}" if self.answer else ""
        return f"func({', '.join(self.inputs)}){arrow}"

    def tuple(self):
        return "(" + ", ".join(self.rust) + ("," if len(self.rust) == 1 else "") + ")"


def shapes(table):
    """(function, WIT type, parameters in Rust, output in Rust, where it stands) of all that components can call."""
    for function in table["function"]:
        if "typed" not in function:
            shape = Shape(table, function)
            yield function, shape.wit(), shape.tuple(), shape.output, shape.at
        elif function["typed"]:
            yield function, function["typed"], *SPECIAL[function["name"]]


# ---- WIT ----

def wit_types(table):
    lines = ["/// What the other interfaces speak of.", "interface types {"]
    for name, kind, text in ALIASES:
        lines += document(text, "    ") + [f"    type {name} = {kind};"]
    lines += ["", "    /// Why a call failed.", "    enum error {"]
    for error in table["error"]:
        lines += document(error["text"], "        ") + [f"        {escaped(error['name'])},"]
    lines.append("    }")
    for enum in typed_enums(table):
        lines += [""] + document(enum["text"], "    ") + [f"    enum {type_name(enum['name'])} {{"]
        for name, _, text in typed_values(enum):
            lines += (document(text, "        ") if text else []) + [f"        {escaped(name)},"]
        lines.append("    }")
    for struct in typed_structs(table):
        lines += [""] + document(struct["text"].replace(" without its body", ""), "    ")
        lines.append(f"    record {type_name(struct['name'])} {{")
        for name, wit, _, _, text in fields_of(table, struct):
            lines += (document(text, "        ") if text else []) + [f"        {escaped(name)}: {wit},"]
        if struct["name"] == "mail":
            lines.append("        body: list<u8>,")
        lines.append("    }")
    for record in table["record"]:
        lines += [""] + document(record["text"], "    ")
        lines += ["    " + line for line in record["body"].strip().split("\n")]
    return lines + ["}"]


def type_names(table):
    names = [name for name, _, _ in ALIASES] + ["error"]
    names += [type_name(one["name"]) for one in typed_enums(table) + typed_structs(table)]
    return names + [one["name"] for one in table["record"]]


def used_types(table, signatures):
    words = set()
    for signature in signatures:
        # A name before a colon is a parameter's.
        words |= set(re.findall(r"[a-z0-9-]+", re.sub(r"%?[a-z0-9-]+: ", "", signature)))
    return [name for name in type_names(table) if name in words]


def wit_interface(table, group, members):
    lines = [""] + document(group["title"] + "." + (" " + group["text"] if "text" in group else ""), "")
    lines.append(f"interface {group['name']} {{")
    used = used_types(table, [signature for _, signature in members])
    if used:
        lines += [f"    use types.{{{', '.join(used)}}};", ""]
    for function, signature in members:
        text = function.get("typed_text", function["text"])
        lines += document(text, "    ") + [f"    {escaped(function['name'])}: {signature};", ""]
    return lines[:-1] + ["}"]


def make_wit(table):
    """sdk/wit/mote-runtime.wit."""
    lines = ["// Made of src/guest/abi.toml by tools/abi.py: change that file, not this one.", "",
             "/// What a component can ask of the platform that runs it as a process: the functions of the import module \"mote\"",
             "/// of core modules, with types. docs/components.md tells how a component is made and run.",
             f"package {PACKAGE};", ""]
    lines += wit_types(table)
    by_group = {}
    for function, signature, *_ in shapes(table):
        by_group.setdefault(function["group"], []).append((function, signature))
    for group in table["group"]:
        lines += wit_interface(table, group, by_group[group["name"]])
    lines += ["", "/// Everything that can be imported.", "world imports {"]
    lines += [f"    import {group['name']};" for group in table["group"]]
    lines += ["}", "", "/// A worker, a service, or what a schedule runs.", "world actor {", "    include imports;",
              "    export run: func();", "}", ""]
    return "\n".join(lines)


# ---- the shim ----

def rust_enum(name, values):
    lines = ["typed_enum! {", f"    {camel(name)} {{"]
    lines += [f'        {camel(case)} "{kebab(case)}" {number},' for case, number in values]
    return lines + ["    }", "}", ""]


def rust_struct(table, struct):
    types = {"u8": "u8", "u32": "u32", "i32": "i32", "u64": "u64", "i64": "i64"}
    name = camel(struct["name"])
    lines = ["#[repr(C)]", "#[derive(Clone, Copy)]", f"pub struct C{name} {{"]
    for field, kind, _ in struct["fields"]:
        plain, _, count = kind.rstrip("]").partition("[")
        lines.append(f"    pub {field}: {f'[{types[plain]}; {count}]' if count else types[plain]},")
    lines += ["}", f"const _: () = assert!(std::mem::size_of::<C{name}>() == {struct['size']});"]
    if not struct.get("components", True):
        return lines + [""]
    read = struct["name"] in read_structs(table)
    lines += [f"#[derive(ComponentType, {'Lift' if read else 'Lower'})]", "#[component(record)]", f"pub struct {name} {{"]
    for field, _, rust, _, _ in fields_of(table, struct):
        lines += [f'    #[component(name = "{kebab(field)}")]', f"    pub {field}: {rust},"]
    if struct["name"] == "mail":
        lines.append("    pub body: Body,")
    if read:
        return lines + ["}", ""]
    lines += ["}", f"impl Layout for C{name} {{", f"    type Record = {name};", f"    fn record(&self) -> Result<{name}> {{",
              f"        Ok({name} {{"]
    lines += [f"            {field}: {made}," for field, _, _, made, _ in fields_of(table, struct)]
    if struct["name"] == "mail":
        lines.append("            body: NO_BODY,")
    return lines + ["        })", "    }", "}", ""]


def make_rust(table):
    """src/engine/shim/src/typed_table.rs."""
    lines = ["//! Made of src/guest/abi.toml by tools/abi.py: change that file, not this one.", "//!",
             "//! Types and functions of the package mote:runtime, for typed.rs.", "",
             "use crate::typed::{Link, typed_enum};",
             "use crate::typed_arguments::*;", "use crate::typed_bytes::ByteList;", "use crate::typed_results::*;", "use wasmtime::Result;", "use wasmtime::component::{ComponentType, Lift, Lower, WasmList, WasmStr};", "",
             f'pub const VERSION: &str = "{VERSION}";', ""]
    for index, error in enumerate(table["error"]):
        if error["number"] != -1 - index:
            raise ValueError(f"error {error['name']}: numbers go from -1 down without a gap")
    lines += rust_enum("error", [(one["name"], one["number"]) for one in table["error"]])
    for enum in typed_enums(table):
        lines += rust_enum(enum["name"], [(name, number) for name, number, _ in typed_values(enum)])
    for struct in table["struct"]:
        lines += rust_struct(table, struct)
    lines += ["#[rustfmt::skip]", "pub fn link(to: &mut Link<'_>) -> Result<()> {"]
    group = None
    for function, _, parameters, output, at in sorted(shapes(table), key=lambda one: one[0]["group"]):
        if function["group"] != group:
            group = function["group"]
            lines.append(f'    to.interface("{group}");')
        how = "waiting" if function.get("parks") else "now"
        lines.append(f'    to.{how}::<{parameters}, {output}>("{kebab(function["name"])}", "{function["name"]}", {at})?;')
    return "\n".join(lines + ["    Ok(())", "}", ""])
