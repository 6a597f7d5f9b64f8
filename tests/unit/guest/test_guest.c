/* Real Wasm guests in a real node: every way to end, what they may call, and that nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "core/node.h"
#include "guest/abi.h"
#include "guest/guest.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const granted[] = {"COLOUR=blue", NULL};
static const struct grant grant = {.name = "test",
                                   .memory_max_bytes = 1 << 20,
                                   .cpu_max_ns = 50 * 1000000,
                                   .mailbox = {.messages = 10, .bytes = 1000},
                                   .log_lines_per_s = 10,
                                   .environment = granted};

/* One node with one component, made anew for each test. */
struct fixture {
    struct component *component;
    struct pool *pool;
    struct node *node;
};

static struct component *open_component(const char *file, uint32_t max_processes, struct err *err)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", getenv("WASM_FOLDER"), file);
    struct component_options options = {
        .name = "guest", .path = path, .grant = &grant, .max_processes = max_processes};
    return component_open(&options, err);
}

static void start(struct fixture *fixture, const char *file, uint32_t pool_processes,
                  uint32_t max_processes)
{
    struct err err = {0};
    guest_start();
    fixture->component = open_component(file, max_processes, &err);
    assert_non_null(fixture->component);
    struct capacity_need needs[POOL_CLASSES] = {0};
    component_add_need(fixture->component, needs);
    struct pool_options pool = {.workers = 2, .needs = needs, .max_processes = pool_processes};
    fixture->pool = pool_create(&pool, &err);
    assert_non_null(fixture->pool);
    size_t count = 0;
    const struct engine_import *imports = abi_imports(&count);
    assert_true(component_prepare(fixture->component, fixture->pool, NULL, imports, count, &err));
    struct node_options options = {.workers = 2,
                                   .tick_ns = 1000000,
                                   .env = env_system(),
                                   .on_tick = pool_tick,
                                   .tick_argument = fixture->pool};
    fixture->node = node_create(&options, &err);
    assert_non_null(fixture->node);
    assert_true(node_start(fixture->node, &err));
}

/* Ends the node and checks that the engines got everything back. */
static void finish(struct fixture *fixture)
{
    node_stop(fixture->node);
    struct engine_usage usage = pool_usage(fixture->pool);
    assert_int_equal(usage.core_instances, 0);
    assert_int_equal(usage.memories, 0);
    assert_int_equal(usage.stacks, 0);
    assert_int_equal(pool_in_use(fixture->pool), 0);
    assert_int_equal(component_processes(fixture->component), 0);
    assert_int_equal(node_counts(fixture->node).processes, 0);
    assert_int_equal(node_counts(fixture->node).timers, 0);
    node_destroy(fixture->node);
    component_destroy(fixture->component);
    pool_destroy(fixture->pool);
}

/* How a spawned guest ended. */
struct ending {
    sem_t done;
    enum exit_class exit_class;
    char reason[EXIT_REASON_BYTES];
    bool named; /* the backtrace names the function */
};

static void note_ending(struct guest *guest, void *context, const struct exit *exit)
{
    (void)guest;
    struct ending *ending = context;
    ending->exit_class = exit->exit_class;
    snprintf(ending->reason, sizeof ending->reason, "%s", exit->reason);
    ending->named = exit->backtrace != NULL && strstr(exit->backtrace, "#0") != NULL;
    sem_post(&ending->done);
}

static const struct guest_role role = {.kind = "test", .exited = note_ending};

static struct process *spawn(struct fixture *fixture, const char *entry, uint64_t deadline_ns,
                             struct ending *ending)
{
    *ending = (struct ending){0};
    sem_init(&ending->done, 0, 0);
    struct err err = {0};
    uint32_t number = 0;
    assert_true(component_entry(fixture->component, entry, &number, &err));
    struct guest_options options = {
        .entry = number, .role = &role, .context = ending, .deadline_ns = deadline_ns};
    struct process *process = NULL;
    assert_true(guest_spawn(fixture->node, fixture->component, &options, NULL, &process, &err));
    return process;
}

static void wait_for(struct ending *ending)
{
    while (sem_wait(&ending->done) != 0) {
    }
    sem_destroy(&ending->done);
}

static struct ending run(struct fixture *fixture, const char *entry, uint64_t deadline_ns)
{
    struct ending ending;
    process_release(spawn(fixture, entry, deadline_ns, &ending));
    wait_for(&ending);
    return ending;
}

static void every_end_has_its_class_and_reason(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "guest.wasm", 32, 0);
    struct ending ending = run(&fixture, "nothing", 0);
    assert_int_equal(ending.exit_class, EXIT_NORMAL);

    ending = run(&fixture, "trap", 0);
    assert_int_equal(ending.exit_class, EXIT_CRASHED);
    assert_non_null(strstr(ending.reason, "unreachable"));
    assert_true(ending.named);

    ending = run(&fixture, "grow", 0);
    assert_int_equal(ending.exit_class, EXIT_CRASHED_MEMORY);
    assert_non_null(strstr(ending.reason, "1024 KiB"));

    ending = run(&fixture, "spin", 0);
    assert_int_equal(ending.exit_class, EXIT_CRASHED_CPU);
    assert_non_null(strstr(ending.reason, "50 ms"));

    ending = run(&fixture, "sleep_for_ever", 5 * 1000000);
    assert_int_equal(ending.exit_class, EXIT_CRASHED_TIMEOUT);

    ending = run(&fixture, "sleep_a_little", 0);
    assert_int_equal(ending.exit_class, EXIT_NORMAL);
    finish(&fixture);
}

static void host_functions_answer_or_trap_but_never_reach_outside_the_memory(void **state)
{
    (void)state;
    static const struct {
        const char *entry;
        enum exit_class exit_class;
    } rows[] = {
        {"self", EXIT_NORMAL},
        {"random", EXIT_NORMAL},
        {"env", EXIT_NORMAL},
        {"env_denied", EXIT_NORMAL},
        {"env_no_name", EXIT_NORMAL},
        {"log_bad_level", EXIT_NORMAL},
        {"sleep_too_long", EXIT_NORMAL},
        {"random_outside", EXIT_CRASHED},
        {"random_wraps", EXIT_CRASHED},
        {"log_outside", EXIT_CRASHED},
    };
    struct fixture fixture;
    start(&fixture, "guest.wasm", 32, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct ending ending = run(&fixture, rows[i].entry, 0);
        if (ending.exit_class != rows[i].exit_class) {
            fail_msg("%s: %s (%s)", rows[i].entry, exit_class_name(ending.exit_class),
                     ending.reason);
        }
        if (rows[i].exit_class == EXIT_CRASHED) {
            assert_non_null(strstr(ending.reason, "outside the memory of 131072 bytes"));
        }
    }
    finish(&fixture);
}

static void a_kill_ends_a_guest_that_sleeps_or_spins(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "guest.wasm", 32, 0);
    const char *const entries[] = {"sleep_for_ever", "spin"};
    for (size_t i = 0; i < ARRAY_LENGTH(entries); i++) {
        struct ending ending;
        struct process *process = spawn(&fixture, entries[i], 0, &ending);
        assert_true(process_kill(fixture.node, process->pid, "the test"));
        wait_for(&ending);
        assert_int_equal(ending.exit_class, EXIT_KILLED);
        assert_non_null(strstr(ending.reason, "the test"));
        process_release(process);
    }
    finish(&fixture);
}

static void stopping_the_node_ends_what_still_sleeps(void **state)
{
    (void)state;
    enum { SLEEPERS = 16 };
    struct fixture fixture;
    start(&fixture, "guest.wasm", 32, 0);
    struct ending endings[SLEEPERS];
    for (size_t i = 0; i < SLEEPERS; i++) {
        process_release(spawn(&fixture, "sleep_for_ever", 0, &endings[i]));
    }
    assert_int_equal(component_processes(fixture.component), SLEEPERS);
    finish(&fixture);
    for (size_t i = 0; i < SLEEPERS; i++) {
        wait_for(&endings[i]);
        assert_int_equal(endings[i].exit_class, EXIT_KILLED);
    }
}

/* Fills up, counts what was let in, and sees room again after one has ended. */
static void check_full(struct fixture *fixture, unsigned expected, const char *words)
{
    enum { MOST = 200 };
    struct ending *endings = calloc(MOST, sizeof *endings);
    struct process *first = NULL;
    unsigned started = 0;
    struct err err = {0};
    uint32_t entry = 0;
    assert_true(component_entry(fixture->component, "sleep_for_ever", &entry, &err));
    while (started < MOST) {
        sem_init(&endings[started].done, 0, 0);
        struct guest_options options = {
            .entry = entry, .role = &role, .context = &endings[started]};
        struct process *process = NULL;
        if (!guest_spawn(fixture->node, fixture->component, &options, NULL, &process, &err)) {
            break;
        }
        if (first == NULL) {
            first = process;
        } else {
            process_release(process);
        }
        started++;
    }
    assert_int_equal(started, expected);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_non_null(strstr(err.text, words));

    process_stop(first, STOP_KILL, "room");
    process_release(first);
    wait_for(&endings[0]);
    assert_int_equal(run(fixture, "nothing", 0).exit_class, EXIT_NORMAL);
    finish(fixture);
    free(endings);
}

static void a_full_pool_refuses_and_takes_again(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "guest.wasm", 20, 0);
    check_full(&fixture, 40, "pool"); /* two engines of 20 */
}

static void a_component_has_a_limit_of_its_own(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "guest.wasm", 20, 7);
    check_full(&fixture, 7, "max-processes of 7");
}

static void a_large_memory_goes_to_the_other_class_and_runs(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "large.wasm", 16, 0);
    assert_null(pool_engine(fixture.pool, 0, POOL_SMALL));
    assert_non_null(pool_engine(fixture.pool, 0, POOL_LARGE));
    assert_int_equal(run(&fixture, "nothing", 0).exit_class, EXIT_NORMAL);
    finish(&fixture);
}

static void a_missing_entry_and_a_wrong_type_say_what_there_is(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "guest.wasm", 16, 0);
    uint32_t entry = 0;
    struct err err = {0};
    assert_false(component_entry(fixture.component, "absent", &entry, &err));
    assert_non_null(strstr(err.text, "absent"));
    assert_non_null(strstr(err.text, "nothing"));
    assert_false(component_entry(fixture.component, "wrong_type", &entry, &err));
    assert_non_null(strstr(err.text, "wrong_type"));
    finish(&fixture);
}

static void an_unknown_import_is_named_with_its_file(void **state)
{
    (void)state;
    struct err err = {0};
    guest_start();
    struct component *component = open_component("stranger.wasm", 0, &err);
    assert_non_null(component);
    struct capacity_need needs[POOL_CLASSES] = {0};
    component_add_need(component, needs);
    struct pool_options options = {.workers = 1, .needs = needs, .max_processes = 16};
    struct pool *pool = pool_create(&options, &err);
    assert_non_null(pool);
    size_t count = 0;
    const struct engine_import *imports = abi_imports(&count);
    assert_false(component_prepare(component, pool, NULL, imports, count, &err));
    assert_non_null(strstr(err.text, "stranger.wasm"));
    assert_non_null(strstr(err.text, "moat::dig"));
    component_destroy(component);
    pool_destroy(pool);
}

static void a_file_that_is_not_there_or_not_wasm_is_an_error_with_its_name(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(open_component("absent.wasm", 0, &err));
    assert_non_null(strstr(err.text, "absent.wasm"));
    struct component_options options = {.name = "text", .path = __FILE__, .grant = &grant};
    assert_null(component_open(&options, &err));
    assert_non_null(strstr(err.text, "test_guest.c"));
}

/* (module (table 0 funcref) (table 0 funcref) (table 0 funcref) (table 0 funcref) (table 0 funcref)) */
static const unsigned char five_tables[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x04, 0x10, 0x05, 0x70, 0x00,
    0x00, 0x70, 0x00, 0x00, 0x70, 0x00, 0x00, 0x70, 0x00, 0x00, 0x70, 0x00, 0x00,
};

static void a_module_of_more_tables_than_a_pool_gives_is_refused_by_its_name(void **state)
{
    (void)state;
    struct err err = {0};
    char path[] = "/tmp/mote-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, five_tables, sizeof five_tables), sizeof five_tables);
    assert_int_equal(close(fd), 0);
    struct component_options options = {.name = "tables", .path = path, .grant = &grant};
    assert_null(component_open(&options, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    assert_non_null(strstr(err.text, "component 'tables': /tmp/mote-test-"));
    assert_non_null(strstr(err.text, "5 tables"));
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    log_configure(LOG_TEXT, LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_end_has_its_class_and_reason),
        cmocka_unit_test(host_functions_answer_or_trap_but_never_reach_outside_the_memory),
        cmocka_unit_test(a_kill_ends_a_guest_that_sleeps_or_spins),
        cmocka_unit_test(stopping_the_node_ends_what_still_sleeps),
        cmocka_unit_test(a_full_pool_refuses_and_takes_again),
        cmocka_unit_test(a_component_has_a_limit_of_its_own),
        cmocka_unit_test(a_large_memory_goes_to_the_other_class_and_runs),
        cmocka_unit_test(a_missing_entry_and_a_wrong_type_say_what_there_is),
        cmocka_unit_test(an_unknown_import_is_named_with_its_file),
        cmocka_unit_test(a_file_that_is_not_there_or_not_wasm_is_an_error_with_its_name),
        cmocka_unit_test(a_module_of_more_tables_than_a_pool_gives_is_refused_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
