#include "manifest/dotenv.h"

#include "manifest/utf8_text.h"

#include <stdlib.h>
#include <string.h>

/* One line under the cursor. */
struct cursor {
    const char *line, *at, *end;
    struct place place;
    struct problems *problems;
};

static struct place place_at(const struct cursor *cursor, const char *at)
{
    struct place place = cursor->place;

    for (const char *c = cursor->line; c < at; c++) {
        place.column += ((unsigned char)*c & 0xc0) != 0x80; /* Columns count characters. */
    }
    return place;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9');
}

static void skip_blanks(struct cursor *cursor)
{
    while (cursor->at < cursor->end && is_blank(*cursor->at)) {
        cursor->at++;
    }
}

/* What stands behind a closed quote may only be white space or a comment. */
static bool parse_rest(struct cursor *cursor)
{
    const char *after = cursor->at;

    skip_blanks(cursor);
    if (cursor->at == cursor->end || (*cursor->at == '#' && cursor->at > after)) {
        return true;
    }
    problem_error(cursor->problems, place_at(cursor, cursor->at),
                  "text behind the closing quote; put the quotes around the whole value");
    return false;
}

static char escape_meaning(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case '\\':
    case '"':
    case '$':
        return c;
    default:
        return '\0';
    }
}

static bool parse_quoted(struct cursor *cursor, struct bytes *ret)
{
    const char *opening = cursor->at++;
    bool fits = true;

    for (; fits && cursor->at < cursor->end && *cursor->at != *opening; cursor->at++) {
        char c = *cursor->at;
        if (*opening == '"' && c == '\\' && cursor->at + 1 < cursor->end) {
            cursor->at++;
            c = escape_meaning(*cursor->at);
            if (c == '\0') {
                problem_error(cursor->problems, place_at(cursor, cursor->at - 1),
                              "unknown escape in a double-quoted value; known are \\n \\r \\t \\\\ "
                              "\\\" \\$, and single quotes take everything as it stands");
                return false;
            }
        }
        fits = bytes_append(ret, &c, 1);
    }
    if (!fits) {
        (void)problem_memory(cursor->problems);
        return false;
    }
    if (cursor->at == cursor->end) {
        problem_error(cursor->problems, place_at(cursor, opening),
                      "the quote is not closed on this line; close it, and write \\n in double "
                      "quotes for a line break");
        return false;
    }
    cursor->at++;
    return parse_rest(cursor);
}

static bool parse_bare(struct cursor *cursor, struct bytes *ret)
{
    const char *end = cursor->at;

    while (end < cursor->end && !(*end == '#' && (end == cursor->at || is_blank(end[-1])))) {
        end++;
    }
    while (end > cursor->at && is_blank(end[-1])) {
        end--;
    }
    if (!bytes_append(ret, cursor->at, (size_t)(end - cursor->at))) {
        (void)problem_memory(cursor->problems);
        return false;
    }
    return true;
}

static struct dotenv_entry *entry_add(struct dotenv *dotenv)
{
    if (dotenv->count == dotenv->capacity) {
        size_t capacity = dotenv->capacity == 0 ? 16 : dotenv->capacity * 2;
        struct dotenv_entry *items = realloc(dotenv->items, capacity * sizeof(*items));
        if (items == NULL) {
            return NULL;
        }
        dotenv->items = items;
        dotenv->capacity = capacity;
    }
    return &dotenv->items[dotenv->count];
}

static void entry_set(struct dotenv *dotenv, const struct cursor *cursor, const char *name,
                      size_t name_size, const struct bytes *value)
{
    struct dotenv_entry *entry = entry_add(dotenv);
    char *name_copy = strndup(name, name_size);
    char *value_copy = value->size == 0 ? strdup("") : strndup((char *)value->data, value->size);

    if (entry == NULL || name_copy == NULL || value_copy == NULL) {
        free(name_copy);
        free(value_copy);
        (void)problem_memory(cursor->problems);
        return;
    }
    for (size_t i = dotenv->count; i-- > 0;) {
        if (strcmp(dotenv->items[i].name, name_copy) == 0) {
            problem_warning(cursor->problems, place_at(cursor, name),
                            "'%s' is set a second time (first in line %u); this one counts",
                            name_copy, dotenv->items[i].line);
            break;
        }
    }
    *entry = (struct dotenv_entry){name_copy, value_copy, cursor->place.line};
    dotenv->count++;
}

static void parse_line(struct dotenv *ret, struct cursor *cursor)
{
    AUTO(bytes_finip) struct bytes value = {0};

    skip_blanks(cursor);
    if (cursor->at == cursor->end || *cursor->at == '#') {
        return;
    }
    if (cursor->end - cursor->at > 7 && memcmp(cursor->at, "export", 6) == 0 &&
        is_blank(cursor->at[6])) {
        cursor->at += 6;
        skip_blanks(cursor);
    }
    const char *name = cursor->at;
    while (cursor->at < cursor->end && is_name(*cursor->at)) {
        cursor->at++;
    }
    size_t name_size = (size_t)(cursor->at - name);
    if (name_size == 0 || !is_name_start(*name)) {
        problem_error(cursor->problems, place_at(cursor, name),
                      "a name is expected here; a line is NAME=value, and a name begins with a "
                      "letter or '_' and holds letters, digits and '_'");
        return;
    }
    skip_blanks(cursor);
    if (cursor->at == cursor->end || *cursor->at != '=') {
        problem_error(cursor->problems, place_at(cursor, cursor->at),
                      "'=' is expected after the name '%.*s'; a line is NAME=value",
                      (int)(name_size < 80 ? name_size : 80), name);
        return;
    }
    cursor->at++;
    skip_blanks(cursor);
    bool quoted = cursor->at < cursor->end && (*cursor->at == '"' || *cursor->at == '\'');
    bool good = quoted ? parse_quoted(cursor, &value) : parse_bare(cursor, &value);
    if (!good) {
        bytes_clear(&value);
    }
    entry_set(ret, cursor, name, name_size, &value);
}

void dotenv_parse(struct dotenv *ret, const char *file, const char *text, size_t size_bytes,
                  struct problems *problems)
{
    const char *end = text + size_bytes;
    uint32_t line = 0;

    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *line_end = newline == NULL ? end : newline;
        const char *next = newline == NULL ? end : newline + 1;
        struct cursor cursor = {
            .line = text,
            .at = text,
            .end = line_end > text && line_end[-1] == '\r' ? line_end - 1 : line_end,
            .place = {.file = file, .line = ++line, .column = 1},
            .problems = problems,
        };
        size_t size = (size_t)(cursor.end - cursor.at);
        if (memchr(text, '\0', size) != NULL || !utf8_text_valid(text, size)) {
            problem_error(problems, cursor.place,
                          "the line is not UTF-8 text; store the file as UTF-8");
        } else {
            parse_line(ret, &cursor);
        }
        text = next;
    }
}

const char *dotenv_get(const struct dotenv *dotenv, const char *name)
{
    for (size_t i = dotenv->count; i-- > 0;) {
        if (strcmp(dotenv->items[i].name, name) == 0) {
            return dotenv->items[i].value;
        }
    }
    return NULL;
}

void dotenv_fini(struct dotenv *dotenv)
{
    for (size_t i = 0; i < dotenv->count; i++) {
        free(dotenv->items[i].name);
        free(dotenv->items[i].value);
    }
    free(dotenv->items);
    *dotenv = (struct dotenv){0};
}
