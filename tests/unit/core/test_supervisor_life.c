/* How supervisors and their children start and stop, in every state, and one under another. */
#include "supervisor_world.h"

#include "core/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void announce(struct house *house, size_t child)
{
    kid_command(&house->kids[child], COMMAND_ANNOUNCE);
    house_rest(house);
}

static void plan_announcing(struct house *house, enum supervisor_strategy strategy)
{
    house_plan(house, strategy, 3);
    for (size_t i = 0; i < 3; i++) {
        house->specs[i].announces = true;
        house->kids[i].mute = true;
    }
}

static void each_waits_until_the_one_before_has_announced_itself(void **state)
{
    struct house *house = *state;
    plan_announcing(house, ONE_FOR_ONE);
    house_open(house);
    house_pass(house, 49 * MS);
    assert_log(house, "+a");
    announce(house, 0);
    assert_log(house, "+b");
    announce(house, 0); /* Again: nobody waits for it. */
    assert_log(house, "");
    announce(house, 1);
    assert_log(house, "+c");
    assert_int_equal(house->events[SUPERVISOR_STARTED], 0);
    announce(house, 2);
    assert_int_equal(house->events[SUPERVISOR_STARTED], 1);
    house_pass(house, 1000 * (uint64_t)MS);
    assert_int_equal(process_phase(house->supervisor), PHASE_PARKED);
}

static void who_does_not_announce_itself_in_time_ends_the_start(void **state)
{
    struct house *house = *state;
    plan_announcing(house, ONE_FOR_ONE);
    house->kids[0].mute = false;
    house_open(house);
    house_pass(house, 49 * MS);
    assert_log(house, "+a+b");
    house_pass(house, 2 * MS);
    assert_log(house, "-a");
    assert_int_equal(house->events[SUPERVISOR_STARTED], 0);
    assert_string_equal(house->reason[SUPERVISOR_CHILD_FAILED], "did not start within 50 ms");
    assert_over(house, EXIT_SHUTDOWN, "child 'b' did not start: did not start within 50 ms");
}

static void who_dies_before_it_announced_itself_ends_the_start(void **state)
{
    struct house *house = *state;
    plan_announcing(house, REST_FOR_ONE);
    house->kids[0].mute = false;
    house->kids[1].early_deaths = 1;
    house_open(house);
    assert_log(house, "+a+b-a");
    assert_over(house, EXIT_SHUTDOWN, "child 'b' did not start: died early");
}

static void who_cannot_be_started_ends_the_start_whatever_its_kind(void **state)
{
    struct house *house = *state;
    house_plan(house, ONE_FOR_ONE, 3);
    house->specs[2].restart = RESTART_TEMPORARY;
    house->kids[2].refusals_late = 1;
    house_open(house);
    assert_log(house, "+a+b!c-b-a");
    assert_over(house, EXIT_SHUTDOWN, "child 'c' did not start: refused late");
}

static void a_child_that_dies_at_once_has_started_when_it_need_not_announce(void **state)
{
    struct house *house = *state;
    house_plan(house, ONE_FOR_ONE, 2);
    house->kids[0].early_deaths = 2;
    house_open(house);
    assert_log(house, "+a+b+a+a");
    assert_int_equal(house->events[SUPERVISOR_STARTED], 1);
    assert_int_equal(house->events[SUPERVISOR_CHILD_FAILED], 0);
}

static void a_full_node_is_a_start_that_fails(void **state)
{
    struct house *house = *state;
    node_destroy(house->node);
    house->node = still_node(&house->env, 1, 2);
    house_plan(house, ONE_FOR_ONE, 2);
    house_open(house);
    assert_log(house, "+a!b-a");
    assert_int_equal(house->events[SUPERVISOR_CHILD_FAILED], 1);
    assert_int_equal(process_phase(house->supervisor), PHASE_EXITED);
}

static void who_ignores_the_stop_is_killed_after_its_time(void **state)
{
    struct house *house = *state;
    house_plan(house, ONE_FOR_ONE, 3);
    house->kids[1].ignores_stop = true;
    house_open(house);
    house_ask_stop(house);
    assert_log(house, "+a+b+c-c~b");
    house_pass(house, 99 * MS);
    assert_true(kid_lives(&house->kids[1]));
    house_pass(house, 2 * MS);
    assert_log(house, "-a");
    assert_string_equal(house->reason[SUPERVISOR_CHILD_EXITED], "did not stop in time: killed");
    assert_over(house, EXIT_SHUTDOWN, "shutdown");
}

static void some_have_no_time_to_stop_and_some_have_all(void **state)
{
    struct house *house = *state;
    house_plan(house, ONE_FOR_ONE, 3);
    house->specs[1].shutdown_ns = 0;
    house->specs[0].shutdown_ns = UINT64_MAX;
    house->kids[0].ignores_stop = true;
    house_open(house);
    house_ask_stop(house);
    assert_log(house, "+a+b+c-c~a");
    assert_false(kid_lives(&house->kids[1]));
    house_pass(house, 1000000 * (uint64_t)MS);
    assert_true(kid_lives(&house->kids[0]));
    kid_command(&house->kids[0], COMMAND_NORMAL);
    house_rest(house);
    assert_over(house, EXIT_SHUTDOWN, "shutdown");
}

static void who_dies_while_it_is_being_stopped_has_stopped(void **state)
{
    struct house *house = *state;
    house_plan(house, ONE_FOR_ALL, 3);
    house->kids[0].ignores_stop = house->kids[2].ignores_stop = true;
    house_open(house);
    kid_command(&house->kids[1], COMMAND_CRASH);
    house_rest(house);
    assert_log(house, "+a+b+c~c");
    kid_kill(&house->kids[0]); /* Before its turn has come to be stopped. */
    house_rest(house);
    assert_log(house, "");
    kid_command(&house->kids[2], COMMAND_CRASH);
    house_rest(house);
    assert_log(house, "+a+b+c");
    assert_int_equal(house->events[SUPERVISOR_CHILD_EXITED], 1);
    assert_int_equal(restarts_of(house, 1), 1);
    assert_int_equal(restarts_of(house, 0) + restarts_of(house, 2), 0);
}

/* The states in which a supervisor can be met. */
enum meeting { MEET_BOOT, MEET_WATCH, MEET_CLEAR, MEET_RESTART, MEET_LATE, MEET_STOP, MEETINGS };

static void meet(struct house *house, enum meeting meeting)
{
    plan_announcing(house, ONE_FOR_ALL);
    for (size_t i = 0; i < 3; i++) {
        house->kids[i].mute = house->kids[i].ignores_stop = false;
    }
    house->kids[1].mute = meeting == MEET_BOOT;
    house_open(house);
    switch (meeting) {
    case MEET_BOOT: /* Waits for b. */
    case MEET_WATCH:
        return;
    case MEET_CLEAR: /* Waits for a to stop. */
        house->kids[0].ignores_stop = true;
        kid_command(&house->kids[1], COMMAND_CRASH);
        break;
    case MEET_RESTART: /* Waits for b to start again. */
        house->kids[1].mute = true;
        kid_command(&house->kids[0], COMMAND_CRASH);
        break;
    case MEET_LATE: /* Has killed b for being late, and not heard of its end. */
        house->kids[1].mute = true;
        kid_command(&house->kids[0], COMMAND_CRASH);
        house_rest(house);
        house->env.now_ns += 51 * MS;
        (void)worker_run(worker_of(house->node, 0));
        return;
    case MEET_STOP: /* Waits for b to stop. */
        house->kids[1].ignores_stop = true;
        house_ask_stop(house);
        return;
    case MEETINGS:
        break;
    }
    house_rest(house);
}

static void close_house(struct house *house)
{
    assert_int_equal(process_phase(house->supervisor), PHASE_EXITED);
    for (size_t i = 0; i < 3; i++) {
        assert_false(kid_lives(&house->kids[i]));
    }
    assert_int_equal(house->events[SUPERVISOR_STOPPED], 1);
    memset(house->events, 0, sizeof(house->events));
    assert_int_equal(node_counts(house->node).processes, 0);
    house->log[0] = '\0';
    process_release(house->supervisor);
    house->supervisor = NULL;
}

static void it_can_be_asked_to_stop_in_every_state(void **state)
{
    struct house *house = *state;
    for (enum meeting meeting = MEET_BOOT; meeting < MEETINGS; meeting++) {
        meet(house, meeting);
        house_ask_stop(house);
        house_pass(house, 101 * MS);
        house_pass(house, 101 * MS);
        assert_string_equal(house->reason[SUPERVISOR_STOPPED], "shutdown");
        assert_int_equal(house->events[SUPERVISOR_ESCALATED], 0);
        close_house(house);
    }
    house->destroyed = 0;
}

static void when_it_is_killed_its_children_end_in_every_state(void **state)
{
    struct house *house = *state;
    for (enum meeting meeting = MEET_BOOT; meeting < MEETINGS; meeting++) {
        meet(house, meeting);
        process_stop(house->supervisor, STOP_KILL, "test");
        house_rest(house);
        close_house(house);
    }
    house->destroyed = 0;
}

static void killed_it_takes_children_along_that_trap_exits(void **state)
{
    struct house *house = *state;
    house_plan(house, ONE_FOR_ONE, 2);
    house->kids[0].traps_exits = true;
    house_open(house);
    process_stop(house->supervisor, STOP_KILL, "test");
    house_rest(house);
    assert_over(house, EXIT_KILLED, "test");
    assert_log(house, "+a+b");
}

static void a_supervisor_killed_before_its_first_turn_starts_nobody(void **state)
{
    struct house *house = *state;
    house_plan(house, ONE_FOR_ONE, 2);
    struct err err;
    assert_true(supervisor_start(house->node, &house->options, &house->supervisor, &err));
    process_stop(house->supervisor, STOP_KILL, "test");
    house_rest(house);
    assert_log(house, "");
    assert_over(house, EXIT_KILLED, "test");
}

static void exits_of_strangers_and_their_mail_are_none_of_its_business(void **state)
{
    struct house *house = *state;
    house_plan(house, ONE_FOR_ONE, 1);
    house_open(house);
    struct reason *reason = reason_create(EXIT_EXITED, 0, "boo", 3);
    assert_true(process_exit_signal(house->node, (struct pid){7}, house->supervisor->pid, reason));
    assert_true(process_send(house->node, house->supervisor->pid, message_create(7, 1, "x", 1)));
    house_rest(house);
    assert_int_equal(process_phase(house->supervisor), PHASE_PARKED);
    assert_int_equal(mailbox_messages(&house->supervisor->mailbox), 0);
    assert_true(kid_lives(&house->kids[0]));
    reason_release(reason);
}

static enum turn turn_keep_house(struct native *native, struct exit *ret_exit)
{
    struct house *house = native->argument;
    if (native->number++ == 0) {
        struct err err;
        house->options.parent = &native->process;
        bool started = supervisor_start(house->node, &house->options, &house->supervisor, &err);
        INVARIANT(started);
        return TURN_PARKED;
    }
    ret_exit->exit_class = native->number == 2 ? EXIT_CRASHED : EXIT_NORMAL;
    snprintf(ret_exit->reason, sizeof(ret_exit->reason), "house burnt");
    return TURN_ENDED;
}

static struct native *start_keeper(struct house *house)
{
    static const struct process_quotas quotas = {.ties_max = 1};
    static const struct process_options options = {.kind = "test", .quotas = &quotas};
    struct native *keeper = native_create(house->node, &house->tally, turn_keep_house, &options);
    keeper->argument = house;
    process_retain(&keeper->process);
    struct err err;
    assert_true(process_start(&keeper->process, NULL, &err));
    house_rest(house);
    return keeper;
}

static void it_ends_with_its_parent_and_its_parents_reason(void **state)
{
    struct house *house = *state;
    for (unsigned normal = 0; normal <= 1; normal++) {
        house_plan(house, ONE_FOR_ONE, 2);
        struct native *keeper = start_keeper(house);
        assert_log(house, "+a+b");
        assert_true(pid_equal(house->supervisor->parent, keeper->process.pid));
        keeper->number += normal;
        process_wake(&keeper->process);
        house_rest(house);
        assert_log(house, "-b-a");
        assert_over(house, normal ? EXIT_NORMAL : EXIT_KILLED, normal ? "normal" : "house burnt");
        close_house(house);
        process_release(&keeper->process);
    }
    house->destroyed = 0;
}

static void its_end_is_its_parents_end(void **state)
{
    struct house *house = *state;
    house_plan(house, ONE_FOR_ONE, 1);
    house->options.max_restarts = 0;
    struct native *keeper = start_keeper(house);
    kid_command(&house->kids[0], COMMAND_CRASH);
    house_rest(house);
    assert_over(house, EXIT_SHUTDOWN, "restart intensity reached");
    assert_int_equal(process_phase(&keeper->process), PHASE_EXITED);
    process_release(&keeper->process);
}

static void wrong_options_are_refused(void **state)
{
    struct house *house = *state;
    struct err err;
    house_plan(house, ONE_FOR_ONE, 3);
    house->specs[2].name = "a";
    assert_false(supervisor_start(house->node, &house->options, NULL, &err));
    assert_int_equal(err.code, ERR_INPUT);
    house_plan(house, ONE_FOR_ONE, 3);
    house->options.max_restarts = SUPERVISOR_RESTARTS_MAX + 1;
    assert_false(supervisor_start(house->node, &house->options, NULL, &err));
    assert_int_equal(err.code, ERR_INPUT);
    house_plan(house, ONE_FOR_ONE, 3);
    house->options.child_count = SUPERVISOR_CHILDREN_MAX + 1;
    assert_false(supervisor_start(house->node, &house->options, NULL, &err));
    assert_int_equal(err.code, ERR_INPUT);
    house_plan(house, ONE_FOR_ONE, 3);
    node_drain(house->node);
    assert_false(supervisor_start(house->node, &house->options, &house->supervisor, &err));
    assert_int_equal(err.code, ERR_DENIED);
    assert_null(house->supervisor);
    assert_int_equal(house->destroyed, 0);
}

/* Supervisors one in another: each has one child, the next, and the last has kid a. */
struct tower {
    struct house *house;
    struct supervisor_options options;
    struct supervisor_child spec;
    struct tower *next;
};

static bool tower_start(void *argument, struct process *supervisor,
                        bool (*prepare)(struct process *supervisor, struct process *child,
                                        struct err *err),
                        struct err *err)
{
    struct tower *tower = argument;
    tower->options.parent = supervisor;
    tower->options.prepare = prepare;
    return supervisor_start(tower->house->node, &tower->options, NULL, err);
}

/* `floors` supervisors under the house's own. */
static struct tower *build_tower(struct house *house, size_t floors, uint32_t max_restarts)
{
    house_plan(house, ONE_FOR_ONE, 1);
    struct supervisor_child ground = house->specs[0];
    struct tower *tower = calloc(floors, sizeof(*tower));
    for (size_t i = floors; i > 0; i--) {
        struct tower *floor = &tower[i - 1];
        floor->house = house;
        floor->options = house->options;
        floor->options.event = NULL;
        floor->options.destroyed = NULL;
        floor->options.children = &floor->spec;
        floor->options.max_restarts = max_restarts;
        floor->spec = ground;
        ground.start = tower_start;
        ground.argument = floor;
        ground.announces = true;
        ground.start_timeout_ns = ground.shutdown_ns = UINT64_MAX;
    }
    house->specs[0] = ground;
    return tower;
}

static void a_tower_of_supervisors_starts_and_stops_as_one(void **state)
{
    struct house *house = *state;
    struct tower *tower = build_tower(house, 500, 5);
    house_open(house);
    assert_log(house, "+a");
    assert_int_equal(house->events[SUPERVISOR_STARTED], 1);
    assert_int_equal(node_counts(house->node).processes, 502);
    house_ask_stop(house);
    assert_log(house, "-a");
    assert_over(house, EXIT_SHUTDOWN, "shutdown");
    assert_int_equal(node_counts(house->node).processes, 0);
    free(tower);
}

static void killing_the_top_of_a_tower_ends_all_of_it(void **state)
{
    struct house *house = *state;
    struct tower *tower = build_tower(house, 500, 5);
    house->kids[0].ignores_stop = true;
    house_open(house);
    process_stop(house->supervisor, STOP_KILL, "test");
    house_rest(house);
    assert_log(house, "+a~a"); /* Those under it are asked to stop, and have their time for it. */
    house_pass(house, 101 * MS);
    assert_int_equal(node_counts(house->node).processes, 0);
    assert_over(house, EXIT_KILLED, "test");
    free(tower);
}

static void a_supervisor_that_gives_up_is_restarted_by_its_own(void **state)
{
    struct house *house = *state;
    struct tower *tower = build_tower(house, 1, 1);
    house_open(house);
    kid_command(&house->kids[0], COMMAND_CRASH);
    house_rest(house);
    assert_log(house, "+a+a");
    kid_command(&house->kids[0], COMMAND_CRASH);
    house_rest(house);
    assert_log(house, "+a"); /* By a new supervisor. */
    assert_int_equal(house->events[SUPERVISOR_CHILD_EXITED], 1);
    assert_string_equal(house->reason[SUPERVISOR_CHILD_EXITED], "shutdown");
    free(tower);
}

static void a_tower_whose_ground_does_not_start_does_not_start(void **state)
{
    struct house *house = *state;
    struct tower *tower = build_tower(house, 3, 1);
    house->kids[0].refusals = 1;
    house_open(house);
    assert_log(house, "!a");
    assert_int_equal(house->events[SUPERVISOR_CHILD_FAILED], 1);
    assert_over(house, EXIT_SHUTDOWN, "child 'a' did not start: shutdown");
    free(tower);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_HOUSE(each_waits_until_the_one_before_has_announced_itself),
        IN_A_HOUSE(who_does_not_announce_itself_in_time_ends_the_start),
        IN_A_HOUSE(who_dies_before_it_announced_itself_ends_the_start),
        IN_A_HOUSE(who_cannot_be_started_ends_the_start_whatever_its_kind),
        IN_A_HOUSE(a_child_that_dies_at_once_has_started_when_it_need_not_announce),
        IN_A_HOUSE(a_full_node_is_a_start_that_fails),
        IN_A_HOUSE(who_ignores_the_stop_is_killed_after_its_time),
        IN_A_HOUSE(some_have_no_time_to_stop_and_some_have_all),
        IN_A_HOUSE(who_dies_while_it_is_being_stopped_has_stopped),
        IN_A_HOUSE(it_can_be_asked_to_stop_in_every_state),
        IN_A_HOUSE(when_it_is_killed_its_children_end_in_every_state),
        IN_A_HOUSE(killed_it_takes_children_along_that_trap_exits),
        IN_A_HOUSE(a_supervisor_killed_before_its_first_turn_starts_nobody),
        IN_A_HOUSE(exits_of_strangers_and_their_mail_are_none_of_its_business),
        IN_A_HOUSE(it_ends_with_its_parent_and_its_parents_reason),
        IN_A_HOUSE(its_end_is_its_parents_end),
        IN_A_HOUSE(wrong_options_are_refused),
        IN_A_HOUSE(a_tower_of_supervisors_starts_and_stops_as_one),
        IN_A_HOUSE(killing_the_top_of_a_tower_ends_all_of_it),
        IN_A_HOUSE(a_supervisor_that_gives_up_is_restarted_by_its_own),
        IN_A_HOUSE(a_tower_whose_ground_does_not_start_does_not_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
