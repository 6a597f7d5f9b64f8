#include "cmocka_all.h"

#include "base/json_reader.h"

#include <stdlib.h>
#include <string.h>

static bool reads(const char *text)
{
    struct json_value value;
    return json_read(text, strlen(text), &value);
}

static void what_is_json_is_read(void **state)
{
    static const char *const right[] = {
        "null",
        " true ",
        "false",
        "0",
        "-0",
        "12.5e-3",
        "1E+2",
        "\"\"",
        "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
        "[]",
        "[ ]",
        "{}",
        "[1,[2,[]],{}]",
        "{\"a\":1,\"a\":[{\"b\":null}]}",
        "\t\r\n[ 1 , 2 ]\n",
        "\"\xc3\xa9\"",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(right); i++) {
        if (!reads(right[i])) {
            fail_msg("'%s'", right[i]);
        }
    }
}

static void what_is_none_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        " ",
        "nul",
        "nulll",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "0x1",
        "NaN",
        "'a'",
        "\"",
        "\"a",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u12\"",
        "\"a\nb\"",
        "\"\xff\"",
        "\"\xc3\"",
        "\"\xed\xa0\x80\"",
        "[",
        "]",
        "[1",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "}",
        "{1:2}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{\"a\":1]",
        "[1}",
        "1 2",
        "[] []",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        if (reads(wrong[i])) {
            fail_msg("'%s'", wrong[i]);
        }
    }
}

static void so_deep_and_no_deeper(void **state)
{
    char text[2 * (JSON_DEPTH_MAX + 1)];
    struct json_value value;
    (void)state;
    memset(text, '[', sizeof text / 2);
    memset(text + sizeof text / 2, ']', sizeof text / 2);
    /* The innermost one is empty: nothing is open in it. */
    assert_true(json_read(text, sizeof text, &value));
    memmove(text + sizeof text / 2, text + sizeof text / 2 - 1, sizeof text / 2);
    assert_false(json_read(text, sizeof text, &value));
    assert_false(json_read("[[[[", 4, &value));
}

static void members_are_found_by_their_names(void **state)
{
    static const char text[] =
        "{ \"a\" : [1] , \"b\":{\"c\":\"x\\\"}\"} ,\"a\":7, \"\":true,\"d\\u0000\":0}";
    struct json_value whole, part;
    uint64_t number = 0;
    (void)state;
    assert_true(json_read(text, sizeof text - 1, &whole));
    assert_true(json_find(&whole, "a", &part) && json_whole(&part, 10, &number) && number == 7);
    assert_true(json_find(&whole, "", &part) && part.kind == JSON_TRUE);
    assert_true(json_find(&whole, "b", &part) && part.kind == JSON_OBJECT);
    assert_true(json_find(&part, "c", &part) && part.kind == JSON_STRING);
    assert_false(json_find(&part, "c", &part) || json_find(&whole, "c", &part));
}

static void an_array_is_walked_through(void **state)
{
    static const char text[] = "[\"a\",[],{\"b\":[1,2]},\"c\\\\\" , 5 ]";
    static const enum json_kind kinds[] = {JSON_STRING, JSON_ARRAY, JSON_OBJECT, JSON_STRING,
                                           JSON_NUMBER};
    struct json_walk walk = {0};
    struct json_value value;
    (void)state;
    assert_true(json_read(text, sizeof text - 1, &walk.of));
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        assert_true(json_next(&walk, NULL, &value));
        assert_int_equal(value.kind, kinds[i]);
    }
    assert_false(json_next(&walk, NULL, &value));
}

static void only_whole_numbers_count_as_such(void **state)
{
    static const char *const others[] = {
        "-1", "1.0", "1e2", "11", "\"1\"", "null", "18446744073709551617"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        struct json_value value;
        uint64_t number = 99;
        assert_true(json_read(others[i], strlen(others[i]), &value));
        assert_false(json_whole(&value, 10, &number));
    }
}

static void assert_says(const char *text, const char *expected)
{
    AUTO(bytes_finip) struct bytes to = {0};
    struct json_value value;
    assert_true(json_read(text, strlen(text), &value));
    assert_true(json_append_string(&value, &to) && bytes_terminate(&to));
    assert_string_equal((char *)to.data, expected);
    assert_int_equal(to.size, strlen(expected));
}

static void a_string_says_what_its_escapes_mean(void **state)
{
    (void)state;
    assert_says("\"\"", "");
    assert_says("\"plain\"", "plain");
    assert_says("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t");
    assert_says("\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    assert_says("\"\\ud83dx\\ude00\\ud83d\\ud83d\"",
                "\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_json_is_read),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(so_deep_and_no_deeper),
        cmocka_unit_test(members_are_found_by_their_names),
        cmocka_unit_test(an_array_is_walked_through),
        cmocka_unit_test(only_whole_numbers_count_as_such),
        cmocka_unit_test(a_string_says_what_its_escapes_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
