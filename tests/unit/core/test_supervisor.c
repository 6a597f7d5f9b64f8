/* What a supervisor does with exits: strategies, kinds of children, intensity. */
#include "supervisor_world.h"

#include "core/link.h"
#include "core/monitor.h"

#include <malloc.h>
#include <string.h>

/* What the log says after the middle one of three children has ended and is restarted. */
static const char *const restart_logs[] = {
    [ONE_FOR_ONE] = "+b", [ONE_FOR_ALL] = "-c-a+a+b+c", [REST_FOR_ONE] = "-c+b+c"};

static void children_start_in_order_and_stop_in_reverse(void **state)
{
    struct house *house = *state;
    house_plan(house, ONE_FOR_ONE, 3);
    house_open(house);
    assert_log(house, "+a+b+c");
    assert_int_equal(house->events[SUPERVISOR_STARTED], 1);
    house_ask_stop(house);
    assert_log(house, "-c-b-a");
    assert_over(house, EXIT_SHUTDOWN, "shutdown");
    assert_int_equal(house->events[SUPERVISOR_CHILD_EXITED], 0);
}

static void without_children_it_only_waits(void **state)
{
    struct house *house = *state;
    house_plan(house, ONE_FOR_ALL, 0);
    house_open(house);
    assert_int_equal(house->events[SUPERVISOR_STARTED], 1);
    assert_int_equal(process_phase(house->supervisor), PHASE_PARKED);
    house_ask_stop(house);
    assert_over(house, EXIT_SHUTDOWN, "shutdown");
}

enum way { WAY_NORMAL, WAY_SHUTDOWN, WAY_EXIT, WAY_CRASH, WAY_KILL, WAYS };

static void end_kid(struct kid *kid, enum way way)
{
    static const enum command commands[] = {[WAY_NORMAL] = COMMAND_NORMAL,
                                            [WAY_SHUTDOWN] = COMMAND_SHUTDOWN,
                                            [WAY_EXIT] = COMMAND_EXIT,
                                            [WAY_CRASH] = COMMAND_CRASH};
    if (way == WAY_KILL) {
        kid_kill(kid);
    } else {
        kid_command(kid, commands[way]);
    }
}

static void every_strategy_with_every_child_and_every_way_to_end(void **state)
{
    struct house *house = *state;
    static const char *const reasons[] = {"normal", "shutdown", "had enough", "unreachable",
                                          "killed"};
    for (enum supervisor_strategy strategy = ONE_FOR_ONE; strategy <= REST_FOR_ONE; strategy++) {
        for (enum supervisor_restart restart = RESTART_PERMANENT; restart <= RESTART_TEMPORARY;
             restart++) {
            for (enum way way = WAY_NORMAL; way < WAYS; way++) {
                memset(house->events, 0, sizeof(house->events));
                house_plan(house, strategy, 3);
                house->specs[1].restart = restart;
                house_open(house);
                assert_log(house, "+a+b+c");
                end_kid(&house->kids[1], way);
                house_rest(house);
                bool expected = restart == RESTART_PERMANENT ||
                                (restart == RESTART_TRANSIENT && way > WAY_SHUTDOWN);
                assert_log(house, expected ? restart_logs[strategy] : "");
                assert_int_equal(house->events[SUPERVISOR_CHILD_EXITED], 1);
                assert_int_equal(house->restarts, expected);
                assert_string_equal(house->reason[SUPERVISOR_CHILD_EXITED], reasons[way]);
                assert_int_equal(restarts_of(house, 1), expected);
                assert_int_equal(restarts_of(house, 0), 0);
                house_ask_stop(house);
                assert_log(house, expected ? "-c-b-a" : "-c-a");
                assert_over(house, EXIT_SHUTDOWN, "shutdown");
                process_release(house->supervisor);
                house->supervisor = NULL;
            }
        }
    }
    assert_int_equal(house->destroyed, 3 * 3 * WAYS);
    house->destroyed = 0;
}

static void first_and_last_are_restarted_with_the_right_others(void **state)
{
    struct house *house = *state;
    house_plan(house, REST_FOR_ONE, 3);
    house_open(house);
    assert_log(house, "+a+b+c");
    kid_command(&house->kids[0], COMMAND_CRASH);
    house_rest(house);
    assert_log(house, "-c-b+a+b+c");
    kid_command(&house->kids[2], COMMAND_CRASH);
    house_rest(house);
    assert_log(house, "+c");
}

static void a_group_restart_starts_the_finished_again_and_the_temporary_never(void **state)
{
    struct house *house = *state;
    house_plan(house, ONE_FOR_ALL, 4);
    house->specs[0].restart = RESTART_TRANSIENT;
    house->specs[1].restart = RESTART_TEMPORARY;
    house->specs[3].restart = RESTART_TEMPORARY;
    house_open(house);
    kid_command(&house->kids[0], COMMAND_NORMAL);
    kid_command(&house->kids[1], COMMAND_CRASH);
    house_rest(house);
    assert_log(house, "+a+b+c+d");
    kid_command(&house->kids[2], COMMAND_CRASH);
    house_rest(house);
    assert_log(house, "-d+a+c");
}

static void two_that_die_at_once(void **state)
{
    struct house *house = *state;
    static const char *const logs[] = {[ONE_FOR_ONE] = "+c+b",
                                       [ONE_FOR_ALL] = "-d-a+a+b+c+d",
                                       [REST_FOR_ONE] = "-d+c+d-d-c+b+c+d"};
    static const unsigned restarts[] = {[ONE_FOR_ONE] = 2, [ONE_FOR_ALL] = 1, [REST_FOR_ONE] = 2};
    for (enum supervisor_strategy strategy = ONE_FOR_ONE; strategy <= REST_FOR_ONE; strategy++) {
        house_plan(house, strategy, 4);
        house_open(house);
        assert_log(house, "+a+b+c+d");
        kid_kill(&house->kids[2]);
        kid_kill(&house->kids[1]);
        house_rest(house);
        assert_log(house, logs[strategy]);
        assert_int_equal(restarts_of(house, 1) + restarts_of(house, 2), restarts[strategy]);
        house_ask_stop(house);
        assert_log(house, "-d-c-b-a");
        process_release(house->supervisor);
        house->supervisor = NULL;
    }
    house->destroyed = 0;
}

static void one_that_died_at_once_with_another_and_is_not_restarted_stays_down(void **state)
{
    struct house *house = *state;
    house_plan(house, ONE_FOR_ALL, 3);
    house->specs[2].restart = RESTART_TEMPORARY;
    house_open(house);
    kid_kill(&house->kids[1]);
    kid_kill(&house->kids[2]);
    house_rest(house);
    assert_log(house, "+a+b+c-a+a+b");
    kid_kill(&house->kids[0]);
    house_rest(house);
    assert_log(house, "-b+a+b");
}

static void crash_and_pass(struct house *house, uint64_t ns)
{
    kid_command(&house->kids[0], COMMAND_CRASH);
    house_rest(house);
    house->env.now_ns += ns;
}

static void the_restart_above_the_intensity_ends_it_with_all_children(void **state)
{
    struct house *house = *state;
    house_plan(house, ONE_FOR_ONE, 2);
    house->options.max_restarts = 3;
    house_open(house);
    for (unsigned i = 0; i < 3; i++) {
        crash_and_pass(house, 100 * MS);
    }
    assert_log(house, "+a+b+a+a+a");
    assert_int_equal(house->events[SUPERVISOR_ESCALATED], 0);
    crash_and_pass(house, 0);
    assert_log(house, "-b");
    assert_int_equal(house->events[SUPERVISOR_ESCALATED], 1);
    assert_over(house, EXIT_SHUTDOWN, "restart intensity reached");
    assert_int_equal(restarts_of(house, 0), 3);
}

static void the_window_includes_its_end_and_nothing_behind_it(void **state)
{
    struct house *house = *state;
    for (unsigned late = 0; late <= 1; late++) {
        house_plan(house, ONE_FOR_ONE, 1);
        house->options.max_restarts = 3;
        house_open(house);
        crash_and_pass(house, 400 * MS);
        crash_and_pass(house, 600 * MS - 1);
        crash_and_pass(house, 1 + late); /* The fourth comes a second after the first, or later. */
        crash_and_pass(house, 0);
        assert_int_equal(house->events[SUPERVISOR_ESCALATED], late == 0);
        assert_int_equal(kid_lives(&house->kids[0]), late == 1);
        if (late == 1) {
            /* Three of the last second are remembered: the window slides. */
            crash_and_pass(house, 0);
            assert_int_equal(house->events[SUPERVISOR_ESCALATED], 1);
        }
        memset(house->events, 0, sizeof(house->events));
        process_release(house->supervisor);
        house->supervisor = NULL;
    }
    house->destroyed = 0;
}

static void with_an_intensity_of_nothing_the_first_restart_ends_it(void **state)
{
    struct house *house = *state;
    house_plan(house, ONE_FOR_ONE, 2);
    house->options.max_restarts = 0;
    house->specs[1].restart = RESTART_TEMPORARY;
    house_open(house);
    kid_command(&house->kids[1], COMMAND_CRASH);
    house_rest(house);
    assert_int_equal(process_phase(house->supervisor), PHASE_PARKED);
    crash_and_pass(house, 0);
    assert_over(house, EXIT_SHUTDOWN, "restart intensity reached");
}

static void restarts_cost_no_memory(void **state)
{
    struct house *house = *state;
    house_plan(house, ONE_FOR_ONE, 1);
    house->options.max_restarts = 100;
    house_open(house);
    size_t before = 0;
    for (unsigned i = 0; i < 20000; i++) {
        if (i == 1000) {
            before = mallinfo2().uordblks;
        }
        crash_and_pass(house, 11 * MS);
        house->log[0] = '\0';
    }
    assert_int_equal(mallinfo2().uordblks, before);
    assert_int_equal(restarts_of(house, 0), 20000);
    assert_int_equal(house->events[SUPERVISOR_ESCALATED], 0);
    assert_int_equal(house->tally.destroyed, 20000);
}

static void a_restart_that_fails_is_tried_again_within_the_intensity(void **state)
{
    struct house *house = *state;
    house_plan(house, ONE_FOR_ONE, 2);
    house_open(house);
    house->kids[0].refusals = 1;
    house->kids[0].refusals_late = 1;
    crash_and_pass(house, 0);
    assert_log(house, "+a+b!a");
    house_pass(house, 9 * MS);
    assert_log(house, "");
    house_pass(house, 2 * MS);
    assert_log(house, "!a");
    house_pass(house, 11 * MS);
    assert_log(house, "+a");
    assert_int_equal(restarts_of(house, 0), 3);
    assert_int_equal(house->events[SUPERVISOR_CHILD_FAILED], 2);
    assert_string_equal(house->reason[SUPERVISOR_CHILD_FAILED], "refused late");
    assert_int_equal(link_count(house->supervisor), 2);
    assert_int_equal(monitor_count(house->supervisor), 2);

    house->kids[0].refusals = 100;
    crash_and_pass(house, 11 * MS);
    house_pass(house, 0);
    assert_log(house, "!a!a");
    house_pass(house, 11 * MS);
    assert_log(house, "-b");
    assert_over(house, EXIT_SHUTDOWN, "restart intensity reached");
}

static void a_group_restart_that_fails_begins_anew_from_the_failed_one(void **state)
{
    struct house *house = *state;
    static const char *const logs[] = {
        [ONE_FOR_ALL] = "+a+b+c-c-b+a!b-a+a+b+c", [REST_FOR_ONE] = "+a+b+c-c-b+a!b+b+c"};
    for (enum supervisor_strategy strategy = ONE_FOR_ALL; strategy <= REST_FOR_ONE; strategy++) {
        house_plan(house, strategy, 3);
        house_open(house);
        house->kids[1].refusals = 1;
        crash_and_pass(house, 11 * MS);
        house_rest(house);
        assert_log(house, logs[strategy]);
        assert_int_equal(restarts_of(house, 0), 1);
        assert_int_equal(restarts_of(house, 1), 1);
        house_ask_stop(house);
        assert_log(house, "-c-b-a");
        process_release(house->supervisor);
        house->supervisor = NULL;
    }
    house->destroyed = 0;
}

static void one_that_waits_for_its_restart_may_be_started_by_anothers(void **state)
{
    struct house *house = *state;
    house_plan(house, REST_FOR_ONE, 3);
    house->specs[0].announces = house->specs[1].announces = true;
    house_open(house);
    /* The second waits to announce itself when the first dies as well. */
    house->kids[1].mute = true;
    kid_command(&house->kids[1], COMMAND_CRASH);
    house_rest(house);
    assert_log(house, "+a+b+c-c+b");
    kid_command(&house->kids[0], COMMAND_CRASH);
    house_rest(house);
    assert_log(house, "");
    house->kids[1].mute = false;
    house_pass(house, 51 * MS); /* It is killed; the exit of the first comes before its next try. */
    assert_log(house, "+a+b+c");
    assert_int_equal(restarts_of(house, 0), 1);
    assert_int_equal(restarts_of(house, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_HOUSE(children_start_in_order_and_stop_in_reverse),
        IN_A_HOUSE(without_children_it_only_waits),
        IN_A_HOUSE(every_strategy_with_every_child_and_every_way_to_end),
        IN_A_HOUSE(first_and_last_are_restarted_with_the_right_others),
        IN_A_HOUSE(a_group_restart_starts_the_finished_again_and_the_temporary_never),
        IN_A_HOUSE(two_that_die_at_once),
        IN_A_HOUSE(one_that_died_at_once_with_another_and_is_not_restarted_stays_down),
        IN_A_HOUSE(the_restart_above_the_intensity_ends_it_with_all_children),
        IN_A_HOUSE(the_window_includes_its_end_and_nothing_behind_it),
        IN_A_HOUSE(with_an_intensity_of_nothing_the_first_restart_ends_it),
        IN_A_HOUSE(restarts_cost_no_memory),
        IN_A_HOUSE(a_restart_that_fails_is_tried_again_within_the_intensity),
        IN_A_HOUSE(a_group_restart_that_fails_begins_anew_from_the_failed_one),
        IN_A_HOUSE(one_that_waits_for_its_restart_may_be_started_by_anothers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
