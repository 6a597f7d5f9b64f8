/* How runs begin and end: returns, traps, ceilings, ticks, cancelling. */
#include "engine_test.h"

#include <pthread.h>
#include <string.h>

static void a_function_runs_and_returns(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    test_run("guest", "return", &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    assert_null(exit.backtrace);
    process_fini(&process);
}

static void every_instance_is_fresh(void **state)
{
    (void)state;
    struct engine_image *image = test_load("guest");
    for (int i = 0; i < 3; i++) {
        struct process process;
        struct engine_exit exit;
        process_init(&process);

        test_finish(test_spawn(image, "fresh", &process), &process, &exit);

        assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
        test_noted(&process, 3, 1, 1, 42);
        process_fini(&process);
    }
    engine_image_destroy(image);
}

static void every_kind_of_trap_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *entry;
        enum engine_trap trap;
        const char *text;
    } cases[] = {
        {"unreachable", ENGINE_TRAP_UNREACHABLE, "unreachable code reached"},
        {"overflow", ENGINE_TRAP_STACK_OVERFLOW, "stack overflow"},
        {"memory-bounds", ENGINE_TRAP_MEMORY_BOUNDS, "memory access out of bounds"},
        {"table-bounds", ENGINE_TRAP_TABLE_BOUNDS, "table access out of bounds"},
        {"divide", ENGINE_TRAP_DIVISION, "division by zero"},
        {"divide-overflow", ENGINE_TRAP_DIVISION, "integer overflow"},
        {"call-null", ENGINE_TRAP_INDIRECT_CALL, "call of a function that is not set"},
        {"call-other", ENGINE_TRAP_INDIRECT_CALL, "call of a function pointer of another type"},
        {"convert", ENGINE_TRAP_DIVISION, "integer overflow"},
        {"convert-nan", ENGINE_TRAP_CONVERSION, "conversion of NaN to an integer"},
    };
    struct engine_image *image = test_load("guest");
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct process process;
        struct engine_exit exit;
        process_init(&process);

        test_finish(test_spawn(image, cases[i].entry, &process), &process, &exit);

        assert_int_equal(exit.kind, ENGINE_EXIT_TRAP);
        assert_int_equal(exit.trap, cases[i].trap);
        assert_string_equal(exit.text, cases[i].text);
        assert_non_null(exit.backtrace);
        engine_exit_fini(&exit);
        assert_null(exit.backtrace);
        process_fini(&process);
    }
    engine_image_destroy(image);
}

static void a_backtrace_names_the_functions_innermost_first(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    test_run("guest", "unreachable", &process, &exit);

    const char *inner = strstr(exit.backtrace, "  #0 inner (file offset 0x");
    const char *middle = strstr(exit.backtrace, "  #1 middle (file offset 0x");
    assert_ptr_equal(inner, exit.backtrace);
    assert_non_null(middle);
    assert_non_null(strstr(middle, "\n  #2 "));
    engine_exit_fini(&exit);
    process_fini(&process);
}

static void growth_below_the_ceiling_succeeds(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    test_run("guest", "grow", &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    test_noted(&process, 1, 1);
    process_fini(&process);
}

static void growth_past_the_guests_own_maximum_answers_minus_one(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    test_run("guest", "grow-past-own-maximum", &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    test_noted(&process, 1, -1);
    process_fini(&process);
}

static void growth_past_the_ceiling_traps_and_says_what_was_asked(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    test_run("unbounded", "grow", &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_MEMORY);
    assert_int_equal(exit.asked_bytes, 17 << 16);
    assert_int_equal(exit.ceiling_bytes, 1 << 20);
    assert_non_null(exit.backtrace);
    engine_exit_fini(&exit);
    process_fini(&process);
}

/* (module (memory 1) (memory 1)
 *         (func (export "grow") (drop (memory.grow 1 (i32.const 14)))
 *                               (drop (memory.grow 0 (i32.const 2))))) */
static const uint8_t two_memories[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x04, 0x01, 0x60, 0x00,
    0x00, 0x03, 0x02, 0x01, 0x00, 0x05, 0x05, 0x02, 0x00, 0x01, 0x00, 0x01, 0x07,
    0x08, 0x01, 0x04, 0x67, 0x72, 0x6f, 0x77, 0x00, 0x00, 0x0a, 0x0e, 0x01, 0x0c,
    0x00, 0x41, 0x0e, 0x40, 0x01, 0x1a, 0x41, 0x02, 0x40, 0x00, 0x1a, 0x0b,
};

static void the_memories_of_a_module_share_the_ceiling(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);
    struct engine_image *image = test_load_bytes(two_memories, sizeof(two_memories));

    /* 16 pages: 1 + 15 are all of them; with 2 more one memory would have 3, both 18. */
    test_finish(test_spawn(image, "grow", &process), &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_MEMORY);
    assert_int_equal(exit.asked_bytes, 18 << 16);
    assert_int_equal(exit.ceiling_bytes, 1 << 20);
    engine_exit_fini(&exit);
    engine_image_destroy(image);
    process_fini(&process);
}

static void an_initial_memory_above_the_ceiling_is_refused_the_same_way(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    test_run("large", "return", &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_MEMORY);
    assert_int_equal(exit.asked_bytes, 32 << 16);
    assert_int_equal(exit.ceiling_bytes, 1 << 20);
    engine_exit_fini(&exit);
    process_fini(&process);
}

static void the_pools_reservation_is_a_ceiling_too(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);
    struct engine_image *image = test_load("unbounded");
    struct engine_spawn_options options = {
        .process = &process, .entry = test_entry(image, "grow"), .memory_max_bytes = UINT64_MAX};

    test_finish(engine_fiber_create(image, &options), &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_MEMORY);
    assert_int_equal(exit.ceiling_bytes, test_options.memory_reservation_bytes);
    engine_exit_fini(&exit);
    engine_image_destroy(image);
    process_fini(&process);
}

static void a_table_past_the_pools_elements_traps(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    test_run("guest", "grow-table", &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_MEMORY);
    assert_int_equal(exit.asked_bytes, 15002 * sizeof(void *));
    assert_int_equal(exit.ceiling_bytes, test_options.table_elements * sizeof(void *));
    engine_exit_fini(&exit);
    process_fini(&process);
}

static void initialize_runs_before_an_entry_but_not_before_start(void **state)
{
    (void)state;
    struct process reactor, command;
    struct engine_exit exit;
    process_init(&reactor);
    process_init(&command);

    test_run("reactor", "show", &reactor, &exit);
    test_run("command", "_start", &command, &exit);

    test_noted(&reactor, 2, 1, 2);
    test_noted(&command, 1, 2);
    process_fini(&reactor);
    process_fini(&command);
}

static void a_full_pool_refuses_and_serves_again_after_an_end(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    struct engine_fiber *fibers[6];
    process_init(&process);
    assert_int_equal(test_options.fibers + test_options.spares, ARRAY_LENGTH(fibers));
    struct engine_image *image = test_load("guest");
    for (size_t i = 0; i < ARRAY_LENGTH(fibers); i++) {
        fibers[i] = test_spawn(image, "wait", &process);
        assert_false(engine_fiber_poll(fibers[i], &exit));
    }

    struct engine_fiber *refused = test_spawn(image, "return", &process);
    assert_true(engine_fiber_poll(refused, &exit));
    assert_int_equal(exit.kind, ENGINE_EXIT_FULL);
    engine_fiber_destroy(refused);

    engine_fiber_destroy(fibers[0]);
    test_finish(test_spawn(image, "return", &process), &process, &exit);
    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    for (size_t i = 1; i < ARRAY_LENGTH(fibers); i++) {
        engine_fiber_destroy(fibers[i]);
    }
    engine_image_destroy(image);
    process_fini(&process);
}

/* ---- ticks ---- */

static void at_a_tick_the_process_says_continue_yield_or_stop(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);
    process.ticks[0] = ENGINE_TICK_YIELD;
    process.ticks[1] = ENGINE_TICK_YIELD;
    process.ticks[2] = ENGINE_TICK_STOP;
    struct engine_image *image = test_load("guest");
    struct engine_fiber *fiber = test_spawn(image, "spin", &process);

    assert_false(engine_fiber_poll(fiber, &exit));
    assert_int_equal(process.tick_count, 1);
    assert_int_equal(atomic_load(&process.wakes), 1); /* A yield wakes from inside the poll. */
    assert_false(engine_fiber_poll(fiber, &exit));
    assert_true(engine_fiber_poll(fiber, &exit));

    assert_int_equal(process.tick_count, 3);
    assert_int_equal(exit.kind, ENGINE_EXIT_STOPPED);
    assert_null(exit.backtrace);
    engine_fiber_destroy(fiber);
    engine_image_destroy(image);
    process_fini(&process);
}

static void a_tick_answered_with_continue_disturbs_nothing(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    test_run("guest", "tick-and-return", &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    assert_true(process.tick_count > 0);
    test_noted(&process, 1, 1);
    process_fini(&process);
}

static void *tick_until_told(void *told)
{
    atomic_int *stop = told;
    while (!atomic_load(stop)) {
        engine_tick(test_engine());
    }
    return NULL;
}

static void ticks_from_another_thread_reach_a_loop(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    atomic_int stop = 0;
    pthread_t ticker;
    process_init(&process);
    process.ticks[0] = ENGINE_TICK_CONTINUE;
    process.ticks[1] = ENGINE_TICK_YIELD;
    process.ticks[2] = ENGINE_TICK_STOP;
    assert_int_equal(pthread_create(&ticker, NULL, tick_until_told, &stop), 0);

    test_run("guest", "spin-quietly", &process, &exit);

    atomic_store(&stop, 1);
    assert_int_equal(pthread_join(ticker, NULL), 0);
    assert_int_equal(exit.kind, ENGINE_EXIT_STOPPED);
    assert_int_equal(process.tick_count, 3);
    process_fini(&process);
}

static void an_infinite_start_function_can_be_stopped(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);
    process.ticks[0] = ENGINE_TICK_STOP;

    test_run("start", "return", &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_STOPPED);
    process_fini(&process);
}

/* ---- faults ---- */

static void a_panic_of_the_engine_costs_one_fiber(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);
    struct engine_image *image = test_load("guest");
    /* A number that no entry has is a mistake of the caller, which the engine meets with a panic. */
    struct engine_spawn_options options = {
        .process = &process, .entry = 1000, .memory_max_bytes = 1 << 20};

    test_finish(engine_fiber_create(image, &options), &process, &exit);
    assert_int_equal(exit.kind, ENGINE_EXIT_FAULT);
    assert_non_null(strstr(exit.text, "the engine failed: "));
    assert_non_null(strstr(exit.text, "index out of bounds"));

    /* What it held is not used again. */
    assert_int_equal(engine_usage(test_engine()).core_instances, 1);
    test_finish(test_spawn(image, "return", &process), &process, &exit);
    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    test_spoiled(1);
    process_fini(&process);
}

/* ---- cancelling ---- */

static void a_fiber_that_was_never_polled_can_be_cancelled(void **state)
{
    (void)state;
    struct process process;
    process_init(&process);
    struct engine_image *image = test_load("guest");

    engine_fiber_destroy(test_spawn(image, "return", &process));
    engine_fiber_destroy(NULL);

    engine_image_destroy(image);
    process_fini(&process);
}

/** One poll, which does not end it; then cancel. The tear-down finds the pool empty. */
static void cancel_after_one_poll(const char *guest, const char *entry,
                                  enum engine_tick_result tick)
{
    struct process process;
    struct engine_exit exit;
    process_init(&process);
    process.ticks[0] = tick;
    struct engine_image *image = test_load(guest);
    struct engine_fiber *fiber = test_spawn(image, entry, &process);

    assert_false(engine_fiber_poll(fiber, &exit));
    assert_true(engine_usage(test_engine()).core_instances + engine_usage(test_engine()).stacks >
                0);
    engine_fiber_destroy(fiber);

    assert_int_equal(engine_usage(test_engine()).core_instances, 0);
    assert_int_equal(engine_usage(test_engine()).memories, 0);
    assert_int_equal(engine_usage(test_engine()).stacks, 0);
    engine_image_destroy(image);
    process_fini(&process);
}

static void a_parked_fiber_can_be_cancelled(void **state)
{
    (void)state;
    cancel_after_one_poll("guest", "wait", ENGINE_TICK_CONTINUE);
}

static void a_fiber_parked_deep_in_its_stack_can_be_cancelled(void **state)
{
    (void)state;
    cancel_after_one_poll("guest", "wait-deep", ENGINE_TICK_CONTINUE);
}

static void a_fiber_that_yielded_can_be_cancelled(void **state)
{
    (void)state;
    cancel_after_one_poll("guest", "spin", ENGINE_TICK_YIELD);
}

static void a_fiber_in_its_start_function_can_be_cancelled(void **state)
{
    (void)state;
    cancel_after_one_poll("start", "return", ENGINE_TICK_YIELD);
}

static void *poll_elsewhere(void *fiber)
{
    struct engine_exit exit;
    return engine_fiber_poll(fiber, &exit) && exit.kind == ENGINE_EXIT_RETURNED ? fiber : NULL;
}

static void a_fiber_may_go_on_in_another_thread(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    pthread_t thread;
    void *finished = NULL;
    process_init(&process);
    struct engine_image *image = test_load("guest");
    struct engine_fiber *fiber = test_spawn(image, "wait-deep", &process);

    assert_false(engine_fiber_poll(fiber, &exit));
    assert_int_equal(pthread_create(&thread, NULL, poll_elsewhere, fiber), 0);
    assert_int_equal(pthread_join(thread, &finished), 0);

    assert_ptr_equal(finished, fiber);
    engine_fiber_destroy(fiber);
    engine_image_destroy(image);
    process_fini(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_function_runs_and_returns),
        ENGINE_TEST(every_instance_is_fresh),
        ENGINE_TEST(every_kind_of_trap_is_told_apart),
        ENGINE_TEST(a_backtrace_names_the_functions_innermost_first),
        ENGINE_TEST(growth_below_the_ceiling_succeeds),
        ENGINE_TEST(growth_past_the_guests_own_maximum_answers_minus_one),
        ENGINE_TEST(growth_past_the_ceiling_traps_and_says_what_was_asked),
        ENGINE_TEST(the_memories_of_a_module_share_the_ceiling),
        ENGINE_TEST(an_initial_memory_above_the_ceiling_is_refused_the_same_way),
        ENGINE_TEST(the_pools_reservation_is_a_ceiling_too),
        ENGINE_TEST(a_table_past_the_pools_elements_traps),
        ENGINE_TEST(initialize_runs_before_an_entry_but_not_before_start),
        ENGINE_TEST(a_full_pool_refuses_and_serves_again_after_an_end),
        ENGINE_TEST(at_a_tick_the_process_says_continue_yield_or_stop),
        ENGINE_TEST(a_tick_answered_with_continue_disturbs_nothing),
        ENGINE_TEST(ticks_from_another_thread_reach_a_loop),
        ENGINE_TEST(an_infinite_start_function_can_be_stopped),
        ENGINE_TEST(a_panic_of_the_engine_costs_one_fiber),
        ENGINE_TEST(a_fiber_that_was_never_polled_can_be_cancelled),
        ENGINE_TEST(a_parked_fiber_can_be_cancelled),
        ENGINE_TEST(a_fiber_parked_deep_in_its_stack_can_be_cancelled),
        ENGINE_TEST(a_fiber_that_yielded_can_be_cancelled),
        ENGINE_TEST(a_fiber_in_its_start_function_can_be_cancelled),
        ENGINE_TEST(a_fiber_may_go_on_in_another_thread),
    };
    return cmocka_run_group_tests_name("runs", tests, NULL, NULL);
}
