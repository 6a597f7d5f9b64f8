/**
 * @file
 * A place to listen at: from text to a socket, and back to text.
 *
 * Threads: none of its own. endpoint_resolve() may wait for a name server.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

enum { ENDPOINT_TEXT_BYTES = sizeof(struct sockaddr_un) + 16, ENDPOINT_REMOTE_BYTES = 64 };

struct endpoint {
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_storage room;
    } address;
    socklen_t address_bytes;
};

static inline bool endpoint_is_unix(const struct endpoint *endpoint)
{
    return endpoint->address.any.sa_family == AF_UNIX;
}

/** What address_parse() takes: "127.0.0.1:80", "[::1]:80", "localhost:80" (IPv4 if the name has such an
 *  address), "unix:/path".
 *  @return false: ERR_INPUT, ERR_NOT_FOUND (no such host) */
bool endpoint_resolve(const char *text, struct endpoint *ret, struct err *err) MUST_USE;

enum { ENDPOINT_SOCKETS_MAX = 64 };

/** Bind and listen. TCP: `count` sockets that share the port, which must be nobody else's, not even
 *  another's that would share it. Unix: one socket, and `count` must be 1; the file of a dead server is
 *  replaced. A port of 0 becomes the real one in `endpoint`.
 *  @param mode  of a unix socket's file
 *  @param text  what the endpoint was called, for the error
 *  @return false: ERR_OS, nothing is left open */
bool endpoint_listen(struct endpoint *endpoint, unsigned count, mode_t mode, const char *text,
                     int *ret_sockets, struct err *err) MUST_USE;

/** "http://127.0.0.1:80", "https://[::1]:80" if `secure`, "unix:/path". */
void endpoint_format(const struct endpoint *endpoint, bool secure, char ret[ENDPOINT_TEXT_BYTES]);

/** The other side of a connection, for logs: "127.0.0.1:567", "[::1]:567", "unix". */
void endpoint_format_remote(const struct sockaddr *address, char ret[ENDPOINT_REMOTE_BYTES]);

/** Whether the other end of a connected unix socket was this user's program or root's when it connected (unix(7),
 *  SO_PEERCRED). `user`: this user. */
bool endpoint_peer_is(int fd, uid_t user);
