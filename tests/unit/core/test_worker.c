/* What a worker runs when, on a clock that only moves when a turn says so. */
#include "native.h"

#include <stdlib.h>

enum { US = 1000, MS = 1000000 };

struct world {
    struct still_env env;
    struct node *node;
    struct tally tally;
};

static int world_create(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    still_env_init(&world->env, 1);
    world->node = still_node(&world->env, 3, 0);
    tally_init(&world->tally);
    *state = world;
    return 0;
}

static int world_destroy(void **state)
{
    struct world *world = *state;
    node_stop(world->node);
    bool clean = node_counts(world->node).processes == 0 &&
                 world->tally.destroyed == world->tally.reclaimed;
    node_destroy(world->node);
    tally_fini(&world->tally);
    free(world);
    return clean ? 0 : -1;
}

/* Takes a millisecond and has more to do. */
static enum turn turn_hog(struct native *native, struct exit *ret_exit)
{
    (void)ret_exit;
    CONTAINER_OF(node_env(native->process.node), struct still_env, env)->now_ns += MS;
    native->number++;
    return TURN_YIELDED;
}

/* Takes 20 microseconds and waits for its next wake. */
static enum turn turn_quick(struct native *native, struct exit *ret_exit)
{
    (void)ret_exit;
    CONTAINER_OF(node_env(native->process.node), struct still_env, env)->now_ns += 20 * US;
    native->number++;
    return TURN_PARKED;
}

static struct native *start(struct world *world, unsigned worker, native_turn *turn)
{
    struct native *native = native_start(world->node, worker_of(world->node, worker), &world->tally,
                                         turn);
    process_release(&native->process);
    return native;
}

static void run_rounds(struct worker *worker, size_t rounds)
{
    for (size_t i = 0; i < rounds; i++) {
        worker_run(worker);
    }
}

static void hogs_alone_get_all_of_the_time(void **state)
{
    struct world *world = *state;
    struct worker *worker = worker_of(world->node, 0);
    struct native *hogs[2] = {start(world, 0, turn_hog), start(world, 0, turn_hog)};
    unsigned pauses = 0;
    for (int round = 0; round < 200; round++) {
        if (worker_run(worker) == WORKER_PAUSE) {
            world->env.now_ns += WORKER_PAUSE_NS;
            pauses++;
        }
    }
    assert_true(pauses < 10);
    uint64_t both = hogs[0]->number + hogs[1]->number;
    assert_true(both >= 190);
    assert_in_range(hogs[0]->number, both / 2 - 1, both / 2 + 1);
}

/* The share that hogs get of the time in which anything runs, while a quick process is woken
 * `gap_ns` after each of its turns. The worker's thread is played as a loop plays it. */
static double share_of_hogs(struct world *world, uint64_t gap_ns)
{
    struct worker *worker = worker_of(world->node, 0);
    struct native *hogs[8];
    for (size_t i = 0; i < ARRAY_LENGTH(hogs); i++) {
        hogs[i] = start(world, 0, turn_hog);
    }
    run_rounds(worker, ARRAY_LENGTH(hogs)); /* The first turn of each is fresh work. */
    struct native *quick = start(world, 0, turn_quick);
    uint64_t hogged = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(hogs); i++) {
        hogged -= hogs[i]->number;
    }
    uint64_t end = world->env.now_ns + 4000 * (uint64_t)MS;
    uint64_t served = 0;
    uint64_t input_ns = UINT64_MAX;
    while (world->env.now_ns < end) {
        enum worker_state ran = worker_run(worker);
        if (quick->number > served) {
            served = quick->number;
            input_ns = world->env.now_ns + gap_ns;
        }
        uint64_t patience = ran == WORKER_BUSY ? 0 : ran == WORKER_PAUSE ? WORKER_PAUSE_NS : gap_ns;
        if (world->env.now_ns + patience < input_ns) {
            world->env.now_ns += patience;
        } else if (world->env.now_ns < input_ns) {
            world->env.now_ns = input_ns;
        }
        if (world->env.now_ns >= input_ns) {
            process_wake(&quick->process);
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(hogs); i++) {
        hogged += hogs[i]->number;
    }
    double hogged_ns = (double)hogged * MS;
    return hogged_ns / (hogged_ns + (double)quick->number * 20 * US);
}

static void while_fresh_work_keeps_coming_hogs_get_at_most_a_quarter(void **state)
{
    struct world *world = *state;
    double share = share_of_hogs(world, 50 * US);
    assert_true(share <= 0.26);
    assert_true(share >= 0.20);
}

static void in_a_gap_longer_than_the_pause_hogs_run(void **state)
{
    struct world *world = *state;
    assert_true(share_of_hogs(world, 2 * WORKER_PAUSE_NS) > 0.9);
}

/* Wakes the next one of a ring, so that the queue of fresh work is never empty. */
static enum turn turn_ring(struct native *native, struct exit *ret_exit)
{
    struct native *next = native->argument;
    process_wake(&next->process);
    return turn_quick(native, ret_exit);
}

static void while_fresh_work_never_ends_hogs_get_at_least_a_twentieth(void **state)
{
    struct world *world = *state;
    struct native *ring[2] = {start(world, 0, turn_ring), start(world, 0, turn_ring)};
    ring[0]->argument = ring[1];
    ring[1]->argument = ring[0];
    struct native *hog = start(world, 0, turn_hog);
    for (int round = 0; round < 3000; round++) {
        worker_run(worker_of(world->node, 0));
    }
    double quick = (double)(ring[0]->number + ring[1]->number) * 20 * US;
    double share = (double)hog->number * MS / ((double)hog->number * MS + quick);
    assert_true(share >= 0.04);
    assert_true(share <= 0.26);
}

static void a_slice_of_fresh_work_ends_after_a_millisecond(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 200; i++) {
        start(world, 0, turn_quick);
    }
    uint64_t before = world->env.now_ns;
    assert_int_equal(worker_run(worker_of(world->node, 0)), WORKER_BUSY);
    assert_in_range(world->env.now_ns - before, MS, MS + 20 * US);
    assert_int_equal(worker_backlog(worker_of(world->node, 0)), 150);
}

static void an_idle_worker_steals_only_what_has_waited(void **state)
{
    struct world *world = *state;
    struct worker *victim = worker_of(world->node, 0);
    struct worker *thief = worker_of(world->node, 1);
    start(world, 0, turn_hog);
    worker_run(victim); /* It ran for its slice and waits again. */
    world->env.now_ns += 100 * US;
    assert_int_equal(worker_run(thief), WORKER_IDLE);
    assert_int_equal(atomic_load(&thief->steals), 0);
    world->env.now_ns += 200 * US;
    worker_run(thief);
    assert_int_equal(atomic_load(&thief->steals), 1);
}

static void half_of_an_old_backlog_moves_to_the_thief_and_runs_there(void **state)
{
    struct world *world = *state;
    struct worker *victim = worker_of(world->node, 0);
    struct worker *thief = worker_of(world->node, 2);
    for (int i = 0; i < 120; i++) {
        start(world, 0, turn_quick);
    }
    worker_run(victim); /* 50 of them, a slice. */
    assert_int_equal(worker_backlog(victim), 70);
    assert_int_equal(worker_run(thief), WORKER_IDLE);
    assert_int_equal(worker_backlog(victim), 35);
    assert_int_equal(atomic_load(&thief->steals), 35);
    assert_int_equal(atomic_load(&thief->turns), 35);
    worker_run(victim);
    assert_int_equal(world->tally.turns, 120);
}

static void a_stolen_process_wakes_and_stops_on_its_new_worker(void **state)
{
    struct world *world = *state;
    struct worker *victim = worker_of(world->node, 0);
    struct worker *thief = worker_of(world->node, 1);
    struct native *hogs[2] = {start(world, 0, turn_hog), start(world, 0, turn_hog)};
    worker_run(victim);
    world->env.now_ns += MS;
    worker_run(thief);
    assert_int_equal(atomic_load(&thief->steals), 1);
    struct native *moved = atomic_load(&hogs[0]->process.worker) == thief ? hogs[0] : hogs[1];
    assert_ptr_equal(atomic_load(&moved->process.worker), thief);
    process_stop(&moved->process, STOP_KILL, NULL);
    worker_run(victim);
    assert_int_equal(world->tally.exited, 0);
    worker_run(thief);
    assert_int_equal(world->tally.exited, 1);
}

static void a_stop_follows_a_process_that_was_stolen_meanwhile(void **state)
{
    struct world *world = *state;
    struct worker *victim = worker_of(world->node, 0);
    struct worker *thief = worker_of(world->node, 1);
    struct native *hogs[2] = {start(world, 0, turn_hog), start(world, 0, turn_hog)};
    worker_run(victim);
    world->env.now_ns += MS;
    process_stop(&hogs[0]->process, STOP_KILL, NULL);
    process_stop(&hogs[1]->process, STOP_KILL, NULL);
    worker_run(thief); /* Before the victim has looked at its inbox. */
    worker_run(victim);
    worker_run(thief);
    assert_int_equal(world->tally.exited, 2);
}

struct noted_task {
    struct task task;
    int *order;
    int number;
};

static void note(struct task *task)
{
    struct noted_task *noted = CONTAINER_OF(task, struct noted_task, task);
    *noted->order = *noted->order * 10 + noted->number;
}

static void posted_tasks_run_in_their_order(void **state)
{
    struct world *world = *state;
    struct worker *worker = worker_of(world->node, 0);
    int order = 0;
    struct noted_task tasks[3];
    for (int i = 0; i < 3; i++) {
        tasks[i] = (struct noted_task){.task.run = note, .order = &order, .number = i + 1};
        worker_post(worker, &tasks[i].task);
    }
    worker_run(worker);
    assert_int_equal(order, 123);
    assert_null(worker_current());
}

static void note_and_defer(struct task *task)
{
    struct noted_task *noted = CONTAINER_OF(task, struct noted_task, task);
    note(task);
    noted[1].task.run = note;
    worker_defer(worker_current(), &noted[1].task);
}

static void a_task_deferred_by_a_deferred_one_waits_for_the_next_round(void **state)
{
    struct world *world = *state;
    struct worker *worker = worker_of(world->node, 0);
    int order = 0;
    struct noted_task tasks[2] = {
        {.task.run = note_and_defer, .order = &order, .number = 1},
        {.order = &order, .number = 2},
    };
    worker_defer(worker, &tasks[0].task);
    assert_int_equal(worker_run(worker), WORKER_BUSY);
    assert_int_equal(order, 1);
    assert_int_equal(worker_run(worker), WORKER_IDLE);
    assert_int_equal(order, 12);
}

static unsigned notified;

static void count_notify(struct worker *worker)
{
    (void)worker;
    notified++;
}

static void only_a_sleeping_worker_is_notified_and_once(void **state)
{
    struct world *world = *state;
    struct worker *worker = worker_of(world->node, 0);
    void (*notify)(struct worker *) = worker->notify;
    worker->notify = count_notify;
    notified = 0;
    int order = 0;
    struct noted_task tasks[4];
    for (int i = 0; i < 4; i++) {
        tasks[i] = (struct noted_task){.task.run = note, .order = &order};
    }
    worker_post(worker, &tasks[0].task);
    assert_int_equal(notified, 0);
    assert_false(worker_begin_sleep(worker)); /* Something is there. */
    worker_awake(worker);
    worker_run(worker);
    assert_true(worker_begin_sleep(worker));
    worker_post(worker, &tasks[1].task);
    worker_post(worker, &tasks[2].task);
    worker_ring(worker);
    assert_int_equal(notified, 1);
    worker_awake(worker);
    worker_run(worker);
    worker_post(worker, &tasks[3].task);
    assert_int_equal(notified, 1);
    worker_run(worker);
    worker->notify = notify;
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, world_create, world_destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(hogs_alone_get_all_of_the_time),
        IN_A_WORLD(while_fresh_work_keeps_coming_hogs_get_at_most_a_quarter),
        IN_A_WORLD(while_fresh_work_never_ends_hogs_get_at_least_a_twentieth),
        IN_A_WORLD(in_a_gap_longer_than_the_pause_hogs_run),
        IN_A_WORLD(a_slice_of_fresh_work_ends_after_a_millisecond),
        IN_A_WORLD(an_idle_worker_steals_only_what_has_waited),
        IN_A_WORLD(half_of_an_old_backlog_moves_to_the_thief_and_runs_there),
        IN_A_WORLD(a_stolen_process_wakes_and_stops_on_its_new_worker),
        IN_A_WORLD(a_stop_follows_a_process_that_was_stolen_meanwhile),
        IN_A_WORLD(posted_tasks_run_in_their_order),
        IN_A_WORLD(a_task_deferred_by_a_deferred_one_waits_for_the_next_round),
        IN_A_WORLD(only_a_sleeping_worker_is_notified_and_once),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
