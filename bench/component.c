/* What a component's calls of the platform cost, and its spawn, against those of a core module that does the same.
 * bench/run.py drives it; docs/benchmarks.md says what the figures mean.
 *
 *     bench-component MODULE.WASM COMPONENT.WASM
 *
 * reads rounds from its input, one a line, "module" or "component", what, and how often; answers each with a line: "CPU_NS WALL_NS
 * COUNT".
 *     send N     sends of 1 KiB to a native process of the same worker, which takes and frees them, and answers each
 *                64th, for which the sender waits: they neither pile up, nor is the waiting in the figure much
 *     refused N  1 KiB handed to a function that refuses it: the call alone
 *     toss N     sends of 1 KiB to nobody
 *     self N     sends of 1 KiB to oneself, each received
 *     spawn N    spawn + run + exit of one that returns at once */
#include "stage.h"

#include "base/log.h"
#include "base/number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SIDES = 2,
    AT_A_TIME = 32,
    NOBODY = 1,
    UNANSWERED = 64, /* as in component.wat and component-module.wat */
};

static const char *const sides[SIDES] = {"module", "component"};

/* ---- who takes what is sent ---- */

struct sink {
    struct process process; /* first */
    unsigned taken;
};

static void sink_answer(struct process *process, const struct message *message)
{
    struct pid sender = {message->sender};
    struct message *answer = message_create(process->pid.raw, 0, NULL, 0);
    INVARIANT(answer != NULL);
    if (!process_send(process->node, sender, answer)) {
        BUG("the sender refuses an answer");
    }
}

static enum turn sink_turn(struct process *process, struct exit *ret_exit)
{
    (void)ret_exit;
    struct sink *sink = CONTAINER_OF(process, struct sink, process);
    struct message *message;
    while ((message = process_receive(process, NULL)) != NULL) {
        if (++sink->taken % UNANSWERED == 0) {
            sink_answer(process, message);
        }
        message_destroy(message);
    }
    return TURN_PARKED;
}

static void sink_reclaim(struct process *process)
{
    (void)process;
}

static void sink_destroy(struct process *process)
{
    free(CONTAINER_OF(process, struct sink, process));
}

static const struct body sink_body = {
    .turn = sink_turn, .reclaim = sink_reclaim, .destroy = sink_destroy};

/* With a reference for the caller. */
static struct process *sink_start(struct stage *stage)
{
    struct process_options options = {.kind = "bench", .label = "sink"};
    struct sink *sink = calloc(1, sizeof *sink);
    INVARIANT(sink != NULL);
    process_init(&sink->process, &sink_body, stage->node, &options);
    process_retain(&sink->process);
    struct err err = {0};
    if (!process_start(&sink->process, &node_loop(stage->node, 0)->worker, &err)) {
        BUG("no sink: %s", err.text);
    }
    return &sink->process;
}

/* ---- rounds ---- */

static bool spawn_round(struct stage *stage, uint64_t count)
{
    struct stage_guest guest = {.entry = "nothing"};
    while (count > 0) {
        unsigned now = count < AT_A_TIME ? (unsigned)count : AT_A_TIME;
        for (unsigned i = 0; i < now; i++) {
            if (!stage_spawn(stage, &guest, NULL)) {
                return false;
            }
        }
        if (!stage_wait(stage, now)) {
            return false;
        }
        count -= now;
    }
    return true;
}

static bool guest_round(struct stage *stage, const char *entry, uint64_t count, uint64_t pid)
{
    uint64_t input[] = {count, pid};
    struct stage_guest guest = {.entry = entry, .input = input, .input_bytes = sizeof input};
    return stage_spawn(stage, &guest, NULL) && stage_wait(stage, 1);
}

static bool send_round(struct stage *stage, uint64_t count)
{
    struct process *sink = sink_start(stage);
    bool good = guest_round(stage, "send", count, sink->pid.raw);
    process_stop(sink, STOP_KILL, NULL);
    process_release(sink);
    return good;
}

static bool round_of(struct stage *stage, const char *what, uint64_t count)
{
    if (strcmp(what, "spawn") == 0) {
        return spawn_round(stage, count);
    }
    return strcmp(what, "send") == 0 ? send_round(stage, count)
                                     : guest_round(stage, what, count, NOBODY);
}

static bool run_round(struct stage stages[SIDES], const char *line)
{
    struct env *env = env_system();
    char side[16], what[16];
    unsigned count = 0;
    if (sscanf(line, "%15s %15s %u", side, what, &count) != 3 || count == 0) {
        fprintf(stderr, "bench-component: not a round: %s", line);
        return false;
    }
    struct stage *stage = &stages[strcmp(side, sides[1]) == 0];
    uint64_t cpu = stage_cpu_ns();
    uint64_t wall = env->monotonic_ns(env);
    bool good = round_of(stage, what, count);
    printf("%llu %llu %u\n", (unsigned long long)(stage_cpu_ns() - cpu),
           (unsigned long long)(env->monotonic_ns(env) - wall), count);
    fflush(stdout);
    return good;
}

int main(int count, char **arguments)
{
    if (count != 1 + SIDES) {
        fprintf(stderr, "usage: bench-component MODULE.WASM COMPONENT.WASM\n");
        return 2;
    }
    log_configure(LOG_TEXT, LOG_WARN);
    guest_start();
    struct stage stages[SIDES] = {{0}};
    bool done = true;
    for (unsigned i = 0; i < SIDES; i++) {
        struct stage_options options = {
            .name = sides[i], .path = arguments[1 + i], .workers = 1, .processes = 64};
        done = done && stage_make(&stages[i], &options);
    }
    char line[64];
    while (done && fgets(line, sizeof line, stdin) != NULL) {
        done = run_round(stages, line);
    }
    for (unsigned i = 0; i < SIDES; i++) {
        stage_drop(&stages[i]);
    }
    return done ? 0 : 1;
}
