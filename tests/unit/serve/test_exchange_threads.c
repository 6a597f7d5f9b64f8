#include "../base/cmocka_all.h"

#include "requests.h"
#include "serve/exchange_internal.h"

#include "core/node.h"

#include <pthread.h>
#include <sched.h>

enum { STREAM_BYTES = 1000 };

static struct {
    struct node *node;
    struct exchange_home home;
    struct holding holding;
    struct exchange *exchange;
    struct exchange_carrier carrier;
} world;

static void open_world(void (*news)(struct exchange_carrier *carrier))
{
    struct err err = {0};
    struct node_options options = {.workers = 1, .tick_ns = 1000000, .env = env_system()};
    world.node = node_create(&options, &err);
    assert_non_null(world.node);
    world.home = (struct exchange_home){.worker = &node_loop(world.node, 0)->worker,
                                        .holding = &world.holding};
    world.carrier.news = news;
    world.exchange = exchange_create(&world.home);
    assert_non_null(world.exchange);
    struct http1_rules rules;
    struct http1 http1;
    http1_rules_init(&rules, 1000, 10, 100);
    http1_init(&http1, &rules);
    static const char head[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n";
    struct http1_step step = http1_feed(&http1, &world.exchange->request, head, sizeof(head) - 1);
    assert_int_equal(step.event, HTTP1_HEAD);
    exchange_open(world.exchange, &world.carrier, STREAM_BYTES);
    exchange_retain(world.exchange);
}

enum { TOTAL = 4 * 1024 * 1024 };

/* What the loop's side does with its own hands. */
static struct {
    atomic_bool done;
    uint64_t sent, received;
    bool wrong;
} pump;

static unsigned char byte_at(uint64_t position)
{
    return (unsigned char)(position * 31 + position / 251);
}

/* The connection's side: push the body, pull the answer. */
static void pump_news(struct exchange_carrier *carrier)
{
    (void)carrier;
    char data[700];
    struct exchange_view view = exchange_look(world.exchange);
    size_t room = view.body_wanted && pump.sent < TOTAL ? exchange_body_room(world.exchange) : 0;
    while (room > 0 && pump.sent < TOTAL) {
        size_t size = room < sizeof(data) ? room : sizeof(data);
        size = TOTAL - pump.sent < size ? (size_t)(TOTAL - pump.sent) : size;
        for (size_t i = 0; i < size; i++) {
            data[i] = (char)byte_at(pump.sent++);
        }
        exchange_body_add(world.exchange, (struct text){data, size});
        if (pump.sent == TOTAL) {
            exchange_body_end(world.exchange);
        }
        room = exchange_body_room(world.exchange);
    }
    if (view.answer != ANSWER_STREAM) {
        return;
    }
    size_t read = 0;
    enum stream_result result;
    while ((result = exchange_out_read(world.exchange, data, sizeof(data), &read)) == STREAM_OK) {
        for (size_t i = 0; i < read; i++) {
            pump.wrong = pump.wrong || (unsigned char)data[i] != byte_at(pump.received);
            pump.received++;
        }
    }
    if (result == STREAM_ENDED && !atomic_load(&pump.done)) {
        exchange_leave(world.exchange, false);
        atomic_store(&pump.done, true);
    }
}

static atomic_uint bell;

static void ring(void *argument)
{
    (void)argument;
    atomic_fetch_add(&bell, 1);
}

/* Wait for a wake that came after `seen`. */
static void wait_for_bell(unsigned seen)
{
    while (atomic_load(&bell) == seen) {
        sched_yield();
    }
}

/* The answering side: send back what is read. */
static void *echo(void *argument)
{
    (void)argument;
    char data[300];
    size_t read = 0, count = 0;
    for (;;) {
        unsigned seen = atomic_load(&bell);
        enum exchange_result result = exchange_read(world.exchange, data, sizeof(data), &read);
        if (result == EXCHANGE_ENDED) {
            break;
        }
        if (result == EXCHANGE_WAIT) {
            wait_for_bell(seen);
            continue;
        }
        for (size_t at = 0; at < read;) {
            seen = atomic_load(&bell);
            result = exchange_write(world.exchange, data + at, read - at, &count);
            if (result == EXCHANGE_OK) {
                at += count;
            } else {
                wait_for_bell(seen);
            }
        }
    }
    exchange_detach(world.exchange);
    exchange_finish(world.exchange, &(struct exchange_outcome){.status = 0});
    return NULL;
}

static void both_sides_may_run_at_once(void **state)
{
    (void)state;
    open_world(pump_news);
    exchange_attach(world.exchange, (struct exchange_waker){.wake = ring});
    struct err err = {0};
    assert_true(node_start(world.node, &err));
    assert_int_equal(exchange_begin(world.exchange, 200, NULL, 0, UINT64_MAX), EXCHANGE_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, echo, NULL), 0);
    pthread_join(thread, NULL);
    while (!atomic_load(&pump.done)) {
        sched_yield();
    }
    node_stop(world.node);
    assert_false(pump.wrong);
    assert_int_equal(pump.sent, TOTAL);
    assert_int_equal(pump.received, TOTAL);
    exchange_release(world.exchange);
    assert_int_equal(atomic_load(&world.holding.bytes), 0);
    node_destroy(world.node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_may_run_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
