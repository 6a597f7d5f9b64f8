/**
 * @file
 * The node's HTTP client: on each worker a libcurl multi on the loop's epoll, with its pool of connections, made when
 * it is first needed and given up when it has had nothing to do for a while. Names are looked up by threads of its own
 * (guest/resolver.h), never on a worker.
 *
 * A connection carries one request at a time, with HTTP/2 too: so a guest that does not read holds up nobody else.
 * A connection is used again only under the grant that it was opened under, which is the same object: so a component's
 * connections are its own. Whether the grant allows its address is checked each time.
 *
 * Life:    fetcher_create() once, before node_start() -> fetches -> fetcher_stop(), before node_stop() -> fetcher_destroy(),
 *          after it.
 * Threads: fetcher_of() and fetch.h: any. The rest: the main thread.
 */
#pragma once

#include "core/node.h"
#include "guest/resolver.h"

struct fetcher;

struct fetcher_options {
    struct node *node;         /**< Borrowed. */
    uint32_t fetches_max;      /**< At once on the whole node. */
    uint64_t keep_ns;          /**< How long connections stay when there is nothing to do. */
    uint32_t header_bytes_max; /**< Of an answer, with interim answers and trailers. */
    uint32_t header_count_max;
    resolver_function look_up; /**< NULL: the C library's; another one in tests. */
    const char *ca_file;       /**< PEM of authorities beside the system's; NULL: none. */
};

/** NULL: ERR_INPUT (the file of authorities), ERR_MEMORY, ERR_OS. */
struct fetcher *fetcher_create(const struct fetcher_options *options, struct err *err) MUST_USE;

/** Cancel all that is under way and close every connection; nothing can be started any more. */
void fetcher_stop(struct fetcher *fetcher);

/** NULL is allowed. */
void fetcher_destroy(struct fetcher *fetcher);
DEFINE_AUTO_DESTROY(fetcher)

/** The fetcher of that node, or NULL. */
struct fetcher *fetcher_of(const struct node *node);

struct fetcher_counts {
    uint64_t fetches; /**< Now. */
    uint64_t fetches_max;
    uint64_t started; /**< Ever. */
    uint64_t denied;  /**< Ever. */
};

/** Any thread. */
struct fetcher_counts fetcher_counts(const struct fetcher *fetcher);
