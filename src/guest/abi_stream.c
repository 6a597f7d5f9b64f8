#include "guest/abi_internal.h"
#include "guest/guest_internal.h"
#include "guest/handle.h"

#include <string.h>

enum { SLICE_BYTES = 1 << 20 }; /* Copied at once: more would keep others waiting for too long. */

/* The end of a call's first argument, for reading or writing. NULL: `*ret_error` says why. */
static struct pipe_end *end_of_call(struct engine_call *call, bool writes, int32_t *ret_error)
{
    struct pipe_end *end = handle_find(guest_of_call(call), (int32_t)call->arguments[0]);
    *ret_error = end == NULL ? ABI_NOT_FOUND : ABI_MISPLACED;
    return end != NULL && end->writes == writes ? end : NULL;
}

/* ---- open and finish ---- */

enum engine_call_result abi_stream_open(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    uint8_t *window = guest_window(call, call->arguments[1], sizeof(struct abi_stream_pair));
    if (window == NULL) {
        return ENGINE_CALL_TRAP;
    }
    uint64_t most = guest_grant(guest)->stream_buffer_bytes;
    uint64_t limit = (uint32_t)call->arguments[0];
    limit = limit == 0 ? most : limit;
    if (limit == 0 || limit > most || !handle_has_room(guest, 2)) {
        return guest_answer(call, ABI_LIMIT);
    }
    struct pipe_end *reader = NULL;
    struct pipe_end *writer = NULL;
    if (!pipe_create(limit, &reader, &writer)) {
        return guest_answer(call, ABI_NO_MEMORY);
    }
    struct abi_stream_pair pair = {.reader = handle_accept(guest, &reader->cargo)};
    if (pair.reader > 0) {
        pair.writer = handle_accept(guest, &writer->cargo);
    }
    if (pair.writer <= 0) {
        /* There was room, so memory was not. */
        pipe_finish(pair.reader > 0 ? pipe_end_of(handle_take(guest, pair.reader)) : reader, false,
                    PIPE_NO_REASON);
        pipe_finish(writer, false, PIPE_NO_REASON);
        return guest_answer(call, ABI_NO_MEMORY);
    }
    memcpy(window, &pair, sizeof pair);
    return guest_answer(call, 0);
}

static enum engine_call_result finish_writer(struct engine_call *call, bool complete, int reason)
{
    int32_t error = 0;
    if (end_of_call(call, true, &error) == NULL) {
        return guest_answer(call, error);
    }
    struct cargo *cargo = handle_take(guest_of_call(call), (int32_t)call->arguments[0]);
    pipe_finish(pipe_end_of(cargo), complete, reason);
    return guest_answer(call, 0);
}

enum engine_call_result abi_stream_end(struct engine_call *call)
{
    return finish_writer(call, true, 0);
}

enum engine_call_result abi_stream_abort(struct engine_call *call)
{
    int32_t reason = (int32_t)call->arguments[1];
    return reason > 0 ? finish_writer(call, false, reason) : guest_answer(call, ABI_INVALID);
}

enum engine_call_result abi_stream_close(struct engine_call *call)
{
    struct cargo *cargo = handle_take(guest_of_call(call), (int32_t)call->arguments[0]);
    if (cargo == NULL) {
        return guest_answer(call, ABI_NOT_FOUND);
    }
    pipe_finish(pipe_end_of(cargo), false, PIPE_NO_REASON);
    return guest_answer(call, 0);
}

enum engine_call_result abi_stream_reason(struct engine_call *call)
{
    int32_t error = 0;
    struct pipe_end *end = end_of_call(call, false, &error);
    if (end == NULL) {
        return guest_answer(call, error);
    }
    int reason = stream_reason(pipe_stream(end));
    return guest_answer(call, reason == PIPE_NO_REASON ? 0 : reason);
}

/* ---- transfers ---- */

static bool timeout_is_valid(uint64_t timeout)
{
    return timeout == UINT64_MAX || timeout <= ABI_TIME_MAX_NS;
}

/* Something was moved, or will never be. Most calls never came to wait. */
static enum engine_call_result transfer_end(struct engine_call *call, int32_t answer)
{
    if (call->state != 0) {
        abi_wait_end(call);
    }
    return guest_answer(call, answer);
}

/* Nothing can be moved now. */
static enum engine_call_result transfer_wait(struct engine_call *call)
{
    if (call->state == 0 && !abi_wait_begin(call, call->arguments[3])) {
        return guest_answer(call, ABI_INVALID);
    }
    return abi_wait_on(call);
}

/* The buffer and the end of a read. False: `*ret` is what the host function returns. */
static bool read_begin(struct engine_call *call, struct pipe_end **ret_end, uint8_t **ret_window,
                       enum engine_call_result *ret)
{
    *ret_window = guest_window(call, call->arguments[1], call->arguments[2]);
    if (*ret_window == NULL) {
        *ret = ENGINE_CALL_TRAP;
        return false;
    }
    int32_t error = 0;
    *ret_end = end_of_call(call, false, &error);
    if (*ret_end != NULL && (uint32_t)call->arguments[2] == 0) {
        error = ABI_INVALID;
    } else if (*ret_end != NULL) {
        return true;
    }
    *ret = guest_answer(call, error);
    return false;
}

/* Read what is there. False: nothing is; `*ret_answer` is the result else. */
static bool read_now(struct engine_call *call, struct pipe_end *end, uint8_t *window,
                     int32_t *ret_answer)
{
    size_t read = 0;
    size_t capacity = (uint32_t)call->arguments[2];
    switch (stream_read(pipe_stream(end), window, capacity < SLICE_BYTES ? capacity : SLICE_BYTES,
                        &read)) {
    case STREAM_OK:
        *ret_answer = (int32_t)read;
        return true;
    case STREAM_ENDED:
        *ret_answer = 0;
        return true;
    case STREAM_ABORTED:
        *ret_answer = ABI_ABORTED;
        return true;
    case STREAM_WAIT:
        return false;
    case STREAM_CLOSED:
        break;
    }
    BUG("a reader is never told that it is closed");
}

enum engine_call_result abi_stream_read(struct engine_call *call)
{
    struct pipe_end *end = NULL;
    uint8_t *window = NULL;
    enum engine_call_result result;
    if (!read_begin(call, &end, &window, &result)) {
        return result;
    }
    if (!timeout_is_valid(call->arguments[3])) {
        return guest_answer(call, ABI_INVALID);
    }
    int32_t answer = 0;
    return read_now(call, end, window, &answer) ? transfer_end(call, answer) : transfer_wait(call);
}

enum engine_call_result abi_stream_try_read(struct engine_call *call)
{
    struct pipe_end *end = NULL;
    uint8_t *window = NULL;
    enum engine_call_result result;
    if (!read_begin(call, &end, &window, &result)) {
        return result;
    }
    int32_t answer = ABI_TIMEOUT;
    (void)read_now(call, end, window, &answer);
    return guest_answer(call, answer);
}

/* What the write has moved so far is its result, if the wait is over. */
static enum engine_call_result write_wait(struct engine_call *call, size_t moved)
{
    enum engine_call_result result = transfer_wait(call);
    if (result == ENGINE_CALL_DONE && moved > 0) {
        return guest_answer(call, (int32_t)moved);
    }
    return result;
}

/* More is to be written, and there may be room: let others run first. */
static enum engine_call_result write_go_on(struct engine_call *call)
{
    if (call->state == 0 && !abi_wait_begin(call, call->arguments[3])) {
        return guest_answer(call, ABI_INVALID);
    }
    process_wake(guest_process(guest_of_call(call)));
    return ENGINE_CALL_PARK;
}

/* Write what there is room for, in slices: `*moved` is kept between tries. */
static enum engine_call_result write_some(struct engine_call *call, struct stream *stream,
                                          const uint8_t *data, size_t size_bytes, size_t *moved)
{
    for (size_t slice = SLICE_BYTES; slice > 0;) {
        size_t left = size_bytes - *moved;
        size_t written = 0;
        switch (stream_write(stream, data + *moved, left < slice ? left : slice, &written)) {
        case STREAM_OK:
            *moved += written;
            slice -= written;
            if (*moved == size_bytes) {
                return transfer_end(call, (int32_t)size_bytes);
            }
            continue;
        case STREAM_WAIT:
            return write_wait(call, *moved);
        case STREAM_CLOSED:
            return transfer_end(call, *moved > 0 ? (int32_t)*moved : ABI_CLOSED);
        case STREAM_ENDED:
        case STREAM_ABORTED:
            BUG("a writer is never told of its own end");
        }
    }
    return write_go_on(call);
}

/* The bytes and the end of a write. False: as read_begin(). */
static bool write_begin(struct engine_call *call, struct pipe_end **ret_end,
                        const uint8_t **ret_window, enum engine_call_result *ret)
{
    *ret_window = guest_window(call, call->arguments[1], call->arguments[2]);
    if (*ret_window == NULL) {
        *ret = ENGINE_CALL_TRAP;
        return false;
    }
    int32_t error = 0;
    *ret_end = end_of_call(call, true, &error);
    if (*ret_end != NULL && (uint32_t)call->arguments[2] > INT32_MAX) {
        error = ABI_INVALID;
    } else if (*ret_end != NULL) {
        return true;
    }
    *ret = guest_answer(call, error);
    return false;
}

enum engine_call_result abi_stream_write(struct engine_call *call)
{
    struct pipe_end *end = NULL;
    const uint8_t *window = NULL;
    enum engine_call_result result;
    if (!write_begin(call, &end, &window, &result)) {
        return result;
    }
    if (!timeout_is_valid(call->arguments[3])) {
        return guest_answer(call, ABI_INVALID);
    }
    size_t *moved = handle_progress(guest_of_call(call));
    if (call->state == 0) {
        *moved = 0;
    }
    return write_some(call, pipe_stream(end), window, (uint32_t)call->arguments[2], moved);
}

enum engine_call_result abi_stream_try_write(struct engine_call *call)
{
    struct pipe_end *end = NULL;
    const uint8_t *window = NULL;
    enum engine_call_result result;
    if (!write_begin(call, &end, &window, &result)) {
        return result;
    }
    size_t size = (uint32_t)call->arguments[2];
    size_t written = 0;
    switch (
        stream_write(pipe_stream(end), window, size < SLICE_BYTES ? size : SLICE_BYTES, &written)) {
    case STREAM_OK:
        return guest_answer(call, (int32_t)written);
    case STREAM_WAIT:
        return guest_answer(call, ABI_TIMEOUT);
    case STREAM_CLOSED:
        return guest_answer(call, ABI_CLOSED);
    case STREAM_ENDED:
    case STREAM_ABORTED:
        break;
    }
    BUG("a writer is never told of its own end");
}
