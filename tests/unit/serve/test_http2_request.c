/* Header blocks of HTTP/2 into requests, and how much trouble a client may make. */
#include "../base/cmocka_all.h"

#include "serve/http2_guard.h"
#include "serve/http2_request.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

struct line {
    const char *name, *value;
};

static struct http1_rules rules;
static struct request request;
static struct http2_request head;

static int make_rules(void **state)
{
    (void)state;
    http1_rules_init(&rules, 200, 4, 30);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    request_fini(&request);
    memset(&request, 0, sizeof(request));
    return 0;
}

static struct text text_of(const char *text)
{
    return (struct text){text, strlen(text)};
}

static unsigned take(const struct line *lines, size_t count, bool ended)
{
    const char *reason = NULL;
    request_reset(&request);
    http2_request_init(&head, &rules);
    for (size_t i = 0; i < count; i++) {
        http2_request_add(&head, &request, text_of(lines[i].name), text_of(lines[i].value));
    }
    unsigned status = http2_request_finish(&head, &request, ended, &reason);
    assert_true((status == 200) == (reason == NULL));
    http2_request_fini(&head);
    return status;
}

#define TAKE_LINES(ended, ...)                                                                     \
    take((const struct line[]){__VA_ARGS__},                                                       \
         sizeof((const struct line[]){__VA_ARGS__}) / sizeof(struct line), ended)
#define METHOD(method)                                                                             \
    {                                                                                              \
        ":method", method                                                                          \
    }
#define PATH(path)                                                                                 \
    {                                                                                              \
        ":path", path                                                                              \
    }
#define REST                                                                                       \
    {":scheme", "http"},                                                                           \
    {                                                                                              \
        ":authority", "a:80"                                                                       \
    }

static void a_request_is_what_it_would_be_in_http1(void **state)
{
    (void)state;
    assert_int_equal(TAKE_LINES(false, METHOD("POST"), PATH("/a%20b?q=1"), REST, {"cookie", "a=1"},
                                {"content-length", "12"}, {"cookie", "b=2"},
                                {"expect", "100-continue"}),
                     200);
    assert_int_equal(request.method, METHOD_POST);
    assert_true(text_equal(request.path, "/a b"));
    assert_true(text_equal(request.target, "/a%20b?q=1"));
    assert_true(text_equal(request.query, "q=1"));
    assert_true(text_equal(request.host, "a:80"));
    assert_true(request.has_body && request.body_sized);
    assert_int_equal(request.body_bytes, 12);
    assert_true(head.expects_continue);
    assert_true(text_equal(request_header(&request, "cookie", 6)->value, "a=1; b=2"));
    assert_true(text_equal(request_header(&request, "host", 4)->value, "a:80"));
    assert_int_equal(request.header_count, 4);
}

static void what_http1_refuses_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"/..", "/%2e%2E/", "/%00", "/%zz", "/a b", "http://a/", "*"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_int_equal(TAKE_LINES(true, METHOD("GET"), PATH(bad[i]), REST), 400);
    }
    assert_int_equal(TAKE_LINES(true, METHOD("OPTIONS"), PATH("*"), REST), 200);
    assert_int_equal(
        TAKE_LINES(true, METHOD("GET"), PATH("/"), {":scheme", "ftp"}, {":authority", "a"}), 400);
    assert_int_equal(
        TAKE_LINES(true, METHOD("GET"), PATH("/"), {":scheme", "http"}, {":authority", "u@a"}),
        400);
    assert_int_equal(TAKE_LINES(true, METHOD("GET"), PATH("/"), REST, {"host", "b"}), 400);
    assert_int_equal(TAKE_LINES(true, METHOD("GET"), PATH("/"), REST, {"host", "A:80"}), 200);
    assert_int_equal(TAKE_LINES(true, METHOD("GET"), PATH("/"), {":scheme", "http"}, {"host", "b"},
                                {"host", "b"}),
                     400);
    assert_int_equal(TAKE_LINES(true, METHOD("CONNECT"), {":authority", "a:80"}), 501);
}

static void limits_have_their_statuses(void **state)
{
    (void)state;
    static const char thirty[] = "/23456789012345678901234567890";
    static const char hundred[] =
        "0123456789012345678901234567890123456789012345678901234567890123456"
        "789012345678901234567890123456789";
    assert_int_equal(TAKE_LINES(true, METHOD("GET"), PATH(thirty), REST), 200);
    assert_int_equal(TAKE_LINES(true, METHOD("GET"), PATH(hundred), REST), 414);
    assert_int_equal(TAKE_LINES(true, METHOD(hundred), PATH("/"), REST), 400);
    assert_int_equal(TAKE_LINES(true, METHOD("GET"), PATH("/"), REST, {"a", hundred}), 200);
    assert_int_equal(
        TAKE_LINES(true, METHOD("GET"), PATH("/"), REST, {"a", hundred}, {"b", hundred}), 431);
    assert_int_equal(
        TAKE_LINES(true, METHOD("GET"), PATH("/"), REST, {"cookie", hundred}, {"cookie", hundred}),
        431);
    assert_int_equal(TAKE_LINES(true, METHOD("GET"), PATH("/"), REST, {"a", ""}, {"b", ""},
                                {"c", ""}, {"d", ""}, {"e", ""}),
                     431);
}

static void an_extended_connect_is_a_get_for_a_protocol(void **state)
{
    (void)state;
    assert_int_equal(
        TAKE_LINES(false, METHOD("CONNECT"), PATH("/ws"), REST, {":protocol", "websocket"}), 200);
    assert_true(text_equal(request.protocol, "websocket"));
    assert_true(text_equal(request.method_name, "GET"));
    assert_false(request.has_body);
    assert_int_equal(TAKE_LINES(false, METHOD("CONNECT"), PATH("/"), REST, {":protocol", "tcp"}),
                     501);
    assert_int_equal(TAKE_LINES(false, METHOD("GET"), PATH("/"), REST, {":protocol", "websocket"}),
                     400);
}

/* ---- The guard ---- */

enum { SECOND_NS = 1000000000 };

static unsigned frames_until_full(struct http2_guard *guard, uint8_t type, uint64_t now_ns)
{
    unsigned count = 0;
    while (http2_guard_frame(guard, type, 0, 0, now_ns) == NULL) {
        count++;
    }
    return count;
}

static void tokens_come_back_with_time(void **state)
{
    (void)state;
    struct http2_guard guard;
    http2_guard_init(&guard, SECOND_NS);
    unsigned count = 0;
    while (http2_guard_error(&guard, SECOND_NS) == NULL) {
        count++;
    }
    assert_int_equal(count, HTTP2_ERRORS_BURST);
    for (unsigned i = 0; i < HTTP2_ERRORS_PER_S; i++) {
        assert_null(http2_guard_error(&guard, 2 * (uint64_t)SECOND_NS));
    }
    assert_non_null(http2_guard_error(&guard, 2 * (uint64_t)SECOND_NS));
    /* However long it was, no more than the burst. */
    uint64_t later_ns = UINT64_MAX / 2;
    for (count = 0; http2_guard_error(&guard, later_ns) == NULL; count++) {
    }
    assert_int_equal(count, HTTP2_ERRORS_BURST);
}

static void frames_that_move_nothing_cost_and_answers_earn(void **state)
{
    (void)state;
    struct http2_guard guard;
    http2_guard_init(&guard, SECOND_NS);
    assert_int_equal(frames_until_full(&guard, NGHTTP2_PING, SECOND_NS), HTTP2_FRAMES_BURST);
    assert_null(http2_guard_frame(&guard, NGHTTP2_DATA, 0, 1, SECOND_NS));
    assert_null(http2_guard_frame(&guard, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 0, SECOND_NS));
    assert_null(http2_guard_frame(&guard, NGHTTP2_HEADERS, 0, 0, SECOND_NS));
    assert_non_null(http2_guard_frame(&guard, NGHTTP2_DATA, 0, 0, SECOND_NS));
    http2_guard_earn(&guard);
    assert_int_equal(frames_until_full(&guard, NGHTTP2_WINDOW_UPDATE, SECOND_NS), 2);
    http2_guard_init(&guard, SECOND_NS);
    http2_guard_earn(&guard);
    assert_int_equal(frames_until_full(&guard, NGHTTP2_SETTINGS, SECOND_NS), HTTP2_FRAMES_BURST);
}

static void a_header_block_has_a_bounded_number_of_frames(void **state)
{
    (void)state;
    struct http2_guard guard;
    http2_guard_init(&guard, SECOND_NS);
    for (int block = 0; block < 1000; block++) {
        assert_null(http2_guard_frame(&guard, NGHTTP2_HEADERS, 0, 10, SECOND_NS));
        for (int i = 0; i < HTTP2_CONTINUATIONS_MAX; i++) {
            assert_null(http2_guard_frame(&guard, NGHTTP2_CONTINUATION, 0, 10, SECOND_NS));
        }
    }
    assert_non_null(http2_guard_frame(&guard, NGHTTP2_CONTINUATION, 0, 10, SECOND_NS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_request_is_what_it_would_be_in_http1, drop),
        cmocka_unit_test_teardown(what_http1_refuses_is_refused, drop),
        cmocka_unit_test_teardown(limits_have_their_statuses, drop),
        cmocka_unit_test_teardown(an_extended_connect_is_a_get_for_a_protocol, drop),
        cmocka_unit_test(tokens_come_back_with_time),
        cmocka_unit_test(frames_that_move_nothing_cost_and_answers_earn),
        cmocka_unit_test(a_header_block_has_a_bounded_number_of_frames),
    };
    return cmocka_run_group_tests(tests, make_rules, NULL);
}
