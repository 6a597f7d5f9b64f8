#include "serve/heartbeat.h"

#include "core/node.h"
#include "serve/exchange_internal.h"

#include <string.h>

static struct exchange *exchange_of(struct heartbeat *heartbeat)
{
    return CONTAINER_OF(heartbeat, struct exchange_flow, heartbeat)->exchange;
}

/* With the wheel's lock held: nothing but this. */
static void fire(struct timer *timer)
{
    struct heartbeat *heartbeat = CONTAINER_OF(timer, struct heartbeat, timer);
    struct exchange *exchange = exchange_of(heartbeat);
    exchange_retain(exchange);
    worker_defer(exchange->home->worker, &heartbeat->task);
}

static void arm(struct heartbeat *heartbeat)
{
    if (!heartbeat->armed) {
        heartbeat->armed = true;
        timer_start(&exchange_of(heartbeat)->home->worker->timers, &heartbeat->timer,
                    heartbeat->last_ns + heartbeat->period_ns, fire);
    }
}

/* What was sent since the timer started has put the time off. */
static void on_time(struct task *task)
{
    struct heartbeat *heartbeat = CONTAINER_OF(task, struct heartbeat, task);
    struct exchange *exchange = exchange_of(heartbeat);
    struct exchange_carrier *carrier = exchange->carrier;
    heartbeat->armed = false;
    if (carrier != NULL && heartbeat->period_ns > 0) {
        if (exchange->home->worker->now_ns < heartbeat->last_ns + heartbeat->period_ns) {
            arm(heartbeat);
            carrier = NULL;
        } else {
            heartbeat->due = true;
        }
    }
    exchange_release(exchange); /* The carrier has a reference of its own. */
    if (carrier != NULL) {
        carrier->news(carrier);
    }
}

void heartbeat_init(struct heartbeat *heartbeat)
{
    heartbeat->task.run = on_time;
}

bool heartbeat_is_between(const struct heartbeat *heartbeat)
{
    /* Acquire: pairs with the release of exchange_set_within(): what was written before is seen in the stream. */
    return heartbeat->period_ns > 0 &&
           !atomic_load_explicit(&heartbeat->within, memory_order_acquire);
}

void heartbeat_sent(struct exchange_flow *flow)
{
    struct heartbeat *heartbeat = &flow->heartbeat;
    if (heartbeat->period_ns > 0) {
        heartbeat->last_ns = flow->exchange->home->worker->now_ns;
        heartbeat->due = false;
    }
}

static const struct text SIGNS[ENCODING_COUNT] = {
    [ENCODING_IDENTITY] = {":\n\n", 3},
    [ENCODING_GZIP] = {"\x00\x00\x00\xff\xff", 5}, /* stored, not the last, of no bytes */
    [ENCODING_BROTLI] = {"\x06", 1},               /* metadata, of no bytes */
};

size_t heartbeat_take(struct exchange_flow *flow, bool between, void *data, size_t size_bytes)
{
    struct heartbeat *heartbeat = &flow->heartbeat;
    if (heartbeat->period_ns == 0) {
        return 0;
    }
    if (heartbeat->last_ns == 0) {
        heartbeat->last_ns = flow->exchange->home->worker->now_ns;
    }
    struct text sign = SIGNS[heartbeat->encoding];
    if (heartbeat->due && between && size_bytes >= sign.size) {
        memcpy(data, sign.data, sign.size);
        heartbeat_sent(flow);
        return sign.size;
    }
    if (heartbeat->due && !between) {
        heartbeat_sent(
            flow); /* The rest of that piece is on its way; if not, again after a period. */
    }
    if (!heartbeat->due) {
        arm(heartbeat);
    }
    return 0;
}

void heartbeat_stop(struct heartbeat *heartbeat)
{
    if (timer_cancel(&heartbeat->timer)) {
        heartbeat->armed = false;
    }
    heartbeat->due = false; /* The period is the answering side's, which may just set it. */
}
