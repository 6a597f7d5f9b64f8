/* Deadlines and CPU budgets of one process, on a node whose clock only moves when told to. */
#include "process_world.h"

static const struct process_options fifty_ms = {.kind = "test", .deadline_ns = 50 * MS};
static const struct process_options budget_5_ms = {.kind = "test", .cpu_budget_ns = 5 * MS};

static void the_deadline_ends_a_parked_process(void **state)
{
    struct world *world = *state;
    process_release(&start_with(world, turn_park, &fifty_ms)->process);
    run_until_idle(world->node);
    world->env.now_ns += 49 * MS;
    run_until_idle(world->node);
    assert_int_equal(world->tally.exited, 0);
    world->env.now_ns += 2 * MS;
    run_until_idle(world->node);
    assert_exit(world, EXIT_CRASHED_TIMEOUT, "deadline of 50 ms");
}

static void the_deadline_counts_from_the_start_also_in_the_queue(void **state)
{
    struct world *world = *state;
    process_release(&start_with(world, turn_park, &fifty_ms)->process);
    world->env.now_ns += 50 * MS;
    run_until_idle(world->node);
    assert_exit(world, EXIT_CRASHED_TIMEOUT, "deadline of 50 ms");
    assert_int_equal(world->tally.turns, 0);
}

static void the_deadline_ends_a_process_that_spins(void **state)
{
    struct world *world = *state;
    struct native *native = start_with(world, turn_pass_time, &fifty_ms);
    native->argument = &world->env;
    run_until_idle(world->node);
    assert_exit(world, EXIT_CRASHED_TIMEOUT, "deadline of 50 ms");
    assert_in_range(world->tally.turns, 25, 50);
    process_release(&native->process);
}

static enum turn turn_without_deadline(struct native *native, struct exit *ret_exit)
{
    (void)ret_exit;
    process_set_deadline(&native->process, native->number++ == 0 ? 0 : 10 * (uint64_t)MS);
    return TURN_PARKED;
}

static void a_deadline_can_be_taken_away_and_set_anew(void **state)
{
    struct world *world = *state;
    struct native *native = start_with(world, turn_without_deadline, &fifty_ms);
    run_until_idle(world->node);
    world->env.now_ns += 1000 * (uint64_t)MS;
    run_until_idle(world->node);
    assert_int_equal(world->tally.exited, 0);
    process_wake(&native->process);
    run_until_idle(world->node);
    world->env.now_ns += 11 * MS;
    run_until_idle(world->node);
    assert_exit(world, EXIT_CRASHED_TIMEOUT, "deadline of 10 ms");
    process_release(&native->process);
}

static uint64_t thread_time_ns;

static uint64_t slow_thread(struct env *env)
{
    (void)env;
    return thread_time_ns;
}

/* A second passes on the clock between two looks, a millisecond of it on this thread. */
static enum turn turn_on_a_busy_machine(struct native *native, struct exit *ret_exit)
{
    struct still_env *env = native->argument;
    for (int look = 0; look < 3; look++) {
        env->now_ns += 1000 * (uint64_t)MS;
        thread_time_ns += MS;
        if (process_tick(&native->process) == TICK_STOP) {
            ret_exit->exit_class = EXIT_KILLED;
            return TURN_ENDED;
        }
    }
    ret_exit->exit_class = EXIT_NORMAL;
    return TURN_ENDED;
}

static void time_that_the_machine_gave_to_others_is_not_charged(void **state)
{
    struct world *world = *state;
    thread_time_ns = 1;
    world->env.env.thread_cpu_ns = slow_thread;
    static const struct process_options budget = {.kind = "test", .cpu_budget_ns = 10 * MS};
    struct native *native = start_with(world, turn_on_a_busy_machine, &budget);
    native->argument = &world->env;
    worker_run(world->worker);
    process_release(&native->process);
    assert_exit(world, EXIT_NORMAL, "");
}

static void the_cpu_budget_ends_a_process_that_spins(void **state)
{
    struct world *world = *state;
    struct native *native = start_with(world, turn_pass_time, &budget_5_ms);
    native->argument = &world->env;
    run_until_idle(world->node);
    assert_exit(world, EXIT_CRASHED_CPU, "CPU budget of 5 ms");
    assert_int_equal(atomic_load(&native->process.cpu_ns), 5 * MS);
    process_release(&native->process);
}

/* Two milliseconds of work, then waits; the test's number says when to begin a new unit. */
static enum turn turn_work_2_ms(struct native *native, struct exit *ret_exit)
{
    struct still_env *env = native->argument;
    env->now_ns += MS;
    if (native->number > 0 && --native->number == 0) {
        process_begin_unit(&native->process);
    }
    env->now_ns += MS;
    if (process_tick(&native->process) == TICK_STOP) {
        ret_exit->exit_class = EXIT_KILLED;
        return TURN_ENDED;
    }
    return TURN_PARKED;
}

static enum turn turn_too_short_for_a_tick(struct native *native, struct exit *ret_exit)
{
    (void)ret_exit;
    struct still_env *env = native->argument;
    env->now_ns += MS;
    return TURN_PARKED;
}

static void turns_that_no_tick_finds_add_up_too(void **state)
{
    struct world *world = *state;
    struct native *native = start_with(world, turn_too_short_for_a_tick, &budget_5_ms);
    native->argument = &world->env;
    for (unsigned i = 0; i < 4; i++) {
        run_until_idle(world->node);
        process_wake(&native->process);
    }
    assert_int_equal(world->tally.exited, 0);
    run_until_idle(world->node);
    assert_exit(world, EXIT_CRASHED_CPU, "CPU budget of 5 ms");
    process_release(&native->process);
}

static void waiting_costs_no_cpu_and_turns_add_up(void **state)
{
    struct world *world = *state;
    struct native *native = start_with(world, turn_work_2_ms, &budget_5_ms);
    native->argument = &world->env;
    for (unsigned turns = 1; turns <= 2; turns++) {
        run_until_idle(world->node);
        assert_int_equal(world->tally.turns, turns);
        world->env.now_ns += 1000 * (uint64_t)MS;
        process_wake(&native->process);
    }
    run_until_idle(world->node);
    assert_exit(world, EXIT_CRASHED_CPU, "CPU budget of 5 ms");
    assert_int_equal(world->tally.turns, 3);
    process_release(&native->process);
}

static void a_new_unit_of_work_starts_with_the_whole_budget(void **state)
{
    struct world *world = *state;
    struct native *native = start_with(world, turn_work_2_ms, &budget_5_ms);
    native->argument = &world->env;
    native->number = 2; /* In its second turn, at the middle of it. */
    for (unsigned turns = 1; turns <= 3; turns++) {
        run_until_idle(world->node);
        process_wake(&native->process);
    }
    assert_int_equal(world->tally.exited, 0); /* 1 + 2 since, not 6. */
    run_until_idle(world->node);
    assert_exit(world, EXIT_CRASHED_CPU, "CPU budget of 5 ms");
    assert_int_equal(world->tally.turns, 4);
    process_release(&native->process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(the_deadline_ends_a_parked_process),
        IN_A_WORLD(the_deadline_counts_from_the_start_also_in_the_queue),
        IN_A_WORLD(the_deadline_ends_a_process_that_spins),
        IN_A_WORLD(a_deadline_can_be_taken_away_and_set_anew),
        IN_A_WORLD(the_cpu_budget_ends_a_process_that_spins),
        IN_A_WORLD(time_that_the_machine_gave_to_others_is_not_charged),
        IN_A_WORLD(waiting_costs_no_cpu_and_turns_add_up),
        IN_A_WORLD(turns_that_no_tick_finds_add_up_too),
        IN_A_WORLD(a_new_unit_of_work_starts_with_the_whole_budget),
    };
    return cmocka_run_group_tests_name("process_limits", tests, NULL, NULL);
}
