#include "../base/cmocka_all.h"

#include "requests.h"
#include "serve/conditional.h"
#include "serve/http_date.h"
#include "serve/mime.h"

#include <stdio.h>

static struct text text_of(const char *text)
{
    return (struct text){text, strlen(text)};
}

/* Modified at 784,111,777: Sun, 06 Nov 1994 08:49:37 GMT. */
#define THEN "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define LATER "Sun, 06 Nov 1994 08:49:38 GMT"

static const struct validators STATE = {
    .etag = "\"a,b\"", .modified_s = 784111777, .now_s = 1000000000};

static void with_headers(struct parsing *parsing, const char *headers)
{
    char head[600];
    parsing_init(parsing);
    (void)snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", headers);
    parsing_feed_text(parsing, head, strlen(head));
    assert_int_equal(parsing->heads, 1);
}

static void conditions_are_looked_at_in_their_order(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        enum condition expected;
    } cases[] = {
        {"", CONDITION_HOLDS},
        {"If-Match: \"a,b\"\r\n", CONDITION_HOLDS},
        {"If-Match: *\r\n", CONDITION_HOLDS},
        {"If-Match: \"x\", \"a,b\"\r\n", CONDITION_HOLDS},
        {"If-Match: \"x\"\r\nIf-Match: \"a,b\"\r\n", CONDITION_HOLDS},
        {"If-Match: W/\"a,b\"\r\n", CONDITION_FAILED},
        {"If-Match: \"a\", b\"\r\n", CONDITION_FAILED},
        {"If-Match: \r\n", CONDITION_FAILED},
        {"If-Match: \"a,b\"\r\nIf-Unmodified-Since: " BEFORE "\r\n", CONDITION_HOLDS},
        {"If-Unmodified-Since: " THEN "\r\n", CONDITION_HOLDS},
        {"If-Unmodified-Since: " BEFORE "\r\n", CONDITION_FAILED},
        {"If-Unmodified-Since: 1994\r\n", CONDITION_HOLDS},
        {"If-None-Match: \"a,b\"\r\n", CONDITION_NOT_MODIFIED},
        {"If-None-Match: W/\"a,b\"\r\n", CONDITION_NOT_MODIFIED},
        {"If-None-Match: *\r\n", CONDITION_NOT_MODIFIED},
        {"If-None-Match: \"x\",W/\"y\" ,\"a,b\"\r\n", CONDITION_NOT_MODIFIED},
        {"If-None-Match: \"x\"\r\n", CONDITION_HOLDS},
        {"If-None-Match: \"x\"\r\nIf-Modified-Since: " LATER "\r\n", CONDITION_HOLDS},
        {"If-Modified-Since: " THEN "\r\n", CONDITION_NOT_MODIFIED},
        {"If-Modified-Since: " LATER "\r\n", CONDITION_NOT_MODIFIED},
        {"If-Modified-Since: " BEFORE "\r\n", CONDITION_HOLDS},
        {"If-Modified-Since: now\r\n", CONDITION_HOLDS},
        {"If-Match: \"x\"\r\nIf-None-Match: \"a,b\"\r\n", CONDITION_FAILED},
        {"If-Unmodified-Since: " BEFORE "\r\nIf-None-Match: \"a,b\"\r\n", CONDITION_FAILED},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct parsing parsing;
        with_headers(&parsing, cases[i].headers);
        if (conditional_check(&parsing.request, &STATE) != cases[i].expected) {
            fail_msg("%s", cases[i].headers);
        }
        parsing_fini(&parsing);
    }
}

static void a_range_counts_for_this_very_state_only(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        bool expected;
    } cases[] = {
        {"", true},
        {"If-Range: \"a,b\"\r\n", true},
        {"If-Range: W/\"a,b\"\r\n", false},
        {"If-Range: \"a,b\", \"c\"\r\n", false},
        {"If-Range: \"c\"\r\n", false},
        {"If-Range: " THEN "\r\n", true},
        {"If-Range: " LATER "\r\n", false},
        {"If-Range: *\r\n", false},
        {"If-Range: \r\n", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct parsing parsing;
        with_headers(&parsing, cases[i].headers);
        if (conditional_range_counts(&parsing.request, &STATE) != cases[i].expected) {
            fail_msg("%s", cases[i].headers);
        }
        parsing_fini(&parsing);
    }
    /* Within the second after, a date does not tell one state from another. */
    struct validators fresh = STATE;
    fresh.now_s = fresh.modified_s + 1;
    struct parsing parsing;
    with_headers(&parsing, "If-Range: " THEN "\r\n");
    assert_false(conditional_range_counts(&parsing.request, &fresh));
    parsing_fini(&parsing);
}

static void dates_are_read_in_three_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t expected;
    } cases[] = {
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {THEN, 784111777},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Wed Nov 16 08:49:37 1994", 784975777},
        {"Tue, 29 Feb 2000 23:59:60 GMT", 951868799},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
        {"Monday, 06-Nov-50 00:00:00 GMT", 2551305600},
        {"Sunday, 06-Nov-80 00:00:00 GMT", 342316800},
        {"Mon, 29 Feb 1900 00:00:00 GMT", -1},
        {"Thu, 29 Feb 2001 00:00:00 GMT", -1},
        {"Sun, 31 Apr 2001 00:00:00 GMT", -1},
        {"Sun, 00 Apr 2001 00:00:00 GMT", -1},
        {"Sun, 06 Nov 1994 24:00:00 GMT", -1},
        {"Sun, 06 Nov 1994 08:60:00 GMT", -1},
        {"Sun, 06 Nov 1994 08:49:61 GMT", -1},
        {"Sun, 06 Nov 1994 08:49:37 UTC", -1},
        {"Sun, 06 Nov 1994 08:49:37 GMT ", -1},
        {"Sun, 6 Nov 1994 08:49:37 GMT", -1},
        {"sun, 06 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nov 1969 08:49:37 GMT", -1},
        {"Sun, 06 Nov", -1},
        {"", -1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int64_t seconds = http_date_parse(text_of(cases[i].text), 1000000000);
        if (seconds != cases[i].expected) {
            fail_msg("%s: %lld", cases[i].text, (long long)seconds);
        }
    }
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    char text[HTTP_DATE_BYTES + 1];
    for (int64_t seconds = 0; seconds < 253402300800; seconds += 86400 * 13 + 3671) {
        http_date_format(seconds, text);
        assert_int_equal(strlen(text), HTTP_DATE_BYTES);
        assert_int_equal(http_date_parse(text_of(text), 0), seconds);
    }
    http_date_format(784111777, text);
    assert_string_equal(text, THEN);
    http_date_format(-1, text);
    assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT");
    http_date_format(INT64_MAX, text);
    assert_string_equal(text, "Fri, 31 Dec 9999 23:59:59 GMT");
}

static void a_name_tells_the_type(void **state)
{
    (void)state;
    assert_string_equal(mime_type(text_of("a/b.html")), "text/html; charset=utf-8");
    assert_string_equal(mime_type(text_of("A.PNG")), "image/png");
    assert_string_equal(mime_type(text_of("a.min.js")), "text/javascript; charset=utf-8");
    assert_string_equal(mime_type(text_of("a.wasm")), "application/wasm");
    assert_string_equal(mime_type(text_of("archive.tar.gz")), "application/gzip");
    assert_string_equal(mime_type(text_of("Makefile")), "application/octet-stream");
    assert_string_equal(mime_type(text_of("a.")), "application/octet-stream");
    assert_string_equal(mime_type(text_of("a.htmlx")), "application/octet-stream");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_are_looked_at_in_their_order),
        cmocka_unit_test(a_range_counts_for_this_very_state_only),
        cmocka_unit_test(dates_are_read_in_three_forms),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(a_name_tells_the_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
