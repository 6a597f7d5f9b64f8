/* The `.env` file: what a value may look like, and what is said about a wrong line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "manifest/dotenv.h"

#include "fake_world.h"

#include <stdlib.h>
#include <string.h>

static void assert_value(const char *text, const char *name, const char *expected)
{
    struct dotenv dotenv = {0};
    struct problems problems = {0};

    dotenv_parse(&dotenv, ".env", text, strlen(text), &problems);
    assert_int_equal(problems.count, 0);
    const char *value = dotenv_get(&dotenv, name);
    assert_non_null(value);
    assert_string_equal(value, expected);
    dotenv_fini(&dotenv);
    problems_fini(&problems);
}

static void assert_problems(const char *text, size_t size_bytes, const char *expected)
{
    struct dotenv dotenv = {0};
    struct problems problems = {0};

    dotenv_parse(&dotenv, ".env", text, size_bytes, &problems);
    char *printed = fake_problems(&problems);
    assert_string_equal(printed, expected);
    free(printed);
    dotenv_fini(&dotenv);
    problems_fini(&problems);
}

static void a_bare_value_ends_with_its_line(void **state)
{
    (void)state;
    assert_value("A=1", "A", "1");
    assert_value("A = one two \nB=2\n", "A", "one two");
    assert_value("A=1\r\nB=2\r\n", "A", "1");
    assert_value("A=\n", "A", "");
}

static void a_hash_begins_a_comment_only_behind_white_space(void **state)
{
    (void)state;
    assert_value("# first\n\n  # second\nA=x#y # rest\n", "A", "x#y");
    assert_value("A= # nothing\n", "A", "");
    assert_value("A='x # y' # rest\n", "A", "x # y");
}

static void quotes_keep_white_space_and_double_ones_know_escapes(void **state)
{
    (void)state;
    assert_value("A=' x '", "A", " x ");
    assert_value("A='a\\n\"b$'", "A", "a\\n\"b$");
    assert_value("A=\"a\\n\\t\\\"b\\\\ \\$x\"", "A", "a\n\t\"b\\ $x");
}

static void export_in_front_is_allowed(void **state)
{
    (void)state;
    assert_value("export A=1\n", "A", "1");
    assert_value("export\tA=1\n", "A", "1");
    assert_value("export=1\n", "export", "1");
    assert_value("exported=1\n", "exported", "1");
}

static void the_later_of_two_lines_counts_with_a_warning(void **state)
{
    (void)state;
    struct dotenv dotenv = {0};
    struct problems problems = {0};
    const char *text = "A=1\nB=2\nA=3\n";

    dotenv_parse(&dotenv, ".env", text, strlen(text), &problems);
    assert_string_equal(dotenv_get(&dotenv, "A"), "3");
    assert_null(dotenv_get(&dotenv, "C"));
    char *printed = fake_problems(&problems);
    assert_string_equal(printed,
                        ".env:3:1: warning: 'A' is set a second time (first in line 1); this "
                        "one counts\n");
    assert_false(problems_failed(&problems));
    free(printed);
    dotenv_fini(&dotenv);
    problems_fini(&problems);
}

static void every_wrong_line_is_told_with_its_place(void **state)
{
    (void)state;
    static const char TEXT[] = "A\n"
                               "=1\n"
                               "1A=1\n"
                               "B='x\n"
                               "C=\"\xc3\xa4\" y\n"
                               "D=\"\\q\"\n"
                               "E-F=1\n"
                               "G=ok\n"
                               "H=\xff\n";
    assert_problems(
        TEXT, strlen(TEXT),
        ".env:1:2: '=' is expected after the name 'A'; a line is NAME=value\n"
        ".env:2:1: a name is expected here; a line is NAME=value, and a name begins with a letter "
        "or "
        "'_' and holds letters, digits and '_'\n"
        ".env:3:1: a name is expected here; a line is NAME=value, and a name begins with a letter "
        "or "
        "'_' and holds letters, digits and '_'\n"
        ".env:4:3: the quote is not closed on this line; close it, and write \\n in double quotes "
        "for "
        "a line break\n"
        ".env:5:7: text behind the closing quote; put the quotes around the whole value\n"
        ".env:6:4: unknown escape in a double-quoted value; known are \\n \\r \\t \\\\ \\\" \\$, "
        "and "
        "single quotes take everything as it stands\n"
        ".env:7:2: '=' is expected after the name 'E'; a line is NAME=value\n"
        ".env:9:1: the line is not UTF-8 text; store the file as UTF-8\n");
}

static void a_zero_byte_is_no_text(void **state)
{
    (void)state;
    assert_problems("A=b\0c\n", 6,
                    ".env:1:1: the line is not UTF-8 text; store the file as UTF-8\n");
}

static void a_wrong_value_still_defines_its_name(void **state)
{
    (void)state;
    struct dotenv dotenv = {0};
    struct problems problems = {0};

    dotenv_parse(&dotenv, ".env", "A='x", 4, &problems);
    assert_string_equal(dotenv_get(&dotenv, "A"), "");
    assert_int_equal(problems.errors, 1);
    dotenv_fini(&dotenv);
    problems_fini(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bare_value_ends_with_its_line),
        cmocka_unit_test(a_hash_begins_a_comment_only_behind_white_space),
        cmocka_unit_test(quotes_keep_white_space_and_double_ones_know_escapes),
        cmocka_unit_test(export_in_front_is_allowed),
        cmocka_unit_test(the_later_of_two_lines_counts_with_a_warning),
        cmocka_unit_test(every_wrong_line_is_told_with_its_place),
        cmocka_unit_test(a_zero_byte_is_no_text),
        cmocka_unit_test(a_wrong_value_still_defines_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
