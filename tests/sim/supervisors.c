/* Trees of supervisors on one thread, in an order that follows from a seed: random strategies, children that crash, finish,
 * do not start, do not stop, are killed, as are their supervisors. What the children see of each other must be what the
 * strategy says, the intensity must be exact, nobody may be left over or missing at the end.
 *
 *   sim_supervisors [--seed=N] [--seeds=COUNT] [--steps=N] [--plant=intensity|strategy]
 *
 * With a plant, supervisors are told something else than is checked, to see the checks find it. */
#include "core/node.h"
#include "core/supervisor.h"

#include "base/number.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORKERS = 3,
    UNITS_MAX = 64,
    CHILDREN_MAX = 5,
    DEPTH_MAX = 3,
    MS = 1000000,
    ATTEMPTS_MAX = 4096
};

enum plant { PLANT_NONE, PLANT_INTENSITY, PLANT_STRATEGY };

struct forest;

/* A supervisor or a child as declared, through all its lives. */
struct unit {
    struct forest *forest;
    struct unit *parent;
    char name[8];
    bool is_super, announces;
    enum supervisor_restart restart;
    struct process *process; /* The last one, with a reference. */
    bool alive;
    bool finished; /* It has ended in a way that asks for no restart. */
    /* Of a supervisor. */
    enum supervisor_strategy strategy;
    uint32_t max_restarts;
    uint64_t window_ns;
    struct unit *children[CHILDREN_MAX];
    struct supervisor_child specs[CHILDREN_MAX];
    size_t child_count;
    bool started, ending;
    bool exact; /* No start has failed: every attempt to restart was told. */
    uint64_t attempts[ATTEMPTS_MAX];
    size_t attempt_count;
};

struct forest {
    struct env env;
    uint64_t now_ns, random, seed;
    enum plant plant;
    struct node *node;
    struct unit units[UNITS_MAX]; /* The first is the top. */
    size_t unit_count;
    bool calm; /* Nobody does anything wrong any more. */
    unsigned step;
    uint64_t escalations, restarts;
};

struct kid {
    struct process process;
    struct unit *unit;
};

noreturn static void fail(struct forest *forest, const char *fmt, ...) PRINTF_LIKE(2, 3);

noreturn static void fail(struct forest *forest, const char *fmt, ...)
{
    va_list arguments;
    va_start(arguments, fmt);
    fprintf(stderr, "step %u: ", forest->step);
    vfprintf(stderr, fmt, arguments);
    va_end(arguments);
    fprintf(stderr, "\nagain: sim_supervisors --seed=%llu\n", (unsigned long long)forest->seed);
    exit(1);
}

static uint64_t draw(struct forest *forest, uint64_t bound)
{
    forest->random += 0x9e3779b97f4a7c15U;
    uint64_t z = forest->random;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return (z ^ (z >> 31)) % bound;
}

static uint64_t forest_now(struct env *env)
{
    return CONTAINER_OF(env, struct forest, env)->now_ns;
}

static void forest_random(struct env *env, void *ret, size_t size_bytes)
{
    unsigned char *bytes = ret;
    for (size_t i = 0; i < size_bytes; i++) {
        bytes[i] = (unsigned char)draw(CONTAINER_OF(env, struct forest, env), 256);
    }
}

static struct worker *worker_of(struct forest *forest, unsigned index)
{
    return &node_loop(forest->node, index)->worker;
}

static bool chance(struct forest *forest, uint64_t one_of)
{
    return !forest->calm && draw(forest, one_of) == 0;
}

/* -- Children. */

static struct kid *kid_of(struct process *process)
{
    return CONTAINER_OF(process, struct kid, process);
}

static size_t unit_index(const struct unit *unit)
{
    size_t index = 0;
    while (unit->parent->children[index] != unit) {
        index++;
    }
    return index;
}

/* Nobody that was started after it may be there. */
static void unit_check_alone(struct unit *unit, const char *what)
{
    const struct unit *parent = unit->parent;
    for (size_t i = unit_index(unit) + 1; i < parent->child_count; i++) {
        if (parent->children[i]->alive) {
            fail(unit->forest, "%s is %s while %s is there", unit->name, what,
                 parent->children[i]->name);
        }
    }
}

static enum turn kid_end(struct exit *ret_exit, enum exit_class exit_class)
{
    ret_exit->exit_class = exit_class;
    return TURN_ENDED;
}

static enum turn kid_turn(struct process *process, struct exit *ret_exit)
{
    struct unit *unit = kid_of(process)->unit;
    struct forest *forest = unit->forest;
    if (!chance(forest, 4)) {
        supervisor_child_started(process);
    }
    struct message *message;
    while ((message = process_receive(process, NULL)) != NULL) {
        bool stop = message->kind == MESSAGE_STOP;
        message_destroy(message);
        if (stop) {
            unit_check_alone(unit, "stopped");
            if (!chance(forest, 4)) {
                return kid_end(ret_exit, EXIT_SHUTDOWN);
            }
        }
    }
    if (forest->calm) {
        return TURN_PARKED;
    }
    switch (draw(forest, 8)) {
    case 0:
        return kid_end(ret_exit, EXIT_CRASHED);
    case 1:
        return kid_end(ret_exit, EXIT_NORMAL);
    case 2:
        return kid_end(ret_exit, EXIT_SHUTDOWN);
    case 3:
        return TURN_YIELDED;
    default:
        return TURN_PARKED;
    }
}

static void kid_reclaim(struct process *process)
{
    (void)process;
}

static void kid_exited(struct process *process, const struct exit *exit)
{
    struct unit *unit = kid_of(process)->unit;
    if (!unit->alive || unit->process != process) {
        fail(unit->forest, "%s has exited twice", unit->name);
    }
    unit->alive = false;
    unit->finished = exit->exit_class == EXIT_NORMAL || exit->exit_class == EXIT_SHUTDOWN;
}

static void kid_destroy(struct process *process)
{
    free(kid_of(process));
}

static const struct body kid_body = {
    .turn = kid_turn, .reclaim = kid_reclaim, .exited = kid_exited, .destroy = kid_destroy};

static void unit_live(struct unit *unit, struct process *process)
{
    if (unit->process != NULL) {
        process_release(unit->process);
    }
    unit->process = process;
    unit->alive = true;
    unit->finished = false;
}

static void unit_check_start(struct unit *unit, const struct process *supervisor)
{
    struct unit *parent = unit->parent;
    if (unit->alive) {
        fail(unit->forest, "%s is started while it is there", unit->name);
    }
    if (!parent->alive || parent->process != supervisor || parent->ending) {
        fail(unit->forest, "%s is started by a supervisor that ends", unit->name);
    }
    if (!parent->started || parent->strategy != ONE_FOR_ONE) {
        unit_check_alone(unit, "started");
    }
    if (parent->started && unit->restart == RESTART_TEMPORARY) {
        fail(unit->forest, "%s is temporary and started again", unit->name);
    }
}

static bool kid_start(void *argument, struct process *supervisor,
                      bool (*prepare)(struct process *supervisor, struct process *child,
                                      struct err *err),
                      struct err *err)
{
    struct unit *unit = argument;
    struct forest *forest = unit->forest;
    unit_check_start(unit, supervisor);
    if (chance(forest, 12)) {
        return err_set(err, ERR_LIMIT, "refused");
    }
    const struct process_options options = {
        .kind = "kid", .traps_exits = draw(forest, 2) == 0, .takes_stop = draw(forest, 3) != 0};
    struct kid *kid = calloc(1, sizeof(*kid));
    INVARIANT(kid != NULL);
    process_init(&kid->process, &kid_body, forest->node, &options);
    kid->unit = unit;
    bool prepared = prepare(supervisor, &kid->process, err);
    INVARIANT(prepared);
    if (chance(forest, 12)) {
        process_discard(&kid->process);
        return err_set(err, ERR_LIMIT, "refused late");
    }
    process_retain(&kid->process);
    unit_live(unit, &kid->process);
    bool started = process_start(&kid->process, worker_of(forest, (unsigned)draw(forest, WORKERS)),
                                 err);
    INVARIANT(started);
    return true;
}

/* -- Supervisors. */

/* One more attempt: whether it is one too many within the window. */
static bool unit_attempt(struct unit *unit)
{
    INVARIANT(unit->attempt_count < ATTEMPTS_MAX);
    uint64_t now = node_now_ns(unit->forest->node);
    unit->attempts[unit->attempt_count++] = now;
    uint32_t within = 0;
    for (size_t i = 0; i < unit->attempt_count; i++) {
        within += now - unit->attempts[i] <= unit->window_ns;
    }
    return within > unit->max_restarts;
}

static void super_event(void *argument, const struct supervisor_event *event)
{
    struct unit *unit = argument;
    struct forest *forest = unit->forest;
    switch (event->kind) {
    case SUPERVISOR_STARTED:
        unit->started = true;
        return;
    case SUPERVISOR_CHILD_FAILED:
        unit->exact = false;
        unit->ending = !unit->started;
        return;
    case SUPERVISOR_CHILD_EXITED:
        if (event->restarts) {
            forest->restarts++;
            if (unit_attempt(unit) && unit->exact) {
                fail(forest, "%s goes on above its intensity", unit->name);
            }
        }
        return;
    case SUPERVISOR_ESCALATED:
        /* The one that it does not make is the one too many. */
        if (!unit_attempt(unit) && unit->exact) {
            fail(forest, "%s gives up below its intensity", unit->name);
        }
        forest->escalations++;
        unit->ending = true;
        return;
    case SUPERVISOR_STOPPED:
        unit->alive = false;
        unit->finished = strcmp(event->reason, "killed") != 0;
        return;
    }
    BUG("event %d", (int)event->kind);
}

/* One that was killed leaves supervisors behind for as long as these need to stop their children. */
static bool unit_is_deserted(const struct unit *unit)
{
    bool deserted = true;
    for (size_t i = 0; i < unit->child_count; i++) {
        const struct unit *child = unit->children[i];
        deserted = deserted && !child->alive && unit_is_deserted(child);
    }
    return deserted;
}

static bool super_start(void *argument, struct process *supervisor,
                        bool (*prepare)(struct process *supervisor, struct process *child,
                                        struct err *err),
                        struct err *err)
{
    struct unit *unit = argument;
    struct forest *forest = unit->forest;
    if (supervisor != NULL) {
        unit_check_start(unit, supervisor);
    }
    if (!unit_is_deserted(unit)) {
        return err_set(err, ERR_EXISTS, "some of the last one's are still there");
    }
    struct supervisor_options options = {
        .name = unit->name,
        .strategy = unit->strategy,
        .max_restarts = unit->max_restarts,
        .window_ns = unit->window_ns,
        .children = unit->specs,
        .child_count = unit->child_count,
        .parent = supervisor,
        .prepare = prepare,
        .event = super_event,
        .event_argument = unit,
    };
    if (forest->plant == PLANT_INTENSITY) {
        options.max_restarts++;
    } else if (forest->plant == PLANT_STRATEGY) {
        options.strategy = ONE_FOR_ONE;
    }
    unit->started = unit->ending = false;
    unit->exact = true;
    unit->attempt_count = 0;
    struct process *process;
    if (!supervisor_start(forest->node, &options, &process, err)) {
        return false;
    }
    unit_live(unit, process);
    return true;
}

/* -- Making trees. */

static struct unit *unit_plant(struct forest *forest, struct unit *parent, unsigned depth)
{
    struct unit *unit = &forest->units[forest->unit_count++];
    unit->forest = forest;
    unit->parent = parent;
    snprintf(unit->name, sizeof(unit->name), "u%zu", forest->unit_count - 1);
    unit->restart = (enum supervisor_restart)draw(forest, 3);
    unit->is_super = depth == 0 || (depth < DEPTH_MAX && draw(forest, 4) == 0);
    unit->announces = unit->is_super || draw(forest, 2) == 0;
    if (!unit->is_super) {
        return unit;
    }
    unit->strategy = (enum supervisor_strategy)draw(forest, 3);
    unit->max_restarts = (uint32_t)draw(forest, draw(forest, 2) == 0 ? 6 : 60);
    unit->window_ns = draw(forest, 2) == 0 ? UINT64_MAX : draw(forest, 200) * MS;
    size_t wanted = draw(forest, CHILDREN_MAX + 1);
    while (unit->child_count < wanted && forest->unit_count < UNITS_MAX) {
        struct unit *child = unit_plant(forest, unit, depth + 1);
        unit->specs[unit->child_count] = (struct supervisor_child){
            .name = child->name,
            .restart = child->restart,
            .shutdown_ns = child->is_super ? UINT64_MAX : draw(forest, 3) * 20 * MS,
            .announces = child->announces,
            .start_timeout_ns = child->is_super ? UINT64_MAX : 30 * MS,
            .start = child->is_super ? super_start : kid_start,
            .argument = child,
        };
        unit->children[unit->child_count++] = child;
    }
    return unit;
}

static void forest_run(struct forest *forest)
{
    struct worker *worker = worker_of(forest, (unsigned)draw(forest, WORKERS));
    (void)worker_run(worker);
    if (draw(forest, 4) == 0) {
        forest->now_ns += draw(forest, 3) == 0 ? draw(forest, 40 * MS) : draw(forest, MS);
    }
}

static void forest_check(struct forest *forest)
{
    for (size_t i = 0; i < forest->unit_count; i++) {
        struct unit *unit = &forest->units[i];
        if (unit->alive &&
            (unit->process == NULL || process_phase(unit->process) == PHASE_EXITED)) {
            fail(forest, "%s has gone and nobody was told", unit->name);
        }
    }
}

/* When all is calm for long: everybody is where the rules want him. */
static void forest_check_settled(struct forest *forest)
{
    for (size_t i = 1; i < forest->unit_count; i++) {
        const struct unit *unit = &forest->units[i], *parent = unit->parent;
        if (unit->alive && !parent->alive) {
            fail(forest, "%s has outlived its supervisor", unit->name);
        }
        bool wanted = unit->restart == RESTART_PERMANENT ||
                      (unit->restart == RESTART_TRANSIENT && !unit->finished);
        if (parent->alive && wanted && !unit->alive) {
            fail(forest, "%s is missing", unit->name);
        }
    }
}

static void forest_settle(struct forest *forest)
{
    forest->calm = true;
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 60; i++) {
            (void)worker_run(worker_of(forest, i % WORKERS));
            forest->now_ns += WORKER_PAUSE_NS;
        }
        forest->now_ns += 10 * MS;
    }
    forest_check(forest);
    forest_check_settled(forest);
}

static void forest_disturb(struct forest *forest)
{
    struct unit *unit = &forest->units[draw(forest, forest->unit_count)];
    if (!unit->alive) {
        return;
    }
    switch (draw(forest, 8)) {
    case 0:
        if (!unit->is_super || draw(forest, 4) == 0) {
            process_stop(unit->process, STOP_KILL, "disturbed");
        }
        return;
    case 1:
        if (unit->is_super && draw(forest, 8) == 0) {
            (void)process_ask_stop(forest->node, (struct pid){0}, unit->process->pid,
                                   reason_of(REASON_SHUTDOWN));
        }
        return;
    default:
        process_wake(unit->process);
        return;
    }
}

static void forest_play(struct forest *forest, unsigned steps)
{
    struct err err;
    const struct node_options options = {.workers = WORKERS, .env = &forest->env};
    forest->node = node_create(&options, &err);
    INVARIANT(forest->node != NULL);
    struct unit *top = unit_plant(forest, NULL, 0);
    for (forest->step = 0; forest->step < steps; forest->step++) {
        if (!top->alive && unit_is_deserted(top) && draw(forest, 20) == 0) {
            bool started = super_start(top, NULL, NULL, &err);
            INVARIANT(started);
        }
        forest_disturb(forest);
        forest_run(forest);
        forest_check(forest);
    }
    forest_settle(forest);
    node_stop(forest->node);
    struct node_counts counts = node_counts(forest->node);
    if (counts.processes != 0 || counts.timers != 0) {
        fail(forest, "%llu processes and %llu timers are left",
             (unsigned long long)counts.processes, (unsigned long long)counts.timers);
    }
    for (size_t i = 0; i < forest->unit_count; i++) {
        if (forest->units[i].process != NULL) {
            process_release(forest->units[i].process);
        }
    }
    node_destroy(forest->node);
}

static uint64_t option(const char *argument, const char *name, uint64_t otherwise)
{
    size_t length = strlen(name);
    uint64_t value = otherwise;
    if (strncmp(argument, name, length) == 0 &&
        !number_parse(argument + length, strlen(argument) - length, UINT32_MAX, &value)) {
        fprintf(stderr, "not a number: %s\n", argument);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    uint64_t seed = 1, seeds = 0, steps = 600; /* No `seeds`: that one. */
    enum plant plant = PLANT_NONE;
    for (int i = 1; i < argc; i++) {
        seed = option(argv[i], "--seed=", seed);
        seeds = option(argv[i], "--seeds=", seeds);
        steps = option(argv[i], "--steps=", steps);
        if (strcmp(argv[i], "--plant=intensity") == 0) {
            plant = PLANT_INTENSITY;
        } else if (strcmp(argv[i], "--plant=strategy") == 0) {
            plant = PLANT_STRATEGY;
        }
    }
    uint64_t last = seed + (seeds == 0 ? 1 : seeds) - 1;
    uint64_t restarts = 0, escalations = 0;
    for (uint64_t s = seed; s <= last; s++) {
        struct forest *forest = calloc(1, sizeof(*forest));
        INVARIANT(forest != NULL);
        forest->env = (struct env){
            .monotonic_ns = forest_now, .wall_ns = forest_now, .random = forest_random};
        forest->now_ns = 1000000000;
        forest->seed = forest->random = s;
        forest->plant = plant;
        forest_play(forest, (unsigned)steps);
        restarts += forest->restarts;
        escalations += forest->escalations;
        free(forest);
    }
    printf("%llu seeds, %llu restarts, %llu escalations\n", (unsigned long long)(last - seed + 1),
           (unsigned long long)restarts, (unsigned long long)escalations);
    return 0;
}
