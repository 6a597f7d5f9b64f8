/* What "30s" means where a number of milliseconds is wanted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "manifest/quantity.h"

static void assert_means(const char *text, const char *key, uint64_t expected)
{
    uint64_t number = 0;
    assert_true(quantity_guess(text, key, &number));
    assert_int_equal(number, expected);
}

static void assert_means_nothing(const char *text, const char *key)
{
    uint64_t number;
    assert_false(quantity_guess(text, key, &number));
}

static void times_are_turned_into_milliseconds(void **state)
{
    (void)state;
    assert_means("30s", "deadline-ms", 30000);
    assert_means("250 ms", "deadline-ms", 250);
    assert_means("2m", "deadline-ms", 120000);
    assert_means("1h", "deadline-ms", 3600000);
}

static void sizes_are_turned_into_the_unit_of_the_key(void **state)
{
    (void)state;
    assert_means("10 MiB", "max-body-bytes", 10485760);
    assert_means("64kb", "max-body-bytes", 65536);
    assert_means("2m", "max-body-bytes", 2097152);
    assert_means("1GiB", "max-memory-mb", 1024);
}

static void a_number_in_quotes_is_that_number(void **state)
{
    (void)state;
    assert_means("4", "workers", 4);
    assert_means("1_000", "workers", 1000);
}

static void units_that_do_not_suit_the_key_mean_nothing(void **state)
{
    (void)state;
    assert_means_nothing("30s", "max-body-bytes");
    assert_means_nothing("30s", "workers");
    assert_means_nothing("1 MiB", "deadline-ms");
    assert_means_nothing("512 KiB", "max-memory-mb");
}

static void what_is_no_quantity_means_nothing(void **state)
{
    (void)state;
    assert_means_nothing("", "workers");
    assert_means_nothing("many", "workers");
    assert_means_nothing("-3", "workers");
    assert_means_nothing("99999999999999999999999999h", "deadline-ms");
    assert_means_nothing("5 parsecs", "deadline-ms");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_turned_into_milliseconds),
        cmocka_unit_test(sizes_are_turned_into_the_unit_of_the_key),
        cmocka_unit_test(a_number_in_quotes_is_that_number),
        cmocka_unit_test(units_that_do_not_suit_the_key_mean_nothing),
        cmocka_unit_test(what_is_no_quantity_means_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
