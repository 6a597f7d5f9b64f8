#include "serve/http_date.h"

#include <stdio.h>
#include <string.h>

enum {
    DAY_S = 86400,
    YEAR_S = 31556952, /* on average */
};

#define LAST_S INT64_C(253402300799) /* the end of 9999 */

static const char DAYS[] = "SunMonTueWedThuFriSat";
static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* A date while it is read or written. */
struct calendar_day {
    int64_t year;
    unsigned month, day; /* from 1 */
};

/* Days since 1970 of a day of the Gregorian calendar. Years begin in March, so that a leap day is their last. */
static int64_t days_of(struct calendar_day at)
{
    int64_t year = at.month <= 2 ? at.year - 1 : at.year;
    int64_t era = year / 400;
    int64_t of_era = year - era * 400;
    int64_t month = at.month <= 2 ? at.month + 9 : at.month - 3;
    int64_t of_year = (153 * month + 2) / 5 + at.day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static struct calendar_day day_of(int64_t days)
{
    days += 719468;
    int64_t era = days / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    struct calendar_day at = {.year = year + era * 400,
                              .month = (unsigned)(month < 10 ? month + 3 : month - 9),
                              .day = (unsigned)(of_year - (153 * month + 2) / 5 + 1)};
    at.year += at.month <= 2;
    return at;
}

void http_date_format(int64_t seconds, char ret[HTTP_DATE_BYTES + 1])
{
    seconds = seconds < 0 ? 0 : seconds > LAST_S ? LAST_S : seconds;
    int64_t days = seconds / DAY_S;
    unsigned of_day = (unsigned)(seconds % DAY_S);
    struct calendar_day at = day_of(days);
    (void)snprintf(ret, HTTP_DATE_BYTES + 1, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
                   DAYS + 3 * ((days + 4) % 7), at.day % 100, MONTHS + (3 * (size_t)(at.month - 1)),
                   (unsigned)(at.year % 10000), of_day / 3600, of_day / 60 % 60, of_day % 60);
}

/* ---- Reading: each takes what it expects off the front ---- */

static bool take(struct text *rest, const char *literal)
{
    size_t size = strlen(literal);
    if (rest->size < size || memcmp(rest->data, literal, size) != 0) {
        return false;
    }
    *rest = (struct text){rest->data + size, rest->size - size};
    return true;
}

static bool take_number(struct text *rest, size_t digits, unsigned *ret)
{
    if (rest->size < digits) {
        return false;
    }
    *ret = 0;
    for (size_t i = 0; i < digits; i++) {
        char byte = rest->data[i];
        if (byte < '0' || byte > '9') {
            return false;
        }
        *ret = *ret * 10 + (unsigned)(byte - '0');
    }
    *rest = (struct text){rest->data + digits, rest->size - digits};
    return true;
}

/* One of the names of three letters each; `*ret` counts from 0. */
static bool take_name(struct text *rest, const char *names, unsigned *ret)
{
    for (size_t i = 0; rest->size >= 3 && names[3 * i] != 0; i++) {
        if (memcmp(rest->data, names + 3 * i, 3) == 0) {
            *ret = (unsigned)i;
            *rest = (struct text){rest->data + 3, rest->size - 3};
            return true;
        }
    }
    return false;
}

struct moment {
    unsigned year, month, day, hour, minute, second;
};

static bool take_time(struct text *rest, struct moment *ret)
{
    return take_number(rest, 2, &ret->hour) && take(rest, ":") &&
           take_number(rest, 2, &ret->minute) && take(rest, ":") &&
           take_number(rest, 2, &ret->second);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool parse_fixed(struct text text, struct moment *ret)
{
    unsigned weekday = 0;
    return take_name(&text, DAYS, &weekday) && take(&text, ", ") &&
           take_number(&text, 2, &ret->day) && take(&text, " ") &&
           take_name(&text, MONTHS, &ret->month) && take(&text, " ") &&
           take_number(&text, 4, &ret->year) && take(&text, " ") && take_time(&text, ret) &&
           take(&text, " GMT") && text.size == 0;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static bool parse_rfc850(struct text text, int64_t now_s, struct moment *ret)
{
    unsigned weekday = 0;
    if (!take_name(&text, DAYS, &weekday)) {
        return false;
    }
    while (text.size > 0 && text.data[0] >= 'a' && text.data[0] <= 'z') {
        text = (struct text){text.data + 1, text.size - 1};
    }
    if (!take(&text, ", ") || !take_number(&text, 2, &ret->day) || !take(&text, "-") ||
        !take_name(&text, MONTHS, &ret->month) || !take(&text, "-") ||
        !take_number(&text, 2, &ret->year) || !take(&text, " ") || !take_time(&text, ret) ||
        !take(&text, " GMT") || text.size != 0) {
        return false;
    }
    /* The latest such year that is not more than 50 years ahead. */
    unsigned limit = (unsigned)(1970 + now_s / YEAR_S + 50);
    ret->year += limit / 100 * 100;
    ret->year -= ret->year > limit ? 100 : 0;
    return true;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool parse_asctime(struct text text, struct moment *ret)
{
    unsigned weekday = 0;
    if (!take_name(&text, DAYS, &weekday) || !take(&text, " ") ||
        !take_name(&text, MONTHS, &ret->month) || !take(&text, " ")) {
        return false;
    }
    bool one_digit = take(&text, " ");
    return take_number(&text, one_digit ? 1 : 2, &ret->day) && take(&text, " ") &&
           take_time(&text, ret) && take(&text, " ") && take_number(&text, 4, &ret->year) &&
           text.size == 0;
}

static unsigned days_in(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month] + (leap && month == 1);
}

int64_t http_date_parse(struct text text, int64_t now_s)
{
    struct moment at = {0};
    if (!parse_fixed(text, &at) && !parse_rfc850(text, now_s, &at) && !parse_asctime(text, &at)) {
        return -1;
    }
    /* A leap second is the one before. */
    if (at.year < 1970 || at.day == 0 || at.day > days_in(at.year, at.month) || at.hour > 23 ||
        at.minute > 59 || at.second > 60) {
        return -1;
    }
    int64_t days = days_of((struct calendar_day){at.year, at.month + 1, at.day});
    unsigned second = at.second == 60 ? 59 : at.second;
    return days * DAY_S + at.hour * 3600 + at.minute * 60 + second;
}
