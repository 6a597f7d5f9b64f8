#include "serve/http1.h"

#include "serve/request_line.h"
#include "serve/target.h"

#include <string.h>

static int on_header_name(llhttp_t *llhttp, const char *data, size_t size);
static int on_header_value(llhttp_t *llhttp, const char *data, size_t size);
static int on_header_done(llhttp_t *llhttp);
static int on_extension(llhttp_t *llhttp, const char *data, size_t size);
static int on_trailer(struct http1 *http1, const char *data, size_t size, bool value);
static int on_trailer_done(struct http1 *http1);
static int on_body(llhttp_t *llhttp, const char *data, size_t size);
static int on_head_done(llhttp_t *llhttp);
static int on_chunk_done(llhttp_t *llhttp);
static int on_message_done(llhttp_t *llhttp);

static const llhttp_settings_t settings = {
    .on_header_field = on_header_name,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_done,
    .on_headers_complete = on_head_done,
    .on_body = on_body,
    .on_chunk_extension_name = on_extension,
    .on_chunk_extension_value = on_extension,
    .on_chunk_complete = on_chunk_done,
    .on_message_complete = on_message_done,
};

void http1_rules_init(struct http1_rules *rules, uint32_t header_bytes_max,
                      uint32_t header_count_max, uint32_t target_bytes_max)
{
    static const char *const lines[] = {"POST / HTTP/1.0\r\n", "POST / HTTP/1.1\r\n"};
    *rules = (struct http1_rules){.header_bytes_max = header_bytes_max,
                                  .header_count_max = header_count_max,
                                  .target_bytes_max = target_bytes_max};
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        llhttp_init(&rules->start[i], HTTP_REQUEST, &settings);
        llhttp_errno_t failed = llhttp_execute(&rules->start[i], lines[i], strlen(lines[i]));
        INVARIANT(failed == HPE_OK);
    }
}

void http1_init(struct http1 *http1, const struct http1_rules *rules)
{
    *http1 = (struct http1){.rules = rules};
}

void http1_next(struct http1 *http1)
{
    INVARIANT(http1->ended);
    http1_init(http1, http1->rules);
}

static bool fail(struct http1 *http1, unsigned status, const char *reason)
{
    http1->phase = HTTP1_IN_ERROR;
    http1->status = status;
    http1->reason = reason;
    return false;
}

static bool fail_memory(struct http1 *http1)
{
    return fail(http1, 503, "out of memory");
}

/* What a callback returns to stop llhttp. */
static int refuse(struct http1 *http1, unsigned status, const char *reason)
{
    fail(http1, status, reason);
    return HPE_USER;
}

/* ---- Request line ---- */

/* Keep what is needed of the line; the target is looked at when the head is complete. */
static bool take_line(struct http1 *http1, struct text text)
{
    struct request *request = http1->request;
    struct request_line line;
    const char *reason = NULL;
    unsigned status = request_line_parse(text, http1->rules->target_bytes_max, &line, &reason);
    if (status != 200) {
        return fail(http1, status, reason);
    }
    struct span method = {0}, target = {0};
    if (!request_append(request, &method, line.method_name.data, line.method_name.size) ||
        !request_append(request, &target, line.target.data, line.target.size)) {
        return fail_memory(http1);
    }
    /* Pointers come when the arena is sealed; sizes are enough to find both again. */
    request->method = line.method;
    request->minor_version = line.minor_version;
    request->method_name.size = line.method_name.size;
    request->target.size = line.target.size;
    http1->header_bytes = 0;
    http1->llhttp = http1->rules->start[line.minor_version];
    http1->llhttp.data = http1;
    http1->phase = HTTP1_IN_HEADERS;
    return true;
}

/* Takes the line that ends in `data`, or remembers its beginning. Returns how much was used. */
static size_t feed_line(struct http1 *http1, const char *data, size_t size)
{
    struct request *request = http1->request;
    size_t limit = (size_t)http1->rules->target_bytes_max + REQUEST_LINE_REST_BYTES;
    size_t look = limit - http1->line.size;
    const char *end = memchr(data, '\n', size < look ? size : look);
    size_t piece = end != NULL ? (size_t)(end - data) : size;
    if (end == NULL && size >= look) {
        fail(http1, 414, "request target too long");
        return size;
    }
    if (end != NULL && http1->line.size == 0) {
        take_line(http1, (struct text){data, piece});
        return piece + 1;
    }
    if (!request_append(request, &http1->line, data, piece)) {
        fail_memory(http1);
        return size;
    }
    if (end == NULL) {
        return size;
    }
    /* take_line() appends to the arena that the line lies in: lend it another one. */
    struct bytes line = request->arena;
    request->arena = (struct bytes){0};
    take_line(http1, (struct text){(const char *)line.data, line.size});
    bytes_fini(&line);
    return piece + 1;
}

static size_t feed_lead(struct http1 *http1, const char *data)
{
    if (http1->lead == 0 && data[0] == '\r') {
        http1->lead = 1;
        return 1;
    }
    if (http1->lead == 1) {
        http1->lead = 2;
        if (data[0] != '\n') {
            fail(http1, 400, "stray CR");
        }
        return 1;
    }
    http1->phase = HTTP1_IN_LINE;
    return 0;
}

/* ---- Header lines: llhttp's callbacks ---- */

static int on_header_name(llhttp_t *llhttp, const char *data, size_t size)
{
    struct http1 *http1 = llhttp->data;
    if (http1->phase == HTTP1_IN_CHUNKS) {
        return on_trailer(http1, data, size, false);
    }
    struct request *request = http1->request;
    struct header_span *spans = (struct header_span *)(void *)request->spans.data;
    struct header_span *header = NULL;
    if (request->header_count == 0 || http1->in_value) {
        header = request_add_header(request);
        http1->in_value = false;
    } else {
        header = &spans[request->header_count - 1];
    }
    if (header == NULL || !request_append(request, &header->name, data, size)) {
        fail_memory(http1);
        return HPE_USER;
    }
    return 0;
}

static int on_header_value(llhttp_t *llhttp, const char *data, size_t size)
{
    struct http1 *http1 = llhttp->data;
    if (http1->phase == HTTP1_IN_CHUNKS) {
        return on_trailer(http1, data, size, true);
    }
    struct request *request = http1->request;
    struct header_span *spans = (struct header_span *)(void *)request->spans.data;
    if (!request_append(request, &spans[request->header_count - 1].value, data, size)) {
        fail_memory(http1);
        return HPE_USER;
    }
    return 0;
}

static int on_header_done(llhttp_t *llhttp)
{
    struct http1 *http1 = llhttp->data;
    if (http1->phase == HTTP1_IN_CHUNKS) {
        return on_trailer_done(http1);
    }
    http1->in_value = true;
    if (http1->phase == HTTP1_IN_HEADERS &&
        http1->request->header_count > http1->rules->header_count_max) {
        return refuse(http1, 431, "too many header lines");
    }
    return 0;
}

/* What a line takes beside its name and value: ": " and a newline. */
enum { TRAILER_LINE_BYTES = 3 };

/* Chunk extensions are checked, counted and dropped; so are trailers that nobody wants. */
static int on_extension(llhttp_t *llhttp, const char *data, size_t size)
{
    (void)data;
    struct http1 *http1 = llhttp->data;
    http1->header_bytes += (uint32_t)size;
    if (http1->header_bytes > http1->rules->header_bytes_max) {
        return refuse(http1, 400, "chunk extensions or trailers too large");
    }
    return 0;
}

static int keep_trailer(struct http1 *http1, const char *data, size_t size)
{
    if (http1->trailers != NULL && !bytes_append(http1->trailers, data, size)) {
        fail_memory(http1);
        return HPE_USER;
    }
    return 0;
}

static int on_trailer(struct http1 *http1, const char *data, size_t size, bool value)
{
    int result = on_extension(&http1->llhttp, data, size);
    if (result == 0 && value && !http1->in_value) {
        result = keep_trailer(http1, ": ", 2);
    }
    http1->in_value = value;
    return result != 0 ? result : keep_trailer(http1, data, size);
}

static int on_trailer_done(struct http1 *http1)
{
    bool empty = !http1->in_value;
    http1->in_value = false;
    int result = on_extension(&http1->llhttp, NULL, TRAILER_LINE_BYTES);
    if (result != 0) {
        return result;
    }
    return empty ? keep_trailer(http1, ": \n", 3) : keep_trailer(http1, "\n", 1);
}

static int on_head_done(llhttp_t *llhttp)
{
    (void)llhttp;
    return HPE_PAUSED;
}

static int on_body(llhttp_t *llhttp, const char *data, size_t size)
{
    struct http1 *http1 = llhttp->data;
    INVARIANT(http1->body.size == 0);
    http1->body = (struct text){data, size};
    return 0;
}

static int on_chunk_done(llhttp_t *llhttp)
{
    const struct http1 *http1 = llhttp->data;
    return http1->body.size > 0 ? HPE_PAUSED : 0; /* One piece per feed. */
}

static int on_message_done(llhttp_t *llhttp)
{
    struct http1 *http1 = llhttp->data;
    http1->ended = true;
    return HPE_PAUSED;
}

/* Let llhttp go on; returns how much it used. */
static size_t feed_llhttp(struct http1 *http1, const char *data, size_t size)
{
    llhttp_resume(&http1->llhttp);
    llhttp_errno_t result = llhttp_execute(&http1->llhttp, data, size);
    if (result == HPE_OK) {
        return size;
    }
    if (result == HPE_PAUSED) {
        return (size_t)(llhttp_get_error_pos(&http1->llhttp) - data);
    }
    if (http1->phase != HTTP1_IN_ERROR) {
        fail(http1, 400, http1->phase == HTTP1_IN_HEADERS ? "bad header line" : "bad chunked body");
    }
    return size;
}

/* ---- The whole head ---- */

struct framing {
    unsigned hosts, codings;
    const struct header *host, *coding, *expect;
};

static struct framing find_framing(const struct request *request)
{
    struct framing found = {0};
    for (size_t i = 0; i < request->header_count; i++) {
        const struct header *header = &request->headers[i];
        if (header->name.size == 4 && text_equal_nocase(header->name, "host", 4)) {
            found.hosts++;
            found.host = header;
        } else if (text_equal_nocase(header->name, "transfer-encoding", 17)) {
            found.codings++;
            found.coding = header;
        } else if (header->name.size == 6 && text_equal_nocase(header->name, "expect", 6)) {
            found.expect = header;
        }
    }
    return found;
}

/* Method and target lie at the front of the arena, one behind the other. */
static bool check_target(struct http1 *http1)
{
    struct request *request = http1->request;
    request->method_name.data = (const char *)request->arena.data;
    struct text raw = {request->method_name.data + request->method_name.size, request->target.size};
    struct target target;
    if (!target_split(raw, request->method == METHOD_OPTIONS, &target)) {
        return fail(http1, 400, "bad request target");
    }
    request->target = target.origin;
    request->query = target.query;
    request->host = target.authority;
    char *path = request_take_room(request, target.path.size);
    int64_t path_size = target_decode_path(target.path, path);
    if (path_size < 0) {
        return fail(http1, 400, "bad path");
    }
    request->path = (struct text){path, (size_t)path_size};
    return true;
}

static bool check_host(struct http1 *http1, const struct framing *framing)
{
    struct request *request = http1->request;
    if (framing->hosts > 1 || (framing->hosts == 0 && request->minor_version > 0)) {
        return fail(http1, 400, "exactly one Host header is needed");
    }
    if (framing->host == NULL) {
        return true;
    }
    if (!authority_is_valid(framing->host->value)) {
        return fail(http1, 400, "bad Host header");
    }
    if (request->host.size == 0) {
        request->host = framing->host->value;
    }
    return true;
}

/* Where the message ends (RFC 9112, 6). llhttp has refused two lengths, a length beside a transfer
 * coding, and lengths that are no number. */
static bool check_body(struct http1 *http1, const struct framing *framing)
{
    struct request *request = http1->request;
    const llhttp_t *llhttp = &http1->llhttp;
    if (framing->coding != NULL) {
        if (request->minor_version == 0) {
            return fail(http1, 400, "a transfer coding in HTTP/1.0");
        }
        if (framing->codings > 1) {
            return fail(http1, 400, "more than one Transfer-Encoding");
        }
        if (!text_equal_nocase(framing->coding->value, "chunked", 7)) {
            return fail(http1, 501, "unknown transfer coding");
        }
        http1->phase = HTTP1_IN_CHUNKS;
        http1->in_value = false;
        http1->header_bytes = 0;
        request->has_body = true;
        return true;
    }
    request->body_sized = (llhttp->flags & F_CONTENT_LENGTH) != 0;
    request->body_bytes = request->body_sized ? llhttp->content_length : 0;
    request->has_body = request->body_bytes > 0;
    http1->left = request->body_bytes;
    http1->phase = request->has_body ? HTTP1_IN_SIZED : HTTP1_IN_NOTHING;
    return true;
}

static bool finish_head(struct http1 *http1)
{
    struct request *request = http1->request;
    /* As check_target() finds it. */
    struct text target = {(const char *)request->arena.data + request->method_name.size,
                          request->target.size};
    if (!request_seal(request, request_target_room(target))) {
        return fail_memory(http1);
    }
    struct framing framing = find_framing(request);
    uint16_t flags = http1->llhttp.flags;
    if (!check_target(http1) || !check_host(http1, &framing) || !check_body(http1, &framing)) {
        return false;
    }
    http1->keep_alive = (flags & F_CONNECTION_CLOSE) == 0 &&
                        (request->minor_version > 0 || (flags & F_CONNECTION_KEEP_ALIVE) != 0);
    if (framing.expect != NULL && request->minor_version > 0) {
        bool known = text_equal_nocase(framing.expect->value, "100-continue", 12);
        http1->expects_other = !known;
        http1->expects_continue = known && request->has_body;
    }
    return true;
}

/* Returns how much was used; HEAD was reached when the phase is another one. */
static size_t feed_headers(struct http1 *http1, const char *data, size_t size)
{
    size_t look = (size_t)http1->rules->header_bytes_max + 1 - http1->header_bytes;
    size_t used = feed_llhttp(http1, data, size < look ? size : look);
    if (http1->phase == HTTP1_IN_ERROR) {
        return used;
    }
    http1->header_bytes += (uint32_t)used;
    if (http1->header_bytes > http1->rules->header_bytes_max) {
        fail(http1, 431, "header too large");
    } else if (llhttp_get_errno(&http1->llhttp) == HPE_PAUSED) {
        finish_head(http1);
    }
    return used;
}

/* ---- One step ---- */

static struct http1_step feed_body(struct http1 *http1, const char *data, size_t size)
{
    struct http1_step step = {.event = HTTP1_MORE};
    http1->body = (struct text){0};
    if (http1->phase == HTTP1_IN_SIZED) {
        step.used = size < http1->left ? size : (size_t)http1->left;
        http1->body = (struct text){data, step.used};
        http1->left -= step.used;
        if (http1->left == 0) {
            http1->phase = HTTP1_IN_NOTHING;
        }
    } else {
        step.used = feed_llhttp(http1, data, size);
        if (http1->ended) {
            http1->phase = HTTP1_IN_NOTHING;
        }
    }
    if (http1->body.size > 0) {
        step.event = HTTP1_BODY;
        step.body = http1->body;
    }
    return step;
}

static size_t feed_head(struct http1 *http1, const char *data, size_t size)
{
    size_t used = 0;
    while (used < size && http1->phase <= HTTP1_IN_HEADERS) {
        if (http1->phase == HTTP1_IN_LEAD) {
            used += feed_lead(http1, data + used);
        } else if (http1->phase == HTTP1_IN_LINE) {
            used += feed_line(http1, data + used, size - used);
        } else {
            used += feed_headers(http1, data + used, size - used);
        }
    }
    return used;
}

struct http1_step http1_feed(struct http1 *http1, struct request *request, const void *data,
                             size_t size_bytes)
{
    struct http1_step step = {.event = HTTP1_MORE};
    http1->request = request;
    if (http1->phase <= HTTP1_IN_HEADERS) {
        step.used = feed_head(http1, data, size_bytes);
        if (http1->phase > HTTP1_IN_HEADERS && http1->phase != HTTP1_IN_ERROR) {
            step.event = HTTP1_HEAD;
        }
    } else if (http1->phase == HTTP1_IN_NOTHING) {
        http1->ended = true;
        step.event = HTTP1_END;
    } else if (size_bytes > 0 && http1->phase != HTTP1_IN_ERROR) {
        step = feed_body(http1, data, size_bytes);
        if (step.event == HTTP1_MORE && http1->phase == HTTP1_IN_NOTHING) {
            step.event = HTTP1_END;
        }
    }
    /* A piece of the body that stands before the error comes first. */
    if (http1->phase == HTTP1_IN_ERROR && step.event != HTTP1_BODY) {
        step.event = HTTP1_BAD;
    }
    http1->request = NULL;
    return step;
}
