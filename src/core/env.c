#include "core/env.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static uint64_t system_monotonic_ns(struct env *env)
{
    (void)env;
    return clock_ns(CLOCK_MONOTONIC);
}

static uint64_t system_wall_ns(struct env *env)
{
    (void)env;
    return clock_ns(CLOCK_REALTIME);
}

static uint64_t system_thread_cpu_ns(struct env *env)
{
    (void)env;
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void system_random(struct env *env, void *ret, size_t size_bytes)
{
    (void)env;
    unsigned char *at = ret;
    while (size_bytes > 0) {
        ssize_t got = getrandom(at, size_bytes, 0);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            BUG("getrandom: errno %d", errno);
        }
        at += got;
        size_bytes -= (size_t)got;
    }
}

struct env *env_system(void)
{
    static struct env system = {
        .monotonic_ns = system_monotonic_ns,
        .wall_ns = system_wall_ns,
        .thread_cpu_ns = system_thread_cpu_ns,
        .random = system_random,
    };
    return &system;
}
