#include "../base/cmocka_all.h"

#include "serve/rusm_wire.h"

#include <stdlib.h>
#include <string.h>

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

/* The same request, its body given in pieces of `step` bytes. */
static void assert_request(const char *body, size_t step, const char *expected)
{
    static const struct header headers[] = {{TEXT("X-Big"), TEXT("A\"b")},
                                            {TEXT("accept"), TEXT("\xff")}};
    static const struct param params[] = {{TEXT("id"), TEXT("7")}};
    struct request request = {.method_name = TEXT("POST"),
                              .target = TEXT("/a?b=\\"),
                              .headers = headers,
                              .header_count = 2,
                              .params = params,
                              .param_count = 1};
    AUTO(bytes_finip) struct bytes to = {0};
    struct rusm_request writer = {.to = &to};
    size_t size = strlen(body);
    assert_true(rusm_request_begin(&writer, UINT64_MAX, "show", &request));
    for (size_t at = 0; at < size; at += step) {
        assert_true(rusm_request_body(&writer, body + at, size - at < step ? size - at : step));
    }
    assert_true(rusm_request_end(&writer) && bytes_terminate(&to));
    assert_string_equal((char *)to.data, expected);
}

static void a_request_is_written_whatever_pieces_its_body_comes_in(void **state)
{
    (void)state;
    for (size_t step = 1; step <= 11; step++) {
        assert_request(
            "hello there", step,
            "{\"op\":\"fetch\",\"ref\":0,\"from\":\"18446744073709551615\",\"action\":\"show\","
            "\"params\":[[\"id\",\"7\"]],\"request\":{\"method\":\"POST\",\"url\":\"/a?b=\\\\\","
            "\"headers\":[[\"x-big\",\"A\\\"b\"],[\"accept\",\"\xef\xbf\xbd\"]],"
            "\"body\":\"aGVsbG8gdGhlcmU=\"}}");
    }
}

static enum rusm_reply_result read_reply(struct rusm_reply *reply, const char *text)
{
    const char *why = NULL;
    enum rusm_reply_result result = rusm_reply_read(reply, text, strlen(text), &why);
    assert_true((result == RUSM_REPLY_MALFORMED) == (why != NULL));
    return result;
}

static void an_answer_is_read(void **state)
{
    struct rusm_reply reply = {0};
    (void)state;
    assert_int_equal(
        read_reply(&reply, "{\"ref\":0,\"ok\":{\"status\":201,\"stream\":false,\"headers\":[[\"a\","
                           "\"b\"],[\"\",\"\"],[\"c\\u0064\",\"e\"]],\"body\":\"Zm9\\u0076\"}}"),
        RUSM_REPLY_GOOD);
    assert_int_equal(reply.status, 201);
    assert_int_equal(reply.header_count, 3);
    assert_true(text_equal(reply.headers[0].name, "a") && text_equal(reply.headers[0].value, "b"));
    assert_int_equal(reply.headers[1].name.size + reply.headers[1].value.size, 0);
    assert_true(text_equal(reply.headers[2].name, "cd") && text_equal(reply.headers[2].value, "e"));
    assert_int_equal(reply.body.size, 3);
    assert_memory_equal(reply.body.data, "foo", 3);
    rusm_reply_fini(&reply);
}

static void an_answer_may_say_only_why_there_is_none(void **state)
{
    struct rusm_reply reply = {0};
    (void)state;
    assert_int_equal(read_reply(&reply, "{\"ok\":null,\"err\":\"no \\u0041\"}"), RUSM_REPLY_GOOD);
    assert_int_equal(reply.status, 0);
    assert_int_equal(reply.texts.size, 4);
    assert_memory_equal(reply.texts.data, "no A", 4);
    rusm_reply_fini(&reply);
}

static void anything_else_is_malformed(void **state)
{
    static const char *const wrong[] = {
        "",
        "{}",
        "[]",
        "{\"ok\":[]}",
        "{\"ok\":{}}",
        "{\"err\":7}",
        "{\"ok\":{\"status\":0}}",
        "{\"ok\":{\"status\":1000}}",
        "{\"ok\":{\"status\":2e2}}",
        "{\"ok\":{\"status\":200,\"body\":[]}}",
        "{\"ok\":{\"status\":200,\"body\":\"Zm9\"}}",
        "{\"ok\":{\"status\":200,\"headers\":{}}}",
        "{\"ok\":{\"status\":200,\"headers\":[{}]}}",
        "{\"ok\":{\"status\":200,\"headers\":[[\"a\",\"b\",\"c\"]]}}",
        "{\"ok\":{\"status\":200,\"headers\":[[\"a\",null]]}}",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        struct rusm_reply reply = {0};
        if (read_reply(&reply, wrong[i]) != RUSM_REPLY_MALFORMED) {
            fail_msg("'%s'", wrong[i]);
        }
        rusm_reply_fini(&reply);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_written_whatever_pieces_its_body_comes_in),
        cmocka_unit_test(an_answer_is_read),
        cmocka_unit_test(an_answer_may_say_only_why_there_is_none),
        cmocka_unit_test(anything_else_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
