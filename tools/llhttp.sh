#!/bin/sh
# Prints the folder that holds llhttp's source (include/llhttp.h, src/*.c), after fetching it when it
# is not there yet. It lies in the cache of builds, never in the source tree, and appears in one step:
# a fetch that is cut short leaves nothing that looks finished, and two at once do not meet.
#
# tools/llhttp.requirements pins the package and its SHA-256; pip refuses anything else.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
requirements=$here/llhttp.requirements
version=$(sed -n 's/^# llhttp \([0-9.]*\),.*/\1/p' "$requirements")
cache=${MOTE_CACHE:-${XDG_CACHE_HOME:-${HOME:?set HOME or MOTE_CACHE}/.cache}/mote-build}
folder=$cache/llhttp-$version

if [ -f "$folder/include/llhttp.h" ]; then
    printf '%s\n' "$folder"
    exit 0
fi

fail()
{
    printf 'llhttp: %s\n' "$1" >&2
    printf 'What to do: %s\n' "$2" >&2
    exit 1
}

# Debian's own python first: the first one in PATH may be one without pip.
python=
for candidate in "${PYTHON:-/usr/bin/python3}" python3; do
    if "$candidate" -m pip --version >/dev/null 2>&1; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || fail 'no python3 with pip was found' 'apt-get install python3-pip, or set PYTHON'

mkdir -p "$cache"
work=$(mktemp -d "$cache/.llhttp-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# pip asks a source package for its metadata, which would run the package's build script. We want one
# folder of C files, so a stand-in for setuptools answers, and nothing of the package is executed.
mkdir -p "$work/stand-in/setuptools"
: >"$work/stand-in/setuptools/__init__.py"
cat >"$work/stand-in/setuptools/build_meta.py" <<'PY'
import os


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = "httptools-0.9.0.dist-info"
    os.makedirs(os.path.join(metadata_directory, folder))
    with open(os.path.join(metadata_directory, folder, "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\nName: httptools\nVersion: 0.9.0\n")
    return folder
PY

if ! PYTHONPATH=$work/stand-in "$python" -m pip download --quiet --no-deps --no-binary :all: \
    --no-build-isolation --require-hashes --disable-pip-version-check \
    --dest "$work" -r "$requirements" >"$work/log" 2>&1 </dev/null; then
    cat "$work/log" >&2
    fail 'the package could not be fetched (above: what pip says)' \
        'check the network and the settings of pip (pip config list), then try again'
fi

mkdir "$work/unpacked"
tar -xzf "$work"/httptools-*.tar.gz -C "$work/unpacked" --strip-components=1 ||
    fail 'the package could not be unpacked' 'is the disk full?'
source=$work/unpacked/vendor/llhttp
for file in include/llhttp.h src/api.c src/http.c src/llhttp.c; do
    [ -f "$source/$file" ] || fail "the package has no vendor/llhttp/$file" 'was the pin changed?'
done

# Another fetch may have been faster; its result is as good.
mv -T "$source" "$folder" 2>/dev/null || [ -f "$folder/include/llhttp.h" ] ||
    fail "cannot move the source to $folder" 'remove that folder and try again'
printf '%s\n' "$folder"
