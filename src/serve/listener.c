#include "serve/listener.h"

#include "base/log.h"
#include "serve/endpoint.h"

#include <errno.h>
#include <unistd.h>

enum {
    ACCEPTS_MAX = 64,        /* before others have their turn */
    PAUSE_NS = 100 * 1000000 /* after running out of descriptors or memory */
};

static void on_ready(struct source *source, uint32_t events);
static void resume_run(struct task *task);

void listener_init(struct listener *listener, struct lane *lane, const struct site *site, int fd,
                   bool shared)
{
    *listener = (struct listener){.source = {.ready = on_ready, .fd = fd},
                                  .lane = lane,
                                  .site = site,
                                  .shared = shared,
                                  .resume = {.run = resume_run}};
}

static bool watch(struct listener *listener, struct err *err)
{
    /* Level-triggered: a burst may be taken in several rounds. Exclusive: one lane is woken. */
    uint32_t events = listener->shared ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN;
    listener->watched = loop_add(listener->lane->loop, &listener->source, events, err);
    return listener->watched;
}

bool listener_start(struct listener *listener, struct err *err)
{
    return watch(listener, err);
}

static void unwatch(struct listener *listener)
{
    if (listener->watched) {
        loop_remove(listener->lane->loop, &listener->source);
        listener->watched = false;
    }
}

void listener_stop(struct listener *listener)
{
    if (listener->stopped) {
        return;
    }
    listener->stopped = true;
    timer_cancel(&listener->pause);
    unwatch(listener);
}

static void pause_over(struct timer *timer)
{
    struct listener *listener = CONTAINER_OF(timer, struct listener, pause);
    worker_defer(&listener->lane->loop->worker, &listener->resume);
}

static void pause_accepting(struct listener *listener)
{
    unwatch(listener);
    timer_start(&listener->lane->loop->worker.timers, &listener->pause,
                lane_now_ns(listener->lane) + PAUSE_NS, pause_over);
}

static void resume_run(struct task *task)
{
    struct listener *listener = CONTAINER_OF(task, struct listener, resume);
    struct err err;
    if (!listener->stopped && !watch(listener, &err)) {
        pause_accepting(listener);
    }
}

/* What accept() reports of one connection, not of the listener (accept(2), "Error handling"). */
static bool is_transient(int os)
{
    return os == ECONNABORTED || os == EINTR || os == EPROTO || os == ENETDOWN ||
           os == ENOPROTOOPT || os == EHOSTDOWN || os == ENONET || os == EHOSTUNREACH ||
           os == EOPNOTSUPP || os == ENETUNREACH || os == EPERM;
}

/* The kernel says who the client is; its word counts, also where the file's mode would let more in. */
static bool is_welcome(const struct listener *listener, int fd)
{
    if (!listener->site->options.own_user_only || endpoint_peer_is(fd, geteuid())) {
        return true;
    }
    log_printf(LOG_WARN, "a program of another user was turned away from a unix socket");
    return false;
}

static void on_ready(struct source *source, uint32_t events)
{
    (void)events;
    struct listener *listener = CONTAINER_OF(source, struct listener, source);
    for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
        union {
            struct sockaddr any;
            struct sockaddr_storage room;
        } address;
        socklen_t size = sizeof(address);
        int fd = accept4(source->fd, &address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0 && !is_welcome(listener, fd)) {
            close(fd);
        } else if (fd >= 0) {
            char remote[ENDPOINT_REMOTE_BYTES];
            if (size < sizeof(address.any.sa_family)) {
                address.any.sa_family = AF_UNIX;
            }
            endpoint_format_remote(&address.any, remote);
            connection_open(listener->lane, listener->site, fd, remote);
        } else if (errno == EAGAIN) {
            return;
        } else if (!is_transient(errno)) {
            pause_accepting(listener); /* No descriptors, no memory: let some go first. */
            return;
        }
    }
}
