#include "manifest/route_key.h"

#include "base/token.h"
#include "manifest/suggest.h"
#include "serve/request.h"

#include <string.h>

/* What the route table takes; here so that the message has a line and a column. */
enum { SEGMENTS_MAX = 32, PATTERN_BYTES_MAX = 1024 };

static const char *const METHODS[] = {"GET",    "HEAD",  "POST",    "PUT",
                                      "DELETE", "PATCH", "OPTIONS", "WS"};

const char *route_key_suggest(const char *method)
{
    struct suggestion suggestion = suggestion_begin(method);

    for (size_t i = 0; i < ARRAY_LENGTH(METHODS); i++) {
        suggestion_offer(&suggestion, METHODS[i]);
    }
    /* Distance 0 is the method itself. */
    return suggestion.distance == 0 ? NULL : suggestion.best;
}

static bool parse_method(const char *text, size_t size, struct route_key *ret, struct err *err)
{
    if (size >= sizeof(ret->method) || !token_is_valid(text, size)) {
        return err_set(err, ERR_INPUT, "'%.80s' does not begin with a method; write \"GET /path\"",
                       text);
    }
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        ret->method[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    ret->method[size] = '\0';
    if (memcmp(ret->method, text, size) != 0) {
        return err_set(err, ERR_INPUT, "the method '%.*s' must be in capitals; write \"%s%.200s\"",
                       (int)size, text, ret->method, text + size);
    }
    if (strcmp(ret->method, "CONNECT") == 0) {
        return err_set(err, ERR_INPUT, "CONNECT has no path and cannot be routed; remove it");
    }
    return true;
}

static bool check_name(const char *pattern, const char *name, size_t size, struct err *err)
{
    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || (!(c >= '0' && c <= '9') && c != '-'))) {
            size = 0;
        }
    }
    if (size == 0) {
        return err_set(
            err, ERR_INPUT,
            "'%.200s': behind ':' stands a name of letters, digits, '_' and '-' that takes "
            "the whole segment, as in /users/:id",
            pattern);
    }
    /* The same name in front of this one? */
    for (const char *at = pattern; at < name - 1; at++) {
        if (at[0] == '/' && at[1] == ':' && at + 2 < name && strncmp(at + 2, name, size) == 0 &&
            (at[2 + size] == '/' || at[2 + size] == '\0')) {
            return err_set(err, ERR_INPUT,
                           "'%.200s' has two segments ':%.*s'; give each its own name", pattern,
                           (int)(size < 80 ? size : 80), name);
        }
    }
    return true;
}

static bool check_segment(const char *pattern, const char *segment, size_t size, bool last,
                          size_t *params, struct err *err)
{
    if (size == 0) {
        /* A slash at the end is a path of its own; the root is nothing else. */
        return last || err_set(err, ERR_INPUT, "'%.200s' has an empty segment; write one '/' only",
                               pattern);
    }
    if ((size == 1 && segment[0] == '.') || (size == 2 && memcmp(segment, "..", 2) == 0)) {
        return err_set(err, ERR_INPUT,
                       "'%.200s' has a segment '%.*s', which no request can reach; write the path "
                       "without it",
                       pattern, (int)size, segment);
    }
    bool star = memchr(segment, '*', size) != NULL;
    if (star && (size > 1 || !last)) {
        return err_set(err, ERR_INPUT,
                       "'%.200s': '*' can only be the whole last segment, as in /files/*", pattern);
    }
    if (star || segment[0] == ':') {
        (*params)++;
    } else if (memchr(segment, ':', size) != NULL) {
        return err_set(err, ERR_INPUT,
                       "'%.200s' has a ':' within a segment; a name takes a whole one, as in "
                       "/users/:id",
                       pattern);
    }
    return segment[0] != ':' || check_name(pattern, segment + 1, size - 1, err);
}

static bool check_characters(const char *pattern, struct err *err)
{
    for (const char *c = pattern; *c != '\0'; c++) {
        if (*c == '?' || *c == '#') {
            return err_set(err, ERR_INPUT,
                           "'%.200s' holds a '%c', but routes match paths only; end it there",
                           pattern, *c);
        }
        if (*c == '%') {
            return err_set(err, ERR_INPUT,
                           "'%.200s' holds a '%%', but routes match decoded paths; write the "
                           "character itself",
                           pattern);
        }
        if ((unsigned char)*c <= ' ' || *c == 0x7f || *c == '\\') {
            return err_set(err, ERR_INPUT,
                           "'%.200s' holds a space, a backslash or a control character; write the "
                           "path without it",
                           pattern);
        }
    }
    return true;
}

bool route_key_parse(const char *text, struct route_key *ret, struct err *err)
{
    if (*text == '/') {
        return err_set(err, ERR_INPUT, "'%.200s' has no method; write \"GET %.200s\"", text, text);
    }
    size_t method = strcspn(text, " ");
    const char *pattern = text + method;
    if (!parse_method(text, method, ret, err)) {
        return false;
    }
    pattern += strspn(pattern, " ");
    if (*pattern != '/') {
        return err_set(err, ERR_INPUT,
                       "'%.200s': the path must begin with '/'; write \"%s /%.200s\"", text,
                       ret->method, pattern);
    }
    if (!check_characters(pattern, err)) {
        return false;
    }
    if (strlen(pattern) > PATTERN_BYTES_MAX) {
        return err_set(err, ERR_INPUT, "the path has %zu bytes, but %d is the most; shorten it",
                       strlen(pattern), PATTERN_BYTES_MAX);
    }
    size_t params = 0, segments = 1;
    const char *segment = pattern + 1;
    while (true) {
        size_t size = strcspn(segment, "/");
        bool last = segment[size] == '\0';
        if (!check_segment(pattern, segment, size, last, &params, err)) {
            return false;
        }
        if (last) {
            break;
        }
        segment += size + 1;
        segments++;
    }
    if (segments > SEGMENTS_MAX) {
        return err_set(err, ERR_INPUT, "'%.200s' has %zu segments, but %d is the most; shorten it",
                       pattern, segments, SEGMENTS_MAX);
    }
    if (params > REQUEST_PARAMS_MAX) {
        return err_set(err, ERR_INPUT,
                       "'%.200s' has %zu variable segments; at most %d are possible", pattern,
                       params, REQUEST_PARAMS_MAX);
    }
    ret->pattern = pattern;
    return true;
}
