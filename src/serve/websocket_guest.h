/**
 * @file
 * The process of a WebSocket: how it is spawned for a request, and what its host functions ask.
 *
 * Threads: as guest/guest.h; the dispatch (websocket.h) on its connection's loop.
 */
#pragma once

#include "guest/guest.h"
#include "serve/websocket_channel.h"

/** The channel of a guest that serves a WebSocket, else NULL. */
struct websocket_channel *websocket_of_guest(struct guest *guest);

/** The host functions ws_send and ws_close of src/guest/abi.toml. */
enum engine_call_result websocket_host_send(struct engine_call *call);
enum engine_call_result websocket_host_close(struct engine_call *call);
