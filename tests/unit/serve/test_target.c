#include "../base/cmocka_all.h"

#include "serve/percent.h"
#include "serve/target.h"

#include <string.h>

static struct text text_of(const char *text)
{
    return (struct text){text, strlen(text)};
}

static void assert_text(struct text text, const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data, expected, text.size);
}

static void path_and_query_are_split_at_the_first_question_mark(void **state)
{
    (void)state;
    struct target target;
    assert_true(target_split(text_of("/a/b?c=d?e"), false, &target));
    assert_text(target.path, "/a/b");
    assert_text(target.query, "c=d?e");
    assert_int_equal(target.authority.size, 0);
    assert_true(target_split(text_of("/a"), false, &target));
    assert_null(target.query.data);
    assert_true(target_split(text_of("/a?"), false, &target));
    assert_non_null(target.query.data);
    assert_int_equal(target.query.size, 0);
}

static void the_absolute_form_is_reduced_to_its_path(void **state)
{
    (void)state;
    struct target target;
    assert_true(target_split(text_of("HTTP://a.b:80/c?d"), false, &target));
    assert_text(target.authority, "a.b:80");
    assert_text(target.origin, "/c?d");
    assert_text(target.path, "/c");
    assert_true(target_split(text_of("https://a.b"), false, &target));
    assert_text(target.origin, "/");
    assert_true(target_split(text_of("http://a.b"), true, &target));
    assert_text(target.origin, "*");
}

static void other_forms_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",      "a",         "a:80",    "*",        "ftp://a/",    "/a b",        "/a#b",
        "/\x7f", "/\xc3\xa9", "http://", "http:///", "http://u@a/", "http://a:b/", "http://a?b"};
    struct target target;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_false(target_split(text_of(bad[i]), false, &target));
    }
    assert_true(target_split(text_of("*"), true, &target));
}

static void a_path_is_decoded_once_and_stays_below_its_root(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *decoded; /* NULL: refused */
    } cases[] = {
        {"/", "/"},          {"/a%20b", "/a b"},    {"/%2541", "/%41"},
        {"/a+b", "/a+b"},    {"//a//", "//a//"},    {"/.", "/."},
        {"/...", "/..."},    {"/a..b", "/a..b"},    {"/%e2%82%ac", "/\xe2\x82\xac"},
        {"/..", NULL},       {"/../a", NULL},       {"/a/..", NULL},
        {"/%2e%2e/a", NULL}, {"/a%2f..%2fb", NULL}, {"/%00", NULL},
        {"/%", NULL},        {"/%4", NULL},         {"/%4g", NULL},
        {"/%%41", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char decoded[100];
        int64_t size = target_decode_path(text_of(cases[i].path), decoded);
        if (cases[i].decoded == NULL) {
            assert_int_equal(size, -1);
        } else {
            assert_int_equal(size, strlen(cases[i].decoded));
            assert_memory_equal(decoded, cases[i].decoded, (size_t)size);
        }
    }
}

static void an_authority_is_a_host_and_perhaps_a_port(void **state)
{
    (void)state;
    static const char *const good[] = {
        "a", "a.b-c_d", "1.2.3.4:5", "a:", "[::1]", "[::1]:65535", "%41", "[::ffff:1.2.3.4]"};
    static const char *const bad[] = {"",      ":80",      "a b",     "a/b",    "a@b",
                                      "a:b",   "a:123456", "[::1",    "[]",     "[:]",
                                      "[g::]", "[::1]x",   "[::1]:x", "a,\x7f", "\xc3\xa9"};
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        assert_true(authority_is_valid(text_of(good[i])));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_false(authority_is_valid(text_of(bad[i])));
    }
    assert_false(authority_is_valid((struct text){"a\0b", 3}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_and_query_are_split_at_the_first_question_mark),
        cmocka_unit_test(the_absolute_form_is_reduced_to_its_path),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(a_path_is_decoded_once_and_stays_below_its_root),
        cmocka_unit_test(an_authority_is_a_host_and_perhaps_a_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
