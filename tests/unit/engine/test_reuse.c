/* Instances that are used again: no guest can tell, and what went wrong is never used again. */
#include "engine_test.h"

#include <stdio.h>
#include <string.h>

static uint64_t spares(void)
{
    return engine_usage(test_engine()).spares;
}

static void run(struct engine_image *image, const char *entry, struct process *process,
                struct engine_exit *ret)
{
    process_init(process);
    test_finish(test_spawn(image, entry, process), process, ret);
}

/* Run an entry whose end does not matter here. */
static void run_any(struct engine_image *image, const char *entry)
{
    struct process process;
    struct engine_exit exit;
    run(image, entry, &process, &exit);
    engine_exit_fini(&exit);
    process_fini(&process);
}

/* What `look` finds in an instance in which nothing ran. */
static void assert_fresh(struct engine_image *image)
{
    struct process process;
    struct engine_exit exit;
    run(image, "look", &process, &exit);
    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    double minus = -2.5;
    float plus = 1.5F;
    uint64_t wide = 0;
    uint32_t narrow = 0;
    memcpy(&wide, &minus, sizeof wide);
    memcpy(&narrow, &plus, sizeof narrow);
    const uint64_t expected[] = {UINT64_MAX, wide + narrow, 0x2a, 0x2a + 0x07, 1};
    assert_int_equal(process.note_count, ARRAY_LENGTH(expected));
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++) {
        assert_int_equal(process.notes[i], expected[i]);
    }
    process_fini(&process);
}

static void an_instance_that_returned_is_used_again_as_new(void **state)
{
    (void)state;
    struct engine_image *image = test_load("reuse");
    assert_fresh(image);
    assert_int_equal(spares(), 1);
    static const char *const entries[] = {"dirty", "dirty-by-pointer", "copy"};
    for (size_t i = 0; i < ARRAY_LENGTH(entries); i++) {
        run_any(image, entries[i]);

        assert_int_equal(spares(), 1);
        assert_int_equal(engine_usage(test_engine()).memories, 0);
        assert_fresh(image);
    }
    engine_image_destroy(image);
    assert_int_equal(spares(), 0);
}

static void an_instance_that_trapped_or_grew_is_not_used_again(void **state)
{
    (void)state;
    struct engine_image *image = test_load("reuse");
    static const char *const entries[] = {"trap", "grow"};
    for (size_t i = 0; i < ARRAY_LENGTH(entries); i++) {
        assert_fresh(image);
        assert_int_equal(spares(), 1);

        run_any(image, entries[i]);

        assert_int_equal(spares(), 0);
        assert_fresh(image);
    }
    engine_image_destroy(image);
}

static void an_instance_that_was_stopped_is_not_used_again(void **state)
{
    (void)state;
    struct engine_image *image = test_load("reuse");
    assert_fresh(image);
    struct process process;
    struct engine_exit exit;
    process_init(&process);
    process.ticks[0] = ENGINE_TICK_STOP;
    struct engine_fiber *spinning = test_spawn(image, "spin", &process);
    test_finish(spinning, &process, &exit);
    assert_int_not_equal(exit.kind, ENGINE_EXIT_RETURNED);
    engine_exit_fini(&exit);
    assert_int_equal(spares(), 0);

    struct engine_fiber *parked = test_spawn(image, "park", &process);
    assert_false(engine_fiber_poll(parked, &exit));
    engine_fiber_destroy(parked);

    assert_int_equal(spares(), 0);
    assert_fresh(image);
    process_fini(&process);
    engine_image_destroy(image);
}

static void at_most_as_many_are_kept_as_were_asked_for(void **state)
{
    (void)state;
    struct engine_image *images[3] = {test_load("reuse"), test_load("reuse"), test_load("reuse")};
    for (size_t i = 0; i < ARRAY_LENGTH(images); i++) {
        assert_fresh(images[i]);
    }
    assert_int_equal(spares(), test_options.spares);
    for (size_t i = 0; i < ARRAY_LENGTH(images); i++) {
        run_any(images[i], "dirty");
        assert_fresh(images[i]);
        engine_image_destroy(images[i]);
    }
    assert_int_equal(spares(), 0);
}

static void kept_instances_take_no_place_from_others(void **state)
{
    (void)state;
    struct engine_image *image = test_load("reuse"), *other = test_load("guest");
    struct engine_fiber *fibers[4];
    struct process process;
    struct engine_exit exit;
    process_init(&process);
    assert_true(test_options.fibers == ARRAY_LENGTH(fibers));
    for (size_t i = 0; i < test_options.spares; i++) {
        fibers[i] = test_spawn(image, "park", &process);
        assert_false(engine_fiber_poll(fibers[i], &exit));
    }
    for (size_t i = 0; i < test_options.spares; i++) {
        assert_true(engine_fiber_poll(fibers[i], &exit));
        engine_fiber_destroy(fibers[i]);
    }
    assert_int_equal(spares(), test_options.spares);

    for (size_t i = 0; i < ARRAY_LENGTH(fibers); i++) {
        fibers[i] = test_spawn(other, "wait", &process);
        assert_false(engine_fiber_poll(fibers[i], &exit));
    }

    for (size_t i = 0; i < ARRAY_LENGTH(fibers); i++) {
        engine_fiber_destroy(fibers[i]);
    }
    process_fini(&process);
    engine_image_destroy(other);
    engine_image_destroy(image);
}

static void a_module_that_changes_its_table_gets_a_new_instance_each_time(void **state)
{
    (void)state;
    struct engine_image *image = test_load("restless");
    run_any(image, "return");
    assert_int_equal(spares(), 0);
    run_any(image, "change");
    assert_int_equal(spares(), 0);
    engine_image_destroy(image);
}

static void a_ceiling_below_the_memory_of_a_kept_instance_is_a_ceiling(void **state)
{
    (void)state;
    struct engine_image *image = test_load("reuse");
    assert_fresh(image);
    struct process process;
    struct engine_exit exit;
    process_init(&process);
    struct engine_spawn_options options = {
        .process = &process, .entry = test_entry(image, "look"), .memory_max_bytes = 4096};

    test_finish(engine_fiber_create(image, &options), &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_MEMORY);
    engine_exit_fini(&exit);
    assert_fresh(image);
    process_fini(&process);
    engine_image_destroy(image);
}

static void the_account_of_memory_is_kept_by_a_used_instance_too(void **state)
{
    (void)state;
    struct engine_image *image = test_load("reuse");
    for (int i = 0; i < 2; i++) {
        struct process process;
        struct engine_exit exit;
        atomic_uint_least64_t account = 0;
        process_init(&process);
        struct engine_spawn_options options = {.process = &process,
                                               .entry = test_entry(image, "grow"),
                                               .memory_max_bytes = 1 << 20,
                                               .memory_bytes = &account};
        if (i == 1) {
            assert_fresh(image);
            assert_int_equal(spares(), 1);
        }

        test_finish(engine_fiber_create(image, &options), &process, &exit);

        assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
        assert_int_equal(atomic_load(&account), 2 << 16);
        process_fini(&process);
    }
    engine_image_destroy(image);
}

static void a_backtrace_names_places_of_the_file(void **state)
{
    (void)state;
    struct bytes wasm = {0};
    test_wasm("reuse", &wasm);
    /* `unreachable` and `end` behind the call of $dirty: the only place where these follow. */
    size_t place = 0;
    for (size_t i = 4; i + 1 < wasm.size; i++) {
        if (wasm.data[i] == 0x00 && wasm.data[i + 1] == 0x0b && wasm.data[i - 2] == 0x10) {
            place = i;
        }
    }
    assert_int_not_equal(place, 0);
    struct engine_image *image = test_load("reuse");
    struct process process;
    struct engine_exit exit;
    run(image, "trap", &process, &exit);
    char expected[64];
    (void)snprintf(expected, sizeof expected, "(file offset 0x%zx)", place);

    assert_non_null(exit.backtrace);
    assert_non_null(strstr(exit.backtrace, expected));

    engine_exit_fini(&exit);
    process_fini(&process);
    engine_image_destroy(image);
    bytes_fini(&wasm);
}

static void a_module_cannot_claim_to_be_one_whose_instances_are_used_again(void **state)
{
    (void)state;
    struct err err = {0};
    test_load_fails("claiming", false, &err);

    assert_int_equal(err.code, ERR_INPUT);
    assert_non_null(strstr(err.text, "mote:state "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(an_instance_that_returned_is_used_again_as_new),
        ENGINE_TEST(an_instance_that_trapped_or_grew_is_not_used_again),
        ENGINE_TEST(an_instance_that_was_stopped_is_not_used_again),
        ENGINE_TEST(at_most_as_many_are_kept_as_were_asked_for),
        ENGINE_TEST(kept_instances_take_no_place_from_others),
        ENGINE_TEST(a_module_that_changes_its_table_gets_a_new_instance_each_time),
        ENGINE_TEST(a_ceiling_below_the_memory_of_a_kept_instance_is_a_ceiling),
        ENGINE_TEST(the_account_of_memory_is_kept_by_a_used_instance_too),
        ENGINE_TEST(a_backtrace_names_places_of_the_file),
        ENGINE_TEST(a_module_cannot_claim_to_be_one_whose_instances_are_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
