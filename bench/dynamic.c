/* What spawn_from() of code that is loaded costs a guest, against spawn() of the same code as a component.
 * bench/run.py drives it; docs/benchmarks.md says what the figures mean.
 *
 *     bench-dynamic DYNAMIC.WASM MOTE
 *
 * reads rounds from its input, one a line: what, and how often a guest spawns a child and waits for its end; answers each with a line:
 * "CPU_NS WALL_NS COUNT".
 *     registered N   by spawn()
 *     named N        by spawn_from(), with the digest of the code
 *     inline N       by spawn_from(), with the code itself */
#include "stage.h"

#include "base/log.h"
#include "guest/cache.h"

#include <stdio.h>
#include <string.h>

enum { DIGEST_BYTES = 32, SOURCE_BYTES_MAX = 4096 };

static bool name_code(const struct bytes *wasm, struct bytes *ret)
{
    unsigned char digest[DIGEST_BYTES];
    cache_digest(wasm->data, wasm->size, digest);
    bool good = bytes_printf(ret, "sha256:");
    for (unsigned i = 0; good && i < DIGEST_BYTES; i++) {
        good = bytes_printf(ret, "%02x", digest[i]);
    }
    return good;
}

static bool run(struct stage *stage, const struct bytes *wasm, const char *what, uint64_t count)
{
    AUTO(bytes_finip) struct bytes input = {0};
    bool good = bytes_append(&input, &count, sizeof count);
    if (strcmp(what, "named") == 0) {
        good = good && name_code(wasm, &input);
    } else {
        good = good && bytes_append(&input, wasm->data, wasm->size);
    }
    struct stage_guest guest = {.entry = strcmp(what, "registered") == 0 ? what : "brought",
                                .input = input.data,
                                .input_bytes = input.size};
    return good && stage_spawn(stage, &guest, NULL) && stage_wait(stage, 1);
}

static bool run_round(struct stage *stage, const struct bytes *wasm, const char *line)
{
    struct env *env = env_system();
    char what[16];
    unsigned count = 0;
    if (sscanf(line, "%15s %u", what, &count) != 2 || count == 0) {
        fprintf(stderr, "bench-dynamic: not a round: %s", line);
        return false;
    }
    uint64_t cpu = stage_cpu_ns();
    uint64_t wall = env->monotonic_ns(env);
    bool good = run(stage, wasm, what, count);
    printf("%llu %llu %u\n", (unsigned long long)(stage_cpu_ns() - cpu),
           (unsigned long long)(env->monotonic_ns(env) - wall), count);
    fflush(stdout);
    return good;
}

int main(int count, char **arguments)
{
    enum { FILES = 2 };
    if (count != 1 + FILES) {
        fprintf(stderr, "usage: bench-dynamic DYNAMIC.WASM MOTE\n");
        return 2;
    }
    log_configure(LOG_TEXT, LOG_WARN);
    guest_start();
    struct stage stage;
    struct stage_options options = {.name = "dynamic",
                                    .path = arguments[1],
                                    .workers = 1,
                                    .processes = 64,
                                    .compiler = arguments[2]};
    AUTO(bytes_finip) struct bytes wasm = {0};
    struct err err = {0};
    bool done = stage_make(&stage, &options) &&
                bytes_read_file(&wasm, arguments[1], SOURCE_BYTES_MAX, &err);
    char line[64];
    /* Loaded before anything is measured. */
    done = done && run(&stage, &wasm, "inline", 1);
    while (done && fgets(line, sizeof line, stdin) != NULL) {
        done = run_round(&stage, &wasm, line);
    }
    stage_drop(&stage);
    return done ? 0 : 1;
}
