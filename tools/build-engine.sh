#!/bin/bash
# Build the engine's library (src/engine/shim) once per machine, or find it already built.
#
#   tools/build-engine.sh                     builds, prints where the library lies
#   tools/build-engine.sh OUTPUT.a [DEPFILE]  also copies it there, for meson
#
# What was built lies below ${MOTE_CACHE:-~/.cache/mote-build}, under a key of everything it depends
# on: sources, lock file, compiler, flags. All build folders share it, and the compiled crates below
# it, so that an edit of the shim compiles the shim alone. Two builds at once wait for each other,
# and a library appears by rename only, complete.
set -euo pipefail

readonly RUST_MIN_MINOR=95 # Wasmtime 48 asks for it.
readonly KEYS_KEPT=6
readonly LIBRARY=libmote_engine.a

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
shim=$root/src/engine/shim
cache=${MOTE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mote-build}
output=${1:-}
depfile=${2:-}

say() { echo "engine: $*" >&2; }
die() { say "$*"; exit 1; }

# A cargo whose rustc, beside it, is new enough: the machine's own first, then Debian's.
find_rust() {
    local candidate version minor seen=
    for candidate in "$(command -v cargo || true)" "$HOME/.cargo/bin/cargo" /usr/local/bin/cargo \
        /usr/bin/cargo; do
        [ -x "${candidate:-/nonexistent}" ] || continue
        [ -x "${candidate%/*}/rustc" ] || continue
        version=$("${candidate%/*}/rustc" --version 2>/dev/null | cut -d' ' -f2) || continue
        minor=$(echo "$version" | cut -d. -f2)
        if [ "${version%%.*}" = 1 ] && [ "${minor:-0}" -ge "$RUST_MIN_MINOR" ] 2>/dev/null; then
            cargo=$candidate
            rustc=${candidate%/*}/rustc
            return
        fi
        seen="$seen $candidate ($version)"
    done
    say "no Rust 1.$RUST_MIN_MINOR or newer here${seen:+, only:$seen}"
    say "on Debian:  apt-get install cargo-web rustc-web"
    die "elsewhere:  https://rustup.rs"
}

inputs() {
    printf '%s\n' "$shim/Cargo.toml" "$shim/Cargo.lock"
    find "$shim/src" -name '*.rs' | LC_ALL=C sort
}

key_of_inputs() {
    {
        while IFS= read -r file; do
            printf '%s ' "${file#"$shim"}"
            sha256sum <"$file"
        done < <(inputs)
        "$rustc" -vV
        echo "flags: ${RUSTFLAGS:-} ${CARGO_ENCODED_RUSTFLAGS:-}"
    } | sha256sum | cut -c1-32
}

# Cargo's verbose output to "N of M": a line per step on a terminal, one in ten in a log.
progress() {
    awk -v total="$1" -v terminal="$([ -t 2 ] && echo 1 || echo 0)" '
        $1 == "Compiling" || $1 == "Fresh" {
            done_count++
            if (terminal) {
                printf "\r\033[Kengine: %d of %d crates  %s", done_count, total, $2
            } else if ($1 == "Compiling" && done_count % 10 == 0) {
                printf "engine: %d of %d crates\n", done_count, total
            }
            fflush()
            next
        }
        $1 == "Running" || $1 == "Dirty" { next }
        $1 == "Downloading" || $1 == "Downloaded" || $1 == "Locking" { next }
        $1 == "Finished" || $1 == "Blocking" { next }
        terminal { printf "\r\033[K" }
        { print; fflush() }
        END { if (terminal) printf "\r\033[K" }' >&2
}

build() {
    local total
    say "fetching crates"
    "$cargo" fetch --quiet --locked --manifest-path "$shim/Cargo.toml" ||
        die "crates could not be fetched; the first build needs the network"
    total=$("$cargo" tree --quiet --locked --manifest-path "$shim/Cargo.toml" --prefix none \
        --edges normal,build --format '{p}' | sed 's/ (\*)$//; s/ (proc-macro)$//' | sort -u | wc -l)
    say "compiling $total crates (some minutes on a machine that never did it, else seconds)"
    # A target of the user's choice would put the library elsewhere.
    env -u CARGO_BUILD_TARGET CARGO_TARGET_DIR="$cache/target" CARGO_TERM_COLOR=never \
        CARGO_TERM_PROGRESS_WHEN=never RUSTC="$rustc" "$cargo" build --verbose --release --locked \
        --manifest-path "$shim/Cargo.toml" 2>&1 | progress "$total" ||
        die "the build failed; its messages are above"
}

publish() {
    local fresh=$cache/.new-$key.$$
    rm -rf "$cache"/.new-*
    mkdir "$fresh"
    cp "$cache/target/release/$LIBRARY" "$fresh/$LIBRARY"
    mv -T "$fresh" "$cache/engine-$key"
}

# The least recently used keys go. Called with the lock held.
prune() {
    local old
    # shellcheck disable=SC2012 # Names are ours: no surprises in them.
    ls -1dt "$cache"/engine-* | tail -n +$((KEYS_KEPT + 1)) | while IFS= read -r old; do
        rm -rf "$old"
    done
}

copy_out() {
    [ -n "$output" ] || { echo "$cache/engine-$key/$LIBRARY"; return; }
    # A copy of now: its age tells ninja that it is up to date.
    cp --reflink=auto "$cache/engine-$key/$LIBRARY" "$output.new" || return 1
    mv "$output.new" "$output"
}

write_depfile() {
    [ -n "$depfile" ] || return 0
    {
        printf '%s:' "${output// /\\ }"
        { inputs; echo "$root/tools/build-engine.sh"; } | sed 's/ /\\ /g; s/^/ /' | tr -d '\n'
        echo
    } >"$depfile"
}

find_rust
key=$(key_of_inputs)
mkdir -p "$cache"
write_depfile

if [ -f "$cache/engine-$key/$LIBRARY" ]; then
    touch "$cache/engine-$key" # Recently used; see prune().
    copy_out && exit 0
fi

exec 9>"$cache/lock"
if ! flock -n 9; then
    say "another build of it runs; waiting for that"
    flock 9
fi
if [ ! -f "$cache/engine-$key/$LIBRARY" ]; then
    build
    publish
    prune
    say "built"
fi
copy_out
