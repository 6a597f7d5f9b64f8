#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *data, size_t size_bytes, char *ret)
{
    const uint8_t *from = data;
    for (; size_bytes >= 3; size_bytes -= 3, from += 3) {
        uint32_t bits = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
        *ret++ = alphabet[bits >> 18];
        *ret++ = alphabet[bits >> 12 & 63];
        *ret++ = alphabet[bits >> 6 & 63];
        *ret++ = alphabet[bits & 63];
    }
    if (size_bytes == 0) {
        return;
    }
    uint32_t bits = (uint32_t)from[0] << 16 | (size_bytes == 2 ? (uint32_t)from[1] << 8 : 0);
    *ret++ = alphabet[bits >> 18];
    *ret++ = alphabet[bits >> 12 & 63];
    *ret++ = size_bytes == 2 ? alphabet[bits >> 6 & 63] : '=';
    *ret = '=';
}

enum { NO_DIGIT = 64 };

static uint32_t digit_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (uint32_t)(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return (uint32_t)(c - 'a') + 26;
    }
    if (c >= '0' && c <= '9') {
        return (uint32_t)(c - '0') + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : NO_DIGIT;
}

bool base64_decode(const char *text, size_t size, uint8_t *ret, size_t *ret_size)
{
    if (size % 4 != 0) {
        return false;
    }
    size_t padding = size == 0 ? 0 : text[size - 2] == '=' ? 2 : text[size - 1] == '=' ? 1 : 0;
    size_t written = 0;
    for (size_t at = 0; at < size; at += 4) {
        size_t digits = at + 4 == size ? 4 - padding : 4;
        uint32_t bits = 0, wrong = 0;
        for (size_t i = 0; i < 4; i++) {
            uint32_t digit = i < digits            ? digit_of(text[at + i])
                             : text[at + i] == '=' ? 0
                                                   : NO_DIGIT;
            wrong |= digit & NO_DIGIT;
            bits = bits << 6 | (digit & 63);
        }
        uint32_t unused = digits == 4 ? 0 : digits == 3 ? 0xff : 0xffff;
        if (wrong != 0 || (bits & unused) != 0) {
            return false;
        }
        ret[written++] = (uint8_t)(bits >> 16);
        if (digits > 2) {
            ret[written++] = (uint8_t)(bits >> 8);
        }
        if (digits > 3) {
            ret[written++] = (uint8_t)bits;
        }
    }
    *ret_size = written;
    return true;
}
