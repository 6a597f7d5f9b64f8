/* Which slips are forgiven, and which words are left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "manifest/suggest.h"

#include <string.h>

static const char *nearest(const char *wrong)
{
    static const char *const KEYS[] = {"workers", "max-processes", "max-memory-mb", "name",
                                       "tick-ms"};
    struct suggestion suggestion = suggestion_begin(wrong);

    for (size_t i = 0; i < ARRAY_LENGTH(KEYS); i++) {
        suggestion_offer(&suggestion, KEYS[i]);
    }
    return suggestion.best;
}

static void a_missing_letter_is_forgiven(void **state)
{
    (void)state;
    assert_string_equal(nearest("workrs"), "workers");
}

static void two_swapped_letters_are_one_slip(void **state)
{
    (void)state;
    assert_string_equal(nearest("nmae"), "name");
}

static void underscores_and_capitals_cost_nothing(void **state)
{
    (void)state;
    assert_string_equal(nearest("MAX_MEMORY_MB"), "max-memory-mb");
}

static void a_word_with_little_in_common_has_no_suggestion(void **state)
{
    (void)state;
    assert_null(nearest("database"));
    assert_null(nearest("x"));
    assert_null(nearest(""));
}

static void the_nearest_of_several_wins(void **state)
{
    (void)state;
    struct suggestion suggestion = suggestion_begin("routs");
    suggestion_offer(&suggestion, "roots");
    suggestion_offer(&suggestion, "routes");
    assert_string_equal(suggestion.best, "roots"); /* Both are one slip away: the first stays. */

    suggestion = suggestion_begin("headrs");
    suggestion_offer(&suggestion, "leaders");
    suggestion_offer(&suggestion, "headers");
    assert_string_equal(suggestion.best, "headers");
}

static void a_name_of_any_length_is_safe_to_compare(void **state)
{
    (void)state;
    char name[5000];
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct suggestion suggestion = suggestion_begin(name);
    suggestion_offer(&suggestion, "aaaa");
    suggestion_offer(&suggestion, name);
    assert_null(suggestion.best);

    suggestion = suggestion_begin("aaaa");
    suggestion_offer(&suggestion, name);
    assert_null(suggestion.best);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_letter_is_forgiven),
        cmocka_unit_test(two_swapped_letters_are_one_slip),
        cmocka_unit_test(underscores_and_capitals_cost_nothing),
        cmocka_unit_test(a_word_with_little_in_common_has_no_suggestion),
        cmocka_unit_test(the_nearest_of_several_wins),
        cmocka_unit_test(a_name_of_any_length_is_safe_to_compare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
