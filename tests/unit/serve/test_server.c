#include "server_world.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void a_connection_serves_one_request_after_the_other(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    for (int i = 0; i < 3; i++) {
        client_expect(&client, GET("/"), 200, "hello");
    }
    struct server_counts counts = server_counts(world.server);
    assert_int_equal(counts.connections, 1);
    assert_int_equal(counts.accepted, 1);
    assert_int_equal(counts.requests, 3);
    assert_int_equal(counts.responses[2], 3);
    /* Between requests it holds nothing. */
    WAIT_UNTIL(buffered_bytes == 0);
    client_close(&client);
    WAIT_UNTIL(connections == 0);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    char text[200];
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof(text), "GET /users/%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
        client_send_text(&client, text);
    }
    for (int i = 0; i < 200; i++) {
        struct answer answer = client_read(&client, false);
        snprintf(text, sizeof(text), "%d", i);
        assert_int_equal(answer.body.size, strlen(text));
        assert_memory_equal(answer.body.data, text, answer.body.size);
        answer_fini(&answer);
    }
    client_close(&client);
}

static void respond_first(struct exchange *exchange)
{
    answer_text(exchange, 200, "first");
}

static void pipelined_requests_wait_for_the_one_before(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_send_text(&client, GET("/park") GET("/users/second"));
    wait_for_count(&world.parks, 1);
    world_settle();
    assert_int_equal(atomic_load(&world.began), 1);
    world_with_parked(respond_first);
    struct answer answer = client_read(&client, false);
    assert_memory_equal(answer.body.data, "first", 5);
    answer_fini(&answer);
    answer = client_read(&client, false);
    assert_memory_equal(answer.body.data, "second", 6);
    answer_fini(&answer);
    client_close(&client);
}

static void an_answer_names_date_server_and_a_request_id_of_its_own(void **state)
{
    (void)state;
    static const struct header fixed[] = {{{"X-Added", 7}, {"yes", 3}}};
    world.options.headers = fixed;
    world.options.header_count = 1;
    world_start();
    struct client client = world_connect();
    char ids[2][17];
    for (size_t i = 0; i < 2; i++) {
        client_send_text(&client, GET("/"));
        struct answer answer = client_read(&client, false);
        assert_true(answer_has(&answer, "X-Added: yes"));
        assert_true(answer_has(&answer, "Server: mote"));
        assert_non_null(strstr(answer.head, "\r\nDate: "));
        const char *id = strstr(answer.head, "\r\nX-Request-Id: ");
        assert_non_null(id);
        snprintf(ids[i], sizeof(ids[i]), "%s", id + 16);
        assert_int_equal(strspn(ids[i], "0123456789abcdef"), 16);
        answer_fini(&answer);
    }
    assert_string_not_equal(ids[0], ids[1]);
    client_close(&client);
}

static void the_server_line_can_be_replaced(void **state)
{
    (void)state;
    static const struct header fixed[] = {{{"server", 6}, {"none", 4}}};
    world.options.headers = fixed;
    world.options.header_count = 1;
    world_start();
    struct client client = world_connect();
    static const char *const requests[] = {GET("/"), GET("/none"), "broken\r\n\r\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
        client_send_text(&client, requests[i]);
        struct answer answer = client_read(&client, false);
        assert_true(answer_has(&answer, "server: none"));
        assert_false(answer_has(&answer, "Server: mote"));
        answer_fini(&answer);
    }
    client_close(&client);
}

static void head_has_the_length_but_not_the_body(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_send_text(&client, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    struct answer answer = client_read(&client, true);
    assert_int_equal(answer.status, 200);
    assert_true(answer_has(&answer, "Content-Length: 5"));
    client_expect(&client, GET("/users/next"), 200, "next");
    client_close(&client);
}

static void a_path_without_the_method_says_which_it_has(void **state)
{
    (void)state;
    world_start();
    struct client client = world_connect();
    client_send_text(&client, "PUT / HTTP/1.1\r\nHost: a\r\n\r\n");
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 405);
    assert_true(answer_has(&answer, "Allow: GET, HEAD, OPTIONS"));
    answer_fini(&answer);
    client_send_text(&client, "OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n");
    answer = client_read(&client, false);
    assert_int_equal(answer.status, 204);
    assert_true(answer_has(&answer, "Allow: GET, HEAD, OPTIONS"));
    assert_int_equal(atomic_load(&world.began), 0);
    client_close(&client);
}

static void without_routes_everything_goes_to_one_target(void **state)
{
    (void)state;
    world.options.routes = NULL;
    world.options.target = (void *)(uintptr_t)&act_hello;
    world_start();
    struct client client = world_connect();
    client_expect(&client, "BREW /any/thing HTTP/1.1\r\nHost: a\r\n\r\n", 200, "hello");
    client_close(&client);
}

/* ---- Another thread answers ---- */

static void *answer_elsewhere(void *argument)
{
    answer_text(argument, 200, "from afar");
    return NULL;
}

static pthread_t elsewhere;

static void begin_elsewhere(struct exchange *exchange, struct loop *loop)
{
    (void)loop;
    INVARIANT(pthread_create(&elsewhere, NULL, answer_elsewhere, exchange) == 0);
}

static void another_thread_may_answer(void **state)
{
    (void)state;
    static const struct act act = {begin_elsewhere};
    world_route("GET /elsewhere", &act);
    world_start();
    struct client client = world_connect();
    for (int i = 0; i < 50; i++) {
        client_expect(&client, GET("/elsewhere"), 200, "from afar");
        pthread_join(elsewhere, NULL);
    }
    client_close(&client);
}

/* ---- Failures ---- */

static void fail_early(struct exchange *exchange, struct loop *loop)
{
    (void)loop;
    exchange_finish(exchange, &(struct exchange_outcome){.status = 504, .text = "took too long"});
}

static void say_nothing(struct exchange *exchange, struct loop *loop)
{
    (void)loop;
    exchange_finish(exchange, &(struct exchange_outcome){.status = 0});
}

static void refuse(struct exchange *exchange, struct loop *loop)
{
    (void)loop;
    exchange_finish(exchange, &(struct exchange_outcome){.status = 503, .retry_after_s = 7});
}

static void a_failure_before_the_head_is_a_status(void **state)
{
    (void)state;
    static const struct act early = {fail_early}, silent = {say_nothing}, full = {refuse};
    world_route("GET /early", &early);
    world_route("GET /silent", &silent);
    world_route("GET /full", &full);
    world_start();
    struct client client = world_connect();
    client_expect(&client, GET("/early"), 504, "took too long\n");
    client_expect(&client, GET("/silent"), 502, "Bad Gateway\n");
    client_send_text(&client, GET("/full"));
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 503);
    assert_true(answer_has(&answer, "Retry-After: 7"));
    answer_fini(&answer);
    client_send_text(&client, "HEAD /silent HTTP/1.1\r\nHost: a\r\n\r\n");
    answer = client_read(&client, true);
    assert_int_equal(answer.status, 502);
    client_expect(&client, GET("/"), 200, "hello");
    client_close(&client);
}

/* ---- Addresses ---- */

static void ipv6_is_served(void **state)
{
    (void)state;
    world.options.listen = "[::1]:0";
    world_start();
    assert_int_equal(strncmp(server_address(world.server, 0), "http://[::1]:", 13), 0);
    struct client client = world_connect();
    client_expect(&client, GET("/"), 200, "hello");
    client_close(&client);
}

static void a_unix_socket_is_served_by_all_workers_and_removed_at_the_end(void **state)
{
    (void)state;
    char listen[100];
    snprintf(listen, sizeof(listen), "unix:%s/socket", world.folder);
    world.options.listen = listen;
    world.options.unix_mode = 0600;
    world_start();
    assert_string_equal(server_address(world.server, 0), listen);
    struct stat status;
    assert_int_equal(stat(listen + 5, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    for (int i = 0; i < 10; i++) {
        struct client client = world_connect();
        client_expect(&client, GET("/"), 200, "hello");
        client_close(&client);
    }
    WAIT_UNTIL(connections == 0);
    node_stop(world.node);
    server_destroy(TAKE(world.server));
    assert_int_equal(stat(listen + 5, &status), -1);
}

static void a_unix_client_that_writes_and_closes_at_once_is_served(void **state)
{
    (void)state;
    char listen[100];
    snprintf(listen, sizeof(listen), "unix:%s/socket", world.folder);
    world.options.listen = listen;
    struct err err = {0};
    world.server = server_create(world.node, &world.options, 1, &world.limits, &err);
    assert_non_null(world.server);
    /* Before anybody accepts, so that the end is there together with the request. */
    struct client client = world_connect();
    client_send_text(&client, GET("/"));
    client_send_text(&client, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab");
    client_close(&client);
    assert_true(server_start(world.server, &err));
    WAIT_UNTIL(accepted == 1 && server_counts(world.server).connections == 0);
    assert_true(atomic_load(&world.began) >= 1); /* The answer to the first ends it. */
}

static void only_the_socket_of_a_dead_server_is_replaced(void **state)
{
    (void)state;
    char listen_at[100];
    snprintf(listen_at, sizeof(listen_at), "unix:%s/socket", world.folder);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", listen_at + 5);
    world.options.listen = listen_at;

    int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(other, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(other, 5), 0);
    struct err err = {0};
    assert_null(server_create(world.node, &world.options, 1, &world.limits, &err));
    assert_int_equal(err.code, ERR_OS);
    assert_non_null(strstr(err.text, listen_at));
    assert_non_null(strstr(err.text, "Address already in use"));

    close(other); /* Its file stays. */
    struct server *server = server_create(world.node, &world.options, 1, &world.limits, &err);
    assert_non_null(server);
    server_destroy(server);

    FILE *file = fopen(listen_at + 5, "w");
    assert_non_null(file);
    fclose(file);
    assert_null(server_create(world.node, &world.options, 1, &world.limits, &err));
    assert_int_equal(unlink(listen_at + 5), 0); /* Not a socket: it was left alone. */
}

static void a_port_that_is_taken_is_refused_with_its_name(void **state)
{
    (void)state;
    world_start();
    const char *address = server_address(world.server, 0) + 7;
    struct serve_options again = world.options;
    again.listen = address;
    struct err err = {0};
    assert_null(server_create(world.node, &again, 1, &world.limits, &err));
    assert_int_equal(err.code, ERR_OS);
    char expected[100];
    snprintf(expected, sizeof(expected), "listen on %s: Address already in use", address);
    assert_string_equal(err.text, expected);
}

static void an_address_that_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "127.0.0.1", "127.0.0.1:x", ":80", "127.0.0.1:65536", "unix:", "256.1.1.1:80"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct err err = {0};
        world.options.listen = bad[i];
        assert_null(server_create(world.node, &world.options, 1, &world.limits, &err));
        assert_int_not_equal(err.code, ERR_NONE);
    }
}

static void a_header_that_may_not_be_added_is_refused(void **state)
{
    (void)state;
    static const struct header bad[] = {
        {{"Content-Length", 14}, {"1", 1}}, {{"A", 1}, {"b\r\nC: d", 7}}, {{"Date", 4}, {"x", 1}}};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct err err = {0};
        world.options.headers = &bad[i];
        world.options.header_count = 1;
        assert_null(server_create(world.node, &world.options, 1, &world.limits, &err));
        assert_int_equal(err.code, ERR_INPUT);
    }
}

int main(void)
{
#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, world_make, world_drop)
    const struct CMUnitTest tests[] = {
        SERVER_TEST(a_connection_serves_one_request_after_the_other),
        SERVER_TEST(pipelined_requests_are_answered_in_order),
        SERVER_TEST(pipelined_requests_wait_for_the_one_before),
        SERVER_TEST(an_answer_names_date_server_and_a_request_id_of_its_own),
        SERVER_TEST(the_server_line_can_be_replaced),
        SERVER_TEST(head_has_the_length_but_not_the_body),
        SERVER_TEST(a_path_without_the_method_says_which_it_has),
        SERVER_TEST(without_routes_everything_goes_to_one_target),
        SERVER_TEST(another_thread_may_answer),
        SERVER_TEST(a_failure_before_the_head_is_a_status),
        SERVER_TEST(ipv6_is_served),
        SERVER_TEST(a_unix_socket_is_served_by_all_workers_and_removed_at_the_end),
        SERVER_TEST(a_unix_client_that_writes_and_closes_at_once_is_served),
        SERVER_TEST(only_the_socket_of_a_dead_server_is_replaced),
        SERVER_TEST(a_port_that_is_taken_is_refused_with_its_name),
        SERVER_TEST(an_address_that_is_none_is_refused),
        SERVER_TEST(a_header_that_may_not_be_added_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
