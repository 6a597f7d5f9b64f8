#include "base/map.h"

#include "cmocka_all.h"

#include <stdlib.h>

enum { MANY = 10000 };

struct thing {
    int before;
    struct map_member member;
    bool seen;
};

static struct thing *thing_of(struct map_member *member)
{
    return CONTAINER_OF(member, struct thing, member);
}

static void members_are_found_by_their_keys(void **state)
{
    (void)state;
    struct map map = {0};
    struct thing *things = calloc(MANY, sizeof(*things));
    for (uint64_t i = 0; i < MANY; i++) {
        assert_null(map_find(&map, i << 32));
        map_insert(&map, &things[i].member, i << 32);
        assert_int_equal(map.count, i + 1);
    }
    for (uint64_t i = 0; i < MANY; i++) {
        assert_ptr_equal(map_find(&map, i << 32), &things[i].member);
        assert_null(map_find(&map, (i << 32) + 1));
    }
    for (uint64_t i = 0; i < MANY; i++) {
        assert_ptr_equal(map_remove(&map, i << 32), &things[i].member);
        assert_null(map_remove(&map, i << 32));
    }
    map_fini(&map);
    free(things);
}

static void a_map_of_a_few_has_no_table_and_an_empty_one_keeps_none(void **state)
{
    (void)state;
    struct map map = {0};
    struct thing things[100];
    for (uint64_t i = 0; i < 8; i++) {
        map_insert(&map, &things[i].member, i);
    }
    assert_null(map.buckets);
    for (uint64_t i = 8; i < ARRAY_LENGTH(things); i++) {
        map_insert(&map, &things[i].member, i);
    }
    assert_non_null(map.buckets);
    for (uint64_t i = 0; i < ARRAY_LENGTH(things); i++) {
        assert_non_null(map_remove(&map, i));
    }
    assert_null(map.buckets);
}

static void chains_stay_short_for_keys_that_count_up(void **state)
{
    (void)state;
    struct map map = {0};
    struct thing *things = calloc(MANY, sizeof(*things));
    for (uint64_t i = 0; i < MANY; i++) {
        map_insert(&map, &things[i].member, i * 4096);
    }
    for (size_t i = 0; i < (size_t)1 << map.bits; i++) {
        unsigned length = 0;
        for (struct map_member *member = map.buckets[i]; member != NULL; member = member->next) {
            length++;
        }
        assert_in_range(length, 0, 16);
    }
    while (map_take_any(&map) != NULL) {
    }
    map_fini(&map);
    free(things);
}

static void taking_any_takes_each_once(void **state)
{
    (void)state;
    struct map map = {0};
    struct thing *things = calloc(MANY, sizeof(*things));
    for (uint64_t i = 0; i < MANY; i++) {
        map_insert(&map, &things[i].member, i * i);
    }
    for (int i = 0; i < MANY; i++) {
        struct map_member *member = map_take_any(&map);
        assert_non_null(member);
        assert_false(thing_of(member)->seen);
        thing_of(member)->seen = true;
    }
    assert_null(map_take_any(&map));
    assert_null(map.buckets);
    free(things);
}

static void sum_keys(struct map_member *member, void *argument)
{
    *(uint64_t *)argument += member->key;
    thing_of(member)->seen = true;
}

static void visiting_sees_each_member(void **state)
{
    (void)state;
    struct map map = {0};
    struct thing things[50] = {0};
    uint64_t sum = 0;
    map_visit(&map, sum_keys, &sum);
    assert_int_equal(sum, 0);
    for (uint64_t i = 0; i < ARRAY_LENGTH(things); i++) {
        map_insert(&map, &things[i].member, i + 1);
    }
    map_visit(&map, sum_keys, &sum);
    assert_int_equal(sum, 50 * 51 / 2);
    for (size_t i = 0; i < ARRAY_LENGTH(things); i++) {
        assert_true(things[i].seen);
        assert_non_null(map_remove(&map, i + 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found_by_their_keys),
        cmocka_unit_test(a_map_of_a_few_has_no_table_and_an_empty_one_keeps_none),
        cmocka_unit_test(chains_stay_short_for_keys_that_count_up),
        cmocka_unit_test(taking_any_takes_each_once),
        cmocka_unit_test(visiting_sees_each_member),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
