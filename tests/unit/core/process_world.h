/**
 * @file
 * A node without threads whose clock stands still, for tests of one process at a time.
 */
#pragma once

#include "native.h"

enum { MS = 1000000 };

struct world {
    struct still_env env;
    struct node *node;
    struct worker *worker;
    struct tally tally;
};

int world_create(void **state);

/** Nothing may be left of any process when its test is over: otherwise the test fails. */
int world_destroy(void **state);

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, world_create, world_destroy)

/** Start a native process on the world's only worker; with a reference for the caller. */
struct native *start(struct world *world, native_turn *turn);
struct native *start_with(struct world *world, native_turn *turn,
                          const struct process_options *options);

/** The only process of the world has ended so, and was reclaimed. */
void assert_exit(struct world *world, enum exit_class exit_class, const char *reason);

/** A turn that spins: lets time pass and asks at every tick. */
enum turn turn_pass_time(struct native *native, struct exit *ret_exit);
