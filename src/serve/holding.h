/**
 * @file
 * What is held for clients: bytes of requests and answers under way, counted by each lane and bounded
 * over all lanes of a server.
 *
 * A lane tells the common count in steps, so that lanes do not write to one word for every request; the
 * bound is therefore exact to one step a lane.
 *
 * Threads: any.
 */
#pragma once

#include "base/base.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { HOLDING_STEP_BYTES = 64 * 1024 };

/** Over all lanes. */
struct holding_sum {
    uint64_t max_bytes; /**< Constant; 0: no bound. */
    atomic_llong bytes; /**< As far as it was told. */
};

/** One lane's. */
struct holding {
    struct holding_sum *sum; /**< Constant; NULL: no bound. */
    atomic_llong bytes;      /**< Exact. */
    atomic_llong told;       /**< What of them the sum knows. */
};

/** Tell the sum what it does not know yet. */
void holding_tell(struct holding *holding, long long bytes);

/** Count so many bytes more, or (less than 0) fewer. */
static inline void holding_add(struct holding *holding, long long more)
{
    /* Relaxed, as all of it: numbers that order nothing. */
    long long bytes = atomic_fetch_add_explicit(&holding->bytes, more, memory_order_relaxed) + more;
    long long apart = bytes - atomic_load_explicit(&holding->told, memory_order_relaxed);
    if (UNLIKELY(apart >= HOLDING_STEP_BYTES || apart <= -HOLDING_STEP_BYTES)) {
        holding_tell(holding, bytes);
    }
}

/** Whether so many bytes more are within the bound; 0: whether anything is. */
static inline bool holding_has_room(const struct holding *holding, uint64_t more)
{
    if (holding->sum == NULL || holding->sum->max_bytes == 0) {
        return true;
    }
    long long bytes = atomic_load_explicit(&holding->sum->bytes, memory_order_relaxed);
    uint64_t held = bytes > 0 ? (uint64_t)bytes : 0;
    return held < holding->sum->max_bytes && more <= holding->sum->max_bytes - held;
}
