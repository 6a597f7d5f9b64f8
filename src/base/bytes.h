/**
 * @file
 * A growable run of bytes: append at the end, consume at the front.
 *
 * Life:    zeroed = empty; bytes_fini() (or AUTO(bytes_finip)) frees it and leaves it empty again.
 * Threads: none of its own; whoever owns it serialises.
 */
#pragma once

#include "base/err.h"

#include <stdint.h>

struct bytes {
    uint8_t *data;    /**< First unconsumed byte, NULL only when nothing was ever appended. */
    size_t size;      /**< Unconsumed bytes at `data`. */
    uint8_t *storage; /**< What malloc gave; `data` points into it. */
    size_t capacity;  /**< Bytes at `storage`. */
};

/** Free the storage; NULL and zeroed buffers are fine. */
void bytes_fini(struct bytes *bytes);
static inline void bytes_finip(struct bytes *bytes)
{
    bytes_fini(bytes);
}

/** Drop the content, keep the storage for reuse. */
void bytes_clear(struct bytes *bytes);

/** Make room for `more` bytes behind the content. False: out of memory, nothing changed. */
bool bytes_reserve(struct bytes *bytes, size_t more) MUST_USE;

/** The same for the last time: where it has to grow, by no more than that. */
bool bytes_reserve_last(struct bytes *bytes, size_t more) MUST_USE;

/** Append a copy. False: out of memory, nothing changed. */
bool bytes_append(struct bytes *bytes, const void *data, size_t size_bytes) MUST_USE;

/** Append text with printf's rules, without its terminating zero. False: out of memory. */
bool bytes_printf(struct bytes *bytes, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_USE;

/** Append the zero byte that makes `data` a C string, without counting it. False: out of memory. */
bool bytes_terminate(struct bytes *bytes) MUST_USE;

/** Drop `size_bytes` (at most `size`) from the front. Constant time. */
void bytes_consume(struct bytes *bytes, size_t size_bytes);

/** Read a whole file of at most `max_bytes` into an empty buffer.
 *  @return false: ERR_NOT_FOUND, ERR_OS, ERR_LIMIT (larger than that); text begins "read PATH". */
bool bytes_read_file(struct bytes *bytes, const char *path, size_t max_bytes, struct err *err)
    MUST_USE;
