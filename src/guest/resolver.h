/**
 * @file
 * Looks names up on threads of its own, because the C library's look-up waits. What it says is kept for a while.
 *
 * A look-up cannot be broken off: one that nobody wants any more still holds its thread until it is over. So each *share* (who
 * asks, by whatever pointer) has at most a few threads at once; the rest of its look-ups wait while those of others go on.
 *
 * Life:    resolver_create() -> look-ups, each until `done` or resolver_cancel() -> resolver_destroy(), when no look-up
 *          is left. Threads that are still busy then end by themselves.
 * Threads: resolver_ask() and resolver_cancel() on the worker that is told; the rest: any one thread.
 */
#pragma once

#include "base/cidr.h"
#include "core/env.h"
#include "core/worker.h"

enum {
    RESOLVER_THREADS_MAX = 12,
    RESOLVER_SHARE_MAX = 4,      /**< Of these, for one share. */
    RESOLVER_ADDRESSES_MAX = 16, /**< Of one name; more are left out. */
    RESOLVER_NAME_BYTES = 254,
    RESOLVER_KEEP_S = 30,
};

struct addresses {
    size_t count; /**< 0: there is no such name, or it could not be asked. */
    struct ip ips[RESOLVER_ADDRESSES_MAX];
};

struct resolver;
struct lookup;

/** How a name is looked up; blocks. The C library's, but in tests. */
typedef void (*resolver_function)(const char *name, struct addresses *ret);

/** @param look_up  NULL: the C library's. NULL is returned when memory is out. */
struct resolver *resolver_create(struct env *env, resolver_function look_up) MUST_USE;
void resolver_destroy(struct resolver *resolver); /**< NULL is allowed. */

/** Look `name` up, then call `done` on `worker`, whose thread this is; later, never from here.
 *  NULL: out of memory or threads. What is returned is gone with `done`, or with resolver_cancel(). */
struct lookup *resolver_ask(struct resolver *resolver, const char *name, const void *share,
                            struct worker *worker,
                            void (*done)(void *argument, const struct addresses *addresses),
                            void *argument) MUST_USE;

/** `done` will not be called. On the worker's thread. */
void resolver_cancel(struct lookup *lookup);
