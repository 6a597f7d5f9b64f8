/* What agents do to be something to each other: links, monitors, calls, exit signals. */
#include "world.h"

#include "core/link.h"
#include "core/monitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void ties_meet(struct agent *a, struct agent *b)
{
    a->tied[b->number] = b->tied[a->number] = true;
    b->may_turn = true;
    a->may_turn = true; /* What it sent may come back to it. */
    a->partner = b;
    b->partner = a;
}

/* It may only be refused when its quota is used up. */
static void ties_check_refusal(struct agent *agent, const struct err *err)
{
    if (err->code != ERR_LIMIT || agent->process.ties < agent->quotas.ties_max) {
        world_fail(agent->world, "agent %u may not tie itself, with %u of %u: %s", agent->number,
                   agent->process.ties, agent->quotas.ties_max, err->text);
    }
}

static void act_link(struct agent *agent, struct agent *peer)
{
    struct err err = {.code = ERR_NONE};
    bool there = map_find(&agent->process.links, peer->process.pid.raw) != NULL;
    if (!link_add(&agent->process, peer->process.pid, &err)) {
        ties_check_refusal(agent, &err);
        return;
    }
    if (there) {
        return;
    }
    agent->linked_at[peer->number] = ++agent->world->order;
    agent->linked_seen[peer->number] = agent->seen_at;
    ties_meet(agent, peer);
}

static void act_unlink(struct agent *agent, struct agent *peer)
{
    if (agent->world->plant == PLANT_HALF_UNLINK) {
        struct map_member *half = map_remove(&agent->process.links, peer->process.pid.raw);
        (void)half; /* The other side is not told. */
    } else {
        link_remove(&agent->process, peer->process.pid);
    }
    agent->unlinked_at[peer->number] = ++agent->world->order;
    agent->unlinked_seen[peer->number] = agent->seen_at;
    agent->got_exit_of[peer->number] = true; /* Removed, if there was one. */
    peer->may_turn = true;
}

static struct pact *pact_make(struct agent *agent, struct agent *target, uint64_t reference,
                              bool call)
{
    struct pact *pact = &agent->pacts[agent->pact_count++];
    *pact = (struct pact){
        .reference = reference,
        .target = target->number,
        .call = call,
        .target_was_dead = target->exited > 0,
        .open = true,
    };
    ties_meet(agent, target);
    return pact;
}

struct pact *agent_pact(struct agent *agent, uint64_t reference)
{
    for (unsigned i = 0; i < agent->pact_count; i++) {
        if (agent->pacts[i].reference == reference) {
            return &agent->pacts[i];
        }
    }
    return NULL;
}

static void act_monitor(struct agent *agent, struct agent *target)
{
    struct err err = {.code = ERR_NONE};
    uint64_t reference;
    if (agent->pact_count == PACTS_MAX || target == agent) {
        return;
    }
    if (!monitor_add(&agent->process, target->process.pid, &reference, &err)) {
        ties_check_refusal(agent, &err);
        return;
    }
    pact_make(agent, target, reference, false);
    if (agent->world->plant == PLANT_LOST_DOWN && !list_is_empty(&agent->process.watchers)) {
        struct list *watcher = list_take_first(&agent->process.watchers);
        (void)watcher; /* Never told. */
    }
}

static void act_demonitor(struct agent *agent)
{
    if (agent->pact_count == 0) {
        return;
    }
    struct pact *pact = &agent->pacts[world_draw(agent->world, agent->pact_count)];
    (void)monitor_remove(&agent->process, pact->reference); /* Again is fine. */
    pact->open = false;
    agent->world->agents[pact->target]->may_turn = true;
}

static void act_call(struct agent *agent, struct agent *target)
{
    struct world *world = agent->world;
    if (agent->pact_count == PACTS_MAX || target == agent) {
        return;
    }
    struct message *request = agent_message(world, agent, target);
    struct err err = {.code = ERR_NONE};
    uint64_t reference;
    if (monitor_call(&agent->process, target->process.pid, request, &reference, &err)) {
        world->messages_sent++;
        if (target->exited == 0) {
            agent->sent[target->number]++;
        }
        pact_make(agent, target, reference, true);
        return;
    }
    ties_meet(agent, target);
    bool full = mailbox_messages(&target->process.mailbox) >=
                target->process.mailbox.limits.messages;
    if (!full) {
        ties_check_refusal(agent, &err);
    }
    world->message_destroy(&request->entry);
}

void ties_reply(struct agent *agent, const struct call_due *due)
{
    struct world *world = agent->world;
    struct agent *caller = world->agents[due->caller];
    struct pact *pact = agent_pact(caller, due->reference);
    INVARIANT(pact != NULL);
    if (caller->exited == 0 && pact->open) {
        pact->replied = true;
    }
    struct message *reply = message_create(agent->process.pid.raw, agent->sent[caller->number],
                                           "reply", 5);
    INVARIANT(reply != NULL);
    bool taken = monitor_reply(world->node, caller->process.pid, due->reference, reply);
    INVARIANT(taken);
    caller->may_turn = true;
}

/* Some call that was left unanswered, or was answered: once more. */
static void act_reply(struct agent *agent)
{
    struct call_due *due = &agent->calls_due[world_draw(agent->world, CALLS_DUE_MAX)];
    if (due->reference != 0) {
        ties_reply(agent, due);
    }
}

static void act_exit(struct agent *agent, struct agent *target)
{
    struct world *world = agent->world;
    if (world->exit_signal_count == EXIT_SIGNALS_MAX) {
        return;
    }
    char text[32];
    bool normal = world_draw(world, 4) == 0;
    bool kill = !normal && world_draw(world, 4) == 0;
    bool counts = atomic_load(&target->process.stop) == STOP_NONE;
    snprintf(text, sizeof(text), "exit %u", world->exit_signal_count);
    struct reason *reason = normal ? reason_of(REASON_NORMAL)
                            : kill ? reason_of(REASON_KILL)
                                   : reason_create(EXIT_EXITED, 0, text, strlen(text));
    bool sent = process_exit_signal(world->node, agent->process.pid, target->process.pid, reason);
    reason_release(reason);
    if (sent != (target->exited == 0)) {
        world_fail(world, "agent %u: an exit signal says %d", target->number, sent);
    }
    if (!sent) {
        return;
    }
    target->woken = true;
    if (kill) {
        snprintf(text, sizeof(text), "by %lu", agent->process.pid.raw);
        if (target->kill_reason[0] == '\0') {
            memcpy(target->kill_reason, text, sizeof(text));
            target->killed_on = counts ? atomic_load(&target->process.worker) : NULL;
            target->killed_steals = node_counts(world->node).steals;
        }
    } else if (normal) {
        target->left_normally = target->left_normally || target == agent;
    } else {
        world->exit_signals[world->exit_signal_count++] = (struct exit_signal){
            agent->number, target->number, ++world->order, agent->sent[target->number]};
        target->exits_sent++;
    }
}

static void act_stop(struct agent *agent, struct agent *target)
{
    struct world *world = agent->world;
    bool there = process_ask_stop(world->node, agent->process.pid, target->process.pid,
                                  reason_of(REASON_SHUTDOWN));
    if (there != (target->exited == 0)) {
        world_fail(world, "agent %u: asking it to stop says %d", target->number, there);
    }
    if (there) {
        target->asked_to_stop = target->woken = true;
        target->stops_sent++;
    }
}

void ties_act(struct agent *agent)
{
    struct world *world = agent->world;
    if (atomic_load(&agent->process.stop) == STOP_EXIT) {
        return; /* What it still did would blur what it died of. */
    }
    /* Much between few is where things go wrong. */
    bool again = agent->partner != NULL && world_draw(world, 3) > 0;
    struct agent *other = again ? agent->partner : world_some(world);
    switch (world_draw(world, 16)) {
    case 0:
    case 1:
    case 2:
    case 3:
        act_link(agent, other);
        return;
    case 4:
    case 5:
        act_unlink(agent, other);
        return;
    case 6:
    case 7:
    case 8:
        act_monitor(agent, other);
        return;
    case 9:
        act_demonitor(agent);
        return;
    case 10:
        agent->traps = !agent->traps;
        agent->trap_changed_at = ++world->order;
        if (process_trap_exits(&agent->process, agent->traps) == agent->traps) {
            world_fail(world, "agent %u did not trap, or did, against its will", agent->number);
        }
        return;
    case 11:
        if (world_draw(world, 3) == 0) {
            act_exit(agent, other);
        }
        return;
    case 12:
    case 13:
        act_call(agent, other);
        return;
    case 14:
        act_reply(agent);
        return;
    default:
        if (world_draw(world, 4) == 0) {
            act_stop(agent, other);
        }
        return;
    }
}

void ties_child(struct agent *parent, struct agent *child, bool failed)
{
    struct world *world = parent->world;
    struct err err = {.code = ERR_NONE};
    if (failed) {
        link_remove(&parent->process, child->process.pid);
        for (unsigned i = 0; i < parent->pact_count; i++) {
            if (parent->pacts[i].target == child->number && parent->pacts[i].open) {
                (void)monitor_remove(&parent->process, parent->pacts[i].reference);
                parent->pact_count = i; /* It was the last one. */
            }
        }
        parent->tied[child->number] = false;
        parent->partner = NULL;
        parent->linked_at[child->number] = 0;
        return;
    }
    if (world_draw(world, 2) == 0) {
        if (link_child(&parent->process, &child->process, &err)) {
            parent->linked_at[child->number] = ++world->order;
            ties_meet(parent, child);
        } else {
            ties_check_refusal(parent, &err);
        }
    }
    uint64_t reference;
    if (world_draw(world, 2) == 0 && parent->pact_count < PACTS_MAX) {
        if (monitor_child(&parent->process, &child->process, &reference, &err)) {
            pact_make(parent, child, reference, false);
        } else {
            ties_check_refusal(parent, &err);
        }
    }
}
