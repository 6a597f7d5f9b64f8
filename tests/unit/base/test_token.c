#include "cmocka_all.h"

#include "base/token.h"

static void a_token_holds_no_separators(void **state)
{
    (void)state;
    assert_true(token_is_valid("X-Frame_1", 9));
    assert_false(token_is_valid("", 0));
    assert_false(token_is_valid("a b", 3));
    assert_false(token_is_valid("a:b", 3));
    assert_false(token_is_valid("a\0b", 3));
    assert_false(token_is_valid("\xc3\xa4", 2));
}

static void a_value_holds_no_control_bytes(void **state)
{
    (void)state;
    assert_true(token_is_value("", 0));
    assert_true(token_is_value("a\tb \xff", 5));
    assert_false(token_is_value("a\r", 2));
    assert_false(token_is_value("a\nb", 3));
    assert_false(token_is_value("a\0b", 3));
    assert_false(token_is_value("\x7f", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_holds_no_separators),
        cmocka_unit_test(a_value_holds_no_control_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
