/**
 * @file
 * What a connection reads and writes by: its socket, bare or under TLS.
 *
 * The calls answer as recv(2), sendmsg(2) and sendfile(2) on a non-blocking socket do, so that a caller on
 * edge-triggered epoll need not know which it is: EAGAIN: wait for the next edge; 0 of a receive: the
 * client sends nothing more; any other error: the connection is lost. Three things are added for TLS:
 * transport_has_more(), transport_crossed() and transport_end().
 *
 * A record that the socket did not take is kept by TLS, and so what was not sent must be offered again, in the
 * same order, with at least as many bytes as before.
 *
 * Life:    transport_init() -> perhaps transport_secure() and transport_shake() -> used ->
 *          transport_fini(). The descriptor is borrowed. Must stay where it is once secured.
 * Threads: the connection's loop.
 */
#pragma once

#include "base/base.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

struct ssl_st;

struct transport {
    int fd;
    struct ssl_st *ssl; /**< NULL: bare. */
    bool shaken;        /**< TLS: the handshake is done. */
    bool emptied;       /**< TLS: the last look at the socket found less than there was room for. */
    bool dry;           /**< TLS: it found nothing. */
    bool more;          /**< TLS: there may be more without an edge. */
    bool crossed;       /**< TLS: reading waits for room to write, or the reverse. */
    bool broken;        /**< TLS: nothing can be said any more. */
    bool ended;         /**< TLS: we have said that we send nothing more. */
    unsigned barren;    /**< TLS: records in a row that carried nothing. */
};

static inline void transport_init(struct transport *transport, int fd)
{
    *transport = (struct transport){.fd = fd};
}

/** Go on under TLS, as the server; takes `ssl`. False: ERR_MEMORY, nothing changed but that `ssl` is gone. */
bool transport_secure(struct transport *transport, struct ssl_st *ssl) MUST_USE;

void transport_fini(struct transport *transport);

enum transport_shake {
    SHAKE_DONE,
    SHAKE_READ,  /**< Again when there is something to read. */
    SHAKE_WRITE, /**< Again when there is room to write. */
    SHAKE_FAILED /**< The client was told, if that is possible. */
};

/** Go on with the handshake. */
enum transport_shake transport_shake(struct transport *transport);

/** Why it failed: a static text. */
const char *transport_failure(void);

/** What was agreed on by ALPN (RFC 7301). */
enum transport_alpn { ALPN_HTTP1, ALPN_HTTP2 };
enum transport_alpn transport_alpn(const struct transport *transport);

enum { TRANSPORT_SUBJECT_BYTES = 512 };

/** The subject of the client's verified certificate as RFC 2253 writes it ("CN=a,O=b"), at most so much of
 *  it; "" when there is none. */
void transport_subject(const struct transport *transport, char ret[TRANSPORT_SUBJECT_BYTES]);

/* The TLS side of what follows. */
ssize_t transport_receive_tls(struct transport *transport, void *data, size_t size);
ssize_t transport_look_tls(struct transport *transport);
ssize_t transport_send_tls(struct transport *transport, const struct iovec *parts, int count);
ssize_t transport_file_tls(struct transport *transport, int file, off_t offset, size_t size);
ssize_t transport_file_bare(struct transport *transport, int file, off_t offset, size_t size);

/** Whether it is under TLS. */
static inline bool transport_is_secure(const struct transport *transport)
{
    return transport->ssl != NULL;
}

/** As recv(2). A connection that ends without TLS' own goodbye is a reset, not an end. */
static inline ssize_t transport_receive(struct transport *transport, void *data, size_t size)
{
    if (transport->ssl != NULL) {
        return transport_receive_tls(transport, data, size);
    }
    return recv(transport->fd, data, size, 0);
}

/** Whether a receive that got less than it had room for has left something for which no edge will come. */
static inline bool transport_has_more(const struct transport *transport)
{
    return transport->more;
}

/** Whether one direction waits for the other: then either edge is one for both. */
static inline bool transport_crossed(const struct transport *transport)
{
    return transport->crossed;
}

/** As a recv(2) of one byte that stays: positive: something is there, 0: the client has ended. */
static inline ssize_t transport_look(struct transport *transport)
{
    if (transport->ssl != NULL) {
        return transport_look_tls(transport);
    }
    char byte;
    return recv(transport->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
}

/** As sendmsg(2): less than everything: the socket takes no more now. */
static inline ssize_t transport_send(struct transport *transport, struct iovec *parts, int count)
{
    if (transport->ssl != NULL) {
        return transport_send_tls(transport, parts, count);
    }
    if (count == 1) {
        return send(transport->fd, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL);
    }
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
    return sendmsg(transport->fd, &message, MSG_NOSIGNAL);
}

/** As sendfile(2): 0: the file has ended. */
static inline ssize_t transport_file(struct transport *transport, int file, off_t offset,
                                     size_t size)
{
    if (transport->ssl != NULL) {
        return transport_file_tls(transport, file, offset, size);
    }
    return transport_file_bare(transport, file, offset, size);
}

/** Say that nothing more follows (close_notify). False: there is no room yet, again when there is. Once everything
 *  was sent; the descriptor's own side is the caller's. */
bool transport_end(struct transport *transport) MUST_USE;

/** Say no goodbye: what was sent is not all that there was to be. */
static inline void transport_cut(struct transport *transport)
{
    transport->broken = true;
}

enum {
    /** What TLS holds for a connection, about. */
    TRANSPORT_HELD_BYTES = 24 * 1024
};

static inline size_t transport_held_bytes(const struct transport *transport)
{
    return transport->ssl != NULL ? TRANSPORT_HELD_BYTES : 0;
}
