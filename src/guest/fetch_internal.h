/**
 * @file
 * The layout of a fetch and of the fetcher, for the files that implement them.
 *
 * A fetch has two sides, each with a reference: its *holder* (a guest's, any thread) and its *transfer* (the loop of
 * its lane). What the holder and the streams have to say goes to the transfer as one posted task with a word of flags.
 */
#pragma once

#include "base/list.h"
#include "base/lock.h"
#include "guest/fetch.h"

#include <curl/curl.h>
#include <openssl/x509.h>

/** Where a request goes: a URL that was checked. */
struct fetch_aim {
    char *url;                     /**< Normalised; owned. */
    char host[NETWORK_NAME_BYTES]; /**< Without brackets. */
    uint16_t port;
    bool tls;
    bool literal; /**< The host is an address. */
    struct ip ip; /**< That one. */
};

/** Read a URL, relative to `base` (NULL: not). False: ERR_INPUT, ERR_MEMORY. */
bool fetch_aim_init(struct fetch_aim *aim, const struct fetch_aim *base, const char *url,
                    struct err *err) MUST_USE;
void fetch_aim_fini(struct fetch_aim *aim);

/** What would allow it, as far as that can be told without a look-up. */
void fetch_aim_advise(const struct fetch_aim *aim, char ret[NETWORK_ADVICE_BYTES]);

/** Append a copy of the line. False: out of memory; the list is as it was. */
bool fetch_slist_add(struct curl_slist **list, const char *line) MUST_USE;

/** The header lines of one head, or of the trailers, while they come in. */
struct fetch_lines {
    char *text; /**< Owned: name, value, name, value. */
    size_t text_bytes, text_capacity;
    struct fetch_field *fields; /**< Owned; pointers into the text once sealed, offsets before. */
    size_t count, capacity;
    struct fetch_head head;
};

/** Add a line without its end. FETCH_PROTOCOL, FETCH_LIMIT, FETCH_MEMORY. */
enum fetch_error fetch_lines_add(struct fetch_lines *lines, const char *line, size_t size_bytes,
                                 uint32_t count_max);
void fetch_lines_seal(struct fetch_lines *lines, int status);
void fetch_lines_clear(struct fetch_lines *lines);
void fetch_lines_fini(struct fetch_lines *lines);

/** Whether name and value are made of what RFC 9110 (5.1, 5.5) allows. */
bool fetch_field_is_valid(const struct fetch_field *field);
bool fetch_field_is(const struct fetch_field *field, const char *name);
bool fetch_field_is_of_connection(const struct fetch_field *field);

/** A socket of curl's, and for whom it was connected. */
struct fetch_socket {
    int fd;
    uint16_t port;                /**< Its own end's; 0: not looked at yet. */
    struct network_policy *owner; /**< A reference: so no other policy is taken for it. */
};

/** One worker's client. */
struct fetch_lane {
    struct fetcher *fetcher;
    struct loop *loop;
    struct source
        source; /**< An epoll set of its own inside the loop's: what curl's connections wait for. */
    CURLM *multi;                 /**< NULL: nothing to do for a while. */
    struct list fetches;          /**< Those that have begun. */
    struct fetch_socket *sockets; /**< Owned: those that are open. */
    size_t socket_count, socket_capacity;
    struct timer timer;  /**< curl's. */
    struct timer idle;   /**< When to give the connections up. */
    struct task tick;    /**< Either of them has fired, or curl wants to go on at once. */
    bool ticking;        /**< It is posted. */
    bool idled;          /**< The second one has fired. */
    atomic_bool stopped; /**< The loop writes, any thread reads. */
};

struct fetcher {
    struct node *node;
    struct resolver *resolver;
    X509_STORE *authorities;
    uint32_t fetches_max, header_bytes_max, header_count_max;
    uint64_t keep_ns;
    atomic_uint fetches;                   /* any thread */
    atomic_uint_least64_t started, denied; /* any thread */
    unsigned lane_count;
    struct fetch_lane lanes[];
};

/** What the transfer has to look at. */
enum fetch_news {
    FETCH_NEWS_START = 1,
    FETCH_NEWS_CANCEL = 2,
    FETCH_NEWS_BODY = 4, /**< There is more to send, or the writer has left. */
    FETCH_NEWS_ROOM = 8, /**< The reader has made room, or has left. */
    FETCH_NEWS_TIMER = 16,
};

struct fetch {
    struct lock lock;
    atomic_uint references;            /* any thread */
    atomic_uint news;                  /* any thread: enum fetch_news */
    struct task task;                  /* posted to the lane when `news` was 0 before */
    enum fetch_state state;            /* guarded by lock */
    enum fetch_error error;            /* guarded by lock */
    bool ended;                        /* guarded by lock: the trailers are final */
    char text[FETCH_TEXT_BYTES];       /* guarded by lock */
    char denial[NETWORK_ADVICE_BYTES]; /* guarded by lock; empty: nothing was denied */
    struct stream_waker waker;         /* guarded by lock */

    /* Constant once begun. */
    struct fetch_lane *lane;
    struct network_policy *policy;
    char method[FETCH_METHOD_BYTES_MAX + 1];
    bool has_body, sends_empty;
    uint64_t body_bytes;
    uint64_t connect_ns, head_ns, idle_ns, whole_ns;

    /* The transfer's. */
    struct list link; /* of the lane */
    struct pipe_end *body, *answer;
    struct fetch_aim aim;
    struct lookup *lookup;
    CURL *easy;
    struct curl_slist *fields, *resolve;
    struct timer timer;
    uint64_t began_ns, aimed_ns, active_ns;
    unsigned redirects_left;
    struct fetch_lines lines, trailers;
    size_t head_bytes;
    int status;             /* of the head that is being read */
    enum fetch_error cause; /* why a callback broke off; FETCH_OK: it did not */
    atomic_bool over;       /* the transfer writes, any thread reads: nothing is told it any more */
    bool begun, connected, answered;
    uint64_t sent_bytes;
    size_t dropped_bytes;  /* of the body of a redirect */
    struct fetch_aim next; /* of a redirect, while its answer comes in */
    bool redirects;        /* that is followed */
    bool fresh;            /* do not use a connection again */
    bool stale;            /* a pooled connection was refused */
    bool receive_paused, send_paused;
    char words[CURL_ERROR_SIZE];
};

/** Tell the transfer. Any thread. */
void fetch_tell(struct fetch *fetch, unsigned news);
void fetch_release(struct fetch *fetch);

/** On the lane's thread, until it is over: look at the news; end it. */
void fetch_transfer_look(struct fetch *fetch, unsigned news);
void fetch_transfer_end(struct fetch *fetch, enum fetch_error error, const char *text);

/** curl has finished with it. */
void fetch_transfer_done(struct fetch *fetch, CURLcode code);

/** The lane's multi, made if need be. NULL: no memory or descriptors. */
CURLM *fetch_lane_multi(struct fetch_lane *lane) MUST_USE;

/** A fetch begins on the lane; one has ended. */
void fetch_lane_enter(struct fetch_lane *lane, struct fetch *fetch);
void fetch_lane_leave(struct fetch_lane *lane, struct fetch *fetch);

/** Note for whom a socket is opened. False: no memory. */
bool fetch_lane_own(struct fetch_lane *lane, int fd, struct network_policy *owner) MUST_USE;

/** It is about to be closed. One that is not known is allowed. */
void fetch_lane_disown(struct fetch_lane *lane, int fd);
void fetch_lane_disown_all(struct fetch_lane *lane);

/** Whether the connection whose own end is there was opened for that owner. When in doubt, it was not. */
bool fetch_lane_is_owner(const struct fetch_lane *lane, const struct ip *from, uint16_t port,
                         const struct network_policy *owner);

/** Settle what curl has finished with. */
void fetch_lane_collect(struct fetch_lane *lane);

/** Set every option of the easy handle for the fetch's aim. False: out of memory. */
bool fetch_easy_arm(struct fetch *fetch) MUST_USE;

/** Whether its aim may be had at that address; if not, that is noted. */
bool fetch_may_reach(struct fetch *fetch, const struct ip *ip, uint16_t port);

/** Run its timer for the first of its times that is over next: when they begin to count. */
void fetch_set_timer(struct fetch *fetch);

/** What would have allowed what was denied; "": nothing was. */
void fetch_note_denial(struct fetch *fetch, const char *advice);

/** The head is complete: the holder learns of it. */
void fetch_publish(struct fetch *fetch);
