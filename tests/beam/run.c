/* Runs the programs of this folder as processes of the core, in orders that follow from seeds, and prints what each
 * process has received: see README.md.
 *
 *   beam_run SEEDS PROGRAM... */
#include "native.h"
#include "program.h"

#include "base/number.h"
#include "core/link.h"
#include "core/monitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 3, PIDS_MAX = 4096, MS = 1000000 };

/* Whoever has, or had, a pid. */
struct identity {
    struct pid pid;
    const char *name;
};

/* A supervisor of the program, and its children as its start functions know them. */
struct stage;
struct keeper;
struct start_argument {
    struct keeper *keeper;
    const struct super_child *child;
};
struct keeper {
    struct stage *stage;
    const struct super *super;
    struct supervisor_child specs[ACTORS_MAX];
    struct start_argument arguments[ACTORS_MAX];
    bool started; /* Or has ended. */
};

struct stage {
    struct program program;
    struct still_env env;
    struct node *node;
    uint64_t random;
    struct identity identities[PIDS_MAX]; /* The last of a name is the one that bears it. */
    size_t identity_count;
    unsigned starts[ACTORS_MAX]; /* Of each actor. */
    struct keeper keepers[SUPERS_MAX];
    struct process *waiting; /* For the start of a supervisor; borrowed. */
};

struct player {
    struct process process;
    struct stage *stage;
    const struct actor *actor;
    const char *super; /* NULL: not a supervisor's child. */
    unsigned number;   /* Which start of the actor this is. */
    size_t next;       /* Line. */
    bool begun;        /* What this line waits for. */
    bool stubborn;
    uint64_t awaited;                           /* Reference of `await`. */
    uint64_t monitors[ACTORS_MAX + SUPERS_MAX]; /* References: of actors, then of supervisors. */
};

enum played { PLAYED_ON, PLAYED_WAIT, PLAYED_END };

static const struct process_quotas quotas = {.ties_max = 100};

static struct player *player_of(struct process *process)
{
    return CONTAINER_OF(process, struct player, process);
}

static void trace(const char *row, const char *sender, const char *what, const char *detail)
{
    printf("%s\t%s\t%s %s\n", row, sender, what, detail);
}

static void bind(struct stage *stage, const char *name, struct pid pid)
{
    INVARIANT(stage->identity_count < PIDS_MAX);
    stage->identities[stage->identity_count++] = (struct identity){.pid = pid, .name = name};
}

static struct pid pid_of(const struct player *player, const char *name)
{
    const struct stage *stage = player->stage;
    if (strcmp(name, "self") == 0) {
        return player->process.pid;
    }
    for (size_t i = stage->identity_count; i > 0; i--) {
        if (strcmp(stage->identities[i - 1].name, name) == 0) {
            return stage->identities[i - 1].pid;
        }
    }
    BUG("nobody is called %s", name);
}

static const char *name_of(const struct stage *stage, uint64_t raw)
{
    for (size_t i = stage->identity_count; i > 0; i--) {
        if (stage->identities[i - 1].pid.raw == raw) {
            return stage->identities[i - 1].name;
        }
    }
    BUG("nobody has the pid %lu", (unsigned long)raw);
}

static uint64_t draw(struct stage *stage, uint64_t bound)
{
    stage->random ^= stage->random << 13;
    stage->random ^= stage->random >> 7;
    stage->random ^= stage->random << 17;
    return (stage->random >> 11) % bound;
}

static const struct body player_body;

static bool begins_trapping(const struct actor *actor)
{
    return actor->line_count > 0 && strcmp(actor->lines[0].words[0], "trap") == 0;
}

static size_t actor_index(const struct stage *stage, const char *name)
{
    const struct actor *actor = program_actor(&stage->program, name);
    INVARIANT(actor != NULL);
    return (size_t)(actor - stage->program.actors);
}

static uint64_t *monitor_of(struct player *player, const char *name)
{
    const struct program *program = &player->stage->program;
    const struct super *super = program_super(program, name);
    size_t index = super != NULL ? ACTORS_MAX + (size_t)(super - program->supers)
                                 : actor_index(player->stage, name);
    return &player->monitors[index];
}

/* Not started. */
static struct player *player_create(struct stage *stage, const char *name, const char *super,
                                    struct pid parent)
{
    size_t index = actor_index(stage, name);
    const struct actor *actor = &stage->program.actors[index];
    bool traps = begins_trapping(actor);
    const struct process_options options = {.kind = "beam",
                                            .label = actor->name,
                                            .parent = parent,
                                            .quotas = &quotas,
                                            .traps_exits = traps,
                                            .takes_stop = traps};
    struct player *player = calloc(1, sizeof(*player));
    INVARIANT(player != NULL);
    process_init(&player->process, &player_body, stage->node, &options);
    player->stage = stage;
    player->actor = actor;
    player->super = super;
    player->number = stage->starts[index];
    process_identify(&player->process);
    bind(stage, actor->name, player->process.pid);
    return player;
}

static void player_start(struct player *player)
{
    struct stage *stage = player->stage;
    struct err err;
    struct worker *worker = worker_of(stage->node, (unsigned)draw(stage, WORKERS));
    bool started = process_start(&player->process, worker, &err);
    INVARIANT(started);
}

/* -- Supervisors. */

static bool child_start(void *argument, struct process *supervisor,
                        bool (*prepare)(struct process *supervisor, struct process *child,
                                        struct err *err),
                        struct err *err)
{
    const struct start_argument *start = argument;
    struct stage *stage = start->keeper->stage;
    const char *super = start->keeper->super->name;
    size_t index = actor_index(stage, start->child->name);
    unsigned number = ++stage->starts[index];
    for (size_t i = 0; i < REFUSALS_MAX; i++) {
        if (stage->program.actors[index].refusals[i] == number) {
            trace(super, super, "refuse", start->child->name);
            return err_set(err, ERR_LIMIT, "refused");
        }
    }
    trace(super, super, "start", start->child->name);
    struct player *player = player_create(stage, start->child->name, super, supervisor->pid);
    bool prepared = prepare(supervisor, &player->process, err);
    INVARIANT(prepared);
    player_start(player);
    return true;
}

static void keeper_start(struct keeper *keeper, struct process *parent,
                         bool (*prepare)(struct process *supervisor, struct process *child,
                                         struct err *err));

static bool super_start(void *argument, struct process *supervisor,
                        bool (*prepare)(struct process *supervisor, struct process *child,
                                        struct err *err),
                        struct err *err)
{
    (void)err;
    const struct start_argument *start = argument;
    struct stage *stage = start->keeper->stage;
    const char *super = start->keeper->super->name;
    trace(super, super, "start", start->child->name);
    const struct super *inner = program_super(&stage->program, start->child->name);
    keeper_start(&stage->keepers[inner - stage->program.supers], supervisor, prepare);
    return true;
}

static void keeper_event(void *argument, const struct supervisor_event *event)
{
    struct keeper *keeper = argument;
    if (event->kind == SUPERVISOR_STARTED || event->kind == SUPERVISOR_STOPPED) {
        keeper->started = true;
        if (keeper->stage->waiting != NULL) {
            process_wake(keeper->stage->waiting);
        }
    }
}

static void keeper_start(struct keeper *keeper, struct process *parent,
                         bool (*prepare)(struct process *supervisor, struct process *child,
                                         struct err *err))
{
    const struct super *super = keeper->super;
    keeper->started = false;
    for (size_t i = 0; i < super->child_count; i++) {
        const struct super_child *child = &super->children[i];
        bool inner = program_super(&keeper->stage->program, child->name) != NULL;
        keeper->arguments[i] = (struct start_argument){.keeper = keeper, .child = child};
        keeper->specs[i] = (struct supervisor_child){
            .name = child->name,
            .restart = child->restart,
            .shutdown_ns = inner ? UINT64_MAX : child->shutdown_ns,
            .announces = inner,
            .start_timeout_ns = UINT64_MAX,
            .start = inner ? super_start : child_start,
            .argument = &keeper->arguments[i],
        };
    }
    const struct supervisor_options options = {
        .name = super->name,
        .strategy = super->strategy,
        .max_restarts = super->max_restarts,
        .window_ns = super->window_ns,
        .children = keeper->specs,
        .child_count = super->child_count,
        .parent = parent,
        .prepare = prepare,
        .event = keeper_event,
        .event_argument = keeper,
    };
    struct process *process;
    struct err err;
    bool started = supervisor_start(keeper->stage->node, &options, &process, &err);
    INVARIANT(started);
    bind(keeper->stage, super->name, process->pid);
    process_release(process);
}

/* -- What an actor can do. */

static enum played play_spawn(struct player *player, const struct line *line)
{
    struct stage *stage = player->stage;
    size_t index = actor_index(stage, line->words[1]);
    stage->starts[index]++;
    struct player *child = player_create(stage, line->words[1], NULL, player->process.pid);
    for (size_t i = 2; i < WORDS_MAX && line->words[i][0] != '\0'; i++) {
        struct err err;
        bool tied = strcmp(line->words[i], "link") == 0
                        ? link_child(&player->process, &child->process, &err)
                        : monitor_child(&player->process, &child->process,
                                        monitor_of(player, line->words[1]), &err);
        INVARIANT(tied);
    }
    player_start(child);
    return PLAYED_ON;
}

static enum played play_end(struct exit *ret_exit, const char *reason)
{
    ret_exit->exit_class = strcmp(reason, "normal") == 0     ? EXIT_NORMAL
                           : strcmp(reason, "shutdown") == 0 ? EXIT_SHUTDOWN
                                                             : EXIT_EXITED;
    snprintf(ret_exit->reason, sizeof(ret_exit->reason), "%s", reason);
    return PLAYED_END;
}

static enum played play_receive(struct player *player, const char *kind, struct exit *ret_exit)
{
    uint32_t kinds = strcmp(kind, "msg") == 0    ? 1U << MESSAGE_SEND
                     : strcmp(kind, "exit") == 0 ? 1U << MESSAGE_EXIT | 1U << MESSAGE_STOP
                     : strcmp(kind, "down") == 0 ? 1U << MESSAGE_DOWN
                                                 : 0;
    const struct mailbox_filter filter = {.kinds = kinds};
    struct message *message = process_receive(&player->process, &filter);
    if (message == NULL) {
        return PLAYED_WAIT;
    }
    const char *name = player->actor->name;
    char text[64];
    size_t size;
    const char *data = message_data(message, &size);
    snprintf(text, sizeof(text), "%.*s", (int)size, data);
    enum played played = PLAYED_ON;
    if (message->kind == MESSAGE_STOP) {
        INVARIANT(player->super != NULL);
        trace(player->super, player->super, "stop", name);
        played = player->stubborn ? PLAYED_ON : play_end(ret_exit, "shutdown");
    } else {
        const char *what = message->kind == MESSAGE_SEND   ? "msg"
                           : message->kind == MESSAGE_EXIT ? "exit"
                                                           : "down";
        trace(name, name_of(player->stage, message->sender), what, text);
    }
    message_destroy(message);
    return played;
}

static enum played play_await(struct player *player, const char *name)
{
    if (!player->begun) {
        struct err err;
        bool watched = monitor_add(&player->process, pid_of(player, name), &player->awaited, &err);
        INVARIANT(watched);
        player->begun = true;
    }
    const struct mailbox_filter filter = {.kinds = 1U << MESSAGE_DOWN,
                                          .reference = player->awaited};
    struct message *message = process_receive(&player->process, &filter);
    message_destroy(message);
    return message == NULL ? PLAYED_WAIT : PLAYED_ON;
}

static enum played play_start(struct player *player, const char *name)
{
    const struct super *super = program_super(&player->stage->program, name);
    INVARIANT(super != NULL);
    struct keeper *keeper = &player->stage->keepers[super - player->stage->program.supers];
    if (!player->begun) {
        player->begun = true;
        player->stage->waiting = &player->process;
        keeper_start(keeper, &player->process, NULL);
    }
    if (!keeper->started) {
        return PLAYED_WAIT;
    }
    player->stage->waiting = NULL;
    return PLAYED_ON;
}

static void play_trap(struct player *player, bool traps)
{
    (void)process_trap_exits(&player->process, traps);
    player->process.takes_stop = traps;
}

/* What needs nobody's help and does not wait. False: it is something else. */
static bool play_simple(struct player *player, const struct line *line)
{
    struct process *process = &player->process;
    struct node *node = player->stage->node;
    const char *verb = line->words[0], *name = line->words[1];
    struct err err;
    bool done = true;
    if (strcmp(verb, "link") == 0) {
        done = link_add(process, pid_of(player, name), &err);
    } else if (strcmp(verb, "unlink") == 0) {
        link_remove(process, pid_of(player, name));
    } else if (strcmp(verb, "monitor") == 0) {
        done = monitor_add(process, pid_of(player, name), monitor_of(player, name), &err);
    } else if (strcmp(verb, "demonitor") == 0) {
        (void)monitor_remove(process, *monitor_of(player, name));
    } else if (strcmp(verb, "trap") == 0 || strcmp(verb, "untrap") == 0) {
        play_trap(player, verb[0] == 't');
    } else if (strcmp(verb, "signal") == 0) {
        struct reason *reason = reason_create(EXIT_EXITED, 0, line->words[2],
                                              strlen(line->words[2]));
        (void)process_exit_signal(node, process->pid, pid_of(player, name), reason);
        reason_release(reason);
    } else if (strcmp(verb, "stop") == 0) {
        (void)process_ask_stop(node, process->pid, pid_of(player, name),
                               reason_of(REASON_SHUTDOWN));
    } else if (strcmp(verb, "send") == 0) {
        struct message *message = message_create(process->pid.raw, 0, line->words[2],
                                                 strlen(line->words[2]));
        done = process_send(node, pid_of(player, name), message);
    } else if (strcmp(verb, "stubborn") == 0) {
        player->stubborn = true;
    } else {
        return false;
    }
    INVARIANT(done);
    return true;
}

static enum played play_line(struct player *player, const struct line *line, struct exit *ret_exit)
{
    const char *verb = line->words[0];
    if (strcmp(verb, "times") == 0) {
        uint64_t times;
        struct line rest = {0};
        memcpy(rest.words, line->words[2], sizeof(rest.words) - 2 * sizeof(rest.words[0]));
        INVARIANT(number_parse(line->words[1], strlen(line->words[1]), 100, &times));
        return player->number <= times ? play_line(player, &rest, ret_exit) : PLAYED_ON;
    }
    if (strcmp(verb, "spawn") == 0) {
        return play_spawn(player, line);
    }
    if (strcmp(verb, "exit") == 0) {
        return play_end(ret_exit, line->words[1]);
    }
    if (strcmp(verb, "receive") == 0) {
        return play_receive(player, line->words[1], ret_exit);
    }
    if (strcmp(verb, "await") == 0) {
        return play_await(player, line->words[1]);
    }
    if (strcmp(verb, "start") == 0) {
        return play_start(player, line->words[1]);
    }
    if (strcmp(verb, "hold") == 0) {
        return PLAYED_WAIT;
    }
    if (strcmp(verb, "listen") == 0) {
        enum played played = play_receive(player, "any", ret_exit);
        player->next -= played == PLAYED_ON;
        return played;
    }
    if (!play_simple(player, line)) {
        BUG("nobody knows how to %s", verb);
    }
    return PLAYED_ON;
}

static enum turn player_turn(struct process *process, struct exit *ret_exit)
{
    struct player *player = player_of(process);
    while (player->next < player->actor->line_count) {
        switch (play_line(player, &player->actor->lines[player->next], ret_exit)) {
        case PLAYED_ON:
            player->next++;
            player->begun = false;
            break;
        case PLAYED_WAIT:
            return TURN_PARKED;
        case PLAYED_END:
            return TURN_ENDED;
        }
        /* A signal that has come may end it between any two lines; and so may others run. */
        if (process_tick(process) == TICK_STOP) {
            ret_exit->exit_class = EXIT_KILLED;
            return TURN_ENDED;
        }
        if (draw(player->stage, 3) == 0) {
            return TURN_YIELDED;
        }
    }
    return TURN_ENDED;
}

static void player_reclaim(struct process *process)
{
    struct player *player = player_of(process);
    if (player->stage->waiting == process) {
        player->stage->waiting = NULL;
    }
}

static void player_destroy(struct process *process)
{
    free(player_of(process));
}

static const struct body player_body = {
    .turn = player_turn, .reclaim = player_reclaim, .destroy = player_destroy};

/* -- A run: any worker at any time, until none has anything to do. */

static void stage_settle(struct stage *stage)
{
    for (unsigned idle = 0; idle < 20 * WORKERS; idle++) {
        struct worker *worker = worker_of(stage->node, (unsigned)draw(stage, WORKERS));
        switch (worker_run(worker)) {
        case WORKER_IDLE:
            break;
        case WORKER_PAUSE:
            stage->env.now_ns += WORKER_PAUSE_NS;
            idle = 0;
            break;
        case WORKER_BUSY:
            idle = 0;
            break;
        }
    }
    run_until_idle(stage->node);
}

static void stage_run(struct stage *stage, uint64_t seed, const char *name)
{
    printf("run %s\n", name);
    still_env_init(&stage->env, seed);
    stage->random = seed * 0x9e3779b97f4a7c15U;
    stage->node = still_node(&stage->env, WORKERS, 0);
    stage->identity_count = 0;
    memset(stage->starts, 0, sizeof(stage->starts));
    for (size_t i = 0; i < stage->program.super_count; i++) {
        stage->keepers[i] = (struct keeper){.stage = stage, .super = &stage->program.supers[i]};
    }
    player_start(player_create(stage, "main", NULL, (struct pid){0}));
    stage_settle(stage);
    for (uint64_t passed = 0; passed < stage->program.quiet_ns; passed += MS) {
        stage->env.now_ns += MS;
        stage_settle(stage);
    }
    node_stop(stage->node);
    INVARIANT(node_counts(stage->node).processes == 0);
    node_destroy(stage->node);
}

int main(int argc, char **argv)
{
    uint64_t seeds;
    if (argc < 3 || !number_parse(argv[1], strlen(argv[1]), 1000000, &seeds)) {
        fprintf(stderr, "usage: beam_run SEEDS PROGRAM...\n");
        return 2;
    }
    struct stage *stage = calloc(1, sizeof(*stage));
    INVARIANT(stage != NULL);
    for (int i = 2; i < argc; i++) {
        const char *slash = strrchr(argv[i], '/');
        program_read(&stage->program, argv[i]);
        for (uint64_t seed = 1; seed <= seeds; seed++) {
            stage_run(stage, seed, slash == NULL ? argv[i] : slash + 1);
        }
    }
    free(stage);
    return 0;
}
