/**
 * @file
 * What one `[[serve]]` needs to live on while the server runs: its routes and their handlers, made of its
 * manifest.
 *
 * Life:    zeroed -> serving_open() -> serving_options() -> in use while the server is -> serving_close().
 * Threads: the main thread's; constant once open.
 */
#pragma once

#include "cli/content.h"
#include "serve/handler.h"
#include "serve/websocket.h"

struct serving {
    struct route_table *routes;
    struct handler *handlers; /* one a route, then one for everything */
    struct content content;
    struct websocket_options websocket;
};

/** Resolve the routes of the `index`th `[[serve]]`; `components` are the manifest's, prepared. False: told to standard
 *  error; serving_close() is still due. */
bool serving_open(struct serving *serving, const struct manifest *manifest, size_t index,
                  struct component *const *components) MUST_USE;

/** What the server is told of it, but for its certificates. */
struct serve_options serving_options(const struct serving *serving, const struct manifest *manifest,
                                     size_t index);

/** A zeroed one is fine. */
void serving_close(struct serving *serving);
