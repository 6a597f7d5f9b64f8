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

/** Defines a function that a route can name: "component#name". */
#ifdef __cplusplus
#define MOTE_HANDLER(name) extern "C" __attribute__((export_name(#name))) void name(void)
#else
#define MOTE_HANDLER(name)                                                                         \
    __attribute__((export_name(#name))) void name(void);                                           \
    void name(void)
#endif

/* What the platform offers. Change src/guest/abi.toml, not this part. */
/* made by tools/abi.py: begin */
/* clang-format off */

/** Results below zero. */
enum mote_error {
    MOTE_OK = 0,
    /** Not granted; the log has the manifest line that would allow it */
    MOTE_DENIED = -1,
    /** No such process, name, timer, handle or value, or none in reach */
    MOTE_NOT_FOUND = -2,
    /** An argument is out of range or malformed */
    MOTE_INVALID = -3,
    /** A quota or a size limit */
    MOTE_LIMIT = -4,
    /** The other side is gone */
    MOTE_CLOSED = -5,
    /** Not in this kind of process, or not now */
    MOTE_MISPLACED = -6,
    /** The node has no memory */
    MOTE_NO_MEMORY = -7,
    /** What came from outside is broken */
    MOTE_MALFORMED = -8,
    /** It did not happen in time; with a timeout of 0: not now */
    MOTE_TIMEOUT = -9,
    /** Taken already */
    MOTE_EXISTS = -10,
    /** The receiver's mailbox is full, and it refuses */
    MOTE_FULL = -11,
    /** The writer of a stream gave up */
    MOTE_ABORTED = -12,
};

/** How grave a line of the log is. */
enum mote_log_level {
    MOTE_ERROR = 0,
    MOTE_WARN = 1,
    MOTE_INFO = 2,
    MOTE_DEBUG = 3,
};

/** A part of the request. */
enum mote_request_field {
    MOTE_METHOD = 0,
    /** Percent-decoded */
    MOTE_PATH = 1,
    /** As sent, without the `?` */
    MOTE_QUERY = 2,
    /** As sent */
    MOTE_TARGET = 3,
    MOTE_HOST = 4,
    /** `192.0.2.7:51234` */
    MOTE_REMOTE = 5,
    /** As in the answer's `X-Request-Id` and in the node's log */
    MOTE_ID = 6,
    /** Of a WebSocket: what was agreed on, or empty */
    MOTE_SUBPROTOCOL = 7,
    /** `https` when the client speaks TLS, with the node or with a trusted proxy; else `http` */
    MOTE_SCHEME = 8,
    /** The subject of the client's verified certificate, as `CN=name,O=firm`; empty without one */
    MOTE_CERTIFICATE = 9,
};

/** What a piece of mail is. */
enum mote_mail_kind {
    /** Sent or published; `label` is the sender's */
    MOTE_MAIL_SEND = 0,
    /** A request that waits for reply() with its `sender` and `reference` */
    MOTE_MAIL_CALL = 1,
    /** The answer to the call `reference` */
    MOTE_MAIL_REPLY = 2,
    /** What the monitor or call `reference` watched has ended: `sender`, `exit_class`, `status`,
     *  the reason in the body */
    MOTE_MAIL_DOWN = 3,
    /** An exit signal of `sender`, to who traps exits; as `down` */
    MOTE_MAIL_EXIT = 4,
    /** The timer `reference` fired; `label`: how many times since the last one was read */
    MOTE_MAIL_TIMER = 5,
    /** Asked to stop: finish, and return */
    MOTE_MAIL_STOP = 6,
    /** A message of this WebSocket's client; `label` is its ws_kind. `sender` is 0: no process can
     *  send one */
    MOTE_MAIL_FRAME = 7,
    /** The WebSocket is closed: `label` is the code (1005: none was given, 1006: the client is
     *  gone without a word), the reason in the body. Nothing can be sent any more; return */
    MOTE_MAIL_CLOSE = 8,
};

/** How a process ended. */
enum mote_exit_class {
    /** It returned */
    MOTE_EXIT_NORMAL = 0,
    /** Asked to stop, and did */
    MOTE_EXIT_SHUTDOWN = 1,
    /** Exit() with a reason of its own */
    MOTE_EXIT_EXITED = 2,
    /** A trap, or an exit status other than 0 */
    MOTE_EXIT_CRASHED = 3,
    /** Its memory would have grown past the ceiling */
    MOTE_EXIT_CRASHED_MEMORY = 4,
    /** Its CPU budget was used up */
    MOTE_EXIT_CRASHED_CPU = 5,
    /** Its deadline was over */
    MOTE_EXIT_CRASHED_TIMEOUT = 6,
    /** By a kill, or an exit signal that it did not trap */
    MOTE_EXIT_KILLED = 7,
    /** There was no such process, or not any more */
    MOTE_EXIT_NOPROC = 8,
    /** Its node cannot be reached */
    MOTE_EXIT_NOCONNECTION = 9,
};

/** What a message of a WebSocket is. */
enum mote_ws_kind {
    /** UTF-8 */
    MOTE_WS_TEXT = 1,
    MOTE_WS_BINARY = 2,
};

/** What to wait for. */
enum mote_wait_kind {
    /** Something is in the mailbox that was not looked at by the last receive() */
    MOTE_WAIT_MAIL = 0,
    /** The stream `handle` has bytes, or has ended */
    MOTE_WAIT_READABLE = 1,
    /** The stream `handle` has room, or its reader is gone */
    MOTE_WAIT_WRITABLE = 2,
    /** The client of this request has left */
    MOTE_WAIT_CLIENT_GONE = 3,
    /** The request `handle` has its answer's head, or has failed */
    MOTE_WAIT_FETCHED = 4,
    /** The request's body: request_read() will not wait */
    MOTE_WAIT_BODY = 5,
    /** The answer: respond_write(), or sse_send(), of up to 65,536 bytes will hardly wait, or
     *  nobody reads any more */
    MOTE_WAIT_ANSWER = 6,
};

/** What a process does. */
enum mote_process_phase {
    /** Waits for something */
    MOTE_PHASE_PARKED = 0,
    /** Waits for a turn */
    MOTE_PHASE_QUEUED = 1,
    MOTE_PHASE_RUNNING = 2,
};

/** What ties spawner and child from the start; bits of spawn_options.flags. */
enum mote_spawn_flag {
    /** They end together */
    MOTE_SPAWN_LINK = 1,
    /** The spawner gets a `down` */
    MOTE_SPAWN_MONITOR = 2,
};

/** What a supervisor restarts when a child has ended. */
enum mote_strategy {
    /** That child */
    MOTE_STRATEGY_ONE_FOR_ONE = 0,
    /** All children */
    MOTE_STRATEGY_ONE_FOR_ALL = 1,
    /** It and those started after it */
    MOTE_STRATEGY_REST_FOR_ONE = 2,
};

/** When a child is restarted. */
enum mote_restart {
    /** Always */
    MOTE_RESTART_PERMANENT = 0,
    /** Unless it ended with `normal` or `shutdown` */
    MOTE_RESTART_TRANSIENT = 1,
    /** Never */
    MOTE_RESTART_TEMPORARY = 2,
};

/** Bits of fetch_options.flags. */
enum mote_fetch_flag {
    /** The request has a body, which is written to `fetched.body` */
    MOTE_FETCH_BODY = 1,
    /** It has exactly `body_bytes`; without this bit its length is not known beforehand */
    MOTE_FETCH_LENGTH = 2,
};

/** Why there is no answer, or no more of it; also the reason of an aborted answer's stream. */
enum mote_fetch_reason {
    /** Nothing went wrong, so far */
    MOTE_FETCH_OK = 0,
    /** The address, or that of a redirect, is not granted */
    MOTE_FETCH_DENIED = 1,
    /** There is no such host */
    MOTE_FETCH_NAME = 2,
    /** Nobody answers there */
    MOTE_FETCH_CONNECT = 3,
    /** No TLS, or a certificate that is not trusted */
    MOTE_FETCH_TLS = 4,
    /** One of its times is over */
    MOTE_FETCH_TIMEOUT = 5,
    /** The server left before the end */
    MOTE_FETCH_CLOSED = 6,
    /** What came is no HTTP */
    MOTE_FETCH_PROTOCOL = 7,
    /** The head of the answer is too large */
    MOTE_FETCH_LIMIT = 8,
    /** Given up on this side */
    MOTE_FETCH_CANCELLED = 9,
    /** The node has no memory */
    MOTE_FETCH_MEMORY = 10,
};

/** What a receive wants. All zero: everything. */
struct mote_filter {
    /** Bits 1 << mail_kind; 0: all */
    uint32_t kinds;
    /** How many of `labels`, at most 8; 0: any */
    uint32_t label_count;
    /** 0: any */
    uint64_t reference;
    /** Sends and calls must have one of these; other kinds have no labels */
    uint64_t labels[8];
};

/** A piece of mail without its body. */
struct mote_mail {
    /** Mail_kind */
    uint32_t kind;
    /** Of the body, all of it */
    uint32_t size;
    /** 0: the platform */
    uint64_t sender;
    /** Of a `frame`: ws_kind; of a `close`: the code */
    uint64_t label;
    /** Of an `exit`: -1 when a link brought it, 0 when it was sent */
    uint64_t reference;
    /** Of `down` and `exit` */
    uint32_t exit_class;
    /** Exit status, of `down` and `exit` */
    int32_t status;
    /** The end of a stream that came with it; 0: none; below 0: one came, and why it could not be
     *  taken */
    int32_t stream;
    /** 0 */
    uint32_t reserved[5];
};

/** One thing to wait for. */
struct mote_wait {
    /** Wait_kind */
    uint32_t kind;
    /** Of a stream, or of a request that was sent; else 0 */
    int32_t handle;
    /** Written: 1 when it is ready */
    uint32_t ready;
    /** 0 */
    uint32_t reserved;
};

/** How a publication went. */
struct mote_publication {
    /** Mailboxes that took it */
    uint64_t reached;
    /** Those that were full */
    uint64_t skipped;
};

/** What can be said of a process. */
struct mote_info {
    /** Pid; 0: the platform */
    uint64_t parent;
    /** Process_phase */
    uint32_t phase;
    /** Unread */
    uint32_t mailbox_messages;
    /** Of their bodies */
    uint64_t mailbox_bytes;
    /** Of its linear memory, which never shrinks: also the most that it had */
    uint64_t memory_bytes;
    /** Processor time of its ended turns */
    uint64_t cpu_ns;
    uint64_t turns;
    uint64_t preemptions;
    /** Since its start */
    uint64_t age_ns;
    /** Only of oneself, else 0 */
    uint32_t links;
    /** Its own, calls too; only of oneself, else 0 */
    uint32_t monitors;
    /** Only of oneself, else 0 */
    uint32_t timers;
    /** 0 */
    uint32_t reserved;
    /** That it has taken: messages, calls, replies, frames */
    uint64_t messages_received;
    /** Of their bodies */
    uint64_t bytes_received;
    /** By send(), call(), reply() and publish(), one for each receiver */
    uint64_t messages_sent;
    /** Of their bodies */
    uint64_t bytes_sent;
};

/** How to spawn. All zero: untied, with all that the component is granted. */
struct mote_spawn_options {
    /** Bits of spawn_flag */
    uint32_t flags;
    /** Of each memory; 0: as granted */
    uint32_t max_memory_mb;
    /** Of a unit of work; 0: as granted */
    uint32_t max_cpu_ms;
    /** Of its life; 0: none of its own */
    uint32_t deadline_ms;
};

/** A new process. */
struct mote_spawned {
    uint64_t pid;
    /** Of the monitor; 0: not monitored */
    uint64_t reference;
};

/** The two ends of a new stream. */
struct mote_stream_pair {
    int32_t reader;
    int32_t writer;
};

/** How a supervisor supervises. */
struct mote_supervisor_spec {
    /** Strategy */
    uint32_t strategy;
    /** In the window; one more, and it gives up */
    uint32_t max_restarts;
    uint32_t window_ms;
    /** 0 */
    uint32_t reserved;
};

/** One child of a supervisor. Pointers are addresses in the memory of the caller. */
struct mote_child_spec {
    /** Pointer to its name among the children; at most 63 bytes */
    uint32_t name;
    /** 0: named as its component */
    uint32_t name_size;
    /** Pointer; as for spawn() */
    uint32_t component;
    uint32_t component_size;
    /** Pointer */
    uint32_t input;
    uint32_t input_size;
    /** Restart */
    uint32_t restart;
    /** How long it may take to stop; 0: it is killed */
    uint32_t shutdown_ms;
    /** 0: it has started at once; else by ready() or its first receive() within that time */
    uint32_t start_timeout_ms;
    /** 0 */
    uint32_t reserved;
};

/** A child as it is now. */
struct mote_child_state {
    /** Ended by a zero byte */
    uint8_t name[64];
    /** 0: not running */
    uint64_t pid;
    /** So far */
    uint64_t restarts;
};

/** How to ask. All zero: without a body, redirects are answers, the times as granted. */
struct mote_fetch_options {
    /** Bits of fetch_flag */
    uint32_t flags;
    /** How many to follow, of GET and HEAD only; at most 20 */
    uint32_t redirects;
    /** With the bit `length` */
    uint64_t body_bytes;
    /** Until there is a connection; 0: as granted, as with those below */
    uint32_t connect_ms;
    /** Until the answer's head; 0: no limit of its own */
    uint32_t head_ms;
    /** Without a byte, while this side is ready for one */
    uint32_t idle_ms;
    /** For all of it */
    uint32_t deadline_ms;
};

/** A request under way. */
struct mote_fetched {
    /** Handle of the request */
    int32_t fetch;
    /** The stream that its body is written to; 0: it has none */
    int32_t body;
    /** The stream that the answer's body is read from */
    int32_t answer;
    /** 0 */
    uint32_t reserved;
};

/** The head of an answer. */
struct mote_fetch_head {
    /** 200 to 599 */
    uint32_t status;
    /** How many there are */
    uint32_t headers;
};

/* ---- the host's functions, as docs/guest-abi.md has them ---- */

#define MOTE_IMPORT(name) __attribute__((import_module("mote"), import_name(name)))

MOTE_IMPORT("self") uint64_t mote_abi_self(void);
MOTE_IMPORT("parent") uint64_t mote_abi_parent(void);
MOTE_IMPORT("log") int32_t mote_abi_log(int32_t level, const char *text, size_t text_size);
MOTE_IMPORT("sleep") int32_t mote_abi_sleep(int64_t time);
MOTE_IMPORT("clock") int64_t mote_abi_clock(void);
MOTE_IMPORT("wall_clock") int64_t mote_abi_wall_clock(void);
MOTE_IMPORT("random") int32_t mote_abi_random(void *buffer, size_t capacity);
MOTE_IMPORT("env_get")
int32_t mote_abi_env_get(const char *name, size_t name_size, char *buffer, size_t capacity);
MOTE_IMPORT("ready") int32_t mote_abi_ready(void);
MOTE_IMPORT("set_label") int32_t mote_abi_set_label(const char *text, size_t text_size);
MOTE_IMPORT("info") int32_t mote_abi_info(uint64_t pid, struct mote_info *info);
MOTE_IMPORT("list") int32_t mote_abi_list(uint64_t *pids, size_t capacity);
MOTE_IMPORT("send")
int32_t mote_abi_send(uint64_t pid, uint64_t label, const void *data, size_t data_size,
                      int32_t stream);
MOTE_IMPORT("receive")
int32_t mote_abi_receive(const struct mote_filter *filter, struct mote_mail *mail, void *buffer,
                         size_t capacity, int64_t timeout);
MOTE_IMPORT("mail_read") int32_t mote_abi_mail_read(uint32_t offset, void *buffer, size_t capacity);
MOTE_IMPORT("call")
int32_t mote_abi_call(struct mote_mail *mail, const void *data, size_t data_size, void *buffer,
                      size_t capacity, int64_t timeout);
MOTE_IMPORT("call_begin")
int64_t mote_abi_call_begin(uint64_t pid, uint64_t label, const void *data, size_t data_size,
                            int32_t stream);
MOTE_IMPORT("reply")
int32_t mote_abi_reply(uint64_t pid, uint64_t reference, uint64_t label, const void *data,
                       size_t data_size, int32_t stream);
MOTE_IMPORT("wait") int32_t mote_abi_wait(struct mote_wait *set, size_t count, int64_t timeout);
MOTE_IMPORT("poll_oneoff")
int32_t mote_abi_poll_oneoff(uint32_t subscriptions, uint32_t events, uint32_t subscription_count,
                             uint32_t written);
MOTE_IMPORT("link") int32_t mote_abi_link(uint64_t pid);
MOTE_IMPORT("unlink") int32_t mote_abi_unlink(uint64_t pid);
MOTE_IMPORT("monitor") int64_t mote_abi_monitor(uint64_t pid);
MOTE_IMPORT("demonitor") int32_t mote_abi_demonitor(uint64_t reference);
MOTE_IMPORT("trap_exits") int32_t mote_abi_trap_exits(uint32_t on);
MOTE_IMPORT("exit") __attribute__((noreturn))
void mote_abi_exit(const char *reason, size_t reason_size);
MOTE_IMPORT("exit_signal")
int32_t mote_abi_exit_signal(uint64_t pid, const char *reason, size_t reason_size);
MOTE_IMPORT("kill") int32_t mote_abi_kill(uint64_t pid);
MOTE_IMPORT("register")
int32_t mote_abi_register(const char *name, size_t name_size, uint64_t *holder);
MOTE_IMPORT("unregister") int32_t mote_abi_unregister(const char *name, size_t name_size);
MOTE_IMPORT("whereis")
int32_t mote_abi_whereis(const char *space, size_t space_size, const char *name, size_t name_size,
                         uint64_t *pid);
MOTE_IMPORT("tag") int32_t mote_abi_tag(const char *name, size_t name_size);
MOTE_IMPORT("untag") int32_t mote_abi_untag(const char *name, size_t name_size);
MOTE_IMPORT("tagged")
int32_t mote_abi_tagged(const char *space, size_t space_size, const char *name, size_t name_size,
                        uint64_t *pids, size_t capacity);
MOTE_IMPORT("join") int32_t mote_abi_join(const char *name, size_t name_size);
MOTE_IMPORT("leave") int32_t mote_abi_leave(const char *name, size_t name_size);
MOTE_IMPORT("members")
int32_t mote_abi_members(const char *space, size_t space_size, const char *name, size_t name_size,
                         uint64_t *pids, size_t capacity);
MOTE_IMPORT("publish")
int32_t mote_abi_publish(const char *space, size_t space_size, const char *name, size_t name_size,
                         uint64_t label, const void *data, size_t data_size,
                         struct mote_publication *result);
MOTE_IMPORT("send_after")
int64_t mote_abi_send_after(uint64_t pid, uint64_t label, const void *data, size_t data_size,
                            int64_t after);
MOTE_IMPORT("interval")
int64_t mote_abi_interval(int64_t every, const void *data, size_t data_size);
MOTE_IMPORT("cancel") int32_t mote_abi_cancel(uint64_t reference);
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
int32_t mote_abi_respond(int32_t status, const char *headers, size_t headers_size,
                         const void *body, size_t body_size);
MOTE_IMPORT("respond_begin")
int32_t mote_abi_respond_begin(int32_t status, const char *headers, size_t headers_size,
                               int64_t length);
MOTE_IMPORT("respond_write") int32_t mote_abi_respond_write(const void *data, size_t data_size);
MOTE_IMPORT("client_gone") int32_t mote_abi_client_gone(void);
MOTE_IMPORT("sse_begin") int32_t mote_abi_sse_begin(const char *headers, size_t headers_size);
MOTE_IMPORT("sse_send")
int32_t mote_abi_sse_send(const char *event, size_t event_size, const char *id, size_t id_size,
                          int32_t retry_ms, const void *data, size_t data_size);
MOTE_IMPORT("sse_write") int32_t mote_abi_sse_write(const void *data, size_t data_size);
MOTE_IMPORT("sse_comment") int32_t mote_abi_sse_comment(const char *text, size_t text_size);
MOTE_IMPORT("ws_send") int32_t mote_abi_ws_send(int32_t kind, const void *data, size_t data_size);
MOTE_IMPORT("ws_close")
int32_t mote_abi_ws_close(uint32_t code, const char *reason, size_t reason_size);
MOTE_IMPORT("spawn")
int32_t mote_abi_spawn(const char *component, size_t component_size, const void *input,
                       size_t input_size, const struct mote_spawn_options *options,
                       struct mote_spawned *spawned);
MOTE_IMPORT("spawn_from")
int32_t mote_abi_spawn_from(const char *component, size_t component_size, const void *source,
                            size_t source_size, const void *input, size_t input_size,
                            const struct mote_spawn_options *options, int64_t timeout,
                            struct mote_spawned *spawned);
MOTE_IMPORT("input_get") int32_t mote_abi_input_get(void *buffer, size_t capacity);
MOTE_IMPORT("spawner") int32_t mote_abi_spawner(char *buffer, size_t capacity);
MOTE_IMPORT("stream_open")
int32_t mote_abi_stream_open(uint32_t limit, struct mote_stream_pair *ends);
MOTE_IMPORT("stream_read")
int32_t mote_abi_stream_read(int32_t stream, void *buffer, size_t capacity, int64_t timeout);
MOTE_IMPORT("stream_write")
int32_t mote_abi_stream_write(int32_t stream, const void *data, size_t data_size, int64_t timeout);
MOTE_IMPORT("stream_try_read")
int32_t mote_abi_stream_try_read(int32_t stream, void *buffer, size_t capacity);
MOTE_IMPORT("stream_try_write")
int32_t mote_abi_stream_try_write(int32_t stream, const void *data, size_t data_size);
MOTE_IMPORT("stream_end") int32_t mote_abi_stream_end(int32_t stream);
MOTE_IMPORT("stream_abort") int32_t mote_abi_stream_abort(int32_t stream, int32_t reason);
MOTE_IMPORT("stream_close") int32_t mote_abi_stream_close(int32_t stream);
MOTE_IMPORT("stream_reason") int32_t mote_abi_stream_reason(int32_t stream);
MOTE_IMPORT("supervisor_start")
int32_t mote_abi_supervisor_start(const struct mote_supervisor_spec *spec,
                                  struct mote_child_spec *children, size_t count, uint64_t *pid);
MOTE_IMPORT("supervisor_children")
int32_t mote_abi_supervisor_children(uint64_t pid, struct mote_child_state *children,
                                     size_t count);
MOTE_IMPORT("fetch_start")
int32_t mote_abi_fetch_start(const char *method, size_t method_size, const char *url,
                             size_t url_size, const char *headers, size_t headers_size,
                             const struct mote_fetch_options *options,
                             struct mote_fetched *result);
MOTE_IMPORT("fetch_head")
int32_t mote_abi_fetch_head(int32_t fetch, struct mote_fetch_head *head, int64_t timeout);
MOTE_IMPORT("fetch_header")
int32_t mote_abi_fetch_header(int32_t fetch, const char *name, size_t name_size, char *buffer,
                              size_t capacity);
MOTE_IMPORT("fetch_headers")
int32_t mote_abi_fetch_headers(int32_t fetch, char *buffer, size_t capacity);
MOTE_IMPORT("fetch_trailers")
int32_t mote_abi_fetch_trailers(int32_t fetch, char *buffer, size_t capacity);
MOTE_IMPORT("fetch_reason") int32_t mote_abi_fetch_reason(int32_t fetch);
MOTE_IMPORT("fetch_close") int32_t mote_abi_fetch_close(int32_t fetch);

/* clang-format on */
/* made by tools/abi.py: end */

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
    return mote_abi_self();
}

/** Let others run for that long. MOTE_CLOSED: the client of a stream of events has left. */
static inline int32_t mote_sleep_ms(uint64_t ms)
{
    const uint64_t year = UINT64_C(366) * 86400 * 1000; /* the longest the host takes */
    return mote_abi_sleep((int64_t)((ms < year ? ms : year) * 1000000));
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

/* ---- messages ---- */

/* Milliseconds as the host wants them; below 0: for ever. */
static inline int64_t mote_ns(int64_t ms)
{
    const int64_t year = INT64_C(366) * 86400 * 1000; /* the longest the host takes */
    return ms < 0 ? -1 : (ms < year ? ms : year) * 1000000;
}

/** A name as a label: 64 bits of FNV-1a. Of a constant name the compiler makes a constant. */
static inline uint64_t mote_label(const char *name)
{
    uint64_t label = UINT64_C(0xcbf29ce484222325);
    size_t size = mote_size_of(name);
    for (size_t i = 0; i < size; i++) {
        label = (label ^ (unsigned char)name[i]) * UINT64_C(0x100000001b3);
    }
    return label;
}

/** Send a copy of the data. To who is gone it goes nowhere, which is no error; MOTE_FULL, MOTE_LIMIT. */
static inline int32_t mote_send(uint64_t pid, uint64_t label, const void *data, size_t size)
{
    return mote_abi_send(pid, label, data, size, 0);
}

/** The same with the end of a stream, which is then the receiver's. */
static inline int32_t mote_send_stream(uint64_t pid, uint64_t label, const void *data, size_t size,
                                       int32_t stream)
{
    return mote_abi_send(pid, label, data, size, stream);
}

/** Wait for the next mail, whatever it is. Of its body `mail->size` bytes there are `capacity` in the buffer at most. */
static inline int32_t mote_receive(struct mote_mail *mail, void *buffer, size_t capacity)
{
    return mote_abi_receive(NULL, mail, buffer, capacity, -1);
}

/** The same for what the filter wants (NULL: all), for `timeout_ms` (0: only what is there; -1: for ever). MOTE_TIMEOUT. */
static inline int32_t mote_receive_within(const struct mote_filter *filter, int64_t timeout_ms,
                                          struct mote_mail *mail, void *buffer, size_t capacity)
{
    return mote_abi_receive(filter, mail, buffer, capacity, mote_ns(timeout_ms));
}

/** More of the last mail's body when it did not fit: how much was copied. */
static inline int32_t mote_mail_read(uint32_t offset, void *buffer, size_t capacity)
{
    return mote_abi_mail_read(offset, buffer, capacity);
}

/** Wait until something of the set is ready: how many are. MOTE_TIMEOUT. */
static inline int32_t mote_wait(struct mote_wait *set, size_t count, int64_t timeout_ms)
{
    return mote_abi_wait(set, count, mote_ns(timeout_ms));
}

/* ---- calls ---- */

/** Send a request to a process and wait for what it answers: the answer's full size, of which `out` has as much as
 *  fits, or the error that the other one answered. MOTE_CLOSED: it has ended, `out` has the reason; MOTE_TIMEOUT.
 *  `mail` gets what came; may be NULL. */
static inline int32_t mote_call_pid(uint64_t pid, uint64_t label, const void *in, size_t in_size,
                                    void *out, size_t out_capacity, int64_t timeout_ms,
                                    struct mote_mail *mail)
{
    struct mote_mail own;
    if (mail == NULL) {
        mail = &own;
    }
    mail->sender = pid;
    mail->label = label;
    mail->stream = 0;
    int32_t result = mote_abi_call(mail, in, in_size, out, out_capacity, mote_ns(timeout_ms));
    if (result != MOTE_OK) {
        return result;
    }
    return mail->label != 0 ? (int32_t)mail->label : (int32_t)mail->size;
}

/** Who has a name, in one's own namespace; 0: nobody. */
static inline uint64_t mote_whereis(const char *name)
{
    uint64_t pid = 0;
    return mote_abi_whereis(NULL, 0, name, mote_size_of(name), &pid) == MOTE_OK ? pid : 0;
}

/** Call a function of a service, by their names. As mote_call_pid(); MOTE_NOT_FOUND: no such service (just now), or
 *  no such function. */
static inline int32_t mote_call_within(const char *service, const char *function, const void *in,
                                       size_t in_size, void *out, size_t out_capacity,
                                       int64_t timeout_ms)
{
    uint64_t pid = mote_whereis(service);
    return pid == 0 ? (int32_t)MOTE_NOT_FOUND
                    : mote_call_pid(pid, mote_label(function), in, in_size, out, out_capacity,
                                    timeout_ms, NULL);
}

/** The same within 5 seconds. */
static inline int32_t mote_call(const char *service, const char *function, const void *in,
                                size_t in_size, void *out, size_t out_capacity)
{
    return mote_call_within(service, function, in, in_size, out, out_capacity, 5000);
}

/** Have a function of a service run, without an answer. */
static inline int32_t mote_cast(const char *service, const char *function, const void *in,
                                size_t in_size)
{
    uint64_t pid = mote_whereis(service);
    return pid == 0 ? (int32_t)MOTE_NOT_FOUND : mote_send(pid, mote_label(function), in, in_size);
}

/** Answer a request: mail of kind MOTE_MAIL_CALL. */
static inline int32_t mote_answer(const struct mote_mail *mail, const void *data, size_t size)
{
    return mote_abi_reply(mail->sender, mail->reference, 0, data, size, 0);
}

/** The same with a stream to read on from. */
static inline int32_t mote_answer_stream(const struct mote_mail *mail, const void *data,
                                         size_t size, int32_t stream)
{
    return mote_abi_reply(mail->sender, mail->reference, 0, data, size, stream);
}

/** Answer a request with an error, a number below 0, which is what mote_call() returns there. */
static inline int32_t mote_answer_error(const struct mote_mail *mail, int32_t error)
{
    return mote_abi_reply(mail->sender, mail->reference, (uint64_t)(int64_t)error, NULL, 0, 0);
}

/* ---- services ---- */

/** Defines a function that can be run as a process: a worker or a service. */
#define MOTE_WORKER(name) MOTE_HANDLER(name)

/** Declares a function of a service. It returns how many bytes it put into `out`, or an error below 0: both go to the
 *  caller; or MOTE_LATER when it answers `mail` by itself, now or some time. */
#define MOTE_FUNCTION(name)                                                                        \
    static int32_t name(__attribute__((unused)) const struct mote_mail *mail,                      \
                        __attribute__((unused)) const void *in,                                    \
                        __attribute__((unused)) size_t in_size, __attribute__((unused)) void *out, \
                        __attribute__((unused)) size_t out_capacity)
#define MOTE_LATER INT32_MIN

/** A function and what callers call it. Without a name: gets all other mail (timers, downs ...). */
struct mote_function {
    const char *name;
    int32_t (*function)(const struct mote_mail *mail, const void *in, size_t in_size, void *out,
                        size_t out_capacity);
};

/** Buffers of a service that mote_serve() works with. */
struct mote_room {
    void *in, *out;
    size_t in_capacity, out_capacity;
};

static inline const struct mote_function *mote_find_function(const struct mote_function *functions,
                                                             size_t count,
                                                             const struct mote_mail *mail)
{
    bool named = mail->kind == MOTE_MAIL_CALL || mail->kind == MOTE_MAIL_SEND;
    for (size_t i = 0; i < count; i++) {
        if (named ? functions[i].name != NULL && mote_label(functions[i].name) == mail->label
                  : functions[i].name == NULL) {
            return &functions[i];
        }
    }
    return NULL;
}

/** Take calls, casts and other mail, one at a time, until it is asked to stop and has dealt with what was there by then. */
static inline void mote_serve(const struct mote_function *functions, size_t count,
                              const struct mote_room *room)
{
    struct mote_mail mail;
    int64_t patience = -1;
    while (mote_receive_within(NULL, patience, &mail, room->in, room->in_capacity) == MOTE_OK) {
        if (mail.kind == MOTE_MAIL_STOP) {
            patience = 0;
            continue;
        }
        const struct mote_function *found = mote_find_function(functions, count, &mail);
        int32_t result = found == NULL ? (int32_t)MOTE_NOT_FOUND : (int32_t)MOTE_LIMIT;
        if (found != NULL && mail.size <= room->in_capacity) {
            result = found->function(&mail, room->in, mail.size, room->out, room->out_capacity);
        }
        if (mail.kind != MOTE_MAIL_CALL || result == MOTE_LATER) {
            continue;
        }
        if (result < 0 || (size_t)result > room->out_capacity) {
            mote_answer_error(&mail, result < 0 ? result : (int32_t)MOTE_LIMIT);
        } else {
            mote_answer(&mail, room->out, (size_t)result);
        }
    }
}

/** Largest request and answer of a MOTE_SERVICE. */
#ifndef MOTE_SERVICE_BYTES
#define MOTE_SERVICE_BYTES 1024
#endif

/** Defines a service of a table of functions:
 *
 *      static uint64_t total;
 *      MOTE_FUNCTION(bump) { total++; return mote_put(out, out_capacity, &total, sizeof total); }
 *      static const struct mote_function functions[] = {{"bump", bump}};
 *      MOTE_SERVICE(counter, functions)
 *
 *  and a client:   mote_call("counter", "bump", NULL, 0, &total, sizeof total) */
#define MOTE_SERVICE(name, functions)                                                              \
    MOTE_WORKER(name)                                                                              \
    {                                                                                              \
        static unsigned char name##_in[MOTE_SERVICE_BYTES], name##_out[MOTE_SERVICE_BYTES];        \
        static const struct mote_room name##_room = {name##_in, name##_out, sizeof name##_in,      \
                                                     sizeof name##_out};                           \
        mote_serve(functions, sizeof(functions) / sizeof *(functions), &name##_room);              \
    }

/** What a function of a service returns: `size` bytes of data, copied to its `out`; MOTE_LIMIT. */
static inline int32_t mote_put(void *out, size_t out_capacity, const void *data, size_t size)
{
    if (size > out_capacity) {
        return MOTE_LIMIT;
    }
    for (size_t i = 0; i < size; i++) {
        ((unsigned char *)out)[i] = ((const unsigned char *)data)[i];
    }
    return (int32_t)size;
}

/** Say that this service has started, before it receives for the first time. */
static inline void mote_ready(void)
{
    mote_abi_ready();
}

/* ---- other processes ---- */

/** Who started this process; 0: the platform. */
static inline uint64_t mote_parent(void)
{
    return mote_abi_parent();
}

/** End together. MOTE_DENIED: neither child nor parent, and no process control. */
static inline int32_t mote_link(uint64_t pid)
{
    return mote_abi_link(pid);
}

static inline void mote_unlink(uint64_t pid)
{
    mote_abi_unlink(pid);
}

/** Be told of its end by a MOTE_MAIL_DOWN with the reference that is returned; below 0: an error. */
static inline int64_t mote_monitor(uint64_t pid)
{
    return mote_abi_monitor(pid);
}

static inline int32_t mote_demonitor(int64_t reference)
{
    return mote_abi_demonitor((uint64_t)reference);
}

/** Whether exit signals become mail instead of ending this process. Returns what it was. */
static inline bool mote_trap_exits(bool on)
{
    return mote_abi_trap_exits(on) == 1;
}

/** End this process. "normal", "shutdown", or a reason of its own. */
static inline __attribute__((noreturn)) void mote_exit(const char *reason)
{
    mote_abi_exit(reason, mote_size_of(reason));
}

/** End another one that does not trap exits. MOTE_DENIED, MOTE_NOT_FOUND. */
static inline int32_t mote_exit_signal(uint64_t pid, const char *reason)
{
    return mote_abi_exit_signal(pid, reason, mote_size_of(reason));
}

/** End another one, whatever it does. */
static inline int32_t mote_kill(uint64_t pid)
{
    return mote_abi_kill(pid);
}

/** What is known of a process. MOTE_NOT_FOUND. */
static inline int32_t mote_info(uint64_t pid, struct mote_info *info)
{
    return mote_abi_info(pid, info);
}

/** The processes of this namespace: as many as fit, returns how many there are. */
static inline int32_t mote_list(uint64_t *pids, size_t capacity)
{
    return mote_abi_list(pids, capacity);
}

/** What `mote ps` shows beside the component. */
static inline int32_t mote_set_label(const char *text)
{
    return mote_abi_set_label(text, mote_size_of(text));
}

/* ---- names, tags, groups ---- */

/** Take a name that only one process can have. MOTE_EXISTS: `holder` (may be NULL) gets who has it. */
static inline int32_t mote_register(const char *name, uint64_t *holder)
{
    return mote_abi_register(name, mote_size_of(name), holder);
}

static inline int32_t mote_unregister(const char *name)
{
    return mote_abi_unregister(name, mote_size_of(name));
}

static inline int32_t mote_tag(const char *name)
{
    return mote_abi_tag(name, mote_size_of(name));
}

static inline int32_t mote_untag(const char *name)
{
    return mote_abi_untag(name, mote_size_of(name));
}

/** Who has a tag, oldest first: as many as fit, returns how many there are. */
static inline int32_t mote_tagged(const char *name, uint64_t *pids, size_t capacity)
{
    return mote_abi_tagged(NULL, 0, name, mote_size_of(name), pids, capacity);
}

/** Get as mail what is published to a group. */
static inline int32_t mote_join(const char *group)
{
    return mote_abi_join(group, mote_size_of(group));
}

static inline int32_t mote_leave(const char *group)
{
    return mote_abi_leave(group, mote_size_of(group));
}

static inline int32_t mote_members(const char *group, uint64_t *pids, size_t capacity)
{
    return mote_abi_members(NULL, 0, group, mote_size_of(group), pids, capacity);
}

/** Send to all members of a group. `result` may be NULL. */
static inline int32_t mote_publish(const char *group, uint64_t label, const void *data, size_t size,
                                   struct mote_publication *result)
{
    return mote_abi_publish(NULL, 0, group, mote_size_of(group), label, data, size, result);
}

/* ---- timers ---- */

/** Send later: MOTE_MAIL_TIMER to oneself. Returns the timer's reference, or an error below 0. */
static inline int64_t mote_send_after(uint64_t pid, uint64_t label, const void *data, size_t size,
                                      int64_t after_ms)
{
    return mote_abi_send_after(pid, label, data, size, mote_ns(after_ms));
}

/** MOTE_MAIL_TIMER to oneself again and again. */
static inline int64_t mote_interval(int64_t every_ms)
{
    return mote_abi_interval(mote_ns(every_ms), NULL, 0);
}

/** 1: it had not fired and will not; 0: it has; MOTE_NOT_FOUND. */
static inline int32_t mote_cancel(int64_t reference)
{
    return mote_abi_cancel((uint64_t)reference);
}

/* ---- spawning ---- */

/** Start a process of a component ("worker"), or of one of its functions ("app#worker"). `options` and `spawned` may
 *  be NULL. MOTE_DENIED: allow-spawn; MOTE_NOT_FOUND; MOTE_LIMIT. */
static inline int32_t mote_spawn(const char *component, const void *input, size_t size,
                                 const struct mote_spawn_options *options,
                                 struct mote_spawned *spawned)
{
    return mote_abi_spawn(component, mote_size_of(component), input, size, options, spawned);
}

/** The same; this process and the new one end together. */
static inline int32_t mote_spawn_linked(const char *component, const void *input, size_t size,
                                        struct mote_spawned *spawned)
{
    const struct mote_spawn_options options = {MOTE_SPAWN_LINK, 0, 0, 0};
    return mote_spawn(component, input, size, &options, spawned);
}

/** The same; this process is told of its end: a MOTE_MAIL_DOWN with `spawned->reference`. */
static inline int32_t mote_spawn_monitored(const char *component, const void *input, size_t size,
                                           struct mote_spawned *spawned)
{
    const struct mote_spawn_options options = {MOTE_SPAWN_MONITOR, 0, 0, 0};
    return mote_spawn(component, input, size, &options, spawned);
}

/** What the spawner passed: as much as fits, returns its full size. Not terminated. */
static inline int32_t mote_input(void *buffer, size_t capacity)
{
    return mote_abi_input_get(buffer, capacity);
}

/** The component of the spawner; empty: the platform. */
static inline int32_t mote_spawner(char *buffer, size_t capacity)
{
    return mote_terminate(mote_abi_spawner(buffer, MOTE_ROOM(capacity)), buffer, capacity);
}

/* ---- byte streams ---- */

/** Make a stream; either end can be sent to another process. */
static inline int32_t mote_stream_open(struct mote_stream_pair *ends)
{
    return mote_abi_stream_open(0, ends);
}

/* Most calls need not wait, and one that cannot is cheaper: so that is tried first. */

/** 1 .. capacity bytes, waiting for them; 0: the end; MOTE_ABORTED. */
static inline int32_t mote_stream_read_within(int32_t stream, void *buffer, size_t capacity,
                                              int64_t timeout_ms)
{
    int32_t size = mote_abi_stream_try_read(stream, buffer, capacity);
    return size == MOTE_TIMEOUT
               ? mote_abi_stream_read(stream, buffer, capacity, mote_ns(timeout_ms))
               : size;
}

static inline int32_t mote_stream_read(int32_t stream, void *buffer, size_t capacity)
{
    return mote_stream_read_within(stream, buffer, capacity, -1);
}

/** Write all of it, waiting while the stream is full; fewer when the time is over or the reader leaves in between.
 *  MOTE_CLOSED: nobody reads any more. */
static inline int32_t mote_stream_write_within(int32_t stream, const void *data, size_t size,
                                               int64_t timeout_ms)
{
    int32_t written = mote_abi_stream_try_write(stream, data, size);
    if (written == MOTE_TIMEOUT) {
        written = 0;
    }
    if (written < 0 || (size_t)written == size) {
        return written;
    }
    int32_t rest = mote_abi_stream_write(stream, (const char *)data + written,
                                         size - (size_t)written, mote_ns(timeout_ms));
    return rest >= 0 ? written + rest : written > 0 ? written : rest;
}

static inline int32_t mote_stream_write(int32_t stream, const void *data, size_t size)
{
    return mote_stream_write_within(stream, data, size, -1);
}

/** No more will be written; what is unread still gets to the reader. */
static inline int32_t mote_stream_end(int32_t stream)
{
    return mote_abi_stream_end(stream);
}

/** Give up writing; the reader gets MOTE_ABORTED and can ask for the reason, a number above 0. */
static inline int32_t mote_stream_abort(int32_t stream, int32_t reason)
{
    return mote_abi_stream_abort(stream, reason);
}

/** Done with an end. A writer's is aborted, if it was not ended. */
static inline int32_t mote_stream_close(int32_t stream)
{
    return mote_abi_stream_close(stream);
}

static inline int32_t mote_stream_reason(int32_t stream)
{
    return mote_abi_stream_reason(stream);
}

/* ---- requests to others ---- */

/** A request and its answer. */
struct mote_fetch {
    struct mote_fetched ends;
    struct mote_fetch_head head;
};

/** Send a request; its body, if `options` say that there is one, is then written with mote_fetch_write() and ended with
 *  mote_fetch_finish(). `headers` are lines of "name: value", or NULL; so may `options` be. */
static inline int32_t mote_fetch_open(const char *method, const char *url, const char *headers,
                                      const struct mote_fetch_options *options,
                                      struct mote_fetch *fetch)
{
    headers = headers != NULL ? headers : "";
    fetch->head.status = fetch->head.headers = 0;
    return mote_abi_fetch_start(method, mote_size_of(method), url, mote_size_of(url), headers,
                                mote_size_of(headers), options, &fetch->ends);
}

/** Write all of it, waiting while the other side is slow. MOTE_CLOSED: it wants no more. */
static inline int32_t mote_fetch_write(struct mote_fetch *fetch, const void *data, size_t size)
{
    return mote_stream_write(fetch->ends.body, data, size);
}

/** The body is complete. */
static inline int32_t mote_fetch_finish(struct mote_fetch *fetch)
{
    int32_t stream = fetch->ends.body;
    fetch->ends.body = 0;
    return stream > 0 ? mote_stream_end(stream) : 0;
}

/** Wait for the answer's head: 0, and it is in `fetch->head`; MOTE_DENIED; MOTE_ABORTED: mote_fetch_reason() says why. */
static inline int32_t mote_fetch_wait(struct mote_fetch *fetch, int64_t timeout_ms)
{
    return mote_abi_fetch_head(fetch->ends.fetch, &fetch->head, mote_ns(timeout_ms));
}

/** 1 .. capacity bytes of the answer's body, waiting for them; 0: the end; MOTE_ABORTED: it broke off. */
static inline int32_t mote_fetch_read(struct mote_fetch *fetch, void *buffer, size_t capacity)
{
    return mote_stream_read(fetch->ends.answer, buffer, capacity);
}

/** A header of the answer; MOTE_NOT_FOUND. */
static inline int32_t mote_fetch_header(struct mote_fetch *fetch, const char *name, char *buffer,
                                        size_t capacity)
{
    return mote_terminate(mote_abi_fetch_header(fetch->ends.fetch, name, mote_size_of(name), buffer,
                                                MOTE_ROOM(capacity)),
                          buffer, capacity);
}

/** enum mote_fetch_reason */
static inline int32_t mote_fetch_reason(struct mote_fetch *fetch)
{
    return mote_abi_fetch_reason(fetch->ends.fetch);
}

/** Done with it; what is under way is cancelled. */
static inline void mote_fetch_close(struct mote_fetch *fetch)
{
    if (fetch->ends.body > 0) {
        (void)mote_stream_close(fetch->ends.body);
    }
    (void)mote_stream_close(fetch->ends.answer);
    (void)mote_abi_fetch_close(fetch->ends.fetch);
}

/** Send a request with `size` bytes of body (NULL: none) and wait for the answer's head, at most as long as is granted. Its body is
 *  read with mote_fetch_read(). 0, then mote_fetch_close() at the end; or an error, and there is nothing to close:
 *  MOTE_DENIED, MOTE_ABORTED (no answer), MOTE_INVALID, MOTE_LIMIT. */
static inline int32_t mote_fetch(const char *method, const char *url, const char *headers,
                                 const void *body, size_t size, struct mote_fetch *fetch)
{
    struct mote_fetch_options options = {0};
    if (body != NULL) {
        options.flags = MOTE_FETCH_BODY | MOTE_FETCH_LENGTH;
        options.body_bytes = size;
    }
    int32_t error = mote_fetch_open(method, url, headers, &options, fetch);
    if (error < 0) {
        return error;
    }
    if (body != NULL) {
        /* One that wants no more of it may answer all the same. */
        (void)mote_fetch_write(fetch, body, size);
        (void)mote_fetch_finish(fetch);
    }
    error = mote_fetch_wait(fetch, -1);
    if (error < 0) {
        mote_fetch_close(fetch);
    }
    return error;
}

/* ---- supervisors ---- */

/** A child of a supervisor, as one writes it down; zero is a good default for all but the component. */
struct mote_child {
    const char *name;      /**< NULL: as the component. */
    const char *component; /**< As for mote_spawn(). */
    const void *input;
    size_t input_size;
    enum mote_restart restart;
    uint32_t shutdown_ms; /**< How long it may take to stop; 0: it is killed. */
    uint32_t start_timeout_ms;
};

/** The same as mote_supervisor_start() wants it. */
static inline struct mote_child_spec mote_child_spec(const struct mote_child *child)
{
    struct mote_child_spec spec = {(uint32_t)(uintptr_t)child->name,
                                   (uint32_t)mote_size_of(child->name),
                                   (uint32_t)(uintptr_t)child->component,
                                   (uint32_t)mote_size_of(child->component),
                                   (uint32_t)(uintptr_t)child->input,
                                   (uint32_t)child->input_size,
                                   (uint32_t)child->restart,
                                   child->shutdown_ms,
                                   child->start_timeout_ms,
                                   0};
    return spec;
}

/** Start a supervisor, which is linked to this process. `pid` may be NULL. */
static inline int32_t mote_supervisor_start(const struct mote_supervisor_spec *spec,
                                            struct mote_child_spec *children, size_t count,
                                            uint64_t *pid)
{
    return mote_abi_supervisor_start(spec, children, count, pid);
}

/** Its children as they are: as many as fit, returns how many there are. */
static inline int32_t mote_supervisor_children(uint64_t pid, struct mote_child_state *children,
                                               size_t count)
{
    return mote_abi_supervisor_children(pid, children, count);
}

/* ---- the request ---- */

/** A part of the request. */
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
    int32_t result = mote_abi_respond(status, headers, mote_size_of(headers), body, size);
    return result == 1 ? mote_abi_respond_write(body, size) : result;
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

/* ---- a stream of events ---- */

/** Begin a stream of server-sent events; the client sees it at once. `headers`: more "name: value\n" lines, or NULL.
 *
 *      MOTE_HANDLER(clock)
 *      {
 *          mote_sse_begin(NULL);
 *          while (mote_sse_data("tick") == MOTE_OK && mote_sleep_ms(1000) == MOTE_OK) {
 *          }
 *      }
 *
 *  Once the client has left, all of these and everything that waits return MOTE_CLOSED: return then. */
static inline int32_t mote_sse_begin(const char *headers)
{
    return mote_abi_sse_begin(headers, mote_size_of(headers));
}

/** An event; what is NULL is left out. */
struct mote_event {
    const char *event; /**< Its name; NULL: "message". */
    const char *id;    /**< What the client says in Last-Event-ID when it comes back. */
    const void *data;  /**< Text of any size and any lines. */
    size_t size;
};

/** Send an event, waiting while the client is slow. MOTE_CLOSED; MOTE_INVALID: a line break in name or id, or nothing to send. */
static inline int32_t mote_sse_send(const struct mote_event *event)
{
    return mote_abi_sse_send(event->event, mote_size_of(event->event), event->id,
                             mote_size_of(event->id), -1, event->data, event->size);
}

/** An event that has nothing but a text. */
static inline int32_t mote_sse_data(const char *text)
{
    const struct mote_event event = {NULL, NULL, text, mote_size_of(text)};
    return mote_sse_send(&event);
}

/** Say how long the client waits before it comes back. */
static inline int32_t mote_sse_retry(uint32_t ms)
{
    return mote_abi_sse_send(NULL, 0, NULL, 0, (int32_t)ms, NULL, 0);
}

/** A line that clients skip. */
static inline int32_t mote_sse_comment(const char *text)
{
    return mote_abi_sse_comment(text, mote_size_of(text));
}

/** Events on their way, in memory of the guest, to be sent together: for many of them at once this costs a tenth of
 *  mote_sse_send(). Nothing leaves before the room is full or mote_sse_flush() is called.
 *
 *      static char room[8192];
 *      struct mote_sse_buffer buffer = {.room = room, .capacity = sizeof room};
 *      for (size_t i = 0; i < count; i++) {
 *          mote_sse_put(&buffer, &events[i]);
 *      }
 *      mote_sse_flush(&buffer); */
struct mote_sse_buffer {
    char *room;
    size_t capacity, used;
};

/** Send what is in it. MOTE_CLOSED: nobody listens any more; it is empty then, too. */
static inline int32_t mote_sse_flush(struct mote_sse_buffer *buffer)
{
    size_t size = buffer->used;
    buffer->used = 0;
    return size == 0 ? MOTE_OK : mote_abi_sse_write(buffer->room, size);
}

/* Copy eight bytes; the top bits of what it returns: whether there are characters below 14 among them. */
static inline uint64_t mote_sse_eight_(char *to, const char *from)
{
    uint64_t eight;
    __builtin_memcpy(&eight, from, sizeof eight);
    __builtin_memcpy(to, &eight, sizeof eight);
    return (eight - 0x0e0e0e0e0e0e0e0e) & ~eight;
}

/* Copy all of it, some bytes more than once. False: there are characters below 14 in it, perhaps line breaks. */
static inline bool mote_sse_copy_(char *to, const char *from, size_t size)
{
    uint64_t found = 0;
    size_t at = 0;
    if (size < 8) {
        for (; at < size; at++) {
            to[at] = from[at];
            found |= (unsigned char)from[at] < 14 ? 0x80 : 0;
        }
    } else {
        for (; at + 16 < size; at += 16) { /* Each round of a loop costs something of its own. */
            found |= mote_sse_eight_(to + at, from + at);
            found |= mote_sse_eight_(to + at + 8, from + at + 8);
        }
        at = size - at <= 8 ? size - 8 : at;
        found |= mote_sse_eight_(to + at, from + at);
        found |= mote_sse_eight_(to + size - 8, from + size - 8);
    }
    return (found & 0x8080808080808080) == 0;
}

/* The lines of one field from `to` on, of which each begins with the label: stored as eight bytes, whatever its size. Returns
 * where they end, NULL: there may not be room for them. */
static inline char *mote_sse_field_(char *to, const char *end, const char label[9],
                                    size_t label_size, const char *value, size_t size)
{
    for (bool first = true;; first = false) {
        if ((size_t)(end - to) < 9 || (size_t)(end - to) - 9 < size) {
            return NULL;
        }
        __builtin_memcpy(to, label, 8);
        to += label_size;
        if (first && mote_sse_copy_(to, value, size)) {
            to[size] = '\n';
            return to + size + 1;
        }
        while (size > 0 && *value != '\n' && *value != '\r') {
            *to++ = *value++;
            size--;
        }
        *to++ = '\n';
        if (size == 0) {
            return to;
        }
        size_t skip = size > 1 && value[0] == '\r' && value[1] == '\n' ? 2 : 1;
        value += skip;
        size -= skip;
    }
}

static inline bool mote_sse_text_(struct mote_sse_buffer *buffer, const struct mote_event *event)
{
    char *to = buffer->room + buffer->used;
    const char *end = buffer->room + buffer->capacity;
    if (event->event != NULL && event->event[0] != '\0') {
        to = mote_sse_field_(to, end, "event: ", 7, event->event, mote_size_of(event->event));
    }
    if (to != NULL && event->id != NULL) {
        to = mote_sse_field_(to, end, "id: \0\0\0", 4, event->id, mote_size_of(event->id));
    }
    if (to != NULL && event->data != NULL) {
        to = mote_sse_field_(to, end, "data: \0", 6, (const char *)event->data, event->size);
    }
    if (to == NULL || to == end) {
        return false;
    }
    *to++ = '\n';
    buffer->used = (size_t)(to - buffer->room);
    return true;
}

static inline bool mote_sse_breaks_(const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        if (*text == '\n' || *text == '\r') {
            return true;
        }
    }
    return false;
}

/** An event into the buffer; one that is too large for it is sent behind the others at once. As mote_sse_send(). */
static inline int32_t mote_sse_put(struct mote_sse_buffer *buffer, const struct mote_event *event)
{
    if (mote_sse_breaks_(event->event) || mote_sse_breaks_(event->id) ||
        (mote_size_of(event->event) == 0 && event->id == NULL && event->data == NULL)) {
        return MOTE_INVALID;
    }
    if (mote_size_of(event->event) > 4096 || mote_size_of(event->id) > 4096) {
        return MOTE_LIMIT;
    }
    if (mote_sse_text_(buffer, event)) {
        return MOTE_OK;
    }
    int32_t result = mote_sse_flush(buffer);
    if (result != MOTE_OK || mote_sse_text_(buffer, event)) {
        return result;
    }
    return mote_sse_send(event);
}

/** The id of the last event that the client has seen, if it says so and wants the rest. MOTE_NOT_FOUND. */
static inline int32_t mote_sse_last_id(char *buffer, size_t capacity)
{
    return mote_header("last-event-id", buffer, capacity);
}

/** Whether the client is known to have left. */
static inline bool mote_client_gone(void)
{
    return mote_abi_client_gone() == 1;
}

/* ---- WebSockets ---- */

/** Wait for the next piece of mail: a MOTE_MAIL_FRAME is what the client sent, `mail->label` its kind (MOTE_WS_TEXT,
 *  MOTE_WS_BINARY); others are as anywhere. False: the client is gone or has closed, or this process is to stop: return.
 *
 *      MOTE_HANDLER(echo)
 *      {
 *          static char room[4096];
 *          struct mote_mail mail;
 *          while (mote_ws_receive(&mail, room, sizeof room)) {
 *              if (mail.kind == MOTE_MAIL_FRAME && mail.size <= sizeof room) {
 *                  mote_ws_send((enum mote_ws_kind)mail.label, room, mail.size);
 *              }
 *          }
 *      }
 *
 *  and in mote.toml:  "WS /echo" = "app#echo" */
static inline bool mote_ws_receive(struct mote_mail *mail, void *buffer, size_t capacity)
{
    return mote_receive(mail, buffer, capacity) == MOTE_OK && mail->kind != MOTE_MAIL_CLOSE &&
           mail->kind != MOTE_MAIL_STOP;
}

/** Send a message, waiting while the client is slow. MOTE_CLOSED, MOTE_LIMIT, MOTE_INVALID: a text that is not UTF-8. */
static inline int32_t mote_ws_send(enum mote_ws_kind kind, const void *data, size_t size)
{
    return mote_abi_ws_send(kind, data, size);
}

static inline int32_t mote_ws_send_text(const char *text)
{
    return mote_ws_send(MOTE_WS_TEXT, text, mote_size_of(text));
}

/** Close, behind what was sent: a code such as 1000 or one of your own from 4000 on, and a reason or NULL. */
static inline int32_t mote_ws_close(uint32_t code, const char *reason)
{
    return mote_abi_ws_close(code, reason, mote_size_of(reason));
}

/** What to do when; any of them may be NULL. */
struct mote_ws {
    void (*open)(void);
    void (*message)(enum mote_ws_kind kind, const void *data, size_t size);
    /** Mail that is not the client's: of other processes, timers ... */
    void (*mail)(const struct mote_mail *mail, const void *data, size_t size);
    /** The client has closed, or is gone (1006). */
    void (*close)(uint32_t code, const void *reason, size_t size);
};

/** Serve a WebSocket until it is closed. A message that is larger than the buffer ends it (1009). */
static inline void mote_ws_serve(const struct mote_ws *ws, void *buffer, size_t capacity)
{
    struct mote_mail mail;
    if (ws->open != NULL) {
        ws->open();
    }
    while (mote_ws_receive(&mail, buffer, capacity)) {
        if (mail.kind != MOTE_MAIL_FRAME) {
            if (ws->mail != NULL) {
                ws->mail(&mail, buffer, mail.size < capacity ? mail.size : capacity);
            }
        } else if (mail.size > capacity) {
            mote_ws_close(1009, "message too large");
        } else if (ws->message != NULL) {
            ws->message((enum mote_ws_kind)mail.label, buffer, mail.size);
        }
    }
    if (mail.kind == MOTE_MAIL_CLOSE && ws->close != NULL) {
        ws->close((uint32_t)mail.label, buffer, mail.size < capacity ? mail.size : capacity);
    }
}

/** Largest message that a MOTE_WEBSOCKET takes. */
#ifndef MOTE_WEBSOCKET_BYTES
#define MOTE_WEBSOCKET_BYTES 4096
#endif

/** Defines a function that a "WS" route can name, of a struct mote_ws:
 *
 *      static void echo(enum mote_ws_kind kind, const void *data, size_t size) { mote_ws_send(kind, data, size); }
 *      static const struct mote_ws callbacks = {.message = echo};
 *      MOTE_WEBSOCKET(socket, callbacks) */
#define MOTE_WEBSOCKET(name, callbacks)                                                            \
    MOTE_HANDLER(name)                                                                             \
    {                                                                                              \
        static unsigned char name##_room[MOTE_WEBSOCKET_BYTES];                                    \
        mote_ws_serve(&(callbacks), name##_room, sizeof name##_room);                              \
    }

#ifdef __cplusplus
}
#endif
