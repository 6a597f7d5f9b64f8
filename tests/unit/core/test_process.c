/* One process at a time, in each of its states, on a node without threads whose clock stands still:
 * what the threads do to each other is in test_node.c. */
#include "process_world.h"

#include <stdlib.h>
#include <string.h>

static void a_process_runs_to_its_end_and_leaves_nothing(void **state)
{
    struct world *world = *state;
    struct native *native = start(world, turn_end);
    struct pid pid = native->process.pid;
    assert_false(pid_is_none(pid));
    assert_int_equal(process_phase(&native->process), PHASE_QUEUED);
    struct process *found = node_find(world->node, pid);
    assert_ptr_equal(found, &native->process);
    process_release(found);
    run_until_idle(world->node);
    assert_exit(world, EXIT_NORMAL, "");
    assert_int_equal(world->tally.turns, 1);
    assert_int_equal(process_phase(&native->process), PHASE_EXITED);
    assert_null(node_find(world->node, pid));
    assert_false(process_kill(world->node, pid, "too late"));
    assert_int_equal(world->tally.destroyed, 0);
    process_release(&native->process);
    assert_int_equal(world->tally.destroyed, 1);
}

static enum turn turn_fail(struct native *native, struct exit *ret_exit)
{
    (void)native;
    ret_exit->exit_class = EXIT_CRASHED;
    ret_exit->status = 3;
    memcpy(ret_exit->reason, "unreachable", sizeof("unreachable"));
    ret_exit->backtrace = strdup("0: f\n1: g\n");
    return TURN_ENDED;
}

static void the_body_says_how_it_ended(void **state)
{
    struct world *world = *state;
    process_release(&start(world, turn_fail)->process);
    run_until_idle(world->node);
    assert_exit(world, EXIT_CRASHED, "unreachable");
    assert_int_equal(world->tally.last.status, 3);
}

static void each_exit_class_has_the_name_of_the_specification(void **state)
{
    (void)state;
    assert_string_equal(exit_class_name(EXIT_NORMAL), "normal");
    assert_string_equal(exit_class_name(EXIT_SHUTDOWN), "shutdown");
    assert_string_equal(exit_class_name(EXIT_EXITED), "exited");
    assert_string_equal(exit_class_name(EXIT_CRASHED), "crashed");
    assert_string_equal(exit_class_name(EXIT_CRASHED_MEMORY), "crashed: memory");
    assert_string_equal(exit_class_name(EXIT_CRASHED_CPU), "crashed: cpu");
    assert_string_equal(exit_class_name(EXIT_CRASHED_TIMEOUT), "crashed: timeout");
    assert_string_equal(exit_class_name(EXIT_KILLED), "killed");
}

static void a_wake_runs_a_parked_process_once_and_several_wakes_too(void **state)
{
    struct world *world = *state;
    struct native *native = start(world, turn_park);
    run_until_idle(world->node);
    assert_int_equal(world->tally.turns, 1);
    assert_int_equal(process_phase(&native->process), PHASE_PARKED);
    process_wake(&native->process);
    process_wake(&native->process);
    assert_int_equal(process_phase(&native->process), PHASE_QUEUED);
    run_until_idle(world->node);
    assert_int_equal(world->tally.turns, 2);
    process_stop(&native->process, STOP_KILL, "test");
    run_until_idle(world->node);
    process_wake(&native->process);
    run_until_idle(world->node);
    assert_int_equal(world->tally.turns, 2);
    process_release(&native->process);
}

static enum turn turn_wake_itself_once(struct native *native, struct exit *ret_exit)
{
    (void)ret_exit;
    if (native->number++ == 0) {
        process_wake(&native->process);
        assert_int_equal(process_phase(&native->process), PHASE_WOKEN);
    }
    return TURN_PARKED;
}

static void a_wake_during_a_turn_makes_it_run_again_before_it_parks(void **state)
{
    struct world *world = *state;
    struct native *native = start(world, turn_wake_itself_once);
    run_until_idle(world->node);
    assert_int_equal(native->number, 2);
    assert_int_equal(process_phase(&native->process), PHASE_PARKED);
    process_release(&native->process);
}

static void killed_before_its_first_turn_it_gets_none(void **state)
{
    struct world *world = *state;
    struct native *native = start(world, turn_end);
    assert_true(process_kill(world->node, native->process.pid, "by its parent"));
    run_until_idle(world->node);
    assert_exit(world, EXIT_KILLED, "by its parent");
    assert_int_equal(world->tally.turns, 0);
    process_release(&native->process);
}

static void killed_while_its_way_to_the_worker_is_not_over_it_gets_no_turn(void **state)
{
    struct world *world = *state;
    /* Parked, woken by another thread's way, then stopped: two tasks in the inbox. */
    struct native *native = start(world, turn_park);
    run_until_idle(world->node);
    process_wake(&native->process); /* This thread is no worker's, so this is a post. */
    assert_non_null(atomic_load(&world->worker->inbox));
    process_stop(&native->process, STOP_KILL, "on the way");
    run_until_idle(world->node);
    assert_exit(world, EXIT_KILLED, "on the way");
    assert_int_equal(world->tally.turns, 1);
    process_release(&native->process);
}

static void a_stop_that_overtakes_the_wake_before_it_waits_for_its_arrival(void **state)
{
    struct world *world = *state;
    struct native *native = start(world, turn_park);
    run_until_idle(world->node);
    /* A waker on another thread is between its two steps: it has queued the process, not posted. */
    atomic_store(&native->process.phase, PHASE_QUEUED);
    process_stop(&native->process, STOP_KILL, "overtaken");
    run_until_idle(world->node);
    assert_int_equal(world->tally.exited, 0);
    worker_post(world->worker, &native->process.task);
    run_until_idle(world->node);
    assert_exit(world, EXIT_KILLED, "overtaken");
    assert_int_equal(world->tally.turns, 1);
    process_release(&native->process);
}

static void killed_while_parked(void **state)
{
    struct world *world = *state;
    struct native *native = start(world, turn_park);
    run_until_idle(world->node);
    process_stop(&native->process, STOP_KILL, "parked");
    process_stop(&native->process, STOP_DEADLINE, NULL); /* The first one counts. */
    run_until_idle(world->node);
    assert_exit(world, EXIT_KILLED, "parked");
    assert_int_equal(world->tally.turns, 1);
    process_release(&native->process);
}

static enum turn turn_kill_the_others(struct native *native, struct exit *ret_exit)
{
    (void)ret_exit;
    struct native **others = native->argument;
    for (int i = 0; others[i] != NULL; i++) {
        process_stop(&others[i]->process, STOP_KILL, "in the queue");
    }
    return TURN_PARKED;
}

static void killed_in_the_queue_it_does_not_wait_for_those_in_front(void **state)
{
    struct world *world = *state;
    /* It spins for a slice at each turn; behind it in the queue waits its victim. */
    struct native *spinner = start(world, turn_pass_time);
    spinner->argument = &world->env;
    struct native *victim = start(world, turn_park);
    struct native *killer = start(world, turn_kill_the_others);
    struct native *victims[2] = {victim, NULL};
    killer->argument = victims;
    worker_run(world->worker); /* The spinner's slice. */
    assert_int_equal(world->tally.turns, 1);
    process_stop(&victim->process, STOP_KILL, "in the queue");
    worker_run(world->worker); /* Ended before anybody's turn. */
    assert_int_equal(world->tally.exited, 1);
    assert_int_equal(atomic_load(&victim->process.turns), 0);
    assert_int_equal(world->tally.last.exit_class, EXIT_KILLED);
    process_stop(&spinner->process, STOP_KILL, NULL);
    run_until_idle(world->node);
    process_release(&spinner->process);
    process_release(&victim->process);
    process_release(&killer->process);
}

static void one_process_stops_another_that_is_queued_behind_it(void **state)
{
    struct world *world = *state;
    struct native *killer = start(world, turn_kill_the_others);
    struct native *victims[3] = {start(world, turn_park), start(world, turn_park), NULL};
    killer->argument = victims;
    run_until_idle(world->node);
    assert_int_equal(world->tally.exited, 2);
    assert_int_equal(world->tally.turns, 1);
    assert_string_equal(world->tally.last.reason, "in the queue");
    process_release(&victims[0]->process);
    process_release(&victims[1]->process);
    process_release(&killer->process);
}

static void killed_while_it_runs_it_learns_by_its_next_tick(void **state)
{
    struct world *world = *state;
    struct native *native = start(world, turn_pass_time);
    native->argument = &world->env;
    native->number = 1;
    run_until_idle(world->node);
    assert_exit(world, EXIT_KILLED, "while running");
    assert_int_equal(world->tally.turns, 1);
    process_release(&native->process);
}

static enum turn turn_stop_itself_and_park(struct native *native, struct exit *ret_exit)
{
    (void)ret_exit;
    process_stop(&native->process, STOP_KILL, "itself");
    return native->number == 0 ? TURN_PARKED : TURN_YIELDED;
}

static void a_turn_that_returns_after_a_stop_is_the_last_one(void **state)
{
    struct world *world = *state;
    for (uint64_t yields = 0; yields < 2; yields++) {
        struct native *native = start(world, turn_stop_itself_and_park);
        native->number = yields;
        run_until_idle(world->node);
        assert_int_equal(world->tally.exited, yields + 1);
        assert_int_equal(world->tally.turns, yields + 1);
        process_release(&native->process);
    }
}

static enum turn turn_stop_itself_and_end(struct native *native, struct exit *ret_exit)
{
    process_stop(&native->process, STOP_KILL, "itself");
    ret_exit->exit_class = EXIT_EXITED;
    memcpy(ret_exit->reason, "mine", sizeof("mine"));
    return TURN_ENDED;
}

static void an_end_of_its_own_stands_although_a_stop_was_raised(void **state)
{
    struct world *world = *state;
    process_release(&start(world, turn_stop_itself_and_end)->process);
    run_until_idle(world->node);
    assert_exit(world, EXIT_EXITED, "mine");
}

static void killed_after_a_yield_it_gets_no_further_turn(void **state)
{
    struct world *world = *state;
    struct native *native = start(world, turn_pass_time);
    native->argument = &world->env;
    worker_run(world->worker);
    assert_int_equal(process_phase(&native->process), PHASE_QUEUED);
    unsigned turns = world->tally.turns;
    process_stop(&native->process, STOP_KILL, "yielded");
    run_until_idle(world->node);
    assert_exit(world, EXIT_KILLED, "yielded");
    assert_int_equal(world->tally.turns, turns);
    process_release(&native->process);
}

static enum turn turn_sleep_100_ms(struct native *native, struct exit *ret_exit)
{
    (void)ret_exit;
    if (native->number++ == 0) {
        process_wake_at(&native->process, node_now_ns(native->process.node) + 100 * MS);
        return TURN_PARKED;
    }
    return TURN_ENDED;
}

static void a_sleeping_process_wakes_at_its_time(void **state)
{
    struct world *world = *state;
    process_release(&start(world, turn_sleep_100_ms)->process);
    run_until_idle(world->node);
    assert_int_equal(node_counts(world->node).timers, 1);
    world->env.now_ns += 99 * MS;
    run_until_idle(world->node);
    assert_int_equal(world->tally.turns, 1);
    world->env.now_ns += 2 * MS;
    run_until_idle(world->node);
    assert_exit(world, EXIT_NORMAL, "");
}

static void killed_while_it_sleeps_its_timer_goes_with_it(void **state)
{
    struct world *world = *state;
    struct native *native = start(world, turn_sleep_100_ms);
    run_until_idle(world->node);
    process_stop(&native->process, STOP_KILL, "asleep");
    run_until_idle(world->node);
    assert_exit(world, EXIT_KILLED, "asleep");
    assert_int_equal(node_counts(world->node).timers, 0);
    process_release(&native->process);
}

static enum turn turn_take_mail(struct native *native, struct exit *ret_exit)
{
    (void)ret_exit;
    struct message *message;
    while ((message = process_receive(&native->process, NULL)) != NULL) {
        native->number++;
        message_destroy(message);
    }
    return TURN_PARKED;
}

static void pushing_a_message_wakes_its_owner(void **state)
{
    struct world *world = *state;
    struct native *native = start(world, turn_take_mail);
    run_until_idle(world->node);
    struct message *message = message_create(0, 0, "a", 1);
    assert_int_equal(process_push(&native->process, &message->entry), PUSH_ACCEPTED);
    run_until_idle(world->node);
    assert_int_equal(native->number, 1);
    process_stop(&native->process, STOP_KILL, NULL);
    run_until_idle(world->node);
    message = message_create(0, 0, "b", 1);
    assert_int_equal(process_push(&native->process, &message->entry), PUSH_CLOSED);
    message_destroy(message);
    process_release(&native->process);
}

static void mail_that_nobody_took_goes_with_the_process(void **state)
{
    struct world *world = *state;
    struct native *native = start(world, turn_park);
    run_until_idle(world->node);
    for (int i = 0; i < 10; i++) {
        struct message *message = message_create(0, 0, "a", 1);
        assert_int_equal(process_push(&native->process, &message->entry), PUSH_ACCEPTED);
    }
    process_stop(&native->process, STOP_KILL, NULL);
    run_until_idle(world->node);
    assert_int_equal(mailbox_messages(&native->process.mailbox), 0);
    process_release(&native->process); /* The leak checker looks for the rest. */
}

static void a_full_mailbox_is_cleared_in_slices_before_the_process_counts_as_gone(void **state)
{
    struct world *world = *state;
    struct native *native = start(world, turn_park);
    run_until_idle(world->node);
    for (int i = 0; i < 2000; i++) {
        struct message *message = message_create(0, 0, "a", 1);
        assert_int_equal(process_push(&native->process, &message->entry), PUSH_ACCEPTED);
        if (i == 1000) {
            run_until_idle(world->node); /* Half of it is ready, the other has only arrived. */
        }
    }
    process_stop(&native->process, STOP_KILL, NULL);
    worker_run(world->worker);
    assert_int_equal(process_phase(&native->process), PHASE_EXITED);
    assert_in_range(mailbox_messages(&native->process.mailbox), 1, 1999);
    assert_int_equal(node_counts(world->node).processes, 1);
    run_until_idle(world->node);
    assert_int_equal(mailbox_messages(&native->process.mailbox), 0);
    assert_int_equal(node_counts(world->node).processes, 0);
    process_release(&native->process);
}

static void more_processes_than_max_processes_are_refused_until_one_exits(void **state)
{
    struct world *world = *state;
    struct native *natives[3];
    for (int i = 0; i < 3; i++) {
        natives[i] = start(world, turn_park);
    }
    struct native *fourth = native_create(world->node, &world->tally, turn_end, NULL);
    struct err err;
    assert_false(process_start(&fourth->process, world->worker, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.text, "max-processes: all 3 are in use");
    assert_int_equal(node_counts(world->node).processes, 3);
    process_stop(&natives[1]->process, STOP_KILL, NULL);
    run_until_idle(world->node);
    assert_true(process_start(&fourth->process, world->worker, &err));
    run_until_idle(world->node);
    assert_int_equal(node_counts(world->node).spawned, 4);
    assert_int_equal(node_counts(world->node).processes, 2);
    for (int i = 0; i < 3; i++) {
        process_release(&natives[i]->process);
    }
}

static void a_draining_node_refuses_new_processes_and_finishes_the_old(void **state)
{
    struct world *world = *state;
    process_release(&start(world, turn_end)->process);
    node_drain(world->node);
    struct native *late = native_create(world->node, &world->tally, turn_end, NULL);
    struct err err;
    assert_false(process_start(&late->process, NULL, &err));
    assert_int_equal(err.code, ERR_DENIED);
    process_release(&late->process);
    run_until_idle(world->node);
    assert_exit(world, EXIT_NORMAL, "");
}

static void the_list_copies_what_is_alive(void **state)
{
    struct world *world = *state;
    const struct process_options options = {
        .kind = "a kind too long for it", .label = "hello", .parent = {.raw = 77}};
    struct native *native = start_with(world, turn_park, &options);
    struct native *other = start(world, turn_park);
    struct message *message = message_create(0, 0, "a", 1);
    run_until_idle(world->node);
    assert_int_equal(mailbox_push(&native->process.mailbox, &message->entry), PUSH_ACCEPTED);
    world->env.now_ns += 7 * MS;
    struct process_info infos[5];
    assert_int_equal(node_list(world->node, infos, 1), 1);
    assert_int_equal(node_list(world->node, infos, 5), 2);
    struct process_info *info = &infos[pid_equal(infos[0].pid, native->process.pid) ? 0 : 1];
    assert_true(pid_equal(info->pid, native->process.pid));
    assert_int_equal(info->parent.raw, 77);
    assert_string_equal(info->kind, "a kind too long");
    assert_string_equal(info->label, "hello");
    assert_int_equal(info->phase, PHASE_PARKED);
    assert_int_equal(info->age_ns, 7 * MS);
    assert_int_equal(info->turns, 1);
    assert_int_equal(info->mailbox_messages, 1);
    process_release(&native->process);
    process_release(&other->process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(a_process_runs_to_its_end_and_leaves_nothing),
        IN_A_WORLD(the_body_says_how_it_ended),
        cmocka_unit_test(each_exit_class_has_the_name_of_the_specification),
        IN_A_WORLD(a_wake_runs_a_parked_process_once_and_several_wakes_too),
        IN_A_WORLD(a_wake_during_a_turn_makes_it_run_again_before_it_parks),
        IN_A_WORLD(killed_before_its_first_turn_it_gets_none),
        IN_A_WORLD(killed_while_its_way_to_the_worker_is_not_over_it_gets_no_turn),
        IN_A_WORLD(a_stop_that_overtakes_the_wake_before_it_waits_for_its_arrival),
        IN_A_WORLD(killed_while_parked),
        IN_A_WORLD(killed_in_the_queue_it_does_not_wait_for_those_in_front),
        IN_A_WORLD(one_process_stops_another_that_is_queued_behind_it),
        IN_A_WORLD(killed_while_it_runs_it_learns_by_its_next_tick),
        IN_A_WORLD(a_turn_that_returns_after_a_stop_is_the_last_one),
        IN_A_WORLD(an_end_of_its_own_stands_although_a_stop_was_raised),
        IN_A_WORLD(killed_after_a_yield_it_gets_no_further_turn),
        IN_A_WORLD(a_sleeping_process_wakes_at_its_time),
        IN_A_WORLD(killed_while_it_sleeps_its_timer_goes_with_it),
        IN_A_WORLD(pushing_a_message_wakes_its_owner),
        IN_A_WORLD(mail_that_nobody_took_goes_with_the_process),
        IN_A_WORLD(a_full_mailbox_is_cleared_in_slices_before_the_process_counts_as_gone),
        IN_A_WORLD(more_processes_than_max_processes_are_refused_until_one_exits),
        IN_A_WORLD(a_draining_node_refuses_new_processes_and_finishes_the_old),
        IN_A_WORLD(the_list_copies_what_is_alive),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
