/**
 * @file
 * How many Wasm processes this machine carries: from the kernel's and the user's limits in force to
 * the sizes of pools. Pure arithmetic, plus one function that reads the limits.
 *
 * Facts (measured, kernel 6.1 and later): a pooled fiber stack takes 2 memory mappings as soon as
 * its engine exists; a live memory takes up to 4 more (before its data, its data, behind it, and what it
 * has not got), and keeps them while its slot is warm.
 */
#pragma once

#include "base/err.h"

#include <stdint.h>

/** What limits us. UINT64_MAX: no limit. */
struct capacity_limits {
    uint64_t mappings;      /**< vm.max_map_count */
    uint64_t address_bytes; /**< RLIMIT_AS */
    uint64_t descriptors;   /**< RLIMIT_NOFILE, after raising our own soft limit. */
    uint64_t memory_bytes;  /**< Physical memory. */
};

/** Pool classes: ARCHITECTURE, "Pools have classes". */
enum pool_class {
    POOL_SMALL, /**< Memories that begin at up to 128 KiB and stay within 64 MiB; reset by memset. */
    POOL_LARGE, /**< Anything else up to 4 GiB; reset by what was touched. */
    POOL_CLASSES,
};

/** What the registered components of one class need; zeroed: the class is not used. */
struct capacity_need {
    bool used;
    uint32_t memories, tables,
        core_instances; /**< Most that one instance takes; at least 1 each. */
};

struct capacity_plan {
    uint32_t fibers[POOL_CLASSES]; /**< For each worker's engine of that class. */
    uint32_t processes;            /**< All of them together. */
    const char *limited_by;        /**< "max-processes", "vm.max_map_count", ... constant text. */
    uint32_t processes_wanted;     /**< What max-processes asked for; 0: nothing in particular. */
};

enum {
    CAPACITY_MAPPINGS_RESERVE = 5500, /**< For the program itself, code of components, buffers. */
    CAPACITY_FIBERS_MIN = 16,         /**< Below that a pool is not worth starting. */
    CAPACITY_FIBERS_MAX = 200000,     /**< Of one engine. */
    CAPACITY_SPARES = 32,             /**< Instances an engine of small guests keeps for reuse. */
    CAPACITY_PARTS_MAX = 24,          /**< Memories, tables, core instances of one instance. */
    CAPACITY_MODULE_PARTS_MAX = 4,    /**< Memories and tables, where that is a module. */
};

#define CAPACITY_SMALL_RESERVATION (UINT64_C(64) << 20)
#define CAPACITY_SMALL_INITIAL_MAX (UINT64_C(128) << 10)
#define CAPACITY_LARGE_RESERVATION (UINT64_C(4) << 30)

/** Which class a memory of that initial size and ceiling goes to. */
enum pool_class capacity_class(uint64_t initial_bytes, uint64_t ceiling_bytes);

/** Divide what the limits allow. `max_processes` 0: as many as possible.
 *  @return false: ERR_LIMIT: not even CAPACITY_FIBERS_MIN a pool; says which limit to raise, and how. Or
 *          a need above CAPACITY_PARTS_MAX. */
bool capacity_plan(const struct capacity_limits *limits,
                   const struct capacity_need needs[POOL_CLASSES], unsigned workers,
                   uint32_t max_processes, struct capacity_plan *ret, struct err *err) MUST_USE;

/** Raise this program's own soft limits to its hard ones and read what is in force. */
void capacity_read_limits(struct capacity_limits *ret);
