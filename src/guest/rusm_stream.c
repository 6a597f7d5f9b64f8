/* Streams of guests made for RUSM: each chunk that one writes is a chunk that the other reads. Ours have no borders, so a chunk goes
 * behind its size, four bytes in little-endian. */
#include "guest/rusm_internal.h"

#include "base/log.h"
#include "guest/handle.h"

#include <stdio.h>
#include <string.h>

enum { SIZE_BYTES = 4, SLICE_BYTES = 1 << 20, GROW_BYTES = 64 * 1024 };

static void close_end(struct pipe_end *end, bool complete)
{
    if (end != NULL) {
        pipe_finish(end, complete, PIPE_NO_REASON);
    }
}

/* Both ends, one as cargo of a message. NULL: out of memory. */
static struct message *make_message(struct guest *guest, struct pipe_end **ret_writer)
{
    struct pipe_end *reader = NULL;
    if (!pipe_create(guest->grant->stream_buffer_bytes, &reader, ret_writer)) {
        return NULL;
    }
    struct message *message = message_create(guest->process.pid.raw, RUSM_STREAM_LABEL, NULL, 0);
    if (message == NULL) {
        close_end(reader, false);
        close_end(*ret_writer, false);
        return NULL;
    }
    message->cargo = &reader->cargo;
    return message;
}

/* stream_open(pid) -> i64: the writer's handle, or -1. */
enum engine_call_result rusm_stream_open(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    struct process *target = abi_find(guest, call->arguments[0]);
    if (target == NULL) {
        return abi_answer_wide(call, -1);
    }
    if (guest->grant->stream_buffer_bytes == 0 || !handle_has_room(guest, 1)) {
        guest_log_refused(guest, "stream-open", "it has as many streams open as max-streams says");
        process_release(target);
        return abi_answer_wide(call, -1);
    }
    struct pipe_end *writer = NULL;
    struct message *message = make_message(guest, &writer);
    bool sent = message != NULL && process_send_to(target, message);
    process_release(target);
    int32_t handle = sent ? handle_accept(guest, &writer->cargo) : -1;
    if (handle <= 0 && message != NULL) {
        close_end(writer, false);
    }
    if (!sent) {
        message_destroy(message);
    }
    return abi_answer_wide(call, handle > 0 ? handle : -1);
}

/* The end that a number of the guest's names. NULL: none, or the other kind. */
static struct pipe_end *find_end(struct guest *guest, uint64_t number, bool writes)
{
    struct pipe_end *end = number <= INT32_MAX ? handle_find(guest, (int32_t)number) : NULL;
    return end != NULL && end->writes == writes ? end : NULL;
}

static void drop_end(struct guest *guest, uint64_t number, bool complete)
{
    struct cargo *cargo = number <= INT32_MAX ? handle_take(guest, (int32_t)number) : NULL;
    if (cargo != NULL) {
        close_end(pipe_end_of(cargo), complete);
    }
}

/* stream_close(handle). */
enum engine_call_result rusm_stream_close(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    drop_end(guest, call->arguments[0], find_end(guest, call->arguments[0], true) != NULL);
    return ENGINE_CALL_DONE;
}

/* The next bytes of a chunk of which so much has gone. */
static const uint8_t *next_piece(const uint8_t size_bytes[SIZE_BYTES], const uint8_t *data,
                                 size_t size, size_t moved, size_t *ret_size)
{
    if (moved < SIZE_BYTES) {
        *ret_size = SIZE_BYTES - moved;
        return size_bytes + moved;
    }
    size_t left = size - (moved - SIZE_BYTES);
    *ret_size = left < SLICE_BYTES ? left : SLICE_BYTES;
    return data + (moved - SIZE_BYTES);
}

/* stream_write(handle, data, size) -> i32: 0, or -1 when nobody reads. `state`: what has gone. */
enum engine_call_result rusm_stream_write(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    const uint8_t *data = guest_window(call, call->arguments[1], call->arguments[2]);
    if (data == NULL) {
        return ENGINE_CALL_TRAP;
    }
    uint32_t size = (uint32_t)call->arguments[2];
    struct pipe_end *end = find_end(guest, call->arguments[0], true);
    if (end != NULL && size > guest->grant->message_bytes_max) {
        guest_log_refused(guest, "stream-write", "a chunk is larger than max-message-bytes");
        end = NULL;
    }
    if (end == NULL) {
        return guest_answer(call, -1);
    }
    uint8_t head[SIZE_BYTES] = {(uint8_t)size, (uint8_t)(size >> 8), (uint8_t)(size >> 16),
                                (uint8_t)(size >> 24)};
    size_t now = 0;
    while (call->state < (uint64_t)size + SIZE_BYTES) {
        size_t piece_bytes = 0, written = 0;
        const uint8_t *piece = next_piece(head, data, size, call->state, &piece_bytes);
        if (now >= SLICE_BYTES) {
            process_wake(&guest->process); /* others have their turn */
            return ENGINE_CALL_PARK;
        }
        switch (stream_write(pipe_stream(end), piece, piece_bytes, &written)) {
        case STREAM_OK:
            call->state += written;
            now += written;
            break;
        case STREAM_WAIT:
            return ENGINE_CALL_PARK;
        case STREAM_CLOSED:
            return guest_answer(call, -1);
        case STREAM_ENDED:
        case STREAM_ABORTED:
            BUG("a writer is never told of its own end");
        }
    }
    return guest_answer(call, 0);
}

/* ---- reading ---- */

/* What has come of a chunk is in `text`, its size in front. */
static size_t wanted(const struct bytes *text)
{
    if (text->size < SIZE_BYTES) {
        return SIZE_BYTES - text->size;
    }
    const uint8_t *head = text->data;
    size_t size = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    return size + SIZE_BYTES - text->size;
}

/* Some more of it. */
static enum stream_result read_piece(struct stream *stream, struct bytes *text, size_t most)
{
    size_t piece = most < GROW_BYTES ? most : GROW_BYTES, got = 0;
    if (!bytes_reserve(text, piece)) {
        return STREAM_ABORTED;
    }
    enum stream_result result = stream_read(stream, text->data + text->size, piece, &got);
    text->size += result == STREAM_OK ? got : 0;
    return result;
}

/* stream_read(handle, buffer, capacity) -> i32: a chunk's size, or -1 at the end. */
enum engine_call_result rusm_stream_read(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    struct rusm_desk *desk = rusm_desk_of(call);
    if (desk == NULL ||
        (!call->direct && guest_window(call, call->arguments[1], call->arguments[2]) == NULL)) {
        return ENGINE_CALL_TRAP;
    }
    if (call->state == 0) {
        bytes_clear(&desk->text);
        call->state = 1;
    }
    struct pipe_end *end = find_end(guest, call->arguments[0], false);
    size_t left;
    while (end != NULL && (left = wanted(&desk->text)) > 0) {
        if (left > guest->grant->message_bytes_max && left > SIZE_BYTES) {
            guest_log_refused(guest, "stream-read", "a chunk is larger than max-message-bytes");
            end = NULL;
            break;
        }
        switch (read_piece(pipe_stream(end), &desk->text, left)) {
        case STREAM_OK:
            break;
        case STREAM_WAIT:
            return ENGINE_CALL_PARK;
        case STREAM_ENDED:
        case STREAM_ABORTED:
        case STREAM_CLOSED:
            end = NULL;
            break;
        }
    }
    if (end == NULL) {
        drop_end(guest, call->arguments[0], false);
        return guest_answer(call, -1);
    }
    return rusm_hand_out(call, 1, desk->text.data + SIZE_BYTES, desk->text.size - SIZE_BYTES);
}
