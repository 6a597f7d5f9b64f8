/* From the answer of an exchange to HEADERS and DATA. */
#include "serve/http2_internal.h"

#include "base/number.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { FRAME_HEAD_BYTES = 9 };

static const char page_lines[] = "content-type: text/plain; charset=utf-8\r\n";

/* ---- Heads ---- */

/* Header lines for nghttp2, which copies them and makes their names small. */
struct fields {
    nghttp2_nv *nv; /* lies in the lane's `gather` */
    size_t count;
    bool full;
};

static void add(struct fields *fields, struct text name, struct text value, uint8_t flags)
{
    if (fields->count == LANE_GATHER_BYTES / sizeof(*fields->nv)) {
        fields->full = true;
        return;
    }
    fields->nv[fields->count++] = (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name.data,
        .value = (uint8_t *)(uintptr_t)value.data,
        .namelen = name.size,
        .valuelen = value.size,
        .flags = flags,
    };
}

#define ADD(fields, name, value, flags)                                                            \
    add(fields, (struct text){name, sizeof(name) - 1}, value, flags)

/* "Name: value" CR LF, any number of them, all well formed. */
static void add_lines(struct fields *fields, struct text lines)
{
    while (lines.size > 0) {
        const char *colon = memchr(lines.data, ':', lines.size);
        const char *end = memchr(lines.data, '\n', lines.size);
        INVARIANT(colon != NULL && end != NULL);
        struct text name = {lines.data, (size_t)(colon - lines.data)};
        struct text value = {colon + 2, (size_t)(end - 1 - (colon + 2))};
        add(fields, name, value, NGHTTP2_NV_FLAG_NONE);
        lines.size -= (size_t)(end + 1 - lines.data);
        lines.data = end + 1;
    }
}

struct answer_head {
    unsigned status;
    uint64_t length; /* UINT64_MAX: not told */
    bool has_date, has_server;
    unsigned retry_after_s;
    struct text lines;
    const char *id;
};

static bool submit(struct http2_stream *stream, const struct answer_head *head, bool body)
{
    struct http2 *http2 = stream->http2;
    struct lane *lane = http2->lane;
    struct fields fields = {.nv = (nghttp2_nv *)(void *)lane->gather};
    char status[20], length[20], retry[20];
    ADD(&fields, ":status", ((struct text){status, number_format(head->status, status)}), 0);
    if (!head->has_date) {
        date_refresh(&lane->date, lane->env, lane_now_ns(lane));
        add_lines(&fields, (struct text){lane->date.line, lane->date.size});
    }
    if (!head->has_server && !http2->site->has_server) {
        ADD(&fields, "server", ((struct text){"mote", 4}), 0);
    }
    /* New each time: it shall not push out of the table what comes again. */
    ADD(&fields, "x-request-id", ((struct text){head->id, 16}), NGHTTP2_NV_FLAG_NO_INDEX);
    if (head->length != UINT64_MAX && head->status != 204 && head->status != 304) {
        ADD(&fields, "content-length", ((struct text){length, number_format(head->length, length)}),
            0);
    }
    if (head->retry_after_s > 0) {
        ADD(&fields, "retry-after",
            ((struct text){retry, number_format(head->retry_after_s, retry)}), 0);
    }
    add_lines(&fields, head->lines);
    add_lines(&fields,
              (struct text){(const char *)http2->site->lines.data, http2->site->lines.size});
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = http2_answer_read};
    stream->head_out = true;
    if (fields.full || nghttp2_submit_response(http2->nghttp2, stream->id, fields.nv, fields.count,
                                               body ? &provider : NULL) != 0) {
        http2_stream_reset(stream, NGHTTP2_INTERNAL_ERROR, true);
        return false;
    }
    if (stream->exchange != NULL) {
        stream->exchange->sent_status = head->status;
    }
    stream->answered = !body;
    if (body) {
        stream->write_due_ns = http2_after_ms(http2, http2->site->options.write_timeout_ms);
        http2_due_at(http2, stream->write_due_ns);
    }
    return true;
}

static bool has_no_body(const struct exchange *exchange)
{
    return exchange->request.method == METHOD_HEAD || exchange->status == 204 ||
           exchange->status == 205 || exchange->status == 304;
}

/* The head of what the answering side has prepared. */
static bool submit_own(struct http2_stream *stream, enum http2_source source)
{
    struct exchange *exchange = stream->exchange;
    struct answer_head head = {
        .status = exchange->status,
        .length = exchange->status == 205 ? 0 : exchange->length,
        .has_date = exchange->has_date,
        .has_server = exchange->has_server,
        .lines = {(const char *)exchange->content.data, exchange->line_bytes},
        .id = exchange->request.id,
    };
    bool body = source == HTTP2_FROM_TUNNEL || (head.length != 0 && !has_no_body(exchange));
    stream->source = source;
    if (exchange->request.protocol.size > 0 && source != HTTP2_FROM_TUNNEL && head.status < 300) {
        /* It would say that the stream is a WebSocket now. */
        http2_answer_page(stream, 400, (struct text){"this is no WebSocket", 20}, 0,
                          exchange->request.id, false);
        return true;
    }
    return submit(stream, &head, body);
}

void http2_answer_continue(struct http2_stream *stream)
{
    nghttp2_nv status = {.name = (uint8_t *)(uintptr_t) ":status",
                         .value = (uint8_t *)(uintptr_t) "100",
                         .namelen = 7,
                         .valuelen = 3};
    stream->continued = true;
    if (nghttp2_submit_headers(stream->http2->nghttp2, NGHTTP2_FLAG_NONE, stream->id, NULL, &status,
                               1, NULL) != 0) {
        http2_break(stream->http2);
    }
}

/* ---- Error pages ---- */

void http2_answer_page(struct http2_stream *stream, unsigned status, struct text text,
                       unsigned retry_after_s, const char *id, bool head_only)
{
    const char *words = status_words(status);
    if (text.size == 0) {
        text = (struct text){words, strlen(words)};
    }
    struct answer_head head = {
        .status = status,
        .length = text.size + 1,
        .retry_after_s = retry_after_s,
        .lines = {page_lines, sizeof(page_lines) - 1},
        .id = id,
    };
    stream->source = HTTP2_FROM_STAGED;
    if (!head_only && (!bytes_append(&stream->staged, text.data, text.size) ||
                       !bytes_append(&stream->staged, "\n", 1))) {
        http2_stream_reset(stream, NGHTTP2_INTERNAL_ERROR, true);
        return;
    }
    http2_stream_account(stream);
    submit(stream, &head, !head_only);
}

/* It is finished and never answered. */
static void write_failure(struct http2_stream *stream)
{
    struct exchange *exchange = stream->exchange;
    const struct exchange_outcome *outcome = &exchange->outcome;
    unsigned status = outcome->status;
    if (stream->body_failed != 0 && (status == 0 || status == 502)) {
        status = stream->body_failed; /* The request's fault, not the process's. */
    }
    if (status < 200 || status > 599) {
        status = 502;
    }
    struct text text = {(const char *)exchange->content.data, exchange->content.size};
    http2_answer_page(stream, status, text, outcome->retry_after_s, exchange->request.id,
                      exchange->request.method == METHOD_HEAD);
}

void http2_answer_begin(struct http2_stream *stream, const struct exchange_view *view)
{
    switch (view->answer) {
    case ANSWER_NONE:
        if (view->finished) {
            write_failure(stream);
        }
        return;
    case ANSWER_WHOLE:
        if (submit_own(stream, HTTP2_FROM_WHOLE) && stream->source == HTTP2_FROM_WHOLE) {
            bytes_consume(&stream->exchange->content, stream->exchange->line_bytes);
        }
        return;
    case ANSWER_FILE:
        submit_own(stream, HTTP2_FROM_FILE);
        return;
    case ANSWER_STREAM:
        if (stream->http2->finished && !view->finished && !view->completed && !view->whole) {
            http2_stream_reset(stream, NGHTTP2_CANCEL, true);
        } else {
            submit_own(stream, HTTP2_FROM_STREAM);
        }
        return;
    case ANSWER_UPGRADE:
        if (submit_own(stream, HTTP2_FROM_TUNNEL)) {
            stream->tunnel = TAKE(stream->exchange->session);
            http2_tunnel_begin(stream);
        }
        return;
    }
    BUG("answer %d", (int)view->answer);
}

/* ---- Bodies ---- */

static ssize_t read_bytes(struct bytes *from, uint8_t *ret, size_t length, bool *ret_end)
{
    size_t size = from->size < length ? from->size : length;
    memcpy(ret, from->data, size);
    bytes_consume(from, size);
    *ret_end = from->size == 0;
    return (ssize_t)size;
}

/* The process has ended its stream: whether well. */
static bool ended_well(struct exchange *exchange)
{
    struct exchange_view view = exchange_look(exchange);
    INVARIANT(view.finished || view.completed);
    bool short_of = exchange->length != UINT64_MAX && exchange->written < exchange->length;
    return (view.completed || exchange->outcome.status == 0) && !short_of;
}

static ssize_t read_stream(struct exchange *exchange, uint8_t *ret, size_t length, bool *ret_end)
{
    size_t size = 0, none = 0;
    enum stream_result result = exchange_out_read(exchange, ret, length, &size);
    if (result == STREAM_WAIT) {
        return NGHTTP2_ERR_DEFERRED;
    }
    if (result == STREAM_OK) {
        /* Whether that was all: then the end leaves with it. */
        result = exchange_out_read(exchange, NULL, 0, &none);
    }
    *ret_end = result == STREAM_ENDED && ended_well(exchange);
    /* After a bad end what came before it goes out first; the next call finds nothing but the end. */
    bool bad = result == STREAM_ENDED && !*ret_end && size == 0;
    return bad ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : (ssize_t)size;
}

static ssize_t read_file(struct exchange *exchange, uint8_t *ret, size_t length, bool *ret_end)
{
    uint64_t left = exchange->length - exchange->sent_bytes;
    size_t bite = left < length ? (size_t)left : length;
    ssize_t size = 0;
    do {
        size = pread(exchange->file, ret, bite,
                     (off_t)(exchange->file_offset + exchange->sent_bytes));
    } while (size < 0 && errno == EINTR);
    if (size <= 0) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* It became shorter, or cannot be read. */
    }
    *ret_end = (uint64_t)size == left;
    return size;
}

static ssize_t read_source(struct http2_stream *stream, uint8_t *ret, size_t length, bool *ret_end)
{
    struct exchange *exchange = stream->exchange;
    if (stream->source == HTTP2_FROM_STAGED) {
        return read_bytes(&stream->staged, ret, length, ret_end);
    }
    bool tunnelled = stream->source == HTTP2_FROM_TUNNEL;
    if (tunnelled ? stream->tunnel == NULL : exchange == NULL) {
        return NGHTTP2_ERR_DEFERRED; /* Its reset is on the way. */
    }
    switch (stream->source) {
    case HTTP2_FROM_TUNNEL:
        return http2_tunnel_read(stream, ret, length, ret_end);
    case HTTP2_FROM_WHOLE:
        return read_bytes(&exchange->content, ret, length, ret_end);
    case HTTP2_FROM_STREAM:
        return read_stream(exchange, ret, length, ret_end);
    case HTTP2_FROM_FILE:
        return read_file(exchange, ret, length, ret_end);
    case HTTP2_FROM_STAGED:
        break;
    }
    BUG("source %d", (int)stream->source);
}

/* Behind the last of the body, with the end of the stream. False: there is nothing of the kind. A request that is not complete ends with
 * a reset, which would overtake them. */
static bool submit_trailers(struct http2_stream *stream)
{
    struct exchange *exchange = stream->exchange;
    if (exchange == NULL || stream->source != HTTP2_FROM_STREAM || !stream->complete ||
        exchange_out_trailers(exchange).size == 0) {
        return false;
    }
    struct lane *lane = stream->http2->lane;
    struct fields fields = {.nv = (nghttp2_nv *)(void *)lane->gather};
    add_lines(&fields, exchange_out_trailers(exchange));
    return !fields.full &&
           nghttp2_submit_trailer(stream->http2->nghttp2, stream->id, fields.nv, fields.count) == 0;
}

ssize_t http2_answer_read(nghttp2_session *nghttp2, int32_t stream_id, uint8_t *buffer,
                          size_t length, uint32_t *data_flags, nghttp2_data_source *source,
                          void *user_data)
{
    (void)nghttp2, (void)stream_id, (void)buffer;
    struct http2 *http2 = user_data;
    struct http2_stream *stream = source->ptr;
    struct bytes *out = http2->out;
    if (out->size >= http2->out_limit_bytes) {
        return NGHTTP2_ERR_PAUSE;
    }
    if (!bytes_reserve(out, FRAME_HEAD_BYTES + length)) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    bool end = false;
    ssize_t size = read_source(stream, out->data + out->size + FRAME_HEAD_BYTES, length, &end);
    if (size == NGHTTP2_ERR_DEFERRED) {
        stream->deferred = true;
        stream->write_due_ns = 0;
    } else if (size < 0) {
        stream->forgiven = true;
    } else {
        *data_flags |= NGHTTP2_DATA_FLAG_NO_COPY;
        stream->sent_bytes += (uint64_t)size;
        if (stream->exchange != NULL) {
            stream->exchange->sent_bytes = stream->sent_bytes;
        }
    }
    if (end) {
        *data_flags |= NGHTTP2_DATA_FLAG_EOF;
        if (submit_trailers(stream)) {
            *data_flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        }
        stream->answered = true;
        stream->write_due_ns = 0;
        http2_stream_mark(stream);
    }
    return size;
}

int http2_answer_send(nghttp2_session *nghttp2, nghttp2_frame *frame, const uint8_t *frame_head,
                      size_t length, nghttp2_data_source *source, void *user_data)
{
    (void)nghttp2, (void)frame, (void)source;
    struct http2 *http2 = user_data;
    struct bytes *out = http2->out;
    memcpy(out->data + out->size, frame_head, FRAME_HEAD_BYTES);
    out->size += FRAME_HEAD_BYTES + length;
    return 0;
}
