#!/bin/sh
# Set-up, configuration and build of one build folder, a line a step. Quick when there is nothing to do.
#
#   tools/build.sh FOLDER KIND [run | test | bench]
#
# KIND: release (what is installed and measured), asan (gcc, address and undefined behaviour), tsan
# (clang, threads, without the engine), fuzz (clang, libFuzzer with both of the first).
# The third word says what set-up is for, see tools/setup.sh. MOTE_STEPS: steps of the caller in all.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
folder=$1
kind=$2
what_for=${3:-run}
MOTE_STEPS=${MOTE_STEPS:-5}
export MOTE_STEPS

step()
{
    printf '[%s/%s] %s\n' "$1" "$MOTE_STEPS" "$2"
}

fail()
{
    printf '\nbuild stopped: %s\n' "$1" >&2
    printf 'What to do: %s\n' "$2" >&2
    exit 1
}

"$root/tools/setup.sh" "$what_for"
# The distribution's meson, not one of another Python that happens to come first.
meson=meson
[ ! -x /usr/bin/meson ] || meson=/usr/bin/meson

case $kind in
release)
    set -- -Dwerror=false
    ! "${CC:-cc}" --version 2>/dev/null | grep -q 'Free Software Foundation' || set -- "$@" -Dlto=true
    ;;
asan) set -- -Db_sanitize=address,undefined -Dbuildtype=debugoptimized ;;
tsan) set -- -Db_sanitize=thread -Dengine=fake && CC=clang ;;
fuzz) set -- -Db_sanitize=address,undefined -Dfuzz=true -Dtests=false && CC=clang ;;
*) fail "'$kind' is no kind of build" 'release, asan, tsan or fuzz' ;;
esac
CC=${CC:-cc}
export CC

if [ -f "$folder/build.ninja" ]; then
    step 4 "configuration: $folder is there"
else
    step 4 "configuration: $folder ($kind)"
    mkdir -p "$folder"
    rm -rf "$folder/meson-private" # Of a configuration that did not finish.
    "$meson" setup "$folder" "$root" "$@" >"$folder/configure.log" 2>&1 </dev/null || {
        tail -n 15 "$folder/configure.log" >&2
        fail "meson could not configure $folder (above: the end of $folder/configure.log)" \
            "if the reason is not clear: rm -rf $folder, then run the same command again"
    }
fi

how_long=
[ -e "$folder/.ninja_log" ] ||
    how_long=' (the engine, once per machine: about 15 minutes of one core; mote itself: a minute or two)'
step 5 "build: $folder$how_long"
target=all
[ "$what_for" != run ] || target=mote
ninja -C "$folder" "$target" </dev/null ||
    fail "the build failed (above: what the compiler says)" "correct it, then run the same command again"
