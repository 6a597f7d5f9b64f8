#include "native.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PATIENCE_S = 60 };

void latch_init(struct latch *latch)
{
    assert_int_equal(sem_init(&latch->posts, 0, 0), 0);
}

void latch_fini(struct latch *latch)
{
    sem_destroy(&latch->posts);
}

void latch_post(struct latch *latch)
{
    sem_post(&latch->posts);
}

void latch_wait(struct latch *latch, unsigned count)
{
    struct env *env = env_system();
    struct timespec end = {.tv_sec = (time_t)(env->wall_ns(env) / 1000000000U) + PATIENCE_S};
    while (count > 0) {
        if (sem_timedwait(&latch->posts, &end) == 0) {
            count--;
        } else if (errno != EINTR) {
            fail_msg("waited for a minute, %u are missing", count);
        }
    }
}

void tally_init(struct tally *tally)
{
    memset(tally, 0, sizeof(*tally));
    latch_init(&tally->exits);
    latch_init(&tally->destroys);
}

void tally_fini(struct tally *tally)
{
    latch_fini(&tally->exits);
    latch_fini(&tally->destroys);
}

static enum turn body_turn(struct process *process, struct exit *ret_exit)
{
    struct native *native = native_of(process);
    atomic_fetch_add(&native->tally->turns, 1);
    return native->turn(native, ret_exit);
}

static void body_reclaim(struct process *process)
{
    struct native *native = native_of(process);
    INVARIANT(!native->reclaimed);
    native->reclaimed = true;
    atomic_fetch_add(&native->tally->reclaimed, 1);
}

static void body_exited(struct process *process, const struct exit *exit)
{
    struct native *native = native_of(process);
    struct tally *tally = native->tally;
    INVARIANT(native->reclaimed);
    /* Only tests that wait for each single exit look at `last`; the count orders those. */
    if (atomic_fetch_add(&tally->exited, 1) == 0) {
        tally->last = *exit;
        tally->last.backtrace = NULL;
    }
    latch_post(&tally->exits);
}

static void body_destroy(struct process *process)
{
    struct native *native = native_of(process);
    struct tally *tally = native->tally;
    INVARIANT(native->reclaimed || process->pid.raw == 0);
    free(native);
    atomic_fetch_add(&tally->destroyed, 1);
    latch_post(&tally->destroys);
}

static const struct body native_body = {
    .turn = body_turn,
    .reclaim = body_reclaim,
    .exited = body_exited,
    .destroy = body_destroy,
};

struct native *native_create(struct node *node, struct tally *tally, native_turn *turn,
                             const struct process_options *options)
{
    static const struct process_options plain = {.kind = "test", .label = "native"};
    struct native *native = calloc(1, sizeof(*native));
    INVARIANT(native != NULL);
    process_init(&native->process, &native_body, node, options == NULL ? &plain : options);
    native->tally = tally;
    native->turn = turn;
    return native;
}

struct native *native_start(struct node *node, struct worker *worker, struct tally *tally,
                            native_turn *turn)
{
    struct native *native = native_create(node, tally, turn, NULL);
    process_retain(&native->process);
    struct err err;
    bool started = process_start(&native->process, worker, &err);
    INVARIANT(started);
    return native;
}

enum turn turn_park(struct native *native, struct exit *ret_exit)
{
    (void)native;
    (void)ret_exit;
    return TURN_PARKED;
}

enum turn turn_end(struct native *native, struct exit *ret_exit)
{
    (void)native;
    ret_exit->exit_class = EXIT_NORMAL;
    return TURN_ENDED;
}

enum turn turn_spin(struct native *native, struct exit *ret_exit)
{
    for (;;) {
        switch (process_tick(&native->process)) {
        case TICK_CONTINUE:
            continue;
        case TICK_YIELD:
            return TURN_YIELDED;
        case TICK_STOP:
            ret_exit->exit_class = EXIT_KILLED;
            return TURN_ENDED;
        }
        BUG("no such tick");
    }
}

static uint64_t still_monotonic_ns(struct env *env)
{
    return CONTAINER_OF(env, struct still_env, env)->now_ns;
}

static uint64_t still_wall_ns(struct env *env)
{
    return 1767225600000000000U + still_monotonic_ns(env);
}

/* S. Vigna's splitmix64: one addition and a mix for each 64 bits. */
static void still_random(struct env *env, void *ret, size_t size_bytes)
{
    struct still_env *still = CONTAINER_OF(env, struct still_env, env);
    unsigned char *at = ret;
    for (size_t i = 0; i < size_bytes; i++) {
        still->seed += 0x9e3779b97f4a7c15U;
        uint64_t z = still->seed;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        at[i] = (unsigned char)(z >> 56);
    }
}

void still_env_init(struct still_env *still, uint64_t seed)
{
    *still = (struct still_env){
        .env = {.monotonic_ns = still_monotonic_ns,
                .wall_ns = still_wall_ns,
                .random = still_random},
        .now_ns = 1000000000,
        .seed = seed,
    };
}

struct node *still_node(struct still_env *still, unsigned workers, uint32_t max_processes)
{
    struct err err;
    const struct node_options options = {
        .workers = workers, .max_processes = max_processes, .env = &still->env};
    struct node *node = node_create(&options, &err);
    INVARIANT(node != NULL);
    return node;
}

struct worker *worker_of(struct node *node, unsigned index)
{
    return &node_loop(node, index)->worker;
}

void run_until_idle(struct node *node)
{
    for (bool busy = true; busy;) {
        busy = false;
        for (unsigned i = 0; i < node_workers(node); i++) {
            struct worker *worker = worker_of(node, i);
            enum worker_state run = worker_run(worker);
            busy = run != WORKER_IDLE || busy;
            if (run == WORKER_PAUSE) {
                CONTAINER_OF(node_env(node), struct still_env, env)->now_ns += WORKER_PAUSE_NS;
            }
        }
        for (unsigned i = 0; i < node_workers(node); i++) {
            /* Something for one whose turn in this round was over. */
            busy = busy || atomic_load(&worker_of(node, i)->inbox) != NULL;
        }
    }
}
