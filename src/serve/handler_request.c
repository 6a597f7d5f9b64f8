#include "serve/handler.h"

#include "serve/visit.h"
#include "serve/websocket_guest.h"

#include <string.h>

/* The request that the caller was started for, or NULL. */
static const struct request *request_of(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    struct visit *visit = visit_of(call);
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
enum engine_call_result host_request_get(struct engine_call *call)
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
    case ABI_REQUEST_FIELD_SCHEME:
        text = text_of(request->secure ? "https" : "http");
        break;
    case ABI_REQUEST_FIELD_CERTIFICATE:
        text = text_of(request->subject != NULL ? request->subject : "");
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
enum engine_call_result host_request_param(struct engine_call *call)
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
enum engine_call_result host_request_query_value(struct engine_call *call)
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
enum engine_call_result host_request_header(struct engine_call *call)
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
enum engine_call_result host_request_header_at(struct engine_call *call)
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

/* request_read(buffer, capacity) -> i32: bytes of the body; 0: its end. Parks. */
enum engine_call_result host_request_read(struct engine_call *call)
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
    return guest_answer(call, result == EXCHANGE_OK ? (int32_t)read : visit_error_of(result));
}
