#!/usr/bin/env python3
"""Make a C file that holds a file's bytes: embed.py INPUT OUTPUT.c HEADER NAME"""
import sys

data = open(sys.argv[1], "rb").read()
header, name = sys.argv[3], sys.argv[4]
with open(sys.argv[2], "w") as out:
    out.write(f'#include "{header}"\n\nconst unsigned char {name}[] = {{\n')
    for start in range(0, len(data), 16):
        out.write("    " + ", ".join(str(byte) for byte in data[start:start + 16]) + ",\n")
    out.write(f"}};\nconst size_t {name}_bytes = sizeof {name};\n")
