/* Streamed answers that say that they are complete, before whoever wrote them has ended. */
#include "../base/cmocka_all.h"

#include "requests.h"
#include "serve/exchange_internal.h"

#include "core/node.h"

enum { STREAM_BYTES = 1000 };

static struct {
    struct node *node;
    struct worker *worker;
    struct exchange_home home;
    struct holding_sum sum;
    struct holding holding;
    struct exchange *exchange;
    struct exchange_carrier carrier;
    unsigned news;
} world;

static void on_news(struct exchange_carrier *carrier)
{
    assert_ptr_equal(carrier, &world.carrier);
    world.news++;
}

static int make_world(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    struct err err = {0};
    struct node_options options = {.workers = 1, .tick_ns = 1000000, .env = env_system()};
    world.node = node_create(&options, &err);
    if (world.node == NULL) {
        return 1;
    }
    world.worker = &node_loop(world.node, 0)->worker;
    world.home = (struct exchange_home){.worker = world.worker, .holding = &world.holding};
    world.carrier.news = on_news;
    world.exchange = exchange_create(&world.home);
    return world.exchange == NULL;
}

static int drop_world(void **state)
{
    (void)state;
    node_destroy(world.node);
    return 0;
}

static void open_for(const char *head)
{
    struct http1_rules rules;
    struct http1 http1;
    http1_rules_init(&rules, 1000, 10, 100);
    http1_init(&http1, &rules);
    struct http1_step step = http1_feed(&http1, &world.exchange->request, head, strlen(head));
    assert_int_equal(step.event, HTTP1_HEAD);
    exchange_open(world.exchange, &world.carrier, STREAM_BYTES);
    exchange_retain(world.exchange);
}

static void part(unsigned status)
{
    exchange_finish(world.exchange, &(struct exchange_outcome){.status = status});
    worker_run(world.worker);
    exchange_leave(world.exchange, false);
}

static void end(unsigned status)
{
    part(status);
    exchange_release(world.exchange);
    assert_int_equal(atomic_load(&world.holding.bytes), 0);
}

static void begin_with(const char *body, uint64_t length)
{
    size_t written = 0;
    assert_int_equal(exchange_begin(world.exchange, 200, NULL, 0, length), EXCHANGE_OK);
    assert_int_equal(exchange_write(world.exchange, body, strlen(body), &written), EXCHANGE_OK);
    assert_int_equal(written, strlen(body));
}

static void its_end_is_there_before_its_writers(void **state)
{
    (void)state;
    char data[10];
    size_t size = 0;
    open_for("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    begin_with("body", UINT64_MAX);
    assert_int_equal(exchange_out_read(world.exchange, data, sizeof data, &size), STREAM_OK);
    assert_int_equal(exchange_out_read(world.exchange, data, sizeof data, &size), STREAM_WAIT);
    worker_run(world.worker);
    unsigned before = world.news;
    exchange_complete(world.exchange, NULL, 0);
    worker_run(world.worker);
    assert_int_equal(world.news, before + 1);
    assert_int_equal(exchange_out_read(world.exchange, data, sizeof data, &size), STREAM_ENDED);
    struct exchange_view view = exchange_look(world.exchange);
    assert_true(view.completed);
    assert_false(view.finished);
    end(502);
}

static void nothing_can_be_written_behind_it(void **state)
{
    (void)state;
    size_t written = 0;
    open_for("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    begin_with("body", 4);
    exchange_complete(world.exchange, NULL, 0);
    assert_int_equal(exchange_write(world.exchange, "x", 1, &written), EXCHANGE_MISPLACED);
    end(0);
}

static void without_a_streamed_answer_it_does_nothing(void **state)
{
    (void)state;
    open_for("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    exchange_complete(world.exchange, NULL, 0);
    assert_false(exchange_look(world.exchange).completed);
    assert_int_equal(exchange_respond(world.exchange, 200, NULL, 0, "x", 1), EXCHANGE_OK);
    exchange_complete(world.exchange, NULL, 0);
    assert_false(exchange_look(world.exchange).completed);
    end(0);
}

static void trailers_are_lines_unless_one_may_not_be_sent(void **state)
{
    (void)state;
    static const struct header good[] = {{{"X-Sum", 5}, {"42", 2}}, {{"X-Other", 7}, {"", 0}}};
    static const struct header bad[] = {{{"X-Sum", 5}, {"42", 2}},
                                        {{"Content-Length", 14}, {"4", 1}}};
    open_for("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    begin_with("body", UINT64_MAX);
    exchange_complete(world.exchange, good, 2);
    assert_int_equal(exchange_out_trailers(world.exchange).size, 22);
    assert_memory_equal(exchange_out_trailers(world.exchange).data, "X-Sum: 42\r\nX-Other: \r\n",
                        22);
    part(0);
    exchange_recycle(world.exchange);
    assert_int_equal(exchange_out_trailers(world.exchange).size, 0);
    open_for("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    begin_with("body", UINT64_MAX);
    exchange_complete(world.exchange, bad, 2);
    assert_int_equal(exchange_out_trailers(world.exchange).size, 0);
    assert_true(exchange_look(world.exchange).completed);
    end(0);
}

static void trailers_of_the_request_are_there_with_its_end(void **state)
{
    (void)state;
    char data[10];
    size_t size = 0;
    open_for("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    exchange_body_add(world.exchange, (struct text){"body", 4});
    assert_true(exchange_body_trailers(world.exchange, (struct text){"a: b", 4}));
    assert_true(exchange_body_trailers(world.exchange, (struct text){"c\n", 2}));
    exchange_body_end(world.exchange);
    assert_int_equal(exchange_read(world.exchange, data, sizeof data, &size), EXCHANGE_OK);
    assert_int_equal(exchange_read(world.exchange, data, sizeof data, &size), EXCHANGE_ENDED);
    struct text trailers = exchange_trailers(world.exchange);
    assert_int_equal(trailers.size, 6);
    assert_memory_equal(trailers.data, "a: bc\n", 6);
    end(502);
}

int main(void)
{
#define COMPLETE_TEST(name) cmocka_unit_test_setup_teardown(name, make_world, drop_world)
    const struct CMUnitTest tests[] = {
        COMPLETE_TEST(its_end_is_there_before_its_writers),
        COMPLETE_TEST(nothing_can_be_written_behind_it),
        COMPLETE_TEST(without_a_streamed_answer_it_does_nothing),
        COMPLETE_TEST(trailers_are_lines_unless_one_may_not_be_sent),
        COMPLETE_TEST(trailers_of_the_request_are_there_with_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
