/** @file A real server on loopback with native answers, and a clock that a test moves. */
#pragma once

#include "../base/cmocka_all.h"

#include "client.h"
#include "serve/server.h"

#include <stdio.h>
#include <string.h>

/* ---- Who answers ---- */

/** A native answering side, run in steps like a process, on any loop: a wake queues its next step. */
struct performer {
    struct task task;
    struct exchange *exchange;
    struct loop *loop;
    void (*step)(struct performer *performer);
    atomic_bool queued; /* any thread */
    bool ended;
    struct bytes data;
    uint64_t total, written;
};

/** What a route of the test names. */
struct act {
    void (*begin)(struct exchange *exchange, struct loop *loop);
};

/** Start to run `step` for the exchange, the first time at once. */
void performer_start(struct exchange *exchange, struct loop *loop,
                     void (*step)(struct performer *performer));

/** The last thing that a step does. */
void performer_finish(struct performer *performer, unsigned status);

/** Respond, which must work, and finish. */
void answer_text(struct exchange *exchange, unsigned status, const char *text);

/* ---- The server ---- */

struct world {
    struct node *node;
    struct server *server;
    struct route_table *routes;
    struct serve_options options; /**< Of the listener; may be changed before world_start(). */
    struct server_limits limits;  /**< Likewise. */
    char folder[64];              /**< For unix sockets. */
    struct exchange *parked;      /**< The one that waits at /park; loop's thread writes. */
    struct loop *parked_loop;
    atomic_uint parks;       /**< How many arrived at /park. */
    atomic_uint gone;        /**< How many performers were told that the client left. */
    atomic_uint body_result; /**< Last answer of exchange_read() at /echo that was not OK. */
    atomic_uint began;       /**< Requests that were dispatched. */
};
extern struct world world;

/** cmocka set-up and tear-down: a node of two workers; nothing listens yet. */
int world_make(void **state);
int world_drop(void **state);

/** Add a route to a native answer. */
void world_route(const char *key, const struct act *act);

/** Listen and run, at a free port of loopback unless options.listen says otherwise. */
void world_start(void);

/** Let time pass, for the server only, and its timers fire. */
void world_pass_ms(uint64_t ms);

/** See that every loop has handled what had happened before. */
void world_settle(void);

/** Wait until a count has reached `value`. */
void wait_for_count(const atomic_uint *count, unsigned value);

/** Wait until a count of the server fulfils a condition: `WAIT_UNTIL(connections == 0)`. */
#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        while (!(server_counts(world.server).condition)) {                                         \
            world_settle();                                                                        \
        }                                                                                          \
    } while (0)

/** The exchange at /park, on its loop: run `work`. */
void world_with_parked(void (*work)(struct exchange *exchange));

/* Acts of general use: routes of world_make(). */
extern const struct act act_hello;      /**< GET /: "hello". */
extern const struct act act_param;      /**< GET /users/:id: the parameter. */
extern const struct act act_echo;       /**< POST /echo: reads everything, then sends it back. */
extern const struct act act_ignore;     /**< POST /ignore: "ignored", the body unread. */
extern const struct act act_park;       /**< GET /park: waits. */
extern const struct act act_stream;     /**< GET /stream?n=: that many bytes, chunked. */
extern const struct act act_far_echo;   /**< POST /far/echo: the same from another loop. */
extern const struct act act_far_stream; /**< GET /far/stream?n=: the same from another loop. */

/** A client of that server. */
struct client world_connect(void);
