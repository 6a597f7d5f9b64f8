/* The answering side of a compressed answer, whatever becomes of it: nothing stays held. */
#include "../base/cmocka_all.h"

#include "core/node.h"
#include "serve/exchange_internal.h"
#include "serve/http1.h"

#include <string.h>
#include <zlib.h>

enum { STREAM_BYTES = 4096, BODY_BYTES = 100000 };

static const char *const TYPES[] = {"text/*", NULL};
static const struct compression COMPRESSION = {
    .offered = {ENCODING_GZIP}, .offered_count = 1, .types = TYPES, .bytes_min = 10};
static const struct shaping SHAPING = {.compression = &COMPRESSION};

static struct {
    struct node *node;
    struct worker *worker;
    struct exchange_home home;
    struct holding_sum sum;
    struct holding holding;
    struct exchange *exchange;
    struct exchange_carrier carrier;
    unsigned wakes;
    uint8_t body[BODY_BYTES];
} world;

static void on_news(struct exchange_carrier *carrier)
{
    assert_ptr_equal(carrier, &world.carrier);
}

static void on_wake(void *argument)
{
    (void)argument;
    world.wakes++;
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
    world.holding.sum = &world.sum;
    world.carrier.news = on_news;
    world.exchange = exchange_create(&world.home);
    for (size_t i = 0; i < BODY_BYTES; i++) {
        world.body[i] = (uint8_t)(i * i % 251);
    }
    return world.exchange == NULL;
}

static int drop_world(void **state)
{
    (void)state;
    exchange_release(world.exchange);
    bool held = atomic_load(&world.holding.bytes) != 0;
    node_destroy(world.node);
    return held;
}

static void open_get(void)
{
    static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n";
    struct http1_rules rules;
    struct http1 http1;
    http1_rules_init(&rules, 1000, 10, 100);
    http1_init(&http1, &rules);
    struct http1_step step = http1_feed(&http1, &world.exchange->request, head, strlen(head));
    assert_int_equal(step.event, HTTP1_HEAD);
    exchange_open(world.exchange, &world.carrier, STREAM_BYTES);
    world.exchange->shaping = &SHAPING;
    exchange_retain(world.exchange);
    exchange_attach(world.exchange, (struct exchange_waker){.wake = on_wake, .argument = &world});
}

static enum exchange_result begin(uint64_t length)
{
    static const struct header type = {{"Content-Type", 12}, {"text/x", 6}};
    return exchange_begin(world.exchange, 200, &type, 1, length);
}

static void finish(unsigned status)
{
    exchange_finish(world.exchange, &(struct exchange_outcome){.status = status});
}

static void leave(bool gone)
{
    worker_run(world.worker);
    exchange_leave(world.exchange, gone);
    worker_run(world.worker);
}

/* Write from `at` until it would wait. */
static size_t write_some(size_t at)
{
    size_t written = 0;
    while (at < BODY_BYTES && exchange_write(world.exchange, world.body + at, BODY_BYTES - at,
                                             &written) == EXCHANGE_OK) {
        assert_in_range(written, 1, COMPRESSOR_BITE);
        at += written;
    }
    return at;
}

static void a_reader_gets_all_of_it_through_a_small_stream(void **state)
{
    (void)state;
    open_get();
    assert_int_equal(begin(BODY_BYTES), EXCHANGE_OK);
    assert_true(world.exchange->length == UINT64_MAX);
    z_stream inflater = {0};
    assert_int_equal(inflateInit2(&inflater, 31), Z_OK);
    static uint8_t back[BODY_BYTES + 1];
    inflater.next_out = back;
    inflater.avail_out = sizeof(back);
    size_t at = 0, size = 0;
    uint8_t piece[700];
    enum stream_result result = STREAM_WAIT;
    bool finished = false;
    while (result != STREAM_ENDED) {
        at = write_some(at);
        if (at == BODY_BYTES && !finished) {
            finish(0); /* while the stream is full */
            finished = true;
        }
        result = exchange_out_read(world.exchange, piece, sizeof(piece), &size);
        if (result == STREAM_OK) {
            inflater.next_in = piece;
            inflater.avail_in = (unsigned)size;
            (void)inflate(&inflater, Z_NO_FLUSH);
        }
        worker_run(world.worker);
    }
    assert_int_equal(inflater.total_out, BODY_BYTES);
    assert_memory_equal(back, world.body, BODY_BYTES);
    assert_int_equal(inflate(&inflater, Z_FINISH), Z_STREAM_END);
    assert_true(world.wakes > 0);
    assert_int_equal(world.exchange->outcome.status, 0);
    inflateEnd(&inflater);
    leave(false);
}

static void less_than_was_announced_is_a_cut(void **state)
{
    (void)state;
    open_get();
    assert_int_equal(begin(BODY_BYTES), EXCHANGE_OK);
    assert_true(write_some(0) < BODY_BYTES);
    finish(0);
    assert_int_equal(world.exchange->outcome.status, 502);
    leave(false);
}

static void more_than_was_announced_is_refused(void **state)
{
    (void)state;
    open_get();
    size_t written = 0;
    assert_int_equal(begin(100), EXCHANGE_OK);
    assert_int_equal(exchange_write(world.exchange, world.body, 60, &written), EXCHANGE_OK);
    assert_int_equal(exchange_write(world.exchange, world.body, 41, &written), EXCHANGE_MISPLACED);
    assert_int_equal(exchange_write(world.exchange, world.body, 40, &written), EXCHANGE_OK);
    finish(0);
    assert_int_equal(world.exchange->outcome.status, 0);
    leave(false);
}

static void a_client_that_leaves_is_noticed_and_costs_nothing(void **state)
{
    (void)state;
    open_get();
    size_t written = 0;
    assert_int_equal(begin(UINT64_MAX), EXCHANGE_OK);
    (void)write_some(0);
    leave(true);
    assert_int_equal(exchange_write(world.exchange, world.body, 10, &written), EXCHANGE_CLOSED);
    finish(0);
}

static void a_crash_gives_the_memory_back(void **state)
{
    (void)state;
    open_get();
    assert_int_equal(begin(UINT64_MAX), EXCHANGE_OK);
    (void)write_some(0);
    assert_true(atomic_load(&world.holding.bytes) > 100000);
    finish(502);
    assert_true(atomic_load(&world.holding.bytes) < 20000);
    leave(false);
}

static void without_room_it_goes_out_as_it_is(void **state)
{
    (void)state;
    open_get();
    world.sum.max_bytes = 2 * compressor_cost_bytes(ENCODING_GZIP) - 2;
    assert_int_equal(begin(BODY_BYTES), EXCHANGE_OK);
    assert_null(world.exchange->compressor);
    assert_true(world.exchange->length == BODY_BYTES);
    finish(502);
    leave(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reader_gets_all_of_it_through_a_small_stream, make_world,
                                        drop_world),
        cmocka_unit_test_setup_teardown(less_than_was_announced_is_a_cut, make_world, drop_world),
        cmocka_unit_test_setup_teardown(more_than_was_announced_is_refused, make_world, drop_world),
        cmocka_unit_test_setup_teardown(a_client_that_leaves_is_noticed_and_costs_nothing,
                                        make_world, drop_world),
        cmocka_unit_test_setup_teardown(a_crash_gives_the_memory_back, make_world, drop_world),
        cmocka_unit_test_setup_teardown(without_room_it_goes_out_as_it_is, make_world, drop_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
