#include "core/ticker.h"

#include "core/schedule.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    LINGER_TICKS = 20, /* without an awake worker before it sleeps: waking it costs a system call */
    NS_PER_S = 1000000000,
};

static struct worker *worker_at(struct node *node, unsigned index)
{
    return &node->loops[index].worker;
}

static bool any_awake(struct node *node)
{
    for (unsigned i = 0; i < node->options.workers; i++) {
        /* Order: pairs with worker_awake(); either we see it awake, or it sees us asleep. */
        if (!atomic_load_explicit(&worker_at(node, i)->sleeping, memory_order_seq_cst)) {
            return true;
        }
    }
    return false;
}

static bool any_in_turn(struct node *node)
{
    for (unsigned i = 0; i < node->options.workers; i++) {
        struct worker *worker = worker_at(node, i);
        if (atomic_load_explicit(&worker->turn_began_ns, memory_order_relaxed) != 0) {
            return true;
        }
    }
    return false;
}

/* For each worker on which something has waited for more than a tick, ring one that sleeps with
 * nothing of its own: it will come and steal. */
static void ring_the_idle(struct node *node, uint64_t now)
{
    unsigned idle = 0;
    for (unsigned i = 0; i < node->options.workers; i++) {
        struct worker *victim = worker_at(node, i);
        uint64_t oldest = worker_backlog(victim) == 0 ? UINT64_MAX : worker_oldest_ns(victim);
        if (oldest > now || now - oldest < node->options.tick_ns) {
            continue;
        }
        for (; idle < node->options.workers; idle++) {
            struct worker *thief = worker_at(node, idle);
            if (worker_backlog(thief) == 0 &&
                atomic_load_explicit(&thief->sleeping, memory_order_relaxed)) {
                worker_ring(thief);
                idle++;
                break;
            }
        }
    }
}

static void ticker_sleep(struct ticker *ticker)
{
    atomic_store_explicit(&ticker->asleep, true, memory_order_seq_cst);
    if (!any_awake(ticker->node) &&
        !atomic_load_explicit(&ticker->stopping, memory_order_seq_cst)) {
        struct pollfd wake = {.fd = ticker->event_fd, .events = POLLIN};
        if (poll(&wake, 1, -1) > 0) {
            uint64_t count = 0;
            ssize_t ignored = read(ticker->event_fd, &count, sizeof(count));
            (void)ignored;
        }
    }
    atomic_store_explicit(&ticker->asleep, false, memory_order_seq_cst);
}

/* Wait until `due_ns`; from now when that is long past. Returns the time after it. */
static uint64_t ticker_wait(uint64_t due_ns)
{
    struct timespec due = {.tv_sec = (time_t)(due_ns / NS_PER_S),
                           .tv_nsec = (long)(due_ns % NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) {
        /* Again. */
    }
    struct env *env = env_system();
    return env->monotonic_ns(env);
}

static void *ticker_main(void *argument)
{
    struct ticker *ticker = argument;
    struct node *node = ticker->node;
    struct env *clock =
        env_system(); /* Whatever the node's own may be, this thread really waits. */
    pthread_setname_np(pthread_self(), "mote-tick");
    unsigned quiet = 0;
    uint64_t due = clock->monotonic_ns(clock);
    while (!atomic_load_explicit(&ticker->stopping, memory_order_seq_cst)) {
        if (quiet >= LINGER_TICKS) {
            ticker_sleep(ticker);
            quiet = 0;
            due = clock->monotonic_ns(clock);
        }
        due += node->options.tick_ns;
        uint64_t now = ticker_wait(due);
        if (now - due > node->options.tick_ns) {
            due = now; /* Ticks that were missed are not made up for. */
        }
        quiet = any_awake(node) ? 0 : quiet + 1;
        if (node->options.on_tick != NULL && any_in_turn(node)) {
            node->options.on_tick(node->options.tick_argument);
        }
        ring_the_idle(node, node->options.env->monotonic_ns(node->options.env));
    }
    return NULL;
}

bool ticker_start(struct ticker *ticker, struct node *node, struct err *err)
{
    ticker->node = node;
    atomic_init(&ticker->stopping, false);
    ticker->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (ticker->event_fd < 0) {
        return err_set_os(err, errno, "eventfd of the ticker");
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&ticker->thread, NULL, ticker_main, ticker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        close(ticker->event_fd);
        return err_set_os(err, failed, "thread of the ticker");
    }
    ticker->started = true;
    return true;
}

void ticker_wake(struct ticker *ticker)
{
    if (atomic_load_explicit(&ticker->asleep, memory_order_seq_cst) &&
        atomic_exchange_explicit(&ticker->asleep, false, memory_order_seq_cst)) {
        uint64_t one = 1;
        ssize_t ignored = write(ticker->event_fd, &one, sizeof(one));
        (void)ignored;
    }
}

void ticker_stop(struct ticker *ticker)
{
    if (!ticker->started) {
        return;
    }
    atomic_store_explicit(&ticker->stopping, true, memory_order_seq_cst);
    ticker_wake(ticker);
    pthread_join(ticker->thread, NULL);
    close(ticker->event_fd);
    ticker->started = false;
}
