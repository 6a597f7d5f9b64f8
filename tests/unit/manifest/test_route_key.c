/* The left side of a route. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "manifest/route_key.h"

#include <string.h>

static void assert_route(const char *text, const char *method, const char *pattern)
{
    struct route_key key;
    struct err err;
    assert_true(route_key_parse(text, &key, &err));
    assert_string_equal(key.method, method);
    assert_string_equal(key.pattern, pattern);
}

static void assert_refused(const char *text)
{
    struct route_key key;
    struct err err = {0};
    assert_false(route_key_parse(text, &key, &err));
    assert_int_equal(err.code, ERR_INPUT);
}

static void a_method_and_a_path_are_taken_apart(void **state)
{
    (void)state;
    assert_route("GET /", "GET", "/");
    assert_route("DELETE  /users/:id", "DELETE", "/users/:id");
    assert_route("* /files/*", "*", "/files/*");
    assert_route("PROPFIND /dav/", "PROPFIND", "/dav/");
    assert_route("GET /a-b/c@d/\xc3\xa4", "GET", "/a-b/c@d/\xc3\xa4");
    assert_route("GET /:a/:b/:ab/*", "GET", "/:a/:b/:ab/*");
    assert_route("GET /...", "GET", "/...");
}

static void whatever_could_never_match_is_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",         " ",         "GET",        "GET ",      "/",          "GET users", "get /",
        "G T /",    " GET /",    "GET /a//b",  "GET //",    "GET /./a",   "GET /a/..", "GET /a?b",
        "GET /a#b", "GET /%41",  "GET /a b",   "GET /a\tb", "GET /a\\b",  "GET /*/a",  "GET /a*",
        "GET /:",   "GET /:1",   "GET /:a.b",  "GET /:a:b", "GET /:a/:a", "GET /a:b",  "CONNECT /a",
        "GET /:a*", "GET /\x7f", "GET /:\xc3", "GET\t/a",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(BAD); i++) {
        assert_refused(BAD[i]);
    }
}

static void names_that_share_a_beginning_are_different(void **state)
{
    (void)state;
    assert_route("GET /:id/:id2", "GET", "/:id/:id2");
    assert_route("GET /:id2/:id", "GET", "/:id2/:id");
    assert_route("GET /id/:id", "GET", "/id/:id");
}

static void sixteen_variable_segments_are_the_most(void **state)
{
    (void)state;
    assert_route("GET /:a/:b/:c/:d/:e/:f/:g/:h/:i/:j/:k/:l/:m/:n/:o/*", "GET",
                 "/:a/:b/:c/:d/:e/:f/:g/:h/:i/:j/:k/:l/:m/:n/:o/*");
    assert_refused("GET /:a/:b/:c/:d/:e/:f/:g/:h/:i/:j/:k/:l/:m/:n/:o/:p/*");
}

static void a_path_is_bounded_in_segments_and_bytes(void **state)
{
    (void)state;
    char text[1100] = "GET ";
    for (size_t i = 0; i < 32; i++) {
        memcpy(text + 4 + 2 * i, "/a", 3);
    }
    assert_route(text, "GET", text + 4);
    memcpy(text + 4 + 64, "/a", 3);
    assert_refused(text);

    memset(text, 'x', sizeof(text));
    memcpy(text, "GET /", 5);
    text[4 + 1024] = '\0';
    assert_route(text, "GET", text + 4);
    text[4 + 1024] = 'x';
    text[4 + 1025] = '\0';
    assert_refused(text);
}

static void a_method_that_is_nearly_a_usual_one_is_noticed(void **state)
{
    (void)state;
    assert_string_equal(route_key_suggest("GTE"), "GET");
    assert_string_equal(route_key_suggest("POTS"), "POST");
    assert_null(route_key_suggest("GET"));
    assert_null(route_key_suggest("*"));
    assert_null(route_key_suggest("PROPFIND"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_method_and_a_path_are_taken_apart),
        cmocka_unit_test(whatever_could_never_match_is_refused),
        cmocka_unit_test(names_that_share_a_beginning_are_different),
        cmocka_unit_test(sixteen_variable_segments_are_the_most),
        cmocka_unit_test(a_path_is_bounded_in_segments_and_bytes),
        cmocka_unit_test(a_method_that_is_nearly_a_usual_one_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
