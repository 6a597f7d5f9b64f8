/** @file An HTTP/2 client for tests, on nghttp2: several requests on one connection. */
#pragma once

#include "client.h"

#include <nghttp2/nghttp2.h>

enum { H2_ANSWERS_MAX = 8 };

struct h2_answer {
    int32_t id;
    unsigned status; /**< 0: no head yet. */
    struct bytes body;
    bool ended; /**< The stream was closed. */
    bool whole; /**< By its end, not by a reset. */
    uint32_t code;
    /* To be sent. */
    const char *data;
    size_t size;
    bool open_ended; /**< Nothing says that this was all. */
    bool deferred;
};

struct h2_client {
    struct client client;
    nghttp2_session *session;
    struct h2_answer answers[H2_ANSWERS_MAX];
    unsigned count;
    bool goaway, closed;
    uint32_t goaway_code;
};

/** `window_bytes`: what the server may send of each stream; 0: any amount. */
void h2_open(struct h2_client *h2, const char *address, uint32_t window_bytes);
void h2_close(struct h2_client *h2);

/** Begin a request; `protocol`: of an extended CONNECT, or NULL. `size` bytes of body are sent; with
 *  `open_ended` there is no end of it. Returns its answer, to be filled by h2_turn(). */
struct h2_answer *h2_request(struct h2_client *h2, const char *method, const char *path,
                             const char *protocol, const char *data, size_t size, bool open_ended);

/** Send more of an open-ended body; `end`: and no more after that. */
void h2_send(struct h2_client *h2, struct h2_answer *answer, const char *data, size_t size,
             bool end);

/** Send what is to be sent and, if `wait`, take what comes, at least something. */
void h2_turn(struct h2_client *h2, bool wait);

#define H2_UNTIL(h2, condition)                                                                    \
    do {                                                                                           \
        while (!(condition)) {                                                                     \
            h2_turn(h2, true);                                                                     \
        }                                                                                          \
    } while (0)
