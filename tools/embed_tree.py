#!/usr/bin/env python3
"""Make a C file that holds every file below a folder: embed_tree.py FOLDER OUTPUT.c DEPFILE HEADER NAME

It defines `const struct embedded NAME[]`, sorted by path, ended by a zeroed one. The folders are named in the depfile too, so that a file
that is added counts as a change."""
import os
import sys


def lines_of(data):
    for start in range(0, len(data), 16):
        yield "    " + ", ".join(str(byte) for byte in data[start:start + 16]) + ",\n"


def main():
    root, output, depfile, header, name = sys.argv[1:]
    files, folders = [], []
    for folder, below, names in os.walk(root):
        below.sort()
        folders.append(folder)
        files += [os.path.join(folder, one) for one in names if not one.endswith((".pyc", "~", ".orig"))]
    files.sort(key=lambda path: os.path.relpath(path, root))
    with open(output, "w", encoding="utf-8") as out:
        out.write(f'#include "{header}"\n\n')
        for index, path in enumerate(files):
            with open(path, "rb") as file:
                data = file.read()
            out.write(f"static const unsigned char file_{index}[] = {{\n{''.join(lines_of(data + bytes(1)))}}};\n")
        out.write(f"\nconst struct embedded {name}[] = {{\n")
        for index, path in enumerate(files):
            inside = os.path.relpath(path, root).replace(os.sep, "/")
            out.write(f'    {{"{inside}", file_{index}, sizeof file_{index} - 1}},\n')
        out.write("    {0},\n};\n")
    with open(depfile, "w", encoding="utf-8") as out:
        out.write(output + ": " + " ".join(path.replace(" ", "\\ ") for path in files + folders) + "\n")


main()
