/**
 * @file
 * Where a WebSocket's session, on its connection's loop, and its process, wherever that runs, meet: mail with credit one
 * way, a stream of records the other, and how each side ends.
 *
 * Life:    made by the dispatch; held by the session, by the process, and by every frame that was not received yet.
 * Threads: the functions say whose they are; how it ends is told under one lock (LOCK_EXCHANGE), what each message costs is
 *          counted by atomics. News for the session is one posted task, at most one at a time.
 */
#pragma once

#include "core/process.h"
#include "serve/exchange_internal.h"
#include "serve/websocket.h"

struct websocket_session;

struct websocket_channel {
    struct lock lock;
    atomic_uint references;                  /* any thread */
    const struct handler *handler;           /* constant */
    const struct websocket_options *options; /* constant */
    struct text subprotocol;                 /* constant */
    struct exchange *exchange;               /* held: the request; what is held is counted there */
    struct process *process;                 /* held; constant once spawned; NULL before */
    struct process
        *writer; /* held; constant once spawned: it sends in the process's place; or NULL */
    struct stream
        out; /* the process (or the writer) writes, the session reads: websocket_writer.h */
    struct task news;                  /* posted while news_queued */
    struct websocket_session *session; /* session's thread only; NULL: it is gone */
    atomic_bool left; /* any thread: the client is gone, or was told that it is over */

    atomic_bool news_queued;    /* any thread */
    atomic_bool starved;        /* any thread: the session waits for credit */
    atomic_uint unread;         /* frames: the session adds, any thread takes off */
    atomic_size_t unread_bytes; /* likewise */
    bool told;                  /* guarded by lock: the process was, that it is closed */
    bool ending;                /* guarded by lock: the process has said how it ends: */
    unsigned code;              /* guarded by lock */
    size_t reason_bytes;        /* guarded by lock */
    char reason[WEBSOCKET_REASON_BYTES_MAX]; /* guarded by lock */

    bool grace_began;   /* process only */
    struct timer grace; /* process starts; fires a kill */
};

/** With one reference, and one to the exchange. `subprotocol` is borrowed. NULL: out of memory. */
struct websocket_channel *websocket_channel_create(struct exchange *exchange,
                                                   const struct handler *handler,
                                                   const struct websocket_options *options,
                                                   struct text subprotocol) MUST_USE;
void websocket_channel_retain(struct websocket_channel *channel);
void websocket_channel_release(struct websocket_channel *channel);

/* ---- Session's thread ---- */

/** Whether the client may send more; if not, news comes when it may. */
bool websocket_channel_has_credit(struct websocket_channel *channel);

/** Give the process a message. False: out of memory. */
bool websocket_channel_deliver(struct websocket_channel *channel, bool text, struct text data)
    MUST_USE;

/** It is over for the process: it is told the code and the reason, once, and can send nothing more. */
void websocket_channel_leave(struct websocket_channel *channel, unsigned code, struct text reason);

/** How the process wants it to end, once its stream has ended. Returns the code. */
unsigned websocket_channel_end(struct websocket_channel *channel,
                               char ret_reason[WEBSOCKET_REASON_BYTES_MAX],
                               size_t *ret_reason_bytes);

/* ---- The process's ---- */

enum websocket_sent {
    WEBSOCKET_SENT,    /**< `*ret_taken` bytes more were taken. */
    WEBSOCKET_BLOCKED, /**< None were; the process will be woken. */
    WEBSOCKET_GONE,    /**< Nobody reads any more. */
};

/** Pass on some bytes of a record. */
enum websocket_sent websocket_channel_send(struct websocket_channel *channel, const void *data,
                                           size_t size_bytes, size_t *ret_taken);

/** Say how it ends: behind what was sent (`aborts` false), or at once. False: it was said before, or nobody hears it. */
bool websocket_channel_close(struct websocket_channel *channel, unsigned code, struct text reason,
                             bool aborts);
