/**
 * @file
 * The simulated world: a node without threads on a clock and random numbers that follow from one
 * seed, and agents, whose random programs do to each other what processes do. Everything that the
 * core promises is checked against what the agents know of themselves.
 */
#pragma once

#include "core/node.h"

enum { AGENTS_MAX = 400, US = 1000, MS = 1000000 };

/** Bugs that agents commit on purpose, to see that the checks find them. */
enum plant { PLANT_NONE, PLANT_LOST_WAKE, PLANT_SWAPPED_MAIL, PLANT_EARLY_WAKE };

struct agent;

struct world {
    struct env env;
    uint64_t now_ns;
    uint64_t random; /**< State of the random numbers. */
    enum plant plant;
    uint64_t seed;
    unsigned step, steps;
    struct node *node;
    unsigned workers;
    uint32_t max_processes;
    struct agent *agents[AGENTS_MAX]; /**< With a reference each. */
    unsigned agent_count;
    unsigned alive, destroyed, refused;
    uint64_t messages_sent, messages_destroyed;
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
};

/** A random number below `bound`. */
uint64_t world_draw(struct world *world, uint64_t bound);

/** A random time from nothing to twenty minutes; short ones as often as long ones. */
uint64_t world_draw_span(struct world *world);

/** Stop here: say what is wrong, and how to see it again. */
noreturn void world_fail(struct world *world, const char *fmt, ...) PRINTF_LIKE(2, 3);

/** Start one more agent, if there is room for it; also checks that it is refused when it must
 * be. */
void agent_spawn(struct world *world);

/** The three things that anybody does to an agent. */
void agent_wake(struct agent *agent);
void agent_kill(struct agent *agent);
void agent_send(struct world *world, struct agent *from, struct agent *to);

/** What holds of an agent between any two steps. */
void agent_check(struct agent *agent);

/** What holds of it when no worker has anything to do. */
void agent_check_settled(struct agent *agent);
