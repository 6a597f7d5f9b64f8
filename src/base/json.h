/**
 * @file
 * Writing JSON (RFC 8259) into a buffer: text with escapes, and commas between members. Or the same for
 * people: a line "outer.inner: value" for each value.
 *
 * A writer remembers only whether a comma is due and whether memory ran out, so calls need no checks
 * of their own: json_done() tells at the end.
 */
#pragma once

#include "base/bytes.h"

enum { JSON_PREFIX_BYTES = 128 };

struct json {
    struct bytes *to;               /**< Borrowed. */
    bool lines;                     /**< The form for people. */
    bool comma;                     /**< A value stands before, in the same object or array. */
    bool failed;                    /**< Out of memory. */
    char prefix[JSON_PREFIX_BYTES]; /**< Names of what is open, for `lines`. */
    size_t prefix_bytes;
};

/** Open with '{' or '[', close with '}' or ']'. `key` NULL: none (top level, or inside an array). */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);

/** One member, or one element where `key` is NULL. Invalid UTF-8 becomes U+FFFD. */
void json_text(struct json *json, const char *key, const char *text, size_t size_bytes);
void json_string(struct json *json, const char *key, const char *text);
void json_number(struct json *json, const char *key, uint64_t number);
void json_bool(struct json *json, const char *key, bool value);

/** False: memory ran out, the text is not complete. */
bool json_done(const struct json *json) MUST_USE;
