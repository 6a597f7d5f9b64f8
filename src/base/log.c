#include "base/log.h"

#include "base/bytes.h"
#include "base/lock.h"
#include "base/number.h"
#include "base/utf8.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LOG_BUFFER_BYTES = 1024 * 1024,
    LOG_LINE_BYTES = 16 * 1024,
    LOG_TAIL_BYTES = 64, /* of a line: room for closing quotes and the mark of a cut */
    LOG_PRINTF_BYTES = 1024,
    LOG_CHUNK_BYTES = 4096, /* PIPE_BUF: what a pipe that polls writable takes without blocking */
    LOG_POLL_MS = 100,
    LOG_GIVE_UP_POLLS = 10, /* when stopping: a reader that takes nothing for a second is gone */
    LOG_GATHER_MS = 10,     /* for which the writer lets lines come together */
    LOG_FLUSH_MS = 1000,    /* for which log_flush() waits at most */
    NS_PER_MS = 1000000,
    NS_PER_S = 1000000000,
};

static const char *const level_text[] = {"ERROR", "WARN", "INFO", "DEBUG"};
static const char *const level_json[] = {"error", "warn", "info", "debug"};

static atomic_int log_format_now = LOG_TEXT; /* any thread */
static atomic_int log_level_now = LOG_INFO;  /* any thread */
static atomic_uint_least64_t dropped;        /* any thread */

static atomic_uint_least64_t wakes;           /* any thread */
static atomic_uint gather_ms = LOG_GATHER_MS; /* any thread */

/* Waking a thread costs more than writing a line does. So after each write the writer waits a little
 * for more lines, and is woken only by what is urgent: errors, warnings, a buffer half full. When
 * nothing came it sleeps, and the next line wakes it, and is written at once. */
enum writer_state {
    WRITER_ASLEEP,
    WRITER_GATHERING,
    WRITER_RUNG, /* Posted to and not back yet: it will look. */
};

static struct {
    struct lock lock;
    struct bytes filling;    /* guarded by lock */
    enum writer_state state; /* guarded by lock */
    bool running;            /* guarded by lock */
    bool stopping;           /* guarded by lock */
    uint64_t rounds;         /* guarded by lock: times that it has written all there was */
    pthread_t thread;        /* log_start() and log_stop() only */
    int fd;                  /* constant while running */
    sem_t work;              /* posted with `state` becoming RUNG */
} writer = {.lock = LOCK_INITIALIZER(LOCK_LOG), .fd = STDERR_FILENO};

static _Thread_local bool is_writer;

/* One line under construction. Cut at `limit`, which leaves room for what closes it. */
struct line {
    char *data;
    size_t size, limit;
    bool cut;
};

static bool line_put(struct line *line, const char *text, size_t size_bytes)
{
    if (line->cut || size_bytes > line->limit - line->size) {
        line->cut = true;
        return false;
    }
    memcpy(line->data + line->size, text, size_bytes);
    line->size += size_bytes;
    return true;
}

static void line_put_string(struct line *line, const char *text)
{
    line_put(line, text, strlen(text));
}

/* What closes something opened before: always fits, see LOG_TAIL_BYTES. */
static void line_close(struct line *line, const char *text)
{
    size_t size_bytes = strlen(text);
    memcpy(line->data + line->size, text, size_bytes);
    line->size += size_bytes;
}

static void line_put_number(struct line *line, int64_t number)
{
    char digits[21];
    size_t length = 0;
    uint64_t magnitude = (uint64_t)number;
    if (number < 0) {
        digits[length++] = '-';
        magnitude = 0 - magnitude;
    }
    length += number_format(magnitude, digits + length);
    line_put(line, digits, length);
}

/* Controls, also those of ISO 6429's upper half, which terminals obey too. */
static bool is_control(uint32_t code_point)
{
    return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
}

static void line_put_escaped(struct line *line, const char *text, size_t size_bytes, bool json)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < size_bytes && !line->cut;) {
        uint32_t code_point = 0;
        size_t length = utf8_decode(text + i, size_bytes - i, &code_point);
        unsigned char byte = (unsigned char)text[i];
        if (length == 0 && json) {
            line_put(line, "\xef\xbf\xbd", 3);
        } else if (code_point == '\n' && length == 1) {
            line_put(line, "\\n", 2);
        } else if (code_point == '\t' && length == 1) {
            line_put(line, "\\t", 2);
        } else if (code_point == '\r' && length == 1) {
            line_put(line, "\\r", 2);
        } else if (length == 1 && (byte == '"' || byte == '\\')) {
            line_put(line, (const char[]){'\\', (char)byte}, 2);
        } else if (length != 0 && is_control(code_point) && json) {
            line_put(
                line,
                (const char[]){'\\', 'u', '0', '0', hex[code_point >> 4], hex[code_point & 15]}, 6);
        } else if (length == 0 || is_control(code_point)) {
            for (size_t k = 0; k < (length == 0 ? 1 : length); k++) {
                unsigned char one = (unsigned char)text[i + k];
                line_put(line, (const char[]){'\\', 'x', hex[one >> 4], hex[one & 15]}, 4);
            }
        } else {
            line_put(line, text + i, length);
        }
        i += length == 0 ? 1 : length;
    }
}

/* Whether a value can stand in a text line as it is. */
static bool is_plain(const char *text, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == '\\' || byte == '=') {
            return false;
        }
    }
    return size_bytes > 0;
}

static void line_put_quoted(struct line *line, const char *text, size_t size_bytes, bool json)
{
    if (line_put(line, "\"", 1)) {
        line_put_escaped(line, text, size_bytes, json);
        line_close(line, "\"");
    }
}

static void digits_put(char *ret, unsigned value, unsigned width)
{
    for (unsigned i = width; i > 0; i--) {
        ret[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* Days since 1970-01-01 to a date: shift the year to begin in March, so that the leap day is last.
 * (The libc's conversion takes a process-wide lock.) */
static void date_put(char *ret, uint64_t days)
{
    uint64_t since_march_0 = days + 719468;
    uint64_t era = since_march_0 / 146097;
    uint64_t day_of_era = since_march_0 % 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t month = (5 * day_of_year + 2) / 153; /* 0: March */
    uint64_t day = day_of_year - (153 * month + 2) / 5 + 1;
    uint64_t year = era * 400 + year_of_era + (month >= 10);
    digits_put(ret, (unsigned)year, 4);
    ret[4] = '-';
    digits_put(ret + 5, (unsigned)(month >= 10 ? month - 9 : month + 3), 2);
    ret[7] = '-';
    digits_put(ret + 8, (unsigned)day, 2);
}

enum { TIME_BYTES = 24 };

static void time_put(char ret[TIME_BYTES])
{
    /* The one clock outside core/env: the log lies below it, and a simulation's log lines carry
     * the time at which they were really written. */
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seconds = now.tv_sec < 0 ? 0 : (uint64_t)now.tv_sec;
    memcpy(ret, "0000-00-00T00:00:00.000Z", TIME_BYTES);
    date_put(ret, seconds / 86400);
    digits_put(ret + 11, (unsigned)(seconds / 3600 % 24), 2);
    digits_put(ret + 14, (unsigned)(seconds / 60 % 60), 2);
    digits_put(ret + 17, (unsigned)(seconds % 60), 2);
    digits_put(ret + 20, (unsigned)(now.tv_nsec / 1000000), 3);
}

static void line_put_field(struct line *line, const struct log_field *field, bool json)
{
    size_t before = line->size;
    line_put(line, json ? "," : " ", 1);
    if (json) {
        line_put_quoted(line, field->key, strlen(field->key), true);
        line_put(line, ":", 1);
    } else {
        line_put_string(line, field->key);
        line_put(line, "=", 1);
    }
    size_t value_at = line->size;
    if (line->cut) {
        /* No room for the name: leave the field out, a name without a value is not JSON. */
    } else if (field->text == NULL) {
        line_put_number(line, field->number);
    } else if (!json && is_plain(field->text, field->text_bytes)) {
        line_put(line, field->text, field->text_bytes);
    } else {
        line_put_quoted(line, field->text, field->text_bytes, json);
    }
    if (line->cut && line->size == value_at) {
        line->size = before;
    }
}

static void line_format(struct line *line, enum log_level level, const char *message,
                        const struct log_field *fields)
{
    bool json = atomic_load_explicit(&log_format_now, memory_order_relaxed) == LOG_JSON;
    char time_text[TIME_BYTES];
    time_put(time_text);
    if (json) {
        line_put_string(line, "{\"time\":\"");
        line_put(line, time_text, TIME_BYTES);
        line_put_string(line, "\",\"level\":\"");
        line_put_string(line, level_json[level]);
        line_put_string(line, "\",\"message\":");
        line_put_quoted(line, message, strlen(message), true);
    } else {
        line_put(line, time_text, TIME_BYTES);
        line_put(line, " ", 1);
        line_put_string(line, level_text[level]);
        line_put(line, " ", 1);
        line_put_escaped(line, message, strlen(message), false);
    }
    for (const struct log_field *f = fields; f != NULL && f->key != NULL && !line->cut; f++) {
        line_put_field(line, f, json);
    }
    if (line->cut) {
        line_close(line, json ? ",\"truncated\":true" : " truncated=true");
    }
    line_close(line, json ? "}\n" : "\n");
}

/* Write everything, as long as the reader takes something. */
static void fd_write_all(int fd, const uint8_t *data, size_t size_bytes, bool patient)
{
    int refused = 0;
    while (size_bytes > 0) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        if (poll(&ready, 1, LOG_POLL_MS) <= 0) {
            if (!patient) {
                lock_take(&writer.lock);
                bool stopping = writer.stopping;
                lock_release(&writer.lock);
                if (stopping && ++refused >= LOG_GIVE_UP_POLLS) {
                    return;
                }
            }
            continue;
        }
        ssize_t done = write(fd, data, size_bytes < LOG_CHUNK_BYTES ? size_bytes : LOG_CHUNK_BYTES);
        if (done > 0) {
            data += done;
            size_bytes -= (size_t)done;
            refused = 0;
        } else if (done < 0 && errno != EINTR && errno != EAGAIN) {
            return; /* Nobody reads the log any more; there is nobody to tell. */
        }
    }
}

static void write_dropped(int fd, uint64_t count)
{
    char data[512];
    struct line line = {.data = data, .limit = sizeof(data) - LOG_TAIL_BYTES};
    const struct log_field fields[] = {LOG_FIELD_NUMBER("dropped", count), LOG_FIELD_END};
    line_format(&line, LOG_WARN, "log lines were dropped, its reader is too slow", fields);
    fd_write_all(fd, (const uint8_t *)data, line.size, false);
}

/* With the lock held. */
static void writer_ring(void)
{
    if (writer.state != WRITER_RUNG) {
        writer.state = WRITER_RUNG;
        atomic_fetch_add_explicit(&wakes, 1, memory_order_relaxed);
        sem_post(&writer.work);
    }
}

/* Wait until somebody rings, or after a write only for so long. */
static void writer_wait(bool gathering)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    unsigned ms = atomic_load_explicit(&gather_ms, memory_order_relaxed);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * NS_PER_MS;
    until.tv_sec += until.tv_nsec / NS_PER_S;
    until.tv_nsec %= NS_PER_S;
    int result;
    do {
        result = gathering ? sem_clockwait(&writer.work, CLOCK_MONOTONIC, &until)
                           : sem_wait(&writer.work);
    } while (result != 0 && errno == EINTR);
}

/* Take what there is, and say how to wait for more. False: it is to stop. */
static bool writer_take(struct bytes *draining, bool *ret_gather)
{
    lock_take(&writer.lock);
    if (writer.state == WRITER_RUNG) {
        /* Rung in the very moment in which the time was over: that post must not count later. */
        (void)sem_trywait(&writer.work);
    }
    struct bytes swap = writer.filling;
    writer.filling = *draining;
    *draining = swap;
    *ret_gather = draining->size > 0;
    writer.state = *ret_gather ? WRITER_GATHERING : WRITER_ASLEEP;
    bool stopping = writer.stopping;
    lock_release(&writer.lock);
    return !stopping;
}

static void *writer_main(void *argument)
{
    (void)argument;
    pthread_setname_np(pthread_self(), "mote-log");
    is_writer = true;
    struct bytes draining = {0};
    uint64_t told = atomic_load_explicit(&dropped, memory_order_relaxed);
    bool gathering = false;
    for (bool going = true; going;) {
        writer_wait(gathering);
        going = writer_take(&draining, &gathering);
        fd_write_all(writer.fd, draining.data, draining.size, false);
        bytes_clear(&draining);
        uint64_t now = atomic_load_explicit(&dropped, memory_order_relaxed);
        if (now != told) {
            write_dropped(writer.fd, now - told);
            told = now;
        }
        lock_take(&writer.lock);
        writer.rounds++;
        lock_release(&writer.lock);
    }
    bytes_fini(&draining);
    return NULL;
}

void log_configure(enum log_format format, enum log_level level)
{
    atomic_store_explicit(&log_format_now, (int)format, memory_order_relaxed);
    atomic_store_explicit(&log_level_now, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_level_now, memory_order_relaxed);
}

bool log_start(int fd)
{
    INVARIANT(!writer.running);
    writer.fd = fd;
    writer.stopping = false;
    writer.state = WRITER_ASLEEP;
    if (sem_init(&writer.work, 0, 0) != 0) {
        return false;
    }
    /* Signals belong to the main thread, and a closed reader must not raise SIGPIPE here. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&writer.thread, NULL, writer_main, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        sem_destroy(&writer.work);
        return false;
    }
    lock_take(&writer.lock);
    writer.running = true;
    lock_release(&writer.lock);
    return true;
}

void log_stop(void)
{
    lock_take(&writer.lock);
    bool running = writer.running;
    writer.running = false;
    writer.stopping = true;
    if (running) {
        writer_ring();
    }
    lock_release(&writer.lock);
    if (!running) {
        return;
    }
    pthread_join(writer.thread, NULL);
    sem_destroy(&writer.work);
    bytes_fini(&writer.filling);
    writer.fd = STDERR_FILENO;
}

void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
    static _Thread_local char data[LOG_LINE_BYTES];
    if (!log_enabled(level)) {
        return;
    }
    struct line line = {.data = data, .limit = sizeof(data) - LOG_TAIL_BYTES};
    line_format(&line, level, message, fields);

    lock_take(&writer.lock);
    bool running = writer.running;
    if (running) {
        if (line.size > LOG_BUFFER_BYTES - writer.filling.size ||
            !bytes_append(&writer.filling, line.data, line.size)) {
            atomic_fetch_add_explicit(&dropped, 1, memory_order_relaxed);
        } else if (writer.state == WRITER_ASLEEP || level <= LOG_WARN ||
                   writer.filling.size >= LOG_BUFFER_BYTES / 2) {
            writer_ring();
        }
    }
    lock_release(&writer.lock);
    if (!running) {
        fd_write_all(STDERR_FILENO, (const uint8_t *)line.data, line.size, true);
    }
}

void log_printf(enum log_level level, const char *fmt, ...)
{
    if (!log_enabled(level)) {
        return;
    }
    char message[LOG_PRINTF_BYTES];
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    log_write(level, length < 0 ? fmt : message, NULL);
}

void log_flush(void)
{
    if (is_writer) {
        return;
    }
    lock_take(&writer.lock);
    /* It may be in the middle of a round, which does not count: the one after it is whole. */
    uint64_t enough = writer.rounds + 2;
    lock_release(&writer.lock);
    for (int waited_ms = 0; waited_ms < LOG_FLUSH_MS; waited_ms++) {
        lock_take(&writer.lock);
        bool done = !writer.running || writer.rounds >= enough;
        if (!done) {
            writer_ring();
        }
        lock_release(&writer.lock);
        if (done) {
            return;
        }
        poll(NULL, 0, 1);
    }
}

void log_gather(unsigned ms)
{
    atomic_store_explicit(&gather_ms, ms, memory_order_relaxed);
}

uint64_t log_wakes(void)
{
    return atomic_load_explicit(&wakes, memory_order_relaxed);
}

uint64_t log_dropped(void)
{
    return atomic_load_explicit(&dropped, memory_order_relaxed);
}
