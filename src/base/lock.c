#include "base/lock.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LOCK_SPINS = 64 }; /* Holders hold for less time than it takes to go to sleep. */

_Thread_local struct lock_stack lock_stack;

void lock_fini(struct lock *lock)
{
    INVARIANT(atomic_load_explicit(&lock->state, memory_order_relaxed) == 0);
}

static void futex(struct lock *lock, int operation, unsigned value)
{
    /* Whatever comes back, interrupted or changed meanwhile, the callers look again. */
    syscall(SYS_futex, &lock->state, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

void lock_wait(struct lock *lock)
{
    for (unsigned i = 0; i < LOCK_SPINS; i++) {
        unsigned free = 0;
        if (atomic_load_explicit(&lock->state, memory_order_relaxed) == 0 &&
            atomic_compare_exchange_weak_explicit(&lock->state, &free, 1, memory_order_acquire,
                                                  memory_order_relaxed)) {
            return;
        }
    }
    /* From here on as "somebody may wait", also once it is ours: others may sleep beside us. */
    while (atomic_exchange_explicit(&lock->state, 2, memory_order_acquire) != 0) {
        futex(lock, FUTEX_WAIT, 2);
    }
}

void lock_wake(struct lock *lock)
{
    futex(lock, FUTEX_WAKE, 1);
}

void lock_bad_take(const struct lock *lock)
{
    BUG("lock of rank %d taken inside one of rank %d", (int)lock->rank,
        (int)lock_stack.held[lock_stack.count - 1]->rank);
}

void lock_bad_release(const struct lock *lock)
{
    BUG("lock of rank %d released, but it is not this thread's innermost", (int)lock->rank);
}

bool lock_is_held(const struct lock *lock)
{
    for (unsigned i = 0; i < lock_stack.count; i++) {
        if (lock_stack.held[i] == lock) {
            return true;
        }
    }
    return false;
}
