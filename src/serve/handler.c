#include "serve/handler.h"

#include "core/node.h"
#include "guest/scratch.h"
#include "serve/handler_rusm.h"
#include "serve/visit.h"
#include "serve/websocket_guest.h"

#include <stdlib.h>
#include <string.h>

static void visit_wake(void *argument)
{
    struct visit *visit = argument;
    process_wake(visit->process);
}

static void visit_gone(void *argument)
{
    struct visit *visit = argument;
    /* Release: pairs with the acquire in visit_before_turn(). */
    atomic_store_explicit(&visit->gone, true, memory_order_release);
    if (visit->handler->cancel_on_disconnect) {
        process_stop(visit->process, STOP_KILL, "disconnect");
    } else {
        process_wake(visit->process);
    }
}

static void grace_over(struct timer *timer)
{
    struct visit *visit = CONTAINER_OF(timer, struct visit, grace);
    process_stop(visit->process, STOP_KILL, "disconnect");
}

/* A guest that streams to nobody gets a grace to notice it; one that has not answered yet runs on,
 * bounded by its deadline. */
static void visit_before_turn(struct guest *guest, void *context)
{
    struct visit *visit = context;
    visit->moved = 0;
    if (LIKELY(!atomic_load_explicit(&visit->gone, memory_order_acquire)) || visit->grace_began ||
        !exchange_has_begun(visit->exchange)) {
        return;
    }
    visit->grace_began = true;
    struct node *node = guest_process(guest)->node;
    struct worker *worker = worker_current();
    timer_start(&worker->timers, &visit->grace,
                node_now_ns(node) + visit->handler->disconnect_grace_ns, grace_over);
}

static void visit_destroy(struct visit *visit)
{
    free(visit);
}

unsigned handler_status(enum exit_class exit_class, bool refused)
{
    switch (exit_class) {
    case EXIT_NORMAL:
    case EXIT_SHUTDOWN:
        return 0;
    case EXIT_CRASHED_TIMEOUT:
    case EXIT_CRASHED_CPU:
        return 504;
    case EXIT_EXITED:
    case EXIT_CRASHED:
    case EXIT_CRASHED_MEMORY:
    case EXIT_KILLED:
        return refused ? 503 : 502;
    }
    BUG("exit class %d", (int)exit_class);
}

static void visit_exited(struct guest *guest, void *context, const struct exit *exit)
{
    struct visit *visit = context;
    timer_cancel(&visit->grace);
    unsigned status = handler_status(exit->exit_class, guest_was_refused(guest));
    status = status == 0 && visit->failed ? 502 : status;
    exchange_finish(visit->exchange, &(struct exchange_outcome){
                                         .status = status,
                                         .retry_after_s = status == 503 ? EXCHANGE_RETRY_S : 0,
                                         .exit_class = exit_class_name(exit->exit_class),
                                         .pid = guest_process(guest)->pid.raw});
    process_release(visit->process);
    visit_destroy(visit);
}

bool visit_is_deserted(struct visit *visit)
{
    /* Acquire: as in visit_before_turn(). */
    return atomic_load_explicit(&visit->gone, memory_order_acquire) ||
           exchange_gone(visit->exchange);
}

static bool visit_is_left(struct guest *guest, void *context)
{
    (void)guest;
    return visit_is_deserted(context);
}

static int32_t visit_body_ready(struct guest *guest, void *context)
{
    (void)guest;
    return exchange_is_readable(((struct visit *)context)->exchange);
}

static int32_t visit_answer_ready(struct guest *guest, void *context)
{
    enum { PIECE_BYTES = 65536 };
    struct visit *visit = context;
    (void)guest;
    enum exchange_result result = exchange_is_writable(visit->exchange, PIECE_BYTES);
    return result == EXCHANGE_OK     ? 1
           : result == EXCHANGE_WAIT ? visit_is_deserted(visit)
                                     : ABI_MISPLACED;
}

static const struct guest_role http_role = {.kind = "http",
                                            .before_turn = visit_before_turn,
                                            .gone = visit_is_left,
                                            .body_ready = visit_body_ready,
                                            .answer_ready = visit_answer_ready,
                                            .exited = visit_exited};

/* The same for a component, which knows no host functions of ours. */
static const struct guest_role component_role = {.kind = "http",
                                                 .http = &visit_http,
                                                 .before_turn = visit_before_turn,
                                                 .gone = visit_is_left,
                                                 .exited = visit_exited};

struct visit *visit_of_component(struct guest *guest)
{
    return guest_context(guest, &component_role);
}

static void refuse(struct exchange *exchange, unsigned status)
{
    exchange_finish(exchange,
                    &(struct exchange_outcome){
                        .status = status, .retry_after_s = status == 503 ? EXCHANGE_RETRY_S : 0});
}

static void handler_dispatch(struct exchange *exchange, void *target, struct loop *loop)
{
    const struct handler *handler = target;
    if (handler->websocket != NULL) {
        websocket_dispatch(exchange, handler, loop);
        return;
    }
    if (handler->rusm) {
        rusm_dispatch(exchange, handler, loop);
        return;
    }
    struct visit *visit = calloc(1, sizeof *visit);
    if (visit == NULL) {
        refuse(exchange, 503);
        return;
    }
    visit->handler = handler;
    visit->exchange = exchange;
    bool is_component = component_is_http(handler->component);
    struct guest_options options = {.entry = handler->entry,
                                    .role = is_component ? &component_role : &http_role,
                                    .context = visit,
                                    .deadline_ns = handler->deadline_ns};
    /* Attached first: once started it may run on another worker, and may end there. Wakes come from
     * this thread only, so none can come before visit->process is set. */
    exchange_attach(exchange, (struct exchange_waker){
                                  .wake = visit_wake, .gone = visit_gone, .argument = visit});
    struct err err;
    err_clear(&err);
    if (!guest_spawn(loop->worker.node, handler->component, &options, &loop->worker,
                     &visit->process, &err)) {
        exchange_detach(exchange);
        visit_destroy(visit);
        refuse(exchange, 503);
    }
}

const struct dispatcher handler_dispatcher = {.dispatch = handler_dispatch};

/* ---- host functions ---- */

struct visit *visit_of(struct engine_call *call)
{
    return guest_context(guest_of_call(call), &http_role);
}

int32_t visit_error_of(enum exchange_result result)
{
    switch (result) {
    case EXCHANGE_OK:
    case EXCHANGE_ENDED:
        return 0;
    case EXCHANGE_WAIT:
        break;
    case EXCHANGE_CLOSED:
        return ABI_CLOSED;
    case EXCHANGE_TOO_LARGE:
    case EXCHANGE_FULL:
        return ABI_LIMIT;
    case EXCHANGE_MALFORMED:
        return ABI_MALFORMED;
    case EXCHANGE_INVALID:
        return ABI_INVALID;
    case EXCHANGE_MISPLACED:
        return ABI_MISPLACED;
    case EXCHANGE_NO_MEMORY:
        return ABI_NO_MEMORY;
    }
    BUG("exchange result %d", (int)result);
}

bool visit_split_headers(const char *text, size_t size_bytes, struct header *ret, size_t *ret_count)
{
    *ret_count = 0;
    if (size_bytes > EXCHANGE_HEAD_MAX) {
        return false;
    }
    while (size_bytes > 0) {
        const char *end = memchr(text, '\n', size_bytes);
        const char *colon = memchr(text, ':', size_bytes);
        if (end == NULL || colon == NULL || colon > end || *ret_count == ANSWER_HEADERS_MAX) {
            return false;
        }
        const char *value = colon + 1;
        while (value < end && *value == ' ') {
            value++;
        }
        ret[(*ret_count)++] = (struct header){.name = {text, (size_t)(colon - text)},
                                              .value = {value, (size_t)(end - value)}};
        size_bytes -= (size_t)(end + 1 - text);
        text = end + 1;
    }
    return true;
}

void visit_head_given(struct visit *visit)
{
    process_begin_unit(visit->process);
    process_set_deadline(visit->process, visit->handler->stream_deadline_ns);
}

enum engine_call_result visit_write(struct engine_call *call, struct visit *visit,
                                    const uint8_t *data, size_t size)
{
    struct process *process = guest_process(guest_of_call(call));
    size_t moved = 0, share = exchange_share(visit->exchange);
    do {
        if (moved >= share) {
            process_wake(process); /* Enough for one call; on in the next turn. */
            return ENGINE_CALL_PARK;
        }
        size_t written = 0, taken = call->state;
        size_t bite = size - taken < WHOLE_BODY_MAX ? size - taken : WHOLE_BODY_MAX;
        enum exchange_result result = exchange_write(visit->exchange, data + taken, bite, &written);
        if (result == EXCHANGE_WAIT) {
            return ENGINE_CALL_PARK;
        }
        if (result != EXCHANGE_OK) {
            return guest_answer(call, visit_error_of(result));
        }
        call->state += written;
        moved += written;
    } while (call->state < size);
    process_begin_unit(process);
    return guest_answer(call, 0);
}

/* respond(status, headers, size, body, size) -> i32: the whole answer; or, when the body is large, its head
 * and 1. Not a call that may park: those cost the engine more, and nearly every answer is small. */
enum engine_call_result host_respond(struct engine_call *call)
{
    struct visit *visit = visit_of(call);
    if (visit == NULL) {
        return guest_answer(call, ABI_MISPLACED);
    }
    const uint8_t *lines = guest_window(call, call->arguments[1], call->arguments[2]);
    const uint8_t *body = lines == NULL
                              ? NULL
                              : guest_window(call, call->arguments[3], call->arguments[4]);
    if (body == NULL) {
        return ENGINE_CALL_TRAP;
    }
    size_t size = (uint32_t)call->arguments[4];
    struct header *headers = scratch_room(ANSWER_HEADERS_MAX * sizeof *headers);
    size_t count = 0;
    if (!visit_split_headers((const char *)lines, (uint32_t)call->arguments[2], headers, &count)) {
        return guest_answer(call, ABI_INVALID);
    }
    unsigned status = (unsigned)call->arguments[0];
    if (visit->handler->events_only && !visit_is_refusal(status)) {
        return guest_answer(call, ABI_MISPLACED);
    }
    size_t whole_max = exchange_whole_max(visit->exchange, status, headers, count);
    bool large = size > (whole_max < WHOLE_BODY_MAX ? whole_max : WHOLE_BODY_MAX);
    enum exchange_result result =
        large ? exchange_begin_whole(visit->exchange, status, headers, count, size)
              : exchange_respond(visit->exchange, status, headers, count, body, size);
    if (result != EXCHANGE_OK) {
        return guest_answer(call, visit_error_of(result));
    }
    visit_head_given(visit);
    return guest_answer(call, large);
}

/* respond_begin(status, headers, size, length) -> i32: the head; `length` -1 when unknown. */
enum engine_call_result host_respond_begin(struct engine_call *call)
{
    struct visit *visit = visit_of(call);
    if (visit == NULL || visit->handler->events_only) {
        return guest_answer(call, ABI_MISPLACED);
    }
    const uint8_t *lines = guest_window(call, call->arguments[1], call->arguments[2]);
    if (lines == NULL) {
        return ENGINE_CALL_TRAP;
    }
    struct header *headers = scratch_room(ANSWER_HEADERS_MAX * sizeof *headers);
    size_t count = 0;
    int64_t length = (int64_t)call->arguments[3];
    if (length < -1 ||
        !visit_split_headers((const char *)lines, (uint32_t)call->arguments[2], headers, &count)) {
        return guest_answer(call, ABI_INVALID);
    }
    enum exchange_result result = exchange_begin(visit->exchange, (unsigned)call->arguments[0],
                                                 headers, count,
                                                 length < 0 ? UINT64_MAX : (uint64_t)length);
    if (result == EXCHANGE_OK) {
        visit_head_given(visit);
    }
    return guest_answer(call, visit_error_of(result));
}

/* respond_write(data, size) -> i32: 0 when all of it was taken. Parks on a slow client; `state`
 * counts what has gone. */
enum engine_call_result host_respond_write(struct engine_call *call)
{
    struct visit *visit = visit_of(call);
    if (visit == NULL || visit->streams) {
        return guest_answer(call, ABI_MISPLACED);
    }
    const uint8_t *data = guest_window(call, call->arguments[0], call->arguments[1]);
    if (data == NULL) {
        return ENGINE_CALL_TRAP;
    }
    return visit_write(call, visit, data, (uint32_t)call->arguments[1]);
}

/* client_gone() -> i32: 1 when nobody will read the answer. */
enum engine_call_result host_client_gone(struct engine_call *call)
{
    struct visit *visit = visit_of(call);
    struct websocket_channel *channel = websocket_of_guest(guest_of_call(call));
    if (visit == NULL && channel == NULL) {
        return guest_answer(call, ABI_MISPLACED);
    }
    return guest_answer(call,
                        visit != NULL ? visit_is_deserted(visit) : atomic_load(&channel->left));
}

enum engine_call_result host_ws_send(struct engine_call *call)
{
    return websocket_host_send(call);
}

enum engine_call_result host_ws_close(struct engine_call *call)
{
    return websocket_host_close(call);
}

#define IMPORT(name, signature, parks) {"mote", #name, signature, parks, host_##name},

const struct engine_import *handler_imports(size_t *ret_count)
{
    static const struct engine_import imports[] = {ABI_SERVE(IMPORT)};
    *ret_count = ARRAY_LENGTH(imports);
    return imports;
}
