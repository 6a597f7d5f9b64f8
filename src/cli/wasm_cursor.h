/**
 * @file
 * Reading the binary format of WebAssembly from its begin to its end. What is not there is remembered: everything after
 * it reads as zero, so that callers ask once, at the end.
 * https://webassembly.github.io/spec/core/binary/
 *
 * Threads: any; a cursor is its owner's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LEB_BYTES_MAX = 5 /**< Of 32 bits. */ };

/** What is left to read. `failed`: something was not there; everything after that reads as zero. */
struct cursor {
    const uint8_t *at, *end;
    bool failed;
};

struct cursor cursor_failed(void);

/** Bytes that are left. */
size_t cursor_left(const struct cursor *cursor);

/** All was read, and all was there. */
bool cursor_done(const struct cursor *cursor);

/** The next `size` bytes, as something to read of its own. */
struct cursor cursor_take(struct cursor *cursor, size_t size);

uint8_t cursor_byte(struct cursor *cursor);

/** An unsigned LEB128 of at most 32 bits. */
uint32_t cursor_number(struct cursor *cursor);

/** A signed LEB128 of at most `bytes_max` bytes, which is 10 for 64 bits. */
int64_t cursor_signed(struct cursor *cursor, unsigned bytes_max);

/** A size and so many bytes. */
struct cursor cursor_name(struct cursor *cursor);
