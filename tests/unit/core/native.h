/**
 * @file
 * What the tests of core/ share: a body whose turns are C functions, a record of how such processes
 * ended, a clock that only moves when told to, and a semaphore with a deadline.
 */
#pragma once

#include "core/node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <semaphore.h>

/** Counts up in any thread; the test's thread waits for the counts. */
struct latch {
    sem_t posts;
};

void latch_init(struct latch *latch);
void latch_fini(struct latch *latch);
void latch_post(struct latch *latch);

/** Wait for `count` posts. Fails the test when they have not come after a minute. */
void latch_wait(struct latch *latch, unsigned count);

/** How the processes of one test have fared. */
struct tally {
    atomic_uint turns, reclaimed, exited, destroyed;
    struct latch exits, destroys;
    struct exit last; /**< Of the process that exited last; read after latch_wait(&exits). */
};

void tally_init(struct tally *tally);
void tally_fini(struct tally *tally);

struct native;
typedef enum turn native_turn(struct native *native, struct exit *ret_exit);

struct native {
    struct process process;
    struct tally *tally;
    native_turn *turn;
    void *argument;  /**< The test's. */
    uint64_t number; /**< The test's. */
    bool reclaimed;
};

/** A process that is not started; the caller has its one reference. */
struct native *native_create(struct node *node, struct tally *tally, native_turn *turn,
                             const struct process_options *options);

/** Create and start. Keeps a reference for the caller, who drops it by process_release(). */
struct native *native_start(struct node *node, struct worker *worker, struct tally *tally,
                            native_turn *turn);

static inline struct native *native_of(struct process *process)
{
    return CONTAINER_OF(process, struct native, process);
}

/** Turns that several tests need: park at once; yield whenever asked to; end at once. */
native_turn turn_park, turn_spin, turn_end;

/** An env whose clock stands still and whose random numbers follow from `seed`. */
struct still_env {
    struct env env;
    uint64_t now_ns;
    uint64_t seed;
};

void still_env_init(struct still_env *still, uint64_t seed);

/** A node without threads on such an env. */
struct node *still_node(struct still_env *still, unsigned workers, uint32_t max_processes);

/** The n-th worker of a node. */
struct worker *worker_of(struct node *node, unsigned index);

/** Run the workers of a node on a still env round and round until all are idle; pauses pass. */
void run_until_idle(struct node *node);
