/**
 * @file
 * The simulated world: a node without threads on a clock and random numbers that follow from one
 * seed, and agents, whose random programs do to each other what processes do. Everything that the
 * core promises is checked against what the agents know of themselves.
 */
#pragma once

#include "core/node.h"

enum {
    AGENTS_MAX = 400,
    PACTS_MAX = 32,
    CALLS_DUE_MAX = 4,
    EXIT_SIGNALS_MAX = 4096,
    US = 1000,
    MS = 1000000
};

/** Bugs that agents commit on purpose, to see that the checks find them. */
enum plant {
    PLANT_NONE,
    PLANT_LOST_WAKE,
    PLANT_SWAPPED_MAIL,
    PLANT_EARLY_WAKE,
    PLANT_LOST_DOWN,
    PLANT_DOUBLE_DOWN,
    PLANT_HALF_UNLINK,
    PLANT_STALE_EXIT,
    PLANT_OTHER_REASON,
};

struct agent;

/** One exit(pid, reason), whose text has its number in it. */
struct exit_signal {
    unsigned from, to;
    uint64_t order; /**< The world's, when it was sent. */
    uint64_t stamp; /**< Messages that its sender had sent to its target before. */
};

struct world {
    struct env env;
    uint64_t now_ns;
    uint64_t random; /**< State of the random numbers. */
    enum plant plant;
    uint64_t seed;
    unsigned step, steps;
    struct node *node;
    unsigned workers;
    bool runs[4]; /**< Which workers are in a round. */
    uint32_t max_processes;
    struct agent *agents[AGENTS_MAX]; /**< With a reference each. */
    unsigned agent_count;
    unsigned alive, destroyed, refused;
    uint64_t messages_sent, messages_destroyed;
    void (*message_destroy)(struct entry *entry); /**< What messages came with. */
    uint64_t order;      /**< Counts what agents do to their ties: to tell before from after. */
    uint64_t settled_at; /**< The value of `order` when all had come to rest last. */
    struct exit_signal exit_signals[EXIT_SIGNALS_MAX];
    unsigned exit_signal_count, crash_count;
    uint64_t downs, exits, replies; /**< Seen by anybody. */
};

/** A monitor or a call that an agent has made. */
struct pact {
    uint64_t reference;
    unsigned target;
    bool call;
    bool target_was_dead; /**< When it was made: `noproc`. */
    bool replied;         /**< While it was open. */
    bool open;            /**< Neither removed nor fulfilled. */
};

/** A call that an agent may yet answer. */
struct call_due {
    unsigned caller;
    uint64_t reference; /**< 0: none. */
};

/** What an agent knows of itself, to be compared with what happens to it. */
struct agent {
    struct process process;
    struct world *world;
    unsigned number;
    bool first_turn_due, yielded, woken; /**< Causes of a turn. */
    uint64_t sleep_due_ns;               /**< 0: not asked for. */
    uint64_t deadline_due_ns, cpu_budget_ns;
    bool unit_began;
    char kill_reason[32];     /**< Of the first kill; empty: none. */
    struct worker *killed_on; /**< Where it was then; NULL: another stop came first. */
    uint64_t killed_steals;   /**< The node's count of steals then. */
    bool said_exit;
    enum exit_class said;
    unsigned reclaimed, exited, deferred;
    bool doomed;               /**< Stopped before the round under way of its worker. */
    uint64_t corpse_hash;      /**< Of what is left of it; 0: not taken yet. */
    struct task task;          /**< Deferred. */
    uint64_t sent[AGENTS_MAX]; /**< Messages accepted by each other agent. */
    uint64_t got[AGENTS_MAX];  /**< Messages taken from each other agent. */

    bool may_turn;                  /**< A signal that no agent sees may have woken it. */
    bool tied[AGENTS_MAX];          /**< Whoever it had to do with. */
    uint64_t linked_at[AGENTS_MAX]; /**< World's order of its last link_add() to each; 0: never. */
    uint64_t linked_seen[AGENTS_MAX];   /**< `seen_at` at that time. */
    uint64_t unlinked_at[AGENTS_MAX];   /**< Of its last link_remove(). */
    uint64_t unlinked_seen[AGENTS_MAX]; /**< `seen_at` at that time. */
    uint64_t seen_at;             /**< World's order when what had arrived was handled last. */
    bool linked[AGENTS_MAX];      /**< When all were at rest last. */
    bool got_exit_of[AGENTS_MAX]; /**< By a link, as a message. */
    struct pact pacts[PACTS_MAX];
    unsigned pact_count;
    struct call_due calls_due[CALLS_DUE_MAX];
    struct process_quotas quotas;
    struct agent
        *partner; /**< With whom it had to do last, and most likely will again; NULL: none yet. */
    bool traps;
    uint64_t trap_changed_at, exited_at;
    unsigned exits_sent, exits_got;    /**< exit(pid, reason) to it, but for `normal` and `kill`. */
    bool asked_to_stop, left_normally; /**< Was asked; has sent exit(self, normal). */
    unsigned stops_sent, stops_got;
    char truth[64]; /**< What others must be told of its end. */
};

/** In a turn: let another worker have its round now and then, as if it ran beside this one. */
void world_run_beside(struct world *world);

/** A random number below `bound`. */
uint64_t world_draw(struct world *world, uint64_t bound);

/** A random time from nothing to twenty minutes; short ones as often as long ones. */
uint64_t world_draw_span(struct world *world);

/** Stop here: say what is wrong, and how to see it again. */
noreturn void world_fail(struct world *world, const char *fmt, ...) PRINTF_LIKE(2, 3);

/** Start one more agent, if there is room for it; also checks that it is refused when it must
 * be. `parent`, in its turn, ties itself to it or not; may be NULL. */
void agent_spawn(struct world *world, struct agent *parent);

/** The three things that anybody does to an agent. */
void agent_wake(struct agent *agent);
void agent_kill(struct agent *agent);
void agent_send(struct world *world, struct agent *from, struct agent *to);

/** The agent of a pid. Fails when there is none. */
struct agent *world_agent(struct world *world, uint64_t pid);

/** Any agent, more often one that lives. */
struct agent *world_some(struct world *world);

/** A message for agent_send() and for calls, counted from its making to its end. */
struct message *agent_message(struct world *world, struct agent *from, struct agent *to);

/** What agents do with their ties (ties.c), of their own accord, before a child of theirs starts or when it did not,
 *  and to answer a call; below: what they hear of each other (tidings.c). */
void ties_act(struct agent *agent);
void ties_reply(struct agent *agent, const struct call_due *due);
void ties_child(struct agent *parent, struct agent *child, bool failed);

/** What has arrived is about to be handled, but not taken yet. */
void ties_tick(struct agent *agent);

/** What it has agreed on under that reference, or NULL. */
struct pact *agent_pact(struct agent *agent, uint64_t reference);

/** Check a piece of mail that is no MESSAGE_SEND. */
void ties_take(struct agent *agent, const struct message *message);

/** At its exit: whether it can have been ended from outside so, and what others will be told. */
bool ties_may_end(struct agent *agent, const struct exit *exit);
void ties_exited(struct agent *agent, const struct exit *exit);

/** What holds of ties between steps, and when all is at rest. */
void ties_check(struct agent *agent);
void ties_check_settled(struct agent *agent);
void ties_settled(struct world *world);

/** What holds of an agent between any two steps. */
void agent_check(struct agent *agent);

/** What holds of it when no worker has anything to do. */
void agent_check_settled(struct agent *agent);
