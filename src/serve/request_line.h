/**
 * @file
 * The first line of an HTTP/1 request (RFC 9112, 3): METHOD SP target SP HTTP/1.x CR. Pure and strict.
 */
#pragma once

#include "serve/request.h"

/** What the line may have beside its target: method, spaces, version, CR. */
enum { REQUEST_LINE_METHOD_MAX = 32, REQUEST_LINE_REST_BYTES = REQUEST_LINE_METHOD_MAX + 12 };

struct request_line {
    enum http_method method;
    struct text method_name;
    struct text target;     /**< Not looked at yet, but for its size. */
    unsigned minor_version; /**< 0 or 1. */
};

/** Take the line up to its LF, which is not part of `line`, apart. CONNECT is refused.
 *  @param target_bytes_max  414 above
 *  @return 200, or the status to refuse it with; then `*ret_reason` is constant text */
unsigned request_line_parse(struct text line, size_t target_bytes_max, struct request_line *ret,
                            const char **ret_reason) MUST_USE;

/** The method of that name; METHOD_OTHER for any token that is none of ours. */
enum http_method request_line_method(struct text name);
