/* ${NAME} in strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "manifest/interpolate.h"

#include "fake_world.h"

#include <string.h>

static void assert_becomes(const char *text, const char *expected)
{
    struct manifest_world world = fake_world();
    struct bytes bytes = {0};
    struct err err;
    bool replaced;

    assert_true(interpolate(text, world.variable, NULL, &bytes, &replaced, &err));
    assert_int_equal(bytes.size, strlen(expected));
    assert_memory_equal(bytes.size == 0 ? (const uint8_t *)"" : bytes.data, expected, bytes.size);
    bytes_fini(&bytes);
}

static void assert_refused(const char *text, const char *expected)
{
    struct manifest_world world = fake_world();
    struct bytes bytes = {0};
    struct err err = {0};
    bool replaced;

    assert_false(interpolate(text, world.variable, NULL, &bytes, &replaced, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_string_equal(err.text, expected);
    bytes_fini(&bytes);
}

static void text_without_variables_stays(void **state)
{
    (void)state;
    assert_becomes("", "");
    assert_becomes("plain", "plain");
    assert_becomes("5 $ and $HOME and $}", "5 $ and $HOME and $}");
    assert_becomes("$", "$");
}

static void variables_are_replaced_wherever_they_stand(void **state)
{
    (void)state;
    assert_becomes("${PORT}", "9000");
    assert_becomes("a${PORT}b${GREETING}${PORT}", "a9000bhello9000");
    assert_becomes("$${PORT}", "${PORT}");
    assert_becomes("$$${PORT}", "$${PORT}");
    assert_becomes("${EMPTY}", "");
}

static void a_default_stands_in_for_what_is_unset_or_empty(void **state)
{
    (void)state;
    assert_becomes("${NOTHING:-x y}", "x y");
    assert_becomes("${NOTHING:-}", "");
    assert_becomes("${EMPTY:-z}", "z");
    assert_becomes("${PORT:-80}", "9000");
    assert_becomes("${NOTHING:-a:-b$c}", "a:-b$c");
}

static void a_value_is_not_interpolated_again(void **state)
{
    (void)state;
    assert_becomes("${NOTHING:-$}{PORT}", "${PORT}");
}

static void what_is_wrong_is_told_with_a_remedy(void **state)
{
    (void)state;
    assert_refused("${NOTHING}",
                   "${NOTHING} is not set; set it in the environment or in .env, or give "
                   "a default: ${NOTHING:-value}");
    assert_refused("x ${PORT", "'${PORT' is not closed; write ${NAME}, or $${ for a literal '${'");
    assert_refused("${}",
                   "'${}' names no variable; write ${NAME} or ${NAME:-default}, or $${ for a "
                   "literal '${'");
    assert_refused("${1A}",
                   "'${1A}' names no variable; write ${NAME} or ${NAME:-default}, or $${ for "
                   "a literal '${'");
    assert_refused("${A-b}",
                   "'${A-b}' names no variable; write ${NAME} or ${NAME:-default}, or $${ for "
                   "a literal '${'");
    assert_refused("${BINARY}", "the value of ${BINARY} is not UTF-8 text");
}

static void it_says_whether_anything_was_replaced(void **state)
{
    (void)state;
    struct manifest_world world = fake_world();
    struct bytes bytes = {0};
    struct err err;
    bool replaced;

    assert_true(interpolate("$${PORT} $", world.variable, NULL, &bytes, &replaced, &err));
    assert_false(replaced);
    assert_true(interpolate("${EMPTY}", world.variable, NULL, &bytes, &replaced, &err));
    assert_true(replaced);
    bytes_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_without_variables_stays),
        cmocka_unit_test(variables_are_replaced_wherever_they_stand),
        cmocka_unit_test(a_default_stands_in_for_what_is_unset_or_empty),
        cmocka_unit_test(a_value_is_not_interpolated_again),
        cmocka_unit_test(what_is_wrong_is_told_with_a_remedy),
        cmocka_unit_test(it_says_whether_anything_was_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
