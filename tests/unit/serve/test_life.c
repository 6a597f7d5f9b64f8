#include "server_world.h"

#include "base/number.h"
#include "guest/network.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void respond(struct exchange *exchange)
{
    answer_text(exchange, 200, "done");
}

static void respond_to_nobody(struct exchange *exchange)
{
    INVARIANT(exchange_respond(exchange, 200, NULL, 0, "x", 1) == EXCHANGE_CLOSED);
    INVARIANT(exchange_gone(exchange));
    exchange_finish(exchange, &(struct exchange_outcome){0});
}

/* ---- Deadlines ---- */

static void a_head_that_takes_too_long_is_refused(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_send_text(&client, "GET / HTTP/1.1\r\nHost:");
    WAIT_UNTIL(connections == 1);
    world_settle();
    world_pass_ms(9000);
    client_send_text(&client, " a\r\nA: b"); /* Bytes do not prolong it. */
    world_settle();
    world_pass_ms(1001);
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 408);
    assert_true(answer_has(&answer, "Connection: close"));
    assert_true(client_is_closed(&client));
    answer_fini(&answer);
    client_close(&client);
}

static void an_idle_connection_is_closed_without_a_word(void **state)
{
    (void)state;
    world_start();
    struct client fresh = world_connect();
    struct client used = world_connect();
    client_expect(&used, GET("/"), 200, "hello");
    WAIT_UNTIL(connections == 2);
    world_pass_ms(59000);
    assert_int_equal(server_counts(world.server).connections, 2);
    world_pass_ms(1001);
    assert_true(client_is_closed(&fresh));
    assert_true(client_is_closed(&used));
    WAIT_UNTIL(connections == 0);
    client_close(&fresh);
    client_close(&used);
}

static void each_request_begins_the_idle_time_anew(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    for (int i = 0; i < 4; i++) {
        client_expect(&client, GET("/"), 200, "hello");
        world_pass_ms(40000);
    }
    client_expect(&client, GET("/"), 200, "hello");
    client_close(&client);
}

static void an_answer_may_take_longer_than_any_of_these(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_send_text(&client, GET("/park"));
    wait_for_count(&world.parks, 1);
    for (int i = 0; i < 5; i++) {
        world_pass_ms(60000);
    }
    world_with_parked(respond);
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 200);
    answer_fini(&answer);
    client_close(&client);
}

/* ---- Clients that leave ---- */

static void a_half_close_leaves_a_whole_answer_alone(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_send_text(&client, GET("/park"));
    wait_for_count(&world.parks, 1);
    shutdown(client.fd, SHUT_WR);
    world_settle();
    assert_int_equal(atomic_load(&world.gone), 0);
    world_with_parked(respond);
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 200);
    assert_true(answer.whole);
    assert_true(client_is_closed(&client));
    answer_fini(&answer);
    client_close(&client);
}

static void a_half_close_counts_where_it_is_said_to(void **state)
{
    (void)state;
    world.options.cancel_on_disconnect = true;
    world_start();
    struct client client = world_connect();
    client_send_text(&client, GET("/park"));
    wait_for_count(&world.parks, 1);
    shutdown(client.fd, SHUT_WR);
    wait_for_count(&world.gone, 1);
    assert_true(client_is_closed(&client));
    world_with_parked(respond_to_nobody);
    client_close(&client);
}

static void a_stream_that_begins_after_the_half_close_is_for_nobody(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_send_text(&client, GET("/stream?n=100000000"));
    shutdown(client.fd, SHUT_WR);
    wait_for_count(&world.gone, 1);
    WAIT_UNTIL(connections == 0);
    client_close(&client);
}

static void a_reset_is_noticed_while_the_answer_is_awaited(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_send_text(&client, GET("/park"));
    wait_for_count(&world.parks, 1);
    client_reset(&client);
    wait_for_count(&world.gone, 1);
    WAIT_UNTIL(connections == 0);
    world_with_parked(respond_to_nobody);
    assert_int_equal(atomic_load(&world.gone), 1);
    WAIT_UNTIL(buffered_bytes == 0);
    assert_int_equal(server_counts(world.server).responses[0], 1);
}

static void a_client_that_closes_is_found_by_the_write(void **state)
{
    (void)state;
    world_start();
    for (unsigned i = 1; i <= 3; i++) {
        struct client client = world_connect();
        client_send_text(&client, GET("/park"));
        wait_for_count(&world.parks, i);
        client_close(&client);
        world_settle();
        world_with_parked(respond);
    }
    WAIT_UNTIL(connections == 0);
    WAIT_UNTIL(buffered_bytes == 0);
}

static void finish_behind(struct exchange *exchange)
{
    INVARIANT(exchange_gone(exchange));
    exchange_finish(exchange, &(struct exchange_outcome){0});
}

/* Answers, and goes on. */
static void linger_on(struct exchange *exchange, struct loop *loop)
{
    act_park.begin(exchange, loop);
    INVARIANT(exchange_respond(exchange, 200, NULL, 0, "all of it", 9) == EXCHANGE_OK);
}

static void who_goes_on_behind_its_answer_is_told_when_the_client_leaves(void **state)
{
    (void)state;
    static const struct act act = {linger_on};
    world_route("GET /behind", &act);
    world_start();
    for (unsigned i = 1; i <= 3; i++) {
        struct client client = world_connect();
        client_expect(&client, GET("/behind"), 200, "all of it");
        assert_int_equal(atomic_load(&world.gone), i - 1);
        if (i == 2) {
            client_reset(&client);
        } else {
            client_close(&client);
        }
        wait_for_count(&world.gone, i);
        WAIT_UNTIL(connections == 0);
        world_with_parked(finish_behind);
        assert_int_equal(server_counts(world.server).responses[2], i);
    }
    assert_int_equal(server_counts(world.server).responses[0], 0);
}

/* ---- Limits ---- */

static void a_connection_too_many_is_told_when_to_come_back(void **state)
{
    (void)state;
    world.limits.connections_max = 2;
    world_start();
    struct client first = world_connect();
    struct client second = world_connect();
    client_expect(&first, GET("/"), 200, "hello");
    client_expect(&second, GET("/"), 200, "hello");
    struct client third = world_connect();
    client_send_text(&third, GET("/"));
    struct answer answer = client_read(&third, false);
    assert_int_equal(answer.status, 503);
    assert_true(answer_has(&answer, "Retry-After: 1"));
    assert_true(answer_has(&answer, "Connection: close"));
    assert_true(client_is_closed(&third));
    assert_int_equal(server_counts(world.server).connections, 2);
    assert_int_equal(server_counts(world.server).refused, 1);
    answer_fini(&answer);
    client_close(&third);
    client_close(&first);
    WAIT_UNTIL(connections == 1);
    struct client fourth = world_connect();
    client_expect(&fourth, GET("/"), 200, "hello");
    client_close(&fourth);
    client_close(&second);
}

static void without_descriptors_accepting_pauses(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_expect(&client, GET("/"), 200, "hello");
    int next = dup(client.fd);
    close(next);
    int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(socket_fd, next);
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    assert_int_equal(getpeername(client.fd, (struct sockaddr *)&address, &size), 0);

    struct rlimit before, limit;
    getrlimit(RLIMIT_NOFILE, &before);
    limit = (struct rlimit){.rlim_cur = (rlim_t)next + 1, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &limit);
    struct client late = {.fd = socket_fd};
    assert_int_equal(connect(socket_fd, (struct sockaddr *)&address, size), 0);
    client_send_text(&late, GET("/users/late"));
    world_settle();
    world_settle();
    assert_int_equal(server_counts(world.server).accepted, 1);
    setrlimit(RLIMIT_NOFILE, &before);
    /* Whoever has a connection is served all the while. */
    client_expect(&client, GET("/"), 200, "hello");
    assert_int_equal(server_counts(world.server).accepted, 1);
    world_pass_ms(101);
    struct answer answer = client_read(&late, false);
    assert_memory_equal(answer.body.data, "late", 4);
    answer_fini(&answer);
    client_close(&late);
    client_close(&client);
}

/* ---- Draining ---- */

static void *drain_shortly(void *ret)
{
    *(bool *)ret = server_drain(world.server, 0);
    return NULL;
}

static void *drain_patiently(void *ret)
{
    *(bool *)ret = server_drain(world.server, 15000);
    return NULL;
}

static void draining_finishes_what_runs_and_closes_what_is_idle(void **state)
{
    (void)state;
    world_start();
    struct client idle = world_connect();
    client_expect(&idle, GET("/"), 200, "hello");
    struct client busy = world_connect();
    client_send_text(&busy, GET("/park"));
    wait_for_count(&world.parks, 1);
    char address[64];
    snprintf(address, sizeof(address), "%s", server_address(world.server, 0));

    bool whole = false;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, drain_patiently, &whole), 0);
    assert_true(client_is_closed(&idle));
    world_with_parked(respond);
    struct answer answer = client_read(&busy, false);
    assert_int_equal(answer.status, 200);
    assert_true(answer_has(&answer, "Connection: close"));
    assert_true(client_is_closed(&busy));
    pthread_join(thread, NULL);
    assert_true(whole);
    assert_int_equal(server_counts(world.server).connections, 0);
    answer_fini(&answer);
    client_close(&busy);
    client_close(&idle);
    /* The port is free again. */
    struct err err = {0};
    world.options.listen = address + 7;
    struct server *next = server_create(world.node, &world.options, 1, &world.limits, &err);
    assert_non_null(next);
    server_destroy(next);
}

/* Else what is still at work would reach the successor that listens there now. */
static void a_port_stays_out_of_reach_for_guests_until_the_server_is_gone(void **state)
{
    (void)state;
    struct err err = {0};
    struct ip loopback = {.bytes = {127, 0, 0, 1}};
    const char *rules[] = {"127.0.0.1", NULL};
    struct network_policy *policy = network_policy_create(rules, &err);
    world_start();
    for (unsigned way = 0; way < 2; way++) {
        world.options.listen = "127.0.0.1:0";
        struct server *server = server_create(world.node, &world.options, 1, &world.limits, &err);
        assert_non_null(server);
        const char *colon = strrchr(server_address(server, 0), ':');
        uint64_t number = 0;
        assert_true(number_parse(colon + 1, strlen(colon + 1), UINT16_MAX, &number));
        uint16_t port = (uint16_t)number;
        assert_false(network_policy_allows(policy, &loopback, port, NULL));
        if (way == 0) {
            server_let_go(server);
        } else {
            assert_true(server_drain(server, 15000));
        }
        assert_false(network_policy_allows(policy, &loopback, port, NULL));
        server_destroy(server);
        assert_true(network_policy_allows(policy, &loopback, port, NULL));
    }
    network_policy_release(policy);
}

static void draining_cuts_what_does_not_end_in_time(void **state)
{
    (void)state;
    world_start();
    struct client busy = world_connect();
    client_send_text(&busy, GET("/park"));
    wait_for_count(&world.parks, 1);
    bool whole = true;
    drain_shortly(&whole);
    assert_false(whole);
    assert_int_equal(atomic_load(&world.gone), 1);
    assert_true(client_is_closed(&busy));
    world_with_parked(respond_to_nobody);
    client_close(&busy);
}

static void draining_an_empty_server_cuts_nothing(void **state)
{
    (void)state;
    world_start();
    struct client idle = world_connect();
    WAIT_UNTIL(connections == 1);
    assert_true(server_drain(world.server, 15000));
    assert_true(client_is_closed(&idle));
    client_close(&idle);
}

static void connections_may_be_open_at_the_very_end(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_expect(&client, GET("/"), 200, "hello");
    struct client half = world_connect();
    client_send_text(&half, "GET / HT");
    WAIT_UNTIL(connections == 2);
    world_settle();
    node_stop(world.node);
    server_destroy(TAKE(world.server));
    assert_true(client_is_closed(&client));
    assert_true(client_is_closed(&half));
    client_close(&client);
    client_close(&half);
}

int main(void)
{
#define LIFE_TEST(name) cmocka_unit_test_setup_teardown(name, world_make, world_drop)
    const struct CMUnitTest tests[] = {
        LIFE_TEST(a_head_that_takes_too_long_is_refused),
        LIFE_TEST(an_idle_connection_is_closed_without_a_word),
        LIFE_TEST(each_request_begins_the_idle_time_anew),
        LIFE_TEST(an_answer_may_take_longer_than_any_of_these),
        LIFE_TEST(a_half_close_leaves_a_whole_answer_alone),
        LIFE_TEST(a_half_close_counts_where_it_is_said_to),
        LIFE_TEST(a_stream_that_begins_after_the_half_close_is_for_nobody),
        LIFE_TEST(a_reset_is_noticed_while_the_answer_is_awaited),
        LIFE_TEST(a_client_that_closes_is_found_by_the_write),
        LIFE_TEST(who_goes_on_behind_its_answer_is_told_when_the_client_leaves),
        LIFE_TEST(a_connection_too_many_is_told_when_to_come_back),
        LIFE_TEST(without_descriptors_accepting_pauses),
        LIFE_TEST(draining_finishes_what_runs_and_closes_what_is_idle),
        LIFE_TEST(a_port_stays_out_of_reach_for_guests_until_the_server_is_gone),
        LIFE_TEST(draining_cuts_what_does_not_end_in_time),
        LIFE_TEST(draining_an_empty_server_cuts_nothing),
        LIFE_TEST(connections_may_be_open_at_the_very_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
