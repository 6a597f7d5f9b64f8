/* The forms of a listener's address. What is refused, and in which words, is in broken/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/address.h"

#include <stdio.h>
#include <string.h>

static struct address parsed(const char *text)
{
    struct address address;
    struct err err;
    bool good = address_parse(text, &address, &err);
    if (!good) {
        print_message("%s\n", err.text);
    }
    assert_true(good);
    return address;
}

static void assert_refused(const char *text)
{
    struct address address;
    struct err err = {0};
    assert_false(address_parse(text, &address, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_non_null(strstr(err.text, text[0] == '\0' ? "''" : text));
}

static void a_host_and_a_port_are_taken_apart(void **state)
{
    (void)state;
    struct address address = parsed("127.0.0.1:8080");
    assert_int_equal(address.kind, ADDRESS_TCP);
    assert_string_equal(address.host, "127.0.0.1");
    assert_int_equal(address.port, 8080);
    assert_string_equal(parsed("my-host.example.org:80").host, "my-host.example.org");
    assert_int_equal(parsed("localhost:0").port, 0);
    assert_int_equal(parsed("localhost:65535").port, 65535);
}

static void an_ipv6_address_loses_its_brackets(void **state)
{
    (void)state;
    struct address address = parsed("[::1]:443");
    assert_int_equal(address.kind, ADDRESS_TCP);
    assert_string_equal(address.host, "::1");
    assert_int_equal(address.port, 443);
    assert_string_equal(parsed("[fe80::1%eth0]:80").host, "fe80::1%eth0");
}

static void a_unix_socket_has_a_path(void **state)
{
    (void)state;
    struct address address = parsed("unix:/run/a:b.sock");
    assert_int_equal(address.kind, ADDRESS_UNIX);
    assert_string_equal(address.path, "/run/a:b.sock");
}

static void a_socket_that_is_handed_over_has_a_name(void **state)
{
    (void)state;
    struct address address = parsed("systemd:web.socket");
    assert_int_equal(address.kind, ADDRESS_HANDED);
    assert_string_equal(address.name, "web.socket");
    assert_refused("systemd:");
    assert_refused("systemd:a:b");
    assert_refused("systemd:a b");
}

static void everything_else_is_refused_with_the_text_quoted(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",       "unix:",  ":80",        "*:80",        "80",       "host",
        "host:",  "host:x", "host:-1",    "host:65536",  "[::1]",    "[::1]80",
        "[::1",   "[]:80",  "[hello]:80", "::1:80",      "1.2.3:80", "1.2.3.4.5:80",
        "a b:80", "a/b:80", "host:80 ",   "http://a:80", "/a/b",     "[::1]:",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(BAD); i++) {
        assert_refused(BAD[i]);
    }
}

static void a_host_name_of_any_length_is_refused_safely(void **state)
{
    (void)state;
    char text[2000];
    struct address address;
    struct err err;
    memset(text, 'a', sizeof(text));
    (void)snprintf(text + sizeof(text) - 4, 4, ":80");
    assert_false(address_parse(text, &address, &err));
    text[0] = '[';
    memcpy(text + sizeof(text) - 6, "]:80", 5);
    assert_false(address_parse(text, &address, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_and_a_port_are_taken_apart),
        cmocka_unit_test(an_ipv6_address_loses_its_brackets),
        cmocka_unit_test(a_unix_socket_has_a_path),
        cmocka_unit_test(a_socket_that_is_handed_over_has_a_name),
        cmocka_unit_test(everything_else_is_refused_with_the_text_quoted),
        cmocka_unit_test(a_host_name_of_any_length_is_refused_safely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
