//! The Rust side of `engine.h`: Wasmtime behind a small C interface in mote's own terms.
//!
//! Nothing here decides anything: no scheduling, no mailboxes, no capabilities. No panic leaves an
//! exported function.

mod alloc;
mod denial;
mod engine;
mod exit;
mod ffi;
mod fiber;
mod host;
mod http;
mod image;
mod inspect;
mod outgoing;
mod reuse;
mod snapshot;
mod spare;
mod store;
mod toml;
mod typed;
mod typed_arguments;
mod typed_bytes;
mod typed_results;
mod typed_rusm;
mod typed_table;
mod wasi;

use std::ffi::{CString, c_char};
use std::sync::OnceLock;

#[global_allocator]
static ALLOCATOR: alloc::Allocator = alloc::Allocator;

/// The exact version that is linked is the one pinned in Cargo.toml.
fn version() -> &'static str {
    let manifest = include_str!("../Cargo.toml");
    let pinned = manifest.split("\nwasmtime = { version = \"=").nth(1);
    pinned.and_then(|rest| rest.split('"').next()).unwrap_or("unknown")
}

#[unsafe(no_mangle)]
pub extern "C" fn engine_version() -> *const c_char {
    static VERSION: OnceLock<CString> = OnceLock::new();
    VERSION.get_or_init(|| ffi::c_text(version())).as_ptr()
}
