#!/bin/sh
# Prints the Rust tools that build the engine, two lines on stdout: path of cargo, path of rustc.
#
#   { read -r cargo && read -r rustc; } <<X
#   $(tools/find-cargo.sh)
#   X
#
# Both are at least RUST_MIN. Exit status 1, with what to install on stderr, when there are none.
# $CARGO and $RUSTC, when set, are the only ones tried. Otherwise: PATH, then ~/.cargo/bin, then
# /usr/bin, where Debian's rustc-web and cargo-web put theirs; so an old rustup toolchain does not
# hide a new enough Debian package, nor the other way round.
# With --quiet nothing is printed on failure.
set -u

RUST_MIN=1.95

quiet=false
[ "${1:-}" = --quiet ] && quiet=true
tried=

# "rustc 1.96.0 (...)" -> "1.96.0"; nothing if the program does not run (a rustup proxy without a
# toolchain is there and yet fails).
version_of()
{
    "$1" --version 2>/dev/null </dev/null | awk 'NR == 1 { print $2 }'
}

# Is dotted version $1 at least $2? The first two numbers decide.
version_at_least()
{
    awk -v have="$1" -v want="$2" 'BEGIN {
        split(have, h, "."); split(want, w, ".")
        exit !(h[1] + 0 > w[1] + 0 || (h[1] + 0 == w[1] + 0 && h[2] + 0 >= w[2] + 0))
    }'
}

# Print the pair and leave if both are new enough; else note why not.
try_pair()
{
    [ -n "$1" ] && [ -x "$1" ] && [ -n "$2" ] && [ -x "$2" ] || return 0
    cargo_version=$(version_of "$1")
    rustc_version=$(version_of "$2")
    if version_at_least "${cargo_version:-0}" "$RUST_MIN" &&
        version_at_least "${rustc_version:-0}" "$RUST_MIN"; then
        printf '%s\n%s\n' "$1" "$2"
        exit 0
    fi
    tried="$tried
  found $1 (${cargo_version:-does not run}), $2 (${rustc_version:-does not run})"
}

if [ -n "${CARGO:-}" ] || [ -n "${RUSTC:-}" ]; then
    cargo=$(command -v "${CARGO:-cargo}" || true)
    rustc=$(command -v "${RUSTC:-rustc}" || true)
    try_pair "$cargo" "$rustc"
else
    try_pair "$(command -v cargo || true)" "$(command -v rustc || true)"
    try_pair "${CARGO_HOME:-${HOME:-/nonexistent}/.cargo}/bin/cargo" \
        "${CARGO_HOME:-${HOME:-/nonexistent}/.cargo}/bin/rustc"
    try_pair /usr/bin/cargo /usr/bin/rustc
fi

$quiet || cat >&2 <<EOF2
The engine needs cargo and rustc $RUST_MIN or newer.$tried
What to do, one of:
  Debian 12 or 13:  apt-get install rustc-web cargo-web   (from the security archive; they replace
                    the packages rustc and cargo, and cannot stand beside the package rustup)
  with rustup:      rustup toolchain install stable && rustup default stable
  elsewhere:        point CARGO and RUSTC at a newer toolchain
EOF2
exit 1
