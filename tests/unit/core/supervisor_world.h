/**
 * @file
 * Supervisors under test: children that do what they are told, and a log of what happens, in short:
 * `+a` started, `-a` asked to stop and did, `~a` asked to stop and does not, `!a` did not start.
 */
#pragma once

#include "native.h"

#include "core/supervisor.h"

enum { MS = 1000000, CHILDREN_MAX = 8 };

/** What a child shall do in its next turn. */
enum command {
    COMMAND_NONE,
    COMMAND_NORMAL,
    COMMAND_SHUTDOWN,
    COMMAND_EXIT,
    COMMAND_CRASH,
    COMMAND_ANNOUNCE
};

struct house;

struct kid {
    struct house *house;
    char name[8];
    struct native *native; /**< With a reference; the last one started. */
    enum command command;
    unsigned refusals;      /**< So many starts fail. */
    unsigned refusals_late; /**< The same, after it was prepared. */
    unsigned early_deaths;  /**< So often it dies in its first turn. */
    bool ignores_stop;
    bool traps_exits;
    bool mute; /**< Does not announce, although it should. */
    unsigned started;
};

struct house {
    struct still_env env;
    struct node *node;
    struct tally tally;
    struct kid kids[CHILDREN_MAX];
    struct supervisor_child specs[CHILDREN_MAX];
    struct supervisor_options options;
    struct process *supervisor; /**< With a reference; NULL: none. */
    char log[4096];
    unsigned events[SUPERVISOR_STOPPED + 1];
    char reason[SUPERVISOR_STOPPED + 1][EXIT_REASON_BYTES]; /**< The last one's. */
    bool restarts; /**< Of the last SUPERVISOR_CHILD_EXITED. */
    unsigned destroyed;
};

int house_create(void **state);

/** Nothing may be left: otherwise the test fails. */
int house_destroy(void **state);

#define IN_A_HOUSE(test) cmocka_unit_test_setup_teardown(test, house_create, house_destroy)

/** Specs for children a, b, c ...: permanent, five restarts in a second, 100 ms to stop, to be changed. */
void house_plan(struct house *house, enum supervisor_strategy strategy, size_t children);

/** Start it and let it come to rest. */
void house_open(struct house *house);

/** Let it come to rest. */
void house_rest(struct house *house);

/** Let time pass, then the same. */
void house_pass(struct house *house, uint64_t ns);

void kid_command(struct kid *kid, enum command command);

/** Kill it from outside. */
void kid_kill(struct kid *kid);

/** Whether its last process is there. */
bool kid_lives(const struct kid *kid);

/** Ask the supervisor to stop. */
void house_ask_stop(struct house *house);

/** What was logged since the last look. */
void assert_log(struct house *house, const char *expected);

/** The supervisor has ended with this reason and none of its children is left. */
void assert_over(struct house *house, enum exit_class exit_class, const char *reason);

/** How often the n-th child was restarted, as the supervisor says. */
uint64_t restarts_of(struct house *house, size_t child);

/** The start function of a child: `argument` is a struct kid. */
bool kid_start(void *argument, struct process *supervisor,
               bool (*prepare)(struct process *supervisor, struct process *child, struct err *err),
               struct err *err);

/** An event function; `argument` is a struct house. */
void house_event(void *argument, const struct supervisor_event *event);
