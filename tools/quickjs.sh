#!/bin/sh
# Prints the path of javascript.wasm, the JavaScript runtime that `mote build` puts apps into, after making it when it is
# not there yet: QuickJS, a URL parser and Mbed TLS's ciphers as their registry packages have them (tools/quickjs/Cargo.lock
# pins them and their SHA-256), and sdk/js/runtime. It lies in the cache of builds, under a key of all it is made of.
#
#   tools/quickjs.sh [OUTPUT [DEPFILE]]   also copies it there, for meson
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
runtime=$root/sdk/js/runtime
cache=${MOTE_CACHE:-${XDG_CACHE_HOME:-${HOME:?set HOME or MOTE_CACHE}/.cache}/mote-build}
output=${1:-}
depfile=${2:-}
clang=${MOTE_CLANG:-clang}

# In this order they are one script.
web='encoding events url headers streams files messages loop fetch stacks console crypto entries processes globals'
units='memory libc values encoding http streams processes supervisors cbor crypto urls runtime'

fail()
{
    printf 'javascript: %s\n' "$1" >&2
    printf 'What to do: %s\n' "$2" >&2
    exit 1
}

inputs()
{
    printf '%s\n' "$here/quickjs.sh" "$here/quickjs/Cargo.toml" "$here/quickjs/Cargo.lock" \
        "$here/quickjs/patch.sed" "$root/sdk/c/mote.h"
    find "$runtime" -name '*.[ch]' -o -name '*.js' | LC_ALL=C sort
}

copy_out()
{
    [ -n "$output" ] || { printf '%s\n' "$folder/javascript.wasm"; return; }
    cp --reflink=auto "$folder/javascript.wasm" "$output.new"
    mv "$output.new" "$output"
    if [ -n "$depfile" ]; then
        { printf '%s:' "$output"; inputs | tr '\n' ' ' | sed 's/^/ /'; echo; } >"$depfile"
    fi
}

command -v "$clang" >/dev/null 2>&1 ||
    fail "no $clang was found" 'apt-get install clang lld wasi-libc libclang-rt-dev-wasm32 libc++-dev-wasm32'
key_of_inputs()
{
    { inputs | xargs -d '\n' cat; "$clang" --version; } | sha256sum | cut -c1-24
}

key=$(key_of_inputs)
folder=$cache/javascript-$key
if [ -f "$folder/javascript.wasm" ]; then
    copy_out
    exit 0
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/.javascript-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
echo 'javascript: compiling the runtime of JavaScript apps (a minute, once)' >&2

# The sources alone: nothing of the packages is run.
sources=$cache/javascript-sources-$(sha256sum <"$here/quickjs/Cargo.lock" | cut -c1-24)
if [ ! -d "$sources" ]; then
    found=$("$here/find-cargo.sh")
    cargo=$(printf '%s\n' "$found" | sed -n 1p)
    mkdir "$work/fetch"
    cp "$here/quickjs/Cargo.toml" "$here/quickjs/Cargo.lock" "$work/fetch/"
    : >"$work/fetch/lib.rs"
    for one in bindgen=0.65.1 cmake=0.1.17 lazy_static=1.4.0 syn=1.0.64; do
        stand_in=$work/fetch/stand-in/${one%=*}
        mkdir -p "$stand_in"
        : >"$stand_in/lib.rs"
        printf '[package]\nname = "%s"\nversion = "%s"\n[lib]\npath = "lib.rs"\n[features]\nfull = []\nvisit = []\n' \
            "${one%=*}" "${one#*=}" >"$stand_in/Cargo.toml"
    done
    (cd "$work/fetch" && "$cargo" vendor --quiet --locked vendor) >"$work/log" 2>&1 </dev/null || {
        cat "$work/log" >&2
        fail 'the packages could not be fetched (above: what cargo says)' 'check the network, then try again'
    }
    mkdir "$work/sources"
    mv "$work/fetch/vendor/rquickjs-sys/quickjs" "$work/fetch/vendor/ada-url/deps" \
        "$work/fetch/vendor/mbedtls-sys-auto/vendor/library" "$work/fetch/vendor/mbedtls-sys-auto/vendor/include" "$work/sources/"
    mv -T "$work/sources" "$sources" 2>/dev/null || [ -d "$sources" ] ||
        fail "cannot move the sources to $sources" 'remove that folder and try again'
fi
quickjs=$sources/quickjs
ada=$sources/deps

sed -f "$here/quickjs/patch.sed" "$quickjs/quickjs.c" >"$work/quickjs.c"
cat "$runtime/quickjs_settle.h" >>"$work/quickjs.c"
# So many lines are changed; another number is another QuickJS, which somebody has to look at.
changed=$(diff "$quickjs/quickjs.c" "$work/quickjs.c" | grep -c '^<' || true)
[ "$changed" = 27 ] || fail "$changed lines of quickjs.c were changed" 'was the pin changed? See tools/quickjs/patch.sed'

{
    printf '#pragma once\n#include <stddef.h>\nstatic char web_script[] = {\n'
    {
        printf '(function (native) {\n"use strict";\n'
        for part in $web; do cat "$runtime/web/$part.js"; done
        printf '})\n'
    } | od -An -v -tu1 | sed 's/ *\([0-9][0-9]*\)/\1,/g'
    printf '0};\nstatic const size_t web_script_bytes = sizeof web_script - 1;\n'
} >"$work/web.h"

flags='--target=wasm32-wasi -O2 -mbulk-memory -D_GNU_SOURCE -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_PROCESS_CLOCKS'

mbedtls="-I $runtime -I $sources/library -isystem $sources/include -DMBEDTLS_CONFIG_FILE=\"mbedtls_config.h\""

# The packages' own part takes most of the time, and seldom changes.
objects=$cache/javascript-objects-$({ cat "$here/quickjs.sh" "$here/quickjs/Cargo.lock" "$runtime/mbedtls_config.h" "$work/quickjs.c"
    "$clang" --version; } | sha256sum | cut -c1-24)
if [ ! -d "$objects" ]; then
    mkdir "$work/objects"
    for unit in quickjs libregexp libunicode dtoa; do
        source=$quickjs/$unit.c
        [ "$unit" != quickjs ] || source=$work/quickjs.c
        # shellcheck disable=SC2086
        "$clang" $flags -w -fwrapv -fno-strict-aliasing -I "$quickjs" -c "$source" -o "$work/objects/js-$unit.o"
    done
    # shellcheck disable=SC2086
    "$clang" $flags -x c++ -std=c++17 -w -fno-exceptions -fno-rtti -c "$ada/ada.cpp" -o "$work/objects/ada.o" ||
        fail 'the URL parser could not be compiled' 'apt-get install libc++-dev-wasm32; see above'
    for unit in aes cipher cipher_wrap constant_time gcm hkdf md pkcs5 platform_util sha1 sha256 sha512; do
        # shellcheck disable=SC2086
        "$clang" $flags $mbedtls -w -c "$sources/library/$unit.c" -o "$work/objects/tls-$unit.o"
    done
    mv -T "$work/objects" "$objects" 2>/dev/null || [ -d "$objects" ] ||
        fail "cannot move the objects to $objects" 'remove that folder and try again'
fi
for unit in $units; do
    # shellcheck disable=SC2086
    "$clang" $flags $mbedtls -std=gnu17 -Wall -Wextra -Werror -I "$root/sdk/c" -isystem "$quickjs" -isystem "$ada" -I "$work" \
        -c "$runtime/$unit.c" -o "$work/$unit.o" || fail 'the runtime could not be compiled' 'see above'
done
"$clang" --target=wasm32-wasi -nostartfiles -Wl,--no-entry -Wl,--stack-first -Wl,-z,stack-size=1048576 \
    -Wl,--strip-all "$work"/*.o "$objects"/*.o -lc++ -lc++abi -lwasi-emulated-process-clocks -o "$work/javascript.wasm" ||
    fail 'the runtime could not be linked' \
        'apt-get install lld wasi-libc libclang-rt-dev-wasm32 libc++-dev-wasm32; see above'
[ "$(key_of_inputs)" = "$key" ] || fail 'a source was changed while it was compiled' 'try again'
mkdir "$work/made"
mv "$work/javascript.wasm" "$work/made/"
mv -T "$work/made" "$folder" 2>/dev/null || [ -f "$folder/javascript.wasm" ] ||
    fail "cannot move the runtime to $folder" 'remove that folder and try again'
copy_out
