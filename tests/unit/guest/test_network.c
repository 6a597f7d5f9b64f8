/* With whom a guest may speak: rules, addresses in all their forms, and what no rule opens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guest/machine.h"
#include "guest/network.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct ip ip_of(const char *text)
{
    struct ip ip;
    if (!ip_parse(text, strlen(text), &ip)) {
        fail_msg("'%s' is no address", text);
    }
    return ip;
}

/* As a socket has it: ip_parse() would already take an IPv4 address out of an IPv6 one. */
static struct ip raw_v6(const char *text)
{
    struct ip ip = {.v6 = true};
    assert_int_equal(inet_pton(AF_INET6, text, ip.bytes), 1);
    return ip;
}

/* Wherever the tests run. */
static bool elsewhere(const struct ip *ip)
{
    (void)ip;
    return false;
}

static struct network_policy *policy_of(const char *first, const char *second)
{
    const char *rules[] = {first, second, NULL};
    struct err err = {0};
    struct network_policy *policy = network_policy_create(rules, &err);
    if (policy == NULL) {
        fail_msg("%s", err.text);
    }
    return policy;
}

static bool allows(const char *rule, const char *address, uint16_t port, const char *host)
{
    struct network_policy *policy = policy_of(rule, NULL);
    struct ip ip = ip_of(address);
    bool allowed = network_policy_allows(policy, &ip, port, host);
    network_policy_release(policy);
    return allowed;
}

static const char *const PUBLIC[] = {"1.1.1.1",         "8.8.8.8",         "93.184.216.34",
                                     "100.63.255.255",  "100.128.0.0",     "172.15.255.255",
                                     "172.32.0.0",      "192.167.255.255", "198.17.0.1",
                                     "223.255.255.255", "168.63.129.15",   "168.63.129.17",
                                     "2606:4700::1111", "2a00::1",         "2001:4860:4860::8888",
                                     "2001:200::1",     "64:ff9b::808:808"};
static const char *const SPECIAL[] = {"0.0.0.0",
                                      "0.1.2.3",
                                      "10.0.0.1",
                                      "10.255.255.255",
                                      "100.64.0.1",
                                      "100.127.255.255",
                                      "127.0.0.1",
                                      "127.255.255.255",
                                      "168.63.129.16",
                                      "::ffff:168.63.129.16",
                                      "64:ff9b::a83f:8110",
                                      "169.254.169.254",
                                      "192.0.0.1",
                                      "192.0.0.192",
                                      "192.0.0.255",
                                      "254.255.255.255",
                                      "2001:0:4136:e378:8000:63bf:3fff:fdd2",
                                      "2001:db8:ffff::1",
                                      "2002:7f00:1::1",
                                      "2002:a00:1::1",
                                      "2002:a83f:8110::1",
                                      "fd00::1",
                                      "fd00:ec2::254",
                                      "feff::1",
                                      "172.16.0.1",
                                      "172.31.255.255",
                                      "192.0.0.8",
                                      "192.0.2.1",
                                      "192.88.99.1",
                                      "192.168.0.1",
                                      "198.18.0.1",
                                      "198.19.255.255",
                                      "198.51.100.1",
                                      "203.0.113.9",
                                      "224.0.0.1",
                                      "239.255.255.255",
                                      "240.0.0.1",
                                      "255.255.255.255",
                                      "::",
                                      "::1",
                                      "::ffff:10.0.0.1",
                                      "::127.0.0.1",
                                      "64:ff9b::7f00:1",
                                      "64:ff9b::a00:1",
                                      "64:ff9b:1::808:808",
                                      "100::1",
                                      "2001::1",
                                      "2001:db8::1",
                                      "2002:808:808::1",
                                      "3fff::1",
                                      "5f00::1",
                                      "fc00::1",
                                      "fdff::1",
                                      "fe80::1",
                                      "fec0::1",
                                      "ff02::1",
                                      "4000::1"};

static void only_what_anybody_can_reach_is_public(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(PUBLIC); i++) {
        struct ip ip = ip_of(PUBLIC[i]);
        if (!network_is_public(&ip)) {
            fail_msg("%s is public", PUBLIC[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(SPECIAL); i++) {
        struct ip ip = ip_of(SPECIAL[i]);
        if (network_is_public(&ip)) {
            fail_msg("%s is not public", SPECIAL[i]);
        }
    }
}

static void an_ipv4_address_inside_an_ipv6_one_is_what_it_is(void **state)
{
    (void)state;
    static const char *const loopback[] = {"::ffff:127.0.0.1", "64:ff9b::127.0.0.1"};
    struct network_policy *everybody = policy_of("*", "::/0");
    struct network_policy *machine = policy_of("127.0.0.1", NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(loopback); i++) {
        struct ip ip = raw_v6(loopback[i]);
        assert_false(network_is_public(&ip));
        assert_false(network_policy_allows(everybody, &ip, 80, NULL));
        assert_true(network_policy_allows(machine, &ip, 80, NULL));
    }
    network_policy_release(everybody);
    network_policy_release(machine);
}

static void nothing_is_allowed_without_a_rule(void **state)
{
    (void)state;
    struct ip ip = ip_of("1.1.1.1");
    struct err err = {0};
    static const char *const none[] = {NULL};
    struct network_policy *policy = network_policy_create(none, &err);
    assert_true(network_policy_is_empty(policy));
    assert_true(network_policy_is_empty(NULL));
    assert_false(network_policy_allows(policy, &ip, 80, "example.com"));
    assert_false(network_policy_allows(NULL, &ip, 80, "example.com"));
    assert_false(network_policy_may_resolve(policy, "example.com"));
    network_policy_release(policy);
    network_policy_release(NULL);
}

static void a_name_is_good_for_public_addresses_only(void **state)
{
    (void)state;
    assert_true(allows("example.com", "1.1.1.1", 80, "example.com"));
    assert_true(allows("Example.COM", "1.1.1.1", 80, "eXample.com."));
    assert_false(allows("example.com", "10.0.0.1", 80, "example.com"));
    assert_false(allows("example.com", "127.0.0.1", 80, "example.com"));
    assert_false(allows("example.com", "::1", 80, "example.com"));
    assert_false(allows("example.com", "1.1.1.1", 80, "www.example.com"));
    assert_false(allows("example.com", "1.1.1.1", 80, "badexample.com"));
    assert_false(allows("example.com", "1.1.1.1", 80, NULL));
    assert_false(allows("example.com", "1.1.1.1", 80, ""));
    assert_true(allows("*.example.com", "1.1.1.1", 80, "a.b.example.com"));
    assert_false(allows("*.example.com", "1.1.1.1", 80, "example.com"));
    assert_false(allows("*.example.com", "1.1.1.1", 80, ".example.com"));
    assert_false(allows("*.example.com", "1.1.1.1", 80, "badexample.com"));
    assert_false(allows("*.example.com", "192.168.0.1", 80, "a.example.com"));
}

static void a_block_is_good_for_its_addresses_by_any_name(void **state)
{
    (void)state;
    assert_true(allows("10.0.0.0/8", "10.9.8.7", 5432, NULL));
    assert_true(allows("10.0.0.0/8", "10.9.8.7", 5432, "db.example"));
    assert_false(allows("10.0.0.0/8", "11.0.0.1", 5432, NULL));
    assert_true(allows("[fd00::/8]:5432", "fd01::1", 5432, NULL));
    assert_false(allows("[fd00::/8]:5432", "fd01::1", 5433, NULL));
    assert_true(allows("fd00::/8", "fd01::1", 1, NULL));
    assert_true(allows("[::1]", "::1", 1, NULL));
    assert_true(allows("0.0.0.0/0", "127.0.0.1", 1, NULL));
    assert_true(allows("localhost", "127.3.2.1", 1, "anything"));
    assert_true(allows("localhost:5", "::1", 5, NULL));
    assert_false(allows("localhost", "1.1.1.1", 80, "localhost"));
}

static void a_port_holds_any_rule_to_it(void **state)
{
    (void)state;
    assert_true(allows("*:443", "1.1.1.1", 443, NULL));
    assert_false(allows("*:443", "1.1.1.1", 80, NULL));
    assert_true(allows("example.com:8080", "1.1.1.1", 8080, "example.com"));
    assert_false(allows("example.com:8080", "1.1.1.1", 80, "example.com"));
    assert_false(allows("10.0.0.1:5432", "10.0.0.1", 80, NULL));
}

static void nobodys_addresses_are_never_reached(void **state)
{
    (void)state;
    static const char *const nobody[] = {"0.0.0.0",         "0.9.9.9", "224.0.0.1",
                                         "255.255.255.255", "::",      "ff02::1"};
    struct network_policy *policy = policy_of("0.0.0.0/0", "::/0");
    for (size_t i = 0; i < ARRAY_LENGTH(nobody); i++) {
        struct ip ip = ip_of(nobody[i]);
        assert_false(network_policy_allows(policy, &ip, 80, NULL));
    }
    network_policy_release(policy);
}

static void a_port_of_this_nodes_own_is_never_reached_on_this_machine(void **state)
{
    (void)state;
    enum { PORT = 54321 };
    struct network_policy *policy = policy_of("0.0.0.0/0", "::/0");
    struct ip loopback = ip_of("127.0.0.1"), other = ip_of("127.8.8.8"), six = ip_of("::1");
    struct ip elsewhere = ip_of("192.0.2.1");
    char advice[NETWORK_ADVICE_BYTES];
    network_own(PORT);
    network_own(PORT);
    network_disown(PORT);
    assert_false(network_policy_allows(policy, &loopback, PORT, NULL));
    assert_false(network_policy_allows(policy, &other, PORT, "localhost"));
    assert_false(network_policy_allows(policy, &six, PORT, NULL));
    assert_true(network_policy_allows(policy, &elsewhere, PORT, NULL));
    assert_true(network_policy_allows(policy, &loopback, PORT + 1, NULL));
    network_policy_advise(&loopback, PORT, NULL, advice);
    assert_non_null(strstr(advice, "a listener of this node"));
    network_disown(PORT);
    assert_true(network_policy_allows(policy, &loopback, PORT, NULL));
    network_policy_release(policy);
}

static unsigned asked;
static bool serves_at_home;

/* 1.1.1.1 and 2a00::1, if anything. */
static bool machine(const struct ip *ip)
{
    struct ip one = ip_of("1.1.1.1"), two = ip_of("2a00::1");
    asked++;
    return serves_at_home &&
           memcmp(ip->bytes, ip->v6 ? two.bytes : one.bytes, sizeof ip->bytes) == 0;
}

static void this_machines_own_addresses_need_a_rule_of_their_own(void **state)
{
    (void)state;
    serves_at_home = true;
    machine_set(machine);
    assert_false(allows("*", "1.1.1.1", 80, NULL));
    assert_false(allows("*", "2a00::1", 80, NULL));
    assert_false(allows("*", "64:ff9b::101:101", 80, NULL));
    assert_false(allows("example.com", "1.1.1.1", 80, "example.com"));
    assert_false(allows("*.example.com", "1.1.1.1", 80, "www.example.com"));
    assert_true(allows("*", "1.1.1.2", 80, NULL));
    assert_true(allows("example.com", "1.1.1.2", 80, "example.com"));
    assert_true(allows("1.1.1.1", "1.1.1.1", 80, "example.com"));
    assert_true(allows("1.1.1.0/24", "1.1.1.1", 80, NULL));
    assert_true(allows("[2a00::/16]:80", "2a00::1", 80, NULL));
    char advice[NETWORK_ADVICE_BYTES];
    struct ip own = ip_of("1.1.1.1");
    network_policy_advise(&own, 80, "example.com", advice);
    assert_string_equal(advice, "allow-network = [\"1.1.1.1:80\"]");
    machine_set(elsewhere);
}

static void the_machine_is_not_asked_for_every_datagram(void **state)
{
    (void)state;
    enum { DATAGRAMS = 1000 };
    asked = 0;
    serves_at_home = false;
    machine_set(machine);
    struct network_policy *policy = policy_of("*", NULL);
    struct ip ip = ip_of("1.1.1.1");
    for (unsigned i = 0; i < DATAGRAMS; i++) {
        assert_true(network_policy_allows(policy, &ip, 53, NULL));
    }
    assert_in_range(asked, 2, DATAGRAMS / 10);
    serves_at_home = true; /* as one that has taken over another's address */
    unsigned sent = 0;
    while (sent < DATAGRAMS && network_policy_allows(policy, &ip, 53, NULL)) {
        sent++;
    }
    assert_in_range(sent, 0, DATAGRAMS / 10);
    network_policy_release(policy);
    machine_set(elsewhere);
}

static void what_the_system_says_of_its_addresses_is_believed(void **state)
{
    (void)state;
    machine_set(NULL);
    assert_false(allows("*", "127.0.0.1", 80, NULL));
    assert_true(allows("*", "1.1.1.1", 80, NULL)); /* nobody's but its owner's */
    machine_set(elsewhere);
}

static void what_is_no_rule_is_refused_with_words(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "https://example.com",
                                      "example.com:",
                                      "example.com:0",
                                      "example.com:65536",
                                      "1.2.3",
                                      "127.1",
                                      "0x7f000001",
                                      "10.0.0.1/8",
                                      "10.0.0.0/33",
                                      "[10.0.0.1]",
                                      "[::1",
                                      "[::1]x",
                                      "[::1]:",
                                      "*.",
                                      "*.*.com",
                                      "a b",
                                      "ex\xc3\xa4mple.com",
                                      "a..b",
                                      ".a",
                                      "*a.com",
                                      "user@example.com",
                                      "example.com/path",
                                      "fe80::1%lo",
                                      "*:0"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct network_rule rule;
        struct err err = {0};
        if (network_rule_parse(bad[i], &rule, &err)) {
            fail_msg("'%s' is no rule", bad[i]);
        }
        assert_int_equal(err.code, ERR_INPUT);
        assert_true(err.text[0] != '\0');
    }
    char name[400];
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    struct network_rule rule;
    struct err err = {0};
    assert_false(network_rule_parse(name, &rule, &err));
}

static void there_are_only_so_many_rules(void **state)
{
    (void)state;
    const char *rules[NETWORK_RULES_MAX + 2];
    for (size_t i = 0; i < NETWORK_RULES_MAX + 1; i++) {
        rules[i] = "*";
    }
    rules[NETWORK_RULES_MAX + 1] = NULL;
    struct err err = {0};
    assert_null(network_policy_create(rules, &err));
    assert_int_equal(err.code, ERR_LIMIT);
}

static void names_are_looked_up_only_where_a_rule_has_them(void **state)
{
    (void)state;
    struct network_policy *names = policy_of("example.com", "*.example.org");
    assert_true(network_policy_may_resolve(names, "example.com"));
    assert_true(network_policy_may_resolve(names, "a.example.org."));
    assert_false(network_policy_may_resolve(names, "secret.attacker.example"));
    assert_false(network_policy_may_resolve(names, ""));
    network_policy_release(names);
    struct network_policy *blocks = policy_of("10.0.0.0/8", NULL);
    assert_false(network_policy_may_resolve(blocks, "secret.attacker.example"));
    assert_true(network_policy_may_resolve(blocks, "LocalHost."));
    network_policy_release(network_policy_retain(blocks));
    network_policy_release(blocks);
    struct network_policy *loopback = policy_of("localhost:80", NULL);
    assert_true(network_policy_may_resolve(loopback, "localhost"));
    assert_false(network_policy_may_resolve(loopback, "secret.attacker.example"));
    assert_false(network_policy_may_resolve(loopback, "secret.localhost"));
    network_policy_release(loopback);
    struct network_policy *everybody = policy_of("0.0.0.0/0", NULL);
    assert_true(network_policy_may_resolve(everybody, "anything.example"));
    network_policy_release(everybody);
}

static void what_is_proposed_would_allow_it(void **state)
{
    (void)state;
    static const struct {
        const char *address, *host, *line;
    } cases[] = {
        {"1.1.1.1", "One.Example.", "allow-network = [\"one.example:80\"]"},
        {"1.1.1.1", NULL, "allow-network = [\"1.1.1.1:80\"]"},
        {"10.0.0.1", "one.example", "allow-network = [\"10.0.0.1:80\"]"},
        {"fd00::1", "one.example", "allow-network = [\"[fd00::1]:80\"]"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char advice[NETWORK_ADVICE_BYTES], rule[NETWORK_ADVICE_BYTES];
        struct ip ip = ip_of(cases[i].address);
        network_policy_advise(&ip, 80, cases[i].host, advice);
        assert_string_equal(advice, cases[i].line);
        size_t size = strcspn(strchr(advice, '"') + 1, "\"");
        memcpy(rule, strchr(advice, '"') + 1, size);
        rule[size] = '\0';
        assert_true(allows(rule, cases[i].address, 80, cases[i].host));
    }
}

static void socket_addresses_are_read_as_what_they_mean(void **state)
{
    (void)state;
    struct ip ip;
    uint16_t port = 0;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(80)};
    inet_pton(AF_INET, "10.0.0.1", &v4.sin_addr);
    assert_true(network_address((struct sockaddr *)&v4, &ip, &port));
    assert_false(ip.v6);
    assert_int_equal(port, 80);
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(81)};
    inet_pton(AF_INET6, "::ffff:10.0.0.1", &v6.sin6_addr);
    assert_true(network_address((struct sockaddr *)&v6, &ip, &port));
    assert_false(ip.v6);
    assert_memory_equal(ip.bytes, &v4.sin_addr, 4);
    inet_pton(AF_INET6, "fd00::1", &v6.sin6_addr);
    assert_true(network_address((struct sockaddr *)&v6, &ip, &port));
    assert_true(ip.v6);
    struct sockaddr other = {.sa_family = AF_UNIX};
    assert_false(network_address(&other, &ip, &port));
}

int main(void)
{
    machine_set(elsewhere);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_anybody_can_reach_is_public),
        cmocka_unit_test(an_ipv4_address_inside_an_ipv6_one_is_what_it_is),
        cmocka_unit_test(nothing_is_allowed_without_a_rule),
        cmocka_unit_test(a_name_is_good_for_public_addresses_only),
        cmocka_unit_test(a_block_is_good_for_its_addresses_by_any_name),
        cmocka_unit_test(a_port_holds_any_rule_to_it),
        cmocka_unit_test(nobodys_addresses_are_never_reached),
        cmocka_unit_test(a_port_of_this_nodes_own_is_never_reached_on_this_machine),
        cmocka_unit_test(this_machines_own_addresses_need_a_rule_of_their_own),
        cmocka_unit_test(the_machine_is_not_asked_for_every_datagram),
        cmocka_unit_test(what_the_system_says_of_its_addresses_is_believed),
        cmocka_unit_test(what_is_no_rule_is_refused_with_words),
        cmocka_unit_test(there_are_only_so_many_rules),
        cmocka_unit_test(names_are_looked_up_only_where_a_rule_has_them),
        cmocka_unit_test(what_is_proposed_would_allow_it),
        cmocka_unit_test(socket_addresses_are_read_as_what_they_mean),
    };
    return cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
