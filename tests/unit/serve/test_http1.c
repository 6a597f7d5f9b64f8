#include "../base/cmocka_all.h"

#include "requests.h"

#include <stdio.h>
#include <stdlib.h>

#define HOST "Host: example.org\r\n"

static void assert_text(struct text text, const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data, expected, text.size);
}

/* The status of what `text` is refused with, whole and byte by byte; 0: it is a whole request. */
static unsigned status_of(const char *text)
{
    unsigned status[2];
    for (size_t i = 0; i < 2; i++) {
        struct parsing parsing;
        parsing_init(&parsing);
        parsing_feed_text(&parsing, text, i == 0 ? strlen(text) : 1);
        assert_true(parsing.bad || parsing.ends == 1);
        status[i] = parsing.bad ? parsing.http1.status : 0;
        assert_int_equal(parsing.http1.reason != NULL, parsing.bad);
        parsing_fini(&parsing);
    }
    assert_int_equal(status[0], status[1]);
    return status[0];
}

static void a_request_is_taken_apart(void **state)
{
    (void)state;
    struct parsing parsing;
    parsing_init(&parsing);
    parsing_feed_text(&parsing,
                      "GET /a%20b/c?d=e HTTP/1.1\r\n" HOST "X-One:  1 \t\r\nEmpty:\r\n\r\n", 1000);
    assert_int_equal(parsing.ends, 1);
    const struct request *request = &parsing.request;
    assert_int_equal(request->method, METHOD_GET);
    assert_text(request->method_name, "GET");
    assert_text(request->target, "/a%20b/c?d=e");
    assert_text(request->path, "/a b/c");
    assert_text(request->query, "d=e");
    assert_text(request->host, "example.org");
    assert_int_equal(request->minor_version, 1);
    assert_int_equal(request->header_count, 3);
    assert_text(request_header(request, "x-one", 5)->value, "1");
    assert_text(request_header(request, "EMPTY", 5)->value, "");
    assert_null(request_header(request, "x-two", 5));
    assert_false(request->has_body);
    assert_true(parsing.http1.keep_alive);
    parsing_fini(&parsing);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct parsing parsing;
    parsing_init(&parsing);
    parsing_feed_text(&parsing,
                      "POST /echo?x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                      "5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n",
                      1);
    assert_int_equal(parsing.heads, 1);
    assert_int_equal(parsing.ends, 1);
    assert_text(parsing.request.method_name, "POST");
    assert_text(parsing.request.target, "/echo?x");
    assert_text(parsing.request.path, "/echo");
    assert_text(parsing.request.host, "example.org");
    assert_text((struct text){(char *)parsing.body.data, parsing.body.size}, "hello!");
    assert_int_equal(parsing.request.header_count, 2);
    parsing_fini(&parsing);
}

static void a_method_that_is_not_well_known_keeps_its_name(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 100; piece += 98) {
        struct parsing parsing;
        parsing_init(&parsing);
        parsing_feed_text(&parsing, "PROPFIND /x HTTP/1.1\r\n" HOST "\r\n", piece);
        assert_int_equal(parsing.request.method, METHOD_OTHER);
        assert_text(parsing.request.method_name, "PROPFIND");
        assert_text(parsing.request.path, "/x");
        parsing_fini(&parsing);
    }
}

static void every_well_known_method_is_recognised(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum http_method method;
    } cases[] = {
        {"GET", METHOD_GET},         {"HEAD", METHOD_HEAD},     {"POST", METHOD_POST},
        {"PUT", METHOD_PUT},         {"DELETE", METHOD_DELETE}, {"PATCH", METHOD_PATCH},
        {"OPTIONS", METHOD_OPTIONS}, {"get", METHOD_OTHER},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[100];
        snprintf(text, sizeof(text), "%s / HTTP/1.1\r\n" HOST "\r\n", cases[i].line);
        struct parsing parsing;
        parsing_init(&parsing);
        parsing_feed_text(&parsing, text, 1000);
        assert_int_equal(parsing.ends, 1);
        assert_int_equal(parsing.request.method, cases[i].method);
        parsing_fini(&parsing);
    }
}

static void what_follows_a_message_is_left_alone(void **state)
{
    (void)state;
    static const char two[] = "POST / HTTP/1.1\r\n" HOST
                              "Content-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n";
    struct parsing parsing;
    parsing_init(&parsing);
    size_t used = parsing_feed(&parsing, two, sizeof(two) - 1);
    assert_int_equal(parsing.ends, 1);
    assert_string_equal(two + used, "GET / HTTP/1.1\r\n");
    http1_next(&parsing.http1);
    assert_true(http1_is_idle(&parsing.http1));
    parsing_fini(&parsing);
}

static void a_sized_body_is_handed_out_as_it_comes(void **state)
{
    (void)state;
    struct parsing parsing;
    parsing_init(&parsing);
    parsing_feed_text(&parsing, "POST / HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n0123", 1000);
    assert_int_equal(parsing.heads, 1);
    assert_int_equal(parsing.ends, 0);
    assert_true(parsing.request.has_body);
    assert_true(parsing.request.body_sized);
    assert_int_equal(parsing.request.body_bytes, 10);
    assert_int_equal(parsing.body.size, 4);
    parsing_feed_text(&parsing, "456789", 6);
    assert_int_equal(parsing.ends, 1);
    assert_memory_equal(parsing.body.data, "0123456789", 10);
    parsing_fini(&parsing);
}

static void an_empty_line_in_front_begins_nothing(void **state)
{
    (void)state;
    struct parsing parsing;
    parsing_init(&parsing);
    parsing_feed_text(&parsing, "\r\n", 1);
    assert_true(http1_is_idle(&parsing.http1));
    parsing_feed_text(&parsing, "GET / HTTP/1.1\r\n" HOST "\r\n", 1);
    assert_int_equal(parsing.ends, 1);
    parsing_fini(&parsing);
}

static void the_client_says_whether_the_connection_stays(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool stays;
    } cases[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", true},
        {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: x, CLOSE\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: keep-alive, close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: closer\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct parsing parsing;
        parsing_init(&parsing);
        parsing_feed_text(&parsing, cases[i].text, 1000);
        assert_int_equal(parsing.ends, 1);
        assert_int_equal(parsing.http1.keep_alive, cases[i].stays);
        parsing_fini(&parsing);
    }
}

static void only_one_expectation_can_be_met(void **state)
{
    (void)state;
    struct parsing parsing;
    parsing_init(&parsing);
    parsing_feed_text(
        &parsing, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nExpect: 100-Continue\r\n\r\n",
        1000);
    assert_true(parsing.http1.expects_continue);
    assert_false(parsing.http1.expects_other);
    parsing_fini(&parsing);

    parsing_init(&parsing);
    parsing_feed_text(&parsing, "GET / HTTP/1.1\r\n" HOST "Expect: tea\r\n\r\n", 1000);
    assert_true(parsing.http1.expects_other);
    parsing_fini(&parsing);

    /* HTTP/1.0 knows of no such thing (RFC 9110, 10.1.1). */
    parsing_init(&parsing);
    parsing_feed_text(&parsing, "POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: x\r\n\r\n", 1000);
    assert_false(parsing.http1.expects_continue || parsing.http1.expects_other);
    parsing_fini(&parsing);
}

static void each_limit_is_reached_exactly(void **state)
{
    (void)state;
    char text[4000];
    for (int over = 0; over < 2; over++) {
        snprintf(text, sizeof(text), "GET /%0*d HTTP/1.1\r\n" HOST "\r\n", 99 + over, 0);
        assert_int_equal(status_of(text), over ? 414 : 0);
        /* HOST, "A: ", the value, its line end and the empty line. */
        snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST "A: %0*d\r\n\r\n",
                 1000 - 19 - 3 - 2 - 2 + over, 0);
        assert_int_equal(status_of(text), over ? 431 : 0);
        int size = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST);
        for (int i = 0; i < 9 + over; i++) {
            size += snprintf(text + size, sizeof(text) - (size_t)size, "A: b\r\n");
        }
        snprintf(text + size, sizeof(text) - (size_t)size, "\r\n");
        assert_int_equal(status_of(text), over ? 431 : 0);
    }
}

static void what_never_ends_is_refused_at_its_limit(void **state)
{
    (void)state;
    char text[5000];
    snprintf(text, sizeof(text), "GET /%04000d", 0);
    assert_int_equal(status_of(text), 414);
    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST "A: %04000d", 0);
    assert_int_equal(status_of(text), 431);
    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST "A:%4000s", "");
    assert_int_equal(status_of(text), 431);
    snprintf(text, sizeof(text),
             "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1;a%04000d", 0);
    assert_int_equal(status_of(text), 400);
    snprintf(text, sizeof(text),
             "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\nA: %04000d", 0);
    assert_int_equal(status_of(text), 400);
    /* Short lines take more than their letters. */
    int size = snprintf(text, sizeof(text),
                        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n");
    for (int i = 0; i < 700; i++) {
        size += snprintf(text + size, sizeof(text) - (size_t)size, "a:\r\n");
    }
    assert_int_equal(status_of(text), 400);
}

static void a_version_that_is_not_spoken_is_told_from_one_that_is_none(void **state)
{
    (void)state;
    assert_int_equal(status_of("GET / HTTP/2.0\r\n"), 505);
    assert_int_equal(status_of("GET / HTTP/0.9\r\n"), 505);
    assert_int_equal(status_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
    assert_int_equal(status_of("GET / HTTP/1.x\r\n"), 400);
    assert_int_equal(status_of("GET / HTTP/1.9\r\n" HOST "\r\n"), 0);
}

static void trailers_are_kept_where_somebody_wants_them(void **state)
{
    (void)state;
    static const char text[] = "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                               "4;ext=1\r\nbody\r\n0\r\nX-Sum:  4 2\r\nEmpty:\r\nA: b\r\n\r\n";
    for (size_t piece = 1; piece < 40; piece++) {
        struct bytes kept = {0};
        struct parsing parsing;
        parsing_init(&parsing);
        parsing.http1.trailers = &kept;
        parsing_feed_text(&parsing, text, piece);
        assert_int_equal(parsing.ends, 1);
        assert_text((struct text){(const char *)kept.data, kept.size},
                    "X-Sum: 4 2\nEmpty: \nA: b\n");
        bytes_fini(&kept);
        parsing_fini(&parsing);
    }
}

static void codings_other_than_chunked_are_not_implemented(void **state)
{
    (void)state;
    assert_int_equal(status_of("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n"), 501);
    assert_int_equal(
        status_of("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501);
    assert_int_equal(status_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                     400);
}

static void nothing_is_read_behind_an_error(void **state)
{
    (void)state;
    struct parsing parsing;
    parsing_init(&parsing);
    parsing_feed_text(&parsing, "GET / HTTP/1.1\n", 100);
    assert_true(parsing.bad);
    struct http1_step step = http1_feed(&parsing.http1, &parsing.request, "GET / HTTP/1.1\r\n", 16);
    assert_int_equal(step.event, HTTP1_BAD);
    assert_int_equal(step.used, 0);
    parsing_fini(&parsing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_taken_apart),
        cmocka_unit_test(a_request_may_come_byte_by_byte),
        cmocka_unit_test(a_method_that_is_not_well_known_keeps_its_name),
        cmocka_unit_test(every_well_known_method_is_recognised),
        cmocka_unit_test(what_follows_a_message_is_left_alone),
        cmocka_unit_test(a_sized_body_is_handed_out_as_it_comes),
        cmocka_unit_test(an_empty_line_in_front_begins_nothing),
        cmocka_unit_test(the_client_says_whether_the_connection_stays),
        cmocka_unit_test(only_one_expectation_can_be_met),
        cmocka_unit_test(each_limit_is_reached_exactly),
        cmocka_unit_test(what_never_ends_is_refused_at_its_limit),
        cmocka_unit_test(a_version_that_is_not_spoken_is_told_from_one_that_is_none),
        cmocka_unit_test(trailers_are_kept_where_somebody_wants_them),
        cmocka_unit_test(codings_other_than_chunked_are_not_implemented),
        cmocka_unit_test(nothing_is_read_behind_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
