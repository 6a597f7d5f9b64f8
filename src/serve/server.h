/**
 * @file
 * The listeners of a node and the connections they accept.
 *
 * Life:    server_create() (binds, so that every error shows before anything runs) ->
 *          server_start() -> server_drain() -> server_destroy() after the node has stopped.
 * Threads: create, start, drain and destroy from the main thread; the rest happens on the loops. Each
 *          connection belongs to one loop for life.
 */
#pragma once

#include "base/cidr.h"
#include "core/node.h"
#include "serve/exchange.h"
#include "serve/rate.h"
#include "serve/route.h"
#include "serve/tls.h"

struct compression;
struct cors;
struct static_folder;

enum { SERVER_LAST_MS = 2000 }; /**< Of a drain: for streams of events to end. */

/** Who answers. `dispatch` is called on the connection's loop with a reference for it; it must lead to
 *  exactly one exchange_finish(), at once or later. `target` is what the route named. */
struct dispatcher {
    void (*dispatch)(struct exchange *exchange, void *target, struct loop *loop);
};

/** One `[[serve]]`; every limit has its SPEC default in the manifest; a time or a rate of 0 is none.
 *  Strings are copied. */
struct serve_options {
    const char *listen; /**< "127.0.0.1:0", "[::1]:80", "localhost:80", "unix:/run/x.sock". */
    const char *key; /**< What its sockets are called when they are handed over; NULL: `listen`. */
    const struct route_table *routes; /**< Borrowed; or NULL: everything goes to `target`. */
    void *target;
    const struct dispatcher *dispatcher; /**< Borrowed. */
    const struct header *headers; /**< Added to every answer; Server replaces the usual one. */
    size_t header_count;
    const struct compression *compression; /**< Borrowed; NULL: answers go as they are. */
    const struct cors *cors;               /**< Borrowed; NULL: nothing is said to other origins. */
    const struct static_folder *folders;   /**< Borrowed: targets of routes that are folders. */
    size_t folder_count;
    bool redirects_to_https;      /**< Every request, with 308. */
    uint16_t https_port;          /**< Where to; 443 is not written. */
    uint32_t header_timeout_ms;   /**< From the first byte of a request to its head's end: 408. */
    uint32_t idle_timeout_ms;     /**< Between requests: closed without a word. */
    uint32_t body_rate_min;       /**< Bytes a second, over 5 s, while the guest wants them: 408. */
    uint32_t header_bytes_max;    /**< 431. */
    uint32_t header_count_max;    /**< 431. */
    uint32_t target_bytes_max;    /**< 414. */
    uint64_t body_bytes_max;      /**< 413. */
    uint32_t stream_buffer_bytes; /**< Each way. */
    /** A client that in such a time takes nothing of what waits for it, or less than body_rate_min: cut. */
    uint32_t write_timeout_ms;
    bool cancel_on_disconnect;  /**< Half-close counts as gone. */
    struct tls *tls;            /**< Borrowed; NULL: none. */
    const struct cidr *trusted; /**< Borrowed: proxies whose word on the client counts. */
    size_t trusted_count;
    bool trust_unix;     /**< Clients of a unix socket are such proxies. */
    bool proxy_protocol; /**< Connections of trusted proxies begin with a PROXY header. */
    bool access_log;
    struct rate_limits rate; /**< Of each address. */
    mode_t unix_mode;        /**< Of a unix socket's file; 0: 0660. */
    /** Unix sockets: clients of other users, but for root, are turned away, whatever the file's mode. */
    bool own_user_only;
    const char *notice; /**< Of notice_reply(); borrowed; NULL: none. */
};

struct server;
struct inheritance;
struct handover;

struct server_counts {
    uint64_t connections;                 /**< Open now. */
    uint64_t connections_max;             /**< 503 above. */
    uint64_t accepted, requests, refused; /**< Ever. */
    uint64_t responses[6];                /**< Ever, by hundreds: [2] = 2xx; [0] = cut. */
    struct rate_counts limited;           /**< Ever, for the limits of their address. */
    uint64_t buffered_bytes;              /**< Held for connections and exchanges now. */
    uint64_t buffered_bytes_max;          /**< 503 above; 0: no limit. */
};

/** Over all listeners. */
struct server_limits {
    uint32_t connections_max;
    uint32_t
        refusals_max; /**< Of each worker: above connections_max, so many at once are told so; 0: 256. */
    /** Requests and answers under way, to within 64 KiB a worker; 0: no limit. Above, nobody is
     *  dispatched to, whole answers are refused (EXCHANGE_FULL) and streams shrink. */
    uint64_t buffered_bytes_max;
    /** Sockets that are used before any is bound; borrowed for server_create(). NULL: none. */
    struct inheritance *inheritance;
};

/** Bind and listen on everything (one SO_REUSEPORT socket a worker for TCP, a shared one for unix).
 *  @param limits  copied
 *  @return NULL: ERR_OS or ERR_INPUT, naming the address ("listen on 127.0.0.1:80: Address already in
 *          use"); nothing is left bound. */
struct server *server_create(struct node *node, const struct serve_options *options, size_t count,
                             const struct server_limits *limits, struct err *err) MUST_USE;

/** Begin to accept. */
bool server_start(struct server *server, struct err *err) MUST_USE;

/** The address listener `index` is really bound to: "http://127.0.0.1:43117", "unix:/run/x.sock". */
const char *server_address(const struct server *server, size_t index);

/** Its sockets, for a successor. */
bool server_hand_over(const struct server *server, struct handover *to, struct err *err) MUST_USE;

/** A predecessor's place is taken: files of unix sockets that were its to remove are this server's. */
void server_settle(struct server *server);

/** The sockets are a successor's: accept no more and remove no file. At the drain that follows, idle
 *  connections have a moment for a request that may be on its way already. */
void server_let_go(struct server *server);

/** Stop accepting, close idle connections, finish what runs (answers say "Connection: close"). Streams of events, which
 *  have no end of their own, are asked for one SERVER_LAST_MS before the deadline, or half of it; after
 *  `deadline_ms` cut what is left. Returns when no connection is open. True: nothing was cut. */
bool server_drain(struct server *server, uint32_t deadline_ms);

/** Close what is left. NULL is allowed. */
void server_destroy(struct server *server);
DEFINE_AUTO_DESTROY(server)

struct server_counts server_counts(struct server *server);
