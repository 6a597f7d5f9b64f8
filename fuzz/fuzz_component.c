/* Whatever a component passes to what it can import, as numbers of the canonical ABI: pointers and sizes, cases, handles of
 * resources that were dropped, never were or are of another type, and whatever its allocator answers. It ends, or goes on; the
 * engine does not fail; and when all have ended, pools, names and processes are as before.
 *
 * Input: what the guest plays (component/guest.c), which is compiled once, by the real engine. */
#include "native.h"

#include "base/log.h"
#include "guest/abi.h"
#include "guest/actor.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

enum {
    PROCESSES_MAX = 20,
    ROUNDS = 4,
    ROUNDS_MAX = 100, /* of killing what is left */
    ROUND_NS = 1000000000,
    INPUT_BYTES_MAX = 16384,
};

static const char *const spawnable[] = {"child", "absent", NULL};
static const struct engine_preopen preopen = {
    .host_path = FUZZ_FOLDER, .guest_path = "/here", .read_only = true};
static const struct grant grant = {
    .name = "usual",
    .memory_max_bytes = 1 << 20,
    .mailbox = {.messages = 100, .bytes = 100000},
    .quotas = {.ties_max = 100, .timers_max = 100, .registered_max = {10, 10, 10}},
    .children_max = 3,
    .streams_max = 6,
    .stream_buffer_bytes = 4096,
    .message_bytes_max = 1000,
    .namespace = "main",
    .allow_spawn = spawnable,
    .stdio = true,
    .preopens = &preopen,
    .preopen_count = 1,
};

struct stage {
    struct still_env env;
    struct node *node;
    struct pool *pool;
    struct component *component;
    struct catalog *catalog;
};

static void must(bool good, const struct err *err)
{
    if (!good) {
        BUG("no stage: %s", err->text);
    }
}

/* Once, for all inputs: to compile the component takes a second, and the engine's own threads may hold a process a little longer than it
 * lives, which no node survives that is destroyed before. */
static void stage_make(struct stage *stage)
{
    struct err err = {0};
    guest_start();
    struct component_options options = {
        .name = "guest", .path = FUZZ_FOLDER "/component.wasm", .grant = &grant};
    stage->component = component_open(&options, &err);
    must(stage->component != NULL, &err);
    struct capacity_need needs[POOL_CLASSES] = {0};
    component_add_need(stage->component, needs);
    struct pool_options pool = {.workers = 1, .needs = needs, .max_processes = PROCESSES_MAX};
    stage->pool = pool_create(&pool, &err);
    must(stage->pool != NULL, &err);
    size_t count = 0;
    const struct engine_import *imports = abi_imports(&count);
    must(component_prepare(stage->component, stage->pool, NULL, imports, count, &err), &err);
    struct catalog_line lines[] = {{.name = "guest", .component = stage->component},
                                   {.name = "child", .component = stage->component}};
    lines[1].has_entry = component_entry(stage->component, "stay", &lines[1].entry, &err);
    must(lines[1].has_entry, &err);
    stage->catalog = catalog_create(lines, ARRAY_LENGTH(lines), &err);
    must(stage->catalog != NULL, &err);
    log_configure(LOG_TEXT, LOG_ERROR);
    still_env_init(&stage->env, 1);
    stage->node = still_node(&stage->env, 1, 0);
    actor_start(stage->node, stage->catalog);
}

static void look_at_exit(void *argument, const struct exit *exit)
{
    (void)argument;
    if (strstr(exit->reason, "the engine failed") != NULL) {
        BUG("%s", exit->reason);
    }
}

static void play(struct stage *stage, const uint8_t *data, size_t size_bytes)
{
    const struct catalog_line *line = catalog_find(stage->catalog, "guest", strlen("guest"));
    struct actor_options options = {.kind = "worker",
                                    .entry = "run",
                                    .input = data,
                                    .input_bytes = size_bytes,
                                    .exited = look_at_exit};
    struct pid pid;
    struct err err = {0};
    must(actor_spawn(stage->node, line, &options, &pid, NULL, &err), &err);
    for (unsigned round = 0; round < ROUNDS; round++) {
        run_until_idle(stage->node);
        stage->env.now_ns += ROUND_NS;
    }
}

/* Supervisors start others in the meantime: round and round. */
static void end_all(struct node *node)
{
    static struct process_info all[PROCESSES_MAX];
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        size_t count = node_list(node, all, ARRAY_LENGTH(all));
        for (size_t i = 0; i < count && i < ARRAY_LENGTH(all); i++) {
            (void)process_kill(node, all[i].pid, "the end");
        }
        run_until_idle(node);
        if (count == 0) {
            return;
        }
    }
    BUG("processes do not end");
}

static void count_names(void *argument, const struct registry_key *key, struct pid pid)
{
    (void)key;
    (void)pid;
    ++*(unsigned *)argument;
}

/* Nothing is left of anybody. */
static void look_at_rest(struct stage *stage)
{
    unsigned names = 0;
    for (int kind = 0; kind < (int)REGISTRY_KINDS; kind++) {
        registry_visit(node_registry(stage->node), (enum registry_kind)kind, count_names, &names);
    }
    INVARIANT(names == 0);
    struct node_counts counts = node_counts(stage->node);
    INVARIANT(counts.processes == 0);
    INVARIANT(counts.timers == 0);
    INVARIANT(component_processes(stage->component) == 0);
    INVARIANT(pool_in_use(stage->pool) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static struct stage stage;
    if (stage.catalog == NULL) {
        stage_make(&stage);
    }
    stage.env.seed = 1;
    play(&stage, data, size_bytes < INPUT_BYTES_MAX ? size_bytes : INPUT_BYTES_MAX);
    end_all(stage.node);
    look_at_rest(&stage);
    return 0;
}
