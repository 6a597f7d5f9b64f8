#include "serve/request.h"

#include "serve/percent.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void request_reset(struct request *request)
{
    /* Only what a parser does not set anyway. */
    struct bytes arena = request->arena;
    struct bytes spans = request->spans;
    free(request->subject);
    memset(request, 0, offsetof(struct request, id));
    request->id[0] = 0;
    bytes_clear(&arena);
    bytes_clear(&spans);
    request->arena = arena;
    request->spans = spans;
}

void request_fini(struct request *request)
{
    free(request->subject);
    request->subject = NULL;
    bytes_fini(&request->arena);
    bytes_fini(&request->spans);
}

bool request_append(struct request *request, struct span *span, const void *data, size_t size_bytes)
{
    size_t end = request->arena.size;
    if (span->size == 0) {
        span->offset = (uint32_t)end;
    }
    INVARIANT(span->offset + span->size == end);
    if (!bytes_append(&request->arena, data, size_bytes)) {
        return false;
    }
    span->size += (uint32_t)size_bytes;
    return true;
}

struct header_span *request_add_header(struct request *request)
{
    static const struct header_span empty = {0};
    if (!bytes_append(&request->spans, &empty, sizeof(empty))) {
        return NULL;
    }
    request->header_count++;
    return (struct header_span *)(void *)request->spans.data + request->header_count - 1;
}

struct text request_text(const struct request *request, struct span span)
{
    return (struct text){(const char *)request->arena.data + span.offset, span.size};
}

static struct text trimmed(struct text text)
{
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
        text.size--;
    }
    return text;
}

static void arena_align(struct bytes *arena, size_t alignment)
{
    uintptr_t end = (uintptr_t)arena->data + arena->size;
    arena->size += (size_t)(-end & (alignment - 1));
}

size_t request_target_room(struct text target)
{
    size_t segments = 0;
    for (size_t i = 0; i < target.size; i++) {
        segments += target.data[i] == '/';
    }
    /* A parameter is a segment, or the rest of the path. */
    size_t params = segments < REQUEST_PARAMS_MAX ? segments : REQUEST_PARAMS_MAX;
    return 2 * target.size + params * sizeof(struct param) + alignof(struct param);
}

bool request_seal(struct request *request, size_t room)
{
    size_t count = request->header_count;
    size_t table_bytes = count * sizeof(struct header);
    if (!bytes_reserve_last(&request->arena, table_bytes + alignof(struct header) + room)) {
        return false;
    }
    arena_align(&request->arena, alignof(struct header));
    struct header *headers = (struct header *)(void *)request_take_room(request, table_bytes);
    const struct header_span *spans = (const struct header_span *)(const void *)request->spans.data;
    for (size_t i = 0; i < count; i++) {
        headers[i].name = request_text(request, spans[i].name);
        headers[i].value = trimmed(request_text(request, spans[i].value));
    }
    request->headers = headers;
    return true;
}

char *request_take_room(struct request *request, size_t size_bytes)
{
    struct bytes *arena = &request->arena;
    size_t used = (size_t)(arena->data - arena->storage) + arena->size;
    INVARIANT(size_bytes <= arena->capacity - used);
    char *room = (char *)arena->data + arena->size;
    arena->size += size_bytes;
    return room;
}

struct param *request_take_params(struct request *request, size_t count)
{
    arena_align(&request->arena, alignof(struct param));
    struct param *params = (struct param *)(void *)request_take_room(request,
                                                                     count * sizeof *params);
    request->params = params;
    request->param_count = count;
    return params;
}

const struct header *request_header(const struct request *request, const char *name,
                                    size_t name_bytes)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (text_equal_nocase(request->headers[i].name, name, name_bytes)) {
            return &request->headers[i];
        }
    }
    return NULL;
}

/* Whether the encoded text stands for `name`. */
static bool names_equal(struct text encoded, const char *name, size_t name_bytes)
{
    struct percent_reader reader = percent_begin(encoded, true);
    size_t at = 0;
    int byte;
    while ((byte = percent_next(&reader)) >= 0) {
        if (at == name_bytes || (unsigned char)name[at] != byte) {
            return false;
        }
        at++;
    }
    return byte == PERCENT_END && at == name_bytes;
}

static int64_t value_copy(struct text encoded, char *ret, size_t capacity)
{
    struct percent_reader reader = percent_begin(encoded, true);
    size_t size = 0;
    int byte;
    while ((byte = percent_next(&reader)) >= 0) {
        if (size < capacity) {
            ret[size] = (char)byte;
        }
        size++;
    }
    return byte == PERCENT_END ? (int64_t)size : -1;
}

int64_t request_query_value(const struct request *request, const char *name, size_t name_bytes,
                            char *ret, size_t capacity)
{
    struct text rest = request->query;
    while (rest.size > 0) {
        const char *end = memchr(rest.data, '&', rest.size);
        size_t size = end == NULL ? rest.size : (size_t)(end - rest.data);
        const char *equals = memchr(rest.data, '=', size);
        size_t key_size = equals == NULL ? size : (size_t)(equals - rest.data);
        if (names_equal((struct text){rest.data, key_size}, name, name_bytes)) {
            size_t skip = equals == NULL ? size : key_size + 1;
            return value_copy((struct text){rest.data + skip, size - skip}, ret, capacity);
        }
        size_t step = end == NULL ? size : size + 1;
        rest.data += step;
        rest.size -= step;
    }
    return -1;
}

bool text_equal(struct text a, const char *b)
{
    size_t size = strlen(b);
    return a.size == size && memcmp(a.data, b, size) == 0;
}

bool text_equal_nocase(struct text a, const char *b, size_t b_bytes)
{
    /* The locale is C: nobody calls setlocale(). */
    return a.size == b_bytes && strncasecmp(a.data, b, b_bytes) == 0;
}
