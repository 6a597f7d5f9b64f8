#!/bin/sh
# Write http.wasm and hello.wasm anew. Needs clang, and wasm-tools, which no distribution has: that is why what it makes is kept
# here. Run it by hand after an edit of the sources: make.sh FOLDER, in which lie the WIT packages of WASI 0.2.12, one file each.
set -eu
wit=$(realpath "$1")
cd "$(dirname "$0")"
tools=${WASM_TOOLS:-wasm-tools}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/wit"
cp -r "$wit" "$scratch/wit/deps"
cp world.wit "$scratch/wit/"
for name in http hello; do
    sources=$name.c
    [ $name = hello ] || sources="http.c answer.c outgoing.c"
    # shellcheck disable=SC2086 # Several names.
    ${MOTE_CLANG:-clang} --target=wasm32 -ffreestanding -nostdlib -Os -Wall -Wextra -Werror -fno-builtin \
        -Wl,--no-entry,--strip-debug,-z,stack-size=8192 -o "$scratch/$name" $sources
    "$tools" component embed --world "$name" "$scratch/wit" "$scratch/$name" -o "$scratch/$name.embedded"
    "$tools" component new "$scratch/$name.embedded" -o "$name.wasm"
done
