/**
 * @file
 * The part of actors.c that polls.
 */
#pragma once

/* Layouts of WASI preview 1. */
struct subscription {
    uint64_t userdata;
    uint64_t tag; /* 0: a clock, 1: reading, 2: writing */
    uint32_t descriptor, padding;
    uint64_t timeout_ns, precision, flags;
};

struct event {
    uint64_t userdata;
    uint16_t error, type;
    uint32_t padding;
    uint64_t size, flags;
};

static struct subscription subscriptions[3];
static struct event happened[3];
static uint32_t happened_count;

static int32_t poll(uint32_t count)
{
    return mote_abi_poll_oneoff((uint32_t)(uintptr_t)subscriptions, (uint32_t)(uintptr_t)happened,
                                count, (uint32_t)(uintptr_t)&happened_count);
}

static bool told(uint32_t index, uint64_t userdata, uint16_t error, uint16_t type)
{
    const struct event *one = &happened[index];
    return one->userdata == userdata && one->error == error && one->type == type;
}

enum { POLL_CLOCK = 0, POLL_READ = 1, POLL_WRITE = 2, POLL_BADF = 8, POLL_INVAL = 28 };
#define POLL_MAIL ((uint32_t)INT32_MIN)
#define POLL_CLIENT_GONE (POLL_MAIL + 1)

MOTE_WORKER(polls)
{
    subscriptions[0] = (struct subscription){.userdata = 7, .timeout_ns = 1000000};
    subscriptions[1] =
        (struct subscription){.userdata = 8, .tag = POLL_READ, .descriptor = POLL_MAIL};
    MUST(poll(2) == 0 && happened_count == 1 && told(0, 7, 0, POLL_CLOCK));
    subscriptions[0].timeout_ns = UINT64_MAX;
    mote_send(mote_self(), 1, "x", 1);
    MUST(poll(2) == 0 && happened_count == 1 && told(0, 8, 0, POLL_READ));
    MUST(mote_receive(&mail, text, sizeof text) == MOTE_OK);
    subscriptions[0].timeout_ns = 0;
    MUST(poll(2) == 0 && happened_count == 1 && told(0, 7, 0, POLL_CLOCK));
    mote_send_after(mote_self(), 2, "y", 1, 1);
    MUST(mote_abi_poll_oneoff((uint32_t)(uintptr_t)&subscriptions[1], (uint32_t)(uintptr_t)happened,
                              1, (uint32_t)(uintptr_t)&happened_count) == 0 &&
         told(0, 8, 0, POLL_READ));
    struct mote_stream_pair ends;
    MUST(mote_stream_open(&ends) == MOTE_OK);
    subscriptions[0] = (struct subscription){
        .userdata = 9, .tag = POLL_READ, .descriptor = (uint32_t)-ends.reader};
    subscriptions[1] = (struct subscription){
        .userdata = 10, .tag = POLL_WRITE, .descriptor = (uint32_t)-ends.writer};
    subscriptions[2] =
        (struct subscription){.userdata = 11, .tag = POLL_READ, .descriptor = (uint32_t)-4711};
    MUST(poll(2) == 0 && happened_count == 1 && told(0, 10, 0, POLL_WRITE));
    MUST(poll(3) == 0 && happened_count == 2 && told(1, 11, POLL_BADF, POLL_READ));
    subscriptions[2].descriptor = POLL_CLIENT_GONE; /* it has no client */
    MUST(poll(3) == 0 && happened_count == 2 && told(1, 11, POLL_BADF, POLL_READ));
    subscriptions[2].descriptor = 2; /* standard error never makes anybody wait */
    MUST(poll(3) == 0 && happened_count == 2 && told(1, 11, 0, POLL_READ));
    MUST(mote_stream_write(ends.writer, "x", 1) >= 0);
    MUST(poll(2) == 0 && happened_count == 2 && told(0, 9, 0, POLL_READ) &&
         told(1, 10, 0, POLL_WRITE));
    MUST(poll(0) == POLL_INVAL && poll(5000) == POLL_INVAL);
    subscriptions[0].tag = 3;
    MUST(poll(1) == POLL_INVAL);
    subscriptions[0] = (struct subscription){.flags = 1}; /* a time of a clock */
    MUST(poll(1) == POLL_INVAL);
}

MOTE_WORKER(polls_from_outside)
{
    (void)mote_abi_poll_oneoff(UINT32_MAX - 8, (uint32_t)(uintptr_t)happened, 1,
                               (uint32_t)(uintptr_t)&happened_count);
}

MOTE_WORKER(polls_into_the_outside)
{
    (void)mote_abi_poll_oneoff((uint32_t)(uintptr_t)subscriptions, UINT32_MAX - 8, 1,
                               (uint32_t)(uintptr_t)&happened_count);
}

MOTE_WORKER(polls_and_counts_outside)
{
    (void)mote_abi_poll_oneoff((uint32_t)(uintptr_t)subscriptions, (uint32_t)(uintptr_t)happened, 1,
                               UINT32_MAX - 1);
}
