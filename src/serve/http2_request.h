/**
 * @file
 * HTTP/2 header blocks into requests (RFC 9113, 8), as strictly as HTTP/1: what nghttp2 lets pass is
 * looked at again here. Pure.
 *
 * nghttp2 has refused, by resetting the stream, unknown, repeated, misplaced and missing pseudo-headers,
 * header lines of a connection, names in capitals, forbidden bytes, and lengths that are none.
 */
#pragma once

#include "serve/http1.h"

struct http2_request {
    const struct http1_rules *rules;
    struct span method, target, authority, scheme, protocol;
    struct bytes cookie; /* crumbs of the Cookie line (RFC 9113, 8.2.3) */
    uint32_t header_bytes;
    bool has_host;
    bool expects_continue; /**< It waits for "100 Continue". */
    bool expects_other;    /**< It expects what nobody can do: 417. */
    unsigned status;       /* 0: nothing wrong so far */
    const char *reason;
};

void http2_request_init(struct http2_request *head, const struct http1_rules *rules);
void http2_request_fini(struct http2_request *head);

/** Take the next line of the header block. Once something is wrong, nothing more is kept. */
void http2_request_add(struct http2_request *head, struct request *request, struct text name,
                       struct text value);

/** The block is complete: check and seal the request. `ended`: no body follows.
 *  @return 200, or the status to refuse it with; then `*ret_reason` is constant text */
unsigned http2_request_finish(struct http2_request *head, struct request *request, bool ended,
                              const char **ret_reason) MUST_USE;
