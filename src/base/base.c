#include "base/base.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

noreturn void bug_at(const char *file, int line, const char *fmt, ...)
{
    /* What led to it comes first; but not when that is what is broken, or somebody is at it. */
    static atomic_flag flushing = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&flushing)) {
        log_flush();
    }
    /* Straight to the descriptor: the log's own state may be what is broken. */
    char text[1024];
    va_list args;
    va_start(args, fmt);
    int head = snprintf(text, sizeof(text), "BUG at %s:%d: ", file, line);
    size_t used = head < 0 ? 0 : (size_t)head;
    if (used < sizeof(text) - 1) {
        int tail = vsnprintf(text + used, sizeof(text) - used, fmt, args);
        used += tail < 0 ? 0 : (size_t)tail;
    }
    va_end(args);
    if (used > sizeof(text) - 1) {
        used = sizeof(text) - 1;
    }
    text[used] = '\n';
    ssize_t ignored = write(STDERR_FILENO, text, used + 1);
    (void)ignored;
    abort();
}
