/**
 * @file
 * How a process ended: class, status, one line of text, and where.
 */
#pragma once

#include "base/base.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** SPEC section "How a process ends": what the platform and the log say. */
enum exit_class {
    EXIT_NORMAL,
    EXIT_SHUTDOWN,
    EXIT_EXITED,
    EXIT_CRASHED,
    EXIT_CRASHED_MEMORY,
    EXIT_CRASHED_CPU,
    EXIT_CRASHED_TIMEOUT,
    EXIT_KILLED,
};

enum { EXIT_REASON_BYTES = 256 };

/** How and why. Filled by the body or by the platform. */
struct exit {
    enum exit_class exit_class;
    int status;                     /**< Exit status of a command; otherwise 0. */
    char reason[EXIT_REASON_BYTES]; /**< One line: "unreachable", "asked 70 MiB of 64 MiB". */
    char *backtrace;                /**< Owned text with one frame a line, or NULL. */
};

/** Forget the backtrace; a zeroed exit is fine. */
void exit_fini(struct exit *exit);

/** "normal", "crashed: memory" ... Constant text. */
const char *exit_class_name(enum exit_class exit_class);
