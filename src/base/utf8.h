/**
 * @file
 * UTF-8 (RFC 3629), one character at a time. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/** How many bytes the character at the front of `text` takes (1 to 4), or 0 when there is no valid
 *  one: a stray or missing continuation, an overlong form, a surrogate, above U+10FFFF, the end.
 *  @param ret  its code point; set only when the result is not 0 */
size_t utf8_decode(const char *text, size_t size_bytes, uint32_t *ret);
