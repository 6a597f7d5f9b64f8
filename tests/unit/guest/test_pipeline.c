/* Byte streams between guests on real threads: all that one writes the other reads, whoever runs where. */
#include "native.h"

#include "base/log.h"
#include "guest/abi.h"
#include "guest/actor.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A parent spawns a child, gets a stream's end from it and reads to the end; numbers of handles are those of a process's first
 * ones. A child whose end was aborted would leave its parent reading errors for ever. */
static const char begin[] = "mote-fake\n"
                            "memory 131072\n"
                            "entry parent\n"
                            "  data 0 child\n"
                            "  call mote::spawn 0 5 0 0 0 0\n"
                            "  call mote::receive 0 2048 0 0 18446744073709551615\n"
                            "  label again\n"
                            "  call mote::stream_read 65536 4096 7000 18446744073709551615\n"
                            "  jump-if again\n"
                            "  return\n"
                            "entry child\n"
                            "  call mote::stream_open 0 1024\n"
                            "  call mote::parent\n"
                            "  call mote::send $ 7 0 0 65536\n";
static const char write_much[] = "  call mote::stream_write 65537 0 60000 18446744073709551615\n";
static const char end[] = "  call mote::stream_end 65537\n"
                          "  return\n"
                          "entry brief\n"
                          "  data 0 child\n"
                          "  call mote::spawn 0 5 0 0 0 0\n"
                          "  call mote::receive 0 2048 0 0 18446744073709551615\n";
static const char read_some[] = "  call mote::stream_read 65536 4096 7000 18446744073709551615\n";
enum { WRITES = 40, READS = 100, PAIRS = 40 };

static const char *const spawnable[] = {"child", NULL};
static const struct grant grant = {
    .name = "test",
    .memory_max_bytes = 1 << 20,
    .mailbox = {.messages = 100, .bytes = 100000},
    .quotas = {.ties_max = 10},
    .children_max = 1,
    .streams_max = 2,
    .stream_buffer_bytes = 10000,
    .message_bytes_max = 1000,
    .namespace = "main",
    .allow_spawn = spawnable,
};

static struct component *make_component(const char *path, const char *name)
{
    struct err err = {0};
    struct component_options options = {.name = name, .path = path, .grant = &grant};
    struct component *component = component_open(&options, &err);
    assert_non_null(component);
    return component;
}

static void write_script(char *path)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    fputs(begin, file);
    for (unsigned i = 0; i < WRITES; i++) {
        fputs(write_much, file);
    }
    fputs(end, file);
    for (unsigned i = 0; i < READS; i++) {
        fputs(read_some, file);
    }
    assert_int_equal(fclose(file), 0);
}

struct pipeline {
    struct component *components[2];
    struct pool *pool;
    struct catalog *catalog;
    struct node *node;
    struct latch exits;
    atomic_uint normal;
};

static int pipeline_create(void **state)
{
    static const char *const names[] = {"parent", "child"};
    struct pipeline *pipeline = calloc(1, sizeof *pipeline);
    struct err err = {0};
    char path[] = "/tmp/mote-pipeline-XXXXXX";
    write_script(path);
    guest_start();
    struct capacity_need needs[POOL_CLASSES] = {0};
    for (unsigned i = 0; i < 2; i++) {
        pipeline->components[i] = make_component(path, names[i]);
        component_add_need(pipeline->components[i], needs);
    }
    unlink(path);
    struct pool_options pool = {.workers = 2, .needs = needs, .max_processes = 200};
    pipeline->pool = pool_create(&pool, &err);
    assert_non_null(pipeline->pool);
    size_t count = 0;
    const struct engine_import *imports = abi_imports(&count);
    struct catalog_line lines[2] = {{0}};
    for (unsigned i = 0; i < 2; i++) {
        struct component *component = pipeline->components[i];
        assert_true(component_prepare(component, pipeline->pool, NULL, imports, count, &err));
        lines[i] =
            (struct catalog_line){.name = names[i], .component = component, .has_entry = true};
        assert_true(component_entry(component, names[i], &lines[i].entry, &err));
    }
    pipeline->catalog = catalog_create(lines, 2, &err);
    assert_non_null(pipeline->catalog);
    struct node_options options = {.workers = 2,
                                   .tick_ns = 1000000,
                                   .env = env_system(),
                                   .on_tick = pool_tick,
                                   .tick_argument = pipeline->pool};
    pipeline->node = node_create(&options, &err);
    assert_non_null(pipeline->node);
    actor_start(pipeline->node, pipeline->catalog);
    assert_true(node_start(pipeline->node, &err));
    latch_init(&pipeline->exits);
    *state = pipeline;
    return 0;
}

static int pipeline_destroy(void **state)
{
    struct pipeline *pipeline = *state;
    node_stop(pipeline->node);
    bool clean = pool_in_use(pipeline->pool) == 0 && node_counts(pipeline->node).processes == 0 &&
                 node_counts(pipeline->node).timers == 0;
    latch_fini(&pipeline->exits);
    actor_start(pipeline->node, NULL);
    node_destroy(pipeline->node);
    catalog_destroy(pipeline->catalog);
    component_destroy(pipeline->components[0]);
    component_destroy(pipeline->components[1]);
    pool_destroy(pipeline->pool);
    free(pipeline);
    return clean ? 0 : -1;
}

static void note_exit(void *argument, const struct exit *exit)
{
    struct pipeline *pipeline = argument;
    atomic_fetch_add(&pipeline->normal, exit->exit_class == EXIT_NORMAL);
    latch_post(&pipeline->exits);
}

static void spawn_parents(struct pipeline *pipeline, const char *entry)
{
    const struct catalog_line *line = catalog_find(pipeline->catalog, "parent", strlen("parent"));
    for (unsigned i = 0; i < PAIRS; i++) {
        struct actor_options options = {
            .kind = "worker", .entry = entry, .exited = note_exit, .exited_argument = pipeline};
        struct err err = {0};
        assert_true(actor_spawn(pipeline->node, line, &options, NULL, NULL, &err));
    }
}

static void every_reader_gets_all_until_the_end(void **state)
{
    struct pipeline *pipeline = *state;
    spawn_parents(pipeline, "parent");
    latch_wait(&pipeline->exits, PAIRS);
    assert_int_equal(atomic_load(&pipeline->normal), PAIRS);
}

static void kills_in_between_leave_nobody_waiting_and_nothing_behind(void **state)
{
    struct pipeline *pipeline = *state;
    static struct process_info lines[4 * PAIRS];
    for (unsigned round = 0; round < 5; round++) {
        spawn_parents(pipeline, "brief");
        /* Writers and readers die at any point; readers whose writer has died read that. A parent that has not got its stream
         * yet would wait for it for ever, so they are killed until all are gone. */
        for (unsigned pass = 0; node_counts(pipeline->node).processes > 0; pass++) {
            size_t count = node_list(pipeline->node, lines, ARRAY_LENGTH(lines));
            for (size_t i = 0; i < count; i++) {
                if ((i + pass) % 3 == 0) {
                    (void)process_kill(pipeline->node, lines[i].pid, "the test");
                }
            }
            sched_yield();
        }
        latch_wait(&pipeline->exits, PAIRS);
    }
}

#define IN_A_PIPELINE(test) cmocka_unit_test_setup_teardown(test, pipeline_create, pipeline_destroy)

int main(void)
{
    log_configure(LOG_TEXT, LOG_ERROR);
    const struct CMUnitTest tests[] = {
        IN_A_PIPELINE(every_reader_gets_all_until_the_end),
        IN_A_PIPELINE(kills_in_between_leave_nobody_waiting_and_nothing_behind),
    };
    return cmocka_run_group_tests_name("pipeline", tests, NULL, NULL);
}
