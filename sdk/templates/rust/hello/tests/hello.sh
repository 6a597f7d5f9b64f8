#!/bin/sh
# `mote test` starts the app on a free port, and says by MOTE_URL where it is.
set -eu

is() {
    [ "$1" = "$2" ] || { echo "expected '$2', got '$1'"; exit 1; }
}

is "$(curl -fsS "$MOTE_URL/")" "hello from __NAME__"
is "$(curl -fsS "$MOTE_URL/hello/Ada%20L")" "hello, Ada L"
is "$(curl -sS -o /dev/null -w '%{http_code}' "$MOTE_URL/nowhere")" "404"
