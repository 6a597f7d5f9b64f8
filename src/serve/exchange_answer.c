#include "serve/exchange.h"

#include "serve/exchange_internal.h"
#include "serve/field.h"

#include <stdlib.h>
#include <string.h>

const struct request *exchange_request(const struct exchange *exchange)
{
    return &exchange->request;
}

bool exchange_gone(struct exchange *exchange)
{
    lock_take(&exchange->lock);
    bool gone = exchange->gone;
    lock_release(&exchange->lock);
    return gone;
}

bool exchange_has_begun(struct exchange *exchange)
{
    lock_take(&exchange->lock);
    bool begun = exchange->answer != ANSWER_NONE;
    lock_release(&exchange->lock);
    return begun;
}

static void want_body(struct exchange *exchange)
{
    lock_take(&exchange->lock);
    bool first = !exchange->body_wanted;
    exchange->body_wanted = true;
    lock_release(&exchange->lock);
    if (first) {
        exchange_tell(exchange);
    }
}

enum exchange_result exchange_read(struct exchange *exchange, void *data, size_t size_bytes,
                                   size_t *ret_read)
{
    if (!exchange->request.has_body) {
        return EXCHANGE_ENDED;
    }
    if (exchange->intake == NULL) {
        return EXCHANGE_NO_MEMORY;
    }
    struct stream *body = &exchange->intake->body;
    enum stream_result result = stream_read(body, data, size_bytes, ret_read);
    switch (result) {
    case STREAM_OK:
        exchange_hold(exchange, -(long long)*ret_read);
        return EXCHANGE_OK;
    case STREAM_WAIT:
        want_body(exchange);
        return EXCHANGE_WAIT;
    case STREAM_ENDED:
        return EXCHANGE_ENDED;
    case STREAM_CLOSED:
        return EXCHANGE_CLOSED;
    case STREAM_ABORTED:
        return (enum exchange_result)stream_reason(body);
    }
    BUG("stream result %d", (int)result);
}

bool exchange_is_readable(struct exchange *exchange)
{
    bool readable = !exchange->request.has_body || exchange->intake == NULL ||
                    stream_is_readable(&exchange->intake->body);
    if (!readable) {
        want_body(exchange);
    }
    return readable;
}

/* Append the header lines of an answer to `content`. */
static enum exchange_result add_lines(struct exchange *exchange, const struct header *headers,
                                      size_t header_count, struct compression_choice choice)
{
    struct shaped_lines lines = {.content = &exchange->content, .max_bytes = EXCHANGE_HEAD_MAX};
    bool added = LIKELY(exchange->shaping == NULL)
                     ? shaping_add_plain(&lines, headers, header_count)
                     : shaping_add_lines(exchange->shaping, &exchange->request, choice, &lines,
                                         headers, header_count);
    if (!added) {
        return lines.out_of_memory ? EXCHANGE_NO_MEMORY : EXCHANGE_INVALID;
    }
    exchange->has_date = lines.has_date;
    exchange->has_server = lines.has_server;
    exchange->line_bytes = exchange->content.size;
    return EXCHANGE_OK;
}

/* Whether so much more may be held; that it was not so is kept for the outcome. */
static bool has_room(struct exchange *exchange, uint64_t bytes)
{
    bool room = holding_has_room(exchange->home->holding, bytes);
    exchange->refused = !room;
    return room;
}

static const struct compression_choice as_it_is;

/* Everything of a head but its announcement. `bytes`: of the body, to be held at once. */
static enum exchange_result prepare_head(struct exchange *exchange, unsigned status,
                                         const struct header *headers, size_t header_count,
                                         uint64_t bytes, struct compression_choice choice)
{
    lock_take(&exchange->lock);
    bool gone = exchange->gone;
    bool misplaced = exchange->answer != ANSWER_NONE || exchange->finished;
    lock_release(&exchange->lock);
    if (misplaced) {
        return EXCHANGE_MISPLACED;
    }
    if (gone) {
        return EXCHANGE_CLOSED;
    }
    if (status < 200 || status > 599) {
        return EXCHANGE_INVALID;
    }
    if (!has_room(exchange, bytes)) {
        return EXCHANGE_FULL;
    }
    bytes_clear(&exchange->content);
    exchange->status = status;
    return add_lines(exchange, headers, header_count, choice);
}

static void announce(struct exchange *exchange, enum exchange_answer answer)
{
    lock_take(&exchange->lock);
    exchange->answer = answer;
    bool news = exchange_claim_news(exchange);
    lock_release(&exchange->lock);
    if (news) {
        exchange_deliver_news(exchange);
    }
}

/* Whether bytes of a body follow the head; if not they are swallowed here. */
static bool sends_body(const struct exchange *exchange)
{
    return exchange->request.method != METHOD_HEAD && exchange->status != 204 &&
           exchange->status != 205 && exchange->status != 304;
}

enum exchange_result exchange_respond(struct exchange *exchange, unsigned status,
                                      const struct header *headers, size_t header_count,
                                      const void *body, size_t body_bytes)
{
    AUTO(bytes_finip) struct bytes coded = {0};
    struct compression_choice choice = as_it_is;
    if (UNLIKELY(exchange->shaping != NULL)) {
        choice = exchange_choose(exchange, status, headers, header_count, body_bytes);
        choice.encoding = exchange_code_whole(choice.encoding, body, body_bytes, &coded);
        body_bytes = choice.encoding == ENCODING_IDENTITY ? body_bytes : coded.size;
        body = choice.encoding == ENCODING_IDENTITY ? body : coded.data;
    }
    enum exchange_result result = prepare_head(exchange, status, headers, header_count, body_bytes,
                                               choice);
    if (result != EXCHANGE_OK) {
        return result;
    }
    if (sends_body(exchange) && !bytes_append(&exchange->content, body, body_bytes)) {
        return EXCHANGE_NO_MEMORY;
    }
    exchange->length = body_bytes;
    exchange_hold(exchange, (long long)exchange->content.size);
    announce(exchange, ANSWER_WHOLE);
    return EXCHANGE_OK;
}

enum exchange_result exchange_respond_file(struct exchange *exchange, unsigned status,
                                           const struct header *headers, size_t header_count,
                                           int file, uint64_t offset, uint64_t length)
{
    enum exchange_result result = prepare_head(exchange, status, headers, header_count, 0,
                                               as_it_is);
    if (result != EXCHANGE_OK) {
        return result;
    }
    exchange->length = length;
    exchange->file = file;
    exchange->file_offset = offset;
    exchange_hold(exchange, (long long)exchange->content.size);
    announce(exchange, ANSWER_FILE);
    return EXCHANGE_OK;
}

enum exchange_result exchange_upgrade(struct exchange *exchange, const struct header *headers,
                                      size_t header_count, struct session *session)
{
    INVARIANT(worker_current() == exchange->home->worker);
    enum exchange_result result = prepare_head(exchange, 200, headers, header_count, 0, as_it_is);
    if (result != EXCHANGE_OK) {
        return result;
    }
    exchange->length = UINT64_MAX;
    exchange->session = session;
    exchange_hold(exchange, (long long)exchange->content.size);
    announce(exchange, ANSWER_UPGRADE);
    return EXCHANGE_OK;
}

/* What kind of stream an answer is. */
struct begin {
    uint64_t length; /* UINT64_MAX: unknown */
    bool whole;
    bool events;
    uint64_t heartbeat_ns;
};

/* NULL: out of memory. */
static struct exchange_flow *open_flow(struct exchange *exchange, bool coded)
{
    struct exchange_flow *flow = calloc(1, sizeof *flow);
    if (flow == NULL) {
        return NULL;
    }
    flow->exchange = exchange;
    heartbeat_init(&flow->heartbeat);
    stream_init(&flow->out, exchange->stream_bytes + (coded ? COMPRESSOR_TAIL_BYTES : 0));
    stream_set_reader(&flow->out,
                      (struct stream_waker){.wake = exchange_tell_by_stream, .argument = exchange});
    stream_set_writer(&flow->out,
                      (struct stream_waker){.wake = exchange_wake_by_stream, .argument = exchange});
    exchange->flow = flow;
    return flow;
}

static enum exchange_result begin(struct exchange *exchange, unsigned status,
                                  const struct header *headers, size_t header_count,
                                  const struct begin *how)
{
    uint64_t length = how->length;
    uint64_t at_once = length == UINT64_MAX              ? 0
                       : length < exchange->stream_bytes ? length
                                                         : exchange->stream_bytes;
    struct compression_choice choice = as_it_is;
    if (UNLIKELY(exchange->shaping != NULL)) {
        choice = exchange_choose(exchange, status, headers, header_count, length);
    }
    enum exchange_result result = prepare_head(exchange, status, headers, header_count, at_once,
                                               choice);
    if (result != EXCHANGE_OK) {
        return result;
    }
    bool coded = choice.encoding != ENCODING_IDENTITY;
    exchange->promised = length;
    if (coded && sends_body(exchange) && !exchange_begin_coding(exchange, choice.encoding)) {
        return EXCHANGE_NO_MEMORY;
    }
    exchange->length = coded ? UINT64_MAX : length;
    struct exchange_flow *flow = open_flow(exchange, coded);
    if (flow == NULL) {
        exchange_end_coding(exchange);
        return EXCHANGE_NO_MEMORY;
    }
    exchange_hold(exchange, (long long)exchange->content.size);
    exchange->whole = how->whole; /* No lock: these are told of with the answer. */
    exchange->events = how->events;
    flow->heartbeat.period_ns = sends_body(exchange) ? how->heartbeat_ns : 0;
    flow->heartbeat.encoding = choice.encoding;
    if (exchange->compressor != NULL && how->events) {
        exchange_open_coding(exchange);
    }
    announce(exchange, ANSWER_STREAM);
    return EXCHANGE_OK;
}

enum exchange_result exchange_begin(struct exchange *exchange, unsigned status,
                                    const struct header *headers, size_t header_count,
                                    uint64_t length)
{
    return begin(exchange, status, headers, header_count, &(struct begin){.length = length});
}

enum exchange_result exchange_begin_whole(struct exchange *exchange, unsigned status,
                                          const struct header *headers, size_t header_count,
                                          uint64_t length)
{
    return begin(exchange, status, headers, header_count,
                 &(struct begin){.length = length, .whole = true});
}

enum exchange_result exchange_begin_events(struct exchange *exchange, const struct header *headers,
                                           size_t header_count, uint64_t heartbeat_ns)
{
    return begin(
        exchange, 200, headers, header_count,
        &(struct begin){.length = UINT64_MAX, .events = true, .heartbeat_ns = heartbeat_ns});
}

void exchange_set_within(struct exchange *exchange, bool within)
{
    /* Release: pairs with the acquire in heartbeat_is_between(). */
    atomic_store_explicit(&exchange->flow->heartbeat.within, within, memory_order_release);
}

/* While the node holds too much, a stream takes little at a time, and nothing while some of it still
 * waits for its reader. */
enum { PRESSED_BYTES = 16 * 1024 };

enum exchange_result exchange_write(struct exchange *exchange, const void *data, size_t size_bytes,
                                    size_t *ret_written)
{
    lock_take(&exchange->lock);
    bool gone = exchange->gone;
    bool misplaced = exchange->answer != ANSWER_STREAM || exchange->finished;
    lock_release(&exchange->lock);
    if (misplaced ||
        (exchange->promised != UINT64_MAX && size_bytes > exchange->promised - exchange->written)) {
        return EXCHANGE_MISPLACED;
    }
    if (gone) {
        return EXCHANGE_CLOSED;
    }
    if (!sends_body(exchange)) {
        exchange->written += size_bytes;
        *ret_written = size_bytes;
        return EXCHANGE_OK;
    }
    if (!holding_has_room(exchange->home->holding, 0)) {
        if (stream_await_reader(&exchange->flow->out)) {
            return EXCHANGE_WAIT;
        }
        size_bytes = size_bytes < PRESSED_BYTES ? size_bytes : PRESSED_BYTES;
    }
    if (UNLIKELY(exchange->compressor != NULL)) {
        return exchange_write_coded(exchange, data, size_bytes, ret_written);
    }
    enum stream_result result = stream_write(&exchange->flow->out, data, size_bytes, ret_written);
    switch (result) {
    case STREAM_OK:
        exchange->written += *ret_written;
        exchange_hold(exchange, (long long)*ret_written);
        return EXCHANGE_OK;
    case STREAM_WAIT:
        return EXCHANGE_WAIT;
    case STREAM_CLOSED:
        return EXCHANGE_CLOSED;
    case STREAM_ENDED:
    case STREAM_ABORTED:
        break;
    }
    BUG("stream result %d for a writer", (int)result);
}

enum exchange_result exchange_is_writable(struct exchange *exchange, size_t size_bytes)
{
    lock_take(&exchange->lock);
    bool gone = exchange->gone;
    bool misplaced = exchange->answer != ANSWER_STREAM || exchange->finished;
    lock_release(&exchange->lock);
    if (misplaced) {
        return EXCHANGE_MISPLACED;
    }
    if (gone || !sends_body(exchange)) {
        return EXCHANGE_OK;
    }
    if (!holding_has_room(exchange->home->holding, 0)) {
        return stream_await_reader(&exchange->flow->out) ? EXCHANGE_WAIT : EXCHANGE_OK;
    }
    struct stream *out = &exchange->flow->out;
    size_t wanted = size_bytes < out->limit_bytes ? size_bytes : out->limit_bytes;
    return stream_room(out, wanted) >= wanted ? EXCHANGE_OK : EXCHANGE_WAIT;
}

/* A stream of events that the server ends may end between any two, however its process does. */
static bool is_dismissed(struct exchange *exchange)
{
    lock_take(&exchange->lock);
    bool dismissed = exchange->dismissed;
    lock_release(&exchange->lock);
    return dismissed &&
           !atomic_load_explicit(&exchange->flow->heartbeat.within, memory_order_relaxed);
}

struct text exchange_trailers(const struct exchange *exchange)
{
    const struct exchange_intake *intake = exchange->intake;
    struct text none = {0};
    return intake == NULL
               ? none
               : (struct text){(const char *)intake->trailers.data, intake->trailers.size};
}

void exchange_complete(struct exchange *exchange, const struct header *trailers,
                       size_t trailer_count)
{
    lock_take(&exchange->lock);
    bool misplaced = exchange->answer != ANSWER_STREAM || exchange->finished || exchange->completed;
    lock_release(&exchange->lock);
    if (misplaced) {
        return;
    }
    if (UNLIKELY(exchange->compressor != NULL)) {
        if (!exchange_complete_coding(exchange)) {
            exchange->coding_failed = true; /* The same again at the end, where it is told. */
            return;
        }
        exchange_end_coding(exchange);
    }
    struct bytes *behind = &exchange->flow->trailers;
    struct shaped_lines lines = {.content = behind, .max_bytes = EXCHANGE_HEAD_MAX};
    if (!shaping_add_plain(&lines, trailers, trailer_count)) {
        bytes_clear(behind); /* Nobody may depend on them. */
    }
    exchange_hold(exchange, (long long)behind->capacity);
    lock_take(&exchange->lock);
    exchange->completed = true;
    lock_release(&exchange->lock);
    /* After `completed`, as in exchange_finish(). */
    stream_end(&exchange->flow->out);
}

void exchange_finish(struct exchange *exchange, const struct exchange_outcome *outcome)
{
    /* Only this side changes `answer`; until it does, `content` is free to hold the text. */
    bool unanswered = exchange->answer == ANSWER_NONE;
    if (unanswered) {
        bytes_clear(&exchange->content);
        if (outcome->text != NULL &&
            !bytes_append(&exchange->content, outcome->text, strlen(outcome->text))) {
            bytes_clear(&exchange->content); /* Then the status speaks for itself. */
        }
    }
    bool incomplete = false;
    unsigned status = is_dismissed(exchange) ? 0 : outcome->status;
    if (UNLIKELY(exchange->compressor != NULL)) {
        incomplete = status == 0 && !exchange_complete_coding(exchange);
        exchange_end_coding(exchange);
    }
    lock_take(&exchange->lock);
    INVARIANT(!exchange->finished);
    exchange_forget_waker(exchange);
    exchange->outcome = *outcome;
    exchange->outcome.status = incomplete ? 502 : status; /* A cut. */
    exchange->outcome.text = NULL;
    if (unanswered && exchange->refused && (outcome->status == 0 || outcome->status == 502)) {
        exchange->outcome.status = 503;
        exchange->outcome.retry_after_s = EXCHANGE_RETRY_S;
    }
    exchange->finished = true;
    bool left = exchange->left;
    bool streams = exchange->answer == ANSWER_STREAM && !exchange->completed;
    bool news = exchange_claim_news(exchange);
    lock_release(&exchange->lock);
    if (left && exchange->home->ended != NULL) {
        exchange->home->ended(exchange);
    } else if (streams) {
        /* After `finished`: who reads the end of the stream knows whether it ended well. */
        stream_end(&exchange->flow->out);
    }
    if (news) {
        exchange_deliver_news(exchange);
    }
    exchange_release(exchange);
}
