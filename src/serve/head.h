/**
 * @file
 * The head of an HTTP/1 answer as bytes (RFC 9112, 4 and 5), and the Date that stands in it.
 * Pure but for the clock that date_refresh() reads.
 */
#pragma once

#include "core/env.h"
#include "serve/request.h"

/** "Date: Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7), made once a second. */
struct date {
    uint64_t stale_ns; /* monotonic: when the second is over; 0: nothing made yet */
    char line[48];     /* with its line end */
    size_t size;
};

/** Make it new when its second is over. `now_ns` is monotonic. */
void date_refresh(struct date *date, struct env *env, uint64_t now_ns);

/** How the body behind the head ends. */
enum head_body {
    HEAD_BODY_NONE,  /**< There is none and none is announced: 204, 304. */
    HEAD_BODY_SIZED, /**< `length` bytes (announced only, for HEAD). */
    HEAD_BODY_CHUNKED,
    HEAD_BODY_CLOSE, /**< With the connection: HTTP/1.0 and unknown size. */
};

enum head_connection {
    HEAD_CONNECTION_DEFAULT, /**< Says nothing. */
    HEAD_CONNECTION_CLOSE,
    HEAD_CONNECTION_KEEP,    /**< Says "keep-alive", for HTTP/1.0. */
    HEAD_CONNECTION_UPGRADE, /**< Says "Upgrade", to `upgrade`. */
};

struct head {
    unsigned status;
    enum head_body body;
    uint64_t length;
    enum head_connection connection;
    const char *upgrade;       /**< "websocket"; without HEAD_CONNECTION_UPGRADE: only offered. */
    unsigned retry_after_s;    /**< 0: no such line. */
    bool has_date, has_server; /**< `lines` has them: ours are left out. */
    struct text lines;         /**< Of the answer, each with its line end. */
    struct text fixed;         /**< Of the listener, each with its line end. */
    const char *id;            /**< 16 bytes; NULL: no X-Request-Id. */
};

/** Append the head with its empty line. False: out of memory, nothing changed. */
bool head_write(struct bytes *out, const struct head *head, const struct date *date) MUST_USE;

/** The words of a status: "Not Found". Never NULL. */
const char *status_words(unsigned status);

/** Write 16 hexadecimal digits and a zero. */
void id_format(uint64_t id, char ret[17]);
