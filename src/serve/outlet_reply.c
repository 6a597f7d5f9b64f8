/* The outlet of a routed handler: reads the request, spawns the guest with it, and sends its one message as the answer. */
#include "serve/outlet.h"

#include "base/log.h"
#include "core/node.h"

#include <stdio.h>
#include <string.h>

enum { PIECE_BYTES = 16 * 1024 };

static enum outlet_step fail(struct outlet *outlet, unsigned status, const char *why)
{
    outlet->status = status;
    outlet->why = why;
    return OUTLET_OVER;
}

/* What the request takes of memory is the node's, as far as its holding knows. */
static bool hold_text(struct outlet *outlet)
{
    if (outlet->text.size > outlet->held) {
        exchange_hold(outlet->exchange, (long long)(outlet->text.size - outlet->held));
        outlet->held = outlet->text.size;
    }
    return holding_has_room(outlet->exchange->home->holding, 0);
}

static bool begin_request(struct outlet *outlet)
{
    return rusm_request_begin(&outlet->writer, outlet->process.pid.raw, outlet->handler->action,
                              exchange_request(outlet->exchange));
}

/* Some of the body. OUTLET_DONE: all of it is there. */
static enum outlet_step read_body(struct outlet *outlet)
{
    uint8_t piece[PIECE_BYTES];
    size_t got = 0, sum = 0;
    for (;;) {
        switch (exchange_read(outlet->exchange, piece, sizeof piece, &got)) {
        case EXCHANGE_OK:
            if (!rusm_request_body(&outlet->writer, piece, got) || !hold_text(outlet)) {
                return fail(outlet, 503, NULL);
            }
            sum += got;
            if (sum >= EXCHANGE_SHARE_BYTES) {
                return OUTLET_AGAIN;
            }
            break;
        case EXCHANGE_WAIT:
            return OUTLET_BLOCKED;
        case EXCHANGE_ENDED:
            return OUTLET_DONE;
        case EXCHANGE_TOO_LARGE:
            return fail(outlet, 413, NULL);
        case EXCHANGE_CLOSED:
            return OUTLET_OVER;
        case EXCHANGE_FULL:
        case EXCHANGE_NO_MEMORY:
            return fail(outlet, 503, NULL);
        case EXCHANGE_MALFORMED:
        case EXCHANGE_INVALID:
        case EXCHANGE_MISPLACED:
            return fail(outlet, 400, NULL);
        }
    }
}

/* What is left of the deadline, which counts from the request on; 0: there is none. */
static uint64_t rest_ns(const struct outlet *outlet)
{
    uint64_t whole = outlet->handler->deadline_ns;
    uint64_t spent = node_now_ns(outlet->process.node) - outlet->began_ns;
    return whole == 0 ? 0 : spent < whole ? whole - spent : 1;
}

enum outlet_step outlet_ask(struct outlet *outlet)
{
    if (outlet->text.size == 0 && !begin_request(outlet)) {
        return fail(outlet, 503, NULL);
    }
    enum outlet_step step = read_body(outlet);
    if (step != OUTLET_DONE) {
        return step;
    }
    if (!rusm_request_end(&outlet->writer)) {
        return fail(outlet, 503, NULL);
    }
    uint64_t most = component_grant(outlet->handler->component)->mailbox.bytes;
    if (most != 0 && outlet->text.size > most) {
        return fail(outlet, 413,
                    "the request is larger than its handler's mailbox (mailbox-bytes)");
    }
    struct err err;
    err_clear(&err);
    if (!outlet_spawn(outlet, outlet->text.data, outlet->text.size, rest_ns(outlet),
                      worker_current(), &err)) {
        return fail(outlet, 503, NULL);
    }
    bytes_fini(&outlet->text);
    exchange_hold(outlet->exchange, -(long long)outlet->held);
    outlet->held = 0;
    outlet->asked = true;
    return OUTLET_DONE;
}

/* ---- the answer ---- */

static enum outlet_step refuse_reply(struct outlet *outlet, const char *why)
{
    log_write(LOG_WARN, "an answer that cannot be sent",
              (struct log_field[]){
                  LOG_FIELD_STRING("component", component_name(outlet->handler->component)),
                  LOG_FIELD_STRING("why", why), LOG_FIELD_END});
    return fail(outlet, 502, NULL);
}

/* Framing is the connection's business: what a guest says of it is left out. */
static size_t sift_headers(struct rusm_reply *reply)
{
    static const char *const own[] = {"connection", "content-length",    "keep-alive",
                                      "trailer",    "transfer-encoding", "upgrade"};
    size_t kept = 0;
    for (size_t i = 0; i < reply->header_count; i++) {
        bool out = false;
        for (size_t j = 0; j < ARRAY_LENGTH(own); j++) {
            out = out || text_equal_nocase(reply->headers[i].name, own[j], strlen(own[j]));
        }
        if (!out) {
            reply->headers[kept++] = reply->headers[i];
        }
    }
    return kept;
}

/* OUTLET_DONE: the head is out, and all of the body, or some of it. */
static enum outlet_step begin_answer(struct outlet *outlet)
{
    struct rusm_reply *reply = &outlet->reply;
    struct exchange *exchange = outlet->exchange;
    size_t count = sift_headers(reply), size = reply->body.size;
    bool whole = size <= exchange_whole_max(exchange, reply->status, reply->headers, count);
    enum exchange_result result = whole ? exchange_respond(exchange, reply->status, reply->headers,
                                                           count, reply->body.data, size)
                                        : exchange_begin_whole(exchange, reply->status,
                                                               reply->headers, count, size);
    switch (result) {
    case EXCHANGE_OK:
        outlet->answered = true;
        process_set_deadline(&outlet->process, outlet->handler->stream_deadline_ns);
        return whole ? OUTLET_OVER : OUTLET_DONE;
    case EXCHANGE_INVALID:
        return refuse_reply(outlet, "its status or a header of it may not be sent");
    case EXCHANGE_CLOSED:
        return OUTLET_OVER;
    case EXCHANGE_FULL:
    case EXCHANGE_NO_MEMORY:
        return fail(outlet, 503, NULL);
    case EXCHANGE_WAIT:
    case EXCHANGE_ENDED:
    case EXCHANGE_TOO_LARGE:
    case EXCHANGE_MALFORMED:
    case EXCHANGE_MISPLACED:
        break;
    }
    BUG("exchange result %d", (int)result);
}

/* The first message is the answer, whatever it is. */
static enum outlet_step read_answer(struct outlet *outlet)
{
    size_t size = 0;
    const void *data = message_data(outlet->mail, &size);
    const char *why = NULL;
    switch (rusm_reply_read(&outlet->reply, data, size, &why)) {
    case RUSM_REPLY_GOOD:
        break;
    case RUSM_REPLY_MALFORMED:
        return refuse_reply(outlet, why);
    case RUSM_REPLY_NO_MEMORY:
        return fail(outlet, 503, NULL);
    }
    if (outlet->reply.status == 0) {
        bool told = bytes_terminate(&outlet->reply.texts);
        return fail(outlet, 500, told ? (const char *)outlet->reply.texts.data : NULL);
    }
    return begin_answer(outlet);
}

enum outlet_step outlet_write_reply(struct outlet *outlet)
{
    if (!outlet->answered) {
        enum outlet_step step = read_answer(outlet);
        if (step != OUTLET_DONE) {
            return step;
        }
    }
    const struct bytes *body = &outlet->reply.body;
    size_t share = exchange_share(outlet->exchange);
    for (size_t sum = 0, written = 0; outlet->moved < body->size; sum += written) {
        if (sum >= share) {
            return OUTLET_AGAIN;
        }
        size_t left = body->size - outlet->moved;
        switch (exchange_write(outlet->exchange, body->data + outlet->moved,
                               left < share ? left : share, &written)) {
        case EXCHANGE_OK:
            outlet->moved += written;
            break;
        case EXCHANGE_WAIT:
            return OUTLET_BLOCKED;
        case EXCHANGE_ENDED:
        case EXCHANGE_CLOSED:
        case EXCHANGE_TOO_LARGE:
        case EXCHANGE_MALFORMED:
        case EXCHANGE_INVALID:
        case EXCHANGE_FULL:
        case EXCHANGE_MISPLACED:
        case EXCHANGE_NO_MEMORY:
            return fail(outlet, 502, NULL); /* a cut */
        }
    }
    return OUTLET_OVER;
}
