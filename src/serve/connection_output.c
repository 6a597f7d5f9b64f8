#include "serve/connection.h"

#include "serve/access.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    JOIN_BODY_MAX = 16 * 1024,    /* a body up to this size is copied behind its head */
    CHUNK_HEAD_BYTES = 8,         /* room for "ffff" and more, CR LF, in front of a chunk */
    PUMP_BYTES_MAX = 1024 * 1024, /* of a stream in one round, but for the last piece */
    FILE_BYTES_MAX = 256 * 1024,  /* of a file in one piece */
    SESSION_BYTES = 64 * 1024,    /* of a session before it is sent */
    CHUNK_TAIL_BYTES = 7,         /* CR LF behind it, and the last chunk "0" CR LF CR LF */
};

static void count_sent(struct connection *connection, size_t size_bytes)
{
    connection->exchange->sent_bytes += size_bytes;
}

/* ---- Heads ---- */

/* Whether the connection has to end with this answer. */
static bool ends_after_answer(const struct connection *connection)
{
    const struct http1 *http1 = &connection->http1;
    if (connection->last || !http1->keep_alive || connection->peer_finished ||
        atomic_load_explicit(&connection->lane->common->draining, memory_order_relaxed)) {
        return true;
    }
    if (connection->complete) {
        return false;
    }
    /* A client that was not told to continue may leave the body out, or send it: nobody can know. */
    bool unsure = http1->expects_continue && !connection->continued && connection->body_bytes == 0;
    return unsure || (http1->phase == HTTP1_IN_SIZED && http1->left > CONNECTION_DRAIN_MAX);
}

static enum head_body body_of(const struct connection *connection, unsigned status, uint64_t length)
{
    if (status == 101 || status == 204 || status == 304) {
        return HEAD_BODY_NONE;
    }
    if (length != UINT64_MAX) {
        return HEAD_BODY_SIZED;
    }
    return connection->exchange->request.minor_version == 0 ? HEAD_BODY_CLOSE : HEAD_BODY_CHUNKED;
}

static bool write_head(struct connection *connection, struct head *head)
{
    struct lane *lane = connection->lane;
    struct exchange *exchange = connection->exchange;
    if (head->connection != HEAD_CONNECTION_UPGRADE) {
        connection->last = ends_after_answer(connection) || head->body == HEAD_BODY_CLOSE;
    }
    if (head->connection == HEAD_CONNECTION_UPGRADE) {
        /* Whatever else was said of this connection, it goes on. */
    } else if (connection->last) {
        head->connection = HEAD_CONNECTION_CLOSE;
    } else if (exchange->request.minor_version == 0) {
        head->connection = HEAD_CONNECTION_KEEP;
    }
    head->fixed = (struct text){(const char *)connection->site->lines.data,
                                connection->site->lines.size};
    head->has_server = head->has_server || connection->site->has_server;
    head->id = exchange->request.id;
    date_refresh(&lane->date, lane->env, lane_now_ns(lane));
    if (connection->out.capacity == 0) {
        connection->out = lane_take_buffer(lane);
    }
    if (!head_write(&connection->out, head, &lane->date)) {
        connection_lose(connection);
        return false;
    }
    exchange->sent_status = head->status;
    connection->head_out = true;
    return true;
}

/* The head of what the answering side has prepared. */
static bool write_own_head(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    uint64_t length = exchange->status == 205 ? 0 : exchange->length;
    struct head head = {
        .status = exchange->status,
        .body = body_of(connection, exchange->status, length),
        .length = length,
        .has_date = exchange->has_date,
        .has_server = exchange->has_server,
        .upgrade = exchange->offers,
        .lines = {(const char *)exchange->content.data, exchange->line_bytes},
    };
    connection->chunked = head.body == HEAD_BODY_CHUNKED;
    return write_head(connection, &head);
}

/* RFC 9110, 15.2.2. */
static bool write_upgrade_head(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    struct head head = {
        .status = 101,
        .body = HEAD_BODY_NONE,
        .connection = HEAD_CONNECTION_UPGRADE,
        .upgrade = exchange->session->type->name,
        .has_date = exchange->has_date,
        .has_server = exchange->has_server,
        .lines = {(const char *)exchange->content.data, exchange->line_bytes},
    };
    if (!write_head(connection, &head)) {
        return true;
    }
    connection->session = TAKE(exchange->session);
    connection->answered = true;
    return true;
}

/* ---- Whole answers ---- */

/* The body lies in `content`, behind the lines; empty where none is sent. */
static bool write_whole(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    if (!write_own_head(connection)) {
        return true;
    }
    struct bytes *content = &exchange->content;
    bytes_consume(content, exchange->line_bytes);
    count_sent(connection, content->size);
    connection->answered = true;
    if (content->size > JOIN_BODY_MAX) {
        exchange_hold(exchange, -(long long)content->size); /* From now on the connection's. */
        connection->tail = *content;
        *content = (struct bytes){0};
    } else if (!bytes_append(&connection->out, content->data, content->size)) {
        connection_lose(connection);
    }
    return true;
}

/* ---- Error pages ---- */

/* "502 Bad Gateway" or better words, as one line of text. */
static bool write_page(struct connection *connection, unsigned status, struct text text,
                       unsigned retry_after_s)
{
    static const char lines[] = "Content-Type: text/plain; charset=utf-8\r\n";
    const char *words = status_words(status);
    if (text.size == 0) {
        text = (struct text){words, strlen(words)};
    }
    struct head head = {
        .status = status,
        .body = HEAD_BODY_SIZED,
        .length = text.size + 1,
        .retry_after_s = retry_after_s,
        .lines = {lines, sizeof(lines) - 1},
    };
    if (!write_head(connection, &head)) {
        return false;
    }
    connection->answered = true;
    if (connection->exchange->request.method == METHOD_HEAD) {
        return true;
    }
    count_sent(connection, text.size + 1);
    if (!bytes_append(&connection->out, text.data, text.size) ||
        !bytes_append(&connection->out, "\n", 1)) {
        connection_lose(connection);
        return false;
    }
    return true;
}

/* It is finished and never answered. */
static void write_failure(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    const struct exchange_outcome *outcome = &exchange->outcome;
    unsigned status = outcome->status;
    if (connection->body_failed != 0 && (status == 0 || status == 502)) {
        status = connection->body_failed; /* The request's fault, not the process's. */
    }
    if (status < 200 || status > 599) {
        status = 502;
    }
    struct text text = {(const char *)exchange->content.data, exchange->content.size};
    write_page(connection, status, text, outcome->retry_after_s);
}

void connection_refuse(struct connection *connection, unsigned status, const char *reason,
                       unsigned retry_after_s)
{
    struct lane *lane = connection->lane;
    bool had_exchange = connection->exchange != NULL;
    if (had_exchange) {
        lane_give_exchange(lane, connection->exchange);
        connection->exchange = NULL;
    }
    static const char lines[] = "Content-Type: text/plain; charset=utf-8\r\n";
    char id[17];
    id_format(pid_next(&lane->ids).raw, id);
    struct head head = {
        .status = status,
        .body = HEAD_BODY_SIZED,
        .length = strlen(reason) + 1,
        .connection = HEAD_CONNECTION_CLOSE,
        .retry_after_s = retry_after_s,
        .has_server = connection->site->has_server,
        .lines = {lines, sizeof(lines) - 1},
        .fixed = {(const char *)connection->site->lines.data, connection->site->lines.size},
        .id = id,
    };
    date_refresh(&lane->date, lane->env, lane_now_ns(lane));
    if (!head_write(&connection->out, &head, &lane->date) ||
        !bytes_append(&connection->out, reason, strlen(reason)) ||
        !bytes_append(&connection->out, "\n", 1)) {
        connection_close(connection);
        return;
    }
    lane_count(&lane->refused);
    lane_count_response(lane, status);
    if (connection->site->options.access_log) {
        access_log_refusal(status, reason, id, connection->remote);
    }
    bytes_fini(&connection->in);
    connection_enter_closing(connection, true);
}

/* ---- Streamed answers ---- */

/* The process has ended its stream. Whether well decides how the client is told. */
static void end_stream(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    struct exchange_view view = exchange_look(exchange);
    INVARIANT(view.finished || view.completed);
    bool sized = exchange->length != UINT64_MAX;
    bool short_of = sized && exchange->written < exchange->length;
    connection->answered = true;
    if ((!view.completed && exchange->outcome.status != 0) || short_of) {
        exchange->cut = true;
        connection->last = true;
        /* Without a length and without chunks, only a reset differs from an end. */
        connection->reset = !sized && !connection->chunked;
    }
}

/* Send `out` and then `size` bytes more, of which the rest is kept in `out`. False: it was lost. */
static bool send_gathered(struct connection *connection, const char *data, size_t size)
{
    struct bytes *out = &connection->out;
    struct iovec parts[] = {{out->data, out->size}, {(void *)(uintptr_t)data, size}};
    bool alone = out->size == 0; /* One part costs the kernel less than two. */
    ssize_t sent = transport_send(&connection->transport, parts + alone, alone ? 1 : 2);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        connection_lose(connection);
        return false;
    }
    size_t done = sent < 0 ? 0 : (size_t)sent;
    connection->blocked = done < out->size + size && (sent >= 0 || errno == EAGAIN);
    connection->window_sent += done;
    size_t of_out = done < out->size ? done : out->size;
    bytes_consume(out, of_out);
    size_t rest = size - (done - of_out);
    if (rest > 0 && !bytes_append(out, data + (size - rest), rest)) {
        connection_lose(connection);
        return false;
    }
    return true;
}

/* Frame `size` bytes that lie CHUNK_HEAD_BYTES behind `gather`; returns where the chunk begins and
 * makes `*size` its whole size. */
static char *frame_chunk(char *gather, size_t *size)
{
    char *body = gather + CHUNK_HEAD_BYTES, *begin = body - 2;
    memcpy(begin, "\r\n", 2);
    memcpy(body + *size, "\r\n", 2);
    for (size_t left = *size; left > 0; left >>= 4) {
        *--begin = "0123456789abcdef"[left & 15];
    }
    *size += (size_t)(body - begin) + 2;
    return begin;
}

/* The last chunk, with trailers for who has said that they are no surprise (RFC 9110, 6.5.1) and if they fit. Returns its size. */
static size_t end_chunks(const struct exchange *exchange, char *ret, size_t room)
{
    struct text trailers = exchange_out_trailers(exchange);
    const struct header *te = trailers.size == 0 ? NULL
                                                 : request_header(&exchange->request, "te", 2);
    bool wanted = te != NULL && field_list_has(te->value, "trailers", 8);
    size_t size = wanted && trailers.size + 5 <= room ? trailers.size : 0;
    memcpy(ret, "0\r\n", 3);
    if (size > 0) {
        memcpy(ret + 3, trailers.data, size);
    }
    memcpy(ret + 3 + size, "\r\n", 2);
    return size + 5;
}

/* One piece from the stream to the socket. Returns whether to go on. */
static bool pump_piece(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    char *gather = connection->lane->gather;
    char *begin = gather + CHUNK_HEAD_BYTES;
    size_t size = 0, none = 0;
    enum stream_result result = exchange_out_read(
        exchange, begin, LANE_GATHER_BYTES - CHUNK_HEAD_BYTES - CHUNK_TAIL_BYTES, &size);
    if (result == STREAM_OK) {
        count_sent(connection, size);
        if (connection->chunked) {
            begin = frame_chunk(gather, &size);
        }
        /* Whether that was all: then the end leaves with it. */
        result = exchange_out_read(exchange, NULL, 0, &none);
    }
    if (result == STREAM_ENDED) {
        end_stream(connection);
        if (connection->chunked && !exchange->cut) {
            size += end_chunks(exchange, begin + size,
                               (size_t)(gather + LANE_GATHER_BYTES - (begin + size)));
        }
    }
    if (size > 0 && !send_gathered(connection, begin, size)) {
        return false;
    }
    return result == STREAM_OK && !connection->blocked;
}

/* A fast guest and a fast client can keep this up for ever: after its share of the round the others have
 * their turn. */
static void pump(struct connection *connection)
{
    uint64_t share_end = connection->exchange->sent_bytes + PUMP_BYTES_MAX;
    while (connection->phase == CONNECTION_OPEN && !connection->answered && !connection->blocked &&
           !connection->pumped && pump_piece(connection)) {
        if (connection->exchange->sent_bytes >= share_end) {
            connection->pumped = true;
            connection_again(connection);
        }
    }
}

/* ---- Files ---- */

/* Returns whether to go on. */
static bool pump_file_piece(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    connection_flush(connection);
    if (connection->phase != CONNECTION_OPEN || connection->blocked) {
        return false;
    }
    uint64_t left = exchange->length - exchange->sent_bytes;
    size_t bite = left < FILE_BYTES_MAX ? (size_t)left : FILE_BYTES_MAX;
    off_t offset = (off_t)(exchange->file_offset + exchange->sent_bytes);
    ssize_t sent = bite == 0 ? 0
                             : transport_file(&connection->transport, exchange->file, offset, bite);
    if (sent < 0 && errno == EAGAIN) {
        connection->blocked = true;
        return false;
    }
    if (sent < 0 && errno == EINTR) {
        return true;
    }
    if (sent <= 0) {
        connection->answered = true;
        exchange->cut = left > 0; /* It became shorter, or cannot be read. */
        connection->last = connection->last || left > 0;
        return false;
    }
    connection->window_sent += (size_t)sent;
    count_sent(connection, (size_t)sent);
    return true;
}

static void pump_file(struct connection *connection)
{
    uint64_t share_end = connection->exchange->sent_bytes + PUMP_BYTES_MAX;
    while (!connection->pumped && pump_file_piece(connection)) {
        if (connection->exchange->sent_bytes >= share_end) {
            connection->pumped = true;
            connection_again(connection);
        }
    }
}

/* ---- Sessions ---- */

bool connection_converse(struct connection *connection)
{
    struct session *session = connection->session;
    struct bytes *out = &connection->out;
    if (out->size >= SESSION_BYTES) {
        connection_flush(connection);
        if (connection->phase != CONNECTION_SESSION || out->size >= SESSION_BYTES) {
            return false;
        }
    }
    if (out->capacity == 0) {
        *out = lane_take_buffer(connection->lane);
    }
    if (!session->type->produce(session, out, SESSION_BYTES)) {
        connection_lose(connection);
        return false;
    }
    bool full = out->size >= SESSION_BYTES;
    if (full) {
        connection_flush(connection);
    }
    if (connection->phase == CONNECTION_SESSION && !full && session->type->over(session)) {
        /* What may still come would make of a close a reset. */
        connection_enter_closing(connection, !session->agreed || connection->readable ||
                                                 transport_is_secure(&connection->transport));
        return false;
    }
    return full && connection->phase == CONNECTION_SESSION && !connection->blocked;
}

/* ---- The exchange under way ---- */

static bool has_no_body(const struct exchange *exchange)
{
    return exchange->request.method == METHOD_HEAD || exchange->status == 204 ||
           exchange->status == 205 || exchange->status == 304;
}

/* A stream whose bytes go nowhere ends with its process. */
static void end_empty_stream(struct connection *connection, const struct exchange_view *view)
{
    if (view->finished || view->completed) {
        connection->answered = true;
    }
}

/* Whether no request follows. A client that was not told so may have sent one; where the listeners were
 * handed over nobody else can answer that. */
static bool is_last(const struct connection *connection)
{
    const struct lane_common *common = connection->lane->common;
    return connection->last || (atomic_load_explicit(&common->draining, memory_order_acquire) &&
                                !atomic_load_explicit(&common->handed_over, memory_order_relaxed));
}

static void next_phase(struct connection *connection)
{
    bool complete = connection->complete;
    connection_end_exchange(connection);
    if (connection->session != NULL) {
        connection_enter_session(connection, connection->session);
    } else if (is_last(connection)) {
        connection_enter_closing(connection,
                                 !complete || connection->in.size > 0 || connection->readable);
    } else if (complete) {
        http1_next(&connection->http1);
        connection_enter_idle(connection);
    } else {
        connection->phase = CONNECTION_DRAIN;
        connection->discarded = 0;
        connection->read_deadline_ns = connection_after_ms(connection, CONNECTION_DRAIN_MS);
    }
}

static void ask_for_body(struct connection *connection)
{
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    connection->continued = true;
    if (connection->out.capacity == 0) {
        connection->out = lane_take_buffer(connection->lane);
    }
    if (!bytes_append(&connection->out, interim, sizeof(interim) - 1)) {
        connection_lose(connection);
    }
}

/* Begin the answer if there is one; false: there is none yet. */
static bool begin_answer(struct connection *connection, const struct exchange_view *view)
{
    switch (view->answer) {
    case ANSWER_NONE:
        if (view->finished) {
            write_failure(connection);
        }
        return view->finished;
    case ANSWER_WHOLE:
        return write_whole(connection);
    case ANSWER_FILE:
        write_own_head(connection);
        return true;
    case ANSWER_UPGRADE:
        return write_upgrade_head(connection);
    case ANSWER_STREAM:
        if (connection->peer_finished && !view->finished && !view->completed && !view->whole) {
            connection_lose(connection);
        } else {
            write_own_head(connection);
        }
        return true;
    }
    BUG("answer %d", (int)view->answer);
}

bool connection_answer(struct connection *connection)
{
    struct exchange_view view = exchange_look(connection->exchange);
    bool moved = view.body_wanted && !connection->body_wanted;
    connection->body_wanted = view.body_wanted;
    if (view.body_wanted && !connection->head_out && connection->http1.expects_continue &&
        !connection->continued && connection->body_bytes == 0) {
        ask_for_body(connection);
    }
    if (connection->phase == CONNECTION_OPEN && !connection->head_out) {
        moved = begin_answer(connection, &view) || moved;
    }
    if (connection->phase == CONNECTION_OPEN && connection->head_out && !connection->answered) {
        if (has_no_body(connection->exchange)) {
            end_empty_stream(connection, &view);
        } else if (view.answer == ANSWER_FILE) {
            pump_file(connection);
        } else {
            pump(connection);
            view = connection->phase == CONNECTION_OPEN ? exchange_look(connection->exchange)
                                                        : view;
        }
    }
    if (connection->phase == CONNECTION_OPEN && connection->answered && view.finished) {
        next_phase(connection);
        return true;
    }
    return moved && connection->phase != CONNECTION_CLOSED;
}

/* ---- The socket ---- */

void connection_flush(struct connection *connection)
{
    struct bytes *out = &connection->out, *tail = &connection->tail;
    while (!connection->blocked && out->size + tail->size > 0) {
        struct iovec parts[] = {{out->data, out->size}, {tail->data, tail->size}};
        ssize_t sent = transport_send(&connection->transport, parts, tail->size == 0 ? 1 : 2);
        if (sent < 0) {
            if (errno == EINTR) {
                continue;
            }
            if (errno != EAGAIN) {
                connection_lose(connection);
                return;
            }
            connection->blocked = true;
            break;
        }
        size_t of_out = (size_t)sent < out->size ? (size_t)sent : out->size;
        bytes_consume(out, of_out);
        bytes_consume(tail, (size_t)sent - of_out);
        connection->window_sent += (size_t)sent;
    }
    if (out->size == 0 && out->capacity > 0) {
        lane_give_buffer(connection->lane, out);
    }
    if (tail->size == 0 && tail->capacity > 0) {
        bytes_fini(tail);
    }
}
