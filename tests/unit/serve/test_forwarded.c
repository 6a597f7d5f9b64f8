#include "../base/cmocka_all.h"

#include "serve/forwarded.h"

#include <stdio.h>
#include <string.h>

/* 10.0.0.0/8 and fd00::/8 are believed; the request came from 10.0.0.1. */
static const struct cidr BLOCKS[] = {
    {.ip = {.bytes = {10}}, .bits = 8},
    {.ip = {.v6 = true, .bytes = {0xfd}}, .bits = 8},
};
static const struct forwarders FORWARDERS = {BLOCKS, ARRAY_LENGTH(BLOCKS)};

#define FORWARDED "Forwarded",
#define CLIENT "X-Forwarded-For",
#define SCHEME "X-Forwarded-Proto",

/* Names and values in turn, up to NULL. What it comes to: "remote scheme", or NULL: refused. */
static const char *apply(const char *const *fields)
{
    static char result[80];
    struct header headers[8];
    struct request request = {.headers = headers, .remote = "10.0.0.1:99"};
    for (; fields[0] != NULL; fields += 2) {
        assert_true(request.header_count < ARRAY_LENGTH(headers));
        headers[request.header_count++] = (struct header){{fields[0], strlen(fields[0])},
                                                          {fields[1], strlen(fields[1])}};
    }
    if (forwarded_apply(&request, &FORWARDERS) != NULL) {
        return NULL;
    }
    (void)snprintf(result, sizeof(result), "%s %s", request.remote,
                   request.secure ? "https" : "http");
    return result;
}

#define ASSERT_COMES_TO(expected, ...)                                                             \
    do {                                                                                           \
        const char *got_ = apply((const char *const[]){__VA_ARGS__, NULL});                        \
        if (got_ == NULL) {                                                                        \
            fail_msg("refused: %s", #__VA_ARGS__);                                                 \
        }                                                                                          \
        assert_string_equal(got_, expected);                                                       \
    } while (0)

#define ASSERT_REFUSED(...)                                                                        \
    do {                                                                                           \
        const char *got_ = apply((const char *const[]){__VA_ARGS__, NULL});                        \
        if (got_ != NULL) {                                                                        \
            fail_msg("comes to %s: %s", got_, #__VA_ARGS__);                                       \
        }                                                                                          \
    } while (0)

static void without_headers_the_proxy_is_the_client(void **state)
{
    (void)state;
    ASSERT_COMES_TO("10.0.0.1:99 http", "Accept", "*/*");
    ASSERT_COMES_TO("10.0.0.1:99 http", CLIENT "", SCHEME "");
    ASSERT_COMES_TO("10.0.0.1:99 http", CLIENT " , ,", FORWARDED " , ;;");
}

static void the_last_address_that_is_no_proxy_is_the_client(void **state)
{
    (void)state;
    ASSERT_COMES_TO("192.0.2.7:0 http", CLIENT "192.0.2.7");
    ASSERT_COMES_TO("192.0.2.7:0 http", CLIENT "203.0.113.1, 192.0.2.7,10.0.0.9 , fd00::1");
    ASSERT_COMES_TO("192.0.2.7:0 http", CLIENT "203.0.113.1", CLIENT "192.0.2.7",
                    CLIENT "10.0.0.9");
    ASSERT_COMES_TO("[2001:db8::1]:0 http", "x-forwarded-for", "2001:db8::1");
    ASSERT_COMES_TO("[2001:db8::1]:44 http", CLIENT "[2001:db8::1]:44");
    ASSERT_COMES_TO("192.0.2.7:44 http", CLIENT "192.0.2.7:44");
    ASSERT_COMES_TO("192.0.2.7:0 http",
                    FORWARDED "for=203.0.113.1, for=192.0.2.7;by=x, for=10.0.0.9");
    ASSERT_COMES_TO("[2001:db8::1]:44 http", FORWARDED "For=\"[2001:db8::1]:44\"");
}

static void if_all_are_proxies_the_first_is_the_client(void **state)
{
    (void)state;
    ASSERT_COMES_TO("10.0.0.3:0 http", CLIENT "10.0.0.3, 10.0.0.2");
}

static void what_the_client_has_written_is_not_looked_at(void **state)
{
    (void)state;
    ASSERT_COMES_TO("192.0.2.7:0 http", CLIENT "rubbish, 10.0.0.1x, \", 192.0.2.7");
    ASSERT_COMES_TO("192.0.2.7:0 http", FORWARDED "for=rubbish;proto=x, for=192.0.2.7");
}

static void a_hidden_client_is_who_hides_it(void **state)
{
    (void)state;
    ASSERT_COMES_TO("10.0.0.1:99 http", FORWARDED "for=unknown");
    ASSERT_COMES_TO("10.0.0.9:0 https", FORWARDED "for=_secret;proto=https, for=10.0.0.9");
    ASSERT_COMES_TO("10.0.0.1:99 https", FORWARDED "proto=https");
}

static void the_scheme_is_what_the_first_proxy_saw(void **state)
{
    (void)state;
    ASSERT_COMES_TO("192.0.2.7:0 https", FORWARDED "for=192.0.2.7;proto=HTTPS;host=a.b");
    ASSERT_COMES_TO("192.0.2.7:0 https",
                    FORWARDED "for=192.0.2.7;proto=https, for=10.0.0.9;proto=http");
    ASSERT_COMES_TO("192.0.2.7:0 http",
                    FORWARDED "proto=https, for=192.0.2.7;proto=http, for=10.0.0.9;proto=https");
    ASSERT_COMES_TO("192.0.2.7:0 https", CLIENT "192.0.2.7", SCHEME "https");
    ASSERT_COMES_TO("192.0.2.7:0 https", CLIENT "192.0.2.7", SCHEME "wss");
    ASSERT_COMES_TO("192.0.2.7:0 https", CLIENT "192.0.2.7, 10.0.0.9", SCHEME "https, http");
    ASSERT_COMES_TO("192.0.2.7:0 http", CLIENT "192.0.2.7, 10.0.0.9", SCHEME "https, http, http");
    ASSERT_COMES_TO("192.0.2.7:0 https", CLIENT "192.0.2.7, 10.0.0.9", SCHEME "https");
    ASSERT_COMES_TO("10.0.0.1:99 https", SCHEME "https");
}

static void malformed_headers_are_refused(void **state)
{
    (void)state;
    ASSERT_REFUSED(CLIENT "rubbish");
    ASSERT_REFUSED(CLIENT "192.0.2.7, rubbish");
    ASSERT_REFUSED(CLIENT "192.0.2.7, 10.0.0.9 10.0.0.8");
    ASSERT_REFUSED(CLIENT "192.0.2.7:99999");
    ASSERT_REFUSED(SCHEME "ftp");
    ASSERT_REFUSED(FORWARDED "for=192.0.2.7;proto=ftp");
    ASSERT_REFUSED(FORWARDED "for=\"x, for=192.0.2.7");
    ASSERT_REFUSED(FORWARDED "for=\"192.0.2.7\\");
    ASSERT_REFUSED(FORWARDED "for=192.0.2.7;for=192.0.2.8");
    ASSERT_REFUSED(FORWARDED "for=\"\";for=192.0.2.8");
    ASSERT_REFUSED(FORWARDED "for = 192.0.2.7");
    ASSERT_REFUSED(FORWARDED "for");
    ASSERT_REFUSED(FORWARDED "for=");
    ASSERT_REFUSED(FORWARDED "=192.0.2.7");
    ASSERT_REFUSED(FORWARDED "for=192.0.2.7 proto=https");
    ASSERT_REFUSED(FORWARDED "for=192.0.2.7:80");
}

static void headers_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    ASSERT_REFUSED(FORWARDED "for=203.0.113.1", CLIENT "192.0.2.7");
    ASSERT_REFUSED(FORWARDED "for=unknown", CLIENT "192.0.2.7");
    ASSERT_COMES_TO("192.0.2.7:5 https", FORWARDED "for=\"192.0.2.7:5\";proto=https",
                    CLIENT "192.0.2.7", SCHEME "http");
}

static void of_very_many_hops_the_last_count(void **state)
{
    (void)state;
    char list[4096] = "203.0.113.1";
    for (int i = 0; i < 200; i++) {
        size_t size = strlen(list);
        (void)snprintf(list + size, sizeof(list) - size, ",10.0.0.%d", i);
    }
    ASSERT_COMES_TO("10.0.0.168:0 http", CLIENT list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_headers_the_proxy_is_the_client),
        cmocka_unit_test(the_last_address_that_is_no_proxy_is_the_client),
        cmocka_unit_test(if_all_are_proxies_the_first_is_the_client),
        cmocka_unit_test(what_the_client_has_written_is_not_looked_at),
        cmocka_unit_test(a_hidden_client_is_who_hides_it),
        cmocka_unit_test(the_scheme_is_what_the_first_proxy_saw),
        cmocka_unit_test(malformed_headers_are_refused),
        cmocka_unit_test(headers_that_contradict_each_other_are_refused),
        cmocka_unit_test(of_very_many_hops_the_last_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
