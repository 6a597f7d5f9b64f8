#include "guest/calendar.h"

#include "base/number.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MINUTE_S = 60, DAY_S = 86400, SEARCH_DAYS = 40 * 366 };

static const char *const MONTHS[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                     "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const WEEKDAYS[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

/* One of the five. */
struct field {
    const char *name;
    unsigned min, max;
    const char *const *names; /* NULL: numbers only; else of min, min + 1 ... */
    size_t name_count;
};

enum { FIELD_MINUTE, FIELD_HOUR, FIELD_DAY, FIELD_MONTH, FIELD_WEEKDAY, FIELDS };

static const struct field FIELD[FIELDS] = {
    [FIELD_MINUTE] = {"minute", 0, 59, NULL, 0},
    [FIELD_HOUR] = {"hour", 0, 23, NULL, 0},
    [FIELD_DAY] = {"day of the month", 1, 31, NULL, 0},
    [FIELD_MONTH] = {"month", 1, 12, MONTHS, ARRAY_LENGTH(MONTHS)},
    [FIELD_WEEKDAY] = {"day of the week", 0, 7, WEEKDAYS, ARRAY_LENGTH(WEEKDAYS)},
};

/* A piece of the text that is being read. */
struct piece {
    const char *text;
    size_t size_bytes;
};

/* What stands before the next `mark`; `rest` goes behind it, and is NULL at the end. */
static struct piece cut(struct piece *rest, char mark)
{
    struct piece whole = *rest;
    const char *at = memchr(whole.text, mark, whole.size_bytes);

    if (at == NULL) {
        *rest = (struct piece){0};
        return whole;
    }
    size_t before = (size_t)(at - whole.text);
    *rest = (struct piece){at + 1, whole.size_bytes - before - 1};
    return (struct piece){whole.text, before};
}

static bool refuse(const struct field *field, struct piece piece, struct err *err)
{
    return err_set(err, ERR_INPUT, "'%.*s' is no %s; write %u to %u%s", (int)piece.size_bytes,
                   piece.text, field->name, field->min, field->max,
                   field->names == MONTHS     ? ", or jan to dec"
                   : field->names == WEEKDAYS ? ", or sun to sat"
                                              : "");
}

static bool parse_value(const struct field *field, struct piece piece, unsigned *ret,
                        struct err *err)
{
    uint64_t number;

    for (size_t i = 0; i < field->name_count; i++) {
        if (piece.size_bytes == 3 && strncasecmp(piece.text, field->names[i], 3) == 0) {
            *ret = field->min + (unsigned)i;
            return true;
        }
    }
    if (!number_parse(piece.text, piece.size_bytes, field->max, &number) || number < field->min) {
        return refuse(field, piece, err);
    }
    *ret = (unsigned)number;
    return true;
}

/* "*", "7", "mon", "1-5", each of the ranges with "/2". */
static bool parse_element(const struct field *field, struct piece element, uint64_t *bits,
                          struct err *err)
{
    struct piece step_text = element;
    struct piece range = cut(&step_text, '/');
    struct piece last_text = range;
    struct piece first_text = cut(&last_text, '-');
    unsigned first = field->min, last = field->max;
    uint64_t step = 1;

    if (range.size_bytes != 1 || range.text[0] != '*') {
        if (!parse_value(field, first_text, &first, err)) {
            return false;
        }
        last = first;
        if (last_text.text != NULL && !parse_value(field, last_text, &last, err)) {
            return false;
        }
        if (field == &FIELD[FIELD_WEEKDAY] && last_text.text != NULL && last == 0) {
            last = 7; /* "sat-sun" */
        }
        if (step_text.text != NULL && last_text.text == NULL) {
            return err_set(
                err, ERR_INPUT, "'%.*s': a step needs a range; write '%u-%u/%.*s' or '*/%.*s'",
                (int)element.size_bytes, element.text, first, field->max, (int)step_text.size_bytes,
                step_text.text, (int)step_text.size_bytes, step_text.text);
        }
    }
    if (last < first) {
        return err_set(err, ERR_INPUT, "'%.*s' ends before it begins; write it as two ranges",
                       (int)range.size_bytes, range.text);
    }
    if (step_text.text != NULL &&
        (!number_parse(step_text.text, step_text.size_bytes, field->max, &step) || step == 0)) {
        return err_set(err, ERR_INPUT, "'%.*s' is no step for a %s; write 1 to %u",
                       (int)step_text.size_bytes, step_text.text, field->name, field->max);
    }
    for (uint64_t i = first; i <= last; i += step) {
        *bits |= UINT64_C(1) << i;
    }
    return true;
}

static bool parse_field(const struct field *field, struct piece text, uint64_t *ret,
                        struct err *err)
{
    *ret = 0;
    do {
        struct piece element = cut(&text, ',');
        if (element.size_bytes == 0) {
            return err_set(err, ERR_INPUT, "there is nothing between two commas of the %s",
                           field->name);
        }
        if (!parse_element(field, element, ret, err)) {
            return false;
        }
    } while (text.text != NULL);
    return true;
}

/* ---- days ---- */

/* A day of the (proleptic) Gregorian calendar. */
struct date {
    int64_t year;
    unsigned month, day; /* both from 1 */
};

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned month_days(int64_t year, unsigned month)
{
    static const unsigned char DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return DAYS[month - 1] + (month == 2 && is_leap(year) ? 1U : 0U);
}

/* Days are counted from 1 March of a year 0, so that a leap day is the last one of its year. */
static struct date date_of(int64_t days)
{
    enum { ERA_DAYS = 146097, EPOCH = 719468 };
    int64_t shifted = days + EPOCH;
    int64_t era = (shifted >= 0 ? shifted : shifted - (ERA_DAYS - 1)) / ERA_DAYS;
    int64_t of_era = shifted - era * ERA_DAYS;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153; /* 0: March */

    return (struct date){
        .year = year + era * 400 + (month >= 10 ? 1 : 0),
        .month = (unsigned)(month < 10 ? month + 3 : month - 9),
        .day = (unsigned)(of_year - (153 * month + 2) / 5 + 1),
    };
}

static bool names_day(const struct calendar *calendar, const struct date *date, int64_t days)
{
    if ((calendar->months >> date->month & 1) == 0) {
        return false;
    }
    /* 1970-01-01 was a Thursday. */
    unsigned weekday = (unsigned)(((days + 4) % 7 + 7) % 7);
    bool by_day = (calendar->days >> date->day & 1) != 0;
    bool by_weekday = (calendar->weekdays >> weekday & 1) != 0;
    return calendar->either_day ? by_day || by_weekday : by_day && by_weekday;
}

/* The first minute of the day that it names, from `from` on; negative: none. */
static int minute_of_day(const struct calendar *calendar, unsigned from)
{
    for (unsigned hour = from / 60; hour < 24; hour++) {
        if ((calendar->hours >> hour & 1) == 0) {
            continue;
        }
        for (unsigned minute = hour == from / 60 ? from % 60 : 0; minute < 60; minute++) {
            if ((calendar->minutes >> minute & 1) != 0) {
                return (int)(hour * 60 + minute);
            }
        }
    }
    return -1;
}

int64_t calendar_next(const struct calendar *calendar, int64_t after_s)
{
    int64_t days = (after_s >= 0 ? after_s : after_s - (DAY_S - 1)) / DAY_S;
    /* Perhaps 24:00: then nothing of this day is left. */
    unsigned from = (unsigned)((after_s - days * DAY_S) / MINUTE_S + 1);
    struct date date = date_of(days);

    for (unsigned i = 0; i < SEARCH_DAYS; i++) {
        int minute = names_day(calendar, &date, days) ? minute_of_day(calendar, from) : -1;
        if (minute >= 0) {
            return days * DAY_S + (int64_t)minute * MINUTE_S;
        }
        from = 0;
        days++;
        if (++date.day > month_days(date.year, date.month)) {
            date.day = 1;
            if (++date.month > 12) {
                date.month = 1;
                date.year++;
            }
        }
    }
    return INT64_MAX;
}

/* ---- whole expressions ---- */

static const struct {
    const char *word, *fields;
} WORDS[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

static bool expand(const char **text, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(WORDS); i++) {
        if (strcasecmp(*text, WORDS[i].word) == 0) {
            *text = WORDS[i].fields;
            return true;
        }
    }
    return err_set(err, ERR_INPUT,
                   "'%.40s' is not known; there are @yearly, @annually, @monthly, @weekly, @daily, "
                   "@midnight and @hourly",
                   *text);
}

bool calendar_parse(const char *text, struct calendar *ret, struct err *err)
{
    static const char BLANKS[] = " \t";
    uint64_t bits[FIELDS];
    bool star[FIELDS];
    size_t count = 0;

    text += strspn(text, BLANKS);
    if (*text == '@' && !expand(&text, err)) {
        return false;
    }
    for (; *text != '\0'; text += strspn(text, BLANKS)) {
        struct piece piece = {text, strcspn(text, BLANKS)};
        if (count < FIELDS) {
            star[count] = *text == '*';
            if (!parse_field(&FIELD[count], piece, &bits[count], err)) {
                return false;
            }
        }
        text += piece.size_bytes;
        count++;
    }
    if (count != FIELDS) {
        return err_set(err, ERR_INPUT,
                       "there are %zu fields, not 5: minute, hour, day of the month, month, day of "
                       "the week",
                       count);
    }
    *ret = (struct calendar){
        .minutes = bits[FIELD_MINUTE],
        .hours = (uint32_t)bits[FIELD_HOUR],
        .days = (uint32_t)bits[FIELD_DAY],
        .months = (uint32_t)bits[FIELD_MONTH],
        /* 7 is Sunday too. */
        .weekdays = (uint32_t)((bits[FIELD_WEEKDAY] | bits[FIELD_WEEKDAY] >> 7) & 0x7f),
        .either_day = !star[FIELD_DAY] && !star[FIELD_WEEKDAY],
    };
    if (calendar_next(ret, 0) == INT64_MAX) {
        return err_set(err, ERR_INPUT, "there is no such day in any year");
    }
    return true;
}
