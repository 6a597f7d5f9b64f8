/* A session on one worker, its process on another: everything that is sent comes back, in order, whole, and nothing is
 * held at the end. For the thread sanitizer, too. */
#include "../base/cmocka_all.h"

#include "../core/native.h"
#include "requests.h"
#include "serve/handler.h"
#include "serve/websocket_session.h"
#include "serve/websocket_writer.h"

#include "core/message.h"
#include "core/process.h"

#include <stdlib.h>
#include <string.h>

enum { MESSAGES = 3000, SIZE_MAX_BYTES = 6000, STREAM_BYTES = 4096, PRODUCE_BYTES = 16384 };

static struct {
    struct node *node;
    struct exchange_home home;
    struct holding holding;
    struct exchange_carrier exchange_carrier;
    struct websocket_channel *channel;
    struct tally tally;
    struct latch done;
    /* The session's thread only. */
    struct session *session;
    struct session_carrier carrier;
    struct task look;
    bool look_queued;
    unsigned fed, got;
    struct bytes out, message;
    bool wrong;
    /* The process only. */
    struct message *mail;
    size_t sent;
    unsigned taken;
} world;

static size_t size_of(unsigned number)
{
    return (size_t)number * 7919 % SIZE_MAX_BYTES;
}

static void fill(unsigned number, uint8_t ret[SIZE_MAX_BYTES])
{
    for (size_t i = 0; i < size_of(number); i++) {
        ret[i] = (uint8_t)(i * 31 + number);
    }
}

/* ---- The process: every message back ---- */

/* False: there is no room. */
static bool send_back(struct message *mail)
{
    struct websocket_record record = {(uint32_t)mail->label, (uint32_t)mail->size_bytes};
    while (world.sent < sizeof record + mail->size_bytes) {
        const uint8_t *from = (const uint8_t *)&record + world.sent;
        size_t size = sizeof record - world.sent, moved = 0;
        if (world.sent >= sizeof record) {
            from = mail->body + (world.sent - sizeof record);
            size = sizeof record + mail->size_bytes - world.sent;
        }
        if (websocket_channel_send(world.channel, from, size, &moved) != WEBSOCKET_SENT) {
            return false;
        }
        world.sent += moved;
    }
    return true;
}

static enum turn turn_echo(struct native *native, struct exit *ret_exit)
{
    for (;;) {
        if (world.mail == NULL) {
            world.mail = process_receive(&native->process, NULL);
            world.sent = 0;
        }
        if (world.mail == NULL) {
            return TURN_PARKED;
        }
        if (world.mail->kind == MESSAGE_CLOSE) {
            break;
        }
        if (!send_back(world.mail)) {
            return TURN_PARKED;
        }
        message_destroy(TAKE(world.mail));
        world.taken++;
    }
    message_destroy(TAKE(world.mail));
    (void)websocket_channel_close(world.channel, WEBSOCKET_NORMAL, (struct text){0}, false);
    websocket_channel_release(world.channel);
    ret_exit->exit_class = EXIT_NORMAL;
    return TURN_ENDED;
}

/* ---- The client, on the session's thread ---- */

static void take_message(void)
{
    static uint8_t expected[SIZE_MAX_BYTES];
    fill(world.got, expected);
    world.wrong = world.wrong || world.message.size != size_of(world.got) ||
                  (world.message.size > 0 &&
                   memcmp(world.message.data, expected, world.message.size) != 0);
    bytes_clear(&world.message);
    world.got++;
}

/* Take the frames that are complete. */
static void take_frames(void)
{
    while (world.out.size >= 2) {
        const uint8_t *frame = world.out.data;
        size_t head = frame[1] < 126 ? 2 : 4;
        if (world.out.size < head) {
            return;
        }
        size_t size = head == 2 ? frame[1] : (size_t)frame[2] << 8 | frame[3];
        if (frame[1] > 126 || world.out.size < head + size) {
            world.wrong = world.wrong || frame[1] > 126;
            return;
        }
        bool kept = (frame[0] & 15) < 8 && bytes_append(&world.message, frame + head, size);
        world.wrong = world.wrong || !kept;
        if ((frame[0] & 0x80) != 0) {
            take_message();
        }
        bytes_consume(&world.out, head + size);
    }
}

static void feed_one(void)
{
    static uint8_t frame[8 + SIZE_MAX_BYTES];
    size_t size = size_of(world.fed);
    memset(frame, 0, 8);
    frame[0] = 0x82;
    frame[1] = (uint8_t)(0x80 | (size < 126 ? size : 126));
    size_t head = size < 126 ? 6 : 8;
    if (head == 8) {
        frame[2] = (uint8_t)(size >> 8);
        frame[3] = (uint8_t)size;
    }
    fill(world.fed, frame + head);
    world.fed++;
    world.session->type->receive(world.session, (const char *)frame, head + size);
}

static void look(struct task *task)
{
    (void)task;
    world.look_queued = false;
    if (world.session == NULL) {
        return;
    }
    const struct session_type *type = world.session->type;
    while (world.fed < MESSAGES && type->wants(world.session)) {
        feed_one();
    }
    world.wrong = world.wrong || !type->produce(world.session, &world.out, PRODUCE_BYTES);
    /* Also with an empty stream: it was not looked at any more, and tells nobody of what comes next. */
    bool stopped = world.out.size >= PRODUCE_BYTES;
    take_frames();
    if (world.got == MESSAGES) {
        type->receive(world.session, "\x88\x80\0\0\0\0", 6);
        world.wrong = world.wrong || !type->produce(world.session, &world.out, PRODUCE_BYTES);
        world.wrong = world.wrong || !type->over(world.session) || world.out.size != 2;
        type->lose(TAKE(world.session));
        latch_post(&world.done);
    } else if (stopped || world.out.size > 0 || stream_pending(&world.channel->out) > 0) {
        session_news(world.session); /* There is more. */
    }
}

static void on_news(struct session_carrier *carrier)
{
    (void)carrier;
    if (!world.look_queued) {
        world.look_queued = true;
        worker_defer(&node_loop(world.node, 0)->worker, &world.look);
    }
}

static void begin(struct loop *loop, void *argument)
{
    (void)loop;
    (void)argument;
    static const struct websocket_deflate_terms plain = {.on = false};
    world.session = websocket_session_create(world.channel, &plain);
    world.session->carrier = &world.carrier;
    session_news(world.session);
}

static void on_exchange_news(struct exchange_carrier *carrier)
{
    (void)carrier;
}

static struct exchange *open_exchange(void)
{
    world.home = (struct exchange_home){.worker = &node_loop(world.node, 0)->worker,
                                        .holding = &world.holding};
    world.exchange_carrier.news = on_exchange_news;
    struct exchange *exchange = exchange_create(&world.home);
    assert_non_null(exchange);
    struct http1_rules rules;
    struct http1 http1;
    http1_rules_init(&rules, 1000, 10, 100);
    http1_init(&http1, &rules);
    static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    struct http1_step step = http1_feed(&http1, &exchange->request, head, sizeof(head) - 1);
    assert_int_equal(step.event, HTTP1_HEAD);
    exchange_open(exchange, &world.exchange_carrier, STREAM_BYTES);
    return exchange;
}

static void both_sides_may_run_at_once(void **state)
{
    (void)state;
    static const struct websocket_options options = {.message_bytes_max = SIZE_MAX_BYTES,
                                                     .stream_buffer_bytes = STREAM_BYTES};
    static const struct handler handler = {.websocket = &options};
    struct err err = {0};
    struct node_options node = {.workers = 2, .tick_ns = 1000000, .env = env_system()};
    world.node = node_create(&node, &err);
    assert_non_null(world.node);
    tally_init(&world.tally);
    latch_init(&world.done);
    world.look.run = look;
    world.carrier.news = on_news;
    struct exchange *exchange = open_exchange();
    world.channel = websocket_channel_create(exchange, &handler, &options, (struct text){0});
    assert_non_null(world.channel);
    exchange_release(exchange);
    assert_true(node_start(world.node, &err));
    struct native *native = native_create(world.node, &world.tally, turn_echo, NULL);
    world.channel->process = &native->process;
    process_retain(&native->process);
    assert_true(process_start(&native->process, &node_loop(world.node, 1)->worker, &err));
    loop_call(node_loop(world.node, 0), begin, NULL);
    latch_wait(&world.done, 1);
    latch_wait(&world.tally.exits, 1);
    node_stop(world.node);
    assert_false(world.wrong);
    assert_int_equal(world.got, MESSAGES);
    assert_int_equal(world.taken, MESSAGES);
    assert_int_equal(atomic_load(&world.holding.bytes), 0);
    bytes_fini(&world.out);
    bytes_fini(&world.message);
    node_destroy(world.node);
    latch_fini(&world.done);
    tally_fini(&world.tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_may_run_at_once),
    };
    return cmocka_run_group_tests_name("websocket_threads", tests, NULL, NULL);
}
