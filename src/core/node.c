#include "core/node.h"

#include "core/schedule.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TICK_DEFAULT_NS = 1000000,
    PIDS_AT_ONCE = 256,  /* counters that a worker sets aside for the pids it draws */
    ROOM_BATCH_MAX = 16, /* places that a worker takes from the node's at once */
    ROOM_SHARE = 64,     /* at most max-processes / (workers * this) */
    PINS_AT_ONCE = 256,
};

/* More than there can ever be; small enough that adding to it does not overflow. */
static const uint64_t ROOM_UNLIMITED = UINT64_MAX / 4;

struct node *node_create(const struct node_options *options, struct err *err)
{
    if (options->workers == 0 || options->workers > WORKERS_MAX) {
        err_set(err, ERR_INPUT, "a node has 1 to %d workers, not %u", WORKERS_MAX,
                options->workers);
        return NULL;
    }
    AUTO(node_destroyp) struct node *node = aligned_alloc(_Alignof(struct node), sizeof(*node));
    if (node == NULL) {
        err_set_memory(err);
        return NULL;
    }
    memset(node, 0, sizeof(*node));
    node->options = *options;
    if (node->options.tick_ns == 0) {
        node->options.tick_ns = TICK_DEFAULT_NS;
    }
    node->room_max = options->max_processes == 0 ? ROOM_UNLIMITED : options->max_processes;
    uint64_t share = node->room_max / (options->workers * (uint64_t)ROOM_SHARE);
    node->room_batch = share > ROOM_BATCH_MAX ? ROOM_BATCH_MAX : (int64_t)share;
    atomic_init(&node->room, (int64_t)node->room_max);
    pid_table_init(&node->pids);
    pid_source_init(&node->pid_source, options->env);

    node->registry = registry_create(err);
    if (node->registry == NULL) {
        return NULL;
    }
    size_t loops_bytes = options->workers * sizeof(*node->loops);
    node->loops = aligned_alloc(_Alignof(struct loop), loops_bytes);
    if (node->loops == NULL) {
        err_set_memory(err);
        return NULL;
    }
    memset(node->loops, 0, loops_bytes);
    while (node->loops_ready < options->workers) {
        unsigned index = node->loops_ready++;
        if (!loop_init(&node->loops[index], node, index, err)) {
            return NULL;
        }
    }
    return TAKE(node);
}

void node_destroy(struct node *node)
{
    if (node == NULL) {
        return;
    }
    INVARIANT(!node->started);
    INVARIANT(node_counts(node).processes == 0);
    for (unsigned i = 0; i < node->loops_ready; i++) {
        loop_fini(&node->loops[i]);
    }
    registry_destroy(node->registry);
    pid_table_fini(&node->pids);
    free(node->loops);
    free(node);
}

bool node_start(struct node *node, struct err *err)
{
    INVARIANT(!node->started);
    node->started = true;
    if (!ticker_start(&node->ticker, node, err)) {
        node_stop(node);
        return err_wrap(err, "start the node");
    }
    for (unsigned i = 0; i < node->options.workers; i++) {
        if (!loop_start(&node->loops[i], err)) {
            node_stop(node);
            return err_wrap(err, "start the node");
        }
    }
    return true;
}

void node_drain(struct node *node)
{
    /* Order: pairs with node_admit(). */
    atomic_store_explicit(&node->draining, true, memory_order_seq_cst);
}

struct pins {
    struct process *process[PINS_AT_ONCE];
    size_t count;
};

static void pin(struct process *process, void *argument)
{
    struct pins *pins = argument;
    /* One that is being stopped already would only be found again and again. */
    if (pins->count < PINS_AT_ONCE &&
        atomic_load_explicit(&process->stop, memory_order_relaxed) == STOP_NONE) {
        process_retain(process);
        pins->process[pins->count++] = process;
    }
}

/* Stop all processes of one shard that are not being stopped yet. */
static void shard_kill(struct node *node, unsigned shard)
{
    struct pins pins;
    do {
        pins.count = 0;
        pid_table_visit(&node->pids, shard, pin, &pins);
        for (size_t i = 0; i < pins.count; i++) {
            process_stop(pins.process[i], STOP_KILL, "the node stops");
            process_release(pins.process[i]);
        }
    } while (pins.count == PINS_AT_ONCE);
}

static void loop_round(struct loop *loop, void *argument)
{
    (void)argument;
    if (!loop->started) {
        worker_run(&loop->worker);
    }
}

/* Let each worker come round once: what was posted to it before has then been run. */
static void node_round(struct node *node)
{
    for (unsigned i = 0; i < node->loops_ready; i++) {
        loop_call(&node->loops[i], loop_round, NULL);
    }
}

static bool any_posting(struct node *node)
{
    for (unsigned i = 0; i < node->loops_ready; i++) {
        /* Acquire: pairs with the end of worker_post(). */
        if (atomic_load_explicit(&node->loops[i].worker.posting, memory_order_acquire) != 0) {
            return true;
        }
    }
    return false;
}

void node_stop(struct node *node)
{
    INVARIANT(worker_current() == NULL);
    node_drain(node);
    while (node_counts(node).processes > 0) {
        for (unsigned shard = 0; shard < PID_SHARDS; shard++) {
            shard_kill(node, shard);
        }
        node_round(node);
    }
    /* What the last exits have posted from one worker to another, and what that has posted. */
    node_round(node);
    node_round(node);
    for (unsigned i = 0; i < node->loops_ready; i++) {
        loop_stop(&node->loops[i]);
    }
    ticker_stop(&node->ticker);
    while (any_posting(node)) {
        sched_yield(); /* A thread that woke a process is between its last two steps. */
    }
    node->started = false;
}

unsigned node_workers(const struct node *node)
{
    return node->options.workers;
}

struct loop *node_loop(struct node *node, unsigned index)
{
    INVARIANT(index < node->options.workers);
    return &node->loops[index];
}

struct env *node_env(const struct node *node)
{
    return node->options.env;
}

struct registry *node_registry(const struct node *node)
{
    return node->registry;
}

uint64_t node_now_ns(struct node *node)
{
    struct worker *here = worker_current();
    if (here == NULL || here->node != node) {
        return node->options.env->monotonic_ns(node->options.env);
    }
    /* Between turns the last look is of this round; a turn may be under way for long. */
    bool in_turn = atomic_load_explicit(&here->turn_began_ns, memory_order_relaxed) != 0;
    return in_turn ? worker_look(here) : here->now_ns;
}

struct process *node_find(struct node *node, struct pid pid)
{
    return pid_is_none(pid) ? NULL : pid_table_find(&node->pids, pid);
}

struct pid node_next_pid(struct node *node, struct worker *here)
{
    if (here == NULL) {
        return pid_next(&node->pid_source);
    }
    for (;;) {
        if (here->pid_next == here->pid_end) {
            here->pid_next = pid_reserve(&node->pid_source, PIDS_AT_ONCE);
            here->pid_end = here->pid_next + PIDS_AT_ONCE;
        }
        struct pid pid = pid_at(&node->pid_source, here->pid_next++);
        if (!pid_is_none(pid)) {
            return pid;
        }
    }
}

struct worker *node_least_loaded(struct node *node)
{
    struct worker *best = NULL;
    unsigned best_load = 0;
    for (unsigned i = 0; i < node->options.workers; i++) {
        struct worker *worker = &node->loops[i].worker;
        bool in_turn = atomic_load_explicit(&worker->turn_began_ns, memory_order_relaxed) != 0;
        unsigned load = worker_backlog(worker) + (in_turn ? 1 : 0);
        if (best == NULL || load < best_load) {
            best = worker;
            best_load = load;
        }
    }
    return best;
}

/* Take up to `most` places, returns how many there were. */
static int64_t room_take(atomic_int_least64_t *room, int64_t most)
{
    int64_t there = atomic_load_explicit(room, memory_order_relaxed);
    int64_t taken;
    do {
        taken = there < most ? there : most;
        if (taken <= 0) {
            return 0;
        }
    } while (!atomic_compare_exchange_weak_explicit(room, &there, there - taken,
                                                    memory_order_relaxed, memory_order_relaxed));
    return taken;
}

static void room_give(atomic_int_least64_t *room, int64_t places)
{
    atomic_fetch_add_explicit(room, places, memory_order_relaxed);
}

/* A place under max-processes. Each worker keeps a few, so that starting and exiting share no cache
 * line; the last ones are looked for everywhere, so that the limit is exact. */
static bool node_take_place(struct node *node, struct worker *here)
{
    if (here != NULL && node->room_batch > 0) {
        if (room_take(&here->room, 1) == 1) {
            return true;
        }
        int64_t batch = room_take(&node->room, node->room_batch);
        if (batch > 0) {
            room_give(&here->room, batch - 1);
            return true;
        }
    } else if (room_take(&node->room, 1) == 1) {
        return true;
    }
    for (unsigned i = 0; i < node->options.workers; i++) {
        if (room_take(&node->loops[i].worker.room, 1) == 1) {
            return true;
        }
    }
    return room_take(&node->room, 1) == 1;
}

void node_vacate(struct node *node, struct worker *here)
{
    if (here == NULL || node->room_batch == 0) {
        room_give(&node->room, 1);
        return;
    }
    room_give(&here->room, 1);
    if (atomic_load_explicit(&here->room, memory_order_relaxed) > 2 * node->room_batch) {
        room_give(&node->room, room_take(&here->room, node->room_batch));
    }
}

static atomic_uint_least64_t *started_by(struct node *node, struct worker *here)
{
    return here == NULL ? &node->started_outside : &here->started;
}

bool node_admit(struct node *node, struct worker *here, struct err *err)
{
    if (!node_take_place(node, here)) {
        return err_set(err, ERR_LIMIT, "max-processes: all %llu are in use",
                       (unsigned long long)node->room_max);
    }
    /* Counted before the look: who drains and then finds no process can rely on it. */
    atomic_fetch_add_explicit(started_by(node, here), 1, memory_order_seq_cst);
    if (atomic_load_explicit(&node->draining, memory_order_seq_cst)) {
        node_readmit(node, here);
        return err_set(err, ERR_DENIED, "the node is shutting down");
    }
    return true;
}

void node_readmit(struct node *node, struct worker *here)
{
    atomic_fetch_sub_explicit(started_by(node, here), 1, memory_order_seq_cst);
    node_vacate(node, here);
}

void node_retire(struct worker *here, enum exit_class exit_class)
{
    uint64_t exits = atomic_load_explicit(&here->exits[exit_class], memory_order_relaxed);
    atomic_store_explicit(&here->exits[exit_class], exits + 1, memory_order_release);
}

struct node_counts node_counts(struct node *node)
{
    struct node_counts counts = {.processes_max = node->options.max_processes};
    uint64_t exited = 0;
    for (unsigned i = 0; i < node->loops_ready; i++) {
        struct worker *worker = &node->loops[i].worker;
        for (size_t class = 0; class < ARRAY_LENGTH(counts.exits); class ++) {
            uint64_t exits = atomic_load_explicit(&worker->exits[class], memory_order_acquire);
            counts.exits[class] += exits;
            exited += exits;
        }
        counts.timers += atomic_load_explicit(&worker->timers.running, memory_order_relaxed);
        counts.turns += atomic_load_explicit(&worker->turns, memory_order_relaxed);
        counts.preemptions += atomic_load_explicit(&worker->preemptions, memory_order_relaxed);
        counts.steals += atomic_load_explicit(&worker->steals, memory_order_relaxed);
    }
    /* Starts after exits: then the difference never falls short, and zero means zero. */
    counts.spawned = atomic_load_explicit(&node->started_outside, memory_order_seq_cst);
    for (unsigned i = 0; i < node->loops_ready; i++) {
        struct worker *worker = &node->loops[i].worker;
        counts.spawned += atomic_load_explicit(&worker->started, memory_order_seq_cst);
    }
    counts.processes = counts.spawned - exited;
    return counts;
}

struct listing {
    struct process_info *ret;
    size_t count, max;
    uint64_t now_ns;
};

static void list_one(struct process *process, void *argument)
{
    struct listing *listing = argument;
    if (listing->count == listing->max) {
        return;
    }
    struct process_info *info = &listing->ret[listing->count++];
    *info = (struct process_info){
        .pid = process->pid,
        .parent = process->parent,
        .phase = process_phase(process),
        .cpu_ns = atomic_load_explicit(&process->cpu_ns, memory_order_relaxed),
        .turns = atomic_load_explicit(&process->turns, memory_order_relaxed),
        .preemptions = atomic_load_explicit(&process->preemptions, memory_order_relaxed),
        .mailbox_messages = mailbox_messages(&process->mailbox),
        .mailbox_bytes = mailbox_bytes(&process->mailbox),
        .traffic = traffic_read(&process->traffic),
        .links = atomic_load_explicit(&process->link_count, memory_order_relaxed),
        .monitors = atomic_load_explicit(&process->monitor_count, memory_order_relaxed),
        .watchers = atomic_load_explicit(&process->watcher_count, memory_order_relaxed),
    };
    if (listing->now_ns > process->started_ns) {
        info->age_ns = listing->now_ns - process->started_ns;
    }
    snprintf(info->kind, sizeof(info->kind), "%s", process->kind == NULL ? "" : process->kind);
    snprintf(info->label, sizeof(info->label), "%s", process->label == NULL ? "" : process->label);
    process_note(process, info->note);
}

size_t node_list(struct node *node, struct process_info *ret, size_t max)
{
    struct listing listing = {.ret = ret, .max = max, .now_ns = node_now_ns(node)};
    for (unsigned shard = 0; shard < PID_SHARDS && listing.count < max; shard++) {
        pid_table_visit(&node->pids, shard, list_one, &listing);
    }
    return listing.count;
}

struct pid_listing {
    const char *namespace;
    struct pid *ret;
    size_t count, max;
};

static void list_pid(struct process *process, void *argument)
{
    struct pid_listing *listing = argument;
    if (process->unlisted || strcmp(process->namespace, listing->namespace) != 0) {
        return;
    }
    if (listing->count < listing->max) {
        listing->ret[listing->count] = process->pid;
    }
    listing->count++;
}

_Static_assert((int)NODE_PARTS == (int)PID_SHARDS, "a part is a shard");

size_t node_pids(struct node *node, unsigned part, const char *namespace, struct pid *ret,
                 size_t max)
{
    struct pid_listing listing = {.namespace = namespace, .ret = ret, .max = max};
    pid_table_visit(&node->pids, part, list_pid, &listing);
    return listing.count;
}
