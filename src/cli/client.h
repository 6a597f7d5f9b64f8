/**
 * @file
 * Asking a running node over its admin socket.
 *
 * Threads: the main thread.
 */
#pragma once

#include "base/bytes.h"

struct option;

/** What all commands that ask a node understand. */
struct client_options {
    const char *node;   /**< Name of the node; its socket is in the runtime folder. */
    const char *socket; /**< Path of the socket; instead of `node`. */
    bool json;
    long timeout_s;     /**< For the whole answer; 0: 30. */
    const int *stop_fd; /**< Give up once it can be read: ERR_OS. NULL: there is none. */
};

/** A command's words besides. Zeroed: none. */
struct client_words {
    const struct option
        *options; /**< As for getopt_long(), ended by a zeroed one; `val` not below 256. */
    /** Take one of them. False: the value is no good. */
    bool (*take)(void *argument, int option, const char *value);
    void *argument;
    const char **operand;     /**< Where the one word without dashes goes; NULL: there is none. */
    const char *operand_name; /**< What the help calls it. */
};

/** Parse a command's words. Returns -1 to go on, else the status to exit with. */
int client_parse(int argc, char **argv, const char *help, const struct client_words *words,
                 struct client_options *ret);

/** GET `path`, or POST it. The body of a 200 is appended to `ret`; `path` may have a query.
 *  False: ERR_NOT_FOUND (no such node runs, or the node says so), ERR_INPUT (the node says so), ERR_OS. */
bool client_ask(const struct client_options *options, bool post, const char *path,
                struct bytes *ret, struct err *err) MUST_USE;

/** Append `&key=value` to a path, encoded. False: out of memory. */
bool client_add(struct bytes *path, const char *key, const char *value) MUST_USE;

/** The whole of a command that prints what a path answers. */
int client_print(int argc, char **argv, const char *help, const char *path);
