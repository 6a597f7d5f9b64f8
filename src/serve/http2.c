#include "serve/http2_internal.h"

#include "serve/access.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 16 }; /* from news to frames, in one production */

const char http2_preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static struct http2 *of(struct session *session)
{
    return CONTAINER_OF(session, struct http2, session);
}

/* ---- Times ---- */

void http2_due_at(struct http2 *http2, uint64_t ns)
{
    if (ns != 0 && (http2->due_ns == 0 || ns < http2->due_ns)) {
        http2->due_ns = ns;
    }
}

uint64_t http2_after_ms(const struct http2 *http2, uint64_t ms)
{
    return ms == 0 ? 0 : lane_now_ns(http2->lane) + ms * 1000000;
}

/* ---- Ends ---- */

void http2_break(struct http2 *http2)
{
    http2->broken = http2->ending = true;
}

void http2_terminate(struct http2 *http2, uint32_t code, const char *reason)
{
    if (http2->ending) {
        return;
    }
    http2->ending = true;
    if (nghttp2_session_terminate_session(http2->nghttp2, code) != 0) {
        http2_break(http2);
    }
    lane_count(&http2->lane->refused);
    if (http2->site->options.access_log) {
        char id[17];
        id_format(pid_next(&http2->lane->ids).raw, id);
        access_log_refusal(0, reason, id, http2->caller->remote);
    }
}

void http2_count_error(struct http2 *http2)
{
    const char *reason = http2_guard_error(&http2->guard, lane_now_ns(http2->lane));
    if (reason != NULL) {
        http2_terminate(http2, NGHTTP2_ENHANCE_YOUR_CALM, reason);
    }
}

/* ---- Credit of the connection ---- */

static void settle_credit(struct http2 *http2)
{
    if (http2->owed_bytes == 0) {
        return;
    }
    if (!holding_has_room(&http2->lane->holding, 0)) {
        http2_due_at(http2, http2_after_ms(http2, HTTP2_PRESSED_MS));
        return;
    }
    if (nghttp2_session_consume_connection(http2->nghttp2, http2->owed_bytes) != 0) {
        http2_break(http2);
    }
    http2->owed_bytes = 0;
}

/* It does not wait for any process to read: that is what the credit of a stream is for. */
void http2_give_credit(struct http2 *http2, size_t size_bytes)
{
    http2->owed_bytes += size_bytes;
    settle_credit(http2);
}

/* ---- Memory ---- */

static void *mem_malloc(size_t size, void *user_data)
{
    struct http2 *http2 = user_data;
    void *block = malloc(size);
    http2->mem_bytes += malloc_usable_size(block);
    return block;
}

static void mem_free(void *block, void *user_data)
{
    struct http2 *http2 = user_data;
    http2->mem_bytes -= malloc_usable_size(block);
    free(block);
}

static void *mem_calloc(size_t count, size_t size, void *user_data)
{
    struct http2 *http2 = user_data;
    void *block = calloc(count, size);
    http2->mem_bytes += malloc_usable_size(block);
    return block;
}

static void *mem_realloc(void *block, size_t size, void *user_data)
{
    struct http2 *http2 = user_data;
    size_t before = malloc_usable_size(block);
    void *moved = realloc(block, size);
    if (moved != NULL) {
        http2->mem_bytes += malloc_usable_size(moved) - before;
    }
    return moved;
}

static void account(struct http2 *http2)
{
    long long held = (long long)http2->mem_bytes;
    if (held != http2->held) {
        holding_add(&http2->lane->holding, held - http2->held);
        http2->held = held;
    }
}

void http2_stream_account(struct http2_stream *stream)
{
    long long held = (long long)(stream->staged.capacity + stream->in.capacity);
    if (held != stream->held) {
        holding_add(&stream->http2->lane->holding, held - stream->held);
        stream->held = held;
    }
}

/* ---- What its carrier calls ---- */

static void receive(struct session *session, const char *data, size_t size)
{
    struct http2 *http2 = of(session);
    if (http2->ending) {
        return;
    }
    ssize_t used = nghttp2_session_mem_recv(http2->nghttp2, (const uint8_t *)data, size);
    if (used == NGHTTP2_ERR_BAD_CLIENT_MAGIC) {
        http2_terminate(http2, NGHTTP2_PROTOCOL_ERROR, "no HTTP/2 preface");
    } else if (used == NGHTTP2_ERR_FLOODED) {
        http2_terminate(http2, NGHTTP2_ENHANCE_YOUR_CALM, "too many frames to acknowledge");
    } else if (used < 0) {
        http2_break(http2);
    }
    account(http2);
}

static bool wants(struct session *session)
{
    const struct http2 *http2 = of(session);
    return !http2->ending &&
           nghttp2_session_get_outbound_queue_size(http2->nghttp2) < HTTP2_QUEUE_MAX;
}

static void look_at_news(struct http2 *http2)
{
    for (struct list *link; (link = list_take_first(&http2->news)) != NULL;) {
        http2_stream_advance(CONTAINER_OF(link, struct http2_stream, news));
    }
}

static bool send_frames(struct http2 *http2, struct bytes *out, size_t limit)
{
    while (out->size < limit) {
        const uint8_t *data = NULL;
        ssize_t size = nghttp2_session_mem_send(http2->nghttp2, &data);
        if (size < 0) {
            return false;
        }
        if (size == 0) {
            return true;
        }
        if (!bytes_append(out, data, (size_t)size)) {
            return false;
        }
    }
    return true;
}

/* A client that has shut its side can never give credit again: an answer that waits for some waits for
 * nothing (RFC 9113, 6.9). */
static void drop_starved(struct http2 *http2)
{
    nghttp2_session *nghttp2 = http2->nghttp2;
    bool none = nghttp2_session_get_remote_window_size(nghttp2) <= 0;
    for (struct list *link = http2->streams.next, *next; link != &http2->streams; link = next) {
        next = link->next;
        struct http2_stream *stream = CONTAINER_OF(link, struct http2_stream, link);
        bool sends = stream->open && stream->head_out && !stream->answered && !stream->deferred;
        if (sends &&
            (none || nghttp2_session_get_stream_remote_window_size(nghttp2, stream->id) <= 0)) {
            http2_stream_reset(stream, NGHTTP2_CANCEL, true);
        }
    }
}

static bool produce(struct session *session, struct bytes *out, size_t limit_bytes)
{
    struct http2 *http2 = of(session);
    http2->out = out;
    http2->out_limit_bytes = limit_bytes;
    settle_credit(http2);
    bool fine = true;
    size_t before = 0;
    unsigned steps = 0;
    do {
        before = out->size;
        look_at_news(http2);
        fine = !http2->broken && send_frames(http2, out, limit_bytes);
    } while (fine && (!list_is_empty(&http2->news) || out->size > before) &&
             out->size < limit_bytes && ++steps < STEPS_MAX);
    if (fine && http2->finished) {
        drop_starved(http2);
    }
    if (!list_is_empty(&http2->news)) {
        session_news(session); /* They go on when the others had their turn. */
    }
    http2->out = NULL;
    account(http2);
    return fine;
}

static void finished(struct session *session)
{
    struct http2 *http2 = of(session);
    http2->finished = true;
    for (struct list *link = http2->streams.next, *next; link != &http2->streams; link = next) {
        next = link->next;
        struct http2_stream *stream = CONTAINER_OF(link, struct http2_stream, link);
        if (stream->tunnel != NULL) {
            http2_stream_end_body(stream);
        } else if (http2_stream_needs_client(stream)) {
            http2_stream_reset(stream, NGHTTP2_CANCEL, true);
        } else {
            http2_stream_mark(stream); /* Perhaps only its process is left. */
        }
    }
}

static bool over(const struct session *session)
{
    const struct http2 *http2 = CONTAINER_OF((struct session *)(uintptr_t)session, struct http2,
                                             session);
    if (nghttp2_session_want_write(http2->nghttp2) != 0 || !list_is_empty(&http2->news)) {
        return false;
    }
    if (http2->ending) {
        return true;
    }
    bool unused = http2->stream_count == 0;
    return (http2->finished && unused) ||
           (nghttp2_session_want_read(http2->nghttp2) == 0 && (unused || !http2->draining));
}

static uint64_t due_ns(const struct session *session)
{
    return CONTAINER_OF((struct session *)(uintptr_t)session, struct http2, session)->due_ns;
}

/* The last word of a drain: requests that were on their way to us when it began have come. */
static void say_last_stream(struct http2 *http2)
{
    http2->drain_due_ns = 0;
    int32_t last = nghttp2_session_get_last_proc_stream_id(http2->nghttp2);
    if (nghttp2_submit_goaway(http2->nghttp2, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0) !=
        0) {
        http2_break(http2);
    }
}

static bool is_over(uint64_t deadline_ns, uint64_t now_ns)
{
    return deadline_ns != 0 && now_ns >= deadline_ns;
}

static void due(struct session *session, uint64_t now_ns)
{
    struct http2 *http2 = of(session);
    http2->due_ns = 0;
    if (is_over(http2->head_due_ns, now_ns)) {
        http2_terminate(http2, NGHTTP2_ENHANCE_YOUR_CALM, "the request head came too slowly");
    } else if (is_over(http2->idle_due_ns, now_ns) && !http2->ending) {
        http2->ending = true;
        if (nghttp2_session_terminate_session(http2->nghttp2, NGHTTP2_NO_ERROR) != 0) {
            http2_break(http2);
        }
    } else if (is_over(http2->drain_due_ns, now_ns)) {
        say_last_stream(http2);
    }
    if (http2->ending) {
        return;
    }
    http2_due_at(http2, http2->head_due_ns);
    http2_due_at(http2, http2->idle_due_ns);
    http2_due_at(http2, http2->drain_due_ns);
    settle_credit(http2);
    for (struct list *link = http2->streams.next, *next; link != &http2->streams; link = next) {
        next = link->next;
        http2_stream_due(CONTAINER_OF(link, struct http2_stream, link), now_ns);
    }
}

static void drain(struct session *session)
{
    struct http2 *http2 = of(session);
    if (http2->draining || http2->ending) {
        return;
    }
    http2->draining = true;
    for (struct list *link = http2->streams.next; link != &http2->streams; link = link->next) {
        struct session *tunnel = CONTAINER_OF(link, struct http2_stream, link)->tunnel;
        if (tunnel != NULL) {
            tunnel->type->drain(tunnel);
        }
    }
    /* Also without a stream: a request may be on its way, and nobody else would answer it (RFC 9113, 6.8). */
    http2->drain_due_ns = http2_after_ms(http2, HTTP2_DRAIN_MS);
    http2_due_at(http2, http2->drain_due_ns);
    if (nghttp2_submit_shutdown_notice(http2->nghttp2) != 0 ||
        nghttp2_submit_ping(http2->nghttp2, NGHTTP2_FLAG_NONE, NULL) != 0) {
        http2_break(http2);
    }
}

static void dismiss(struct session *session)
{
    struct http2 *http2 = of(session);
    for (struct list *link = http2->streams.next; link != &http2->streams; link = link->next) {
        struct http2_stream *stream = CONTAINER_OF(link, struct http2_stream, link);
        if (stream->exchange != NULL && stream->dispatched) {
            (void)exchange_dismiss(stream->exchange);
        }
    }
}

static bool busy(const struct session *session)
{
    const struct http2 *http2 = CONTAINER_OF((struct session *)(uintptr_t)session, struct http2,
                                             session);
    return http2->stream_count > 0;
}

static void lose(struct session *session)
{
    struct http2 *http2 = of(session);
    /* First the streams: nghttp2 closes none of them when it is ended itself. */
    while (!list_is_empty(&http2->streams)) {
        struct list *link = http2->streams.next;
        http2_stream_destroy(CONTAINER_OF(link, struct http2_stream, link));
    }
    nghttp2_session_del(http2->nghttp2);
    account(http2);
    INVARIANT(http2->held == 0);
    free(http2);
}

static const struct session_type type = {
    .name = "h2",
    .receive = receive,
    .wants = wants,
    .produce = produce,
    .finished = finished,
    .over = over,
    .due_ns = due_ns,
    .due = due,
    .drain = drain,
    .dismiss = dismiss,
    .busy = busy,
    .lose = lose,
};

struct session *http2_create(struct lane *lane, const struct site *site,
                             const struct caller *caller)
{
    struct http2 *http2 = calloc(1, sizeof(*http2));
    if (http2 == NULL) {
        return NULL;
    }
    http2->session.type = &type;
    http2->lane = lane;
    http2->site = site;
    http2->mem = (nghttp2_mem){http2, mem_malloc, mem_free, mem_calloc, mem_realloc};
    http2->caller = caller;
    list_init(&http2->streams);
    list_init(&http2->news);
    http2_guard_init(&http2->guard, lane_now_ns(lane));
    http2->idle_due_ns = http2_after_ms(http2, site->options.idle_timeout_ms);
    http2->head_due_ns = http2_after_ms(http2, site->options.header_timeout_ms);
    http2_due_at(http2, http2->idle_due_ns);
    http2_due_at(http2, http2->head_due_ns);
    if (!http2_open_nghttp2(http2)) {
        lose(&http2->session);
        return NULL;
    }
    account(http2);
    return &http2->session;
}
