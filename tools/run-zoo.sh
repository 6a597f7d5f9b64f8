#!/bin/sh
# Builds the guests of examples/zoo, serves them on 127.0.0.1 and says what to try. Ctrl-C drains and ends.
#
#   tools/run-zoo.sh MOTE PORT
set -u

root=$(cd "$(dirname "$0")/.." && pwd)
mote=$1
port=$2

printf '[6/6] guests of examples/zoo\n'
"$mote" build "$root/examples/zoo" || {
    printf 'What to do: the message above names the file; "make run" again when it is corrected.\n' >&2
    exit 1
}

base=http://127.0.0.1:$port
cat <<END

Open $base/ in a browser, or try from another terminal:
  curl $base/users/7
  curl --data 'some text' $base/echo
  curl -i $base/crash          # 502: this request only; the next one is served
  curl -i $base/oom            # 502: its memory ceiling
  curl -i $base/spin           # 504: its CPU budget, after half a second
  curl "$base/stream?n=5&size=80"
Another port: make run PORT=9000. Ctrl-C ends it.

END

"$mote" serve -f "$root/examples/zoo/mote.toml" --listen "127.0.0.1:$port" &
server=$!
# A terminal's Ctrl-C reaches the server by itself; a second signal would cut what it drains.
trap : INT
trap 'kill -TERM $server 2>/dev/null' TERM HUP
wait $server
status=$?
# A signal ends the wait, not the server, which drains first.
while kill -0 $server 2>/dev/null; do
    wait $server
    status=$?
done
if [ $status -ne 0 ]; then
    printf '\nmote ended with status %s.\n' "$status" >&2
    printf 'What to do: if the port is taken, make run PORT=9000; otherwise the lines above say why.\n' >&2
fi
exit $status
