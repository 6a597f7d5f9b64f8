#include "serve/cors.h"

#include <string.h>

static struct text text_of(const char *text)
{
    return (struct text){text, strlen(text)};
}

static bool allows_all(const struct cors *cors)
{
    for (const char *const *origin = cors->origins; *origin != NULL; origin++) {
        if (strcmp(*origin, "*") == 0) {
            return true;
        }
    }
    return false;
}

/* Scheme and host compare without case, though a browser sends them small; "*." stands for labels. */
static bool origin_fits(struct text origin, const char *pattern)
{
    const char *star = strstr(pattern, "://*.");
    if (star == NULL) {
        return text_equal_nocase(origin, pattern, strlen(pattern));
    }
    size_t scheme = (size_t)(star - pattern) + 3;
    const char *tail = star + 4; /* ".a.example" */
    size_t tail_size = strlen(tail);
    if (origin.size <= scheme + tail_size) {
        return false;
    }
    struct text end = {origin.data + origin.size - tail_size, tail_size};
    struct text labels = {origin.data + scheme, origin.size - scheme - tail_size};
    for (size_t i = 0; i < labels.size; i++) {
        char byte = labels.data[i];
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_';
        if (!plain) {
            return false;
        }
    }
    return text_equal_nocase((struct text){origin.data, scheme}, pattern, scheme) &&
           text_equal_nocase(end, tail, tail_size);
}

struct text cors_origin(const struct cors *cors, const struct request *request)
{
    const struct header *header = request_header(request, "origin", 6);
    if (header == NULL || header->value.size == 0) {
        return (struct text){0};
    }
    for (const char *const *origin = cors->origins; *origin != NULL; origin++) {
        if (strcmp(*origin, "*") == 0 || origin_fits(header->value, *origin)) {
            return header->value;
        }
    }
    return (struct text){0};
}

bool cors_varies(const struct cors *cors)
{
    return !allows_all(cors);
}

bool cors_is_preflight(const struct request *request)
{
    return request->method == METHOD_OPTIONS && request_header(request, "origin", 6) != NULL &&
           request_header(request, "access-control-request-method", 29) != NULL;
}

static size_t add(struct header *ret, size_t count, const char *name, struct text value)
{
    if (value.size > 0) {
        ret[count++] = (struct header){.name = text_of(name), .value = value};
    }
    return count;
}

size_t cors_headers(const struct cors *cors, struct text origin,
                    struct header ret[CORS_HEADERS_MAX])
{
    size_t count = add(ret, 0, "Access-Control-Allow-Origin",
                       allows_all(cors) ? text_of("*") : origin);
    if (cors->credentials) {
        count = add(ret, count, "Access-Control-Allow-Credentials", text_of("true"));
    }
    return add(ret, count, "Access-Control-Expose-Headers", text_of(cors->expose));
}

size_t cors_preflight_headers(const struct cors *cors, struct header ret[CORS_HEADERS_MAX])
{
    size_t count = add(ret, 0, "Access-Control-Allow-Methods", text_of(cors->methods));
    count = add(ret, count, "Access-Control-Allow-Headers", text_of(cors->headers));
    return add(ret, count, "Access-Control-Max-Age", text_of(cors->max_age));
}
