#include "serve/websocket_guest.h"

#include "base/utf8.h"
#include "core/node.h"
#include "guest/abi.h"
#include "guest/scratch.h"
#include "serve/handler.h"
#include "serve/handler_rusm.h"
#include "serve/websocket_session.h"
#include "serve/websocket_writer.h"

#include <stdio.h>
#include <string.h>

bool websocket_code_is_valid(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

/* ---- The process ---- */

static void grace_over(struct timer *timer)
{
    struct websocket_channel *channel = CONTAINER_OF(timer, struct websocket_channel, grace);
    process_stop(channel->process, STOP_KILL, "disconnect");
}

static bool has_left(const struct websocket_channel *channel)
{
    return atomic_load_explicit(&channel->left, memory_order_acquire);
}

/* A guest without a client gets a grace to notice it. */
static void guest_before_turn(struct guest *guest, void *context)
{
    struct websocket_channel *channel = context;
    if (LIKELY(!has_left(channel)) || channel->grace_began) {
        return;
    }
    channel->grace_began = true;
    uint64_t now_ns = node_now_ns(guest_process(guest)->node);
    timer_start(&worker_current()->timers, &channel->grace,
                now_ns + channel->handler->disconnect_grace_ns, grace_over);
}

static bool guest_is_left(struct guest *guest, void *context)
{
    (void)guest;
    return has_left(context);
}

static uint64_t guest_unit_ns(const void *context)
{
    const struct websocket_channel *channel = context;
    return channel->handler->deadline_ns;
}

static unsigned code_of(const struct guest *guest, const struct exit *exit)
{
    switch (exit->exit_class) {
    case EXIT_NORMAL:
        return WEBSOCKET_NORMAL;
    case EXIT_SHUTDOWN:
        return WEBSOCKET_GOING_AWAY;
    case EXIT_EXITED:
    case EXIT_CRASHED:
    case EXIT_CRASHED_MEMORY:
    case EXIT_CRASHED_CPU:
    case EXIT_CRASHED_TIMEOUT:
    case EXIT_KILLED:
        return guest_was_refused(guest) ? WEBSOCKET_TRY_LATER : WEBSOCKET_INTERNAL;
    }
    BUG("exit class %d", (int)exit->exit_class);
}

static void guest_has_exited(struct guest *guest, void *context, const struct exit *exit)
{
    struct websocket_channel *channel = context;
    timer_cancel(&channel->grace);
    unsigned code = code_of(guest, exit);
    (void)websocket_channel_close(channel, code, (struct text){0},
                                  code != WEBSOCKET_NORMAL && code != WEBSOCKET_GOING_AWAY);
    websocket_channel_release(channel);
}

static const struct guest_role websocket_role = {.kind = "ws",
                                                 .service = true,
                                                 .unit_ns = guest_unit_ns,
                                                 .before_turn = guest_before_turn,
                                                 .gone = guest_is_left,
                                                 .exited = guest_has_exited};

struct websocket_channel *websocket_of_guest(struct guest *guest)
{
    return guest_context(guest, &websocket_role);
}

/* ---- The handshake ---- */

enum { ANSWER_HEADERS_MAX = 3 };

static struct header header_of(const char *name, const char *value, size_t size)
{
    return (struct header){.name = {name, strlen(name)}, .value = {value, size}};
}

static void refuse(struct exchange *exchange, const struct websocket_handshake *hands)
{
    static const char type[] = "text/plain; charset=utf-8";
    struct header headers[ANSWER_HEADERS_MAX] = {
        header_of("Content-Type", type, sizeof type - 1),
    };
    size_t count = 1;
    if (hands->status == 426) {
        headers[count++] = header_of("Sec-WebSocket-Version", "13", 2);
        exchange->offers = "websocket";
    } else if (hands->status == 405) {
        headers[count++] = header_of("Allow", "GET", 3);
    }
    char page[128];
    int size = snprintf(page, sizeof page, "%s\n", hands->reason);
    enum exchange_result result = exchange_respond(exchange, hands->status, headers, count, page,
                                                   (size_t)size);
    exchange_finish(exchange, &(struct exchange_outcome){.status = result == EXCHANGE_OK ? 0 : 503,
                                                         .retry_after_s = EXCHANGE_RETRY_S});
}

static void refuse_full(struct exchange *exchange)
{
    exchange_finish(exchange,
                    &(struct exchange_outcome){.status = 503, .retry_after_s = EXCHANGE_RETRY_S});
}

static enum exchange_result accept_upgrade(struct exchange *exchange,
                                           const struct websocket_handshake *hands,
                                           struct session *session)
{
    struct header headers[ANSWER_HEADERS_MAX];
    char extension[WEBSOCKET_EXTENSION_BYTES];
    size_t count = 0;
    if (hands->accept[0] != '\0') {
        headers[count++] = header_of("Sec-WebSocket-Accept", hands->accept, strlen(hands->accept));
    }
    if (hands->subprotocol.size > 0) {
        headers[count++] = header_of("Sec-WebSocket-Protocol", hands->subprotocol.data,
                                     hands->subprotocol.size);
    }
    if (hands->deflate.on) {
        size_t size = websocket_extension_format(&hands->deflate, extension);
        headers[count++] = header_of("Sec-WebSocket-Extensions", extension, size);
    }
    return exchange_upgrade(exchange, headers, count, session);
}

/* The reference of the caller's is the process's then. */
static bool spawn(struct exchange *exchange, const struct handler *handler, struct loop *loop,
                  struct websocket_channel *channel)
{
    struct guest_options options = {.entry = handler->entry,
                                    .role = &websocket_role,
                                    .context = channel,
                                    .deadline_ns = handler->deadline_ns};
    struct err err;
    err_clear(&err);
    if (!handler->rusm) {
        return guest_spawn(loop->worker.node, handler->component, &options, &loop->worker,
                           &channel->process, &err);
    }
    if (!rusm_open_frames(exchange, handler, loop, channel)) {
        return false;
    }
    websocket_channel_release(channel); /* Its outlet has one of its own. */
    return true;
}

void websocket_dispatch(struct exchange *exchange, const struct handler *handler, struct loop *loop)
{
    struct websocket_handshake hands;
    websocket_shake_hands(exchange_request(exchange), handler->websocket, &hands);
    if (hands.status != 0) {
        refuse(exchange, &hands);
        return;
    }
    struct websocket_channel *channel =
        websocket_channel_create(exchange, handler, handler->websocket, hands.subprotocol);
    struct session *session = channel == NULL ? NULL
                                              : websocket_session_create(channel, &hands.deflate);
    if (session == NULL) {
        if (channel != NULL) {
            websocket_channel_release(channel);
        }
        refuse_full(exchange);
        return;
    }
    /* Admission comes before the 101. */
    if (!spawn(exchange, handler, loop, channel)) {
        session->type->lose(session);
        websocket_channel_release(channel);
        refuse_full(exchange);
        return;
    }
    if (accept_upgrade(exchange, &hands, session) != EXCHANGE_OK) {
        process_stop(channel->process, STOP_KILL, "disconnect");
        session->type->lose(session);
        refuse_full(exchange);
        return;
    }
    exchange_finish(exchange, &(struct exchange_outcome){.pid = channel->process->pid.raw});
}

/* ---- Host functions ---- */

enum {
    SEND_BYTES_MAX = 1024 * 1024, /* in one call, before others have their turn */
    JOIN_BYTES = 1024,            /* of a message that goes behind its head at once */
};

/* The next bytes of the record: its head, then the message; both where `joined` has room for them. */
static size_t next_bytes(const struct websocket_record *record, const uint8_t *data, uint64_t done,
                         uint8_t joined[sizeof *record + JOIN_BYTES], const void **ret)
{
    if (done == 0 && record->size_bytes <= JOIN_BYTES) {
        memcpy(joined, record, sizeof *record);
        memcpy(joined + sizeof *record, data, record->size_bytes);
        *ret = joined;
        return sizeof *record + record->size_bytes;
    }
    if (done < sizeof *record) {
        *ret = (const uint8_t *)(const void *)record + done;
        return sizeof *record - (size_t)done;
    }
    *ret = data + (done - sizeof *record);
    return record->size_bytes - (size_t)(done - sizeof *record);
}

static enum engine_call_result send_on(struct engine_call *call, struct websocket_channel *channel,
                                       const struct websocket_record *record, const uint8_t *data)
{
    struct process *process = guest_process(guest_of_call(call));
    uint8_t *joined = scratch_room(sizeof *record + JOIN_BYTES);
    size_t moved = 0;
    while (call->state < sizeof *record + record->size_bytes) {
        if (moved >= SEND_BYTES_MAX) {
            process_wake(process);
            return ENGINE_CALL_PARK;
        }
        const void *from;
        size_t size = next_bytes(record, data, call->state, joined, &from), taken = 0;
        switch (websocket_channel_send(channel, from, size, &taken)) {
        case WEBSOCKET_SENT:
            break;
        case WEBSOCKET_BLOCKED:
            return ENGINE_CALL_PARK;
        case WEBSOCKET_GONE:
            return guest_answer(call, ABI_CLOSED);
        }
        call->state += taken;
        moved += taken;
    }
    return guest_answer(call, 0);
}

static bool is_utf8(const void *data, size_t size)
{
    struct utf8_check check = {0};
    return utf8_check_feed(&check, data, size) && utf8_check_is_whole(&check);
}

/* ws_send(kind, data, size) -> i32. `state` is what has gone of the record. */
enum engine_call_result websocket_host_send(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    struct websocket_channel *channel = websocket_of_guest(guest);
    if (channel == NULL) {
        return guest_answer(call, ABI_MISPLACED);
    }
    const uint8_t *data = guest_window(call, call->arguments[1], call->arguments[2]);
    if (data == NULL) {
        return ENGINE_CALL_TRAP;
    }
    struct websocket_record record = {(uint32_t)call->arguments[0], (uint32_t)call->arguments[2]};
    if (call->state == 0) {
        if (record.kind != ABI_WS_TEXT && record.kind != ABI_WS_BINARY) {
            return guest_answer(call, ABI_INVALID);
        }
        if (record.size_bytes > guest_grant(guest)->message_bytes_max) {
            return guest_answer(call, ABI_LIMIT);
        }
        if (record.kind == ABI_WS_TEXT && !is_utf8(data, record.size_bytes)) {
            return guest_answer(call, ABI_INVALID);
        }
    }
    return send_on(call, channel, &record, data);
}

/* ws_close(code, reason, size) -> i32. */
enum engine_call_result websocket_host_close(struct engine_call *call)
{
    struct websocket_channel *channel = websocket_of_guest(guest_of_call(call));
    if (channel == NULL) {
        return guest_answer(call, ABI_MISPLACED);
    }
    const uint8_t *data = guest_window(call, call->arguments[1], call->arguments[2]);
    if (data == NULL) {
        return ENGINE_CALL_TRAP;
    }
    unsigned code = (unsigned)call->arguments[0];
    struct text reason = {(const char *)data, (uint32_t)call->arguments[2]};
    if (!websocket_code_is_valid(code) || reason.size > WEBSOCKET_REASON_BYTES_MAX ||
        !is_utf8(reason.data, reason.size)) {
        return guest_answer(call, ABI_INVALID);
    }
    bool closed = websocket_channel_close(channel, code, reason, false);
    return guest_answer(call, closed ? 0 : ABI_CLOSED);
}
