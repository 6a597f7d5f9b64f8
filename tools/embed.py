#!/usr/bin/env python3
"""Make a C file that holds a file's bytes: embed.py INPUT OUTPUT.c HEADER NAME"""
import hashlib
import os
import sys

LISTED_BYTES_MAX = 1 << 18  # compilers are slow on long lists: of more the assembler takes the file itself

data = open(sys.argv[1], "rb").read()
header, name = sys.argv[3], sys.argv[4]
with open(sys.argv[2], "w") as out:
    out.write(f'#include "{header}"\n\n')
    if len(data) <= LISTED_BYTES_MAX:
        out.write(f"const unsigned char {name}[] = {{\n")
        for start in range(0, len(data), 16):
            out.write("    " + ", ".join(str(byte) for byte in data[start:start + 16]) + ",\n")
        out.write(f"}};\nconst size_t {name}_bytes = sizeof {name};\n")
    else:
        # The hash makes another file of other bytes, so that it is compiled again.
        out.write(f"/* {hashlib.sha256(data).hexdigest()} */\n"
                  f'__asm__(".pushsection .rodata\\n.balign 16\\n.globl {name}\\n{name}:\\n"\n'
                  f'        ".incbin \\"{os.path.abspath(sys.argv[1])}\\"\\n.popsection\\n");\n'
                  f"const size_t {name}_bytes = {len(data)};\n")
