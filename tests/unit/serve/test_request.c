#include "../base/cmocka_all.h"

#include "requests.h"

/* The request for a target. */
static struct request *request_for(struct parsing *parsing, const char *target)
{
    parsing_init(parsing);
    parsing_feed_text(parsing, "GET ", 100);
    parsing_feed_text(parsing, target, 100);
    parsing_feed_text(parsing, " HTTP/1.1\r\nHost: a\r\nA: first\r\na: second\r\n\r\n", 100);
    assert_int_equal(parsing->ends, 1);
    return &parsing->request;
}

static void a_query_value_is_decoded_as_forms_are(void **state)
{
    (void)state;
    struct parsing parsing;
    const struct request *request = request_for(&parsing, "/?a=1&b+c=x+%26y&d&=e&f=&a=2");
    char value[16];
    assert_int_equal(request_query_value(request, "a", 1, value, sizeof(value)), 1);
    assert_memory_equal(value, "1", 1);
    assert_int_equal(request_query_value(request, "b c", 3, value, sizeof(value)), 4);
    assert_memory_equal(value, "x &y", 4);
    assert_int_equal(request_query_value(request, "d", 1, value, sizeof(value)), 0);
    assert_int_equal(request_query_value(request, "f", 1, value, sizeof(value)), 0);
    assert_int_equal(request_query_value(request, "", 0, value, sizeof(value)), 1);
    assert_int_equal(request_query_value(request, "b", 1, value, sizeof(value)), -1);
    assert_int_equal(request_query_value(request, "z", 1, value, sizeof(value)), -1);
    parsing_fini(&parsing);
}

static void a_query_value_that_does_not_fit_tells_its_size(void **state)
{
    (void)state;
    struct parsing parsing;
    const struct request *request = request_for(&parsing, "/?a=12345");
    char value[3] = "--";
    assert_int_equal(request_query_value(request, "a", 1, value, 1), 5);
    assert_string_equal(value, "1-");
    assert_int_equal(request_query_value(request, "a", 1, NULL, 0), 5);
    parsing_fini(&parsing);
}

static void a_badly_encoded_query_value_is_absent(void **state)
{
    (void)state;
    struct parsing parsing;
    const struct request *request = request_for(&parsing, "/?a=%4&%zz=1&b=%");
    char value[16];
    assert_int_equal(request_query_value(request, "a", 1, value, sizeof(value)), -1);
    assert_int_equal(request_query_value(request, "b", 1, value, sizeof(value)), -1);
    assert_int_equal(request_query_value(request, "zz", 2, value, sizeof(value)), -1);
    parsing_fini(&parsing);
}

static void the_first_header_of_a_name_counts(void **state)
{
    (void)state;
    struct parsing parsing;
    const struct request *request = request_for(&parsing, "/");
    const struct header *header = request_header(request, "a", 1);
    assert_non_null(header);
    assert_true(text_equal(header->value, "first"));
    parsing_fini(&parsing);
}

static void a_request_is_used_again_without_traces_of_the_last(void **state)
{
    (void)state;
    struct parsing parsing;
    struct request *request = request_for(&parsing, "/one?two=three");
    const uint8_t *storage = request->arena.storage;
    request_reset(request);
    assert_int_equal(request->header_count, 0);
    assert_int_equal(request->target.size, 0);
    assert_null(request->query.data);
    http1_init(&parsing.http1, &parsing.rules);
    parsing.ends = 0;
    parsing_feed_text(&parsing, "GET /4 HTTP/1.1\r\nHost: b\r\n\r\n", 1000);
    assert_int_equal(parsing.ends, 1);
    assert_true(text_equal(request->path, "/4"));
    assert_true(text_equal(request->host, "b"));
    assert_int_equal(request->header_count, 1);
    assert_ptr_equal(request->arena.storage, storage);
    parsing_fini(&parsing);
}

static void names_compare_without_case_and_whole(void **state)
{
    (void)state;
    assert_true(text_equal_nocase((struct text){"HoSt", 4}, "host", 4));
    assert_false(text_equal_nocase((struct text){"hos", 3}, "host", 4));
    assert_false(text_equal_nocase((struct text){"hosts", 5}, "host", 4));
    assert_true(text_equal((struct text){"ab", 2}, "ab"));
    assert_false(text_equal((struct text){"aB", 2}, "ab"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_value_is_decoded_as_forms_are),
        cmocka_unit_test(a_query_value_that_does_not_fit_tells_its_size),
        cmocka_unit_test(a_badly_encoded_query_value_is_absent),
        cmocka_unit_test(the_first_header_of_a_name_counts),
        cmocka_unit_test(a_request_is_used_again_without_traces_of_the_last),
        cmocka_unit_test(names_compare_without_case_and_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
