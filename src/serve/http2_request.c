#include "serve/http2_request.h"

#include "base/number.h"
#include "serve/request_line.h"
#include "serve/target.h"

#include <string.h>

enum { LINE_REST_BYTES = 4 }; /* what HTTP/1 has between and behind name and value */

void http2_request_init(struct http2_request *head, const struct http1_rules *rules)
{
    *head = (struct http2_request){.rules = rules};
}

void http2_request_fini(struct http2_request *head)
{
    bytes_fini(&head->cookie);
}

static bool fail(struct http2_request *head, unsigned status, const char *reason)
{
    head->status = status;
    head->reason = reason;
    return false;
}

static bool fail_memory(struct http2_request *head)
{
    return fail(head, 503, "out of memory");
}

/* ---- Line by line ---- */

static void add_pseudo(struct http2_request *head, struct request *request, struct text name,
                       struct text value)
{
    struct span *span = text_equal(name, ":method")      ? &head->method
                        : text_equal(name, ":path")      ? &head->target
                        : text_equal(name, ":authority") ? &head->authority
                        : text_equal(name, ":scheme")    ? &head->scheme
                                                         : &head->protocol;
    size_t limit = head->rules->target_bytes_max;
    if (span == &head->target && value.size > limit) {
        fail(head, 414, "request target too long");
    } else if (span == &head->method && value.size > REQUEST_LINE_METHOD_MAX) {
        fail(head, 400, "bad method");
    } else if (!request_append(request, span, value.data, value.size)) {
        fail_memory(head);
    }
}

static bool append_header(struct request *request, struct text name, struct text value)
{
    struct header_span *header = request_add_header(request);
    return header != NULL && request_append(request, &header->name, name.data, name.size) &&
           request_append(request, &header->value, value.data, value.size);
}

static bool add_crumb(struct bytes *cookie, struct text value)
{
    return (cookie->size == 0 || bytes_append(cookie, "; ", 2)) &&
           bytes_append(cookie, value.data, value.size);
}

void http2_request_add(struct http2_request *head, struct request *request, struct text name,
                       struct text value)
{
    if (head->status != 0) {
        return;
    }
    if (name.size > 0 && name.data[0] == ':') {
        add_pseudo(head, request, name, value);
        return;
    }
    size_t room = head->rules->header_bytes_max - head->header_bytes;
    size_t size = name.size + value.size + LINE_REST_BYTES;
    if (size > room) {
        fail(head, 431, "header too large");
        return;
    }
    head->header_bytes += (uint32_t)size;
    bool crumb = text_equal(name, "cookie");
    head->has_host = head->has_host || text_equal(name, "host");
    if (!crumb && request->header_count >= head->rules->header_count_max) {
        fail(head, 431, "too many header lines");
        return;
    }
    bool added = crumb ? add_crumb(&head->cookie, value) : append_header(request, name, value);
    if (!added) {
        fail_memory(head);
    }
}

/* ---- The whole head ---- */

/* Lines that HTTP/1 has and this block has in another form. */
static bool add_lines(struct http2_request *head, struct request *request)
{
    struct text cookie = {(const char *)head->cookie.data, head->cookie.size};
    if (cookie.size > 0 && !append_header(request, (struct text){"cookie", 6}, cookie)) {
        return fail_memory(head);
    }
    if (!head->has_host) {
        /* The arena may move when it grows: first the room, then the text in it. */
        size_t size = head->authority.size;
        if (!bytes_reserve(&request->arena, size + 8) ||
            !append_header(request, (struct text){"host", 4},
                           request_text(request, head->authority))) {
            return fail_memory(head);
        }
    }
    return true;
}

/* RFC 8441, 4: a request for a protocol is routed as what it would be in HTTP/1, a GET. */
static bool check_method(struct http2_request *head, struct request *request)
{
    request->method_name = request_text(request, head->method);
    request->method = request_line_method(request->method_name);
    if (!text_equal(request->method_name, "CONNECT")) {
        return head->protocol.size == 0 || fail(head, 400, "a protocol without CONNECT");
    }
    request->protocol = request_text(request, head->protocol);
    if (request->protocol.size == 0) {
        return fail(head, 501, "this is no proxy");
    }
    if (!text_equal(request->protocol, "websocket")) {
        return fail(head, 501, "unknown protocol");
    }
    request->method = METHOD_GET;
    request->method_name = (struct text){"GET", 3};
    return true;
}

static bool check_target(struct http2_request *head, struct request *request)
{
    struct text scheme = request_text(request, head->scheme);
    if (!text_equal_nocase(scheme, "http", 4) && !text_equal_nocase(scheme, "https", 5)) {
        return fail(head, 400, "bad scheme");
    }
    struct text raw = request_text(request, head->target);
    struct target target;
    bool options = request->method == METHOD_OPTIONS;
    if (!target_split(raw, options, &target) || target.authority.size > 0) {
        return fail(head, 400, "bad request target");
    }
    request->target = target.origin;
    request->query = target.query;
    char *path = request_take_room(request, target.path.size);
    int64_t path_size = target_decode_path(target.path, path);
    if (path_size < 0) {
        return fail(head, 400, "bad path");
    }
    request->path = (struct text){path, (size_t)path_size};
    return true;
}

static bool check_host(struct http2_request *head, struct request *request)
{
    struct text authority = request_text(request, head->authority);
    for (size_t i = 0, hosts = 0; i < request->header_count; i++) {
        const struct header *header = &request->headers[i];
        if (!text_equal(header->name, "host")) {
            continue;
        }
        if (++hosts > 1) {
            return fail(head, 400, "more than one Host header");
        }
        request->host = header->value;
    }
    if (!authority_is_valid(request->host)) {
        return fail(head, 400, "bad Host header");
    }
    if (authority.size > 0 && !text_equal_nocase(request->host, authority.data, authority.size)) {
        return fail(head, 400, "authority and Host header differ");
    }
    return true;
}

static bool check_body(struct http2_request *head, struct request *request, bool ended)
{
    const struct header *length = request_header(request, "content-length", 14);
    request->body_sized = length != NULL;
    if (length != NULL &&
        !number_parse(length->value.data, length->value.size, INT64_MAX, &request->body_bytes)) {
        return fail(head, 400, "bad Content-Length");
    }
    bool empty = ended || (length != NULL && request->body_bytes == 0);
    request->has_body = !empty && request->protocol.size == 0;
    const struct header *expect = request_header(request, "expect", 6);
    if (expect != NULL) {
        bool known = text_equal_nocase(expect->value, "100-continue", 12);
        head->expects_other = !known;
        head->expects_continue = known && request->has_body;
    }
    return true;
}

unsigned http2_request_finish(struct http2_request *head, struct request *request, bool ended,
                              const char **ret_reason)
{
    bool fine = head->status == 0 && add_lines(head, request);
    if (fine && !request_seal(request, request_target_room(request_text(request, head->target)))) {
        fine = fail_memory(head);
    }
    request->minor_version = 1;
    fine = fine && check_method(head, request) && check_target(head, request) &&
           check_host(head, request) && check_body(head, request, ended);
    *ret_reason = head->reason;
    return fine ? 200 : head->status;
}
