#include "cmocka_all.h"

#include "base/err.h"

#include <errno.h>
#include <string.h>

static void a_failure_keeps_its_code_and_text(void **state)
{
    (void)state;
    struct err err = {.os = 99};
    assert_false(err_set(&err, ERR_LIMIT, "mailbox of %d messages is full", 10));
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(err.os, 0);
    assert_string_equal(err.text, "mailbox of 10 messages is full");
}

static void a_failed_system_call_says_its_errno_in_words(void **state)
{
    (void)state;
    struct err err;
    assert_false(err_set_os(&err, EACCES, "listen on %s", ":80"));
    assert_int_equal(err.code, ERR_OS);
    assert_int_equal(err.os, EACCES);
    assert_string_equal(err.text, "listen on :80: Permission denied");
}

static void context_goes_in_front_and_keeps_the_code(void **state)
{
    (void)state;
    struct err err;
    err_set_os(&err, ENOENT, "read a.wasm");
    assert_false(err_wrap(&err, "component '%s'", "a"));
    assert_int_equal(err.code, ERR_OS);
    assert_int_equal(err.os, ENOENT);
    assert_string_equal(err.text, "component 'a': read a.wasm: No such file or directory");
}

static void text_that_does_not_fit_is_cut_at_its_end(void **state)
{
    (void)state;
    char longer[3 * ERR_TEXT_BYTES];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    struct err err;
    err_set(&err, ERR_INPUT, "%s", longer);
    err_wrap(&err, "outer");
    assert_int_equal(strlen(err.text), ERR_TEXT_BYTES - 1);
    assert_memory_equal(err.text, "outer: xxx", 10);
    err_wrap(&err, "%s", longer);
    assert_int_equal(strlen(err.text), ERR_TEXT_BYTES - 1);
}

static void running_out_of_memory_has_its_own_code(void **state)
{
    (void)state;
    struct err err;
    assert_false(err_set_memory(&err));
    assert_int_equal(err.code, ERR_MEMORY);
    assert_string_equal(err.text, "out of memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_keeps_its_code_and_text),
        cmocka_unit_test(a_failed_system_call_says_its_errno_in_words),
        cmocka_unit_test(context_goes_in_front_and_keeps_the_code),
        cmocka_unit_test(text_that_does_not_fit_is_cut_at_its_end),
        cmocka_unit_test(running_out_of_memory_has_its_own_code),
    };
    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
