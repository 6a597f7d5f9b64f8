#include "cli/vigil.h"

#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define MS_NS UINT64_C(1000000)

enum { GOING_MS = 10000 }; /* more for a successor that was told to go on */

/* A task that goes round one loop, to see whether that turns. */
struct pulse {
    struct task task;
    atomic_bool back; /* it has run, and may be posted */
};

/* ---- Life ---- */

bool vigil_init(struct vigil *vigil, char **argv, const sigset_t *signals, struct err *err)
{
    *vigil = (struct vigil){.argv = argv,
                            .signal_fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK),
                            .ask_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                            .successor = {.control_fd = -1, .error_fd = -1}};
    notify_open(&vigil->notify);
    if (!swapper_init(&vigil->swapper, err)) {
        return false;
    }
    return (vigil->signal_fd >= 0 && vigil->ask_fd >= 0) || err_set_os(err, errno, "signalfd");
}

void vigil_fini(struct vigil *vigil)
{
    notify_close(&vigil->notify);
    if (vigil->signal_fd >= 0) {
        close(vigil->signal_fd);
    }
    if (vigil->ask_fd >= 0) {
        close(vigil->ask_fd);
    }
    swapper_fini(&vigil->swapper);
    free(vigil->pulses);
}

bool vigil_rest(struct vigil *vigil)
{
    return swapper_stop(&vigil->swapper);
}

static uint64_t now_ns(void)
{
    return env_system()->monotonic_ns(env_system());
}

/* ---- The watchdog ---- */

static void pulse_run(struct task *task)
{
    struct pulse *pulse = CONTAINER_OF(task, struct pulse, task);
    atomic_store(&pulse->back, true);
}

static void start_pulses(struct vigil *vigil)
{
    unsigned count = node_workers(app_node(vigil->app));
    if (vigil->notify.watchdog_ns == 0) {
        return;
    }
    vigil->pulses = calloc(count, sizeof *vigil->pulses);
    if (vigil->pulses == NULL) {
        log_printf(LOG_WARN, "out of memory: the watchdog is not answered");
        return;
    }
    vigil->pulse_count = count;
    for (unsigned i = 0; i < count; i++) {
        vigil->pulses[i].task.run = pulse_run;
        atomic_init(&vigil->pulses[i].back, true);
    }
    vigil->pulse_due_ns = now_ns();
}

/* Once all have come round the manager is told, and they are sent again. A loop that hangs keeps its own. */
static void look_at_pulses(struct vigil *vigil)
{
    uint64_t now = now_ns();
    if (vigil->pulse_count == 0 || now < vigil->pulse_due_ns) {
        return;
    }
    /* Twice as often as asked for to be told in time, and again as often to notice in time. */
    vigil->pulse_due_ns = now + vigil->notify.watchdog_ns / 4;
    for (unsigned i = 0; i < vigil->pulse_count; i++) {
        if (!atomic_load(&vigil->pulses[i].back)) {
            return;
        }
    }
    notify_send(&vigil->notify, "WATCHDOG=1");
    for (unsigned i = 0; i < vigil->pulse_count; i++) {
        atomic_store(&vigil->pulses[i].back, false);
        worker_post(&node_loop(app_node(vigil->app), i)->worker, &vigil->pulses[i].task);
    }
}

/* ---- What the manager is told ---- */

static void say_ready(const struct vigil *vigil)
{
    const struct manifest *manifest = app_manifest(vigil->app);
    const char *first = manifest->serve_count > 0 ? server_address(app_server(vigil->app), 0)
                                                  : "nothing";
    notify_send(&vigil->notify, "READY=1\nSTATUS=serving %s%s\nMAINPID=%d", first,
                manifest->serve_count > 1 ? " and more" : "", (int)getpid());
}

static void say_reloading(const struct vigil *vigil)
{
    notify_send(&vigil->notify, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reloading",
                now_ns() / 1000);
}

/* ---- A successor ---- */

void vigil_ask(void *argument, struct exchange *exchange, uint64_t timeout_ms)
{
    struct vigil *vigil = argument;
    struct exchange *nobody = NULL;
    if (!atomic_compare_exchange_strong(&vigil->asked, &nobody, exchange)) {
        admin_reply(exchange, 409, "a reload is under way");
        return;
    }
    /* Order: vigil_keep() sets `over` and then takes what was asked; one of us sees the other. */
    if (atomic_load(&vigil->over)) {
        exchange = atomic_exchange(&vigil->asked, NULL);
        if (exchange != NULL) {
            admin_reply(exchange, 409, "the node is about to end");
        }
        return;
    }
    vigil->asked_ms = timeout_ms;
    uint64_t one = 1;
    ssize_t ignored = write(vigil->ask_fd, &one, sizeof one);
    (void)ignored;
}

static void answer(struct vigil *vigil, unsigned status, const char *text)
{
    struct exchange *exchange = atomic_exchange(&vigil->asked, NULL);
    if (exchange != NULL) {
        admin_reply(exchange, status, text);
    }
}

static void give_up(struct vigil *vigil, const char *why)
{
    log_printf(LOG_ERROR, "reload: this node goes on: %s", why);
    answer(vigil, 500, why);
    say_ready(vigil);
}

static void begin_reload(struct vigil *vigil)
{
    struct err err = {0};
    uint64_t count;
    if (read(vigil->ask_fd, &count, sizeof count) < 0 || vigil->successor.pid != 0) {
        return;
    }
    struct handover sockets = {0};
    log_printf(LOG_INFO, "reload: starting %s", vigil->argv[0]);
    say_reloading(vigil);
    if (!app_hand_over(vigil->app, &sockets, &err) ||
        !successor_start(&vigil->successor, vigil->argv, &sockets, &err)) {
        give_up(vigil, err.text);
    }
    handover_fini(&sockets);
    vigil->successor_due_ns = now_ns() + vigil->asked_ms * MS_NS;
}

/* True: it serves, and this node has let go. */
static bool look_at_successor(struct vigil *vigil)
{
    struct err err = {0};
    struct successor *successor = &vigil->successor;
    if (successor->pid == 0) {
        return false;
    }
    int pid = (int)successor->pid;
    switch (successor_look(successor)) {
    case SUCCESSOR_STARTING:
        if (now_ns() >= vigil->successor_due_ns + (successor->going ? GOING_MS * MS_NS : 0)) {
            successor_end(successor, false, NULL);
            give_up(vigil, "the new program was not ready in time, and was killed");
        }
        return false;
    case SUCCESSOR_FAILED:
        successor_end(successor, false, &err);
        give_up(vigil, err.text);
        return false;
    case SUCCESSOR_SERVING: {
        char text[64];
        app_let_go(vigil->app);
        successor_end(successor, true, NULL);
        notify_send(&vigil->notify, "MAINPID=%d\nREADY=1", pid);
        notify_close(&vigil->notify);
        log_printf(LOG_INFO, "reload: process %d has taken over", pid);
        snprintf(text, sizeof text, "process %d has taken over", pid);
        answer(vigil, 200, text);
        return true;
    }
    }
    BUG("successor %d", pid);
}

/* ---- Signals ---- */

static void say_ready_when_idle(const struct vigil *vigil)
{
    if (!vigil->swapper.runs && vigil->successor.pid == 0) {
        say_ready(vigil);
    }
}

static void hang_up(struct vigil *vigil)
{
    say_reloading(vigil);
    log_printf(LOG_INFO, "SIGHUP: reading certificates and components again; `mote reload` takes a "
                         "new manifest");
    (void)app_reload_certificates(vigil->app); /* What is wrong was logged. */
    swapper_want(&vigil->swapper, vigil->app);
    say_ready_when_idle(vigil);
}

/* The signal to end by; 0: none. */
static int take_signals(struct vigil *vigil)
{
    struct signalfd_siginfo info;
    while (read(vigil->signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo != SIGHUP) {
            return (int)info.ssi_signo;
        }
        hang_up(vigil);
    }
    return 0;
}

/* ---- The wait ---- */

static int timeout_of(const struct vigil *vigil)
{
    uint64_t due = UINT64_MAX, now = now_ns();
    if (vigil->pulse_count > 0) {
        due = vigil->pulse_due_ns;
    }
    if (vigil->successor.pid != 0) {
        uint64_t end = vigil->successor_due_ns + (vigil->successor.going ? GOING_MS * MS_NS : 0);
        due = end < due ? end : due;
    }
    if (due == UINT64_MAX) {
        return -1;
    }
    return due <= now ? 0 : (int)((due - now) / MS_NS) + 1;
}

static void stop_successor(struct vigil *vigil)
{
    atomic_store(&vigil->over, true);
    successor_end(&vigil->successor, false, NULL);
    answer(vigil, 503, "the node is about to end");
}

int vigil_keep(struct vigil *vigil, struct app *app)
{
    vigil->app = app;
    start_pulses(vigil);
    say_ready(vigil);
    for (;;) {
        struct pollfd wait[] = {{.fd = vigil->signal_fd, .events = POLLIN},
                                {.fd = vigil->ask_fd, .events = POLLIN},
                                {.fd = vigil->swapper.fd, .events = POLLIN},
                                {.fd = vigil->successor.control_fd, .events = POLLIN},
                                {.fd = vigil->successor.error_fd, .events = POLLIN}};
        (void)poll(wait, ARRAY_LENGTH(wait), timeout_of(vigil));
        int number = take_signals(vigil);
        if (number != 0) {
            stop_successor(vigil);
            notify_send(&vigil->notify, "STOPPING=1\nSTATUS=draining");
            return number;
        }
        look_at_pulses(vigil);
        begin_reload(vigil);
        if (swapper_look(&vigil->swapper, app)) {
            log_printf(LOG_INFO, "components were looked at again");
            say_ready_when_idle(vigil);
        }
        if (look_at_successor(vigil)) {
            stop_successor(vigil);
            return 0;
        }
    }
}
