/* The engine's double keeps the promises that its users rely on. */
#include "engine/engine.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above. */
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

struct process {
    uint64_t notes[8];
    size_t note_count;
    enum engine_tick_result tick;
    struct bytes output;
    sem_t woken;
    _Atomic int references;
};

static enum engine_tick_result process_tick(void *process)
{
    return ((struct process *)process)->tick;
}

static void process_retain(void *process)
{
    atomic_fetch_add(&((struct process *)process)->references, 1);
}

static void process_wake(void *process)
{
    (void)sem_post(&((struct process *)process)->woken);
}

static void process_release(void *process)
{
    atomic_fetch_sub(&((struct process *)process)->references, 1);
}

static bool output(void *process, int fd, const uint8_t *data, size_t size_bytes)
{
    return fd == 1 && bytes_append(&((struct process *)process)->output, data, size_bytes);
}

static enum engine_call_result host_note(struct engine_call *call)
{
    struct process *process = call->process;
    process->notes[process->note_count++] = call->arguments[0];
    call->result = process->note_count < 3;
    return ENGINE_CALL_DONE;
}

static enum engine_call_result host_wait(struct engine_call *call)
{
    call->result = 7;
    return call->state++ < call->arguments[0] ? ENGINE_CALL_PARK : ENGINE_CALL_DONE;
}

static enum engine_call_result host_byte(struct engine_call *call)
{
    call->result = call->arguments[0] < call->memory_bytes ? call->memory[call->arguments[0]] : 0;
    return ENGINE_CALL_DONE;
}

static enum engine_call_result host_refuse(struct engine_call *call)
{
    memcpy(call->text, "denied", 7);
    return ENGINE_CALL_TRAP;
}

static enum engine_call_result host_leave(struct engine_call *call)
{
    (void)call;
    return ENGINE_CALL_LEAVE;
}

static const struct engine_import imports[] = {
    {"host", "note", "I:i", false, host_note}, {"host", "wait", "I:i", true, host_wait},
    {"host", "byte", "I:i", false, host_byte}, {"host", "refuse", ":", false, host_refuse},
    {"host", "leave", ":", false, host_leave},
};

static struct engine *engine;
static struct process process;

static int setup(void **state)
{
    (void)state;
    struct engine_options options = {.fibers = 2};
    struct engine_process_functions functions = {process_tick, process_retain, process_wake,
                                                 process_release};
    struct err err;
    engine_set_process_functions(&functions);
    engine = engine_create(&options, &err);
    process = (struct process){.note_count = 0};
    return engine != NULL && sem_init(&process.woken, 0, 0) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    bool empty = engine_usage(engine).stacks == 0 && engine_usage(engine).memories == 0;
    engine_destroy(engine);
    bytes_fini(&process.output);
    (void)sem_destroy(&process.woken);
    return empty ? 0 : -1;
}

static struct engine_image *load(const char *script, struct err *err)
{
    AUTO(bytes_finip) struct bytes artefact = {0};
    struct engine_link link = {imports, ARRAY_LENGTH(imports), true};
    const uint8_t *text = (const uint8_t *)script;
    if (!engine_compile(engine, text, strlen(script), &artefact, err)) {
        return NULL;
    }
    return engine_load(engine, ENGINE_MODULE, NULL, &artefact, &link, err);
}

static struct engine_fiber *spawn(struct engine_image *image, const char *entry)
{
    static const struct engine_wasi wasi = {.output = output};
    struct engine_spawn_options options = {
        .process = &process, .memory_max_bytes = 1000, .wasi = &wasi};
    struct err err;
    assert_true(engine_image_entry(image, entry, &options.entry, &err));
    return engine_fiber_create(image, &options);
}

/** Run the entry `main` of a script to its end, however often it waits. */
static void run(const char *script, struct engine_exit *ret)
{
    struct err err;
    struct engine_image *image = load(script, &err);
    assert_non_null(image);
    struct engine_fiber *fiber = spawn(image, "main");
    while (!engine_fiber_poll(fiber, ret)) {
    }
    engine_fiber_destroy(fiber);
    engine_image_destroy(image);
}

static void a_script_runs_its_entry_only(void **state)
{
    (void)state;
    struct engine_exit exit;

    run("mote-fake\nentry other\ncall host::note 9\nentry main\n  call host::note 5\n", &exit);
    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    assert_int_equal(process.note_count, 1);
    assert_int_equal(process.notes[0], 5);
}

static void loops_and_results_work(void **state)
{
    (void)state;
    struct engine_exit exit;

    run("mote-fake\nmemory 100\nentry main\ndata 3 hi\nlabel again\ncall host::byte 4\n"
        "call host::note $\njump-if again\nprint bye bye\nexit 3\n",
        &exit);

    assert_int_equal(exit.kind, ENGINE_EXIT_STATUS);
    assert_int_equal(exit.status, 3);
    assert_int_equal(process.note_count, 3);
    assert_int_equal(process.notes[0], 'i');
    assert_int_equal(process.output.size, 7);
}

static void ends_are_told_apart(void **state)
{
    (void)state;
    struct engine_exit exit;

    run("mote-fake\nentry main\ntrap\n", &exit);
    assert_int_equal(exit.kind, ENGINE_EXIT_TRAP);
    assert_non_null(exit.backtrace);
    engine_exit_fini(&exit);
    run("mote-fake\nmemory 10\nentry main\ngrow 999\ngrow 1001\n", &exit);
    assert_int_equal(exit.kind, ENGINE_EXIT_MEMORY);
    assert_int_equal(exit.asked_bytes, 1001);
    run("mote-fake\nmemory 1001\nentry main\n", &exit);
    assert_int_equal(exit.kind, ENGINE_EXIT_MEMORY);
    run("mote-fake\nentry main\ncall host::refuse\n", &exit);
    assert_int_equal(exit.kind, ENGINE_EXIT_HOST);
    assert_string_equal(exit.text, "denied");
    run("mote-fake\nentry main\ncall host::leave\ntrap\n", &exit);
    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    process.tick = ENGINE_TICK_STOP;
    engine_tick(engine);
    run("mote-fake\nentry main\nreturn\n", &exit);
    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
}

static void a_parked_call_is_tried_again_with_its_state(void **state)
{
    (void)state;
    struct engine_exit exit;
    struct err err;
    struct engine_image *image = load("mote-fake\nentry main\ncall host::wait 2\n", &err);
    struct engine_fiber *fiber = spawn(image, "main");

    assert_false(engine_fiber_poll(fiber, &exit));
    assert_int_equal(engine_usage(engine).stacks, 1);
    assert_false(engine_fiber_poll(fiber, &exit));
    assert_true(engine_fiber_poll(fiber, &exit));

    assert_int_equal(exit.kind, ENGINE_EXIT_RETURNED);
    engine_fiber_destroy(fiber);
    engine_image_destroy(image);
}

static void spinning_yields_and_stops_at_ticks(void **state)
{
    (void)state;
    struct engine_exit exit;
    struct err err;
    struct engine_image *image = load("mote-fake\nentry main\ncall host::wait 1\nspin\n", &err);
    struct engine_fiber *fiber = spawn(image, "main");
    assert_false(engine_fiber_poll(fiber, &exit));

    process.tick = ENGINE_TICK_YIELD;
    engine_tick(engine);
    assert_false(engine_fiber_poll(fiber, &exit));
    assert_int_equal(sem_trywait(&process.woken), 0);
    process.tick = ENGINE_TICK_STOP;
    engine_tick(engine);
    assert_true(engine_fiber_poll(fiber, &exit));

    assert_int_equal(exit.kind, ENGINE_EXIT_STOPPED);
    engine_fiber_destroy(fiber);
    engine_image_destroy(image);
}

static void a_nap_is_ended_by_another_thread(void **state)
{
    (void)state;
    struct engine_exit exit;
    struct err err;
    struct engine_image *image = load("mote-fake\nentry main\nnap\n", &err);
    struct engine_fiber *fiber = spawn(image, "main");

    assert_false(engine_fiber_poll(fiber, &exit));
    while (sem_wait(&process.woken) != 0) {
    }
    assert_true(engine_fiber_poll(fiber, &exit));

    while (atomic_load(&process.references) != 0) {
        /* The thread lets go right after the wake. */
    }
    engine_fiber_destroy(fiber);
    engine_image_destroy(image);
}

static void a_full_pool_refuses(void **state)
{
    (void)state;
    struct engine_exit exit;
    struct err err;
    struct engine_fiber *fibers[3];
    struct engine_image *image = load("mote-fake\nentry main\ncall host::wait 9\n", &err);
    for (size_t i = 0; i < ARRAY_LENGTH(fibers); i++) {
        fibers[i] = spawn(image, "main");
        assert_int_equal(engine_fiber_poll(fibers[i], &exit), i == 2);
    }
    assert_int_equal(exit.kind, ENGINE_EXIT_FULL);
    for (size_t i = 0; i < ARRAY_LENGTH(fibers); i++) {
        engine_fiber_destroy(fibers[i]);
    }
    engine_image_destroy(image);
}

static void mistakes_in_scripts_are_errors(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        "",
        "hello",
        "mote-fake\nfly\n",
        "mote-fake\nentry main\ncall host::fly\n",
        "mote-fake\nentry main\njump nowhere\n",
        "mote-fake\nmemory many\n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(scripts); i++) {
        struct err err = {0};

        assert_null(load(scripts[i], &err));
        assert_int_equal(err.code, ERR_INPUT);
    }
}

#define FAKE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(a_script_runs_its_entry_only),
        FAKE_TEST(loops_and_results_work),
        FAKE_TEST(ends_are_told_apart),
        FAKE_TEST(a_parked_call_is_tried_again_with_its_state),
        FAKE_TEST(spinning_yields_and_stops_at_ticks),
        FAKE_TEST(a_nap_is_ended_by_another_thread),
        FAKE_TEST(a_full_pool_refuses),
        FAKE_TEST(mistakes_in_scripts_are_errors),
    };
    return cmocka_run_group_tests_name("the fake engine", tests, NULL, NULL);
}
