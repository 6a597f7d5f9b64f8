"""Writes the corpus of odd requests as a C table: corpus_to_c.py http_corpus.py OUTPUT."""

import importlib.util
import sys

sys.dont_write_bytecode = True


def load(path):
    spec = importlib.util.spec_from_file_location("http_corpus", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["http_corpus"] = module
    spec.loader.exec_module(module)
    return module.CASES


def write(cases, file):
    for index, case in enumerate(cases):
        data = ",".join(str(byte) for byte in case.send) or "0"
        file.write(f"static const unsigned char bytes_{index}[] = {{{data}}};\n")
    file.write("static const struct corpus_case cases[] = {\n")
    for index, case in enumerate(cases):
        statuses = ", ".join(str(status) for status in (*case.expect, 0))
        name = case.name.replace("\\", "\\\\").replace('"', '\\"')
        file.write(f'    {{"{name}", bytes_{index}, {len(case.send)}, {{{statuses}}}, '
                   f"{str(case.closes).lower()}, {str(case.finish).lower()}}},\n")
    file.write("};\n")


with open(sys.argv[2], "w", encoding="ascii") as output:
    write(load(sys.argv[1]), output)
