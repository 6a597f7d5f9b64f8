/* HTTP/2 against a real server on loopback: what the clock, files and upgrades have to do with it. */
#include "server_world.h"

#include "core/loop.h"
#include "h2_client.h"
#include "serve/http2.h"
#include "serve/session.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void open_client(struct h2_client *h2, uint32_t window_bytes)
{
    h2_open(h2, server_address(world.server, 0), window_bytes);
}

static void expect_body(const struct h2_answer *answer, const char *text)
{
    assert_int_equal(answer->body.size, strlen(text));
    assert_memory_equal(answer->body.data, text, strlen(text));
}

static void end_client(struct h2_client *h2)
{
    h2_close(h2);
    WAIT_UNTIL(connections == 0);
    WAIT_UNTIL(buffered_bytes == 0);
}

static void respond(struct exchange *exchange)
{
    answer_text(exchange, 200, "at last");
}

static void respond_to_nobody(struct exchange *exchange)
{
    assert_int_equal(exchange_respond(exchange, 200, NULL, 0, "x", 1), EXCHANGE_CLOSED);
    exchange_finish(exchange, &(struct exchange_outcome){0});
}

/* ---- Answers ---- */

static void streams_are_answered_side_by_side(void **state)
{
    (void)state;
    world_start();
    struct h2_client h2;
    open_client(&h2, 0);
    char *large = calloc(1, 1000000);
    assert_non_null(large);
    memset(large, 'x', 1000000);
    struct h2_answer *echo = h2_request(&h2, "POST", "/echo", NULL, large, 1000000, false);
    struct h2_answer *far = h2_request(&h2, "POST", "/far/echo", NULL, large, 1000000, false);
    struct h2_answer *hello = h2_request(&h2, "GET", "/", NULL, NULL, 0, false);
    struct h2_answer *head = h2_request(&h2, "HEAD", "/", NULL, NULL, 0, false);
    struct h2_answer *stream = h2_request(&h2, "GET", "/stream?n=300000", NULL, NULL, 0, false);
    struct h2_answer *lost = h2_request(&h2, "GET", "/nowhere", NULL, NULL, 0, false);
    H2_UNTIL(&h2, echo->ended && far->ended && hello->ended && head->ended && stream->ended &&
                      lost->ended);
    assert_int_equal(echo->status, 200);
    assert_int_equal(echo->body.size, 1000000);
    assert_memory_equal(echo->body.data, large, 1000000);
    assert_int_equal(far->body.size, 1000000);
    expect_body(hello, "hello");
    assert_int_equal(head->status, 200);
    assert_int_equal(head->body.size, 0);
    assert_int_equal(stream->body.size, 300000);
    assert_true(stream->whole);
    assert_int_equal(lost->status, 404);
    free(large);
    end_client(&h2);
}

static void answer_file(struct exchange *exchange, struct loop *loop)
{
    (void)loop;
    bool shrinks = text_equal(exchange_request(exchange)->path, "/shrinking");
    int file = memfd_create("answer", MFD_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, shrinks ? 1000 : 3000000), 0);
    enum exchange_result result = exchange_respond_file(exchange, 200, NULL, 0, file, 500, 2000000);
    assert_int_equal(result, EXCHANGE_OK);
    exchange_finish(exchange, &(struct exchange_outcome){0});
}
static const struct act act_file = {answer_file};

static void a_file_is_sent_and_one_that_shrank_is_a_reset(void **state)
{
    (void)state;
    world_route("GET /file", &act_file);
    world_route("GET /shrinking", &act_file);
    world_start();
    struct h2_client h2;
    open_client(&h2, 0);
    struct h2_answer *whole = h2_request(&h2, "GET", "/file", NULL, NULL, 0, false);
    struct h2_answer *cut = h2_request(&h2, "GET", "/shrinking", NULL, NULL, 0, false);
    H2_UNTIL(&h2, whole->ended && cut->ended);
    assert_int_equal(whole->body.size, 2000000);
    assert_true(whole->whole);
    assert_int_equal(cut->status, 200);
    assert_int_equal(cut->body.size, 500);
    assert_false(cut->whole);
    assert_int_equal(cut->code, NGHTTP2_INTERNAL_ERROR);
    end_client(&h2);
}

/* ---- Upgrades ---- */

/* A session that sends back what it gets. */
struct echo {
    struct session session;
    struct bytes bytes;
    bool finished;
};
static atomic_uint echoes_lost;

static void echo_receive(struct session *session, const char *data, size_t size)
{
    struct echo *echo = (struct echo *)session;
    assert_true(bytes_append(&echo->bytes, data, size));
    session_news(session);
}

static bool echo_wants(struct session *session)
{
    return ((struct echo *)session)->bytes.size < 1000;
}

static bool echo_produce(struct session *session, struct bytes *out, size_t limit)
{
    struct echo *echo = (struct echo *)session;
    size_t room = out->size < limit ? limit - out->size : 0;
    size_t size = echo->bytes.size < room ? echo->bytes.size : room;
    if (!bytes_append(out, echo->bytes.data, size)) {
        return false;
    }
    bytes_consume(&echo->bytes, size);
    if (size > 0) {
        session_news(session); /* It may want bytes again. */
    }
    return true;
}

static void echo_finished(struct session *session)
{
    ((struct echo *)session)->finished = true;
    session_news(session);
}

static bool echo_over(const struct session *session)
{
    const struct echo *echo = (const struct echo *)session;
    return echo->finished && echo->bytes.size == 0;
}

static uint64_t echo_due_ns(const struct session *session)
{
    (void)session;
    return 0;
}

static void echo_due(struct session *session, uint64_t now_ns)
{
    (void)session, (void)now_ns;
}

static bool echo_busy(const struct session *session)
{
    (void)session;
    return true;
}

static void echo_lose(struct session *session)
{
    struct echo *echo = (struct echo *)session;
    bytes_fini(&echo->bytes);
    free(echo);
    atomic_fetch_add(&echoes_lost, 1);
}

static const struct session_type echo_type = {
    .name = "websocket",
    .receive = echo_receive,
    .wants = echo_wants,
    .produce = echo_produce,
    .finished = echo_finished,
    .over = echo_over,
    .due_ns = echo_due_ns,
    .due = echo_due,
    .drain = echo_finished,
    .busy = echo_busy,
    .lose = echo_lose,
};

static void upgrade(struct exchange *exchange, struct loop *loop)
{
    (void)loop;
    assert_true(text_equal(exchange_request(exchange)->protocol, "websocket"));
    struct echo *echo = calloc(1, sizeof(*echo));
    assert_non_null(echo);
    echo->session.type = &echo_type;
    enum exchange_result result = exchange_upgrade(exchange, NULL, 0, &echo->session);
    assert_int_equal(result, EXCHANGE_OK);
    exchange_finish(exchange, &(struct exchange_outcome){0});
}
static const struct act act_upgrade = {upgrade};

static void a_stream_carries_a_session(void **state)
{
    (void)state;
    atomic_store(&echoes_lost, 0);
    world_route("WS /ws", &act_upgrade);
    world_route("WS /plain", &act_hello);
    world_start();
    struct h2_client h2;
    open_client(&h2, 0);
    H2_UNTIL(&h2, nghttp2_session_get_remote_settings(
                      h2.session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1);
    char *large = calloc(1, 1000000);
    assert_non_null(large);
    memset(large, 'y', 1000000);
    struct h2_answer *one = h2_request(&h2, "CONNECT", "/ws", "websocket", "hello", 5, true);
    struct h2_answer *other = h2_request(&h2, "CONNECT", "/ws", "websocket", NULL, 0, true);
    struct h2_answer *plain = h2_request(&h2, "CONNECT", "/", "websocket", NULL, 0, true);
    struct h2_answer *deaf = h2_request(&h2, "CONNECT", "/plain", "websocket", NULL, 0, true);
    struct h2_answer *foreign = h2_request(&h2, "CONNECT", "/ws", "ftp", NULL, 0, true);
    H2_UNTIL(&h2, one->body.size == 5 && other->status != 0 && plain->ended && deaf->ended &&
                      foreign->ended);
    assert_int_equal(one->status, 200);
    assert_int_equal(plain->status, 405);
    assert_int_equal(deaf->status, 400);
    assert_int_equal(foreign->status, 501);
    h2_send(&h2, one, large, 1000000, true);
    H2_UNTIL(&h2, one->ended);
    assert_true(one->whole);
    assert_int_equal(one->body.size, 1000005);
    wait_for_count(&echoes_lost, 1);
    /* The other ends with its client's patience. */
    nghttp2_submit_rst_stream(h2.session, NGHTTP2_FLAG_NONE, other->id, NGHTTP2_CANCEL);
    h2_turn(&h2, false);
    wait_for_count(&echoes_lost, 2);
    free(large);
    end_client(&h2);
}

static void a_session_ends_with_its_connection(void **state)
{
    (void)state;
    atomic_store(&echoes_lost, 0);
    world_route("WS /ws", &act_upgrade);
    world_start();
    struct h2_client h2;
    open_client(&h2, 0);
    H2_UNTIL(&h2, nghttp2_session_get_remote_settings(
                      h2.session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1);
    struct h2_answer *one = h2_request(&h2, "CONNECT", "/ws", "websocket", NULL, 0, true);
    H2_UNTIL(&h2, one->status == 200);
    end_client(&h2);
    wait_for_count(&echoes_lost, 1);
}

/* ---- Deadlines ---- */

static void a_stream_without_credit_is_reset_and_no_other(void **state)
{
    (void)state;
    world_start();
    struct h2_client h2;
    open_client(&h2, 1000);
    struct h2_answer *stuck = h2_request(&h2, "GET", "/stream?n=1000000", NULL, NULL, 0, false);
    struct h2_answer *parked = h2_request(&h2, "GET", "/park", NULL, NULL, 0, false);
    H2_UNTIL(&h2, stuck->body.size == 1000);
    wait_for_count(&world.parks, 1);
    world_pass_ms(world.options.write_timeout_ms + 1000);
    H2_UNTIL(&h2, stuck->ended);
    assert_int_equal(stuck->code, NGHTTP2_CANCEL);
    assert_int_equal(atomic_load(&world.gone), 1);
    assert_false(parked->ended);
    struct h2_answer *hello = h2_request(&h2, "GET", "/", NULL, NULL, 0, false);
    H2_UNTIL(&h2, hello->ended);
    expect_body(hello, "hello");
    world_with_parked(respond);
    H2_UNTIL(&h2, parked->ended);
    expect_body(parked, "at last");
    end_client(&h2);
}

static void a_body_that_comes_too_slowly_is_a_408_and_no_other(void **state)
{
    (void)state;
    world.options.body_rate_min = 1024;
    world_start();
    struct h2_client h2;
    open_client(&h2, 0);
    struct h2_answer *slow = h2_request(&h2, "POST", "/echo", NULL, "some", 4, true);
    struct h2_answer *hello = h2_request(&h2, "GET", "/", NULL, NULL, 0, false);
    H2_UNTIL(&h2, hello->ended);
    /* The server has the four bytes: they came before the request that was answered. */
    for (int i = 0; i < 3; i++) {
        world_settle();
        world_pass_ms(HTTP2_RATE_WINDOW_MS + 1000);
    }
    H2_UNTIL(&h2, slow->ended);
    assert_int_equal(slow->status, 408);
    hello = h2_request(&h2, "GET", "/", NULL, NULL, 0, false);
    H2_UNTIL(&h2, hello->ended);
    end_client(&h2);
}

static void an_idle_connection_is_told_so(void **state)
{
    (void)state;
    world_start();
    struct h2_client h2;
    open_client(&h2, 0);
    struct h2_answer *hello = h2_request(&h2, "GET", "/", NULL, NULL, 0, false);
    H2_UNTIL(&h2, hello->ended);
    world_settle();
    world_pass_ms(world.options.idle_timeout_ms + 1000);
    H2_UNTIL(&h2, h2.closed);
    assert_true(h2.goaway);
    assert_int_equal(h2.goaway_code, NGHTTP2_NO_ERROR);
    end_client(&h2);
}

static void a_head_that_comes_too_slowly_ends_the_connection(void **state)
{
    (void)state;
    world_start();
    struct h2_client h2;
    open_client(&h2, 0);
    struct h2_answer *parked = h2_request(&h2, "GET", "/park", NULL, NULL, 0, false);
    h2_turn(&h2, false);
    wait_for_count(&world.parks, 1);
    /* HEADERS of stream 3, of one line, without their end. */
    static const char head[] = "\0\0\1\1\0\0\0\0\3\x82";
    client_send(&h2.client, head, sizeof(head) - 1);
    client_wait_delivered(&h2.client);
    world_settle();
    world_pass_ms(world.options.header_timeout_ms + 1000);
    H2_UNTIL(&h2, h2.closed);
    assert_false(parked->whole);
    assert_int_equal(h2.goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
    wait_for_count(&world.gone, 1);
    world_with_parked(respond_to_nobody);
    end_client(&h2);
}

/* The process that has answered and goes on is told nothing until its connection ends. */
static void begin_behind(struct exchange *exchange)
{
    assert_int_equal(exchange_respond(exchange, 200, NULL, 0, "early", 5), EXCHANGE_OK);
}

static void finish_behind(struct exchange *exchange)
{
    exchange_finish(exchange, &(struct exchange_outcome){0});
}

static void a_process_may_go_on_behind_its_answer(void **state)
{
    (void)state;
    world_start();
    struct h2_client h2;
    open_client(&h2, 0);
    struct h2_answer *parked = h2_request(&h2, "GET", "/park", NULL, NULL, 0, false);
    h2_turn(&h2, false);
    wait_for_count(&world.parks, 1);
    world_with_parked(begin_behind);
    H2_UNTIL(&h2, parked->ended);
    expect_body(parked, "early");
    struct h2_answer *hello = h2_request(&h2, "GET", "/", NULL, NULL, 0, false);
    H2_UNTIL(&h2, hello->ended);
    assert_int_equal(atomic_load(&world.gone), 0);
    world_with_parked(finish_behind);
    end_client(&h2);
}

static void a_drain_lets_what_runs_end(void **state)
{
    (void)state;
    world_start();
    struct h2_client h2;
    open_client(&h2, 0);
    struct h2_answer *first = h2_request(&h2, "GET", "/stream?n=2000000", NULL, NULL, 0, false);
    H2_UNTIL(&h2, first->status == 200);
    world_settle();
    H2_UNTIL(&h2, first->ended);
    assert_true(server_drain(world.server, 20000));
    H2_UNTIL(&h2, h2.closed);
    assert_true(h2.goaway);
    assert_int_equal(h2.goaway_code, NGHTTP2_NO_ERROR);
    h2_close(&h2);
}

#define IN_WORLD(name) cmocka_unit_test_setup_teardown(name, world_make, world_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(streams_are_answered_side_by_side),
        IN_WORLD(a_file_is_sent_and_one_that_shrank_is_a_reset),
        IN_WORLD(a_stream_carries_a_session),
        IN_WORLD(a_session_ends_with_its_connection),
        IN_WORLD(a_stream_without_credit_is_reset_and_no_other),
        IN_WORLD(a_body_that_comes_too_slowly_is_a_408_and_no_other),
        IN_WORLD(an_idle_connection_is_told_so),
        IN_WORLD(a_head_that_comes_too_slowly_ends_the_connection),
        IN_WORLD(a_process_may_go_on_behind_its_answer),
        IN_WORLD(a_drain_lets_what_runs_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
