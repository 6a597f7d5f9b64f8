/* The head of an answer, line by line. */
#include "guest/fetch_internal.h"

#include "base/token.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool fetch_field_is_valid(const struct fetch_field *field)
{
    return token_is_valid(field->name, field->name_bytes) &&
           token_is_value(field->value, field->value_bytes);
}

bool fetch_field_is(const struct fetch_field *field, const char *name)
{
    return strlen(name) == field->name_bytes &&
           strncasecmp(name, field->name, field->name_bytes) == 0;
}

/* RFC 9110, 7.6.1; it was dealt with there. */
bool fetch_field_is_of_connection(const struct fetch_field *field)
{
    static const char *const names[] = {"connection", "keep-alive", "proxy-connection",
                                        "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (fetch_field_is(field, names[i])) {
            return true;
        }
    }
    return false;
}

static bool reserve(struct fetch_lines *lines, size_t more)
{
    if (lines->text_capacity - lines->text_bytes < more) {
        size_t capacity = lines->text_capacity * 2 + more + 512;
        char *text = realloc(lines->text, capacity);
        if (text == NULL) {
            return false;
        }
        lines->text = text;
        lines->text_capacity = capacity;
    }
    if (lines->count == lines->capacity) {
        size_t capacity = lines->capacity == 0 ? 16 : lines->capacity * 2;
        struct fetch_field *fields = realloc(lines->fields, capacity * sizeof *fields);
        if (fields == NULL) {
            return false;
        }
        lines->fields = fields;
        lines->capacity = capacity;
    }
    return true;
}

static struct fetch_field take_apart(const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);
    if (colon == NULL) {
        return (struct fetch_field){0};
    }
    const char *value = colon + 1;
    const char *end = line + size;
    while (value < end && (*value == ' ' || *value == '\t')) {
        value++;
    }
    while (end > value && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    return (struct fetch_field){.name = line,
                                .value = value,
                                .name_bytes = (size_t)(colon - line),
                                .value_bytes = (size_t)(end - value)};
}

enum fetch_error fetch_lines_add(struct fetch_lines *lines, const char *line, size_t size_bytes,
                                 uint32_t count_max)
{
    struct fetch_field field = take_apart(line, size_bytes);
    if (field.name == NULL || !fetch_field_is_valid(&field)) {
        return FETCH_PROTOCOL;
    }
    if (fetch_field_is_of_connection(&field)) {
        return FETCH_OK;
    }
    if (lines->count >= count_max) {
        return FETCH_LIMIT;
    }
    if (!reserve(lines, field.name_bytes + field.value_bytes)) {
        return FETCH_MEMORY;
    }
    char *to = lines->text + lines->text_bytes;
    memcpy(to, field.name, field.name_bytes);
    if (field.value_bytes > 0) {
        memcpy(to + field.name_bytes, field.value, field.value_bytes);
    }
    lines->text_bytes += field.name_bytes + field.value_bytes;
    field.name = field.value = NULL; /* the text may still move */
    lines->fields[lines->count++] = field;
    return FETCH_OK;
}

void fetch_lines_seal(struct fetch_lines *lines, int status)
{
    const char *at = lines->text;
    for (size_t i = 0; i < lines->count; i++) {
        lines->fields[i].name = at;
        lines->fields[i].value = at + lines->fields[i].name_bytes;
        at = lines->fields[i].value + lines->fields[i].value_bytes;
    }
    lines->head =
        (struct fetch_head){.status = status, .fields = lines->fields, .field_count = lines->count};
}

void fetch_lines_clear(struct fetch_lines *lines)
{
    lines->text_bytes = lines->count = 0;
    lines->head = (struct fetch_head){0};
}

void fetch_lines_fini(struct fetch_lines *lines)
{
    free(lines->text);
    free(lines->fields);
    *lines = (struct fetch_lines){0};
}
