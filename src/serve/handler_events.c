/* Streams of events: a head at once, then events and comments, each flushed. SPEC: "SSE stream". */
#include "serve/handler.h"

#include "guest/scratch.h"
#include "serve/visit.h"

#include <string.h>

/* Whether a guest has named this header itself. */
static bool names(const struct header *headers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (text_equal_nocase(headers[i].name, name, strlen(name))) {
            return true;
        }
    }
    return false;
}

/* sse_begin(headers, size) -> i32: the head, at once. */
enum engine_call_result host_sse_begin(struct engine_call *call)
{
    static const struct header type = {.name = {"Content-Type", 12},
                                       .value = {"text/event-stream", 17}};
    static const struct header fresh = {.name = {"Cache-Control", 13}, .value = {"no-store", 8}};
    struct visit *visit = visit_of(call);
    if (visit == NULL) {
        return guest_answer(call, ABI_MISPLACED);
    }
    const uint8_t *lines = guest_window(call, call->arguments[0], call->arguments[1]);
    if (lines == NULL) {
        return ENGINE_CALL_TRAP;
    }
    struct header *headers = scratch_room((ANSWER_HEADERS_MAX + 2) * sizeof *headers);
    size_t count = 0;
    if (!visit_split_headers((const char *)lines, (uint32_t)call->arguments[1], headers, &count) ||
        names(headers, count, "content-type")) {
        return guest_answer(call, ABI_INVALID);
    }
    bool has_control = names(headers, count, "cache-control");
    headers[count++] = type;
    if (!has_control) {
        headers[count++] = fresh;
    }
    enum exchange_result result = exchange_begin_events(visit->exchange, headers, count,
                                                        visit->handler->heartbeat_ns);
    if (result != EXCHANGE_OK) {
        return guest_answer(call, visit_error_of(result));
    }
    visit->streams = true;
    guest_begin_stream(guest_of_call(call));
    visit_head_given(visit);
    if (exchange_request(visit->exchange)->method == METHOD_HEAD) {
        /* It wanted to know what there is, not to listen. The wake lets the grace begin. */
        atomic_store_explicit(&visit->gone, true, memory_order_relaxed);
        process_wake(guest_process(guest_of_call(call)));
    }
    return guest_answer(call, 0);
}

/* As much of it as the client takes. `state`: how many bytes. */
static enum engine_call_result write_event(struct engine_call *call, struct visit *visit,
                                           const struct sse_event *event)
{
    enum { PIECE_BYTES = 4096 };
    char *piece = scratch_room(PIECE_BYTES);
    size_t moved = 0;
    exchange_set_within(visit->exchange, true);
    for (;;) {
        struct sse_cursor begin = visit->cursor;
        size_t size = sse_write(event, &visit->cursor, piece, PIECE_BYTES);
        if (size == 0) {
            exchange_set_within(visit->exchange, false);
            process_begin_unit(guest_process(guest_of_call(call)));
            return guest_answer(call, 0);
        }
        size_t written = 0;
        enum exchange_result result = EXCHANGE_WAIT;
        if (moved < exchange_share(visit->exchange)) {
            result = exchange_write(visit->exchange, piece, size, &written);
        } else {
            process_wake(
                guest_process(guest_of_call(call))); /* Enough for one call; on in the next turn. */
        }
        if (result != EXCHANGE_OK || written < size) {
            visit->cursor = begin;
            size_t again = sse_write(event, &visit->cursor, piece, written);
            INVARIANT(again == written);
        }
        moved += written;
        call->state = 1;
        if (result == EXCHANGE_WAIT) {
            return ENGINE_CALL_PARK;
        }
        if (result != EXCHANGE_OK) {
            return guest_answer(call, visit_error_of(result));
        }
    }
}

/* Check it at the first try, then write. */
static enum engine_call_result send_event(struct engine_call *call, const struct sse_event *event)
{
    struct visit *visit = visit_of(call);
    if (visit == NULL || !visit->streams) {
        return guest_answer(call, ABI_MISPLACED);
    }
    if (call->state == 0) {
        switch (sse_check(event)) {
        case SSE_GOOD:
            break;
        case SSE_INVALID:
            return guest_answer(call, ABI_INVALID);
        case SSE_TOO_LONG:
            return guest_answer(call, ABI_LIMIT);
        }
        visit->cursor = (struct sse_cursor){0};
    }
    if (visit_is_deserted(visit)) {
        return guest_answer(call, ABI_CLOSED);
    }
    return write_event(call, visit, event);
}

/* A text of the guest's; a pointer of 0: none. False: trap. */
static bool read_text(struct engine_call *call, unsigned at, struct text *ret)
{
    const uint8_t *data = guest_window(call, call->arguments[at], call->arguments[at + 1]);
    bool none = call->arguments[at] == 0;
    *ret = (struct text){none ? NULL : (const char *)data,
                         none ? 0 : (uint32_t)call->arguments[at + 1]};
    return data != NULL;
}

/* sse_send(event, size, id, size, retry, data, size) -> i32. */
enum engine_call_result host_sse_send(struct engine_call *call)
{
    struct sse_event event = {.retry_ms = (int32_t)(uint32_t)call->arguments[4]};
    if (!read_text(call, 0, &event.event) || !read_text(call, 2, &event.id) ||
        !read_text(call, 5, &event.data)) {
        return ENGINE_CALL_TRAP;
    }
    return send_event(call, &event);
}

/* sse_comment(text, size) -> i32. */
enum engine_call_result host_sse_comment(struct engine_call *call)
{
    struct sse_event event = {.retry_ms = SSE_NO_RETRY};
    const uint8_t *data = guest_window(call, call->arguments[0], call->arguments[1]);
    if (data == NULL) {
        return ENGINE_CALL_TRAP;
    }
    event.comment = (struct text){(const char *)data, (uint32_t)call->arguments[1]};
    return send_event(call, &event);
}

/* sse_write(data, size) -> i32: events that the guest has written itself. `state`: how many bytes. */
enum engine_call_result host_sse_write(struct engine_call *call)
{
    struct visit *visit = visit_of(call);
    if (visit == NULL || !visit->streams) {
        return guest_answer(call, ABI_MISPLACED);
    }
    const uint8_t *data = guest_window(call, call->arguments[0], call->arguments[1]);
    if (data == NULL) {
        return ENGINE_CALL_TRAP;
    }
    size_t size = (uint32_t)call->arguments[1];
    if (size < 2 || data[size - 2] != '\n' || data[size - 1] != '\n') {
        return guest_answer(call, ABI_INVALID); /* A heartbeat may come behind it. */
    }
    if (visit_is_deserted(visit)) {
        return guest_answer(call, ABI_CLOSED);
    }
    exchange_set_within(visit->exchange, true);
    enum engine_call_result result = visit_write(call, visit, data, size);
    if (call->state == size) {
        exchange_set_within(visit->exchange, false);
    }
    return result;
}
