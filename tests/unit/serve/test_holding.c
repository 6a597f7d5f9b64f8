#include "../base/cmocka_all.h"

#include "serve/holding.h"

enum { MAX = 1000 * 1000 };

static void what_is_held_is_bounded_over_all_lanes(void **state)
{
    (void)state;
    struct holding_sum sum = {.max_bytes = MAX};
    struct holding lanes[2] = {{.sum = &sum}, {.sum = &sum}};
    assert_true(holding_has_room(&lanes[0], MAX));
    assert_false(holding_has_room(&lanes[0], MAX + 1));
    holding_add(&lanes[0], MAX / 2);
    assert_true(holding_has_room(&lanes[1], MAX / 2));
    assert_false(holding_has_room(&lanes[1], MAX / 2 + 1));
    holding_add(&lanes[1], MAX / 2);
    assert_false(holding_has_room(&lanes[0], 0));
    assert_false(holding_has_room(&lanes[1], 0));
    holding_add(&lanes[0], -MAX / 2);
    assert_true(holding_has_room(&lanes[1], MAX / 2));
    assert_int_equal(atomic_load(&lanes[0].bytes), 0);
}

static void little_is_told_later_but_never_lost(void **state)
{
    (void)state;
    struct holding_sum sum = {.max_bytes = MAX};
    struct holding lane = {.sum = &sum};
    for (int i = 1; i <= 1000; i++) {
        holding_add(&lane, 997);
        long long apart = atomic_load(&lane.bytes) - atomic_load(&sum.bytes);
        assert_true(apart >= 0 && apart < HOLDING_STEP_BYTES);
    }
    for (int i = 1; i <= 1000; i++) {
        holding_add(&lane, -997);
        long long apart = atomic_load(&lane.bytes) - atomic_load(&sum.bytes);
        assert_true(apart > -HOLDING_STEP_BYTES && apart < HOLDING_STEP_BYTES);
    }
    assert_int_equal(atomic_load(&lane.bytes), 0);
}

static void without_a_bound_there_is_always_room(void **state)
{
    (void)state;
    struct holding_sum sum = {0};
    struct holding lane = {.sum = &sum}, alone = {0};
    holding_add(&lane, INT64_MAX / 2);
    holding_add(&alone, INT64_MAX / 2);
    assert_true(holding_has_room(&lane, UINT64_MAX));
    assert_true(holding_has_room(&alone, UINT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_held_is_bounded_over_all_lanes),
        cmocka_unit_test(little_is_told_later_but_never_lost),
        cmocka_unit_test(without_a_bound_there_is_always_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
