/**
 * @file
 * HTTP/2 on a connection (RFC 9113), by nghttp2: every stream is an exchange, as a request of HTTP/1 is.
 *
 * The client's credit for a body is tied to what the process has read, so that a process that does not
 * read stalls its own stream and no other; answers are taken from their exchanges when the client has
 * credit and the socket has room. A stream that asks for a WebSocket (RFC 8441) carries that session.
 *
 * Life and threads: those of a session.
 * Parts:   http2.c life and deadlines; http2_events.c what nghttp2 tells; http2_stream.c one
 *          stream's exchange; http2_answer.c its answer; http2_tunnel.c the session in a stream;
 *          http2_request.c heads; http2_guard.c floods.
 */
#pragma once

#include "serve/caller.h"
#include "serve/lane.h"

enum {
    HTTP2_STREAMS_MAX = 100,          /**< At once, as the client is told. */
    HTTP2_WINDOW_BYTES = 1024 * 1024, /**< Of a connection; that of a stream is its buffer. */
    HTTP2_WINDOW_FIRST_BYTES = 65535, /**< What a client may send before it has our settings. */
    HTTP2_QUEUE_MAX = 500,            /**< Frames not sent; above, nothing is received. */
    HTTP2_DRAIN_MS = 5000, /**< Most, from the first GOAWAY to the last, if no PING is answered. */
    HTTP2_RATE_WINDOW_MS = 5000,
    HTTP2_PRESSED_MS = 100, /**< Between looks, while the node holds too much. */
};

/** What a client sends first (RFC 9113, 3.4). */
extern const char http2_preface[];
enum { HTTP2_PREFACE_BYTES = 24 };

/** A session for a new connection; the preface is the first thing it wants to receive.
 *  @param caller  borrowed for the life of the session
 *  @return NULL: out of memory */
struct session *http2_create(struct lane *lane, const struct site *site,
                             const struct caller *caller) MUST_USE;
