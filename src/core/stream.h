/**
 * @file
 * A bounded stream of bytes with one writer and one reader, who may be on different threads: the
 * body of a request, the body of an answer, and what two processes say to each other.
 *
 * Back-pressure: a write takes what fits below `limit_bytes` and says how much; when nothing fits
 * the writer parks and is woken once the reader has made room for what is left
 * of its write, or of half of the limit. A reader that finds nothing parks and is woken by the next write or end.
 * End and abort are told apart: after end the reader gets everything and then STREAM_ENDED; abort
 * drops what is unread. A reader that closes makes every later write STREAM_CLOSED.
 *
 * The bytes lie in a ring that grows up to the limit and is given back while a reader waits for more, so that an
 * idle stream holds little. Each call takes the lock once and copies once.
 *
 * Life:    embedded; stream_init() to stream_fini(); fini only when no side will call again.
 * Threads: any; one lock inside. Wakes are called with no lock held, and may be spurious.
 */
#pragma once

#include "base/err.h"
#include "base/lock.h"

#include <stdint.h>

enum stream_result {
    STREAM_OK,      /**< Some bytes moved. */
    STREAM_WAIT,    /**< None can now; the caller will be woken. */
    STREAM_ENDED,   /**< Reader: the writer has ended and all was read. */
    STREAM_ABORTED, /**< The other side gave up; `reason` says why. */
    STREAM_CLOSED,  /**< Writer: the reader is gone. */
};

/** One side's wake; `wake` NULL: nobody to wake yet. */
struct stream_waker {
    void (*wake)(void *argument);
    void *argument;
    /** Called with the lock held when a wake is on its way, for what may be gone once this waker was replaced: keeps
     *  `argument` until wake(), which gives that back. NULL: it outlives the stream. Takes no lock. */
    void (*retain)(void *argument);
};

/** With the lock that guards the waker held: what is to be called once it is released. */
static inline struct stream_waker stream_waker_take(struct stream_waker waker)
{
    if (waker.wake != NULL && waker.retain != NULL) {
        waker.retain(waker.argument);
    }
    return waker;
}

/** Without it. */
static inline void stream_waker_call(struct stream_waker waker)
{
    if (waker.wake != NULL) {
        waker.wake(waker.argument);
    }
}

struct stream {
    struct lock lock;
    uint8_t *ring;                      /* guarded by lock; NULL: nothing there */
    size_t capacity;                    /* guarded by lock: of the ring, or of the last one */
    size_t first, size;                 /* guarded by lock: where unread bytes begin, how many */
    size_t limit_bytes;                 /* constant after init */
    uint64_t written_bytes;             /* guarded by lock: ever accepted */
    uint64_t read_bytes;                /* guarded by lock: ever handed out */
    bool ended, aborted, closed;        /* guarded by lock */
    bool reader_waits, writer_waits;    /* guarded by lock */
    size_t writer_wants;                /* guarded by lock: how much room it waits for */
    int reason;                         /* guarded by lock; the aborter's own code */
    struct stream_waker reader, writer; /* guarded by lock */
};

void stream_init(struct stream *stream, size_t limit_bytes);
void stream_fini(struct stream *stream);

/** Say who is woken. Before the first use of that side, or by that side itself. */
void stream_set_reader(struct stream *stream, struct stream_waker reader);
void stream_set_writer(struct stream *stream, struct stream_waker writer);

/** Append up to `size_bytes`. `*ret_written` is set for STREAM_OK (at least 1; 0 only for an empty
 *  write). Out of memory: STREAM_WAIT while the reader has something to read, otherwise
 *  STREAM_CLOSED, for nobody would wake the writer. After its own end or abort: STREAM_CLOSED. */
enum stream_result stream_write(struct stream *stream, const void *data, size_t size_bytes,
                                size_t *ret_written) MUST_USE;

/** Writer: how much fits now. Less than `wants_bytes`: it will be woken once there is so much, which must be no more than
 *  the limit. SIZE_MAX where a write would say STREAM_CLOSED. */
size_t stream_room(struct stream *stream, size_t wants_bytes);

/** Writer: wait as if there was no room, unless nothing is unread. True: it will be woken once the reader has
 *  taken some, or has closed. */
bool stream_await_reader(struct stream *stream) MUST_USE;

/** Copy out up to `size_bytes`. `*ret_read` is set for STREAM_OK. */
enum stream_result stream_read(struct stream *stream, void *data, size_t size_bytes,
                               size_t *ret_read) MUST_USE;

/** Writer: no more will come. After an abort it does nothing. */
void stream_end(struct stream *stream);

/** Writer: give up; the reader is woken and learns `reason` (not 0), unread bytes are dropped.
 *  After an end, or again, it does nothing. */
void stream_abort(struct stream *stream, int reason);

/** The aborter's reason; 0: not aborted. */
int stream_reason(struct stream *stream);

/** Reader: no more is wanted; unread bytes are dropped, the writer is woken even if it does not
 *  wait for room. */
void stream_close(struct stream *stream);

/** Whether a read would do anything but wait: bytes, end or abort. If not, the reader is woken once it would. */
bool stream_is_readable(struct stream *stream);

/** Whether a write would do anything but wait: room, or nobody to read. If not, the writer is woken as by stream_write(). */
bool stream_is_writable(struct stream *stream);

/** Bytes written and not yet read. */
size_t stream_pending(struct stream *stream);
