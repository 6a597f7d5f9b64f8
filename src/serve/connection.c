#include "serve/connection.h"

#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    STEPS_MAX = 64, /* pipelined requests, or receives, before others have their turn */
};

static void round_run(struct task *task);
static void on_news(struct exchange_carrier *carrier);
static void on_session_news(struct session_carrier *carrier);
static void on_ready(struct source *source, uint32_t events);

/* ---- Life ---- */

enum admission {
    ADMITTED,
    REFUSED, /* Is told so, and lingers. */
    DROPPED, /* Too many are being told so already. */
};

static enum admission admit(struct lane *lane)
{
    struct lane_common *common = lane->common;
    if (atomic_fetch_add_explicit(&common->connections, 1, memory_order_relaxed) <
        common->connections_max) {
        return ADMITTED;
    }
    atomic_fetch_sub_explicit(&common->connections, 1, memory_order_relaxed);
    if (lane->refusals >= common->refusals_max) {
        return DROPPED;
    }
    lane->refusals++;
    return REFUSED;
}

static void leave(struct lane *lane, bool admitted)
{
    struct lane_common *common = lane->common;
    if (!admitted) {
        lane->refusals--;
        return;
    }
    /* Order: pairs with server_drain(), which sets `draining` and then looks at the number; one of us
     * sees the other. */
    if (atomic_fetch_sub_explicit(&common->connections, 1, memory_order_seq_cst) == 1 &&
        atomic_load_explicit(&common->draining, memory_order_seq_cst)) {
        common->emptied(common);
    }
}

static struct connection *create(struct lane *lane, const struct site *site, int fd,
                                 const char *remote)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        return NULL;
    }
    connection->source = (struct source){.ready = on_ready, .fd = fd};
    transport_init(&connection->transport, fd);
    connection->round.run = round_run;
    connection->carrier.news = on_news;
    connection->session_carrier.news = on_session_news;
    connection->lane = lane;
    connection->site = site;
    size_t remote_size = strlen(remote);
    INVARIANT(remote_size < sizeof(connection->remote));
    memcpy(connection->remote, remote, remote_size + 1);
    caller_init(&connection->caller, site, connection->remote);
    http1_init(&connection->http1, &site->rules);
    return connection;
}

/* As admit(), with what its address may have. Trusted proxies bring the connections of many: those count by
 * the requests of each client. */
static enum admission admit_address(struct lane *lane, const struct site *site, const char *remote,
                                    struct rate_hold *ret)
{
    if (caller_is_trusted(site, remote)) {
        return admit(lane);
    }
    if (rate_connect(site->rate, rate_key_parse(remote), lane_now_ns(lane), ret)) {
        enum admission admission = admit(lane);
        if (admission != ADMITTED) {
            rate_leave(site->rate, ret);
        }
        return admission;
    }
    if (lane->refusals >= lane->common->refusals_max) {
        return DROPPED;
    }
    lane->refusals++;
    return REFUSED;
}

static void enter_greeting(struct connection *connection)
{
    connection->phase = CONNECTION_GREETING;
    connection->read_deadline_ns = connection_after_ms(connection,
                                                       connection->site->options.header_timeout_ms);
}

void connection_open(struct lane *lane, const struct site *site, int fd, const char *remote)
{
    struct rate_hold hold = {0};
    /* A trusted proxy's connections are many clients'. */
    bool limited = site->rate != NULL && !caller_is_trusted(site, remote);
    enum admission admission = limited ? admit_address(lane, site, remote, &hold) : admit(lane);
    struct connection *connection = admission == DROPPED ? NULL : create(lane, site, fd, remote);
    if (connection == NULL) {
        lane_count(&lane->refused);
        close(fd);
        rate_leave(site->rate, &hold);
        if (admission != DROPPED) {
            leave(lane, admission == ADMITTED);
        }
        return;
    }
    connection->admitted = admission == ADMITTED;
    connection->rate = hold;
    list_append(&lane->open, &connection->link);
    struct err err;
    uint32_t events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    if (!loop_add(lane->loop, &connection->source, events, &err)) {
        connection->source.ready = NULL; /* Not in the set. */
        connection_close(connection);
        return;
    }
    if (connection->admitted) {
        lane_count(&lane->accepted);
    }
    connection->announced = !site->options.proxy_protocol || !connection->caller.trusted;
    if (site->options.tls != NULL || !connection->announced) {
        enter_greeting(connection);
    } else if (connection->admitted) {
        connection_enter_idle(connection);
    } else {
        connection_refuse(connection, 503, "too many connections", EXCHANGE_RETRY_S);
    }
    connection_advance(connection);
}

static bool has_unsent(const struct connection *connection)
{
    return connection->out.size > 0 || connection->tail.size > 0;
}

static void destroy(struct connection *connection)
{
    list_remove(&connection->link);
    free(connection);
}

bool connection_cut(struct connection *connection)
{
    struct session *session = connection->session;
    bool answering = connection->phase == CONNECTION_OPEN || has_unsent(connection) ||
                     (session != NULL && session->type->busy(session));
    connection_lose(connection);
    return answering;
}

void connection_abandon(struct connection *connection)
{
    connection->round_queued = true; /* There is no round any more. */
    connection_lose(connection);
    destroy(connection);
}

void connection_again(struct connection *connection)
{
    if (!connection->round_queued) {
        connection->round_queued = true;
        worker_defer(&connection->lane->loop->worker, &connection->round);
    }
}

void connection_close(struct connection *connection)
{
    struct lane *lane = connection->lane;
    INVARIANT(connection->phase != CONNECTION_CLOSED);
    INVARIANT(connection->exchange == NULL);
    connection->phase = CONNECTION_CLOSED;
    struct session *session = TAKE(connection->session);
    if (session != NULL) {
        session->type->lose(session);
    }
    timer_cancel(&connection->timer);
    if (connection->source.ready != NULL) {
        loop_remove(lane->loop, &connection->source);
    }
    if (connection->reset) {
        struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        setsockopt(connection->source.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    } else if (!has_unsent(connection)) {
        (void)!transport_end(&connection->transport); /* If there is room: nobody waits for it. */
    }
    close(connection->source.fd);
    transport_fini(&connection->transport);
    caller_fini(&connection->caller);
    bytes_fini(&connection->in);
    bytes_fini(&connection->tail);
    lane_give_buffer(lane, &connection->out);
    holding_add(&lane->holding, -connection->held);
    list_remove(&connection->link);
    list_append(&lane->closed, &connection->link);
    connection_again(connection);
    rate_leave(connection->site->rate, &connection->rate);
    leave(lane, connection->admitted);
}

void connection_lose(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    if (exchange != NULL && connection->phase == CONNECTION_OPEN) {
        if (connection->head_out && !connection->answered) {
            transport_cut(&connection->transport);
        }
        exchange->cut = exchange->cut || has_unsent(connection);
        connection_end_exchange(connection);
    } else if (exchange != NULL) {
        connection->exchange = NULL;
        lane_give_exchange(connection->lane, exchange);
    }
    connection_close(connection);
}

void connection_end_exchange(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    struct lane *lane = connection->lane;
    exchange->cut = exchange->cut || !connection->answered;
    exchange->ended_ns = exchange->logged ? lane->env->monotonic_ns(lane->env) : exchange->began_ns;
    lane_count_response(lane, exchange->cut ? 0 : exchange->sent_status);
    connection->exchange = NULL;
    connection->http1.trailers = NULL;
    /* Also after all of the answer: a process that goes on behind it goes on for nobody. */
    exchange_leave(exchange, true);
    lane_give_exchange(lane, exchange);
}

static bool is_handed_over(const struct connection *connection)
{
    return atomic_load_explicit(&connection->lane->common->handed_over, memory_order_relaxed);
}

void connection_drain(struct connection *connection)
{
    if (connection->phase != CONNECTION_SESSION && is_handed_over(connection)) {
        /* A client that was not told that this is the end may have sent its next request already, and
         * nobody else can answer it: the next answer tells it, see ends_after_answer(). */
        if (connection->phase == CONNECTION_IDLE) {
            connection_enter_idle(connection);
            connection_advance(connection);
        }
        return;
    }
    connection->last = true;
    if (connection->phase == CONNECTION_IDLE) {
        connection_enter_closing(connection, false);
        connection_advance(connection);
    } else if (connection->phase == CONNECTION_SESSION) {
        connection->session->type->drain(connection->session);
        connection_advance(connection);
    }
}

void connection_dismiss(struct connection *connection)
{
    if (connection->phase == CONNECTION_OPEN && connection->dispatched) {
        /* Its client comes back, to whoever serves then. */
        connection->last = exchange_dismiss(connection->exchange) || connection->last;
    } else if (connection->phase == CONNECTION_SESSION &&
               connection->session->type->dismiss != NULL) {
        connection->session->type->dismiss(connection->session);
    }
}

/* ---- Phases ---- */

void connection_enter_idle(struct connection *connection)
{
    uint64_t idle_ms = connection->site->options.idle_timeout_ms;
    bool short_of_time = is_handed_over(connection) &&
                         (idle_ms == 0 || idle_ms > CONNECTION_HANDED_OVER_MS);
    connection->phase = CONNECTION_IDLE;
    connection->read_deadline_ns =
        connection_after_ms(connection, short_of_time ? CONNECTION_HANDED_OVER_MS : idle_ms);
}

void connection_enter_closing(struct connection *connection, bool linger)
{
    connection->phase = CONNECTION_CLOSING;
    connection->read_deadline_ns = 0;
    connection->linger = connection->linger || linger;
}

void connection_enter_session(struct connection *connection, struct session *session)
{
    connection->phase = CONNECTION_SESSION;
    connection->read_deadline_ns = 0;
    connection->session = session;
    session->carrier = &connection->session_carrier;
    if (connection->last ||
        atomic_load_explicit(&connection->lane->common->draining, memory_order_relaxed)) {
        session->type->drain(session); /* It begins only now, and drains were asked for before. */
    }
}

/* Shut the write side, TLS' own first. False: there is no room for its goodbye yet. */
static bool enter_linger(struct connection *connection)
{
    if (!transport_end(&connection->transport)) {
        connection->blocked = true;
        return false;
    }
    shutdown(connection->source.fd, SHUT_WR);
    connection->phase = CONNECTION_LINGER;
    connection->discarded = 0;
    connection->read_deadline_ns = connection_after_ms(connection, CONNECTION_LINGER_MS);
    bytes_fini(&connection->in);
    return true;
}

/* ---- Deadlines ---- */

static void timer_fired(struct timer *timer)
{
    struct connection *connection = CONTAINER_OF(timer, struct connection, timer);
    connection->timer_armed = false;
    connection_again(connection);
}

/* A timer that is due too early is left alone: it looks, and is set again. So a busy connection
 * costs no timer at all. */
static void arm_timer(struct connection *connection)
{
    uint64_t read_ns = connection->read_deadline_ns;
    uint64_t due_ns = connection->write_deadline_ns;
    if (due_ns == 0 || (read_ns != 0 && read_ns < due_ns)) {
        due_ns = read_ns;
    }
    if (due_ns == 0 || (connection->timer_armed && connection->timer_due_ns <= due_ns)) {
        return;
    }
    if (connection->timer_armed) {
        timer_cancel(&connection->timer);
    }
    connection->timer_armed = true;
    connection->timer_due_ns = due_ns;
    timer_start(&connection->lane->loop->worker.timers, &connection->timer, due_ns, timer_fired);
}

static bool body_is_awaited(const struct connection *connection)
{
    return connection->phase == CONNECTION_OPEN && connection->dispatched &&
           !connection->complete && connection->body_failed == 0 && connection->body_wanted &&
           connection->site->options.body_rate_min > 0;
}

static void begin_rate_window(struct connection *connection)
{
    connection->read_deadline_ns = connection_after_ms(connection, CONNECTION_RATE_WINDOW_MS);
}

/* What the kernel still holds of what it was given: only what the client's side has taken counts. */
static int socket_queued(const struct connection *connection)
{
    int queued = 0;
    return ioctl(connection->source.fd, SIOCOUTQ, &queued) == 0 ? queued : 0;
}

static void begin_write_window(struct connection *connection)
{
    connection->window_sent = 0;
    connection->window_queued = socket_queued(connection);
    connection->write_deadline_ns = connection_after_ms(connection,
                                                        connection->site->options.write_timeout_ms);
}

/* Whether the client took enough in the window: something, and not less than the least rate. */
static bool reads_fast_enough(const struct connection *connection)
{
    const struct serve_options *options = &connection->site->options;
    int64_t taken = (int64_t)connection->window_sent + connection->window_queued -
                    socket_queued(connection);
    return taken > 0 &&
           (uint64_t)taken * 1000 >= (uint64_t)options->body_rate_min * options->write_timeout_ms;
}

static void set_deadlines(struct connection *connection)
{
    if (connection->phase == CONNECTION_OPEN) {
        if (!body_is_awaited(connection)) {
            connection->read_deadline_ns = 0;
        } else if (connection->read_deadline_ns == 0) {
            /* What has come since the reader asked, perhaps in this very call, counts. */
            begin_rate_window(connection);
        }
    } else if (connection->phase == CONNECTION_SESSION) {
        connection->read_deadline_ns = connection->session->type->due_ns(connection->session);
    }
    if (!connection->blocked && !connection->pumped) {
        connection->write_deadline_ns = 0;
    } else if (connection->write_deadline_ns == 0) {
        begin_write_window(connection);
    }
    arm_timer(connection);
}

static void read_deadline_over(struct connection *connection)
{
    connection->read_deadline_ns = 0;
    switch (connection->phase) {
    case CONNECTION_GREETING:
    case CONNECTION_IDLE:
    case CONNECTION_LINGER:
        connection_close(connection);
        return;
    case CONNECTION_HEAD:
        connection_refuse(connection, 408, "the request head came too slowly", 0);
        return;
    case CONNECTION_OPEN:
        if (connection->window_bytes * 1000 <
            (uint64_t)connection->site->options.body_rate_min * CONNECTION_RATE_WINDOW_MS) {
            connection_fail_body(connection, 408, EXCHANGE_MALFORMED);
        } else {
            connection->window_bytes = 0;
            begin_rate_window(connection);
        }
        return;
    case CONNECTION_SESSION:
        connection->session->type->due(connection->session, lane_now_ns(connection->lane));
        return;
    case CONNECTION_DRAIN:
        connection_enter_closing(connection, true);
        return;
    case CONNECTION_CLOSING:
    case CONNECTION_CLOSED:
        return;
    }
    BUG("connection phase %d", (int)connection->phase);
}

/* False: it was closed. */
static bool check_deadlines(struct connection *connection)
{
    uint64_t now_ns = lane_now_ns(connection->lane);
    if (connection->write_deadline_ns != 0 && now_ns >= connection->write_deadline_ns) {
        if (reads_fast_enough(connection)) {
            begin_write_window(connection);
            return true;
        }
        connection->reset = true; /* What it did not take is not worth keeping in the kernel. */
        connection_lose(connection);
        return false;
    }
    if (connection->read_deadline_ns != 0 && now_ns >= connection->read_deadline_ns) {
        read_deadline_over(connection);
    }
    return connection->phase != CONNECTION_CLOSED;
}

/* ---- Events ---- */

static void account(struct connection *connection)
{
    long long held = (long long)(connection->in.capacity + connection->out.capacity +
                                 connection->tail.capacity +
                                 transport_held_bytes(&connection->transport));
    if (held != connection->held) {
        holding_add(&connection->lane->holding, held - connection->held);
        connection->held = held;
    }
}

/* Everything was sent, and no request follows. */
static void close_when_sent(struct connection *connection)
{
    if (connection->phase != CONNECTION_CLOSING || has_unsent(connection)) {
        return;
    }
    if (connection->linger && !connection->reset && !connection->peer_finished) {
        if (enter_linger(connection)) {
            connection_again(connection); /* What came in meanwhile is to be read away. */
        }
    } else {
        connection_close(connection);
    }
}

static void send_all(struct connection *connection)
{
    bool stalled = connection_is_stalled(connection);
    connection_flush(connection);
    if (connection->phase == CONNECTION_CLOSED) {
        return;
    }
    if (stalled && !connection_is_stalled(connection)) {
        connection_again(connection); /* Requests may have waited for that. */
    }
    close_when_sent(connection);
}

void connection_advance(struct connection *connection)
{
    unsigned steps = 0;
    bool moved = true;
    while (moved && connection->phase != CONNECTION_CLOSED) {
        if (++steps > STEPS_MAX) {
            connection_again(connection);
            break;
        }
        moved = connection->phase == CONNECTION_OPEN && connection->dispatched &&
                connection_answer(connection);
        if (connection->phase == CONNECTION_SESSION) {
            moved = connection_converse(connection);
        } else if (connection->phase == CONNECTION_GREETING) {
            moved = connection_greet(connection);
        }
        if (connection->phase != CONNECTION_CLOSED) {
            moved = connection_input(connection) || moved;
        }
    }
    if (connection->phase != CONNECTION_CLOSED) {
        connection_look_for_end(connection);
    }
    if (connection->phase != CONNECTION_CLOSED) {
        send_all(connection);
    }
    if (connection->phase == CONNECTION_OPEN && connection->answered && connection->peer_finished &&
        !has_unsent(connection)) {
        /* Everything was sent to a client that sends no more, and the process goes on. */
        connection_lose(connection);
    }
    if (connection->phase != CONNECTION_CLOSED) {
        account(connection);
        set_deadlines(connection);
    }
}

static void round_run(struct task *task)
{
    struct connection *connection = CONTAINER_OF(task, struct connection, round);
    connection->round_queued = connection->pumped = false;
    if (connection->phase == CONNECTION_CLOSED) {
        destroy(connection);
    } else if (check_deadlines(connection)) {
        connection_advance(connection);
    }
}

static void on_news(struct exchange_carrier *carrier)
{
    connection_advance(CONTAINER_OF(carrier, struct connection, carrier));
}

static void on_session_news(struct session_carrier *carrier)
{
    connection_again(CONTAINER_OF(carrier, struct connection, session_carrier));
}

static void on_ready(struct source *source, uint32_t events)
{
    struct connection *connection = CONTAINER_OF(source, struct connection, source);
    if ((events & EPOLLERR) != 0) {
        connection_lose(connection);
        return;
    }
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0) {
        connection->readable = true;
    }
    if ((events & EPOLLOUT) != 0) {
        connection->blocked = false;
    }
    if (transport_crossed(&connection->transport)) {
        connection->readable = true;
        connection->blocked = false;
    }
    /* A unix socket hangs up when the client has closed; what it had sent before is still there, and is
     * served as with TCP, where a close and a half-close look the same. */
    if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0) {
        connection->hung_up = true;
    }
    connection_advance(connection);
}
