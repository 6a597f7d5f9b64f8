/**
 * @file
 * What goes between a connection and a guest that was made for RUSM, as JSON: a request as the guest gets it, and the answer that it
 * gives. Pure.
 *
 * The request: {"op":"fetch","ref":0,"from":"PID","action":"show","params":[["id","7"]],"request":{"method":"GET","url":"/a?b",
 * "headers":[["host","here"]],"body":"BASE64"}}. The answer: {"ref":0,"ok":{"status":200,"headers":[["a","b"]],"body":"BASE64"}},
 * or {"ref":0,"err":"why not"}.
 */
#pragma once

#include "serve/request.h"

/** A request that is being written: its body comes in pieces. Zeroed but for `to`. */
struct rusm_request {
    struct bytes *to; /**< Borrowed. */
    uint8_t rest[3];  /**< Of the body: what is no whole group yet. */
    size_t rest_bytes;
};

/** Up to the body. False, as the next two: out of memory. */
bool rusm_request_begin(struct rusm_request *writer, uint64_t from, const char *action,
                        const struct request *request) MUST_USE;
bool rusm_request_body(struct rusm_request *writer, const void *data, size_t size_bytes) MUST_USE;
bool rusm_request_end(struct rusm_request *writer) MUST_USE;

enum { RUSM_HEADERS_MAX = 128 };

/** An answer. Life: zeroed -> rusm_reply_read() -> rusm_reply_fini(). */
struct rusm_reply {
    unsigned status;        /**< 0: it says only why there is none: `texts`. */
    struct header *headers; /**< Owned; NULL: none. */
    size_t header_count;
    struct bytes texts; /**< What the headers point to. */
    struct bytes body;
};

enum rusm_reply_result {
    RUSM_REPLY_GOOD,
    RUSM_REPLY_MALFORMED, /**< `*ret_why`: constant text. */
    RUSM_REPLY_NO_MEMORY,
};

enum rusm_reply_result rusm_reply_read(struct rusm_reply *reply, const void *text,
                                       size_t size_bytes, const char **ret_why) MUST_USE;
void rusm_reply_fini(struct rusm_reply *reply);
