/* Ten thousand Wasm guests alive at the same time, each linked and watched and with mail, on two workers; then all of it is given
 * back. */
#include "native.h"

#include "guest/abi.h"
#include "guest/actor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CROWD = 10000, WORKERS = 2 };
enum { LABEL_HELLO = 1, LABEL_LEAVE = 2, LABEL_GO = 3 };

static const struct grant grant = {.name = "test",
                                   .memory_max_bytes = 1 << 20,
                                   .mailbox = {.messages = 10, .bytes = 1000},
                                   .message_bytes_max = 1000,
                                   .quotas = {.ties_max = 2},
                                   .namespace = "main",
                                   .allow_process_control = true};

struct crowd {
    struct component *component;
    struct pool *pool;
    struct catalog *catalog;
    struct node *node;
    struct tally tally;
    struct latch spawned, answered, told;
    uint32_t size; /* constant: CROWD, or as many as this machine's limits allow */
    struct pid pids[CROWD];
    uint32_t normal_downs, normal_exits;
};

static void host_spawn_all(struct crowd *crowd, struct process *host)
{
    const struct catalog_line *line = catalog_find(crowd->catalog, "crowd", strlen("crowd"));
    struct actor_options options = {
        .kind = "worker", .spawner = host, .link = true, .monitor = true};
    for (uint32_t i = 0; i < crowd->size; i++) {
        struct err err = {0};
        if (!actor_spawn(crowd->node, line, &options, &crowd->pids[i], NULL, &err)) {
            BUG("guest %u: %s", (unsigned)i, err.text);
        }
    }
    latch_post(&crowd->spawned);
}

static void host_send_all(struct crowd *crowd, struct process *host, uint64_t label)
{
    for (uint32_t i = 0; i < crowd->size; i++) {
        struct message *message = message_create(host->pid.raw, label, &i, sizeof i);
        INVARIANT(message != NULL);
        bool taken = process_send(crowd->node, crowd->pids[i], message);
        INVARIANT(taken);
    }
}

static void host_hear(struct crowd *crowd, struct process *host, const struct message *message)
{
    switch (message->kind) {
    case MESSAGE_SEND:
        if (message->label == LABEL_GO) {
            host_spawn_all(crowd, host);
        } else if (message->sender == 0) {
            host_send_all(crowd, host, message->label - LABEL_GO);
        } else {
            uint32_t index;
            INVARIANT(message->size_bytes == sizeof index);
            memcpy(&index, message->body, sizeof index);
            INVARIANT(message->sender == crowd->pids[index].raw);
            latch_post(&crowd->answered);
        }
        return;
    case MESSAGE_DOWN:
        crowd->normal_downs += message->reason->exit_class == EXIT_NORMAL;
        latch_post(&crowd->told);
        return;
    case MESSAGE_EXIT:
        crowd->normal_exits += message->reason->exit_class == EXIT_NORMAL;
        latch_post(&crowd->told);
        return;
    case MESSAGE_CALL:
    case MESSAGE_REPLY:
    case MESSAGE_TIMER:
    case MESSAGE_FRAME:
    case MESSAGE_CLOSE:
    case MESSAGE_STOP:
    case MESSAGE_CHANGED:
        break;
    }
    BUG("message kind %d", (int)message->kind);
}

static enum turn turn_host(struct native *native, struct exit *ret_exit)
{
    (void)ret_exit;
    struct message *message;
    while ((message = process_receive(&native->process, NULL)) != NULL) {
        host_hear(native->argument, &native->process, message);
        message_destroy(message);
    }
    return TURN_PARKED;
}

/* Tell the host to spawn (LABEL_GO), or to send a label to all. */
static void tell_host(struct crowd *crowd, struct native *host, uint64_t label)
{
    struct message *message = message_create(0, label, NULL, 0);
    assert_non_null(message);
    assert_true(process_send(crowd->node, host->process.pid, message));
}

static void make_pool(struct crowd *crowd)
{
    char path[512];
    snprintf(path, sizeof path, "%s/crowd.wasm", getenv("WASM_FOLDER"));
    struct component_options options = {.name = "crowd", .path = path, .grant = &grant};
    struct err err = {0};
    guest_start();
    crowd->component = component_open(&options, &err);
    assert_non_null(crowd->component);
    struct capacity_need needs[POOL_CLASSES] = {0};
    component_add_need(crowd->component, needs);
    struct pool_options pool = {.workers = WORKERS, .needs = needs, .max_processes = CROWD};
    crowd->pool = pool_create(&pool, &err);
    assert_non_null(crowd->pool);
    crowd->size = pool_plan(crowd->pool)->processes;
    if (crowd->size < CROWD) {
        printf("# %u guests, not more because of %s\n", (unsigned)crowd->size,
               pool_plan(crowd->pool)->limited_by);
    }
    crowd->size = crowd->size < CROWD ? crowd->size : CROWD;
    size_t count = 0;
    const struct engine_import *imports = abi_imports(&count);
    assert_true(component_prepare(crowd->component, crowd->pool, NULL, imports, count, &err));
    struct catalog_line line = {.name = "crowd", .component = crowd->component, .has_entry = true};
    assert_true(component_entry(crowd->component, "member", &line.entry, &err));
    crowd->catalog = catalog_create(&line, 1, &err);
    assert_non_null(crowd->catalog);
}

static void make_node(struct crowd *crowd)
{
    struct node_options options = {.workers = WORKERS,
                                   .env = env_system(),
                                   .on_tick = pool_tick,
                                   .tick_argument = crowd->pool};
    struct err err = {0};
    crowd->node = node_create(&options, &err);
    assert_non_null(crowd->node);
    actor_start(crowd->node, crowd->catalog);
    assert_true(node_start(crowd->node, &err));
    tally_init(&crowd->tally);
    latch_init(&crowd->spawned);
    latch_init(&crowd->answered);
    latch_init(&crowd->told);
}

static struct native *start_host(struct crowd *crowd)
{
    static const struct process_quotas quotas = {.ties_max = UINT32_MAX};
    const struct process_options options = {
        .kind = "test", .label = "host", .quotas = &quotas, .traps_exits = true};
    struct native *host = native_create(crowd->node, &crowd->tally, turn_host, &options);
    struct err err = {0};
    host->argument = crowd;
    process_retain(&host->process);
    assert_true(process_start(&host->process, NULL, &err));
    return host;
}

/* What the engine's pools say when nothing lives. */
static void expect_nothing_in_use(struct crowd *crowd)
{
    struct engine_usage usage = pool_usage(crowd->pool);
    assert_int_equal(usage.core_instances + usage.memories + usage.tables + usage.stacks, 0);
    assert_int_equal(pool_in_use(crowd->pool), 0);
    assert_int_equal(component_processes(crowd->component), 0);
}

static void ten_thousand_live_guests_answer_and_leave_nothing(void **state)
{
    (void)state;
    struct crowd *crowd = calloc(1, sizeof *crowd);
    assert_non_null(crowd);
    make_pool(crowd);
    make_node(crowd);
    expect_nothing_in_use(crowd);
    struct native *host = start_host(crowd);

    tell_host(crowd, host, LABEL_GO);
    latch_wait(&crowd->spawned, 1);
    tell_host(crowd, host, LABEL_GO + LABEL_HELLO);
    latch_wait(&crowd->answered, crowd->size);
    assert_int_equal(node_counts(crowd->node).processes, crowd->size + 1);
    assert_int_equal(component_processes(crowd->component), crowd->size);
    assert_int_equal(pool_usage(crowd->pool).memories, crowd->size);

    tell_host(crowd, host, LABEL_GO + LABEL_LEAVE);
    latch_wait(&crowd->told, 2 * crowd->size);
    node_stop(crowd->node);
    assert_int_equal(crowd->normal_downs, crowd->size);
    assert_int_equal(crowd->normal_exits, crowd->size);
    assert_int_equal(node_counts(crowd->node).processes, 0);
    assert_int_equal(node_counts(crowd->node).timers, 0);
    expect_nothing_in_use(crowd);

    process_release(&host->process);
    actor_start(crowd->node, NULL);
    node_destroy(crowd->node);
    component_destroy(crowd->component);
    pool_destroy(crowd->pool);
    catalog_destroy(crowd->catalog);
    latch_fini(&crowd->spawned);
    latch_fini(&crowd->answered);
    latch_fini(&crowd->told);
    tally_fini(&crowd->tally);
    free(crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_live_guests_answer_and_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
