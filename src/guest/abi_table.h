/**
 * @file
 * The ABI as numbers, layouts and signatures: made of abi.toml by tools/abi.py, which also tells what each
 * function does (docs/guest-abi.md). Change that file, not this one.
 */
#pragma once

#include <stdint.h>

/* clang-format off */

/** Results below zero. */
enum abi_error {
    /** Not granted; the log has the manifest line that would allow it */
    ABI_DENIED = -1,
    /** No such process, name, timer, handle or value, or none in reach */
    ABI_NOT_FOUND = -2,
    /** An argument is out of range or malformed */
    ABI_INVALID = -3,
    /** A quota or a size limit */
    ABI_LIMIT = -4,
    /** The other side is gone */
    ABI_CLOSED = -5,
    /** Not in this kind of process, or not now */
    ABI_MISPLACED = -6,
    /** The node has no memory */
    ABI_NO_MEMORY = -7,
    /** What came from outside is broken */
    ABI_MALFORMED = -8,
    /** It did not happen in time; with a timeout of 0: not now */
    ABI_TIMEOUT = -9,
    /** Taken already */
    ABI_EXISTS = -10,
    /** The receiver's mailbox is full, and it refuses */
    ABI_FULL = -11,
    /** The writer of a stream gave up */
    ABI_ABORTED = -12,
};

/** How grave a line of the log is. */
enum abi_log_level {
    ABI_LOG_LEVEL_ERROR = 0,
    ABI_LOG_LEVEL_WARN = 1,
    ABI_LOG_LEVEL_INFO = 2,
    ABI_LOG_LEVEL_DEBUG = 3,
};

/** A part of the request. */
enum abi_request_field {
    ABI_REQUEST_FIELD_METHOD = 0,
    /** Percent-decoded */
    ABI_REQUEST_FIELD_PATH = 1,
    /** As sent, without the `?` */
    ABI_REQUEST_FIELD_QUERY = 2,
    /** As sent */
    ABI_REQUEST_FIELD_TARGET = 3,
    ABI_REQUEST_FIELD_HOST = 4,
    /** `192.0.2.7:51234` */
    ABI_REQUEST_FIELD_REMOTE = 5,
    /** As in the answer's `X-Request-Id` and in the node's log */
    ABI_REQUEST_FIELD_ID = 6,
    /** Of a WebSocket: what was agreed on, or empty */
    ABI_REQUEST_FIELD_SUBPROTOCOL = 7,
    /** `https` when the client speaks TLS, with the node or with a trusted proxy; else `http` */
    ABI_REQUEST_FIELD_SCHEME = 8,
    /** The subject of the client's verified certificate, as `CN=name,O=firm`; empty without one */
    ABI_REQUEST_FIELD_CERTIFICATE = 9,
};

/** What a piece of mail is. */
enum abi_mail_kind {
    /** Sent or published; `label` is the sender's */
    ABI_MAIL_SEND = 0,
    /** A request that waits for reply() with its `sender` and `reference` */
    ABI_MAIL_CALL = 1,
    /** The answer to the call `reference` */
    ABI_MAIL_REPLY = 2,
    /** What the monitor or call `reference` watched has ended: `sender`, `exit_class`, `status`,
     *  the reason in the body */
    ABI_MAIL_DOWN = 3,
    /** An exit signal of `sender`, to who traps exits; as `down` */
    ABI_MAIL_EXIT = 4,
    /** The timer `reference` fired; `label`: how many times since the last one was read */
    ABI_MAIL_TIMER = 5,
    /** Asked to stop: finish, and return */
    ABI_MAIL_STOP = 6,
    /** A message of this WebSocket's client; `label` is its ws_kind. `sender` is 0: no process can
     *  send one */
    ABI_MAIL_FRAME = 7,
    /** The WebSocket is closed: `label` is the code (1005: none was given, 1006: the client is
     *  gone without a word), the reason in the body. Nothing can be sent any more; return */
    ABI_MAIL_CLOSE = 8,
};

/** How a process ended. */
enum abi_exit_class {
    /** It returned */
    ABI_EXIT_NORMAL = 0,
    /** Asked to stop, and did */
    ABI_EXIT_SHUTDOWN = 1,
    /** Exit() with a reason of its own */
    ABI_EXIT_EXITED = 2,
    /** A trap, or an exit status other than 0 */
    ABI_EXIT_CRASHED = 3,
    /** Its memory would have grown past the ceiling */
    ABI_EXIT_CRASHED_MEMORY = 4,
    /** Its CPU budget was used up */
    ABI_EXIT_CRASHED_CPU = 5,
    /** Its deadline was over */
    ABI_EXIT_CRASHED_TIMEOUT = 6,
    /** By a kill, or an exit signal that it did not trap */
    ABI_EXIT_KILLED = 7,
    /** There was no such process, or not any more */
    ABI_EXIT_NOPROC = 8,
    /** Its node cannot be reached */
    ABI_EXIT_NOCONNECTION = 9,
};

/** What a message of a WebSocket is. */
enum abi_ws_kind {
    /** UTF-8 */
    ABI_WS_TEXT = 1,
    ABI_WS_BINARY = 2,
};

/** What to wait for. */
enum abi_wait_kind {
    /** Something is in the mailbox that was not looked at by the last receive() */
    ABI_WAIT_MAIL = 0,
    /** The stream `handle` has bytes, or has ended */
    ABI_WAIT_READABLE = 1,
    /** The stream `handle` has room, or its reader is gone */
    ABI_WAIT_WRITABLE = 2,
    /** The client of this request has left */
    ABI_WAIT_CLIENT_GONE = 3,
    /** The request `handle` has its answer's head, or has failed */
    ABI_WAIT_FETCHED = 4,
    /** The request's body: request_read() will not wait */
    ABI_WAIT_BODY = 5,
    /** The answer: respond_write(), or sse_send(), of up to 65,536 bytes will hardly wait, or
     *  nobody reads any more */
    ABI_WAIT_ANSWER = 6,
};

/** What a process does. */
enum abi_process_phase {
    /** Waits for something */
    ABI_PHASE_PARKED = 0,
    /** Waits for a turn */
    ABI_PHASE_QUEUED = 1,
    ABI_PHASE_RUNNING = 2,
};

/** What ties spawner and child from the start; bits of spawn_options.flags. */
enum abi_spawn_flag {
    /** They end together */
    ABI_SPAWN_LINK = 1,
    /** The spawner gets a `down` */
    ABI_SPAWN_MONITOR = 2,
};

/** What a supervisor restarts when a child has ended. */
enum abi_strategy {
    /** That child */
    ABI_STRATEGY_ONE_FOR_ONE = 0,
    /** All children */
    ABI_STRATEGY_ONE_FOR_ALL = 1,
    /** It and those started after it */
    ABI_STRATEGY_REST_FOR_ONE = 2,
};

/** When a child is restarted. */
enum abi_restart {
    /** Always */
    ABI_RESTART_PERMANENT = 0,
    /** Unless it ended with `normal` or `shutdown` */
    ABI_RESTART_TRANSIENT = 1,
    /** Never */
    ABI_RESTART_TEMPORARY = 2,
};

/** Bits of fetch_options.flags. */
enum abi_fetch_flag {
    /** The request has a body, which is written to `fetched.body` */
    ABI_FETCH_BODY = 1,
    /** It has exactly `body_bytes`; without this bit its length is not known beforehand */
    ABI_FETCH_LENGTH = 2,
};

/** Why there is no answer, or no more of it; also the reason of an aborted answer's stream. */
enum abi_fetch_reason {
    /** Nothing went wrong, so far */
    ABI_FETCH_OK = 0,
    /** The address, or that of a redirect, is not granted */
    ABI_FETCH_DENIED = 1,
    /** There is no such host */
    ABI_FETCH_NAME = 2,
    /** Nobody answers there */
    ABI_FETCH_CONNECT = 3,
    /** No TLS, or a certificate that is not trusted */
    ABI_FETCH_TLS = 4,
    /** One of its times is over */
    ABI_FETCH_TIMEOUT = 5,
    /** The server left before the end */
    ABI_FETCH_CLOSED = 6,
    /** What came is no HTTP */
    ABI_FETCH_PROTOCOL = 7,
    /** The head of the answer is too large */
    ABI_FETCH_LIMIT = 8,
    /** Given up on this side */
    ABI_FETCH_CANCELLED = 9,
    /** The node has no memory */
    ABI_FETCH_MEMORY = 10,
};

/** What a receive wants. All zero: everything. */
struct abi_filter {
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
struct abi_mail {
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
struct abi_wait {
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
struct abi_publication {
    /** Mailboxes that took it */
    uint64_t reached;
    /** Those that were full */
    uint64_t skipped;
};

/** What can be said of a process. */
struct abi_info {
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
struct abi_spawn_options {
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
struct abi_spawned {
    uint64_t pid;
    /** Of the monitor; 0: not monitored */
    uint64_t reference;
};

/** The two ends of a new stream. */
struct abi_stream_pair {
    int32_t reader;
    int32_t writer;
};

/** How a supervisor supervises. */
struct abi_supervisor_spec {
    /** Strategy */
    uint32_t strategy;
    /** In the window; one more, and it gives up */
    uint32_t max_restarts;
    uint32_t window_ms;
    /** 0 */
    uint32_t reserved;
};

/** One child of a supervisor. Pointers are addresses in the memory of the caller. */
struct abi_child_spec {
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
struct abi_child_state {
    /** Ended by a zero byte */
    uint8_t name[64];
    /** 0: not running */
    uint64_t pid;
    /** So far */
    uint64_t restarts;
};

/** How to ask. All zero: without a body, redirects are answers, the times as granted. */
struct abi_fetch_options {
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
struct abi_fetched {
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
struct abi_fetch_head {
    /** 200 to 599 */
    uint32_t status;
    /** How many there are */
    uint32_t headers;
};

_Static_assert(sizeof(struct abi_filter) == 80, "layout");
_Static_assert(sizeof(struct abi_mail) == 64, "layout");
_Static_assert(sizeof(struct abi_wait) == 16, "layout");
_Static_assert(sizeof(struct abi_publication) == 16, "layout");
_Static_assert(sizeof(struct abi_info) == 112, "layout");
_Static_assert(sizeof(struct abi_spawn_options) == 16, "layout");
_Static_assert(sizeof(struct abi_spawned) == 16, "layout");
_Static_assert(sizeof(struct abi_stream_pair) == 8, "layout");
_Static_assert(sizeof(struct abi_supervisor_spec) == 16, "layout");
_Static_assert(sizeof(struct abi_child_spec) == 40, "layout");
_Static_assert(sizeof(struct abi_child_state) == 80, "layout");
_Static_assert(sizeof(struct abi_fetch_options) == 32, "layout");
_Static_assert(sizeof(struct abi_fetched) == 16, "layout");
_Static_assert(sizeof(struct abi_fetch_head) == 8, "layout");

/** X(name, signature, parks) for each host function of src/guest. */
#define ABI_GUEST(X)                                                                               \
    X(self, ":I", false)                                                                           \
    X(parent, ":I", false)                                                                         \
    X(log, "iii:i", false)                                                                         \
    X(sleep, "I:i", true)                                                                          \
    X(clock, ":I", false)                                                                          \
    X(wall_clock, ":I", false)                                                                     \
    X(random, "ii:i", false)                                                                       \
    X(env_get, "iiii:i", false)                                                                    \
    X(ready, ":i", false)                                                                          \
    X(set_label, "ii:i", false)                                                                    \
    X(info, "Ii:i", false)                                                                         \
    X(list, "ii:i", true)                                                                          \
    X(send, "IIiii:i", false)                                                                      \
    X(receive, "iiiiI:i", true)                                                                    \
    X(mail_read, "iii:i", false)                                                                   \
    X(call, "iiiiiI:i", true)                                                                      \
    X(call_begin, "IIiii:I", false)                                                                \
    X(reply, "IIIiii:i", false)                                                                    \
    X(wait, "iiI:i", true)                                                                         \
    X(poll_oneoff, "iiii:i", true)                                                                 \
    X(link, "I:i", false)                                                                          \
    X(unlink, "I:i", false)                                                                        \
    X(monitor, "I:I", false)                                                                       \
    X(demonitor, "I:i", false)                                                                     \
    X(trap_exits, "i:i", false)                                                                    \
    X(exit, "ii:", false)                                                                          \
    X(exit_signal, "Iii:i", false)                                                                 \
    X(kill, "I:i", false)                                                                          \
    X(register, "iii:i", false)                                                                    \
    X(unregister, "ii:i", false)                                                                   \
    X(whereis, "iiiii:i", false)                                                                   \
    X(tag, "ii:i", false)                                                                          \
    X(untag, "ii:i", false)                                                                        \
    X(tagged, "iiiiii:i", false)                                                                   \
    X(join, "ii:i", false)                                                                         \
    X(leave, "ii:i", false)                                                                        \
    X(members, "iiiiii:i", false)                                                                  \
    X(publish, "iiiiIiii:i", true)                                                                 \
    X(send_after, "IIiiI:I", false)                                                                \
    X(interval, "Iii:I", false)                                                                    \
    X(cancel, "I:i", false)                                                                        \
    X(spawn, "iiiiii:i", false)                                                                    \
    X(spawn_from, "iiiiiiiIi:i", true)                                                             \
    X(input_get, "ii:i", false)                                                                    \
    X(spawner, "ii:i", false)                                                                      \
    X(stream_open, "ii:i", false)                                                                  \
    X(stream_read, "iiiI:i", true)                                                                 \
    X(stream_write, "iiiI:i", true)                                                                \
    X(stream_try_read, "iii:i", false)                                                             \
    X(stream_try_write, "iii:i", false)                                                            \
    X(stream_end, "i:i", false)                                                                    \
    X(stream_abort, "ii:i", false)                                                                 \
    X(stream_close, "i:i", false)                                                                  \
    X(stream_reason, "i:i", false)                                                                 \
    X(supervisor_start, "iiii:i", false)                                                           \
    X(supervisor_children, "Iii:i", false)                                                         \
    X(fetch_start, "iiiiiiii:i", false)                                                            \
    X(fetch_head, "iiI:i", true)                                                                   \
    X(fetch_header, "iiiii:i", false)                                                              \
    X(fetch_headers, "iii:i", false)                                                               \
    X(fetch_trailers, "iii:i", false)                                                              \
    X(fetch_reason, "i:i", false)                                                                  \
    X(fetch_close, "i:i", false)

/** X(name, signature, parks) for each host function of src/serve. */
#define ABI_SERVE(X)                                                                               \
    X(request_get, "iii:i", false)                                                                 \
    X(request_param, "iiii:i", false)                                                              \
    X(request_query_value, "iiii:i", false)                                                        \
    X(request_header, "iiii:i", false)                                                             \
    X(request_header_at, "iii:i", false)                                                           \
    X(request_read, "ii:i", true)                                                                  \
    X(respond, "iiiii:i", false)                                                                   \
    X(respond_begin, "iiiI:i", false)                                                              \
    X(respond_write, "ii:i", true)                                                                 \
    X(client_gone, ":i", false)                                                                    \
    X(sse_begin, "ii:i", false)                                                                    \
    X(sse_send, "iiiiiii:i", true)                                                                 \
    X(sse_write, "ii:i", true)                                                                     \
    X(sse_comment, "ii:i", true)                                                                   \
    X(ws_send, "iii:i", true)                                                                      \
    X(ws_close, "iii:i", false)

/* clang-format on */
