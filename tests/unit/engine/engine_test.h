/**
 * @file
 * What the tests of the engine share: an engine, guests from the build folder, and a process that
 * records what its guest and the engine did to it.
 */
#pragma once

#include "engine/engine.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above. */
#include <cmocka.h>

enum { NOTES_MAX = 16, OUTPUT_MAX = 1 << 20 };

/** What engine.h calls a process. */
struct process {
    uint64_t notes[NOTES_MAX]; /**< What the guest told `note`. */
    size_t note_count;
    struct bytes output[3]; /**< By descriptor. */
    bool refuse_output;
    enum engine_tick_result ticks[8]; /**< What the tick function will answer, in turn. */
    size_t tick_count;                /**< How often it was asked. */
    sem_t woken;
    _Atomic int references, wakes;
    uint32_t waits; /**< Tries of `wait` that parked. */
    uint64_t seen[ENGINE_CALL_ARGUMENTS + 1];
};

void process_init(struct process *process);
void process_fini(struct process *process);

/** The engine of the running test, small: 4 fibers, memories of up to 4 MiB. */
struct engine *test_engine(void);
extern const struct engine_options test_options;

/** cmocka's set-up and tear-down of each test: the engine, and the check that it is empty again. */
int test_setup(void **state);
int test_teardown(void **state);

/** So many instances of this test stay in the pool for ever, and their engine and image with them. */
void test_spoiled(uint64_t instances);

/** A guest of this folder ("guest" for guest.wat), into an empty buffer. */
void test_wasm(const char *name, struct bytes *ret);

/** Compile and load with the host functions of the tests, and WASI. Fails the test if it cannot. */
struct engine_image *test_load(const char *name);
struct engine_image *test_load_bytes(const uint8_t *wasm, size_t size_bytes);

/** The same where it must fail: its error. */
void test_load_fails(const char *name, bool wasi, struct err *err);

uint32_t test_entry(struct engine_image *image, const char *name);

/** A fiber of that entry with a ceiling of 1 MiB. */
struct engine_fiber *test_spawn(struct engine_image *image, const char *entry,
                                struct process *process);
struct engine_fiber *test_spawn_wasi(struct engine_image *image, const char *entry,
                                     struct process *process, const struct engine_wasi *wasi);

/** Poll until it ends, after each wake. Destroys the fiber. */
void test_finish(struct engine_fiber *fiber, struct process *process, struct engine_exit *ret);

/** Spawn and finish. */
void test_run(const char *guest, const char *entry, struct process *process,
              struct engine_exit *ret);

/** What the guest noted, in order. */
void test_noted(const struct process *process, size_t count, ...);

bool test_output(void *process, int fd, const uint8_t *data, size_t size_bytes);

#define ENGINE_TEST(name) cmocka_unit_test_setup_teardown(name, test_setup, test_teardown)
