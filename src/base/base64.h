/**
 * @file
 * Base64 with the usual alphabet and padding (RFC 4648, 4). Pure.
 */
#pragma once

#include "base/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Characters that so many bytes become. */
static inline size_t base64_encoded_size(size_t size_bytes)
{
    return (size_bytes + 2) / 3 * 4;
}

/** Write base64_encoded_size() characters. To encode a text in pieces, give all of them but the last a multiple of three. */
void base64_encode(const void *data, size_t size_bytes, char *ret);

/** Decode all of it. `ret` has room for `size` / 4 * 3 bytes, and may be where the text is. False: a character, a length or a
 *  padding that is wrong, or bits that no byte takes. */
bool base64_decode(const char *text, size_t size, uint8_t *ret, size_t *ret_size) MUST_USE;
