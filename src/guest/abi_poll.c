/* poll_oneoff() of WASI preview 1, for runtimes that have threads of their own and wait at one place for all of them: beside
 * clocks it knows the things of wait(), as descriptors below 0. */
#include "guest/abi_internal.h"

#include "core/node.h"

#include <string.h>

/* Layouts and numbers of WASI preview 1. */
enum {
    SUBSCRIPTION_BYTES = 48,
    SUBSCRIPTION_TAG_AT = 8,
    SUBSCRIPTION_BODY_AT = 16,
    CLOCK_TIMEOUT_AT = 24,
    CLOCK_FLAGS_AT = 40,
    EVENT_BYTES = 32,
    EVENT_ERROR_AT = 8,
    EVENT_TYPE_AT = 10,
    EVENT_SIZE_AT = 16,
};
enum { TAG_CLOCK = 0, TAG_READ = 1, TAG_WRITE = 2 };
enum { WASI_OK = 0, WASI_BADF = 8, WASI_INVAL = 28 };
enum { CLOCK_ABSOLUTE = 1 };

/* More at once are refused: they are looked at without a pause. */
enum { POLL_ENTRIES_MAX = 4096 };

/* Descriptors that are no handle of a stream or a request; those are their number below 0. */
enum {
    FD_MAIL = INT32_MIN,
    FD_CLIENT_GONE,
    FD_BODY,
    FD_ANSWER,
};

/* The two arrays of a call. */
struct poll {
    const uint8_t *subscriptions;
    uint8_t *events;
    uint32_t count;
    uint64_t timeout_ns; /* the nearest clock's; -1: none */
    bool things, mail;   /* something else than clocks is waited for; mail is */
};

static uint64_t number_at(const uint8_t *from)
{
    uint64_t number;
    memcpy(&number, from, sizeof number);
    return number;
}

static int32_t descriptor_of(const uint8_t *subscription)
{
    int32_t descriptor;
    memcpy(&descriptor, subscription + SUBSCRIPTION_BODY_AT, sizeof descriptor);
    return descriptor;
}

/* Look at every subscription once. False: one is none. */
static bool survey(struct poll *poll)
{
    poll->timeout_ns = UINT64_MAX;
    for (uint32_t i = 0; i < poll->count; i++) {
        const uint8_t *one = poll->subscriptions + (size_t)i * SUBSCRIPTION_BYTES;
        uint8_t tag = one[SUBSCRIPTION_TAG_AT];
        if (tag > TAG_WRITE || (tag == TAG_CLOCK && (one[CLOCK_FLAGS_AT] & CLOCK_ABSOLUTE) != 0)) {
            return false;
        }
        if (tag == TAG_CLOCK) {
            uint64_t timeout_ns = number_at(one + CLOCK_TIMEOUT_AT);
            timeout_ns = timeout_ns < ABI_TIME_MAX_NS ? timeout_ns : ABI_TIME_MAX_NS;
            poll->timeout_ns = timeout_ns < poll->timeout_ns ? timeout_ns : poll->timeout_ns;
        } else {
            poll->things = true;
            poll->mail |= descriptor_of(one) == FD_MAIL;
        }
    }
    return true;
}

/* 1: ready, 0: not yet, below: no such thing. Files and standard streams never make anybody wait. */
static int32_t look(struct guest *guest, const uint8_t *subscription, bool *ret_again)
{
    int32_t descriptor = descriptor_of(subscription);
    if (descriptor >= 0) {
        return 1;
    }
    static const uint32_t kinds[] = {ABI_WAIT_MAIL, ABI_WAIT_CLIENT_GONE, ABI_WAIT_BODY,
                                     ABI_WAIT_ANSWER};
    struct abi_wait entry = {0};
    if (descriptor <= FD_ANSWER) {
        entry.kind = kinds[descriptor - FD_MAIL];
    } else {
        entry.handle = -descriptor;
        entry.kind = ABI_WAIT_FETCHED;
        int32_t ready = abi_wait_look(guest, &entry, ret_again);
        if (ready != ABI_NOT_FOUND) {
            return ready;
        }
        bool reads = subscription[SUBSCRIPTION_TAG_AT] == TAG_READ;
        entry.kind = reads ? ABI_WAIT_READABLE : ABI_WAIT_WRITABLE;
    }
    return abi_wait_look(guest, &entry, ret_again);
}

static void write_event(struct poll *poll, uint32_t *events, const uint8_t *subscription,
                        uint16_t error)
{
    uint8_t event[EVENT_BYTES] = {0}; /* the guest may have laid one array over the other */
    memcpy(event, subscription, sizeof(uint64_t));
    memcpy(event + EVENT_ERROR_AT, &error, sizeof error);
    event[EVENT_TYPE_AT] = subscription[SUBSCRIPTION_TAG_AT];
    event[EVENT_SIZE_AT] = 1;
    memcpy(poll->events + (size_t)(*events)++ * EVENT_BYTES, event, sizeof event);
}

/* Tell of what is ready, or, once nothing will be waited for any more, of all. Returns how many. */
static uint32_t tell_ready(struct guest *guest, struct poll *poll, bool all, bool *ret_again)
{
    uint32_t events = 0;
    for (uint32_t i = 0; i < poll->count; i++) {
        const uint8_t *one = poll->subscriptions + (size_t)i * SUBSCRIPTION_BYTES;
        if (one[SUBSCRIPTION_TAG_AT] == TAG_CLOCK) {
            continue;
        }
        int32_t ready = all ? 1 : look(guest, one, ret_again);
        if (ready != 0) {
            write_event(poll, &events, one, ready < 0 ? WASI_BADF : WASI_OK);
        }
    }
    return events;
}

static uint32_t tell_clocks(struct poll *poll)
{
    uint32_t events = 0;
    for (uint32_t i = 0; i < poll->count; i++) {
        const uint8_t *one = poll->subscriptions + (size_t)i * SUBSCRIPTION_BYTES;
        if (one[SUBSCRIPTION_TAG_AT] == TAG_CLOCK &&
            number_at(one + CLOCK_TIMEOUT_AT) <= poll->timeout_ns) {
            write_event(poll, &events, one, WASI_OK);
        }
    }
    return events;
}

static enum engine_call_result answer(struct engine_call *call, uint8_t *written, uint32_t events)
{
    memcpy(written, &events, sizeof events);
    return guest_answer(call, WASI_OK);
}

/* Nothing is ready: wait, or tell why not any more. */
static enum engine_call_result rest(struct engine_call *call, struct poll *poll, uint8_t *written)
{
    struct guest *guest = guest_of_call(call);
    /* A clock alone is waited for also by who lost its client: answering early would have it ask again, without end. */
    if (!poll->things && poll->timeout_ns != 0 && node_now_ns(guest->process.node) < call->state) {
        return ENGINE_CALL_PARK;
    }
    if (poll->mail) {
        abi_unit_rest(guest);
    }
    enum engine_call_result result = abi_wait_on(call);
    if (result != ENGINE_CALL_DONE) {
        return result;
    }
    if (poll->mail) {
        abi_unit_begin(guest);
    }
    bool again = false;
    bool over = (int32_t)(uint32_t)call->result == ABI_CLOSED;
    uint32_t events = over ? tell_ready(guest, poll, true, &again) : 0;
    return answer(call, written, events > 0 ? events : tell_clocks(poll));
}

/* poll_oneoff(subscriptions, events, count, written) -> i32: an errno of preview 1. */
enum engine_call_result abi_poll_oneoff(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    struct poll poll = {.count = (uint32_t)call->arguments[2]};
    uint64_t count = poll.count;
    if (count == 0 || count > POLL_ENTRIES_MAX) {
        return guest_answer(call, WASI_INVAL);
    }
    poll.subscriptions = guest_window(call, call->arguments[0], count * SUBSCRIPTION_BYTES);
    poll.events = guest_window(call, call->arguments[1], count * EVENT_BYTES);
    uint8_t *written = guest_window(call, call->arguments[3], sizeof(uint32_t));
    if (poll.subscriptions == NULL || poll.events == NULL || written == NULL) {
        return ENGINE_CALL_TRAP;
    }
    bool first = call->state == 0, again = false;
    if (!survey(&poll) || (first && !abi_wait_begin(call, poll.timeout_ns))) {
        return guest_answer(call, WASI_INVAL);
    }
    uint32_t ready = tell_ready(guest, &poll, false, &again);
    if (ready > 0) {
        abi_wait_end(call);
        if (!first && poll.mail) {
            abi_unit_begin(guest);
        }
        return answer(call, written, ready);
    }
    if (first && again) {
        process_wake(&guest->process);
        return ENGINE_CALL_PARK;
    }
    return rest(call, &poll, written);
}
