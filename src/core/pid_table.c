#include "core/pid_table.h"

#include <stdlib.h>

enum { BUCKETS_MIN = 16 };

static struct pid_shard *shard_of(struct pid_table *table, struct pid pid)
{
    return &table->shards[pid.raw % PID_SHARDS];
}

/* A pid is a cipher's output: its bits are a hash already. */
static struct process **bucket_of(struct pid_shard *shard, struct pid pid)
{
    return &shard->buckets[(pid.raw / PID_SHARDS) & (shard->bucket_count - 1)];
}

void pid_table_init(struct pid_table *table)
{
    for (unsigned i = 0; i < PID_SHARDS; i++) {
        lock_init(&table->shards[i].lock, LOCK_PIDS);
        table->shards[i].buckets = NULL;
        table->shards[i].bucket_count = 0;
        table->shards[i].count = 0;
    }
}

void pid_table_fini(struct pid_table *table)
{
    for (unsigned i = 0; i < PID_SHARDS; i++) {
        INVARIANT(table->shards[i].count == 0);
        free(table->shards[i].buckets);
        lock_fini(&table->shards[i].lock);
    }
}

/* False: no memory, nothing changed. */
static bool shard_resize(struct pid_shard *shard, size_t bucket_count)
{
    struct process **buckets = calloc(bucket_count, sizeof(struct process *));
    if (buckets == NULL) {
        return false;
    }
    struct process **old = shard->buckets;
    size_t old_count = shard->bucket_count;
    shard->buckets = buckets;
    shard->bucket_count = bucket_count;
    for (size_t i = 0; i < old_count; i++) {
        for (struct process *p = old[i], *next; p != NULL; p = next) {
            next = p->pid_next;
            struct process **bucket = bucket_of(shard, p->pid);
            p->pid_next = *bucket;
            *bucket = p;
        }
    }
    free(old);
    return true;
}

bool pid_table_insert(struct pid_table *table, struct process *process)
{
    struct pid_shard *shard = shard_of(table, process->pid);
    lock_take(&shard->lock);
    bool fits = true;
    if (shard->count >= shard->bucket_count) {
        size_t wanted = shard->bucket_count == 0 ? BUCKETS_MIN : shard->bucket_count * 2;
        fits = shard_resize(shard, wanted) || shard->bucket_count > 0;
    }
    if (fits) {
        struct process **bucket = bucket_of(shard, process->pid);
        process->pid_next = *bucket;
        *bucket = process;
        shard->count++;
    }
    lock_release(&shard->lock);
    return fits;
}

void pid_table_remove(struct pid_table *table, struct process *process)
{
    struct pid_shard *shard = shard_of(table, process->pid);
    lock_take(&shard->lock);
    INVARIANT(shard->bucket_count > 0);
    struct process **link = bucket_of(shard, process->pid);
    while (*link != process) {
        INVARIANT(*link != NULL);
        link = &(*link)->pid_next;
    }
    *link = process->pid_next;
    shard->count--;
    if (shard->bucket_count > BUCKETS_MIN && shard->count < shard->bucket_count / 8) {
        /* Without memory for the smaller array the larger one stays, which is as good. */
        (void)shard_resize(shard, shard->bucket_count / 2);
    }
    lock_release(&shard->lock);
}

struct process *pid_table_find(struct pid_table *table, struct pid pid)
{
    struct pid_shard *shard = shard_of(table, pid);
    lock_take(&shard->lock);
    struct process *found = shard->bucket_count == 0 ? NULL : *bucket_of(shard, pid);
    while (found != NULL && !pid_equal(found->pid, pid)) {
        found = found->pid_next;
    }
    if (found != NULL) {
        /* Under the lock: the table's own reference is dropped only after the removal, so the
         * count is at least one here and nothing that is being destroyed comes back. */
        process_retain(found);
    }
    lock_release(&shard->lock);
    return found;
}

void pid_table_visit(struct pid_table *table, unsigned shard_index,
                     void (*visit)(struct process *process, void *argument), void *argument)
{
    struct pid_shard *shard = &table->shards[shard_index];
    lock_take(&shard->lock);
    for (size_t i = 0; i < shard->bucket_count; i++) {
        for (struct process *p = shard->buckets[i]; p != NULL; p = p->pid_next) {
            visit(p, argument);
        }
    }
    lock_release(&shard->lock);
}

size_t pid_table_shard_count(struct pid_table *table, unsigned shard_index)
{
    struct pid_shard *shard = &table->shards[shard_index];
    lock_take(&shard->lock);
    size_t count = shard->count;
    lock_release(&shard->lock);
    return count;
}
