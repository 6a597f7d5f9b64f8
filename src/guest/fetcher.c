#include "guest/fetcher.h"

#include "guest/fetch_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    POOL_CONNECTIONS_MAX = 64, /* Kept open by one lane while nobody uses them. */
    EVENTS_MAX = 16,
    NS_PER_MS = 1000000,
};

/* The node's; guests find it by that. Set while no guest runs. */
static struct fetcher *connected;

/* ---- a lane ---- */

static void lane_close(struct fetch_lane *lane)
{
    if (lane->multi == NULL) {
        return;
    }
    curl_multi_cleanup(TAKE(lane->multi));
    timer_cancel(&lane->timer);
    loop_remove(lane->loop, &lane->source);
    close(lane->source.fd);
    fetch_lane_disown_all(lane);
}

void fetch_lane_collect(struct fetch_lane *lane)
{
    CURLMsg *message;
    int more = 0;
    while (lane->multi != NULL && (message = curl_multi_info_read(lane->multi, &more)) != NULL) {
        struct fetch *fetch = NULL;
        CURLcode code = message->data.result;
        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &fetch) == CURLE_OK) {
            fetch_transfer_done(fetch, code);
        }
    }
}

static void tick_run(struct task *task)
{
    struct fetch_lane *lane = CONTAINER_OF(task, struct fetch_lane, tick);
    int running = 0;
    lane->ticking = false;
    if (lane->idled && list_is_empty(&lane->fetches)) {
        lane_close(lane);
    }
    lane->idled = false;
    if (lane->multi != NULL) {
        curl_multi_socket_action(lane->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        fetch_lane_collect(lane);
    }
}

static void lane_tick(struct fetch_lane *lane)
{
    if (!lane->ticking) {
        lane->ticking = true;
        worker_post(&lane->loop->worker, &lane->tick);
    }
}

static void on_timer(struct timer *timer)
{
    lane_tick(CONTAINER_OF(timer, struct fetch_lane, timer));
}

static void on_idle(struct timer *timer)
{
    struct fetch_lane *lane = CONTAINER_OF(timer, struct fetch_lane, idle);
    lane->idled = true;
    lane_tick(lane);
}

static int on_timeout(CURLM *multi, long after_ms, void *argument)
{
    struct fetch_lane *lane = argument;
    (void)multi;
    timer_cancel(&lane->timer);
    if (after_ms == 0) {
        lane_tick(lane);
    } else if (after_ms > 0) {
        uint64_t now_ns = worker_look(&lane->loop->worker);
        timer_start(&lane->loop->worker.timers, &lane->timer,
                    now_ns + (uint64_t)after_ms * NS_PER_MS, on_timer);
    }
    return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *argument, void *unused)
{
    struct fetch_lane *lane = argument;
    struct epoll_event event = {.data.fd = fd};
    (void)easy, (void)unused;
    if (what == CURL_POLL_REMOVE) {
        /* It may be closed already, and then is in no set any more. */
        (void)epoll_ctl(lane->source.fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    event.events = (what == CURL_POLL_OUT ? 0 : EPOLLIN) | (what == CURL_POLL_IN ? 0 : EPOLLOUT);
    if (epoll_ctl(lane->source.fd, EPOLL_CTL_MOD, fd, &event) != 0 && errno == ENOENT) {
        /* A failure would make curl give up all that it has: so one that cannot be watched runs out of time. */
        (void)epoll_ctl(lane->source.fd, EPOLL_CTL_ADD, fd, &event);
    }
    return 0;
}

static void on_ready(struct source *source, uint32_t events)
{
    struct fetch_lane *lane = CONTAINER_OF(source, struct fetch_lane, source);
    struct epoll_event ready[EVENTS_MAX];
    (void)events;
    int count = epoll_wait(source->fd, ready, EVENTS_MAX, 0);
    for (int i = 0; i < count; i++) {
        uint32_t bits = ready[i].events;
        int running = 0;
        int what = ((bits & (EPOLLIN | EPOLLHUP)) != 0 ? CURL_CSELECT_IN : 0) |
                   ((bits & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                   ((bits & EPOLLERR) != 0 ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(lane->multi, ready[i].data.fd, what, &running);
    }
    fetch_lane_collect(lane);
}

#define SET(option, value) good = good && curl_multi_setopt(multi, option, value) == CURLM_OK

static bool lane_set_up(struct fetch_lane *lane, CURLM *multi)
{
    bool good = true;
    SET(CURLMOPT_SOCKETFUNCTION, on_socket);
    SET(CURLMOPT_SOCKETDATA, lane);
    SET(CURLMOPT_TIMERFUNCTION, on_timeout);
    SET(CURLMOPT_TIMERDATA, lane);
    SET(CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    SET(CURLMOPT_MAXCONNECTS, (long)POOL_CONNECTIONS_MAX);
    return good;
}

CURLM *fetch_lane_multi(struct fetch_lane *lane)
{
    struct err err = {0};
    if (lane->multi != NULL) {
        return lane->multi;
    }
    CURLM *multi = curl_multi_init();
    if (multi == NULL) {
        return NULL;
    }
    lane->source = (struct source){.ready = on_ready, .fd = epoll_create1(EPOLL_CLOEXEC)};
    if (lane->source.fd < 0 || !lane_set_up(lane, multi) ||
        !loop_add(lane->loop, &lane->source, EPOLLIN, &err)) {
        if (lane->source.fd >= 0) {
            close(lane->source.fd);
        }
        curl_multi_cleanup(multi);
        return NULL;
    }
    lane->multi = multi;
    return multi;
}

void fetch_lane_enter(struct fetch_lane *lane, struct fetch *fetch)
{
    timer_cancel(&lane->idle);
    list_append(&lane->fetches, &fetch->link);
}

void fetch_lane_leave(struct fetch_lane *lane, struct fetch *fetch)
{
    list_remove(&fetch->link);
    if (lane->multi != NULL && list_is_empty(&lane->fetches) &&
        !atomic_load_explicit(&lane->stopped, memory_order_relaxed)) {
        uint64_t now_ns = worker_look(&lane->loop->worker);
        timer_start(&lane->loop->worker.timers, &lane->idle, now_ns + lane->fetcher->keep_ns,
                    on_idle);
    }
}

static void lane_stop(struct loop *loop, void *argument)
{
    struct fetch_lane *lane = argument;
    (void)loop;
    /* Release: pairs with the acquire of fetch_start(). */
    atomic_store_explicit(&lane->stopped, true, memory_order_release);
    while (!list_is_empty(&lane->fetches)) {
        fetch_transfer_end(CONTAINER_OF(lane->fetches.next, struct fetch, link), FETCH_CANCELLED,
                           "the node is stopping");
    }
    lane_close(lane);
    timer_cancel(&lane->idle);
}

/* ---- the node's ---- */

static bool open_authorities(struct fetcher *fetcher, const char *ca_file, struct err *err)
{
    fetcher->authorities = X509_STORE_new();
    if (fetcher->authorities == NULL) {
        return err_set_memory(err);
    }
    /* The system's are read one by one, as they are asked for; to have none is no error. */
    (void)X509_STORE_set_default_paths(fetcher->authorities);
    bool good = ca_file == NULL || X509_STORE_load_file(fetcher->authorities, ca_file) == 1;
    if (!good) {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());
        (void)err_set(err, ERR_INPUT, "no certificates of authorities in '%s': %s", ca_file,
                      reason != NULL ? reason : "it cannot be read");
    }
    ERR_clear_error();
    return good;
}

struct fetcher *fetcher_create(const struct fetcher_options *options, struct err *err)
{
    unsigned lanes = node_workers(options->node);
    struct fetcher *fetcher = calloc(1, sizeof *fetcher + lanes * sizeof fetcher->lanes[0]);
    if (fetcher == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(fetcher);
        (void)err_set_memory(err);
        return NULL;
    }
    fetcher->node = options->node;
    fetcher->fetches_max = options->fetches_max;
    fetcher->keep_ns = options->keep_ns;
    fetcher->header_bytes_max = options->header_bytes_max;
    fetcher->header_count_max = options->header_count_max;
    fetcher->lane_count = lanes;
    for (unsigned i = 0; i < lanes; i++) {
        struct fetch_lane *lane = &fetcher->lanes[i];
        lane->fetcher = fetcher;
        lane->loop = node_loop(options->node, i);
        lane->tick.run = tick_run;
        list_init(&lane->fetches);
    }
    fetcher->resolver = resolver_create(node_env(options->node), options->look_up);
    if (fetcher->resolver == NULL) {
        (void)err_set_memory(err);
        fetcher_destroy(fetcher);
        return NULL;
    }
    if (!open_authorities(fetcher, options->ca_file, err)) {
        fetcher_destroy(fetcher);
        return NULL;
    }
    connected = fetcher;
    return fetcher;
}

void fetcher_stop(struct fetcher *fetcher)
{
    for (unsigned i = 0; fetcher != NULL && i < fetcher->lane_count; i++) {
        loop_call(fetcher->lanes[i].loop, lane_stop, &fetcher->lanes[i]);
    }
}

void fetcher_destroy(struct fetcher *fetcher)
{
    if (fetcher == NULL) {
        return;
    }
    if (connected == fetcher) {
        connected = NULL;
    }
    resolver_destroy(fetcher->resolver);
    X509_STORE_free(fetcher->authorities);
    curl_global_cleanup();
    free(fetcher);
}

struct fetcher *fetcher_of(const struct node *node)
{
    return connected != NULL && connected->node == node ? connected : NULL;
}

struct fetcher_counts fetcher_counts(const struct fetcher *fetcher)
{
    return (struct fetcher_counts){
        .fetches = atomic_load_explicit(&fetcher->fetches, memory_order_relaxed),
        .fetches_max = fetcher->fetches_max,
        .started = atomic_load_explicit(&fetcher->started, memory_order_relaxed),
        .denied = atomic_load_explicit(&fetcher->denied, memory_order_relaxed)};
}
