#include "native.h"

#include "core/message.h"

#include <stdlib.h>
#include <string.h>

static void words_are_constant_reasons_and_other_texts_are_copied(void **state)
{
    (void)state;
    assert_ptr_equal(reason_create(EXIT_EXITED, 0, "normal", 6), reason_of(REASON_NORMAL));
    assert_ptr_equal(reason_create(EXIT_EXITED, 0, "kill", 4), reason_of(REASON_KILL));
    assert_ptr_equal(reason_create(EXIT_KILLED, 0, "killed", 6), reason_of(REASON_KILLED));
    char text[] = "normally";
    struct reason *reason = reason_create(EXIT_EXITED, 3, text, 7);
    text[0] = 'X';
    assert_string_equal(reason->text, "normall");
    assert_int_equal(reason->size_bytes, 7);
    assert_int_equal(reason->status, 3);
    assert_ptr_equal(reason_retain(reason), reason);
    reason_release(reason);
    assert_string_equal(reason->text, "normall");
    reason_release(reason);
    reason_release(reason_of(REASON_NORMAL));
    reason_release(NULL);
    assert_string_equal(reason_of(REASON_NORMAL)->text, "normal");
}

static void a_crash_is_never_mistaken_for_a_word(void **state)
{
    (void)state;
    struct exit exit = {.exit_class = EXIT_CRASHED, .status = 7, .reason = "normal"};
    struct reason *reason = reason_from_exit(&exit);
    assert_false(reason_is(reason, REASON_NORMAL));
    assert_string_equal(reason->text, "normal");
    assert_int_equal(reason->status, 7);
    reason_release(reason);
}

static void a_long_reason_is_cut(void **state)
{
    (void)state;
    char text[1000];
    memset(text, 'r', sizeof(text));
    struct reason *reason = reason_create(EXIT_EXITED, 0, text, sizeof(text));
    assert_int_equal(reason->size_bytes, EXIT_REASON_BYTES - 1);
    assert_int_equal(strlen(reason->text), EXIT_REASON_BYTES - 1);
    reason_release(reason);
    struct reason *nothing = reason_create(EXIT_EXITED, 0, NULL, 0);
    assert_string_equal(nothing->text, "");
    reason_release(nothing);
}

static void small_bodies_are_inside_and_large_ones_are_shared(void **state)
{
    (void)state;
    char *body = calloc(1, MESSAGE_SHARED_BYTES_MIN);
    body[0] = 'b';
    struct message *small = message_create(1, 2, body, MESSAGE_SHARED_BYTES_MIN - 1);
    struct message *large = message_create(1, 2, body, MESSAGE_SHARED_BYTES_MIN);
    assert_null(small->shared);
    assert_non_null(large->shared);
    assert_int_equal(large->size_bytes, MESSAGE_SHARED_BYTES_MIN);
    size_t size_bytes;
    assert_memory_equal(message_data(small, &size_bytes), body, MESSAGE_SHARED_BYTES_MIN - 1);
    assert_int_equal(size_bytes, MESSAGE_SHARED_BYTES_MIN - 1);
    assert_memory_equal(message_data(large, &size_bytes), body, MESSAGE_SHARED_BYTES_MIN);
    assert_int_equal(size_bytes, MESSAGE_SHARED_BYTES_MIN);
    message_destroy(small);
    message_destroy(large);
    message_destroy(NULL);
    free(body);
}

static void messages_share_a_payload_that_lives_as_long_as_the_last(void **state)
{
    (void)state;
    struct payload *payload = payload_create("shared", 6);
    struct message *a = message_create_shared(1, 2, payload);
    struct message *b = message_create_shared(1, 2, payload);
    payload_release(payload);
    assert_ptr_equal(a->shared, b->shared);
    message_destroy(a);
    size_t size_bytes;
    assert_memory_equal(message_data(b, &size_bytes), "shared", 6);
    assert_int_equal(size_bytes, 6);
    message_destroy(b);
    payload_release(NULL);
    assert_null(payload_create("", SIZE_MAX));
}

struct box {
    struct cargo cargo;
    int closed;
};

static void box_close(struct cargo *cargo)
{
    CONTAINER_OF(cargo, struct box, cargo)->closed++;
}

static void cargo_that_nobody_took_is_closed(void **state)
{
    (void)state;
    struct box left = {.cargo.destroy = box_close};
    struct box taken = left;
    struct message *message = message_create(1, 2, NULL, 0);
    message->cargo = &left.cargo;
    message_destroy(message);
    assert_int_equal(left.closed, 1);
    message = message_create(1, 2, NULL, 0);
    message->cargo = &taken.cargo;
    message->cargo = NULL;
    message_destroy(message);
    assert_int_equal(taken.closed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_constant_reasons_and_other_texts_are_copied),
        cmocka_unit_test(a_crash_is_never_mistaken_for_a_word),
        cmocka_unit_test(a_long_reason_is_cut),
        cmocka_unit_test(small_bodies_are_inside_and_large_ones_are_shared),
        cmocka_unit_test(messages_share_a_payload_that_lives_as_long_as_the_last),
        cmocka_unit_test(cargo_that_nobody_took_is_closed),
    };
    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
