#!/usr/bin/env python3
"""Make a C file that holds the files of a folder: embed_folder.py FOLDER OUTPUT.c DEPFILE NAME ENDING...

It defines `const struct kit_file NAME[]` and `const size_t NAME_count` (src/cli/kit.h) of all files below FOLDER whose names end
like that, but those of tests and those whose names begin with a dot."""

import os
import sys


def files_below(folder, endings):
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith(".") and one not in ("target", "tests"))
        found += [os.path.relpath(os.path.join(place, name), folder) for name in names
                  if name.endswith(endings) and not name.startswith(".") and not name.endswith("_test.go")]
    return sorted(found)


def main(folder, output, depfile, name, *endings):
    paths = files_below(folder, tuple(endings))
    with open(output, "w", encoding="utf-8") as out:
        out.write('#include "cli/kit.h"\n\n')
        for index, path in enumerate(paths):
            with open(os.path.join(folder, path), "rb") as file:
                data = file.read()
            out.write(f"static const unsigned char data_{index}[] = {{\n")
            for start in range(0, len(data), 16):
                out.write("    " + ", ".join(str(byte) for byte in data[start:start + 16]) + ",\n")
            out.write("    0};\n")
        out.write(f"\nconst struct kit_file {name}[] = {{\n")
        for index, path in enumerate(paths):
            out.write(f'    {{"{path}", data_{index}, sizeof data_{index} - 1}},\n')
        out.write(f"}};\nconst size_t {name}_count = {len(paths)};\n")
    with open(depfile, "w", encoding="utf-8") as out:
        everything = [os.path.join(folder, path) for path in paths] + [place for place, _, _ in os.walk(folder)]
        out.write(f"{output}: " + " ".join(one.replace(" ", "\\ ") for one in everything) + "\n")


main(*sys.argv[1:])
