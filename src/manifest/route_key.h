/**
 * @file
 * The left side of a route: "GET /users/:id". Pure.
 *
 * A path is written as a person reads it, decoded: "/caf\u00e9", not "/caf%C3%A9". ":name" takes one whole
 * segment, a last segment "*" takes the rest.
 */
#pragma once

#include "base/err.h"

enum { ROUTE_METHOD_BYTES = 32 };

struct route_key {
    char method[ROUTE_METHOD_BYTES]; /**< A token of RFC 9110 in capitals, or "*" for any. */
    const char *pattern;             /**< Points into the text that was parsed. */
};

/** Take `text` apart and check it. False: ERR_INPUT; what is wrong, and what to write. */
bool route_key_parse(const char *text, struct route_key *ret, struct err *err) MUST_USE;

/** A method that was probably meant by an unusual one ("GTE"), or NULL. */
const char *route_key_suggest(const char *method);
