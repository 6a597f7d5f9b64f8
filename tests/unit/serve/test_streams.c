#include "server_world.h"

#include <stdlib.h>
#include <sys/socket.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void a_stream_of_unknown_size_is_chunked(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_send_text(&client, GET("/stream?n=3000000"));
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 200);
    assert_true(answer_has(&answer, "Transfer-Encoding: chunked"));
    assert_true(answer.whole);
    assert_int_equal(answer.body.size, 3000000);
    answer_fini(&answer);
    client_send_text(&client, GET("/stream?n=0"));
    answer = client_read(&client, false);
    assert_true(answer.whole);
    assert_int_equal(answer.body.size, 0);
    client_close(&client);
}

static void a_small_stream_is_one_chunk_with_its_end(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_send_text(&client, "GET /stream?n=3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    struct bytes all = {0};
    while (!client_is_closed(&client)) {
        assert_true(bytes_append(&all, client.in.data, client.in.size));
        bytes_clear(&client.in);
    }
    assert_true(all.size > 14);
    assert_memory_equal(all.data + all.size - 14, "\n3\r\n\0\0\0\r\n0\r\n\r\n", 14);
    bytes_fini(&all);
    client_close(&client);
}

static void http_1_0_gets_its_stream_until_the_end(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_send_text(&client, "GET /stream?n=200000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 200);
    assert_true(answer_has(&answer, "Connection: close"));
    assert_null(strstr(answer.head, "Transfer-Encoding"));
    assert_int_equal(answer.body.size, 200000);
    answer_fini(&answer);
    client_close(&client);
}

/* ---- A stream whose size is known, and one that fails ---- */

struct script {
    uint64_t length;
    const char *text;
    unsigned status; /* of the outcome */
};

static struct script script;

static void play(struct exchange *exchange, struct loop *loop)
{
    (void)loop;
    size_t written = 0;
    enum exchange_result result = exchange_begin(exchange, 200, NULL, 0, script.length);
    INVARIANT(result == EXCHANGE_OK);
    result = exchange_write(exchange, script.text, strlen(script.text), &written);
    INVARIANT(result == EXCHANGE_OK && written == strlen(script.text));
    exchange_finish(exchange, &(struct exchange_outcome){.status = script.status});
}

static struct answer play_script(const char *request, struct script what, bool *ret_closed)
{
    static const struct act act = {play};
    world_route("GET /play", &act);
    world_start();
    script = what;
    struct client client = world_connect();
    client_send_text(&client, request);
    struct answer answer = client_read(&client, false);
    *ret_closed = strstr(request, "1.0") != NULL || !answer.whole;
    if (*ret_closed) {
        bytes_clear(&client.in); /* A part of the body. */
        assert_true(client_is_closed(&client));
    } else {
        client_expect(&client, GET("/"), 200, "hello");
    }
    client_close(&client);
    return answer;
}

static void a_stream_of_known_size_has_a_length(void **state)
{
    (void)state;
    bool closed;
    struct answer answer = play_script(GET("/play"), (struct script){.length = 5, .text = "12345"},
                                       &closed);
    assert_true(answer_has(&answer, "Content-Length: 5"));
    assert_true(answer.whole);
    assert_false(closed);
    assert_memory_equal(answer.body.data, "12345", 5);
    answer_fini(&answer);
}

static void a_stream_that_ends_too_early_is_cut(void **state)
{
    (void)state;
    bool closed;
    struct answer answer = play_script(GET("/play"), (struct script){.length = 10, .text = "12345"},
                                       &closed);
    assert_int_equal(answer.status, 200);
    assert_false(answer.whole);
    assert_true(closed);
    assert_int_equal(server_counts(world.server).responses[0], 1);
    answer_fini(&answer);
}

static void a_failure_after_the_head_leaves_out_the_last_chunk(void **state)
{
    (void)state;
    bool closed;
    struct answer answer =
        play_script(GET("/play"),
                    (struct script){.length = UINT64_MAX, .text = "12345", .status = 502}, &closed);
    assert_int_equal(answer.status, 200);
    assert_false(answer.whole);
    assert_true(closed);
    /* What had been written did arrive. */
    assert_int_equal(answer.body.size, 5);
    answer_fini(&answer);
}

static void a_cut_stream_without_chunks_ends_in_a_reset(void **state)
{
    (void)state;
    static const struct act act = {play};
    world_route("GET /play", &act);
    world_start();
    script = (struct script){.length = UINT64_MAX, .text = "12345", .status = 502};
    struct client client = world_connect();
    client_send_text(&client, "GET /play HTTP/1.0\r\n\r\n");
    char data[1000];
    ssize_t got;
    while ((got = recv(client.fd, data, sizeof(data), 0)) > 0) {
    }
    assert_int_equal(got, -1);
    client_close(&client);
}

/* ---- Readers that are slow, or leave ---- */

static void a_slow_reader_paces_the_writer(void **state)
{
    (void)state;
    enum { SIZE = 20 * 1000 * 1000 };
    world_start();
    struct client client = world_connect();
    client_send_text(&client, GET("/stream?n=20000000"));
    wait_for_count(&world.began, 1);
    /* It goes on until the kernel's buffers and ours are full, and stays there. */
    WAIT_UNTIL(buffered_bytes >= 256 * 1024);
    uint64_t held = server_counts(world.server).buffered_bytes;
    assert_true(held < 512 * 1024);
    world_settle();
    assert_int_equal(atomic_load(&world.gone), 0);
    struct answer answer = client_read(&client, false);
    assert_true(answer.whole);
    assert_int_equal(answer.body.size, SIZE);
    answer_fini(&answer);
    client_close(&client);
    WAIT_UNTIL(connections == 0);
    assert_int_equal(server_counts(world.server).buffered_bytes, 0);
}

static void a_reader_that_takes_nothing_is_cut_in_the_end(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_send_text(&client, GET("/stream?n=100000000"));
    WAIT_UNTIL(buffered_bytes >= 256 * 1024);
    world_pass_ms(29000);
    assert_int_equal(atomic_load(&world.gone), 0);
    /* The kernel may still move some of it: then the wait begins anew. */
    do {
        world_pass_ms(2000);
    } while (atomic_load(&world.gone) == 0);
    WAIT_UNTIL(connections == 0);
    WAIT_UNTIL(buffered_bytes == 0);
    client_close(&client);
}

static void a_large_answer_to_a_slow_reader_arrives_whole(void **state)
{
    (void)state;
    enum { SIZE = 8 * 1024 * 1024 };
    world_start();
    struct client client = world_connect();
    char *data = calloc(1, SIZE);
    char head[100];
    snprintf(head, sizeof(head), "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n",
             SIZE);
    client_send_text(&client, head);
    client_send(&client, data, SIZE);
    client_send_text(&client, GET("/users/behind"));
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.body.size, SIZE);
    answer_fini(&answer);
    answer = client_read(&client, false);
    assert_memory_equal(answer.body.data, "behind", 6);
    answer_fini(&answer);
    free(data);
    client_close(&client);
}

static void a_half_close_ends_a_stream(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_send_text(&client, GET("/stream?n=100000000"));
    WAIT_UNTIL(buffered_bytes >= 256 * 1024);
    shutdown(client.fd, SHUT_WR);
    wait_for_count(&world.gone, 1);
    WAIT_UNTIL(connections == 0);
    client_close(&client);
}

int main(void)
{
#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, world_make, world_drop)
    const struct CMUnitTest tests[] = {
        STREAM_TEST(a_stream_of_unknown_size_is_chunked),
        STREAM_TEST(a_small_stream_is_one_chunk_with_its_end),
        STREAM_TEST(http_1_0_gets_its_stream_until_the_end),
        STREAM_TEST(a_stream_of_known_size_has_a_length),
        STREAM_TEST(a_stream_that_ends_too_early_is_cut),
        STREAM_TEST(a_failure_after_the_head_leaves_out_the_last_chunk),
        STREAM_TEST(a_cut_stream_without_chunks_ends_in_a_reset),
        STREAM_TEST(a_slow_reader_paces_the_writer),
        STREAM_TEST(a_reader_that_takes_nothing_is_cut_in_the_end),
        STREAM_TEST(a_large_answer_to_a_slow_reader_arrives_whole),
        STREAM_TEST(a_half_close_ends_a_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
