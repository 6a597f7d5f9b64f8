#include "core/loop.h"

#include "core/node.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    NS_PER_MS = 1000000,
    NS_PER_S = 1000000000,
};

/* Old kernels (before 5.11) only wait whole milliseconds. */
static atomic_bool epoll_is_coarse;

static void loop_notify(struct worker *worker)
{
    /* Edge-triggered and never read: each write is an edge, and 2^64 of them do not happen. */
    uint64_t one = 1;
    ssize_t ignored = write(loop_of(worker)->event_fd, &one, sizeof(one));
    (void)ignored;
}

bool loop_init(struct loop *loop, struct node *node, unsigned index, struct err *err)
{
    loop->started = false;
    atomic_init(&loop->stopping, false);
    loop->event_count = loop->event_next = 0;
    loop->event_fd = -1;
    worker_init(&loop->worker, node, index, loop_notify);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        return err_set_os(err, errno, "epoll of worker %u", index);
    }
    loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->event_fd < 0) {
        return err_set_os(err, errno, "eventfd of worker %u", index);
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->event_fd, &event) != 0) {
        return err_set_os(err, errno, "epoll of worker %u", index);
    }
    return true;
}

void loop_fini(struct loop *loop)
{
    INVARIANT(!loop->started);
    if (loop->event_fd >= 0) {
        close(loop->event_fd);
    }
    if (loop->epoll_fd >= 0) {
        close(loop->epoll_fd);
    }
    worker_fini(&loop->worker);
}

/* How long to wait for input after a round, in nanoseconds; UINT64_MAX: until it comes. */
static uint64_t loop_patience(struct loop *loop, enum worker_state state)
{
    if (state == WORKER_BUSY) {
        return 0;
    }
    uint64_t next = worker_next_ns(&loop->worker);
    uint64_t now = loop->worker.now_ns;
    uint64_t patience = next == UINT64_MAX ? UINT64_MAX : next > now ? next - now : 0;
    if (state == WORKER_PAUSE && patience > WORKER_PAUSE_NS) {
        patience = WORKER_PAUSE_NS;
    }
    return patience;
}

static int loop_wait_coarse(struct loop *loop, uint64_t patience_ns)
{
    /* A pause is shorter than a millisecond: no pause then. Timers: late rather than in a
     * circle. */
    int timeout_ms = patience_ns <= WORKER_PAUSE_NS      ? 0
                     : patience_ns >= (uint64_t)NS_PER_S ? 1000
                                                         : (int)(patience_ns / NS_PER_MS) + 1;
    return epoll_wait(loop->epoll_fd, loop->events, LOOP_EVENTS_MAX, timeout_ms);
}

static int loop_wait(struct loop *loop, uint64_t patience_ns)
{
    if (patience_ns == 0 || patience_ns == UINT64_MAX) {
        return epoll_wait(loop->epoll_fd, loop->events, LOOP_EVENTS_MAX, patience_ns == 0 ? 0 : -1);
    }
    if (atomic_load_explicit(&epoll_is_coarse, memory_order_relaxed)) {
        return loop_wait_coarse(loop, patience_ns);
    }
    struct timespec timeout = {.tv_sec = (time_t)(patience_ns / NS_PER_S),
                               .tv_nsec = (long)(patience_ns % NS_PER_S)};
    int count = epoll_pwait2(loop->epoll_fd, loop->events, LOOP_EVENTS_MAX, &timeout, NULL);
    if (count < 0 && (errno == ENOSYS || errno == EPERM)) {
        atomic_store_explicit(&epoll_is_coarse, true, memory_order_relaxed);
        return 0;
    }
    return count;
}

static void loop_dispatch(struct loop *loop, int count)
{
    worker_begin_input(&loop->worker);
    loop->event_count = count;
    for (loop->event_next = 0; loop->event_next < loop->event_count;) {
        struct epoll_event event = loop->events[loop->event_next++];
        struct source *source = event.data.ptr;
        if (source == NULL) {
            continue; /* The eventfd, or removed meanwhile. */
        }
        source->ready(source, event.events);
    }
    loop->event_count = loop->event_next = 0;
}

static void loop_collect(struct loop *loop, enum worker_state state)
{
    uint64_t patience = loop_patience(loop, state);
    bool sleep = patience > 0;
    if (sleep && (!worker_begin_sleep(&loop->worker) ||
                  atomic_load_explicit(&loop->stopping, memory_order_seq_cst))) {
        patience = 0;
    }
    int count = loop_wait(loop, patience);
    if (sleep) {
        worker_awake(&loop->worker);
    }
    if (count < 0) {
        INVARIANT(errno == EINTR);
    } else if (count > 0) {
        loop_dispatch(loop, count);
    }
}

static void *loop_main(void *argument)
{
    struct loop *loop = argument;
    char name[16];
    snprintf(name, sizeof(name), "mote-%u", loop->worker.index);
    pthread_setname_np(pthread_self(), name);
    worker_set_current(&loop->worker);
    worker_awake(&loop->worker);
    while (!atomic_load_explicit(&loop->stopping, memory_order_seq_cst)) {
        loop_collect(loop, worker_run(&loop->worker));
    }
    while (worker_run(&loop->worker) == WORKER_BUSY) {
        /* What had been posted or deferred before the end. */
    }
    worker_set_current(NULL);
    return NULL;
}

bool loop_start(struct loop *loop, struct err *err)
{
    /* Signals are for the main thread, except for the faults by which the engine traps: a thread
     * that blocks those would be killed instead. */
    sigset_t blocked, before;
    sigfillset(&blocked);
    const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF};
    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++) {
        sigdelset(&blocked, faults[i]);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    int failed = pthread_create(&loop->thread, NULL, loop_main, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        return err_set_os(err, failed, "thread of worker %u", loop->worker.index);
    }
    loop->started = true;
    return true;
}

void loop_stop(struct loop *loop)
{
    if (!loop->started) {
        return;
    }
    INVARIANT(worker_current() == NULL);
    atomic_store_explicit(&loop->stopping, true, memory_order_seq_cst);
    worker_ring(&loop->worker);
    pthread_join(loop->thread, NULL);
    loop->started = false;
}

bool loop_add(struct loop *loop, struct source *source, uint32_t events, struct err *err)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) != 0) {
        return err_set_os(err, errno, "watch a descriptor");
    }
    return true;
}

void loop_modify(struct loop *loop, struct source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) != 0) {
        BUG("change what is watched of descriptor %d: errno %d", source->fd, errno);
    }
}

void loop_remove(struct loop *loop, struct source *source)
{
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL) != 0) {
        BUG("stop watching descriptor %d: errno %d", source->fd, errno);
    }
    for (int i = loop->event_next; i < loop->event_count; i++) {
        if (loop->events[i].data.ptr == source) {
            loop->events[i].data.ptr = NULL;
        }
    }
}

struct loop_errand {
    struct task task;
    struct loop *loop;
    void (*work)(struct loop *loop, void *argument);
    void *argument;
    sem_t done;
};

static void errand_run(struct task *task)
{
    struct loop_errand *errand = CONTAINER_OF(task, struct loop_errand, task);
    errand->work(errand->loop, errand->argument);
    sem_post(&errand->done);
}

void loop_call(struct loop *loop, void (*work)(struct loop *loop, void *argument), void *argument)
{
    INVARIANT(worker_current() == NULL);
    if (!loop->started) {
        work(loop, argument);
        return;
    }
    struct loop_errand errand = {
        .task.run = errand_run, .loop = loop, .work = work, .argument = argument};
    int failed = sem_init(&errand.done, 0, 0);
    INVARIANT(failed == 0);
    worker_post(&loop->worker, &errand.task);
    while (sem_wait(&errand.done) != 0) {
        /* Interrupted. */
    }
    sem_destroy(&errand.done);
}
