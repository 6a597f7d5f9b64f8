#include "base/json.h"

#include "base/number.h"
#include "base/utf8.h"

#include <string.h>

static void put(struct json *json, const char *text, size_t size_bytes)
{
    if (!bytes_append(json->to, text, size_bytes)) {
        json->failed = true;
    }
}

static void put_escaped(struct json *json, const char *text, size_t size_bytes)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < size_bytes;) {
        uint32_t code_point = 0;
        size_t length = utf8_decode(text + i, size_bytes - i, &code_point);
        if (length == 0) {
            put(json, "\xef\xbf\xbd", 3);
            length = 1;
        } else if (code_point == '"' || code_point == '\\') {
            put(json, (const char[]){'\\', text[i]}, 2);
        } else if (code_point < 0x20 || code_point == 0x7f) {
            put(json,
                (const char[]){'\\', 'u', '0', '0', hex[code_point >> 4], hex[code_point & 15]}, 6);
        } else {
            put(json, text + i, length);
        }
        i += length;
    }
}

static void put_quoted(struct json *json, const char *text, size_t size_bytes)
{
    put(json, "\"", 1);
    put_escaped(json, text, size_bytes);
    put(json, "\"", 1);
}

/* What comes before a value: the comma that is due, and its key. */
static void begin(struct json *json, const char *key)
{
    if (json->lines) {
        put(json, json->prefix, json->prefix_bytes);
        if (key != NULL) {
            put(json, key, strlen(key));
        }
        put(json, ": ", 2);
        return;
    }
    if (json->comma) {
        put(json, ",", 1);
    }
    json->comma = true;
    if (key != NULL) {
        put_quoted(json, key, strlen(key));
        put(json, ":", 1);
    }
}

static void end(struct json *json)
{
    if (json->lines) {
        put(json, "\n", 1);
    }
}

/* An open object or array without a name still counts one level: a lone dot, taken back by pop. */
static void push(struct json *json, const char *key)
{
    size_t size = key == NULL ? 0 : strlen(key);
    INVARIANT(json->prefix_bytes + size + 1 <= sizeof json->prefix);
    memcpy(json->prefix + json->prefix_bytes, key == NULL ? "" : key, size);
    json->prefix_bytes += size;
    if (json->prefix_bytes > 0) {
        json->prefix[json->prefix_bytes++] = '.';
    }
}

static void pop(struct json *json)
{
    if (json->prefix_bytes > 0) {
        json->prefix_bytes--;
    }
    while (json->prefix_bytes > 0 && json->prefix[json->prefix_bytes - 1] != '.') {
        json->prefix_bytes--;
    }
}

void json_open(struct json *json, const char *key, char bracket)
{
    if (json->lines) {
        push(json, key);
        return;
    }
    begin(json, key);
    put(json, &bracket, 1);
    json->comma = false;
}

void json_close(struct json *json, char bracket)
{
    if (json->lines) {
        pop(json);
        return;
    }
    put(json, &bracket, 1);
    json->comma = true;
}

void json_text(struct json *json, const char *key, const char *text, size_t size_bytes)
{
    begin(json, key);
    if (json->lines) {
        put_escaped(json, text, size_bytes);
    } else {
        put_quoted(json, text, size_bytes);
    }
    end(json);
}

void json_string(struct json *json, const char *key, const char *text)
{
    json_text(json, key, text, strlen(text));
}

void json_number(struct json *json, const char *key, uint64_t number)
{
    begin(json, key);
    char digits[20];
    put(json, digits, number_format(number, digits));
    end(json);
}

void json_bool(struct json *json, const char *key, bool value)
{
    begin(json, key);
    put(json, value ? "true" : "false", value ? 4 : 5);
    end(json);
}

bool json_done(const struct json *json)
{
    return !json->failed;
}
