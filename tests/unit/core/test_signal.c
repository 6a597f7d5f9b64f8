#include "stage.h"

#include <string.h>

static struct reason *reason_text(const char *text)
{
    return reason_create(EXIT_EXITED, 0, text, strlen(text));
}

/* exit(target, reason) of `from`. */
static bool exit_signal(struct stage *stage, const struct actor *from, const struct actor *target,
                        const char *text)
{
    struct reason *reason = reason_text(text);
    struct pid none = {0};
    bool sent = process_exit_signal(stage->node, from == NULL ? none : pid_of(from), pid_of(target),
                                    reason);
    reason_release(reason);
    return sent;
}

static bool ask_stop(struct stage *stage, const struct actor *target, const char *text)
{
    struct reason *reason = reason_text(text);
    bool asked = process_ask_stop(stage->node, (struct pid){0}, pid_of(target), reason);
    reason_release(reason);
    return asked;
}

static void an_exit_signal_ends_who_does_not_trap_with_that_reason(void **state)
{
    struct stage *stage = *state;
    struct actor *from = actor_start(stage, NULL);
    struct actor *target = actor_start(stage, NULL);
    struct actor *watcher = actor_start(stage, NULL);
    watch(watcher, target);
    assert_true(exit_signal(stage, from, target, "go away"));
    settle(stage);
    expect_exit(target, EXIT_KILLED, "go away");
    expect_mail(watcher, MESSAGE_DOWN, target, "go away");
    assert_false(exit_signal(stage, from, target, "once more"));
}

static void who_traps_gets_an_exit_signal_as_a_message(void **state)
{
    struct stage *stage = *state;
    struct actor *from = actor_start(stage, NULL);
    struct actor *target = actor_start_trapping(stage);
    assert_true(exit_signal(stage, from, target, "go away"));
    assert_true(exit_signal(stage, from, target, "normal"));
    settle(stage);
    assert_int_equal(expect_mail(target, MESSAGE_EXIT, from, "go away"), 0);
    expect_mail(target, MESSAGE_EXIT, from, "normal");
    expect_alive(target);
}

static void news_is_not_refused_but_who_leaves_too_much_unread_is_killed(void **state)
{
    struct stage *stage = *state;
    static const struct process_quotas four = {.ties_max = 3, .timers_max = 1};
    const struct process_options small = {
        .mailbox = {.messages = 2}, .quotas = &four, .traps_exits = true};
    struct actor *from = actor_start(stage, NULL);
    struct actor *target = actor_start(stage, &small);
    for (unsigned i = 0; i < 6; i++) {
        assert_true(exit_signal(stage, from, target, "go away"));
    }
    settle(stage);
    expect_alive(target);
    expect_mail(target, MESSAGE_EXIT, from, "go away");
    for (unsigned i = 0; i < 2; i++) {
        assert_true(exit_signal(stage, from, target, "go away"));
    }
    settle(stage);
    expect_exit(target, EXIT_KILLED, "mailbox full of unread news");
}

static void an_exit_signal_normal_is_nothing_but_from_itself(void **state)
{
    struct stage *stage = *state;
    struct actor *from = actor_start(stage, NULL);
    struct actor *target = actor_start(stage, NULL);
    struct actor *watcher = actor_start(stage, NULL);
    watch(watcher, target);
    assert_true(exit_signal(stage, from, target, "normal"));
    settle(stage);
    expect_alive(target);
    expect_no_mail(target);
    assert_true(exit_signal(stage, target, target, "normal"));
    settle(stage);
    expect_exit(target, EXIT_NORMAL, "normal");
    expect_mail(watcher, MESSAGE_DOWN, target, "normal");
}

static void kill_cannot_be_trapped_and_its_victims_links_see_killed_which_can(void **state)
{
    struct stage *stage = *state;
    struct actor *from = actor_start(stage, NULL);
    struct actor *target = actor_start_trapping(stage);
    struct actor *trapping = actor_start_trapping(stage);
    struct actor *plain = actor_start(stage, NULL);
    link_them(trapping, target);
    link_them(plain, target);
    settle(stage);
    assert_true(exit_signal(stage, from, target, "kill"));
    settle(stage);
    assert_int_equal(target->exited, 1);
    assert_int_equal(target->last.exit_class, EXIT_KILLED);
    expect_mail(trapping, MESSAGE_EXIT, target, "killed");
    expect_exit(plain, EXIT_KILLED, "killed");
    assert_false(exit_signal(stage, from, target, "kill"));
}

static void a_link_that_passes_on_kill_can_be_trapped(void **state)
{
    struct stage *stage = *state;
    struct actor *target = actor_start(stage, NULL);
    struct actor *trapping = actor_start_trapping(stage);
    link_them(trapping, target);
    settle(stage);
    actor_end(stage, target, EXIT_EXITED, "kill");
    expect_mail(trapping, MESSAGE_EXIT, target, "kill");
    expect_alive(trapping);
}

static void signals_act_before_what_is_unread(void **state)
{
    struct stage *stage = *state;
    struct actor *from = actor_start(stage, NULL);
    struct actor *target = actor_start(stage, NULL);
    send_word(stage, from, target, "unread");
    assert_true(exit_signal(stage, from, target, "now"));
    assert_null(process_receive(&target->process, NULL)); /* It has nothing to say any more. */
    settle(stage);
    expect_exit(target, EXIT_KILLED, "now");
}

static void who_stops_trapping_is_ended_by_the_next_signal(void **state)
{
    struct stage *stage = *state;
    struct actor *target = actor_start_trapping(stage);
    assert_true(exit_signal(stage, NULL, target, "heard"));
    settle(stage);
    assert_true(process_trap_exits(&target->process, false));
    expect_mail(target, MESSAGE_EXIT, NULL, "heard");
    assert_true(exit_signal(stage, NULL, target, "felt"));
    settle(stage);
    expect_exit(target, EXIT_KILLED, "felt");
}

static void asked_to_stop_a_process_hears_it_or_ends(void **state)
{
    struct stage *stage = *state;
    struct actor *plain = actor_start(stage, NULL);
    struct actor *hears = actor_start(stage, &(struct process_options){.takes_stop = true});
    struct actor *traps = actor_start_trapping(stage);
    struct actor *watcher = actor_start(stage, NULL);
    watch(watcher, plain);
    watch(watcher, hears);
    assert_true(ask_stop(stage, plain, "the node stops"));
    assert_true(ask_stop(stage, hears, "the node stops"));
    assert_true(ask_stop(stage, traps, "the node stops"));
    settle(stage);
    expect_exit(plain, EXIT_SHUTDOWN, "the node stops");
    expect_mail(watcher, MESSAGE_DOWN, plain, "shutdown");
    expect_mail(hears, MESSAGE_STOP, NULL, "the node stops");
    expect_mail(traps, MESSAGE_STOP, NULL, "the node stops");
    actor_end(stage, hears, EXIT_SHUTDOWN, "");
    expect_mail(watcher, MESSAGE_DOWN, hears, "shutdown");
    assert_false(ask_stop(stage, hears, "again"));
}

static enum turn turn_until_stopped(struct native *native, struct exit *ret_exit)
{
    struct pid self = native->process.pid;
    struct reason *reason = reason_text("while it runs");
    if (!process_exit_signal(native->process.node, self, self, reason)) {
        BUG("a running process is not found");
    }
    reason_release(reason);
    native->number = process_tick(&native->process);
    ret_exit->exit_class = EXIT_KILLED;
    return TURN_ENDED;
}

static void a_signal_acts_at_the_next_tick_of_a_running_process(void **state)
{
    struct stage *stage = *state;
    struct tally tally;
    tally_init(&tally);
    struct native *native = native_start(stage->node, worker_of(stage->node, 0), &tally,
                                         turn_until_stopped);
    settle(stage);
    assert_int_equal(native->number, TICK_STOP);
    assert_int_equal(tally.last.exit_class, EXIT_KILLED);
    assert_string_equal(tally.last.reason, "while it runs");
    process_release(&native->process);
    tally_fini(&tally);
}

static void the_first_stop_counts(void **state)
{
    struct stage *stage = *state;
    struct actor *target = actor_start(stage, NULL);
    struct actor *watcher = actor_start(stage, NULL);
    watch(watcher, target);
    settle(stage);
    assert_true(exit_signal(stage, NULL, target, "first"));
    assert_true(exit_signal(stage, NULL, target, "second"));
    settle(stage);
    expect_exit(target, EXIT_KILLED, "first");
    expect_mail(watcher, MESSAGE_DOWN, target, "first");
}

static enum turn turn_own_end(struct native *native, struct exit *ret_exit)
{
    struct pid self = native->process.pid;
    struct reason *reason = reason_text("from outside");
    if (!process_exit_signal(native->process.node, self, self, reason)) {
        BUG("a running process is not found");
    }
    reason_release(reason);
    if (process_tick(&native->process) != TICK_STOP) {
        BUG("not stopped");
    }
    ret_exit->exit_class = EXIT_EXITED;
    memcpy(ret_exit->reason, "its own", sizeof("its own"));
    return TURN_ENDED;
}

static void a_body_that_has_come_to_its_own_end_keeps_its_reason(void **state)
{
    struct stage *stage = *state;
    struct actor *watcher = actor_start(stage, NULL);
    struct tally tally;
    tally_init(&tally);
    struct native *native = native_start(stage->node, worker_of(stage->node, 0), &tally,
                                         turn_own_end);
    uint64_t reference;
    struct err err;
    assert_true(monitor_add(&watcher->process, native->process.pid, &reference, &err));
    settle(stage);
    assert_string_equal(tally.last.reason, "its own");
    assert_int_equal(expect_mail(watcher, MESSAGE_DOWN, NULL, "its own"), reference);
    process_release(&native->process);
    tally_fini(&tally);
}

static void a_full_mailbox_does_what_its_policy_says(void **state)
{
    struct stage *stage = *state;
    struct actor *from = actor_start(stage, NULL);
    struct actor *full[3];
    const enum mailbox_policy policies[] = {MAILBOX_REFUSE, MAILBOX_DROP_NEW, MAILBOX_KILL};
    for (int i = 0; i < 3; i++) {
        const struct process_options options = {.mailbox = {.messages = 1, .policy = policies[i]}};
        full[i] = actor_start(stage, &options);
        send_word(stage, from, full[i], "fits");
    }
    struct message *message = message_create(0, 0, "too much", 8);
    assert_false(process_send(stage->node, pid_of(full[0]), message));
    message_destroy(message); /* It stayed with us. */
    send_word(stage, from, full[1], "too much");
    send_word(stage, from, full[2], "too much");
    settle(stage);
    expect_alive(full[0]);
    expect_mail(full[1], MESSAGE_SEND, from, "fits");
    expect_no_mail(full[1]);
    expect_exit(full[2], EXIT_KILLED, "mailbox full");
}

static void sending_to_the_dead_is_no_error(void **state)
{
    struct stage *stage = *state;
    struct actor *from = actor_start(stage, NULL);
    struct actor *dead = actor_start(stage, NULL);
    actor_end(stage, dead, EXIT_NORMAL, "");
    send_word(stage, from, dead, "gone");
    assert_true(process_send(stage->node, (struct pid){0}, message_create(0, 0, NULL, 0)));
}

static void references_are_unique_to_a_process_and_not_in_a_row(void **state)
{
    struct stage *stage = *state;
    struct actor *a = actor_start(stage, NULL);
    uint64_t last = process_next_reference(&a->process);
    for (int i = 0; i < 1000; i++) {
        uint64_t next = process_next_reference(&a->process);
        assert_int_not_equal(next, 0);
        assert_true(next > last ? next - last > 1000 : last - next > 1000);
        last = next;
    }
}

static void the_list_of_processes_tells_of_mail_and_ties(void **state)
{
    struct stage *stage = *state;
    struct actor *a = actor_start_trapping(stage);
    struct actor *b = actor_start(stage, NULL);
    link_them(a, b);
    watch(a, b);
    send_word(stage, b, a, "seven b");
    settle(stage);
    struct process_info info[4];
    assert_int_equal(node_list(stage->node, info, 4), 2);
    const struct process_info *of_a = pid_equal(info[0].pid, pid_of(a)) ? &info[0] : &info[1];
    const struct process_info *of_b = &info[of_a == &info[0]];
    assert_int_equal(of_a->links, 1);
    assert_int_equal(of_a->monitors, 1);
    assert_int_equal(of_a->watchers, 0);
    assert_int_equal(of_a->mailbox_messages, 1);
    assert_int_equal(of_a->mailbox_bytes, 7);
    assert_int_equal(of_b->links, 1);
    assert_int_equal(of_b->watchers, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_A_STAGE(an_exit_signal_ends_who_does_not_trap_with_that_reason),
        ON_A_STAGE(who_traps_gets_an_exit_signal_as_a_message),
        ON_A_STAGE(news_is_not_refused_but_who_leaves_too_much_unread_is_killed),
        ON_A_STAGE(an_exit_signal_normal_is_nothing_but_from_itself),
        ON_A_STAGE(kill_cannot_be_trapped_and_its_victims_links_see_killed_which_can),
        ON_A_STAGE(a_link_that_passes_on_kill_can_be_trapped),
        ON_A_STAGE(signals_act_before_what_is_unread),
        ON_A_STAGE(who_stops_trapping_is_ended_by_the_next_signal),
        ON_A_STAGE(asked_to_stop_a_process_hears_it_or_ends),
        ON_A_STAGE(a_signal_acts_at_the_next_tick_of_a_running_process),
        ON_A_STAGE(the_first_stop_counts),
        ON_A_STAGE(a_body_that_has_come_to_its_own_end_keeps_its_reason),
        ON_A_STAGE(a_full_mailbox_does_what_its_policy_says),
        ON_A_STAGE(sending_to_the_dead_is_no_error),
        ON_A_STAGE(references_are_unique_to_a_process_and_not_in_a_row),
        ON_A_STAGE(the_list_of_processes_tells_of_mail_and_ties),
    };
    return cmocka_run_group_tests_name("signal", tests, NULL, NULL);
}
