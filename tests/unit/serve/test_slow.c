/* Readers that are slow: what they hold, for how long, and whom they keep waiting. */
#include "server_world.h"

#include "core/loop.h"
#include "serve/exchange_internal.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* A client whose side of the connection takes little. */
static struct client connect_narrow(void)
{
    struct client client = world_connect();
    int bytes = 128 * 1024;
    assert_int_equal(setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
    return client;
}

/* Read so much, and drop it. False: the server cut it. */
static bool read_some(struct client *client, size_t size)
{
    char data[4096];
    while (size > 0) {
        ssize_t got = recv(client->fd, data, size < sizeof(data) ? size : sizeof(data), 0);
        if (got <= 0) {
            return false;
        }
        size -= (size_t)got;
    }
    return true;
}

/* ---- For how long ---- */

/* More than the client's side holds, so that some of it was sent and acknowledged meanwhile; less than
 * what makes the server's socket writable again. */
enum { STEP_BYTES = 500 * 1024, STEP_MS = 20000 };

static void a_reader_that_is_slow_but_steady_is_not_cut(void **state)
{
    (void)state;
    world_start();
    struct client client = connect_narrow();
    client_send_text(&client, GET("/stream?n=100000000"));
    WAIT_UNTIL(buffered_bytes >= 256 * 1024);
    for (int i = 0; i < 4; i++) {
        assert_true(read_some(&client, STEP_BYTES));
        world_pass_ms(STEP_MS);
    }
    assert_int_equal(atomic_load(&world.gone), 0);
    assert_int_equal(server_counts(world.server).connections, 1);
    client_reset(&client);
    WAIT_UNTIL(connections == 0);
}

static void a_reader_below_the_least_rate_is_cut(void **state)
{
    (void)state;
    world.options.body_rate_min = 100 * 1024;
    world_start();
    struct client client = connect_narrow();
    client_send_text(&client, GET("/stream?n=100000000"));
    WAIT_UNTIL(buffered_bytes >= 256 * 1024);
    for (int i = 0; i < 4 && read_some(&client, STEP_BYTES); i++) {
        world_pass_ms(STEP_MS);
    }
    /* Each time that everything was sent for a moment the wait has begun anew. */
    while (atomic_load(&world.gone) == 0) {
        world_pass_ms(2000);
    }
    WAIT_UNTIL(connections == 0);
    client_close(&client);
}

/* ---- How much ---- */

enum {
    HELD_MAX = 1024 * 1024,
    HELD_SLACK = 128 * 1024, /* What the two lanes may not have told. */
};

static void above_the_bound_nobody_is_dispatched_to(void **state)
{
    (void)state;
    world.limits.buffered_bytes_max = HELD_MAX;
    world.options.stream_buffer_bytes = 8 * 1024 * 1024;
    world_start();
    assert_int_equal(server_counts(world.server).buffered_bytes_max, HELD_MAX);
    struct client slow = connect_narrow();
    client_send_text(&slow, GET("/stream?n=100000000"));
    WAIT_UNTIL(buffered_bytes >= HELD_MAX - HELD_SLACK);
    struct client other = world_connect();
    unsigned status = 0, began = 0;
    while (status != 503) {
        began = atomic_load(&world.began);
        client_send_text(&other, GET("/"));
        struct answer answer = client_read(&other, false);
        status = answer.status;
        assert_true(status == 200 || answer_has(&answer, "Retry-After: 1"));
        answer_fini(&answer);
    }
    assert_int_equal(atomic_load(&world.began), began);
    /* The stream gives way: it gets little by little only. */
    assert_true(server_counts(world.server).buffered_bytes < 2 * HELD_MAX);
    client_reset(&slow);
    WAIT_UNTIL(buffered_bytes < HELD_MAX / 2);
    client_expect(&other, GET("/"), 200, "hello");
    client_close(&other);
}

static void try_too_much(struct exchange *exchange, struct loop *loop)
{
    (void)loop;
    static const char much[2 * HELD_MAX];
    INVARIANT(exchange_respond(exchange, 200, NULL, 0, much, sizeof(much)) == EXCHANGE_FULL);
    INVARIANT(!exchange_has_begun(exchange));
    exchange_finish(exchange, &(struct exchange_outcome){.exit_class = "normal"});
}

static void an_answer_for_which_there_is_no_room_becomes_a_503(void **state)
{
    (void)state;
    static const struct act act = {try_too_much};
    world_route("GET /much", &act);
    world.limits.buffered_bytes_max = HELD_MAX;
    world_start();
    struct client client = world_connect();
    client_send_text(&client, GET("/much"));
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 503);
    assert_true(answer_has(&answer, "Retry-After: 1"));
    answer_fini(&answer);
    client_expect(&client, GET("/"), 200, "hello");
    client_close(&client);
}

/* ---- Whom they keep waiting ---- */

enum { FLOOD_BYTES = 48 * 1024 * 1024, SHARE_BYTES = 1024 * 1024, PIECE_BYTES = 64 * 1024 };

/* Called in each round of the loop, as its descriptor is always readable. */
static struct {
    struct source source;
    struct exchange *exchange;
    uint64_t before, most; /* bytes of the stream that went out: until the last round, and in one */
} rounds;

static void on_round(struct source *source, uint32_t events)
{
    (void)source;
    (void)events;
    uint64_t sent = rounds.exchange->sent_bytes;
    uint64_t more = sent - rounds.before;
    rounds.most = more > rounds.most ? more : rounds.most;
    rounds.before = sent;
}

static void flood(struct exchange *exchange, struct loop *loop)
{
    struct err err = {0};
    rounds.exchange = exchange;
    exchange_retain(exchange);
    rounds.source = (struct source){.ready = on_round, .fd = eventfd(1, EFD_CLOEXEC)};
    INVARIANT(loop_add(loop, &rounds.source, EPOLLIN, &err));
    INVARIANT(exchange_begin(exchange, 200, NULL, 0, FLOOD_BYTES) == EXCHANGE_OK);
    char *data = calloc(1, FLOOD_BYTES);
    size_t written = 0;
    INVARIANT(exchange_write(exchange, data, FLOOD_BYTES, &written) == EXCHANGE_OK);
    INVARIANT(written == FLOOD_BYTES);
    free(data);
    exchange_finish(exchange, &(struct exchange_outcome){0});
    world.parked_loop = loop;
    atomic_fetch_add(&world.parks, 1);
}

static void end_rounds(struct loop *loop, void *argument)
{
    (void)argument;
    loop_remove(loop, &rounds.source);
    close(rounds.source.fd);
    exchange_release(rounds.exchange);
}

static void a_fast_stream_leaves_the_loop_to_others_after_its_share(void **state)
{
    (void)state;
    static const struct act act = {flood};
    world_route("GET /flood", &act);
    world.options.stream_buffer_bytes = FLOOD_BYTES;
    memset(&rounds, 0, sizeof(rounds));
    world_start();
    struct client client = world_connect();
    client_send_text(&client, GET("/flood"));
    struct answer answer = client_read(&client, false);
    assert_true(answer.whole);
    assert_int_equal(answer.body.size, FLOOD_BYTES);
    answer_fini(&answer);
    loop_call(world.parked_loop, end_rounds, NULL);
    assert_true(rounds.most > 0);
    /* A share behind the last look at input, and one before this. */
    assert_true(rounds.most <= 2 * (SHARE_BYTES + PIECE_BYTES));
    client_close(&client);
}

/* ---- Large answers in pieces ---- */

static void large_step(struct performer *performer)
{
    static const char some[100000];
    while (performer->written < performer->total) {
        uint64_t left = performer->total - performer->written;
        size_t size = left < sizeof(some) ? (size_t)left : sizeof(some), written = 0;
        enum exchange_result result = exchange_write(performer->exchange, some, size, &written);
        if (result == EXCHANGE_WAIT) {
            return;
        }
        if (result != EXCHANGE_OK) {
            break;
        }
        performer->written += written;
    }
    performer_finish(performer, 0);
}

enum { LARGE_BYTES = 30 * 1000 * 1000 };

static void large_begin(struct performer *performer)
{
    static const struct header header = {{"X-A", 3}, {"b", 1}};
    performer->total = LARGE_BYTES;
    INVARIANT(exchange_begin_whole(performer->exchange, 200, &header, 1, LARGE_BYTES) ==
              EXCHANGE_OK);
    performer->step = large_step;
    large_step(performer);
}

static void large(struct exchange *exchange, struct loop *loop)
{
    performer_start(exchange, loop, large_begin);
}

static void a_whole_answer_in_pieces_is_finished_for_a_half_closed_client(void **state)
{
    (void)state;
    static const struct act act = {large};
    world_route("GET /large", &act);
    world_start();
    struct client client = connect_narrow();
    client_send_text(&client, GET("/large"));
    shutdown(client.fd, SHUT_WR);
    WAIT_UNTIL(buffered_bytes >= 256 * 1024);
    world_settle();
    assert_true(server_counts(world.server).buffered_bytes < 512 * 1024);
    assert_int_equal(atomic_load(&world.gone), 0);
    struct answer answer = client_read(&client, false);
    assert_true(answer_has(&answer, "Content-Length: 30000000"));
    assert_true(answer_has(&answer, "X-A: b"));
    assert_true(answer.whole);
    assert_int_equal(answer.body.size, LARGE_BYTES);
    answer_fini(&answer);
    assert_true(client_is_closed(&client));
    client_close(&client);
}

int main(void)
{
#define SLOW_TEST(name) cmocka_unit_test_setup_teardown(name, world_make, world_drop)
    const struct CMUnitTest tests[] = {
        SLOW_TEST(a_reader_that_is_slow_but_steady_is_not_cut),
        SLOW_TEST(a_reader_below_the_least_rate_is_cut),
        SLOW_TEST(above_the_bound_nobody_is_dispatched_to),
        SLOW_TEST(an_answer_for_which_there_is_no_room_becomes_a_503),
        SLOW_TEST(a_fast_stream_leaves_the_loop_to_others_after_its_share),
        SLOW_TEST(a_whole_answer_in_pieces_is_finished_for_a_half_closed_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
