/**
 * @file
 * What one `[[serve]]` needs for its answers' content, made of its manifest: compression, folders, CORS, and
 * the headers that every answer has.
 *
 * Life:    zeroed -> content_open() -> in use while the server is -> content_close().
 * Threads: the main thread's; constant once open.
 */
#pragma once

#include "manifest/manifest.h"
#include "serve/compression.h"
#include "serve/cors.h"
#include "serve/route.h"
#include "serve/server.h"
#include "serve/static_folder.h"

struct content {
    struct compression compression;
    bool compresses;
    struct cors cors;
    bool has_cors;
    char max_age[24];
    struct static_folder *folders;
    size_t folder_count; /**< Open ones. */
    struct header *headers;
    size_t header_count;
};

/** Open the folders and gather the rest; texts stay the manifest's. False: told to standard error; content_close()
 *  is still due. */
bool content_open(struct content *content, const struct manifest *manifest,
                  const struct manifest_serve *serve) MUST_USE;

/** Add a route for each folder; the listener's own routes are there already. False: told. */
bool content_add_routes(struct content *content, const struct manifest *manifest,
                        const struct manifest_serve *serve, struct route_table *routes) MUST_USE;

/** Set what of the options is the content's. */
void content_fill(const struct content *content, const struct manifest_serve *serve,
                  struct serve_options *options);

/** A zeroed one is fine. */
void content_close(struct content *content);
