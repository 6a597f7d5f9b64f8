/* From limits to pools: arithmetic only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guest/capacity.h"

#include <string.h>

static const struct capacity_limits plenty = {.mappings = UINT64_MAX / 1024,
                                              .address_bytes = UINT64_MAX,
                                              .descriptors = 1 << 20,
                                              .memory_bytes = UINT64_C(1) << 40};
static const struct capacity_need one_memory = {
    .used = true, .memories = 1, .tables = 1, .core_instances = 1};

static void small_memories_that_stay_small_go_to_the_small_class(void **state)
{
    (void)state;
    assert_int_equal(capacity_class(64 << 10, 64 << 20), POOL_SMALL);
    assert_int_equal(capacity_class(128 << 10, 64 << 20), POOL_SMALL);
    assert_int_equal(capacity_class((128 << 10) + 1, 64 << 20), POOL_LARGE);
    assert_int_equal(capacity_class(64 << 10, (64 << 20) + 1), POOL_LARGE);
}

static void the_default_number_of_mappings_carries_about_ten_thousand(void **state)
{
    (void)state;
    struct capacity_limits limits = plenty;
    limits.mappings = 65530;
    struct capacity_need needs[POOL_CLASSES] = {[POOL_SMALL] = one_memory};
    struct capacity_plan plan;
    struct err err = {0};
    assert_true(capacity_plan(&limits, needs, 2, 0, &plan, &err));
    assert_in_range(plan.processes, 9000, 11000);
    assert_string_equal(plan.limited_by, "vm.max_map_count");
    /* All of them at once stay below the limit. */
    assert_true((uint64_t)plan.processes * 6 + CAPACITY_MAPPINGS_RESERVE <= limits.mappings);
}

static void more_memories_an_instance_mean_fewer_processes(void **state)
{
    (void)state;
    struct capacity_limits limits = plenty;
    limits.mappings = 65530;
    struct capacity_need needs[POOL_CLASSES] = {[POOL_SMALL] = one_memory};
    struct capacity_plan one, four;
    struct err err = {0};
    assert_true(capacity_plan(&limits, needs, 1, 0, &one, &err));
    needs[POOL_SMALL].memories = 4;
    assert_true(capacity_plan(&limits, needs, 1, 0, &four, &err));
    assert_true(four.processes < one.processes / 2);
}

static void max_processes_bounds_every_engine_and_the_sum(void **state)
{
    (void)state;
    struct capacity_need needs[POOL_CLASSES] = {[POOL_SMALL] = one_memory};
    struct capacity_plan plan;
    struct err err = {0};
    assert_true(capacity_plan(&plenty, needs, 2, 100, &plan, &err));
    assert_int_equal(plan.processes, 100);
    assert_int_equal(plan.fibers[POOL_SMALL], 100);
    assert_string_equal(plan.limited_by, "max-processes");
}

static void both_classes_share_when_both_are_used(void **state)
{
    (void)state;
    struct capacity_limits limits = plenty;
    limits.mappings = 65530;
    struct capacity_need needs[POOL_CLASSES] = {one_memory, one_memory};
    struct capacity_plan plan;
    struct err err = {0};
    assert_true(capacity_plan(&limits, needs, 1, 0, &plan, &err));
    assert_true(plan.fibers[POOL_SMALL] > plan.fibers[POOL_LARGE]);
    assert_true(plan.fibers[POOL_LARGE] >= CAPACITY_FIBERS_MIN);
    assert_true((uint64_t)plan.processes * 6 + CAPACITY_MAPPINGS_RESERVE <= limits.mappings);
}

static void too_little_is_refused_with_the_limit_and_the_remedy(void **state)
{
    (void)state;
    struct capacity_limits limits = plenty;
    limits.mappings = CAPACITY_MAPPINGS_RESERVE + 100;
    struct capacity_need needs[POOL_CLASSES] = {[POOL_SMALL] = one_memory};
    struct capacity_plan plan;
    struct err err = {0};
    assert_false(capacity_plan(&limits, needs, 2, 0, &plan, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    assert_non_null(strstr(err.text, "vm.max_map_count"));
    assert_non_null(strstr(err.text, "sysctl -w"));
}

static void a_low_address_space_is_named(void **state)
{
    (void)state;
    struct capacity_limits limits = plenty;
    limits.address_bytes = UINT64_C(32) << 30;
    struct capacity_need needs[POOL_CLASSES] = {[POOL_SMALL] = one_memory};
    struct capacity_plan plan;
    struct err err = {0};
    assert_true(capacity_plan(&limits, needs, 1, 0, &plan, &err));
    assert_string_equal(plan.limited_by, "the address space limit (ulimit -v)");
    assert_true(plan.processes * CAPACITY_SMALL_RESERVATION <= limits.address_bytes);
}

static void an_instance_of_absurdly_many_parts_is_refused_before_anything_is_multiplied(
    void **state)
{
    (void)state;
    struct capacity_plan plan;
    struct err err = {0};
    struct capacity_need most = one_memory;
    most.memories = most.tables = most.core_instances = CAPACITY_PARTS_MAX;
    struct capacity_need needs[POOL_CLASSES] = {[POOL_LARGE] = most};
    assert_true(capacity_plan(&plenty, needs, 2, 0, &plan, &err));
    /* A reservation is 2^32 bytes: the product would not fit or nearly so. */
    static const uint32_t absurd[] = {CAPACITY_PARTS_MAX + 1, UINT32_C(1) << 31, UINT32_MAX};
    for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++) {
        needs[POOL_LARGE] = most;
        needs[POOL_LARGE].memories = absurd[i];
        assert_false(capacity_plan(&plenty, needs, 2, 0, &plan, &err));
        assert_int_equal(err.code, ERR_LIMIT);
        assert_non_null(strstr(err.text, "more than 24 memories"));
        needs[POOL_LARGE] = most;
        needs[POOL_LARGE].tables = absurd[i];
        assert_false(capacity_plan(&plenty, needs, 2, 0, &plan, &err));
        needs[POOL_LARGE] = most;
        needs[POOL_LARGE].core_instances = absurd[i];
        assert_false(capacity_plan(&plenty, needs, 2, 0, &plan, &err));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_memories_that_stay_small_go_to_the_small_class),
        cmocka_unit_test(the_default_number_of_mappings_carries_about_ten_thousand),
        cmocka_unit_test(more_memories_an_instance_mean_fewer_processes),
        cmocka_unit_test(max_processes_bounds_every_engine_and_the_sum),
        cmocka_unit_test(both_classes_share_when_both_are_used),
        cmocka_unit_test(too_little_is_refused_with_the_limit_and_the_remedy),
        cmocka_unit_test(a_low_address_space_is_named),
        cmocka_unit_test(
            an_instance_of_absurdly_many_parts_is_refused_before_anything_is_multiplied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
