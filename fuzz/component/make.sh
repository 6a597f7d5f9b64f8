#!/bin/sh
# Write component.wasm anew, by hand after an edit of guest.c, world.wit, calls.py or of what mote:runtime has: make.sh FOLDER, in
# which lie the WIT packages of WASI 0.2.12, one file each, as in the folder wit/deps of the crate wasmtime-wasi-http.
set -eu
wit=$(realpath "$1")
cd "$(dirname "$0")"
componentize=$(../../tools/componentize.sh)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/wit"
cp -r "$wit" "$scratch/wit/deps"
cp ../../sdk/wit/mote-runtime.wit "$scratch/wit/deps/"
cp world.wit "$scratch/wit/"
# What belongs to requests is the server's, which is not in the play.
mote=$(sed -n 's/^interface \([a-z]*\) {/mote:runtime\/\1@0.1.0/p' ../../sdk/wit/mote-runtime.wit |
    grep -v -e /types@ -e /http@ -e /events@ -e /websockets@)
# shellcheck disable=SC2046,SC2086 # A word each.
python3 calls.py "$scratch/wit/deps" "$scratch/calls.inc" $mote $(sed -n 's/^ *import \(wasi:.*\);/\1/p' world.wit)
"${MOTE_CLANG:-clang}" --target=wasm32 -ffreestanding -nostdlib -Os -Wall -Wextra -Werror -fno-builtin \
    -Wl,--no-entry,--strip-debug,-z,stack-size=8192 -I "$scratch" -o "$scratch/guest" guest.c
"$componentize" component "$scratch/wit" guest "$scratch/guest" component.wasm
