/* What it costs to bring bytes from one guest to another over a byte stream in chunks of 4 KiB, against a loop that copies as
 * many such chunks. bench/run.py drives it; docs/benchmarks.md says what the figures mean.
 *
 *     bench-stream STREAM.WASM [CHUNKS]   reads rounds from its input, one a line: "mote 2", "copy 1" or "hot 1", the number
 *                                         of workers; answers each with a line: "CPU_NS WALL_NS CHUNKS"
 *
 * "copy" goes from 256 KiB to other 256 KiB, which is what the stream holds; "hot" copies one chunk again and again, which
 * never leaves the nearest cache. */
#include "stage.h"

#include "base/log.h"
#include "base/number.h"

#include <stdio.h>
#include <string.h>

enum { CHUNK_BYTES = 4096, CHUNKS_DEFAULT = 1000000, WORKERS_MOST = 2 };

static bool stage_round(struct stage *stage, uint64_t chunks)
{
    struct stage_guest reader = {.entry = "reader", .input = &chunks, .input_bytes = sizeof chunks};
    return stage_spawn(stage, &reader, NULL) && stage_wait(stage, 1);
}

/* Copies chunks one after the other, round and round in buffers of so many bytes. */
static void copy_round(uint64_t chunks, size_t buffer_bytes)
{
    static uint8_t from[STAGE_STREAM_BYTES];
    static uint8_t to[STAGE_STREAM_BYTES];
    size_t at = 0;
    for (uint64_t i = 0; i < chunks; i++) {
        from[at]++;
        memcpy(to + at, from + at, CHUNK_BYTES);
        __asm__ volatile("" : : "r"(to) : "memory"); /* Somebody may read it: not to be left out. */
        at = at + CHUNK_BYTES < buffer_bytes ? at + CHUNK_BYTES : 0;
    }
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
        uint64_t cpu = stage_cpu_ns();
        uint64_t wall = env->monotonic_ns(env);
        if (strcmp(side, "copy") == 0) {
            copy_round(chunks, STAGE_STREAM_BYTES);
        } else if (strcmp(side, "hot") == 0) {
            copy_round(chunks, CHUNK_BYTES);
        } else if (!stage_round(&stages[workers - 1], chunks)) {
            return false;
        }
        printf("%llu %llu %llu\n", (unsigned long long)(stage_cpu_ns() - cpu),
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
        struct stage_options options = {
            .name = "stream", .path = arguments[1], .workers = i + 1, .processes = 64};
        done = done && stage_make(&stages[i], &options);
    }
    done = done && run_rounds(stages, chunks);
    for (unsigned i = 0; i < WORKERS_MOST; i++) {
        stage_drop(&stages[i]);
    }
    return done ? 0 : 1;
}
