/**
 * @file
 * The layout of an HTTP/2 session and its streams. For http2*.c only.
 */
#pragma once

#include "serve/http2.h"
#include "serve/http2_guard.h"
#include "serve/http2_request.h"

#include <nghttp2/nghttp2.h>

struct http2 {
    struct session session;
    struct lane *lane;
    const struct site *site;
    nghttp2_session *nghttp2;
    nghttp2_mem mem;
    size_t mem_bytes;      /* what nghttp2 has allocated */
    struct list streams;   /* all */
    struct list news;      /* streams to look at */
    unsigned stream_count; /* also those that nghttp2 has closed and whose process goes on */
    struct bytes *out;     /* while producing */
    size_t out_limit_bytes;
    struct http2_guard guard;
    uint64_t due_ns;                   /* not later than anything below; 0: nothing is due */
    uint64_t idle_due_ns;              /* 0: a stream is open */
    uint64_t head_due_ns;              /* 0: no head is under way */
    uint64_t drain_due_ns;             /* 0: not draining, or said */
    int32_t newest_id;                 /* of the streams begun by the client */
    int32_t passed_first, passed_last; /* those that it left out last */
    size_t owed_bytes; /* of the connection's credit, kept while the node holds too much */
    long long held;    /* its part of lane->holding */
    bool broken;       /* out of memory, or told so by nghttp2: there is nothing to be said */
    bool ending;       /* nothing more is taken from the client */
    bool finished;     /* the client sends no more */
    bool draining;
    const struct caller *caller; /* constant */
};

/** Where the bytes of an answer come from. */
enum http2_source {
    HTTP2_FROM_STAGED, /**< An error page. */
    HTTP2_FROM_WHOLE,
    HTTP2_FROM_STREAM,
    HTTP2_FROM_FILE,
    HTTP2_FROM_TUNNEL,
};

struct http2_stream {
    struct exchange_carrier carrier;
    struct session_carrier tunnel_carrier;
    struct list link, news;
    struct http2 *http2;
    int32_t id;
    struct exchange *exchange; /* NULL: never opened, or over */
    struct session *tunnel;
    struct http2_request head;
    enum http2_source source;
    struct bytes staged;   /* to be sent before anything else of the source */
    struct bytes in;       /* for a tunnel that does not want it yet */
    size_t unread_bytes;   /* given to the exchange, and the client has no credit for it yet */
    uint64_t body_bytes;   /* of the request's body, so far */
    uint64_t sent_bytes;   /* of the answer's body */
    uint32_t extra_bytes;  /* of trailers */
    uint64_t rate_due_ns;  /* 0: no body is waited for */
    uint64_t rate_bytes;   /* of the body, in the present window */
    uint64_t write_due_ns; /* 0: nothing waits for the client */
    uint64_t write_bytes;  /* `sent_bytes` when that window began */
    long long held;
    unsigned body_failed; /* status that tells why the body could not be read; 0 */
    bool open;            /* for nghttp2 */
    bool dispatched, complete, continued;
    bool body_wanted;
    bool head_out, answered, deferred;
    bool forgiven; /* if it is reset, that is not the client's fault */
};

/* ---- http2.c ---- */

/** Have due() run at that time, if nothing is due before. 0: never. */
void http2_due_at(struct http2 *http2, uint64_t ns);

/** So many milliseconds from now; 0 stays 0. */
uint64_t http2_after_ms(const struct http2 *http2, uint64_t ms);

/** The client went too far: last words, and nothing more is taken from it. */
void http2_terminate(struct http2 *http2, uint32_t code, const char *reason);

/** nghttp2 could not do something for lack of memory. */
void http2_break(struct http2 *http2);

/** A stream ended in an error that the client has to answer for. */
void http2_count_error(struct http2 *http2);

/** Give the connection's credit back. */
void http2_give_credit(struct http2 *http2, size_t size_bytes);

/** Count what a stream holds besides its exchange. */
void http2_stream_account(struct http2_stream *stream);

/* ---- http2_events.c ---- */

/** Open the nghttp2 session. False: out of memory. */
bool http2_open_nghttp2(struct http2 *http2) MUST_USE;

/* ---- http2_stream.c ---- */

/** A new one for a head that begins; NULL: out of memory. */
struct http2_stream *http2_stream_create(struct http2 *http2, int32_t id) MUST_USE;

/** Have it looked at before the next output. */
void http2_stream_mark(struct http2_stream *stream);

/** Its head is complete: answer it, or have it answered. */
void http2_stream_begin(struct http2_stream *stream, bool ended);

void http2_stream_take_body(struct http2_stream *stream, struct text piece);
void http2_stream_end_body(struct http2_stream *stream);
void http2_stream_fail_body(struct http2_stream *stream, unsigned status,
                            enum exchange_result result);

/** Give the client credit for what was read. */
void http2_stream_give_credit(struct http2_stream *stream);

/** Look at its exchange, and go on. */
void http2_stream_advance(struct http2_stream *stream);

/** Reset it; what answers is told that the client is gone. */
void http2_stream_reset(struct http2_stream *stream, uint32_t code, bool forgiven);

/** nghttp2 has closed it. It may be freed. */
void http2_stream_closed(struct http2_stream *stream);

/** The session ends: end and free it. */
void http2_stream_destroy(struct http2_stream *stream);

/** Whether its deadlines are over, and what of it. */
void http2_stream_due(struct http2_stream *stream, uint64_t now_ns);

/** Whether an end of its client's connection is an end of it. */
bool http2_stream_needs_client(struct http2_stream *stream);

/** Free it, if nothing needs it any more. */
void http2_stream_settle(struct http2_stream *stream);

/* ---- http2_answer.c ---- */

/** Begin the answer if there is one. */
void http2_answer_begin(struct http2_stream *stream, const struct exchange_view *view);

/** Answer what made no request, or what failed, with an error page. `id`: for X-Request-Id. */
void http2_answer_page(struct http2_stream *stream, unsigned status, struct text text,
                       unsigned retry_after_s, const char *id, bool head_only);

/** "100 Continue". */
void http2_answer_continue(struct http2_stream *stream);

/** For nghttp2: the next piece of a body goes to the end of `out`, behind room for a frame's head. */
ssize_t http2_answer_read(nghttp2_session *nghttp2, int32_t stream_id, uint8_t *buffer,
                          size_t length, uint32_t *data_flags, nghttp2_data_source *source,
                          void *user_data);
int http2_answer_send(nghttp2_session *nghttp2, nghttp2_frame *frame, const uint8_t *frame_head,
                      size_t length, nghttp2_data_source *source, void *user_data);

/* ---- http2_tunnel.c ---- */

void http2_tunnel_begin(struct http2_stream *stream);
void http2_tunnel_receive(struct http2_stream *stream, struct text piece);
void http2_tunnel_advance(struct http2_stream *stream);

/** Up to `length` bytes of it to `ret`; as http2_answer_read(). */
ssize_t http2_tunnel_read(struct http2_stream *stream, uint8_t *ret, size_t length, bool *ret_end);
