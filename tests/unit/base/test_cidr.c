#include "cmocka_all.h"

#include "base/cidr.h"

#include <string.h>

static struct ip ip_of(const char *text)
{
    struct ip ip;
    if (!ip_parse(text, strlen(text), &ip)) {
        fail_msg("%s is an address", text);
    }
    return ip;
}

static bool holds(const char *block, const char *address)
{
    struct cidr cidr;
    struct err err = {0};
    if (!cidr_parse(block, &cidr, &err)) {
        fail_msg("%s", err.text);
    }
    struct ip ip = ip_of(address);
    return cidr_holds(&cidr, &ip);
}

static void a_block_holds_what_has_its_first_bits(void **state)
{
    (void)state;
    assert_true(holds("10.0.0.0/8", "10.255.1.2"));
    assert_false(holds("10.0.0.0/8", "11.0.0.0"));
    assert_true(holds("192.0.2.128/25", "192.0.2.255"));
    assert_false(holds("192.0.2.128/25", "192.0.2.127"));
    assert_true(holds("192.0.2.7", "192.0.2.7"));
    assert_false(holds("192.0.2.7", "192.0.2.6"));
    assert_true(holds("192.0.2.6/31", "192.0.2.7"));
    assert_true(holds("0.0.0.0/0", "203.0.113.1"));
    assert_true(holds("2001:db8::/32", "2001:db8:ffff::1"));
    assert_false(holds("2001:db8::/32", "2001:db9::"));
    assert_true(holds("::1", "::1"));
    assert_false(holds("::1", "::2"));
    assert_true(holds("::/0", "::1"));
}

static void the_two_families_are_apart(void **state)
{
    (void)state;
    assert_false(holds("0.0.0.0/0", "::1"));
    assert_false(holds("::/0", "10.0.0.1"));
}

static void an_address_of_ipv4_written_as_ipv6_is_what_it_is(void **state)
{
    (void)state;
    assert_true(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(holds("::ffff:192.0.2.7", "192.0.2.7"));
}

static void what_is_no_block_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",           "/8",          "10.0.0.0/",      "10.0.0.0/33", "10.0.0.0/-1",
        "10.0.0.1/8", "10.0.0.0/8 ", " 10.0.0.0/8",    "10.0.0/8",    "10.0.0.0/8/8",
        "::1/129",    "::1/127",     "2001:db8::1/32", "example.org", "010.0.0.0/8x"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct cidr cidr;
        struct err err = {0};
        if (cidr_parse(bad[i], &cidr, &err)) {
            fail_msg("%s", bad[i]);
        }
        assert_int_equal(err.code, ERR_INPUT);
    }
}

static void assert_endpoint(const char *text, const char *expected)
{
    struct ip ip;
    uint16_t port;
    char formatted[IP_TEXT_BYTES];
    if (!ip_parse_endpoint(text, strlen(text), &ip, &port)) {
        fail_msg("%s", text);
    }
    ip_format_endpoint(&ip, port, formatted);
    assert_string_equal(formatted, expected);
}

static void an_endpoint_is_an_address_with_or_without_a_port(void **state)
{
    (void)state;
    assert_endpoint("192.0.2.7", "192.0.2.7:0");
    assert_endpoint("192.0.2.7:65535", "192.0.2.7:65535");
    assert_endpoint("2001:DB8:0::1", "[2001:db8::1]:0");
    assert_endpoint("[2001:db8::1]", "[2001:db8::1]:0");
    assert_endpoint("[2001:db8::1]:80", "[2001:db8::1]:80");
    assert_endpoint("::ffff:192.0.2.7", "192.0.2.7:0");
}

static void what_is_no_endpoint_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "[",
                                      "[]",
                                      "[]:1",
                                      ":",
                                      ":80",
                                      "192.0.2.7:",
                                      "192.0.2.7:65536",
                                      "192.0.2.7:+1",
                                      "192.0.2.7:1:",
                                      "192.0.2",
                                      "[192.0.2.7]",
                                      "[::1",
                                      "[::1]80",
                                      "[::1]:",
                                      "[::1]: 80",
                                      "::1]:80",
                                      "fe80::1%eth0",
                                      "unknown",
                                      "1.2.3.4 ",
                                      "11111111111111111111111111111111111111111111111111111111"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct ip ip;
        uint16_t port;
        if (ip_parse_endpoint(bad[i], strlen(bad[i]), &ip, &port)) {
            fail_msg("%s", bad[i]);
        }
    }
    struct ip ip;
    assert_false(ip_parse("1.2.3.4\0", 8, &ip));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_holds_what_has_its_first_bits),
        cmocka_unit_test(the_two_families_are_apart),
        cmocka_unit_test(an_address_of_ipv4_written_as_ipv6_is_what_it_is),
        cmocka_unit_test(what_is_no_block_is_refused),
        cmocka_unit_test(an_endpoint_is_an_address_with_or_without_a_port),
        cmocka_unit_test(what_is_no_endpoint_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
