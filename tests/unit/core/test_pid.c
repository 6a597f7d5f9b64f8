#include "native.h"

#include <stdlib.h>

static void the_cipher_gives_its_authors_test_vector(void **state)
{
    (void)state;
    static const uint32_t key[4] = {0x1b1a1918, 0x13121110, 0x0b0a0908, 0x03020100};
    struct pid_source source;
    pid_source_init_key(&source, key);
    assert_true(pid_at(&source, 0x3b7265747475432d).raw == 0x8c6fa548454e028b);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

enum { PIDS = 200000 };

static void no_pid_comes_twice(void **state)
{
    (void)state;
    struct still_env still;
    still_env_init(&still, 1);
    struct pid_source source;
    pid_source_init(&source, &still.env);
    uint64_t *pids = malloc(PIDS * sizeof(*pids));
    assert_non_null(pids);
    for (size_t i = 0; i < PIDS; i++) {
        pids[i] = pid_next(&source).raw;
        assert_true(pids[i] != 0);
    }
    qsort(pids, PIDS, sizeof(*pids), compare);
    for (size_t i = 1; i < PIDS; i++) {
        assert_true(pids[i - 1] != pids[i]);
    }
    free(pids);
}

static void neighbours_have_nothing_in_common(void **state)
{
    (void)state;
    struct still_env still;
    still_env_init(&still, 2);
    struct pid_source source;
    pid_source_init(&source, &still.env);
    /* Of 64 bits half differ on average; a counter's neighbours differ in two. */
    uint64_t differing = 0;
    struct pid before = pid_next(&source);
    for (int i = 0; i < 1000; i++) {
        struct pid pid = pid_next(&source);
        differing += (uint64_t)__builtin_popcountll(pid.raw ^ before.raw);
        before = pid;
    }
    assert_in_range(differing, 31000, 33000);
}

static void two_nodes_draw_different_pids(void **state)
{
    (void)state;
    struct pid_source a, b;
    pid_source_init(&a, env_system());
    pid_source_init(&b, env_system());
    assert_false(pid_equal(pid_next(&a), pid_next(&b)));
}

static void reserved_counters_are_not_given_out_again(void **state)
{
    (void)state;
    struct pid_source source;
    pid_source_init(&source, env_system());
    assert_int_equal(pid_reserve(&source, 10), 1);
    assert_true(pid_equal(pid_next(&source), pid_at(&source, 11)));
    assert_int_equal(pid_reserve(&source, 1), 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cipher_gives_its_authors_test_vector),
        cmocka_unit_test(no_pid_comes_twice),
        cmocka_unit_test(neighbours_have_nothing_in_common),
        cmocka_unit_test(two_nodes_draw_different_pids),
        cmocka_unit_test(reserved_counters_are_not_given_out_again),
    };
    return cmocka_run_group_tests_name("pid", tests, NULL, NULL);
}
