/**
 * @file
 * The header by which a proxy tells, before anything else, for whom it has made a connection: the PROXY protocol,
 * version 1 (text) and 2 (binary). Pure.
 */
#pragma once

#include "base/cidr.h"

enum {
    PROXY_V1_BYTES_MAX = 107,      /**< With CR LF; so the specification. */
    PROXY_HEADER_BYTES_MAX = 4096, /**< Of version 2 with what may follow the addresses. */
};

enum proxy_result {
    PROXY_WHOLE, /**< `*ret` is set. */
    PROXY_MORE,  /**< So far it is one, and not complete. */
    PROXY_BAD,   /**< It is none. */
};

struct proxy_header {
    size_t size_bytes; /**< Of the header. What follows is the client's. */
    bool known;        /**< The client's address is told; else the connection is the proxy's own. */
    bool secure;       /**< Version 2: the client has come to the proxy by TLS. */
    struct ip client;
    uint16_t client_port;
};

/** Read the header at the beginning of `data`. */
enum proxy_result proxy_parse(const void *data, size_t size_bytes, struct proxy_header *ret);
