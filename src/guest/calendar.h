/**
 * @file
 * Cron expressions: every five minutes, weekdays at nine, "@hourly", as crontab(5) of Vixie's cron has them, in UTC. Pure.
 *
 *   minute 0-59 · hour 0-23 · day of month 1-31 · month 1-12 or jan-dec · day of week 0-7 or sun-sat (0 and 7: Sunday)
 *
 * A field is `*`, a number, a name, a range `a-b`, each range or `*` with a step `/n`, or several of those with commas.
 * When both day fields are restricted, a day counts that one of them names. As in Vixie's cron, a field that
 * begins with `*` is not restricted: `*` with a step and a weekday must then both fit.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/** What an expression names: a bit for each number of a field. */
struct calendar {
    uint64_t minutes;
    uint32_t hours, days, months;
    uint32_t weekdays; /**< 0: Sunday. */
    bool either_day;   /**< Both day fields are restricted: one of them is enough. */
};

/** The words for whole expressions: @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly.
 *  @return false: ERR_INPUT, saying which field is wrong and what to write; also for a day that never comes, such as
 *          30 February. */
bool calendar_parse(const char *text, struct calendar *ret, struct err *err) MUST_USE;

/** The first minute that it names, strictly after `after_s` (seconds since 1970-01-01 UTC, until the year 9999).
 *  INT64_MAX: none within 40 years, which calendar_parse() rules out. */
int64_t calendar_next(const struct calendar *calendar, int64_t after_s);
