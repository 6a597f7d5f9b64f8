/**
 * @file
 * One parsed and checked HTTP request, whatever the protocol it came by (RFC 9110). Pure data.
 *
 * All text lies in one arena and stays put from request_seal() until request_reset().
 * Life:    zeroed -> filled by a protocol's parser -> sealed -> read -> request_reset() -> again;
 *          request_fini() frees it.
 * Threads: constant once sealed and matched with its route.
 */
#pragma once

#include "base/bytes.h"

struct text {
    const char *data; /**< Not terminated. */
    size_t size;
};

struct header {
    struct text name;  /**< As sent; compare with text_equal_nocase(). */
    struct text value; /**< Without the white space around it. */
};

enum { REQUEST_PARAMS_MAX = 16 };

/** A `:name` or `*` segment of the matched route. */
struct param {
    struct text name;  /**< "*" for the rest of the path. Belongs to the route. */
    struct text value; /**< Percent-decoded. */
};

enum http_method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_PATCH,
    METHOD_OPTIONS,
    METHOD_OTHER, /**< Any other token; see method_name. */
};

struct request {
    enum http_method method;
    unsigned minor_version; /**< HTTP/1.x; 1 for HTTP/2. */
    struct text method_name;
    struct text target; /**< As sent: origin form, absolute form reduced to it, "*" for OPTIONS. */
    struct text
        path; /**< Before the "?", percent-decoded once; no NUL, no "..", no "//" folding. */
    struct text query; /**< After the "?", as sent. */
    struct text host;  /**< Host header or authority. */
    /** What an extended CONNECT asks for (RFC 8441): "websocket", and `method` is METHOD_GET then;
     *  size 0: an ordinary request. */
    struct text protocol;
    const struct header *headers;
    size_t header_count;
    uint64_t body_bytes;
    char *subject;              /**< Of the client's certificate ("CN=a,O=b"), or NULL. Ours. */
    const struct param *params; /**< In the arena. */
    size_t param_count;
    bool has_body;
    bool body_sized; /**< Content-Length was given: body_bytes. */
    bool secure;     /**< The client speaks TLS, with us or with a trusted proxy. */
    bool from_proxy; /**< A trusted proxy has sent it: what its headers say of the client counts. */
    char id[17];     /**< 16 hexadecimal digits, terminated: for logs and X-Request-Id. */
    /** "1.2.3.4:567", "[::1]:567", "unix"; port 0: a proxy did not say. Terminated. */
    char remote[64];
    struct bytes arena;
    struct bytes spans; /**< While it is filled: the headers as places in the arena. */
};

/** A piece of the arena while that may still move. */
struct span {
    uint32_t offset, size;
};

struct header_span {
    struct span name, value;
};

/** Forget the content, keep the storage. */
void request_reset(struct request *request);

/** Free the storage; a zeroed request is fine. */
void request_fini(struct request *request);

/** Filling: append to the arena and let `span` cover it as well; an empty span begins there, another
 *  one must end there. False: out of memory. */
bool request_append(struct request *request, struct span *span, const void *data, size_t size_bytes)
    MUST_USE;

/** Filling: begin the next header; both spans are empty. The result holds until the next call.
 *  NULL: out of memory. */
struct header_span *request_add_header(struct request *request) MUST_USE;

/** The room that a target takes later: for its decoded path, and the parameters of a route with their values. */
size_t request_target_room(struct text target);

/** Filling is over: fix the arena with `room` bytes for request_take_room(), and set `headers`.
 *  False: out of memory. */
bool request_seal(struct request *request, size_t room) MUST_USE;

/** Once sealed: the text that a span covers. */
struct text request_text(const struct request *request, struct span span);

/** Once sealed: some of the room that was set aside. BUG when it is used up. */
char *request_take_room(struct request *request, size_t size_bytes);

/** The same for the parameters of its route. They are to be filled, and in their order: it is all that `params` has. */
struct param *request_take_params(struct request *request, size_t count);

/** The first header of that name, or NULL. Names compare without case (ASCII). */
const struct header *request_header(const struct request *request, const char *name,
                                    size_t name_bytes);

/** The value of a query parameter, percent-decoded ('+' is a space), written to `ret` up to `capacity`.
 *  @return its full size, or -1 when absent or badly encoded. */
int64_t request_query_value(const struct request *request, const char *name, size_t name_bytes,
                            char *ret, size_t capacity);

bool text_equal(struct text a, const char *b);
bool text_equal_nocase(struct text a, const char *b, size_t b_bytes);
