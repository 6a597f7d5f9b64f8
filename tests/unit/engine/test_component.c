/* Components: wasi:cli commands and plain exports. */
#include "engine_test.h"

#include "components.inc"

#include <stdlib.h>
#include <string.h>

static void run(const uint8_t *wasm, size_t size_bytes, const char *entry, struct process *process,
                struct engine_exit *ret)
{
    struct engine_wasi wasi = {.output = test_output};
    struct engine_image *image = test_load_bytes(wasm, size_bytes);
    test_finish(test_spawn_wasi(image, entry, process, &wasi), process, ret);
    engine_image_destroy(image);
}

static void a_command_component_runs_and_returns(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    run(component_run, sizeof(component_run), "wasi:cli/run", &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    process_fini(&process);
}

static void a_command_that_answers_err_has_status_1(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    run(component_fail, sizeof(component_fail), "wasi:cli/run", &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_STATUS);
    assert_int_equal(exit.status, 1);
    process_fini(&process);
}

static void a_command_prints_waits_and_exits_by_wasi(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    run(component_print, sizeof(component_print), "wasi:cli/run", &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_STATUS);
    assert_int_equal(exit.status, 1);
    assert_int_equal(process.output[1].size, 23);
    assert_memory_equal(process.output[1].data, "hello from a component\n", 23);
    assert_true(atomic_load(&process.wakes) > 0);
    process_fini(&process);
}

static void a_component_that_waits_can_be_cancelled(void **state)
{
    (void)state;
    struct engine_wasi wasi = {.output = test_output};
    struct process process;
    struct engine_exit exit;
    process_init(&process);
    struct engine_image *image = test_load_bytes(component_print, sizeof(component_print));
    struct engine_fiber *fiber = test_spawn_wasi(image, "wasi:cli/run", &process, &wasi);

    assert_false(engine_fiber_poll(fiber, &exit));
    assert_true(engine_usage(test_engine()).component_instances > 0);
    engine_fiber_destroy(fiber);

    engine_image_destroy(image);
    process_fini(&process);
}

static void plain_exports_of_a_component_are_entries(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    run(component_plain, sizeof(component_plain), "show", &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    process_fini(&process);
}

static void a_trap_in_a_component_has_a_backtrace(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);

    run(component_plain, sizeof(component_plain), "crash", &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_TRAP);
    assert_int_equal(exit.trap, ENGINE_TRAP_UNREACHABLE);
    assert_non_null(strstr(exit.backtrace, "crashing"));
    engine_exit_fini(&exit);
    process_fini(&process);
}

static void an_export_with_results_is_no_entry(void **state)
{
    (void)state;
    struct engine_image *image = test_load_bytes(component_plain, sizeof(component_plain));
    uint32_t entry = 0;
    struct err err;

    assert_false(engine_image_entry(image, "count", &entry, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_false(engine_image_entry(image, "wasi:cli/run", &entry, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_string_equal(err.text, "no export wasi:cli/run; it exports crash, show");
    engine_image_destroy(image);
}

static void the_memories_of_a_component_share_the_ceiling(void **state)
{
    (void)state;
    struct process process;
    struct engine_exit exit;
    process_init(&process);
    struct engine_image *image = test_load_bytes(component_fail, sizeof(component_fail));
    struct engine_spawn_options options = {.process = &process,
                                           .entry = test_entry(image, "wasi:cli/run"),
                                           .memory_max_bytes = 3 << 16};

    /* One of three pages, one of one: each would fit. */
    test_finish(engine_fiber_create(image, &options), &process, &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_MEMORY);
    assert_int_equal(exit.asked_bytes, 4 << 16);
    assert_int_equal(exit.ceiling_bytes, 3 << 16);
    engine_exit_fini(&exit);
    engine_image_destroy(image);
    process_fini(&process);
}

static void compile_and_load(const uint8_t *wasm, size_t size_bytes, bool wasi, struct err *err)
{
    AUTO(bytes_finip) struct bytes artefact = {0};
    struct engine_link link = {.wasi = wasi};
    assert_true(engine_compile(test_engine(), wasm, size_bytes, &artefact, err));
    assert_null(engine_load(test_engine(), ENGINE_COMPONENT, NULL, &artefact, &link, err));
}

static void a_component_for_a_later_wasi_is_refused_by_name(void **state)
{
    (void)state;
    struct err err;

    compile_and_load(component_later, sizeof(component_later), true, &err);

    assert_int_equal(err.code, ERR_INPUT);
    assert_string_equal(err.text, "imports wasi:cli/environment@0.3.0: WASI 0.3 is not offered, "
                                  "only 0.2");
}

static void a_component_does_not_get_wasi_that_is_not_offered(void **state)
{
    (void)state;
    struct err err;

    compile_and_load(component_print, sizeof(component_print), false, &err);

    assert_int_equal(err.code, ERR_INPUT);
    assert_non_null(strstr(err.text, "but WASI is not offered here"));
}

static void a_component_of_more_instances_than_the_pool_has_is_refused(void **state)
{
    (void)state;
    AUTO(bytes_finip) struct bytes artefact = {0};
    struct engine_options options = test_options;
    struct engine_link link = {.wasi = false};
    struct err err;
    options.core_instances = 2;
    struct engine *small = engine_create(&options, &err);
    assert_non_null(small);
    assert_true(engine_compile(small, component_fail, sizeof(component_fail), &artefact, &err));

    assert_null(engine_load(small, ENGINE_COMPONENT, NULL, &artefact, &link, &err));

    assert_int_equal(err.code, ERR_LIMIT);
    assert_non_null(strstr(err.text, "instance"));
    engine_destroy(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_command_component_runs_and_returns),
        ENGINE_TEST(a_command_that_answers_err_has_status_1),
        ENGINE_TEST(a_command_prints_waits_and_exits_by_wasi),
        ENGINE_TEST(a_component_that_waits_can_be_cancelled),
        ENGINE_TEST(plain_exports_of_a_component_are_entries),
        ENGINE_TEST(a_trap_in_a_component_has_a_backtrace),
        ENGINE_TEST(an_export_with_results_is_no_entry),
        ENGINE_TEST(the_memories_of_a_component_share_the_ceiling),
        ENGINE_TEST(a_component_for_a_later_wasi_is_refused_by_name),
        ENGINE_TEST(a_component_does_not_get_wasi_that_is_not_offered),
        ENGINE_TEST(a_component_of_more_instances_than_the_pool_has_is_refused),
    };
    return cmocka_run_group_tests_name("components", tests, NULL, NULL);
}
