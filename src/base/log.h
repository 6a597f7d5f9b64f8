/**
 * @file
 * The node's log: one line per event to standard error, as text or JSON.
 *
 * Life:    log_start() begins a writer thread; log_stop() drains and ends it. Before and after
 *          that, lines are written directly.
 * Threads: log_write() from any thread; it never waits for the reader of standard error: lines go
 *          to a bounded buffer (1 MiB), and what does not fit is counted and reported as one line.
 * Delay:   the first line after a pause, errors and warnings are written at once; other lines come together
 *          for up to 10 ms, so that a busy node does not wake the writer for each of them.
 * Control bytes and invalid UTF-8 in values are escaped, so that no guest can forge a line.
 */
#pragma once

#include "base/base.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

/** One `key=value` of a line. A list of them ends with `key == NULL`. */
struct log_field {
    const char *key;
    const char *text; /**< NULL: `number` counts. */
    size_t text_bytes;
    int64_t number;
};

#define LOG_FIELD_TEXT(k, t, n) ((struct log_field){.key = (k), .text = (t), .text_bytes = (n)})
#define LOG_FIELD_STRING(k, s) LOG_FIELD_TEXT(k, s, __builtin_strlen(s))
#define LOG_FIELD_NUMBER(k, v) ((struct log_field){.key = (k), .number = (int64_t)(v)})
#define LOG_FIELD_END ((struct log_field){.key = NULL})

/** Choose format and the most talkative level that is written. Any thread; at any time. */
void log_configure(enum log_format format, enum log_level level);

/** Whether a line of this level would be written: to skip work. Any thread. */
bool log_enabled(enum log_level level);

/** Begin the writer thread, which writes to `fd` (borrowed). False: the thread did not start. */
bool log_start(int fd);

/** Write what is left, end the writer thread. */
void log_stop(void);

/** Write one line. `message` and the fields are copied. Never blocks, never fails. */
void log_write(enum log_level level, const char *message, const struct log_field *fields);

/** The same without fields, with printf's rules (at most 1 KiB). */
void log_printf(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

/** Wait until everything logged before is written, for up to a second. For who is about to abort: the
 *  thread must not hold a lock that ranks with the log's. */
void log_flush(void);

/** For how long lines may come together, instead of 10 ms. Any thread; from the next write on. */
void log_gather(unsigned ms);

/** How often the writer thread was woken, since the start. */
uint64_t log_wakes(void);

/** Lines dropped because the buffer was full, since the start. */
uint64_t log_dropped(void);
