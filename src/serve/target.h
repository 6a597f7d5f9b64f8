/**
 * @file
 * The request-target (RFC 9112, 3.2) and the authority (RFC 9110, 4.2 and 7.2). Pure.
 */
#pragma once

#include "serve/request.h"

struct target {
    struct text origin;    /**< Path and query as sent; "*" of OPTIONS. Never empty. */
    struct text path;      /**< The part of `origin` before "?". */
    struct text query;     /**< The part behind it; empty when there is none. */
    struct text authority; /**< Of the absolute form; size 0: there was none. */
};

/** Take a target in origin form, absolute form (http and https) or, for OPTIONS, "*" apart.
 *  @return false: another form, an authority with user information, a fragment, a byte that no
 *          target has. */
bool target_split(struct text raw, bool options, struct target *ret) MUST_USE;

/** Decode the path to `ret`, which has `path.size` bytes.
 *  @return its size, or -1: bad encoding, an encoded NUL, or a segment ".." after decoding */
int64_t target_decode_path(struct text path, char *ret) MUST_USE;

/** Whether this is "host", "host:port", "[v6]" or "[v6]:port", without user information. */
bool authority_is_valid(struct text authority);
