/**
 * @file
 * The C interface of a mote guest.
 *
 * A handler is a function. It runs in a process of its own, with fresh memory, for one request;
 * what it calls may wait without holding anybody else up.
 *
 *     #include <mote.h>
 *
 *     MOTE_HANDLER(hello)
 *     {
 *         mote_reply_text(200, "hello\n");
 *     }
 *
 * and in mote.toml:  "GET /" = "app#hello"
 *
 * Functions that copy text out are like snprintf: at most `capacity` bytes with a terminating
 * zero are written, and the full size (without the zero) is returned, so a result >= capacity
 * means that it was cut. Results below zero are errors: enum mote_error.
 * Everything is in this header, needs no libc, and works beside one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum mote_error {
    MOTE_OK = 0,
    MOTE_DENIED = -1, /**< Not granted; the node's log has the manifest line that would allow it. */
    MOTE_NOT_FOUND = -2,
    MOTE_INVALID = -3,   /**< An argument is out of range or malformed. */
    MOTE_LIMIT = -4,     /**< A quota or a size limit. */
    MOTE_CLOSED = -5,    /**< The other side is gone. */
    MOTE_MISPLACED = -6, /**< Not in this kind of process, or not now. */
    MOTE_NO_MEMORY = -7,
    MOTE_MALFORMED = -8, /**< What came from outside is broken. */
};

/** Defines a function that a route can name: "component#name". */
#ifdef __cplusplus
#define MOTE_HANDLER(name) extern "C" __attribute__((export_name(#name))) void name(void)
#else
#define MOTE_HANDLER(name)                                                                         \
    __attribute__((export_name(#name))) void name(void);                                           \
    void name(void)
#endif

/* ---- the host's functions, as docs/guest-abi.md has them ---- */

#define MOTE_IMPORT(name) __attribute__((import_module("mote"), import_name(name)))

MOTE_IMPORT("self") int64_t mote_abi_self(void);
MOTE_IMPORT("log") int32_t mote_abi_log(int32_t level, const char *text, size_t size);
MOTE_IMPORT("sleep") int32_t mote_abi_sleep(int64_t ns);
MOTE_IMPORT("clock") int64_t mote_abi_clock(void);
MOTE_IMPORT("wall_clock") int64_t mote_abi_wall_clock(void);
MOTE_IMPORT("random") int32_t mote_abi_random(void *buffer, size_t size);
MOTE_IMPORT("env_get")
int32_t mote_abi_env_get(const char *name, size_t name_size, char *buffer, size_t capacity);
MOTE_IMPORT("request_get")
int32_t mote_abi_request_get(int32_t field, char *buffer, size_t capacity);
MOTE_IMPORT("request_param")
int32_t mote_abi_request_param(const char *name, size_t name_size, char *buffer, size_t capacity);
MOTE_IMPORT("request_query_value")
int32_t mote_abi_request_query_value(const char *name, size_t name_size, char *buffer,
                                     size_t capacity);
MOTE_IMPORT("request_header")
int32_t mote_abi_request_header(const char *name, size_t name_size, char *buffer, size_t capacity);
MOTE_IMPORT("request_header_at")
int32_t mote_abi_request_header_at(uint32_t index, char *buffer, size_t capacity);
MOTE_IMPORT("request_read") int32_t mote_abi_request_read(void *buffer, size_t capacity);
MOTE_IMPORT("respond")
int32_t mote_abi_respond(int32_t status, const char *headers, size_t headers_size, const void *body,
                         size_t body_size);
MOTE_IMPORT("respond_begin")
int32_t mote_abi_respond_begin(int32_t status, const char *headers, size_t headers_size,
                               int64_t length);
MOTE_IMPORT("respond_write") int32_t mote_abi_respond_write(const void *data, size_t size);
MOTE_IMPORT("client_gone") int32_t mote_abi_client_gone(void);

/* ---- helpers of this header ---- */

/* Constant texts are measured by the compiler, others here: no libc is needed. */
static inline size_t mote_size_of(const char *text)
{
    if (text == NULL) {
        return 0;
    }
    if (__builtin_constant_p(__builtin_strlen(text))) {
        return __builtin_strlen(text);
    }
    size_t size = 0;
    while (text[size] != '\0') {
        size++;
    }
    return size;
}

/* The host fills at most capacity - 1 bytes; the zero goes behind them. */
static inline int32_t mote_terminate(int32_t size, char *buffer, size_t capacity)
{
    if (capacity > 0) {
        size_t end = size < 0 ? 0 : (size_t)size;
        buffer[end < capacity ? end : capacity - 1] = '\0';
    }
    return size;
}

#define MOTE_ROOM(capacity) ((capacity) > 0 ? (capacity)-1 : 0)

/* ---- the process ---- */

/** This process's pid. */
static inline uint64_t mote_self(void)
{
    return (uint64_t)mote_abi_self();
}

/** Let others run for that long. */
static inline void mote_sleep_ms(uint64_t ms)
{
    mote_abi_sleep((int64_t)(ms * 1000000));
}

/** Nanoseconds of a clock that never goes back. */
static inline uint64_t mote_clock_ns(void)
{
    return (uint64_t)mote_abi_clock();
}

/** Nanoseconds since 1970-01-01 UTC. */
static inline uint64_t mote_wall_clock_ns(void)
{
    return (uint64_t)mote_abi_wall_clock();
}

/** Fill with unpredictable bytes; at most 65,536 a call. */
static inline int32_t mote_random(void *buffer, size_t size)
{
    return mote_abi_random(buffer, size);
}

enum mote_log_level { MOTE_ERROR, MOTE_WARN, MOTE_INFO, MOTE_DEBUG };

/** One line for the node's log. */
static inline void mote_log(enum mote_log_level level, const char *text)
{
    mote_abi_log(level, text, mote_size_of(text));
}

/** A variable that the manifest grants with `env`; MOTE_DENIED when it does not. */
static inline int32_t mote_env(const char *name, char *buffer, size_t capacity)
{
    return mote_terminate(mote_abi_env_get(name, mote_size_of(name), buffer, MOTE_ROOM(capacity)),
                          buffer, capacity);
}

/* ---- the request ---- */

enum mote_request_field {
    MOTE_METHOD,
    MOTE_PATH,   /**< Percent-decoded. */
    MOTE_QUERY,  /**< As sent, without the "?". */
    MOTE_TARGET, /**< As sent. */
    MOTE_HOST,
    MOTE_REMOTE, /**< "192.0.2.7:51234". */
    MOTE_ID,     /**< As in the answer's X-Request-Id and in the node's log. */
};

static inline int32_t mote_request(enum mote_request_field field, char *buffer, size_t capacity)
{
    return mote_terminate(mote_abi_request_get(field, buffer, MOTE_ROOM(capacity)), buffer,
                          capacity);
}

/** A ":name" of the route, percent-decoded; "*" for its rest. MOTE_NOT_FOUND. */
static inline int32_t mote_param(const char *name, char *buffer, size_t capacity)
{
    return mote_terminate(
        mote_abi_request_param(name, mote_size_of(name), buffer, MOTE_ROOM(capacity)), buffer,
        capacity);
}

/** A value of the query, decoded. MOTE_NOT_FOUND. */
static inline int32_t mote_query(const char *name, char *buffer, size_t capacity)
{
    return mote_terminate(
        mote_abi_request_query_value(name, mote_size_of(name), buffer, MOTE_ROOM(capacity)), buffer,
        capacity);
}

/** A number of the query, or `otherwise` when it is absent or not a number. */
static inline uint64_t mote_query_number(const char *name, uint64_t otherwise)
{
    char text[21];
    int32_t size = mote_query(name, text, sizeof text);
    if (size <= 0 || (size_t)size >= sizeof text) {
        return otherwise;
    }
    uint64_t value = 0;
    for (int32_t i = 0; i < size; i++) {
        unsigned digit = (unsigned)(text[i] - '0');
        if (digit > 9 || value > (UINT64_MAX - digit) / 10) {
            return otherwise;
        }
        value = value * 10 + digit;
    }
    return value;
}

/** The first header of that name, any case. MOTE_NOT_FOUND. */
static inline int32_t mote_header(const char *name, char *buffer, size_t capacity)
{
    return mote_terminate(
        mote_abi_request_header(name, mote_size_of(name), buffer, MOTE_ROOM(capacity)), buffer,
        capacity);
}

/** The header at a position from 0, as "Name: value"; MOTE_NOT_FOUND past the last. */
static inline int32_t mote_header_at(uint32_t index, char *buffer, size_t capacity)
{
    return mote_terminate(mote_abi_request_header_at(index, buffer, MOTE_ROOM(capacity)), buffer,
                          capacity);
}

/** Some of the body, waiting for it: 1 .. capacity bytes; 0: its end; MOTE_LIMIT: larger than the
 *  listener allows; MOTE_CLOSED, MOTE_MALFORMED: the client left, or sent nonsense. */
static inline int32_t mote_read(void *buffer, size_t capacity)
{
    return mote_abi_request_read(buffer, capacity);
}

/* ---- the answer ---- */

/** The whole answer. `headers`: "name: value\n" lines, or NULL. */
static inline int32_t mote_reply(int status, const char *headers, const void *body, size_t size)
{
    return mote_abi_respond(status, headers, mote_size_of(headers), body, size);
}

/** The whole answer, as plain text. */
static inline int32_t mote_reply_text(int status, const char *text)
{
    return mote_reply(status, "content-type: text/plain; charset=utf-8\n", text,
                      mote_size_of(text));
}

/** The whole answer, as JSON. */
static inline int32_t mote_reply_json(int status, const char *json)
{
    return mote_reply(status, "content-type: application/json\n", json, mote_size_of(json));
}

/** Begin a streamed answer; its body follows with mote_write() and ends when the handler returns. */
static inline int32_t mote_begin(int status, const char *headers)
{
    return mote_abi_respond_begin(status, headers, mote_size_of(headers), -1);
}

/** The same with a body of known size. */
static inline int32_t mote_begin_sized(int status, const char *headers, uint64_t size)
{
    return mote_abi_respond_begin(status, headers, mote_size_of(headers), (int64_t)size);
}

/** Send some of the body, waiting while the client is slow. MOTE_CLOSED: nobody reads any more. */
static inline int32_t mote_write(const void *data, size_t size)
{
    return mote_abi_respond_write(data, size);
}

static inline int32_t mote_write_text(const char *text)
{
    return mote_write(text, mote_size_of(text));
}

/** Whether the client is known to have left. */
static inline bool mote_client_gone(void)
{
    return mote_abi_client_gone() == 1;
}

#ifdef __cplusplus
}
#endif
