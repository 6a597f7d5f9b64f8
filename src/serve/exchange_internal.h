/**
 * @file
 * The layout of an exchange and its connection's side. For connections, their access log and tests.
 *
 * The two sides meet in three places: the flags under `lock`; the stream `intake->body` (connection writes);
 * the stream `flow->out` (answering side writes). Everything the answering side prepares beforehand (head
 * lines, a whole body) becomes the connection's with the flag that announces it.
 */
#pragma once

#include "serve/compressor.h"
#include "serve/exchange.h"
#include "serve/heartbeat.h"
#include "serve/holding.h"
#include "serve/session.h"
#include "serve/shaping.h"

enum exchange_answer {
    ANSWER_NONE,
    ANSWER_WHOLE,   /**< exchange_respond() */
    ANSWER_STREAM,  /**< exchange_begin() */
    ANSWER_FILE,    /**< exchange_respond_file() */
    ANSWER_UPGRADE, /**< exchange_upgrade() */
};

/** The connection's side of an exchange: a connection, or a stream of one. */
struct exchange_carrier {
    /** There is something to look at. On the home's thread, no lock held; not after
     *  exchange_leave(), and not between exchange_dispatching() and exchange_look(). */
    void (*news)(struct exchange_carrier *carrier);
};

/** Where an exchange belongs. Constant; outlives its exchanges. */
struct exchange_home {
    struct worker *worker; /**< Its thread is the connection's. */
    /** Both sides are done: write the access log. Any thread, no lock held; NULL: nobody cares. */
    void (*ended)(const struct exchange *exchange);
    struct holding *holding; /**< Where the bytes that exchanges hold are counted. */
};

/** Of an exchange whose request has a body. */
struct exchange_intake {
    struct stream body;    /* connection writes */
    struct bytes trailers; /* connection's, until the end of `body` */
};

/** Of an exchange whose answer is a stream: most are not, and those that wait should not be large. */
struct exchange_flow {
    struct exchange *exchange;
    struct stream out; /* answering side writes */
    struct heartbeat heartbeat;
    struct bytes trailers; /* answering side's until `completed`: header lines */
};

struct exchange {
    struct request request; /* constant once dispatched */
    struct lock lock;
    atomic_uint references;           /* any thread */
    const struct exchange_home *home; /* constant while in use */
    struct exchange_carrier *carrier; /* home's thread only; NULL once it has left */
    size_t stream_bytes;              /* constant once opened */
    const struct shaping *shaping;    /* constant once dispatched; its site's; NULL: nothing is */
    struct task news;                 /* posted while news_queued */
    atomic_llong held;                /* any thread: its part of *home->holding */

    bool news_queued, dispatching; /* guarded by lock */
    bool left, gone, finished;     /* guarded by lock */
    bool dismissed;                /* guarded by lock: it was told that it is gone, but it is not */
    bool body_wanted;              /* guarded by lock: the reader waited since it was last full */
    bool waking;                   /* guarded by lock: the waker is being called */
    bool whole;                    /* guarded by lock: the stream is a whole answer, see view */
    bool completed;                /* guarded by lock: all of the stream was written */
    enum exchange_answer answer;   /* guarded by lock */
    struct exchange_waker waker;   /* guarded by lock */
    struct exchange_outcome outcome; /* guarded by lock; constant once finished */

    /* Answering side's until `answer` says so; constant then. Without an answer, `content` is the text
     * of the outcome once it is finished. */
    unsigned status;
    bool has_date, has_server;
    bool refused;      /* answering side only: an answer was not taken, for lack of room */
    bool events;       /* as `status`: a stream of events, whose bytes must not wait for others */
    size_t line_bytes; /* of `content`: header lines; the rest is the body */
    struct bytes content;
    uint64_t length;            /* of the body; UINT64_MAX: unknown */
    uint64_t written;           /* answering side only */
    struct exchange_flow *flow; /* of a STREAM, from then on; else NULL */

    /* A body that is compressed; answering side only. Its `length` is then unknown to the connection. */
    struct compressor *compressor;
    size_t compressor_bytes; /* counted for it */
    uint64_t promised;       /* of what is written, before it is compressed; UINT64_MAX: unknown */
    bool coding_failed;      /* it cannot go on: what the client has is no whole */

    /* FILE, UPGRADE: whoever carries the answer takes them over, and leaves -1 and NULL here. */
    int file;
    uint64_t file_offset;
    struct session *session;
    const char *offers; /* with a 426: what may be asked for; NULL: nothing. Constant text */

    struct exchange_intake *intake; /* constant once opened; NULL: no body, or no memory for it */

    /* Home's thread only until `left`; for the log. */
    unsigned sent_status;        /* 0: no head was sent */
    bool cut;                    /* the client did not get the whole answer */
    bool logged;                 /* wants a line in the access log */
    uint64_t sent_bytes;         /* of the body, given to the connection */
    uint64_t began_ns, ended_ns; /* monotonic */
};

/** A new one with one reference, or NULL: out of memory. */
struct exchange *exchange_create(const struct exchange_home *home) MUST_USE;

/** Whether nobody else holds it; it may then be used again. Connection's thread, which holds one. */
bool exchange_is_free(const struct exchange *exchange);

/** Make a free one as good as new, keeping small storage. */
void exchange_recycle(struct exchange *exchange);

/** The head is complete: count its memory, open the body's stream if there is one. Without memory for it the body is dropped, and
 *  exchange_read() says so. */
void exchange_open(struct exchange *exchange, struct exchange_carrier *carrier,
                   size_t stream_bytes);

/** No news until the next exchange_look(), which tells everything that happened meanwhile. */
void exchange_dispatching(struct exchange *exchange);

/** A look at the flags, under the lock. */
struct exchange_view {
    enum exchange_answer answer;
    bool finished;
    bool body_wanted;
    bool whole;     /**< A stream that goes on for a client that has shut its sending side. */
    bool completed; /**< All of a stream was written, whatever becomes of its writer. */
};
struct exchange_view exchange_look(struct exchange *exchange);

/** Room in the body's stream. When there is none, news will come once the reader has emptied it. */
size_t exchange_body_room(struct exchange *exchange);

/** How much of the body was handed over and not read. If there is any, news will come once the reader has
 *  read all of it and waits for more. */
size_t exchange_body_unread(struct exchange *exchange);

/** Hand over a piece of the body, of at most that size. */
void exchange_body_add(struct exchange *exchange, struct text piece);

/** Where its trailers go; NULL: nowhere. */
struct bytes *exchange_body_lines(struct exchange *exchange);

/** Some of the trailers' "name: value" lines, each ended by a newline, in front of exchange_body_end(). False: out of memory. */
bool exchange_body_trailers(struct exchange *exchange, struct text piece) MUST_USE;

/** The body is complete. */
void exchange_body_end(struct exchange *exchange);

/** The body failed: exchange_read() answers `result` from now on. */
void exchange_body_fail(struct exchange *exchange, enum exchange_result result);

/** Behind a streamed answer that is completed: header lines, perhaps none. */
struct text exchange_out_trailers(const struct exchange *exchange);

/** The server ends: whoever writes a stream of events hears that nobody listens any more, though the client is still there.
 *  It gets what was written and then, when the process is out, an end of the stream, unless that stands within an event.
 *  False: nothing happened, because it is another answer, whose end would say that it is whole. Connection's thread. */
bool exchange_dismiss(struct exchange *exchange);

/** Read some of a streamed answer; waiting means that news will come. A stream of events that is silent gives a heartbeat
 *  instead, which nobody wrote. */
enum stream_result exchange_out_read(struct exchange *exchange, void *data, size_t size_bytes,
                                     size_t *ret_read) MUST_USE;

/** The connection is done with it: the answer was sent, or (`gone`) the client left before that, which
 *  the answering side is told. Drops no reference. */
void exchange_leave(struct exchange *exchange, bool gone);

/* ---- Between the parts: exchange.c life and connection's side, exchange_answer.c the other one ---- */

/** Count bytes that it holds, or (less than 0) no longer does. Any thread. */
void exchange_hold(struct exchange *exchange, long long bytes);

/** Let the connection look, unless it will anyway. Any thread, no lock held. */
void exchange_tell(struct exchange *exchange);

/** Its two halves, for who holds the lock anyway: claim with it; if that is true, deliver without it. */
bool exchange_claim_news(struct exchange *exchange) MUST_USE;
void exchange_deliver_news(struct exchange *exchange);

/** With the lock held, which it may let go of meanwhile: no wake is under way or follows. */
void exchange_forget_waker(struct exchange *exchange);

/** The two for struct stream_waker, whose argument is the exchange: news for the connection, a wake for the answering side. */
void exchange_tell_by_stream(void *argument);
void exchange_wake_by_stream(void *argument);

/* ---- exchange_coding.c: bodies that are compressed; the answering side's ---- */

/** How a body is to be coded, also as the memory allows. */
struct compression_choice exchange_choose(const struct exchange *exchange, unsigned status,
                                          const struct header *headers, size_t header_count,
                                          uint64_t length);

/** Compress a whole small body to `ret`; ENCODING_IDENTITY: it stays as it is, for it would not be smaller. */
enum encoding exchange_code_whole(enum encoding encoding, const void *body, size_t body_bytes,
                                  struct bytes *ret);

/** Of a stream whose `promised` is set. False: out of memory, nothing changed. */
bool exchange_begin_coding(struct exchange *exchange, enum encoding encoding) MUST_USE;

/** Once its stream is open: write what every such body begins with, for a sign of life may come before the first piece. */
void exchange_open_coding(struct exchange *exchange);

/** exchange_write() for it. */
enum exchange_result exchange_write_coded(struct exchange *exchange, const void *data,
                                          size_t size_bytes, size_t *ret_written) MUST_USE;

/** Its writer has ended: write the tail. False: the client has to be told that this is no whole. */
bool exchange_complete_coding(struct exchange *exchange) MUST_USE;

/** Give the compressor's memory back; any state. */
void exchange_end_coding(struct exchange *exchange);
