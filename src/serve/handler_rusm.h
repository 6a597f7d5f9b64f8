/**
 * @file
 * Handlers made for RUSM (guest/rusm.h): each request, each WebSocket and each stream of events gets a guest of its own and an
 * outlet (serve/outlet.h) that the guest speaks through.
 *
 * Threads: dispatch on any loop.
 */
#pragma once

#include "serve/handler.h"
#include "serve/websocket_channel.h"

/** Answer by a handler whose component was made for RUSM. Takes the reference to the exchange. */
void rusm_dispatch(struct exchange *exchange, const struct handler *handler, struct loop *loop);

/** Give a WebSocket's channel its guest and its outlet. False: there was no room. */
bool rusm_open_frames(struct exchange *exchange, const struct handler *handler, struct loop *loop,
                      struct websocket_channel *channel) MUST_USE;

/** Host functions of a connection: what the interface `serve` of rusm:runtime has. Constant. */
const struct engine_import *handler_rusm_imports(size_t *ret_count);
