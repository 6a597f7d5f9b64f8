#include "process_world.h"

#include <stdlib.h>

int world_create(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    still_env_init(&world->env, 1);
    world->node = still_node(&world->env, 1, 3);
    world->worker = worker_of(world->node, 0);
    tally_init(&world->tally);
    *state = world;
    return 0;
}

int world_destroy(void **state)
{
    struct world *world = *state;
    node_stop(world->node);
    struct node_counts counts = node_counts(world->node);
    bool clean = counts.processes == 0 && counts.timers == 0 &&
                 world->tally.exited == world->tally.reclaimed &&
                 world->tally.destroyed >= world->tally.exited;
    node_destroy(world->node);
    tally_fini(&world->tally);
    free(world);
    return clean ? 0 : -1;
}

struct native *start(struct world *world, native_turn *turn)
{
    return native_start(world->node, world->worker, &world->tally, turn);
}

struct native *start_with(struct world *world, native_turn *turn,
                          const struct process_options *options)
{
    struct native *native = native_create(world->node, &world->tally, turn, options);
    process_retain(&native->process);
    struct err err;
    assert_true(process_start(&native->process, world->worker, &err));
    return native;
}

void assert_exit(struct world *world, enum exit_class exit_class, const char *reason)
{
    assert_int_equal(world->tally.reclaimed, 1);
    assert_int_equal(world->tally.exited, 1);
    assert_int_equal(world->tally.last.exit_class, exit_class);
    assert_string_equal(world->tally.last.reason, reason);
    assert_int_equal(node_counts(world->node).processes, 0);
    assert_int_equal(node_counts(world->node).exits[exit_class], 1);
}

/* Runs until it is told to end; each tick a millisecond passes. */
enum turn turn_pass_time(struct native *native, struct exit *ret_exit)
{
    struct still_env *env = native->argument;
    for (;;) {
        env->now_ns += MS;
        switch (process_tick(&native->process)) {
        case TICK_CONTINUE:
            continue;
        case TICK_YIELD:
            if (native->number > 0 && --native->number == 0) {
                process_stop(&native->process, STOP_KILL, "while running");
                continue;
            }
            return TURN_YIELDED;
        case TICK_STOP:
            ret_exit->exit_class = EXIT_KILLED;
            return TURN_ENDED;
        }
        BUG("no such tick");
    }
}
