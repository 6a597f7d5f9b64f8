/**
 * @file
 * What becomes of a request whose head is complete, whatever the protocol it came by: the platform's own
 * answers, and the way to the dispatcher of its route.
 * Threads: the connection's loop.
 */
#pragma once

#include "serve/exchange_internal.h"
#include "serve/lane.h"
#include "serve/site.h"

enum dispatch {
    DISPATCH_WANTED,    /**< A target is to answer it: dispatch_run(). */
    DISPATCH_REPLIED,   /**< The platform has. */
    DISPATCH_TOO_LARGE, /**< The platform has, and the body is not worth reading. */
};

/** Answer an opened exchange if no target is needed for that. */
enum dispatch dispatch_look(struct exchange *exchange, const struct site *site, void **ret_target);

/** Have the target answer; or say 503 when the node holds too much already. */
void dispatch_run(struct exchange *exchange, const struct lane *lane, const struct site *site,
                  void *target);

/** Answer for the platform. `text`: the page's one line, or NULL for the status' own words. */
void dispatch_reply(struct exchange *exchange, unsigned status, const char *text,
                    const struct header *headers, size_t header_count);
