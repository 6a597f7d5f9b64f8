/* Supervisors and their children on several threads: what the thread sanitizer shall see. */
#include "native.h"

#include "core/supervisor.h"

struct storm {
    struct tally tally;
    struct node *node;
    struct latch started, stopped, over;
    atomic_uint restarts, escalations;
};

static enum turn turn_announce_and_crash(struct native *native, struct exit *ret_exit)
{
    supervisor_child_started(&native->process);
    ret_exit->exit_class = EXIT_CRASHED;
    return TURN_ENDED;
}

static enum turn turn_announce_and_stay(struct native *native, struct exit *ret_exit)
{
    (void)ret_exit;
    supervisor_child_started(&native->process);
    return TURN_PARKED;
}

static bool storm_start_child(struct storm *storm, native_turn *turn, struct process *supervisor,
                              bool (*prepare)(struct process *supervisor, struct process *child,
                                              struct err *err),
                              struct err *err)
{
    struct native *native = native_create(storm->node, &storm->tally, turn, NULL);
    static atomic_uint next;
    bool prepared = prepare(supervisor, &native->process, err);
    INVARIANT(prepared);
    bool started = process_start(&native->process,
                                 worker_of(storm->node, atomic_fetch_add(&next, 1) % 3), err);
    INVARIANT(started);
    return true;
}

static bool storm_start_crashing(void *argument, struct process *supervisor,
                                 bool (*prepare)(struct process *supervisor, struct process *child,
                                                 struct err *err),
                                 struct err *err)
{
    return storm_start_child(argument, turn_announce_and_crash, supervisor, prepare, err);
}

static bool storm_start_staying(void *argument, struct process *supervisor,
                                bool (*prepare)(struct process *supervisor, struct process *child,
                                                struct err *err),
                                struct err *err)
{
    return storm_start_child(argument, turn_announce_and_stay, supervisor, prepare, err);
}

static void storm_event(void *argument, const struct supervisor_event *event)
{
    struct storm *storm = argument;
    switch (event->kind) {
    case SUPERVISOR_STARTED:
        latch_post(&storm->started);
        return;
    case SUPERVISOR_CHILD_EXITED:
        atomic_fetch_add(&storm->restarts, event->restarts);
        return;
    case SUPERVISOR_ESCALATED:
        atomic_fetch_add(&storm->escalations, 1);
        return;
    case SUPERVISOR_STOPPED:
        latch_post(&storm->stopped);
        return;
    case SUPERVISOR_CHILD_FAILED:
        return;
    }
}

static void storm_over(void *argument)
{
    struct storm *storm = argument;
    latch_post(&storm->over);
}

/* Start one with eight children; with a reference for the caller. */
static struct process *storm_begin(struct storm *storm, enum supervisor_strategy strategy,
                                   bool crashing)
{
    tally_init(&storm->tally);
    latch_init(&storm->started);
    latch_init(&storm->stopped);
    latch_init(&storm->over);
    struct err err;
    const struct node_options options = {.workers = 3, .env = env_system()};
    storm->node = node_create(&options, &err);
    assert_non_null(storm->node);
    assert_true(node_start(storm->node, &err));
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    struct supervisor_child specs[8];
    for (unsigned i = 0; i < 8; i++) {
        specs[i] = (struct supervisor_child){
            .name = names[i],
            .announces = true,
            .start_timeout_ns = UINT64_MAX,
            .shutdown_ns = UINT64_MAX,
            .start = crashing && i % 2 == 1 ? storm_start_crashing : storm_start_staying,
            .argument = storm,
        };
    }
    const struct supervisor_options supervisor = {
        .name = "storm",
        .strategy = strategy,
        .max_restarts = 300,
        .window_ns = UINT64_MAX,
        .children = specs,
        .child_count = 8,
        .event = storm_event,
        .event_argument = storm,
        .destroyed = storm_over,
    };
    struct process *process;
    assert_true(supervisor_start(storm->node, &supervisor, &process, &err));
    return process;
}

static void storm_end(struct storm *storm, struct process *supervisor)
{
    process_release(supervisor);
    latch_wait(&storm->over, 1);
    node_stop(storm->node);
    assert_int_equal(node_counts(storm->node).processes, 0);
    assert_int_equal(node_counts(storm->node).timers, 0);
    assert_int_equal(storm->tally.exited, storm->tally.destroyed);
    node_destroy(storm->node);
    latch_fini(&storm->started);
    latch_fini(&storm->stopped);
    latch_fini(&storm->over);
    tally_fini(&storm->tally);
}

static void a_storm_of_crashes_on_all_threads_escalates_exactly_once(void **state)
{
    (void)state;
    for (enum supervisor_strategy strategy = ONE_FOR_ONE; strategy <= REST_FOR_ONE; strategy++) {
        struct storm storm = {0};
        struct process *supervisor = storm_begin(&storm, strategy, true);
        latch_wait(&storm.started, 1);
        latch_wait(&storm.stopped, 1);
        assert_int_equal(storm.escalations, 1);
        assert_int_equal(storm.restarts, 300); /* What is one too many is not made. */
        storm_end(&storm, supervisor);
    }
}

static void killed_on_another_thread_it_takes_its_children_along(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        struct storm storm = {0};
        struct process *supervisor = storm_begin(&storm, ONE_FOR_ALL, i % 2 == 1);
        if (i % 4 == 0) {
            latch_wait(&storm.started, 1);
        }
        process_stop(supervisor, STOP_KILL, "test");
        storm_end(&storm, supervisor);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_storm_of_crashes_on_all_threads_escalates_exactly_once),
        cmocka_unit_test(killed_on_another_thread_it_takes_its_children_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
