#!/bin/sh
# `mote test` starts the app on a free port, and says by MOTE_URL where it is.
set -eu

is() {
    [ "$1" = "$2" ] || { echo "expected '$2', got '$1'"; exit 1; }
}

curl -fsS "$MOTE_URL/" | grep -q '<title>__NAME__</title>'
is "$(curl -sS -o /dev/null -w '%{http_code}' "$MOTE_URL/socket")" "426"
