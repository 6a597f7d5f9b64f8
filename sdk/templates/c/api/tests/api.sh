#!/bin/sh
# `mote test` starts the app on a free port, and says by MOTE_URL where it is.
set -eu

is() {
    [ "$1" = "$2" ] || { echo "expected '$2', got '$1'"; exit 1; }
}
status() {
    curl -sS -o /dev/null -w '%{http_code}' "$@"
}

case "$(curl -fsS "$MOTE_URL/api/status")" in
'{"app":"__NAME__","time":'*'}') ;;
*) echo "not the status"; exit 1 ;;
esac
is "$(curl -fsS "$MOTE_URL/api/square/12")" '{"n":12,"square":144}'
is "$(status "$MOTE_URL/api/square/x")" 400
is "$(curl -fsS -d '1 2 39' "$MOTE_URL/api/sum")" '{"count":3,"sum":42}'
is "$(status -d 'one two' "$MOTE_URL/api/sum")" 400
is "$(status -X DELETE "$MOTE_URL/api/sum")" 405
