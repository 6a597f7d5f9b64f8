/**
 * @file
 * One node: its workers, its table of pids, its ticker, its counts against its limits.
 *
 * Life:    node_create() -> node_start() (threads run) -> node_drain() (no new process) ->
 *          node_stop() (every process killed and reclaimed, threads ended) -> node_destroy().
 * Threads: any, unless a function says otherwise. Counts are exact once nothing moves.
 */
#pragma once

#include "core/loop.h"

struct node_options {
    unsigned workers;       /**< 1 .. WORKERS_MAX. */
    uint32_t max_processes; /**< 0: no limit of the node's own. */
    uint64_t tick_ns;       /**< Preemption interval; 1,000,000 by default. */
    struct env *env;        /**< Borrowed; outlives the node. */
    /** Called each tick on the ticker's thread while any worker is busy: the engines' epochs. */
    void (*on_tick)(void *argument);
    void *tick_argument;
};

enum { WORKERS_MAX = 64 };

struct node_counts {
    uint64_t processes; /**< Alive now. */
    uint64_t processes_max;
    uint64_t spawned;                /**< Ever. */
    uint64_t exits[EXIT_KILLED + 1]; /**< Ever, by class. */
    uint64_t timers;                 /**< Running now. */
    uint64_t turns, preemptions, steals;
};

/** One line of `ps`: a copy. */
struct process_info {
    struct pid pid, parent;
    char kind[16], label[64], note[PROCESS_NOTE_BYTES];
    enum process_phase phase;
    uint64_t cpu_ns, turns, preemptions, age_ns;
    uint32_t mailbox_messages;
    uint64_t mailbox_bytes;
    struct traffic_counts traffic;
    uint32_t links, monitors,
        watchers; /**< Monitors: its own, and open calls; watchers: monitors on it. */
};

/** A node without threads yet. NULL: ERR_OS, ERR_MEMORY, ERR_INPUT (no or too many workers). */
struct node *node_create(const struct node_options *options, struct err *err) MUST_USE;
void node_destroy(struct node *node);
DEFINE_AUTO_DESTROY(node)

/** Start the workers' threads and the ticker. */
bool node_start(struct node *node, struct err *err) MUST_USE;

/** Refuse every new process from now on. */
void node_drain(struct node *node);

/** Kill what is left, wait until all of it is reclaimed, end the threads; what had been posted to a
 *  worker before is run. Not from a worker's thread. On a node without threads it runs the workers
 *  itself. Again does nothing. */
void node_stop(struct node *node);

unsigned node_workers(const struct node *node);
struct loop *node_loop(struct node *node, unsigned index);
struct env *node_env(const struct node *node);

/** Who can be found under what name. Any thread. */
struct registry *node_registry(const struct node *node);

/** Monotonic time: on a worker's thread the one of its current round if that is fresh enough
 *  (1 ms), otherwise read from the clock. */
uint64_t node_now_ns(struct node *node);

/** The process of that pid with a reference for the caller, or NULL. */
struct process *node_find(struct node *node, struct pid pid) MUST_USE;

struct node_counts node_counts(struct node *node);

/** Copy up to `max` pids of a namespace that are in one of NODE_PARTS parts of the table, for who works in
 *  slices. Returns how many there are in that part. */
enum { NODE_PARTS = 64 };
size_t node_pids(struct node *node, unsigned part, const char *namespace, struct pid *ret,
                 size_t max);

/** Copy up to `max` lines of what is alive to `ret`, returns how many. Slices its work: other
 *  threads never wait longer than one shard's copy. */
size_t node_list(struct node *node, struct process_info *ret, size_t max);
