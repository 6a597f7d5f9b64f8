#include "serve/range.h"

#include "serve/field.h"

#include <string.h>

enum { RANGES_MAX = 16 };

/* First and last byte, both included. */
struct part {
    uint64_t first, last;
};

/* Digits, all of the text; what no file can have becomes UINT64_MAX. */
static bool parse_number(struct text text, uint64_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(text.data[i] - '0');
        *ret = *ret > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *ret * 10 + digit;
    }
    return text.size > 0;
}

enum part_result { PART_OK, PART_OUTSIDE, PART_MALFORMED };

static enum part_result parse_part(struct text text, uint64_t size, struct part *ret)
{
    const char *dash = memchr(text.data, '-', text.size);
    if (dash == NULL) {
        return PART_MALFORMED;
    }
    struct text from = {text.data, (size_t)(dash - text.data)};
    struct text to = {dash + 1, text.size - from.size - 1};
    uint64_t number = 0;
    if (from.size == 0) {
        if (!parse_number(to, &number)) {
            return PART_MALFORMED;
        }
        if (number == 0 || size == 0) {
            return PART_OUTSIDE;
        }
        *ret = (struct part){number < size ? size - number : 0, size - 1};
        return PART_OK;
    }
    uint64_t last = UINT64_MAX;
    if (!parse_number(from, &number) || (to.size > 0 && !parse_number(to, &last)) ||
        last < number) {
        return PART_MALFORMED;
    }
    if (number >= size) {
        return PART_OUTSIDE;
    }
    *ret = (struct part){number, last < size ? last : size - 1};
    return PART_OK;
}

/* Make one of all; false: there is a gap. */
static bool join(struct part *parts, size_t count)
{
    for (size_t joined = 1; joined < count; joined++) {
        size_t i = 1;
        while (i < count && (parts[i].first > parts[i].last || parts[i].first > parts[0].last + 1 ||
                             parts[i].last + 1 < parts[0].first)) {
            i++;
        }
        if (i == count) {
            return false;
        }
        parts[0].first = parts[i].first < parts[0].first ? parts[i].first : parts[0].first;
        parts[0].last = parts[i].last > parts[0].last ? parts[i].last : parts[0].last;
        parts[i] = (struct part){1, 0}; /* used */
    }
    return true;
}

enum range_result range_parse(struct text value, uint64_t size, struct range *ret)
{
    if (value.size < 6 || !text_equal_nocase((struct text){value.data, 6}, "bytes=", 6)) {
        return RANGE_WHOLE;
    }
    struct part parts[RANGES_MAX];
    struct text rest = {value.data + 6, value.size - 6}, element;
    size_t count = 0, seen = 0;
    while (field_list_next(&rest, &element)) {
        struct part part;
        enum part_result result = parse_part(element, size, &part);
        if (result == PART_MALFORMED || ++seen > RANGES_MAX) {
            return RANGE_WHOLE;
        }
        if (result == PART_OK) {
            parts[count++] = part;
        }
    }
    if (seen == 0) {
        return RANGE_WHOLE;
    }
    if (count == 0) {
        return RANGE_UNSATISFIABLE;
    }
    if (!join(parts, count)) {
        return RANGE_WHOLE;
    }
    *ret = (struct range){parts[0].first, parts[0].last - parts[0].first + 1};
    return RANGE_PART;
}
