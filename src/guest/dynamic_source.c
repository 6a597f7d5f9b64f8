#include "guest/dynamic_source.h"

#include <stdbool.h>
#include <string.h>

/* What is behind a prefix. False: it does not begin so. */
static bool behind(const void *data, size_t size_bytes, const char *prefix,
                   struct dynamic_source *ret)
{
    size_t prefix_bytes = strlen(prefix);
    if (size_bytes < prefix_bytes || memcmp(data, prefix, prefix_bytes) != 0) {
        return false;
    }
    ret->text = (const char *)data + prefix_bytes;
    ret->text_bytes = size_bytes - prefix_bytes;
    return true;
}

static int digit_value(char digit)
{
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
           : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                          : -1;
}

static bool read_digest(struct dynamic_source *source)
{
    if (source->text_bytes != (size_t)2 * DYNAMIC_DIGEST_BYTES) {
        return false;
    }
    for (size_t i = 0; i < DYNAMIC_DIGEST_BYTES; i++) {
        int high = digit_value(source->text[2 * i]), low = digit_value(source->text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        source->digest[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static bool names_a_key(const struct dynamic_source *source)
{
    const char *slash = memchr(source->text, '/', source->text_bytes);
    return slash != NULL && slash > source->text && slash + 1 < source->text + source->text_bytes;
}

struct dynamic_source dynamic_source_parse(const void *data, size_t size_bytes)
{
    static const char magic[] = {'\0', 'a', 's', 'm'};
    struct dynamic_source source = {.kind = DYNAMIC_MALFORMED};
    if (size_bytes >= sizeof magic && memcmp(data, magic, sizeof magic) == 0) {
        source.kind = size_bytes > DYNAMIC_SOURCE_BYTES_MAX ? DYNAMIC_TOO_LARGE : DYNAMIC_WASM;
    } else if (behind(data, size_bytes, "url:", &source)) {
        source.kind = source.text_bytes > 0 ? DYNAMIC_URL : DYNAMIC_MALFORMED;
    } else if (behind(data, size_bytes, "sha256:", &source)) {
        source.kind = read_digest(&source) ? DYNAMIC_DIGEST : DYNAMIC_MALFORMED;
    } else if (behind(data, size_bytes, "kv:", &source)) {
        source.kind = names_a_key(&source) ? DYNAMIC_STORE : DYNAMIC_MALFORMED;
    }
    return source;
}
