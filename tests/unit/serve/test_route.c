#include "../base/cmocka_all.h"

#include "requests.h"
#include "serve/route.h"

#include <stdio.h>

static struct route_table *table;

static int make_table(void **state)
{
    (void)state;
    table = route_table_create();
    return table == NULL;
}

static int drop_table(void **state)
{
    (void)state;
    route_table_destroy(table);
    table = NULL;
    return 0;
}

/* The target of a route is its own pattern. */
static void add(const char *method, const char *pattern)
{
    struct err err = {0};
    if (!route_table_add(table, method, pattern, (void *)(uintptr_t)pattern, &err)) {
        fail_msg("%s", err.text);
    }
}

static void assert_refused(const char *method, const char *pattern)
{
    struct err err = {0};
    assert_false(route_table_add(table, method, pattern, NULL, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_true(strlen(err.text) > 0);
}

static struct route_match match(struct parsing *parsing, const char *method, const char *target)
{
    char line[200];
    snprintf(line, sizeof(line), "%s %s HTTP/1.1\r\nHost: a\r\n\r\n", method, target);
    parsing_init(parsing);
    parsing_feed_text(parsing, line, 1000);
    assert_int_equal(parsing->ends, 1);
    return route_table_match(table, &parsing->request);
}

/* `expected`: a pattern, or NULL. */
static void assert_matches(const char *method, const char *target, const char *expected)
{
    struct parsing parsing;
    struct route_match found = match(&parsing, method, target);
    if (expected == NULL) {
        assert_null(found.target);
    } else {
        assert_non_null(found.target);
        assert_string_equal(found.target, expected);
    }
    parsing_fini(&parsing);
}

static void assert_param(const char *target, size_t index, const char *name, const char *value)
{
    struct parsing parsing;
    struct route_match found = match(&parsing, "GET", target);
    assert_non_null(found.target);
    assert_true(index < parsing.request.param_count);
    const struct param *param = &parsing.request.params[index];
    assert_true(text_equal(param->name, name));
    assert_int_equal(param->value.size, strlen(value));
    assert_memory_equal(param->value.data, value, param->value.size);
    parsing_fini(&parsing);
}

static void the_most_specific_route_wins_segment_by_segment(void **state)
{
    (void)state;
    add("GET", "/*");
    add("GET", "/:a/:b");
    add("GET", "/:a/fixed");
    add("GET", "/users/:id");
    add("GET", "/users/me");
    add("GET", "/users/*");
    assert_matches("GET", "/users/me", "/users/me");
    assert_matches("GET", "/users/7", "/users/:id");
    assert_matches("GET", "/users/7/8", "/users/*");
    assert_matches("GET", "/x/fixed", "/:a/fixed");
    assert_matches("GET", "/x/y", "/:a/:b");
    assert_matches("GET", "/x", "/*");
    /* A literal first segment beats a literal second one. */
    assert_matches("GET", "/users/fixed", "/users/:id");
}

static void a_dead_end_is_left_for_a_less_specific_route(void **state)
{
    (void)state;
    add("GET", "/a/b/c");
    add("GET", "/:x/b/d");
    add("GET", "/:x/:y/:z/e");
    assert_matches("GET", "/a/b/d", "/:x/b/d");
    assert_matches("GET", "/a/b/c/e", "/:x/:y/:z/e");
    assert_matches("GET", "/a/b/e", NULL);
}

static void the_order_of_adding_does_not_matter(void **state)
{
    (void)state;
    add("GET", "/users/me");
    add("GET", "/users/:id");
    add("GET", "/:any/me");
    add("GET", "/*");
    assert_matches("GET", "/users/me", "/users/me");
    assert_matches("GET", "/users/7", "/users/:id");
    assert_matches("GET", "/other/me", "/:any/me");
}

static void slashes_count(void **state)
{
    (void)state;
    add("GET", "/a");
    add("GET", "/b/");
    add("GET", "/c/:d");
    assert_matches("GET", "/a/", NULL);
    assert_matches("GET", "//a", NULL);
    assert_matches("GET", "/b", NULL);
    assert_matches("GET", "/b/", "/b/");
    assert_matches("GET", "/c/", NULL);
    assert_matches("GET", "/c//", NULL);
    assert_matches("GET", "/", NULL);
}

static void parameters_are_decoded_one_by_one(void **state)
{
    (void)state;
    add("GET", "/users/:id/posts/:post");
    add("GET", "/files/*");
    assert_param("/users/a%2Fb/posts/c%20d?x=y", 0, "id", "a/b");
    assert_param("/users/a%2Fb/posts/c%20d?x=y", 1, "post", "c d");
    assert_param("/users/%252e/posts/+", 0, "id", "%2e");
    assert_param("/users/%252e/posts/+", 1, "post", "+");
    assert_param("/files/a/b%20c", 0, "*", "a/b c");
    assert_param("/files/", 0, "*", "");
    assert_matches("GET", "/files", NULL);
}

static void a_literal_segment_may_be_escaped_by_the_client(void **state)
{
    (void)state;
    add("GET", "/caf\xc3\xa9/x");
    assert_matches("GET", "/c%61f%C3%a9/%78", "/caf\xc3\xa9/x");
    assert_matches("GET", "/caf%C3/x", NULL);
    assert_matches("GET", "/caf%C3%A9%2Fx", NULL);
}

static void methods_that_are_missing_are_told_with_those_that_are_there(void **state)
{
    (void)state;
    add("GET", "/a");
    add("PUT", "/a");
    add("PURGE", "/a");
    add("POST", "/:any");
    struct parsing parsing;
    struct route_match found = match(&parsing, "DELETE", "/a");
    assert_null(found.target);
    assert_true(found.path_exists);
    assert_string_equal(found.allow, "GET, HEAD, POST, PUT, PURGE, OPTIONS");
    parsing_fini(&parsing);
    found = match(&parsing, "GET", "/b");
    assert_true(found.path_exists);
    assert_string_equal(found.allow, "POST, OPTIONS");
    parsing_fini(&parsing);
    found = match(&parsing, "GET", "/b/c");
    assert_false(found.path_exists);
    parsing_fini(&parsing);
    /* A method that the most specific pattern lacks is looked for in the others. */
    assert_matches("POST", "/a", "/:any");
}

static void a_websocket_has_routes_of_its_own_beside_others(void **state)
{
    (void)state;
    static const struct text websocket = {ROUTE_WEBSOCKET, sizeof ROUTE_WEBSOCKET - 1};
    add("WS", "/chat/:room");
    add("WS", "/both");
    add("POST", "/both");
    struct parsing parsing;
    struct route_match found = match(&parsing, "GET", "/chat/a");
    assert_null(found.target);
    assert_string_equal(found.allow, "GET, OPTIONS");
    found = route_table_match_as(table, &parsing.request, websocket);
    assert_string_equal(found.target, "/chat/:room");
    assert_true(text_equal(parsing.request.params[0].value, "a"));
    parsing_fini(&parsing);
    found = match(&parsing, "GET", "/both");
    assert_null(found.target);
    assert_string_equal(found.allow, "POST, GET, OPTIONS");
    parsing_fini(&parsing);
}

static void head_is_served_by_get_unless_it_has_its_own_route(void **state)
{
    (void)state;
    add("GET", "/a");
    add("GET", "/b");
    add("HEAD", "/b");
    add("POST", "/c");
    assert_matches("HEAD", "/a", "/a");
    assert_matches("HEAD", "/c", NULL);
    struct parsing parsing;
    struct err err = {0};
    assert_true(route_table_add(table, "HEAD", "/d", (void *)(uintptr_t) "own", &err));
    assert_true(route_table_add(table, "GET", "/d", (void *)(uintptr_t) "get", &err));
    struct route_match found = match(&parsing, "HEAD", "/d");
    assert_string_equal(found.target, "own");
    parsing_fini(&parsing);
}

static void a_route_for_any_method_takes_what_no_other_does(void **state)
{
    (void)state;
    add("*", "/a");
    struct err err = {0};
    assert_true(route_table_add(table, "GET", "/a", (void *)(uintptr_t) "get", &err));
    assert_matches("BREW", "/a", "/a");
    assert_matches("POST", "/a", "/a");
    assert_matches("GET", "/a", "get");
}

static void nonsense_is_refused_with_a_reason(void **state)
{
    (void)state;
    add("GET", "/a/:b");
    assert_refused("GET", "");
    assert_refused("GET", "a");
    assert_refused("GET", "/a/:c"); /* There already, under another name. */
    assert_refused("GET", "/:");
    assert_refused("GET", "/:a b");
    assert_refused("GET", "/:a/:a");
    assert_refused("GET", "/*/b");
    assert_refused("GET", "/a*");
    assert_refused("GET", "/a?b");
    assert_refused("GET", "/a%20b");
    assert_refused("GET", "/../a");
    assert_refused("get", "/x");
    assert_refused("", "/x");
    assert_refused("G T", "/x");
    assert_refused("GET", "/:a/:b/:c/:d/:e/:f/:g/:h/:i/:j/:k/:l/:m/:n/:o/:p/:q");
    assert_refused("GET", "/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4");
}

static void a_target_without_a_path_matches_nothing(void **state)
{
    (void)state;
    add("*", "/*");
    assert_matches("OPTIONS", "*", NULL);
    assert_matches("OPTIONS", "/", "/*");
}

int main(void)
{
#define ROUTE_TEST(name) cmocka_unit_test_setup_teardown(name, make_table, drop_table)
    const struct CMUnitTest tests[] = {
        ROUTE_TEST(the_most_specific_route_wins_segment_by_segment),
        ROUTE_TEST(a_dead_end_is_left_for_a_less_specific_route),
        ROUTE_TEST(the_order_of_adding_does_not_matter),
        ROUTE_TEST(slashes_count),
        ROUTE_TEST(parameters_are_decoded_one_by_one),
        ROUTE_TEST(a_literal_segment_may_be_escaped_by_the_client),
        ROUTE_TEST(methods_that_are_missing_are_told_with_those_that_are_there),
        ROUTE_TEST(a_websocket_has_routes_of_its_own_beside_others),
        ROUTE_TEST(head_is_served_by_get_unless_it_has_its_own_route),
        ROUTE_TEST(a_route_for_any_method_takes_what_no_other_does),
        ROUTE_TEST(nonsense_is_refused_with_a_reason),
        ROUTE_TEST(a_target_without_a_path_matches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
