#!/bin/sh
# Prints the tools that build guests in Rust for the tests, two lines on stdout: path of cargo, path of rustc.
#
#   tools/rust-wasi.sh           make what is missing
#   tools/rust-wasi.sh --look    make nothing: status 1 where something would have to be made
#
# A compiler that has the libraries of wasm32-wasip1 is taken as it is (rustup target add wasm32-wasip1). Debian packages
# no such libraries for a compiler new enough, but their sources: rustc-web and rust-web-src are unpacked in the cache of
# builds, not installed, and the libraries built of them, which takes a minute or two. They lie there under a key of all
# they are made of.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${MOTE_CACHE:-${XDG_CACHE_HOME:-${HOME:?set HOME or MOTE_CACHE}/.cache}/mote-build}
target=wasm32-wasip1
wasi=/usr/lib/wasm32-wasi
host=x86_64-unknown-linux-gnu
libraries=/usr/lib/x86_64-linux-gnu
look=false
[ "${1:-}" != --look ] || look=true

fail()
{
    $look || printf 'rust-wasi: %s\n' "$1" >&2
    $look || printf 'What to do: %s\n' 'rustup target add wasm32-wasip1' >&2
    exit 1
}

{ read -r cargo && read -r rustc; } <<X || fail 'there is no cargo'
$("$here/find-cargo.sh" --quiet)
X
# A proxy of rustup looks for its toolchains in the home folder, which tests have none of.
cargo=$(cd / && "$rustc" --print sysroot)/bin/cargo
[ -x "$cargo" ] || cargo=$(command -v cargo)

if ls "$("$rustc" --print target-libdir --target "$target")"/libstd-*.rlib >/dev/null 2>&1; then
    own=$(cd / && "$rustc" --print sysroot)/bin/rustc
    printf '%s\n%s\n' "$cargo" "$([ -x "$own" ] && echo "$own" || echo "$rustc")"
    exit 0
fi

[ "$(uname -m)" = x86_64 ] && command -v apt-get >/dev/null 2>&1 || fail 'no package has the sources of the libraries'
[ -f "$wasi/libc.a" ] && command -v lld >/dev/null 2>&1 || fail 'there is no wasi-libc, or no lld'

candidate()
{
    apt-cache policy "$1" 2>/dev/null | awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'
}

# The package among those that another one needs whose name begins so.
needed()
{
    apt-cache depends "$1" | awk -v begin="$2" '$1 == "Depends:" && index($2, begin) == 1 { print $2; exit }'
}

version=$(candidate rustc-web)
[ -n "$version" ] && [ "$version" = "$(candidate rust-web-src)" ] || fail 'there are no packages rustc-web and rust-web-src'
key=$({ cat "$here/rust-wasi.sh"; echo "$version"; sha256sum "$wasi/libc.a"; } | sha256sum | cut -c1-24)
folder=$cache/rust-wasi-$key
if [ -x "$folder/rustc" ]; then
    printf '%s\n%s\n' "$cargo" "$folder/rustc"
    exit 0
fi
! $look || exit 1

mkdir -p "$cache"
work=$(mktemp -d "$cache/.rust-wasi-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
echo "rust-wasi: libraries of $target for guests in Rust, built once (a minute or two)" >&2

runtime=$(needed libstd-rust-web-dev libstd-rust-web-)
llvm=$(needed "$runtime" libllvm)
mkdir "$work/packages" "$work/made" "$work/nothing" "$work/nothing/src"
# shellcheck disable=SC2086  # a package that is not found is not given
(cd "$work/packages" && apt-get download -q rustc-web libstd-rust-web-dev rust-web-src $runtime $llvm) >"$work/log" 2>&1 </dev/null ||
    fail "the packages could not be fetched: $(tail -n 1 "$work/log")"
for package in "$work/packages"/*.deb; do
    dpkg-deb -x "$package" "$work/made/root" || fail "$package could not be unpacked"
done
rm -r "$work/packages"

# wrapper FILE OPTIONS: the unpacked compiler, wherever it lies.
wrapper()
{
    cat >"$1" <<X
#!/bin/sh
here=\$(dirname "\$0")
LD_LIBRARY_PATH=\$here/root$libraries\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH} exec "\$here/root/usr/bin/rustc" $2 "\$@"
X
    chmod +x "$1"
}

wrapper "$work/made/plain" ''
printf '[package]\nname = "nothing"\nversion = "0.0.0"\nedition = "2021"\n' >"$work/nothing/Cargo.toml"
: >"$work/nothing/src/lib.rs"
vendor=$work/made/root/usr/lib/rustlib/src/rust/library/vendor
(cd "$work/nothing" && CARGO_HOME="$work/home" CARGO_TARGET_DIR="$work/target" RUSTC="$work/made/plain" RUSTC_BOOTSTRAP=1 \
    RUSTFLAGS=-Cembed-bitcode=yes CARGO_PROFILE_RELEASE_OPT_LEVEL=s CARGO_PROFILE_RELEASE_PANIC=abort \
    "$cargo" build --quiet --release -Zbuild-std=std,panic_abort --target "$target" \
    --config 'source.crates-io.replace-with="packaged"' --config "source.packaged.directory=\"$vendor\"") \
    >"$work/log" 2>&1 </dev/null || fail "the libraries could not be built: $(tail -n 3 "$work/log")"

sysroot=$work/made/sysroot/lib/rustlib
mkdir -p "$sysroot/$target/lib/self-contained" "$sysroot/$host/bin"
cp "$work/target/$target/release/deps"/*.rlib "$sysroot/$target/lib/"
rm "$sysroot/$target/lib"/libnothing-*
cp "$wasi/crt1-command.o" "$wasi/crt1-reactor.o" "$wasi/libc.a" "$sysroot/$target/lib/self-contained/"
ln -s "../../../../root/usr/lib/rustlib/$host/lib" "$sysroot/$host/lib"
ln -s "$(command -v lld)" "$sysroot/$host/bin/rust-lld"
rm -r "$work/made/root/usr/src" "$work/made/plain"
# shellcheck disable=SC2016  # it is for the wrapper
wrapper "$work/made/rustc" '--sysroot "$here/sysroot"'
mv -T "$work/made" "$folder" 2>/dev/null || [ -x "$folder/rustc" ] || fail "cannot move the libraries to $folder"
printf '%s\n%s\n' "$cargo" "$folder/rustc"
