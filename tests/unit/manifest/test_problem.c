/* The list of what is wrong: order, form, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "manifest/problem.h"

#include "fake_world.h"

#include <stdlib.h>
#include <string.h>

static void problems_are_told_in_order_of_place_file_by_file(void **state)
{
    (void)state;
    struct problems problems = {0};

    problem_error(&problems, (struct place){".env", 9, 1}, "env");
    problem_error(&problems, (struct place){"mote.toml", 10, 1}, "fourth");
    problem_error(&problems, (struct place){"mote.toml", 2, 7}, "second");
    problem_warning(&problems, (struct place){"mote.toml", 2, 7}, "third");
    problem_error(&problems, (struct place){.file = "mote.toml"}, "first");
    problems_sort(&problems);
    char *printed = fake_problems(&problems);
    assert_string_equal(printed, ".env:9:1: env\n"
                                 "mote.toml: first\n"
                                 "mote.toml:2:7: second\n"
                                 "mote.toml:2:7: warning: third\n"
                                 "mote.toml:10:1: fourth\n");
    free(printed);
    problems_fini(&problems);
}

static void warnings_alone_do_not_forbid_going_on(void **state)
{
    (void)state;
    struct problems problems = {0};

    assert_false(problems_failed(&problems));
    problem_warning(&problems, (struct place){"a", 1, 1}, "strange");
    assert_false(problems_failed(&problems));
    problem_error(&problems, (struct place){"a", 1, 1}, "wrong");
    assert_true(problems_failed(&problems));
    problems_fini(&problems);
}

static void a_value_can_neither_forge_a_line_nor_steer_the_terminal(void **state)
{
    (void)state;
    struct problems problems = {0};

    problem_error(&problems, (struct place){"a", 1, 1}, "%s",
                  "x\ny\x1b[2J\x7f\xc2\x85 \xff\xc3\xa4\xe2\x82");
    char *printed = fake_problems(&problems);
    assert_string_equal(printed, "a:1:1: x\\x0ay\\x1b[2J\\x7f\\xc2\\x85 \\xff\xc3\xa4\\xe2\\x82\n");
    free(printed);
    problems_fini(&problems);
}

static void beyond_two_hundred_problems_are_only_counted(void **state)
{
    (void)state;
    struct problems problems = {0};

    for (unsigned i = 0; i < PROBLEMS_MAX + 50; i++) {
        problem_error(&problems, (struct place){"a", i + 1, 1}, "wrong");
    }
    assert_int_equal(problems.count, PROBLEMS_MAX);
    assert_int_equal(problems.errors, PROBLEMS_MAX + 50);
    char *printed = fake_problems(&problems);
    assert_non_null(strstr(printed, "a:200:1: wrong\nand 50 more problems\n"));
    free(printed);
    problems_fini(&problems);
}

static void lack_of_memory_is_an_error_of_its_own(void **state)
{
    (void)state;
    struct problems problems = {0};

    assert_null(problem_memory(&problems));
    assert_true(problems_failed(&problems));
    char *printed = fake_problems(&problems);
    assert_string_equal(printed, "out of memory\n");
    free(printed);
    problems_fini(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problems_are_told_in_order_of_place_file_by_file),
        cmocka_unit_test(warnings_alone_do_not_forbid_going_on),
        cmocka_unit_test(a_value_can_neither_forge_a_line_nor_steer_the_terminal),
        cmocka_unit_test(beyond_two_hundred_problems_are_only_counted),
        cmocka_unit_test(lack_of_memory_is_an_error_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
