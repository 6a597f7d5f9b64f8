/**
 * @file
 * One worker's share of a server: what the connections on its loop use in turn, so that none of them
 * holds it while it is idle, and the counts that only this loop writes.
 *
 * Life:    lane_init() before the loop runs or on it -> connections come and go -> lane_fini() when
 *          none is left (closed ones may still be freed there).
 * Threads: the loop's, unless a field says otherwise.
 */
#pragma once

#include "core/node.h"
#include "serve/exchange_internal.h"
#include "serve/head.h"
#include "serve/holding.h"
#include "serve/site.h"

enum {
    LANE_RECEIVE_BYTES = 64 * 1024,
    LANE_GATHER_BYTES = 64 * 1024,
    LANE_SPARE_EXCHANGES =
        512, /* as many as are under way with some dozens of busy HTTP/2 clients */
    LANE_SPARE_BUFFERS = 64,
};

/** Shared by the lanes of a server. */
struct lane_common {
    struct node *node;                           /* constant */
    uint32_t connections_max;                    /* constant */
    atomic_uint connections;                     /* any thread: admitted and open */
    atomic_bool draining;                        /* any thread */
    atomic_bool handed_over;                     /* any thread: a successor accepts now */
    uint32_t refusals_max;                       /* constant: of one lane, lingering at once */
    struct holding_sum holding;                  /* any thread */
    void (*emptied)(struct lane_common *common); /* constant; the last one was closed */
};

struct lane {
    struct lane_common *common; /* constant */
    struct loop *loop;          /* constant */
    struct env *env;            /* constant */
    struct exchange_home home;  /* constant */
    struct pid_source ids;
    struct date date;
    struct list open, closed; /* connections; closed: not freed yet */
    unsigned refusals;        /* open connections that were not admitted */
    char *receive, *gather;   /* LANE_..._BYTES; used within one call only */
    struct exchange *exchanges[LANE_SPARE_EXCHANGES];
    unsigned exchange_count;
    struct bytes buffers[LANE_SPARE_BUFFERS];
    unsigned buffer_count;
    struct bytes
        spans; /* spare, for the next exchange; a request needs them only while it is filled */
    /* The loop's thread writes, any thread reads. */
    atomic_uint_least64_t accepted, requests, refused, responses[6];
    struct holding holding; /* any thread */
};

/** @return false: ERR_MEMORY; lane_fini() is still due */
bool lane_init(struct lane *lane, struct lane_common *common, struct loop *loop, struct err *err)
    MUST_USE;
void lane_fini(struct lane *lane);

/** An exchange for the next request, with one reference, or NULL: out of memory. */
struct exchange *lane_take_exchange(struct lane *lane) MUST_USE;

/** Drop the connection's reference; the exchange is kept for the next request if it can be. */
void lane_give_exchange(struct lane *lane, struct exchange *exchange);

/** Its request is filled: what that took (request.h) is for the next one. */
void lane_take_spans(struct lane *lane, struct exchange *exchange);

/** An empty buffer, perhaps with storage; and give one back. */
struct bytes lane_take_buffer(struct lane *lane);
void lane_give_buffer(struct lane *lane, struct bytes *buffer);

/** Now, as of this round. */
static inline uint64_t lane_now_ns(struct lane *lane)
{
    return lane->loop->worker.now_ns;
}

/** Add to a count that only this loop writes. */
static inline void lane_count(atomic_uint_least64_t *count)
{
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/** Count an answer by its status; 0: cut. */
void lane_count_response(struct lane *lane, unsigned status);
