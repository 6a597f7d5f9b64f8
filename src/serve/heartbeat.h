/**
 * @file
 * The sign of life of a silent stream of events: an empty comment line, which clients skip. It keeps middle boxes from
 * closing the connection, and finds out that a client is gone. (WHATWG HTML, "Server-sent events", authoring notes.)
 *
 * The connection's side asks for it where it reads the stream, so it costs the process no turn, and is the same for every
 * protocol. It is never put into a piece that the process has written in part: `within` is set before the first byte of a
 * piece and cleared after the last one; if it was clear, and the stream is found empty after that, then whatever was read
 * so far ended with a whole piece. In a compressed stream, whose pieces all end at a whole byte, it is a block without
 * content (RFC 1951, 3.2.4; RFC 7932, 9.2).
 *
 * Life:    embedded in an exchange's flow, zeroed; armed with the stream, stopped when the connection has left.
 * Threads: the home's thread, but for `within`, which is the answering side's: exchange_set_within().
 */
#pragma once

#include "core/task.h"
#include "core/timer.h"
#include "serve/encoding.h"

struct exchange_flow;

struct heartbeat {
    struct timer timer;
    struct task task;       /* deferred by the timer */
    uint64_t period_ns;     /* constant once the stream is announced; 0: none */
    enum encoding encoding; /* likewise: of the stream, which the sign must not break */
    uint64_t last_ns;       /* home's thread: when something was last sent */
    bool due;               /* home's thread: wanted at the next read that finds nothing */
    bool armed;             /* home's thread: the timer runs, or its task is on its way */
    atomic_bool within;     /* answering side writes */
};

/** Once. */
void heartbeat_init(struct heartbeat *heartbeat);

/** Whether the stream ended with a whole piece. Before a read of the stream. */
bool heartbeat_is_between(const struct heartbeat *heartbeat);

/** Something was sent. */
void heartbeat_sent(struct exchange_flow *flow);

/** The stream is empty, and `between` was so before. How many bytes were put into `data`, perhaps none; if none, the
 *  carrier gets news when it is time. */
size_t heartbeat_take(struct exchange_flow *flow, bool between, void *data, size_t size_bytes);

/** No more news. The connection has left. */
void heartbeat_stop(struct heartbeat *heartbeat);
