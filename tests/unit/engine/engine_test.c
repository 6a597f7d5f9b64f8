#include "engine_test.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WASM_MAX = 1 << 20, MEMORY_CEILING = 1 << 20 };

const struct engine_options test_options = {
    .fibers = 4,
    .core_instances = 8,
    .component_instances = 4,
    .memories = 8,
    .tables = 8,
    .memory_reservation_bytes = 4 << 20,
    .memory_keep_bytes = 64 << 10,
    .table_keep_bytes = 8 << 10,
    .table_elements = 10000,
    .stack_bytes = 128 << 10,
    .spares = 2,
};

static struct engine *engine;
static uint64_t spoiled;
static struct engine *volatile spoiled_engine; /* Reachable, so that it counts as no leak. */

/* ---- processes ---- */

void process_init(struct process *process)
{
    *process = (struct process){.tick_count = 0};
    assert_int_equal(sem_init(&process->woken, 0, 0), 0);
}

void process_fini(struct process *process)
{
    while (atomic_load(&process->references) != 0) {
        (void)sched_yield(); /* A waker in another thread lets go right after its wake. */
    }
    for (size_t i = 0; i < ARRAY_LENGTH(process->output); i++) {
        bytes_fini(&process->output[i]);
    }
    (void)sem_destroy(&process->woken);
}

static enum engine_tick_result process_tick(void *context)
{
    struct process *process = context;
    size_t last = ARRAY_LENGTH(process->ticks) - 1;
    size_t now = process->tick_count < last ? process->tick_count : last;
    process->tick_count++;
    return process->ticks[now];
}

static void process_retain(void *context)
{
    struct process *process = context;
    atomic_fetch_add(&process->references, 1);
}

static void process_wake(void *context)
{
    struct process *process = context;
    atomic_fetch_add(&process->wakes, 1);
    (void)sem_post(&process->woken);
}

static void process_release(void *context)
{
    struct process *process = context;
    atomic_fetch_sub(&process->references, 1);
}

static const struct engine_process_functions process_functions = {process_tick, process_retain,
                                                                  process_wake, process_release};

bool test_output(void *context, int fd, const uint8_t *data, size_t size_bytes)
{
    struct process *process = context;
    return !process->refuse_output && bytes_append(&process->output[fd], data, size_bytes);
}

/* ---- host functions ---- */

static enum engine_call_result host_note(struct engine_call *call)
{
    struct process *process = call->process;
    if (process->note_count < NOTES_MAX) {
        process->notes[process->note_count++] = call->arguments[0];
    }
    return ENGINE_CALL_DONE;
}

/** Keeps its arguments; answers a number that needs 64 bits. */
static enum engine_call_result host_mix(struct engine_call *call)
{
    struct process *process = call->process;
    memcpy(process->seen, call->arguments, sizeof(call->arguments));
    call->result = UINT64_C(0x123456789abcdef0);
    return ENGINE_CALL_DONE;
}

static enum engine_call_result host_negate(struct engine_call *call)
{
    call->result = -call->arguments[0];
    return ENGINE_CALL_DONE;
}

/** Write a byte into the guest's memory; answers how many pages there are. */
static enum engine_call_result host_write(struct engine_call *call)
{
    if (call->memory == NULL) {
        call->result = call->memory_bytes + 1000;
        return ENGINE_CALL_DONE;
    }
    if (call->arguments[0] >= call->memory_bytes) {
        return ENGINE_CALL_TRAP;
    }
    call->memory[call->arguments[0]] = (uint8_t)call->arguments[1];
    call->result = call->memory_bytes >> 16;
    return ENGINE_CALL_DONE;
}

static enum engine_call_result host_refuse(struct engine_call *call)
{
    (void)snprintf(call->text, sizeof(call->text), "denied: allow-flying");
    return ENGINE_CALL_TRAP;
}

static enum engine_call_result host_leave(struct engine_call *call)
{
    struct process *process = call->process;
    process->seen[0] = call->arguments[0];
    return ENGINE_CALL_LEAVE;
}

/** Park as often as the argument says; answers how often it did, which it knows by its state only. */
static enum engine_call_result host_wait(struct engine_call *call)
{
    struct process *process = call->process;
    if (call->state == call->arguments[0]) {
        call->result = call->state;
        return ENGINE_CALL_DONE;
    }
    call->state++;
    process->waits++;
    return ENGINE_CALL_PARK;
}

static enum engine_call_result host_tick(struct engine_call *call)
{
    (void)call;
    engine_tick(engine);
    return ENGINE_CALL_DONE;
}

static const struct engine_import imports[] = {
    {"host", "note", "I:", false, host_note},      {"host", "mix", "iIi:I", false, host_mix},
    {"host", "negate", "i:i", false, host_negate}, {"host", "write", "ii:i", false, host_write},
    {"host", "leave", "i:", false, host_leave},    {"host", "refuse", ":", false, host_refuse},
    {"host", "wait", "i:i", true, host_wait},      {"host", "tick", ":", false, host_tick},
};

/* ---- engine ---- */

struct engine *test_engine(void)
{
    return engine;
}

/** Traps arrive as signals, and cmocka puts handlers of its own around each test: put back what the
 *  first engine of this program installed. */
static void take_signals(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    static struct sigaction actions[ARRAY_LENGTH(signals)];
    static bool known;
    for (size_t i = 0; i < ARRAY_LENGTH(signals); i++) {
        int failed = known ? sigaction(signals[i], &actions[i], NULL)
                           : sigaction(signals[i], NULL, &actions[i]);
        assert_int_equal(failed, 0);
    }
    known = true;
}

int test_setup(void **state)
{
    (void)state;
    struct err err;
    engine_set_process_functions(&process_functions);
    engine = engine_create(&test_options, &err);
    take_signals();
    return engine != NULL ? 0 : -1;
}

int test_teardown(void **state)
{
    (void)state;
    struct engine_usage usage = engine_usage(engine);
    bool empty = usage.component_instances == 0 && usage.core_instances == spoiled &&
                 (spoiled > 0 || usage.memories + usage.tables + usage.stacks == 0);
    if (spoiled > 0) {
        spoiled_engine = engine;
    } else {
        engine_destroy(engine);
    }
    engine = NULL;
    spoiled = 0;
    if (!empty) {
        print_error("the pool is not empty after the test\n");
    }
    return empty ? 0 : -1;
}

void test_spoiled(uint64_t instances)
{
    spoiled = instances;
}

/* ---- guests ---- */

void test_wasm(const char *name, struct bytes *ret)
{
    char path[4096];
    struct err err;
    const char *folder = getenv("MOTE_TEST_GUESTS");
    assert_non_null(folder);
    (void)snprintf(path, sizeof(path), "%s/%s.wasm", folder, name);
    if (!bytes_read_file(ret, path, WASM_MAX, &err)) {
        fail_msg("%s", err.text);
    }
}

static struct engine_image *load(const uint8_t *wasm, size_t size_bytes, bool wasi, struct err *err)
{
    AUTO(bytes_finip) struct bytes artefact = {0};
    struct engine_inspection inspection;
    struct engine_link link = {imports, ARRAY_LENGTH(imports), wasi};
    take_signals();
    if (!engine_inspect(wasm, size_bytes, &inspection, err) ||
        !engine_compile(engine, wasm, size_bytes, &artefact, err)) {
        return NULL;
    }
    return engine_load(engine, inspection.kind, NULL, &artefact, &link, err);
}

struct engine_image *test_load_bytes(const uint8_t *wasm, size_t size_bytes)
{
    struct err err;
    struct engine_image *image = load(wasm, size_bytes, true, &err);
    if (image == NULL) {
        fail_msg("%s", err.text);
    }
    return image;
}

struct engine_image *test_load(const char *name)
{
    AUTO(bytes_finip) struct bytes wasm = {0};
    test_wasm(name, &wasm);
    return test_load_bytes(wasm.data, wasm.size);
}

void test_load_fails(const char *name, bool wasi, struct err *err)
{
    AUTO(bytes_finip) struct bytes wasm = {0};
    test_wasm(name, &wasm);
    assert_null(load(wasm.data, wasm.size, wasi, err));
}

uint32_t test_entry(struct engine_image *image, const char *name)
{
    uint32_t entry = 0;
    struct err err;
    if (!engine_image_entry(image, name, &entry, &err)) {
        fail_msg("%s", err.text);
    }
    return entry;
}

/* ---- fibers ---- */

struct engine_fiber *test_spawn_wasi(struct engine_image *image, const char *entry,
                                     struct process *process, const struct engine_wasi *wasi)
{
    struct engine_spawn_options options = {.process = process,
                                           .entry = test_entry(image, entry),
                                           .memory_max_bytes = MEMORY_CEILING,
                                           .wasi = wasi};
    struct engine_fiber *fiber = engine_fiber_create(image, &options);
    assert_non_null(fiber);
    return fiber;
}

struct engine_fiber *test_spawn(struct engine_image *image, const char *entry,
                                struct process *process)
{
    return test_spawn_wasi(image, entry, process, NULL);
}

void test_finish(struct engine_fiber *fiber, struct process *process, struct engine_exit *ret)
{
    while (!engine_fiber_poll(fiber, ret)) {
        while (sem_wait(&process->woken) != 0) {
        }
    }
    engine_fiber_destroy(fiber);
}

void test_run(const char *guest, const char *entry, struct process *process,
              struct engine_exit *ret)
{
    struct engine_image *image = test_load(guest);
    test_finish(test_spawn(image, entry, process), process, ret);
    engine_image_destroy(image);
}

void test_noted(const struct process *process, size_t count, ...)
{
    va_list list;
    va_start(list, count);
    assert_int_equal(process->note_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(process->notes[i], va_arg(list, int));
    }
    va_end(list);
}
