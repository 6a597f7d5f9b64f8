/**
 * @file
 * The two directions of permessage-deflate (RFC 7692, 7.2), one message at a time. What zlib needs exists only while a
 * message is under way. Pure.
 */
#pragma once

#include "base/bytes.h"

struct z_stream_s;

enum websocket_inflate_result {
    WEBSOCKET_INFLATED,
    WEBSOCKET_INFLATE_BROKEN,    /**< No DEFLATE. */
    WEBSOCKET_INFLATE_TOO_LARGE, /**< More than `max_bytes` would come out. */
    WEBSOCKET_INFLATE_NO_MEMORY,
};

/** About what one of each holds, at most. */
enum { WEBSOCKET_INFLATE_BYTES = 44 * 1024, WEBSOCKET_DEFLATE_BYTES = 272 * 1024 };

/** For one message; NULL: out of memory. */
struct z_stream_s *websocket_inflate_open(void) MUST_USE;

/** Append what a piece of the payload stands for to `out`, which never holds more than `max_bytes`. */
enum websocket_inflate_result websocket_inflate_feed(struct z_stream_s *stream, const void *data,
                                                     size_t size_bytes, struct bytes *out,
                                                     size_t max_bytes);

/** The payload is complete: append the rest. */
enum websocket_inflate_result websocket_inflate_end(struct z_stream_s *stream, struct bytes *out,
                                                    size_t max_bytes);

/** NULL is allowed. */
void websocket_inflate_close(struct z_stream_s *stream);

/** For one message of that size, with a window of at most 1 << `window_bits` bytes (9 to 15). NULL: out of memory. */
struct z_stream_s *websocket_deflate_open(size_t message_bytes, unsigned window_bits) MUST_USE;

/** Give it the next piece of the message; `last`: there is no more. What comes out is for websocket_deflate_take(). */
void websocket_deflate_give(struct z_stream_s *stream, const void *data, size_t size_bytes);

/** Take up to `capacity` bytes of what is ready. Less than that: what was given is used up. The last bytes of all are
 *  the four of an empty block, which are not sent. */
size_t websocket_deflate_take(struct z_stream_s *stream, bool last, void *ret, size_t capacity);

/** NULL is allowed. */
void websocket_deflate_close(struct z_stream_s *stream);
