/**
 * @file
 * Asking a running node over its admin socket.
 *
 * Threads: the main thread.
 */
#pragma once

#include "base/bytes.h"

/** What `ps`, `stats` and their like understand. */
struct client_options {
    const char *node;   /**< Name of the node; its socket is in the runtime folder. */
    const char *socket; /**< Path of the socket; instead of `node`. */
    bool json;
};

/** Parse a command's words. Returns -1 to go on, else the status to exit with. */
int client_parse(int argc, char **argv, const char *help, struct client_options *ret);

/** GET `path`; the body of a 200 is appended to `ret`. False: ERR_NOT_FOUND (no such node runs), ERR_DENIED (its
 *  socket is another user's), ERR_OS. */
bool client_get(const struct client_options *options, const char *path, struct bytes *ret,
                struct err *err) MUST_USE;

/** The whole of a command that prints what a path answers. */
int client_print(int argc, char **argv, const char *help, const char *path);
