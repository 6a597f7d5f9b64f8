#!/usr/bin/env python3
"""The house rules that no compiler checks. Prints `path:line: rule: what is wrong`.

    tools/tidy.py [ROOT]        check a source tree (default: the one this file is in)
    tools/tidy.py --self-test   plant a violation of every rule in a small tree and see it found

Exit status: 0 clean (warnings are allowed), 1 findings, 2 wrong usage.
"""

import os
import re
import sys
import tempfile

# Each layer may include itself and what stands before it.
LAYERS = ["base", "core", "engine", "guest", "store", "serve", "cluster", "manifest", "admin", "cli"]

FUNCTION_LINES_MAX = 70
FILE_LINES_WANTED = 500
FILE_LINES_MAX = 600
# What guests include is one file on purpose, and a part of it is made of a table.
LONG_FILES = {"sdk/c/mote.h": 1750}

# Calls with a safer replacement: what to use instead.
BANNED = {
    "strcpy": "memcpy with a known size, or bytes_append",
    "strncpy": "memcpy with a known size, or bytes_append",
    "stpcpy": "memcpy with a known size, or bytes_append",
    "strcat": "bytes_append",
    "strncat": "bytes_append",
    "sprintf": "snprintf or bytes_printf",
    "vsprintf": "vsnprintf or bytes_printf",
    "strtok": "memchr over sized text",
    "strtok_r": "memchr over sized text",
    "gets": "a bounded read",
    "alloca": "a bounded array, or malloc",
    "atoi": "number_parse",
    "atol": "number_parse",
    "atoll": "number_parse",
    "strtol": "number_parse",
    "strtoul": "number_parse",
    "strtoll": "number_parse",
    "strtoull": "number_parse",
}
# Not for guests, which are applications: they have a clock and may wait.
BANNED_IN_PLATFORM = {
    "assert": "INVARIANT or BUG",
    "sleep": "waiting for the event",
    "usleep": "waiting for the event",
    "nanosleep": "waiting for the event",
    "rand": "env_random",
    "srand": "env_random",
    "random": "env_random",
    "drand48": "env_random",
}
BANNED_IN_TESTS_TOO = {name: use for name, use in BANNED_IN_PLATFORM.items() if name != "assert"}
CLOCK_CALLS = ["time", "clock", "clock_gettime", "gettimeofday", "timespec_get"]
CLOCK_FILES = ["src/core/env.c", "src/base/log.c"]
LOCK_FILES = ["src/base/lock.c", "src/base/lock.h"]

# Sources that implement a header with another name.
HEADER_OF = {"src/engine/fake.c": "src/engine/engine.h"}

UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")
TEXT_ENDINGS = (".c", ".h", ".rs", ".py", ".sh", ".md", ".toml", ".build", ".txt", ".yml", ".service")
TEXT_NAMES = ("Makefile", "run")
SKIPPED_FOLDERS = {".git", ".cache", "target", "__pycache__", ".pytest_cache", "node_modules", "corpus"}


class Findings:
    """What was found, in the order of the tree."""

    def __init__(self):
        self.errors = []
        self.warnings = []

    def error(self, path, line, rule, text):
        self.errors.append((path, line, rule, text))

    def warn(self, path, line, rule, text):
        self.warnings.append((path, line, rule, text))


def files_of(root):
    """Paths of the files to look at, relative to the root, sorted."""
    found = []
    for folder, folders, names in os.walk(root):
        inside = os.path.relpath(folder, root)
        folders[:] = sorted(
            name for name in folders
            if name not in SKIPPED_FOLDERS and not (inside == "." and name.startswith("build"))
            and not os.path.islink(os.path.join(folder, name)))
        for name in sorted(names):
            if name.endswith(TEXT_ENDINGS) or name in TEXT_NAMES:
                found.append(os.path.normpath(os.path.join(inside, name)))
    return found


def blank_comments(text, strings_too):
    """C text with comments (and the content of strings) blanked; line numbers stay."""
    pattern = re.compile(
        r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)

    def blank(match):
        found = match.group(0)
        if found[0] == "/":
            return re.sub(r"[^\n]", " ", found)
        return found[0] + " " * (len(found) - 2) + found[-1] if strings_too else found

    return pattern.sub(blank, text)


def line_at(text, offset):
    return text.count("\n", 0, offset) + 1


def calls_of(code, names):
    """(line, name) of every call of one of these functions; members of that name do not count."""
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(map(re.escape, names)) + r")\s*\(")
    return [(line_at(code, match.start()), match.group(1)) for match in pattern.finditer(code)]


def includes_of(text):
    """(line, path) of every #include with quotes."""
    code = blank_comments(text, strings_too=False)
    pattern = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.MULTILINE)
    return [(line_at(code, match.start()), match.group(1)) for match in pattern.finditer(code)]


def check_layers(path, text, findings):
    layer = path.split("/")[1]
    if layer not in LAYERS:
        findings.error(path, 1, "layer", f"src/{layer} is not a layer: {' '.join(LAYERS)}")
        return
    for line, included in includes_of(text):
        other = included.split("/")[0]
        if "/" not in included:
            findings.error(path, line, "layer", f'write "{layer}/{included}": the layer is part of the name')
        elif other in LAYERS and LAYERS.index(other) > LAYERS.index(layer):
            findings.error(path, line, "layer", f"{layer} may not know {other}, which stands above it")


def check_lengths(path, text, code, findings):
    lines = text.count("\n")
    most = LONG_FILES.get(path, FILE_LINES_MAX)
    if lines > most:
        findings.error(path, lines, "file-length", f"{lines} lines, at most {most}: it wants a second noun")
    elif lines > FILE_LINES_WANTED and path not in LONG_FILES:
        findings.warn(path, lines, "file-length", f"{lines} lines, more than {FILE_LINES_WANTED}")
    begin = None
    for number, line in enumerate(code.split("\n"), 1):
        if line.startswith("{"):
            begin = number
        elif line.startswith("}") and begin is not None:
            length = number - begin + 1
            if length > FUNCTION_LINES_MAX:
                findings.error(path, begin, "function-length",
                               f"{length} lines, at most {FUNCTION_LINES_MAX}")
            begin = None


def check_calls(path, code, findings):
    banned = dict(BANNED)
    platform = path.startswith("src/")
    if platform:
        banned.update(BANNED_IN_PLATFORM)
    elif path.startswith(("tests/", "fuzz/")):
        banned.update(BANNED_IN_TESTS_TOO)
    for line, name in calls_of(code, list(banned)):
        findings.error(path, line, "banned-call", f"{name}(): use {banned[name]}")
    if platform or path.startswith(("tests/unit/", "tests/sim/")):
        if path not in CLOCK_FILES:
            for line, name in calls_of(code, CLOCK_CALLS):
                findings.error(path, line, "clock", f"{name}(): time enters through core/env.h only")
    if platform and path not in LOCK_FILES:
        for match in re.finditer(r"\b(pthread_mutex_|pthread_rwlock_|pthread_spin_|mtx_)\w+", code):
            findings.error(path, line_at(code, match.start()), "lock",
                           f"{match.group(0)}: locks go through base/lock.h")


def check_words(path, code, findings):
    if path.startswith("src/") and not path.startswith("src/engine/"):
        for match in re.finditer(r"\w*wasmtime\w*", code, re.IGNORECASE):
            findings.error(path, line_at(code, match.start()), "engine-door",
                           f"{match.group(0)}: only src/engine knows which engine it is")
    for match in re.finditer(r"\btypedef\b[^;{]*?\b(\w+_t)\s*;", code):
        findings.error(path, line_at(code, match.start()), "typedef", f"{match.group(1)}: write the struct out")


def check_header(path, text, findings):
    if not path.startswith("src/") or not path.endswith(".h"):
        return
    if not text.startswith("/**\n * @file\n"):
        findings.error(path, 1, "header", "begins with a /** @file comment that says what it is")
    if "\n#pragma once\n" not in text:
        findings.error(path, 1, "header", "has no #pragma once")


def own_header(path, all_files):
    """The header that a source implements: its own, the listed one, or that of the noun it is a
    part of (process_exit.c belongs to process.h). None if there is none."""
    if path in HEADER_OF:
        return HEADER_OF[path]
    stem = path[:-len(".c")]
    while True:
        if stem + ".h" in all_files:
            return stem + ".h"
        folder, _, name = stem.rpartition("/")
        if "_" not in name:
            return None
        stem = folder + "/" + name.rpartition("_")[0]


def check_source(path, text, all_files, findings):
    if not path.startswith("src/") or not path.endswith(".c"):
        return
    header = own_header(path, all_files)
    if header is None:
        if not path.startswith("src/cli/"):
            findings.error(path, 1, "own-header", "has no header of its own and is no command; a part of noun.h "
                           "is called noun_part.c")
        return
    includes = includes_of(text)
    first = "src/" + includes[0][1] if includes else None
    if first not in (header, header[:-len(".h")] + "_internal.h"):
        findings.error(path, 1, "own-header", f'includes "{header[4:]}" first, which shows that it stands alone')


def check_unfinished(path, text, findings):
    for match in UNFINISHED.finditer(text):
        findings.error(path, line_at(text, match.start()), "unfinished",
                       f"{match.group(1)}: finish it, or write an issue")


def check_changelog(root, findings):
    path = os.path.join(root, "CHANGELOG.md")
    if not os.path.exists(path):
        findings.error("CHANGELOG.md", 1, "changelog", "is missing")
        return
    with open(path, encoding="utf-8") as file:
        if "\n## Unreleased" not in file.read():
            findings.error("CHANGELOG.md", 1, "changelog", "has no section '## Unreleased'")


def check_tree(root):
    findings = Findings()
    all_files = set(files_of(root))
    for path in sorted(all_files):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            text = file.read()
        check_unfinished(path, text, findings)
        if not path.endswith((".c", ".h")):
            continue
        code = blank_comments(text, strings_too=True)
        check_lengths(path, text, code, findings)
        check_calls(path, code, findings)
        check_words(path, code, findings)
        check_header(path, text, findings)
        check_source(path, text, all_files, findings)
        if path.startswith("src/") and "/" in path[4:]:
            check_layers(path, text, findings)
    check_changelog(root, findings)
    return findings


CLEAN_HEADER = "/**\n * @file\n * Says what it is.\n */\n#pragma once\n\n"
CLEAN_TREE = {
    "CHANGELOG.md": "# Changes\n\n## Unreleased\n",
    "src/base/err.h": CLEAN_HEADER + "int err_code(void);\n",
    "src/base/err.c": '#include "base/err.h"\n\nint err_code(void)\n{\n    return 0;\n}\n',
    "src/core/pid.h": CLEAN_HEADER + '#include "base/err.h"\n',
    "src/core/pid.c": '#include "core/pid.h"\n\n/* strcpy( in a comment, "time(" in a string: fine. */\n'
                      'static const char text[] = "sleep(1) wasmtime";\n',
    "src/core/pid_text.c": '#include "core/pid.h"\n',
    "src/cli/cmd_version.c": '#include "base/err.h"\n',
    "src/engine/engine.h": CLEAN_HEADER,
    "src/engine/fake.c": '#include "engine/engine.h"\n\nint wasmtime_like;\n',
    "examples/guest.c": "void wait(void)\n{\n    usleep(1000);\n}\n",
}


def with_body(lines):
    return '#include "base/err.h"\n\nint err_code(void)\n{\n' + "    ;\n" * (lines - 2) + "}\n"


# rule, file, content (None: the file is removed), whether it is only a warning
PLANTED = [
    ("layer", "src/base/err.c", '#include "base/err.h"\n#include "core/pid.h"\n', False),
    ("layer", "src/core/pid.c", '#include "core/pid.h"\n#include "cli/main.h"\n', False),
    ("layer", "src/base/err.c", '#include "base/err.h"\n#include "bytes.h"\n', False),
    ("layer", "src/extra/thing.h", CLEAN_HEADER, False),
    ("function-length", "src/base/err.c", with_body(FUNCTION_LINES_MAX + 1), False),
    ("file-length", "src/base/err.h", CLEAN_HEADER + "\n" * FILE_LINES_MAX, False),
    ("file-length", "src/base/err.h", CLEAN_HEADER + "\n" * FILE_LINES_WANTED, True),
    ("engine-door", "src/core/pid.c", '#include "core/pid.h"\nstruct wasmtime_engine;\n', False),
    ("engine-door", "src/core/pid.c", '#include "core/pid.h"\n#include <wasmtime.h>\n', False),
    ("lock", "src/core/pid.c", '#include "core/pid.h"\nstatic pthread_mutex_t m;\n', False),
    ("own-header", "src/core/stray.c", '#include "core/pid.h"\n', False),
    ("own-header", "src/core/pid.c", '#include "base/err.h"\n#include "core/pid.h"\n', False),
    ("header", "src/core/pid.h", '#include "base/err.h"\n', False),
    ("typedef", "src/core/pid.h", CLEAN_HEADER + "typedef struct pid pid_t;\n", False),
    ("unfinished", "README.md", "TO" + "DO: write this\n", False),
    ("unfinished", "src/core/pid.h", CLEAN_HEADER + "/* FIX" + "ME */\n", False),
    ("unfinished", "tools/x.py", "# XX" + "X\n", False),
    ("changelog", "CHANGELOG.md", None, False),
    ("changelog", "CHANGELOG.md", "# Changes\n", False),
]


def planted_calls():
    """One plant per banned call and place where it counts."""
    for name in list(BANNED) + list(BANNED_IN_PLATFORM):
        yield ("banned-call", "src/core/pid.c", f'#include "core/pid.h"\n\nint x = {name}(1);\n', False)
    for name in BANNED:
        yield ("banned-call", "examples/guest.c", f"int x = {name} (1);\n", False)
    for name in BANNED_IN_TESTS_TOO:
        yield ("banned-call", "tests/unit/core/test_pid.c", f"int x = {name}(1);\n", False)
    for name in CLOCK_CALLS:
        yield ("clock", "src/core/pid.c", f'#include "core/pid.h"\n\nint x = {name}(0);\n', False)
        yield ("clock", "tests/sim/sim.c", f"int x = {name}(0);\n", False)


def write_tree(root, tree):
    for path, text in tree.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)


def findings_in(tree):
    with tempfile.TemporaryDirectory(prefix="tidy-") as root:
        write_tree(root, tree)
        return check_tree(root)


def self_test():
    failures = 0
    clean = findings_in(CLEAN_TREE)
    if clean.errors or clean.warnings:
        print(f"FAIL: a clean tree has findings: {clean.errors} {clean.warnings}")
        failures += 1
    planted = PLANTED + list(planted_calls())
    for rule, path, text, only_warns in planted:
        tree = dict(CLEAN_TREE)
        tree.pop(path, None)
        if text is not None:
            tree[path] = text
        findings = findings_in(tree)
        found = findings.warnings if only_warns else findings.errors
        other = findings.errors if only_warns else []
        if not any(f[0] == path and f[2] == rule for f in found) or other:
            print(f"FAIL: {rule} planted in {path} was not found: {found} {other}\n{text}")
            failures += 1
    print(f"{len(planted) + 1 - failures} of {len(planted) + 1} planted cases behave")
    return 1 if failures else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")):
        print(__doc__, file=sys.stderr)
        return 2
    root = arguments[0] if arguments else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    findings = check_tree(root)
    for path, line, rule, text in findings.warnings:
        print(f"{path}:{line}: warning: {rule}: {text}")
    for path, line, rule, text in findings.errors:
        print(f"{path}:{line}: {rule}: {text}")
    return 1 if findings.errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
