/* Components that export wasi:http/incoming-handler: their request and their answer, between the engine and the exchange.
 * SPEC: "Stock wasi:http component". */
#include "serve/handler.h"

#include "base/log.h"
#include "base/number.h"
#include "guest/scratch.h"
#include "serve/field.h"
#include "serve/visit.h"

#include <string.h>

static struct visit *visit_of_process(void *process)
{
    struct visit *visit = visit_of_component(process);
    INVARIANT(visit != NULL);
    return visit;
}

static struct engine_text given(struct text text)
{
    return (struct engine_text){text.data, text.size};
}

static struct text taken(struct engine_text text)
{
    return (struct text){text.data, text.size};
}

/* ---- The request ---- */

_Static_assert(sizeof(struct engine_header) == sizeof(struct header), "the same two texts");

static void on_request(void *process, struct engine_http_request *ret)
{
    const struct request *request = exchange_request(visit_of_process(process)->exchange);
    *ret = (struct engine_http_request){
        .method = given(request->method_name),
        .target = given(request->target),
        .authority = given(request->host),
        .headers = (const struct engine_header *)(const void *)request->headers,
        .header_count = request->header_count,
        .secure = request->secure,
        .has_body = request->has_body,
    };
}

static enum engine_http_result on_read(void *process, uint8_t *data, size_t capacity,
                                       size_t *ret_read)
{
    struct visit *visit = visit_of_process(process);
    enum exchange_result result = exchange_read(visit->exchange, data, capacity, ret_read);
    switch (result) {
    case EXCHANGE_OK:
        return ENGINE_HTTP_OK;
    case EXCHANGE_WAIT:
        return ENGINE_HTTP_WAIT;
    case EXCHANGE_ENDED:
        return ENGINE_HTTP_ENDED;
    case EXCHANGE_CLOSED:
        return ENGINE_HTTP_CLOSED;
    case EXCHANGE_TOO_LARGE:
        return ENGINE_HTTP_TOO_LARGE;
    case EXCHANGE_MALFORMED:
        return ENGINE_HTTP_MALFORMED;
    case EXCHANGE_INVALID:
    case EXCHANGE_FULL:
    case EXCHANGE_MISPLACED:
    case EXCHANGE_NO_MEMORY:
        return ENGINE_HTTP_FAILED;
    }
    BUG("exchange result %d", (int)result);
}

static size_t on_trailers(void *process, struct engine_header *ret, size_t capacity)
{
    struct text lines = exchange_trailers(visit_of_process(process)->exchange);
    struct header *headers = scratch_room(ANSWER_HEADERS_MAX * sizeof *headers);
    size_t count = 0, kept = 0;
    if (!visit_split_headers(lines.data, lines.size, headers, &count)) {
        return 0; /* More than anybody has a use for. */
    }
    for (size_t i = 0; i < count && kept < capacity; i++) {
        headers[i].value = field_trim(headers[i].value);
        if (field_kind_of(headers[i].name) != FIELD_CONNECTION && field_is_valid(&headers[i])) {
            ret[kept++] = (struct engine_header){given(headers[i].name), given(headers[i].value)};
        }
    }
    return kept;
}

/* ---- The answer ---- */

/* Lines of the answer without those that say how it is framed, which is the connection's business. */
struct lines {
    struct header headers[ANSWER_HEADERS_MAX];
    size_t count;
    uint64_t length; /* of Content-Length; UINT64_MAX: none */
    bool events;     /* it is a stream of events */
};

static bool is_called(const struct header *header, const char *name)
{
    return text_equal_nocase(header->name, name, strlen(name));
}

static bool read_length(struct text digits, uint64_t *ret)
{
    enum { DIGITS_MAX = 18 };
    return digits.size <= DIGITS_MAX && number_parse(digits.data, digits.size, UINT64_MAX, ret);
}

/* False: they cannot be sent. */
static bool sort_lines(const struct engine_header *headers, size_t count, struct lines *ret)
{
    static const char events[] = "text/event-stream";
    ret->count = 0;
    ret->length = UINT64_MAX;
    ret->events = false;
    for (size_t i = 0; i < count; i++) {
        struct header header = {taken(headers[i].name), field_trim(taken(headers[i].value))};
        if (is_called(&header, "content-length") && !read_length(header.value, &ret->length)) {
            return false;
        }
        if (field_kind_of(header.name) == FIELD_CONNECTION) {
            continue;
        }
        if (ret->count == ANSWER_HEADERS_MAX) {
            return false;
        }
        ret->events = ret->events ||
                      (is_called(&header, "content-type") &&
                       header.value.size >= sizeof events - 1 &&
                       text_equal_nocase((struct text){header.value.data, sizeof events - 1},
                                         events, sizeof events - 1));
        ret->headers[ret->count++] = header;
    }
    return true;
}

static enum engine_http_result answer_of(enum exchange_result result)
{
    switch (result) {
    case EXCHANGE_OK:
        return ENGINE_HTTP_OK;
    case EXCHANGE_WAIT:
        return ENGINE_HTTP_WAIT;
    case EXCHANGE_CLOSED:
    case EXCHANGE_FULL: /* The exchange remembers: its client gets a 503. */
        return ENGINE_HTTP_CLOSED;
    case EXCHANGE_ENDED:
    case EXCHANGE_TOO_LARGE:
    case EXCHANGE_MALFORMED:
    case EXCHANGE_INVALID:
    case EXCHANGE_MISPLACED:
    case EXCHANGE_NO_MEMORY:
        return ENGINE_HTTP_REFUSED;
    }
    BUG("exchange result %d", (int)result);
}

static enum exchange_result begin_events(struct visit *visit, const struct lines *lines)
{
    struct exchange *exchange = visit->exchange;
    enum exchange_result result = exchange_begin_events(exchange, lines->headers, lines->count,
                                                        visit->handler->heartbeat_ns);
    if (result == EXCHANGE_OK && exchange_request(exchange)->method == METHOD_HEAD) {
        /* It wanted to know what there is, not to listen. The wake lets the grace begin. */
        atomic_store_explicit(&visit->gone, true, memory_order_relaxed);
        process_wake(visit->process);
    }
    visit->streams = result == EXCHANGE_OK;
    visit->between = visit->line_empty = true;
    return result;
}

static enum engine_http_result on_answer(void *process, const struct engine_http_answer *answer,
                                         size_t *ret_taken)
{
    struct visit *visit = visit_of_process(process);
    struct exchange *exchange = visit->exchange;
    struct lines *lines = scratch_room(sizeof *lines);
    *ret_taken = 0;
    if (!sort_lines(answer->headers, answer->header_count, lines)) {
        return ENGINE_HTTP_REFUSED;
    }
    bool events = lines->events && answer->status == 200 && lines->length == UINT64_MAX;
    if (visit->handler->events_only && !events && !visit_is_refusal(answer->status)) {
        return ENGINE_HTTP_REFUSED;
    }
    bool fits = lines->length == UINT64_MAX || lines->length == answer->size_bytes;
    bool whole = answer->complete && fits && !events &&
                 answer->size_bytes <=
                     exchange_whole_max(exchange, answer->status, lines->headers, lines->count);
    enum exchange_result result;
    if (whole) {
        result = exchange_respond(exchange, answer->status, lines->headers, lines->count,
                                  answer->data, answer->size_bytes);
        *ret_taken = answer->size_bytes;
    } else if (events) {
        result = begin_events(visit, lines);
    } else if (answer->complete && fits) {
        result = exchange_begin_whole(exchange, answer->status, lines->headers, lines->count,
                                      answer->size_bytes);
    } else {
        result = exchange_begin(exchange, answer->status, lines->headers, lines->count,
                                lines->length);
    }
    if (result == EXCHANGE_OK) {
        visit_head_given(visit);
    }
    return result == EXCHANGE_OK && whole ? ENGINE_HTTP_ENDED : answer_of(result);
}

/* Whether the bytes that went out end between two events: a sign of life may go there, and nowhere else. */
static void follow_events(struct visit *visit, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n' && visit->after_return) {
            visit->after_return = false; /* the second half of a line's end */
            continue;
        }
        bool end = data[i] == '\n' || data[i] == '\r';
        visit->after_return = data[i] == '\r';
        visit->between = end && visit->line_empty;
        visit->line_empty = end;
    }
    exchange_set_within(visit->exchange, !visit->between);
}

static enum engine_http_result on_write(void *process, const uint8_t *data, size_t size_bytes,
                                        size_t *ret_taken)
{
    struct visit *visit = visit_of_process(process);
    *ret_taken = 0;
    if (visit_is_deserted(visit)) {
        return ENGINE_HTTP_CLOSED;
    }
    if (size_bytes == 0) {
        return ENGINE_HTTP_OK;
    }
    size_t share = exchange_share(visit->exchange);
    if (visit->moved >= share) {
        process_wake(visit->process); /* Enough for one turn. */
        return ENGINE_HTTP_WAIT;
    }
    size_t bite = size_bytes < share - visit->moved ? size_bytes : share - visit->moved;
    if (visit->streams) {
        exchange_set_within(visit->exchange, true);
    }
    enum exchange_result result = exchange_write(visit->exchange, data, bite, ret_taken);
    if (visit->streams) {
        follow_events(visit, data, result == EXCHANGE_OK ? *ret_taken : 0);
    }
    if (result != EXCHANGE_OK) {
        *ret_taken = 0;
        return result == EXCHANGE_WAIT ? ENGINE_HTTP_WAIT : ENGINE_HTTP_CLOSED;
    }
    visit->moved += *ret_taken;
    process_begin_unit(visit->process);
    return ENGINE_HTTP_OK;
}

static void on_end(void *process, const struct engine_header *trailers, size_t trailer_count)
{
    struct visit *visit = visit_of_process(process);
    struct lines *lines = scratch_room(sizeof *lines);
    if (!sort_lines(trailers, trailer_count, lines)) {
        lines->count = 0;
    }
    exchange_complete(visit->exchange, lines->headers, lines->count);
}

static void on_fail(void *process, struct engine_text why)
{
    visit_of_process(process)->failed = true;
    guest_log(process, LOG_WARN, "wasi:http", why.data, why.size);
}

const struct engine_http visit_http = {
    .request = on_request,
    .read = on_read,
    .trailers = on_trailers,
    .answer = on_answer,
    .write = on_write,
    .end = on_end,
    .fail = on_fail,
};
