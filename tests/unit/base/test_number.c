#include "cmocka_all.h"

#include "base/number.h"

#include <string.h>

static bool parses(const char *text, uint64_t max, uint64_t expected)
{
    uint64_t value = 77;
    return number_parse(text, strlen(text), max, &value) && value == expected;
}

static bool refuses(const char *text, uint64_t max)
{
    uint64_t value = 77;
    return !number_parse(text, strlen(text), max, &value) && value == 77;
}

static void digits_become_their_value(void **state)
{
    (void)state;
    assert_true(parses("0", 0, 0));
    assert_true(parses("0007", 10, 7));
    assert_true(parses("65535", 65535, 65535));
    assert_true(parses("18446744073709551615", UINT64_MAX, UINT64_MAX));
}

static void everything_else_is_refused(void **state)
{
    (void)state;
    assert_true(refuses("", UINT64_MAX));
    assert_true(refuses("-1", UINT64_MAX));
    assert_true(refuses("+1", UINT64_MAX));
    assert_true(refuses(" 1", UINT64_MAX));
    assert_true(refuses("1 ", UINT64_MAX));
    assert_true(refuses("0x10", UINT64_MAX));
    assert_true(refuses("1e3", UINT64_MAX));
}

static void a_value_above_the_maximum_is_refused(void **state)
{
    (void)state;
    assert_true(refuses("65536", 65535));
    assert_true(refuses("1", 0));
    assert_true(refuses("18446744073709551616", UINT64_MAX));
    assert_true(refuses("99999999999999999999999", UINT64_MAX));
}

static void only_the_given_bytes_are_read(void **state)
{
    (void)state;
    uint64_t value = 0;
    assert_true(number_parse("12345", 2, 100, &value));
    assert_int_equal(value, 12);
}

static void a_formatted_number_parses_back(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 1, 9, 10, 99, 100, 4294967296, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
        char text[20];
        size_t length = number_format(values[i], text);
        uint64_t back = 0;
        assert_true(number_parse(text, length, UINT64_MAX, &back));
        assert_true(back == values[i]);
    }
    char text[20];
    assert_int_equal(number_format(UINT64_MAX, text), 20);
    assert_memory_equal(text, "18446744073709551615", 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_become_their_value),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(a_value_above_the_maximum_is_refused),
        cmocka_unit_test(only_the_given_bytes_are_read),
        cmocka_unit_test(a_formatted_number_parses_back),
    };
    return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
