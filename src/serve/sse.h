/**
 * @file
 * The text of an event stream (WHATWG HTML, "Server-sent events", 9.2.5 and 9.2.6), written piece by piece: no buffer is
 * as large as the data. Pure.
 *
 * What a client makes of `data` is what was given, but that CR LF and CR become LF, which the format cannot express.
 */
#pragma once

#include "serve/request.h"

#include <stdint.h>

enum {
    SSE_NAME_BYTES_MAX = 4096, /**< Of an event's name, and of its id. */
    SSE_NO_RETRY = -1,
};

/** One event, or a comment. A text whose `data` is NULL is left out; an empty one is not. */
struct sse_event {
    struct text event; /**< Its name; empty: left out, which means "message". */
    struct text id;
    int32_t retry_ms; /**< SSE_NO_RETRY: left out. */
    struct text data;
    struct text comment;
};

enum sse_check {
    SSE_GOOD,
    SSE_INVALID, /**< A line break in the name or the id, a zero byte in the id, a time below 0, or nothing at all. */
    SSE_TOO_LONG, /**< The name or the id. */
};
enum sse_check sse_check(const struct sse_event *event);

/** How far an event was written. Zeroed: not begun. */
struct sse_cursor {
    uint8_t field;  /**< Of sse.c: which line it is at. */
    uint32_t label; /**< Bytes of "data: " and the like that were written. */
    uint64_t value; /**< Bytes of what follows that were taken. */
};

/** Put the next bytes of a checked event into `out`: as many as fit; 0: that was all of it. To write fewer of them, begin again
 *  from the same cursor with a smaller capacity. Looks at no more of the event than it writes. */
size_t sse_write(const struct sse_event *event, struct sse_cursor *cursor, char *out,
                 size_t capacity);
