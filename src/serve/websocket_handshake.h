/**
 * @file
 * The request that asks for a WebSocket: RFC 6455, 4.2; RFC 7692, 5 and 7.1; RFC 8441, 4. Pure.
 */
#pragma once

#include "serve/request.h"
#include "serve/websocket.h"

/** permessage-deflate as agreed. Neither side keeps its window between messages, so that an idle connection has none. */
struct websocket_deflate_terms {
    bool on;
    unsigned window_bits; /**< Of ours: 9 to 15. */
    bool says_window;     /**< The client has asked for a limit of ours, and is told. */
};

struct websocket_handshake {
    unsigned status;    /**< 0: agreed; else why not. */
    const char *reason; /**< With a status: one line. */
    char accept[29];    /**< Sec-WebSocket-Accept, terminated; empty: none is due (RFC 8441). */
    struct text subprotocol;
    struct websocket_deflate_terms deflate;
};

/** Whether a request asks to change to a WebSocket, well or not: it is one for such a route. */
bool websocket_is_wanted(const struct request *request);

/** See whether it may. `ret->subprotocol` borrows from `options`. */
void websocket_shake_hands(const struct request *request, const struct websocket_options *options,
                           struct websocket_handshake *ret);

enum { WEBSOCKET_EXTENSION_BYTES = 128 };

/** The value of Sec-WebSocket-Extensions for terms that are on. Returns its size. */
size_t websocket_extension_format(const struct websocket_deflate_terms *terms,
                                  char ret[WEBSOCKET_EXTENSION_BYTES]);
