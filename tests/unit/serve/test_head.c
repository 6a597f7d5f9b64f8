#include "../base/cmocka_all.h"

#include "serve/field.h"
#include "serve/head.h"

#include <string.h>

/* An environment whose wall clock says what a test wants. */
struct fixed_env {
    struct env env;
    uint64_t wall_ns;
    unsigned looks;
};

static uint64_t fixed_wall_ns(struct env *env)
{
    struct fixed_env *fixed = CONTAINER_OF(env, struct fixed_env, env);
    fixed->looks++;
    return fixed->wall_ns;
}

static struct text text_of(const char *text)
{
    return (struct text){text, strlen(text)};
}

static void assert_head(const struct head *head, const char *expected)
{
    AUTO(bytes_finip) struct bytes out = {0};
    struct date date = {.line = "Date: then\r\n", .size = 12};
    assert_true(head_write(&out, head, &date));
    assert_true(bytes_terminate(&out));
    assert_string_equal((char *)out.data, expected);
}

static void a_head_has_its_lines_in_order(void **state)
{
    (void)state;
    struct head head = {.status = 200,
                        .body = HEAD_BODY_SIZED,
                        .length = 18446744073709551615u,
                        .connection = HEAD_CONNECTION_CLOSE,
                        .lines = text_of("A: b\r\n"),
                        .fixed = text_of("C: d\r\n"),
                        .id = "0123456789abcdef"};
    assert_head(&head, "HTTP/1.1 200 OK\r\nDate: then\r\nServer: mote\r\n"
                       "X-Request-Id: 0123456789abcdef\r\nConnection: close\r\n"
                       "Content-Length: 18446744073709551615\r\nA: b\r\nC: d\r\n\r\n");
}

static void a_head_leaves_out_what_the_answer_brings_itself(void **state)
{
    (void)state;
    struct head head = {
        .status = 204, .body = HEAD_BODY_NONE, .has_date = true, .has_server = true};
    assert_head(&head, "HTTP/1.1 204 No Content\r\n\r\n");
}

static void an_upgrade_is_done_or_only_offered(void **state)
{
    (void)state;
    struct head head = {.status = 101,
                        .body = HEAD_BODY_NONE,
                        .connection = HEAD_CONNECTION_UPGRADE,
                        .upgrade = "websocket",
                        .has_date = true,
                        .has_server = true};
    assert_head(&head, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                       "Upgrade: websocket\r\n\r\n");
    head.status = 426;
    head.connection = HEAD_CONNECTION_DEFAULT;
    assert_head(&head, "HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\n"
                       "Upgrade: websocket\r\n\r\n");
    head.connection = HEAD_CONNECTION_CLOSE;
    assert_head(&head, "HTTP/1.1 426 Upgrade Required\r\nConnection: close, Upgrade\r\n"
                       "Upgrade: websocket\r\n\r\n");
    head.connection = HEAD_CONNECTION_KEEP; /* HTTP/1.0 cannot. */
    assert_head(&head, "HTTP/1.1 426 Upgrade Required\r\nConnection: keep-alive\r\n\r\n");
}

static void chunks_keep_alive_and_retry_after_are_named(void **state)
{
    (void)state;
    struct head head = {.status = 503,
                        .body = HEAD_BODY_CHUNKED,
                        .has_date = true,
                        .has_server = true,
                        .connection = HEAD_CONNECTION_KEEP,
                        .retry_after_s = 7};
    assert_head(&head, "HTTP/1.1 503 Service Unavailable\r\nConnection: keep-alive\r\n"
                       "Transfer-Encoding: chunked\r\nRetry-After: 7\r\n\r\n");
}

static void a_status_without_words_of_its_own_has_some(void **state)
{
    (void)state;
    struct head head = {
        .status = 299, .body = HEAD_BODY_CLOSE, .has_date = true, .has_server = true};
    assert_head(&head, "HTTP/1.1 299 Status\r\n\r\n");
}

static void the_date_is_made_once_a_second(void **state)
{
    (void)state;
    struct fixed_env fixed = {.env = {.wall_ns = fixed_wall_ns},
                              .wall_ns = 784111777250000000}; /* RFC 9110's example, and 250 ms */
    struct date date = {0};
    date_refresh(&date, &fixed.env, 1000);
    assert_int_equal(date.size, 37);
    assert_memory_equal(date.line, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 37);
    date_refresh(&date, &fixed.env, 1000 + 749999999);
    assert_int_equal(fixed.looks, 1);
    fixed.wall_ns += 750000000;
    date_refresh(&date, &fixed.env, 1000 + 750000000);
    assert_int_equal(fixed.looks, 2);
    assert_memory_equal(date.line, "Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n", 37);
}

static void an_id_is_sixteen_digits(void **state)
{
    (void)state;
    char id[17];
    id_format(0, id);
    assert_string_equal(id, "0000000000000000");
    id_format(0xfedcba9876543210, id);
    assert_string_equal(id, "fedcba9876543210");
}

static void fields_that_could_break_a_head_are_invalid(void **state)
{
    (void)state;
    static const struct {
        struct text name, value;
        bool valid;
    } cases[] = {
        {{"A", 1}, {"b", 1}, true},
        {{"A", 1}, {"", 0}, true},
        {{"A", 1}, {"b\tc \xc3\xa9", 6}, true},
        {{"x-!#$%&'*+.^_`|~", 16}, {"b", 1}, true},
        {{"", 0}, {"b", 1}, false},
        {{"A ", 2}, {"b", 1}, false},
        {{"A:", 2}, {"b", 1}, false},
        {{"A\r", 2}, {"b", 1}, false},
        {{"\xc3\xa9", 2}, {"b", 1}, false},
        {{"A", 1}, {"b\r\nC: d", 7}, false},
        {{"A", 1}, {"b\n", 2}, false},
        {{"A", 1}, {"b\0c", 3}, false},
        {{"A", 1}, {"\x7f", 1}, false},
        {{"A", 1}, {"\x1b[2J", 4}, false},
        {{"A", 1}, {" b", 2}, false},
        {{"A", 1}, {"b\t", 2}, false},
        {{"A\0", 2}, {"b", 1}, false},
        {{"\"", 1}, {"b", 1}, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct header header = {cases[i].name, cases[i].value};
        assert_int_equal(field_is_valid(&header), cases[i].valid);
    }
}

static void fields_of_the_connection_are_recognised_in_any_case(void **state)
{
    (void)state;
    static const char *const names[] = {"Content-Length", "transfer-encoding", "CONNECTION",
                                        "Keep-Alive",     "Upgrade",           "Trailer"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        assert_int_equal(field_kind_of(text_of(names[i])), FIELD_CONNECTION);
    }
    assert_int_equal(field_kind_of(text_of("DATE")), FIELD_DATE);
    assert_int_equal(field_kind_of(text_of("server")), FIELD_SERVER);
    assert_int_equal(field_kind_of(text_of("X-Request-ID")), FIELD_REQUEST_ID);
    assert_int_equal(field_kind_of(text_of("Content-Type")), FIELD_PLAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_has_its_lines_in_order),
        cmocka_unit_test(a_head_leaves_out_what_the_answer_brings_itself),
        cmocka_unit_test(an_upgrade_is_done_or_only_offered),
        cmocka_unit_test(chunks_keep_alive_and_retry_after_are_named),
        cmocka_unit_test(a_status_without_words_of_its_own_has_some),
        cmocka_unit_test(the_date_is_made_once_a_second),
        cmocka_unit_test(an_id_is_sixteen_digits),
        cmocka_unit_test(fields_that_could_break_a_head_are_invalid),
        cmocka_unit_test(fields_of_the_connection_are_recognised_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
