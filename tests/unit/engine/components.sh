#!/bin/sh
# Write components.inc anew from component-*.wat. Needs wasm-tools, which no distribution has: that is
# why its output is kept here. Run it by hand after an edit of the texts.
set -eu
cd "$(dirname "$0")"
assemble=${WASM_ASSEMBLE:-wasm-tools parse -o} # Called with OUTPUT INPUT.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
{
    echo "/* Made by components.sh from component-*.wat: do not edit. */"
    for text in component-*.wat; do
        name=$(basename "$text" .wat | tr - _)
        $assemble "$scratch/$name" "$text"
        echo "static const uint8_t $name[] = {"
        od -An -v -tx1 -w16 "$scratch/$name" | sed 's/ \(..\)/ 0x\1,/g; s/^ /    /'
        echo "};"
    done
} >components.inc
