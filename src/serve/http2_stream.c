/* One stream: the connection's side of one exchange. */
#include "serve/http2_internal.h"

#include "serve/access.h"
#include "serve/dispatch.h"

#include <stdlib.h>
#include <string.h>

/* ---- Life ---- */

static void on_news(struct exchange_carrier *carrier)
{
    http2_stream_mark(CONTAINER_OF(carrier, struct http2_stream, carrier));
}

struct http2_stream *http2_stream_create(struct http2 *http2, int32_t id)
{
    struct http2_stream *stream = calloc(1, sizeof(*stream));
    struct exchange *exchange = stream == NULL ? NULL : lane_take_exchange(http2->lane);
    if (exchange == NULL) {
        free(stream);
        return NULL;
    }
    stream->carrier.news = on_news;
    stream->http2 = http2;
    stream->id = id;
    stream->open = true;
    stream->exchange = exchange;
    exchange->began_ns = lane_now_ns(http2->lane);
    http2_request_init(&stream->head, &http2->site->rules);
    list_init(&stream->news);
    list_append(&http2->streams, &stream->link);
    http2->stream_count++;
    http2->idle_due_ns = 0;
    return stream;
}

void http2_stream_mark(struct http2_stream *stream)
{
    if (list_is_empty(&stream->news)) {
        list_append(&stream->http2->news, &stream->news);
        session_news(&stream->http2->session);
    }
}

/* The exchange is over for the stream. */
static void end_exchange(struct http2_stream *stream, bool whole)
{
    struct lane *lane = stream->http2->lane;
    struct exchange *exchange = TAKE(stream->exchange);
    if (!stream->dispatched) {
        lane_give_exchange(lane, exchange);
        return;
    }
    exchange->cut = !whole;
    exchange->ended_ns = exchange->logged ? lane->env->monotonic_ns(lane->env) : exchange->began_ns;
    lane_count_response(lane, exchange->cut ? 0 : exchange->sent_status);
    /* Also after all of the answer: a process that goes on behind it goes on for nobody. */
    exchange_leave(exchange, true);
    lane_give_exchange(lane, exchange);
}

static void end_tunnel(struct http2_stream *stream)
{
    struct session *tunnel = TAKE(stream->tunnel);
    if (tunnel != NULL) {
        tunnel->type->lose(tunnel);
    }
}

static void stream_free(struct http2_stream *stream)
{
    bytes_fini(&stream->staged);
    bytes_fini(&stream->in);
    http2_stream_account(stream);
    http2_request_fini(&stream->head);
    list_remove(&stream->news);
    list_remove(&stream->link);
    free(stream);
}

void http2_stream_settle(struct http2_stream *stream)
{
    struct http2 *http2 = stream->http2;
    if (stream->open || stream->exchange != NULL || stream->tunnel != NULL) {
        return;
    }
    stream_free(stream);
    if (--http2->stream_count > 0) {
        return;
    }
    http2->idle_due_ns = http2_after_ms(http2, http2->site->options.idle_timeout_ms);
    http2_due_at(http2, http2->idle_due_ns);
}

void http2_stream_reset(struct http2_stream *stream, uint32_t code, bool forgiven)
{
    stream->forgiven = forgiven;
    stream->write_due_ns = stream->rate_due_ns = 0;
    end_tunnel(stream);
    if (stream->exchange != NULL) {
        end_exchange(stream, false);
    }
    if (stream->open && nghttp2_submit_rst_stream(stream->http2->nghttp2, NGHTTP2_FLAG_NONE,
                                                  stream->id, code) != 0) {
        http2_break(stream->http2);
    }
    http2_stream_mark(stream);
}

void http2_stream_closed(struct http2_stream *stream)
{
    stream->open = false;
    stream->write_due_ns = stream->rate_due_ns = 0;
    end_tunnel(stream);
    if (stream->exchange != NULL && !(stream->answered && stream->dispatched)) {
        end_exchange(stream, false);
    } else if (stream->exchange != NULL && exchange_look(stream->exchange).finished) {
        end_exchange(stream, true);
    }
    http2_stream_settle(stream);
}

void http2_stream_destroy(struct http2_stream *stream)
{
    struct http2 *http2 = stream->http2;
    end_tunnel(stream);
    if (stream->exchange != NULL) {
        end_exchange(stream, stream->answered);
    }
    stream_free(stream);
    http2->stream_count--;
}

bool http2_stream_needs_client(struct http2_stream *stream)
{
    if (stream->exchange == NULL || stream->answered) {
        return false;
    }
    if (!stream->dispatched || !stream->complete ||
        stream->http2->site->options.cancel_on_disconnect) {
        return true;
    }
    struct exchange_view view = exchange_look(stream->exchange);
    return view.answer == ANSWER_STREAM && !view.finished && !view.completed && !view.whole;
}

/* ---- The head ---- */

static void refuse(struct http2_stream *stream, unsigned status, const char *reason)
{
    struct http2 *http2 = stream->http2;
    struct lane *lane = http2->lane;
    bool head_only = stream->exchange->request.method == METHOD_HEAD;
    char id[17];
    id_format(pid_next(&lane->ids).raw, id);
    end_exchange(stream, false);
    lane_count(&lane->refused);
    lane_count_response(lane, status);
    if (http2->site->options.access_log) {
        access_log_refusal(status, reason, id, http2->caller->remote);
    }
    http2_answer_page(stream, status, (struct text){reason, strlen(reason)},
                      status == 503 ? EXCHANGE_RETRY_S : 0, id, head_only);
    http2_count_error(http2);
}

static void open_exchange(struct http2_stream *stream)
{
    struct http2 *http2 = stream->http2;
    struct lane *lane = http2->lane;
    const struct serve_options *options = &http2->site->options;
    struct exchange *exchange = stream->exchange;
    struct request *request = &exchange->request;
    id_format(pid_next(&lane->ids).raw, request->id);
    caller_sign(http2->caller, request);
    exchange->logged = options->access_log;
    lane_take_spans(lane, exchange);
    /* What a client may send before it knows our settings has to find room. */
    exchange_open(exchange, &stream->carrier,
                  options->stream_buffer_bytes < HTTP2_WINDOW_FIRST_BYTES
                      ? HTTP2_WINDOW_FIRST_BYTES
                      : options->stream_buffer_bytes);
    lane_count(&lane->requests);
    stream->dispatched = true;
}

void http2_stream_begin(struct http2_stream *stream, bool ended)
{
    struct http2 *http2 = stream->http2;
    struct exchange *exchange = stream->exchange;
    const char *reason = NULL;
    stream->complete = ended;
    unsigned status = http2_request_finish(&stream->head, &exchange->request, ended, &reason);
    http2_request_fini(&stream->head);
    http2_stream_mark(stream);
    if (status != 200) {
        refuse(stream, status, reason);
        return;
    }
    open_exchange(stream);
    if (stream->head.expects_other) {
        dispatch_reply(exchange, 417, "only 100-continue can be expected here", NULL, 0);
        return;
    }
    void *target = NULL;
    switch (dispatch_look(exchange, http2->site, &target)) {
    case DISPATCH_WANTED:
        dispatch_run(exchange, http2->lane, http2->site, target);
        return;
    case DISPATCH_REPLIED:
        return;
    case DISPATCH_TOO_LARGE:
        stream->body_failed = 413;
        return;
    }
    BUG("no such dispatch");
}

/* ---- The body ---- */

void http2_stream_fail_body(struct http2_stream *stream, unsigned status,
                            enum exchange_result result)
{
    if (stream->exchange == NULL || !stream->exchange->request.has_body ||
        stream->body_failed != 0) {
        return;
    }
    stream->body_failed = status;
    exchange_body_fail(stream->exchange, result);
    http2_stream_mark(stream);
}

/* A WebSocket's bytes may come before anybody has looked whether there is one. */
static bool may_become_tunnel(const struct http2_stream *stream)
{
    return stream->exchange != NULL && stream->dispatched && !stream->head_out &&
           stream->exchange->request.protocol.size > 0;
}

void http2_stream_take_body(struct http2_stream *stream, struct text piece)
{
    if (stream->tunnel != NULL) {
        http2_tunnel_receive(stream, piece);
        return;
    }
    if (may_become_tunnel(stream)) {
        if (!bytes_append(&stream->in, piece.data, piece.size)) {
            http2_stream_reset(stream, NGHTTP2_INTERNAL_ERROR, true);
        }
        http2_stream_account(stream);
        return;
    }
    struct exchange *exchange = stream->exchange;
    if (exchange == NULL || !stream->dispatched || !exchange->request.has_body ||
        stream->body_failed != 0) {
        return; /* Nobody wants it, and nobody gives credit for it. */
    }
    stream->body_bytes += piece.size;
    stream->rate_bytes += piece.size;
    if (stream->body_bytes > stream->http2->site->options.body_bytes_max) {
        http2_stream_fail_body(stream, 413, EXCHANGE_TOO_LARGE);
        return;
    }
    if (piece.size > exchange_body_room(exchange)) {
        http2_stream_reset(stream, NGHTTP2_FLOW_CONTROL_ERROR, false);
        return;
    }
    exchange_body_add(exchange, piece);
    stream->unread_bytes += piece.size;
    http2_stream_give_credit(stream);
}

void http2_stream_give_credit(struct http2_stream *stream)
{
    if (stream->unread_bytes == 0) {
        return;
    }
    size_t unread = exchange_body_unread(stream->exchange);
    size_t read = stream->unread_bytes > unread ? stream->unread_bytes - unread : 0;
    stream->unread_bytes -= read;
    if (read > 0 && stream->open && !stream->complete &&
        nghttp2_session_consume_stream(stream->http2->nghttp2, stream->id, read) != 0) {
        http2_break(stream->http2);
    }
}

void http2_stream_end_body(struct http2_stream *stream)
{
    if (stream->complete) {
        return;
    }
    stream->complete = true;
    struct exchange *exchange = stream->exchange;
    if (stream->tunnel != NULL) {
        if (stream->in.size == 0) {
            stream->tunnel->type->finished(stream->tunnel);
        }
    } else if (exchange != NULL && exchange->request.has_body && stream->body_failed == 0) {
        exchange_body_end(exchange);
    }
    http2_stream_mark(stream);
}

/* ---- Deadlines ---- */

static void begin_rate_window(struct http2_stream *stream)
{
    stream->rate_bytes = 0;
    stream->rate_due_ns = http2_after_ms(stream->http2, HTTP2_RATE_WINDOW_MS);
    http2_due_at(stream->http2, stream->rate_due_ns);
}

static void begin_write_window(struct http2_stream *stream)
{
    stream->write_bytes = stream->sent_bytes;
    stream->write_due_ns = http2_after_ms(stream->http2,
                                          stream->http2->site->options.write_timeout_ms);
    http2_due_at(stream->http2, stream->write_due_ns);
}

/* The body is waited for only while its reader has read all there was. */
static void watch_rate(struct http2_stream *stream, const struct exchange_view *view)
{
    bool awaited = view->body_wanted && !stream->complete && stream->body_failed == 0 &&
                   stream->http2->site->options.body_rate_min > 0;
    if (!awaited) {
        stream->rate_due_ns = 0;
    } else if (stream->rate_due_ns == 0) {
        begin_rate_window(stream);
    }
}

static bool is_over(uint64_t deadline_ns, uint64_t now_ns)
{
    return deadline_ns != 0 && now_ns >= deadline_ns;
}

/* Whether it is the client's credit that holds the answer up, and it gave too little of it. */
static bool reads_too_slowly(struct http2_stream *stream)
{
    nghttp2_session *nghttp2 = stream->http2->nghttp2;
    const struct serve_options *options = &stream->http2->site->options;
    if (nghttp2_session_get_remote_window_size(nghttp2) > 0 &&
        nghttp2_session_get_stream_remote_window_size(nghttp2, stream->id) > 0) {
        return false;
    }
    uint64_t taken = stream->sent_bytes - stream->write_bytes;
    return taken == 0 ||
           taken * 1000 < (uint64_t)options->body_rate_min * options->write_timeout_ms;
}

void http2_stream_due(struct http2_stream *stream, uint64_t now_ns)
{
    struct http2 *http2 = stream->http2;
    if (is_over(stream->rate_due_ns, now_ns)) {
        uint64_t rate_min = http2->site->options.body_rate_min;
        if (stream->rate_bytes * 1000 < rate_min * HTTP2_RATE_WINDOW_MS) {
            stream->rate_due_ns = 0;
            http2_stream_fail_body(stream, 408, EXCHANGE_MALFORMED);
        } else {
            begin_rate_window(stream);
        }
    }
    if (is_over(stream->write_due_ns, now_ns)) {
        if (reads_too_slowly(stream)) {
            http2_stream_reset(stream, NGHTTP2_CANCEL, false);
            return;
        }
        begin_write_window(stream);
    }
    struct session *tunnel = stream->tunnel;
    if (tunnel != NULL) {
        if (is_over(tunnel->type->due_ns(tunnel), now_ns)) {
            tunnel->type->due(tunnel, now_ns);
            http2_stream_mark(stream);
        }
        http2_due_at(http2, tunnel->type->due_ns(tunnel));
    }
    http2_due_at(http2, stream->rate_due_ns);
    http2_due_at(http2, stream->write_due_ns);
}

/* ---- News ---- */

static void look_at_exchange(struct http2_stream *stream)
{
    http2_stream_give_credit(stream);
    struct exchange_view view = exchange_look(stream->exchange);
    watch_rate(stream, &view);
    if (stream->open && view.body_wanted && !stream->head_out && stream->head.expects_continue &&
        !stream->continued && stream->body_bytes == 0) {
        http2_answer_continue(stream);
    }
    if (stream->open && !stream->head_out) {
        http2_answer_begin(stream, &view);
    }
    bool upgraded = stream->tunnel != NULL;
    /* A process that goes on behind its answer does not keep the connection of a client that left. */
    bool over = view.finished || (stream->answered && stream->http2->finished);
    if (stream->exchange != NULL && (stream->answered || upgraded) && over) {
        end_exchange(stream, true);
    }
}

void http2_stream_advance(struct http2_stream *stream)
{
    struct http2 *http2 = stream->http2;
    if (stream->exchange != NULL && stream->dispatched) {
        look_at_exchange(stream);
    }
    if (stream->tunnel != NULL) {
        http2_tunnel_advance(stream);
        if (stream->answered) {
            end_tunnel(stream);
        }
    }
    if (stream->deferred && stream->open && !stream->answered) {
        stream->deferred = false;
        begin_write_window(stream);
        if (nghttp2_session_resume_data(http2->nghttp2, stream->id) == NGHTTP2_ERR_NOMEM) {
            http2_break(http2);
        }
    }
    bool done = stream->answered && stream->exchange == NULL && stream->tunnel == NULL;
    /* A tunnel whose client has shut its side without ending the stream never ends it. */
    bool orphaned = http2->finished && stream->source == HTTP2_FROM_TUNNEL;
    if (done && stream->open && (!stream->complete || orphaned)) {
        /* Whole answer, half request: the rest of it is not wanted (RFC 9113, 8.1). */
        stream->complete = stream->forgiven = true;
        if (nghttp2_submit_rst_stream(http2->nghttp2, NGHTTP2_FLAG_NONE, stream->id,
                                      NGHTTP2_NO_ERROR) != 0) {
            http2_break(http2);
        }
    }
    http2_stream_settle(stream);
}
