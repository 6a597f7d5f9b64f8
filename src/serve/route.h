/**
 * @file
 * Which target answers a method and a path. Most specific wins, segment by segment: a literal
 * beats ":name", ":name" beats a trailing "*".
 *
 * Life:    route_table_create() -> route_table_add() ... -> matched by any number of threads.
 * Threads: constant once built.
 */
#pragma once

#include "serve/request.h"

struct route_table;

struct route_table *route_table_create(void) MUST_USE;
void route_table_destroy(struct route_table *table);
DEFINE_AUTO_DESTROY(route_table)

/** Add `method` ("GET"; "*": any) and `pattern` ("/users/:id", "/files/" + "*"); both copied.
 *  @param target  what a match gives back; borrowed
 *  @return false: ERR_INPUT (syntax, duplicate, too many parameters), ERR_MEMORY. */
bool route_table_add(struct route_table *table, const char *method, const char *pattern,
                     void *target, struct err *err) MUST_USE;

enum { ROUTE_ALLOW_BYTES = 128 };

struct route_match {
    void *target;     /**< NULL: nothing matches. */
    bool path_exists; /**< With NULL: 405 (or OPTIONS: 204), `allow` lists the methods; else 404. */
    char allow[ROUTE_ALLOW_BYTES]; /**< "GET, HEAD, POST, OPTIONS"; filled when needed only. */
};

/** Find the target and fill `request->params`. HEAD is served by GET when it has no route of its own. Segments are split
 *  on the path as sent and decoded one by one, so "%2F" never separates. Any thread. */
struct route_match route_table_match(const struct route_table *table, struct request *request);

/** The same as if `method` had been asked for. */
struct route_match route_table_match_as(const struct route_table *table, struct request *request,
                                        struct text method);

/** The method of a route that serves WebSockets. No request has it: it is asked for with GET and more. */
#define ROUTE_WEBSOCKET "WS"
