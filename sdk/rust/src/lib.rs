//! What a guest of mote is written with: handlers of requests, WebSockets and streams of events, services and their typed clients,
//! processes, supervisors, groups, streams, timers, requests to others, and the log.
//!
//! ```ignore
//! use mote::{Request, Response};
//!
//! #[mote::export]
//! fn greet(request: Request) -> Response {
//!     Response::text(format!("hello, {}\n", request.param("name")))
//! }
//! ```
//!
//! What waits is there twice: plainly, when this process waits; and as an `async fn` of the same name with `_async`, when only
//! the task does ([`task`]).

mod abi;
mod call;
pub mod cbor;
mod entry;
mod error;
mod events;
mod fetch;
pub mod json;
mod mail;
mod memory;
mod names;
mod process;
mod request;
mod response;
mod socket;
mod stream;
mod supervisor;
pub mod task;

pub use call::{call_bytes, call_bytes_async, Function, Service, CALL_TIMEOUT};
pub use cbor::Value;
pub use entry::{enter, Argument, Outcome};
pub use error::{Error, ErrorKind, Result};
pub use events::{Event, Events};
pub use fetch::{Fetch, FetchBuilder};
pub use mail::{
    label, receive, receive_async, receive_within, send, send_stream, Kind, Mail, Pid,
};
pub use mote_macros::{export, Value};
pub use names::{
    join, leave, members, publish, register, tag, tagged, unregister, untag, whereis, Published,
};
pub use process::{
    cancel, end, env, exit_signal, input, interval, kill, link, log, monitor, parent, random,
    ready, self_pid, send_after, set_label, sleep, spawn, spawn_monitored, spawn_with, trap_exits,
    unlink, Exit, ExitClass, Level, Monitor, Spawning,
};
pub use request::Request;
pub use response::{Answer, Response};
pub use socket::{Message, Socket};
pub use stream::Stream;
pub use supervisor::{Child, Restart, Strategy, Supervisor};
