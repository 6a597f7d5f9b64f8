/* The loop's side of a fetch: from its name to its end. */
#include "guest/fetch_internal.h"

#include "core/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t now_of(const struct fetch *fetch)
{
    return worker_look(&fetch->lane->loop->worker);
}

void fetch_publish(struct fetch *fetch)
{
    fetch->answered = true;
    fetch_lines_seal(&fetch->lines, fetch->status);
    lock_take(&fetch->lock);
    fetch->state = FETCH_ANSWERED;
    struct stream_waker waker = stream_waker_take(fetch->waker);
    lock_release(&fetch->lock);
    stream_waker_call(waker);
}

/* ---- its times ---- */

static void on_timer(struct timer *timer)
{
    fetch_tell(CONTAINER_OF(timer, struct fetch, timer), FETCH_NEWS_TIMER);
}

/* Its side waits for the holder: whoever sends nothing meanwhile is not idle. */
static bool waits_for_holder(const struct fetch *fetch)
{
    return fetch->receive_paused || fetch->send_paused;
}

/* The guest gives the limit: it may be as long as a number can say. */
static uint64_t sooner(uint64_t due_ns, uint64_t since_ns, uint64_t limit_ns)
{
    bool is_sooner = limit_ns != 0 && since_ns < due_ns && limit_ns < due_ns - since_ns;
    return is_sooner ? since_ns + limit_ns : due_ns;
}

static uint64_t next_due(const struct fetch *fetch)
{
    uint64_t due_ns = sooner(UINT64_MAX, fetch->began_ns, fetch->whole_ns);
    if (!fetch->answered) {
        due_ns = sooner(due_ns, fetch->began_ns, fetch->head_ns);
    }
    return fetch->connected ? sooner(due_ns, fetch->active_ns, fetch->idle_ns)
                            : sooner(due_ns, fetch->aimed_ns, fetch->connect_ns);
}

void fetch_set_timer(struct fetch *fetch)
{
    timer_cancel(&fetch->timer);
    uint64_t due_ns = next_due(fetch);
    if (due_ns != UINT64_MAX) {
        timer_start(&fetch->lane->loop->worker.timers, &fetch->timer, due_ns, on_timer);
    }
}

static void look_at_time(struct fetch *fetch)
{
    uint64_t now_ns = now_of(fetch);
    if (waits_for_holder(fetch)) {
        fetch->active_ns = now_ns;
    }
    if (now_ns < next_due(fetch)) {
        fetch_set_timer(fetch);
        return;
    }
    const char *text = "its whole time is over";
    if (!fetch->connected && now_ns >= sooner(UINT64_MAX, fetch->aimed_ns, fetch->connect_ns)) {
        text = "no connection in time";
    } else if (fetch->connected && now_ns >= sooner(UINT64_MAX, fetch->active_ns, fetch->idle_ns)) {
        text = "nothing came or went in time";
    }
    fetch_transfer_end(fetch, FETCH_TIMEOUT, text);
}

/* ---- whom to ask ---- */

void fetch_note_denial(struct fetch *fetch, const char *advice)
{
    lock_take(&fetch->lock);
    snprintf(fetch->denial, sizeof fetch->denial, "%s", advice);
    lock_release(&fetch->lock);
}

bool fetch_may_reach(struct fetch *fetch, const struct ip *ip, uint16_t port)
{
    const char *host = fetch->aim.literal ? NULL : fetch->aim.host;
    if (network_policy_allows(fetch->policy, ip, port, host)) {
        return true;
    }
    char advice[NETWORK_ADVICE_BYTES];
    network_policy_advise(ip, port, host, advice);
    fetch_note_denial(fetch, advice);
    return false;
}

static void go(struct fetch *fetch)
{
    CURLM *multi = fetch_lane_multi(fetch->lane);
    if (multi == NULL || !fetch_easy_arm(fetch) ||
        curl_multi_add_handle(multi, fetch->easy) != CURLM_OK) {
        fetch_transfer_end(fetch, FETCH_MEMORY, "no memory or descriptors");
    }
}

/* "host:port:address,address", for curl to use in place of a look-up. */
static bool give_addresses(struct fetch *fetch, const struct addresses *addresses)
{
    enum { LINE_BYTES = NETWORK_NAME_BYTES + 8 + RESOLVER_ADDRESSES_MAX * IP_TEXT_BYTES };
    char line[LINE_BYTES];
    int used = snprintf(line, sizeof line, "+%s:%u:", fetch->aim.host, (unsigned)fetch->aim.port);
    for (size_t i = 0; i < addresses->count; i++) {
        char text[IP_TEXT_BYTES];
        ip_format_endpoint(&addresses->ips[i], 0, text);
        text[strlen(text) - 2] = '\0'; /* without its port, ":0" */
        used += snprintf(line + used, sizeof line - (size_t)used, "%s%s", i == 0 ? "" : ",", text);
    }
    curl_slist_free_all(fetch->resolve);
    fetch->resolve = curl_slist_append(NULL, line);
    return fetch->resolve != NULL;
}

static void on_addresses(void *argument, const struct addresses *addresses)
{
    struct fetch *fetch = argument;
    struct addresses allowed = {.count = 0};
    fetch->lookup = NULL;
    for (size_t i = 0; i < addresses->count; i++) {
        if (fetch_may_reach(fetch, &addresses->ips[i], fetch->aim.port)) {
            allowed.ips[allowed.count++] = addresses->ips[i];
        }
    }
    if (addresses->count == 0) {
        fetch_transfer_end(fetch, FETCH_NAME, "no such name");
    } else if (allowed.count == 0) {
        fetch_transfer_end(fetch, FETCH_DENIED, "the name is an address out of reach");
    } else if (!give_addresses(fetch, &allowed)) {
        fetch_transfer_end(fetch, FETCH_MEMORY, "no memory");
    } else {
        fetch_note_denial(fetch, ""); /* there is another way */
        go(fetch);
    }
}

static void note_denied_name(struct fetch *fetch)
{
    char advice[NETWORK_ADVICE_BYTES];
    fetch_aim_advise(&fetch->aim, advice);
    fetch_note_denial(fetch, advice);
    fetch_transfer_end(fetch, FETCH_DENIED, "the name is out of reach");
}

/* Begin, or go on with a redirect. */
static void aim(struct fetch *fetch)
{
    fetch->aimed_ns = now_of(fetch);
    fetch->connected = false;
    fetch_set_timer(fetch);
    if (fetch->aim.literal) {
        if (!fetch_may_reach(fetch, &fetch->aim.ip, fetch->aim.port)) {
            fetch_transfer_end(fetch, FETCH_DENIED, "the address is out of reach");
            return;
        }
        go(fetch);
        return;
    }
    if (!network_policy_may_resolve(fetch->policy, fetch->aim.host)) {
        note_denied_name(fetch);
        return;
    }
    fetch->lookup = resolver_ask(fetch->lane->fetcher->resolver, fetch->aim.host, fetch->policy,
                                 &fetch->lane->loop->worker, on_addresses, fetch);
    if (fetch->lookup == NULL) {
        fetch_transfer_end(fetch, FETCH_MEMORY, "no memory or threads");
    }
}

/* ---- news ---- */

static void go_on(struct fetch *fetch)
{
    fetch->active_ns = now_of(fetch);
    int still = (fetch->receive_paused ? CURLPAUSE_RECV : 0) |
                (fetch->send_paused ? CURLPAUSE_SEND : 0);
    CURLcode code = curl_easy_pause(fetch->easy, still);
    if (code != CURLE_OK) {
        fetch_transfer_done(fetch, code);
    } else {
        fetch_lane_collect(fetch->lane);
    }
}

static bool is_given_up(struct fetch *fetch)
{
    return (fetch->body != NULL && stream_reason(pipe_stream(fetch->body)) != 0) ||
           stream_room(pipe_stream(fetch->answer), 0) == SIZE_MAX;
}

static void begin(struct fetch *fetch)
{
    fetch_lane_enter(fetch->lane, fetch);
    fetch->begun = true;
    fetch->began_ns = fetch->active_ns = now_of(fetch);
    aim(fetch);
}

void fetch_transfer_look(struct fetch *fetch, unsigned news)
{
    bool stopped = atomic_load_explicit(&fetch->lane->stopped, memory_order_relaxed);
    if ((news & FETCH_NEWS_CANCEL) != 0 || stopped || is_given_up(fetch)) {
        fetch_transfer_end(fetch, FETCH_CANCELLED, "given up");
        return;
    }
    if ((news & FETCH_NEWS_START) != 0) {
        begin(fetch);
        return;
    }
    bool send = (news & FETCH_NEWS_BODY) != 0 && fetch->send_paused;
    bool receive = (news & FETCH_NEWS_ROOM) != 0 && fetch->receive_paused;
    if (send || receive) {
        fetch->send_paused = fetch->send_paused && !send;
        fetch->receive_paused = fetch->receive_paused && !receive;
        go_on(fetch);
        return; /* its timer fires again later when it was about to */
    }
    if ((news & FETCH_NEWS_TIMER) != 0) {
        look_at_time(fetch);
    }
}

/* ---- the end ---- */

static void drop_easy(struct fetch *fetch)
{
    if (fetch->easy != NULL) {
        curl_multi_remove_handle(fetch->lane->multi, fetch->easy);
    }
}

static bool same_origin(const struct fetch_aim *a, const struct fetch_aim *b)
{
    return a->tls == b->tls && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* What was meant for the first host only. */
static bool is_secret(const char *line)
{
    static const char *const names[] = {"authorization", "cookie", "proxy-authorization"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct fetch_field field = {.name = line, .name_bytes = strcspn(line, ":;")};
        if (fetch_field_is(&field, names[i])) {
            return true;
        }
    }
    return false;
}

static bool drop_secrets(struct fetch *fetch)
{
    struct curl_slist *kept = NULL;
    bool good = true;
    for (struct curl_slist *at = fetch->fields; at != NULL && good; at = at->next) {
        good = is_secret(at->data) || fetch_slist_add(&kept, at->data);
    }
    curl_slist_free_all(good ? fetch->fields : kept);
    fetch->fields = good ? kept : fetch->fields;
    return good;
}

static void follow(struct fetch *fetch)
{
    drop_easy(fetch);
    bool same = same_origin(&fetch->aim, &fetch->next);
    fetch_aim_fini(&fetch->aim);
    fetch->aim = fetch->next;
    fetch->next = (struct fetch_aim){0};
    fetch->redirects = fetch->fresh = false;
    fetch->redirects_left--;
    fetch->cause = FETCH_OK;
    fetch->dropped_bytes = fetch->head_bytes = 0;
    fetch_lines_clear(&fetch->lines);
    if (!same && !drop_secrets(fetch)) {
        fetch_transfer_end(fetch, FETCH_MEMORY, "no memory");
        return;
    }
    aim(fetch);
}

static enum fetch_error error_of(const struct fetch *fetch, CURLcode code)
{
    if (fetch->cause != FETCH_OK) {
        return fetch->cause;
    }
    switch ((int)code) { /* curl's own, of which there are more every year */
    case CURLE_OK:
        return fetch->answered ? FETCH_OK : FETCH_PROTOCOL;
    case CURLE_COULDNT_RESOLVE_HOST:
        return FETCH_NAME;
    case CURLE_COULDNT_CONNECT:
    case CURLE_ABORTED_BY_CALLBACK:
        return fetch->denial[0] != '\0' ? FETCH_DENIED : FETCH_CONNECT;
    case CURLE_OPERATION_TIMEDOUT:
        return FETCH_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        return FETCH_TLS;
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND: /* a kept connection that the server had just closed */
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return FETCH_CLOSED;
    case CURLE_OUT_OF_MEMORY:
        return FETCH_MEMORY;
    default:
        return FETCH_PROTOCOL;
    }
}

void fetch_transfer_done(struct fetch *fetch, CURLcode code)
{
    if (fetch->redirects && fetch->cause == FETCH_OK) {
        follow(fetch);
        return;
    }
    if (fetch->stale) {
        drop_easy(fetch);
        fetch->stale = false;
        fetch->fresh = true;
        fetch_note_denial(fetch, ""); /* there is another way */
        go(fetch);
        return;
    }
    enum fetch_error error = error_of(fetch, code);
    fetch_transfer_end(fetch, error,
                       fetch->words[0] != '\0' ? fetch->words : curl_easy_strerror(code));
}

/* What the holder learns. */
static void tell_end(struct fetch *fetch, enum fetch_error error, const char *text)
{
    fetch_lines_seal(&fetch->trailers, 0);
    lock_take(&fetch->lock);
    fetch->error = error;
    fetch->ended = true;
    if (error != FETCH_OK) {
        snprintf(fetch->text, sizeof fetch->text, "%s", text);
    }
    if (fetch->state == FETCH_WAITS) {
        fetch->state = FETCH_FAILED;
    }
    struct stream_waker waker = stream_waker_take(fetch->waker);
    lock_release(&fetch->lock);
    pipe_finish(TAKE(fetch->answer), error == FETCH_OK, (int)error);
    if (fetch->body != NULL) {
        pipe_finish(TAKE(fetch->body), false, PIPE_NO_REASON);
    }
    stream_waker_call(waker);
}

void fetch_transfer_end(struct fetch *fetch, enum fetch_error error, const char *text)
{
    struct fetcher *fetcher = fetch->lane->fetcher;
    if (fetch->lookup != NULL) {
        resolver_cancel(TAKE(fetch->lookup));
    }
    drop_easy(fetch);
    curl_easy_cleanup(TAKE(fetch->easy));
    timer_cancel(&fetch->timer);
    if (fetch->begun) {
        fetch_lane_leave(fetch->lane, fetch);
    }
    atomic_fetch_sub_explicit(&fetcher->fetches, 1, memory_order_relaxed);
    if (error == FETCH_DENIED) {
        atomic_fetch_add_explicit(&fetcher->denied, 1, memory_order_relaxed);
    }
    /* Release: pairs with the acquire of fetch_destroy(). */
    atomic_store_explicit(&fetch->over, true, memory_order_release);
    tell_end(fetch, error, text);
    fetch_release(fetch);
}
