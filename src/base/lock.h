/**
 * @file
 * The only mutex of the project: knows its holder and its rank, and checks both.
 *
 * A thread takes locks in rising rank only, so that no two threads can wait for each other. Locks
 * of one rank are never held together. Critical sections are short: no call out, no I/O, no wait.
 * The check costs a look at a small stack of the thread's own: it stays on in release builds.
 *
 * One word and a futex (after U. Drepper, "Futexes Are Tricky", 2011), because starting and ending
 * a process takes four locks that are nearly always free: this way they cost about half of what the
 * C library's general mutexes do.
 */
#pragma once

#include "base/base.h"

#include <stdatomic.h>
#include <stdbool.h>

/** Outermost first. */
enum lock_rank {
    LOCK_NODE = 1, /**< node: list of processes. */
    LOCK_EXCHANGE, /**< serve: one request and its answer. */
    LOCK_RATE,     /**< serve: one part of the addresses that are limited. */
    LOCK_DYNAMIC,  /**< guest: code that guests have brought. */
    LOCK_FETCH,    /**< guest: one request that goes out. */
    LOCK_RESOLVER, /**< guest: names that are looked up. */
    LOCK_STREAM,   /**< core: one byte stream. */
    LOCK_REGISTRY, /**< core: one shard of names, tags and groups. */
    LOCK_PIDS,     /**< core: one shard of the table of pids. */
    LOCK_TIMERS,   /**< core: one worker's timers. */
    LOCK_QUEUE,    /**< core: one worker's run queue. */
    LOCK_EDITION,  /**< guest: the code that a worker's new processes of one component run. */
    LOCK_TLS,      /**< serve: one listener's TLS context and ticket keys. */
    LOCK_LOG,      /**< base: the log's buffer. */
};

struct lock {
    atomic_uint state;   /* any thread: 0 free, 1 held, 2 held and somebody may wait */
    enum lock_rank rank; /* constant after init */
};

enum { LOCKS_HELD_MAX = LOCK_LOG };

/** What this thread holds, innermost last; ranks rise, so the last one's is the highest.
 * Private. */
struct lock_stack {
    const struct lock *held[LOCKS_HELD_MAX];
    unsigned count;
};
extern _Thread_local struct lock_stack lock_stack;

/** A lock with static storage, ready for use. */
#define LOCK_INITIALIZER(r)                                                                        \
    {                                                                                              \
        .rank = (r)                                                                                \
    }

static inline void lock_init(struct lock *lock, enum lock_rank rank)
{
    atomic_init(&lock->state, 0);
    lock->rank = rank;
}

/** BUG when somebody holds it. */
void lock_fini(struct lock *lock);

/** What the two functions below do when they cannot go the short way. Private. */
void lock_wait(struct lock *lock);
void lock_wake(struct lock *lock);
noreturn void lock_bad_take(const struct lock *lock);
noreturn void lock_bad_release(const struct lock *lock);

/** Wait for the lock. BUG when this thread holds one of the same or a higher rank. */
static inline void lock_take(struct lock *lock)
{
    unsigned count = lock_stack.count;
    if (count > 0 && UNLIKELY(lock_stack.held[count - 1]->rank >= lock->rank)) {
        lock_bad_take(lock);
    }
    unsigned free = 0;
    /* Acquire: pairs with the release below; what the last holder wrote is there. */
    if (UNLIKELY(!atomic_compare_exchange_strong_explicit(
            &lock->state, &free, 1, memory_order_acquire, memory_order_relaxed))) {
        lock_wait(lock);
    }
    lock_stack.held[count] = lock;
    lock_stack.count = count + 1;
}

/** Give it back. BUG when this thread does not hold it as its innermost lock. */
static inline void lock_release(struct lock *lock)
{
    unsigned count = lock_stack.count;
    if (UNLIKELY(count == 0 || lock_stack.held[count - 1] != lock)) {
        lock_bad_release(lock);
    }
    lock_stack.count = count - 1;
    if (UNLIKELY(atomic_exchange_explicit(&lock->state, 0, memory_order_release) == 2)) {
        lock_wake(lock);
    }
}

/** Whether this thread holds it. For INVARIANTs. */
bool lock_is_held(const struct lock *lock);
