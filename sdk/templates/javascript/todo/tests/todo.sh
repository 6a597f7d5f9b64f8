#!/bin/sh
# `mote test` starts the app on a free port, and says by MOTE_URL where it is.
set -eu

todos="$MOTE_URL/api/todos"
is() {
    [ "$1" = "$2" ] || { echo "expected '$2', got '$1'"; exit 1; }
}
list() {
    curl -fsS "$todos" | tr -d '\n'
}
status() {
    curl -sS -o /dev/null -w '%{http_code}' "$@"
}

is "$(list)" '[]'
is "$(curl -fsS --data-raw 'buy "milk"' "$todos")" '{"id":1}'
is "$(curl -fsS --data-raw 'water the plants' "$todos")" '{"id":2}'
is "$(list)" '[{"id":1,"text":"buy \"milk\"","done":false},{"id":2,"text":"water the plants","done":false}]'
is "$(status -X PUT -d true "$todos/1")" 204
is "$(status -X DELETE "$todos/2")" 204
is "$(list)" '[{"id":1,"text":"buy \"milk\"","done":true}]'
is "$(status -X DELETE "$todos/2")" 404
is "$(status -X PUT -d maybe? "$todos/1")" 400
is "$(status -d '' "$todos")" 400
curl -fsS "$MOTE_URL/" | grep -q '<h1>__NAME__</h1>'
