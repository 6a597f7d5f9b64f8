/* Runs the whole of core/ on one thread, in an order drawn from a seed:
 *     sim [--seed=N] [--seeds=COUNT] [--steps=N] [--plant=BUG]
 * Exit status: 0 every seed kept every promise, 1 one did not (it says which and how to replay
 * it). */
#include "world.h"

#include "base/number.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SETTLE_FREELY = 1000, SETTLE_ROUNDS_MAX = 100000, SETTLE_EVERY = 20 };

static char replay[128];

static void replay_print(int signal_number)
{
    ssize_t ignored = write(STDERR_FILENO, replay, strlen(replay));
    (void)ignored;
    (void)signal_number;
}

void world_fail(struct world *world, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "seed %lu, step %u: ", world->seed, world->step);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    replay_print(0);
    _exit(1);
}

/* S. Vigna's splitmix64: one addition and a mix for each 64 bits. */
static uint64_t world_next_random(struct world *world)
{
    world->random += 0x9e3779b97f4a7c15U;
    uint64_t z = world->random;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

uint64_t world_draw(struct world *world, uint64_t bound)
{
    return world_next_random(world) % bound;
}

uint64_t world_draw_span(struct world *world)
{
    return world_draw(world, (uint64_t)1 << (10 + world_draw(world, 31)));
}

static uint64_t world_monotonic_ns(struct env *env)
{
    return CONTAINER_OF(env, struct world, env)->now_ns;
}

static void world_random(struct env *env, void *ret, size_t size_bytes)
{
    unsigned char *at = ret;
    for (size_t i = 0; i < size_bytes; i++) {
        at[i] = (unsigned char)world_next_random(CONTAINER_OF(env, struct world, env));
    }
}

static void world_begin(struct world *world)
{
    world->env = (struct env){
        .monotonic_ns = world_monotonic_ns, .wall_ns = world_monotonic_ns, .random = world_random};
    world->random = world->seed * 0x2545f4914f6cdd1dU;
    world->now_ns = 1 + world_draw(world, UINT64_MAX / 2);
    world->workers = 1 + (unsigned)world_draw(world, 4);
    world->max_processes = 1 + (uint32_t)world_draw(world, world_draw(world, 2) == 0 ? 8 : 2000);
    const struct node_options options = {
        .workers = world->workers, .max_processes = world->max_processes, .env = &world->env};
    struct err err;
    world->node = node_create(&options, &err);
    if (world->node == NULL) {
        world_fail(world, "%s", err.text);
    }
    agent_spawn(world, NULL);
}

struct agent *world_agent(struct world *world, uint64_t pid)
{
    for (unsigned i = world->agent_count; i-- > 0;) {
        if (world->agents[i]->process.pid.raw == pid) {
            return world->agents[i];
        }
    }
    world_fail(world, "there is no agent of pid %lu", pid);
}

/* A stop acts in the next round of its worker, whatever else waits there; only when the process is
 * stolen before that, it follows it by way of the robbed one. */
static void world_mark_doomed(struct world *world, struct worker *worker)
{
    uint64_t steals = node_counts(world->node).steals;
    for (unsigned i = 0; i < world->agent_count; i++) {
        struct agent *agent = world->agents[i];
        agent->doomed = agent->exited == 0 && agent->killed_on == worker &&
                        agent->killed_steals == steals;
    }
}

static void world_check_doomed(struct world *world, struct worker *worker)
{
    for (unsigned i = 0; i < world->agent_count; i++) {
        struct agent *agent = world->agents[i];
        if (agent->doomed && agent->exited == 0 && atomic_load(&agent->process.worker) == worker) {
            world_fail(world, "agent %u was stopped and survives a round", agent->number);
        }
    }
}

static enum worker_state world_round(struct world *world, unsigned index)
{
    struct worker *before = worker_current();
    world->runs[index] = true;
    enum worker_state state = worker_run(&node_loop(world->node, index)->worker);
    world->runs[index] = false;
    if (worker_current() != before) {
        world_fail(world, "worker %u keeps the thread", index);
    }
    return state;
}

void world_run_beside(struct world *world)
{
    unsigned index = (unsigned)world_draw(world, world->workers);
    if (!world->runs[index] && world_draw(world, 2) == 0) {
        (void)world_round(world, index);
    }
}

static enum worker_state world_run_worker(struct world *world, unsigned index)
{
    struct worker *worker = &node_loop(world->node, index)->worker;
    world_mark_doomed(world, worker);
    enum worker_state state = world_round(world, index);
    world_check_doomed(world, worker);
    if (state == WORKER_PAUSE && world_draw(world, 2) == 0) {
        world->now_ns += WORKER_PAUSE_NS;
    }
    return state;
}

static void world_check(struct world *world)
{
    for (unsigned i = 0; i < world->agent_count; i++) {
        agent_check(world->agents[i]);
    }
    struct node_counts counts = node_counts(world->node);
    if (counts.processes != world->alive || counts.spawned != world->agent_count) {
        world_fail(world, "the node counts %lu alive of %lu, there are %u of %u", counts.processes,
                   counts.spawned, world->alive, world->agent_count);
    }
    if (counts.timers > 2 * counts.processes) {
        world_fail(world, "%lu timers for %lu processes", counts.timers, counts.processes);
    }
}

static bool world_rests(struct world *world)
{
    for (unsigned i = 0; i < world->workers; i++) {
        struct worker *worker = &node_loop(world->node, i)->worker;
        if (atomic_load(&worker->inbox) != NULL || worker_backlog(worker) > 0 ||
            worker->deferred_first != NULL || worker_next_ns(worker) <= world->now_ns) {
            return false;
        }
    }
    return true;
}

/* Let everybody run, without anything new from outside, until all workers say that they are idle
 * with nothing under way to them. Agents keep each other busy: after a while they are killed, one
 * by one. */
static void world_settle(struct world *world)
{
    unsigned idle = 0;
    for (unsigned round = 0; idle < world->workers || !world_rests(world); round++) {
        if (round > SETTLE_FREELY && round % 10 == 0) {
            agent_kill(world_some(world));
        }
        enum worker_state state = world_run_worker(world, round % world->workers);
        idle = state == WORKER_IDLE ? idle + 1 : 0;
        if (round == SETTLE_ROUNDS_MAX) {
            world_fail(world, "the workers never come to rest");
        }
    }
    for (unsigned i = 0; i < world->agent_count; i++) {
        agent_check_settled(world->agents[i]);
    }
    ties_settled(world);
}

static void world_step(struct world *world)
{
    switch (world_draw(world, 16)) {
    case 0:
        agent_spawn(world, NULL);
        break;
    case 1:
        if (world_draw(world, 4) == 0) {
            agent_kill(world_some(world));
        }
        break;
    case 2:
        agent_wake(world_some(world));
        break;
    case 3:
        agent_send(world, world_some(world), world_some(world));
        break;
    case 4:
        world->now_ns += world_draw(world, 20 * MS);
        break;
    case 5:
        world->now_ns += world_draw(world, 20) == 0 ? world_draw_span(world)
                                                    : world_draw(world, 300 * US);
        break;
    default:
        world_run_worker(world, (unsigned)world_draw(world, world->workers));
        break;
    }
    world_check(world);
    if (world->step % SETTLE_EVERY == 0) {
        world_settle(world);
        world_check(world);
    }
}

static int compare_pids(const void *a, const void *b)
{
    uint64_t x = (*(struct agent *const *)a)->process.pid.raw;
    uint64_t y = (*(struct agent *const *)b)->process.pid.raw;
    return x < y ? -1 : x > y;
}

/* Everything ends, and nothing is left of it. */
static void world_end(struct world *world)
{
    node_stop(world->node);
    world_check(world);
    struct node_counts counts = node_counts(world->node);
    if (counts.processes != 0 || counts.timers != 0) {
        world_fail(world, "%lu processes and %lu timers are left", counts.processes, counts.timers);
    }
    if (world->messages_sent != world->messages_destroyed) {
        world_fail(world, "%lu messages were sent, %lu destroyed", world->messages_sent,
                   world->messages_destroyed);
    }
    qsort(world->agents, world->agent_count, sizeof(struct agent *), compare_pids);
    for (unsigned i = 1; i < world->agent_count; i++) {
        if (compare_pids(&world->agents[i - 1], &world->agents[i]) == 0) {
            world_fail(world, "one pid was given twice");
        }
    }
    if (world->destroyed != world->refused) {
        world_fail(world, "a process was destroyed under our reference");
    }
    for (unsigned i = 0; i < world->agent_count; i++) {
        process_release(&world->agents[i]->process);
    }
    if (world->destroyed != world->agent_count + world->refused) {
        world_fail(world, "%u of %u processes were destroyed", world->destroyed,
                   world->agent_count + world->refused);
    }
    node_destroy(world->node);
}

struct run {
    uint64_t seed, seeds, steps;
    const char *plant_name;
    enum plant plant;
};

static bool option_number(const char *argument, const char *name, uint64_t *ret)
{
    size_t length = strlen(name);
    return strncmp(argument, name, length) == 0 &&
           number_parse(argument + length, strlen(argument + length), UINT32_MAX, ret);
}

static bool option_plant(const char *argument, struct run *run)
{
    static const char *const names[] = {
        "--plant=none",        "--plant=lost-wake",  "--plant=swapped-mail",
        "--plant=early-wake",  "--plant=lost-down",  "--plant=double-down",
        "--plant=half-unlink", "--plant=stale-exit", "--plant=other-reason"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcmp(argument, names[i]) == 0) {
            run->plant = (enum plant)i;
            run->plant_name = names[i];
            return true;
        }
    }
    return false;
}

int main(int count, char **arguments)
{
    struct run run = {.seed = 1, .seeds = 1, .steps = 400, .plant_name = "--plant=none"};
    for (int i = 1; i < count; i++) {
        if (!option_number(arguments[i], "--seed=", &run.seed) &&
            !option_number(arguments[i], "--seeds=", &run.seeds) &&
            !option_number(arguments[i], "--steps=", &run.steps) &&
            !option_plant(arguments[i], &run)) {
            fprintf(stderr, "usage: sim [--seed=N] [--seeds=COUNT] [--steps=N] [--plant=BUG]\n");
            return 2;
        }
    }
    signal(SIGABRT, replay_print);
    uint64_t processes = 0, messages = 0, steals = 0, turns = 0, downs = 0, exits = 0, replies = 0;
    for (uint64_t seed = run.seed; seed < run.seed + run.seeds; seed++) {
        snprintf(replay, sizeof(replay), "replay: sim --seed=%lu --steps=%lu %s\n", seed, run.steps,
                 run.plant_name);
        static struct world world;
        world = (struct world){.seed = seed, .steps = (unsigned)run.steps, .plant = run.plant};
        world_begin(&world);
        for (world.step = 1; world.step <= world.steps; world.step++) {
            world_step(&world);
        }
        struct node_counts counts = node_counts(world.node);
        turns += counts.turns;
        steals += counts.steals;
        processes += world.agent_count;
        messages += world.messages_sent;
        downs += world.downs;
        exits += world.exits;
        replies += world.replies;
        world_end(&world);
    }
    printf("%lu seeds kept every promise: %lu processes, %lu turns, %lu messages, %lu steals, "
           "%lu downs, %lu exits trapped, %lu replies\n",
           run.seeds, processes, turns, messages, steals, downs, exits, replies);
    return 0;
}
