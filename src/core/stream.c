#include "core/stream.h"

#include <stdlib.h>
#include <string.h>

/* A smaller ring is kept while the stream is empty: it may be idle for hours, or about to go on. */
enum { STREAM_KEEP_BYTES = 16 * 1024, STREAM_FIRST_BYTES = 256 };

static const struct stream_waker nobody;

void stream_init(struct stream *stream, size_t limit_bytes)
{
    INVARIANT(limit_bytes > 0);
    *stream = (struct stream){.limit_bytes = limit_bytes};
    lock_init(&stream->lock, LOCK_STREAM);
}

/* What was unread is gone. */
static void ring_drop(struct stream *stream)
{
    free(stream->ring);
    stream->ring = NULL;
    stream->first = stream->size = 0;
}

void stream_fini(struct stream *stream)
{
    ring_drop(stream);
    lock_fini(&stream->lock);
}

void stream_set_reader(struct stream *stream, struct stream_waker reader)
{
    lock_take(&stream->lock);
    stream->reader = reader;
    lock_release(&stream->lock);
}

void stream_set_writer(struct stream *stream, struct stream_waker writer)
{
    lock_take(&stream->lock);
    stream->writer = writer;
    lock_release(&stream->lock);
}

/* Room for `more` bytes, which fit below the limit; a ring as large as the last one at once. */
static bool ring_reserve(struct stream *stream, size_t more)
{
    if (stream->ring != NULL && stream->capacity - stream->size >= more) {
        return true;
    }
    size_t capacity = stream->capacity < STREAM_FIRST_BYTES ? STREAM_FIRST_BYTES : stream->capacity;
    while (capacity < stream->size + more) {
        capacity *= 2;
    }
    capacity = capacity < stream->limit_bytes ? capacity : stream->limit_bytes;
    uint8_t *ring = malloc(capacity);
    if (ring == NULL) {
        return false;
    }
    if (stream->size > 0) {
        size_t behind = stream->capacity - stream->first;
        size_t straight = stream->size < behind ? stream->size : behind;
        memcpy(ring, stream->ring + stream->first, straight);
        memcpy(ring + straight, stream->ring, stream->size - straight);
    }
    free(stream->ring);
    stream->ring = ring;
    stream->capacity = capacity;
    stream->first = 0;
    return true;
}

/* Append what there is room for. */
static void ring_put(struct stream *stream, const uint8_t *data, size_t size_bytes)
{
    size_t at = stream->first + stream->size;
    at = at < stream->capacity ? at : at - stream->capacity;
    size_t behind = stream->capacity - at;
    size_t straight = size_bytes < behind ? size_bytes : behind;
    memcpy(stream->ring + at, data, straight);
    if (straight < size_bytes) {
        memcpy(stream->ring, data + straight, size_bytes - straight);
    }
    stream->size += size_bytes;
}

/* Take out what is there. */
static void ring_take(struct stream *stream, uint8_t *data, size_t size_bytes)
{
    size_t behind = stream->capacity - stream->first;
    size_t straight = size_bytes < behind ? size_bytes : behind;
    memcpy(data, stream->ring + stream->first, straight);
    if (straight < size_bytes) {
        memcpy(data + straight, stream->ring, size_bytes - straight);
    }
    stream->size -= size_bytes;
    size_t first = stream->first + size_bytes;
    first = first < stream->capacity ? first : first - stream->capacity;
    /* An empty one begins anew: short exchanges then stay in the same cache lines. */
    stream->first = stream->size == 0 ? 0 : first;
}

static void writer_begins_waiting(struct stream *stream, size_t wants_bytes)
{
    stream->writer_waits = true;
    stream->writer_wants = wants_bytes;
}

static enum stream_result write_locked(struct stream *stream, const void *data, size_t size_bytes,
                                       size_t *ret_written)
{
    if (stream->closed || stream->ended || stream->aborted) {
        return STREAM_CLOSED;
    }
    size_t room = stream->limit_bytes - stream->size;
    size_t taken = size_bytes < room ? size_bytes : room;
    if (taken == 0 && size_bytes > 0) {
        /* Not for every byte of room: the writer would take a turn for each of them. */
        size_t half = stream->limit_bytes / 2;
        writer_begins_waiting(stream, size_bytes < half ? size_bytes : half);
        return STREAM_WAIT;
    }
    if (taken > 0) {
        if (!ring_reserve(stream, taken)) {
            if (stream->size == 0) {
                return STREAM_CLOSED;
            }
            writer_begins_waiting(stream, 0);
            return STREAM_WAIT;
        }
        ring_put(stream, data, taken);
    }
    stream->written_bytes += taken;
    *ret_written = taken;
    return STREAM_OK;
}

enum stream_result stream_write(struct stream *stream, const void *data, size_t size_bytes,
                                size_t *ret_written)
{
    struct stream_waker waker = nobody;
    lock_take(&stream->lock);
    enum stream_result result = write_locked(stream, data, size_bytes, ret_written);
    if (result == STREAM_OK && *ret_written > 0 && stream->reader_waits) {
        stream->reader_waits = false;
        waker = stream_waker_take(stream->reader);
    }
    lock_release(&stream->lock);
    stream_waker_call(waker);
    return result;
}

/* Nothing is there to be read. */
static void reader_begins_waiting(struct stream *stream)
{
    stream->reader_waits = true;
    if (stream->capacity > STREAM_KEEP_BYTES) {
        ring_drop(stream);
    }
}

size_t stream_room(struct stream *stream, size_t wants_bytes)
{
    lock_take(&stream->lock);
    bool closed = stream->closed || stream->ended || stream->aborted;
    size_t room = closed ? SIZE_MAX : stream->limit_bytes - stream->size;
    if (room < wants_bytes) {
        writer_begins_waiting(stream, wants_bytes);
    }
    lock_release(&stream->lock);
    return room;
}

bool stream_await_reader(struct stream *stream)
{
    lock_take(&stream->lock);
    bool waits = stream->size > 0;
    if (waits) {
        writer_begins_waiting(stream, 0);
    }
    lock_release(&stream->lock);
    return waits;
}

static enum stream_result read_locked(struct stream *stream, void *data, size_t size_bytes,
                                      size_t *ret_read)
{
    if (stream->aborted) {
        return STREAM_ABORTED;
    }
    size_t taken = size_bytes < stream->size ? size_bytes : stream->size;
    if (taken == 0 && (size_bytes > 0 || stream->size == 0)) {
        if (stream->ended || stream->closed) {
            return STREAM_ENDED;
        }
        reader_begins_waiting(stream);
        return STREAM_WAIT;
    }
    if (taken > 0) {
        ring_take(stream, data, taken);
    }
    stream->read_bytes += taken;
    *ret_read = taken;
    return STREAM_OK;
}

enum stream_result stream_read(struct stream *stream, void *data, size_t size_bytes,
                               size_t *ret_read)
{
    struct stream_waker waker = nobody;
    lock_take(&stream->lock);
    enum stream_result result = read_locked(stream, data, size_bytes, ret_read);
    if (stream->writer_waits && stream->limit_bytes - stream->size >= stream->writer_wants) {
        stream->writer_waits = false;
        waker = stream_waker_take(stream->writer);
    }
    lock_release(&stream->lock);
    stream_waker_call(waker);
    return result;
}

void stream_end(struct stream *stream)
{
    struct stream_waker waker = nobody;
    lock_take(&stream->lock);
    if (!stream->aborted) {
        stream->ended = true;
        if (stream->reader_waits) {
            stream->reader_waits = false;
            waker = stream_waker_take(stream->reader);
        }
    }
    lock_release(&stream->lock);
    stream_waker_call(waker);
}

void stream_abort(struct stream *stream, int reason)
{
    INVARIANT(reason != 0);
    struct stream_waker waker = nobody;
    lock_take(&stream->lock);
    if (!stream->ended && !stream->aborted) {
        stream->aborted = true;
        stream->reason = reason;
        stream->reader_waits = false;
        ring_drop(stream);
        waker = stream_waker_take(stream->reader);
    }
    lock_release(&stream->lock);
    stream_waker_call(waker);
}

int stream_reason(struct stream *stream)
{
    lock_take(&stream->lock);
    int reason = stream->reason;
    lock_release(&stream->lock);
    return reason;
}

void stream_close(struct stream *stream)
{
    struct stream_waker waker = nobody;
    lock_take(&stream->lock);
    if (!stream->closed) {
        stream->closed = true;
        stream->writer_waits = false;
        ring_drop(stream);
        waker = stream_waker_take(stream->writer);
    }
    lock_release(&stream->lock);
    stream_waker_call(waker);
}

bool stream_is_readable(struct stream *stream)
{
    lock_take(&stream->lock);
    bool readable = stream->size > 0 || stream->ended || stream->aborted || stream->closed;
    if (!readable) {
        reader_begins_waiting(stream);
    }
    lock_release(&stream->lock);
    return readable;
}

bool stream_is_writable(struct stream *stream)
{
    lock_take(&stream->lock);
    bool writable = stream->size < stream->limit_bytes || stream->ended || stream->aborted ||
                    stream->closed;
    if (!writable) {
        writer_begins_waiting(stream, 1);
    }
    lock_release(&stream->lock);
    return writable;
}

size_t stream_pending(struct stream *stream)
{
    lock_take(&stream->lock);
    size_t pending = stream->size;
    lock_release(&stream->lock);
    return pending;
}
