/**
 * @file
 * Reading JSON (RFC 8259) from bytes: nothing is built, nothing allocated; what is found are places in the text.
 *
 * json_read() looks at all of it once, so everything else is for values that it has found: they are well-formed.
 */
#pragma once

#include "base/bytes.h"

/** How deep arrays and objects may lie in each other. */
enum { JSON_DEPTH_MAX = 64 };

enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

/** A value as it stands in the text. */
struct json_value {
    enum json_kind kind;
    const char *text; /**< Borrowed. */
    size_t size;
};

/** The one value that a text is. False: it is no JSON, no UTF-8, or too deep. */
bool json_read(const void *text, size_t size_bytes, struct json_value *ret) MUST_USE;

/** Goes through an array or an object. Zeroed but for `of`. */
struct json_walk {
    struct json_value of;
    size_t at;
};

/** The next element or member. `ret_key` (a string; NULL: not wanted) is for objects. False: that was all. */
bool json_next(struct json_walk *walk, struct json_value *ret_key, struct json_value *ret) MUST_USE;

/** The member of that name, the last one if there are several; keys that are written with escapes are not compared. False:
 *  there is none, or it is no object. */
bool json_find(const struct json_value *object, const char *key, struct json_value *ret) MUST_USE;

/** A number that is a whole one, from 0 to `max`, written without point and exponent. */
bool json_whole(const struct json_value *value, uint64_t max, uint64_t *ret) MUST_USE;

/** Append what a string says. False: out of memory. Halves of surrogate pairs become U+FFFD. */
bool json_append_string(const struct json_value *string, struct bytes *to) MUST_USE;
