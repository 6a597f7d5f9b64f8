/**
 * @file
 * One worker's ear at one listening socket: accepts until nobody waits, and pauses when the process
 * has no descriptors left instead of going round in circles.
 *
 * Life:    listener_init() -> listener_start() -> listener_stop(), which may come at any time.
 * Threads: the loop's, or any while the loop does not run. The descriptor is borrowed.
 */
#pragma once

#include "serve/connection.h"

struct listener {
    struct source source;
    struct lane *lane;       /* constant */
    const struct site *site; /* constant */
    bool shared;             /* constant: other lanes listen at the same descriptor */
    bool watched;            /* in the epoll set */
    bool stopped;
    struct timer pause;
    struct task resume;
};

void listener_init(struct listener *listener, struct lane *lane, const struct site *site, int fd,
                   bool shared);

/** False: ERR_OS. */
bool listener_start(struct listener *listener, struct err *err) MUST_USE;

/** Accept no more. Again does nothing. The memory must stay until the loop's round is over. */
void listener_stop(struct listener *listener);
