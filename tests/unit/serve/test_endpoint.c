#include "../base/cmocka_all.h"

#include "serve/endpoint.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

static void assert_resolves(const char *text, const char *expected)
{
    struct endpoint endpoint;
    struct err err = {0};
    if (!endpoint_resolve(text, &endpoint, &err)) {
        fail_msg("%s: %s", text, err.text);
    }
    char formatted[ENDPOINT_TEXT_BYTES];
    endpoint_format(&endpoint, false, formatted);
    assert_string_equal(formatted, expected);
}

static void text_becomes_an_address_and_text_again(void **state)
{
    (void)state;
    assert_resolves("127.0.0.1:80", "http://127.0.0.1:80");
    assert_resolves("0.0.0.0:0", "http://0.0.0.0:0");
    assert_resolves("[::1]:65535", "http://[::1]:65535");
    assert_resolves("[::]:8080", "http://[::]:8080");
    assert_resolves("unix:/run/mote.sock", "unix:/run/mote.sock");
    assert_resolves("unix:relative", "unix:relative");
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      ":",
                                      "80",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      "127.0.0.1:x",
                                      "127.0.0.1:65536",
                                      "127.0.0.1:-1",
                                      "[::1]",
                                      "::1:80",
                                      "[::1:80",
                                      "[127.0.0.1]:80",
                                      "a b:80",
                                      "http://127.0.0.1:80",
                                      "unix:"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct endpoint endpoint;
        struct err err = {0};
        assert_false(endpoint_resolve(bad[i], &endpoint, &err));
        assert_int_equal(err.code, ERR_INPUT);
    }
}

static void a_path_longer_than_the_kernel_takes_is_refused(void **state)
{
    (void)state;
    char text[5 + 109];
    memcpy(text, "unix:", 5);
    memset(text + 5, 'a', 108);
    text[5 + 108] = 0;
    struct endpoint endpoint;
    struct err err = {0};
    assert_false(endpoint_resolve(text, &endpoint, &err));
    text[5 + 107] = 0;
    assert_true(endpoint_resolve(text, &endpoint, &err));
}

static void sockets_of_one_endpoint_share_the_port_that_the_first_one_got(void **state)
{
    (void)state;
    struct endpoint endpoint;
    struct err err = {0};
    int sockets[3] = {-1, -1, -1};
    assert_true(endpoint_resolve("127.0.0.1:0", &endpoint, &err));
    assert_true(endpoint_listen(&endpoint, 3, 0, "here", sockets, &err));
    struct sockaddr_in first = {0};
    for (size_t i = 0; i < 3; i++) {
        struct sockaddr_in address = {0};
        socklen_t size = sizeof(address);
        assert_int_equal(getsockname(sockets[i], (struct sockaddr *)&address, &size), 0);
        first = i == 0 ? address : first;
        assert_int_equal(address.sin_port, first.sin_port);
    }
    assert_int_not_equal(first.sin_port, 0);

    struct endpoint again = endpoint;
    int more[1] = {-1};
    assert_false(endpoint_listen(&again, 1, 0, "there", more, &err));
    assert_string_equal(err.text, "listen on there: Address already in use");
    for (size_t i = 0; i < 3; i++) {
        close(sockets[i]);
    }
    assert_true(endpoint_listen(&again, 1, 0, "there", more, &err));
    close(more[0]);
}

static void a_client_is_named_as_logs_want_it(void **state)
{
    (void)state;
    char text[ENDPOINT_REMOTE_BYTES];
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(567)};
    v4.sin_addr.s_addr = htonl(0x01020304);
    endpoint_format_remote((struct sockaddr *)&v4, text);
    assert_string_equal(text, "1.2.3.4:567");
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(567)};
    v6.sin6_addr = in6addr_loopback;
    endpoint_format_remote((struct sockaddr *)&v6, text);
    assert_string_equal(text, "[::1]:567");
    struct sockaddr local = {.sa_family = AF_UNIX};
    endpoint_format_remote(&local, text);
    assert_string_equal(text, "unix");
}

static void the_kernel_says_whose_program_is_at_the_other_end(void **state)
{
    (void)state;
    int pair[2];
    uid_t me = geteuid();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_true(endpoint_peer_is(pair[0], me));
    /* Root may always; whoever runs the tests otherwise is a stranger to somebody else. */
    assert_int_equal(endpoint_peer_is(pair[0], me + 1), me == 0);
    close(pair[0]);
    close(pair[1]);
    assert_false(endpoint_peer_is(pair[0], me));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_an_address_and_text_again),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_path_longer_than_the_kernel_takes_is_refused),
        cmocka_unit_test(sockets_of_one_endpoint_share_the_port_that_the_first_one_got),
        cmocka_unit_test(a_client_is_named_as_logs_want_it),
        cmocka_unit_test(the_kernel_says_whose_program_is_at_the_other_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
