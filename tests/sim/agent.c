#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct agent *agent_of(struct process *process)
{
    return CONTAINER_OF(process, struct agent, process);
}

void agent_wake(struct agent *agent)
{
    agent->woken = true;
    process_wake(&agent->process);
}

void agent_kill(struct agent *agent)
{
    struct world *world = agent->world;
    char reason[32];
    snprintf(reason, sizeof(reason), "step %u", world->step);
    /* A stop that was raised before, by its deadline say, counts instead, and may have to follow it
     * by way of a worker that was robbed of it. */
    bool counts = atomic_load(&agent->process.stop) == STOP_NONE;
    bool there = process_kill(world->node, agent->process.pid, reason);
    if (there != (agent->exited == 0)) {
        world_fail(world, "agent %u: kill says %d", agent->number, there);
    }
    if (there && agent->kill_reason[0] == '\0') {
        memcpy(agent->kill_reason, reason, sizeof(reason));
        agent->killed_on = counts ? atomic_load(&agent->process.worker) : NULL;
        agent->killed_steals = node_counts(world->node).steals;
    }
}

static void message_count_destroy(struct entry *entry)
{
    struct message *message = CONTAINER_OF(entry, struct message, entry);
    struct world *world = NULL;
    memcpy(&world, message->body, sizeof(world));
    world->messages_destroyed++;
    world->message_destroy(entry);
}

struct message *agent_message(struct world *world, struct agent *from, struct agent *to)
{
    struct message *message = message_create(from->process.pid.raw, from->sent[to->number], &world,
                                             sizeof(world));
    INVARIANT(message != NULL);
    world->message_destroy = message->entry.destroy;
    message->entry.destroy = message_count_destroy;
    return message;
}

void agent_send(struct world *world, struct agent *from, struct agent *to)
{
    if (from->exited > 0) {
        return; /* What it had sent is counted when others hear of its end. */
    }
    struct message *message = agent_message(world, from, to);
    enum push_result result;
    if (world->plant == PLANT_LOST_WAKE && world_draw(world, 20) == 0) {
        result = mailbox_push(&to->process.mailbox, &message->entry);
    } else {
        result = process_push(&to->process, &message->entry);
    }
    switch (result) {
    case PUSH_ACCEPTED:
        if (to->exited > 0) {
            world_fail(world, "agent %u has exited and takes mail", to->number);
        }
        from->sent[to->number]++;
        world->messages_sent++;
        to->woken = true;
        return;
    case PUSH_FULL:
        if (mailbox_messages(&to->process.mailbox) < to->process.mailbox.limits.messages) {
            world_fail(world, "agent %u refuses mail below its limit", to->number);
        }
        break;
    case PUSH_CLOSED:
        if (to->exited == 0) {
            world_fail(world, "agent %u refuses mail before its exit", to->number);
        }
        break;
    }
    world->message_destroy(&message->entry);
}

static void agent_take_mail(struct agent *agent)
{
    struct world *world = agent->world;
    struct message *message;
    while (ties_tick(agent), (message = process_receive(&agent->process, NULL)) != NULL) {
        if (world->plant == PLANT_SWAPPED_MAIL && world_draw(world, 20) == 0) {
            struct message *second = process_receive(&agent->process, NULL);
            if (second != NULL) {
                enum push_result again = mailbox_push(&agent->process.mailbox, &message->entry);
                INVARIANT(again == PUSH_ACCEPTED);
                message = second;
            }
        }
        if (message->kind == MESSAGE_SEND || message->kind == MESSAGE_CALL) {
            unsigned sender = world_agent(world, message->sender)->number;
            if (message->label != agent->got[sender]) {
                world_fail(world, "agent %u got message %lu of agent %u instead of %lu",
                           agent->number, message->label, sender, agent->got[sender]);
            }
            agent->got[sender]++;
        }
        if (message->kind != MESSAGE_SEND) {
            ties_take(agent, message);
        }
        message_destroy(message);
    }
}

static void agent_begin_turn(struct agent *agent)
{
    struct world *world = agent->world;
    bool slept = agent->sleep_due_ns != 0 && agent->sleep_due_ns <= world->now_ns;
    if (!agent->first_turn_due && !agent->yielded && !agent->woken && !slept && !agent->may_turn) {
        world_fail(world, "agent %u has a turn without a cause", agent->number);
    }
    if (agent->reclaimed > 0 || agent->exited > 0) {
        world_fail(world, "agent %u has a turn after its exit", agent->number);
    }
    if (atomic_load(&agent->process.worker) != worker_current()) {
        world_fail(world, "agent %u runs on a worker that is not its own", agent->number);
    }
    agent->first_turn_due = agent->yielded = agent->woken = agent->may_turn = false;
    ties_tick(agent);
    /* Its timer may be a little late, and wake it when it has a turn for another reason already. */
    if (slept || world_draw(world, 2) == 0) {
        process_cancel_wake(&agent->process);
        agent->sleep_due_ns = 0;
    }
}

static void deferred_run(struct task *task)
{
    struct agent *agent = CONTAINER_OF(task, struct agent, task);
    agent->deferred--;
    process_release(&agent->process);
}

struct agent *world_some(struct world *world)
{
    struct agent *agent;
    unsigned tries = 0;
    do {
        agent = world->agents[world_draw(world, world->agent_count)];
    } while (agent->exited > 0 && ++tries < 3);
    return agent;
}

static void agent_act(struct agent *agent)
{
    struct world *world = agent->world;
    if (world_draw(world, 2) == 0) {
        ties_act(agent);
        return;
    }
    switch (world_draw(world, 10)) {
    case 0:
        agent_spawn(world, agent);
        return;
    case 1:
        if (world_draw(world, 3) == 0) {
            agent_kill(world_some(world));
        }
        return;
    case 2:
        agent_wake(world_some(world));
        return;
    case 3:
        agent_send(world, agent, agent);
        return;
    case 4: {
        uint64_t after = world_draw(world, 3) == 0 ? 0 : world_draw_span(world);
        process_set_deadline(&agent->process, after);
        agent->deadline_due_ns = after == 0 ? 0 : world->now_ns + after;
        return;
    }
    case 5:
        if (agent->deferred == 0) {
            agent->deferred++;
            process_retain(&agent->process);
            agent->task.run = deferred_run;
            worker_defer(worker_current(), &agent->task);
        }
        return;
    case 6:
        agent->unit_began = true;
        process_begin_unit(&agent->process);
        return;
    default:
        for (uint64_t count = world_draw(world, 4); count > 0; count--) {
            agent_send(world, agent, world_some(world));
        }
        return;
    }
}

static enum turn agent_end(struct agent *agent, struct exit *ret_exit, enum exit_class exit_class)
{
    agent->said_exit = true;
    agent->said = ret_exit->exit_class = exit_class;
    snprintf(ret_exit->reason, sizeof(ret_exit->reason), "crash %u", agent->world->crash_count++);
    return TURN_ENDED;
}

static enum turn agent_yield(struct agent *agent)
{
    agent->yielded = true;
    return TURN_YIELDED;
}

/* Work through ticks, as a preempted guest does. */
static enum turn agent_spin(struct agent *agent, struct exit *ret_exit)
{
    struct world *world = agent->world;
    for (;;) {
        world->now_ns += world_draw(world, 1500 * US);
        world_run_beside(world);
        if (world_draw(world, 10) == 0) {
            agent_kill(agent);
        }
        ties_tick(agent);
        switch (process_tick(&agent->process)) {
        case TICK_CONTINUE:
            continue;
        case TICK_YIELD:
            return agent_yield(agent);
        case TICK_STOP:
            ret_exit->exit_class = EXIT_KILLED;
            return TURN_ENDED;
        }
        BUG("no such tick");
    }
}

static enum turn agent_turn(struct process *process, struct exit *ret_exit)
{
    struct agent *agent = agent_of(process);
    struct world *world = agent->world;
    agent_begin_turn(agent);
    world->now_ns += world_draw(world, 50 * US);
    agent_take_mail(agent);
    for (uint64_t actions = world_draw(world, 5); actions > 0; actions--) {
        world_run_beside(world);
        if (world_draw(world, 4) == 0) {
            agent_take_mail(agent);
        }
        agent_act(agent);
    }
    switch (world_draw(world, 24)) {
    case 0:
        return agent_end(agent, ret_exit, EXIT_NORMAL);
    case 1:
        return agent_end(agent, ret_exit, EXIT_CRASHED);
    case 2:
    case 3:
        return agent_yield(agent);
    case 10:
        return agent_spin(agent, ret_exit);
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
        /* Its timer may have fired during this turn. */
        agent->may_turn = agent->may_turn || agent->sleep_due_ns != 0;
        agent->sleep_due_ns = world->now_ns + world_draw_span(world);
        process_wake_at(process, agent->sleep_due_ns);
        if (world->plant == PLANT_EARLY_WAKE && world_draw(world, 20) == 0) {
            process_wake(process);
        }
        return TURN_PARKED;
    default:
        return TURN_PARKED;
    }
}

static void agent_reclaim(struct process *process)
{
    struct agent *agent = agent_of(process);
    if (agent->reclaimed++ > 0 || agent->exited > 0) {
        world_fail(agent->world, "agent %u is reclaimed again", agent->number);
    }
}

/* It had more news at once than one that may have little can hold. */
static bool agent_drowned(const struct agent *agent, const struct exit *exit)
{
    const uint32_t few = 16;
    return strcmp(exit->reason, "mailbox full of unread news") == 0 &&
           agent->process.mailbox.limits.messages < few && agent->quotas.ties_max < few;
}

static void agent_exited(struct process *process, const struct exit *exit)
{
    struct agent *agent = agent_of(process);
    struct world *world = agent->world;
    if (agent->reclaimed != 1 || agent->exited++ > 0) {
        world_fail(world, "agent %u exits again, or unreclaimed", agent->number);
    }
    world->alive--;
    bool right = false;
    switch (exit->exit_class) {
    case EXIT_NORMAL:
    case EXIT_CRASHED:
        right = (agent->said_exit && agent->said == exit->exit_class) || ties_may_end(agent, exit);
        break;
    case EXIT_KILLED:
        right = strcmp(exit->reason, agent->kill_reason) == 0 ||
                strcmp(exit->reason, "the node stops") == 0 || agent_drowned(agent, exit) ||
                ties_may_end(agent, exit);
        break;
    case EXIT_CRASHED_TIMEOUT:
        right = agent->deadline_due_ns != 0 && agent->deadline_due_ns <= world->now_ns;
        break;
    case EXIT_CRASHED_CPU:
        right = agent->cpu_budget_ns != 0 && process->cpu_ns >= agent->cpu_budget_ns;
        break;
    case EXIT_SHUTDOWN:
        right = ties_may_end(agent, exit);
        break;
    case EXIT_EXITED:
    case EXIT_CRASHED_MEMORY:
        break;
    }
    ties_exited(agent, exit);
    if (!right) {
        world_fail(world, "agent %u cannot have ended %s: %s", agent->number,
                   exit_class_name(exit->exit_class), exit->reason);
    }
}

static void agent_destroy(struct process *process)
{
    struct agent *agent = agent_of(process);
    if (agent->exited != 1 && process->pid.raw != 0) {
        world_fail(agent->world, "agent %u is destroyed alive", agent->number);
    }
    agent->world->destroyed++;
    free(agent);
}

static const struct body agent_body = {
    .turn = agent_turn,
    .reclaim = agent_reclaim,
    .exited = agent_exited,
    .destroy = agent_destroy,
};

void agent_spawn(struct world *world, struct agent *parent)
{
    if (world->agent_count == AGENTS_MAX) {
        return;
    }
    struct agent *agent = calloc(1, sizeof(*agent));
    INVARIANT(agent != NULL);
    agent->world = world;
    agent->number = world->agent_count;
    agent->first_turn_due = true;
    agent->cpu_budget_ns = world_draw(world, 2) == 0 ? 0 : (1 + world_draw(world, 20)) * MS;
    uint64_t deadline_ns = world_draw(world, 2) == 0 ? 0 : 1 + world_draw_span(world);
    agent->quotas.ties_max = world_draw(world, 4) == 0 ? (uint32_t)world_draw(world, 4) : 1000;
    agent->traps = world_draw(world, 3) == 0;
    const struct process_options options = {
        .kind = "agent",
        .quotas = &agent->quotas,
        .traps_exits = agent->traps,
        .mailbox = {.messages = (uint32_t)world_draw(world, 8)},
        .cpu_budget_ns = agent->cpu_budget_ns,
        .deadline_ns = deadline_ns,
    };
    process_init(&agent->process, &agent_body, world->node, &options);
    process_retain(&agent->process);
    struct worker *worker = NULL;
    if (world_draw(world, 3) > 0) {
        worker = &node_loop(world->node, (unsigned)world_draw(world, world->workers))->worker;
    }
    bool full = world->alive == world->max_processes;
    struct err err = {.code = ERR_NONE};
    if (parent != NULL) {
        world->agents[world->agent_count] = agent; /* For what it will be told of it. */
        ties_child(parent, agent, false);
    }
    bool started = process_start(&agent->process, worker, &err);
    if (started == full || (!started && err.code != ERR_LIMIT)) {
        world_fail(world, "%u of %u alive, start says %d %s", world->alive, world->max_processes,
                   started, err.text);
    }
    if (!started) {
        world->refused++;
        if (parent != NULL) {
            ties_child(parent, agent, true);
        }
        process_discard(&agent->process);
        process_release(&agent->process);
        return;
    }
    agent->deadline_due_ns = deadline_ns == 0 ? 0 : agent->process.started_ns + deadline_ns;
    world->agents[world->agent_count++] = agent;
    world->alive++;
}

/* FNV-1a. */
static uint64_t hash(const void *data, size_t size_bytes)
{
    const unsigned char *at = data;
    uint64_t sum = 0xcbf29ce484222325U;
    for (size_t i = 0; i < size_bytes; i++) {
        sum = (sum ^ at[i]) * 0x100000001b3U;
    }
    return sum;
}

/* Once only we hold a reference to it, nobody may touch what has exited: it could be gone. */
static void agent_check_corpse(struct agent *agent)
{
    if (atomic_load(&agent->process.references) > 1) {
        return;
    }
    uint64_t sum = hash(&agent->process, sizeof(agent->process));
    if (agent->corpse_hash == 0) {
        agent->corpse_hash = sum;
    } else if (agent->corpse_hash != sum) {
        world_fail(agent->world, "agent %u was touched after its end", agent->number);
    }
}

void agent_check(struct agent *agent)
{
    struct world *world = agent->world;
    enum process_phase phase = process_phase(&agent->process);
    if ((phase == PHASE_EXITED) != (agent->exited == 1)) {
        world_fail(world, "agent %u: phase %d, %u exits", agent->number, (int)phase, agent->exited);
    }
    if (phase == PHASE_RUNNING || phase == PHASE_WOKEN) {
        world_fail(world, "agent %u runs between steps", agent->number);
    }
    if (phase == PHASE_PARKED && (agent->woken || mailbox_has_mail(&agent->process.mailbox))) {
        world_fail(world, "agent %u is parked, but was woken or has mail", agent->number);
    }
    struct process *found = node_find(world->node, agent->process.pid);
    if ((found == NULL) != (agent->exited == 1) || (found != NULL && found != &agent->process)) {
        world_fail(world, "agent %u is found, or not, against its state", agent->number);
    }
    ties_check(agent);
    if (found != NULL) {
        process_release(found);
    } else if (agent->corpse_hash == 0) {
        agent_check_corpse(agent);
    }
}

void agent_check_settled(struct agent *agent)
{
    struct world *world = agent->world;
    enum process_phase phase = process_phase(&agent->process);
    if (phase != PHASE_PARKED && phase != PHASE_EXITED) {
        world_fail(world, "agent %u waits for a turn that nobody gives", agent->number);
    }
    if (agent->deferred > 0) {
        world_fail(world, "agent %u has deferred something that nobody does", agent->number);
    }
    if (phase == PHASE_EXITED) {
        agent_check_corpse(agent);
        return;
    }
    ties_check_settled(agent);
    if (agent->kill_reason[0] != '\0') {
        world_fail(world, "agent %u lives on after it was killed", agent->number);
    }
    if (agent->sleep_due_ns != 0 && agent->sleep_due_ns + MS <= world->now_ns) {
        world_fail(world, "agent %u sleeps beyond its time", agent->number);
    }
    if (agent->deadline_due_ns != 0 && agent->deadline_due_ns + MS <= world->now_ns) {
        world_fail(world, "agent %u lives beyond its deadline", agent->number);
    }
}
