/**
 * @file
 * Which content coding suits a client: the negotiation of RFC 9110, 12.5.3. Pure.
 */
#pragma once

#include "serve/request.h"

enum encoding { ENCODING_IDENTITY, ENCODING_GZIP, ENCODING_BROTLI };

enum { ENCODING_COUNT = 3 };

/** "gzip", "br", "identity": as in Content-Encoding. */
const char *encoding_name(enum encoding encoding);

/** The coding of that name, or ENCODING_IDENTITY. */
enum encoding encoding_of_name(const char *name);

/**
 * The best of `offered` for the client.
 *
 * That is the one with the highest weight in Accept-Encoding, of equals the first offered. "*" stands for all that are
 * not named, "x-gzip" for "gzip". Nothing offered is wanted, "identity" weighs more, or there is no such header:
 * ENCODING_IDENTITY, which also answers a client that would have nothing ("identity;q=0"). An element that is
 * malformed counts as not there; of two for one coding the later counts.
 */
enum encoding encoding_choose(const struct header *headers, size_t header_count,
                              const enum encoding *offered, size_t offered_count);
