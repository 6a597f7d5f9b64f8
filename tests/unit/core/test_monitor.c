#include "stage.h"

#include <string.h>

static void a_monitor_fires_once_with_the_reason(void **state)
{
    struct stage *stage = *state;
    struct actor *watcher = actor_start(stage, NULL);
    struct actor *target = actor_start(stage, NULL);
    uint64_t first = watch(watcher, target);
    uint64_t second = watch(watcher, target); /* Each is one of its own. */
    assert_int_not_equal(first, second);
    settle(stage);
    assert_int_equal(monitor_count(&watcher->process), 2);
    assert_int_equal(monitor_watchers(&target->process), 2);
    actor_end(stage, target, EXIT_EXITED, "enough");
    assert_int_equal(expect_mail(watcher, MESSAGE_DOWN, target, "enough"), first);
    assert_int_equal(expect_mail(watcher, MESSAGE_DOWN, target, "enough"), second);
    expect_no_mail(watcher);
    assert_int_equal(monitor_count(&watcher->process), 0);
    assert_int_equal(watcher->process.ties, 0);
}

static void each_way_to_end_has_its_reason(void **state)
{
    struct stage *stage = *state;
    static const struct {
        enum exit_class exit_class;
        const char *text, *reason;
    } ways[] = {
        {EXIT_NORMAL, "", "normal"},
        {EXIT_SHUTDOWN, "whatever", "shutdown"},
        {EXIT_EXITED, "said so", "said so"},
        {EXIT_CRASHED, "unreachable", "unreachable"},
        {EXIT_CRASHED, "normal", "normal"},
        {EXIT_CRASHED_CPU, "", "crashed: cpu"},
        {EXIT_CRASHED_MEMORY, "asked 2 of 1", "asked 2 of 1"},
        {EXIT_KILLED, "disconnect", "killed"},
    };
    struct actor *watcher = actor_start(stage, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(ways); i++) {
        struct actor *target = actor_start(stage, NULL);
        uint64_t reference = watch(watcher, target);
        settle(stage);
        actor_end(stage, target, ways[i].exit_class, ways[i].text);
        struct message *down = process_receive(&watcher->process, NULL);
        assert_non_null(down);
        assert_int_equal(down->kind, MESSAGE_DOWN);
        assert_int_equal(down->reference, reference);
        assert_string_equal(down->reason->text, ways[i].reason);
        assert_int_equal(down->reason->exit_class, ways[i].exit_class);
        bool normal = ways[i].exit_class == EXIT_NORMAL;
        assert_int_equal(reason_is(down->reason, REASON_NORMAL), normal); /* Not by its text. */
        message_destroy(down);
    }
}

static void a_monitor_of_the_dead_fires_at_once_with_noproc(void **state)
{
    struct stage *stage = *state;
    struct actor *watcher = actor_start(stage, NULL);
    struct actor *target = actor_start(stage, NULL);
    actor_end(stage, target, EXIT_CRASHED, "long ago");
    uint64_t reference = watch(watcher, target);
    assert_int_equal(expect_mail(watcher, MESSAGE_DOWN, target, "noproc"), reference);
}

static void after_demonitor_no_down_arrives_and_an_unread_one_is_gone(void **state)
{
    struct stage *stage = *state;
    struct actor *watcher = actor_start(stage, NULL);
    struct actor *target = actor_start(stage, NULL);
    uint64_t early = watch(watcher, target);
    uint64_t unread = watch(watcher, target);
    uint64_t unseen = watch(watcher, target);
    uint64_t kept = watch(watcher, target);
    settle(stage);
    assert_true(monitor_remove(&watcher->process, early));
    assert_false(monitor_remove(&watcher->process, early));
    process_stop(&target->process, STOP_KILL, NULL);
    worker_run(worker_of(stage->node, 1));
    assert_int_equal(target->exited, 1);
    assert_true(monitor_remove(&watcher->process, unseen)); /* Its down has arrived, unseen. */
    settle(stage);
    assert_false(monitor_remove(&watcher->process, unread));
    assert_int_equal(expect_mail(watcher, MESSAGE_DOWN, target, "killed"), kept);
    expect_no_mail(watcher);
}

static void demonitor_frees_both_sides(void **state)
{
    struct stage *stage = *state;
    struct actor *watcher = actor_start(stage, NULL);
    struct actor *target = actor_start(stage, NULL);
    uint64_t reference = watch(watcher, target);
    settle(stage);
    assert_true(monitor_remove(&watcher->process, reference));
    settle(stage);
    assert_int_equal(monitor_watchers(&target->process), 0);
    assert_int_equal(watcher->process.ties, 0);
    assert_false(monitor_remove(&watcher->process, 0));
    assert_false(monitor_remove(&watcher->process, reference + 1));
}

static void a_watcher_that_ends_is_forgotten(void **state)
{
    struct stage *stage = *state;
    struct actor *watcher = actor_start(stage, NULL);
    struct actor *target = actor_start(stage, NULL);
    watch(watcher, target);
    settle(stage);
    actor_end(stage, watcher, EXIT_CRASHED, "watcher");
    assert_int_equal(monitor_watchers(&target->process), 0);
    expect_alive(target);
}

static void a_monitor_on_itself_fires_for_nobody(void **state)
{
    struct stage *stage = *state;
    struct actor *a = actor_start(stage, NULL);
    uint64_t reference = watch(a, a);
    watch(a, a);
    settle(stage);
    assert_true(monitor_remove(&a->process, reference));
    settle(stage);
    assert_int_equal(monitor_watchers(&a->process), 1);
    expect_no_mail(a);
}

static void a_child_is_watched_before_it_starts(void **state)
{
    struct stage *stage = *state;
    struct actor *parent = actor_start(stage, NULL);
    struct actor *child = actor_create(stage, NULL);
    child->ends = true;
    struct err err;
    uint64_t reference;
    assert_true(monitor_child(&parent->process, &child->process, &reference, &err));
    assert_true(process_start(&child->process, worker_of(stage->node, 1), &err));
    settle(stage);
    assert_int_equal(expect_mail(parent, MESSAGE_DOWN, NULL, "normal"), reference);
}

static void news_come_behind_what_the_same_sender_sent_before(void **state)
{
    struct stage *stage = *state;
    struct actor *watcher = actor_start_trapping(stage);
    struct actor *target = actor_start(stage, NULL);
    watch(watcher, target);
    settle(stage);
    send_word(stage, target, watcher, "one");
    struct reason *reason = reason_create(EXIT_EXITED, 0, "two", 3);
    assert_true(process_exit_signal(stage->node, pid_of(target), pid_of(watcher), reason));
    reason_release(reason);
    send_word(stage, target, watcher, "three");
    actor_end(stage, target, EXIT_EXITED, "four");
    expect_mail(watcher, MESSAGE_SEND, target, "one");
    expect_mail(watcher, MESSAGE_EXIT, target, "two");
    expect_mail(watcher, MESSAGE_SEND, target, "three");
    expect_mail(watcher, MESSAGE_DOWN, target, "four");
}

static struct message *word(const char *text)
{
    struct message *message = message_create(99, 5, text, strlen(text));
    assert_non_null(message);
    return message;
}

static uint64_t call(struct actor *caller, struct actor *callee)
{
    struct err err;
    uint64_t reference = 0;
    assert_true(monitor_call(&caller->process, pid_of(callee), word("question"), &reference, &err));
    return reference;
}

static void a_call_is_answered_once_and_late_answers_are_dropped(void **state)
{
    struct stage *stage = *state;
    struct actor *caller = actor_start(stage, NULL);
    struct actor *callee = actor_start(stage, NULL);
    uint64_t reference = call(caller, callee);
    settle(stage);
    assert_int_equal(expect_mail(callee, MESSAGE_CALL, caller, "question"), reference);
    assert_int_equal(monitor_watchers(&callee->process), 1);
    assert_true(monitor_reply(stage->node, pid_of(caller), reference, word("answer")));
    assert_true(monitor_reply(stage->node, pid_of(caller), reference, word("again")));
    settle(stage);
    const struct mailbox_filter other = {.reference = reference + 1};
    assert_null(process_receive(&caller->process, &other));
    const struct mailbox_filter own = {.reference = reference};
    struct message *reply = process_receive(&caller->process, &own);
    assert_non_null(reply);
    assert_int_equal(reply->kind, MESSAGE_REPLY);
    assert_int_equal(reply->label, 5);
    message_destroy(reply);
    expect_no_mail(caller);
    assert_int_equal(monitor_watchers(&callee->process), 0);
    assert_int_equal(caller->process.ties, 0);
    actor_end(stage, callee, EXIT_CRASHED, "later");
    expect_no_mail(caller);
}

static void a_call_fails_when_the_callee_ends(void **state)
{
    struct stage *stage = *state;
    struct actor *caller = actor_start(stage, NULL);
    struct actor *callee = actor_start(stage, NULL);
    uint64_t reference = call(caller, callee);
    settle(stage);
    actor_end(stage, callee, EXIT_CRASHED, "unreachable");
    assert_int_equal(expect_mail(caller, MESSAGE_DOWN, callee, "unreachable"), reference);
    uint64_t late = call(caller, callee);
    assert_int_equal(expect_mail(caller, MESSAGE_DOWN, callee, "noproc"), late);
    assert_true(monitor_reply(stage->node, pid_of(caller), late, word("from the grave")));
    expect_no_mail(caller);
    assert_true(monitor_reply(stage->node, pid_of(callee), late, word("to the grave")));
}

static void a_call_that_was_given_up_leaves_no_answer(void **state)
{
    struct stage *stage = *state;
    struct actor *caller = actor_start(stage, NULL);
    struct actor *callee = actor_start(stage, NULL);
    uint64_t reference = call(caller, callee);
    uint64_t other = call(caller, callee);
    settle(stage);
    assert_true(monitor_reply(stage->node, pid_of(caller), reference, word("unread")));
    settle(stage);
    assert_false(monitor_remove(&caller->process, reference));
    expect_no_mail(caller);
    assert_true(monitor_remove(&caller->process, other));
    assert_true(monitor_reply(stage->node, pid_of(caller), other, word("late")));
    settle(stage);
    expect_no_mail(caller);
}

static void nobody_can_answer_under_a_monitor_or_a_guessed_reference(void **state)
{
    struct stage *stage = *state;
    struct actor *caller = actor_start(stage, NULL);
    struct actor *callee = actor_start(stage, NULL);
    uint64_t reference = watch(caller, callee);
    uint64_t open = call(caller, callee);
    assert_true(monitor_reply(stage->node, pid_of(caller), reference, word("no call")));
    for (uint64_t guess = 0; guess < 100; guess++) {
        if (open + 50 - guess != open) {
            assert_true(
                monitor_reply(stage->node, pid_of(caller), open + 50 - guess, word("guess")));
        }
    }
    settle(stage);
    expect_no_mail(caller);
}

static void a_call_to_a_full_mailbox_is_an_error_of_the_caller(void **state)
{
    struct stage *stage = *state;
    struct actor *caller = actor_start(stage, NULL);
    const struct process_options small = {.mailbox = {.messages = 1}};
    struct actor *callee = actor_start(stage, &small);
    call(caller, callee);
    settle(stage);
    struct message *request = word("too much");
    struct err err;
    uint64_t reference;
    assert_false(monitor_call(&caller->process, pid_of(callee), request, &reference, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    message_destroy(request);
    settle(stage);
    assert_int_equal(monitor_watchers(&callee->process), 1);
    assert_int_equal(monitor_count(&caller->process), 1);
}

static void replies_that_nobody_asked_for_are_refused_before_they_fill_the_memory(void **state)
{
    struct stage *stage = *state;
    static const struct process_quotas few = {.ties_max = 2};
    struct actor *caller = actor_start(
        stage, &(struct process_options){.kind = "test",
                                         .mailbox = {.messages = 3, .policy = MAILBOX_REFUSE},
                                         .quotas = &few});
    struct actor *callee = actor_start(stage, NULL);
    uint64_t reference = call(caller, callee);
    settle(stage);
    for (unsigned i = 0; i < 5; i++) {
        assert_true(monitor_reply(stage->node, pid_of(caller), reference + 1, word("noise")));
    }
    struct message *one_too_many = word("noise");
    assert_false(monitor_reply(stage->node, pid_of(caller), reference + 1, one_too_many));
    message_destroy(one_too_many);
    settle(stage);
    expect_no_mail(caller);
    assert_true(monitor_reply(stage->node, pid_of(caller), reference, word("answer")));
    settle(stage);
    assert_int_equal(expect_mail(caller, MESSAGE_REPLY, NULL, "answer"), reference);
    assert_int_equal(expect_mail(callee, MESSAGE_CALL, caller, "question"), reference);
}

static void a_reply_is_not_refused_by_a_full_mailbox(void **state)
{
    struct stage *stage = *state;
    const struct process_options small = {.mailbox = {.messages = 1, .bytes = 4}};
    struct actor *caller = actor_start(stage, &small);
    struct actor *callee = actor_start(stage, NULL);
    uint64_t reference = call(caller, callee);
    send_word(stage, callee, caller, "full");
    assert_true(monitor_reply(stage->node, pid_of(caller), reference, word("and yet an answer")));
    expect_mail(caller, MESSAGE_SEND, callee, "full");
    expect_mail(caller, MESSAGE_REPLY, NULL, "and yet an answer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_A_STAGE(a_monitor_fires_once_with_the_reason),
        ON_A_STAGE(each_way_to_end_has_its_reason),
        ON_A_STAGE(a_monitor_of_the_dead_fires_at_once_with_noproc),
        ON_A_STAGE(after_demonitor_no_down_arrives_and_an_unread_one_is_gone),
        ON_A_STAGE(demonitor_frees_both_sides),
        ON_A_STAGE(a_watcher_that_ends_is_forgotten),
        ON_A_STAGE(a_monitor_on_itself_fires_for_nobody),
        ON_A_STAGE(a_child_is_watched_before_it_starts),
        ON_A_STAGE(news_come_behind_what_the_same_sender_sent_before),
        ON_A_STAGE(a_call_is_answered_once_and_late_answers_are_dropped),
        ON_A_STAGE(a_call_fails_when_the_callee_ends),
        ON_A_STAGE(a_call_that_was_given_up_leaves_no_answer),
        ON_A_STAGE(nobody_can_answer_under_a_monitor_or_a_guessed_reference),
        ON_A_STAGE(a_call_to_a_full_mailbox_is_an_error_of_the_caller),
        ON_A_STAGE(replies_that_nobody_asked_for_are_refused_before_they_fill_the_memory),
        ON_A_STAGE(a_reply_is_not_refused_by_a_full_mailbox),
    };
    return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
