/* Real guests that spawn each other, pass streams around and supervise: family.c says so from the inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "core/node.h"
#include "guest/abi.h"
#include "guest/actor.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const spawnable[] = {"family", NULL};
static const struct grant grant = {
    .name = "test",
    .memory_max_bytes = 1 << 20,
    .mailbox = {.messages = 10, .bytes = 100000},
    .quotas = {.ties_max = 20},
    .children_max = 10,
    .streams_max = 4,
    .stream_buffer_bytes = 4096,
    .message_bytes_max = 1000,
    .namespace = "main",
    .log_lines_per_s = 100,
    .allow_spawn = spawnable,
};

struct family {
    struct component *component;
    struct pool *pool;
    struct catalog *catalog;
    struct node *node;
    sem_t done;
    struct exit exit; /* without its backtrace */
};

static int family_create(void **state)
{
    struct family *family = calloc(1, sizeof *family);
    char path[512];
    snprintf(path, sizeof path, "%s/family.wasm", getenv("WASM_FOLDER"));
    struct err err = {0};
    struct component_options component = {.name = "family", .path = path, .grant = &grant};
    guest_start();
    family->component = component_open(&component, &err);
    assert_non_null(family->component);
    struct capacity_need needs[POOL_CLASSES] = {0};
    component_add_need(family->component, needs);
    struct pool_options pool = {.workers = 2, .needs = needs, .max_processes = 40};
    family->pool = pool_create(&pool, &err);
    assert_non_null(family->pool);
    size_t count = 0;
    const struct engine_import *imports = abi_imports(&count);
    assert_true(component_prepare(family->component, family->pool, NULL, imports, count, &err));
    const struct catalog_line line = {.name = "family", .component = family->component};
    family->catalog = catalog_create(&line, 1, &err);
    assert_non_null(family->catalog);
    struct node_options options = {.workers = 2,
                                   .tick_ns = 1000000,
                                   .env = env_system(),
                                   .on_tick = pool_tick,
                                   .tick_argument = family->pool};
    family->node = node_create(&options, &err);
    assert_non_null(family->node);
    actor_start(family->node, family->catalog);
    assert_true(node_start(family->node, &err));
    sem_init(&family->done, 0, 0);
    *state = family;
    return 0;
}

static int family_destroy(void **state)
{
    struct family *family = *state;
    node_stop(family->node);
    bool clean = pool_in_use(family->pool) == 0 && node_counts(family->node).processes == 0 &&
                 node_counts(family->node).timers == 0 &&
                 component_processes(family->component) == 0;
    actor_start(family->node, NULL);
    node_destroy(family->node);
    catalog_destroy(family->catalog);
    component_destroy(family->component);
    pool_destroy(family->pool);
    sem_destroy(&family->done);
    free(family);
    return clean ? 0 : -1;
}

static void note_exit(void *argument, const struct exit *exit)
{
    struct family *family = argument;
    family->exit = *exit;
    family->exit.backtrace = NULL;
    sem_post(&family->done);
}

/* The entry checks for itself, and ends normally when all was as it should be. */
static void check(void **state, const char *entry)
{
    struct family *family = *state;
    struct actor_options options = {.kind = "worker",
                                    .entry = entry,
                                    .limits = {.deadline_ns = UINT64_C(60000000000)},
                                    .exited = note_exit,
                                    .exited_argument = family};
    struct err err = {0};
    if (!actor_spawn(family->node, catalog_find(family->catalog, "family", strlen("family")),
                     &options, NULL, NULL, &err)) {
        fail_msg("%s: %s", entry, err.text);
    }
    while (sem_wait(&family->done) != 0) {
    }
    if (family->exit.exit_class != EXIT_NORMAL) {
        fail_msg("%s: %s: %s", entry, exit_class_name(family->exit.exit_class),
                 family->exit.reason);
    }
}

static void a_child_gets_its_input_and_its_parent_the_reason_of_its_end(void **state)
{
    check(state, "parent");
}

static void bytes_go_through_three_processes_unchanged(void **state)
{
    check(state, "pipeline");
}

static void a_writer_that_did_not_say_that_it_is_done_is_seen_as_aborted(void **state)
{
    check(state, "sees_half");
}

static void a_writer_sees_that_its_reader_has_left(void **state)
{
    check(state, "sees_closed");
}

static void a_guests_supervisor_restarts_all_its_children(void **state)
{
    check(state, "supervises");
}

#define IN_A_FAMILY(test) cmocka_unit_test_setup_teardown(test, family_create, family_destroy)

int main(void)
{
    log_configure(LOG_TEXT, LOG_ERROR);
    const struct CMUnitTest tests[] = {
        IN_A_FAMILY(a_child_gets_its_input_and_its_parent_the_reason_of_its_end),
        IN_A_FAMILY(bytes_go_through_three_processes_unchanged),
        IN_A_FAMILY(a_writer_that_did_not_say_that_it_is_done_is_seen_as_aborted),
        IN_A_FAMILY(a_writer_sees_that_its_reader_has_left),
        IN_A_FAMILY(a_guests_supervisor_restarts_all_its_children),
    };
    return cmocka_run_group_tests_name("family", tests, NULL, NULL);
}
