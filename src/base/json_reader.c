#include "base/json_reader.h"

#include "base/number.h"
#include "base/utf8.h"

#include <string.h>

/* A place in a text that may be anything, or that was read before. */
struct cursor {
    const char *at, *end;
    bool known;
};

static void skip_space(struct cursor *cursor)
{
    while (cursor->at < cursor->end && memchr(" \t\r\n", *cursor->at, 4) != NULL) {
        cursor->at++;
    }
}

static bool take(struct cursor *cursor, char c)
{
    bool there = cursor->at < cursor->end && *cursor->at == c;
    cursor->at += there;
    return there;
}

static bool take_word(struct cursor *cursor, const char *word)
{
    size_t size = strlen(word);
    bool there = (size_t)(cursor->end - cursor->at) >= size && memcmp(cursor->at, word, size) == 0;
    cursor->at += there ? size : 0;
    return there;
}

static bool is_digit(const struct cursor *cursor)
{
    return cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9';
}

static bool take_digits(struct cursor *cursor)
{
    const char *begin = cursor->at;
    while (is_digit(cursor)) {
        cursor->at++;
    }
    return cursor->at > begin;
}

static bool take_number(struct cursor *cursor)
{
    (void)take(cursor, '-');
    if (!take(cursor, '0') && !take_digits(cursor)) {
        return false;
    }
    if (take(cursor, '.') && !take_digits(cursor)) {
        return false;
    }
    if (take(cursor, 'e') || take(cursor, 'E')) {
        (void)(take(cursor, '+') || take(cursor, '-'));
        return take_digits(cursor);
    }
    return true;
}

static int hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Behind "\u". False: not four digits. */
static bool take_unit(struct cursor *cursor, uint32_t *ret)
{
    *ret = 0;
    for (unsigned i = 0; i < 4; i++, cursor->at++) {
        int digit = cursor->at < cursor->end ? hex_of(*cursor->at) : -1;
        if (digit < 0) {
            return false;
        }
        *ret = *ret << 4 | (uint32_t)digit;
    }
    return true;
}

static bool take_escape(struct cursor *cursor)
{
    uint32_t unit;
    if (cursor->at == cursor->end || memchr("\"\\/bfnrtu", *cursor->at, 9) == NULL) {
        return false;
    }
    return *cursor->at++ != 'u' || take_unit(cursor, &unit);
}

/* With both quotes; UTF-8 was checked. */
static bool take_string(struct cursor *cursor)
{
    if (!take(cursor, '"')) {
        return false;
    }
    if (cursor->known) { /* Long texts are skipped, not read again. */
        const char *quote = memchr(cursor->at, '"', (size_t)(cursor->end - cursor->at));
        if (quote != NULL && memchr(cursor->at, '\\', (size_t)(quote - cursor->at)) == NULL) {
            cursor->at = quote + 1;
            return true;
        }
    }
    while (cursor->at < cursor->end && (unsigned char)*cursor->at >= ' ') {
        char c = *cursor->at++;
        if (c == '"') {
            return true;
        }
        if (c == '\\' && !take_escape(cursor)) {
            return false;
        }
    }
    return false;
}

static bool take_plain(struct cursor *cursor)
{
    return take_word(cursor, "null") || take_word(cursor, "true") || take_word(cursor, "false") ||
           (cursor->at < cursor->end && *cursor->at == '"' ? take_string(cursor)
                                                           : take_number(cursor));
}

/* What is open around the cursor: a bit each, 1 for an object. */
struct nest {
    uint64_t objects;
    unsigned depth;
};

static bool take_key(struct cursor *cursor)
{
    skip_space(cursor);
    if (!take_string(cursor)) {
        return false;
    }
    skip_space(cursor);
    return take(cursor, ':');
}

/* Open an array or object, up to its first value; or all of it, when it is empty. False: wrong. `*ret_whole`: a value ends. */
static bool open_nest(struct cursor *cursor, struct nest *nest, bool *ret_whole)
{
    bool object = *cursor->at++ == '{';
    skip_space(cursor);
    *ret_whole = take(cursor, object ? '}' : ']');
    if (*ret_whole) {
        return true;
    }
    if (nest->depth == JSON_DEPTH_MAX) {
        return false;
    }
    nest->objects = nest->objects << 1 | object;
    nest->depth++;
    return !object || take_key(cursor);
}

/* Behind a value: what ends with it, up to the next value. False: wrong. */
static bool close_nests(struct cursor *cursor, struct nest *nest)
{
    while (nest->depth > 0) {
        bool object = nest->objects & 1;
        skip_space(cursor);
        if (take(cursor, ',')) {
            return !object || take_key(cursor);
        }
        if (!take(cursor, object ? '}' : ']')) {
            return false;
        }
        nest->objects >>= 1;
        nest->depth--;
    }
    return true;
}

static bool take_value(struct cursor *cursor)
{
    struct nest nest = {0};
    do {
        bool whole = true;
        skip_space(cursor);
        if (cursor->at == cursor->end) {
            return false;
        }
        bool nested = *cursor->at == '{' || *cursor->at == '[';
        if (nested ? !open_nest(cursor, &nest, &whole) : !take_plain(cursor)) {
            return false;
        }
        if (whole && !close_nests(cursor, &nest)) {
            return false;
        }
    } while (nest.depth > 0);
    return true;
}

static enum json_kind kind_of(char first)
{
    switch (first) {
    case 'n':
        return JSON_NULL;
    case 'f':
        return JSON_FALSE;
    case 't':
        return JSON_TRUE;
    case '"':
        return JSON_STRING;
    case '[':
        return JSON_ARRAY;
    case '{':
        return JSON_OBJECT;
    default:
        return JSON_NUMBER;
    }
}

static bool read_at(struct cursor *cursor, struct json_value *ret)
{
    skip_space(cursor);
    const char *begin = cursor->at;
    if (!take_value(cursor)) {
        return false;
    }
    *ret = (struct json_value){kind_of(*begin), begin, (size_t)(cursor->at - begin)};
    return true;
}

bool json_read(const void *text, size_t size_bytes, struct json_value *ret)
{
    struct utf8_check check = {0};
    if (size_bytes == 0 || !utf8_check_feed(&check, text, size_bytes) ||
        !utf8_check_is_whole(&check)) {
        return false;
    }
    struct cursor cursor = {.at = text, .end = (const char *)text + size_bytes};
    if (!read_at(&cursor, ret)) {
        return false;
    }
    skip_space(&cursor);
    return cursor.at == cursor.end;
}

/* ---- what json_read() has found ---- */

bool json_next(struct json_walk *walk, struct json_value *ret_key, struct json_value *ret)
{
    const struct json_value *of = &walk->of;
    if (of->kind != JSON_ARRAY && of->kind != JSON_OBJECT) {
        return false;
    }
    struct cursor cursor = {.at = of->text + (walk->at == 0 ? 1 : walk->at),
                            .end = of->text + of->size - 1,
                            .known = true};
    struct json_value key = {0};
    skip_space(&cursor);
    if (walk->at != 0) {
        (void)take(&cursor, ',');
    }
    skip_space(&cursor);
    if (cursor.at == cursor.end) {
        return false;
    }
    if (of->kind == JSON_OBJECT) {
        key = (struct json_value){JSON_STRING, cursor.at, 0};
        (void)take_string(&cursor);
        key.size = (size_t)(cursor.at - key.text);
        skip_space(&cursor);
        (void)take(&cursor, ':');
    }
    bool there = read_at(&cursor, ret);
    INVARIANT(there);
    walk->at = (size_t)(cursor.at - of->text);
    if (ret_key != NULL) {
        *ret_key = key;
    }
    return true;
}

bool json_find(const struct json_value *object, const char *key, struct json_value *ret)
{
    if (object->kind != JSON_OBJECT) {
        return false;
    }
    struct json_walk walk = {.of = *object};
    struct json_value name, value;
    size_t size = strlen(key);
    bool found = false;
    while (json_next(&walk, &name, &value)) {
        if (name.size == size + 2 && memcmp(name.text + 1, key, size) == 0) {
            *ret = value;
            found = true;
        }
    }
    return found;
}

bool json_whole(const struct json_value *value, uint64_t max, uint64_t *ret)
{
    return value->kind == JSON_NUMBER && number_parse(value->text, value->size, max, ret);
}

/* ---- strings ---- */

static size_t put_utf8(uint32_t code, char ret[4])
{
    if (code < 0x80) {
        ret[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        ret[0] = (char)(0xc0 | code >> 6);
        ret[1] = (char)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        ret[0] = (char)(0xe0 | code >> 12);
        ret[1] = (char)(0x80 | (code >> 6 & 63));
        ret[2] = (char)(0x80 | (code & 63));
        return 3;
    }
    ret[0] = (char)(0xf0 | code >> 18);
    ret[1] = (char)(0x80 | (code >> 12 & 63));
    ret[2] = (char)(0x80 | (code >> 6 & 63));
    ret[3] = (char)(0x80 | (code & 63));
    return 4;
}

/* Behind "\u": the code point, of one unit or of a pair. */
static uint32_t read_code(struct cursor *cursor)
{
    uint32_t code = 0, low = 0;
    (void)take_unit(cursor, &code);
    if (code < 0xd800 || code > 0xdfff) {
        return code;
    }
    struct cursor behind = *cursor;
    if (code <= 0xdbff && take_word(&behind, "\\u") && take_unit(&behind, &low) && low >= 0xdc00 &&
        low <= 0xdfff) {
        *cursor = behind;
        return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    return 0xfffd;
}

static size_t unescape(struct cursor *cursor, char ret[4])
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    char c = *cursor->at++;
    if (c == 'u') {
        return put_utf8(read_code(cursor), ret);
    }
    const char *found = memchr(from, c, sizeof from - 1);
    ret[0] = found != NULL ? to[found - from] : c;
    return 1;
}

bool json_append_string(const struct json_value *string, struct bytes *to)
{
    struct cursor cursor = {.at = string->text + 1, .end = string->text + string->size - 1};
    while (cursor.at < cursor.end) {
        const char *slash = memchr(cursor.at, '\\', (size_t)(cursor.end - cursor.at));
        const char *until = slash != NULL ? slash : cursor.end;
        if (!bytes_append(to, cursor.at, (size_t)(until - cursor.at))) {
            return false;
        }
        cursor.at = until;
        if (slash != NULL) {
            char code[4];
            cursor.at++;
            size_t size = unescape(&cursor, code);
            if (!bytes_append(to, code, size)) {
                return false;
            }
        }
    }
    return true;
}
