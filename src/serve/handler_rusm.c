#include "serve/handler_rusm.h"

#include "core/node.h"
#include "guest/rusm_internal.h"
#include "serve/outlet.h"
#include "serve/websocket_guest.h"
#include "serve/websocket_session.h"

#include <stdio.h>
#include <string.h>

/* ---- the guest's side of an outlet ---- */

static void grace_over(struct timer *timer)
{
    struct outlet *outlet = CONTAINER_OF(timer, struct outlet, grace);
    process_stop(outlet->guest, STOP_KILL, "disconnect");
}

/* A guest whose client has left gets a grace to notice it. */
static void before_turn(struct guest *guest, void *context)
{
    struct outlet *outlet = context;
    if (LIKELY(!atomic_load_explicit(&outlet->over, memory_order_acquire)) || outlet->grace_began) {
        return;
    }
    outlet->grace_began = true;
    uint64_t now_ns = node_now_ns(guest_process(guest)->node);
    timer_start(&worker_current()->timers, &outlet->grace,
                now_ns + outlet->handler->disconnect_grace_ns, grace_over);
}

static uint64_t unit_ns(const void *context)
{
    const struct outlet *outlet = context;
    return outlet->handler->deadline_ns;
}

static struct guest_outlet *door_of(void *context)
{
    return &((struct outlet *)context)->door;
}

static void guest_exited(struct guest *guest, void *context, const struct exit *exit)
{
    struct outlet *outlet = context;
    timer_cancel(&outlet->grace);
    outlet->refused = guest_was_refused(guest);
    /* Release: pairs with the acquire in the outlet's turn, which then has all mail of the guest. */
    atomic_store_explicit(&outlet->ended, 1 + (unsigned)exit->exit_class, memory_order_release);
    process_wake(&outlet->process);
    outlet_part(outlet);
    process_release(&outlet->process);
}

const struct guest_role outlet_roles[] = {
    [OUTLET_REPLY] = {.kind = "http", .outlet = door_of, .exited = guest_exited},
    [OUTLET_EVENTS] = {.kind = "sse",
                       .service = true,
                       .before_turn = before_turn,
                       .outlet = door_of,
                       .exited = guest_exited},
    [OUTLET_FRAMES] = {.kind = "ws",
                       .service = true,
                       .unit_ns = unit_ns,
                       .before_turn = before_turn,
                       .outlet = door_of,
                       .exited = guest_exited},
};

/* The outlet of the calling guest, if it is of that kind; NULL: it is not. */
static struct outlet *outlet_of_call(struct engine_call *call, enum outlet_kind kind)
{
    return guest_context(guest_of_call(call), &outlet_roles[kind]);
}

/* ---- dispatch ---- */

static void refuse_full(struct exchange *exchange)
{
    exchange_finish(exchange,
                    &(struct exchange_outcome){.status = 503, .retry_after_s = EXCHANGE_RETRY_S});
}

/* The process of an outlet spawns the guest, once the request is there. */
static void dispatch_request(struct exchange *exchange, const struct handler *handler,
                             struct loop *loop, enum outlet_kind kind)
{
    struct outlet *outlet = outlet_create(kind, exchange, handler, NULL, loop->worker.node);
    struct err err;
    err_clear(&err);
    if (outlet == NULL) {
        refuse_full(exchange);
    } else if (!outlet_start(outlet, &loop->worker, &err)) {
        outlet_discard(outlet);
        refuse_full(exchange);
    }
}

bool rusm_open_frames(struct exchange *exchange, const struct handler *handler, struct loop *loop,
                      struct websocket_channel *channel)
{
    struct outlet *outlet = outlet_create(OUTLET_FRAMES, exchange, handler, channel,
                                          loop->worker.node);
    struct err err;
    err_clear(&err);
    if (outlet == NULL) {
        return false;
    }
    process_retain(&outlet->process);
    channel->writer = &outlet->process;
    char pid[24];
    int size = snprintf(pid, sizeof pid, "%llu", (unsigned long long)outlet->door.pid.raw);
    /* The guest first: once started the outlet may run elsewhere, and looks after its guest. */
    if (!outlet_open(outlet, pid, (size_t)size, handler->deadline_ns, &loop->worker,
                     &channel->process, &err)) {
        outlet_discard(outlet);
        return false;
    }
    return true;
}

void rusm_dispatch(struct exchange *exchange, const struct handler *handler, struct loop *loop)
{
    dispatch_request(exchange, handler, loop, handler->events_only ? OUTLET_EVENTS : OUTLET_REPLY);
}

/* ---- host functions ---- */

static bool pack(struct bytes *to, struct text text)
{
    return rusm_pack_text(to, text.data, text.size);
}

static bool pack_connection(struct bytes *to, const struct request *request,
                            struct text subprotocol)
{
    bool good = pack(to, request->method_name) && pack(to, request->path) &&
                pack(to, request->query) &&
                pack(to, (struct text){request->remote, strlen(request->remote)}) &&
                pack(to, subprotocol) && rusm_pack_number(to, (uint32_t)request->param_count);
    for (size_t i = 0; good && i < request->param_count; i++) {
        good = pack(to, request->params[i].name) && pack(to, request->params[i].value);
    }
    good = good && rusm_pack_number(to, (uint32_t)request->header_count);
    for (size_t i = 0; good && i < request->header_count; i++) {
        size_t at = to->size + sizeof(uint32_t);
        good = pack(to, request->headers[i].name) && pack(to, request->headers[i].value);
        for (size_t j = 0; good && j < request->headers[i].name.size; j++) {
            char c = (char)to->data[at + j];
            to->data[at + j] = (uint8_t)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
        }
    }
    return good;
}

/* connection() -> i32: 0, and what it is; or -1. */
static enum engine_call_result rusm_connection(struct engine_call *call)
{
    struct outlet *frames = outlet_of_call(call, OUTLET_FRAMES);
    struct outlet *outlet = frames != NULL ? frames : outlet_of_call(call, OUTLET_EVENTS);
    if (outlet == NULL) {
        return guest_answer(call, -1);
    }
    struct rusm_desk *desk = rusm_desk_of(call);
    if (desk == NULL) {
        return ENGINE_CALL_TRAP;
    }
    bytes_clear(&desk->text);
    if (!pack_connection(&desk->text, exchange_request(outlet->exchange),
                         frames != NULL ? frames->channel->subprotocol : (struct text){0})) {
        snprintf(call->text, sizeof call->text, "out of memory");
        return ENGINE_CALL_TRAP;
    }
    call->body = desk->text.data;
    call->body_bytes = desk->text.size;
    return guest_answer(call, 0);
}

/* Send something to the outlet, and wait for room there. The result is 0; -1: nobody is there any more, or it is too much. */
static enum engine_call_result send_to(struct engine_call *call, struct outlet *outlet,
                                       uint64_t label, const void *data, size_t size)
{
    struct guest *guest = guest_of_call(call);
    bool over = atomic_load_explicit(&outlet->over, memory_order_acquire) ||
                (outlet->channel != NULL &&
                 atomic_load_explicit(&outlet->channel->left, memory_order_acquire));
    if (over || size > guest_grant(guest)->message_bytes_max) {
        return guest_answer(call, -1);
    }
    struct message *message = message_create(guest_process(guest)->pid.raw, label, data, size);
    if (message == NULL) {
        return guest_answer(call, -1);
    }
    bool sent = process_send_to(&outlet->process, message);
    if (!sent) {
        guest_outlet_wait(&outlet->door);
        sent = process_send_to(&outlet->process, message);
    }
    if (!sent) {
        message_destroy(message);
        return ENGINE_CALL_PARK;
    }
    return guest_answer(call, 0);
}

/* ws_send_text(data, size) -> i32. */
static enum engine_call_result rusm_ws_send_text(struct engine_call *call)
{
    struct outlet *outlet = outlet_of_call(call, OUTLET_FRAMES);
    const uint8_t *data = guest_window(call, call->arguments[0], call->arguments[1]);
    if (outlet == NULL || data == NULL) {
        return data == NULL ? ENGINE_CALL_TRAP : guest_answer(call, -1);
    }
    return send_to(call, outlet, OUTLET_TEXT, data, (uint32_t)call->arguments[1]);
}

/* ws_close(code, reason, size): a reason that is too long is cut. */
static enum engine_call_result rusm_ws_close(struct engine_call *call)
{
    struct outlet *outlet = outlet_of_call(call, OUTLET_FRAMES);
    const uint8_t *reason = guest_window(call, call->arguments[1], call->arguments[2]);
    if (outlet == NULL || reason == NULL) {
        return reason == NULL ? ENGINE_CALL_TRAP : ENGINE_CALL_DONE;
    }
    unsigned code = (unsigned)call->arguments[0];
    if (!websocket_code_is_valid(code)) {
        guest_log_refused(guest_of_call(call), "ws-close", "no such code may be sent");
        return ENGINE_CALL_DONE;
    }
    size_t size = (uint32_t)call->arguments[2];
    if (size > WEBSOCKET_REASON_BYTES_MAX) {
        size = WEBSOCKET_REASON_BYTES_MAX;
        while (size > 0 && (reason[size] & 0xc0) == 0x80) {
            size--;
        }
    }
    uint8_t mail[2 + WEBSOCKET_REASON_BYTES_MAX] = {(uint8_t)code, (uint8_t)(code >> 8)};
    memcpy(mail + 2, reason, size);
    return send_to(call, outlet, OUTLET_CLOSE, mail, size + 2);
}

/* A text that may be missing: address 0. */
static struct text text_at(const struct engine_call *call, unsigned at)
{
    const char *data = (const char *)(uintptr_t)call->arguments[at];
    return (struct text){data, data != NULL ? (uint32_t)call->arguments[at + 1] : 0};
}

/* Line breaks would end the field: they are left out. False: out of memory. */
static bool one_line(struct text *text, struct bytes *to)
{
    size_t begin = to->size;
    for (size_t i = 0; i < text->size; i++) {
        char c = text->data[i];
        if (c != '\n' && c != '\r' && c != '\0' && !bytes_append(to, &c, 1)) {
            return false;
        }
    }
    if (text->data != NULL) {
        *text = (struct text){to->size > 0 ? (const char *)to->data + begin : "", to->size - begin};
    }
    return true;
}

/* sse_send(data, size, event, size, id, size, retry) -> i32. */
static enum engine_call_result rusm_sse_send(struct engine_call *call)
{
    struct outlet *outlet = outlet_of_call(call, OUTLET_EVENTS);
    if (outlet == NULL) {
        return guest_answer(call, -1);
    }
    uint64_t retry = call->arguments[6];
    struct sse_event event = {.data = text_at(call, 0),
                              .event = text_at(call, 2),
                              .id = text_at(call, 4),
                              .retry_ms = retry <= INT32_MAX    ? (int32_t)retry
                                          : retry == UINT64_MAX ? SSE_NO_RETRY
                                                                : INT32_MAX};
    AUTO(bytes_finip) struct bytes name = {0}, id = {0}, mail = {0};
    if (event.data.size > guest_grant(guest_of_call(call))->message_bytes_max ||
        event.event.size > SSE_NAME_BYTES_MAX || event.id.size > SSE_NAME_BYTES_MAX ||
        !one_line(&event.event, &name) || !one_line(&event.id, &id) ||
        !outlet_event_pack(&mail, &event)) {
        return guest_answer(call, -1);
    }
    return send_to(call, outlet, OUTLET_EVENT, mail.data, mail.size);
}

const struct engine_import *handler_rusm_imports(size_t *ret_count)
{
    static const struct engine_import imports[] = {
        {"rusm:runtime", "connection", NULL, false, rusm_connection},
        {"rusm:runtime", "ws_send_text", NULL, true, rusm_ws_send_text},
        {"rusm:runtime", "ws_close", NULL, true, rusm_ws_close},
        {"rusm:runtime", "sse_send", NULL, true, rusm_sse_send},
    };
    *ret_count = ARRAY_LENGTH(imports);
    return imports;
}
