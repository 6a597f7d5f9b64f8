/**
 * @file
 * WebSockets (RFC 6455) with permessage-deflate (RFC 7692): a process for each connection.
 * SPEC: "WebSocket worker".
 *
 * Parts, and who runs them:
 *   websocket_handshake  the request that asks for one; pure
 *   websocket_reader     frames to messages, over libwslay's frame interface; pure
 *   websocket_writer     messages to frames
 *   websocket_deflate    the two directions of zlib, bounded
 *   websocket_session    what speaks on the connection, on its loop
 *   websocket_channel    where session and process meet, from their two threads
 *   websocket_guest      the process: its role and host functions
 *
 * wslay's event interface was not taken: it keeps a whole message in memory before it says how large that is, does not
 * check the UTF-8 of a compressed one, and answers bad control frames with a close of its own.
 */
#pragma once

#include "serve/exchange.h"

struct handler;
struct loop;

/** What a listener says of its WebSockets. Constant; its lists are borrowed. */
struct websocket_options {
    const char *const *subprotocols; /**< NULL-terminated; NULL: none. */
    /** NULL-terminated; "*": any. NULL: only the host that was asked. A client that names no origin is no browser, and
     *  passes. */
    const char *const *origins;
    size_t message_bytes_max; /**< Of one that comes in, inflated: 1009. */
    uint64_t ping_ns;         /**< Silence before a ping, and before it counts as dead; 0: never. */
    uint32_t frame_rate_min;  /**< Bytes a second, over 5 s, of an unfinished frame; 0: no limit. */
    uint32_t stream_buffer_bytes; /**< Towards the client. */
    bool compression;             /**< Agree to permessage-deflate. */
};

enum {
    WEBSOCKET_UNREAD_FRAMES_MAX = 16,        /**< Credit of a client: so many, */
    WEBSOCKET_UNREAD_BYTES_MAX = 256 * 1024, /**< or so much (and the one that passes it). */
    WEBSOCKET_CONTROL_BYTES_MAX = 125,       /**< RFC 6455, 5.5. */
    WEBSOCKET_REASON_BYTES_MAX = 123,
};

/** RFC 6455, 7.4.1, and the registry it founds. */
enum websocket_code {
    WEBSOCKET_NORMAL = 1000,
    WEBSOCKET_GOING_AWAY = 1001,
    WEBSOCKET_PROTOCOL_ERROR = 1002,
    WEBSOCKET_NO_CODE = 1005,  /**< Never sent. */
    WEBSOCKET_ABNORMAL = 1006, /**< Never sent. */
    WEBSOCKET_BAD_TEXT = 1007,
    WEBSOCKET_POLICY = 1008,
    WEBSOCKET_TOO_BIG = 1009,
    WEBSOCKET_INTERNAL = 1011,
    WEBSOCKET_TRY_LATER = 1013,
};

/** Whether a close frame may have that code. */
bool websocket_code_is_valid(unsigned code);

/** Answer a request on a route of `handler`, which has `websocket` set: refuse it, or spawn the process and change over.
 *  As struct dispatcher. */
void websocket_dispatch(struct exchange *exchange, const struct handler *handler,
                        struct loop *loop);
