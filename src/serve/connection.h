/**
 * @file
 * One client's connection, HTTP/1: bytes in, exchanges out to a dispatcher, answers back.
 *
 * Requests are handled one after the other; what is pipelined waits as bytes. An idle connection
 * holds no buffer: reading happens in the lane's, and only what cannot be used at once is kept.
 *
 * Life:    connection_open() -> phases -> connection_close(), or connection_lose() when the client
 *          left -> freed at the end of the loop's round.
 * Threads: its lane's loop.
 * Parts:   connection.c life, events and deadlines; connection_greet.c what precedes HTTP;
 *          connection_input.c from bytes to dispatch; connection_output.c from answers to bytes.
 */
#pragma once

#include "serve/caller.h"
#include "serve/lane.h"
#include "serve/transport.h"

enum {
    CONNECTION_OUT_MAX = 256 * 1024,   /**< Pipelined answers; above, no request is taken. */
    CONNECTION_DRAIN_MAX = 256 * 1024, /**< Of an unread body. */
    CONNECTION_LINGER_MAX = 4 * 1024 * 1024,
    CONNECTION_DRAIN_MS = 5000,
    CONNECTION_LINGER_MS = 2000,
    CONNECTION_HANDED_OVER_MS = 5000, /**< For an idle one, when a successor has taken the place. */
    CONNECTION_RATE_WINDOW_MS = 5000,
};

enum connection_phase {
    CONNECTION_GREETING, /**< Before HTTP: a PROXY header, the handshake of TLS. */
    CONNECTION_IDLE,     /**< Between requests; no exchange. */
    CONNECTION_HEAD,     /**< In a head; the exchange is being filled. */
    CONNECTION_OPEN,     /**< A request is being answered; its body may be under way. */
    CONNECTION_SESSION,  /**< Something else than HTTP/1 speaks here. */
    CONNECTION_DRAIN,    /**< It was answered; the rest of its body is read and dropped. */
    CONNECTION_CLOSING,  /**< No more requests; what is left to send goes out. */
    CONNECTION_LINGER,   /**< Everything was sent and the write side shut: reading until the client
                             closes, so that no reset eats the answer. */
    CONNECTION_CLOSED,   /**< The descriptor is gone; the memory goes with the round. */
};

struct connection {
    struct source source;
    struct transport transport;
    struct exchange_carrier carrier;        /* of its exchange */
    struct session_carrier session_carrier; /* of its session */
    struct task round;
    struct timer timer;
    struct list link; /* lane's `open` or `closed` */
    struct lane *lane;
    const struct site *site;
    struct caller caller;
    struct exchange *exchange; /* HEAD and OPEN */
    struct session *session;   /* SESSION; in OPEN what follows the answer */
    enum connection_phase phase;
    struct http1 http1;
    struct bytes in;            /* received, not parsed yet */
    struct bytes out, tail;     /* to be sent, in this order; tail: a large body */
    uint64_t read_deadline_ns;  /* 0: none */
    uint64_t write_deadline_ns; /* 0: none */
    uint64_t timer_due_ns;      /* while timer_armed */
    uint64_t discarded;         /* DRAIN, LINGER: bytes */
    uint64_t body_bytes;        /* of the request's body, so far */
    uint64_t window_bytes;      /* of the body, in the present rate window */
    uint64_t window_sent;       /* given to the socket while write_deadline_ns stands */
    int window_queued;          /* what the socket held when it was set */
    long long held;             /* its part of lane->holding */
    bool round_queued, timer_armed;
    bool announced;     /* GREETING: no PROXY header is to come (any more) */
    bool admitted;      /* counts against connections_max */
    bool readable;      /* the socket may have something */
    bool blocked;       /* the socket takes nothing */
    bool pumped;        /* a stream had its share of this round */
    bool hung_up;       /* the client has shut its write side; bytes may come before */
    bool peer_finished; /* the same, and there is nothing more to read */
    bool last;          /* no request after this one */
    bool greeted;       /* it is known not to begin with HTTP/2's preface, or has */
    unsigned preface;   /* so many bytes of that have come */
    bool linger, reset; /* how to close, once everything was sent */

    /* Of the present exchange. */
    bool dispatched;
    bool complete; /* the request has come in whole */
    bool body_wanted;
    bool continued;        /* "100 Continue" was sent */
    bool head_out;         /* the answer's head is in `out` or beyond */
    bool answered;         /* all of the answer is */
    bool chunked;          /* the answer is */
    unsigned body_failed;  /* status that tells why the body could not be read; 0 */
    struct rate_hold rate; /* its share in its address */
    char remote[64];
};

/** Take `fd` (non-blocking) over. When there are too many, it gets a 503 and no more. */
void connection_open(struct lane *lane, const struct site *site, int fd, const char *remote);

/** End it now: nothing more is sent. An exchange must have been left. */
void connection_close(struct connection *connection);

/** The client is gone, or has to go: tell whoever answers, and end it now. */
void connection_lose(struct connection *connection);

/** The lane is to be emptied: close what is idle, let the rest end after its answer. */
void connection_drain(struct connection *connection);

/** The time to drain is nearly over: end a stream of events, see exchange_dismiss(). */
void connection_dismiss(struct connection *connection);

/** The time to drain is over: end it now. True: something was still to be answered or sent. */
bool connection_cut(struct connection *connection);

/** End and free it, when its loop does not run any more. */
void connection_abandon(struct connection *connection);

/* ---- Between the parts ---- */

/** Answer, read, parse and send until nothing moves. */
void connection_advance(struct connection *connection);

/** Have connection_advance() run once more in the next round. */
void connection_again(struct connection *connection);

/** Go on with what precedes HTTP; true if something changed. */
bool connection_greet(struct connection *connection);

/** Take one bite of input. False: nothing to take, or nothing wanted. */
bool connection_input(struct connection *connection);

/** See whether the client has finished, when nothing of it is to be read. */
void connection_look_for_end(struct connection *connection);

/** The time so many milliseconds from now; 0 stays 0, which is no time. */
static inline uint64_t connection_after_ms(const struct connection *connection, uint64_t ms)
{
    return ms == 0 ? 0 : lane_now_ns(connection->lane) + ms * 1000000;
}

/** Whether so much is still to be sent that no further request is taken. */
static inline bool connection_is_stalled(const struct connection *connection)
{
    return connection->out.size >= CONNECTION_OUT_MAX || connection->tail.size > 0;
}

/** Look after the exchange under way; true if something changed. */
bool connection_answer(struct connection *connection);

/** Send what is there. */
void connection_flush(struct connection *connection);

/** Answer what made no request with a status, and end. */
void connection_refuse(struct connection *connection, unsigned status, const char *reason,
                       unsigned retry_after_s);

/** The request's body cannot be read on: what the reader is told, and the status if it has no
 *  answer of its own. */
void connection_fail_body(struct connection *connection, unsigned status,
                          enum exchange_result result);

/** The exchange is over for the connection. */
void connection_end_exchange(struct connection *connection);

/** Let `session` speak from now on; what was received and not parsed is its. */
void connection_enter_session(struct connection *connection, struct session *session);

/** Let the session say what it has to say, and see whether it is over; true if something changed. */
bool connection_converse(struct connection *connection);

void connection_enter_idle(struct connection *connection);
void connection_enter_closing(struct connection *connection, bool linger);
