/* What nghttp2 tells of the bytes it was given, and of the frames that it sent. */
#include "serve/http2_internal.h"

#include "serve/access.h"

enum { HEADER_BLOCK_MAX = 1024 * 1024 }; /* of an answer: more than any answer may have */

static struct http2_stream *stream_of(nghttp2_session *nghttp2, int32_t id)
{
    return nghttp2_session_get_stream_user_data(nghttp2, id);
}

static struct text text_of(nghttp2_rcbuf *rcbuf)
{
    nghttp2_vec vec = nghttp2_rcbuf_get_buf(rcbuf);
    return (struct text){(const char *)vec.base, vec.len};
}

/* ---- Received ---- */

/* RFC 9113, 5.1.1: a stream that was passed over is closed for ever. nghttp2 does not mind, because lines
 * may come late for a stream that did exist; this one never did. */
static void check_order(struct http2 *http2, int32_t id)
{
    if (id > http2->newest_id) {
        if (id > http2->newest_id + 2) {
            http2->passed_first = http2->newest_id + 1;
            http2->passed_last = id - 1;
        }
        http2->newest_id = id;
    } else if (id >= http2->passed_first && id <= http2->passed_last) {
        http2_terminate(http2, NGHTTP2_PROTOCOL_ERROR, "a stream that was passed over");
    }
}

static int on_begin_frame(nghttp2_session *nghttp2, const nghttp2_frame_hd *head, void *user_data)
{
    (void)nghttp2;
    struct http2 *http2 = user_data;
    const char *reason = http2_guard_frame(&http2->guard, head->type, head->flags, head->length,
                                           lane_now_ns(http2->lane));
    if (reason != NULL) {
        http2_terminate(http2, NGHTTP2_ENHANCE_YOUR_CALM, reason);
    } else if (head->type == NGHTTP2_HEADERS) {
        check_order(http2, head->stream_id);
    }
    return 0;
}

static int on_begin_headers(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *user_data)
{
    struct http2 *http2 = user_data;
    int32_t id = frame->hd.stream_id;
    http2->head_due_ns = http2_after_ms(http2, http2->site->options.header_timeout_ms);
    http2_due_at(http2, http2->head_due_ns);
    if (http2->ending || frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0;
    }
    /* Processes that go on behind their answers count, or a client could have any number of them. */
    struct http2_stream *stream = http2->stream_count < 2 * HTTP2_STREAMS_MAX
                                      ? http2_stream_create(http2, id)
                                      : NULL;
    if (stream == NULL || nghttp2_session_set_stream_user_data(nghttp2, id, stream) != 0) {
        if (stream != NULL) {
            http2_stream_closed(stream);
        }
        http2->head_due_ns = 0; /* Nobody tells when a block that is passed over has ended. */
        nghttp2_submit_rst_stream(nghttp2, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return 0;
}

static void take_trailer(struct http2_stream *stream, struct text name, struct text value)
{
    uint32_t limit = stream->http2->site->rules.header_bytes_max;
    size_t size = name.size + value.size + 3; /* ": " and a newline */
    if (size > limit - stream->extra_bytes) {
        http2_stream_fail_body(stream, 400, EXCHANGE_MALFORMED);
        return;
    }
    stream->extra_bytes += (uint32_t)size;
    struct exchange *exchange = stream->exchange;
    if (exchange == NULL || !exchange->request.has_body || stream->complete) {
        return; /* Nobody reads them any more. */
    }
    const struct text pieces[] = {name, {": ", 2}, value, {"\n", 1}};
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        if (!exchange_body_trailers(exchange, pieces[i])) {
            http2_stream_fail_body(stream, 503, EXCHANGE_NO_MEMORY);
            return;
        }
    }
}

static int on_header(nghttp2_session *nghttp2, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *user_data)
{
    (void)flags;
    const struct http2 *http2 = user_data;
    struct http2_stream *stream = stream_of(nghttp2, frame->hd.stream_id);
    if (stream == NULL || http2->ending) {
        return 0;
    }
    struct text name_text = text_of(name), value_text = text_of(value);
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        http2_request_add(&stream->head, &stream->exchange->request, name_text, value_text);
    } else {
        take_trailer(stream, name_text, value_text);
    }
    return 0;
}

static int on_invalid_header(nghttp2_session *nghttp2, const nghttp2_frame *frame,
                             nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags,
                             void *user_data)
{
    (void)name, (void)value, (void)flags;
    struct http2 *http2 = user_data;
    http2->head_due_ns = 0; /* As above. */
    nghttp2_submit_rst_stream(nghttp2, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                              NGHTTP2_PROTOCOL_ERROR);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_data(nghttp2_session *nghttp2, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t size, void *user_data)
{
    (void)flags;
    struct http2 *http2 = user_data;
    if (http2->ending) {
        return 0;
    }
    http2_give_credit(http2, size);
    struct http2_stream *stream = stream_of(nghttp2, id);
    if (stream != NULL) {
        http2_stream_take_body(stream, (struct text){(const char *)data, size});
    }
    return 0;
}

static void headers_received(struct http2 *http2, const nghttp2_frame *frame)
{
    struct http2_stream *stream = stream_of(http2->nghttp2, frame->hd.stream_id);
    bool ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (stream == NULL) {
        return;
    }
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        http2_stream_begin(stream, ended);
    } else if (ended) {
        http2_stream_end_body(stream);
    }
}

/* A client that was told that we end has read all it had sent before. */
static void ping_received(struct http2 *http2, const nghttp2_frame *frame)
{
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 && http2->drain_due_ns != 0) {
        http2->drain_due_ns = lane_now_ns(http2->lane);
        http2_due_at(http2, http2->drain_due_ns);
    }
}

/* DATA that is nothing but padding. */
static void check_padding(struct http2 *http2, const nghttp2_frame *frame)
{
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->data.padlen == 0 || frame->hd.length > frame->data.padlen || ends) {
        return;
    }
    const char *reason = http2_guard_idle(&http2->guard, lane_now_ns(http2->lane));
    if (reason != NULL) {
        http2_terminate(http2, NGHTTP2_ENHANCE_YOUR_CALM, reason);
    }
}

/* Frames of unknown types are ignored (RFC 9113, 5.5); on_begin_frame() has counted them. */
static int on_unknown_frame(nghttp2_session *nghttp2, void **payload, const nghttp2_frame_hd *head,
                            void *user_data)
{
    (void)nghttp2, (void)payload, (void)head, (void)user_data;
    return NGHTTP2_ERR_CANCEL;
}

static int on_frame_received(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *user_data)
{
    struct http2 *http2 = user_data;
    if (http2->ending) {
        return 0;
    }
    http2->head_due_ns = 0;
    struct http2_stream *stream = NULL;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        headers_received(http2, frame);
        break;
    case NGHTTP2_DATA:
        check_padding(http2, frame);
        stream = stream_of(nghttp2, frame->hd.stream_id);
        if (stream != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
            http2_stream_end_body(stream);
        }
        break;
    case NGHTTP2_RST_STREAM:
        http2_count_error(http2);
        break;
    case NGHTTP2_PING:
        ping_received(http2, frame);
        break;
    default:
        break;
    }
    return 0;
}

static int on_invalid_frame(nghttp2_session *nghttp2, const nghttp2_frame *frame, int error,
                            void *user_data)
{
    (void)nghttp2;
    struct http2 *http2 = user_data;
    http2->head_due_ns = 0;
    if (frame->hd.type != NGHTTP2_HEADERS) {
        return 0;
    }
    lane_count(&http2->lane->refused);
    if (http2->site->options.access_log) {
        char id[17];
        id_format(pid_next(&http2->lane->ids).raw, id);
        access_log_refusal(0, nghttp2_strerror(error), id, http2->caller->remote);
    }
    return 0;
}

/* ---- Sent ---- */

static int on_frame_sent(nghttp2_session *nghttp2, const nghttp2_frame *frame, void *user_data)
{
    struct http2 *http2 = user_data;
    if (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) {
        http2_guard_earn(&http2->guard);
    } else if (frame->hd.type == NGHTTP2_RST_STREAM) {
        const struct http2_stream *stream = stream_of(nghttp2, frame->hd.stream_id);
        if (stream == NULL || !stream->forgiven) {
            http2_count_error(http2);
        }
    }
    return 0;
}

static int on_frame_not_sent(nghttp2_session *nghttp2, const nghttp2_frame *frame, int error,
                             void *user_data)
{
    (void)error, (void)user_data;
    struct http2_stream *stream = stream_of(nghttp2, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_HEADERS && stream != NULL) {
        http2_stream_reset(stream, NGHTTP2_INTERNAL_ERROR, true);
    }
    return 0;
}

static int on_stream_closed(nghttp2_session *nghttp2, int32_t id, uint32_t code, void *user_data)
{
    (void)code, (void)user_data;
    struct http2_stream *stream = stream_of(nghttp2, id);
    if (stream != NULL) {
        http2_stream_closed(stream);
    }
    return 0;
}

/* ---- The session ---- */

static bool submit_settings(struct http2 *http2)
{
    const struct serve_options *options = &http2->site->options;
    uint32_t window = options->stream_buffer_bytes < HTTP2_WINDOW_FIRST_BYTES
                          ? HTTP2_WINDOW_FIRST_BYTES
                          : options->stream_buffer_bytes;
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, HTTP2_STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options->header_bytes_max},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
    };
    return nghttp2_submit_settings(http2->nghttp2, NGHTTP2_FLAG_NONE, settings,
                                   ARRAY_LENGTH(settings)) == 0 &&
           nghttp2_session_set_local_window_size(http2->nghttp2, NGHTTP2_FLAG_NONE, 0,
                                                 HTTP2_WINDOW_BYTES) == 0;
}

static void set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_received);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_closed);
    nghttp2_session_callbacks_set_unpack_extension_callback(callbacks, on_unknown_frame);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, http2_answer_send);
}

bool http2_open_nghttp2(struct http2 *http2)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    bool fine = nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0;
    if (fine) {
        set_callbacks(callbacks);
        nghttp2_option_set_no_auto_window_update(option, 1);
        /* nghttp2 passes over the types that it does not know without a word, unless it is told to tell. */
        for (unsigned type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; type++) {
            nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
        }
        nghttp2_option_set_max_send_header_block_length(option, HEADER_BLOCK_MAX);
        fine = nghttp2_session_server_new3(&http2->nghttp2, callbacks, http2, option,
                                           &http2->mem) == 0 &&
               submit_settings(http2);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return fine;
}
