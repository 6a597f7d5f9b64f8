#include "guest_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char script[] = "mote-fake\n"
                             "memory 65536\n"
                             "entry hang\n"
                             "  call mote::sleep 86400000000000\n"
                             "entry quit\n"
                             "  return\n"
                             "entry crash\n"
                             "  trap\n"
                             "entry ready\n"
                             "  call mote::ready\n"
                             "  call mote::sleep 86400000000000\n";

static const char *const spawnable[] = {"child", "parent", "absent", NULL};
static const struct grant usual = {
    .name = "usual",
    .memory_max_bytes = 1 << 20,
    .mailbox = {.messages = 100, .bytes = 100000},
    .log_lines_per_s = 1000,
    .quotas = {.ties_max = 100, .timers_max = 100, .registered_max = {10, 10, 10}},
    .children_max = 3,
    .streams_max = 6,
    .stream_buffer_bytes = 4096,
    .message_bytes_max = 1000,
    .namespace = "main",
    .allow_spawn = spawnable,
};

struct grant world_grants[WORLD_COMPONENTS];

static const char *const names[WORLD_COMPONENTS] = {"parent", "child", "stranger"};

static void make_components(struct guest_world *world)
{
    char path[] = "/tmp/mote-guest-world-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, script, strlen(script)), (ssize_t)strlen(script));
    close(fd);
    struct err err = {0};
    struct capacity_need needs[POOL_CLASSES] = {0};
    for (unsigned i = 0; i < WORLD_COMPONENTS; i++) {
        world_grants[i] = usual;
        struct component_options options = {
            .name = names[i], .path = path, .grant = &world_grants[i]};
        world->components[i] = component_open(&options, &err);
        assert_non_null(world->components[i]);
        component_add_need(world->components[i], needs);
    }
    unlink(path);
    struct pool_options pool = {.workers = 1, .needs = needs, .max_processes = 20};
    world->pool = pool_create(&pool, &err);
    assert_non_null(world->pool);
    size_t count = 0;
    const struct engine_import *imports = abi_imports(&count);
    for (unsigned i = 0; i < WORLD_COMPONENTS; i++) {
        assert_true(
            component_prepare(world->components[i], world->pool, NULL, imports, count, &err));
    }
}

int world_create(void **state)
{
    struct guest_world *world = calloc(1, sizeof *world);
    guest_start();
    make_components(world);
    still_env_init(&world->env, 1);
    world->node = still_node(&world->env, 1, 0);
    world->worker = worker_of(world->node, 0);
    struct catalog_line lines[WORLD_COMPONENTS] = {{0}};
    struct err err = {0};
    for (unsigned i = 0; i < WORLD_COMPONENTS; i++) {
        lines[i] = (struct catalog_line){.name = names[i], .component = world->components[i]};
    }
    lines[1].has_entry = component_entry(world->components[1], "hang", &lines[1].entry, &err);
    assert_true(lines[1].has_entry);
    world->catalog = catalog_create(lines, WORLD_COMPONENTS, &err);
    assert_non_null(world->catalog);
    actor_start(world->node, world->catalog);
    *state = world;
    return 0;
}

int world_destroy(void **state)
{
    struct guest_world *world = *state;
    run_until_idle(world->node);
    struct node_counts counts = node_counts(world->node);
    uint64_t in_use = pool_in_use(world->pool);
    node_stop(world->node);
    actor_start(world->node, NULL);
    node_destroy(world->node);
    for (unsigned i = 0; i < WORLD_COMPONENTS; i++) {
        in_use += component_processes(world->components[i]);
        component_destroy(world->components[i]);
    }
    pool_destroy(world->pool);
    catalog_destroy(world->catalog);
    free(world);
    return counts.processes == 0 && counts.timers == 0 && in_use == 0 ? 0 : -1;
}

const struct catalog_line *world_line(struct guest_world *world, const char *name)
{
    const struct catalog_line *line = catalog_find(world->catalog, name, strlen(name));
    assert_non_null(line);
    return line;
}

struct guest *world_guest(struct guest_world *world, const char *component)
{
    struct actor_options options = {.kind = "worker", .entry = "hang"};
    struct pid pid;
    struct err err = {0};
    assert_true(actor_spawn(world->node, world_line(world, component), &options, &pid, NULL, &err));
    run_until_idle(world->node);
    struct process *process = node_find(world->node, pid);
    assert_non_null(process);
    return CONTAINER_OF(process, struct guest, process);
}

void world_end(struct guest_world *world, struct guest *guest)
{
    process_stop(&guest->process, STOP_KILL, "the test");
    run_until_idle(world->node);
    assert_int_equal(process_phase(&guest->process), PHASE_EXITED);
    process_release(&guest->process);
}

struct world_call world_call_begin(struct guest_world *world, struct guest *guest,
                                   engine_host_function function, const uint64_t *arguments)
{
    struct world_call begun = {
        .call = {.process = guest, .memory = world->memory, .memory_bytes = sizeof world->memory},
        .function = function};
    for (unsigned i = 0; i < ENGINE_CALL_ARGUMENTS; i++) {
        begun.call.arguments[i] = arguments[i];
    }
    return begun;
}

enum engine_call_result world_try(struct guest_world *world, struct world_call *call)
{
    worker_set_current(world->worker);
    (void)worker_look(world->worker);
    enum engine_call_result result = call->function(&call->call);
    worker_set_current(NULL);
    return result;
}

int32_t world_do(struct guest_world *world, struct world_call call)
{
    assert_int_equal(world_try(world, &call), ENGINE_CALL_DONE);
    return (int32_t)call.call.result;
}

void world_trap(struct guest_world *world, struct world_call call)
{
    assert_int_equal(world_try(world, &call), ENGINE_CALL_TRAP);
    assert_non_null(strstr(call.call.text, "outside the memory"));
}

uint64_t world_put(struct guest_world *world, uint32_t at, const char *text)
{
    memcpy(world->memory + at, text, strlen(text));
    return strlen(text);
}
