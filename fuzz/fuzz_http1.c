/* Any bytes are either requests or refused, and however they are cut into pieces, the same comes out:
 * the same requests, the same bodies, the same verdict. The first byte of the input says how to cut. */
#include "serve/http1.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

/* What came out, as bytes that can be compared. */
struct record {
    struct bytes bytes;
    bool in_body; /* pieces of one body are joined */
};

static void note(struct record *record, char kind, const void *data, size_t size)
{
    uint8_t sign[] = {(uint8_t)kind};
    bool noted = bytes_append(&record->bytes, sign, 1) && bytes_append(&record->bytes, data, size);
    INVARIANT(noted);
    record->in_body = false;
}

static void note_body(struct record *record, struct text piece)
{
    bool noted = (record->in_body || bytes_append(&record->bytes, "b", 1)) &&
                 bytes_append(&record->bytes, piece.data, piece.size);
    INVARIANT(noted);
    record->in_body = true;
}

static void note_head(struct record *record, const struct http1 *http1,
                      const struct request *request)
{
    note(record, 'm', request->method_name.data, request->method_name.size);
    note(record, 't', request->target.data, request->target.size);
    note(record, 'p', request->path.data, request->path.size);
    note(record, 'q', request->query.data, request->query.size);
    note(record, 'h', request->host.data, request->host.size);
    for (size_t i = 0; i < request->header_count; i++) {
        note(record, 'n', request->headers[i].name.data, request->headers[i].name.size);
        note(record, 'v', request->headers[i].value.data, request->headers[i].value.size);
    }
    uint8_t flags[] = {(uint8_t)request->method, (uint8_t)request->minor_version,
                       request->has_body,        request->body_sized,
                       http1->keep_alive,        http1->expects_continue,
                       http1->expects_other};
    note(record, 'f', flags, sizeof(flags));
    note(record, 'l', &request->body_bytes, sizeof(request->body_bytes));
}

/* What callers rely on without looking. */
static void check_head(const struct request *request)
{
    INVARIANT(request->target.size > 0);
    INVARIANT(request->path.size > 0);
    INVARIANT(request->target.data[0] == '/' || request->method == METHOD_OPTIONS);
    INVARIANT(memchr(request->path.data, 0, request->path.size) == NULL);
    INVARIANT(memmem(request->path.data, request->path.size, "/../", 4) == NULL);
    INVARIANT(request->header_count <= 20);
    INVARIANT(request->minor_version == 0 || request->host.size > 0);
    INVARIANT(request->has_body || request->body_bytes == 0);
    for (size_t i = 0; i < request->header_count; i++) {
        struct text value = request->headers[i].value;
        INVARIANT(request->headers[i].name.size > 0);
        for (size_t k = 0; k < value.size; k++) {
            unsigned char byte = (unsigned char)value.data[k];
            INVARIANT((byte >= ' ' && byte != 0x7f) || byte == '\t');
        }
    }
}

struct run {
    struct http1 http1;
    struct request request;
    struct record record;
    bool bad;
};

/* Take steps until everything of this piece is used. */
static void feed(struct run *run, const uint8_t *data, size_t size)
{
    size_t used = 0;
    while (!run->bad) {
        struct http1_step step = http1_feed(&run->http1, &run->request, data + used, size - used);
        INVARIANT(step.used <= size - used);
        used += step.used;
        switch (step.event) {
        case HTTP1_MORE:
            INVARIANT(used == size);
            return;
        case HTTP1_HEAD:
            check_head(&run->request);
            note_head(&run->record, &run->http1, &run->request);
            break;
        case HTTP1_BODY:
            INVARIANT(step.body.size > 0);
            note_body(&run->record, step.body);
            break;
        case HTTP1_END:
            note(&run->record, 'e', NULL, 0);
            http1_next(&run->http1);
            request_reset(&run->request);
            break;
        case HTTP1_BAD:
            INVARIANT(run->http1.status >= 400 && run->http1.status <= 505);
            note(&run->record, 'x', &run->http1.status, sizeof(run->http1.status));
            run->bad = true;
            break;
        }
    }
}

static void run_init(struct run *run, const struct http1_rules *rules)
{
    memset(run, 0, sizeof(*run));
    http1_init(&run->http1, rules);
}

static void run_fini(struct run *run)
{
    request_fini(&run->request);
    bytes_fini(&run->record.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes == 0) {
        return 0;
    }
    struct http1_rules rules;
    http1_rules_init(&rules, 300, 20, 60);
    struct run whole, cut;
    run_init(&whole, &rules);
    run_init(&cut, &rules);
    uint32_t seed = data[0];
    data++;
    size_bytes--;
    feed(&whole, data, size_bytes);
    for (size_t at = 0, size = 0; at < size_bytes; at += size) {
        /* Seeds below 16 are fixed sizes, the others a sequence of small ones. */
        seed = seed < 16 ? seed : seed * 1103515245 + 12345;
        size = seed < 16 ? seed + 1 : 1 + (seed >> 16) % 23;
        size = size_bytes - at < size ? size_bytes - at : size;
        feed(&cut, data + at, size);
    }
    INVARIANT(whole.bad == cut.bad);
    INVARIANT(whole.record.bytes.size == cut.record.bytes.size);
    INVARIANT(whole.record.bytes.size == 0 ||
              memcmp(whole.record.bytes.data, cut.record.bytes.data, whole.record.bytes.size) == 0);
    run_fini(&whole);
    run_fini(&cut);
    return 0;
}
