#!/bin/sh
# Write http.wasm and hello.wasm anew, by hand after an edit of the sources: make.sh FOLDER, in which lie the WIT packages of
# WASI 0.2.12, one file each, as in the folder wit/deps of the crate wasmtime-wasi-http.
set -eu
wit=$(realpath "$1")
cd "$(dirname "$0")"
componentize=$(../../../tools/componentize.sh)
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
    "$componentize" component "$scratch/wit" "$name" "$scratch/$name" "$name.wasm"
done
