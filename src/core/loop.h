/**
 * @file
 * A worker's thread: its epoll set, its eventfd, and the round they turn in:
 * run processes -> collect input -> deferred flushes -> timers.
 *
 * Threads: sources are added, changed and removed on the loop's own thread only (or before it
 * starts).
 */
#pragma once

#include "core/worker.h"

#include <pthread.h>
#include <sys/epoll.h>

/** A file descriptor in the set. Embedded in a connection or listener, which owns the
 * descriptor. */
struct source {
    /** Called on the loop's thread with epoll's event bits. It may remove and free any source. */
    void (*ready)(struct source *source, uint32_t events);
    int fd;
};

/** Taken from the kernel at once. Few: what they begin is run, answered and sent while it is in the first
 *  cache, and one look at the clock a round is enough. */
enum { LOOP_EVENTS_MAX = 16 };

struct loop {
    struct worker worker;
    int epoll_fd, event_fd;
    pthread_t thread;
    bool started;
    atomic_bool stopping;
    int event_count, event_next; /* own thread */
    /** Own thread: the batch under way; removed sources are blanked. */
    struct epoll_event events[LOOP_EVENTS_MAX];
};

/** Prepare a loop without a thread. ERR_OS, ERR_MEMORY. */
bool loop_init(struct loop *loop, struct node *node, unsigned index, struct err *err) MUST_USE;

/** Close what it has; fine for one whose init failed. The thread must have been joined. */
void loop_fini(struct loop *loop);

/** Start the thread. ERR_OS. */
bool loop_start(struct loop *loop, struct err *err) MUST_USE;

/** End the thread after a last round, and wait for it. Not from a loop's thread. */
void loop_stop(struct loop *loop);

/** The loop that `worker` is part of. */
static inline struct loop *loop_of(struct worker *worker)
{
    return CONTAINER_OF(worker, struct loop, worker);
}

/** Watch `source->fd`; `events` as for epoll_ctl (EPOLLET included or not). ERR_OS. */
bool loop_add(struct loop *loop, struct source *source, uint32_t events, struct err *err) MUST_USE;

/** Change what is watched for. BUG if the source is not in the set. */
void loop_modify(struct loop *loop, struct source *source, uint32_t events);

/** Stop watching; no call to `ready` follows, not even from the batch under way. */
void loop_remove(struct loop *loop, struct source *source);

/** Call `work(argument)` on the loop's thread and wait until it has run; without a thread it is
 *  called here. Not from a loop's thread. */
void loop_call(struct loop *loop, void (*work)(struct loop *loop, void *argument), void *argument);
