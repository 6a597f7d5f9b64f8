/**
 * @file
 * What a listener does to every answer on its way out: compression and the headers for pages of other origins.
 * Known to exchanges and sites.
 * Threads: constant.
 */
#pragma once

#include "serve/compression.h"
#include "serve/cors.h"
#include "serve/field.h"

struct shaping {
    const struct compression *compression; /**< NULL: none. */
    const struct cors *cors;               /**< Likewise. */
};

/** Where the lines of a head go. */
struct shaped_lines {
    struct bytes *content;
    size_t max_bytes;
    bool has_date, has_server; /**< The answer has its own. */
    bool out_of_memory;        /**< Why it was false. */
};

/** Append the header lines of an answer as they are. False: one may not be sent, or there are too many. */
bool shaping_add_plain(struct shaped_lines *lines, const struct header *headers,
                       size_t header_count) MUST_USE;

/** The same, changed for the coding: Content-Encoding, Vary, a weak ETag, no Accept-Ranges; and for the request's
 *  origin, where what the answer itself says of origins does not count. */
bool shaping_add_lines(const struct shaping *shaping, const struct request *request,
                       struct compression_choice choice, struct shaped_lines *lines,
                       const struct header *headers, size_t header_count) MUST_USE;
