/**
 * @file
 * What the files of core/ that run processes share and say to each other. For core/ alone.
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
    struct registry *registry; /* constant */
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

/** The stop that was raised. Any thread. */
enum process_stop process_stop_of(const struct process *process);

/** Raise STOP_EXIT or STOP_SHUTDOWN, whose reason is retained. Owner. */
void process_stop_because(struct process *process, enum process_stop stop, struct reason *reason);

/** The exit of a process. On the thread of its worker. */
void process_finish(struct process *process, struct worker *worker, struct exit *exit);

/** Whether it may make one more link, monitor or call. False: ERR_LIMIT. Owner. */
bool process_may_tie(const struct process *process, struct err *err) MUST_USE;

/** Whether anybody is to be told when it ends. Owner. */
static inline bool process_has_ties(const struct process *process)
{
    return process->links.count > 0 || process->awaited.count > 0 ||
           !list_is_empty(&process->watchers);
}

/** Count one more process. False: ERR_LIMIT, ERR_DENIED. `here` is the worker whose thread this is,
 *  or NULL. */
bool node_admit(struct node *node, struct worker *here, struct err *err) MUST_USE;

/** Undo node_admit() for a process that did not start. */
void node_readmit(struct node *node, struct worker *here);

/** Give the place of an exiting process back: another may start. */
void node_vacate(struct node *node, struct worker *here);

/** Count one as exited, after node_vacate(), when all of its exit is done. On the thread of the worker that reclaimed it. */
void node_retire(struct worker *here, enum exit_class exit_class);

/** A pid that was never used. */
struct pid node_next_pid(struct node *node, struct worker *here);

/** The worker with the shortest queues. Any thread. */
struct worker *node_least_loaded(struct node *node);
