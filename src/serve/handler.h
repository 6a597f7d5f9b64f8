/**
 * @file
 * HTTP handlers in Wasm: a fresh process for every request, and the host functions that a guest
 * reads its request and writes its answer with. SPEC: "HTTP handler".
 *
 * Life:    a handler is built for a route, lives as long as the server.
 * Threads: constant once built; dispatch on any loop.
 */
#pragma once

#include "guest/guest.h"
#include "serve/server.h"

struct websocket_options;

/** What a route names: a component and the function of it that answers. */
struct handler {
    struct component *component;  /**< Borrowed. */
    uint32_t entry;               /**< From component_entry(). */
    uint64_t deadline_ns;         /**< Until the answer's head; 0: none. */
    uint64_t stream_deadline_ns;  /**< After the head; 0: none. */
    uint64_t disconnect_grace_ns; /**< For a streaming guest whose client left. */
    bool cancel_on_disconnect;    /**< Kill it at once when its client leaves. */
    bool events_only;             /**< Every answer is a stream of events, or a refusal. */
    uint64_t heartbeat_ns;        /**< Of a stream of events; 0: none. */
    bool rusm;                    /**< Its component was made for RUSM: serve/handler_rusm.h. */
    const char *action;           /**< With `rusm`: what the route names; "": nothing. Borrowed. */
    /** It serves WebSockets; `deadline_ns` is that of a unit of work then. NULL: HTTP. Borrowed. */
    const struct websocket_options *websocket;
};

/** Spawns a process of the `struct handler` that is the route's target. */
extern const struct dispatcher handler_dispatcher;

/** What the client gets where its guest has ended so, and has not answered; 0: that is as it shall be. `refused`: it had found no room
 *  to begin. */
unsigned handler_status(enum exit_class exit_class, bool refused);

/** Host functions, import module "mote": request_* and respond*; docs/guest-abi.md. Constant. */
const struct engine_import *handler_imports(size_t *ret_count);
