/**
 * @file
 * Timers of one worker: a hierarchical wheel, 1 ms fine, constant time to start and to cancel.
 * (G. Varghese, A. Lauck, "Hashed and Hierarchical Timing Wheels", 1987.)
 *
 * Life:    a timer is embedded in its owner, zeroed, and must be cancelled before that is freed.
 * Threads: start and cancel from any thread (the wheel has a lock); timers fire on the worker's
 *          thread, with the lock held, so that after timer_cancel() has returned its callback
 *          neither runs nor will. A callback therefore only wakes or posts; it takes no lock of a
 *          lower rank than LOCK_TIMERS and starts or cancels no timer.
 */
#pragma once

#include "base/list.h"
#include "base/lock.h"

#include <stdatomic.h>
#include <stdint.h>

struct timer {
    struct list link;
    struct timer_wheel *_Atomic wheel; /**< NULL: not running. */
    uint64_t due_ns;                   /**< Of env's monotonic clock. */
    void (*fire)(struct timer *timer); /**< Called once. */
    uint8_t level, slot;               /**< Guarded by the wheel's lock: where it waits. */
};

enum { TIMER_LEVELS = 5, TIMER_SLOTS = 64 };

struct timer_wheel {
    struct lock lock;
    uint64_t origin_ns;                           /* constant after init */
    uint64_t now_tick;                            /* ticks of 1 ms done; owner writes, with lock */
    uint64_t occupied[TIMER_LEVELS];              /* guarded by lock: a bit per slot in use */
    struct list slots[TIMER_LEVELS][TIMER_SLOTS]; /* guarded by lock */
    struct list firing;                           /* guarded by lock: due now */
    atomic_uint_least64_t next_ns;                /* written with lock: see timer_wheel_next_ns() */
    atomic_uint running;                          /* any thread reads */
};

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ns);

/** BUG when a timer is still running. */
void timer_wheel_fini(struct timer_wheel *wheel);

/** Run `fire` at `due_ns` or up to 1 ms later, never earlier. BUG when the timer is running.
 *  The wheel's worker does not learn at once of what another thread starts: if it may sleep, post
 *  something to it as well. */
void timer_start(struct timer_wheel *wheel, struct timer *timer, uint64_t due_ns,
                 void (*fire)(struct timer *timer));

/** Stop it; waits while its callback runs on another thread. True: it had not fired and will not;
 *  false: it has fired, or was never started. Not concurrently with timer_start() of the same
 * timer. */
bool timer_cancel(struct timer *timer);

/** Fire what is due. The worker's thread only. */
void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ns);

/** When timer_wheel_advance() should next be called; UINT64_MAX: never. May be early, never late.
 *  Any thread; takes no lock. */
uint64_t timer_wheel_next_ns(struct timer_wheel *wheel);
