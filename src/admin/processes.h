/**
 * @file
 * What lives on a node, with its names: a copy that stands still. Known to `src/admin/` only.
 *
 * Life:    zeroed -> processes_read() -> processes_fini().
 * Threads: any; the copy is its owner's.
 */
#pragma once

#include "base/bytes.h"
#include "core/node.h"

struct process_name;

struct processes {
    struct process_info *lines; /**< Owned. */
    uint64_t *memory_bytes;     /**< Owned: of the guest in each line, 0: none. */
    size_t count;
    struct process_name *names; /* owned, by pid */
    size_t name_count, name_capacity;
    bool failed; /* while reading names: out of memory */
};

/** At most so many are looked at. */
enum { PROCESSES_MAX = 1000000 };

/** Read all. False: out of memory. */
bool processes_read(struct processes *processes, struct node *node) MUST_USE;
void processes_fini(struct processes *processes);
static inline void processes_finip(struct processes *processes)
{
    processes_fini(processes);
}

/** The `index`-th name of the process in line `line`, with its size, or NULL. */
const char *processes_name(const struct processes *processes, size_t line, size_t index,
                           size_t *ret_size_bytes);

/** "parked", "queued", "running", "exited". Constant text. */
const char *process_phase_name(enum process_phase phase);

/** Append text of a guest, fit for a terminal: control characters and broken UTF-8 as `\xNN`. False: out of memory. */
bool processes_show(struct bytes *ret, const char *text, size_t size_bytes) MUST_USE;
