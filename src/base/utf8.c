#include "base/utf8.h"

#include <string.h>

size_t utf8_decode(const char *text, size_t size_bytes, uint32_t *ret)
{
    static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (size_bytes == 0) {
        return 0;
    }
    unsigned char first = (unsigned char)text[0];
    if (first < 0x80) {
        *ret = first;
        return 1;
    }
    size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || length > size_bytes) {
        return 0;
    }
    uint32_t value = first & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        if ((byte & 0xc0U) != 0x80) {
            return 0;
        }
        value = value << 6 | (byte & 0x3fU);
    }
    if (value < smallest[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
        return 0;
    }
    *ret = value;
    return length;
}

/* The first byte of a character of several: how many follow, and what the next one may be (RFC 3629, 4). */
static bool begin_character(struct utf8_check *check, uint8_t first)
{
    if (first < 0xc2 || first > 0xf4) {
        return false;
    }
    check->left = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    check->low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    check->high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    return true;
}

bool utf8_check_feed(struct utf8_check *check, const void *data, size_t size_bytes)
{
    if (size_bytes == 0) {
        return true; /* Of no address, perhaps, to which C adds nothing, not even 0. */
    }
    const uint8_t *at = data, *end = at + size_bytes;
    while (at < end) {
        if (check->left > 0) {
            if (*at < check->low || *at > check->high) {
                return false;
            }
            check->left--;
            check->low = 0x80;
            check->high = 0xbf;
            at++;
        } else if (*at >= 0x80) {
            if (!begin_character(check, *at++)) {
                return false;
            }
        } else {
            uint64_t eight = 0;
            while (end - at >= 8 && (memcpy(&eight, at, 8), (eight & 0x8080808080808080U) == 0)) {
                at += 8;
            }
            while (at < end && *at < 0x80) {
                at++;
            }
        }
    }
    return true;
}
