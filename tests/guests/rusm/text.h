/** @file
 * What the component beside it needs to read and write texts, base64 and JSON, and to name the published functions. */
#pragma once

#include "process.h"

#include <stdlib.h>
#include <string.h>

#define ACTOR(name) rusm_runtime_actor_##name
#define SERVE(name) rusm_runtime_serve_##name
#define PG(name) rusm_runtime_pg_##name
#define STREAMS(name) rusm_runtime_streams_##name

typedef process_list_u8_t bytes;
typedef process_string_t string;

static unsigned failed; /* the first line that did not find what it should */

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition) && failed == 0) {                                                         \
            failed = __LINE__;                                                                     \
        }                                                                                          \
    } while (0)

/* A text that grows; without stdio, whose imports a component would have. */
struct line {
    char text[4096];
    size_t size;
};

static void put(struct line *line, const char *what, size_t size)
{
    CHECK(line->size + size < sizeof line->text);
    memcpy(line->text + line->size, what, size);
    line->size += size;
}

static void put_text(struct line *line, const char *what)
{
    put(line, what, strlen(what));
}

static void put_number(struct line *line, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put(line, digits + at, sizeof digits - at);
}

/* The first number in a text; 0: there is none. */
static uint64_t number_in(const void *from)
{
    const char *at = from;
    uint64_t number = 0;
    at += strcspn(at, "0123456789");
    for (; *at >= '0' && *at <= '9'; at++) {
        number = number * 10 + (uint64_t)(*at - '0');
    }
    return number;
}

static string text(const char *content)
{
    return (string){(uint8_t *)content, strlen(content)};
}

static bytes data(const char *content)
{
    return (bytes){(uint8_t *)content, strlen(content)};
}

static bool is(bytes got, const char *wanted)
{
    return got.len == strlen(wanted) && memcmp(got.ptr, wanted, got.len) == 0;
}

static bool begins(bytes got, const char *wanted)
{
    return got.len >= strlen(wanted) && memcmp(got.ptr, wanted, strlen(wanted)) == 0;
}

/* Terminated besides. */
static bytes receive(void)
{
    bytes got;
    ACTOR(receive)(&got);
    char *copy = malloc(got.len + 1);
    memcpy(copy, got.ptr, got.len);
    copy[got.len] = '\0';
    process_list_u8_free(&got);
    return (bytes){(uint8_t *)copy, got.len};
}

static void send(uint64_t to, bytes message)
{
    ACTOR(send)(to, &message);
}

/* "what PID" */
static void command(uint64_t to, const char *what, uint64_t pid)
{
    struct line line = {.size = 0};
    put_text(&line, what);
    put_text(&line, " ");
    put_number(&line, pid);
    send(to, (bytes){(uint8_t *)line.text, line.size});
}

static uint64_t spawn(const char *component)
{
    string name = text(component), why;
    uint64_t pid = 0;
    CHECK(ACTOR(spawn)(&name, &pid, &why));
    return pid;
}

/* ---- base64 and JSON, as far as it takes ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char *encode(bytes from)
{
    char *ret = malloc(from.len * 4 / 3 + 8), *at = ret;
    for (size_t i = 0; i < from.len; i += 3) {
        size_t left = from.len - i;
        uint32_t bits = (uint32_t)from.ptr[i] << 16 | (left > 1 ? from.ptr[i + 1] << 8 : 0) |
                        (left > 2 ? from.ptr[i + 2] : 0);
        *at++ = alphabet[bits >> 18];
        *at++ = alphabet[bits >> 12 & 63];
        *at++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
        *at++ = left > 2 ? alphabet[bits & 63] : '=';
    }
    *at = '\0';
    return ret;
}

static bytes decode(const char *from, size_t size)
{
    bytes ret = {malloc(size + 3), 0};
    uint32_t bits = 0;
    for (size_t i = 0; i < size && from[i] != '='; i++) {
        bits = bits << 6 | (uint32_t)(strchr(alphabet, from[i]) - alphabet);
        if (i % 4 != 0) {
            ret.ptr[ret.len++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
        }
    }
    return ret;
}

/* What stands in quotes behind "key": */
static char *find(bytes envelope, const char *key, size_t *ret_size)
{
    struct line wanted = {.size = 0};
    put_text(&wanted, "\"");
    put_text(&wanted, key);
    put_text(&wanted, "\":\"");
    char *at = strstr((const char *)envelope.ptr, wanted.text);
    if (at == NULL) {
        *ret_size = 0;
        return "";
    }
    at += wanted.size;
    *ret_size = strcspn(at, "\"");
    return at;
}
