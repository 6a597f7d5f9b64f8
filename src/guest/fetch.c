#include "guest/fetch_internal.h"

#include "base/token.h"
#include "core/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *fetch_error_name(enum fetch_error error)
{
    switch (error) {
    case FETCH_OK:
        return "ok";
    case FETCH_DENIED:
        return "denied";
    case FETCH_NAME:
        return "name";
    case FETCH_CONNECT:
        return "connect";
    case FETCH_TLS:
        return "tls";
    case FETCH_TIMEOUT:
        return "timeout";
    case FETCH_CLOSED:
        return "closed";
    case FETCH_PROTOCOL:
        return "protocol";
    case FETCH_LIMIT:
        return "limit";
    case FETCH_CANCELLED:
        return "cancelled";
    case FETCH_MEMORY:
        return "memory";
    }
    BUG("fetch error %d", (int)error);
}

/* ---- begin ---- */

static uint64_t shorter(uint64_t wanted_ns, uint64_t most_ns)
{
    return wanted_ns == 0 || (most_ns != 0 && most_ns < wanted_ns) ? most_ns : wanted_ns;
}

void fetch_request_limit(struct fetch_request *request, const struct grant *grant)
{
    request->policy = grant->network;
    request->connect_ns = shorter(request->connect_ns, grant->fetch_connect_ns);
    request->idle_ns = shorter(request->idle_ns, grant->fetch_idle_ns);
    request->whole_ns = shorter(request->whole_ns, grant->fetch_whole_ns);
}

static bool method_is(const struct fetch *fetch, const char *method)
{
    return strcmp(fetch->method, method) == 0;
}

static bool take_method(struct fetch *fetch, const struct fetch_request *request, struct err *err)
{
    if (request->method_bytes > FETCH_METHOD_BYTES_MAX ||
        !token_is_valid(request->method, request->method_bytes)) {
        return err_set(err, ERR_INPUT, "the method is none");
    }
    memcpy(fetch->method, request->method, request->method_bytes);
    if (method_is(fetch, "CONNECT") || method_is(fetch, "TRACE")) {
        return err_set(err, ERR_INPUT, "method %s is not for guests", fetch->method);
    }
    fetch->has_body = request->has_body;
    fetch->body_bytes = request->body_bytes;
    if (fetch->has_body && method_is(fetch, "HEAD")) {
        return err_set(err, ERR_INPUT, "a HEAD has no body");
    }
    /* These say that there is nothing, where others say nothing (RFC 9110, 8.6). */
    fetch->sends_empty = !fetch->has_body && (method_is(fetch, "POST") || method_is(fetch, "PUT") ||
                                              method_is(fetch, "PATCH"));
    return true;
}

bool fetch_slist_add(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer != NULL) {
        *list = longer;
    }
    return longer != NULL;
}

static bool take_field(struct fetch *fetch, const struct fetch_field *field, struct err *err)
{
    static const char *const ours[] = {"host", "content-length", "expect", "trailer"};
    bool trailers = fetch_field_is(field, "te") && field->value_bytes == strlen("trailers") &&
                    memcmp(field->value, "trailers", field->value_bytes) == 0;
    bool refused = !fetch_field_is_valid(field) || fetch_field_is_of_connection(field) ||
                   (fetch_field_is(field, "te") && !trailers);
    for (size_t i = 0; i < ARRAY_LENGTH(ours); i++) {
        refused = refused || fetch_field_is(field, ours[i]);
    }
    if (refused) {
        return err_set(err, ERR_INPUT, "header '%.*s' is malformed, or not the guest's to give",
                       (int)(field->name_bytes < 64 ? field->name_bytes : 64), field->name);
    }
    size_t size = field->name_bytes + field->value_bytes + 3;
    char *line = malloc(size);
    if (line == NULL) {
        return err_set_memory(err);
    }
    /* A header without a value is written with a semicolon, else curl would leave its own one out. */
    if (field->value_bytes == 0) {
        snprintf(line, size, "%.*s;", (int)field->name_bytes, field->name);
    } else {
        snprintf(line, size, "%.*s: %.*s", (int)field->name_bytes, field->name,
                 (int)field->value_bytes, field->value);
    }
    bool added = fetch_slist_add(&fetch->fields, line);
    free(line);
    return added || err_set_memory(err);
}

static bool take_fields(struct fetch *fetch, const struct fetch_request *request, struct err *err)
{
    const struct fetcher *fetcher = fetch->lane->fetcher;
    size_t bytes = 0;
    bool accepts = false;
    bool named = false;
    for (size_t i = 0; i < request->field_count; i++) {
        const struct fetch_field *field = &request->fields[i];
        bytes += field->name_bytes + field->value_bytes + 4;
        accepts = accepts || fetch_field_is(field, "accept");
        named = named || fetch_field_is(field, "user-agent");
        if (i >= fetcher->header_count_max || bytes > fetcher->header_bytes_max) {
            return err_set(err, ERR_LIMIT, "at most %u headers of %u bytes",
                           fetcher->header_count_max, fetcher->header_bytes_max);
        }
        if (!take_field(fetch, field, err)) {
            return false;
        }
    }
    bool good = fetch_slist_add(&fetch->fields, "Expect:") &&
                (accepts || fetch_slist_add(&fetch->fields, "Accept: */*")) &&
                (named || fetch_slist_add(&fetch->fields, "User-Agent: mote/" MOTE_VERSION));
    return good || err_set_memory(err);
}

/* What can be told without a look-up. */
static bool check_policy(struct fetch *fetch, struct err *err)
{
    const struct fetch_aim *aim = &fetch->aim;
    bool allowed = aim->literal ? network_policy_allows(fetch->policy, &aim->ip, aim->port, NULL)
                                : network_policy_may_resolve(fetch->policy, aim->host);
    if (allowed) {
        return true;
    }
    atomic_fetch_add_explicit(&fetch->lane->fetcher->denied, 1, memory_order_relaxed);
    char advice[NETWORK_ADVICE_BYTES];
    fetch_aim_advise(aim, advice);
    return err_set(err, ERR_DENIED, "%s", advice);
}

static bool take_request(struct fetch *fetch, const struct fetch_request *request, struct err *err)
{
    fetch->connect_ns = request->connect_ns;
    fetch->head_ns = request->head_ns;
    fetch->idle_ns = request->idle_ns;
    fetch->whole_ns = request->whole_ns;
    fetch->redirects_left = request->redirects_max < FETCH_REDIRECTS_MAX ? request->redirects_max
                                                                         : FETCH_REDIRECTS_MAX;
    if (request->url_bytes > FETCH_URL_BYTES_MAX ||
        memchr(request->url, 0, request->url_bytes) != NULL) {
        return err_set(err, ERR_INPUT, "a URL has at most %d bytes", (int)FETCH_URL_BYTES_MAX);
    }
    char *url = strndup(request->url, request->url_bytes);
    if (url == NULL) {
        return err_set_memory(err);
    }
    bool good = fetch_aim_init(&fetch->aim, NULL, url, err);
    free(url);
    return good && take_method(fetch, request, err) && take_fields(fetch, request, err) &&
           check_policy(fetch, err);
}

static void fetch_free(struct fetch *fetch)
{
    fetch_aim_fini(&fetch->aim);
    fetch_aim_fini(&fetch->next);
    curl_slist_free_all(fetch->fields);
    curl_slist_free_all(fetch->resolve);
    fetch_lines_fini(&fetch->lines);
    fetch_lines_fini(&fetch->trailers);
    network_policy_release(fetch->policy);
    lock_fini(&fetch->lock);
    free(fetch);
}

void fetch_release(struct fetch *fetch)
{
    /* Acquire and release: all uses come before the end. */
    if (atomic_fetch_sub_explicit(&fetch->references, 1, memory_order_acq_rel) == 1) {
        fetch_free(fetch);
    }
}

/* ---- news for the transfer ---- */

void fetch_tell(struct fetch *fetch, unsigned news)
{
    /* Release: pairs with the acquire of news_run(). */
    if (atomic_fetch_or_explicit(&fetch->news, news, memory_order_acq_rel) == 0) {
        atomic_fetch_add_explicit(&fetch->references, 1, memory_order_relaxed);
        worker_post(&fetch->lane->loop->worker, &fetch->task);
    }
}

static void end_retain(void *argument)
{
    struct fetch *fetch = argument;
    atomic_fetch_add_explicit(&fetch->references, 1, memory_order_relaxed);
}

static void body_wake(void *argument)
{
    fetch_tell(argument, FETCH_NEWS_BODY);
    fetch_release(argument);
}

static void answer_wake(void *argument)
{
    fetch_tell(argument, FETCH_NEWS_ROOM);
    fetch_release(argument);
}

static bool make_pipes(struct fetch *fetch, size_t buffer_bytes, struct pipe_end **ret_writer,
                       struct pipe_end **ret_reader)
{
    size_t size = buffer_bytes < FETCH_BUFFER_BYTES_MIN ? FETCH_BUFFER_BYTES_MIN : buffer_bytes;
    *ret_writer = NULL;
    if (!pipe_create(size, ret_reader, &fetch->answer)) {
        return false;
    }
    if (fetch->has_body && !pipe_create(size, &fetch->body, ret_writer)) {
        pipe_finish(*ret_reader, false, PIPE_NO_REASON);
        pipe_finish(TAKE(fetch->answer), false, PIPE_NO_REASON);
        return false;
    }
    struct stream_waker waker = {.wake = answer_wake, .argument = fetch, .retain = end_retain};
    stream_set_writer(pipe_stream(fetch->answer), waker);
    if (fetch->has_body) {
        waker.wake = body_wake;
        stream_set_reader(pipe_stream(fetch->body), waker);
    }
    return true;
}

static struct fetch_lane *choose_lane(struct fetcher *fetcher)
{
    struct worker *worker = worker_current();
    return &fetcher->lanes[worker != NULL ? worker->index : 0];
}

static bool take_place(struct fetcher *fetcher, struct err *err)
{
    /* Relaxed: a count. */
    if (atomic_fetch_add_explicit(&fetcher->fetches, 1, memory_order_relaxed) <
        fetcher->fetches_max) {
        return true;
    }
    atomic_fetch_sub_explicit(&fetcher->fetches, 1, memory_order_relaxed);
    return err_set(err, ERR_LIMIT, "the node has its max-fetches of %u", fetcher->fetches_max);
}

static void news_run(struct task *task)
{
    struct fetch *fetch = CONTAINER_OF(task, struct fetch, task);
    unsigned news = atomic_exchange_explicit(&fetch->news, 0, memory_order_acq_rel);
    if (!atomic_load_explicit(&fetch->over, memory_order_relaxed)) { /* own thread's */
        fetch_transfer_look(fetch, news);
    }
    fetch_release(fetch);
}

struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
                          struct stream_waker waker, struct pipe_end **ret_writer,
                          struct pipe_end **ret_reader, struct err *err)
{
    struct fetch_lane *lane = choose_lane(fetcher);
    if (atomic_load_explicit(&lane->stopped, memory_order_acquire)) {
        (void)err_set(err, ERR_LIMIT, "the node is stopping");
        return NULL;
    }
    struct fetch *fetch = calloc(1, sizeof *fetch);
    if (fetch == NULL) {
        (void)err_set_memory(err);
        return NULL;
    }
    lock_init(&fetch->lock, LOCK_FETCH);
    atomic_init(&fetch->references, 2);
    fetch->task.run = news_run;
    fetch->waker = waker;
    fetch->lane = lane;
    fetch->policy = network_policy_retain(request->policy);
    list_init(&fetch->link);
    if (!take_request(fetch, request, err) || !take_place(fetcher, err)) {
        fetch_free(fetch);
        return NULL;
    }
    if (!make_pipes(fetch, request->buffer_bytes, ret_writer, ret_reader)) {
        atomic_fetch_sub_explicit(&fetcher->fetches, 1, memory_order_relaxed);
        fetch_free(fetch);
        (void)err_set_memory(err);
        return NULL;
    }
    atomic_fetch_add_explicit(&fetcher->started, 1, memory_order_relaxed);
    fetch_tell(fetch, FETCH_NEWS_START);
    return fetch;
}

/* ---- the holder ---- */

void fetch_destroy(struct fetch *fetch)
{
    if (fetch == NULL) {
        return;
    }
    fetch_set_waker(fetch, (struct stream_waker){0});
    /* Acquire: pairs with the release of fetch_transfer_end(); the loop may be gone since. */
    if (!atomic_load_explicit(&fetch->over, memory_order_acquire)) {
        fetch_tell(fetch, FETCH_NEWS_CANCEL);
    }
    fetch_release(fetch);
}

void fetch_set_waker(struct fetch *fetch, struct stream_waker waker)
{
    lock_take(&fetch->lock);
    fetch->waker = waker;
    lock_release(&fetch->lock);
}

enum fetch_state fetch_poll(struct fetch *fetch)
{
    lock_take(&fetch->lock);
    enum fetch_state state = fetch->state;
    lock_release(&fetch->lock);
    return state;
}

const struct fetch_head *fetch_head(const struct fetch *fetch)
{
    return &fetch->lines.head;
}

const struct fetch_head *fetch_trailers(struct fetch *fetch)
{
    static const struct fetch_head none;
    lock_take(&fetch->lock);
    bool ended = fetch->ended;
    lock_release(&fetch->lock);
    return ended ? &fetch->trailers.head : &none;
}

enum fetch_error fetch_error(struct fetch *fetch, char ret_text[FETCH_TEXT_BYTES])
{
    lock_take(&fetch->lock);
    enum fetch_error error = fetch->error;
    if (ret_text != NULL) {
        memcpy(ret_text, fetch->text, FETCH_TEXT_BYTES);
    }
    lock_release(&fetch->lock);
    return error;
}

bool fetch_denial(struct fetch *fetch, char ret[NETWORK_ADVICE_BYTES])
{
    lock_take(&fetch->lock);
    memcpy(ret, fetch->denial, NETWORK_ADVICE_BYTES);
    lock_release(&fetch->lock);
    return ret[0] != '\0';
}
