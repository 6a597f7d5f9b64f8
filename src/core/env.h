/**
 * @file
 * Where time and randomness enter the node: the real ones, or a simulation's.
 *
 * Nothing in `core/` and above reads a clock or a random source in any other way.
 */
#pragma once

#include "base/base.h"

#include <stdint.h>

struct env {
    /** Nanoseconds of a clock that never goes back; its zero is arbitrary. Any thread. */
    uint64_t (*monotonic_ns)(struct env *env);
    /** Nanoseconds since 1970-01-01 UTC. Any thread. */
    uint64_t (*wall_ns)(struct env *env);
    /** Nanoseconds of processor time that the calling thread has had; NULL: as monotonic_ns. */
    uint64_t (*thread_cpu_ns)(struct env *env);
    /** Fill `ret` with unpredictable bytes. Any thread. Never fails. */
    void (*random)(struct env *env, void *ret, size_t size_bytes);
};

/** The machine's own clocks and random source. Constant, shared, never freed. */
struct env *env_system(void);
