#include "core/reason.h"

#include <stdlib.h>
#include <string.h>

#define CONSTANT_REASON(words, class)                                                              \
    {                                                                                              \
        .constant = true, .exit_class = (class), .size_bytes = sizeof(words) - 1, .text = (words)  \
    }

static struct reason constants[] = {
    [REASON_NORMAL] = CONSTANT_REASON("normal", EXIT_NORMAL),
    [REASON_SHUTDOWN] = CONSTANT_REASON("shutdown", EXIT_SHUTDOWN),
    [REASON_KILL] = CONSTANT_REASON("kill", EXIT_KILLED),
    [REASON_KILLED] = CONSTANT_REASON("killed", EXIT_KILLED),
    [REASON_NOPROC] = CONSTANT_REASON("noproc", EXIT_EXITED),
    [REASON_NOCONNECTION] = CONSTANT_REASON("noconnection", EXIT_EXITED),
    [REASON_UNKNOWN] = CONSTANT_REASON("unknown: out of memory", EXIT_CRASHED),
};

struct reason *reason_of(enum reason_word word)
{
    INVARIANT((size_t)word < ARRAY_LENGTH(constants));
    return &constants[word];
}

static bool text_is(const char *text, size_t size_bytes, enum reason_word word)
{
    return size_bytes == constants[word].size_bytes &&
           memcmp(text, constants[word].text, size_bytes) == 0;
}

static bool class_is_crash(enum exit_class exit_class)
{
    switch (exit_class) {
    case EXIT_NORMAL:
    case EXIT_SHUTDOWN:
    case EXIT_EXITED:
    case EXIT_KILLED:
        return false;
    case EXIT_CRASHED:
    case EXIT_CRASHED_MEMORY:
    case EXIT_CRASHED_CPU:
    case EXIT_CRASHED_TIMEOUT:
        return true;
    }
    BUG("exit class %d", (int)exit_class);
}

struct reason *reason_create(enum exit_class exit_class, int status, const char *text,
                             size_t size_bytes)
{
    for (enum reason_word word = REASON_NORMAL; word <= REASON_KILLED; word++) {
        if (text_is(text, size_bytes, word) && !class_is_crash(exit_class)) {
            return reason_of(word);
        }
    }
    if (size_bytes > EXIT_REASON_BYTES - 1) {
        size_bytes = EXIT_REASON_BYTES - 1;
    }
    struct reason *reason = malloc(sizeof(*reason) + size_bytes + 1);
    if (reason == NULL) {
        return reason_of(REASON_UNKNOWN);
    }
    char *copy = (char *)(reason + 1);
    if (size_bytes > 0) {
        memcpy(copy, text, size_bytes);
    }
    copy[size_bytes] = '\0';
    *reason = (struct reason){
        .exit_class = exit_class, .status = status, .size_bytes = size_bytes, .text = copy};
    atomic_init(&reason->holders, 1);
    return reason;
}

struct reason *reason_from_exit(const struct exit *exit)
{
    switch (exit->exit_class) {
    case EXIT_NORMAL:
        return reason_of(REASON_NORMAL);
    case EXIT_SHUTDOWN:
        return reason_of(REASON_SHUTDOWN);
    case EXIT_KILLED:
        return reason_of(REASON_KILLED);
    case EXIT_EXITED:
    case EXIT_CRASHED:
    case EXIT_CRASHED_MEMORY:
    case EXIT_CRASHED_CPU:
    case EXIT_CRASHED_TIMEOUT:
        break;
    }
    const char *text = exit->reason[0] != '\0' ? exit->reason : exit_class_name(exit->exit_class);
    return reason_create(exit->exit_class, exit->status, text, strlen(text));
}

struct reason *reason_retain(struct reason *reason)
{
    if (!reason->constant) {
        atomic_fetch_add_explicit(&reason->holders, 1, memory_order_relaxed);
    }
    return reason;
}

void reason_release(struct reason *reason)
{
    if (reason == NULL || reason->constant) {
        return;
    }
    /* Release and acquire: whoever frees it comes after all who have read it. */
    if (atomic_fetch_sub_explicit(&reason->holders, 1, memory_order_acq_rel) == 1) {
        free(reason);
    }
}
