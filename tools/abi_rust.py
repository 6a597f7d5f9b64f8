"""What src/guest/abi.toml is in Rust: numbers, layouts and imports. Used by tools/abi.py."""

from abi_go import MADE, UNSIGNED_WIDE, camel, comment, is_pointer

RESULTS = {
    "status": "i32", "size": "i32", "count": "i32", "flag": "i32", "handle": "i32", "reference": "i64", "pid": "u64",
    "ns": "i64", "never": "!", "none": "",
}
KEYWORDS = {"type", "match", "move", "ref", "self", "yield"}


def shout(*names):
    return "_".join(names).upper()


def word(name):
    """A name that the language does not want for itself."""
    return name + "_" if name in KEYWORDS else name


def field(kind):
    """(type, zero) of a field."""
    base, _, count = kind.partition("[")
    return (f"[{base}; {count[:-1]}]", f"[0; {count[:-1]}]") if count else (base, "0")


def parameters(parameter):
    """One parameter for each of Wasm."""
    name, kind, wasm, _ = parameter
    name = word(name)
    if is_pointer(kind) or wasm == "ii":
        plain = kind.rstrip("?")
        way, target = (plain.split() + [""])[:2] if " " in plain else (plain, "u8")
        target = {"pid": "u64", "u64": "u64", "u8": "u8"}.get(target) or camel(target)
        if plain == "pids-out":
            target = "u64"
        constant = "const" if way in ("in", "text", "bytes") else "mut"
        return [f"{name}: *{constant} {target}"] + ([f"{name}_size: usize"] if wasm == "ii" else [])
    if wasm == "I":
        return [f"{name}: {'u64' if kind in UNSIGNED_WIDE else 'i64'}"]
    return [f"{name}: {'u32' if kind in ('u32', 'bool') else 'i32'}"]


def constants(table):
    lines = []
    for error in table["error"]:
        lines += comment(error["text"], "///") + [f"pub const ERR_{shout(error['name'])}: i32 = {error['number']};"]
    for enum in table["enum"]:
        lines += [""] + comment(enum["text"], "//")
        for name, number, text in enum["values"]:
            lines += comment(text, "///") if text else []
            lines.append(f"pub const {shout(enum.get('prefix', enum['name']), name)}: u32 = {number};")
    return lines + [""]


def structs(table):
    lines = []
    for struct in table["struct"]:
        name = camel(struct["name"])
        lines += comment(struct["text"], "///") + ["#[repr(C)]", "#[derive(Clone, Copy)]", f"pub struct {name} {{"]
        zeros = []
        for one, kind, text in struct["fields"]:
            lines += comment(text, "///", "    ") if text else []
            shape, zero = field(kind)
            lines.append(f"    pub {word(one)}: {shape},")
            zeros.append(f"{word(one)}: {zero}")
        lines += ["}", "", f"impl {name} {{", f"    pub const ZERO: {name} = {name} {{"]
        lines += [f"        {zero}," for zero in zeros] + ["    };", "}", ""]
    return lines


def functions(table):
    """The imports; and for programs that are compiled for another machine, such as their own tests, what panics instead."""
    inside, outside = [], []
    for function in table["function"]:
        shape = ", ".join(one for parameter in function["parsed"] for one in parameters(parameter))
        result = RESULTS[function["result"]]
        head = f"pub fn {word(function['name'])}({shape})" + (f" -> {result}" if result else "")
        if word(function["name"]) != function["name"]:
            inside.append(f"        #[link_name = \"{function['name']}\"]")
        inside.append(f"        {head};")
        unsafe = head.replace("pub fn", "pub unsafe fn")
        outside += [f"    {unsafe} {{", "        outside()", "    }"]
    return ["#[cfg(target_family = \"wasm\")]", "mod import {", "    use super::*;", "    #[link(wasm_import_module = \"mote\")]",
            "    unsafe extern \"C\" {", *inside, "    }", "}", "", "#[cfg(not(target_family = \"wasm\"))]",
            "#[allow(unused_variables, clippy::missing_safety_doc)]", "mod import {", "    use super::*;",
            "    fn outside() -> ! {", "        panic!(\"only a node of mote has that\")", "    }", *outside, "}", "",
            "pub use import::*;", ""]


def make_rust(table):
    """sdk/rust/src/abi.rs."""
    lines = [f"//! {MADE}", "", "#![allow(dead_code, clippy::too_many_arguments)]", "#![cfg_attr(rustfmt, rustfmt_skip)]", ""]
    return "\n".join(lines + constants(table) + structs(table) + functions(table))
