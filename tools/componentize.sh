#!/bin/sh
# Prints the path of componentize, which makes components of C for the tests, after building it when it is not there
# yet. It lies in the cache of builds. Cargo.lock in tools/componentize pins it and all that it needs. Status 3: there
# is no Rust, or nothing to fetch it from.
set -u

here=$(cd "$(dirname "$0")" && pwd)
cache=${MOTE_CACHE:-${XDG_CACHE_HOME:-${HOME:?set HOME or MOTE_CACHE}/.cache}/mote-build}
key=$(cat "$here/componentize/Cargo.lock" "$here/componentize/src/main.rs" | sha256sum | cut -c1-16)
folder=$cache/componentize-$key

if [ -x "$folder/componentize" ]; then
    printf '%s\n' "$folder/componentize"
    exit 0
fi

found=$("$here/find-cargo.sh") || exit 3
cargo=$(printf '%s\n' "$found" | sed -n 1p)
rustc=$(printf '%s\n' "$found" | sed -n 2p)

mkdir -p "$cache"
work=$(mktemp -d "$cache/.componentize-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
echo 'componentize: compiling what makes components for the tests (some minutes, once)' >&2
if ! env -u CARGO_BUILD_TARGET CARGO_TARGET_DIR="$work/target" RUSTC="$rustc" "$cargo" build --quiet --release \
    --locked --manifest-path "$here/componentize/Cargo.toml" >"$work/log" 2>&1 </dev/null; then
    tail -5 "$work/log" >&2
    echo 'componentize: it could not be built. What to do: see above; without a network nothing can be done.' >&2
    exit 3
fi
mkdir -p "$folder"
mv "$work/target/release/componentize" "$folder/componentize"
printf '%s\n' "$folder/componentize"
