#!/bin/sh
# `mote test` starts the app on a free port, and says by MOTE_URL where it is.
set -eu

is() {
    [ "$1" = "$2" ] || { echo "expected '$2', got '$1'"; exit 1; }
}

is "$(curl -fsS "$MOTE_URL/primes?below=1000")" '{"below":1000,"primes":168,"workers":4}'
is "$(curl -fsS "$MOTE_URL/primes?below=2")" '{"below":2,"primes":0,"workers":4}'
is "$(curl -fsS "$MOTE_URL/primes?below=100000")" '{"below":100000,"primes":9592,"workers":4}'
is "$(curl -sS -o /dev/null -w '%{http_code}' "$MOTE_URL/primes?below=9000000")" "400"
