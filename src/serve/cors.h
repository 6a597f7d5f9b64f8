/**
 * @file
 * Which pages of other origins may use a listener's answers (Fetch, 3.2: CORS protocol). Pure.
 *
 * A preflight is answered without a process. An origin that is not allowed is told nothing: its browser then refuses.
 * Threads: constant.
 */
#pragma once

#include "serve/request.h"

struct cors {
    /** "https://a.example", "https://" + "*.a.example" (any one or more labels), "*" (all); NULL-terminated. */
    const char *const *origins;
    const char *methods; /**< "GET, POST": as they go out. */
    const char
        *headers; /**< Likewise: what a request may have beside the usual; "*": any; "": none. */
    const char *expose;  /**< Likewise: what a page may read of an answer; "": the usual only. */
    const char *max_age; /**< In seconds, for a preflight's answer. */
    bool credentials;
};

enum { CORS_HEADERS_MAX = 3 };

/** The Origin that is allowed, or an empty text. */
struct text cors_origin(const struct cors *cors, const struct request *request);

/** Whether answers differ by Origin. */
bool cors_varies(const struct cors *cors);

/** Whether the request asks what another one may do: OPTIONS with Origin and Access-Control-Request-Method. */
bool cors_is_preflight(const struct request *request);

/** The headers that every answer to an allowed origin has; returns how many. */
size_t cors_headers(const struct cors *cors, struct text origin,
                    struct header ret[CORS_HEADERS_MAX]);

/** Those that the answer to a preflight has besides. */
size_t cors_preflight_headers(const struct cors *cors, struct header ret[CORS_HEADERS_MAX]);
