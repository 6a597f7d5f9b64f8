/**
 * @file
 * UTF-8 (RFC 3629), one character at a time. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** How many bytes the character at the front of `text` takes (1 to 4), or 0 when there is no valid
 *  one: a stray or missing continuation, an overlong form, a surrogate, above U+10FFFF, the end.
 *  @param ret  its code point; set only when the result is not 0 */
size_t utf8_decode(const char *text, size_t size_bytes, uint32_t *ret);

/** A check of text that comes in pieces, cut anywhere. Zeroed: nothing was fed. */
struct utf8_check {
    uint8_t left;      /**< Bytes that the character under way still needs. */
    uint8_t low, high; /**< What its next byte must be within. */
};

/** Whether the text is valid so far; after false the check is over. `data` may be NULL where `size_bytes` is 0. */
bool utf8_check_feed(struct utf8_check *check, const void *data, size_t size_bytes);

/** Whether the text may end here: not within a character. */
static inline bool utf8_check_is_whole(const struct utf8_check *check)
{
    return check->left == 0;
}
