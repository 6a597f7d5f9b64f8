/**
 * @file
 * The identity of a process: 64 bits, never reused, not guessable.
 *
 * A pid is a keyed permutation (Speck64/128; Beaulieu and others, 2013) of a counter that starts at
 * 1. A permutation never gives the same value twice; whoever does not know the node's key cannot
 * tell the next one from the last. Zero names no process.
 * Text form: the number in decimal.
 */
#pragma once

#include "core/env.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct pid {
    uint64_t raw;
};

static inline bool pid_is_none(struct pid pid)
{
    return pid.raw == 0;
}
static inline bool pid_equal(struct pid a, struct pid b)
{
    return a.raw == b.raw;
}

/** Makes pids. Embedded in the node. */
struct pid_source {
    uint32_t round_keys[27];    /* constant after init */
    atomic_uint_least64_t next; /* any thread */
};

/** Draw a key from `env`. */
void pid_source_init(struct pid_source *source, struct env *env);

/** The same with a given key, the last word of the paper's notation first. For tests. */
void pid_source_init_key(struct pid_source *source, const uint32_t key[4]);

/** The next pid. Any thread. */
struct pid pid_next(struct pid_source *source);

/** Set `count` counters aside for pid_at() and return the first: how a worker draws pids without
 *  sharing a cache line at each spawn. Any thread. */
uint64_t pid_reserve(struct pid_source *source, uint64_t count);

/** The pid of a counter; it may be none (one of 2^64 is). Any thread. */
struct pid pid_at(const struct pid_source *source, uint64_t counter);
