/* What a component's sockets may be used for, without a component: the engine asks the functions that are registered with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guest/guest_internal.h"
#include "guest/guest_network.h"
#include "guest/network.h"

#include <stdlib.h>
#include <string.h>

static const struct engine_network *network;

/* In place of the engine's, whose name both files have it by. */
void engine_set_network(const struct engine_network *functions)
{
    network = functions;
}

static bool may(const char *rule, enum engine_socket_use use, const char *address, uint16_t port)
{
    const char *rules[] = {rule, NULL};
    struct err err = {0};
    struct guest *guest = calloc(1, sizeof *guest);
    guest->network = network_policy_create(rules, &err);
    struct ip ip;
    assert_non_null(guest->network);
    assert_true(ip_parse(address, strlen(address), &ip));
    struct engine_socket_address asked = {.port = port, .is_v6 = ip.v6};
    memcpy(asked.bytes, ip.bytes, sizeof asked.bytes);
    bool allowed = network->allows(guest, use, &asked);
    network_policy_release(guest->network);
    free(guest);
    return allowed;
}

static void who_may_go_out_does_so(void **state)
{
    (void)state;
    assert_true(may("192.0.2.1:80", ENGINE_SOCKET_CONNECT, "192.0.2.1", 80));
    assert_true(may("192.0.2.1:80", ENGINE_SOCKET_DATAGRAM, "192.0.2.1", 80));
    assert_false(may("192.0.2.1:80", ENGINE_SOCKET_CONNECT, "192.0.2.1", 81));
    assert_false(may("192.0.2.1:80", ENGINE_SOCKET_DATAGRAM, "192.0.2.2", 80));
}

static void what_the_system_binds_to_in_front_of_a_connect_is_nothing(void **state)
{
    (void)state;
    assert_true(may("192.0.2.1", ENGINE_SOCKET_BIND, "0.0.0.0", 0));
    assert_true(may("192.0.2.1", ENGINE_SOCKET_BIND, "::", 0));
}

static void nobody_is_let_in_by_a_rule_for_going_out(void **state)
{
    (void)state;
    static const char *const rules[] = {"127.0.0.1", "localhost", "0.0.0.0/0", "127.0.0.1:8080"};
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
        assert_true(may(rules[i], ENGINE_SOCKET_CONNECT, "127.0.0.1", 8080));
        assert_false(may(rules[i], ENGINE_SOCKET_BIND, "127.0.0.1", 8080));
        assert_false(may(rules[i], ENGINE_SOCKET_BIND, "127.0.0.1", 0));
        assert_false(may(rules[i], ENGINE_SOCKET_BIND, "0.0.0.0", 8080));
        assert_false(may(rules[i], ENGINE_SOCKET_LISTEN, "127.0.0.1", 8080));
        assert_false(may(rules[i], ENGINE_SOCKET_LISTEN, "0.0.0.0", 0));
        assert_false(may(rules[i], ENGINE_SOCKET_ACCEPT, "127.0.0.1", 8080));
    }
    assert_true(may("::/0", ENGINE_SOCKET_CONNECT, "::1", 8080));
    assert_false(may("::/0", ENGINE_SOCKET_BIND, "::", 8080));
    assert_false(may("::/0", ENGINE_SOCKET_LISTEN, "::", 0));
    assert_false(may("::/0", ENGINE_SOCKET_ACCEPT, "::1", 8080));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_may_go_out_does_so),
        cmocka_unit_test(what_the_system_binds_to_in_front_of_a_connect_is_nothing),
        cmocka_unit_test(nobody_is_let_in_by_a_rule_for_going_out),
    };
    guest_network_start();
    return cmocka_run_group_tests_name("guest_network", tests, NULL, NULL);
}
