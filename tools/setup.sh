#!/bin/sh
# Installs what building needs and says what it does. `make` calls it each time; when everything is
# there it takes a quarter of a second and prints one line a step.
#
#   tools/setup.sh [run | test | bench]     what for; each includes the one before
#
# On Debian 12 and 13, as root or with sudo, missing packages come by apt. Elsewhere it looks for the
# same tools and, when one is missing, says which and stops. It never asks a question.
#   MOTE_STEPS=N      how many steps the caller counts in all (these are the first three)
#   MOTE_NO_INSTALL=1 only look and say what is missing
set -eu

here=$(cd "$(dirname "$0")" && pwd)
what_for=${1:-run}
steps=${MOTE_STEPS:-3}
cache=${MOTE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/mote-build}
log=$cache/setup.log

say()
{
    printf '%s\n' "$*"
}

# step NUMBER WHAT
step()
{
    printf '[%s/%s] %s\n' "$1" "$steps" "$2"
}

# fail WHAT WHAT-TO-DO
fail()
{
    printf '\nset-up stopped: %s\n' "$1" >&2
    printf 'What to do: %s\n' "$2" >&2
    exit 1
}

case $what_for in
run) lists=$here/packages.debian ;;
test) lists="$here/packages.debian $here/packages-test.debian" ;;
bench) lists="$here/packages.debian $here/packages-test.debian $here/packages-bench.debian" ;;
*) fail "'$what_for' is not run, test or bench" 'tools/setup.sh [run | test | bench]' ;;
esac

# The names in the lists, without comments.
wanted_packages()
{
    # shellcheck disable=SC2086  # several files
    sed -e 's/#.*//' -e 's/[ \t]//g' -e '/^$/d' $lists
}

missing_packages()
{
    for package in "$@"; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || printf '%s ' "$package"
    done
}

# Is this a Debian whose package names we know?
is_known_debian()
{
    [ -r /etc/os-release ] || return 1
    # shellcheck disable=SC1091  # not part of this tree
    (. /etc/os-release && [ "${ID:-}" = debian ] && case ${VERSION_ID:-} in 12 | 13) true ;; *) false ;; esac)
}

# Run something as root, without a question when nobody is there to answer it.
as_root()
{
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif [ -t 0 ] && [ -z "${CI:-}" ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

can_be_root()
{
    [ "$(id -u)" = 0 ] && return 0
    command -v sudo >/dev/null 2>&1 || return 1
    { [ -t 0 ] && [ -z "${CI:-}" ]; } || sudo -n true 2>/dev/null
}

# apt-get with its status lines turned into progress, everything else into the log. Fails as it does.
apt()
{
    {
        as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -q -y \
            -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o APT::Status-Fd=1 "$@" 2>&1 </dev/null ||
            printf '\nmote-failed\n'
    } | {
        shown=-10
        failed=false
        while IFS= read -r line; do
            case $line in
            mote-failed) failed=true ;;
            dlstatus:* | pmstatus:*)
                [ "$1" = install ] || continue
                percent=$(printf '%s' "$line" | cut -d: -f3 | cut -d. -f1)
                case $percent in '' | *[!0-9]*) continue ;; esac
                [ "$percent" -ge "$shown" ] || shown=-10
                if [ "$percent" -ge $((shown + 10)) ]; then
                    shown=$percent
                    case $line in
                    dl*) printf '      %3s %% downloaded\n' "$percent" ;;
                    *) printf '      %3s %% installed\n' "$percent" ;;
                    esac
                fi
                ;;
            *) printf '%s\n' "$line" >>"$log" ;;
            esac
        done
        [ "$failed" = false ]
    }
}

# install PACKAGES: with a fresh list of packages, never removing another one.
install()
{
    can_be_root || fail "these packages are missing, and this is neither root nor a sudo without a password: $*" \
        "as root: apt-get update && apt-get install --no-install-recommends $*"
    [ -z "${MOTE_NO_INSTALL:-}" ] || fail "these packages are missing: $*" "apt-get install $*"
    printf '\n== %s\n' "$*" >>"$log"
    apt update || fail "apt-get update failed; the end of $log: $(tail -n 3 "$log")" \
        'check the network and /etc/apt/sources.list, then run the same command again'
    apt install --no-install-recommends --no-remove "$@" && return 0
    # apt-get update is content with lists that it could not fetch.
    if tail -n 80 "$log" | grep -q -e 'Failed to fetch' -e 'Could not resolve' -e 'Could not connect'; then
        fail "packages could not be fetched: $(grep -e 'Failed to fetch' "$log" | tail -n 1)" \
            'check the network and /etc/apt/sources.list, then run the same command again'
    fi
    fail "apt-get install failed; the end of $log:
$(tail -n 5 "$log")" "see what is in its way: apt-get install $*   then run the same command again"
}

# On other systems: one line for each thing that is not there.
look_around()
{
    for command in cc pkg-config meson ninja clang wasm-ld wat2wasm curl tar; do
        command -v "$command" >/dev/null 2>&1 || say "  the command $command"
    done
    python3 -m pip --version >/dev/null 2>&1 || say '  python3 with pip'
    if command -v pkg-config >/dev/null 2>&1; then
        pkg-config --exists cmocka || say '  the library cmocka with its headers (unit tests)'
        pkg-config --exists libcurl || say '  the library libcurl with its headers'
        pkg-config --exists 'openssl >= 3' || say '  the library OpenSSL 3 with its headers'
    fi
    if command -v clang >/dev/null 2>&1 && ! printf 'int main(void) { return 0; }' |
        clang --target=wasm32-wasi -x c - -o /dev/null >/dev/null 2>&1; then
        say '  a C library and compiler support for WebAssembly: wasi-libc, and compiler-rt for wasm32'
    fi
    [ "$what_for" = run ] && return 0
    for command in clang-format clang-tidy cppcheck; do
        command -v "$command" >/dev/null 2>&1 || say "  the command $command"
    done
    python3 -m pytest --version >/dev/null 2>&1 || say '  python3 with pytest'
    [ "$what_for" = test ] || command -v wrk >/dev/null 2>&1 || say '  the command wrk'
}

mkdir -p "$cache" || fail "cannot make the folder $cache for what is built once" 'set MOTE_CACHE to a folder that can be written'
known_debian=false
! is_known_debian || known_debian=true

# ---- 1: tools and libraries
if $known_debian; then
    # shellcheck disable=SC2046  # a list of names
    missing=$(missing_packages $(wanted_packages))
    if [ -z "$missing" ]; then
        step 1 'Debian packages: all there'
    else
        step 1 "Debian packages: installing $missing(one to four minutes)"
        # shellcheck disable=SC2086  # a list of names
        install $missing
    fi
else
    missing=$(look_around)
    if [ -n "$missing" ]; then
        printf '%s\n' 'This is neither Debian 12 nor 13, so nothing is installed. Missing here:' "$missing" \
            'On Debian these packages have everything, as a hint to what they are called here:' \
            "$(wanted_packages | paste -s -d ' ' -)" >&2
        fail 'tools are missing' 'install them, then run the same command again'
    fi
    step 1 'tools and libraries: all there'
fi

# ---- 2: Rust, for the engine only
if ! cargo=$("$here/find-cargo.sh" --quiet | head -n 1) || [ -z "$cargo" ]; then
    if $known_debian; then
        for package in rustc cargo rustup; do
            [ -n "$(missing_packages $package)" ] ||
                fail "the package $package is installed, and Debian's newer Rust cannot stand beside it" \
                    "apt-get install rustc-web cargo-web   (it removes $package), or: rustup default stable"
        done
        step 2 'Rust: installing rustc-web and cargo-web (one to two minutes)'
        if can_be_root && [ -z "${MOTE_NO_INSTALL:-}" ]; then
            apt update || true # install, below, says what is wrong
            offered=$(apt-cache policy rustc-web | sed -n 's/ *Candidate: *//p')
            dpkg --compare-versions "${offered:-0}" ge 1.95 ||
                fail "the newest rustc-web that apt knows is '${offered:-none}', and 1.95 is needed" \
                    'add the security archive (the suite bookworm-security), which has it, to /etc/apt/sources.list'
        fi
        install rustc-web cargo-web
    fi
    cargo=$("$here/find-cargo.sh" | head -n 1)
    [ -n "$cargo" ] || fail 'there is no Rust that is new enough' 'one of the three above, then run the same command again'
fi
step 2 "Rust: $("$cargo" --version)"

# ---- 3: llhttp
folder=$("$here/llhttp.sh") || exit 1
step 3 "HTTP/1 parser: $folder"

free_kib=$(df -Pk "$cache" | awk 'NR == 2 { print $4 }')
[ "$free_kib" -ge 4000000 ] ||
    say "      Mind: $cache has $((free_kib / 1024)) MiB free; building the engine for the first time takes up to 4 GiB."
