/**
 * @file
 * Which process has which pid: a hash table in shards, each with its own lock. For core/ alone;
 * everybody else asks node_find().
 *
 * A shard is an array of chains through `process->pid_next`; when there is no memory to grow,
 * chains get longer.
 * Threads: any.
 */
#pragma once

#include "core/process.h"

enum { PID_SHARDS = 64 };

struct pid_shard {
    _Alignas(64) struct lock lock;
    struct process **buckets; /* guarded by lock */
    size_t bucket_count;      /* guarded by lock; a power of two, 0 until the first process */
    size_t count;             /* guarded by lock */
};

struct pid_table {
    struct pid_shard shards[PID_SHARDS];
};

void pid_table_init(struct pid_table *table);

/** BUG when a process is left in it. */
void pid_table_fini(struct pid_table *table);

/** Add a process, whose caller must hold a reference for as long as it is in the table. False: out
 *  of memory (only a shard's first process can meet that). */
bool pid_table_insert(struct pid_table *table, struct process *process) MUST_USE;

/** Remove it. BUG when it is not there. */
void pid_table_remove(struct pid_table *table, struct process *process);

/** The process of that pid with a reference for the caller, or NULL. */
struct process *pid_table_find(struct pid_table *table, struct pid pid) MUST_USE;

/** Call `visit` for each process of one shard, under the shard's lock: it only copies, or
 * retains. */
void pid_table_visit(struct pid_table *table, unsigned shard,
                     void (*visit)(struct process *process, void *argument), void *argument);

/** Processes of one shard now. */
size_t pid_table_shard_count(struct pid_table *table, unsigned shard);
