#include "native.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

static struct entry *text(const char *words)
{
    struct message *message = message_create(7, 3, words, strlen(words));
    assert_non_null(message);
    return &message->entry;
}

/* As a process does that knows no signals. */
static struct message *take(struct mailbox *mailbox)
{
    for (struct entry *entry = mailbox_collect(mailbox), *next; entry != NULL; entry = next) {
        next = entry->next;
        mailbox_append(mailbox, CONTAINER_OF(entry, struct message, entry));
    }
    return mailbox_receive(mailbox, NULL);
}

static bool is_text(struct message *message, const char *words)
{
    bool equal = message != NULL && message->size_bytes == strlen(words) &&
                 memcmp(message->body, words, message->size_bytes) == 0;
    message_destroy(message);
    return equal;
}

/* Whether the next one taken is a message of these words; destroys it. */
static bool takes(struct mailbox *mailbox, const char *words)
{
    struct message *message = take(mailbox);
    return words == NULL ? message == NULL : is_text(message, words);
}

static void close_mailbox(struct mailbox *mailbox)
{
    for (struct entry *entry = mailbox_close(mailbox), *next; entry != NULL; entry = next) {
        next = entry->next;
        if (entry->kind == ENTRY_SIGNAL) {
            entry->destroy(entry);
        } else {
            mailbox_append(mailbox, CONTAINER_OF(entry, struct message, entry));
        }
    }
    assert_true(mailbox_sweep(mailbox, UINT32_MAX));
    assert_int_equal(mailbox_messages(mailbox), 0);
    assert_int_equal(mailbox_bytes(mailbox), 0);
}

static const struct mailbox_limits unlimited;

static void messages_come_out_in_the_order_of_arrival(void **state)
{
    (void)state;
    struct mailbox mailbox;
    mailbox_init(&mailbox, unlimited);
    assert_false(mailbox_has_mail(&mailbox));
    assert_int_equal(mailbox_push(&mailbox, text("a")), PUSH_ACCEPTED);
    assert_int_equal(mailbox_push(&mailbox, text("b")), PUSH_ACCEPTED);
    assert_true(mailbox_has_mail(&mailbox));
    assert_true(takes(&mailbox, "a"));
    assert_int_equal(mailbox_push(&mailbox, text("c")), PUSH_ACCEPTED);
    assert_int_equal(mailbox_push(&mailbox, text("")), PUSH_ACCEPTED);
    assert_true(takes(&mailbox, "b"));
    assert_true(takes(&mailbox, "c"));
    assert_true(takes(&mailbox, ""));
    assert_true(takes(&mailbox, NULL));
    assert_false(mailbox_has_mail(&mailbox));
    close_mailbox(&mailbox);
}

static void a_message_carries_sender_label_and_a_copy_of_its_body(void **state)
{
    (void)state;
    char body[] = "body";
    AUTO(message_destroyp) struct message *message = message_create(42, 9, body, 4);
    assert_non_null(message);
    body[0] = 'X';
    assert_int_equal(message->sender, 42);
    assert_int_equal(message->label, 9);
    assert_int_equal(message->size_bytes, 4);
    assert_memory_equal(message->body, "body", 4);
    assert_null(message_create(0, 0, body, SIZE_MAX));
}

static void the_message_limit_refuses_one_more_until_one_is_taken(void **state)
{
    (void)state;
    struct mailbox mailbox;
    mailbox_init(&mailbox, (struct mailbox_limits){.messages = 2});
    assert_int_equal(mailbox_push(&mailbox, text("a")), PUSH_ACCEPTED);
    assert_int_equal(mailbox_push(&mailbox, text("b")), PUSH_ACCEPTED);
    struct entry *third = text("c");
    assert_int_equal(mailbox_push(&mailbox, third), PUSH_FULL);
    assert_int_equal(mailbox_messages(&mailbox), 2);
    assert_true(takes(&mailbox, "a"));
    assert_int_equal(mailbox_push(&mailbox, third), PUSH_ACCEPTED);
    assert_true(takes(&mailbox, "b"));
    assert_true(takes(&mailbox, "c"));
    assert_int_equal(mailbox_messages(&mailbox), 0);
    close_mailbox(&mailbox);
}

static void the_byte_limit_counts_bodies_only(void **state)
{
    (void)state;
    struct mailbox mailbox;
    mailbox_init(&mailbox, (struct mailbox_limits){.bytes = 10});
    struct entry *large = text("eleven char");
    assert_int_equal(mailbox_push(&mailbox, large), PUSH_FULL);
    large->destroy(large);
    assert_int_equal(mailbox_push(&mailbox, text("123456")), PUSH_ACCEPTED);
    struct entry *five = text("12345");
    assert_int_equal(mailbox_push(&mailbox, five), PUSH_FULL);
    assert_int_equal(mailbox_push(&mailbox, text("1234")), PUSH_ACCEPTED);
    assert_int_equal(mailbox_push(&mailbox, text("")), PUSH_ACCEPTED);
    assert_int_equal(mailbox_bytes(&mailbox), 10);
    assert_true(takes(&mailbox, "123456"));
    assert_int_equal(mailbox_bytes(&mailbox), 4);
    assert_int_equal(mailbox_push(&mailbox, five), PUSH_ACCEPTED);
    close_mailbox(&mailbox);
    assert_int_equal(mailbox_bytes(&mailbox), 0);
}

struct signal_entry {
    struct entry entry;
    int destroyed;
};

static void signal_destroy(struct entry *entry)
{
    CONTAINER_OF(entry, struct signal_entry, entry)->destroyed++;
}

static void a_signal_is_never_refused_for_room_and_keeps_its_place(void **state)
{
    (void)state;
    struct mailbox mailbox;
    mailbox_init(&mailbox, (struct mailbox_limits){.messages = 1, .bytes = 1});
    struct signal_entry signal = {.entry = {.kind = ENTRY_SIGNAL, .destroy = signal_destroy}};
    assert_int_equal(mailbox_push(&mailbox, text("a")), PUSH_ACCEPTED);
    assert_int_equal(mailbox_push(&mailbox, &signal.entry), PUSH_ACCEPTED);
    assert_int_equal(mailbox_messages(&mailbox), 1);
    struct entry *refused = text("b");
    assert_int_equal(mailbox_push(&mailbox, refused), PUSH_FULL);
    refused->destroy(refused);
    struct entry *first = mailbox_collect(&mailbox);
    assert_int_equal(first->kind, ENTRY_MESSAGE);
    assert_ptr_equal(first->next, &signal.entry);
    assert_null(signal.entry.next);
    assert_null(mailbox_collect(&mailbox));
    mailbox_append(&mailbox, CONTAINER_OF(first, struct message, entry));
    assert_true(takes(&mailbox, "a"));
    close_mailbox(&mailbox);
    assert_int_equal(signal.destroyed, 0);
}

static void answers_on_their_way_are_bounded_as_unread_news_is(void **state)
{
    (void)state;
    enum { MORE = 2 };
    struct mailbox mailbox;
    mailbox_init(&mailbox, (struct mailbox_limits){.messages = 3, .bytes = 1000});
    struct message *small = message_create(7, 1, "answer", 6);
    enum { LARGE = 16 << 20 };
    void *zeros = calloc(1, LARGE);
    assert_non_null(zeros);
    struct message *large = message_create(7, 1, zeros, LARGE);
    free(zeros);
    assert_non_null(small);
    assert_non_null(large);
    for (unsigned i = 0; i < 3 + MORE; i++) {
        assert_true(mailbox_expect_answer(&mailbox, small, MORE));
    }
    assert_false(mailbox_expect_answer(&mailbox, small, MORE));
    for (unsigned i = 0; i < 3 + MORE; i++) {
        mailbox_forget_answer(&mailbox, small);
    }
    assert_true(mailbox_expect_answer(&mailbox, large, MORE));
    assert_false(mailbox_expect_answer(&mailbox, large, MORE));
    assert_true(mailbox_expect_answer(&mailbox, small, MORE));
    assert_int_equal(mailbox_messages(&mailbox), 0);
    message_destroy(small);
    message_destroy(large);
    close_mailbox(&mailbox);
}

static void a_closed_mailbox_destroys_what_is_left_and_refuses_the_rest(void **state)
{
    (void)state;
    struct mailbox mailbox;
    mailbox_init(&mailbox, unlimited);
    struct signal_entry first = {.entry = {.kind = ENTRY_SIGNAL, .destroy = signal_destroy}};
    struct signal_entry second = first;
    assert_int_equal(mailbox_push(&mailbox, text("a")), PUSH_ACCEPTED);
    assert_int_equal(mailbox_push(&mailbox, text("b")), PUSH_ACCEPTED);
    assert_true(takes(&mailbox, "a"));
    assert_int_equal(mailbox_push(&mailbox, text("c")), PUSH_ACCEPTED);
    assert_int_equal(mailbox_push(&mailbox, &first.entry), PUSH_ACCEPTED);
    struct entry *left = mailbox_close(&mailbox); /* What was not collected is its caller's. */
    assert_int_equal(left->kind, ENTRY_MESSAGE);
    assert_ptr_equal(left->next, &first.entry);
    assert_null(first.entry.next);
    mailbox_append(&mailbox, CONTAINER_OF(left, struct message, entry));
    assert_int_equal(first.destroyed, 0);
    assert_int_equal(mailbox_messages(&mailbox), 2);
    assert_false(mailbox_sweep(&mailbox, 1));
    assert_int_equal(mailbox_messages(&mailbox), 1);
    assert_true(mailbox_sweep(&mailbox, 1));
    assert_int_equal(mailbox_messages(&mailbox), 0);
    assert_int_equal(mailbox_push(&mailbox, &second.entry), PUSH_CLOSED);
    struct entry *late = text("late");
    assert_int_equal(mailbox_push(&mailbox, late), PUSH_CLOSED);
    late->destroy(late);
    assert_false(mailbox_has_mail(&mailbox));
    assert_null(take(&mailbox));
    close_mailbox(&mailbox);
    assert_int_equal(second.destroyed, 0);
}

/* Put messages with these labels in, ready to be received. */
static void fill(struct mailbox *mailbox, size_t count, const uint64_t labels[])
{
    for (size_t i = 0; i < count; i++) {
        struct message *message = message_create(7, labels[i], NULL, 0);
        assert_non_null(message);
        assert_int_equal(mailbox_push(mailbox, &message->entry), PUSH_ACCEPTED);
    }
    for (struct entry *entry = mailbox_collect(mailbox), *next; entry != NULL; entry = next) {
        next = entry->next;
        mailbox_append(mailbox, CONTAINER_OF(entry, struct message, entry));
    }
}

static struct mailbox_filter labelled(uint64_t label)
{
    return (struct mailbox_filter){.labels = 1, .label = {label}};
}

/* The label of the next one that matches, 0: none does. */
static uint64_t receives(struct mailbox *mailbox, struct mailbox_filter filter)
{
    struct message *message = mailbox_receive(mailbox, &filter);
    uint64_t label = message == NULL ? 0 : message->label;
    message_destroy(message);
    return label;
}

static void a_filter_takes_what_matches_and_leaves_the_rest_in_order(void **state)
{
    (void)state;
    struct mailbox mailbox;
    mailbox_init(&mailbox, unlimited);
    fill(&mailbox, 6, (const uint64_t[]){1, 2, 3, 2, 1, 4});
    assert_int_equal(receives(&mailbox, labelled(2)), 2);
    assert_int_equal(receives(&mailbox, labelled(4)), 4);
    assert_int_equal(receives(&mailbox, labelled(4)), 0);
    assert_int_equal(receives(&mailbox, labelled(2)), 2);
    assert_int_equal(receives(&mailbox, labelled(2)), 0);
    const struct mailbox_filter either = {.labels = 2, .label = {9, 3}};
    assert_int_equal(receives(&mailbox, either), 3);
    fill(&mailbox, 1, (const uint64_t[]){2});
    assert_int_equal(receives(&mailbox, labelled(1)), 1);
    assert_int_equal(receives(&mailbox, labelled(2)), 2);
    assert_int_equal(mailbox_messages(&mailbox), 1);
    assert_int_equal(receives(&mailbox, (struct mailbox_filter){0}), 1);
    assert_null(mailbox.ready_last);
    close_mailbox(&mailbox);
}

static void what_a_filter_has_passed_over_is_not_looked_at_again(void **state)
{
    (void)state;
    struct mailbox mailbox;
    mailbox_init(&mailbox, unlimited);
    fill(&mailbox, 4, (const uint64_t[]){1, 1, 1, 1});
    assert_int_equal(receives(&mailbox, labelled(2)), 0);
    /* Change what it would find there: it must not. */
    CONTAINER_OF(mailbox.ready_first, struct message, entry)->label = 2;
    assert_int_equal(receives(&mailbox, labelled(2)), 0);
    fill(&mailbox, 1, (const uint64_t[]){2});
    assert_int_equal(receives(&mailbox, labelled(2)), 2);
    assert_int_equal(receives(&mailbox, labelled(2)), 0);
    assert_int_equal(receives(&mailbox, labelled(3)), 0);
    assert_int_equal(receives(&mailbox, labelled(2)), 2); /* Another filter came between. */
    close_mailbox(&mailbox);
}

static void taking_what_a_cursor_stands_on_moves_it_back(void **state)
{
    (void)state;
    struct mailbox mailbox;
    mailbox_init(&mailbox, unlimited);
    fill(&mailbox, 2, (const uint64_t[]){1, 1});
    assert_int_equal(receives(&mailbox, labelled(2)), 0);
    mailbox_mark(&mailbox, 77);
    assert_int_equal(receives(&mailbox, (struct mailbox_filter){0}), 1);
    assert_int_equal(receives(&mailbox, (struct mailbox_filter){0}), 1);
    fill(&mailbox, 3, (const uint64_t[]){3, 2, 4});
    assert_int_equal(receives(&mailbox, labelled(2)), 2);
    assert_int_equal(receives(&mailbox, labelled(3)), 3);
    assert_int_equal(receives(&mailbox, labelled(4)), 4);
    close_mailbox(&mailbox);
}

static void append_news(struct mailbox *mailbox, enum message_kind kind, uint64_t reference,
                        uint64_t sender)
{
    struct message *news = message_create_news(kind, 0);
    assert_non_null(news);
    news->reference = reference;
    news->sender = sender;
    news->reason = reason_of(REASON_NORMAL);
    mailbox_append(mailbox, news);
}

/* The kind of the next one that matches, plus one; 0: none does. */
static unsigned receives_kind(struct mailbox *mailbox, struct mailbox_filter filter)
{
    struct message *message = mailbox_receive(mailbox, &filter);
    unsigned kind = message == NULL ? 0 : message->kind + 1;
    message_destroy(message);
    return kind;
}

static void a_filter_selects_by_kind_and_reference_but_never_a_call_by_reference(void **state)
{
    (void)state;
    struct mailbox mailbox;
    mailbox_init(&mailbox, unlimited);
    fill(&mailbox, 1, (const uint64_t[]){5});
    append_news(&mailbox, MESSAGE_CALL, 8, 1);
    append_news(&mailbox, MESSAGE_DOWN, 7, 1);
    append_news(&mailbox, MESSAGE_REPLY, 8, 1);
    append_news(&mailbox, MESSAGE_STOP, 0, 1);
    const struct mailbox_filter of_8 = {.reference = 8};
    assert_int_equal(receives_kind(&mailbox, of_8), MESSAGE_REPLY + 1);
    assert_int_equal(receives_kind(&mailbox, of_8), 0);
    const struct mailbox_filter stop = {.kinds = 1U << MESSAGE_STOP | 1U << MESSAGE_TIMER};
    assert_int_equal(receives_kind(&mailbox, stop), MESSAGE_STOP + 1);
    /* Labels are for what has them. */
    assert_int_equal(receives_kind(&mailbox, labelled(9)), MESSAGE_DOWN + 1);
    const struct mailbox_filter calls = {.kinds = 1U << MESSAGE_CALL, .labels = 1, .label = {5}};
    assert_int_equal(receives_kind(&mailbox, calls), 0);
    assert_int_equal(receives(&mailbox, labelled(5)), 5);
    assert_int_equal(receives_kind(&mailbox, (struct mailbox_filter){0}), MESSAGE_CALL + 1);
    close_mailbox(&mailbox);
}

static void frames_of_a_client_are_bounded_by_their_maker_alone(void **state)
{
    (void)state;
    struct mailbox mailbox;
    mailbox_init(&mailbox, (struct mailbox_limits){.messages = 1});
    for (unsigned i = 0; i < 10; i++) {
        struct message *frame = message_create_news(MESSAGE_FRAME, 3);
        assert_non_null(frame);
        mailbox_append(&mailbox, frame);
    }
    assert_false(mailbox_overflows(&mailbox, 0));
    append_news(&mailbox, MESSAGE_STOP, 0, 0);
    append_news(&mailbox, MESSAGE_STOP, 0, 0);
    assert_true(mailbox_overflows(&mailbox, 0));
    const struct mailbox_filter frames = {.kinds = 1U << MESSAGE_FRAME};
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(receives_kind(&mailbox, frames), MESSAGE_FRAME + 1);
    }
    assert_true(mailbox_overflows(&mailbox, 0));
    assert_int_equal(receives_kind(&mailbox, (struct mailbox_filter){0}), MESSAGE_STOP + 1);
    assert_false(mailbox_overflows(&mailbox, 0));
    close_mailbox(&mailbox);
}

static void a_receive_by_reference_begins_at_the_mark(void **state)
{
    (void)state;
    struct mailbox mailbox;
    mailbox_init(&mailbox, unlimited);
    append_news(&mailbox, MESSAGE_REPLY, 8, 1); /* Cannot be: it is older than its call. */
    mailbox_mark(&mailbox, 8);
    append_news(&mailbox, MESSAGE_REPLY, 9, 1);
    append_news(&mailbox, MESSAGE_REPLY, 8, 2);
    const struct mailbox_filter of_8 = {.reference = 8};
    struct message *message = mailbox_receive(&mailbox, &of_8);
    assert_non_null(message);
    assert_int_equal(message->sender, 2);
    message_destroy(message);
    assert_int_equal(receives_kind(&mailbox, of_8), 0);
    assert_int_equal(receives_kind(&mailbox, (struct mailbox_filter){.reference = 9}),
                     MESSAGE_REPLY + 1);
    close_mailbox(&mailbox);
}

static void flushing_takes_out_what_matches_of_one_sender(void **state)
{
    (void)state;
    struct mailbox mailbox;
    mailbox_init(&mailbox, unlimited);
    append_news(&mailbox, MESSAGE_EXIT, MESSAGE_BY_LINK, 1);
    append_news(&mailbox, MESSAGE_EXIT, MESSAGE_BY_LINK, 2);
    append_news(&mailbox, MESSAGE_EXIT, 0, 1);
    append_news(&mailbox, MESSAGE_EXIT, MESSAGE_BY_LINK, 1);
    const struct mailbox_filter by_link = {.kinds = 1U << MESSAGE_EXIT,
                                           .reference = MESSAGE_BY_LINK};
    assert_int_equal(mailbox_flush(&mailbox, &by_link, 1), 2);
    assert_int_equal(mailbox_flush(&mailbox, &by_link, 0), 1);
    assert_int_equal(receives_kind(&mailbox, (struct mailbox_filter){0}), MESSAGE_EXIT + 1);
    append_news(&mailbox, MESSAGE_STOP, 0, 0); /* The end of the queue is where it should be. */
    assert_int_equal(receives_kind(&mailbox, (struct mailbox_filter){0}), MESSAGE_STOP + 1);
    close_mailbox(&mailbox);
}

enum { SENDERS = 4, EACH = 20000, DEPTH = 50 };

struct sender {
    struct mailbox *mailbox;
    uint64_t number;
    uint64_t refused; /* by the closed mailbox */
};

static void *send_numbers(void *argument)
{
    struct sender *sender = argument;
    for (uint64_t i = 0; i < EACH; i++) {
        struct message *message = message_create(sender->number, i, "x", 1);
        INVARIANT(message != NULL);
        enum push_result result = mailbox_push(sender->mailbox, &message->entry);
        while (result == PUSH_FULL) {
            sched_yield();
            result = mailbox_push(sender->mailbox, &message->entry);
        }
        if (result == PUSH_CLOSED) {
            message_destroy(message);
            sender->refused++;
        }
    }
    return NULL;
}

static void the_order_of_each_sender_is_kept_and_the_limit_holds_exactly(void **state)
{
    (void)state;
    struct mailbox mailbox;
    mailbox_init(&mailbox, (struct mailbox_limits){.messages = DEPTH});
    pthread_t threads[SENDERS];
    struct sender senders[SENDERS] = {0};
    for (uint64_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.mailbox = &mailbox, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_numbers, &senders[i]), 0);
    }
    uint64_t next[SENDERS] = {0};
    for (uint64_t taken = 0; taken < (uint64_t)SENDERS * EACH;) {
        assert_true(mailbox_messages(&mailbox) <= DEPTH);
        struct message *message = take(&mailbox);
        if (message == NULL) {
            sched_yield();
            continue;
        }
        assert_int_equal(message->label, next[message->sender]);
        next[message->sender]++;
        taken++;
        message_destroy(message);
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(mailbox_messages(&mailbox), 0);
    close_mailbox(&mailbox);
}

static void closing_while_others_send_loses_and_leaks_nothing(void **state)
{
    (void)state;
    struct mailbox mailbox;
    mailbox_init(&mailbox, unlimited);
    pthread_t threads[SENDERS];
    struct sender senders[SENDERS] = {0};
    for (uint64_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.mailbox = &mailbox, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_numbers, &senders[i]), 0);
    }
    uint64_t taken = 0;
    while (taken < 1000) {
        struct message *message = take(&mailbox);
        if (message != NULL) {
            message_destroy(message);
            taken++;
        }
    }
    close_mailbox(&mailbox);
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_null(take(&mailbox));
    assert_int_equal(mailbox_messages(&mailbox), 0);
    assert_int_equal(mailbox_bytes(&mailbox), 0);
}

static void cargo_destroy(struct cargo *cargo)
{
    cargo->holds_bytes = 0;
}

static void what_travels_in_a_message_counts_with_what_it_may_hold(void **state)
{
    (void)state;
    struct mailbox mailbox;
    mailbox_init(&mailbox, (struct mailbox_limits){.bytes = 100});
    struct cargo cargo = {.destroy = cargo_destroy, .holds_bytes = 90};
    struct entry *with = text("ten bytes.");
    CONTAINER_OF(with, struct message, entry)->cargo = &cargo;
    assert_int_equal(mailbox_push(&mailbox, with), PUSH_ACCEPTED);
    assert_int_equal(mailbox_bytes(&mailbox), 100);
    struct entry *more = text("x");
    assert_int_equal(mailbox_push(&mailbox, more), PUSH_FULL);
    assert_true(takes(&mailbox, "ten bytes."));
    assert_int_equal(mailbox_bytes(&mailbox), 0);
    assert_int_equal(cargo.holds_bytes, 0);
    assert_int_equal(mailbox_push(&mailbox, more), PUSH_ACCEPTED);
    close_mailbox(&mailbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_out_in_the_order_of_arrival),
        cmocka_unit_test(a_message_carries_sender_label_and_a_copy_of_its_body),
        cmocka_unit_test(the_message_limit_refuses_one_more_until_one_is_taken),
        cmocka_unit_test(the_byte_limit_counts_bodies_only),
        cmocka_unit_test(what_travels_in_a_message_counts_with_what_it_may_hold),
        cmocka_unit_test(a_signal_is_never_refused_for_room_and_keeps_its_place),
        cmocka_unit_test(answers_on_their_way_are_bounded_as_unread_news_is),
        cmocka_unit_test(a_closed_mailbox_destroys_what_is_left_and_refuses_the_rest),
        cmocka_unit_test(the_order_of_each_sender_is_kept_and_the_limit_holds_exactly),
        cmocka_unit_test(a_filter_takes_what_matches_and_leaves_the_rest_in_order),
        cmocka_unit_test(what_a_filter_has_passed_over_is_not_looked_at_again),
        cmocka_unit_test(taking_what_a_cursor_stands_on_moves_it_back),
        cmocka_unit_test(a_filter_selects_by_kind_and_reference_but_never_a_call_by_reference),
        cmocka_unit_test(frames_of_a_client_are_bounded_by_their_maker_alone),
        cmocka_unit_test(a_receive_by_reference_begins_at_the_mark),
        cmocka_unit_test(flushing_takes_out_what_matches_of_one_sender),
        cmocka_unit_test(closing_while_others_send_loses_and_leaks_nothing),
    };
    return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
