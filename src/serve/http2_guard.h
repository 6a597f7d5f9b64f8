/**
 * @file
 * How much trouble one HTTP/2 client may make: what is cheap to send and dear to take (RFC 9113, 10.5)
 * is paid for with tokens that come back with time. Pure.
 *
 * Three counts: streams that end in an error or are reset by the client (Rapid Reset, and MadeYouReset,
 * where the server is brought to reset them itself); frames that move nothing (SETTINGS, PING, PRIORITY,
 * WINDOW_UPDATE, empty DATA and the like), of which those that an honest client needs are earned by what
 * is sent to it; CONTINUATION frames of one header block.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP2_ERRORS_BURST = 200,
    HTTP2_ERRORS_PER_S = 50,
    HTTP2_FRAMES_BURST = 1000,
    HTTP2_FRAMES_PER_S = 100,
    HTTP2_CONTINUATIONS_MAX = 7,
};

/** Tokens up to a burst, and back at a rate. */
struct http2_bucket {
    uint64_t taken_ns; /**< Up to when what came back was counted in. */
    uint32_t tokens;
};

struct http2_guard {
    struct http2_bucket errors, frames;
    unsigned continuations;
};

void http2_guard_init(struct http2_guard *guard, uint64_t now_ns);

/** A frame begins. NULL, or why it is one too many: constant text. */
const char *http2_guard_frame(struct http2_guard *guard, uint8_t type, uint8_t flags,
                              size_t length_bytes, uint64_t now_ns);

/** A frame that began as one that moves something did not. NULL, or why it is one too many: constant text. */
const char *http2_guard_idle(struct http2_guard *guard, uint64_t now_ns);

/** A stream ended in an error. NULL, or why it is one too many: constant text. */
const char *http2_guard_error(struct http2_guard *guard, uint64_t now_ns);

/** Something was sent that the client may well answer with a frame or two. */
void http2_guard_earn(struct http2_guard *guard);
