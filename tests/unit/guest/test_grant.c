/* Which variables a grant gives, and that no name reaches behind one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guest/grant.h"

#include <stdlib.h>
#include <string.h>

static void a_granted_variable_has_its_value_and_others_have_none(void **state)
{
    (void)state;
    static const char *const variables[] = {"A=1", "AB=2=3", "EMPTY=", NULL};
    struct grant grant = {.environment = variables};
    assert_string_equal(grant_env(&grant, "A", 1), "1");
    assert_string_equal(grant_env(&grant, "AB", 2), "2=3");
    assert_string_equal(grant_env(&grant, "EMPTY", 5), "");
    assert_null(grant_env(&grant, "B", 1));
    assert_null(grant_env(&grant, "AB=2", 4));
    assert_null(grant_env(&(struct grant){0}, "A", 1));
}

/* The next string stands right behind the first one, as it may in an arena. */
static void a_name_with_a_zero_byte_does_not_reach_the_next_variable(void **state)
{
    (void)state;
    static const char memory[] = "A=1\0SECRET=xyzzy";
    const char *const variables[] = {memory, NULL};
    struct grant grant = {.environment = variables};
    for (size_t size = 2; size < sizeof memory; size++) {
        char *name = malloc(size);
        memcpy(name, memory, size);
        assert_null(grant_env(&grant, name, size));
        free(name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_granted_variable_has_its_value_and_others_have_none),
        cmocka_unit_test(a_name_with_a_zero_byte_does_not_reach_the_next_variable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
