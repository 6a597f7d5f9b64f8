/**
 * @file
 * What process.c, worker.c, node.c and ticker.c share and say to each other. For core/ alone.
 */
#pragma once

#include "core/node.h"
#include "core/pid_table.h"
#include "core/ticker.h"

struct node {
    struct node_options options; /* constant */
    struct loop *loops;          /* constant: options.workers of them */
    unsigned loops_ready;        /* creator only: how many were initialised */
    bool started;                /* starter only */
    uint64_t room_max;           /* constant: max-processes, or as good as none */
    int64_t room_batch; /* constant: what a worker takes from `room` at once; 0: no sharing */
    struct pid_table pids;
    struct ticker ticker;
    _Alignas(64) struct pid_source pid_source;
    _Alignas(64) atomic_int_least64_t room; /* any thread: processes that may yet start */
    atomic_uint_least64_t started_outside; /* any thread: processes started by no worker's thread */
    atomic_bool draining;                  /* any thread */
};

enum queue_kind { QUEUE_FRESH, QUEUE_PREEMPTED };

/** Put a queued process last. Own thread. */
void worker_enqueue(struct worker *worker, struct process *process, enum queue_kind kind);

/** Take a process out of the middle of its queue. False: it is on none of this worker's. Own
 * thread. */
bool worker_unqueue(struct worker *worker, struct process *process) MUST_USE;

/** When the process at the front of either queue was queued; UINT64_MAX: both are empty. Any
 * thread. */
uint64_t worker_oldest_ns(struct worker *worker);

/** Give a process that was taken off its queue one turn, and do what follows from it. Own
 * thread. */
void process_run(struct process *process, struct worker *worker);

/** Count one more process. False: ERR_LIMIT, ERR_DENIED. `here` is the worker whose thread this is,
 *  or NULL. */
bool node_admit(struct node *node, struct worker *here, struct err *err) MUST_USE;

/** Undo node_admit() for a process that did not start. */
void node_readmit(struct node *node, struct worker *here);

/** Count one as exited. On the thread of the worker that reclaimed it. */
void node_retire(struct node *node, struct worker *here, enum exit_class exit_class);

/** A pid that was never used. */
struct pid node_next_pid(struct node *node, struct worker *here);

/** The worker with the shortest queues. Any thread. */
struct worker *node_least_loaded(struct node *node);
