/* What it costs to bring bytes from one guest to another over a byte stream in chunks of 4 KiB, against a loop that copies as
 * many such chunks. bench/run.py drives it; docs/benchmarks.md says what the figures mean.
 *
 *     bench-stream STREAM.WASM [CHUNKS]   reads rounds from its input, one a line: "mote 2", "copy 1" or "hot 1", the number
 *                                         of workers; answers each with a line: "CPU_NS WALL_NS CHUNKS"
 *
 * "copy" goes from 256 KiB to other 256 KiB, which is what the stream holds; "hot" copies one chunk again and again, which
 * never leaves the nearest cache. */
#include "base/log.h"
#include "base/number.h"
#include "core/node.h"
#include "guest/abi.h"
#include "guest/actor.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { CHUNK_BYTES = 4096, STREAM_BYTES = 256 * 1024, CHUNKS_DEFAULT = 1000000, WORKERS_MOST = 2 };

static const char *const spawnable[] = {"stream", NULL};

/* What the manifest gives when it says nothing, but for the right to spawn. */
static const struct grant grant = {
    .name = "bench",
    .memory_max_bytes = 64 << 20,
    .mailbox = {.messages = 10000, .bytes = 16 << 20},
    .log_lines_per_s = 100,
    .quotas = {.ties_max = 100},
    .children_max = 10,
    .streams_max = 64,
    .stream_buffer_bytes = STREAM_BYTES,
    .message_bytes_max = 4 << 20,
    .namespace = "main",
    .allow_spawn = spawnable,
};

/* A node of so many workers that runs all rounds of that number. */
struct stage {
    struct pool *pool;
    struct component *component;
    struct catalog *catalog;
    struct node *node;
    sem_t done;
    bool failed;
};

static bool stage_fail(const char *what, const struct err *err)
{
    fprintf(stderr, "bench-stream: %s: %s\n", what, err->text);
    return false;
}

static bool stage_make(struct stage *stage, const char *path, unsigned workers)
{
    struct err err = {0};
    struct component_options component = {.name = "stream", .path = path, .grant = &grant};
    stage->component = component_open(&component, &err);
    if (stage->component == NULL) {
        return stage_fail("open", &err);
    }
    struct capacity_need needs[POOL_CLASSES] = {0};
    component_add_need(stage->component, needs);
    struct pool_options pool = {.workers = workers, .needs = needs, .max_processes = 64};
    stage->pool = pool_create(&pool, &err);
    size_t count = 0;
    const struct engine_import *imports = abi_imports(&count);
    if (stage->pool == NULL ||
        !component_prepare(stage->component, stage->pool, NULL, imports, count, &err)) {
        return stage_fail("prepare", &err);
    }
    struct catalog_line line = {.name = "stream", .component = stage->component};
    stage->catalog = catalog_create(&line, 1, &err);
    struct node_options node = {.workers = workers,
                                .tick_ns = 1000000,
                                .env = env_system(),
                                .on_tick = pool_tick,
                                .tick_argument = stage->pool};
    stage->node = stage->catalog != NULL ? node_create(&node, &err) : NULL;
    if (stage->node == NULL || !node_start(stage->node, &err)) {
        return stage_fail("node", &err);
    }
    sem_init(&stage->done, 0, 0);
    return true;
}

static void stage_drop(struct stage *stage)
{
    if (stage->node != NULL) {
        node_stop(stage->node);
        actor_start(stage->node, NULL);
        node_destroy(stage->node);
        sem_destroy(&stage->done);
    }
    catalog_destroy(stage->catalog);
    component_destroy(stage->component);
    pool_destroy(stage->pool);
}

static void reader_exited(void *argument, const struct exit *exit)
{
    struct stage *stage = argument;
    if (exit->exit_class != EXIT_NORMAL) {
        fprintf(stderr, "bench-stream: %s: %s\n", exit_class_name(exit->exit_class), exit->reason);
        stage->failed = true;
    }
    sem_post(&stage->done);
}

static bool stage_round(struct stage *stage, uint64_t chunks)
{
    struct err err = {0};
    actor_start(stage->node, stage->catalog);
    const struct catalog_line *line = catalog_find(stage->catalog, "stream", strlen("stream"));
    uint8_t input[sizeof chunks];
    memcpy(input, &chunks, sizeof input);
    struct actor_options options = {.kind = "worker",
                                    .entry = "reader",
                                    .input = input,
                                    .input_bytes = sizeof input,
                                    .exited = reader_exited,
                                    .exited_argument = stage};
    if (!actor_spawn(stage->node, line, &options, NULL, NULL, &err)) {
        return stage_fail("spawn", &err);
    }
    while (sem_wait(&stage->done) != 0) {
    }
    return !stage->failed;
}

/* Copies chunks one after the other, round and round in buffers of so many bytes. */
static void copy_round(uint64_t chunks, size_t buffer_bytes)
{
    static uint8_t from[STREAM_BYTES];
    static uint8_t to[STREAM_BYTES];
    size_t at = 0;
    for (uint64_t i = 0; i < chunks; i++) {
        from[at]++;
        memcpy(to + at, from + at, CHUNK_BYTES);
        __asm__ volatile("" : : "r"(to) : "memory"); /* Somebody may read it: not to be left out. */
        at = at + CHUNK_BYTES < buffer_bytes ? at + CHUNK_BYTES : 0;
    }
}

static uint64_t cpu_ns(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    uint64_t seconds = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
    uint64_t microseconds = (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    return seconds * UINT64_C(1000000000) + microseconds * 1000;
}

static bool run_rounds(struct stage stages[WORKERS_MOST], uint64_t chunks)
{
    struct env *env = env_system();
    char line[64];
    while (fgets(line, sizeof line, stdin) != NULL) {
        char side[16];
        unsigned workers = 0;
        if (sscanf(line, "%15s %u", side, &workers) != 2 || workers < 1 || workers > WORKERS_MOST) {
            fprintf(stderr, "bench-stream: not a round: %s", line);
            return false;
        }
        uint64_t cpu = cpu_ns();
        uint64_t wall = env->monotonic_ns(env);
        if (strcmp(side, "copy") == 0) {
            copy_round(chunks, STREAM_BYTES);
        } else if (strcmp(side, "hot") == 0) {
            copy_round(chunks, CHUNK_BYTES);
        } else if (!stage_round(&stages[workers - 1], chunks)) {
            return false;
        }
        printf("%llu %llu %llu\n", (unsigned long long)(cpu_ns() - cpu),
               (unsigned long long)(env->monotonic_ns(env) - wall), (unsigned long long)chunks);
        fflush(stdout);
    }
    return true;
}

int main(int count, char **arguments)
{
    uint64_t chunks = CHUNKS_DEFAULT;
    if (count < 2 ||
        (count > 2 && !number_parse(arguments[2], strlen(arguments[2]), UINT32_MAX, &chunks)) ||
        chunks == 0) {
        fprintf(stderr, "usage: bench-stream STREAM.WASM [CHUNKS]\n");
        return 2;
    }
    log_configure(LOG_TEXT, LOG_WARN);
    guest_start();
    struct stage stages[WORKERS_MOST] = {{0}};
    bool done = true;
    for (unsigned i = 0; i < WORKERS_MOST; i++) {
        done = done && stage_make(&stages[i], arguments[1], i + 1);
    }
    done = done && run_rounds(stages, chunks);
    for (unsigned i = 0; i < WORKERS_MOST; i++) {
        stage_drop(&stages[i]);
    }
    return done ? 0 : 1;
}
