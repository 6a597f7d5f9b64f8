#include "core/stream.h"

#include <string.h>

/* An emptied buffer larger than this is given back: a stream may be idle for hours. */
enum { STREAM_KEEP_BYTES = 16 * 1024 };

static const struct stream_waker nobody;

static void waker_call(struct stream_waker waker)
{
    if (waker.wake != NULL) {
        waker.wake(waker.argument);
    }
}

void stream_init(struct stream *stream, size_t limit_bytes)
{
    INVARIANT(limit_bytes > 0);
    *stream = (struct stream){.limit_bytes = limit_bytes};
    lock_init(&stream->lock, LOCK_STREAM);
}

void stream_fini(struct stream *stream)
{
    bytes_fini(&stream->buffer);
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

static enum stream_result write_locked(struct stream *stream, const void *data, size_t size_bytes,
                                       size_t *ret_written)
{
    if (stream->closed || stream->ended || stream->aborted) {
        return STREAM_CLOSED;
    }
    size_t room = stream->limit_bytes - stream->buffer.size;
    size_t taken = size_bytes < room ? size_bytes : room;
    if (taken == 0 && size_bytes > 0) {
        stream->writer_waits = true;
        return STREAM_WAIT;
    }
    if (!bytes_append(&stream->buffer, data, taken)) {
        if (stream->buffer.size == 0) {
            return STREAM_CLOSED;
        }
        stream->writer_waits = true;
        return STREAM_WAIT;
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
        waker = stream->reader;
    }
    lock_release(&stream->lock);
    waker_call(waker);
    return result;
}

bool stream_await_reader(struct stream *stream)
{
    lock_take(&stream->lock);
    bool waits = stream->buffer.size > 0;
    stream->writer_waits = stream->writer_waits || waits;
    lock_release(&stream->lock);
    return waits;
}

static enum stream_result read_locked(struct stream *stream, void *data, size_t size_bytes,
                                      size_t *ret_read)
{
    if (stream->aborted) {
        return STREAM_ABORTED;
    }
    size_t taken = size_bytes < stream->buffer.size ? size_bytes : stream->buffer.size;
    if (taken == 0 && (size_bytes > 0 || stream->buffer.size == 0)) {
        if (stream->ended || stream->closed) {
            return STREAM_ENDED;
        }
        stream->reader_waits = true;
        return STREAM_WAIT;
    }
    if (taken > 0) {
        memcpy(data, stream->buffer.data, taken);
        bytes_consume(&stream->buffer, taken);
    }
    if (stream->buffer.size == 0 && stream->buffer.capacity > STREAM_KEEP_BYTES) {
        bytes_fini(&stream->buffer);
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
    /* Not at every byte of room: the writer would take a turn for each of them. */
    if (stream->writer_waits && stream->buffer.size <= stream->limit_bytes / 2) {
        stream->writer_waits = false;
        waker = stream->writer;
    }
    lock_release(&stream->lock);
    waker_call(waker);
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
            waker = stream->reader;
        }
    }
    lock_release(&stream->lock);
    waker_call(waker);
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
        bytes_fini(&stream->buffer);
        waker = stream->reader;
    }
    lock_release(&stream->lock);
    waker_call(waker);
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
        bytes_fini(&stream->buffer);
        waker = stream->writer;
    }
    lock_release(&stream->lock);
    waker_call(waker);
}

size_t stream_pending(struct stream *stream)
{
    lock_take(&stream->lock);
    size_t pending = stream->buffer.size;
    lock_release(&stream->lock);
    return pending;
}
