/* Jobs on a node without threads, whose clocks only move when told to. Nothing is really spawned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/node.h"
#include "guest/job.h"

#include <string.h>

#define SECOND_NS UINT64_C(1000000000)

/* 2024-05-06 07:08:09 UTC. */
enum { BEGIN_S = 1714979289 };

struct world {
    struct env env; /* first */
    uint64_t monotonic_ns, wall_ns;
    struct node *node;
    struct jobs *jobs;
    bool full; /* whether spawning fails */
    unsigned spawned;
    struct actor_options last; /* of the last spawn */
    const struct catalog_line *last_line;
};

static struct world *world;

static uint64_t monotonic_ns(struct env *env)
{
    return CONTAINER_OF(env, struct world, env)->monotonic_ns;
}

static uint64_t wall_ns(struct env *env)
{
    return CONTAINER_OF(env, struct world, env)->wall_ns;
}

static void fixed_bytes(struct env *env, void *ret, size_t size_bytes)
{
    (void)env;
    memset(ret, 7, size_bytes);
}

static int world_create(void **state)
{
    static struct world one;
    struct err err;

    one = (struct world){
        .env = {.monotonic_ns = monotonic_ns, .wall_ns = wall_ns, .random = fixed_bytes},
        .monotonic_ns = 1000 * SECOND_NS,
        .wall_ns = BEGIN_S * SECOND_NS};
    world = &one;
    world->node = node_create(&(struct node_options){.workers = 1, .env = &one.env}, &err);
    *state = world;
    return world->node == NULL ? -1 : 0;
}

static int world_destroy(void **state)
{
    (void)state;
    jobs_stop(world->jobs);
    node_stop(world->node);
    bool clean = node_counts(world->node).timers == 0;
    jobs_destroy(world->jobs);
    node_destroy(world->node);
    return clean ? 0 : -1;
}

static bool spawn(struct node *node, const struct catalog_line *line,
                  const struct actor_options *options, struct pid *ret_pid, uint64_t *ret_reference,
                  struct err *err)
{
    assert_ptr_equal(node, world->node);
    assert_null(ret_reference);
    if (world->full) {
        return err_set(err, ERR_LIMIT, "no room");
    }
    world->spawned++;
    world->last = *options;
    world->last_line = line;
    *ret_pid = (struct pid){world->spawned};
    return true;
}

static void end_last(void)
{
    const struct exit exit = {.exit_class = EXIT_NORMAL};

    world->last.exited(world->last.exited_argument, &exit);
}

static void settle(void)
{
    struct worker *worker = &node_loop(world->node, 0)->worker;

    while (worker_run(worker) != WORKER_IDLE || atomic_load(&worker->inbox) != NULL) {
    }
}

static void start(const struct job_options *options, size_t count)
{
    struct err err;

    world->jobs = jobs_create(world->node, options, count, spawn, &err);
    assert_non_null(world->jobs);
    jobs_start(world->jobs);
    settle();
}

/* Both clocks go on together, and the worker wakes whenever it asked to. */
static void pass(uint64_t span_ns)
{
    struct worker *worker = &node_loop(world->node, 0)->worker;
    uint64_t end_ns = world->monotonic_ns + span_ns;

    for (;;) {
        settle();
        uint64_t next_ns = worker_next_ns(worker);
        uint64_t to_ns = next_ns < end_ns ? next_ns : end_ns;
        if (to_ns > world->monotonic_ns) {
            world->wall_ns += to_ns - world->monotonic_ns;
            world->monotonic_ns = to_ns;
        } else if (world->monotonic_ns >= end_ns) {
            return;
        } else {
            world->wall_ns += 1000000;
            world->monotonic_ns += 1000000;
        }
    }
}

static const struct catalog_line LINE = {.name = "worker"};

static struct calendar calendar_of(const char *expression)
{
    struct calendar calendar;
    struct err err;

    assert_true(calendar_parse(expression, &calendar, &err));
    return calendar;
}

static void an_interval_begins_with_the_start(void **state)
{
    (void)state;
    start(&(struct job_options){.line = &LINE, .every_ns = 90 * SECOND_NS}, 1);

    pass(89 * SECOND_NS);
    assert_int_equal(world->spawned, 0);
    pass(2 * SECOND_NS);
    assert_int_equal(world->spawned, 1);
    assert_ptr_equal(world->last_line, &LINE);
    assert_string_equal(world->last.kind, "schedule");
    assert_null(world->last.spawner);
    end_last();
    pass(90 * SECOND_NS);
    assert_int_equal(world->spawned, 2);
    end_last();
    assert_int_equal(jobs_counts(world->jobs, 0).fired, 2);
}

static void a_calendar_fires_at_its_minutes(void **state)
{
    (void)state;
    struct calendar calendar = calendar_of("*/5 * * * *");
    start(&(struct job_options){.line = &LINE, .calendar = &calendar, .overlap = true}, 1);

    pass(110 * SECOND_NS); /* 07:09:59 */
    assert_int_equal(world->spawned, 0);
    pass(2 * SECOND_NS); /* 07:10:01 */
    assert_int_equal(world->spawned, 1);
    pass(3600 * SECOND_NS);
    assert_int_equal(world->spawned, 13);
}

static void a_time_is_skipped_while_the_last_process_runs(void **state)
{
    (void)state;
    start(&(struct job_options){.line = &LINE, .every_ns = SECOND_NS}, 1);

    pass(10 * SECOND_NS + SECOND_NS / 2);
    assert_int_equal(world->spawned, 1);
    assert_int_equal(jobs_counts(world->jobs, 0).skipped, 9);
    assert_int_equal(jobs_counts(world->jobs, 0).running, 1);
    end_last();
    assert_int_equal(jobs_counts(world->jobs, 0).running, 0);
    pass(SECOND_NS);
    assert_int_equal(world->spawned, 2);
    end_last();
}

static void a_job_that_may_overlap_runs_beside_itself(void **state)
{
    (void)state;
    start(&(struct job_options){.line = &LINE, .every_ns = SECOND_NS, .overlap = true}, 1);

    pass(10 * SECOND_NS + SECOND_NS / 2);
    assert_int_equal(world->spawned, 10);
    assert_int_equal(jobs_counts(world->jobs, 0).skipped, 0);
    assert_int_equal(jobs_counts(world->jobs, 0).running, 10);
}

static void times_missed_by_a_calendar_are_made_up_for_by_one(void **state)
{
    (void)state;
    struct calendar calendar = calendar_of("*/5 * * * *");
    start(&(struct job_options){.line = &LINE, .calendar = &calendar, .overlap = true}, 1);

    /* The machine sleeps for a day: the wall clock goes on, the other one does not. */
    world->wall_ns += 86400 * SECOND_NS;
    pass(60 * SECOND_NS);
    assert_int_equal(world->spawned, 1);
    pass(300 * SECOND_NS);
    assert_int_equal(world->spawned, 2);
}

static void times_missed_by_an_interval_are_made_up_for_by_one_in_step(void **state)
{
    (void)state;
    start(&(struct job_options){.line = &LINE, .every_ns = 10 * SECOND_NS, .overlap = true}, 1);

    world->monotonic_ns += 1004 * SECOND_NS;
    pass(SECOND_NS);
    assert_int_equal(world->spawned, 1);
    pass(4 * SECOND_NS);
    assert_int_equal(world->spawned, 1);
    pass(2 * SECOND_NS); /* 1011 s after the start: the time at 1010 s has come */
    assert_int_equal(world->spawned, 2);
}

static void a_clock_that_is_set_back_a_little_runs_nothing_twice(void **state)
{
    (void)state;
    struct calendar calendar = calendar_of("10 7 * * *");
    start(&(struct job_options){.line = &LINE, .calendar = &calendar, .overlap = true}, 1);

    pass(120 * SECOND_NS);
    assert_int_equal(world->spawned, 1);
    world->wall_ns -= 300 * SECOND_NS;
    pass(600 * SECOND_NS);
    assert_int_equal(world->spawned, 1);
}

static void a_clock_that_is_set_back_far_counts_anew(void **state)
{
    (void)state;
    struct calendar calendar = calendar_of("10 7 * * *");
    start(&(struct job_options){.line = &LINE, .calendar = &calendar, .overlap = true}, 1);

    pass(120 * SECOND_NS);
    assert_int_equal(world->spawned, 1);
    world->wall_ns -= 2 * 86400 * SECOND_NS;
    pass(86400 * SECOND_NS);
    assert_int_equal(world->spawned, 2);
}

static void what_cannot_be_spawned_is_counted_and_tried_again_next_time(void **state)
{
    (void)state;
    start(&(struct job_options){.line = &LINE, .every_ns = SECOND_NS}, 1);
    world->full = true;
    pass(3 * SECOND_NS + SECOND_NS / 2);
    assert_int_equal(jobs_counts(world->jobs, 0).failed, 3);
    assert_int_equal(jobs_counts(world->jobs, 0).running, 0);
    world->full = false;
    pass(SECOND_NS);
    assert_int_equal(jobs_counts(world->jobs, 0).fired, 1);
    end_last();
}

static void after_the_stop_nothing_fires(void **state)
{
    (void)state;
    struct calendar calendar = calendar_of("* * * * *");
    const struct job_options options[] = {{.line = &LINE, .every_ns = SECOND_NS, .overlap = true},
                                          {.line = &LINE, .calendar = &calendar, .overlap = true}};
    start(options, ARRAY_LENGTH(options));

    pass(SECOND_NS + SECOND_NS / 2);
    assert_int_equal(world->spawned, 1);
    jobs_stop(world->jobs);
    assert_int_equal(node_counts(world->node).timers, 0);
    pass(1000 * SECOND_NS);
    assert_int_equal(world->spawned, 1);
    jobs_stop(world->jobs);
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, world_create, world_destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(an_interval_begins_with_the_start),
        IN_A_WORLD(a_calendar_fires_at_its_minutes),
        IN_A_WORLD(a_time_is_skipped_while_the_last_process_runs),
        IN_A_WORLD(a_job_that_may_overlap_runs_beside_itself),
        IN_A_WORLD(times_missed_by_a_calendar_are_made_up_for_by_one),
        IN_A_WORLD(times_missed_by_an_interval_are_made_up_for_by_one_in_step),
        IN_A_WORLD(a_clock_that_is_set_back_a_little_runs_nothing_twice),
        IN_A_WORLD(a_clock_that_is_set_back_far_counts_anew),
        IN_A_WORLD(what_cannot_be_spawned_is_counted_and_tried_again_next_time),
        IN_A_WORLD(after_the_stop_nothing_fires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
