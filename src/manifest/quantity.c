#include "manifest/quantity.h"

#include "base/number.h"

#include <string.h>
#include <strings.h>

enum dimension { DIMENSION_NONE, DIMENSION_TIME, DIMENSION_SIZE };

struct unit {
    const char *name;
    enum dimension dimension;
    uint64_t factor; /* to milliseconds or bytes */
};

static const struct unit TEXT_UNITS[] = {
    {"ms", DIMENSION_TIME, 1},         {"s", DIMENSION_TIME, 1000},
    {"sec", DIMENSION_TIME, 1000},     {"m", DIMENSION_TIME, 60000},
    {"min", DIMENSION_TIME, 60000},    {"h", DIMENSION_TIME, 3600000},
    {"b", DIMENSION_SIZE, 1},          {"k", DIMENSION_SIZE, 1U << 10},
    {"kb", DIMENSION_SIZE, 1U << 10},  {"kib", DIMENSION_SIZE, 1U << 10},
    {"m", DIMENSION_SIZE, 1U << 20},   {"mb", DIMENSION_SIZE, 1U << 20},
    {"mib", DIMENSION_SIZE, 1U << 20}, {"g", DIMENSION_SIZE, 1U << 30},
    {"gb", DIMENSION_SIZE, 1U << 30},  {"gib", DIMENSION_SIZE, 1U << 30},
};

static const struct unit KEY_UNITS[] = {
    {"-ms", DIMENSION_TIME, 1},
    {"-bytes", DIMENSION_SIZE, 1},
    {"-mb", DIMENSION_SIZE, 1U << 20},
};

static struct unit key_unit(const char *key)
{
    size_t size = strlen(key);

    for (size_t i = 0; i < ARRAY_LENGTH(KEY_UNITS); i++) {
        size_t suffix = strlen(KEY_UNITS[i].name);
        if (size > suffix && strcmp(key + size - suffix, KEY_UNITS[i].name) == 0) {
            return KEY_UNITS[i];
        }
    }
    return (struct unit){.name = "", .dimension = DIMENSION_NONE, .factor = 1};
}

bool quantity_guess(const char *text, const char *key, uint64_t *ret)
{
    static const uint64_t NUMBER_MAX = UINT32_MAX; /* times the largest factor it cannot overflow */
    size_t digits = strspn(text, "0123456789_");
    char plain[24];
    size_t size = 0;
    uint64_t number;

    for (size_t i = 0; i < digits && size < sizeof(plain); i++) {
        if (text[i] != '_') {
            plain[size++] = text[i];
        }
    }
    if (!number_parse(plain, size, NUMBER_MAX, &number)) {
        return false;
    }
    const char *unit = text + digits;
    unit += strspn(unit, " ");
    if (*unit == '\0') {
        *ret = number;
        return true;
    }
    struct unit wanted = key_unit(key);
    for (size_t i = 0; i < ARRAY_LENGTH(TEXT_UNITS); i++) {
        if (TEXT_UNITS[i].dimension != wanted.dimension ||
            strcasecmp(TEXT_UNITS[i].name, unit) != 0) {
            continue;
        }
        uint64_t total = number * TEXT_UNITS[i].factor;
        *ret = total / wanted.factor;
        return total % wanted.factor == 0;
    }
    return false;
}
