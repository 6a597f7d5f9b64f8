/**
 * @file
 * One request and its answer: what a connection and whoever answers (a process, or native code)
 * have in common. The two may be on different threads.
 *
 * Life:    made by a connection for a complete request head -> dispatched -> answered -> finished
 *          by both sides -> freed with the last reference (the connection keeps one to use it again).
 * Threads: the answering side's functions are for one thread at a time, any thread; the connection's side
 *          is for the connection's loop. Both meet under one lock (LOCK_EXCHANGE) and in two streams.
 *          Cross-thread news to the connection is one posted task, at most one at a time.
 * Answering side, in this order: exchange_attach(); body reads at any time; either exchange_respond() or
 * exchange_begin() and writes; at the end, whatever happened, exactly one exchange_finish().
 */
#pragma once

#include "core/stream.h"
#include "core/worker.h"
#include "serve/request.h"

struct exchange;
struct session;

enum {
    EXCHANGE_HEAD_MAX = 64 * 1024,      /**< Bytes of an answer's header lines. */
    EXCHANGE_RETRY_S = 1,               /**< Retry-After of a 503. */
    EXCHANGE_SHARE_BYTES = 1024 * 1024, /**< exchange_share() of what is not compressed. */
};

enum exchange_result {
    EXCHANGE_OK,
    EXCHANGE_WAIT,      /**< The attached waker will be called. */
    EXCHANGE_ENDED,     /**< Body read to its end. */
    EXCHANGE_CLOSED,    /**< The client is gone. */
    EXCHANGE_TOO_LARGE, /**< The body passed its limit (413 if not answered yet). */
    EXCHANGE_MALFORMED, /**< The body's framing is broken, or it came too slowly. */
    EXCHANGE_INVALID,   /**< Status or header that may not be sent. */
    EXCHANGE_FULL,      /**< The node holds as much for its clients as it may. */
    EXCHANGE_MISPLACED, /**< Head already sent; or write before a head, or after the end. */
    EXCHANGE_NO_MEMORY,
};

/** How the answering side ended. */
struct exchange_outcome {
    /** 0: it ended well: an open stream is ended, no answer at all is a 502. Otherwise it failed: this is
     *  the status if nothing was sent yet; a started answer is cut so that the client can tell. */
    unsigned status;
    const char *text; /**< Body of the error page: one line, or NULL for the status' own words. */
    unsigned retry_after_s; /**< For 503; 0: no header. */
    const char *exit_class; /**< For the access log: constant text such as "crashed: cpu". */
    uint64_t pid;           /**< For the access log; 0: none. */
};

/** The checked request; constant. */
const struct request *exchange_request(const struct exchange *exchange);

void exchange_retain(struct exchange *exchange);
void exchange_release(struct exchange *exchange);

/** Who is woken when a read, a write or nothing in particular can go on, and when the client leaves
 *  before the answer is complete (`gone`, any thread, at most once, may be NULL). Wakes come from
 *  the connection's thread with no lock held; they may be spurious. */
struct exchange_waker {
    void (*wake)(void *argument);
    void (*gone)(void *argument);
    void *argument;
};
void exchange_attach(struct exchange *exchange, struct exchange_waker waker);

/** Forget the waker: no wake or gone call is under way or follows. exchange_finish() does it too. */
void exchange_detach(struct exchange *exchange);

/** Whether the client is known to be gone. */
bool exchange_gone(struct exchange *exchange);

/** Read some of the body. The first call lets "100 Continue" be sent when the client waits for it. */
enum exchange_result exchange_read(struct exchange *exchange, void *data, size_t size_bytes,
                                   size_t *ret_read) MUST_USE;

/** Whether exchange_read() would do anything but wait; if not, the waker is called as after that. */
bool exchange_is_readable(struct exchange *exchange);

/** Whether so much, or as much as is ever taken at once, can be written: EXCHANGE_OK, also where nobody reads any more; EXCHANGE_WAIT:
 *  not yet, the waker will be called; EXCHANGE_MISPLACED: no answer is being written. */
enum exchange_result exchange_is_writable(struct exchange *exchange, size_t size_bytes) MUST_USE;

/** The whole answer at once: sent with Content-Length, in one write with its head where possible.
 *  Headers of the connection (Connection, Transfer-Encoding, Keep-Alive, Upgrade, Trailer) and a
 *  Content-Length are EXCHANGE_INVALID; so are control bytes (RFC 9110, 5.5) and statuses outside
 *  200..599, and header lines of more than EXCHANGE_HEAD_MAX bytes. Bodies of HEAD, 204 and 304 are not
 *  sent. Everything is copied. Where the listener compresses, headers and body may change
 *  on the way. EXCHANGE_FULL: nothing happened; a request that ends without an
 *  answer for that reason gets a 503. */
enum exchange_result exchange_respond(struct exchange *exchange, unsigned status,
                                      const struct header *headers, size_t header_count,
                                      const void *body, size_t body_bytes) MUST_USE;

/** The same for a large body, in pieces: what follows is exchange_write() of exactly `length` bytes.
 *  Unlike a stream it is finished for a client that has shut its sending side. */
enum exchange_result exchange_begin_whole(struct exchange *exchange, unsigned status,
                                          const struct header *headers, size_t header_count,
                                          uint64_t length) MUST_USE;

/** Begin a streamed answer; the head goes out with the first round's flush. `length` is the size of
 *  the body if known, otherwise UINT64_MAX (chunked, or until close for HTTP/1.0). */
enum exchange_result exchange_begin(struct exchange *exchange, unsigned status,
                                    const struct header *headers, size_t header_count,
                                    uint64_t length) MUST_USE;

/** Begin a stream of events (serve/sse.h): 200, any length. While nothing of it was sent for `heartbeat_ns` (0: never), the
 *  connection's side sends an empty comment by itself, but never within a piece: see exchange_set_within(). */
enum exchange_result exchange_begin_events(struct exchange *exchange, const struct header *headers,
                                           size_t header_count, uint64_t heartbeat_ns) MUST_USE;

/** Say before the first write of an event that it begins, and after the last one that it is over. */
void exchange_set_within(struct exchange *exchange, bool within);

/** The whole answer from a file: `length` bytes from `offset`. On EXCHANGE_OK `file` belongs to the
 *  exchange; it must not shrink, or the answer is cut. Nothing of it is held in memory. */
enum exchange_result exchange_respond_file(struct exchange *exchange, unsigned status,
                                           const struct header *headers, size_t header_count,
                                           int file, uint64_t offset, uint64_t length) MUST_USE;

/** Accept what the request asked to change to (RFC 9110, 7.8; RFC 8441): 101 with Connection: Upgrade, or
 *  200 on HTTP/2; `session` speaks after that. On EXCHANGE_OK it belongs to the exchange. Only on the
 *  connection's thread, within the dispatch. */
enum exchange_result exchange_upgrade(struct exchange *exchange, const struct header *headers,
                                      size_t header_count, struct session *session) MUST_USE;

/** Write some of the body; `*ret_written` for EXCHANGE_OK. Past the announced length: MISPLACED. */
enum exchange_result exchange_write(struct exchange *exchange, const void *data, size_t size_bytes,
                                    size_t *ret_written) MUST_USE;

/** What came behind the request's body, once exchange_read() has said EXCHANGE_ENDED: "name: value" lines, each ended by a newline.
 *  They were not looked at. */
struct text exchange_trailers(const struct exchange *exchange);

/** All of a streamed answer has been written: its client need not wait for exchange_finish(). `trailers` go behind it where the client
 *  can take them (RFC 9110, 6.5). What fails is told with exchange_finish(); an answer that is complete is not cut any more. */
void exchange_complete(struct exchange *exchange, const struct header *trailers,
                       size_t trailer_count);

/** The most that exchange_respond() should be given for such an answer: a larger one is to be compressed, and goes out
 *  in pieces by exchange_begin_whole(), each within a turn. */
size_t exchange_whole_max(const struct exchange *exchange, unsigned status,
                          const struct header *headers, size_t header_count);

/** How much may be written in one turn; whoever has more yields in between. */
size_t exchange_share(const struct exchange *exchange);

/** Whether a head was given (a failure from now on is a cut, not a status). */
bool exchange_has_begun(struct exchange *exchange);

/** The answering side is done and will not touch the exchange again (drops its reference). */
void exchange_finish(struct exchange *exchange, const struct exchange_outcome *outcome);
