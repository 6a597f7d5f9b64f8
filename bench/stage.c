#include "stage.h"

#include "guest/abi.h"
#include "guest/dynamic.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static const char *const spawnable[] = {"*", NULL};

/* What the manifest gives when it says nothing, but for the right to spawn. */
static const struct grant grant = {
    .name = "bench",
    .memory_max_bytes = 64 << 20,
    .mailbox = {.messages = 10000, .bytes = 16 << 20},
    .log_lines_per_s = 100,
    .quotas = {.ties_max = 100},
    .children_max = 10,
    .streams_max = 64,
    .stream_buffer_bytes = STAGE_STREAM_BYTES,
    .message_bytes_max = 4 << 20,
    .namespace = "main",
    .allow_spawn = spawnable,
};

static bool stage_fail(const char *what, const struct err *err)
{
    fprintf(stderr, "bench: %s: %s\n", what, err->text);
    return false;
}

static bool make_pool(struct stage *stage, const struct stage_options *options, struct err *err)
{
    struct capacity_need needs[POOL_CLASSES] = {0};
    component_add_need(stage->component, needs);
    struct pool_options pool = {
        .workers = options->workers, .needs = needs, .max_processes = options->processes};
    stage->pool = pool_create(&pool, err);
    size_t count = 0;
    const struct engine_import *imports = abi_imports(&count);
    return stage->pool != NULL &&
           component_prepare(stage->component, stage->pool, NULL, imports, count, err);
}

static bool make_template(struct stage *stage, const char *compiler, struct catalog_line *line,
                          struct err *err)
{
    struct dynamic_template template = {.component = stage->component, .entry = "child"};
    struct dynamic_options options = {
        .templates = &template, .template_count = 1, .pool = stage->pool, .program = compiler};
    options.imports = abi_imports(&options.import_count);
    line->has_entry = component_entry(stage->component, "child", &line->entry, err);
    stage->dynamic = line->has_entry ? dynamic_create(&options, err) : NULL;
    return stage->dynamic != NULL;
}

bool stage_make(struct stage *stage, const struct stage_options *options)
{
    *stage = (struct stage){0};
    sem_init(&stage->done, 0, 0);
    struct err err = {0};
    struct component_options component = {.name = options->name,
                                          .path = options->path,
                                          .grant = &grant,
                                          .lends = options->compiler != NULL};
    stage->component = component_open(&component, &err);
    if (stage->component == NULL) {
        return stage_fail("open", &err);
    }
    if (!make_pool(stage, options, &err)) {
        return stage_fail("prepare", &err);
    }
    struct catalog_line line = {.name = options->name, .component = stage->component};
    if (options->compiler != NULL && !make_template(stage, options->compiler, &line, &err)) {
        return stage_fail("template", &err);
    }
    stage->catalog = catalog_create(&line, 1, &err);
    struct node_options node = {.workers = options->workers,
                                .tick_ns = 1000000,
                                .env = env_system(),
                                .on_tick = pool_tick,
                                .tick_argument = stage->pool};
    stage->node = stage->catalog != NULL ? node_create(&node, &err) : NULL;
    if (stage->node != NULL) {
        dynamic_start(stage->node, stage->dynamic);
    }
    if (stage->node == NULL || !node_start(stage->node, &err)) {
        return stage_fail("node", &err);
    }
    return true;
}

void stage_drop(struct stage *stage)
{
    atomic_store(&stage->dropped, true);
    if (stage->node != NULL) {
        node_stop(stage->node);
        actor_start(stage->node, NULL);
        node_destroy(stage->node);
    }
    catalog_destroy(stage->catalog);
    dynamic_start(NULL, NULL);
    dynamic_destroy(stage->dynamic);
    component_destroy(stage->component);
    pool_destroy(stage->pool);
    sem_destroy(&stage->done);
}

/* ---- guests ---- */

static void guest_exited(void *argument, const struct exit *exit)
{
    struct stage *stage = argument;
    /* Those that wait are killed by stage_drop(). */
    if (exit->exit_class != EXIT_NORMAL && !atomic_load(&stage->dropped)) {
        fprintf(stderr, "bench: %s: %s\n", exit_class_name(exit->exit_class), exit->reason);
        stage->failed = true;
    }
    sem_post(&stage->done);
}

/* A spawn, on the thread of its worker. */
struct spawn {
    struct stage *stage;
    const struct stage_guest *guest;
    struct pid pid;
    bool spawned;
};

static void spawn_here(struct loop *loop, void *argument)
{
    (void)loop;
    struct spawn *spawn = argument;
    struct stage *stage = spawn->stage;
    struct actor_options options = {.kind = "worker",
                                    .entry = spawn->guest->entry,
                                    .input = spawn->guest->input,
                                    .input_bytes = spawn->guest->input_bytes,
                                    .exited = guest_exited,
                                    .exited_argument = stage};
    const char *name = component_name(stage->component);
    const struct catalog_line *line = catalog_find(stage->catalog, name, strlen(name));
    struct err err = {0};
    spawn->spawned = actor_spawn(stage->node, line, &options, &spawn->pid, NULL, &err) ||
                     stage_fail("spawn", &err);
}

bool stage_spawn(struct stage *stage, const struct stage_guest *guest, struct pid *ret_pid)
{
    struct spawn spawn = {.stage = stage, .guest = guest};
    actor_start(stage->node, stage->catalog);
    loop_call(node_loop(stage->node, guest->worker), spawn_here, &spawn);
    if (ret_pid != NULL) {
        *ret_pid = spawn.pid;
    }
    return spawn.spawned;
}

bool stage_wait(struct stage *stage, unsigned guests)
{
    for (unsigned i = 0; i < guests; i++) {
        while (sem_wait(&stage->done) != 0) {
            /* Interrupted. */
        }
    }
    return !stage->failed;
}

static uint64_t timeval_ns(const struct timeval *value)
{
    return (uint64_t)value->tv_sec * 1000000000 + (uint64_t)value->tv_usec * 1000;
}

uint64_t stage_cpu_ns(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return timeval_ns(&usage.ru_utime) + timeval_ns(&usage.ru_stime);
}
