/**
 * @file
 * A node without threads and processes on it that do nothing but what a test makes them do, for tests of what processes
 * are to each other. Between two runs of the workers a test may act as any of them.
 */
#pragma once

#include "native.h"

#include "core/link.h"
#include "core/monitor.h"

enum { ACTORS_MAX = 16 };

struct actor {
    struct process process;
    struct exit plan; /**< How it ends at its next turn, when it `ends`. */
    bool ends;
    unsigned exited;
    struct exit last; /**< How it has ended. */
    bool *freed;      /**< Set when its memory goes; may be NULL. */
};

struct stage {
    struct still_env env;
    struct node *node;
    struct actor *actors[ACTORS_MAX]; /**< With a reference each. */
    unsigned count;
};

int stage_create(void **state);

/** Nothing may be left of any actor when its test is over: otherwise the test fails. */
int stage_destroy(void **state);

#define ON_A_STAGE(test) cmocka_unit_test_setup_teardown(test, stage_create, stage_destroy)

/** An actor that is not started and whose only reference is the caller's. */
struct actor *actor_create(struct stage *stage, const struct process_options *options);

/** A started one; the stage keeps a reference. It may have a million ties unless `options` says otherwise; NULL: as plain
 *  as can be. */
struct actor *actor_start(struct stage *stage, const struct process_options *options);
struct actor *actor_start_trapping(struct stage *stage);

/** Let everybody run until there is nothing to do. */
void settle(struct stage *stage);

/** Make it end at its next turn, and settle. */
void actor_end(struct stage *stage, struct actor *actor, enum exit_class exit_class,
               const char *text);

struct pid pid_of(const struct actor *actor);

/** The next piece of mail is of that kind, from that sender (NULL: not looked at), with these bytes; takes it. Returns
 *  its reference. */
uint64_t expect_mail(struct actor *actor, enum message_kind kind, const struct actor *sender,
                     const char *text);
void expect_no_mail(struct actor *actor);

void expect_exit(const struct actor *actor, enum exit_class exit_class, const char *text);
void expect_alive(const struct actor *actor);

/** Send a message of one word, which must be accepted. */
void send_word(struct stage *stage, struct actor *from, struct actor *to, const char *word);

/** Link, monitor; both must work. */
void link_them(struct actor *a, struct actor *b);
uint64_t watch(struct actor *watcher, struct actor *target);
