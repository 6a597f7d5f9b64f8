#include "../base/cmocka_all.h"

#include "requests.h"
#include "serve/exchange_internal.h"

#include "core/node.h"

enum { PERIOD_NS = 15000000 };

/* A clock that a test sets, a loop that it turns, and an exchange between the test as connection and as answering side. */
static struct {
    struct env env;
    uint64_t now_ns;
    struct node *node;
    struct worker *worker;
    struct exchange_home home;
    struct holding holding;
    struct exchange *exchange;
    struct exchange_carrier carrier;
    unsigned news;
    char out[256];
} world;

static uint64_t now_ns(struct env *env)
{
    (void)env;
    return world.now_ns;
}

static void on_news(struct exchange_carrier *carrier)
{
    (void)carrier;
    world.news++;
}

static int make_world(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    world.env = *env_system();
    world.env.monotonic_ns = now_ns;
    world.now_ns = 1000000000;
    struct err err = {0};
    struct node_options options = {.workers = 1, .tick_ns = 1000000, .env = &world.env};
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

static void begin(const char *head, uint64_t heartbeat_ns)
{
    struct http1_rules rules;
    struct http1 http1;
    http1_rules_init(&rules, 1000, 10, 100);
    http1_init(&http1, &rules);
    struct http1_step step = http1_feed(&http1, &world.exchange->request, head, strlen(head));
    assert_int_equal(step.event, HTTP1_HEAD);
    exchange_open(world.exchange, &world.carrier, 64);
    exchange_retain(world.exchange);
    assert_int_equal(exchange_begin_events(world.exchange, NULL, 0, heartbeat_ns), EXCHANGE_OK);
    worker_run(world.worker);
}

static void begin_get(void)
{
    begin("GET / HTTP/1.1\r\nHost: a\r\n\r\n", PERIOD_NS);
}

/* So much later: how often the carrier got news. */
static unsigned later(uint64_t after_ns)
{
    unsigned before = world.news;
    world.now_ns += after_ns + 1000000; /* A timer may be late by so much. */
    worker_run(world.worker);
    worker_run(world.worker); /* What a timer deferred. */
    return world.news - before;
}

/* What the carrier gets, as text. */
static const char *take(void)
{
    size_t size = 0;
    memset(world.out, 0, sizeof world.out);
    enum stream_result result = exchange_out_read(world.exchange, world.out, sizeof world.out - 1,
                                                  &size);
    assert_true(result == STREAM_OK || (result == STREAM_WAIT && size == 0));
    return world.out;
}

static void write_text(const char *text)
{
    size_t written = 0;
    assert_int_equal(exchange_write(world.exchange, text, strlen(text), &written), EXCHANGE_OK);
    assert_int_equal(written, strlen(text));
}

/* The client leaves; everything is given back, and no timer runs on. */
static void end(void)
{
    exchange_leave(world.exchange, true);
    exchange_finish(world.exchange, &(struct exchange_outcome){0});
    later(10 * PERIOD_NS);
    assert_true(exchange_is_free(world.exchange));
    exchange_recycle(world.exchange);
    exchange_release(world.exchange);
    assert_int_equal(atomic_load(&world.holding.bytes), 0);
    assert_int_equal(atomic_load(&world.worker->timers.running), 0);
}

static void a_silent_stream_gives_a_comment_each_period(void **state)
{
    (void)state;
    begin_get();
    assert_string_equal(take(), "");
    assert_int_equal(later(PERIOD_NS / 2), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(later(PERIOD_NS), 1);
        assert_string_equal(take(), ":\n\n");
        assert_string_equal(take(), "");
    }
    end();
}

static void what_is_sent_puts_it_off(void **state)
{
    (void)state;
    begin_get();
    assert_string_equal(take(), "");
    later(PERIOD_NS - 2000000);
    write_text("data: x\n\n");
    assert_string_equal(take(), "data: x\n\n");
    assert_string_equal(take(), "");
    later(4000000); /* The timer looks, and is set again. */
    assert_string_equal(take(), "");
    assert_int_equal(later(PERIOD_NS), 1);
    assert_string_equal(take(), ":\n\n");
    end();
}

static void it_is_never_put_into_an_event(void **state)
{
    (void)state;
    begin_get();
    assert_string_equal(take(), "");
    exchange_set_within(world.exchange, true);
    write_text("data: x");
    assert_string_equal(take(), "data: x");
    assert_string_equal(take(), "");
    for (int i = 0; i < 3; i++) {
        later(2 * PERIOD_NS);
        assert_string_equal(take(), "");
    }
    write_text("\n\n");
    exchange_set_within(world.exchange, false);
    assert_string_equal(take(), "\n\n");
    assert_string_equal(take(), "");
    later(2 * PERIOD_NS);
    assert_string_equal(take(), ":\n\n");
    end();
}

static void what_waits_for_a_slow_client_goes_first_and_is_sign_of_life_enough(void **state)
{
    (void)state;
    begin_get();
    assert_string_equal(take(), "");
    write_text("data: x\n\n");
    assert_int_equal(later(2 * PERIOD_NS), 2); /* Of the write and of the timer. */
    assert_string_equal(take(), "data: x\n\n");
    assert_string_equal(take(), "");
    end();
}

static void a_carrier_that_has_no_room_for_it_gets_none(void **state)
{
    (void)state;
    begin_get();
    assert_string_equal(take(), "");
    later(2 * PERIOD_NS);
    char two[2];
    size_t size = 9;
    assert_int_equal(exchange_out_read(world.exchange, two, sizeof two, &size), STREAM_WAIT);
    assert_int_equal(size, 0);
    assert_string_equal(take(), ":\n\n");
    end();
}

static void without_a_period_there_is_none(void **state)
{
    (void)state;
    begin("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    assert_string_equal(take(), "");
    assert_int_equal(later(100 * (uint64_t)PERIOD_NS), 0);
    assert_string_equal(take(), "");
    end();
}

static void the_answer_to_head_has_none(void **state)
{
    (void)state;
    begin("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", PERIOD_NS);
    assert_string_equal(take(), "");
    assert_int_equal(later(2 * PERIOD_NS), 0);
    end();
}

static void a_client_that_leaves_when_it_is_due_is_forgotten(void **state)
{
    (void)state;
    begin_get();
    assert_string_equal(take(), "");
    assert_int_equal(later(2 * PERIOD_NS), 1);
    end();
}

#define HEARTBEAT_TEST(name) cmocka_unit_test_setup_teardown(name, make_world, drop_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HEARTBEAT_TEST(a_silent_stream_gives_a_comment_each_period),
        HEARTBEAT_TEST(what_is_sent_puts_it_off),
        HEARTBEAT_TEST(it_is_never_put_into_an_event),
        HEARTBEAT_TEST(what_waits_for_a_slow_client_goes_first_and_is_sign_of_life_enough),
        HEARTBEAT_TEST(a_carrier_that_has_no_room_for_it_gets_none),
        HEARTBEAT_TEST(without_a_period_there_is_none),
        HEARTBEAT_TEST(the_answer_to_head_has_none),
        HEARTBEAT_TEST(a_client_that_leaves_when_it_is_due_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
