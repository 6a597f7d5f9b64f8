/* What a process costs: spawn + run + exit of a one-page core module, through the whole of mote (node,
 * pid, grant, mailbox, scheduler, instance, reclaim), and by the bare engine, which does the same through
 * engine.h alone. bench/run.py drives it; docs/benchmarks.md says what the figures mean.
 *
 *     bench-spawn [SPAWNS]      reads rounds from its input, one a line: "mote 2", "model 1" (a component of the
 *                               component model in place of the module), "bare 1", or "again 1" (as mote,
 *                               with instances that are used again, as a node does; those of the others are
 *                               made anew each time), and the number of workers or threads; answers each
 *                               with a line: "CPU_NS WALL_NS SPAWNS"
 *
 * Both sides run in this one program, in turns, on engines of the same settings, so that whatever else
 * the machine does meets both. On each worker one process begins where the one before it has ended: no
 * traffic between threads that a server, which spawns where a request was read, would not have. */
#include "base/log.h"
#include "base/number.h"
#include "core/node.h"
#include "guest/guest.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* (module (memory (export "memory") 1)
 *         (func (export "run") (i32.store (i32.const 64) (i32.const 1)))) */
static const unsigned char one_page_wasm[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00,
    0x03, 0x02, 0x01, 0x00, 0x05, 0x03, 0x01, 0x00, 0x01, 0x07, 0x10, 0x02, 0x06, 0x6d,
    0x65, 0x6d, 0x6f, 0x72, 0x79, 0x02, 0x00, 0x03, 0x72, 0x75, 0x6e, 0x00, 0x00, 0x0a,
    0x0c, 0x01, 0x0a, 0x00, 0x41, 0xc0, 0x00, 0x41, 0x01, 0x36, 0x02, 0x00, 0x0b,
};

/* The same by the component model, as wasi:cli/run:
 * (component (core module $code (memory (export "memory") 1)
 *              (func (export "run") (result i32) (i32.store (i32.const 64) (i32.const 1)) (i32.const 0)))
 *            (core instance $core (instantiate $code))
 *            (func $run (result (result)) (canon lift (core func $core "run")))
 *            (instance $interface (export "run" (func $run)))
 *            (export "wasi:cli/run@0.2.0" (instance $interface))) */
static const unsigned char one_page_component[] = {
    0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00, 0x01, 0x48, 0x00, 0x61, 0x73, 0x6d, 0x01, 0x00,
    0x00, 0x00, 0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7f, 0x03, 0x02, 0x01, 0x00, 0x05, 0x03, 0x01,
    0x00, 0x01, 0x07, 0x10, 0x02, 0x06, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 0x02, 0x00, 0x03, 0x72,
    0x75, 0x6e, 0x00, 0x00, 0x0a, 0x0e, 0x01, 0x0c, 0x00, 0x41, 0xc0, 0x00, 0x41, 0x01, 0x36, 0x02,
    0x00, 0x41, 0x00, 0x0b, 0x00, 0x0c, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x00, 0x05, 0x04, 0x63, 0x6f,
    0x64, 0x65, 0x02, 0x04, 0x01, 0x00, 0x00, 0x00, 0x07, 0x08, 0x02, 0x6a, 0x00, 0x00, 0x40, 0x00,
    0x00, 0x00, 0x06, 0x09, 0x01, 0x00, 0x00, 0x01, 0x00, 0x03, 0x72, 0x75, 0x6e, 0x08, 0x06, 0x01,
    0x00, 0x00, 0x00, 0x00, 0x01, 0x05, 0x0a, 0x01, 0x01, 0x01, 0x00, 0x03, 0x72, 0x75, 0x6e, 0x01,
    0x00, 0x0b, 0x18, 0x01, 0x00, 0x12, 0x77, 0x61, 0x73, 0x69, 0x3a, 0x63, 0x6c, 0x69, 0x2f, 0x72,
    0x75, 0x6e, 0x40, 0x30, 0x2e, 0x32, 0x2e, 0x30, 0x05, 0x00, 0x00, 0x00, 0x3d, 0x0e, 0x63, 0x6f,
    0x6d, 0x70, 0x6f, 0x6e, 0x65, 0x6e, 0x74, 0x2d, 0x6e, 0x61, 0x6d, 0x65, 0x01, 0x09, 0x00, 0x11,
    0x01, 0x00, 0x04, 0x63, 0x6f, 0x64, 0x65, 0x01, 0x09, 0x00, 0x12, 0x01, 0x00, 0x04, 0x63, 0x6f,
    0x72, 0x65, 0x01, 0x07, 0x01, 0x01, 0x00, 0x03, 0x72, 0x75, 0x6e, 0x01, 0x0d, 0x05, 0x01, 0x00,
    0x09, 0x69, 0x6e, 0x74, 0x65, 0x72, 0x66, 0x61, 0x63, 0x65,
};

enum {
    LANES_MAX = 2,
    STAGES = 2 * LANES_MAX, /* one worker, two; the same with instances that are used again */
    SPAWNS_DEFAULT = 200000,
    PROCESSES_MAX = 4096,
    MEMORY_MAX_BYTES = 64 << 20,
};

enum kind { KIND_MODULE, KIND_MODEL };
enum { KINDS = 2 };

/* What a request gets when the manifest says nothing. */
static const struct grant grant = {
    .name = "sandboxed",
    .memory_max_bytes = MEMORY_MAX_BYTES,
    .cpu_max_ns = UINT64_C(10000000000),
    .mailbox = {.messages = 10000, .bytes = 16 << 20},
    .log_lines_per_s = 100,
};
static const uint64_t deadline_ns = UINT64_C(30000000000);

/* Spawns one after the other on one worker, or on one thread of the bare engine. */
struct lane {
    _Alignas(64) struct stage *stage;
    unsigned index;
    uint64_t left;
    sem_t done; /* mote: posted when the last process has exited */
    bool failed;
};

/* A file of Wasm, and what to run in it. */
struct made {
    char path[32];
    const char *entry;
};

/* A node of so many workers with the component registered, and the same module loaded once more into
 * its engines for the bare rounds. Both live at once; which one works is a matter of the round. */
struct stage {
    unsigned workers;
    struct pool *pool;
    struct component *components[KINDS];
    struct node *node;
    bool started;
    uint32_t entries[KINDS];
    enum kind kind; /* of the round under way */
    struct engine_image *images[LANES_MAX];
    uint32_t bare_entry;
    struct lane lanes[LANES_MAX];
};

static void fail(const char *what, const struct err *err)
{
    fprintf(stderr, "bench-spawn: %s: %s\n", what, err->text);
}

/* ---- rounds of mote ---- */

static void lane_spawn(struct lane *lane);

static void process_exited(struct guest *guest, void *context, const struct exit *exit)
{
    (void)guest;
    struct lane *lane = context;
    if (exit->exit_class != EXIT_NORMAL) {
        fprintf(stderr, "bench-spawn: %s: %s\n", exit_class_name(exit->exit_class), exit->reason);
        lane->failed = true;
    }
    lane->left--;
    if (lane->left == 0 || lane->failed) {
        sem_post(&lane->done);
    } else {
        lane_spawn(lane);
    }
}

static const struct guest_role role = {.kind = "bench", .exited = process_exited};

static void lane_spawn(struct lane *lane)
{
    struct stage *stage = lane->stage;
    struct err err = {0};
    struct guest_options options = {.entry = stage->entries[stage->kind],
                                    .role = &role,
                                    .context = lane,
                                    .deadline_ns = deadline_ns};
    if (!guest_spawn(stage->node, stage->components[stage->kind], &options, worker_current(), NULL,
                     &err)) {
        fail("spawn", &err);
        lane->failed = true;
        sem_post(&lane->done);
    }
}

static void lane_begin(struct loop *loop, void *argument)
{
    (void)loop;
    lane_spawn(argument);
}

static void mote_round(struct stage *stage)
{
    guest_start();
    for (unsigned i = 0; i < stage->workers; i++) {
        loop_call(node_loop(stage->node, i), lane_begin, &stage->lanes[i]);
    }
    for (unsigned i = 0; i < stage->workers; i++) {
        while (sem_wait(&stage->lanes[i].done) != 0) {
            /* Interrupted. */
        }
    }
}

/* ---- rounds of the bare engine ---- */

static enum engine_tick_result bare_tick(void *process)
{
    (void)process;
    return ENGINE_TICK_CONTINUE;
}

static void bare_nothing(void *process)
{
    (void)process;
}

static const struct engine_process_functions bare_functions = {
    .tick = bare_tick, .retain = bare_nothing, .wake = bare_nothing, .release = bare_nothing};

static void *bare_main(void *argument)
{
    struct lane *lane = argument;
    struct stage *stage = lane->stage;
    struct engine_spawn_options options = {
        .process = lane, .entry = stage->bare_entry, .memory_max_bytes = MEMORY_MAX_BYTES};
    struct engine_exit exit;
    for (; lane->left > 0 && !lane->failed; lane->left--) {
        struct engine_fiber *fiber = engine_fiber_create(stage->images[lane->index], &options);
        exit.backtrace = NULL;
        lane->failed = fiber == NULL || !engine_fiber_poll(fiber, &exit) ||
                       exit.kind != ENGINE_EXIT_RETURNED;
        engine_exit_fini(&exit);
        engine_fiber_destroy(fiber);
    }
    return NULL;
}

static void bare_round(struct stage *stage)
{
    engine_set_process_functions(&bare_functions);
    pthread_t threads[LANES_MAX];
    for (unsigned i = 0; i < stage->workers; i++) {
        if (pthread_create(&threads[i], NULL, bare_main, &stage->lanes[i]) != 0) {
            BUG("no thread for the bare engine");
        }
    }
    for (unsigned i = 0; i < stage->workers; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* ---- setting up ---- */

static bool load_bare(struct stage *stage, struct err *err)
{
    for (unsigned i = 0; i < stage->workers; i++) {
        struct engine *engine = pool_engine(stage->pool, i, POOL_SMALL);
        AUTO(bytes_finip) struct bytes artefact = {0};
        if (!engine_compile(engine, one_page_wasm, sizeof one_page_wasm, &artefact, err)) {
            return false;
        }
        stage->images[i] = engine_load(engine, ENGINE_MODULE, NULL, &artefact,
                                       &(struct engine_link){.import_count = 0}, err);
        if (stage->images[i] == NULL ||
            !engine_image_entry(stage->images[i], "run", &stage->bare_entry, err)) {
            return false;
        }
    }
    return true;
}

static bool stage_open(struct stage *stage, unsigned workers, bool fresh,
                       const struct made made[KINDS], struct err *err)
{
    *stage = (struct stage){.workers = workers};
    struct capacity_need needs[POOL_CLASSES] = {0};
    for (size_t i = 0; i < KINDS; i++) {
        struct component_options component = {
            .name = "one-page", .path = made[i].path, .grant = &grant};
        stage->components[i] = component_open(&component, err);
        if (stage->components[i] == NULL) {
            return false;
        }
        component_add_need(stage->components[i], needs);
    }
    struct pool_options pool = {
        .workers = workers, .needs = needs, .max_processes = PROCESSES_MAX, .fresh = fresh};
    stage->pool = pool_create(&pool, err);
    if (stage->pool == NULL) {
        return false;
    }
    for (size_t i = 0; i < KINDS; i++) {
        if (!component_prepare(stage->components[i], stage->pool, NULL, NULL, 0, err) ||
            !component_entry(stage->components[i], made[i].entry, &stage->entries[i], err)) {
            return false;
        }
    }
    struct node_options node = {.workers = workers,
                                .max_processes = PROCESSES_MAX,
                                .env = env_system(),
                                .on_tick = pool_tick,
                                .tick_argument = stage->pool};
    stage->node = node_create(&node, err);
    if (stage->node == NULL || !load_bare(stage, err) || !node_start(stage->node, err)) {
        return false;
    }
    stage->started = true;
    return true;
}

static void stage_close(struct stage *stage)
{
    if (stage->started) {
        node_stop(stage->node);
    }
    node_destroy(stage->node);
    for (unsigned i = 0; i < LANES_MAX; i++) {
        engine_image_destroy(stage->images[i]);
    }
    for (size_t i = 0; i < KINDS; i++) {
        component_destroy(stage->components[i]);
    }
    pool_destroy(stage->pool);
}

/* ---- measuring ---- */

static uint64_t timeval_ns(const struct timeval *value)
{
    return (uint64_t)value->tv_sec * 1000000000 + (uint64_t)value->tv_usec * 1000;
}

static uint64_t cpu_ns(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return timeval_ns(&usage.ru_utime) + timeval_ns(&usage.ru_stime);
}

/* One round of `spawns` spawns over all lanes. False: one of them went wrong. */
static bool stage_measure(struct stage *stage, void (*round)(struct stage *stage), uint64_t spawns)
{
    uint64_t each = spawns / stage->workers;
    for (unsigned i = 0; i < stage->workers; i++) {
        struct lane *lane = &stage->lanes[i];
        *lane = (struct lane){.stage = stage, .index = i, .left = each};
        sem_init(&lane->done, 0, 0);
    }
    struct env *env = env_system();
    uint64_t wall_began = env->monotonic_ns(env);
    uint64_t cpu_began = cpu_ns();
    round(stage);
    uint64_t cpu = cpu_ns() - cpu_began;
    uint64_t wall = env->monotonic_ns(env) - wall_began;
    for (unsigned i = 0; i < stage->workers; i++) {
        sem_destroy(&stage->lanes[i].done);
        if (stage->lanes[i].failed) {
            return false;
        }
    }
    printf("%llu %llu %llu\n", (unsigned long long)cpu, (unsigned long long)wall,
           (unsigned long long)(each * stage->workers));
    fflush(stdout);
    return true;
}

/* "mote 2", "model 1", "bare 1", "again 1". False: nothing of the kind, or it went wrong. */
static bool run_line(struct stage stages[STAGES], const char *line, uint64_t spawns)
{
    char side[8];
    unsigned workers = 0;
    if (sscanf(line, "%7s %u", side, &workers) != 2 || workers < 1 || workers > LANES_MAX) {
        fprintf(stderr,
                "bench-spawn: a round is \"mote N\", \"again N\", \"model N\" or \"bare N\", "
                "N 1 or 2\n");
        return false;
    }
    bool bare = strcmp(side, "bare") == 0, model = strcmp(side, "model") == 0;
    bool again = strcmp(side, "again") == 0;
    if (!bare && !model && !again && strcmp(side, "mote") != 0) {
        fprintf(stderr, "bench-spawn: '%s' is neither mote, again, model nor bare\n", side);
        return false;
    }
    struct stage *stage = &stages[workers - 1 + (again ? LANES_MAX : 0)];
    stage->kind = model ? KIND_MODEL : KIND_MODULE;
    return stage_measure(stage, bare ? bare_round : mote_round, spawns);
}

static bool write_wasm(char *path, const unsigned char *wasm, size_t size)
{
    int fd = mkstemp(path);
    if (fd < 0) {
        return false;
    }
    bool written = write(fd, wasm, size) == (ssize_t)size;
    return close(fd) == 0 && written;
}

static int bench(uint64_t spawns, const struct made made[KINDS])
{
    struct stage stages[STAGES] = {0};
    struct err err = {0};
    int status = 0;
    for (unsigned i = 0; i < STAGES && status == 0; i++) {
        if (!stage_open(&stages[i], i % LANES_MAX + 1, i < LANES_MAX, made, &err)) {
            fail("set up", &err);
            status = 1;
        }
    }
    char line[64];
    while (status == 0 && fgets(line, sizeof line, stdin) != NULL) {
        status = run_line(stages, line, spawns) ? 0 : 1;
    }
    for (unsigned i = 0; i < STAGES; i++) {
        stage_close(&stages[i]);
    }
    return status;
}

int main(int argc, char **argv)
{
    uint64_t spawns = SPAWNS_DEFAULT;
    if (argc > 2 || (argc == 2 && (!number_parse(argv[1], strlen(argv[1]), UINT32_MAX, &spawns) ||
                                   spawns < 2))) {
        fputs("usage: bench-spawn [SPAWNS]\n", stderr);
        return 2;
    }
    struct made made[KINDS] = {[KIND_MODULE] = {"/tmp/mote-bench-XXXXXX", "run"},
                               [KIND_MODEL] = {"/tmp/mote-bench-XXXXXX", "wasi:cli/run"}};
    log_configure(LOG_TEXT, LOG_WARN);
    if (!write_wasm(made[KIND_MODULE].path, one_page_wasm, sizeof one_page_wasm) ||
        !write_wasm(made[KIND_MODEL].path, one_page_component, sizeof one_page_component) ||
        !log_start(STDERR_FILENO)) {
        perror("bench-spawn");
        return 1;
    }
    guest_start();
    int status = bench(spawns, made);
    unlink(made[KIND_MODULE].path);
    unlink(made[KIND_MODEL].path);
    log_stop();
    return status;
}
