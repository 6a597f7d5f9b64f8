/**
 * @file
 * The thread that ticks while a worker is awake: it calls the node's `on_tick`, by which engines
 * preempt their guests, and rings an idle worker when another has a backlog. For core/ alone.
 */
#pragma once

#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>

struct node;

struct ticker {
    struct node *node;               /* constant */
    pthread_t thread;                /* ticker_start() and ticker_stop() only */
    bool started;                    /* the same */
    int event_fd;                    /* constant once started */
    atomic_bool stopping;            /* any thread */
    _Alignas(64) atomic_bool asleep; /* any thread: no worker has been awake for a while */
};

/** Start the thread. ERR_OS. */
bool ticker_start(struct ticker *ticker, struct node *node, struct err *err) MUST_USE;

/** End it, and wait for that; fine when it was not started. */
void ticker_stop(struct ticker *ticker);

/** A worker has woken up: tick again, if the ticker sleeps. Any thread. */
void ticker_wake(struct ticker *ticker);
