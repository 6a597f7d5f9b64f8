#include "stage.h"

#include <string.h>

static void a_linked_process_ends_with_the_original_reason(void **state)
{
    struct stage *stage = *state;
    struct actor *a = actor_start(stage, NULL);
    struct actor *b = actor_start(stage, NULL);
    struct actor *c = actor_start(stage, NULL);
    struct actor *watcher = actor_start(stage, NULL);
    link_them(a, b);
    link_them(b, c);
    watch(watcher, c);
    settle(stage);
    actor_end(stage, a, EXIT_CRASHED, "unreachable");
    expect_exit(b, EXIT_KILLED, "unreachable");
    expect_exit(c, EXIT_KILLED, "unreachable");
    struct message *down = process_receive(&watcher->process, NULL);
    assert_non_null(down);
    assert_int_equal(down->reason->exit_class, EXIT_CRASHED); /* Of the one that ended first. */
    message_destroy(down);
}

static void links_are_of_both_sides(void **state)
{
    struct stage *stage = *state;
    struct actor *a = actor_start(stage, NULL);
    struct actor *b = actor_start(stage, NULL);
    link_them(a, b);
    settle(stage);
    assert_int_equal(link_count(&a->process), 1);
    assert_int_equal(link_count(&b->process), 1);
    struct pid peers[2];
    assert_int_equal(link_list(&b->process, peers, 2), 1);
    assert_true(pid_equal(peers[0], pid_of(a)));
    assert_int_equal(link_list(&b->process, peers, 0), 0);
    actor_end(stage, b, EXIT_CRASHED, "b");
    expect_exit(a, EXIT_KILLED, "b");
}

static void a_normal_exit_does_not_cascade(void **state)
{
    struct stage *stage = *state;
    struct actor *a = actor_start(stage, NULL);
    struct actor *b = actor_start(stage, NULL);
    link_them(a, b);
    settle(stage);
    actor_end(stage, a, EXIT_NORMAL, "");
    expect_alive(b);
    assert_int_equal(link_count(&b->process), 0);
    expect_no_mail(b);
}

static void who_traps_exits_gets_each_as_a_message_normal_ones_too(void **state)
{
    struct stage *stage = *state;
    struct actor *a = actor_start(stage, NULL);
    struct actor *b = actor_start(stage, NULL);
    struct actor *trapping = actor_start(stage, NULL);
    assert_false(process_trap_exits(&trapping->process, true));
    assert_true(process_trap_exits(&trapping->process, true));
    link_them(trapping, a);
    link_them(b, trapping);
    settle(stage);
    actor_end(stage, a, EXIT_NORMAL, "");
    actor_end(stage, b, EXIT_CRASHED, "b");
    assert_int_equal(expect_mail(trapping, MESSAGE_EXIT, a, "normal"), MESSAGE_BY_LINK);
    assert_int_equal(expect_mail(trapping, MESSAGE_EXIT, b, "b"), MESSAGE_BY_LINK);
    expect_no_mail(trapping);
    expect_alive(trapping);
}

static void a_link_to_what_is_dead_is_an_exit_signal_noproc(void **state)
{
    struct stage *stage = *state;
    struct actor *dead = actor_start(stage, NULL);
    struct actor *plain = actor_start(stage, NULL);
    struct actor *trapping = actor_start_trapping(stage);
    actor_end(stage, dead, EXIT_NORMAL, "");
    link_them(trapping, dead);
    link_them(plain, dead);
    settle(stage);
    expect_mail(trapping, MESSAGE_EXIT, dead, "noproc");
    assert_int_equal(link_count(&trapping->process), 0);
    expect_exit(plain, EXIT_KILLED, "noproc");
    struct err err;
    assert_true(link_add(&trapping->process, (struct pid){0}, &err)); /* Nobody ever. */
    settle(stage);
    expect_mail(trapping, MESSAGE_EXIT, NULL, "noproc");
}

static void after_unlink_no_exit_arrives_and_an_unread_one_is_gone(void **state)
{
    struct stage *stage = *state;
    struct actor *ends = actor_start(stage, NULL);
    struct actor *peer = actor_start(stage, NULL);
    struct actor *trapping = actor_start_trapping(stage);
    link_them(trapping, ends);
    link_them(trapping, peer);
    settle(stage);
    actor_end(stage, ends, EXIT_CRASHED, "unread");
    struct reason *reason = reason_create(EXIT_EXITED, 0, "sent", 4);
    assert_true(process_exit_signal(stage->node, pid_of(ends), pid_of(trapping), reason));
    reason_release(reason);
    settle(stage);
    link_remove(&trapping->process, pid_of(ends));
    assert_int_equal(expect_mail(trapping, MESSAGE_EXIT, ends, "sent"), 0); /* Came by no link. */
    /* One that was sent, but not looked at. */
    process_stop(&peer->process, STOP_KILL, NULL);
    worker_run(worker_of(stage->node, 1));
    assert_int_equal(peer->exited, 1);
    link_remove(&trapping->process, pid_of(peer));
    settle(stage);
    expect_no_mail(trapping);
    link_remove(&trapping->process, pid_of(peer)); /* None is fine. */
}

static void unlink_frees_both_sides(void **state)
{
    struct stage *stage = *state;
    struct actor *a = actor_start(stage, NULL);
    struct actor *b = actor_start(stage, NULL);
    link_them(a, b);
    settle(stage);
    link_remove(&b->process, pid_of(a)); /* It did not make it. */
    settle(stage);
    assert_int_equal(link_count(&a->process), 0);
    assert_int_equal(a->process.ties, 0);
    actor_end(stage, a, EXIT_CRASHED, "a");
    expect_alive(b);
}

static void links_that_both_make_at_once_are_one(void **state)
{
    struct stage *stage = *state;
    struct actor *a = actor_start(stage, NULL);
    struct actor *b = actor_start(stage, NULL);
    link_them(a, b);
    link_them(b, a); /* Neither has heard of the other's. */
    link_them(a, b); /* Already there. */
    settle(stage);
    assert_int_equal(link_count(&a->process), 1);
    assert_int_equal(link_count(&b->process), 1);
    link_remove(&a->process, pid_of(b));
    settle(stage);
    assert_int_equal(link_count(&b->process), 0);
    assert_int_equal(b->process.ties, 0);
}

static void a_stale_unlink_does_not_touch_a_newer_link(void **state)
{
    struct stage *stage = *state;
    struct actor *a = actor_start(stage, NULL);
    struct actor *b = actor_start(stage, NULL);
    link_them(a, b);
    settle(stage);
    link_remove(&b->process, pid_of(a)); /* Under way to a ... */
    link_remove(&a->process, pid_of(b)); /* ... which has taken it off itself ... */
    link_them(a, b);                     /* ... and made a new one. */
    settle(stage);
    assert_int_equal(link_count(&a->process), 1);
    assert_int_equal(link_count(&b->process), 1);
    actor_end(stage, a, EXIT_CRASHED, "still linked");
    expect_exit(b, EXIT_KILLED, "still linked");
}

static void a_stale_exit_does_not_act_on_a_newer_link(void **state)
{
    struct stage *stage = *state;
    struct actor *a = actor_start(stage, NULL);
    struct actor *b = actor_start_trapping(stage);
    link_them(a, b);
    settle(stage);
    actor_end(stage, a, EXIT_CRASHED, "of the old link");
    link_remove(&b->process, pid_of(a));
    link_them(b, a);
    settle(stage);
    expect_mail(b, MESSAGE_EXIT, a, "noproc");
    expect_no_mail(b);
}

static void a_link_that_had_arrived_before_an_exit_is_told_the_true_reason(void **state)
{
    struct stage *stage = *state;
    struct actor *a = actor_start(stage, NULL);
    struct actor *b = actor_start(stage, NULL);
    link_them(a, b);
    process_stop(&b->process, STOP_KILL, "first");
    settle(stage);
    expect_exit(b, EXIT_KILLED, "first");
    expect_exit(a, EXIT_KILLED, "killed");
}

static void an_unlink_that_had_arrived_before_an_exit_counts(void **state)
{
    struct stage *stage = *state;
    struct actor *a = actor_start(stage, NULL);
    struct actor *b = actor_start(stage, NULL);
    link_them(a, b);
    settle(stage);
    link_remove(&a->process, pid_of(b));
    process_stop(&b->process, STOP_KILL, "first");
    settle(stage);
    expect_alive(a);
}

static void a_link_to_itself_is_none(void **state)
{
    struct stage *stage = *state;
    struct actor *a = actor_start(stage, NULL);
    link_them(a, a);
    assert_int_equal(link_count(&a->process), 0);
}

static void only_the_links_that_a_process_makes_count_against_its_quota(void **state)
{
    struct stage *stage = *state;
    static const struct process_quotas one = {.ties_max = 1};
    struct actor *a = actor_start(stage, &(struct process_options){.quotas = &one});
    struct actor *b = actor_start(stage, NULL);
    struct actor *c = actor_start(stage, NULL);
    link_them(c, a);
    settle(stage);
    link_them(a, b);
    struct actor *d = actor_start(stage, NULL);
    struct err err;
    uint64_t reference;
    assert_false(link_add(&a->process, pid_of(d), &err));
    assert_int_equal(err.code, ERR_LIMIT);
    assert_false(monitor_add(&a->process, pid_of(d), &reference, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    link_remove(&a->process, pid_of(b));
    link_them(a, d);
}

static void a_child_is_linked_before_it_starts(void **state)
{
    struct stage *stage = *state;
    struct actor *parent = actor_start_trapping(stage);
    struct actor *child = actor_create(stage, NULL);
    struct err err;
    assert_true(link_child(&parent->process, &child->process, &err));
    assert_true(link_child(&parent->process, &child->process, &err));
    struct pid pid = pid_of(child);
    assert_false(pid_is_none(pid));
    child->ends = true;
    child->plan.exit_class = EXIT_CRASHED;
    assert_true(process_start(&child->process, worker_of(stage->node, 1), &err));
    settle(stage);
    struct message *message = process_receive(&parent->process, NULL);
    assert_non_null(message);
    assert_int_equal(message->sender, pid.raw);
    message_destroy(message);
}

static void a_tied_child_that_does_not_start_leaves_nothing(void **state)
{
    struct stage *stage = *state;
    struct actor *parent = actor_start(stage, NULL);
    struct actor *child = actor_create(stage, NULL);
    bool freed = false;
    child->freed = &freed;
    struct err err;
    uint64_t reference;
    assert_true(link_child(&parent->process, &child->process, &err));
    assert_true(monitor_child(&parent->process, &child->process, &reference, &err));
    struct message *message = message_create(0, 0, "argument", 8);
    assert_int_equal(process_push(&child->process, &message->entry), PUSH_ACCEPTED);
    node_drain(stage->node);
    assert_false(process_start(&child->process, NULL, &err));
    assert_int_equal(err.code, ERR_DENIED);
    link_remove(&parent->process, pid_of(child));
    assert_true(monitor_remove(&parent->process, reference));
    process_discard(&child->process);
    assert_true(freed);
    settle(stage);
    expect_no_mail(parent);
    assert_int_equal(parent->process.ties, 0);
    expect_alive(parent);
}

/* Like the fingers of a hand, and in a chain. */
enum { CHAIN = 10000 };

static void ten_thousand_linked_processes_end_without_recursion(void **state)
{
    struct stage *stage = *state;
    struct actor *hub = actor_start(stage, NULL);
    struct actor *first = actor_start(stage, NULL);
    static struct actor *chain[CHAIN];
    struct actor *before = first;
    struct err err;
    for (int i = 0; i < CHAIN; i++) {
        chain[i] = actor_create(stage, NULL);
        process_retain(&chain[i]->process);
        assert_true(link_child(&before->process, &chain[i]->process, &err));
        if (i % 2 == 0) {
            assert_true(link_child(&hub->process, &chain[i]->process, &err));
        }
        assert_true(
            process_start(&chain[i]->process, worker_of(stage->node, (unsigned)i % 2), &err));
        before = chain[i];
    }
    settle(stage);
    actor_end(stage, first, EXIT_CRASHED, "the first");
    expect_exit(hub, EXIT_KILLED, "the first");
    assert_int_equal(node_counts(stage->node).processes, 0);
    for (int i = 0; i < CHAIN; i++) {
        expect_exit(chain[i], EXIT_KILLED, "the first");
        process_release(&chain[i]->process);
    }
}

static void a_process_with_many_links_lets_others_run_while_it_tells_them(void **state)
{
    struct stage *stage = *state;
    struct actor *hub = actor_start(stage, NULL);
    static struct actor *spokes[1000];
    struct err err;
    for (int i = 0; i < 1000; i++) {
        spokes[i] = actor_create(stage, NULL);
        process_retain(&spokes[i]->process);
        assert_true(link_child(&hub->process, &spokes[i]->process, &err));
        assert_true(process_start(&spokes[i]->process, worker_of(stage->node, 1), &err));
    }
    settle(stage);
    process_stop(&hub->process, STOP_KILL, NULL);
    worker_run(worker_of(stage->node, 0));
    worker_run(worker_of(stage->node, 1));
    uint64_t left = node_counts(stage->node).processes;
    assert_in_range(left, 2, 999); /* Some were told, and the hub itself is still counted. */
    settle(stage);
    assert_int_equal(node_counts(stage->node).processes, 0);
    for (int i = 0; i < 1000; i++) {
        expect_exit(spokes[i], EXIT_KILLED, "killed");
        process_release(&spokes[i]->process);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_A_STAGE(a_linked_process_ends_with_the_original_reason),
        ON_A_STAGE(links_are_of_both_sides),
        ON_A_STAGE(a_normal_exit_does_not_cascade),
        ON_A_STAGE(who_traps_exits_gets_each_as_a_message_normal_ones_too),
        ON_A_STAGE(a_link_to_what_is_dead_is_an_exit_signal_noproc),
        ON_A_STAGE(after_unlink_no_exit_arrives_and_an_unread_one_is_gone),
        ON_A_STAGE(unlink_frees_both_sides),
        ON_A_STAGE(links_that_both_make_at_once_are_one),
        ON_A_STAGE(a_stale_unlink_does_not_touch_a_newer_link),
        ON_A_STAGE(a_stale_exit_does_not_act_on_a_newer_link),
        ON_A_STAGE(a_link_that_had_arrived_before_an_exit_is_told_the_true_reason),
        ON_A_STAGE(an_unlink_that_had_arrived_before_an_exit_counts),
        ON_A_STAGE(a_link_to_itself_is_none),
        ON_A_STAGE(only_the_links_that_a_process_makes_count_against_its_quota),
        ON_A_STAGE(a_child_is_linked_before_it_starts),
        ON_A_STAGE(a_tied_child_that_does_not_start_leaves_nothing),
        ON_A_STAGE(ten_thousand_linked_processes_end_without_recursion),
        ON_A_STAGE(a_process_with_many_links_lets_others_run_while_it_tells_them),
    };
    return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
