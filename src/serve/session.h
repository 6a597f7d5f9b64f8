/**
 * @file
 * What speaks on a connection in place of HTTP/1: HTTP/2, or a WebSocket. Bytes in, bytes out; it never
 * sees a descriptor. What carries the bytes is a connection or, for a WebSocket over HTTP/2
 * (RFC 8441), one stream of another session.
 *
 * Life:    made by whoever begins it -> given to a carrier, which sets `carrier` -> the functions
 *          below, until session_over() and everything produced was sent, or the carrier is lost;
 *          either way exactly one `lose`, the last call.
 * Threads: the carrier's loop, `news` included.
 */
#pragma once

#include "base/bytes.h"

#include <stdint.h>

struct session;

/** What a session calls. May be called at any time on the loop, from inside the session's own
 *  functions too: it only marks, and the carrier looks again within this round. */
struct session_carrier {
    void (*news)(
        struct session_carrier *carrier); /**< produce, wants, over or due may have changed. */
};

struct session_type {
    const char *name; /**< "h2", "websocket": for logs. */
    /** Take what has come: all of it. What is wrong with it becomes last words and `over`. */
    void (*receive)(struct session *session, const char *data, size_t size_bytes);
    /** Whether more bytes are wanted now; while not, the carrier does not read its socket. */
    bool (*wants)(struct session *session);
    /** Append what is to be sent, until `out` holds `limit_bytes` or there is nothing more. False: out
     *  of memory; the carrier is lost then. */
    bool (*produce)(struct session *session, struct bytes *out, size_t limit_bytes);
    /** The client sends nothing more. */
    void (*finished)(struct session *session);
    /** Whether nothing more will be produced: what was produced is sent, then the carrier closes. */
    bool (*over)(const struct session *session);
    /** When `due` is to be called: monotonic ns; 0: never. */
    uint64_t (*due_ns)(const struct session *session);
    void (*due)(struct session *session, uint64_t now_ns);
    /** The server is to be emptied: begin to end, politely. */
    void (*drain)(struct session *session);
    /** Soon everything will be cut: let streams of events end, see exchange_dismiss(). NULL: it has none. */
    void (*dismiss)(struct session *session);
    /** Whether a client is being served: ending now would cut something. */
    bool (*busy)(const struct session *session);
    /** Its carrier is gone, or done: end what still runs, and free it. */
    void (*lose)(struct session *session);
};

/** The common begin of every session. */
struct session {
    const struct session_type *type;
    struct session_carrier *carrier; /**< Set by the carrier; NULL before. */
    bool agreed; /**< Set by the session once the client has said that nothing more will come. */
};

static inline void session_news(struct session *session)
{
    if (session->carrier != NULL) {
        session->carrier->news(session->carrier);
    }
}
