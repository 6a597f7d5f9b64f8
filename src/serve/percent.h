/**
 * @file
 * Percent-encoded text (RFC 3986, 2.1), read one decoded byte at a time. Pure.
 */
#pragma once

#include "serve/request.h"

enum {
    PERCENT_END = -1,
    PERCENT_BAD = -2, /**< "%" without two hexadecimal digits; every later call says so again. */
};

struct percent_reader {
    struct text rest;
    bool plus_is_space; /**< As forms do in the query. */
};

static inline struct percent_reader percent_begin(struct text text, bool plus_is_space)
{
    return (struct percent_reader){text, plus_is_space};
}

/** The next byte (0 to 255), or PERCENT_END, or PERCENT_BAD. */
int percent_next(struct percent_reader *reader);

/** Decode a piece of a path to `ret`, which has `text.size` bytes.
 *  @return the decoded size, or -1: bad encoding, or an encoded NUL */
int64_t percent_decode_path(struct text text, char *ret);
