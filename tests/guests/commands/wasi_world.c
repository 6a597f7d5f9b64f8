/* `wasi_world CASE`: what WASI preview 1 says of everything but files, by its own calls. Prints what is not as it should be, and
 * ends with the number of such things. */
#include "wasi_check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

enum { MILLISECOND = 1000000 };

static __wasi_timestamp_t now(__wasi_clockid_t clock)
{
    __wasi_timestamp_t time = 0;
    OK(__wasi_clock_time_get(clock, 0, &time));
    return time;
}

static void arguments(void)
{
    static uint8_t *words[16], text[256];
    __wasi_size_t count = 0, size = 0;
    OK(__wasi_args_sizes_get(&count, &size));
    CHECK(count == 5 && size < sizeof text);
    OK(__wasi_args_get(words, text));
    CHECK(strcmp((char *)words[1], "arguments") == 0 && strcmp((char *)words[2], "two words") == 0);
    CHECK(words[3][0] == '\0' && strcmp((char *)words[4], "\xc3\xa4") == 0);
}

static void variables(void)
{
    static uint8_t *words[16], text[256];
    __wasi_size_t count = 0, size = 0;
    OK(__wasi_environ_sizes_get(&count, &size));
    CHECK(count == 2 && size == sizeof "ONE=1" + sizeof "TWO==2=");
    OK(__wasi_environ_get(words, text));
    CHECK(strcmp((char *)words[0], "ONE=1") == 0 && strcmp((char *)words[1], "TWO==2=") == 0);
    CHECK(getenv("PATH") == NULL);
}

static void clocks(void)
{
    __wasi_timestamp_t resolution = 0, time = 0;
    static const __wasi_clockid_t ids[] = {__WASI_CLOCKID_REALTIME, __WASI_CLOCKID_MONOTONIC};
    for (size_t i = 0; i < 2; i++) {
        OK(__wasi_clock_res_get(ids[i], &resolution));
        CHECK(resolution > 0 && resolution <= 100 * MILLISECOND);
    }
    __wasi_timestamp_t last = now(__WASI_CLOCKID_MONOTONIC);
    for (int i = 0; i < 1000; i++) {
        __wasi_timestamp_t next = now(__WASI_CLOCKID_MONOTONIC);
        CHECK(next >= last);
        last = next;
    }
    CHECK(now(__WASI_CLOCKID_REALTIME) > UINT64_C(1600000000000000000));
    CHECK(__wasi_clock_time_get(__WASI_CLOCKID_PROCESS_CPUTIME_ID, 0, &time) != 0);
}

static void randomness(void)
{
    static uint8_t first[4096], second[4096];
    unsigned bits = 0;
    OK(__wasi_random_get(first, sizeof first));
    OK(__wasi_random_get(second, sizeof second));
    CHECK(memcmp(first, second, sizeof first) != 0);
    for (size_t i = 0; i < sizeof first; i++) {
        bits += (unsigned)__builtin_popcount(first[i]);
    }
    CHECK(bits > 15000 && bits < 17700); /* of 32768: ten times as far off as it ever is */
    OK(__wasi_random_get(first, 0));
}

static __wasi_subscription_t timer(uint64_t data, __wasi_timestamp_t timeout, bool absolute)
{
    __wasi_subscription_t ret;
    memset(&ret, 0, sizeof ret);
    ret.userdata = data;
    ret.u.tag = __WASI_EVENTTYPE_CLOCK;
    ret.u.u.clock.id = __WASI_CLOCKID_MONOTONIC;
    ret.u.u.clock.timeout = timeout;
    ret.u.u.clock.flags = absolute ? __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME : 0;
    return ret;
}

static __wasi_subscription_t stream(uint64_t data, __wasi_fd_t fd, __wasi_eventtype_t type)
{
    __wasi_subscription_t ret;
    memset(&ret, 0, sizeof ret);
    ret.userdata = data;
    ret.u.tag = type;
    ret.u.u.fd_read.file_descriptor = fd;
    return ret;
}

static void waits(void)
{
    __wasi_event_t events[4];
    __wasi_size_t count = 0;
    __wasi_timestamp_t began = now(__WASI_CLOCKID_MONOTONIC);
    __wasi_subscription_t set[] = {timer(7, 20 * MILLISECOND, false),
                                   timer(8, UINT64_C(3600000) * MILLISECOND, false)};
    OK(__wasi_poll_oneoff(set, events, 2, &count));
    CHECK(count == 1 && events[0].userdata == 7 && events[0].error == 0 &&
          events[0].type == __WASI_EVENTTYPE_CLOCK);
    CHECK(now(__WASI_CLOCKID_MONOTONIC) - began >= 20 * MILLISECOND);
    set[0] = timer(9, began, true);
    OK(__wasi_poll_oneoff(set, events, 1, &count));
    CHECK(count == 1 && events[0].userdata == 9);
    set[0] = stream(10, 1, __WASI_EVENTTYPE_FD_WRITE);
    OK(__wasi_poll_oneoff(set, events, 2, &count));
    CHECK(count == 1 && events[0].userdata == 10 && events[0].type == __WASI_EVENTTYPE_FD_WRITE);
    ERRNO(__WASI_ERRNO_INVAL, __wasi_poll_oneoff(set, events, 0, &count));
    OK(__wasi_sched_yield());
}

/* Standard input that has ended is ready, and empty. */
static void ended_input(void)
{
    uint8_t data[8];
    __wasi_iovec_t into = {data, sizeof data};
    __wasi_event_t event;
    __wasi_size_t count = 0;
    __wasi_subscription_t set[] = {stream(1, 0, __WASI_EVENTTYPE_FD_READ)};
    OK(__wasi_poll_oneoff(set, &event, 1, &count));
    CHECK(count == 1 && event.userdata == 1);
    OK(__wasi_fd_read(0, &into, 1, &count));
    CHECK(count == 0);
    OK(__wasi_fd_read(0, &into, 1, &count));
    CHECK(count == 0);
}

static void streams(void)
{
    static const __wasi_ciovec_t parts[] = {{(const uint8_t *)"to ", 3},
                                            {(const uint8_t *)"both", 4}};
    __wasi_fdstat_t stat;
    __wasi_size_t size = 0;
    __wasi_filesize_t at = 0;
    uint8_t data[4];
    __wasi_iovec_t into = {data, sizeof data};
    for (__wasi_fd_t fd = 0; fd < 3; fd++) {
        OK(__wasi_fd_fdstat_get(fd, &stat));
        CHECK(__wasi_fd_seek(fd, 0, __WASI_WHENCE_SET, &at) != 0);
    }
    for (__wasi_fd_t fd = 1; fd < 3; fd++) {
        OK(__wasi_fd_write(fd, parts, 1, &size));
        CHECK(size == 3);
        OK(__wasi_fd_write(fd, &parts[1], 1, &size));
        CHECK(__wasi_fd_read(fd, &into, 1, &size) != 0);
    }
    CHECK(__wasi_fd_write(0, parts, 1, &size) != 0);
}

/* A guest may close its own; what it writes then goes nowhere, and nobody else's is closed. */
static void closed_streams(void)
{
    static const __wasi_ciovec_t part = {(const uint8_t *)"lost", 4};
    __wasi_size_t size = 0;
    OK(__wasi_fd_close(1));
    ERRNO(__WASI_ERRNO_BADF, __wasi_fd_write(1, &part, 1, &size));
    ERRNO(__WASI_ERRNO_BADF, __wasi_fd_close(1));
    OK(__wasi_fd_close(0));
    OK(__wasi_fd_close(2));
}

static void sockets(void)
{
    __wasi_fd_t fd = 0;
    __wasi_size_t size = 0;
    __wasi_roflags_t flags = 0;
    uint8_t data[4];
    __wasi_iovec_t into = {data, sizeof data};
    __wasi_ciovec_t from = {data, sizeof data};
    for (__wasi_fd_t at = 0; at < 8; at++) {
        CHECK(__wasi_sock_accept(at, 0, &fd) != 0);
        CHECK(__wasi_sock_recv(at, &into, 1, 0, &size, &flags) != 0);
        CHECK(__wasi_sock_send(at, &from, 1, 0, &size) != 0);
        CHECK(__wasi_sock_shutdown(at, __WASI_SDFLAGS_RD) != 0);
    }
}

static void leave(void)
{
    __wasi_proc_exit(77);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"arguments", arguments}, {"variables", variables},
    {"clocks", clocks},       {"random", randomness},
    {"waits", waits},         {"ended_input", ended_input},
    {"streams", streams},     {"closed_streams", closed_streams},
    {"sockets", sockets},     {"leave", leave},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof cases / sizeof cases[0]; i++) {
        if (strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run();
            return wrong;
        }
    }
    return 99;
}
