/* Whatever the routes and the path, the table finds what a plain comparison of every route with the
 * path finds. Input: routes, a line each ("GET /users/:id"); an empty line; a method and a target. */
#include "serve/http1.h"
#include "serve/percent.h"
#include "serve/route.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

enum { ROUTES_MAX = 40, SEGMENTS_MAX = 40 };

/* A route or a path in pieces. */
struct pieces {
    struct text segments[SEGMENTS_MAX];
    size_t count;
};

struct entry {
    char method[40];
    char pattern[200];
    struct pieces pieces;
};

struct entries {
    struct entry entry[ROUTES_MAX];
    size_t count;
};

static bool split(struct text path, struct pieces *ret)
{
    ret->count = 0;
    size_t begin = 1;
    for (size_t i = 1; i <= path.size; i++) {
        if (i < path.size && path.data[i] != '/') {
            continue;
        }
        if (ret->count == SEGMENTS_MAX) {
            return false;
        }
        ret->segments[ret->count++] = (struct text){path.data + begin, i - begin};
        begin = i + 1;
    }
    return true;
}

/* 3: literal, 2: ":name", 1: "*", 0: does not fit. */
static int fit(struct text pattern, struct text segment)
{
    if (pattern.size > 0 && pattern.data[0] == ':') {
        return segment.size > 0 ? 2 : 0;
    }
    char decoded[4096];
    INVARIANT(segment.size <= sizeof(decoded));
    int64_t size = percent_decode_path(segment, decoded);
    return size == (int64_t)pattern.size && memcmp(decoded, pattern.data, pattern.size) == 0 ? 3
                                                                                             : 0;
}

/* How well the pattern fits: a digit for each segment; false: not at all. */
static bool rank_of(const struct entry *entry, const struct pieces *path,
                    char ret[SEGMENTS_MAX + 1])
{
    memset(ret, 0, SEGMENTS_MAX + 1);
    for (size_t i = 0; i < entry->pieces.count; i++) {
        struct text pattern = entry->pieces.segments[i];
        if (i >= path->count) {
            return false;
        }
        if (i + 1 == entry->pieces.count && text_equal(pattern, "*")) {
            ret[i] = 1;
            return true;
        }
        int kind = fit(pattern, path->segments[i]);
        if (kind == 0) {
            return false;
        }
        ret[i] = (char)kind;
    }
    return entry->pieces.count == path->count;
}

/* 2: names the method, 1: GET that serves HEAD, or any; 0: not for it. Exact beats "*" beats GET. */
static int serves(const struct entry *entry, struct text method)
{
    if (text_equal(method, entry->method)) {
        return 3;
    }
    if (strcmp(entry->method, "*") == 0) {
        return 2;
    }
    return text_equal(method, "HEAD") && strcmp(entry->method, "GET") == 0;
}

static void check(const struct route_table *table, const struct entries *entries,
                  struct request *request)
{
    struct pieces path;
    struct text raw = {request->target.data,
                       request->target.size -
                           (request->query.data == NULL ? 0 : request->query.size + 1)};
    if (!split(raw, &path)) {
        return;
    }
    const struct entry *best = NULL;
    char best_rank[SEGMENTS_MAX + 1] = {0};
    int best_serves = 0;
    bool exists = false;
    for (size_t i = 0; i < entries->count; i++) {
        const struct entry *entry = &entries->entry[i];
        char rank[SEGMENTS_MAX + 1];
        if (!rank_of(entry, &path, rank)) {
            continue;
        }
        exists = true;
        int kind = serves(entry, request->method_name);
        int order = memcmp(rank, best_rank, sizeof(rank));
        if (kind > 0 && (best == NULL || order > 0 || (order == 0 && kind > best_serves))) {
            best = entry;
            best_serves = kind;
            memcpy(best_rank, rank, sizeof(rank));
        }
    }
    struct route_match match = route_table_match(table, request);
    INVARIANT(match.target == best);
    INVARIANT(match.path_exists == exists);
    INVARIANT((match.target == NULL && exists) == (match.allow[0] != 0));
    INVARIANT(strlen(match.allow) < sizeof(match.allow));
}

/* One "METHOD /pattern"; refused ones are left out. */
static void add_route(struct route_table *table, struct entries *entries, struct text line)
{
    const char *space = line.size == 0 ? NULL : memchr(line.data, ' ', line.size);
    struct entry *entry = &entries->entry[entries->count];
    size_t method = space == NULL ? 0 : (size_t)(space - line.data);
    if (space == NULL || entries->count == ROUTES_MAX || method >= sizeof(entry->method) ||
        line.size - method - 1 >= sizeof(entry->pattern)) {
        return;
    }
    memset(entry, 0, sizeof(*entry));
    memcpy(entry->method, line.data, method);
    memcpy(entry->pattern, space + 1, line.size - method - 1);
    struct err err;
    struct text pattern = {entry->pattern, strlen(entry->pattern)};
    if (route_table_add(table, entry->method, entry->pattern, entry, &err)) {
        bool fits = split(pattern, &entry->pieces);
        INVARIANT(fits);
        entries->count++;
    }
}

static void match_line(const struct route_table *table, const struct entries *entries,
                       struct text line)
{
    struct http1_rules rules;
    struct http1 http1;
    struct request request = {0};
    struct bytes head = {0};
    http1_rules_init(&rules, 300, 20, 4096);
    http1_init(&http1, &rules);
    static const char rest[] = " HTTP/1.1\r\nHost: a\r\n\r\n";
    bool built = bytes_append(&head, line.data, line.size) &&
                 bytes_append(&head, rest, sizeof(rest) - 1);
    INVARIANT(built);
    if (http1_feed(&http1, &request, head.data, head.size).event == HTTP1_HEAD &&
        request.target.data[0] == '/') {
        check(table, entries, &request);
    }
    bytes_fini(&head);
    request_fini(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct route_table *table = route_table_create();
    struct entries *entries = calloc(1, sizeof(*entries));
    INVARIANT(table != NULL);
    INVARIANT(entries != NULL);
    const char *text = (const char *)data;
    bool routes = true;
    for (size_t begin = 0, i = 0; i <= size_bytes; i++) {
        if (i < size_bytes && text[i] != '\n') {
            continue;
        }
        struct text line = {text + begin, i - begin};
        begin = i + 1;
        if (line.size == 0) {
            routes = false;
        } else if (routes) {
            add_route(table, entries, line);
        } else {
            match_line(table, entries, line);
        }
    }
    route_table_destroy(table);
    free(entries);
    return 0;
}
