/**
 * @file
 * A listener's TLS (1.2 and 1.3; RFC 8446): its certificates, whom it trusts, its session tickets.
 *
 * Files are read by tls_create() and again by tls_reload(): then new connections get the new certificates
 * and open ones go on as they are. The keys of session tickets are drawn at random, live in memory
 * only and are replaced every TLS_TICKET_S; the last ones still open tickets for as long again.
 * There is no renegotiation, no compression and no early data.
 *
 * Life:    tls_create() -> tls_accept() for each connection, tls_reload() at any time -> tls_destroy() after the last
 *          connection is gone.
 * Threads: create and destroy: one; reload and accept: any.
 */
#pragma once

#include "core/env.h"

#include <stdbool.h>
#include <stddef.h>

struct ssl_st;
struct tls;

enum {
    TLS_TICKET_S = 6 * 60 * 60,
    TLS_PAIRS_MAX = 64,
    TLS_WARN_DAYS = 14, /**< Before a certificate expires. */
};

/** Paths of PEM files: a certificate with its chain behind it, and its key. */
struct tls_pair {
    const char *certificate, *key;
};

/** Strings are borrowed for the life of what is made of it. */
struct tls_options {
    const struct tls_pair
        *pairs;            /**< The first one is for who names no host, or one that none has. */
    size_t pair_count;     /**< 1 to TLS_PAIRS_MAX */
    const char *client_ca; /**< Clients need a certificate of one of these; NULL: they need none. */
    bool http2;            /**< Offered by ALPN, before HTTP/1.1. */
    struct env *env;       /**< For the time. */
};

enum tls_file { TLS_CERTIFICATE, TLS_KEY, TLS_CLIENT_CA };

/** Something is wrong with one of the files, or soon will be. */
struct tls_finding {
    size_t pair;        /**< Whose file it is; 0 for TLS_CLIENT_CA. */
    enum tls_file file; /**< Which one. */
    bool warning;       /**< It can be used all the same. */
    const char *text;   /**< What is wrong, with the path. */
};

/** Whom findings are told. */
struct tls_listener {
    void (*found)(struct tls_listener *listener, const struct tls_finding *finding);
};

/** Read every file and tell everything that is wrong. NULL: something is, or there is no memory (told as a
 *  finding, too). */
struct tls *tls_create(const struct tls_options *options, struct tls_listener *listener) MUST_USE;

/** NULL is allowed. */
void tls_destroy(struct tls *tls);

/** Read every file again. False: something is wrong, and everything stays as it was. */
bool tls_reload(struct tls *tls, struct tls_listener *listener) MUST_USE;

/** Whether clients need a certificate. */
bool tls_asks_clients(const struct tls *tls);

/** The state of a new connection, for transport_secure(). NULL: no memory. */
struct ssl_st *tls_accept(struct tls *tls) MUST_USE;
