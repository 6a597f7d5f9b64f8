/**
 * @file
 * Requests that depend on what the client has already (RFC 9110, 13). Pure.
 */
#pragma once

#include "serve/request.h"

#include <stdint.h>

enum { VALIDATOR_BYTES = 64 };

/** What tells one state of a representation from another. */
struct validators {
    char etag[VALIDATOR_BYTES]; /**< "\"...\"", terminated; strong. */
    int64_t modified_s;         /**< Last-Modified. */
    int64_t now_s; /**< A modification within the last second may not have been the last. */
};

enum condition {
    CONDITION_HOLDS,        /**< Answer as usual. */
    CONDITION_NOT_MODIFIED, /**< 304 */
    CONDITION_FAILED,       /**< 412 */
};

/** If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since, in the order of 13.2.2, for GET and HEAD of something
 *  that exists. */
enum condition conditional_check(const struct request *request,
                                 const struct validators *validators);

/** Whether a Range header counts: If-Range is absent or names this very state (13.1.5). */
bool conditional_range_counts(const struct request *request, const struct validators *validators);
