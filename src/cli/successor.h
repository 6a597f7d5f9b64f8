/**
 * @file
 * The node that takes this one's place: the program of the same path, started with the same words, which
 * is given the listening sockets (serve/inheritance.h). Until it serves, this node goes on.
 *
 * Life:    zeroed -> successor_start() -> successor_look() when one of its descriptors has something ->
 *          SERVING or FAILED -> successor_end().
 * Threads: the main thread.
 */
#pragma once

#include "serve/inheritance.h"

enum { SUCCESSOR_SAID_BYTES = 768 };

struct successor {
    pid_t pid; /**< 0: there is none. */
    int control_fd, error_fd;
    bool going; /**< It was told to go on: it may serve already. */
    /** The last of what it wrote to standard error, which is also passed on to ours. */
    char said[SUCCESSOR_SAID_BYTES];
    size_t said_bytes;
};

enum successor_news {
    SUCCESSOR_STARTING,
    SUCCESSOR_SERVING, /**< It accepts; nothing of ours is its matter any more. */
    SUCCESSOR_FAILED,  /**< It has ended, or soon will. */
};

/** Start it.
 *  @param argv  of this program, its name included: looked up in $PATH if it has no "/"
 *  @param sockets  borrowed for the call
 *  @return false: ERR_OS, ERR_MEMORY; nothing is left */
bool successor_start(struct successor *successor, char **argv, const struct handover *sockets,
                     struct err *err) MUST_USE;

/** Take what it has to say. Never blocks. */
enum successor_news successor_look(struct successor *successor);

/** Be done with it: one that does not serve is killed, and waited for.
 *  @param serves  it does: only the descriptors are closed
 *  @param ret     why it failed, with what it said: "ended with status 2: ..."; NULL: no matter */
void successor_end(struct successor *successor, bool serves, struct err *ret);
