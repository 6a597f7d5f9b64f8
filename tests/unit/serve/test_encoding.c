#include "../base/cmocka_all.h"

#include "serve/compression.h"
#include "serve/field.h"

#include <string.h>

static struct text text_of(const char *text)
{
    return (struct text){text, strlen(text)};
}

static const enum encoding BOTH[] = {ENCODING_BROTLI, ENCODING_GZIP};

static void the_heaviest_of_what_is_offered_is_chosen(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        enum encoding expected;
    } cases[] = {
        {"", ENCODING_IDENTITY},
        {"gzip", ENCODING_GZIP},
        {"br", ENCODING_BROTLI},
        {"gzip, br", ENCODING_BROTLI},
        {"gzip;q=0.9, br;q=0.8", ENCODING_GZIP},
        {"gzip;q=0.899,br;q=0.9", ENCODING_BROTLI},
        {"*", ENCODING_BROTLI},
        {"*;q=0", ENCODING_IDENTITY},
        {"*;q=0, gzip", ENCODING_GZIP},
        {"br;q=0, *;q=0.1", ENCODING_GZIP},
        {"gzip;q=0", ENCODING_IDENTITY},
        {"gzip;q=0.000", ENCODING_IDENTITY},
        {"identity, gzip;q=0.5", ENCODING_IDENTITY},
        {"identity;q=0.5, gzip;q=0.5", ENCODING_GZIP},
        {"identity;q=0", ENCODING_IDENTITY},
        {"X-GZIP", ENCODING_GZIP},
        {"deflate, zstd", ENCODING_IDENTITY},
        {"gzip;q=", ENCODING_IDENTITY},
        {"gzip;q=1.001", ENCODING_IDENTITY},
        {"gzip;q=0.1234", ENCODING_IDENTITY},
        {"gzip;q=2", ENCODING_IDENTITY},
        {"gzip;q=-1", ENCODING_IDENTITY},
        {"gzip;a=b", ENCODING_IDENTITY},
        {"gzip\t;\tq=1.", ENCODING_GZIP},
        {", ,gzip, ,", ENCODING_GZIP},
        {"gzip;q=0, gzip", ENCODING_GZIP},
        {";q=1", ENCODING_IDENTITY},
        {"\"gzip, br\"", ENCODING_IDENTITY},
        {"\"gzip", ENCODING_IDENTITY},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct header header = {text_of("Accept-ENCODING"), text_of(cases[i].accept)};
        if (encoding_choose(&header, 1, BOTH, 2) != cases[i].expected) {
            fail_msg("%s", cases[i].accept);
        }
    }
}

static void lines_of_one_name_are_one_list(void **state)
{
    (void)state;
    struct header headers[] = {{text_of("accept-encoding"), text_of("deflate")},
                               {text_of("Accept"), text_of("br")},
                               {text_of("Accept-Encoding"), text_of("gzip")}};
    assert_int_equal(encoding_choose(headers, 3, BOTH, 2), ENCODING_GZIP);
    assert_int_equal(encoding_choose(headers, 2, BOTH, 2), ENCODING_IDENTITY);
    assert_int_equal(encoding_choose(headers, 3, BOTH, 1), ENCODING_IDENTITY);
    assert_int_equal(encoding_choose(NULL, 0, BOTH, 2), ENCODING_IDENTITY);
}

static void names_and_codings_belong_together(void **state)
{
    (void)state;
    for (int i = 0; i < ENCODING_COUNT; i++) {
        assert_int_equal(encoding_of_name(encoding_name((enum encoding)i)), i);
    }
    assert_int_equal(encoding_of_name("zip"), ENCODING_IDENTITY);
}

static void types_are_matched_by_name_family_or_suffix(void **state)
{
    (void)state;
    static const char *const wanted[] = {
        "text/html",        "TEXT/css",           "text/html ; charset=x",
        "application/json", "application/a+json", "image/svg+xml"};
    static const char *const unwanted[] = {"",
                                           "text",
                                           "text/event-stream",
                                           "Text/Event-Stream;a=b",
                                           "image/png",
                                           "application/jsonx",
                                           "textx/html",
                                           "json"};
    struct compression compression = {.types = COMPRESSION_TYPES};
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        if (!compression_wants_type(&compression, text_of(wanted[i]))) {
            fail_msg("%s", wanted[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(unwanted); i++) {
        if (compression_wants_type(&compression, text_of(unwanted[i]))) {
            fail_msg("%s", unwanted[i]);
        }
    }
    static const char *const named[] = {"text/event-stream", NULL};
    compression.types = named;
    assert_true(compression_wants_type(&compression, text_of("text/event-stream")));
    assert_false(compression_wants_type(&compression, text_of("text/html")));
}

static void lists_are_taken_apart(void **state)
{
    (void)state;
    struct text rest = text_of(" a ,, \"b,\\\"c\" ,d\t"), element;
    assert_true(field_list_next(&rest, &element) && text_equal(element, "a"));
    assert_true(field_list_next(&rest, &element) && text_equal(element, "\"b,\\\"c\""));
    assert_true(field_list_next(&rest, &element) && text_equal(element, "d"));
    assert_false(field_list_next(&rest, &element));
    assert_true(field_list_has(text_of("no-store, NO-transform"), "no-transform", 12));
    assert_false(field_list_has(text_of("no-transform=1"), "no-transform", 12));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_heaviest_of_what_is_offered_is_chosen),
        cmocka_unit_test(lines_of_one_name_are_one_list),
        cmocka_unit_test(names_and_codings_belong_together),
        cmocka_unit_test(types_are_matched_by_name_family_or_suffix),
        cmocka_unit_test(lists_are_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
