/**
 * @file
 * One `[[serve]]` made ready: its options with their own copies, its parsing rules, the header lines
 * that every answer gets.
 *
 * Life:    site_init() -> used by connections -> site_fini(), when none is left.
 * Threads: constant once initialised.
 */
#pragma once

#include "serve/http1.h"
#include "serve/rate.h"
#include "serve/server.h"
#include "serve/shaping.h"

struct site {
    struct serve_options options; /**< `listen` and `headers` are not to be used. */
    char *listen;
    struct http1_rules rules;
    struct bytes lines; /**< `headers` as they go out. */
    struct shaping shaping;
    bool shapes;       /**< That there is something in it. */
    bool has_server;   /**< One of them replaces the usual Server line. */
    struct rate *rate; /**< NULL: no limits for each address. */
};

/** False: ERR_INPUT (a header that may not be sent), ERR_MEMORY; site_fini() is still due. */
bool site_init(struct site *site, const struct serve_options *options, struct err *err) MUST_USE;

/** A zeroed one is fine. */
void site_fini(struct site *site);
