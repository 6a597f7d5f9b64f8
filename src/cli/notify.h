/**
 * @file
 * Telling the service manager how we are: the protocol of sd_notify(3), a datagram of VARIABLE=VALUE
 * lines to the unix socket that $NOTIFY_SOCKET names (a path, or "@name": abstract).
 *
 * Life:    notify_open() -> messages -> notify_close(). Without a service manager nothing is sent.
 * Threads: the main thread. Waits for up to a second while the manager has no room.
 */
#pragma once

#include "base/base.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notify {
    int fd; /**< -1: nobody is to be told. */
    struct sockaddr_un address;
    socklen_t address_bytes;
    uint64_t watchdog_ns; /**< How often we must be heard of (WATCHDOG_USEC); 0: no matter. */
};

/** Where messages go to. False: `text` is no such place. */
bool notify_address(const char *text, struct sockaddr_un *ret, socklen_t *ret_bytes) MUST_USE;

/** As the environment says. A socket that cannot be used is told in the log. */
void notify_open(struct notify *ret);

/** Send one message: lines with "\n" between them, none behind the last. */
void notify_send(const struct notify *notify, const char *fmt, ...) PRINTF_LIKE(2, 3);

/** We are not the service's main process any more, or at the end. */
void notify_close(struct notify *notify);
