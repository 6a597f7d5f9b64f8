/* Streams of events that the server ends. */
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
    unsigned news, gone;
} world;

static void on_news(struct exchange_carrier *carrier)
{
    assert_ptr_equal(carrier, &world.carrier);
    world.news++;
}

static void on_gone(void *argument)
{
    (void)argument;
    world.gone++;
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
    exchange_attach(world.exchange, (struct exchange_waker){.gone = on_gone});
}

static void begin_events(const char *text)
{
    size_t written = 0;
    assert_int_equal(exchange_begin_events(world.exchange, NULL, 0, 0), EXCHANGE_OK);
    assert_int_equal(exchange_write(world.exchange, text, strlen(text), &written), EXCHANGE_OK);
    assert_int_equal(written, strlen(text));
}

/* The writer's end; what the carrier is told of it. */
static unsigned finish(unsigned status)
{
    exchange_finish(world.exchange, &(struct exchange_outcome){.status = status});
    worker_run(world.worker);
    return world.exchange->outcome.status;
}

static void end(void)
{
    exchange_leave(world.exchange, false);
    exchange_release(world.exchange);
    assert_int_equal(atomic_load(&world.holding.bytes), 0);
}

static void its_writer_hears_that_nobody_listens_and_its_client_gets_what_there_is(void **state)
{
    (void)state;
    char data[100];
    size_t size = 0;
    open_for("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    begin_events("data: x\n\n");
    assert_true(exchange_dismiss(world.exchange));
    assert_int_equal(world.gone, 1);
    assert_true(exchange_gone(world.exchange));
    assert_int_equal(exchange_write(world.exchange, "y", 1, &size), EXCHANGE_CLOSED);
    assert_false(exchange_dismiss(world.exchange));
    assert_int_equal(world.gone, 1);
    assert_int_equal(exchange_out_read(world.exchange, data, sizeof data, &size), STREAM_OK);
    assert_int_equal(size, 9);
    assert_int_equal(exchange_out_read(world.exchange, data, sizeof data, &size), STREAM_WAIT);
    assert_int_equal(finish(0), 0);
    assert_int_equal(exchange_out_read(world.exchange, data, sizeof data, &size), STREAM_ENDED);
    end();
}

static void between_events_any_end_of_its_writer_is_a_good_one(void **state)
{
    (void)state;
    char data[100];
    size_t size = 0;
    open_for("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    begin_events("data: x\n\n");
    assert_true(exchange_dismiss(world.exchange));
    assert_int_equal(finish(502), 0);
    assert_int_equal(exchange_out_read(world.exchange, data, sizeof data, &size), STREAM_OK);
    end();
}

static void within_an_event_a_bad_end_is_one(void **state)
{
    (void)state;
    char data[100];
    size_t size = 0;
    open_for("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    begin_events("data: x\n\nda");
    exchange_set_within(world.exchange, true);
    assert_true(exchange_dismiss(world.exchange));
    assert_int_equal(finish(502), 502);
    assert_int_equal(exchange_out_read(world.exchange, data, sizeof data, &size), STREAM_OK);
    end();
}

static void other_answers_go_on(void **state)
{
    (void)state;
    char data[100];
    size_t size = 0;
    open_for("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_false(exchange_dismiss(world.exchange)); /* No answer yet. */
    assert_int_equal(exchange_begin(world.exchange, 200, NULL, 0, UINT64_MAX), EXCHANGE_OK);
    assert_false(exchange_dismiss(world.exchange));
    assert_int_equal(world.gone, 0);
    assert_int_equal(exchange_write(world.exchange, "body", 4, &size), EXCHANGE_OK);
    assert_int_equal(exchange_out_read(world.exchange, data, sizeof data, &size), STREAM_OK);
    assert_int_equal(finish(502), 502);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            its_writer_hears_that_nobody_listens_and_its_client_gets_what_there_is, make_world,
            drop_world),
        cmocka_unit_test_setup_teardown(between_events_any_end_of_its_writer_is_a_good_one,
                                        make_world, drop_world),
        cmocka_unit_test_setup_teardown(within_an_event_a_bad_end_is_one, make_world, drop_world),
        cmocka_unit_test_setup_teardown(other_answers_go_on, make_world, drop_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
