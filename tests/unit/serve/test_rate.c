#include "../base/cmocka_all.h"

#include "serve/rate.h"

#include <stdio.h>
#include <stdlib.h>

#define SECOND_NS UINT64_C(1000000000)

static struct rate *make(struct rate_limits limits)
{
    struct rate *rate = rate_create(&limits, env_system());
    assert_non_null(rate);
    return rate;
}

static struct rate_key key(const char *text)
{
    return rate_key_parse(text);
}

static bool connects(struct rate *rate, const char *address, uint64_t now_ns, struct rate_hold *ret)
{
    return rate_connect(rate, key(address), now_ns, ret);
}

static void addresses_are_told_apart_and_their_ports_are_not(void **state)
{
    (void)state;
    assert_int_equal(key("10.0.0.1:1").raw, key("10.0.0.1:65535").raw);
    assert_int_equal(key("10.0.0.1:1").raw, key("10.0.0.1").raw);
    assert_true(key("10.0.0.1:1").raw != key("10.0.0.2:1").raw);
    assert_int_equal(key("[::1]:5").raw, key("::1").raw);
    assert_true(key("[::1]:5").raw != 0);
    assert_true(key("0.0.0.0").raw != key("::").raw);
}

static void ipv6_counts_by_64_bits(void **state)
{
    (void)state;
    assert_int_equal(key("[2001:db8:1:2::1]:5").raw, key("[2001:db8:1:2:ffff:ffff:ffff:1]:6").raw);
    assert_true(key("[2001:db8:1:2::1]:5").raw != key("[2001:db8:1:3::1]:5").raw);
}

static void an_ipv4_address_in_ipv6_is_that_address(void **state)
{
    (void)state;
    assert_int_equal(key("[::ffff:10.0.0.1]:5").raw, key("10.0.0.1:9").raw);
    assert_true(key("[::ffff:10.0.0.1]:5").raw != key("[::ffff:10.0.0.2]:5").raw);
}

static void what_is_no_address_does_not_count(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",          "unix",
        "?",         ":",
        "[",         "[]",
        "[::1",      "1.2.3:4",
        "1.2.3.4.5", "[1.2.3.4:5]:6x",
        "a:b:c",     "1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:2222:3333",
    };
    struct rate *rate = make((struct rate_limits){1, 1, 1, 1});
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct rate_hold hold;
        if (key(texts[i]).raw != 0) {
            fail_msg("%s", texts[i]);
        }
        for (int k = 0; k < 3; k++) {
            assert_true(connects(rate, texts[i], 1, &hold));
            assert_int_equal(rate_request(rate, key(texts[i]), 1), 0);
        }
    }
    rate_destroy(rate);
}

static void connections_at_once_are_bounded_for_each_address(void **state)
{
    (void)state;
    struct rate *rate = make((struct rate_limits){.connections_max = 2});
    struct rate_hold one, two, three, other;
    assert_true(connects(rate, "10.0.0.1:1", 1, &one));
    assert_true(connects(rate, "10.0.0.1:2", 1, &two));
    assert_false(connects(rate, "10.0.0.1:3", 1, &three));
    assert_int_equal(three.place, 0);
    assert_true(connects(rate, "10.0.0.2:1", 1, &other));
    rate_leave(rate, &three);
    assert_false(connects(rate, "10.0.0.1:3", 1, &three));
    rate_leave(rate, &one);
    rate_leave(rate, &one);
    assert_true(connects(rate, "10.0.0.1:3", 1, &three));
    assert_false(connects(rate, "10.0.0.1:4", 1, &one));
    assert_int_equal(rate_counts(rate).connections, 3);
    assert_int_equal(rate_counts(rate).requests, 0);
    rate_destroy(rate);
}

static void connections_a_second_are_bounded(void **state)
{
    (void)state;
    struct rate *rate = make((struct rate_limits){.connections_per_second = 4});
    struct rate_hold hold;
    uint64_t now_ns = 100 * SECOND_NS;
    for (int i = 0; i < 4; i++) {
        assert_true(connects(rate, "10.0.0.1:1", now_ns, &hold));
    }
    assert_false(connects(rate, "10.0.0.1:1", now_ns, &hold));
    assert_false(connects(rate, "10.0.0.1:1", now_ns + SECOND_NS / 4 - 1, &hold));
    assert_true(connects(rate, "10.0.0.1:1", now_ns + SECOND_NS / 4, &hold));
    assert_false(connects(rate, "10.0.0.1:1", now_ns + SECOND_NS / 4, &hold));
    rate_destroy(rate);
}

static void a_burst_passes_and_then_the_rate_holds(void **state)
{
    (void)state;
    struct rate *rate = make((struct rate_limits){.requests_per_second = 10, .requests_burst = 30});
    uint64_t now_ns = 5;
    for (int i = 0; i < 30; i++) {
        assert_int_equal(rate_request(rate, key("10.0.0.1"), now_ns), 0);
    }
    assert_int_equal(rate_request(rate, key("10.0.0.1"), now_ns), 1);
    assert_int_equal(rate_request(rate, key("10.0.0.2"), now_ns), 0);
    unsigned passed = 0;
    for (unsigned i = 0; i < 1000; i++) {
        now_ns += SECOND_NS / 100;
        passed += rate_request(rate, key("10.0.0.1"), now_ns) == 0;
    }
    assert_int_equal(passed, 100);
    now_ns += 60 * SECOND_NS;
    for (int i = 0; i < 30; i++) {
        assert_int_equal(rate_request(rate, key("10.0.0.1"), now_ns), 0);
    }
    assert_true(rate_request(rate, key("10.0.0.1"), now_ns) > 0);
    rate_destroy(rate);
}

static void without_a_burst_it_is_what_a_second_gives(void **state)
{
    (void)state;
    struct rate *rate = make((struct rate_limits){.requests_per_second = 3});
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rate_request(rate, key("10.0.0.1"), 1), 0);
    }
    assert_int_equal(rate_request(rate, key("10.0.0.1"), 1), 1);
    assert_int_equal(rate_counts(rate).requests, 1);
    rate_destroy(rate);
}

static void to_wait_is_told_in_whole_seconds(void **state)
{
    (void)state;
    struct rate *rate = make((struct rate_limits){.requests_per_second = 1, .requests_burst = 1});
    assert_int_equal(rate_request(rate, key("10.0.0.1"), SECOND_NS), 0);
    assert_int_equal(rate_request(rate, key("10.0.0.1"), SECOND_NS), 1);
    assert_int_equal(rate_request(rate, key("10.0.0.1"), 2 * SECOND_NS - 1), 1);
    assert_int_equal(rate_request(rate, key("10.0.0.1"), 2 * SECOND_NS), 0);
    rate_destroy(rate);
}

static void address_of(unsigned number, char ret[32])
{
    snprintf(ret, 32, "%u.%u.%u.%u:9", 10 + (number >> 24), number >> 16 & 255, number >> 8 & 255,
             number & 255);
}

/* A million addresses pass through a table of 65,536: its size stays, what it knows stays right for
 * those that it still knows, and a forgotten one begins anew. */
static void many_addresses_cost_no_more_memory_and_the_oldest_go(void **state)
{
    (void)state;
    struct rate *rate = make(
        (struct rate_limits){.connections_max = 1, .requests_per_second = 1, .requests_burst = 1});
    char text[32];
    for (unsigned i = 0; i < 1000000; i++) {
        address_of(i, text);
        struct rate_key one = key(text);
        assert_int_equal(rate_request(rate, one, SECOND_NS), 0);
        assert_int_equal(rate_request(rate, one, SECOND_NS), 1);
    }
    address_of(0, text);
    assert_int_equal(rate_request(rate, key(text), SECOND_NS), 0);
    rate_destroy(rate);
}

static void a_flood_of_addresses_does_not_make_it_forget_who_is_connected(void **state)
{
    (void)state;
    struct rate *rate = make((struct rate_limits){.connections_max = 1, .requests_per_second = 1});
    struct rate_hold hold, second;
    char text[32];
    assert_true(connects(rate, "192.0.2.1:1", SECOND_NS, &hold));
    for (unsigned i = 0; i < 1000000; i++) {
        address_of(i, text);
        assert_int_equal(rate_request(rate, key(text), SECOND_NS), 0);
    }
    assert_false(connects(rate, "192.0.2.1:2", SECOND_NS, &second));
    rate_leave(rate, &hold);
    assert_true(connects(rate, "192.0.2.1:2", SECOND_NS, &second));
    rate_destroy(rate);
}

/* More addresses hold connections than there are entries: some are forgotten, and what they held may
 * not be taken off who came in their place. */
static void a_connection_of_a_forgotten_address_ends_without_harm(void **state)
{
    (void)state;
    enum { MANY = 200000 };
    struct rate *rate = make((struct rate_limits){.connections_max = 1});
    struct rate_hold *holds = calloc(MANY, sizeof *holds), second;
    assert_non_null(holds);
    char text[32];
    for (unsigned i = 0; i < MANY; i++) {
        address_of(i, text);
        assert_true(connects(rate, text, SECOND_NS, &holds[i]));
    }
    for (unsigned i = 0; i < MANY - 100; i++) {
        rate_leave(rate, &holds[i]);
    }
    for (unsigned i = MANY - 100; i < MANY; i++) {
        address_of(i, text);
        assert_false(connects(rate, text, SECOND_NS, &second));
    }
    free(holds);
    rate_destroy(rate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_told_apart_and_their_ports_are_not),
        cmocka_unit_test(ipv6_counts_by_64_bits),
        cmocka_unit_test(an_ipv4_address_in_ipv6_is_that_address),
        cmocka_unit_test(what_is_no_address_does_not_count),
        cmocka_unit_test(connections_at_once_are_bounded_for_each_address),
        cmocka_unit_test(connections_a_second_are_bounded),
        cmocka_unit_test(a_burst_passes_and_then_the_rate_holds),
        cmocka_unit_test(without_a_burst_it_is_what_a_second_gives),
        cmocka_unit_test(to_wait_is_told_in_whole_seconds),
        cmocka_unit_test(many_addresses_cost_no_more_memory_and_the_oldest_go),
        cmocka_unit_test(a_flood_of_addresses_does_not_make_it_forget_who_is_connected),
        cmocka_unit_test(a_connection_of_a_forgotten_address_ends_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
