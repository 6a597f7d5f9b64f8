#!/bin/sh
# `mote test` starts the app on a free port, and says by MOTE_URL where it is.
set -eu

is() {
    [ "$1" = "$2" ] || { echo "expected '$2', got '$1'"; exit 1; }
}

is "$(curl -fsS "$MOTE_URL/api/square/12")" '{"n":12,"square":144}'
is "$(curl -sS "$MOTE_URL/api/square/many")" '{"error":"n is a number up to 1000000"}'
is "$(curl -fsS -d '1 2 39' "$MOTE_URL/api/sum")" '{"count":3,"sum":42}'
is "$(curl -sS -o /dev/null -w '%{http_code}' -d 'one' "$MOTE_URL/api/sum")" "400"
is "$(curl -sS -o /dev/null -w '%{http_code}' "$MOTE_URL/api/nowhere")" "404"
curl -fsS "$MOTE_URL/api/status" | grep -q '"app":"__NAME__"'
