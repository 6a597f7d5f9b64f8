/**
 * @file
 * The admin listener: health, counts and processes of a running node, as JSON over HTTP on a unix
 * socket (0600) in the runtime folder, one per node name.
 *
 *   GET /healthz       200 while the node runs
 *   GET /readyz        200 while it serves, 503 while it starts or drains, or when its services are down
 *   GET /v1/stats      live counts against their limits
 *   GET /v1/processes  what is alive
 *   GET /v1/top        the same by what it does just now
 *   POST /v1/kill      end one process
 *   POST /v1/reload    have a new program take this one's place
 *   POST /v1/swap      take the components' files again
 *
 * Only this user's and root's programs are answered: the kernel says whose a connection is.
 *
 * Threads: create, start and destroy from the main thread; answers are made on the loops.
 */
#pragma once

#include "guest/guest.h"
#include "guest/job.h"
#include "serve/server.h"

struct admin;

/** What the node's supervisors have done: added to by whoever hears of their events. */
struct admin_tally {
    atomic_uint_least64_t restarts;    /**< Of children. */
    atomic_uint_least64_t escalations; /**< Supervisors that gave up. */
    atomic_bool down;                  /**< All services are, and stay so: the node is not ready. */
};

struct admin_options {
    struct node *node; /**< All borrowed. */
    struct pool *pool;
    struct server *server; /**< The node's own listeners. */
    struct component *const *components;
    size_t component_count;
    const struct jobs *jobs; /**< Of the schedules; NULL: none. */
    size_t job_count;
    const struct admin_tally *tally; /**< NULL: no supervisors. */
    const char *node_name;
    const char *listen; /**< "unix:/path"; NULL: admin_default_path(). */
    /** Take the exchange over, and answer it once a new program has taken this one's place, or has not
     *  within that time. Any thread. NULL: not here. */
    void (*reload)(void *argument, struct exchange *exchange, uint64_t timeout_ms);
    void *reload_argument;
    /** Likewise: answer once the components' files were looked at again. */
    void (*swap)(void *argument, struct exchange *exchange);
    void *swap_argument;
    struct inheritance *inheritance; /**< For admin_create(); NULL: none. */
};

enum { ADMIN_RELOAD_MS = 120000, ADMIN_RELOAD_MS_MAX = 3600000 };

enum { ADMIN_PATH_BYTES = 108 };

/** $XDG_RUNTIME_DIR/mote/NAME.sock, else /run/mote/NAME.sock for root, else /tmp/mote-UID/NAME.sock. */
void admin_default_path(const char *node_name, char ret[ADMIN_PATH_BYTES]);

/** Bind. NULL: ERR_OS ("node 'x' runs already"), ERR_DENIED (the runtime folder is open to others). */
struct admin *admin_create(const struct admin_options *options, struct err *err) MUST_USE;

/** Begin to answer. After node_start(). */
bool admin_start(struct admin *admin, struct err *err) MUST_USE;

/** What /readyz says. Any thread. */
void admin_set_ready(struct admin *admin, bool ready);

/** Where it listens: "unix:/run/mote/x.sock". */
const char *admin_address(const struct admin *admin);

/** Its socket, for a successor; and what follows when that has taken it, or this node has taken it from
 *  a predecessor: server_hand_over(), server_let_go(), server_settle(). */
bool admin_hand_over(const struct admin *admin, struct handover *to, struct err *err) MUST_USE;
void admin_let_go(struct admin *admin);
void admin_settle(struct admin *admin);

/** Answer for a question that was handed on: a status, and one or more lines of text. Any thread. */
void admin_reply(struct exchange *exchange, unsigned status, const char *text);

/** Close its connections; the node must still run. Then admin_destroy() after the node has stopped. */
void admin_stop(struct admin *admin);
void admin_destroy(struct admin *admin);
DEFINE_AUTO_DESTROY(admin)
