/* Code that takes the place of other code while processes of it are born and end on real threads. */
#include "native.h"

#include "base/log.h"
#include "guest/abi.h"
#include "guest/actor.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SPAWNS = 400, SWAPS = 100 };

static const struct grant grant = {
    .name = "test",
    .memory_max_bytes = 1 << 20,
    .mailbox = {.messages = 100, .bytes = 100000},
    .quotas = {.ties_max = 10},
    .namespace = "main",
};

struct world {
    char path[32];
    struct component *component;
    struct pool *pool;
    struct catalog *catalog;
    struct node *node;
    struct latch exits;
    atomic_uint normal;
    unsigned swapped; /* by the thread, until it is joined */
};

static void write_script(const struct world *world, unsigned version, const char *text)
{
    FILE *file = fopen(world->path, "w");
    assert_non_null(file);
    fprintf(file, "mote-fake\nmemory 65536\n%sentry brief\n  data 0 %u\n  return\n", text, version);
    assert_int_equal(fclose(file), 0);
}

static enum swap_result swap(const struct world *world, struct err *err)
{
    size_t count = 0;
    const struct engine_import *imports = abi_imports(&count);
    return component_swap(world->component, NULL, imports, count, err);
}

static const char steady[] = "entry steady\n  call mote::receive 0 0 0 0 18446744073709551615\n"
                             "  return\n";

static int world_create(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct err err = {0};
    struct capacity_need needs[POOL_CLASSES] = {0};
    snprintf(world->path, sizeof world->path, "/tmp/mote-swap-XXXXXX");
    close(mkstemp(world->path));
    write_script(world, 0, steady);
    guest_start();
    world->component = component_open(
        &(struct component_options){.name = "code", .path = world->path, .grant = &grant}, &err);
    assert_non_null(world->component);
    component_add_need(world->component, needs);
    world->pool = pool_create(
        &(struct pool_options){.workers = 2, .needs = needs, .max_processes = 100}, &err);
    assert_non_null(world->pool);
    size_t count = 0;
    const struct engine_import *imports = abi_imports(&count);
    assert_true(component_prepare(world->component, world->pool, NULL, imports, count, &err));
    struct catalog_line line = {.name = "code", .component = world->component, .has_entry = true};
    assert_true(component_entry(world->component, "brief", &line.entry, &err));
    world->catalog = catalog_create(&line, 1, &err);
    assert_non_null(world->catalog);
    world->node = node_create(&(struct node_options){.workers = 2,
                                                     .tick_ns = 1000000,
                                                     .env = env_system(),
                                                     .on_tick = pool_tick,
                                                     .tick_argument = world->pool},
                              &err);
    assert_non_null(world->node);
    actor_start(world->node, world->catalog);
    assert_true(node_start(world->node, &err));
    latch_init(&world->exits);
    *state = world;
    return 0;
}

static int world_destroy(void **state)
{
    struct world *world = *state;
    node_stop(world->node);
    bool clean = pool_in_use(world->pool) == 0 && component_processes(world->component) == 0;
    latch_fini(&world->exits);
    actor_start(world->node, NULL);
    node_destroy(world->node);
    catalog_destroy(world->catalog);
    component_destroy(world->component);
    pool_destroy(world->pool);
    unlink(world->path);
    free(world);
    return clean ? 0 : -1;
}

static void note_exit(void *argument, const struct exit *exit)
{
    struct world *world = argument;
    atomic_fetch_add(&world->normal, exit->exit_class == EXIT_NORMAL);
    latch_post(&world->exits);
}

static bool spawn(struct world *world, const char *entry, struct pid *ret_pid, struct err *err)
{
    struct actor_options options = {
        .kind = "worker", .entry = entry, .exited = note_exit, .exited_argument = world};
    return actor_spawn(world->node, catalog_find(world->catalog, "code", 4), &options, ret_pid,
                       NULL, err);
}

static void *swap_often(void *argument)
{
    struct world *world = argument;
    for (unsigned i = 1; i <= SWAPS; i++) {
        struct err err = {0};
        write_script(world, i, steady);
        world->swapped += swap(world, &err) == SWAP_DONE;
    }
    return NULL;
}

static void all_that_are_born_meanwhile_run_and_end(void **state)
{
    struct world *world = *state;
    struct err err = {0};
    struct pid first;
    assert_true(spawn(world, "steady", &first, &err));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, swap_often, world), 0);
    for (unsigned i = 0; i < SPAWNS; i++) {
        /* By its number in turns with its name. At most so many at once as the pool has room for. */
        assert_true(spawn(world, i % 2 == 0 ? NULL : "brief", NULL, &err));
        latch_wait(&world->exits, 1);
    }
    pthread_join(thread, NULL);
    assert_int_equal(world->swapped, SWAPS);
    assert_int_equal(atomic_load(&world->normal), SPAWNS);
    assert_int_equal(component_processes(world->component), 1);
    assert_true(process_kill(world->node, first, "the test"));
    latch_wait(&world->exits, 1);
}

static void what_is_the_same_is_not_loaded_again(void **state)
{
    struct world *world = *state;
    struct err err = {0};
    assert_int_equal(swap(world, &err), SWAP_SAME);
    write_script(world, 1, steady);
    assert_int_equal(swap(world, &err), SWAP_DONE);
    assert_int_equal(swap(world, &err), SWAP_SAME);
}

static void an_entry_that_is_run_must_stay_and_others_may_go(void **state)
{
    struct world *world = *state;
    struct err err = {0}, none = {0};
    write_script(world, 1, "");
    assert_int_equal(swap(world, &err), SWAP_DONE);
    assert_false(spawn(world, "steady", NULL, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_true(spawn(world, NULL, NULL, &none));
    latch_wait(&world->exits, 1);
    FILE *file = fopen(world->path, "w");
    assert_non_null(file);
    fprintf(file, "mote-fake\nmemory 65536\n%s", steady);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(swap(world, &err), SWAP_REFUSED);
    assert_non_null(strstr(err.text, "brief"));
    assert_true(spawn(world, NULL, NULL, &none));
    latch_wait(&world->exits, 1);
}

static void what_the_node_was_not_made_for_is_refused(void **state)
{
    struct world *world = *state;
    struct err err = {0};
    write_script(world, 1, "memory 1048576\n");
    assert_int_equal(swap(world, &err), SWAP_REFUSED);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_non_null(strstr(err.text, "`mote reload` takes it"));
    unlink(world->path);
    assert_int_equal(swap(world, &err), SWAP_REFUSED);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

/* A child of a supervisor, which gets new code while it is about to start. */
static struct late {
    struct world *world;
    struct supervisor_child child;
    bool (*prepare)(struct process *supervisor, struct process *child, struct err *err);
    struct latch starts, ended;
    bool swapped;
} late;

static bool swap_and_prepare(struct process *supervisor, struct process *child, struct err *err)
{
    if (!late.swapped) {
        late.swapped = true;
        write_script(late.world, 1, steady);
        INVARIANT(swap(late.world, err) == SWAP_DONE);
    }
    return late.prepare(supervisor, child, err);
}

static bool start_late(void *argument, struct process *supervisor,
                       bool (*prepare)(struct process *supervisor, struct process *child,
                                       struct err *err),
                       struct err *err)
{
    late.prepare = prepare;
    bool good = late.child.start(argument, supervisor, swap_and_prepare, err);
    latch_post(&late.starts);
    return good;
}

static void note_destroyed(void *argument)
{
    (void)argument;
    latch_post(&late.ended);
}

static void a_child_that_begins_while_its_code_changes_is_started_anew(void **state)
{
    struct world *world = *state;
    struct err err = {0};
    struct catalog_line line = *catalog_find(world->catalog, "code", 4);
    assert_true(component_entry(world->component, "steady", &line.entry, &err));
    late = (struct late){.world = world, .child = actor_child(&line, RESTART_TEMPORARY, 0, 0)};
    latch_init(&late.starts);
    latch_init(&late.ended);
    struct supervisor_child child = late.child;
    child.start = start_late;
    const struct supervisor_options options = {
        .name = "late", .children = &child, .child_count = 1, .destroyed = note_destroyed};
    struct process *supervisor = NULL;
    assert_true(supervisor_start(world->node, &options, &supervisor, &err));
    latch_wait(&late.starts, 2);
    process_stop(supervisor, STOP_KILL, "the test");
    process_release(supervisor);
    latch_wait(&late.ended, 1);
    latch_fini(&late.starts);
    latch_fini(&late.ended);
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, world_create, world_destroy)

int main(void)
{
    log_configure(LOG_TEXT, LOG_ERROR);
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(all_that_are_born_meanwhile_run_and_end),
        IN_A_WORLD(what_is_the_same_is_not_loaded_again),
        IN_A_WORLD(an_entry_that_is_run_must_stay_and_others_may_go),
        IN_A_WORLD(what_the_node_was_not_made_for_is_refused),
        IN_A_WORLD(a_child_that_begins_while_its_code_changes_is_started_anew),
    };
    return cmocka_run_group_tests_name("swap", tests, NULL, NULL);
}
