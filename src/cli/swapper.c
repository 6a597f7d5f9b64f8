#include "cli/swapper.h"

#include "base/log.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool swapper_init(struct swapper *swapper, struct err *err)
{
    *swapper = (struct swapper){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    return swapper->fd >= 0 || err_set_os(err, errno, "eventfd");
}

void swapper_fini(struct swapper *swapper)
{
    if (swapper->fd >= 0) {
        close(swapper->fd);
    }
    bytes_fini(&swapper->report);
}

static void ring(const struct swapper *swapper)
{
    uint64_t one = 1;
    ssize_t ignored = write(swapper->fd, &one, sizeof one);
    (void)ignored;
}

/* ---- asking ---- */

void swapper_ask(void *argument, struct exchange *exchange)
{
    struct swapper *swapper = argument;
    struct exchange *nobody = NULL;
    if (!atomic_compare_exchange_strong(&swapper->asked, &nobody, exchange)) {
        admin_reply(exchange, 409, "somebody asks for that already");
        return;
    }
    /* Order: swapper_stop() sets `over` and then takes what was asked; one of us sees the other. */
    if (atomic_load(&swapper->over)) {
        exchange = atomic_exchange(&swapper->asked, NULL);
        if (exchange != NULL) {
            admin_reply(exchange, 409, "the node is about to end");
        }
        return;
    }
    ring(swapper);
}

/* ---- the thread ---- */

static void *run(void *argument)
{
    struct swapper *swapper = argument;
    swapper->refused = !app_swap(swapper->app, &swapper->over, &swapper->report);
    atomic_store(&swapper->done, true);
    ring(swapper);
    return NULL;
}

static void answer(struct swapper *swapper, unsigned status, const char *text)
{
    if (swapper->answered != NULL) {
        admin_reply(TAKE(swapper->answered), status, text);
    }
}

static void begin(struct swapper *swapper, struct app *app)
{
    swapper->wanted = false;
    swapper->app = app;
    swapper->answered = atomic_exchange(&swapper->asked, NULL);
    swapper->report.size = 0;
    atomic_store(&swapper->done, false);
    int failed = pthread_create(&swapper->thread, NULL, run, swapper);
    swapper->runs = failed == 0;
    if (failed != 0) {
        log_printf(LOG_ERROR, "components stay as they are: no thread to look at them (errno %d)",
                   failed);
        answer(swapper, 500, "no thread to look at the components");
    }
}

static void end(struct swapper *swapper)
{
    (void)pthread_join(swapper->thread, NULL);
    swapper->runs = false;
    struct bytes *report = &swapper->report;
    if (report->size == 0) {
        answer(swapper, 200, "nothing has changed");
        return;
    }
    report->size--; /* the answer brings an end of line of its own */
    if (bytes_terminate(report)) {
        answer(swapper, swapper->refused ? 500 : 200, (const char *)report->data);
    } else {
        answer(swapper, 500, "out of memory");
    }
}

/* ---- the main thread ---- */

void swapper_want(struct swapper *swapper, struct app *app)
{
    if (swapper->runs) {
        swapper->wanted = true;
    } else {
        begin(swapper, app);
    }
}

bool swapper_look(struct swapper *swapper, struct app *app)
{
    uint64_t count;
    ssize_t ignored = read(swapper->fd, &count, sizeof count);
    (void)ignored;
    bool ended = swapper->runs && atomic_load(&swapper->done);
    if (ended) {
        end(swapper);
    }
    if (!swapper->runs && (swapper->wanted || atomic_load(&swapper->asked) != NULL)) {
        begin(swapper, app);
    }
    return ended && !swapper->runs;
}

bool swapper_stop(struct swapper *swapper)
{
    atomic_store(&swapper->over, true);
    if (swapper->runs && atomic_load(&swapper->done)) {
        end(swapper);
    }
    answer(swapper, 409, "the node is about to end");
    swapper->answered = atomic_exchange(&swapper->asked, NULL);
    answer(swapper, 409, "the node is about to end");
    return !swapper->runs;
}
