#include "serve/exchange.h"

#include "serve/exchange_internal.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

/* Storage up to this size stays with an exchange that is kept for the next request. */
enum { KEEP_BYTES = 8 * 1024 };

void exchange_hold(struct exchange *exchange, long long bytes)
{
    /* Relaxed: statistics. */
    atomic_fetch_add_explicit(&exchange->held, bytes, memory_order_relaxed);
    holding_add(exchange->home->holding, bytes);
}

static void let_go(struct exchange *exchange)
{
    long long held = atomic_exchange_explicit(&exchange->held, 0, memory_order_relaxed);
    if (held != 0) {
        holding_add(exchange->home->holding, -held);
    }
}

static void close_streams(struct exchange *exchange)
{
    struct exchange_intake *intake = TAKE(exchange->intake);
    if (intake != NULL) {
        stream_fini(&intake->body);
        bytes_fini(&intake->trailers);
        free(intake);
    }
    struct exchange_flow *flow = TAKE(exchange->flow);
    if (flow != NULL) {
        INVARIANT(!flow->heartbeat.armed);
        stream_fini(&flow->out);
        bytes_fini(&flow->trailers);
        free(flow);
    }
}

static void lose_session(struct exchange *exchange)
{
    struct session *session = TAKE(exchange->session);
    if (session != NULL) {
        session->type->lose(session);
    }
}

/* What an answer brought and nobody took. */
static void drop_goods(struct exchange *exchange)
{
    if (exchange->compressor != NULL) {
        exchange_end_coding(exchange);
    }
    if (exchange->file >= 0) {
        close(exchange->file);
        exchange->file = -1;
    }
    lose_session(exchange);
}

static void news_run(struct task *task)
{
    struct exchange *exchange = CONTAINER_OF(task, struct exchange, news);
    lock_take(&exchange->lock);
    exchange->news_queued = false;
    lock_release(&exchange->lock);
    struct exchange_carrier *carrier = exchange->carrier;
    /* The connection has a reference of its own; with ours gone it can use the exchange again. */
    exchange_release(exchange);
    if (carrier != NULL) {
        carrier->news(carrier);
    }
}

bool exchange_claim_news(struct exchange *exchange)
{
    bool claimed = !exchange->news_queued && !exchange->dispatching && !exchange->left;
    if (claimed) {
        exchange->news_queued = true;
        exchange_retain(exchange);
    }
    return claimed;
}

void exchange_deliver_news(struct exchange *exchange)
{
    struct worker *worker = exchange->home->worker;
    if (worker_current() == worker) {
        worker_defer(worker, &exchange->news);
    } else {
        worker_post(worker, &exchange->news);
    }
}

void exchange_tell(struct exchange *exchange)
{
    lock_take(&exchange->lock);
    bool claimed = exchange_claim_news(exchange);
    lock_release(&exchange->lock);
    if (claimed) {
        exchange_deliver_news(exchange);
    }
}

void exchange_tell_by_stream(void *argument)
{
    exchange_tell(argument);
}

/* ---- Life ---- */

struct exchange *exchange_create(const struct exchange_home *home)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    if (exchange == NULL) {
        return NULL;
    }
    lock_init(&exchange->lock, LOCK_EXCHANGE);
    atomic_init(&exchange->references, 1);
    exchange->home = home;
    exchange->news.run = news_run;
    exchange->file = -1;
    return exchange;
}

void exchange_retain(struct exchange *exchange)
{
    atomic_fetch_add_explicit(&exchange->references, 1, memory_order_relaxed);
}

void exchange_release(struct exchange *exchange)
{
    /* Release and acquire: whoever frees sees what every other holder did. */
    if (atomic_fetch_sub_explicit(&exchange->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    drop_goods(exchange);
    let_go(exchange);
    close_streams(exchange);
    request_fini(&exchange->request);
    bytes_fini(&exchange->content);
    lock_fini(&exchange->lock);
    free(exchange);
}

bool exchange_is_free(const struct exchange *exchange)
{
    /* Acquire: pairs with the release of the last other holder. */
    return atomic_load_explicit(&exchange->references, memory_order_acquire) == 1;
}

static void keep_small(struct bytes *bytes)
{
    if (bytes->capacity > KEEP_BYTES) {
        bytes_fini(bytes);
    }
}

void exchange_recycle(struct exchange *exchange)
{
    drop_goods(exchange);
    let_go(exchange);
    close_streams(exchange);
    keep_small(&exchange->request.arena);
    keep_small(&exchange->request.spans);
    keep_small(&exchange->content);
    request_reset(&exchange->request);
    bytes_clear(&exchange->content);
    exchange->completed = false;
    exchange->carrier = NULL;
    exchange->dispatching = exchange->left = exchange->gone = exchange->finished = false;
    exchange->dismissed = false;
    exchange->body_wanted = exchange->waking = false;
    exchange->answer = ANSWER_NONE;
    exchange->waker = (struct exchange_waker){0};
    exchange->outcome = (struct exchange_outcome){0};
    exchange->has_date = exchange->has_server = exchange->cut = false;
    exchange->whole = exchange->refused = exchange->coding_failed = exchange->events = false;
    exchange->shaping = NULL;
    exchange->written = exchange->sent_bytes = 0;
    exchange->status = exchange->sent_status = 0;
    exchange->offers = NULL;
}

/* ---- Waking the answering side; connection's thread ---- */

static void wake_answerer(struct exchange *exchange, bool gone)
{
    lock_take(&exchange->lock);
    struct exchange_waker waker = exchange->waker;
    void (*call)(void *) = gone ? waker.gone : waker.wake;
    bool nested = exchange->waking;
    exchange->waking = nested || call != NULL;
    lock_release(&exchange->lock);
    if (call == NULL) {
        return;
    }
    call(waker.argument);
    if (!nested) {
        lock_take(&exchange->lock);
        exchange->waking = false;
        lock_release(&exchange->lock);
    }
}

void exchange_wake_by_stream(void *argument)
{
    wake_answerer(argument, false);
}

void exchange_attach(struct exchange *exchange, struct exchange_waker waker)
{
    lock_take(&exchange->lock);
    exchange->waker = waker;
    lock_release(&exchange->lock);
}

void exchange_forget_waker(struct exchange *exchange)
{
    /* A wake under way is a few instructions of the connection's thread; on that thread itself it
     * can only be the one that called us. */
    exchange->waker = (struct exchange_waker){0};
    while (exchange->waking && worker_current() != exchange->home->worker) {
        lock_release(&exchange->lock);
        sched_yield();
        lock_take(&exchange->lock);
    }
}

void exchange_detach(struct exchange *exchange)
{
    lock_take(&exchange->lock);
    exchange_forget_waker(exchange);
    lock_release(&exchange->lock);
}

/* ---- Connection's side ---- */

void exchange_open(struct exchange *exchange, struct exchange_carrier *carrier, size_t stream_bytes)
{
    exchange->carrier = carrier;
    exchange->stream_bytes = stream_bytes;
    struct exchange_intake *intake = NULL;
    if (exchange->request.has_body && (intake = malloc(sizeof *intake)) != NULL) {
        intake->trailers = (struct bytes){0};
        stream_init(&intake->body, stream_bytes);
        stream_set_reader(&intake->body, (struct stream_waker){.wake = exchange_wake_by_stream,
                                                               .argument = exchange});
        stream_set_writer(&intake->body, (struct stream_waker){.wake = exchange_tell_by_stream,
                                                               .argument = exchange});
    }
    exchange->intake = intake;
    exchange_hold(exchange,
                  (long long)(exchange->request.arena.capacity + exchange->request.spans.capacity));
}

void exchange_dispatching(struct exchange *exchange)
{
    exchange->dispatching = true; /* No lock: nobody else knows the exchange yet. */
}

struct exchange_view exchange_look(struct exchange *exchange)
{
    lock_take(&exchange->lock);
    exchange->dispatching = false;
    struct exchange_view view = {.answer = exchange->answer,
                                 .finished = exchange->finished,
                                 .completed = exchange->completed,
                                 .body_wanted = exchange->body_wanted,
                                 /* Written before the answer is announced, and not since. */
                                 .whole = exchange->answer == ANSWER_STREAM && exchange->whole};
    lock_release(&exchange->lock);
    return view;
}

size_t exchange_body_room(struct exchange *exchange)
{
    if (exchange->intake == NULL) {
        return exchange->stream_bytes; /* Whatever comes is dropped. */
    }
    lock_take(&exchange->lock);
    size_t room = exchange->stream_bytes - stream_pending(&exchange->intake->body);
    if (room == 0) {
        /* Under the lock: the reader cannot have drained the stream and asked in between. */
        exchange->body_wanted = false;
    }
    lock_release(&exchange->lock);
    return room;
}

size_t exchange_body_unread(struct exchange *exchange)
{
    if (exchange->intake == NULL) {
        return 0;
    }
    lock_take(&exchange->lock);
    size_t unread = stream_pending(&exchange->intake->body);
    if (unread > 0) {
        exchange->body_wanted = false; /* As above. */
    }
    lock_release(&exchange->lock);
    return unread;
}

void exchange_body_add(struct exchange *exchange, struct text piece)
{
    if (exchange->intake == NULL) {
        return;
    }
    struct stream *body = &exchange->intake->body;
    size_t taken = 0;
    enum stream_result result = stream_write(body, piece.data, piece.size, &taken);
    if (result == STREAM_OK) {
        exchange_hold(exchange, (long long)taken);
    }
    if (taken < piece.size) {
        stream_abort(body, EXCHANGE_NO_MEMORY); /* There was room: memory was not. */
    }
}

struct bytes *exchange_body_lines(struct exchange *exchange)
{
    return exchange->intake == NULL ? NULL : &exchange->intake->trailers;
}

bool exchange_body_trailers(struct exchange *exchange, struct text piece)
{
    struct bytes *lines = exchange_body_lines(exchange);
    return lines == NULL || bytes_append(lines, piece.data, piece.size);
}

void exchange_body_end(struct exchange *exchange)
{
    struct exchange_intake *intake = exchange->intake;
    if (intake == NULL) {
        return;
    }
    if (intake->trailers.capacity > 0) {
        exchange_hold(exchange, (long long)intake->trailers.capacity);
    }
    stream_end(&intake->body);
}

void exchange_body_fail(struct exchange *exchange, enum exchange_result result)
{
    if (exchange->intake != NULL) {
        stream_abort(&exchange->intake->body, (int)result);
    }
}

enum stream_result exchange_out_read(struct exchange *exchange, void *data, size_t size_bytes,
                                     size_t *ret_read)
{
    struct exchange_flow *flow = exchange->flow;
    bool between = heartbeat_is_between(&flow->heartbeat);
    enum stream_result result = stream_read(&flow->out, data, size_bytes, ret_read);
    if (result == STREAM_OK) {
        exchange_hold(exchange, -(long long)*ret_read);
        heartbeat_sent(flow);
    } else if (result == STREAM_WAIT) {
        *ret_read = heartbeat_take(flow, between, data, size_bytes);
        result = *ret_read > 0 ? STREAM_OK : STREAM_WAIT;
    }
    return result;
}

struct text exchange_out_trailers(const struct exchange *exchange)
{
    const struct exchange_flow *flow = exchange->flow;
    struct text none = {0};
    return flow == NULL ? none
                        : (struct text){(const char *)flow->trailers.data, flow->trailers.size};
}

bool exchange_dismiss(struct exchange *exchange)
{
    lock_take(&exchange->lock);
    bool listens = exchange->answer == ANSWER_STREAM && exchange->events && !exchange->finished &&
                   !exchange->gone;
    exchange->gone = exchange->gone || listens;
    exchange->dismissed = exchange->dismissed || listens;
    lock_release(&exchange->lock);
    if (listens) {
        wake_answerer(exchange, true);
    }
    return listens;
}

void exchange_leave(struct exchange *exchange, bool gone)
{
    lock_take(&exchange->lock);
    INVARIANT(!exchange->left);
    exchange->left = true;
    exchange->gone = gone;
    bool finished = exchange->finished;
    enum exchange_answer answer = exchange->answer;
    if (answer == ANSWER_STREAM) { /* else nobody has asked for a heartbeat yet */
        heartbeat_stop(&exchange->flow->heartbeat);
    }
    exchange->carrier = NULL;
    lock_release(&exchange->lock);
    /* An upgrade that nobody took over: who waits behind it may hold the exchange, so now or never. */
    lose_session(exchange);
    if (finished) {
        if (exchange->home->ended != NULL) {
            exchange->home->ended(exchange);
        }
        return;
    }
    if (exchange->intake != NULL) {
        stream_abort(&exchange->intake->body, EXCHANGE_CLOSED); /* Nothing, if it was complete. */
    }
    if (!gone) {
        return;
    }
    if (answer == ANSWER_STREAM) {
        stream_close(&exchange->flow->out);
    }
    wake_answerer(exchange, true);
}
