/* Spawning: what a child gets and is tied to, who may be spawned with what, how many, and that a spawn that fails
 * leaves nothing. */
#include "guest_world.h"

#include "base/log.h"
#include "core/link.h"
#include "core/monitor.h"
#include "core/worker.h"

#include <string.h>

enum { NAME = 0, INPUT = 512, OPTIONS = 1024, SPAWNED = 2048, OUT = 4096 };

static int32_t spawn(struct guest_world *world, struct guest *guest, const char *name,
                     const struct abi_spawn_options *options, struct abi_spawned *ret)
{
    uint64_t size = world_put(world, NAME, name);
    uint64_t input = world_put(world, INPUT, "input");
    memset(world->memory + SPAWNED, 0, sizeof(struct abi_spawned));
    if (options != NULL) {
        memcpy(world->memory + OPTIONS, options, sizeof *options);
    }
    int32_t result = WORLD_DO(world, guest, abi_spawn, NAME, size, INPUT, input,
                              options != NULL ? OPTIONS : 0, SPAWNED);
    struct abi_spawned spawned;
    memcpy(&spawned, world->memory + SPAWNED, sizeof spawned);
    if (ret != NULL) {
        *ret = spawned;
    }
    assert_int_equal(result == 0, spawned.pid != 0);
    return result;
}

static struct guest *find(struct guest_world *world, uint64_t pid)
{
    struct process *process = node_find(world->node, (struct pid){pid});
    assert_non_null(process);
    return CONTAINER_OF(process, struct guest, process);
}

/* The next piece of mail of a guest, which it takes itself. */
static struct message *next_mail(struct guest_world *world, struct guest *guest)
{
    worker_set_current(world->worker);
    struct message *message = process_receive(&guest->process, NULL);
    worker_set_current(NULL);
    return message;
}

static struct pid whereis(struct guest_world *world, const char *name)
{
    struct registry_key key = {.namespace = "main", .name = name, .name_bytes = strlen(name)};
    return registry_whereis(node_registry(world->node), &key);
}

static void a_child_knows_its_input_its_parent_and_its_spawner(void **state)
{
    struct guest_world *world = *state;
    struct guest *parent = world_guest(world, "parent");
    struct abi_spawned spawned;
    assert_int_equal(spawn(world, parent, "child", NULL, &spawned), 0);
    assert_int_equal(spawned.reference, 0);
    run_until_idle(world->node);
    struct guest *child = find(world, spawned.pid);
    assert_int_equal(child->process.parent.raw, parent->process.pid.raw);
    assert_int_equal(WORLD_DO(world, child, abi_input_get, OUT, 100), 5);
    assert_memory_equal(world->memory + OUT, "input", 5);
    /* As much as fits; the size is the full one. */
    assert_int_equal(WORLD_DO(world, child, abi_input_get, OUT + 100, 2), 5);
    assert_int_equal(world->memory[OUT + 102], 0);
    assert_int_equal(WORLD_DO(world, child, abi_input_get, 0, 0), 5);
    assert_int_equal(WORLD_DO(world, child, abi_spawner, OUT, 100), 6);
    assert_memory_equal(world->memory + OUT, "parent", 6);
    assert_int_equal(WORLD_DO(world, parent, abi_input_get, OUT, 100), 0);
    assert_int_equal(WORLD_DO(world, parent, abi_spawner, OUT, 100), 0);
    assert_string_equal(child->process.kind, "worker");
    world_end(world, child);
    world_end(world, parent);
}

static void a_monitored_child_is_told_of_and_an_unlinked_parent_lives(void **state)
{
    struct guest_world *world = *state;
    struct guest *parent = world_guest(world, "parent");
    struct abi_spawned spawned;
    const struct abi_spawn_options options = {.flags = ABI_SPAWN_MONITOR};
    assert_int_equal(spawn(world, parent, "child#crash", &options, &spawned), 0);
    assert_int_not_equal(spawned.reference, 0);
    run_until_idle(world->node);
    struct message *down = next_mail(world, parent);
    assert_non_null(down);
    assert_int_equal(down->kind, MESSAGE_DOWN);
    assert_int_equal(down->reference, spawned.reference);
    assert_int_equal(down->sender, spawned.pid);
    assert_int_equal(down->reason->exit_class, EXIT_CRASHED);
    message_destroy(down);
    assert_int_equal(process_phase(&parent->process), PHASE_PARKED);
    world_end(world, parent);
}

static void linked_ones_end_together_whichever_ends_first(void **state)
{
    struct guest_world *world = *state;
    const struct abi_spawn_options options = {.flags = ABI_SPAWN_LINK};
    struct abi_spawned spawned;
    struct guest *parent = world_guest(world, "parent");
    assert_int_equal(spawn(world, parent, "child", &options, &spawned), 0);
    run_until_idle(world->node);
    struct guest *child = find(world, spawned.pid);
    world_end(world, parent);
    assert_int_equal(process_phase(&child->process), PHASE_EXITED);
    process_release(&child->process);

    parent = world_guest(world, "parent");
    assert_int_equal(spawn(world, parent, "child#crash", &options, &spawned), 0);
    run_until_idle(world->node);
    assert_int_equal(process_phase(&parent->process), PHASE_EXITED);
    process_release(&parent->process);
}

static void only_what_the_grant_lists_can_be_spawned(void **state)
{
    struct guest_world *world = *state;
    struct guest *parent = world_guest(world, "parent");
    assert_int_equal(parent->log.denied_ns, 0);
    assert_int_equal(spawn(world, parent, "stranger", NULL, NULL), ABI_DENIED);
    assert_int_not_equal(parent->log.denied_ns, 0); /* and it is in the log */
    assert_int_equal(spawn(world, parent, "chil", NULL, NULL), ABI_DENIED);
    assert_int_equal(spawn(world, parent, "child2", NULL, NULL), ABI_DENIED);
    assert_int_equal(spawn(world, parent, "absent", NULL, NULL), ABI_NOT_FOUND);
    assert_int_equal(spawn(world, parent, "parent", NULL, NULL), ABI_NOT_FOUND); /* no entry */
    assert_int_equal(spawn(world, parent, "child#nothing", NULL, NULL), ABI_NOT_FOUND);
    world_end(world, parent);
    static const char *const all[] = {"*", NULL};
    world_grants[0].allow_spawn = all;
    parent = world_guest(world, "parent");
    assert_int_equal(spawn(world, parent, "stranger#quit", NULL, NULL), 0);
    assert_int_equal(spawn(world, parent, "missing", NULL, NULL), ABI_NOT_FOUND);
    world_end(world, parent);
    world_grants[0].allow_spawn = NULL;
    parent = world_guest(world, "parent");
    assert_int_equal(spawn(world, parent, "child", NULL, NULL), ABI_DENIED);
    world_end(world, parent);
}

static void bad_arguments_are_told_or_trap(void **state)
{
    struct guest_world *world = *state;
    struct guest *parent = world_guest(world, "parent");
    const struct abi_spawn_options unknown = {.flags = 4};
    assert_int_equal(spawn(world, parent, "child", &unknown, NULL), ABI_INVALID);
    assert_int_equal(spawn(world, parent, "", NULL, NULL), ABI_INVALID);
    assert_int_equal(spawn(world, parent, "child#", NULL, NULL), ABI_INVALID);
    uint64_t size = world_put(world, NAME, "child");
    assert_int_equal(WORLD_DO(world, parent, abi_spawn, NAME, 256, INPUT, 0, 0, 0), ABI_INVALID);
    memcpy(world->memory + NAME + 100, "chi\0d", 5);
    assert_int_equal(WORLD_DO(world, parent, abi_spawn, NAME + 100, 5, INPUT, 0, 0, 0),
                     ABI_INVALID);
    assert_int_equal(WORLD_DO(world, parent, abi_spawn, NAME, size, INPUT, 1001, 0, 0), ABI_LIMIT);
    const uint64_t last = WORLD_MEMORY_BYTES - 1;
    WORLD_TRAP(world, parent, abi_spawn, last, size, INPUT, 0, 0, 0);
    WORLD_TRAP(world, parent, abi_spawn, NAME, size, INPUT, UINT32_MAX, 0, 0);
    WORLD_TRAP(world, parent, abi_spawn, NAME, size, UINT32_MAX, 2, 0, 0);
    WORLD_TRAP(world, parent, abi_spawn, NAME, size, INPUT, 0, last, 0);
    WORLD_TRAP(world, parent, abi_spawn, NAME, size, INPUT, 0, 0, last);
    WORLD_TRAP(world, parent, abi_input_get, last, 2);
    WORLD_TRAP(world, parent, abi_spawner, last, 2);
    assert_int_equal(node_counts(world->node).processes, 1);
    world_end(world, parent);
}

static void children_are_counted_until_they_end(void **state)
{
    struct guest_world *world = *state;
    struct guest *parent = world_guest(world, "parent");
    struct abi_spawned spawned[3];
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(spawn(world, parent, "child", NULL, &spawned[i]), 0);
    }
    assert_int_equal(spawn(world, parent, "child", NULL, NULL), ABI_LIMIT);
    run_until_idle(world->node);
    world_end(world, find(world, spawned[1].pid));
    assert_int_equal(nursery_children(parent->nursery), 2);
    assert_int_equal(spawn(world, parent, "child#quit", NULL, NULL), 0);
    assert_int_equal(spawn(world, parent, "child", NULL, NULL), ABI_LIMIT);
    run_until_idle(world->node);
    assert_int_equal(nursery_children(parent->nursery), 2);
    /* Some live on without their parent. */
    world_end(world, parent);
    assert_int_equal(node_counts(world->node).processes, 2);
    world_end(world, find(world, spawned[0].pid));
    world_end(world, find(world, spawned[2].pid));
}

static void a_child_that_has_ended_is_given_back_before_its_down(void **state)
{
    struct guest_world *world = *state;
    world_grants[0].children_max = 1;
    struct guest *parent = world_guest(world, "parent");
    const struct abi_spawn_options options = {.flags = ABI_SPAWN_MONITOR};
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(spawn(world, parent, "child#quit", &options, NULL), 0);
        run_until_idle(world->node);
        struct message *down = next_mail(world, parent);
        assert_non_null(down);
        message_destroy(down);
    }
    world_end(world, parent);
}

static void limits_can_be_lowered_and_never_raised(void **state)
{
    struct guest_world *world = *state;
    world_grants[1].cpu_max_ns = 100 * (uint64_t)WORLD_MS;
    world_grants[1].memory_max_bytes = 4 << 20;
    struct guest *parent = world_guest(world, "parent");
    struct abi_spawned spawned;
    const struct abi_spawn_options lower = {
        .max_memory_mb = 2, .max_cpu_ms = 30, .deadline_ms = 5000};
    assert_int_equal(spawn(world, parent, "child", &lower, &spawned), 0);
    struct guest *child = find(world, spawned.pid);
    assert_int_equal(child->grant->memory_max_bytes, 2 << 20);
    assert_int_equal(child->grant->cpu_max_ns, 30 * WORLD_MS);
    assert_int_equal(child->process.cpu_budget_ns, 30 * WORLD_MS);
    assert_int_equal(child->process.deadline_ns, 5000 * (uint64_t)WORLD_MS);
    assert_int_equal(component_grant(world->components[1])->memory_max_bytes, 4 << 20);
    run_until_idle(world->node);
    const struct abi_spawn_options more[] = {
        {.max_memory_mb = 5}, {.max_cpu_ms = 101}, {.max_memory_mb = UINT32_MAX}};
    for (size_t i = 0; i < ARRAY_LENGTH(more); i++) {
        assert_int_equal(spawn(world, parent, "child", &more[i], NULL), ABI_DENIED);
    }
    world_end(world, child);
    world_end(world, parent);
}

static void a_deadline_ends_the_child(void **state)
{
    struct guest_world *world = *state;
    struct guest *parent = world_guest(world, "parent");
    struct abi_spawned spawned;
    const struct abi_spawn_options options = {.flags = ABI_SPAWN_MONITOR, .deadline_ms = 10};
    assert_int_equal(spawn(world, parent, "child", &options, &spawned), 0);
    run_until_idle(world->node);
    assert_null(next_mail(world, parent));
    world->env.now_ns += 20 * (uint64_t)WORLD_MS;
    run_until_idle(world->node);
    struct message *down = next_mail(world, parent);
    assert_non_null(down);
    assert_int_equal(down->reason->exit_class, EXIT_CRASHED_TIMEOUT);
    message_destroy(down);
    world_end(world, parent);
}

static void a_spawn_that_fails_leaves_nothing_behind(void **state)
{
    struct guest_world *world = *state;
    struct guest *parent = world_guest(world, "parent");
    const struct abi_spawn_options both = {.flags = ABI_SPAWN_LINK | ABI_SPAWN_MONITOR};
    node_drain(world->node); /* so that the last step, the start, fails */
    assert_int_equal(spawn(world, parent, "child", &both, NULL), ABI_DENIED);
    assert_int_equal(link_count(&parent->process), 0);
    assert_int_equal(monitor_count(&parent->process), 0);
    assert_int_equal(parent->process.ties, 0);
    assert_int_equal(nursery_children(parent->nursery), 0);
    assert_int_equal(component_processes(world->components[1]), 0);
    struct actor_options named = {.kind = "service", .name = "never"};
    struct err err = {0};
    assert_false(actor_spawn(world->node, world_line(world, "child"), &named, NULL, NULL, &err));
    assert_int_equal(err.code, ERR_DENIED);
    assert_true(pid_is_none(whereis(world, "never")));
    run_until_idle(world->node);
    assert_null(next_mail(world, parent));
    assert_int_equal(process_phase(&parent->process), PHASE_PARKED);
    world_end(world, parent);
}

static void the_quota_of_ties_refuses_the_second_one_and_takes_the_first_back(void **state)
{
    struct guest_world *world = *state;
    world_grants[0].quotas.ties_max = 1;
    struct guest *parent = world_guest(world, "parent");
    const struct abi_spawn_options both = {.flags = ABI_SPAWN_LINK | ABI_SPAWN_MONITOR};
    assert_int_equal(spawn(world, parent, "child", &both, NULL), ABI_LIMIT);
    assert_int_equal(parent->process.ties, 0);
    assert_int_equal(nursery_children(parent->nursery), 0);
    const struct abi_spawn_options one = {.flags = ABI_SPAWN_LINK};
    assert_int_equal(spawn(world, parent, "child", &one, NULL), 0);
    run_until_idle(world->node);
    world_end(world, parent); /* and its child with it */
    assert_int_equal(node_counts(world->node).processes, 0);
}

static void a_full_pool_is_a_limit(void **state)
{
    struct guest_world *world = *state;
    world_grants[0].children_max = 1000;
    struct guest *parent = world_guest(world, "parent");
    const struct abi_spawn_options linked = {.flags = ABI_SPAWN_LINK};
    unsigned spawned = 0;
    while (spawn(world, parent, "child", &linked, NULL) == 0) {
        spawned++;
    }
    assert_int_equal(spawn(world, parent, "child", &linked, NULL), ABI_LIMIT);
    assert_in_range(spawned, 15, 40);
    assert_int_equal(link_count(&parent->process), spawned);
    run_until_idle(world->node);
    world_end(world, parent);
}

static void a_name_is_there_with_the_start_and_gone_with_the_end(void **state)
{
    struct guest_world *world = *state;
    struct actor_options options = {.kind = "service", .name = "counter"};
    struct pid pid = {0};
    struct pid other = {0};
    struct err err = {0};
    const struct catalog_line *line = world_line(world, "child");
    assert_true(actor_spawn(world->node, line, &options, &pid, NULL, &err));
    assert_int_equal(whereis(world, "counter").raw, pid.raw);
    assert_false(actor_spawn(world->node, line, &options, &other, NULL, &err));
    assert_int_equal(err.code, ERR_EXISTS);
    assert_non_null(strstr(err.text, "counter"));
    assert_int_equal(whereis(world, "counter").raw, pid.raw);
    run_until_idle(world->node);
    struct guest *service = find(world, pid.raw);
    assert_true(service->process.takes_stop);
    world_end(world, service);
    assert_true(pid_is_none(whereis(world, "counter")));
}

static void note_exit(void *argument, const struct exit *exit)
{
    *(enum exit_class *)argument = exit->exit_class;
}

static void whoever_asked_hears_of_the_exit(void **state)
{
    struct guest_world *world = *state;
    enum exit_class heard = EXIT_NORMAL;
    struct actor_options options = {
        .kind = "schedule", .entry = "crash", .exited = note_exit, .exited_argument = &heard};
    struct err err = {0};
    assert_true(actor_spawn(world->node, world_line(world, "child"), &options, NULL, NULL, &err));
    run_until_idle(world->node);
    assert_int_equal(heard, EXIT_CRASHED);
}

int main(void)
{
    log_configure(LOG_TEXT, LOG_ERROR);
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(a_child_knows_its_input_its_parent_and_its_spawner),
        IN_A_WORLD(a_monitored_child_is_told_of_and_an_unlinked_parent_lives),
        IN_A_WORLD(linked_ones_end_together_whichever_ends_first),
        IN_A_WORLD(only_what_the_grant_lists_can_be_spawned),
        IN_A_WORLD(bad_arguments_are_told_or_trap),
        IN_A_WORLD(children_are_counted_until_they_end),
        IN_A_WORLD(a_child_that_has_ended_is_given_back_before_its_down),
        IN_A_WORLD(limits_can_be_lowered_and_never_raised),
        IN_A_WORLD(a_deadline_ends_the_child),
        IN_A_WORLD(a_spawn_that_fails_leaves_nothing_behind),
        IN_A_WORLD(the_quota_of_ties_refuses_the_second_one_and_takes_the_first_back),
        IN_A_WORLD(a_full_pool_is_a_limit),
        IN_A_WORLD(a_name_is_there_with_the_start_and_gone_with_the_end),
        IN_A_WORLD(whoever_asked_hears_of_the_exit),
    };
    return cmocka_run_group_tests_name("actor", tests, NULL, NULL);
}
