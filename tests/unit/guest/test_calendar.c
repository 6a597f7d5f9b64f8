/* Cron expressions: what they name, and which time is next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guest/calendar.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* "2024-02-29 23:59:30" in UTC. */
static int64_t at(const char *text)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);

    if (end == NULL || *end != '\0') {
        fail_msg("'%s' is no time", text);
    }
    return (int64_t)timegm(&tm);
}

static struct calendar parsed(const char *expression)
{
    struct calendar calendar;
    struct err err;

    if (!calendar_parse(expression, &calendar, &err)) {
        fail_msg("%s: %s", expression, err.text);
    }
    return calendar;
}

static void assert_next(const char *expression, const char *after, const char *expected)
{
    struct calendar calendar = parsed(expression);
    time_t next = (time_t)calendar_next(&calendar, at(after));
    struct tm tm;
    char text[32];

    assert_non_null(gmtime_r(&next, &tm));
    assert_true(strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) > 0);
    if (strcmp(text, expected) != 0) {
        fail_msg("%s after %s is %s, not %s", expression, after, text, expected);
    }
}

static void assert_refused(const char *expression, const char *expected)
{
    struct calendar calendar;
    struct err err;

    if (calendar_parse(expression, &calendar, &err)) {
        fail_msg("'%s' was accepted", expression);
    }
    assert_int_equal(err.code, ERR_INPUT);
    assert_string_equal(err.text, expected);
}

static void the_next_time_is_strictly_later(void **state)
{
    (void)state;
    assert_next("* * * * *", "2024-05-06 07:08:00", "2024-05-06 07:09:00");
    assert_next("* * * * *", "2024-05-06 07:08:01", "2024-05-06 07:09:00");
    assert_next("* * * * *", "2024-05-06 07:08:59", "2024-05-06 07:09:00");
    assert_next("30 12 * * *", "2024-05-06 12:30:00", "2024-05-07 12:30:00");
    assert_next("30 12 * * *", "2024-05-06 12:29:59", "2024-05-06 12:30:00");
}

static void fields_are_numbers_lists_ranges_and_steps(void **state)
{
    (void)state;
    assert_next("*/5 * * * *", "2024-05-06 07:08:00", "2024-05-06 07:10:00");
    assert_next("*/5 * * * *", "2024-05-06 07:56:00", "2024-05-06 08:00:00");
    assert_next("1,31 * * * *", "2024-05-06 07:01:00", "2024-05-06 07:31:00");
    assert_next("10-20/4 * * * *", "2024-05-06 07:14:00", "2024-05-06 07:18:00");
    assert_next("10-20/4 * * * *", "2024-05-06 07:18:00", "2024-05-06 08:10:00");
    assert_next("0 9-17 * * *", "2024-05-06 17:00:00", "2024-05-07 09:00:00");
    assert_next("0 22,4-5 * * *", "2024-05-06 05:00:00", "2024-05-06 22:00:00");
    assert_next("0 0 1 */3 *", "2024-05-06 00:00:00", "2024-07-01 00:00:00");
    assert_next("*/59 * * * *", "2024-05-06 00:00:00", "2024-05-06 00:59:00");
    assert_next(" \t0\t0  1 1 * ", "2024-05-06 00:00:00", "2025-01-01 00:00:00");
}

static void months_and_days_have_names(void **state)
{
    (void)state;
    assert_next("0 0 1 mar *", "2024-05-06 00:00:00", "2025-03-01 00:00:00");
    assert_next("0 0 1 JAN,Nov *", "2024-05-06 00:00:00", "2024-11-01 00:00:00");
    assert_next("0 0 1 jun-aug *", "2024-06-02 00:00:00", "2024-07-01 00:00:00");
    assert_next("0 9 * * mon-fri", "2024-05-03 09:00:00", "2024-05-06 09:00:00");
    assert_next("0 9 * * Sun", "2024-05-06 00:00:00", "2024-05-12 09:00:00");
}

static void sunday_is_nought_and_seven_and_ends_a_week(void **state)
{
    (void)state;
    assert_next("0 0 * * 0", "2024-05-06 00:00:00", "2024-05-12 00:00:00");
    assert_next("0 0 * * 7", "2024-05-06 00:00:00", "2024-05-12 00:00:00");
    assert_next("0 0 * * 6-7", "2024-05-11 00:00:00", "2024-05-12 00:00:00");
    assert_next("0 0 * * sat-sun", "2024-05-11 00:00:00", "2024-05-12 00:00:00");
    assert_next("0 0 * * sat-sun", "2024-05-12 00:00:00", "2024-05-18 00:00:00");
}

static void of_two_restricted_day_fields_one_is_enough(void **state)
{
    (void)state;
    /* The 13th, and every Friday. */
    assert_next("0 0 13 * fri", "2024-05-06 00:00:00", "2024-05-10 00:00:00");
    assert_next("0 0 13 * fri", "2024-05-10 00:00:00", "2024-05-13 00:00:00");
    /* A field that begins with a star is not restricted: both must fit. */
    assert_next("0 0 13 * *", "2024-05-06 00:00:00", "2024-05-13 00:00:00");
    assert_next("0 0 * * fri", "2024-05-10 00:00:00", "2024-05-17 00:00:00");
    assert_next("0 0 */2 * fri", "2024-05-06 00:00:00", "2024-05-17 00:00:00");
}

static void a_leap_day_comes_when_it_comes(void **state)
{
    (void)state;
    assert_next("0 0 29 2 *", "2023-03-01 00:00:00", "2024-02-29 00:00:00");
    assert_next("0 0 29 2 *", "2024-02-29 00:00:00", "2028-02-29 00:00:00");
    assert_next("0 0 29 feb *", "2096-02-29 00:00:00", "2104-02-29 00:00:00");
    assert_next("59 23 28 2 *", "2024-02-28 23:59:00", "2025-02-28 23:59:00");
    assert_next("0 0 * * *", "2024-02-28 00:00:00", "2024-02-29 00:00:00");
    assert_next("0 0 * * *", "2023-02-28 00:00:00", "2023-03-01 00:00:00");
    assert_next("0 0 * * *", "2000-02-28 12:00:00", "2000-02-29 00:00:00");
    /* A leap day that is a Sunday: 2032, and then, for want of one in 2100, not for 28 years but 40. */
    assert_next("0 0 29 2 */7", "2024-03-01 00:00:00", "2032-02-29 00:00:00");
    assert_next("0 0 29 2 */7", "2088-02-29 00:00:00", "2128-02-29 00:00:00");
}

static void months_have_their_own_lengths(void **state)
{
    (void)state;
    assert_next("0 0 31 * *", "2024-03-31 00:00:00", "2024-05-31 00:00:00");
    assert_next("0 0 30 * *", "2024-01-30 00:00:00", "2024-03-30 00:00:00");
    assert_next("0 0 * * *", "2024-04-30 00:00:00", "2024-05-01 00:00:00");
    assert_next("59 23 31 12 *", "2024-12-31 23:59:00", "2025-12-31 23:59:00");
}

static void the_last_minute_of_a_day_leads_to_the_next_one(void **state)
{
    (void)state;
    assert_next("* * * * *", "2024-12-31 23:59:59", "2025-01-01 00:00:00");
    assert_next("0 0 * * *", "2024-12-31 23:59:00", "2025-01-01 00:00:00");
    assert_next("59 23 * * *", "2024-12-30 23:59:00", "2024-12-31 23:59:00");
}

static void times_before_1970_count_too(void **state)
{
    (void)state;
    assert_next("0 0 1 1 *", "1969-12-31 23:59:59", "1970-01-01 00:00:00");
    assert_next("*/30 * * * wed", "1969-12-31 00:15:00", "1969-12-31 00:30:00");
}

static void every_day_has_24_hours(void **state)
{
    (void)state;
    /* Where clocks jump, UTC does not: half past two exists on each of these days. */
    assert_next("30 2 * * *", "2024-03-30 12:00:00", "2024-03-31 02:30:00");
    assert_next("30 2 * * *", "2024-03-31 12:00:00", "2024-04-01 02:30:00");
    struct calendar hourly = parsed("@hourly");
    int64_t time = at("2024-10-26 00:00:00");
    for (int i = 0; i < 72; i++) {
        int64_t next = calendar_next(&hourly, time);
        assert_int_equal(next - time, 3600);
        time = next;
    }
}

static void words_stand_for_whole_expressions(void **state)
{
    (void)state;
    assert_next("@yearly", "2024-05-06 07:08:00", "2025-01-01 00:00:00");
    assert_next("@annually", "2024-05-06 07:08:00", "2025-01-01 00:00:00");
    assert_next("@monthly", "2024-05-06 07:08:00", "2024-06-01 00:00:00");
    assert_next("@weekly", "2024-05-06 07:08:00", "2024-05-12 00:00:00");
    assert_next("@daily", "2024-05-06 07:08:00", "2024-05-07 00:00:00");
    assert_next("@Midnight", "2024-05-06 07:08:00", "2024-05-07 00:00:00");
    assert_next("@hourly", "2024-05-06 07:08:00", "2024-05-06 08:00:00");
}

/* The plainest way to the same answer: look at each minute. */
static int64_t search(const char *expression, int64_t after)
{
    struct calendar calendar = parsed(expression);

    for (int64_t time = (after / 60 + 1) * 60;; time += 60) {
        time_t seconds = (time_t)time;
        struct tm tm;
        assert_non_null(gmtime_r(&seconds, &tm));
        bool by_day = (calendar.days >> tm.tm_mday & 1) != 0;
        bool by_weekday = (calendar.weekdays >> tm.tm_wday & 1) != 0;
        if ((calendar.minutes >> tm.tm_min & 1) != 0 && (calendar.hours >> tm.tm_hour & 1) != 0 &&
            (calendar.months >> (tm.tm_mon + 1) & 1) != 0 &&
            (calendar.either_day ? by_day || by_weekday : by_day && by_weekday)) {
            return time;
        }
    }
}

static void a_minute_by_minute_search_finds_the_same(void **state)
{
    (void)state;
    static const char *const EXPRESSIONS[] = {
        "*/7 */5 * * *",      "3 4 5,25 * *",    "0 12 */10 2-11/3 mon", "59 23 31 * *",
        "1-3,40 0 1 1,7 wed", "0 6 * * tue,thu", "15 10 13 * 5"};

    for (size_t i = 0; i < ARRAY_LENGTH(EXPRESSIONS); i++) {
        struct calendar calendar = parsed(EXPRESSIONS[i]);
        int64_t time = at("2023-12-28 00:00:17");
        for (int n = 0; n < 12; n++) {
            int64_t next = calendar_next(&calendar, time);
            assert_int_equal(next, search(EXPRESSIONS[i], time));
            time = next;
        }
    }
}

static void what_is_no_expression_is_refused_with_advice(void **state)
{
    (void)state;
    static const char COUNT[] = "not 5: minute, hour, day of the month, month, day of the week";
    char expected[128];

    (void)snprintf(expected, sizeof(expected), "there are 0 fields, %s", COUNT);
    assert_refused("", expected);
    (void)snprintf(expected, sizeof(expected), "there are 7 fields, %s", COUNT);
    assert_refused("* * * * * * *", expected);
    assert_refused("60 * * * *", "'60' is no minute; write 0 to 59");
    assert_refused("-1 * * * *", "'' is no minute; write 0 to 59");
    assert_refused("* 24 * * *", "'24' is no hour; write 0 to 23");
    assert_refused("* * 32 * *", "'32' is no day of the month; write 1 to 31");
    assert_refused("* * * 13 *", "'13' is no month; write 1 to 12, or jan to dec");
    assert_refused("* * * * monday", "'monday' is no day of the week; write 0 to 7, or sun to sat");
    assert_refused("mon * * * *", "'mon' is no minute; write 0 to 59");
    assert_refused("18446744073709551616 * * * *",
                   "'18446744073709551616' is no minute; write 0 to 59");
    assert_refused("1-2-3 * * * *", "'2-3' is no minute; write 0 to 59");
    assert_refused("*-5 * * * *", "'*' is no minute; write 0 to 59");
    assert_refused("** * * * *", "'**' is no minute; write 0 to 59");
    assert_refused("*/ * * * *", "'' is no step for a minute; write 1 to 59");
    assert_refused("*/5/5 * * * *", "'5/5' is no step for a minute; write 1 to 59");
    assert_refused("9/2 * * * *", "'9/2': a step needs a range; write '9-59/2' or '*/2'");
    assert_refused("5-4 * * * *", "'5-4' ends before it begins; write it as two ranges");
    assert_refused("* * * * fri-mon", "'fri-mon' ends before it begins; write it as two ranges");
    assert_refused("1, * * * *", "there is nothing between two commas of the minute");
    assert_refused("0 0 30 2 *", "there is no such day in any year");
    assert_refused("0 0 31 4,6,9,11 *", "there is no such day in any year");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_time_is_strictly_later),
        cmocka_unit_test(fields_are_numbers_lists_ranges_and_steps),
        cmocka_unit_test(months_and_days_have_names),
        cmocka_unit_test(sunday_is_nought_and_seven_and_ends_a_week),
        cmocka_unit_test(of_two_restricted_day_fields_one_is_enough),
        cmocka_unit_test(a_leap_day_comes_when_it_comes),
        cmocka_unit_test(months_have_their_own_lengths),
        cmocka_unit_test(the_last_minute_of_a_day_leads_to_the_next_one),
        cmocka_unit_test(times_before_1970_count_too),
        cmocka_unit_test(every_day_has_24_hours),
        cmocka_unit_test(words_stand_for_whole_expressions),
        cmocka_unit_test(a_minute_by_minute_search_finds_the_same),
        cmocka_unit_test(what_is_no_expression_is_refused_with_advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
