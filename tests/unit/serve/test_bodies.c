#include "server_world.h"

#include <stdlib.h>
#include <sys/socket.h>

#define GET_HELLO "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static char *pattern(size_t size)
{
    char *data = malloc(size);
    INVARIANT(data != NULL);
    for (size_t i = 0; i < size; i++) {
        data[i] = (char)(i * 31 + i / 251);
    }
    return data;
}

static void send_sized(struct client *client, const char *path, size_t size)
{
    char head[200];
    snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", path,
             size);
    client_send_text(client, head);
}

static void expect_body(struct client *client, const char *data, size_t size)
{
    struct answer answer = client_read(client, false);
    assert_int_equal(answer.status, 200);
    assert_true(answer.whole);
    assert_int_equal(answer.body.size, size);
    assert_memory_equal(answer.body.data, data, size);
    answer_fini(&answer);
}

static void a_large_body_comes_back_unchanged(void **state)
{
    (void)state;
    enum { SIZE = 5 * 1024 * 1024 };
    world_start();
    struct client client = world_connect();
    char *data = pattern(SIZE);
    send_sized(&client, "/echo", SIZE);
    client_send(&client, data, SIZE);
    expect_body(&client, data, SIZE);
    client_expect(&client, GET_HELLO, 200, "hello");
    free(data);
    client_close(&client);
}

static void a_large_chunked_body_comes_back_unchanged(void **state)
{
    (void)state;
    enum { SIZE = 3 * 1000 * 1000 };
    world_start();
    struct client client = world_connect();
    char *data = pattern(SIZE);
    client_send_text(&client,
                     "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0, size = 1; at < SIZE; at += size) {
        char line[32];
        size = (at * 7919) % 100000 + 1;
        size = SIZE - at < size ? SIZE - at : size;
        snprintf(line, sizeof(line), "%zx;at=%zu\r\n", size, at);
        client_send_text(&client, line);
        client_send(&client, data + at, size);
        client_send_text(&client, "\r\n");
    }
    client_send_text(&client, "0\r\nTrailer: dropped\r\n\r\n");
    expect_body(&client, data, SIZE);
    client_expect(&client, GET_HELLO, 200, "hello");
    free(data);
    client_close(&client);
}

static void a_small_buffer_moves_a_large_body_all_the_same(void **state)
{
    (void)state;
    enum { SIZE = 300 * 1000 };
    world.options.stream_buffer_bytes = 1000;
    world_start();
    struct client client = world_connect();
    char *data = pattern(SIZE);
    send_sized(&client, "/echo", SIZE);
    client_send(&client, data, SIZE);
    expect_body(&client, data, SIZE);
    free(data);
    client_close(&client);
}

static void the_client_is_told_to_continue_when_the_body_is_wanted(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_send_text(&client, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                              "Expect: 100-continue\r\n\r\n");
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 100);
    client_expect(&client, "hello", 200, "hello");
    client_expect(&client, GET_HELLO, 200, "hello");
    client_close(&client);
}

static void a_client_that_does_not_wait_is_not_told_to_continue(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_expect(&client,
                  "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                  "Expect: 100-continue\r\n\r\nhello",
                  200, "hello");
    client_close(&client);
}

static void a_body_that_nobody_wants_is_not_asked_for(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_send_text(&client, "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                              "Expect: 100-continue\r\n\r\n");
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 200);
    /* Nobody can know whether the body will come. */
    assert_true(answer_has(&answer, "Connection: close"));
    assert_true(client_is_closed(&client));
    answer_fini(&answer);
    client_close(&client);
}

static void an_unread_body_is_dropped_before_the_next_request(void **state)
{
    (void)state;
    enum { SIZE = 200 * 1000 };
    world_start();
    struct client client = world_connect();
    char *data = pattern(SIZE);
    send_sized(&client, "/ignore", SIZE);
    client_send(&client, data, SIZE);
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 200);
    answer_fini(&answer);
    client_expect(&client, GET_HELLO, 200, "hello");
    free(data);
    client_close(&client);
    WAIT_UNTIL(connections == 0);
    assert_int_equal(server_counts(world.server).buffered_bytes, 0);
}

static void too_much_of_an_unread_body_ends_the_connection_but_not_the_answer(void **state)
{
    (void)state;
    enum { SIZE = 2 * 1024 * 1024 };
    world_start();
    struct client client = world_connect();
    char *data = pattern(SIZE);
    send_sized(&client, "/ignore", SIZE);
    client_send(&client, data, SIZE);
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 200);
    assert_true(answer_has(&answer, "Connection: close"));
    assert_true(answer.whole);
    assert_true(client_is_closed(&client));
    answer_fini(&answer);
    free(data);
    client_close(&client);
}

static void a_body_announced_too_large_costs_no_process(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    send_sized(&client, "/echo", 10 * 1024 * 1024 + 1);
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 413);
    assert_true(answer_has(&answer, "Connection: close"));
    assert_true(client_is_closed(&client));
    assert_int_equal(atomic_load(&world.began), 0);
    answer_fini(&answer);
    client_close(&client);
}

static void a_body_that_grows_too_large_fails_its_reader(void **state)
{
    (void)state;
    world.options.body_bytes_max = 100 * 1000;
    world_start();
    struct client client = world_connect();
    client_send_text(&client,
                     "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    wait_for_count(&world.began, 1);
    char *data = pattern(0x1000);
    for (int i = 0; i < 100; i++) {
        client_send_text(&client, "1000\r\n");
        client_send(&client, data, 0x1000);
        client_send_text(&client, "\r\n");
    }
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 413);
    assert_true(answer_has(&answer, "Connection: close"));
    assert_int_equal(atomic_load(&world.body_result), EXCHANGE_TOO_LARGE);
    assert_true(client_is_closed(&client));
    answer_fini(&answer);
    free(data);
    client_close(&client);
}

static void a_body_that_breaks_later_fails_its_reader(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_send_text(&client,
                     "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n");
    wait_for_count(&world.began, 1);
    client_expect(&client, "hello!\r\n", 400, "Bad Request\n");
    assert_int_equal(atomic_load(&world.body_result), EXCHANGE_MALFORMED);
    assert_true(client_is_closed(&client));
    client_close(&client);
}

static void a_body_that_is_broken_at_once_costs_no_process(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_expect(&client, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx",
                  400, NULL);
    assert_int_equal(atomic_load(&world.began), 0);
    client_close(&client);
}

static void a_body_that_comes_too_slowly_is_given_up(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    send_sized(&client, "/echo", 100000);
    wait_for_count(&world.began, 1);
    client_send_text(&client, "a few bytes");
    world_pass_ms(6000);
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 408);
    assert_int_equal(atomic_load(&world.body_result), EXCHANGE_MALFORMED);
    assert_true(client_is_closed(&client));
    answer_fini(&answer);
    client_close(&client);
}

static void a_body_that_comes_fast_enough_may_take_its_time(void **state)
{
    (void)state;
    enum { SIZE = 40000 };
    world_start();
    struct client client = world_connect();
    char *data = pattern(SIZE);
    send_sized(&client, "/echo", SIZE);
    wait_for_count(&world.began, 1);
    for (size_t at = 0; at < SIZE; at += 8000) {
        client_send(&client, data + at, 8000);
        client_wait_delivered(&client);
        world_settle();
        world_pass_ms(5001);
    }
    expect_body(&client, data, SIZE);
    free(data);
    client_close(&client);
}

static void answer_parked(struct exchange *exchange)
{
    answer_text(exchange, 200, "done");
}

static void a_body_that_nobody_reads_may_be_as_slow_as_it_likes(void **state)
{
    (void)state;
    world_route("POST /park", &act_park);
    world_start();
    struct client client = world_connect();
    send_sized(&client, "/park", 100000);
    wait_for_count(&world.parks, 1);
    world_pass_ms(20000);
    world_pass_ms(20000);
    world_with_parked(answer_parked);
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 200);
    answer_fini(&answer);
    client_close(&client);
}

static void a_client_that_leaves_inside_its_body_is_gone(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    send_sized(&client, "/echo", 100000);
    wait_for_count(&world.began, 1);
    client_send_text(&client, "a few bytes");
    world_settle();
    shutdown(client.fd, SHUT_WR);
    wait_for_count(&world.gone, 1);
    WAIT_UNTIL(connections == 0);
    assert_true(client_is_closed(&client));
    assert_int_equal(atomic_load(&world.body_result), EXCHANGE_CLOSED);
    assert_int_equal(server_counts(world.server).responses[0], 1);
    client_close(&client);
}

int main(void)
{
#define BODY_TEST(name) cmocka_unit_test_setup_teardown(name, world_make, world_drop)
    const struct CMUnitTest tests[] = {
        BODY_TEST(a_large_body_comes_back_unchanged),
        BODY_TEST(a_large_chunked_body_comes_back_unchanged),
        BODY_TEST(a_small_buffer_moves_a_large_body_all_the_same),
        BODY_TEST(the_client_is_told_to_continue_when_the_body_is_wanted),
        BODY_TEST(a_client_that_does_not_wait_is_not_told_to_continue),
        BODY_TEST(a_body_that_nobody_wants_is_not_asked_for),
        BODY_TEST(an_unread_body_is_dropped_before_the_next_request),
        BODY_TEST(too_much_of_an_unread_body_ends_the_connection_but_not_the_answer),
        BODY_TEST(a_body_announced_too_large_costs_no_process),
        BODY_TEST(a_body_that_grows_too_large_fails_its_reader),
        BODY_TEST(a_body_that_breaks_later_fails_its_reader),
        BODY_TEST(a_body_that_is_broken_at_once_costs_no_process),
        BODY_TEST(a_body_that_comes_too_slowly_is_given_up),
        BODY_TEST(a_body_that_comes_fast_enough_may_take_its_time),
        BODY_TEST(a_body_that_nobody_reads_may_be_as_slow_as_it_likes),
        BODY_TEST(a_client_that_leaves_inside_its_body_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
