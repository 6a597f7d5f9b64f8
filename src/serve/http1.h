/**
 * @file
 * HTTP/1 requests out of bytes (RFC 9112): the request line and everything that decides where a
 * message ends is ours and strict, header lines and chunks are llhttp's work. Pure: no I/O, no clock.
 *
 * Life:    http1_init() -> http1_feed() until HTTP1_END -> http1_next() -> ...; nothing to free.
 * Threads: none of its own.
 * However the bytes are cut into pieces, the same bodies and the same verdict come out.
 */
#pragma once

#include "serve/request.h"

#include <llhttp.h>

/** What a head may take, and how a parser begins. Shared by all parsers of a listener; constant. */
struct http1_rules {
    uint32_t header_bytes_max; /**< Header lines, with their line ends: 431. Trailers again. */
    uint32_t header_count_max; /**< 431. */
    uint32_t target_bytes_max; /**< 414. */
    llhttp_t start[2];         /**< llhttp behind the request line of HTTP/1.0 and 1.1. */
};

/** Set the limits and prepare the rest. */
void http1_rules_init(struct http1_rules *rules, uint32_t header_bytes_max,
                      uint32_t header_count_max, uint32_t target_bytes_max);

enum http1_event {
    HTTP1_MORE, /**< Everything was used and more is needed. */
    HTTP1_HEAD, /**< The request is complete up to its body, and sealed. */
    HTTP1_BODY, /**< `body` is a piece of the body: it points into what was fed. */
    HTTP1_END,  /**< The message is over. */
    HTTP1_BAD,  /**< `status` and `reason` say why; nothing more can be read from this client. */
};

struct http1_step {
    enum http1_event event;
    size_t used; /**< How much of what was fed is done with. */
    struct text body;
};

enum http1_phase {
    HTTP1_IN_LEAD, /**< Before the first byte; an empty line may stand here. */
    HTTP1_IN_LINE, /**< In the request line. */
    HTTP1_IN_HEADERS,
    HTTP1_IN_SIZED, /**< In a body of known size. */
    HTTP1_IN_CHUNKS,
    HTTP1_IN_NOTHING, /**< After the last byte: END comes without more input. */
    HTTP1_IN_ERROR,
};

struct http1 {
    const struct http1_rules *rules;
    enum http1_phase phase;
    llhttp_t llhttp;
    struct request *request; /* during one feed */
    struct text body;        /* during one feed: the piece found */
    struct span line;        /* the request line when it came in pieces */
    uint64_t left;           /* of a sized body */
    struct bytes *
        trailers; /**< Where trailers go, as lines ("name: value" and a newline); NULL: they are dropped. Borrowed. */
    uint32_t header_bytes; /* seen so far; then trailers and chunk extensions */
    unsigned lead;         /* bytes of an empty line in front */
    bool in_value, ended;
    bool keep_alive;       /**< From HEAD on: the client wants the connection to stay. */
    bool expects_continue; /**< From HEAD on: it waits for "100 Continue". */
    bool expects_other;    /**< From HEAD on: it expects what nobody can do: 417. */
    unsigned status;       /**< With BAD. */
    const char *reason;    /**< With BAD: constant text. */
};

void http1_init(struct http1 *http1, const struct http1_rules *rules);

/** Whether no byte of a message was seen yet (an empty line does not count). */
static inline bool http1_is_idle(const struct http1 *http1)
{
    return http1->phase == HTTP1_IN_LEAD;
}

/** Whether the next step, END or BAD, comes without more bytes. */
static inline bool http1_is_over(const struct http1 *http1)
{
    return http1->phase == HTTP1_IN_NOTHING || http1->phase == HTTP1_IN_ERROR;
}

/** Go on with `size_bytes` bytes (0 is fine, and finds an END that needs none). `request` is filled
 *  up to HEAD, and must be the same, reset one until then; later it may be NULL. */
struct http1_step http1_feed(struct http1 *http1, struct request *request, const void *data,
                             size_t size_bytes);

/** After END: ready for the next message. */
void http1_next(struct http1 *http1);
