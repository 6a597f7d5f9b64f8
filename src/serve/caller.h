/**
 * @file
 * Who is at the other end of a connection, as far as it is known.
 * Threads: the connection's loop.
 */
#pragma once

#include "serve/request.h"
#include "serve/site.h"

struct caller {
    const char *remote; /**< As in a request. Borrowed. */
    bool secure;        /**< Likewise. */
    bool trusted;       /**< It is a trusted proxy, whose headers count. */
    char *subject;      /**< Of its certificate, or NULL. Ours. */
};

/** @param remote  "1.2.3.4:567", "[::1]:567", "unix"; borrowed */
void caller_init(struct caller *caller, const struct site *site, const char *remote);
void caller_fini(struct caller *caller);

/** It has shown a certificate. False: no memory. */
bool caller_set_subject(struct caller *caller, const char *subject) MUST_USE;

/** Say in a request that is being filled who sends it. Out of memory: without the subject. */
void caller_sign(const struct caller *caller, struct request *request);

/** Whether an address is one of the site's trusted proxies. */
bool caller_is_trusted(const struct site *site, const char *remote);
