#include "serve/connection.h"

#include "serve/dispatch.h"
#include "serve/http2.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* ---- A request begins ---- */

static bool begin_head(struct connection *connection)
{
    struct lane *lane = connection->lane;
    connection->exchange = lane_take_exchange(lane);
    if (connection->exchange == NULL) {
        connection_refuse(connection, 503, "out of memory", 1);
        return false;
    }
    connection->phase = CONNECTION_HEAD;
    connection->exchange->began_ns = lane_now_ns(lane);
    connection->read_deadline_ns = connection_after_ms(connection,
                                                       connection->site->options.header_timeout_ms);
    return true;
}

/* Only an empty line has come: nothing is under way. */
static void forget_head(struct connection *connection)
{
    lane_give_exchange(connection->lane, connection->exchange);
    connection->exchange = NULL;
    connection_enter_idle(connection);
}

static void open_exchange(struct connection *connection)
{
    struct lane *lane = connection->lane;
    struct exchange *exchange = connection->exchange;
    struct request *request = &exchange->request;
    id_format(pid_next(&lane->ids).raw, request->id);
    caller_sign(&connection->caller, request);
    exchange->logged = connection->site->options.access_log;
    lane_take_spans(lane, exchange);
    exchange_open(exchange, &connection->carrier, connection->site->options.stream_buffer_bytes);
    lane_count(&lane->requests);
    connection->phase = CONNECTION_OPEN;
    connection->read_deadline_ns = 0;
    connection->body_bytes = connection->window_bytes = 0;
    connection->http1.trailers = exchange_body_lines(exchange);
    connection->body_failed = 0;
    connection->dispatched = connection->complete = connection->body_wanted = false;
    connection->continued = connection->head_out = connection->answered = false;
}

/* ---- Bytes of a body ---- */

void connection_fail_body(struct connection *connection, unsigned status,
                          enum exchange_result result)
{
    connection->body_failed = status;
    connection->last = true;
    exchange_body_fail(connection->exchange, result);
}

static void take_body(struct connection *connection, struct text piece)
{
    connection->body_bytes += piece.size;
    connection->window_bytes += piece.size;
    if (connection->body_bytes > connection->site->options.body_bytes_max) {
        connection_fail_body(connection, 413, EXCHANGE_TOO_LARGE);
    } else {
        exchange_body_add(connection->exchange, piece);
    }
}

/* Parse the body as far as it is here and there is room for it. Returns how much was used. */
static size_t parse_body(struct connection *connection, const char *data, size_t size)
{
    size_t used = 0;
    while (!connection->complete && connection->body_failed == 0) {
        bool over = http1_is_over(&connection->http1);
        size_t room = over ? 0 : exchange_body_room(connection->exchange);
        size_t left = size - used;
        size_t bite = left < room ? left : room;
        if (bite == 0 && !over) {
            break;
        }
        struct http1_step step = http1_feed(&connection->http1, NULL, data + used, bite);
        used += step.used;
        switch (step.event) {
        case HTTP1_MORE:
            break;
        case HTTP1_BODY:
            take_body(connection, step.body);
            break;
        case HTTP1_END:
            connection->complete = true;
            if (connection->exchange->request.has_body) {
                exchange_body_end(connection->exchange);
            }
            break;
        case HTTP1_BAD:
            connection_fail_body(connection, connection->http1.status, EXCHANGE_MALFORMED);
            break;
        case HTTP1_HEAD:
            BUG("a head inside a body");
        }
    }
    return used;
}

/* ---- Bytes of a head ---- */

/* The head is complete: answer it at once, or have it answered. What is here of the body is looked
 * at first, so that a broken one costs no process. */
static size_t begin_request(struct connection *connection, const char *data, size_t size)
{
    struct exchange *exchange = connection->exchange;
    void *target = NULL;
    open_exchange(connection);
    enum dispatch dispatch = DISPATCH_TOO_LARGE;
    if (connection->http1.expects_other) {
        dispatch_reply(exchange, 417, "only 100-continue can be expected here", NULL, 0);
    } else {
        dispatch = dispatch_look(exchange, connection->site, &target);
    }
    connection->last = connection->last || dispatch == DISPATCH_TOO_LARGE;
    size_t used = connection->last ? 0 : parse_body(connection, data, size);
    if (dispatch == DISPATCH_WANTED && connection->body_failed != 0) {
        dispatch_reply(exchange, connection->body_failed, NULL, NULL, 0);
    } else if (dispatch == DISPATCH_WANTED) {
        dispatch_run(exchange, connection->lane, connection->site, target);
    }
    connection->dispatched = true;
    return used;
}

static size_t parse_head(struct connection *connection, const char *data, size_t size);

/* HTTP/2 with prior knowledge (RFC 9113, 3.3): whether the connection begins with its preface. As long as
 * that is not known its bytes are held back; if it does not, HTTP/1 gets them. */
static size_t look_for_preface(struct connection *connection, const char *data, size_t size)
{
    size_t used = 0;
    if (connection->phase == CONNECTION_IDLE && !begin_head(connection)) {
        return size;
    }
    while (used < size && connection->preface < HTTP2_PREFACE_BYTES &&
           data[used] == http2_preface[connection->preface]) {
        connection->preface++;
        used++;
    }
    size_t seen = connection->preface;
    if (seen < HTTP2_PREFACE_BYTES && used == size) {
        return size;
    }
    connection->greeted = true;
    if (seen < HTTP2_PREFACE_BYTES) {
        size_t parsed = seen == 0 ? 0 : parse_head(connection, http2_preface, seen);
        INVARIANT(parsed == seen); /* There is no whole head in it. */
        return connection->phase == CONNECTION_HEAD
                   ? used + parse_head(connection, data + used, size - used)
                   : size;
    }
    forget_head(connection);
    struct session *session = http2_create(connection->lane, connection->site, &connection->caller);
    if (session == NULL) {
        connection_refuse(connection, 503, "out of memory", 1);
        return size;
    }
    connection_enter_session(connection, session);
    session->type->receive(session, http2_preface, HTTP2_PREFACE_BYTES);
    return used;
}

static size_t parse_head(struct connection *connection, const char *data, size_t size)
{
    if (!connection->greeted) {
        return look_for_preface(connection, data, size);
    }
    if (connection->phase == CONNECTION_IDLE && !begin_head(connection)) {
        return size;
    }
    struct http1 *http1 = &connection->http1;
    struct http1_step step = http1_feed(http1, &connection->exchange->request, data, size);
    switch (step.event) {
    case HTTP1_MORE:
        if (http1_is_idle(http1)) {
            forget_head(connection);
        }
        return step.used;
    case HTTP1_HEAD:
        return step.used + begin_request(connection, data + step.used, size - step.used);
    case HTTP1_BAD:
        connection_refuse(connection, http1->status, http1->reason, 0);
        return size;
    case HTTP1_BODY:
    case HTTP1_END:
        break;
    }
    BUG("http1 event %d in a head", (int)step.event);
}

/* ---- Bytes that nobody wants ---- */

static size_t parse_drained(struct connection *connection, const char *data, size_t size)
{
    struct http1 *http1 = &connection->http1;
    struct http1_step step = http1_feed(http1, NULL, data, size);
    size_t used = step.used;
    if (step.event == HTTP1_BODY && http1_is_over(http1)) {
        step = http1_feed(http1, NULL, data + used, 0);
    }
    connection->discarded += used;
    if (step.event == HTTP1_BAD || connection->discarded > CONNECTION_DRAIN_MAX) {
        connection_enter_closing(connection, true);
        return size;
    }
    if (step.event == HTTP1_END) {
        http1_next(http1);
        connection_enter_idle(connection);
    }
    return used;
}

static size_t discard(struct connection *connection, size_t size)
{
    connection->discarded += size;
    if (connection->discarded > CONNECTION_LINGER_MAX) {
        connection_close(connection);
    }
    return size;
}

/* One step of the phase. Returns how much was used; what is left stays for a later step. */
static size_t parse(struct connection *connection, const char *data, size_t size)
{
    switch (connection->phase) {
    case CONNECTION_IDLE:
    case CONNECTION_HEAD:
        return parse_head(connection, data, size);
    case CONNECTION_OPEN:
        return parse_body(connection, data, size);
    case CONNECTION_DRAIN:
        return parse_drained(connection, data, size);
    case CONNECTION_LINGER:
        return discard(connection, size);
    case CONNECTION_SESSION:
        connection->session->type->receive(connection->session, data, size);
        return size;
    case CONNECTION_GREETING:
    case CONNECTION_CLOSING:
    case CONNECTION_CLOSED:
        return size;
    }
    BUG("connection phase %d", (int)connection->phase);
}

/* ---- The socket ---- */

static void peer_finished(struct connection *connection)
{
    connection->peer_finished = true;
    connection->readable = false;
    switch (connection->phase) {
    case CONNECTION_IDLE:
    case CONNECTION_DRAIN:
        connection_enter_closing(connection, false);
        return;
    case CONNECTION_GREETING:
    case CONNECTION_HEAD:
    case CONNECTION_LINGER:
        connection_lose(connection);
        return;
    case CONNECTION_OPEN: {
        struct exchange_view view = exchange_look(connection->exchange);
        bool streams = view.answer == ANSWER_STREAM && !view.finished && !view.completed &&
                       !view.whole;
        connection->last = true;
        if (!connection->answered &&
            (streams || !connection->complete || connection->site->options.cancel_on_disconnect)) {
            connection_lose(connection);
        }
        return;
    }
    case CONNECTION_SESSION:
        connection->session->type->finished(connection->session);
        return;
    case CONNECTION_CLOSING:
    case CONNECTION_CLOSED:
        return;
    }
    BUG("connection phase %d", (int)connection->phase);
}

void connection_look_for_end(struct connection *connection)
{
    bool said = transport_is_secure(&connection->transport) && connection->readable;
    if ((!connection->hung_up && !said) || connection->peer_finished ||
        connection->phase != CONNECTION_OPEN || connection->in.size > 0) {
        return;
    }
    ssize_t got = transport_look(&connection->transport);
    if (got == 0) {
        peer_finished(connection);
    } else if (got < 0 && errno == EAGAIN) {
        connection->readable = connection->hung_up;
    } else if (got < 0 && errno == EINTR) {
        connection_again(connection);
    } else if (got < 0) {
        connection_lose(connection);
    }
}

/* Whether bytes at hand may be parsed now. */
static bool wants_bytes(struct connection *connection)
{
    switch (connection->phase) {
    case CONNECTION_IDLE:
    case CONNECTION_HEAD:
        return !connection_is_stalled(connection);
    case CONNECTION_OPEN:
        return !connection->complete && connection->body_failed == 0 &&
               exchange_body_room(connection->exchange) > 0;
    case CONNECTION_DRAIN:
    case CONNECTION_LINGER:
        return true;
    case CONNECTION_SESSION:
        return !connection_is_stalled(connection) &&
               connection->session->type->wants(connection->session);
    case CONNECTION_GREETING:
    case CONNECTION_CLOSING:
    case CONNECTION_CLOSED:
        return false;
    }
    BUG("connection phase %d", (int)connection->phase);
}

/* Whether the socket is to be read: in an open request only while its reader waits for more. */
static bool wants_receive(struct connection *connection)
{
    return connection->readable && connection->in.size == 0 && !connection->peer_finished &&
           (connection->phase != CONNECTION_OPEN || connection->body_wanted) &&
           wants_bytes(connection);
}

static bool receive(struct connection *connection)
{
    char *buffer = connection->lane->receive;
    ssize_t got = transport_receive(&connection->transport, buffer, LANE_RECEIVE_BYTES);
    if (got < 0) {
        if (errno == EINTR) {
            return true;
        }
        connection->readable = false;
        if (errno != EAGAIN) {
            connection_lose(connection);
        }
        return false;
    }
    if (got == 0) {
        peer_finished(connection);
        return true;
    }
    /* A short read has emptied the socket; more will be an edge of its own. */
    connection->readable = got == LANE_RECEIVE_BYTES || connection->hung_up ||
                           transport_has_more(&connection->transport);
    size_t size = (size_t)got;
    size_t used = parse(connection, buffer, size);
    if (used < size && connection->phase != CONNECTION_CLOSED &&
        !bytes_append(&connection->in, buffer + used, size - used)) {
        connection_lose(connection);
    }
    return true;
}

bool connection_input(struct connection *connection)
{
    if (connection->in.size > 0) {
        if (!wants_bytes(connection)) {
            return false;
        }
        /* Parsing may end the connection, which frees its buffers: lend it this one. */
        struct bytes in = connection->in;
        connection->in = (struct bytes){0};
        size_t used = parse(connection, (const char *)in.data, in.size);
        bytes_consume(&in, used);
        if (connection->phase == CONNECTION_CLOSED || in.size == 0) {
            bytes_fini(&in);
        } else {
            connection->in = in;
        }
        return true;
    }
    return wants_receive(connection) && receive(connection);
}
