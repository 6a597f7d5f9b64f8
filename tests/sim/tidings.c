/* What agents hear of each other's ends, and whether it is what they must: nothing lost, nothing twice, nothing in another
 * order or of other words. As everything runs on one thread, and what has arrived acts when a turn begins or mail is
 * taken, "before" and "after" are exact. */
#include "world.h"

#include "core/link.h"
#include "core/monitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Everything that the sender had sent before has been taken before. */
static void take_in_order(struct agent *agent, const struct agent *sender, uint64_t stamp)
{
    if (agent->got[sender->number] != stamp) {
        world_fail(agent->world,
                   "agent %u has %lu messages of agent %u before news that follow %lu",
                   agent->number, agent->got[sender->number], sender->number, stamp);
    }
}

static void take_end(struct agent *agent, const struct message *message, const struct agent *sender,
                     bool noproc)
{
    struct world *world = agent->world;
    const char *truth = noproc ? "noproc" : sender->truth;
    if (sender->exited == 0) {
        world_fail(world, "agent %u hears of the end of agent %u, which lives", agent->number,
                   sender->number);
    }
    if (strcmp(message->reason->text, truth) != 0) {
        world_fail(world, "agent %u hears that agent %u ended '%s', not '%s'", agent->number,
                   sender->number, message->reason->text, truth);
    }
    take_in_order(agent, sender, sender->sent[agent->number]);
}

static void take_down(struct agent *agent, const struct message *message)
{
    struct pact *pact = agent_pact(agent, message->reference);
    if (pact == NULL || !pact->open) {
        world_fail(agent->world, "agent %u gets a down of %s", agent->number,
                   pact == NULL ? "nothing that it asked for" : "what is over");
    }
    pact->open = false;
    agent->world->downs++;
    take_end(agent, message, agent->world->agents[pact->target], pact->target_was_dead);
}

static bool link_was_made(const struct agent *agent, const struct agent *peer)
{
    /* One that the peer made may have been on the way when ours was removed. */
    return agent->linked_at[peer->number] > agent->unlinked_at[peer->number] ||
           peer->linked_at[agent->number] > agent->unlinked_seen[peer->number];
}

static void take_linked_exit(struct agent *agent, const struct message *message)
{
    struct agent *peer = world_agent(agent->world, message->sender);
    if (!link_was_made(agent, peer)) {
        world_fail(agent->world, "agent %u gets an exit of agent %u without a link", agent->number,
                   peer->number);
    }
    agent->got_exit_of[peer->number] = true;
    agent->world->exits++;
    bool late = agent->linked_at[peer->number] > peer->exited_at;
    if (late && peer->linked_at[agent->number] > agent->linked_seen[peer->number]) {
        /* The peer had made one too, which was on the way with the news of its end, or of its removal, behind it. */
        late = strcmp(message->reason->text, "noproc") == 0;
    }
    take_end(agent, message, peer, late);
}

static void take_exit(struct agent *agent, const struct message *message)
{
    struct world *world = agent->world;
    if (message->reference == MESSAGE_BY_LINK) {
        take_linked_exit(agent, message);
        return;
    }
    if (reason_is(message->reason, REASON_NORMAL)) {
        return;
    }
    unsigned number = 0;
    if (sscanf(message->reason->text, "exit %u", &number) != 1 ||
        number >= world->exit_signal_count || world->exit_signals[number].to != agent->number) {
        world_fail(world, "agent %u gets an exit signal '%s' that nobody sent", agent->number,
                   message->reason->text);
    }
    const struct exit_signal *signal = &world->exit_signals[number];
    take_in_order(agent, world->agents[signal->from], signal->stamp);
    agent->exits_got++;
}

static void take_reply(struct agent *agent, const struct message *message)
{
    struct pact *pact = agent_pact(agent, message->reference);
    if (pact == NULL || !pact->call || !pact->open || !pact->replied) {
        world_fail(agent->world, "agent %u gets a reply that nobody owes it", agent->number);
    }
    pact->open = false;
    agent->world->replies++;
    agent->world->agents[pact->target]->may_turn = true;
    take_in_order(agent, world_agent(agent->world, message->sender), message->label);
}

void ties_tick(struct agent *agent)
{
    agent->seen_at = agent->world->order;
    for (unsigned i = 0; i < agent->pact_count; i++) {
        if (agent->pacts[i].replied && agent->pacts[i].open) {
            agent->world->agents[agent->pacts[i].target]->may_turn = true; /* Its monitor goes. */
        }
    }
}

static void take_call(struct agent *agent, const struct message *message)
{
    struct call_due *due = &agent->calls_due[world_draw(agent->world, CALLS_DUE_MAX)];
    due->caller = world_agent(agent->world, message->sender)->number;
    due->reference = message->reference;
    if (world_draw(agent->world, 2) == 0) {
        ties_reply(agent, due);
    }
}

void ties_take(struct agent *agent, const struct message *message)
{
    switch (message->kind) {
    case MESSAGE_CALL:
        take_call(agent, message);
        return;
    case MESSAGE_REPLY:
        take_reply(agent, message);
        return;
    case MESSAGE_DOWN:
        take_down(agent, message);
        return;
    case MESSAGE_EXIT:
        take_exit(agent, message);
        return;
    case MESSAGE_STOP:
        agent->stops_got++;
        return;
    case MESSAGE_SEND:
    case MESSAGE_TIMER:
    case MESSAGE_FRAME:
    case MESSAGE_CLOSE:
    case MESSAGE_CHANGED:
        break;
    }
    world_fail(agent->world, "agent %u gets mail of kind %d", agent->number, (int)message->kind);
}

/* Whether it has trapped exits all the time since then: no exit signal of later ends it. */
static bool traps_since(const struct agent *agent, uint64_t order)
{
    return agent->traps && agent->trap_changed_at <= order;
}

bool ties_may_end(struct agent *agent, const struct exit *exit)
{
    struct world *world = agent->world;
    if (exit->exit_class == EXIT_NORMAL) {
        return agent->left_normally;
    }
    if (exit->exit_class == EXIT_SHUTDOWN) {
        return agent->asked_to_stop;
    }
    if (exit->exit_class != EXIT_KILLED) {
        return false;
    }
    unsigned number = 0;
    if (sscanf(exit->reason, "exit %u", &number) == 1 && number < world->exit_signal_count &&
        world->exit_signals[number].to == agent->number) {
        return !traps_since(agent, world->exit_signals[number].order);
    }
    for (unsigned i = 0; i < world->agent_count; i++) {
        const struct agent *peer = world->agents[i];
        if (peer->exited == 0 || !link_was_made(agent, peer)) {
            continue;
        }
        bool late = strcmp(exit->reason, "noproc") == 0;
        uint64_t since = late ? agent->linked_at[i] : peer->exited_at;
        if ((late || strcmp(exit->reason, peer->truth) == 0) && !traps_since(agent, since)) {
            return true;
        }
    }
    return false;
}

/* One more down for each that watches, as if the first had not been. */
static void plant_second_downs(struct agent *agent)
{
    struct world *world = agent->world;
    for (unsigned i = 0; i < world->agent_count; i++) {
        struct agent *watcher = world->agents[i];
        struct pact *pact = watcher->pact_count == 0 ? NULL : &watcher->pacts[0];
        if (watcher->exited > 0 || pact == NULL || pact->target != agent->number || !pact->open) {
            continue;
        }
        struct message *down = message_create_news(MESSAGE_DOWN, 0);
        INVARIANT(down != NULL);
        down->reference = pact->reference;
        down->sender = agent->process.pid.raw;
        down->reason = reason_create(EXIT_EXITED, 0, agent->truth, strlen(agent->truth));
        if (process_push(&watcher->process, &down->entry) != PUSH_ACCEPTED) {
            message_destroy(down);
        }
    }
}

/* An exit by a link that is none any more. */
static void plant_stale_exits(struct agent *agent)
{
    struct world *world = agent->world;
    for (unsigned i = 0; i < world->agent_count; i++) {
        struct agent *peer = world->agents[i];
        if (peer->exited > 0 || peer->unlinked_at[agent->number] == 0 || !peer->traps) {
            continue;
        }
        struct message *news = message_create_news(MESSAGE_EXIT, 0);
        INVARIANT(news != NULL);
        news->reference = MESSAGE_BY_LINK;
        news->sender = agent->process.pid.raw;
        news->reason = reason_create(EXIT_EXITED, 0, agent->truth, strlen(agent->truth));
        if (process_push(&peer->process, &news->entry) != PUSH_ACCEPTED) {
            message_destroy(news);
        }
    }
}

void ties_exited(struct agent *agent, const struct exit *exit)
{
    struct world *world = agent->world;
    agent->exited_at = ++world->order;
    switch (exit->exit_class) {
    case EXIT_NORMAL:
    case EXIT_SHUTDOWN:
        snprintf(agent->truth, sizeof(agent->truth), "%s", exit_class_name(exit->exit_class));
        break;
    case EXIT_KILLED: {
        bool passed_on = atomic_load(&agent->process.stop) == STOP_EXIT;
        snprintf(agent->truth, sizeof(agent->truth), "%.63s", passed_on ? exit->reason : "killed");
        break;
    }
    case EXIT_EXITED:
    case EXIT_CRASHED:
    case EXIT_CRASHED_MEMORY:
    case EXIT_CRASHED_CPU:
    case EXIT_CRASHED_TIMEOUT:
        snprintf(agent->truth, sizeof(agent->truth), "%.63s", exit->reason);
        break;
    }
    for (unsigned i = 0; i < world->agent_count; i++) {
        if (agent->tied[i]) {
            world->agents[i]->may_turn = true;
        }
    }
    if (world->plant == PLANT_DOUBLE_DOWN) {
        plant_second_downs(agent);
    } else if (world->plant == PLANT_STALE_EXIT) {
        plant_stale_exits(agent);
    } else if (world->plant == PLANT_OTHER_REASON && world_draw(world, 10) == 0) {
        memcpy(agent->truth, "another", sizeof("another"));
    }
}

void ties_check(struct agent *agent)
{
    const struct process *process = &agent->process;
    if (agent->exited == 0) {
        return;
    }
    if (process->links.count != 0 || process->awaited.count != 0 ||
        !list_is_empty(&process->watchers) || process->stop_reason != NULL) {
        world_fail(agent->world, "agent %u has left something of its ties", agent->number);
    }
}

/* A link that stood when all was at rest, and that nobody has touched since, has done its work. */
static void check_link_done(struct agent *agent, const struct agent *peer)
{
    struct world *world = agent->world;
    bool touched = agent->unlinked_at[peer->number] > world->settled_at ||
                   peer->unlinked_at[agent->number] > world->settled_at ||
                   agent->trap_changed_at > world->settled_at;
    if (touched) {
        return;
    }
    if (agent->traps && !agent->got_exit_of[peer->number]) {
        world_fail(world, "agent %u has not heard of the end of agent %u", agent->number,
                   peer->number);
    }
    if (!agent->traps && strcmp(peer->truth, "normal") != 0) {
        world_fail(world, "agent %u survives agent %u, which ended '%s'", agent->number,
                   peer->number, peer->truth);
    }
}

static void check_links(struct agent *agent)
{
    struct world *world = agent->world;
    struct pid peers[AGENTS_MAX];
    size_t count = link_list(&agent->process, peers, AGENTS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct agent *peer = world_agent(world, peers[i].raw);
        if (peer->exited > 0) {
            world_fail(world, "agent %u is linked to agent %u, which is dead", agent->number,
                       peer->number);
        }
        if (map_find(&peer->process.links, agent->process.pid.raw) == NULL) {
            world_fail(world, "agent %u is linked to agent %u, but not the other way round",
                       agent->number, peer->number);
        }
    }
}

void ties_check_settled(struct agent *agent)
{
    struct world *world = agent->world;
    check_links(agent);
    for (unsigned i = 0; i < world->agent_count; i++) {
        if (agent->linked[i] && world->agents[i]->exited > 0) {
            check_link_done(agent, world->agents[i]);
        }
    }
    unsigned open = 0;
    for (unsigned i = 0; i < agent->pact_count; i++) {
        const struct pact *pact = &agent->pacts[i];
        open += pact->open;
        if (pact->open && (pact->replied || world->agents[pact->target]->exited > 0)) {
            world_fail(world, "agent %u waits for %s agent %u in vain", agent->number,
                       pact->replied ? "the reply of" : "the down of", pact->target);
        }
    }
    if (open != monitor_count(&agent->process)) {
        world_fail(world, "agent %u has %u monitors and calls, it counts %u", agent->number,
                   monitor_count(&agent->process), open);
    }
    uint32_t ties = agent->process.ties;
    if (ties < open || ties > open + link_count(&agent->process)) {
        world_fail(world, "agent %u counts %u ties, with %u links and %u monitors and calls",
                   agent->number, ties, link_count(&agent->process), open);
    }
    if (agent->exits_sent != agent->exits_got) {
        world_fail(world, "agent %u was sent %u exit signals, got %u and lives", agent->number,
                   agent->exits_sent, agent->exits_got);
    }
    if (agent->stops_sent != agent->stops_got) {
        world_fail(world, "agent %u was asked to stop %u times, heard it %u times and lives",
                   agent->number, agent->stops_sent, agent->stops_got);
    }
}

void ties_settled(struct world *world)
{
    for (unsigned i = 0; i < world->agent_count; i++) {
        struct agent *agent = world->agents[i];
        unsigned watchers = 0;
        memset(agent->linked, 0, sizeof(agent->linked));
        memset(agent->got_exit_of, 0, sizeof(agent->got_exit_of));
        for (unsigned j = 0; agent->exited == 0 && j < world->agent_count; j++) {
            struct agent *other = world->agents[j];
            agent->linked[j] = map_find(&agent->process.links, other->process.pid.raw) != NULL;
            for (unsigned k = 0; other->exited == 0 && k < other->pact_count; k++) {
                watchers += other->pacts[k].open && other->pacts[k].target == i;
            }
        }
        if (agent->exited == 0 && watchers != monitor_watchers(&agent->process)) {
            world_fail(world, "agent %u is watched by %u, it counts %u", i, watchers,
                       monitor_watchers(&agent->process));
        }
    }
    world->settled_at = world->order;
}
