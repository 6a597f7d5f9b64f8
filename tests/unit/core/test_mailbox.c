#include "native.h"

#include <sched.h>
#include <string.h>

static struct entry *text(const char *words)
{
    struct message *message = message_create(7, 3, words, strlen(words));
    assert_non_null(message);
    return &message->entry;
}

/* Whether the next one taken is a message of these words; destroys it. */
static bool takes(struct mailbox *mailbox, const char *words)
{
    struct entry *entry = mailbox_take(mailbox);
    if (entry == NULL) {
        return words == NULL;
    }
    struct message *message = CONTAINER_OF(entry, struct message, entry);
    bool equal = words != NULL && message->size_bytes == strlen(words) &&
                 memcmp(message->body, words, message->size_bytes) == 0;
    entry->destroy(entry);
    return equal;
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
    mailbox_close(&mailbox);
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
    mailbox_close(&mailbox);
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
    mailbox_close(&mailbox);
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
    assert_true(takes(&mailbox, "a"));
    assert_ptr_equal(mailbox_take(&mailbox), &signal.entry);
    mailbox_close(&mailbox);
    assert_int_equal(signal.destroyed, 0);
}

static void a_closed_mailbox_destroys_what_is_left_and_refuses_the_rest(void **state)
{
    (void)state;
    struct mailbox mailbox;
    mailbox_init(&mailbox, unlimited);
    struct signal_entry first = {.entry = {.kind = ENTRY_SIGNAL, .destroy = signal_destroy}};
    struct signal_entry second = first;
    assert_int_equal(mailbox_push(&mailbox, text("a")), PUSH_ACCEPTED);
    assert_int_equal(mailbox_push(&mailbox, &first.entry), PUSH_ACCEPTED);
    assert_true(takes(&mailbox, "a"));
    assert_int_equal(mailbox_push(&mailbox, text("b")), PUSH_ACCEPTED);
    mailbox_close(&mailbox);
    assert_int_equal(first.destroyed, 1);
    assert_int_equal(mailbox_messages(&mailbox), 0);
    assert_int_equal(mailbox_push(&mailbox, &second.entry), PUSH_CLOSED);
    struct entry *late = text("late");
    assert_int_equal(mailbox_push(&mailbox, late), PUSH_CLOSED);
    late->destroy(late);
    assert_false(mailbox_has_mail(&mailbox));
    assert_null(mailbox_take(&mailbox));
    mailbox_close(&mailbox);
    assert_int_equal(second.destroyed, 0);
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
        struct entry *entry = mailbox_take(&mailbox);
        if (entry == NULL) {
            sched_yield();
            continue;
        }
        struct message *message = CONTAINER_OF(entry, struct message, entry);
        assert_int_equal(message->label, next[message->sender]);
        next[message->sender]++;
        taken++;
        entry->destroy(entry);
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(mailbox_messages(&mailbox), 0);
    mailbox_close(&mailbox);
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
        struct entry *entry = mailbox_take(&mailbox);
        if (entry != NULL) {
            entry->destroy(entry);
            taken++;
        }
    }
    mailbox_close(&mailbox);
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_null(mailbox_take(&mailbox));
    assert_int_equal(mailbox_messages(&mailbox), 0);
    assert_int_equal(mailbox_bytes(&mailbox), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_out_in_the_order_of_arrival),
        cmocka_unit_test(a_message_carries_sender_label_and_a_copy_of_its_body),
        cmocka_unit_test(the_message_limit_refuses_one_more_until_one_is_taken),
        cmocka_unit_test(the_byte_limit_counts_bodies_only),
        cmocka_unit_test(a_signal_is_never_refused_for_room_and_keeps_its_place),
        cmocka_unit_test(a_closed_mailbox_destroys_what_is_left_and_refuses_the_rest),
        cmocka_unit_test(the_order_of_each_sender_is_kept_and_the_limit_holds_exactly),
        cmocka_unit_test(closing_while_others_send_loses_and_leaks_nothing),
    };
    return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
