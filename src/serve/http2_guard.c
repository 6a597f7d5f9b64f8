#include "serve/http2_guard.h"

#include <nghttp2/nghttp2.h>

enum { SECOND_NS = 1000000000, FULL_AGAIN_S = 60, EARNED = 2 };

/* False: there is none left. */
static bool take(struct http2_bucket *bucket, uint32_t burst, uint32_t per_s, uint64_t now_ns)
{
    uint64_t token_ns = SECOND_NS / per_s;
    uint64_t passed_ns = now_ns - bucket->taken_ns;
    uint64_t back = passed_ns / token_ns;
    if (passed_ns > (uint64_t)FULL_AGAIN_S * SECOND_NS || bucket->tokens + back >= burst) {
        bucket->tokens = burst;
        bucket->taken_ns = now_ns;
    } else {
        bucket->tokens += (uint32_t)back;
        bucket->taken_ns += back * token_ns;
    }
    if (bucket->tokens == 0) {
        return false;
    }
    bucket->tokens--;
    return true;
}

void http2_guard_init(struct http2_guard *guard, uint64_t now_ns)
{
    *guard = (struct http2_guard){
        .errors = {.taken_ns = now_ns, .tokens = HTTP2_ERRORS_BURST},
        .frames = {.taken_ns = now_ns, .tokens = HTTP2_FRAMES_BURST},
    };
}

/* Whether the frame carries something of a request on. */
static bool moves(uint8_t type, uint8_t flags, size_t length_bytes)
{
    switch (type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION: /* Has a count of its own. */
    case NGHTTP2_RST_STREAM:   /* The same. */
        return true;
    case NGHTTP2_DATA:
        return length_bytes > 0 || (flags & NGHTTP2_FLAG_END_STREAM) != 0;
    default:
        return false;
    }
}

const char *http2_guard_frame(struct http2_guard *guard, uint8_t type, uint8_t flags,
                              size_t length_bytes, uint64_t now_ns)
{
    if (type == NGHTTP2_CONTINUATION) {
        guard->continuations++;
        return guard->continuations > HTTP2_CONTINUATIONS_MAX ? "too many CONTINUATION frames"
                                                              : NULL;
    }
    guard->continuations = 0;
    return moves(type, flags, length_bytes) ? NULL : http2_guard_idle(guard, now_ns);
}

const char *http2_guard_idle(struct http2_guard *guard, uint64_t now_ns)
{
    return take(&guard->frames, HTTP2_FRAMES_BURST, HTTP2_FRAMES_PER_S, now_ns)
               ? NULL
               : "too many frames that move nothing";
}

const char *http2_guard_error(struct http2_guard *guard, uint64_t now_ns)
{
    return take(&guard->errors, HTTP2_ERRORS_BURST, HTTP2_ERRORS_PER_S, now_ns)
               ? NULL
               : "too many streams end in an error";
}

void http2_guard_earn(struct http2_guard *guard)
{
    uint32_t room = HTTP2_FRAMES_BURST - guard->frames.tokens;
    guard->frames.tokens += room < EARNED ? room : EARNED;
}
