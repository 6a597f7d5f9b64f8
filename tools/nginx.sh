#!/bin/sh
# Prints the path of an nginx to compare with: the machine's, else Debian's, unpacked into the cache of
# builds. It is not installed, because Debian's package would begin to serve on port 80.
set -eu

for candidate in "${NGINX:-}" "$(command -v nginx || true)" /usr/sbin/nginx; do
    if [ -n "$candidate" ] && [ -x "$candidate" ]; then
        printf '%s\n' "$candidate"
        exit 0
    fi
done

folder=${MOTE_CACHE:-${XDG_CACHE_HOME:-${HOME:?set HOME or MOTE_CACHE}/.cache}/mote-build}/nginx
if [ ! -x "$folder/usr/sbin/nginx" ]; then
    mkdir -p "$folder.new"
    cd "$folder.new"
    if ! { apt-get download nginx && dpkg-deb -x nginx_*.deb .; } >log 2>&1; then
        cat log >&2
        echo 'nginx could not be fetched. What to do: install it, or set NGINX to its path.' >&2
        exit 1
    fi
    cd / && mv -T "$folder.new" "$folder"
fi
printf '%s\n' "$folder/usr/sbin/nginx"
