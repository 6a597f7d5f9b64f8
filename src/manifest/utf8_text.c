#include "manifest/utf8_text.h"

#include <string.h>

bool utf8_text_valid(const char *text, size_t size_bytes)
{
    uint32_t ignored;

    for (size_t at = 0; at < size_bytes;) {
        size_t length = utf8_decode(text + at, size_bytes - at, &ignored);
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}

size_t utf8_text_length(const char *text)
{
    size_t size = strlen(text), count = 0;
    uint32_t ignored;

    for (size_t at = 0; at < size; count++) {
        size_t length = utf8_decode(text + at, size - at, &ignored);
        at += length == 0 ? 1 : length;
    }
    return count;
}

static bool is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0);
}

bool utf8_text_show(struct bytes *ret, const char *text, size_t max_bytes)
{
    size_t size = strlen(text), start = ret->size;
    bool fits = true;

    for (size_t at = 0; fits && at < size && ret->size - start < max_bytes;) {
        uint32_t character;
        size_t length = utf8_decode(text + at, size - at, &character);
        if (length == 0 || is_control(character)) {
            fits = bytes_printf(ret, "\\x%02x", (unsigned char)text[at]);
            at++;
        } else {
            fits = bytes_append(ret, text + at, length);
            at += length;
        }
    }
    return fits;
}

bool utf8_text_json(struct bytes *ret, const char *text)
{
    size_t size = strlen(text);
    bool fits = bytes_append(ret, "\"", 1);

    for (size_t at = 0; fits && at < size;) {
        uint32_t character;
        size_t length = utf8_decode(text + at, size - at, &character);
        if (length == 0) {
            fits = bytes_printf(ret, "\\ufffd");
            length = 1;
        } else if (is_control(character)) {
            fits = bytes_printf(ret, "\\u%04x", character);
        } else if (character == '"' || character == '\\') {
            fits = bytes_printf(ret, "\\%c", (char)character);
        } else {
            fits = bytes_append(ret, text + at, length);
        }
        at += length;
    }
    return fits && bytes_append(ret, "\"", 1);
}
