/**
 * @file
 * One body being compressed, by zlib or brotli: bytes in, bytes out, and at the end of every piece
 * all of it is out, so that whoever reads can read so far.
 *
 * Life:    compressor_create() -> compressor_feed() ... -> compressor_destroy(), at any time.
 * Threads: one at a time.
 */
#pragma once

#include "base/bytes.h"
#include "serve/encoding.h"

struct compressor;

enum {
    COMPRESSOR_BITE = 8 * 1024, /**< What one call should be given at most: about 0.2 ms. */
    COMPRESSOR_TAIL_BYTES = 64, /**< More than an end without data produces. */
};

/**
 * @param encoding  not ENCODING_IDENTITY
 * @param length    of the whole body, or UINT64_MAX: a small one needs less memory
 * @return NULL: out of memory
 */
struct compressor *compressor_create(enum encoding encoding, uint64_t length) MUST_USE;

/** NULL is allowed. */
void compressor_destroy(struct compressor *compressor);
DEFINE_AUTO_DESTROY(compressor)

/** Append what `data` becomes: at most compressor_bound() bytes. `end`: nothing follows. False: out of memory;
 *  it cannot be used any more. */
bool compressor_feed(struct compressor *compressor, const void *data, size_t size_bytes, bool end,
                     struct bytes *out) MUST_USE;

/** Append what every body begins with, so that other blocks may follow. Before anything else; at most
 *  COMPRESSOR_TAIL_BYTES. False: out of memory. */
bool compressor_begin(struct compressor *compressor, struct bytes *out) MUST_USE;

/** The most that a piece of that size becomes, without the end. */
static inline size_t compressor_bound(size_t size_bytes)
{
    return size_bytes + size_bytes / 8 + size_bytes / 64 + 128;
}

/** Memory that it holds now. */
size_t compressor_held_bytes(const struct compressor *compressor);

/** About what one for a long body will hold. */
size_t compressor_cost_bytes(enum encoding encoding);
