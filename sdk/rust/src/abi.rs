//! Made of src/guest/abi.toml by tools/abi.py; docs/guest-abi.md tells what each function does.

#![allow(dead_code, clippy::too_many_arguments)]
#![cfg_attr(rustfmt, rustfmt_skip)]

/// Not granted; the log has the manifest line that would allow it
pub const ERR_DENIED: i32 = -1;
/// No such process, name, timer, handle or value, or none in reach
pub const ERR_NOT_FOUND: i32 = -2;
/// An argument is out of range or malformed
pub const ERR_INVALID: i32 = -3;
/// A quota or a size limit
pub const ERR_LIMIT: i32 = -4;
/// The other side is gone
pub const ERR_CLOSED: i32 = -5;
/// Not in this kind of process, or not now
pub const ERR_MISPLACED: i32 = -6;
/// The node has no memory
pub const ERR_NO_MEMORY: i32 = -7;
/// What came from outside is broken
pub const ERR_MALFORMED: i32 = -8;
/// It did not happen in time; with a timeout of 0: not now
pub const ERR_TIMEOUT: i32 = -9;
/// Taken already
pub const ERR_EXISTS: i32 = -10;
/// The receiver's mailbox is full, and it refuses
pub const ERR_FULL: i32 = -11;
/// The writer of a stream gave up
pub const ERR_ABORTED: i32 = -12;

// How grave a line of the log is.
pub const LOG_LEVEL_ERROR: u32 = 0;
pub const LOG_LEVEL_WARN: u32 = 1;
pub const LOG_LEVEL_INFO: u32 = 2;
pub const LOG_LEVEL_DEBUG: u32 = 3;

// A part of the request.
pub const REQUEST_FIELD_METHOD: u32 = 0;
/// Percent-decoded
pub const REQUEST_FIELD_PATH: u32 = 1;
/// As sent, without the `?`
pub const REQUEST_FIELD_QUERY: u32 = 2;
/// As sent
pub const REQUEST_FIELD_TARGET: u32 = 3;
pub const REQUEST_FIELD_HOST: u32 = 4;
/// `192.0.2.7:51234`
pub const REQUEST_FIELD_REMOTE: u32 = 5;
/// As in the answer's `X-Request-Id` and in the node's log
pub const REQUEST_FIELD_ID: u32 = 6;
/// Of a WebSocket: what was agreed on, or empty
pub const REQUEST_FIELD_SUBPROTOCOL: u32 = 7;
/// `https` when the client speaks TLS, with the node or with a trusted proxy; else `http`
pub const REQUEST_FIELD_SCHEME: u32 = 8;
/// The subject of the client's verified certificate, as `CN=name,O=firm`; empty without one
pub const REQUEST_FIELD_CERTIFICATE: u32 = 9;

// What a piece of mail is.
/// Sent or published; `label` is the sender's
pub const MAIL_SEND: u32 = 0;
/// A request that waits for reply() with its `sender` and `reference`
pub const MAIL_CALL: u32 = 1;
/// The answer to the call `reference`
pub const MAIL_REPLY: u32 = 2;
/// What the monitor or call `reference` watched has ended: `sender`, `exit_class`, `status`, the reason in the
/// body
pub const MAIL_DOWN: u32 = 3;
/// An exit signal of `sender`, to who traps exits; as `down`
pub const MAIL_EXIT: u32 = 4;
/// The timer `reference` fired; `label`: how many times since the last one was read
pub const MAIL_TIMER: u32 = 5;
/// Asked to stop: finish, and return
pub const MAIL_STOP: u32 = 6;
/// A message of this WebSocket's client; `label` is its ws_kind. `sender` is 0: no process can send one
pub const MAIL_FRAME: u32 = 7;
/// The WebSocket is closed: `label` is the code (1005: none was given, 1006: the client is gone without a
/// word), the reason in the body. Nothing can be sent any more; return
pub const MAIL_CLOSE: u32 = 8;

// How a process ended.
/// It returned
pub const EXIT_NORMAL: u32 = 0;
/// Asked to stop, and did
pub const EXIT_SHUTDOWN: u32 = 1;
/// Exit() with a reason of its own
pub const EXIT_EXITED: u32 = 2;
/// A trap, or an exit status other than 0
pub const EXIT_CRASHED: u32 = 3;
/// Its memory would have grown past the ceiling
pub const EXIT_CRASHED_MEMORY: u32 = 4;
/// Its CPU budget was used up
pub const EXIT_CRASHED_CPU: u32 = 5;
/// Its deadline was over
pub const EXIT_CRASHED_TIMEOUT: u32 = 6;
/// By a kill, or an exit signal that it did not trap
pub const EXIT_KILLED: u32 = 7;
/// There was no such process, or not any more
pub const EXIT_NOPROC: u32 = 8;
/// Its node cannot be reached
pub const EXIT_NOCONNECTION: u32 = 9;

// What a message of a WebSocket is.
/// UTF-8
pub const WS_TEXT: u32 = 1;
pub const WS_BINARY: u32 = 2;

// What to wait for.
/// Something is in the mailbox that was not looked at by the last receive()
pub const WAIT_MAIL: u32 = 0;
/// The stream `handle` has bytes, or has ended
pub const WAIT_READABLE: u32 = 1;
/// The stream `handle` has room, or its reader is gone
pub const WAIT_WRITABLE: u32 = 2;
/// The client of this request has left
pub const WAIT_CLIENT_GONE: u32 = 3;
/// The request `handle` has its answer's head, or has failed
pub const WAIT_FETCHED: u32 = 4;
/// The request's body: request_read() will not wait
pub const WAIT_BODY: u32 = 5;
/// The answer: respond_write(), or sse_send(), of up to 65,536 bytes will hardly wait, or nobody reads any more
pub const WAIT_ANSWER: u32 = 6;

// What a process does.
/// Waits for something
pub const PHASE_PARKED: u32 = 0;
/// Waits for a turn
pub const PHASE_QUEUED: u32 = 1;
pub const PHASE_RUNNING: u32 = 2;

// What ties spawner and child from the start; bits of spawn_options.flags.
/// They end together
pub const SPAWN_LINK: u32 = 1;
/// The spawner gets a `down`
pub const SPAWN_MONITOR: u32 = 2;

// What a supervisor restarts when a child has ended.
/// That child
pub const STRATEGY_ONE_FOR_ONE: u32 = 0;
/// All children
pub const STRATEGY_ONE_FOR_ALL: u32 = 1;
/// It and those started after it
pub const STRATEGY_REST_FOR_ONE: u32 = 2;

// When a child is restarted.
/// Always
pub const RESTART_PERMANENT: u32 = 0;
/// Unless it ended with `normal` or `shutdown`
pub const RESTART_TRANSIENT: u32 = 1;
/// Never
pub const RESTART_TEMPORARY: u32 = 2;

// Bits of fetch_options.flags.
/// The request has a body, which is written to `fetched.body`
pub const FETCH_BODY: u32 = 1;
/// It has exactly `body_bytes`; without this bit its length is not known beforehand
pub const FETCH_LENGTH: u32 = 2;

// Why there is no answer, or no more of it; also the reason of an aborted answer's stream.
/// Nothing went wrong, so far
pub const FETCH_OK: u32 = 0;
/// The address, or that of a redirect, is not granted
pub const FETCH_DENIED: u32 = 1;
/// There is no such host
pub const FETCH_NAME: u32 = 2;
/// Nobody answers there
pub const FETCH_CONNECT: u32 = 3;
/// No TLS, or a certificate that is not trusted
pub const FETCH_TLS: u32 = 4;
/// One of its times is over
pub const FETCH_TIMEOUT: u32 = 5;
/// The server left before the end
pub const FETCH_CLOSED: u32 = 6;
/// What came is no HTTP
pub const FETCH_PROTOCOL: u32 = 7;
/// The head of the answer is too large
pub const FETCH_LIMIT: u32 = 8;
/// Given up on this side
pub const FETCH_CANCELLED: u32 = 9;
/// The node has no memory
pub const FETCH_MEMORY: u32 = 10;

/// What a receive wants. All zero: everything.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Filter {
    /// Bits 1 << mail_kind; 0: all
    pub kinds: u32,
    /// How many of `labels`, at most 8; 0: any
    pub label_count: u32,
    /// 0: any
    pub reference: u64,
    /// Sends and calls must have one of these; other kinds have no labels
    pub labels: [u64; 8],
}

impl Filter {
    pub const ZERO: Filter = Filter {
        kinds: 0,
        label_count: 0,
        reference: 0,
        labels: [0; 8],
    };
}

/// A piece of mail without its body.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Mail {
    /// Mail_kind
    pub kind: u32,
    /// Of the body, all of it
    pub size: u32,
    /// 0: the platform
    pub sender: u64,
    /// Of a `frame`: ws_kind; of a `close`: the code
    pub label: u64,
    /// Of an `exit`: -1 when a link brought it, 0 when it was sent
    pub reference: u64,
    /// Of `down` and `exit`
    pub exit_class: u32,
    /// Exit status, of `down` and `exit`
    pub status: i32,
    /// The end of a stream that came with it; 0: none; below 0: one came, and why it could not be taken
    pub stream: i32,
    /// 0
    pub reserved: [u32; 5],
}

impl Mail {
    pub const ZERO: Mail = Mail {
        kind: 0,
        size: 0,
        sender: 0,
        label: 0,
        reference: 0,
        exit_class: 0,
        status: 0,
        stream: 0,
        reserved: [0; 5],
    };
}

/// One thing to wait for.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Wait {
    /// Wait_kind
    pub kind: u32,
    /// Of a stream, or of a request that was sent; else 0
    pub handle: i32,
    /// Written: 1 when it is ready
    pub ready: u32,
    /// 0
    pub reserved: u32,
}

impl Wait {
    pub const ZERO: Wait = Wait {
        kind: 0,
        handle: 0,
        ready: 0,
        reserved: 0,
    };
}

/// How a publication went.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Publication {
    /// Mailboxes that took it
    pub reached: u64,
    /// Those that were full
    pub skipped: u64,
}

impl Publication {
    pub const ZERO: Publication = Publication {
        reached: 0,
        skipped: 0,
    };
}

/// What can be said of a process.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Info {
    /// Pid; 0: the platform
    pub parent: u64,
    /// Process_phase
    pub phase: u32,
    /// Unread
    pub mailbox_messages: u32,
    /// Of their bodies
    pub mailbox_bytes: u64,
    /// Of its linear memory, which never shrinks: also the most that it had
    pub memory_bytes: u64,
    /// Processor time of its ended turns
    pub cpu_ns: u64,
    pub turns: u64,
    pub preemptions: u64,
    /// Since its start
    pub age_ns: u64,
    /// Only of oneself, else 0
    pub links: u32,
    /// Its own, calls too; only of oneself, else 0
    pub monitors: u32,
    /// Only of oneself, else 0
    pub timers: u32,
    /// 0
    pub reserved: u32,
    /// That it has taken: messages, calls, replies, frames
    pub messages_received: u64,
    /// Of their bodies
    pub bytes_received: u64,
    /// By send(), call(), reply() and publish(), one for each receiver
    pub messages_sent: u64,
    /// Of their bodies
    pub bytes_sent: u64,
}

impl Info {
    pub const ZERO: Info = Info {
        parent: 0,
        phase: 0,
        mailbox_messages: 0,
        mailbox_bytes: 0,
        memory_bytes: 0,
        cpu_ns: 0,
        turns: 0,
        preemptions: 0,
        age_ns: 0,
        links: 0,
        monitors: 0,
        timers: 0,
        reserved: 0,
        messages_received: 0,
        bytes_received: 0,
        messages_sent: 0,
        bytes_sent: 0,
    };
}

/// How to spawn. All zero: untied, with all that the component is granted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SpawnOptions {
    /// Bits of spawn_flag
    pub flags: u32,
    /// Of each memory; 0: as granted
    pub max_memory_mb: u32,
    /// Of a unit of work; 0: as granted
    pub max_cpu_ms: u32,
    /// Of its life; 0: none of its own
    pub deadline_ms: u32,
}

impl SpawnOptions {
    pub const ZERO: SpawnOptions = SpawnOptions {
        flags: 0,
        max_memory_mb: 0,
        max_cpu_ms: 0,
        deadline_ms: 0,
    };
}

/// A new process.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Spawned {
    pub pid: u64,
    /// Of the monitor; 0: not monitored
    pub reference: u64,
}

impl Spawned {
    pub const ZERO: Spawned = Spawned {
        pid: 0,
        reference: 0,
    };
}

/// The two ends of a new stream.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct StreamPair {
    pub reader: i32,
    pub writer: i32,
}

impl StreamPair {
    pub const ZERO: StreamPair = StreamPair {
        reader: 0,
        writer: 0,
    };
}

/// How a supervisor supervises.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SupervisorSpec {
    /// Strategy
    pub strategy: u32,
    /// In the window; one more, and it gives up
    pub max_restarts: u32,
    pub window_ms: u32,
    /// 0
    pub reserved: u32,
}

impl SupervisorSpec {
    pub const ZERO: SupervisorSpec = SupervisorSpec {
        strategy: 0,
        max_restarts: 0,
        window_ms: 0,
        reserved: 0,
    };
}

/// One child of a supervisor. Pointers are addresses in the memory of the caller.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ChildSpec {
    /// Pointer to its name among the children; at most 63 bytes
    pub name: u32,
    /// 0: named as its component
    pub name_size: u32,
    /// Pointer; as for spawn()
    pub component: u32,
    pub component_size: u32,
    /// Pointer
    pub input: u32,
    pub input_size: u32,
    /// Restart
    pub restart: u32,
    /// How long it may take to stop; 0: it is killed
    pub shutdown_ms: u32,
    /// 0: it has started at once; else by ready() or its first receive() within that time
    pub start_timeout_ms: u32,
    /// 0
    pub reserved: u32,
}

impl ChildSpec {
    pub const ZERO: ChildSpec = ChildSpec {
        name: 0,
        name_size: 0,
        component: 0,
        component_size: 0,
        input: 0,
        input_size: 0,
        restart: 0,
        shutdown_ms: 0,
        start_timeout_ms: 0,
        reserved: 0,
    };
}

/// A child as it is now.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ChildState {
    /// Ended by a zero byte
    pub name: [u8; 64],
    /// 0: not running
    pub pid: u64,
    /// So far
    pub restarts: u64,
}

impl ChildState {
    pub const ZERO: ChildState = ChildState {
        name: [0; 64],
        pid: 0,
        restarts: 0,
    };
}

/// How to ask. All zero: without a body, redirects are answers, the times as granted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct FetchOptions {
    /// Bits of fetch_flag
    pub flags: u32,
    /// How many to follow, of GET and HEAD only; at most 20
    pub redirects: u32,
    /// With the bit `length`
    pub body_bytes: u64,
    /// Until there is a connection; 0: as granted, as with those below
    pub connect_ms: u32,
    /// Until the answer's head; 0: no limit of its own
    pub head_ms: u32,
    /// Without a byte, while this side is ready for one
    pub idle_ms: u32,
    /// For all of it
    pub deadline_ms: u32,
}

impl FetchOptions {
    pub const ZERO: FetchOptions = FetchOptions {
        flags: 0,
        redirects: 0,
        body_bytes: 0,
        connect_ms: 0,
        head_ms: 0,
        idle_ms: 0,
        deadline_ms: 0,
    };
}

/// A request under way.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Fetched {
    /// Handle of the request
    pub fetch: i32,
    /// The stream that its body is written to; 0: it has none
    pub body: i32,
    /// The stream that the answer's body is read from
    pub answer: i32,
    /// 0
    pub reserved: u32,
}

impl Fetched {
    pub const ZERO: Fetched = Fetched {
        fetch: 0,
        body: 0,
        answer: 0,
        reserved: 0,
    };
}

/// The head of an answer.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct FetchHead {
    /// 200 to 599
    pub status: u32,
    /// How many there are
    pub headers: u32,
}

impl FetchHead {
    pub const ZERO: FetchHead = FetchHead {
        status: 0,
        headers: 0,
    };
}

#[cfg(target_family = "wasm")]
mod import {
    use super::*;
    #[link(wasm_import_module = "mote")]
    unsafe extern "C" {
        #[link_name = "self"]
        pub fn self_() -> u64;
        pub fn parent() -> u64;
        pub fn log(level: i32, text: *const u8, text_size: usize) -> i32;
        pub fn sleep(time: i64) -> i32;
        pub fn clock() -> i64;
        pub fn wall_clock() -> i64;
        pub fn random(buffer: *mut u8, buffer_size: usize) -> i32;
        pub fn env_get(name: *const u8, name_size: usize, buffer: *mut u8, buffer_size: usize) -> i32;
        pub fn ready() -> i32;
        pub fn set_label(text: *const u8, text_size: usize) -> i32;
        pub fn info(pid: u64, info: *mut Info) -> i32;
        pub fn list(pids: *mut u64, pids_size: usize) -> i32;
        pub fn send(pid: u64, label: u64, data: *const u8, data_size: usize, stream: i32) -> i32;
        pub fn receive(filter: *const Filter, mail: *mut Mail, buffer: *mut u8, buffer_size: usize, timeout: i64) -> i32;
        pub fn mail_read(offset: u32, buffer: *mut u8, buffer_size: usize) -> i32;
        pub fn call(mail: *mut Mail, data: *const u8, data_size: usize, buffer: *mut u8, buffer_size: usize, timeout: i64) -> i32;
        pub fn call_begin(pid: u64, label: u64, data: *const u8, data_size: usize, stream: i32) -> i64;
        pub fn reply(pid: u64, reference: u64, label: u64, data: *const u8, data_size: usize, stream: i32) -> i32;
        pub fn wait(set: *mut Wait, set_size: usize, timeout: i64) -> i32;
        pub fn poll_oneoff(subscriptions: u32, events: u32, subscription_count: u32, written: u32) -> i32;
        pub fn link(pid: u64) -> i32;
        pub fn unlink(pid: u64) -> i32;
        pub fn monitor(pid: u64) -> i64;
        pub fn demonitor(reference: u64) -> i32;
        pub fn trap_exits(on: u32) -> i32;
        pub fn exit(reason: *const u8, reason_size: usize) -> !;
        pub fn exit_signal(pid: u64, reason: *const u8, reason_size: usize) -> i32;
        pub fn kill(pid: u64) -> i32;
        pub fn register(name: *const u8, name_size: usize, holder: *mut u64) -> i32;
        pub fn unregister(name: *const u8, name_size: usize) -> i32;
        pub fn whereis(space: *const u8, space_size: usize, name: *const u8, name_size: usize, pid: *mut u64) -> i32;
        pub fn tag(name: *const u8, name_size: usize) -> i32;
        pub fn untag(name: *const u8, name_size: usize) -> i32;
        pub fn tagged(space: *const u8, space_size: usize, name: *const u8, name_size: usize, pids: *mut u64, pids_size: usize) -> i32;
        pub fn join(name: *const u8, name_size: usize) -> i32;
        pub fn leave(name: *const u8, name_size: usize) -> i32;
        pub fn members(space: *const u8, space_size: usize, name: *const u8, name_size: usize, pids: *mut u64, pids_size: usize) -> i32;
        pub fn publish(space: *const u8, space_size: usize, name: *const u8, name_size: usize, label: u64, data: *const u8, data_size: usize, result: *mut Publication) -> i32;
        pub fn send_after(pid: u64, label: u64, data: *const u8, data_size: usize, after: i64) -> i64;
        pub fn interval(every: i64, data: *const u8, data_size: usize) -> i64;
        pub fn cancel(reference: u64) -> i32;
        pub fn request_get(field: i32, buffer: *mut u8, buffer_size: usize) -> i32;
        pub fn request_param(name: *const u8, name_size: usize, buffer: *mut u8, buffer_size: usize) -> i32;
        pub fn request_query_value(name: *const u8, name_size: usize, buffer: *mut u8, buffer_size: usize) -> i32;
        pub fn request_header(name: *const u8, name_size: usize, buffer: *mut u8, buffer_size: usize) -> i32;
        pub fn request_header_at(index: u32, buffer: *mut u8, buffer_size: usize) -> i32;
        pub fn request_read(buffer: *mut u8, buffer_size: usize) -> i32;
        pub fn respond(status: i32, headers: *const u8, headers_size: usize, body: *const u8, body_size: usize) -> i32;
        pub fn respond_begin(status: i32, headers: *const u8, headers_size: usize, length: i64) -> i32;
        pub fn respond_write(data: *const u8, data_size: usize) -> i32;
        pub fn client_gone() -> i32;
        pub fn sse_begin(headers: *const u8, headers_size: usize) -> i32;
        pub fn sse_send(event: *const u8, event_size: usize, id: *const u8, id_size: usize, retry_ms: i32, data: *const u8, data_size: usize) -> i32;
        pub fn sse_write(data: *const u8, data_size: usize) -> i32;
        pub fn sse_comment(text: *const u8, text_size: usize) -> i32;
        pub fn ws_send(kind: i32, data: *const u8, data_size: usize) -> i32;
        pub fn ws_close(code: u32, reason: *const u8, reason_size: usize) -> i32;
        pub fn spawn(component: *const u8, component_size: usize, input: *const u8, input_size: usize, options: *const SpawnOptions, spawned: *mut Spawned) -> i32;
        pub fn spawn_from(component: *const u8, component_size: usize, source: *const u8, source_size: usize, input: *const u8, input_size: usize, options: *const SpawnOptions, timeout: i64, spawned: *mut Spawned) -> i32;
        pub fn input_get(buffer: *mut u8, buffer_size: usize) -> i32;
        pub fn spawner(buffer: *mut u8, buffer_size: usize) -> i32;
        pub fn stream_open(limit: u32, ends: *mut StreamPair) -> i32;
        pub fn stream_read(stream: i32, buffer: *mut u8, buffer_size: usize, timeout: i64) -> i32;
        pub fn stream_write(stream: i32, data: *const u8, data_size: usize, timeout: i64) -> i32;
        pub fn stream_try_read(stream: i32, buffer: *mut u8, buffer_size: usize) -> i32;
        pub fn stream_try_write(stream: i32, data: *const u8, data_size: usize) -> i32;
        pub fn stream_end(stream: i32) -> i32;
        pub fn stream_abort(stream: i32, reason: i32) -> i32;
        pub fn stream_close(stream: i32) -> i32;
        pub fn stream_reason(stream: i32) -> i32;
        pub fn supervisor_start(spec: *const SupervisorSpec, children: *mut ChildSpec, children_size: usize, pid: *mut u64) -> i32;
        pub fn supervisor_children(pid: u64, children: *mut ChildState, children_size: usize) -> i32;
        pub fn fetch_start(method: *const u8, method_size: usize, url: *const u8, url_size: usize, headers: *const u8, headers_size: usize, options: *const FetchOptions, result: *mut Fetched) -> i32;
        pub fn fetch_head(fetch: i32, head: *mut FetchHead, timeout: i64) -> i32;
        pub fn fetch_header(fetch: i32, name: *const u8, name_size: usize, buffer: *mut u8, buffer_size: usize) -> i32;
        pub fn fetch_headers(fetch: i32, buffer: *mut u8, buffer_size: usize) -> i32;
        pub fn fetch_trailers(fetch: i32, buffer: *mut u8, buffer_size: usize) -> i32;
        pub fn fetch_reason(fetch: i32) -> i32;
        pub fn fetch_close(fetch: i32) -> i32;
    }
}

#[cfg(not(target_family = "wasm"))]
#[allow(unused_variables, clippy::missing_safety_doc)]
mod import {
    use super::*;
    fn outside() -> ! {
        panic!("only a node of mote has that")
    }
    pub unsafe fn self_() -> u64 {
        outside()
    }
    pub unsafe fn parent() -> u64 {
        outside()
    }
    pub unsafe fn log(level: i32, text: *const u8, text_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn sleep(time: i64) -> i32 {
        outside()
    }
    pub unsafe fn clock() -> i64 {
        outside()
    }
    pub unsafe fn wall_clock() -> i64 {
        outside()
    }
    pub unsafe fn random(buffer: *mut u8, buffer_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn env_get(name: *const u8, name_size: usize, buffer: *mut u8, buffer_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn ready() -> i32 {
        outside()
    }
    pub unsafe fn set_label(text: *const u8, text_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn info(pid: u64, info: *mut Info) -> i32 {
        outside()
    }
    pub unsafe fn list(pids: *mut u64, pids_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn send(pid: u64, label: u64, data: *const u8, data_size: usize, stream: i32) -> i32 {
        outside()
    }
    pub unsafe fn receive(filter: *const Filter, mail: *mut Mail, buffer: *mut u8, buffer_size: usize, timeout: i64) -> i32 {
        outside()
    }
    pub unsafe fn mail_read(offset: u32, buffer: *mut u8, buffer_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn call(mail: *mut Mail, data: *const u8, data_size: usize, buffer: *mut u8, buffer_size: usize, timeout: i64) -> i32 {
        outside()
    }
    pub unsafe fn call_begin(pid: u64, label: u64, data: *const u8, data_size: usize, stream: i32) -> i64 {
        outside()
    }
    pub unsafe fn reply(pid: u64, reference: u64, label: u64, data: *const u8, data_size: usize, stream: i32) -> i32 {
        outside()
    }
    pub unsafe fn wait(set: *mut Wait, set_size: usize, timeout: i64) -> i32 {
        outside()
    }
    pub unsafe fn poll_oneoff(subscriptions: u32, events: u32, subscription_count: u32, written: u32) -> i32 {
        outside()
    }
    pub unsafe fn link(pid: u64) -> i32 {
        outside()
    }
    pub unsafe fn unlink(pid: u64) -> i32 {
        outside()
    }
    pub unsafe fn monitor(pid: u64) -> i64 {
        outside()
    }
    pub unsafe fn demonitor(reference: u64) -> i32 {
        outside()
    }
    pub unsafe fn trap_exits(on: u32) -> i32 {
        outside()
    }
    pub unsafe fn exit(reason: *const u8, reason_size: usize) -> ! {
        outside()
    }
    pub unsafe fn exit_signal(pid: u64, reason: *const u8, reason_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn kill(pid: u64) -> i32 {
        outside()
    }
    pub unsafe fn register(name: *const u8, name_size: usize, holder: *mut u64) -> i32 {
        outside()
    }
    pub unsafe fn unregister(name: *const u8, name_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn whereis(space: *const u8, space_size: usize, name: *const u8, name_size: usize, pid: *mut u64) -> i32 {
        outside()
    }
    pub unsafe fn tag(name: *const u8, name_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn untag(name: *const u8, name_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn tagged(space: *const u8, space_size: usize, name: *const u8, name_size: usize, pids: *mut u64, pids_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn join(name: *const u8, name_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn leave(name: *const u8, name_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn members(space: *const u8, space_size: usize, name: *const u8, name_size: usize, pids: *mut u64, pids_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn publish(space: *const u8, space_size: usize, name: *const u8, name_size: usize, label: u64, data: *const u8, data_size: usize, result: *mut Publication) -> i32 {
        outside()
    }
    pub unsafe fn send_after(pid: u64, label: u64, data: *const u8, data_size: usize, after: i64) -> i64 {
        outside()
    }
    pub unsafe fn interval(every: i64, data: *const u8, data_size: usize) -> i64 {
        outside()
    }
    pub unsafe fn cancel(reference: u64) -> i32 {
        outside()
    }
    pub unsafe fn request_get(field: i32, buffer: *mut u8, buffer_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn request_param(name: *const u8, name_size: usize, buffer: *mut u8, buffer_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn request_query_value(name: *const u8, name_size: usize, buffer: *mut u8, buffer_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn request_header(name: *const u8, name_size: usize, buffer: *mut u8, buffer_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn request_header_at(index: u32, buffer: *mut u8, buffer_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn request_read(buffer: *mut u8, buffer_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn respond(status: i32, headers: *const u8, headers_size: usize, body: *const u8, body_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn respond_begin(status: i32, headers: *const u8, headers_size: usize, length: i64) -> i32 {
        outside()
    }
    pub unsafe fn respond_write(data: *const u8, data_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn client_gone() -> i32 {
        outside()
    }
    pub unsafe fn sse_begin(headers: *const u8, headers_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn sse_send(event: *const u8, event_size: usize, id: *const u8, id_size: usize, retry_ms: i32, data: *const u8, data_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn sse_write(data: *const u8, data_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn sse_comment(text: *const u8, text_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn ws_send(kind: i32, data: *const u8, data_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn ws_close(code: u32, reason: *const u8, reason_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn spawn(component: *const u8, component_size: usize, input: *const u8, input_size: usize, options: *const SpawnOptions, spawned: *mut Spawned) -> i32 {
        outside()
    }
    pub unsafe fn spawn_from(component: *const u8, component_size: usize, source: *const u8, source_size: usize, input: *const u8, input_size: usize, options: *const SpawnOptions, timeout: i64, spawned: *mut Spawned) -> i32 {
        outside()
    }
    pub unsafe fn input_get(buffer: *mut u8, buffer_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn spawner(buffer: *mut u8, buffer_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn stream_open(limit: u32, ends: *mut StreamPair) -> i32 {
        outside()
    }
    pub unsafe fn stream_read(stream: i32, buffer: *mut u8, buffer_size: usize, timeout: i64) -> i32 {
        outside()
    }
    pub unsafe fn stream_write(stream: i32, data: *const u8, data_size: usize, timeout: i64) -> i32 {
        outside()
    }
    pub unsafe fn stream_try_read(stream: i32, buffer: *mut u8, buffer_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn stream_try_write(stream: i32, data: *const u8, data_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn stream_end(stream: i32) -> i32 {
        outside()
    }
    pub unsafe fn stream_abort(stream: i32, reason: i32) -> i32 {
        outside()
    }
    pub unsafe fn stream_close(stream: i32) -> i32 {
        outside()
    }
    pub unsafe fn stream_reason(stream: i32) -> i32 {
        outside()
    }
    pub unsafe fn supervisor_start(spec: *const SupervisorSpec, children: *mut ChildSpec, children_size: usize, pid: *mut u64) -> i32 {
        outside()
    }
    pub unsafe fn supervisor_children(pid: u64, children: *mut ChildState, children_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn fetch_start(method: *const u8, method_size: usize, url: *const u8, url_size: usize, headers: *const u8, headers_size: usize, options: *const FetchOptions, result: *mut Fetched) -> i32 {
        outside()
    }
    pub unsafe fn fetch_head(fetch: i32, head: *mut FetchHead, timeout: i64) -> i32 {
        outside()
    }
    pub unsafe fn fetch_header(fetch: i32, name: *const u8, name_size: usize, buffer: *mut u8, buffer_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn fetch_headers(fetch: i32, buffer: *mut u8, buffer_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn fetch_trailers(fetch: i32, buffer: *mut u8, buffer_size: usize) -> i32 {
        outside()
    }
    pub unsafe fn fetch_reason(fetch: i32) -> i32 {
        outside()
    }
    pub unsafe fn fetch_close(fetch: i32) -> i32 {
        outside()
    }
}

pub use import::*;
