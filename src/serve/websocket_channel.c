#include "serve/websocket_channel.h"

#include "core/message.h"
#include "serve/websocket_session.h"

#include <stdlib.h>
#include <string.h>

/* ---- News for the session ---- */

static void news_run(struct task *task)
{
    struct websocket_channel *channel = CONTAINER_OF(task, struct websocket_channel, news);
    /* Acquire: what was done before news that found it queued is seen by what follows. */
    (void)atomic_exchange_explicit(&channel->news_queued, false, memory_order_acq_rel);
    if (channel->session != NULL) {
        websocket_session_news(channel->session);
    }
    websocket_channel_release(channel);
}

static void tell_session(void *argument)
{
    struct websocket_channel *channel = argument;
    /* Release: pairs with news_run(). */
    if (atomic_exchange_explicit(&channel->news_queued, true, memory_order_acq_rel)) {
        return;
    }
    websocket_channel_retain(channel);
    struct worker *worker = channel->exchange->home->worker;
    if (worker_current() == worker) {
        worker_defer(worker, &channel->news);
    } else {
        worker_post(worker, &channel->news);
    }
}

static void wake_process(void *argument)
{
    struct websocket_channel *channel = argument;
    struct process *process = channel->writer != NULL ? channel->writer : channel->process;
    if (process != NULL) { /* It may not have been admitted. */
        process_wake(process);
    }
}

/* ---- Life ---- */

struct websocket_channel *websocket_channel_create(struct exchange *exchange,
                                                   const struct handler *handler,
                                                   const struct websocket_options *options,
                                                   struct text subprotocol)
{
    struct websocket_channel *channel = calloc(1, sizeof *channel);
    if (channel == NULL) {
        return NULL;
    }
    lock_init(&channel->lock, LOCK_EXCHANGE);
    atomic_init(&channel->references, 1);
    atomic_init(&channel->left, false);
    atomic_init(&channel->news_queued, false);
    atomic_init(&channel->starved, false);
    atomic_init(&channel->unread, 0);
    atomic_init(&channel->unread_bytes, 0);
    channel->handler = handler;
    channel->exchange = exchange;
    exchange_retain(exchange);
    channel->news.run = news_run;
    channel->options = options;
    channel->subprotocol = subprotocol;
    stream_init(&channel->out, options->stream_buffer_bytes);
    stream_set_reader(&channel->out,
                      (struct stream_waker){.wake = tell_session, .argument = channel});
    stream_set_writer(&channel->out,
                      (struct stream_waker){.wake = wake_process, .argument = channel});
    return channel;
}

void websocket_channel_retain(struct websocket_channel *channel)
{
    atomic_fetch_add_explicit(&channel->references, 1, memory_order_relaxed);
}

void websocket_channel_release(struct websocket_channel *channel)
{
    /* Release and acquire: whoever frees sees what every other holder did. */
    if (atomic_fetch_sub_explicit(&channel->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    stream_fini(&channel->out);
    lock_fini(&channel->lock);
    exchange_release(channel->exchange);
    if (channel->process != NULL) {
        process_release(channel->process);
    }
    if (channel->writer != NULL) {
        process_release(channel->writer);
    }
    free(channel);
}

/* ---- Frames as mail ---- */

/* A message of the client on its way. Destroying it, received or not, returns the credit. */
__extension__ struct frame {
    struct websocket_channel *channel;
    struct message message; /* last: its bytes follow it */
};

static long long weight_of(const struct frame *frame)
{
    return (long long)(sizeof *frame + frame->message.size_bytes);
}

/* Whether there is credit; all of these are of one order with what sets `starved`, so that either the session sees what was
 * received, or who received it sees that the session waits. */
static bool credit_left(struct websocket_channel *channel)
{
    return atomic_load_explicit(&channel->unread, memory_order_seq_cst) <
               WEBSOCKET_UNREAD_FRAMES_MAX &&
           atomic_load_explicit(&channel->unread_bytes, memory_order_seq_cst) <
               WEBSOCKET_UNREAD_BYTES_MAX;
}

static void frame_destroy(struct entry *entry)
{
    struct frame *frame = CONTAINER_OF(entry, struct frame, message.entry);
    struct websocket_channel *channel = frame->channel;
    atomic_fetch_sub_explicit(&channel->unread_bytes, frame->message.size_bytes,
                              memory_order_seq_cst);
    atomic_fetch_sub_explicit(&channel->unread, 1, memory_order_seq_cst);
    if (UNLIKELY(atomic_load_explicit(&channel->starved, memory_order_seq_cst)) &&
        credit_left(channel) &&
        atomic_exchange_explicit(&channel->starved, false, memory_order_seq_cst)) {
        tell_session(channel);
    }
    exchange_hold(channel->exchange, -weight_of(frame));
    free(frame);
    websocket_channel_release(channel);
}

static struct frame *frame_create(struct websocket_channel *channel, bool text, struct text data)
{
    struct frame *frame = malloc(sizeof *frame + data.size);
    if (frame == NULL) {
        return NULL;
    }
    frame->channel = channel;
    frame->message = (struct message){.entry = {.kind = ENTRY_NEWS, .destroy = frame_destroy},
                                      .kind = MESSAGE_FRAME,
                                      .label = text ? 1 : 2,
                                      .size_bytes = data.size};
    if (data.size > 0) {
        memcpy(frame->message.body, data.data, data.size);
    }
    return frame;
}

bool websocket_channel_has_credit(struct websocket_channel *channel)
{
    if (LIKELY(credit_left(channel))) {
        return true;
    }
    atomic_store_explicit(&channel->starved, true, memory_order_seq_cst);
    return credit_left(
        channel); /* What came back in between has told nobody, or tells once too often. */
}

bool websocket_channel_deliver(struct websocket_channel *channel, bool text, struct text data)
{
    struct frame *frame = frame_create(channel, text, data);
    if (frame == NULL) {
        return false;
    }
    websocket_channel_retain(channel);
    /* Relaxed: only the session adds, and asks. */
    atomic_fetch_add_explicit(&channel->unread, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&channel->unread_bytes, data.size, memory_order_relaxed);
    exchange_hold(channel->exchange, weight_of(frame));
    if (process_push(channel->process, &frame->message.entry) != PUSH_ACCEPTED) {
        message_destroy(&frame->message); /* It has ended, which is told by the stream. */
    }
    return true;
}

void websocket_channel_leave(struct websocket_channel *channel, unsigned code, struct text reason)
{
    lock_take(&channel->lock);
    bool first = !channel->told;
    channel->told = true;
    lock_release(&channel->lock);
    if (!first || channel->process == NULL) {
        return; /* It knows, or was never spawned. */
    }
    /* Release: pairs with the acquires of the process's turns, which the mail below begins. */
    atomic_store_explicit(&channel->left, true, memory_order_release);
    struct message *message = message_create_news(MESSAGE_CLOSE, reason.size);
    if (message != NULL) {
        message->label = code;
        if (reason.size > 0) {
            memcpy(message->body, reason.data, reason.size);
        }
        if (process_push(channel->process, &message->entry) != PUSH_ACCEPTED) {
            message_destroy(message);
        }
    }
    process_wake(channel->process);
    if (channel->writer != NULL) {
        process_wake(channel->writer);
    }
}

unsigned websocket_channel_end(struct websocket_channel *channel,
                               char ret_reason[WEBSOCKET_REASON_BYTES_MAX],
                               size_t *ret_reason_bytes)
{
    lock_take(&channel->lock);
    unsigned code = channel->ending ? channel->code : WEBSOCKET_INTERNAL;
    *ret_reason_bytes = channel->reason_bytes;
    memcpy(ret_reason, channel->reason, channel->reason_bytes);
    lock_release(&channel->lock);
    return code;
}

/* ---- The process's side ---- */

/* While the node holds too much, a stream takes little at a time, and nothing while some of it still waits for its
 * reader: as exchange_write(). */
enum { PRESSED_BYTES = 16 * 1024 };

enum websocket_sent websocket_channel_send(struct websocket_channel *channel, const void *data,
                                           size_t size_bytes, size_t *ret_taken)
{
    *ret_taken = 0;
    if (atomic_load_explicit(&channel->left, memory_order_acquire)) {
        return WEBSOCKET_GONE;
    }
    if (!holding_has_room(channel->exchange->home->holding, 0)) {
        if (stream_await_reader(&channel->out)) {
            return WEBSOCKET_BLOCKED;
        }
        size_bytes = size_bytes < PRESSED_BYTES ? size_bytes : PRESSED_BYTES;
    }
    switch (stream_write(&channel->out, data, size_bytes, ret_taken)) {
    case STREAM_OK:
        exchange_hold(channel->exchange, (long long)*ret_taken);
        return WEBSOCKET_SENT;
    case STREAM_WAIT:
        return WEBSOCKET_BLOCKED;
    case STREAM_CLOSED:
        return WEBSOCKET_GONE;
    case STREAM_ENDED:
    case STREAM_ABORTED:
        break;
    }
    BUG("a stream that ends for its writer");
}

bool websocket_channel_close(struct websocket_channel *channel, unsigned code, struct text reason,
                             bool aborts)
{
    INVARIANT(reason.size <= sizeof channel->reason);
    lock_take(&channel->lock);
    bool first = !channel->ending && !channel->told;
    if (first) {
        channel->ending = true;
        channel->code = code;
        channel->reason_bytes = reason.size;
        if (reason.size > 0) {
            memcpy(channel->reason, reason.data, reason.size);
        }
    }
    lock_release(&channel->lock);
    if (first && aborts) {
        stream_abort(&channel->out, 1);
    } else if (first) {
        stream_end(&channel->out);
    }
    return first;
}
