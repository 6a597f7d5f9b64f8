/* Supervisors that guests start. */
#include "guest_world.h"

#include "base/log.h"

#include <string.h>

enum { SPEC = 0, CHILDREN = 64, TEXTS = 1024, PID = 8192, OUT = 16384 };

/* A child in the memory, with its name. */
static void put_child(struct guest_world *world, unsigned index, const char *name,
                      const char *component, struct abi_child_spec spec)
{
    uint32_t at = TEXTS + index * 128;
    spec.name = at;
    spec.name_size = (uint32_t)world_put(world, at, name);
    spec.component = at + 64;
    spec.component_size = (uint32_t)world_put(world, at + 64, component);
    memcpy(world->memory + CHILDREN + index * sizeof spec, &spec, sizeof spec);
}

static int32_t start(struct guest_world *world, struct guest *guest, uint32_t count, uint64_t *ret)
{
    const struct abi_supervisor_spec spec = {
        .strategy = ABI_STRATEGY_ONE_FOR_ONE, .max_restarts = 2, .window_ms = 1000};
    memcpy(world->memory + SPEC, &spec, sizeof spec);
    int32_t result = WORLD_DO(world, guest, abi_supervisor_start, SPEC, CHILDREN, count, PID);
    if (ret != NULL) {
        memcpy(ret, world->memory + PID, sizeof *ret);
    }
    return result;
}

static struct abi_child_state state_of(struct guest_world *world, unsigned index)
{
    struct abi_child_state child;
    memcpy(&child, world->memory + OUT + index * sizeof child, sizeof child);
    return child;
}

static void children_start_in_order_and_are_restarted(void **state)
{
    struct guest_world *world = *state;
    struct guest *guest = world_guest(world, "parent");
    put_child(world, 0, "first", "child", (struct abi_child_spec){0});
    put_child(world, 1, "", "child#ready", (struct abi_child_spec){.start_timeout_ms = 1000});
    uint64_t supervisor = 0;
    assert_int_equal(start(world, guest, 2, &supervisor), 0);
    run_until_idle(world->node);
    assert_int_equal(WORLD_DO(world, guest, abi_supervisor_children, supervisor, OUT, 2), 2);
    struct abi_child_state first = state_of(world, 0);
    struct abi_child_state second = state_of(world, 1);
    assert_string_equal((const char *)first.name, "first");
    assert_string_equal((const char *)second.name, "child");
    assert_int_not_equal(first.pid, 0);
    assert_int_not_equal(second.pid, 0);
    assert_true(process_kill(world->node, (struct pid){first.pid}, "the test"));
    run_until_idle(world->node);
    assert_int_equal(WORLD_DO(world, guest, abi_supervisor_children, supervisor, OUT, 1), 2);
    assert_int_not_equal(state_of(world, 0).pid, first.pid);
    assert_int_equal(state_of(world, 0).restarts, 1);
    assert_int_equal(WORLD_DO(world, guest, abi_supervisor_children, supervisor, 0, 0), 2);
    world_end(world, guest); /* and everything with it */
    assert_int_equal(node_counts(world->node).processes, 0);
}

static void a_storm_ends_the_supervisor_and_its_starter(void **state)
{
    struct guest_world *world = *state;
    struct guest *guest = world_guest(world, "parent");
    put_child(world, 0, "bad", "child#crash", (struct abi_child_spec){0});
    assert_int_equal(start(world, guest, 1, NULL), 0);
    run_until_idle(world->node);
    assert_int_equal(process_phase(&guest->process), PHASE_EXITED);
    assert_int_equal(component_spawned(world->components[1]), 3);
    process_release(&guest->process);
}

static void a_child_that_never_says_that_it_has_started_ends_the_supervisor_and_its_starter(
    void **state)
{
    struct guest_world *world = *state;
    struct guest *guest = world_guest(world, "parent");
    put_child(world, 0, "good", "child", (struct abi_child_spec){0});
    put_child(world, 1, "late", "child", (struct abi_child_spec){.start_timeout_ms = 50});
    assert_int_equal(start(world, guest, 2, NULL), 0);
    run_until_idle(world->node);
    assert_int_equal(node_counts(world->node).processes, 4);
    world->env.now_ns += 60 * (uint64_t)WORLD_MS;
    run_until_idle(world->node);
    assert_int_equal(process_phase(&guest->process), PHASE_EXITED);
    assert_int_equal(node_counts(world->node).processes, 0);
    process_release(&guest->process);
}

static void supervisor_and_children_count_as_children_of_the_starter(void **state)
{
    struct guest_world *world = *state;
    world_grants[0].children_max = 2;
    struct guest *guest = world_guest(world, "parent");
    put_child(world, 0, "one", "child", (struct abi_child_spec){0});
    assert_int_equal(start(world, guest, 1, NULL), 0);
    run_until_idle(world->node);
    assert_int_equal(nursery_children(guest->nursery), 2);
    assert_int_equal(start(world, guest, 0, NULL), ABI_LIMIT);
    world_end(world, guest);
}

static void what_cannot_be_is_refused_and_starts_nothing(void **state)
{
    struct guest_world *world = *state;
    struct guest *guest = world_guest(world, "parent");
    put_child(world, 0, "one", "stranger", (struct abi_child_spec){0});
    assert_int_equal(start(world, guest, 1, NULL), ABI_DENIED);
    put_child(world, 0, "one", "absent", (struct abi_child_spec){0});
    assert_int_equal(start(world, guest, 1, NULL), ABI_NOT_FOUND);
    put_child(world, 0, "one", "", (struct abi_child_spec){0});
    assert_int_equal(start(world, guest, 1, NULL), ABI_INVALID);
    put_child(world, 0, "one", "child", (struct abi_child_spec){.restart = 3});
    assert_int_equal(start(world, guest, 1, NULL), ABI_INVALID);
    char name[65];
    memset(name, 'x', 64);
    name[64] = '\0';
    put_child(world, 0, name, "child", (struct abi_child_spec){0});
    assert_int_equal(start(world, guest, 1, NULL), ABI_INVALID);
    put_child(world, 0, "one", "child", (struct abi_child_spec){0});
    put_child(world, 1, "one", "child", (struct abi_child_spec){0});
    assert_int_equal(start(world, guest, 2, NULL), ABI_INVALID); /* two of one name */
    put_child(world, 0, "one", "child", (struct abi_child_spec){.input = 0, .input_size = 1001});
    assert_int_equal(start(world, guest, 1, NULL), ABI_LIMIT);
    assert_int_equal(start(world, guest, SUPERVISOR_CHILDREN_MAX + 1, NULL), ABI_LIMIT);
    const struct abi_supervisor_spec wrong[] = {
        {.strategy = 3, .max_restarts = 1, .window_ms = 1},
        {.max_restarts = 1, .window_ms = 0}, /* would restart without end */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        memcpy(world->memory + SPEC, &wrong[i], sizeof wrong[i]);
        assert_int_equal(WORLD_DO(world, guest, abi_supervisor_start, SPEC, CHILDREN, 0, PID),
                         ABI_INVALID);
    }
    assert_int_equal(node_counts(world->node).processes, 1);
    assert_true(guest->nursery == NULL || nursery_children(guest->nursery) == 0);
    world_end(world, guest);
}

static void bad_pointers_trap(void **state)
{
    struct guest_world *world = *state;
    struct guest *guest = world_guest(world, "parent");
    const uint64_t last = WORLD_MEMORY_BYTES - 1;
    WORLD_TRAP(world, guest, abi_supervisor_start, last, CHILDREN, 0, PID);
    WORLD_TRAP(world, guest, abi_supervisor_start, SPEC, last, 1, PID);
    WORLD_TRAP(world, guest, abi_supervisor_start, SPEC, CHILDREN, 0, last);
    put_child(world, 0, "one", "child",
              (struct abi_child_spec){.input = (uint32_t)last, .input_size = 2});
    WORLD_TRAP(world, guest, abi_supervisor_start, SPEC, CHILDREN, 1, PID);
    WORLD_TRAP(world, guest, abi_supervisor_children, 1, last, 1);
    /* So many that their size does not fit into 32 bits. */
    WORLD_TRAP(world, guest, abi_supervisor_children, 1, OUT, 0x33333334);
    world_end(world, guest);
}

static void only_ones_own_supervisor_can_be_looked_at(void **state)
{
    struct guest_world *world = *state;
    struct guest *guest = world_guest(world, "parent");
    struct guest *other = world_guest(world, "stranger");
    uint64_t supervisor = 0;
    assert_int_equal(start(world, guest, 0, &supervisor), 0);
    run_until_idle(world->node);
    assert_int_equal(WORLD_DO(world, guest, abi_supervisor_children, supervisor, OUT, 1), 0);
    assert_int_equal(WORLD_DO(world, other, abi_supervisor_children, supervisor, OUT, 1),
                     ABI_DENIED);
    uint64_t pid = guest->process.pid.raw;
    assert_int_equal(WORLD_DO(world, guest, abi_supervisor_children, pid, OUT, 1), ABI_NOT_FOUND);
    assert_int_equal(WORLD_DO(world, guest, abi_supervisor_children, 12345, OUT, 1), ABI_NOT_FOUND);
    world_end(world, other);
    world_end(world, guest);
}

static void a_supervisor_cannot_be_got_rid_of_but_with_its_starter(void **state)
{
    struct guest_world *world = *state;
    struct guest *guest = world_guest(world, "parent");
    uint64_t pid = 0;
    put_child(world, 0, "one", "child", (struct abi_child_spec){0});
    assert_int_equal(start(world, guest, 1, &pid), 0);
    run_until_idle(world->node);
    assert_int_equal(WORLD_DO(world, guest, abi_unlink, pid), ABI_DENIED);
    assert_int_equal(WORLD_DO(world, guest, abi_unlink, guest->process.pid.raw), 0);
    world_end(world, guest);
    assert_int_equal(node_counts(world->node).processes, 0);
}

/* Its other children are none of a child's business. */
static void a_child_may_not_touch_its_supervisor(void **state)
{
    struct guest_world *world = *state;
    struct guest *guest = world_guest(world, "parent");
    uint64_t pid = 0;
    put_child(world, 0, "one", "child", (struct abi_child_spec){0});
    assert_int_equal(start(world, guest, 1, &pid), 0);
    run_until_idle(world->node);
    struct guest *child = world_guest(world, "child");
    child->process.parent = (struct pid){pid};
    assert_int_equal(WORLD_DO(world, child, abi_kill, pid), ABI_DENIED);
    child->process.parent = guest->process.pid;
    assert_int_equal(WORLD_DO(world, child, abi_link, guest->process.pid.raw), 0);
    world_end(world, child);
    run_until_idle(world->node);
    process_release(&guest->process);
}

static void a_component_of_the_manifest_is_supervised_under_its_name(void **state)
{
    struct guest_world *world = *state;
    struct catalog_line line = *world_line(world, "child");
    line.resident = true;
    struct err err = {0};
    assert_true(component_entry(line.component, "ready", &line.entry, &err));
    const struct supervisor_child child =
        actor_child(&line, RESTART_PERMANENT, 1000 * (uint64_t)WORLD_MS, 1000 * (uint64_t)WORLD_MS);
    assert_true(child.announces);
    const struct supervisor_options options = {.name = "top",
                                               .max_restarts = 3,
                                               .window_ns = 1000 * (uint64_t)WORLD_MS,
                                               .children = &child,
                                               .child_count = 1,
                                               .event = actor_log_supervisor};
    struct process *supervisor = NULL;
    assert_true(supervisor_start(world->node, &options, &supervisor, &err));
    run_until_idle(world->node);
    const struct registry_key key = {.namespace = "main", .name = "child", .name_bytes = 5};
    struct pid first = registry_whereis(node_registry(world->node), &key);
    assert_false(pid_is_none(first));
    assert_true(process_kill(world->node, first, "the test"));
    run_until_idle(world->node);
    struct pid second = registry_whereis(node_registry(world->node), &key);
    assert_false(pid_is_none(second));
    assert_int_not_equal(first.raw, second.raw);
    process_stop(supervisor, STOP_KILL, "the test");
    run_until_idle(world->node);
    process_release(supervisor);
}

int main(void)
{
    log_configure(LOG_TEXT, LOG_ERROR);
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(children_start_in_order_and_are_restarted),
        IN_A_WORLD(a_storm_ends_the_supervisor_and_its_starter),
        IN_A_WORLD(a_child_that_never_says_that_it_has_started_ends_the_supervisor_and_its_starter),
        IN_A_WORLD(supervisor_and_children_count_as_children_of_the_starter),
        IN_A_WORLD(what_cannot_be_is_refused_and_starts_nothing),
        IN_A_WORLD(bad_pointers_trap),
        IN_A_WORLD(only_ones_own_supervisor_can_be_looked_at),
        IN_A_WORLD(a_supervisor_cannot_be_got_rid_of_but_with_its_starter),
        IN_A_WORLD(a_child_may_not_touch_its_supervisor),
        IN_A_WORLD(a_component_of_the_manifest_is_supervised_under_its_name),
    };
    return cmocka_run_group_tests_name("supervisor", tests, NULL, NULL);
}
