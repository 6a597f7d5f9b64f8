#include "server_world.h"

#include <stdlib.h>
#include <sys/socket.h>

/* The answering side runs on another thread than the connection. */

static void a_body_travels_between_two_loops(void **state)
{
    (void)state;
    enum { SIZE = 2 * 1000 * 1000 };
    world.options.stream_buffer_bytes = 5000;
    world_start();
    struct client client = world_connect();
    char *data = malloc(SIZE);
    assert_non_null(data);
    for (size_t i = 0; i < SIZE; i++) {
        data[i] = (char)(i * 31 + i / 251);
    }
    char head[200];
    snprintf(head, sizeof(head), "POST /far/echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n",
             SIZE);
    for (int i = 0; i < 3; i++) {
        client_send_text(&client, head);
        client_send(&client, data, SIZE);
        struct answer answer = client_read(&client, false);
        assert_int_equal(answer.status, 200);
        assert_int_equal(answer.body.size, SIZE);
        assert_memory_equal(answer.body.data, data, SIZE);
        answer_fini(&answer);
    }
    free(data);
    client_close(&client);
    WAIT_UNTIL(connections == 0);
    WAIT_UNTIL(buffered_bytes == 0);
}

static void a_stream_travels_between_two_loops(void **state)
{
    (void)state;
    world.options.stream_buffer_bytes = 5000;
    world_start();
    struct client client = world_connect();
    for (int i = 0; i < 20; i++) {
        client_send_text(&client, "GET /far/stream?n=300000 HTTP/1.1\r\nHost: a\r\n\r\n");
        struct answer answer = client_read(&client, false);
        assert_true(answer.whole);
        assert_int_equal(answer.body.size, 300000);
        answer_fini(&answer);
    }
    client_close(&client);
    WAIT_UNTIL(connections == 0);
    WAIT_UNTIL(buffered_bytes == 0);
}

static void clients_may_leave_at_any_moment(void **state)
{
    (void)state;
    world_start();
    enum { ROUNDS = 200 };
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned before = atomic_load(&world.began);
        struct client client = world_connect();
        client_send_text(
            &client, i % 2 == 0
                         ? "GET /far/stream?n=3000000 HTTP/1.1\r\nHost: a\r\n\r\n"
                         : "POST /far/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf");
        if (i % 3 == 0) {
            wait_for_count(&world.began, before + 1);
        }
        if (i % 4 < 2) {
            client_reset(&client);
        } else {
            shutdown(client.fd, SHUT_WR);
            client_is_closed(&client);
            client_close(&client);
        }
    }
    WAIT_UNTIL(connections == 0);
    /* Whoever answers may still be about to notice. */
    WAIT_UNTIL(buffered_bytes == 0);
    struct client client = world_connect();
    client_expect(&client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200, "hello");
    client_close(&client);
}

int main(void)
{
#define FAR_TEST(name) cmocka_unit_test_setup_teardown(name, world_make, world_drop)
    const struct CMUnitTest tests[] = {
        FAR_TEST(a_body_travels_between_two_loops),
        FAR_TEST(a_stream_travels_between_two_loops),
        FAR_TEST(clients_may_leave_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
