//! Made of src/guest/abi.toml by tools/abi.py: change that file, not this one.
//!
//! Types and functions of the package mote:runtime, for typed.rs.

use crate::typed::{Link, typed_enum};
use crate::typed_arguments::*;
use crate::typed_bytes::ByteList;
use crate::typed_results::*;
use wasmtime::Result;
use wasmtime::component::{ComponentType, Lift, Lower, WasmList, WasmStr};

pub const VERSION: &str = "0.1.0";

typed_enum! {
    Error {
        Denied "denied" -1,
        NotFound "not-found" -2,
        Invalid "invalid" -3,
        Limit "limit" -4,
        Closed "closed" -5,
        Misplaced "misplaced" -6,
        NoMemory "no-memory" -7,
        Malformed "malformed" -8,
        Timeout "timeout" -9,
        Exists "exists" -10,
        Full "full" -11,
        Aborted "aborted" -12,
    }
}

typed_enum! {
    LogLevel {
        Error "error" 0,
        Warn "warn" 1,
        Info "info" 2,
        Debug "debug" 3,
    }
}

typed_enum! {
    RequestField {
        Method "method" 0,
        Path "path" 1,
        Query "query" 2,
        Target "target" 3,
        Host "host" 4,
        Remote "remote" 5,
        Id "id" 6,
        Subprotocol "subprotocol" 7,
        Scheme "scheme" 8,
        Certificate "certificate" 9,
    }
}

typed_enum! {
    MailKind {
        Send "send" 0,
        Call "call" 1,
        Reply "reply" 2,
        Down "down" 3,
        Exit "exit" 4,
        Timer "timer" 5,
        Stop "stop" 6,
        Frame "frame" 7,
        Close "close" 8,
    }
}

typed_enum! {
    ExitClass {
        Normal "normal" 0,
        Shutdown "shutdown" 1,
        Exited "exited" 2,
        Crashed "crashed" 3,
        CrashedMemory "crashed-memory" 4,
        CrashedCpu "crashed-cpu" 5,
        CrashedTimeout "crashed-timeout" 6,
        Killed "killed" 7,
        Noproc "noproc" 8,
        Noconnection "noconnection" 9,
    }
}

typed_enum! {
    WsKind {
        Text "text" 1,
        Binary "binary" 2,
    }
}

typed_enum! {
    WaitKind {
        Mail "mail" 0,
        Readable "readable" 1,
        Writable "writable" 2,
        ClientGone "client-gone" 3,
        Fetched "fetched" 4,
    }
}

typed_enum! {
    ProcessPhase {
        Parked "parked" 0,
        Queued "queued" 1,
        Running "running" 2,
    }
}

typed_enum! {
    Strategy {
        OneForOne "one-for-one" 0,
        OneForAll "one-for-all" 1,
        RestForOne "rest-for-one" 2,
    }
}

typed_enum! {
    Restart {
        Permanent "permanent" 0,
        Transient "transient" 1,
        Temporary "temporary" 2,
    }
}

typed_enum! {
    FetchReason {
        Ok "ok" 0,
        Denied "denied" 1,
        Name "name" 2,
        Connect "connect" 3,
        Tls "tls" 4,
        Timeout "timeout" 5,
        Closed "closed" 6,
        Protocol "protocol" 7,
        Limit "limit" 8,
        Cancelled "cancelled" 9,
        Memory "memory" 10,
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CFilter {
    pub kinds: u32,
    pub label_count: u32,
    pub reference: u64,
    pub labels: [u64; 8],
}
const _: () = assert!(std::mem::size_of::<CFilter>() == 80);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CMail {
    pub kind: u32,
    pub size: u32,
    pub sender: u64,
    pub label: u64,
    pub reference: u64,
    pub exit_class: u32,
    pub status: i32,
    pub stream: i32,
    pub reserved: [u32; 5],
}
const _: () = assert!(std::mem::size_of::<CMail>() == 64);
#[derive(ComponentType, Lower)]
#[component(record)]
pub struct Mail {
    #[component(name = "kind")]
    pub kind: MailKind,
    #[component(name = "sender")]
    pub sender: u64,
    #[component(name = "label")]
    pub label: u64,
    #[component(name = "reference")]
    pub reference: u64,
    #[component(name = "exit-class")]
    pub exit_class: ExitClass,
    #[component(name = "status")]
    pub status: i32,
    #[component(name = "stream")]
    pub stream: i32,
    pub body: Body,
}
impl Layout for CMail {
    type Record = Mail;
    fn record(&self) -> Result<Mail> {
        Ok(Mail {
            kind: MailKind::of(self.kind)?,
            sender: self.sender,
            label: self.label,
            reference: self.reference,
            exit_class: ExitClass::of(self.exit_class)?,
            status: self.status,
            stream: self.stream,
            body: NO_BODY,
        })
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CWait {
    pub kind: u32,
    pub handle: i32,
    pub ready: u32,
    pub reserved: u32,
}
const _: () = assert!(std::mem::size_of::<CWait>() == 16);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CPublication {
    pub reached: u64,
    pub skipped: u64,
}
const _: () = assert!(std::mem::size_of::<CPublication>() == 16);
#[derive(ComponentType, Lower)]
#[component(record)]
pub struct Publication {
    #[component(name = "reached")]
    pub reached: u64,
    #[component(name = "skipped")]
    pub skipped: u64,
}
impl Layout for CPublication {
    type Record = Publication;
    fn record(&self) -> Result<Publication> {
        Ok(Publication {
            reached: self.reached,
            skipped: self.skipped,
        })
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CInfo {
    pub parent: u64,
    pub phase: u32,
    pub mailbox_messages: u32,
    pub mailbox_bytes: u64,
    pub memory_bytes: u64,
    pub cpu_ns: u64,
    pub turns: u64,
    pub preemptions: u64,
    pub age_ns: u64,
    pub links: u32,
    pub monitors: u32,
    pub timers: u32,
    pub reserved: u32,
    pub messages_received: u64,
    pub bytes_received: u64,
    pub messages_sent: u64,
    pub bytes_sent: u64,
}
const _: () = assert!(std::mem::size_of::<CInfo>() == 112);
#[derive(ComponentType, Lower)]
#[component(record)]
pub struct Info {
    #[component(name = "parent")]
    pub parent: u64,
    #[component(name = "phase")]
    pub phase: ProcessPhase,
    #[component(name = "mailbox-messages")]
    pub mailbox_messages: u32,
    #[component(name = "mailbox-bytes")]
    pub mailbox_bytes: u64,
    #[component(name = "memory-bytes")]
    pub memory_bytes: u64,
    #[component(name = "cpu-ns")]
    pub cpu_ns: u64,
    #[component(name = "turns")]
    pub turns: u64,
    #[component(name = "preemptions")]
    pub preemptions: u64,
    #[component(name = "age-ns")]
    pub age_ns: u64,
    #[component(name = "links")]
    pub links: u32,
    #[component(name = "monitors")]
    pub monitors: u32,
    #[component(name = "timers")]
    pub timers: u32,
    #[component(name = "messages-received")]
    pub messages_received: u64,
    #[component(name = "bytes-received")]
    pub bytes_received: u64,
    #[component(name = "messages-sent")]
    pub messages_sent: u64,
    #[component(name = "bytes-sent")]
    pub bytes_sent: u64,
}
impl Layout for CInfo {
    type Record = Info;
    fn record(&self) -> Result<Info> {
        Ok(Info {
            parent: self.parent,
            phase: ProcessPhase::of(self.phase)?,
            mailbox_messages: self.mailbox_messages,
            mailbox_bytes: self.mailbox_bytes,
            memory_bytes: self.memory_bytes,
            cpu_ns: self.cpu_ns,
            turns: self.turns,
            preemptions: self.preemptions,
            age_ns: self.age_ns,
            links: self.links,
            monitors: self.monitors,
            timers: self.timers,
            messages_received: self.messages_received,
            bytes_received: self.bytes_received,
            messages_sent: self.messages_sent,
            bytes_sent: self.bytes_sent,
        })
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CSpawnOptions {
    pub flags: u32,
    pub max_memory_mb: u32,
    pub max_cpu_ms: u32,
    pub deadline_ms: u32,
}
const _: () = assert!(std::mem::size_of::<CSpawnOptions>() == 16);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CSpawned {
    pub pid: u64,
    pub reference: u64,
}
const _: () = assert!(std::mem::size_of::<CSpawned>() == 16);
#[derive(ComponentType, Lower)]
#[component(record)]
pub struct Spawned {
    #[component(name = "pid")]
    pub pid: u64,
    #[component(name = "reference")]
    pub reference: u64,
}
impl Layout for CSpawned {
    type Record = Spawned;
    fn record(&self) -> Result<Spawned> {
        Ok(Spawned {
            pid: self.pid,
            reference: self.reference,
        })
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CStreamPair {
    pub reader: i32,
    pub writer: i32,
}
const _: () = assert!(std::mem::size_of::<CStreamPair>() == 8);
#[derive(ComponentType, Lower)]
#[component(record)]
pub struct StreamPair {
    #[component(name = "reader")]
    pub reader: i32,
    #[component(name = "writer")]
    pub writer: i32,
}
impl Layout for CStreamPair {
    type Record = StreamPair;
    fn record(&self) -> Result<StreamPair> {
        Ok(StreamPair {
            reader: self.reader,
            writer: self.writer,
        })
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CSupervisorSpec {
    pub strategy: u32,
    pub max_restarts: u32,
    pub window_ms: u32,
    pub reserved: u32,
}
const _: () = assert!(std::mem::size_of::<CSupervisorSpec>() == 16);
#[derive(ComponentType, Lift)]
#[component(record)]
pub struct SupervisorSpec {
    #[component(name = "strategy")]
    pub strategy: Strategy,
    #[component(name = "max-restarts")]
    pub max_restarts: u32,
    #[component(name = "window-ms")]
    pub window_ms: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CChildSpec {
    pub name: u32,
    pub name_size: u32,
    pub component: u32,
    pub component_size: u32,
    pub input: u32,
    pub input_size: u32,
    pub restart: u32,
    pub shutdown_ms: u32,
    pub start_timeout_ms: u32,
    pub reserved: u32,
}
const _: () = assert!(std::mem::size_of::<CChildSpec>() == 40);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CChildState {
    pub name: [u8; 64],
    pub pid: u64,
    pub restarts: u64,
}
const _: () = assert!(std::mem::size_of::<CChildState>() == 80);
#[derive(ComponentType, Lower)]
#[component(record)]
pub struct ChildState {
    #[component(name = "name")]
    pub name: String,
    #[component(name = "pid")]
    pub pid: u64,
    #[component(name = "restarts")]
    pub restarts: u64,
}
impl Layout for CChildState {
    type Record = ChildState;
    fn record(&self) -> Result<ChildState> {
        Ok(ChildState {
            name: text_of(&self.name),
            pid: self.pid,
            restarts: self.restarts,
        })
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CFetchOptions {
    pub flags: u32,
    pub redirects: u32,
    pub body_bytes: u64,
    pub connect_ms: u32,
    pub head_ms: u32,
    pub idle_ms: u32,
    pub deadline_ms: u32,
}
const _: () = assert!(std::mem::size_of::<CFetchOptions>() == 32);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CFetched {
    pub fetch: i32,
    pub body: i32,
    pub answer: i32,
    pub reserved: u32,
}
const _: () = assert!(std::mem::size_of::<CFetched>() == 16);
#[derive(ComponentType, Lower)]
#[component(record)]
pub struct Fetched {
    #[component(name = "fetch")]
    pub fetch: i32,
    #[component(name = "body")]
    pub body: i32,
    #[component(name = "answer")]
    pub answer: i32,
}
impl Layout for CFetched {
    type Record = Fetched;
    fn record(&self) -> Result<Fetched> {
        Ok(Fetched {
            fetch: self.fetch,
            body: self.body,
            answer: self.answer,
        })
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CFetchHead {
    pub status: u32,
    pub headers: u32,
}
const _: () = assert!(std::mem::size_of::<CFetchHead>() == 8);
#[derive(ComponentType, Lower)]
#[component(record)]
pub struct FetchHead {
    #[component(name = "status")]
    pub status: u32,
    #[component(name = "headers")]
    pub headers: u32,
}
impl Layout for CFetchHead {
    type Record = FetchHead;
    fn record(&self) -> Result<FetchHead> {
        Ok(FetchHead {
            status: self.status,
            headers: self.headers,
        })
    }
}

#[rustfmt::skip]
pub fn link(to: &mut Link<'_>) -> Result<()> {
    to.interface("events");
    to.now::<(WasmStr,), Status>("sse-begin", "sse_begin", 1)?;
    to.waiting::<(Option<WasmStr>, Option<WasmStr>, i32, Option<ByteList>), Status>("sse-send", "sse_send", 4)?;
    to.waiting::<(ByteList,), Status>("sse-write", "sse_write", 1)?;
    to.waiting::<(WasmStr,), Status>("sse-comment", "sse_comment", 1)?;
    to.interface("fetching");
    to.now::<(WasmStr, WasmStr, WasmStr, Option<FetchOptions>), Out<CFetched>>("fetch-start", "fetch_start", 4)?;
    to.waiting::<(i32, Option<u64>), Out<CFetchHead>>("fetch-head", "fetch_head", 1)?;
    to.now::<(i32, WasmStr), Whole<String>>("fetch-header", "fetch_header", 2)?;
    to.now::<(i32,), Whole<String>>("fetch-headers", "fetch_headers", 1)?;
    to.now::<(i32,), Whole<String>>("fetch-trailers", "fetch_trailers", 1)?;
    to.now::<(i32,), Size>("fetch-reason", "fetch_reason", 1)?;
    to.now::<(i32,), Status>("fetch-close", "fetch_close", 1)?;
    to.interface("http");
    to.now::<(RequestField,), Whole<String>>("request-get", "request_get", 1)?;
    to.now::<(WasmStr,), Whole<String>>("request-param", "request_param", 1)?;
    to.now::<(WasmStr,), Whole<String>>("request-query-value", "request_query_value", 1)?;
    to.now::<(WasmStr,), Whole<String>>("request-header", "request_header", 1)?;
    to.now::<(u32,), Whole<String>>("request-header-at", "request_header_at", 1)?;
    to.waiting::<(u32,), Part>("request-read", "request_read", 1)?;
    to.now::<(i32, WasmStr, ByteList), Flag>("respond", "respond", 3)?;
    to.now::<(i32, WasmStr, i64), Status>("respond-begin", "respond_begin", 3)?;
    to.waiting::<(ByteList,), Status>("respond-write", "respond_write", 1)?;
    to.now::<(), Sure<Flag>>("client-gone", "client_gone", 0)?;
    to.interface("messages");
    to.now::<(u64, u64, ByteList, Option<i32>), Status>("send", "send", 4)?;
    to.waiting::<(Option<Filter>, Option<u64>), Received>("receive", "receive", 1)?;
    to.waiting::<(u64, u64, ByteList, Option<i32>, Option<u64>), Calling>("call", "call", 5)?;
    to.now::<(u64, u64, ByteList, Option<i32>), Wide>("call-begin", "call_begin", 4)?;
    to.now::<(u64, u64, u64, ByteList, Option<i32>), Status>("reply", "reply", 5)?;
    to.waiting::<(WasmList<WaitItem>, Option<u64>), Positions>("wait", "wait", 2)?;
    to.interface("names");
    to.now::<(WasmStr,), Status>("register", "register", 1)?;
    to.now::<(WasmStr,), Status>("unregister", "unregister", 1)?;
    to.now::<(WasmStr, WasmStr), Out<u64>>("whereis", "whereis", 2)?;
    to.now::<(WasmStr,), Status>("tag", "tag", 1)?;
    to.now::<(WasmStr,), Status>("untag", "untag", 1)?;
    to.now::<(WasmStr, WasmStr), Many<u64>>("tagged", "tagged", 2)?;
    to.now::<(WasmStr,), Status>("join", "join", 1)?;
    to.now::<(WasmStr,), Status>("leave", "leave", 1)?;
    to.now::<(WasmStr, WasmStr), Many<u64>>("members", "members", 2)?;
    to.waiting::<(WasmStr, WasmStr, u64, ByteList), Out<CPublication>>("publish", "publish", 4)?;
    to.interface("process");
    to.now::<(), Plain>("self", "self", 0)?;
    to.now::<(), Plain>("parent", "parent", 0)?;
    to.now::<(LogLevel, WasmStr), Status>("log", "log", 2)?;
    to.waiting::<(u64,), Status>("sleep", "sleep", 1)?;
    to.now::<(), Plain>("clock", "clock", 0)?;
    to.now::<(), Plain>("wall-clock", "wall_clock", 0)?;
    to.now::<(u32,), Filled>("random", "random", 1)?;
    to.now::<(WasmStr,), Whole<String>>("env-get", "env_get", 1)?;
    to.now::<(), Nothing>("ready", "ready", 0)?;
    to.now::<(WasmStr,), Status>("set-label", "set_label", 1)?;
    to.now::<(u64,), Out<CInfo>>("info", "info", 1)?;
    to.waiting::<(), Many<u64>>("list", "list", 0)?;
    to.interface("spawning");
    to.now::<(WasmStr, ByteList, Option<SpawnOptions>), Out<CSpawned>>("spawn", "spawn", 3)?;
    to.waiting::<(WasmStr, ByteList, ByteList, Option<SpawnOptions>, Option<u64>), Out<CSpawned>>("spawn-from", "spawn_from", 5)?;
    to.now::<(), Sure<Whole<Vec<u8>>>>("input-get", "input_get", 0)?;
    to.now::<(), Sure<Whole<String>>>("spawner", "spawner", 0)?;
    to.interface("streams");
    to.now::<(u32,), Out<CStreamPair>>("stream-open", "stream_open", 1)?;
    to.waiting::<(i32, u32, Option<u64>), Part>("stream-read", "stream_read", 2)?;
    to.waiting::<(i32, ByteList, Option<u64>), Size>("stream-write", "stream_write", 3)?;
    to.now::<(i32, u32), Part>("stream-try-read", "stream_try_read", 2)?;
    to.now::<(i32, ByteList), Size>("stream-try-write", "stream_try_write", 2)?;
    to.now::<(i32,), Status>("stream-end", "stream_end", 1)?;
    to.now::<(i32, i32), Status>("stream-abort", "stream_abort", 2)?;
    to.now::<(i32,), Status>("stream-close", "stream_close", 1)?;
    to.now::<(i32,), Size>("stream-reason", "stream_reason", 1)?;
    to.interface("supervisors");
    to.now::<(SupervisorSpec, WasmList<Child>), Family>("supervisor-start", "supervisor_start", 2)?;
    to.now::<(u64,), Many<CChildState>>("supervisor-children", "supervisor_children", 1)?;
    to.interface("ties");
    to.now::<(u64,), Status>("link", "link", 1)?;
    to.now::<(u64,), Status>("unlink", "unlink", 1)?;
    to.now::<(u64,), Wide>("monitor", "monitor", 1)?;
    to.now::<(u64,), Status>("demonitor", "demonitor", 1)?;
    to.now::<(bool,), Flag>("trap-exits", "trap_exits", 1)?;
    to.now::<(WasmStr,), Nothing>("exit", "exit", 1)?;
    to.now::<(u64, WasmStr), Status>("exit-signal", "exit_signal", 2)?;
    to.now::<(u64,), Status>("kill", "kill", 1)?;
    to.interface("timers");
    to.now::<(u64, u64, ByteList, u64), Wide>("send-after", "send_after", 4)?;
    to.now::<(u64, ByteList), Wide>("interval", "interval", 2)?;
    to.now::<(u64,), Flag>("cancel", "cancel", 1)?;
    to.interface("websockets");
    to.waiting::<(WsKind, ByteList), Status>("ws-send", "ws_send", 2)?;
    to.now::<(u32, WasmStr), Status>("ws-close", "ws_close", 2)?;
    Ok(())
}
