/**
 * @file
 * One worker: a run queue, an inbox, timers, and the processes that it runs in turns.
 *
 * Two queues: *fresh* (new, or woken) and *preempted* (used up a tick). While fresh has work,
 * preempted processes get at most a quarter of the time and at least a twentieth.
 * Each queue has one lock; others only steal from it. Wakes from other threads come through a
 * lock-free inbox; `notify` is called only when it goes from empty to non-empty while the worker
 * sleeps or may be about to.
 * A worker has no file descriptor: core/loop.h joins it to epoll and a thread; a simulation
 * calls worker_run() itself.
 *
 * Threads: worker_run() and worker_defer() are for the worker's own thread; worker_post() for any.
 */
#pragma once

#include "core/process.h"

/** First in, first out, through `process->queue_link`; also taken from its middle. */
struct run_queue {
    struct list processes; /* guarded by the worker's lock */
    atomic_uint length;    /* written with the lock, any thread reads */
};

struct worker {
    struct node *node;                     /* constant */
    unsigned index;                        /* constant: 0 .. workers - 1 */
    void (*notify)(struct worker *worker); /* constant; any thread calls it */
    struct timer_wheel timers;
    struct task *deferred_first, *deferred_last; /* own thread */
    uint64_t now_ns;                             /* own thread: as of the last look at the clock */
    uint64_t fresh_ns, preempted_ns;             /* own thread: time given to each, decaying */
    uint64_t fresh_seen_ns;     /* own thread: when fresh work or input was last there */
    uint64_t pause_began_ns;    /* own thread: 0 = not pausing */
    bool handling;              /* own thread: input was handled since the last round */
    uint64_t pid_next, pid_end; /* own thread: counters set aside for pids */

    /* What other threads look at all the time has cache lines of its own. */
    _Alignas(64) struct lock lock; /* guards fresh and preempted */
    struct run_queue fresh, preempted;
    _Alignas(64) _Atomic(struct task *) inbox; /* any thread pushes, newest first */
    atomic_bool sleeping;                      /* any thread: in, or about to enter, its wait */
    atomic_uint posting;                       /* any thread: posts of other threads under way */

    _Alignas(64) atomic_uint_least64_t turn_began_ns; /* own thread writes: 0 = no turn under way */
    atomic_uint_least64_t turns, preemptions, steals; /* own thread writes, any reads */
    atomic_uint_least64_t started;                /* any thread: processes started by this thread */
    atomic_uint_least64_t exits[EXIT_KILLED + 1]; /* own thread writes, any reads */
    atomic_int_least64_t room; /* any thread: its share of what max-processes leaves */
};

/** How long a worker that only has preempted processes looks for input before it runs one. */
enum { WORKER_PAUSE_NS = 200000 };

/** Put it together on a node. `notify` must make the worker's wait end; any thread calls it. */
void worker_init(struct worker *worker, struct node *node, unsigned index,
                 void (*notify)(struct worker *worker));

/** BUG when it still has processes or timers. */
void worker_fini(struct worker *worker);

/** Put a task on the inbox and wake the worker if it sleeps. Any thread; never blocks. */
void worker_post(struct worker *worker, struct task *task);

/** Run a task at the end of this round, after the processes and before sleeping: how connections
 *  flush once for many writes. Own thread; the task is on no list. */
void worker_defer(struct worker *worker, struct task *task);

/** What worker_run() left behind. */
enum worker_state {
    WORKER_IDLE,  /**< Nothing runnable: sleep until worker_next_ns() or a notify. */
    WORKER_PAUSE, /**< Only preempted processes, and their share is used up: look for input for at
                       most WORKER_PAUSE_NS, then call again. */
    WORKER_BUSY,  /**< More to run: look for input without waiting, then call again. */
};

/** Take the inbox, run what is runnable for at most about one slice (1 ms) or one preempted turn,
 *  fire timers, run deferred tasks, steal when there is nothing. Own thread. */
enum worker_state worker_run(struct worker *worker);

/** Whatever waits on this thread is about to handle input: look at the clock, and count the time
 *  until the next worker_run() as fresh work. Own thread. */
void worker_begin_input(struct worker *worker);

/** Look at the clock again: `now_ns`. Own thread. */
uint64_t worker_look(struct worker *worker);

/** Say that the thread is about to wait. False: something has arrived, do not. After the wait, or
 *  instead of it, worker_awake(). Own thread. */
bool worker_begin_sleep(struct worker *worker) MUST_USE;
void worker_awake(struct worker *worker);

/** End the worker's wait, if it waits. Any thread. */
void worker_ring(struct worker *worker);

/** When a timer is due; UINT64_MAX: never. Own thread. */
uint64_t worker_next_ns(struct worker *worker);

/** The worker whose thread this is, or NULL on any other. */
struct worker *worker_current(void);

/** Declare this thread to be the worker's, or NULL: no worker's any more. worker_run() does it for
 *  its own duration. */
void worker_set_current(struct worker *worker);

/** Processes waiting for a turn here. Any thread. */
unsigned worker_backlog(struct worker *worker);
