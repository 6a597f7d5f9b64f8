#include "serve/compression.h"

#include "serve/field.h"

#include <string.h>

const char *const COMPRESSION_TYPES[] = {
    "text/*",
    "application/json",
    "application/javascript",
    "application/xml",
    "application/wasm",
    "application/manifest+json",
    "*+json",
    "*+xml",
    "font/ttf",
    "font/otf",
    NULL,
};

static bool ends_with(struct text text, const char *tail)
{
    size_t size = strlen(tail);
    return text.size >= size &&
           text_equal_nocase((struct text){text.data + text.size - size, size}, tail, size);
}

static bool type_fits(struct text type, const char *pattern)
{
    size_t size = strlen(pattern);
    if (pattern[0] == '*') {
        return ends_with(type, pattern + 1);
    }
    if (size > 0 && pattern[size - 1] == '*') {
        return type.size >= size &&
               text_equal_nocase((struct text){type.data, size - 1}, pattern, size - 1) &&
               !text_equal_nocase(type, "text/event-stream", 17);
    }
    return text_equal_nocase(type, pattern, size);
}

bool compression_wants_type(const struct compression *compression, struct text type)
{
    const char *semicolon = memchr(type.data, ';', type.size);
    if (semicolon != NULL) {
        type.size = (size_t)(semicolon - type.data);
    }
    type = field_trim(type);
    for (const char *const *pattern = compression->types; *pattern != NULL; pattern++) {
        if (type_fits(type, *pattern)) {
            return true;
        }
    }
    return false;
}

static bool forbids(const struct header *header)
{
    static const struct text names[] = {
        {"content-encoding", 16}, {"content-range", 13}, {"content-digest", 14},
        {"repr-digest", 11},      {"digest", 6},         {"content-md5", 11},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (text_equal_nocase(header->name, names[i].data, names[i].size)) {
            return true;
        }
    }
    return text_equal_nocase(header->name, "cache-control", 13) &&
           field_list_has(header->value, "no-transform", 12);
}

struct compression_choice compression_choose(const struct compression *compression,
                                             const struct request *request, unsigned status,
                                             const struct header *headers, size_t header_count,
                                             uint64_t length)
{
    struct compression_choice choice = {ENCODING_IDENTITY, false};
    if (status == 304) {
        choice.varies = true; /* It speaks for a 200 whose type is not said again. */
        return choice;
    }
    if (status < 200 || status == 204 || status == 205 || status == 206 ||
        (length != UINT64_MAX && length < compression->bytes_min)) {
        return choice;
    }
    bool wanted = false;
    for (size_t i = 0; i < header_count; i++) {
        if (forbids(&headers[i])) {
            return choice;
        }
        wanted = wanted || (text_equal_nocase(headers[i].name, "content-type", 12) &&
                            compression_wants_type(compression, headers[i].value));
    }
    if (!wanted) {
        return choice;
    }
    choice.varies = true;
    if (request->minor_version > 0) {
        choice.encoding = encoding_choose(request->headers, request->header_count,
                                          compression->offered, compression->offered_count);
    }
    return choice;
}
