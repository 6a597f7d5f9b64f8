/* `finish return N`, `exit N`, `abort`, `trap`, `memory`, `recurse`, `spin`, `nap MS`: ways to end. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void fall_into_the_trap(void)
{
    __builtin_trap();
}

static int deeper(int depth);
static int (*volatile descend)(int) = deeper;

static int deeper(int depth)
{
    return descend(depth + 1) + depth;
}

static int take_memory(void)
{
    for (size_t total = 0;; total += 1 << 20) {
        /* Volatile: what nobody looks at is not allocated at all. */
        char *volatile block = malloc(1 << 20);
        if (block == NULL) {
            puts("malloc gave up");
            return 1;
        }
        memset(block, (int)total, 1 << 20);
    }
}

static int nap(const char *ms)
{
    double wanted = strtod(ms, NULL);
    struct timespec time = {
        .tv_sec = (time_t)(wanted / 1000),
        .tv_nsec = (long)((wanted - 1000 * (double)(time_t)(wanted / 1000)) * 1e6)};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
    puts("slept");
    return 0;
}

int main(int argc, char **argv)
{
    const char *way = argc > 1 ? argv[1] : "";
    const char *value = argc > 2 ? argv[2] : "0";
    if (strcmp(way, "return") == 0) {
        return (int)strtod(value, NULL);
    }
    if (strcmp(way, "exit") == 0) {
        puts("before the exit");
        exit((int)strtod(value, NULL));
    }
    if (strcmp(way, "abort") == 0) {
        abort();
    }
    if (strcmp(way, "trap") == 0) {
        fall_into_the_trap();
    }
    if (strcmp(way, "memory") == 0) {
        return take_memory();
    }
    if (strcmp(way, "recurse") == 0) {
        return deeper(0);
    }
    if (strcmp(way, "spin") == 0) {
        for (volatile int i = 0;; i++) {
        }
    }
    if (strcmp(way, "nap") == 0) {
        return nap(value);
    }
    return 99;
}
