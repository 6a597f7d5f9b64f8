#!/bin/sh
# Prints the path of the component that a toolchain makes of an app in tests/guests/toolchains, by the commands of
# docs/components.md, after making it when it is not there yet. It lies in the cache of builds, under a key of all it is made
# of; the toolchains themselves are not kept (their registries' clients have caches of their own).
#
#   tools/toolchains.sh c|js|python
#
# Status 3: something is not at hand, a program or a package.
set -u

here=$(cd "$(dirname "$0")" && pwd)
guests=$here/../tests/guests/toolchains
page=$here/../docs/components.md
cache=${MOTE_CACHE:-${XDG_CACHE_HOME:-${HOME:?set HOME or MOTE_CACHE}/.cache}/mote-build}
FETCH_SECONDS_MAX=300
MAKE_SECONDS_MAX=1200

# commands TITLE N: the N-th block of commands in that section of the page.
commands()
{
    awk -v title="### $1" -v wanted="$2" '
        /^##/ { inside = $0 == title }
        /^```$/ { open = 0 }
        inside && open && number == wanted { print }
        inside && /^```sh$/ { open = 1; number++ }' "$page"
}

# run SECONDS TITLE N: that block, in the work folder.
run()
{
    { echo 'set -e'; commands "$2" "$3"; } >"$work/commands"
    (cd "$work/app" && timeout "$1" sh "$work/commands") >"$work/log" 2>&1 </dev/null
}

absent()
{
    printf '%s: skipped, %s\n' "$language" "$1" >&2
    exit 3
}

need()
{
    command -v "$1" >/dev/null 2>&1 || absent "there is no $1 here"
}

# What the page calls by their names, as far as it uses them, with the libraries that are behind them.
stand_ins()
{
    componentize=$("$here/componentize.sh") || exit 3
    mkdir "$work/bin"
    printf '#!/bin/sh\n# c --world WORLD WIT\nexec "%s" bindings "$4" "$3" .\n' "$componentize" >"$work/bin/wit-bindgen"
    printf '#!/bin/sh\n# component new MODULE --adapt ADAPTER -o COMPONENT\nexec "%s" component wit web "$3" "$7"\n' \
        "$componentize" >"$work/bin/wasm-tools"
    chmod +x "$work/bin"/*
    PATH=$work/bin:$PATH
}

language=${1:-}
case $language in
c) title='C with the C library' ;;
js) title=JavaScript ;;
python) title=Python ;;
*) echo 'usage: tools/toolchains.sh c|js|python' >&2; exit 1 ;;
esac

key=$({
    find "$guests/$language" "$guests/wit" "$guests/wasi" "$here/componentize" "$here/toolchains.sh" -type f | LC_ALL=C sort | xargs -d '\n' cat
    commands 'The interfaces of WASI' 1
    commands "$title" 1
    commands "$title" 2
} | sha256sum | cut -c1-24)
folder=$cache/toolchain-$language-$key
if [ -f "$folder/app.wasm" ]; then
    printf '%s\n' "$folder/app.wasm"
    exit 0
fi

case $language in
js) need node; need npm ;;
python) python3 -m pip --version >/dev/null 2>&1 || absent 'there is no python3 with pip here' ;;
esac
found=$("$here/find-cargo.sh" --quiet) || absent 'there is no Rust, by which the interfaces of WASI come'
PATH=$(dirname "$(printf '%s\n' "$found" | sed -n 1p)"):$PATH
unset VIRTUAL_ENV

mkdir -p "$cache"
work=$(mktemp -d "$cache/.toolchain-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$work/app"
cp -r "$guests/$language/." "$guests/wit" "$guests/wasi" "$work/app/"
: >"$work/app/wasi/lib.rs"
echo "$language: fetching its toolchain and making a component (a minute or two, once)" >&2
[ "$language" != c ] || stand_ins

if ! run "$FETCH_SECONDS_MAX" 'The interfaces of WASI' 1 ||
    { [ "$language" != c ] && ! run "$FETCH_SECONDS_MAX" "$title" 1; }; then
    tail -5 "$work/log" >&2
    absent 'its packages could not be fetched (above: why)'
fi
if ! run "$MAKE_SECONDS_MAX" "$title" 2; then
    tail -30 "$work/log" >&2
    exit 1
fi
mkdir "$work/made"
mv "$work/app/app.wasm" "$work/made/"
mv -T "$work/made" "$folder" 2>/dev/null || [ -f "$folder/app.wasm" ] || exit 1
printf '%s\n' "$folder/app.wasm"
