/**
 * @file
 * One HTTP request that goes out, and its answer: for core modules (abi_fetch.c) and components alike.
 *
 * Both bodies are pipes (guest/pipe.h): fetch_start() gives the writer's end of the request's and the reader's end of the
 * answer's, which then belong to the caller and work as ends of streams do: bounded, with back-pressure, awaited by
 * stream_set_writer() / stream_set_reader(). A request's body is complete with pipe_finish(end, true, 0); finished otherwise
 * it cancels. A reader's end that is finished early cancels what is left. When the transfer breaks after its head, the
 * reader finds STREAM_ABORTED, and stream_reason() is an enum fetch_error.
 *
 * Redirects come back as answers; with `redirects_max`, those of a request without a body are followed, each checked as the
 * first one. Nothing is decoded; there are no cookies, no proxies from the environment, no credentials but in headers.
 * Every address is checked when its socket is made, and again on every connection that is used again.
 *
 * Life:    fetch_start() -> fetch_poll() until it is not FETCH_WAITS -> fetch_destroy(), at any time: that cancels whatever is
 *          under way and aborts both streams, unless the answer is all in its stream.
 * Threads: one side at a time, any thread. The transfer runs on the loop of the worker that began it.
 */
#pragma once

#include "guest/fetcher.h"
#include "guest/grant.h"
#include "guest/network.h"
#include "guest/pipe.h"

struct fetch;

/** Why there is no answer, or no more of it. 0 is none; the numbers are the ABI's. */
enum fetch_error {
    FETCH_OK,
    FETCH_DENIED,    /**< Every address, or a redirect, is outside the policy: fetch_denial(). */
    FETCH_NAME,      /**< The name does not resolve. */
    FETCH_CONNECT,   /**< Nobody answers there. */
    FETCH_TLS,       /**< The handshake failed, or the certificate is not trusted. */
    FETCH_TIMEOUT,   /**< One of the four times is over. */
    FETCH_CLOSED,    /**< The server left before the end. */
    FETCH_PROTOCOL,  /**< What it sent is no HTTP. */
    FETCH_LIMIT,     /**< The head is too large, or there were too many redirects. */
    FETCH_CANCELLED, /**< By this side: a body that was not finished, a reader that was closed. */
    FETCH_MEMORY,
};

/** "denied", "name", ...; for logs. */
const char *fetch_error_name(enum fetch_error error);

struct fetch_field {
    const char *name, *value;
    size_t name_bytes, value_bytes;
};

enum { FETCH_URL_BYTES_MAX = 8192, FETCH_METHOD_BYTES_MAX = 32, FETCH_REDIRECTS_MAX = 20 };

#define FETCH_LENGTH_UNKNOWN UINT64_MAX

struct fetch_request {
    const char *method; /**< A token (RFC 9110, 5.6.2), not CONNECT; case counts. */
    const char
        *url; /**< "http://" or "https://", without user information; a fragment is dropped. */
    size_t method_bytes, url_bytes;
    /** Without Host (it is the URL's), Content-Length, and what belongs to one connection only (Connection, Transfer-Encoding, TE but for
     *  "trailers", Upgrade, ...): those are ERR_INPUT. */
    const struct fetch_field *fields;
    size_t field_count;
    bool has_body;
    uint64_t
        body_bytes; /**< How long it will be, or FETCH_LENGTH_UNKNOWN (chunked with HTTP/1.1). */
    /* 0: no limit. */
    uint64_t connect_ns; /**< Name, socket and TLS. */
    uint64_t head_ns;    /**< From the start until the head of the answer. */
    uint64_t idle_ns;    /**< Nothing moves, and not because this side does not read or write. */
    uint64_t whole_ns;   /**< Everything. */
    unsigned redirects_max;
    struct network_policy *policy; /**< A reference is kept. */
    size_t buffer_bytes;           /**< Of each stream; at least FETCH_BUFFER_BYTES_MIN. */
};

enum { FETCH_BUFFER_BYTES_MIN = 65536 };

/** Put in what a grant says: the policy, and its times where the request has longer ones or none. */
void fetch_request_limit(struct fetch_request *request, const struct grant *grant);

/** Check all of it and begin. Never waits. Everything in `request` may go afterwards.
 *  @param waker       called when fetch_poll() may say something else; as a stream's: any thread, no lock held
 *  @param ret_writer  of the request's body, the caller's; NULL without one
 *  @param ret_reader  of the answer's body, the caller's
 *  @return NULL: ERR_INPUT (malformed: "unknown scheme 'file'"), ERR_DENIED (it needs no look-up to tell: the text is the
 *          line of the manifest), ERR_LIMIT (the node's max-fetches), ERR_MEMORY */
struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
                          struct stream_waker waker, struct pipe_end **ret_writer,
                          struct pipe_end **ret_reader, struct err *err) MUST_USE;

/** Cancel and let go. The waker is not called any more once it has returned (one that was retained is on its way). NULL is allowed. */
void fetch_destroy(struct fetch *fetch);
DEFINE_AUTO_DESTROY(fetch)

enum fetch_state {
    FETCH_WAITS,    /**< No head yet; the waker will be called. */
    FETCH_ANSWERED, /**< fetch_head() is there; for good. */
    FETCH_FAILED,   /**< There will be none: fetch_error(). For good. */
};

enum fetch_state fetch_poll(struct fetch *fetch);

/** Who is called from now on. */
void fetch_set_waker(struct fetch *fetch, struct stream_waker waker);

struct fetch_head {
    int status;                       /**< 200 to 599: interim answers are passed over. */
    const struct fetch_field *fields; /**< Names as they came; borrowed until fetch_destroy(). */
    size_t field_count;
};

/** Once FETCH_ANSWERED. */
const struct fetch_head *fetch_head(const struct fetch *fetch);

/** Once the answer's body has ended: what came behind it. */
const struct fetch_head *fetch_trailers(struct fetch *fetch);

/** Why it failed, before the head or after; FETCH_OK: it has not. `ret_text` (may be NULL) gets words for a log. */
enum { FETCH_TEXT_BYTES = 160 };
enum fetch_error fetch_error(struct fetch *fetch, char ret_text[FETCH_TEXT_BYTES]);

/** Something was denied: the line of the manifest that would allow it. False: nothing was. */
bool fetch_denial(struct fetch *fetch, char ret[NETWORK_ADVICE_BYTES]);
