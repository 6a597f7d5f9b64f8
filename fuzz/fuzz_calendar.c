/* Whatever the expression, the next time is later, is a whole minute, is one that the expression names, and leaves
 * none out. Input: eight bytes of a time, then the expression. */
#include "guest/calendar.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static bool names(const struct calendar *calendar, int64_t at_s)
{
    time_t seconds = (time_t)at_s;
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL) {
        return false;
    }
    bool by_day = (calendar->days >> tm.tm_mday & 1) != 0;
    bool by_weekday = (calendar->weekdays >> tm.tm_wday & 1) != 0;
    return (calendar->minutes >> tm.tm_min & 1) != 0 && (calendar->hours >> tm.tm_hour & 1) != 0 &&
           (calendar->months >> (tm.tm_mon + 1) & 1) != 0 &&
           (calendar->either_day ? by_day || by_weekday : by_day && by_weekday);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    enum { MINUTE_S = 60, MINUTES_LOOKED_AT = 2000 };
    /* Until the year 5000 or so; before 1970 as well. */
    const int64_t most_s = INT64_C(100000000000);
    int64_t after_s = 0;
    struct calendar calendar;
    struct err err;
    if (size_bytes < sizeof(after_s)) {
        return 0;
    }
    memcpy(&after_s, data, sizeof(after_s));
    after_s %= most_s;
    char *text = strndup((const char *)data + sizeof(after_s), size_bytes - sizeof(after_s));
    INVARIANT(text != NULL);
    bool good = calendar_parse(text, &calendar, &err);
    free(text);
    if (!good) {
        INVARIANT(err.code == ERR_INPUT);
        return 0;
    }
    int64_t next_s = calendar_next(&calendar, after_s);
    INVARIANT(next_s > after_s);
    INVARIANT(next_s % MINUTE_S == 0);
    INVARIANT(names(&calendar, next_s));
    for (int64_t at_s = next_s - MINUTE_S, i = 0; at_s > after_s && i < MINUTES_LOOKED_AT;
         at_s -= MINUTE_S, i++) {
        INVARIANT(!names(&calendar, at_s));
    }
    return 0;
}
