/* What actors cost: messages between two guests, spawns with a monitor, restarts by a supervisor, and guests that wait, tied to
 * each other. bench/run.py drives it beside actors.erl, which does the same; docs/benchmarks.md says what the figures mean.
 *
 *     bench-actors ACTORS.WASM WORKERS PROCESSES
 *
 * reads rounds from its input, one a line, and answers each with a line: "CPU_NS WALL_NS COUNT".
 *     pong N      round trips of 8 bytes between two guests of one worker
 *     across N    the same, a worker each
 *     spawn N     spawn + monitor + exit + down
 *     restart N   a supervisor's child ends by an exit of its own, is restarted and answers a call
 *     trap N      the same by a trap, of which a line is logged
 *     tenths N    as restart; "EARLY_NS LATE_NS COUNT": CPU of the first and of the last tenth of them, and how many that is
 *     park N      N guests, each with a link and a monitor; they stay */
#include "stage.h"

#include "base/log.h"
#include "base/number.h"
#include "core/node.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As many restarts as a supervisor can keep, in a window that they do not fill. */
enum { TENTHS = 10, RESTARTS_KEPT = 65536, WINDOW_MS = 200, BY_EXIT = 2, BY_TRAP = 3 };

/* Round trips at a time across workers, and how often a piece is tried. */
enum { PIECE = 1000, PIECE_ATTEMPTS = 10 };

/* The input of pinger, spawner and keeper. */
struct task_input {
    uint64_t count;
    uint64_t pid;
    uint32_t restarts_max, window_ms;
    uint64_t ending;
};

/* Where CPU and wall time stood; what a round took is the difference of two. */
struct moment {
    uint64_t cpu_ns, wall_ns;
};

static struct moment moment_now(void)
{
    struct env *env = env_system();
    return (struct moment){.cpu_ns = stage_cpu_ns(), .wall_ns = env->monotonic_ns(env)};
}

static bool answer(struct moment from, struct moment to, uint64_t count)
{
    printf("%llu %llu %llu\n", (unsigned long long)(to.cpu_ns - from.cpu_ns),
           (unsigned long long)(to.wall_ns - from.wall_ns), (unsigned long long)count);
    fflush(stdout);
    return true;
}

/* ---- who notes the time at each tenth ---- */

struct clerk {
    struct process process;
    struct stage *stage; /* whose `done` the last tenth posts, too */
    struct moment tenths[TENTHS + 1];
};

static enum turn clerk_turn(struct process *process, struct exit *ret_exit)
{
    (void)ret_exit;
    struct clerk *clerk = CONTAINER_OF(process, struct clerk, process);
    struct message *message;
    while ((message = process_receive(process, NULL)) != NULL) {
        INVARIANT(message->label <= TENTHS);
        clerk->tenths[message->label] = moment_now();
        if (message->label == TENTHS) {
            sem_post(&clerk->stage->done);
        }
        message_destroy(message);
    }
    return TURN_PARKED;
}

static void clerk_reclaim(struct process *process)
{
    (void)process;
}

static void clerk_destroy(struct process *process)
{
    free(CONTAINER_OF(process, struct clerk, process));
}

static const struct body clerk_body = {
    .turn = clerk_turn, .reclaim = clerk_reclaim, .destroy = clerk_destroy};

/* With a reference for the caller. */
static struct clerk *clerk_start(struct stage *stage)
{
    struct process_options options = {.kind = "bench", .label = "clerk"};
    struct clerk *clerk = calloc(1, sizeof *clerk);
    INVARIANT(clerk != NULL);
    clerk->stage = stage;
    process_init(&clerk->process, &clerk_body, stage->node, &options);
    process_retain(&clerk->process);
    struct err err = {0};
    if (!process_start(&clerk->process, &node_loop(stage->node, 0)->worker, &err)) {
        BUG("no clerk: %s", err.text);
    }
    return clerk;
}

/* ---- rounds ---- */

static bool run_task(struct stage *stage, const char *entry, struct task_input input)
{
    struct stage_guest guest = {.entry = entry, .input = &input, .input_bytes = sizeof input};
    return stage_spawn(stage, &guest, NULL);
}

static bool round_alone(struct stage *stage, const char *entry, uint64_t count)
{
    struct moment from = moment_now();
    return run_task(stage, entry, (struct task_input){.count = count}) && stage_wait(stage, 1) &&
           answer(from, moment_now(), count);
}

static bool across(struct stage *stage, uint64_t count)
{
    struct stage_guest ponger = {.entry = "ponger", .worker = 1};
    struct pid peer = {0};
    return stage_spawn(stage, &ponger, &peer) &&
           run_task(stage, "pinger", (struct task_input){.count = count, .pid = peer.raw}) &&
           stage_wait(stage, 2);
}

/* A guest that was stolen may be on the other's worker: that is another measurement. So it is done in pieces, and those in which
 * that happened are done again. */
static bool round_across(struct stage *stage, uint64_t count)
{
    struct moment from = {0}, to = {0};
    uint64_t pieces = (count + PIECE - 1) / PIECE, good = 0;
    for (uint64_t i = 0; i < PIECE_ATTEMPTS * pieces && good < pieces; i++) {
        uint64_t steals = node_counts(stage->node).steals;
        struct moment begun = moment_now();
        if (!across(stage, PIECE)) {
            return false;
        }
        struct moment ended = moment_now();
        if (node_counts(stage->node).steals == steals) {
            to.cpu_ns += ended.cpu_ns - begun.cpu_ns;
            to.wall_ns += ended.wall_ns - begun.wall_ns;
            good++;
        }
    }
    if (good == pieces) {
        return answer(from, to, pieces * PIECE);
    }
    fprintf(stderr, "bench-actors: the guests do not stay on their workers\n");
    return false;
}

static bool round_restarts(struct stage *stage, const char *side, uint64_t count)
{
    struct clerk *clerk = clerk_start(stage);
    struct task_input input = {.count = count,
                               .pid = clerk->process.pid.raw,
                               .restarts_max = RESTARTS_KEPT,
                               .window_ms = WINDOW_MS,
                               .ending = strcmp(side, "trap") == 0 ? BY_TRAP : BY_EXIT};
    bool done = run_task(stage, "keeper", input) && stage_wait(stage, 1) && stage_wait(stage, 1);
    process_stop(&clerk->process, STOP_KILL, NULL);
    const struct moment *tenths = clerk->tenths;
    if (done && strcmp(side, "tenths") == 0) {
        uint64_t early = tenths[1].cpu_ns - tenths[0].cpu_ns;
        uint64_t late = tenths[TENTHS].cpu_ns - tenths[TENTHS - 1].cpu_ns;
        printf("%llu %llu %llu\n", (unsigned long long)early, (unsigned long long)late,
               (unsigned long long)(count / TENTHS));
        fflush(stdout);
    } else if (done) {
        answer(tenths[0], tenths[TENTHS], count);
    }
    process_release(&clerk->process);
    return done;
}

static void look_at_backlog(struct loop *loop, void *argument)
{
    *(bool *)argument = worker_backlog(&loop->worker) == 0;
}

static bool round_park(struct stage *stage, uint64_t count)
{
    struct moment from = moment_now();
    struct stage_guest holder = {.entry = "holder"};
    for (uint64_t i = 0; i < count / 2; i++) {
        if (!stage_spawn(stage, &holder, NULL)) {
            return false;
        }
    }
    /* Each look waits for a round of the worker. */
    for (bool parked = false; !parked;) {
        loop_call(node_loop(stage->node, 0), look_at_backlog, &parked);
    }
    return !stage->failed && answer(from, moment_now(), count);
}

static bool run_round(struct stage *stage, const char *side, uint64_t count)
{
    if (strcmp(side, "pong") == 0) {
        return round_alone(stage, "pinger", count);
    }
    if (strcmp(side, "across") == 0 && node_workers(stage->node) == 2) {
        return round_across(stage, count);
    }
    if (strcmp(side, "spawn") == 0) {
        return round_alone(stage, "spawner", count);
    }
    if (strcmp(side, "restart") == 0 || strcmp(side, "trap") == 0 || strcmp(side, "tenths") == 0) {
        return round_restarts(stage, side, count);
    }
    if (strcmp(side, "park") == 0) {
        return round_park(stage, count);
    }
    fprintf(stderr, "bench-actors: not a round: %s %llu\n", side, (unsigned long long)count);
    return false;
}

static bool run_rounds(struct stage *stage)
{
    char line[64];
    while (fgets(line, sizeof line, stdin) != NULL) {
        char side[16];
        unsigned long long count = 0;
        if (sscanf(line, "%15s %llu", side, &count) != 2 || count < 1 ||
            !run_round(stage, side, count)) {
            return false;
        }
    }
    return true;
}

int main(int count, char **arguments)
{
    uint64_t workers = 0, processes = 0;
    if (count != 4 || !number_parse(arguments[2], strlen(arguments[2]), 2, &workers) ||
        !number_parse(arguments[3], strlen(arguments[3]), UINT32_MAX, &processes) || workers == 0) {
        fprintf(stderr, "usage: bench-actors ACTORS.WASM WORKERS PROCESSES\n");
        return 2;
    }
    log_configure(LOG_TEXT, LOG_WARN);
    /* What crashes is logged, which is a part of what it costs; nobody reads it. */
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0 || !log_start(nowhere)) {
        perror("bench-actors");
        return 1;
    }
    guest_start();
    struct stage stage;
    struct stage_options options = {.name = "actors",
                                    .path = arguments[1],
                                    .workers = (unsigned)workers,
                                    .processes = (uint32_t)processes};
    bool done = stage_make(&stage, &options) && run_rounds(&stage);
    stage_drop(&stage);
    log_stop();
    close(nowhere);
    return done ? 0 : 1;
}
