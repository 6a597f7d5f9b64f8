#include "../base/cmocka_all.h"

#include "serve/range.h"

#include <inttypes.h>
#include <string.h>

static void ranges_mean_parts(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        uint64_t size;
        enum range_result result;
        uint64_t offset, length;
    } cases[] = {
        {"bytes=0-0", 10, RANGE_PART, 0, 1},
        {"bytes=0-", 10, RANGE_PART, 0, 10},
        {"Bytes=9-", 10, RANGE_PART, 9, 1},
        {"bytes=2-100", 10, RANGE_PART, 2, 8},
        {"bytes=-3", 10, RANGE_PART, 7, 3},
        {"bytes=-30", 10, RANGE_PART, 0, 10},
        {"bytes=-18446744073709551616", 10, RANGE_PART, 0, 10},
        {"bytes=1-18446744073709551616", 10, RANGE_PART, 1, 9},
        {"bytes=0-18446744073709551615", UINT64_MAX, RANGE_PART, 0, UINT64_MAX},
        {"bytes=0-1,2-3", 10, RANGE_PART, 0, 4},
        {"bytes=4-5,0-1,2-3", 10, RANGE_PART, 0, 6},
        {"bytes=0-5,2-3", 10, RANGE_PART, 0, 6},
        {"bytes=-1,0-8", 10, RANGE_PART, 0, 10},
        {"bytes=0-1,50-60", 10, RANGE_PART, 0, 2},
        {"bytes= ,\t1-2 , ", 10, RANGE_PART, 1, 2},
        {"bytes=0-1,3-4", 10, RANGE_WHOLE, 0, 0},
        {"bytes=10-", 10, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=10-20,30-", 10, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-0", 10, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=0-", 0, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-1", 0, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=2-1", 10, RANGE_WHOLE, 0, 0},
        {"bytes=0-1,2-1", 10, RANGE_WHOLE, 0, 0},
        {"bytes=-", 10, RANGE_WHOLE, 0, 0},
        {"bytes=", 10, RANGE_WHOLE, 0, 0},
        {"bytes", 10, RANGE_WHOLE, 0, 0},
        {"", 10, RANGE_WHOLE, 0, 0},
        {"bytes=1", 10, RANGE_WHOLE, 0, 0},
        {"bytes=a-", 10, RANGE_WHOLE, 0, 0},
        {"bytes=1-2-3", 10, RANGE_WHOLE, 0, 0},
        {"bytes=1-2 3", 10, RANGE_WHOLE, 0, 0},
        {"lines=1-2", 10, RANGE_WHOLE, 0, 0},
        {"bytes=0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-", 10, RANGE_PART, 0, 10},
        {"bytes=0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-", 10, RANGE_WHOLE, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct range range = {0, 0};
        struct text value = {cases[i].value, strlen(cases[i].value)};
        enum range_result result = range_parse(value, cases[i].size, &range);
        if (result != cases[i].result || range.offset != cases[i].offset ||
            range.length != cases[i].length) {
            fail_msg("%s: %d, %" PRIu64 " + %" PRIu64, cases[i].value, (int)result, range.offset,
                     range.length);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_mean_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
