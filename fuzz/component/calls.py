"""Raw calls of everything that WIT interfaces offer, for the guest of fuzz_component: C, from the packages of a folder.

    calls.py WIT_FOLDER TO.inc INTERFACE ...

Written are the imports, as a core module has them, and play(), in which each call takes its arguments one by one from the input."""

import os
import re
import sys

FLAT_MAX = 16
NUMBERS = {"bool": "i32", "char": "i32", "f32": "f32", "f64": "f64", "u64": "i64", "s64": "i64",
           "u8": "i32", "u16": "i32", "u32": "i32", "s8": "i32", "s16": "i32", "s32": "i32"}
KEPT = ("pid", "handle", "reference")  # Numbers that calls give, and want.
C_TYPES = {"i32": "uint32_t", "i64": "uint64_t", "f32": "float", "f64": "double"}
WORD = re.compile(r"%?[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*|->|[^\s]")


class Source:
    def __init__(self, text):
        self.words = WORD.findall(re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S))
        self.at = 0

    def peek(self):
        return self.words[self.at]

    def take(self, expected=None):
        word = self.words[self.at]
        if expected is not None and word != expected:
            raise SystemExit(f"WIT: {expected} expected, found {' '.join(self.words[self.at - 8:self.at + 3])}")
        self.at += 1
        return word.lstrip("%")

    def taken(self, word):
        if self.at < len(self.words) and self.words[self.at] == word:
            self.at += 1
            return True
        return False

    def until(self, *ends):
        """Words up to one of `ends`, which is taken, braces and parentheses in pairs."""
        found, depth = [], 0
        while depth > 0 or self.peek() not in ends:
            depth += {"{": 1, "(": 1, "}": -1, ")": -1}.get(self.peek(), 0)
            found.append(self.take())
        self.take()
        return found


def read_type(source):
    word = source.take()
    if word in ("list", "option", "tuple", "own", "borrow", "result") and source.taken("<"):
        inner = []
        while not source.taken(">"):
            inner.append(None if source.taken("_") else read_type(source))
            source.taken(",")
        return (word, inner)
    return ("result", []) if word == "result" else ("name", word)


def read_parameters(source):
    source.take("(")
    found = []
    while not source.taken(")"):
        source.take()
        source.take(":")
        found.append(read_type(source))
        source.taken(",")
    return found


class Interface:
    def __init__(self, name):
        self.name = name
        self.types = {}      # name: (kind, what it is made of)
        self.functions = []  # (name as imported, parameters, result)

    def function(self, source, name, first):
        source.taken("static")
        source.take("func")
        parameters = first + read_parameters(source)
        result = read_type(source) if source.taken("->") else None
        source.take(";")
        self.functions.append((name, parameters, result))

    def resource(self, source, name):
        self.types[name] = ("resource", None)
        self.functions.append((f"[resource-drop]{name}", [("own", [("name", name)])], None))
        if source.taken(";"):
            return
        source.take("{")
        while not source.taken("}"):
            if skipped(source):
                continue
            if source.taken("constructor"):
                parameters = read_parameters(source)
                source.take(";")
                self.functions.append((f"[constructor]{name}", parameters, ("own", [("name", name)])))
                continue
            member = source.take()
            source.take(":")
            static = source.peek() == "static"
            kind, first = ("static", []) if static else ("method", [("borrow", [("name", name)])])
            self.function(source, f"[{kind}]{name}.{member}", first)

    def members(self, source, kind):
        found = []
        source.take("{")
        while not source.taken("}"):
            name = source.take()
            if kind == "record":
                source.take(":")
                found.append((name, read_type(source)))
            elif source.taken("("):
                found.append((name, read_type(source)))
                source.take(")")
            else:
                found.append((name, None))
            source.taken(",")
        return found

    def use(self, source):
        words = source.until(";")
        path, names = "".join(words[:words.index("{")]).rstrip("."), words[words.index("{") + 1:words.index("}")]
        for one in " ".join(names).split(","):
            old, _, new = one.strip().partition(" as ")
            if old:
                self.types[(new or old).strip()] = ("use", (path, old.strip()))

    def read(self, source):
        source.take("{")
        while not source.taken("}"):
            if skipped(source):
                continue
            word = source.take()
            if word == "use":
                self.use(source)
            elif word == "type":
                name = source.take()
                source.take("=")
                self.types[name] = ("type", read_type(source))
                source.take(";")
            elif word == "resource":
                self.resource(source, source.take())
            elif word in ("record", "variant", "enum", "flags"):
                name = source.take()
                self.types[name] = (word, self.members(source, word))
            else:
                source.take(":")
                self.function(source, word, [])


def skipped(source):
    """Marks of versions are passed over; what is not for everybody, with its mark."""
    if not source.taken("@"):
        return False
    unstable = source.take() == "unstable"
    source.take("(")
    source.until(")")
    if unstable:
        depth = 0
        while True:
            word = source.take()
            depth += {"{": 1, "}": -1}.get(word, 0)
            if depth == 0 and word in (";", "}"):
                source.taken(";")
                break
    return True


def read_packages(folder):
    found = {}
    for place, _, files in sorted(os.walk(folder)):
        for file in sorted(files):
            if not file.endswith(".wit"):
                continue
            with open(os.path.join(place, file), encoding="utf-8") as text:
                source = Source(text.read())
            package, version = None, ""
            while source.at < len(source.words):
                if skipped(source):
                    continue
                word = source.take()
                if word == "package":
                    package, _, version = "".join(source.until(";")).partition("@")
                elif word == "interface":
                    name = source.take()
                    one = Interface(f"{package}/{name}@{version}")
                    one.read(source)
                    found[one.name] = one
                else:
                    source.until("{")
                    depth = 1
                    while depth > 0:
                        depth += {"{": 1, "}": -1}.get(source.take(), 0)
    return found


class Flat:
    """Types as numbers: lists of (kind of number, how it is taken from the input)."""

    def __init__(self, interfaces):
        self.interfaces = interfaces
        self.resources = {}  # (interface, name): number

    def named(self, interface, name):
        kind, what = interface.types[name]
        if kind == "use":
            path, name = what
            if ":" not in path:
                path = re.sub(r"/[^@]*", "/" + path, interface.name)
            elif "@" not in path:
                path += interface.name[interface.name.index("@"):]
            return self.named(self.interfaces[path], name)
        return interface, kind, what

    def cases(self, interface, types):
        joined = []
        for one in types:
            flat = self.of(interface, one) if one is not None else []
            for index, (kind, how) in enumerate(flat):
                if index == len(joined):
                    joined.append((kind, how))
                elif joined[index][0] != kind:
                    joined[index] = ("i32" if {joined[index][0], kind} == {"i32", "f32"} else "i64", "number()")
        return [("i32", f"case({len(types)})")] + joined

    def of(self, interface, one):
        kind, what = one
        if kind == "name":
            if what in NUMBERS:
                return [(NUMBERS[what], "case(2)" if what == "bool" else "number()")]
            if what == "string":
                return [("i32", "text()"), ("i32", "size()")]
            name = what
            interface, kind, what = self.named(interface, what)
            if kind == "type" and name in KEPT:
                return [(NUMBERS[what[1]], "kept()")]
            if kind == "type":
                return self.of(interface, what)
            if kind == "resource":
                return [("i32", f"owned({self.resource(interface, name)})")]
        if kind == "list":
            return [("i32", "span()"), ("i32", "size()")]
        if kind == "own":
            return self.of(interface, what[0])
        if kind == "borrow":
            return [(number, how.replace("owned", "lent")) for number, how in self.of(interface, what[0])]
        if kind == "option":
            return self.cases(interface, [None] + what)
        if kind == "result":
            return self.cases(interface, what or [None])
        if kind == "tuple":
            return [number for part in what for number in self.of(interface, part)]
        if kind == "record":
            return [number for _, part in what for number in self.of(interface, part)]
        if kind == "variant":
            return self.cases(interface, [part for _, part in what])
        if kind in ("enum", "flags"):
            return [("i32", f"case({len(what)})" if kind == "enum" else "number()")] * (1 if kind == "enum" else -(-len(what) // 32))
        raise SystemExit(f"WIT: what is {kind}?")

    def resource(self, interface, name):
        return self.resources.setdefault((interface.name, name), len(self.resources))

    def layout(self, interface, one):
        """In memory: size, alignment, and where resources lie in what comes when all is well."""
        kind, what = one if one is not None else ("tuple", [])
        if kind == "name" and what in NUMBERS:
            size = {"8": 1, "6": 2, "2": 4, "4": 8}.get(what[-1], 4) if what != "bool" else 1
            return size, size, []
        if kind == "name" and what == "string" or kind == "list":
            return 8, 4, []
        if kind in ("own", "borrow"):
            return self.layout(interface, what[0])
        if kind == "name":
            name = what
            interface, kind, what = self.named(interface, what)
            if kind == "type":
                return self.layout(interface, what)
            if kind == "resource":
                return 4, 4, [(0, self.resource(interface, name))]
        if kind in ("enum", "flags"):
            size = 1 if kind == "enum" or len(what) <= 8 else 2 if len(what) <= 16 else 4
            return size, size, []
        if kind in ("tuple", "record"):
            at, most, found = 0, 1, []
            for part in what:
                size, align, inner = self.layout(interface, part if kind == "tuple" else part[1])
                at = -(-at // align) * align
                found += [(at + offset, number) for offset, number in inner]
                at, most = at + size, max(most, align)
            return -(-at // most) * most, most, found
        cases = {"option": lambda: [None] + what, "result": lambda: (what + [None, None])[:2],
                 "variant": lambda: [part for _, part in what]}[kind]()
        layouts = [self.layout(interface, part) for part in cases]
        align = max(part for _, part, _ in layouts)
        good = layouts[1 if kind == "option" else 0][2] if kind != "variant" else []
        size = align + max(part for part, _, _ in layouts)
        return -(-size // align) * align, align, [(align + offset, number) for offset, number in good]

    def call(self, interface, parameters, result):
        flat = [number for one in parameters for number in self.of(interface, one)]
        if len(flat) > FLAT_MAX:
            flat = [("i32", "span()")]
        answer = self.of(interface, result) if result is not None else []
        found = self.layout(interface, result)[2] if result is not None else []
        if len(answer) > 1:
            return flat + [("i32", "place()")], None, [f"keep_at({offset}, {number})" for offset, number in found]
        if found:
            return flat, answer[0][0], [f"keep_resource((uint32_t)answer, {found[0][1]})"]
        return flat, answer[0][0] if answer else None, ["keep((uint64_t)answer)"] if answer else []


def write(calls, resources, to):
    lines = ["/* Made by calls.py. */"]
    cases = []
    for index, (module, name, numbers, answer, keeps) in enumerate(calls):
        types = ", ".join(C_TYPES[kind] for kind, _ in numbers) or "void"
        lines += [f'__attribute__((import_module("{module}"), import_name("{name}")))',
                  f"extern {C_TYPES[answer] if answer else 'void'} call_{index}({types});"]
        arguments = [f"{C_TYPES[kind]} a{place} = ({C_TYPES[kind]})take_{how};" for place, (kind, how) in enumerate(numbers)]
        call = f"call_{index}({', '.join(f'a{place}' for place in range(len(numbers)))})"
        cases += [f"    case {index}: {{", f"        /* {module} {name} */"] + ["        " + line for line in arguments]
        cases += ["        if (is_lacking()) {", "            break;", "        }"] if any(how.startswith(("owned", "lent")) for _, how in numbers) else []
        cases += [f"        {C_TYPES[answer]} answer = {call};" if answer else f"        {call};"]
        cases += [f"        {one};" for one in keeps] + ["        break;", "    }"]
    lines += ["", f"_Static_assert({len(resources)} <= RESOURCES_MAX, \"kinds of resources\");"]
    lines += [""] + [f"#define call_{name.replace('-', '_')} call_{index}"
                     for index, (module, name, *_) in enumerate(calls) if module.startswith("mote:") and name in ("input-get", "sleep")]
    lines += ["", f"enum {{ CALLS = {len(calls)} }};", "", "static void play(uint32_t which)", "{", "    switch (which) {"]
    with open(to, "w", encoding="utf-8") as file:
        file.write("\n".join(lines + cases + ["    default:", "        break;", "    }", "}", ""]))


def main(folder, to, *names):
    interfaces = read_packages(folder)
    flat = Flat(interfaces)
    calls = []
    for name in names:
        chosen = [one for key, one in sorted(interfaces.items()) if key == name or key.startswith(name + "/")]
        if not chosen:
            raise SystemExit(f"no {name} in {folder}: {', '.join(sorted(interfaces))}")
        for one in chosen:
            calls += [(one.name, function, *flat.call(one, parameters, result))
                      for function, parameters, result in one.functions]
    write(calls, flat.resources, to)


main(*sys.argv[1:])
