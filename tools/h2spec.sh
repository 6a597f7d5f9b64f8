#!/bin/sh
# Prints the path of h2spec, the conformance test of HTTP/2, after building it with the machine's Go when it
# is not there yet. It lies in the cache of builds. go.mod and go.sum in tools/h2spec pin it and all that it
# needs. Status 3: there is no Go, or nothing to fetch it from.
set -u

here=$(cd "$(dirname "$0")" && pwd)
cache=${MOTE_CACHE:-${XDG_CACHE_HOME:-${HOME:?set HOME or MOTE_CACHE}/.cache}/mote-build}
folder=$cache/h2spec-2.2.1

if [ -x "$folder/h2spec" ]; then
    printf '%s\n' "$folder/h2spec"
    exit 0
fi

go=
for candidate in "${GO:-go}" /usr/local/go/bin/go; do
    if command -v "$candidate" >/dev/null 2>&1; then
        go=$candidate
        break
    fi
done
if [ -z "$go" ]; then
    echo 'h2spec: there is no Go to build it with. What to do: apt-get install golang, or set GO.' >&2
    exit 3
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/.h2spec-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
if ! (cd "$here/h2spec" && "$go" build -mod=readonly -o "$work/h2spec" \
    github.com/summerwind/h2spec/cmd/h2spec) >"$work/log" 2>&1 </dev/null; then
    tail -5 "$work/log" >&2
    echo 'h2spec: it could not be built. What to do: see above; without a network nothing can be done.' >&2
    exit 3
fi
mkdir -p "$folder"
mv "$work/h2spec" "$folder/h2spec"
printf '%s\n' "$folder/h2spec"
