#include "serve/handler.h"

#include "core/node.h"
#include "guest/abi.h"
#include "serve/websocket_guest.h"

#include <stdlib.h>
#include <string.h>

/* One request being answered by one guest. Freed when the process has exited. */
struct visit {
    const struct handler *handler;
    struct exchange *exchange;
    struct process *process; /* a reference: wakes may come until exchange_finish() */
    atomic_bool gone;        /* connection's thread sets, owner reads */
    bool grace_began;        /* owner */
    struct timer grace;      /* owner starts; fires a kill */
};

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

static unsigned status_of(const struct guest *guest, const struct exit *exit)
{
    switch (exit->exit_class) {
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
        return guest_was_refused(guest) ? 503 : 502;
    }
    BUG("exit class %d", (int)exit->exit_class);
}

static void visit_exited(struct guest *guest, void *context, const struct exit *exit)
{
    struct visit *visit = context;
    timer_cancel(&visit->grace);
    unsigned status = status_of(guest, exit);
    exchange_finish(visit->exchange, &(struct exchange_outcome){
                                         .status = status,
                                         .retry_after_s = status == 503 ? EXCHANGE_RETRY_S : 0,
                                         .exit_class = exit_class_name(exit->exit_class),
                                         .pid = guest_process(guest)->pid.raw});
    process_release(visit->process);
    visit_destroy(visit);
}

static bool visit_is_left(struct guest *guest, void *context)
{
    (void)guest;
    struct visit *visit = context;
    return exchange_gone(visit->exchange);
}

static const struct guest_role http_role = {.kind = "http",
                                            .before_turn = visit_before_turn,
                                            .gone = visit_is_left,
                                            .exited = visit_exited};

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
    struct visit *visit = calloc(1, sizeof *visit);
    if (visit == NULL) {
        refuse(exchange, 503);
        return;
    }
    visit->handler = handler;
    visit->exchange = exchange;
    struct guest_options options = {.entry = handler->entry,
                                    .role = &http_role,
                                    .context = visit,
                                    .deadline_ns = handler->deadline_ns};
    /* Attached first: once started it may run on another worker, and may end there. Wakes come from
     * this thread only, so none can come before visit->process is set. */
    exchange_attach(exchange, (struct exchange_waker){
                                  .wake = visit_wake, .gone = visit_gone, .argument = visit});
    struct err err = {0};
    if (!guest_spawn(loop->worker.node, handler->component, &options, &loop->worker,
                     &visit->process, &err)) {
        exchange_detach(exchange);
        visit_destroy(visit);
        refuse(exchange, 503);
    }
}

const struct dispatcher handler_dispatcher = {.dispatch = handler_dispatch};

/* ---- host functions ---- */

/* The visit that the caller answers, or NULL when it is another kind of process. */
static struct visit *visit_of(struct engine_call *call)
{
    return guest_context(guest_of_call(call), &http_role);
}

/* The request that the caller was started for, or NULL. */
static const struct request *request_of(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    struct visit *visit = guest_context(guest, &http_role);
    struct websocket_channel *channel = visit != NULL ? NULL : websocket_of_guest(guest);
    return visit != NULL     ? exchange_request(visit->exchange)
           : channel != NULL ? exchange_request(channel->exchange)
                             : NULL;
}

static struct text text_of(const char *string)
{
    return (struct text){string, strlen(string)};
}

/* request_get(field, buffer, capacity) -> i32: full size. */
static enum engine_call_result host_request_get(struct engine_call *call)
{
    const struct request *request = request_of(call);
    if (request == NULL) {
        return guest_answer(call, ABI_MISPLACED);
    }
    struct websocket_channel *channel = websocket_of_guest(guest_of_call(call));
    struct text text = {0};
    switch (call->arguments[0]) {
    case ABI_REQUEST_FIELD_METHOD:
        text = request->method_name;
        break;
    case ABI_REQUEST_FIELD_PATH:
        text = request->path;
        break;
    case ABI_REQUEST_FIELD_QUERY:
        text = request->query;
        break;
    case ABI_REQUEST_FIELD_TARGET:
        text = request->target;
        break;
    case ABI_REQUEST_FIELD_HOST:
        text = request->host;
        break;
    case ABI_REQUEST_FIELD_REMOTE:
        text = text_of(request->remote);
        break;
    case ABI_REQUEST_FIELD_ID:
        text = text_of(request->id);
        break;
    case ABI_REQUEST_FIELD_SUBPROTOCOL:
        text = channel != NULL ? channel->subprotocol : text;
        break;
    default: /* a number from the guest, not an enum of ours */
        return guest_answer(call, ABI_INVALID);
    }
    return guest_answer_text(call, text.data, text.size, call->arguments[1], call->arguments[2]);
}

/* Common begin of the look-ups by name: (name, size, buffer, capacity). False: `*ret` is the answer. */
static bool lookup_begin(struct engine_call *call, const struct request **ret_request,
                         struct text *ret_name, enum engine_call_result *ret)
{
    *ret_request = request_of(call);
    if (*ret_request == NULL) {
        *ret = guest_answer(call, ABI_MISPLACED);
        return false;
    }
    const uint8_t *name = guest_window(call, call->arguments[0], call->arguments[1]);
    /* The buffer too, so that a bad one traps whether or not there is anything to put into it. */
    if (name == NULL || guest_window(call, call->arguments[2], call->arguments[3]) == NULL) {
        *ret = ENGINE_CALL_TRAP;
        return false;
    }
    *ret_name = (struct text){(const char *)name, (uint32_t)call->arguments[1]};
    return true;
}

/* request_param(name, size, buffer, capacity) -> i32: a segment of the route. */
static enum engine_call_result host_request_param(struct engine_call *call)
{
    const struct request *request;
    struct text name;
    enum engine_call_result result;
    if (!lookup_begin(call, &request, &name, &result)) {
        return result;
    }
    for (size_t i = 0; i < request->param_count; i++) {
        const struct param *param = &request->params[i];
        if (param->name.size == name.size && memcmp(param->name.data, name.data, name.size) == 0) {
            return guest_answer_text(call, param->value.data, param->value.size, call->arguments[2],
                                     call->arguments[3]);
        }
    }
    return guest_answer(call, ABI_NOT_FOUND);
}

/* request_query_value(name, size, buffer, capacity) -> i32. */
static enum engine_call_result host_request_query_value(struct engine_call *call)
{
    const struct request *request;
    struct text name;
    enum engine_call_result result;
    if (!lookup_begin(call, &request, &name, &result)) {
        return result;
    }
    uint8_t *window = guest_window(call, call->arguments[2], call->arguments[3]);
    int64_t size = request_query_value(request, name.data, name.size, (char *)window,
                                       (uint32_t)call->arguments[3]);
    return guest_answer(call, size < 0 ? ABI_NOT_FOUND : (int32_t)size);
}

/* request_header(name, size, buffer, capacity) -> i32: the first of that name. */
static enum engine_call_result host_request_header(struct engine_call *call)
{
    const struct request *request;
    struct text name;
    enum engine_call_result result;
    if (!lookup_begin(call, &request, &name, &result)) {
        return result;
    }
    const struct header *header = request_header(request, name.data, name.size);
    if (header == NULL) {
        return guest_answer(call, ABI_NOT_FOUND);
    }
    return guest_answer_text(call, header->value.data, header->value.size, call->arguments[2],
                             call->arguments[3]);
}

/* request_header_at(index, buffer, capacity) -> i32: "name: value". */
static enum engine_call_result host_request_header_at(struct engine_call *call)
{
    const struct request *request = request_of(call);
    if (request == NULL) {
        return guest_answer(call, ABI_MISPLACED);
    }
    uint32_t index = (uint32_t)call->arguments[0];
    if (index >= request->header_count) {
        return guest_answer(call, ABI_NOT_FOUND);
    }
    const struct header *header = &request->headers[index];
    AUTO(bytes_finip) struct bytes line = {0};
    if (!bytes_append(&line, header->name.data, header->name.size) ||
        !bytes_append(&line, ": ", 2) ||
        !bytes_append(&line, header->value.data, header->value.size)) {
        return guest_answer(call, ABI_NO_MEMORY);
    }
    return guest_answer_text(call, line.data, line.size, call->arguments[1], call->arguments[2]);
}

static int32_t error_of(enum exchange_result result)
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

/* request_read(buffer, capacity) -> i32: bytes of the body; 0: its end. Parks. */
static enum engine_call_result host_request_read(struct engine_call *call)
{
    struct visit *visit = visit_of(call);
    if (visit == NULL) {
        return guest_answer(call, ABI_MISPLACED);
    }
    uint8_t *window = guest_window(call, call->arguments[0], call->arguments[1]);
    if (window == NULL) {
        return ENGINE_CALL_TRAP;
    }
    size_t capacity = (uint32_t)call->arguments[1];
    if (capacity == 0 || capacity > INT32_MAX) {
        return guest_answer(call, ABI_INVALID);
    }
    size_t read = 0;
    enum exchange_result result = exchange_read(visit->exchange, window, capacity, &read);
    if (result == EXCHANGE_WAIT) {
        return ENGINE_CALL_PARK;
    }
    return guest_answer(call, result == EXCHANGE_OK ? (int32_t)read : error_of(result));
}

enum { ANSWER_HEADERS_MAX = 128 };

/* Headers from a guest: "name: value" lines, each ended by a newline. What may be sent is for the exchange to say.
 * False: a line without a colon, or too many, or too much to look through. */
static bool split_headers(const char *text, size_t size_bytes, struct header *ret,
                          size_t *ret_count)
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

/* The head is out: from here on the stream's deadline counts, and every write is a unit of work. */
static void head_given(struct engine_call *call, struct visit *visit)
{
    struct process *process = guest_process(guest_of_call(call));
    process_begin_unit(process);
    process_set_deadline(process, visit->handler->stream_deadline_ns);
}

/* A larger body goes out in pieces, so that no call copies for long and a slow client's answer is held by
 * the guest, not by the node. */
enum { WHOLE_BODY_MAX = 1024 * 1024 };

/* Write until everything is taken, then answer 0. `call->state` is what was taken. */
static enum engine_call_result write_all(struct engine_call *call, struct visit *visit,
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
            return guest_answer(call, error_of(result));
        }
        call->state += written;
        moved += written;
    } while (call->state < size);
    process_begin_unit(process);
    return guest_answer(call, 0);
}

/* respond(status, headers, size, body, size) -> i32: the whole answer; or, when the body is large, its head
 * and 1. Not a call that may park: those cost the engine more, and nearly every answer is small. */
static enum engine_call_result host_respond(struct engine_call *call)
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
    struct header headers[ANSWER_HEADERS_MAX];
    size_t count = 0;
    if (!split_headers((const char *)lines, (uint32_t)call->arguments[2], headers, &count)) {
        return guest_answer(call, ABI_INVALID);
    }
    unsigned status = (unsigned)call->arguments[0];
    size_t whole_max = exchange_whole_max(visit->exchange, status, headers, count);
    bool large = size > (whole_max < WHOLE_BODY_MAX ? whole_max : WHOLE_BODY_MAX);
    enum exchange_result result =
        large ? exchange_begin_whole(visit->exchange, status, headers, count, size)
              : exchange_respond(visit->exchange, status, headers, count, body, size);
    if (result != EXCHANGE_OK) {
        return guest_answer(call, error_of(result));
    }
    head_given(call, visit);
    return guest_answer(call, large);
}

/* respond_begin(status, headers, size, length) -> i32: the head; `length` -1 when unknown. */
static enum engine_call_result host_respond_begin(struct engine_call *call)
{
    struct visit *visit = visit_of(call);
    if (visit == NULL) {
        return guest_answer(call, ABI_MISPLACED);
    }
    const uint8_t *lines = guest_window(call, call->arguments[1], call->arguments[2]);
    if (lines == NULL) {
        return ENGINE_CALL_TRAP;
    }
    struct header headers[ANSWER_HEADERS_MAX];
    size_t count = 0;
    int64_t length = (int64_t)call->arguments[3];
    if (length < -1 ||
        !split_headers((const char *)lines, (uint32_t)call->arguments[2], headers, &count)) {
        return guest_answer(call, ABI_INVALID);
    }
    enum exchange_result result = exchange_begin(visit->exchange, (unsigned)call->arguments[0],
                                                 headers, count,
                                                 length < 0 ? UINT64_MAX : (uint64_t)length);
    if (result == EXCHANGE_OK) {
        head_given(call, visit);
    }
    return guest_answer(call, error_of(result));
}

/* respond_write(data, size) -> i32: 0 when all of it was taken. Parks on a slow client; `state`
 * counts what has gone. */
static enum engine_call_result host_respond_write(struct engine_call *call)
{
    struct visit *visit = visit_of(call);
    if (visit == NULL) {
        return guest_answer(call, ABI_MISPLACED);
    }
    const uint8_t *data = guest_window(call, call->arguments[0], call->arguments[1]);
    if (data == NULL) {
        return ENGINE_CALL_TRAP;
    }
    return write_all(call, visit, data, (uint32_t)call->arguments[1]);
}

/* client_gone() -> i32: 1 when nobody will read the answer. */
static enum engine_call_result host_client_gone(struct engine_call *call)
{
    struct visit *visit = visit_of(call);
    struct websocket_channel *channel = websocket_of_guest(guest_of_call(call));
    if (visit == NULL && channel == NULL) {
        return guest_answer(call, ABI_MISPLACED);
    }
    return guest_answer(call, visit != NULL ? exchange_gone(visit->exchange)
                                            : atomic_load(&channel->left));
}

static enum engine_call_result host_ws_send(struct engine_call *call)
{
    return websocket_host_send(call);
}

static enum engine_call_result host_ws_close(struct engine_call *call)
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
