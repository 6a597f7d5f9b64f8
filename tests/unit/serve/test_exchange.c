#include "../base/cmocka_all.h"

#include "requests.h"
#include "serve/exchange_internal.h"

#include "core/node.h"

enum { STREAM_BYTES = 1000 };

/* A loop that a test turns by hand, and an exchange between the test as connection and the test as
 * answering side. */
static struct {
    struct node *node;
    struct worker *worker;
    struct exchange_home home;
    struct holding_sum sum;
    struct holding holding;
    struct exchange *exchange;
    struct exchange_carrier carrier;
    unsigned news, ended; /* what was called, how often */
    unsigned wakes, gone;
} world;

static void on_news(struct exchange_carrier *carrier)
{
    assert_ptr_equal(carrier, &world.carrier);
    world.news++;
}

static void on_ended(const struct exchange *exchange)
{
    assert_true(exchange->finished && exchange->left);
    world.ended++;
}

static void on_wake(void *argument)
{
    assert_ptr_equal(argument, &world);
    world.wakes++;
}

static void on_gone(void *argument)
{
    assert_ptr_equal(argument, &world);
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
    world.home = (struct exchange_home){
        .worker = world.worker, .ended = on_ended, .holding = &world.holding};
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

/* Open the exchange for a request, with a reference for the answering side. */
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
    exchange_attach(world.exchange,
                    (struct exchange_waker){.wake = on_wake, .gone = on_gone, .argument = &world});
}

static void open_get(void)
{
    open_for("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

static void open_post(void)
{
    open_for("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n");
}

static unsigned turn(void)
{
    unsigned before = world.news;
    worker_run(world.worker);
    return world.news - before;
}

static void finish(unsigned status)
{
    exchange_finish(world.exchange, &(struct exchange_outcome){.status = status});
}

/* Both sides let go; everything that was held is given back. */
static void end(void)
{
    turn();
    exchange_leave(world.exchange, false);
    exchange_release(world.exchange);
    assert_int_equal(atomic_load(&world.holding.bytes), 0);
}

static void a_whole_answer_is_one_piece_of_news(void **state)
{
    (void)state;
    open_get();
    struct header header = {{"A", 1}, {"b", 1}};
    assert_false(exchange_has_begun(world.exchange));
    assert_int_equal(exchange_respond(world.exchange, 201, &header, 1, "body", 4), EXCHANGE_OK);
    assert_true(exchange_has_begun(world.exchange));
    finish(0);
    assert_int_equal(turn(), 1);
    struct exchange_view view = exchange_look(world.exchange);
    assert_int_equal(view.answer, ANSWER_WHOLE);
    assert_true(view.finished);
    assert_int_equal(world.exchange->status, 201);
    assert_int_equal(world.exchange->length, 4);
    assert_int_equal(world.exchange->line_bytes, 6);
    assert_int_equal(world.exchange->content.size, 10);
    assert_memory_equal(world.exchange->content.data, "A: b\r\nbody", 10);
    end();
    assert_int_equal(world.ended, 1);
}

static void news_waits_while_the_connection_dispatches(void **state)
{
    (void)state;
    open_get();
    exchange_dispatching(world.exchange);
    assert_int_equal(exchange_respond(world.exchange, 200, NULL, 0, "", 0), EXCHANGE_OK);
    finish(0);
    assert_int_equal(turn(), 0);
    assert_true(exchange_look(world.exchange).finished);
    assert_true(exchange_is_free(world.exchange));
    end();
}

static void an_answer_that_may_not_be_sent_leaves_room_for_another(void **state)
{
    (void)state;
    open_get();
    static const struct header bad[] = {
        {{"Content-Length", 14}, {"4", 1}},
        {{"transfer-encoding", 17}, {"chunked", 7}},
        {{"Connection", 10}, {"close", 5}},
        {{"A", 1}, {"b\r\nC: d", 7}},
        {{"A b", 3}, {"c", 1}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_int_equal(exchange_respond(world.exchange, 200, &bad[i], 1, "", 0),
                         EXCHANGE_INVALID);
        assert_int_equal(exchange_begin(world.exchange, 200, &bad[i], 1, 0), EXCHANGE_INVALID);
    }
    assert_int_equal(exchange_respond(world.exchange, 199, NULL, 0, "", 0), EXCHANGE_INVALID);
    assert_int_equal(exchange_respond(world.exchange, 600, NULL, 0, "", 0), EXCHANGE_INVALID);
    assert_int_equal(turn(), 0);
    assert_false(exchange_has_begun(world.exchange));
    assert_int_equal(exchange_respond(world.exchange, 200, NULL, 0, "x", 1), EXCHANGE_OK);
    assert_int_equal(world.exchange->content.size, 1);
    finish(0);
    end();
}

static void header_lines_are_bounded(void **state)
{
    (void)state;
    open_get();
    static char value[EXCHANGE_HEAD_MAX];
    memset(value, 'v', sizeof(value));
    struct header one = {{"A", 1}, {value, sizeof(value)}};
    struct header two[] = {{{"A", 1}, {value, sizeof(value) / 2}},
                           {{"B", 1}, {value, sizeof(value) / 2}}};
    assert_int_equal(exchange_respond(world.exchange, 200, &one, 1, "", 0), EXCHANGE_INVALID);
    assert_int_equal(exchange_respond(world.exchange, 200, two, 2, "", 0), EXCHANGE_INVALID);
    assert_int_equal(exchange_begin(world.exchange, 200, two, 2, 0), EXCHANGE_INVALID);
    assert_int_equal(exchange_respond(world.exchange, 200, two, 1, "", 0), EXCHANGE_OK);
    finish(0);
    end();
}

static void without_room_an_answer_is_refused_and_the_request_gets_a_503(void **state)
{
    (void)state;
    open_get();
    world.sum.max_bytes = 100000;
    world.holding.sum = &world.sum;
    static const char body[200000];
    assert_int_equal(exchange_respond(world.exchange, 200, NULL, 0, body, sizeof(body)),
                     EXCHANGE_FULL);
    assert_false(exchange_has_begun(world.exchange));
    finish(0);
    turn();
    assert_int_equal(world.exchange->outcome.status, 503);
    assert_int_equal(world.exchange->outcome.retry_after_s, 1);
    end();
}

static void an_answer_that_fits_after_all_is_sent(void **state)
{
    (void)state;
    open_get();
    world.sum.max_bytes = 100000;
    world.holding.sum = &world.sum;
    static const char body[200000];
    assert_int_equal(exchange_respond(world.exchange, 200, NULL, 0, body, sizeof(body)),
                     EXCHANGE_FULL);
    assert_int_equal(exchange_respond(world.exchange, 500, NULL, 0, "less", 4), EXCHANGE_OK);
    finish(0);
    turn();
    assert_int_equal(world.exchange->outcome.status, 0);
    end();
}

static void a_stream_gives_way_while_too_much_is_held(void **state)
{
    (void)state;
    open_get();
    world.sum.max_bytes = 200000;
    world.holding.sum = &world.sum;
    char data[STREAM_BYTES];
    size_t size;
    assert_int_equal(exchange_begin(world.exchange, 200, NULL, 0, UINT64_MAX), EXCHANGE_OK);
    assert_int_equal(exchange_write(world.exchange, "some", 4, &size), EXCHANGE_OK);
    holding_add(&world.holding, 300000); /* Somebody else's. */
    assert_int_equal(exchange_write(world.exchange, "more", 4, &size), EXCHANGE_WAIT);
    assert_int_equal(world.wakes, 0);
    assert_int_equal(exchange_out_read(world.exchange, data, sizeof(data), &size), STREAM_OK);
    assert_int_equal(world.wakes, 1);
    assert_int_equal(exchange_write(world.exchange, "more", 4, &size), EXCHANGE_OK);
    assert_int_equal(exchange_write(world.exchange, "last", 4, &size), EXCHANGE_WAIT);
    holding_add(&world.holding, -300000);
    assert_int_equal(exchange_write(world.exchange, "last", 4, &size), EXCHANGE_OK);
    assert_int_equal(exchange_out_read(world.exchange, data, sizeof(data), &size), STREAM_OK);
    assert_int_equal(size, 8);
    finish(0);
    end();
}

static void calls_out_of_order_are_misplaced(void **state)
{
    (void)state;
    open_get();
    size_t written;
    assert_int_equal(exchange_write(world.exchange, "x", 1, &written), EXCHANGE_MISPLACED);
    assert_int_equal(exchange_begin(world.exchange, 200, NULL, 0, 3), EXCHANGE_OK);
    assert_int_equal(exchange_begin(world.exchange, 200, NULL, 0, 3), EXCHANGE_MISPLACED);
    assert_int_equal(exchange_respond(world.exchange, 200, NULL, 0, "", 0), EXCHANGE_MISPLACED);
    assert_int_equal(exchange_write(world.exchange, "abcd", 4, &written), EXCHANGE_MISPLACED);
    assert_int_equal(exchange_write(world.exchange, "abc", 3, &written), EXCHANGE_OK);
    assert_int_equal(written, 3);
    assert_int_equal(exchange_write(world.exchange, "d", 1, &written), EXCHANGE_MISPLACED);
    finish(0);
    end();
}

static void a_body_is_read_as_it_comes(void **state)
{
    (void)state;
    open_post();
    char data[100];
    size_t read = 0;
    exchange_body_add(world.exchange, (struct text){"hello", 5});
    assert_int_equal(exchange_read(world.exchange, data, sizeof(data), &read), EXCHANGE_OK);
    assert_int_equal(read, 5);
    assert_int_equal(turn(), 0);
    /* The first wait asks the connection for more, the second need not. */
    assert_int_equal(exchange_read(world.exchange, data, sizeof(data), &read), EXCHANGE_WAIT);
    assert_int_equal(exchange_read(world.exchange, data, sizeof(data), &read), EXCHANGE_WAIT);
    assert_int_equal(turn(), 1);
    assert_true(exchange_look(world.exchange).body_wanted);
    assert_int_equal(world.wakes, 0);
    exchange_body_add(world.exchange, (struct text){"again", 5});
    assert_int_equal(world.wakes, 1);
    exchange_body_end(world.exchange);
    assert_int_equal(exchange_read(world.exchange, data, 3, &read), EXCHANGE_OK);
    assert_int_equal(read, 3);
    assert_int_equal(exchange_read(world.exchange, data, 3, &read), EXCHANGE_OK);
    assert_int_equal(read, 2);
    assert_int_equal(exchange_read(world.exchange, data, 3, &read), EXCHANGE_ENDED);
    finish(0);
    end();
}

static void a_full_body_stream_asks_again_once_it_was_emptied(void **state)
{
    (void)state;
    open_post();
    static const char much[STREAM_BYTES];
    char data[STREAM_BYTES];
    size_t read = 0;
    assert_int_equal(exchange_read(world.exchange, data, 1, &read), EXCHANGE_WAIT);
    assert_int_equal(turn(), 1);
    assert_int_equal(exchange_body_room(world.exchange), STREAM_BYTES);
    exchange_body_add(world.exchange, (struct text){much, sizeof(much)});
    assert_int_equal(exchange_body_room(world.exchange), 0);
    assert_false(exchange_look(world.exchange).body_wanted);
    assert_int_equal(exchange_read(world.exchange, data, sizeof(data), &read), EXCHANGE_OK);
    assert_int_equal(turn(), 0);
    assert_int_equal(exchange_read(world.exchange, data, sizeof(data), &read), EXCHANGE_WAIT);
    assert_int_equal(turn(), 1);
    finish(0);
    end();
}

static void a_failed_body_says_why(void **state)
{
    (void)state;
    static const enum exchange_result reasons[] = {EXCHANGE_TOO_LARGE, EXCHANGE_MALFORMED,
                                                   EXCHANGE_CLOSED};
    for (size_t i = 0; i < ARRAY_LENGTH(reasons); i++) {
        if (i > 0) {
            world.exchange = exchange_create(&world.home);
        }
        open_post();
        exchange_body_add(world.exchange, (struct text){"hello", 5});
        exchange_body_fail(world.exchange, reasons[i]);
        char data[10];
        size_t read = 0;
        assert_int_equal(exchange_read(world.exchange, data, sizeof(data), &read), reasons[i]);
        assert_false(exchange_gone(world.exchange));
        finish(0);
        end();
    }
}

static void a_request_without_a_body_ends_at_once(void **state)
{
    (void)state;
    open_get();
    char data[10];
    size_t read = 0;
    assert_int_equal(exchange_read(world.exchange, data, sizeof(data), &read), EXCHANGE_ENDED);
    assert_int_equal(turn(), 0);
    finish(0);
    end();
}

static void a_client_that_leaves_is_told_once(void **state)
{
    (void)state;
    open_post();
    size_t count = 0;
    char data[10];
    assert_int_equal(exchange_begin(world.exchange, 200, NULL, 0, UINT64_MAX), EXCHANGE_OK);
    assert_int_equal(exchange_write(world.exchange, "x", 1, &count), EXCHANGE_OK);
    turn();
    exchange_leave(world.exchange, true);
    assert_int_equal(world.gone, 1);
    assert_true(exchange_gone(world.exchange));
    assert_int_equal(exchange_write(world.exchange, "x", 1, &count), EXCHANGE_CLOSED);
    assert_int_equal(exchange_read(world.exchange, data, sizeof(data), &count), EXCHANGE_CLOSED);
    assert_int_equal(turn(), 0);
    assert_int_equal(world.ended, 0);
    exchange_detach(world.exchange);
    finish(0);
    assert_int_equal(world.ended, 1);
    exchange_release(world.exchange);
    assert_int_equal(atomic_load(&world.holding.bytes), 0);
}

static void who_answers_after_the_client_has_left_is_told_so(void **state)
{
    (void)state;
    open_get();
    exchange_leave(world.exchange, true);
    assert_int_equal(exchange_respond(world.exchange, 200, NULL, 0, "", 0), EXCHANGE_CLOSED);
    assert_int_equal(exchange_begin(world.exchange, 200, NULL, 0, 0), EXCHANGE_CLOSED);
    finish(502);
    exchange_release(world.exchange);
}

static void nobody_is_woken_after_detach(void **state)
{
    (void)state;
    open_post();
    char data[10];
    size_t read = 0;
    assert_int_equal(exchange_read(world.exchange, data, sizeof(data), &read), EXCHANGE_WAIT);
    exchange_detach(world.exchange);
    exchange_body_add(world.exchange, (struct text){"hello", 5});
    turn();
    exchange_leave(world.exchange, true);
    assert_int_equal(world.wakes + world.gone, 0);
    finish(0);
    exchange_release(world.exchange);
}

static void a_full_stream_wakes_its_writer_when_there_is_room(void **state)
{
    (void)state;
    open_get();
    static const char much[2 * STREAM_BYTES];
    char data[STREAM_BYTES];
    size_t count = 0;
    assert_int_equal(exchange_begin(world.exchange, 200, NULL, 0, UINT64_MAX), EXCHANGE_OK);
    assert_int_equal(exchange_write(world.exchange, much, sizeof(much), &count), EXCHANGE_OK);
    assert_int_equal(count, STREAM_BYTES);
    assert_true(atomic_load(&world.holding.bytes) >= STREAM_BYTES);
    assert_int_equal(exchange_write(world.exchange, much, 1, &count), EXCHANGE_WAIT);
    assert_int_equal(exchange_out_read(world.exchange, data, sizeof(data), &count), STREAM_OK);
    assert_int_equal(world.wakes, 1);
    assert_int_equal(exchange_write(world.exchange, much, 1, &count), EXCHANGE_OK);
    finish(0);
    assert_int_equal(exchange_out_read(world.exchange, data, sizeof(data), &count), STREAM_OK);
    assert_int_equal(exchange_out_read(world.exchange, data, sizeof(data), &count), STREAM_ENDED);
    end();
}

static void what_is_written_to_a_head_request_goes_nowhere(void **state)
{
    (void)state;
    open_for("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    size_t count = 0;
    static const char much[2 * STREAM_BYTES];
    assert_int_equal(exchange_begin(world.exchange, 200, NULL, 0, sizeof(much)), EXCHANGE_OK);
    assert_int_equal(exchange_write(world.exchange, much, sizeof(much), &count), EXCHANGE_OK);
    assert_int_equal(count, sizeof(much));
    char data[10];
    assert_int_equal(exchange_out_read(world.exchange, data, sizeof(data), &count), STREAM_WAIT);
    finish(0);
    end();
}

static void an_outcome_brings_its_own_words(void **state)
{
    (void)state;
    open_get();
    char text[] = "the component is broken";
    exchange_finish(world.exchange,
                    &(struct exchange_outcome){.status = 502, .text = text, .pid = 7});
    memset(text, '-', sizeof(text)); /* They were copied. */
    assert_int_equal(turn(), 1);
    assert_int_equal(exchange_look(world.exchange).answer, ANSWER_NONE);
    assert_int_equal(world.exchange->outcome.status, 502);
    assert_int_equal(world.exchange->content.size, 23);
    assert_memory_equal(world.exchange->content.data, "the component is broken", 23);
    end();
}

static void a_recycled_exchange_is_as_good_as_new(void **state)
{
    (void)state;
    open_post();
    assert_int_equal(exchange_begin(world.exchange, 404, NULL, 0, UINT64_MAX), EXCHANGE_OK);
    finish(0);
    turn();
    exchange_leave(world.exchange, false);
    assert_true(exchange_is_free(world.exchange));
    exchange_recycle(world.exchange);
    assert_int_equal(atomic_load(&world.holding.bytes), 0);
    open_get();
    assert_false(exchange_has_begun(world.exchange));
    assert_false(exchange_gone(world.exchange));
    assert_int_equal(exchange_respond(world.exchange, 200, NULL, 0, "x", 1), EXCHANGE_OK);
    finish(0);
    assert_int_equal(turn(), 1);
    end();
}

int main(void)
{
#define EXCHANGE_TEST(name) cmocka_unit_test_setup_teardown(name, make_world, drop_world)
    const struct CMUnitTest tests[] = {
        EXCHANGE_TEST(a_whole_answer_is_one_piece_of_news),
        EXCHANGE_TEST(news_waits_while_the_connection_dispatches),
        EXCHANGE_TEST(an_answer_that_may_not_be_sent_leaves_room_for_another),
        EXCHANGE_TEST(header_lines_are_bounded),
        EXCHANGE_TEST(without_room_an_answer_is_refused_and_the_request_gets_a_503),
        EXCHANGE_TEST(an_answer_that_fits_after_all_is_sent),
        EXCHANGE_TEST(a_stream_gives_way_while_too_much_is_held),
        EXCHANGE_TEST(calls_out_of_order_are_misplaced),
        EXCHANGE_TEST(a_body_is_read_as_it_comes),
        EXCHANGE_TEST(a_full_body_stream_asks_again_once_it_was_emptied),
        EXCHANGE_TEST(a_failed_body_says_why),
        EXCHANGE_TEST(a_request_without_a_body_ends_at_once),
        EXCHANGE_TEST(a_client_that_leaves_is_told_once),
        EXCHANGE_TEST(who_answers_after_the_client_has_left_is_told_so),
        EXCHANGE_TEST(nobody_is_woken_after_detach),
        EXCHANGE_TEST(a_full_stream_wakes_its_writer_when_there_is_room),
        EXCHANGE_TEST(what_is_written_to_a_head_request_goes_nowhere),
        EXCHANGE_TEST(an_outcome_brings_its_own_words),
        EXCHANGE_TEST(a_recycled_exchange_is_as_good_as_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
