/**
 * @file
 * Which answers of a listener are compressed, and how. Pure.
 * Threads: constant.
 */
#pragma once

#include "serve/encoding.h"

struct compression {
    enum encoding offered[ENCODING_COUNT]; /**< Best first. */
    size_t offered_count;
    /** Content types: "text/html", "text/" + "*", "*+json", without case; NULL-terminated. "text/event-stream" matches
     *  by its full name only: a compressor for each of many idle streams costs more than it saves. */
    const char *const *types;
    uint64_t bytes_min; /**< A body that is known to be smaller stays as it is. */
};

struct compression_choice {
    enum encoding encoding;
    bool varies; /**< Another client would get, or may have got, another coding. */
};

/** What to do with an answer whose body has `length` bytes (UINT64_MAX: unknown). Never coded: what is in a coding
 *  already, parts, what has a digest or no-transform, and answers to HTTP/1.0. */
struct compression_choice compression_choose(const struct compression *compression,
                                             const struct request *request, unsigned status,
                                             const struct header *headers, size_t header_count,
                                             uint64_t length);

/** Whether a Content-Type, parameters and all, is among the types. */
bool compression_wants_type(const struct compression *compression, struct text type);

/** The types where the manifest names none; NULL-terminated. */
extern const char *const COMPRESSION_TYPES[];
