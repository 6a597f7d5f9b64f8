/* What programs that try WASI preview 1 call by call have in common. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <wasi/api.h>

/* How many things were not as they should be. */
static int wrong;

static void check(bool good, const char *what, int line, int seen)
{
    if (!good) {
        printf("line %d: %s (%d)\n", line, what, seen);
        wrong++;
    }
}

#define CHECK(condition) check((condition), #condition, __LINE__, 0)
#define ERRNO(expected, call)                                                                      \
    do {                                                                                           \
        __wasi_errno_t error_ = (call);                                                            \
        check(error_ == (expected), #expected " from " #call, __LINE__, error_);                   \
    } while (0)
#define OK(call) ERRNO(__WASI_ERRNO_SUCCESS, call)
