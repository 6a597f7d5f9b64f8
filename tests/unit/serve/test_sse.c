#include "../base/cmocka_all.h"

#include "serve/sse.h"

#include <stdlib.h>
#include <string.h>

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

/* Everything of it, written in pieces of `step` bytes. The caller frees it. */
static char *written(const struct sse_event *event, size_t step)
{
    struct sse_cursor cursor = {0};
    char *out = calloc(1, 65536);
    size_t size = 0, more = 0;
    assert_int_equal(sse_check(event), SSE_GOOD);
    while ((more = sse_write(event, &cursor, out + size, step)) > 0) {
        assert_true(more <= step);
        size += more;
    }
    assert_int_equal(sse_write(event, &cursor, out + size, step), 0);
    return out;
}

/* The same in pieces of every size. */
static void assert_written(const struct sse_event *event, const char *expected)
{
    for (size_t step = 1; step <= strlen(expected) + 1; step++) {
        char *out = written(event, step);
        assert_string_equal(out, expected);
        free(out);
    }
}

static void assert_data(const char *data, const char *expected)
{
    struct sse_event event = {.retry_ms = SSE_NO_RETRY, .data = {data, strlen(data)}};
    assert_written(&event, expected);
}

static void a_text_of_one_line_is_one_line_of_data(void **state)
{
    (void)state;
    assert_data("hello", "data: hello\n\n");
    assert_data(" a: b", "data:  a: b\n\n");
    assert_data("", "data: \n\n");
}

static void each_kind_of_line_break_begins_a_line(void **state)
{
    (void)state;
    assert_data("a\nb", "data: a\ndata: b\n\n");
    assert_data("a\rb", "data: a\ndata: b\n\n");
    assert_data("a\r\nb", "data: a\ndata: b\n\n");
    assert_data("a\n\rb", "data: a\ndata: \ndata: b\n\n");
    assert_data("a\r\r\nb", "data: a\ndata: \ndata: b\n\n");
}

static void a_break_at_the_end_is_kept(void **state)
{
    (void)state;
    assert_data("a\n", "data: a\ndata: \n\n");
    assert_data("a\r\n", "data: a\ndata: \n\n");
    assert_data("\n\n", "data: \ndata: \ndata: \n\n");
    assert_data("\r", "data: \ndata: \n\n");
}

static void nothing_in_the_data_can_end_the_event_or_begin_a_field(void **state)
{
    (void)state;
    assert_data("a\n\nid: 7\r\rdata: x", "data: a\ndata: \ndata: id: 7\ndata: \ndata: data: x\n\n");
}

static void an_event_has_its_fields_in_order(void **state)
{
    (void)state;
    struct sse_event event = {
        .event = TEXT("add"), .id = TEXT("7"), .retry_ms = 1500, .data = TEXT("x")};
    assert_written(&event, "event: add\nid: 7\nretry: 1500\ndata: x\n\n");
}

static void what_is_absent_is_left_out_and_what_is_empty_is_not(void **state)
{
    (void)state;
    struct sse_event id = {.id = TEXT(""), .retry_ms = SSE_NO_RETRY};
    assert_written(&id, "id: \n\n");
    struct sse_event retry = {.retry_ms = 0};
    assert_written(&retry, "retry: 0\n\n");
    struct sse_event name = {.event = TEXT(""), .retry_ms = SSE_NO_RETRY, .data = TEXT("x")};
    assert_written(&name, "data: x\n\n");
}

static void a_comment_stays_a_comment_on_every_line(void **state)
{
    (void)state;
    struct sse_event event = {.retry_ms = SSE_NO_RETRY, .comment = TEXT("a\ndata: b")};
    assert_written(&event, ": a\n: data: b\n\n");
    struct sse_event empty = {.retry_ms = SSE_NO_RETRY, .comment = TEXT("")};
    assert_written(&empty, ": \n\n");
}

static void zero_bytes_are_data(void **state)
{
    (void)state;
    struct sse_event event = {.retry_ms = SSE_NO_RETRY, .data = TEXT("a\0b")};
    struct sse_cursor cursor = {0};
    char out[32];
    assert_int_equal(sse_write(&event, &cursor, out, sizeof out), 11);
    assert_memory_equal(out, "data: a\0b\n\n", 11);
}

static void long_lines_are_found_to_their_end(void **state)
{
    (void)state;
    static char data[2000];
    for (size_t at = 250; at < 260; at++) {
        memset(data, 'x', sizeof data);
        data[at] = at % 2 == 0 ? '\r' : '\n';
        struct sse_event event = {.retry_ms = SSE_NO_RETRY, .data = {data, 600}};
        char *out = written(&event, 4096);
        assert_int_equal(strlen(out), 600 + 2 * 6 + 2);
        assert_memory_equal(out + 6 + at, "\ndata: x", 8);
        free(out);
    }
}

static void a_shorter_piece_can_be_taken_instead(void **state)
{
    (void)state;
    struct sse_event event = {.id = TEXT("12"), .retry_ms = SSE_NO_RETRY, .data = TEXT("a\r\nb")};
    const char *expected = "id: 12\ndata: a\ndata: b\n\n";
    for (size_t taken = 0; taken <= strlen(expected); taken++) {
        struct sse_cursor cursor = {0}, begin = {0};
        char out[64] = "";
        assert_int_equal(sse_write(&event, &cursor, out, sizeof out), strlen(expected));
        cursor = begin;
        assert_int_equal(sse_write(&event, &cursor, out, taken), taken);
        size_t rest = sse_write(&event, &cursor, out + taken, sizeof out - taken);
        assert_int_equal(taken + rest, strlen(expected));
        assert_memory_equal(out, expected, strlen(expected));
    }
}

static void what_could_forge_a_line_is_refused(void **state)
{
    (void)state;
    static const struct sse_event bad[] = {
        {.event = TEXT("a\nb"), .retry_ms = -1, .data = TEXT("x")},
        {.event = TEXT("a\r"), .retry_ms = -1, .data = TEXT("x")},
        {.id = TEXT("\n"), .retry_ms = -1, .data = TEXT("x")},
        {.id = TEXT("a\rb"), .retry_ms = -1, .data = TEXT("x")},
        {.id = TEXT("a\0b"), .retry_ms = -1, .data = TEXT("x")},
        {.retry_ms = -2, .data = TEXT("x")},
        {.retry_ms = INT32_MIN, .data = TEXT("x")},
        {.retry_ms = -1},
        {.event = TEXT(""), .retry_ms = -1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_int_equal(sse_check(&bad[i]), SSE_INVALID);
    }
}

static void names_and_ids_have_a_limit(void **state)
{
    (void)state;
    static char many[SSE_NAME_BYTES_MAX + 1];
    memset(many, 'a', sizeof many);
    struct sse_event event = {.event = {many, SSE_NAME_BYTES_MAX}, .retry_ms = SSE_NO_RETRY};
    assert_int_equal(sse_check(&event), SSE_GOOD);
    event.event.size++;
    assert_int_equal(sse_check(&event), SSE_TOO_LONG);
    event = (struct sse_event){.id = {many, sizeof many}, .retry_ms = SSE_NO_RETRY};
    assert_int_equal(sse_check(&event), SSE_TOO_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_of_one_line_is_one_line_of_data),
        cmocka_unit_test(each_kind_of_line_break_begins_a_line),
        cmocka_unit_test(a_break_at_the_end_is_kept),
        cmocka_unit_test(nothing_in_the_data_can_end_the_event_or_begin_a_field),
        cmocka_unit_test(an_event_has_its_fields_in_order),
        cmocka_unit_test(what_is_absent_is_left_out_and_what_is_empty_is_not),
        cmocka_unit_test(a_comment_stays_a_comment_on_every_line),
        cmocka_unit_test(zero_bytes_are_data),
        cmocka_unit_test(long_lines_are_found_to_their_end),
        cmocka_unit_test(a_shorter_piece_can_be_taken_instead),
        cmocka_unit_test(what_could_forge_a_line_is_refused),
        cmocka_unit_test(names_and_ids_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
