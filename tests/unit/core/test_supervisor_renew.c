/* Children that make room for others of themselves, such as ones with newer code. */
#include "supervisor_world.h"

#include <string.h>

static void renew(struct house *house, size_t child, enum supervisor_renewal renewal)
{
    supervisor_renew_child(&house->kids[child].native->process, renewal);
    house_rest(house);
}

static void every_kind_of_child_is_stopped_and_started_again(void **state)
{
    struct house *house = *state;
    for (enum supervisor_restart restart = RESTART_PERMANENT; restart <= RESTART_TEMPORARY;
         restart++) {
        memset(house->events, 0, sizeof house->events);
        house_plan(house, ONE_FOR_ONE, 3);
        house->specs[1].restart = restart;
        house->options.max_restarts = 0;
        house_open(house);
        assert_log(house, "+a+b+c");
        for (unsigned i = 0; i < 10; i++) {
            renew(house, 1, RENEWAL_NOW);
            assert_log(house, "-b+b");
        }
        assert_int_equal(house->events[SUPERVISOR_CHILD_EXITED], 0);
        assert_int_equal(restarts_of(house, 1), 0);
        house_ask_stop(house);
        assert_log(house, "-c-b-a");
        assert_over(house, EXIT_SHUTDOWN, "shutdown");
        process_release(house->supervisor);
        house->supervisor = NULL;
    }
    assert_int_equal(house->destroyed, 3);
    house->destroyed = 0;
}

static void who_depends_on_it_is_started_again_too(void **state)
{
    struct house *house = *state;
    house_plan(house, REST_FOR_ONE, 3);
    house_open(house);
    renew(house, 1, RENEWAL_NOW);
    assert_log(house, "+a+b+c-c-b+b+c");
    house_ask_stop(house);
    assert_log(house, "-c-b-a");
    assert_over(house, EXIT_SHUTDOWN, "shutdown");
}

static void several_at_once_are_renewed_one_after_the_other(void **state)
{
    struct house *house = *state;
    house_plan(house, ONE_FOR_ONE, 3);
    house_open(house);
    supervisor_renew_child(&house->kids[2].native->process, RENEWAL_NOW);
    supervisor_renew_child(&house->kids[0].native->process, RENEWAL_NOW);
    house_rest(house);
    assert_log(house, "+a+b+c-a+a-c+c");
    house_ask_stop(house);
    assert_log(house, "-c-b-a");
    assert_over(house, EXIT_SHUTDOWN, "shutdown");
}

static void at_its_end_it_is_started_again_however_it_ends(void **state)
{
    struct house *house = *state;
    static const enum command ends[] = {COMMAND_NORMAL, COMMAND_SHUTDOWN, COMMAND_CRASH};
    house_plan(house, ONE_FOR_ONE, 2);
    house->specs[0].restart = RESTART_TEMPORARY;
    house->options.max_restarts = 0;
    house_open(house);
    assert_log(house, "+a+b");
    for (size_t i = 0; i < ARRAY_LENGTH(ends); i++) {
        renew(house, 0, RENEWAL_AT_ITS_END);
        assert_log(house, "");
        kid_command(&house->kids[0], ends[i]);
        house_rest(house);
        assert_log(house, "+a");
    }
    kid_command(&house->kids[0], COMMAND_NORMAL); /* of its own accord, and temporary */
    house_rest(house);
    assert_log(house, "");
    house_ask_stop(house);
    assert_log(house, "-b");
    assert_over(house, EXIT_SHUTDOWN, "shutdown");
}

static void who_does_not_stop_is_killed_and_started_again(void **state)
{
    struct house *house = *state;
    house_plan(house, ONE_FOR_ONE, 1);
    house->kids[0].ignores_stop = true;
    house_open(house);
    renew(house, 0, RENEWAL_NOW);
    assert_log(house, "+a~a");
    house_pass(house, 101 * (uint64_t)MS);
    assert_log(house, "+a");
    house->kids[0].ignores_stop = false;
    house_ask_stop(house);
    assert_log(house, "-a");
    assert_over(house, EXIT_SHUTDOWN, "shutdown");
}

static void one_that_does_not_come_up_again_is_tried_again_and_that_counts(void **state)
{
    struct house *house = *state;
    house_plan(house, ONE_FOR_ONE, 1);
    house->options.max_restarts = 1;
    house_open(house);
    house->kids[0].refusals = 1;
    renew(house, 0, RENEWAL_NOW);
    assert_log(house, "+a-a!a");
    house_pass(house, 11 * (uint64_t)MS);
    assert_log(house, "+a");
    kid_command(&house->kids[0], COMMAND_CRASH);
    house_rest(house);
    assert_over(house, EXIT_SHUTDOWN, "restart intensity reached");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_HOUSE(every_kind_of_child_is_stopped_and_started_again),
        IN_A_HOUSE(who_depends_on_it_is_started_again_too),
        IN_A_HOUSE(several_at_once_are_renewed_one_after_the_other),
        IN_A_HOUSE(at_its_end_it_is_started_again_however_it_ends),
        IN_A_HOUSE(who_does_not_stop_is_killed_and_started_again),
        IN_A_HOUSE(one_that_does_not_come_up_again_is_tried_again_and_that_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
