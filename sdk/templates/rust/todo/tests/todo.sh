#!/bin/sh
# `mote test` starts the app on a free port, and says by MOTE_URL where it is.
set -eu

is() {
    [ "$1" = "$2" ] || { echo "expected '$2', got '$1'"; exit 1; }
}

is "$(curl -fsS "$MOTE_URL/api/todos")" '[]'
is "$(curl -fsS -d '{"text":"sleep"}' "$MOTE_URL/api/todos")" '[{"id":1,"text":"sleep","done":false}]'
is "$(curl -fsS -X POST "$MOTE_URL/api/todos/1/toggle")" '[{"id":1,"text":"sleep","done":true}]'
is "$(curl -sS -o /dev/null -w '%{http_code}' -X DELETE "$MOTE_URL/api/todos/7")" "404"
is "$(curl -sS -o /dev/null -w '%{http_code}' -d '{"text":""}' "$MOTE_URL/api/todos")" "400"
is "$(curl -fsS -X DELETE "$MOTE_URL/api/todos/1")" '[]'
curl -fsS "$MOTE_URL/" | grep -q '<title>__NAME__</title>'
