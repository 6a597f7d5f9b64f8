/**
 * @file
 * What speaks on the connection of a WebSocket: frames in, frames out, pings, the two ways to close.
 *
 * Life:    websocket_session_create() -> given to exchange_upgrade() -> as struct session.
 * Threads: its connection's loop.
 */
#pragma once

#include "serve/websocket_channel.h"
#include "serve/websocket_handshake.h"

/** How long a close waits for the client's. */
enum { WEBSOCKET_CLOSE_MS = 5000 };

/** Takes a reference to the channel, and is its session. NULL: out of memory. */
struct session *websocket_session_create(struct websocket_channel *channel,
                                         const struct websocket_deflate_terms *deflate) MUST_USE;

/** Something of the channel has changed. */
void websocket_session_news(struct websocket_session *session);
