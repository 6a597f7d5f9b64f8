//! How a run ended: the engine's error told apart into what `struct engine_exit` has.

use crate::ffi::{fill_text, free_text, malloc_text};
use crate::reuse;
use crate::store::{HostTrap, Left, MemoryCeiling, Stopped, TableCeiling};
use crate::wasi::RESOURCES_MAX;
use std::ffi::{c_char, c_int};
use std::fmt::Write;
use std::sync::LazyLock;
use wasmtime::{Config, Engine, Error, PoolConcurrencyLimitError, Store, Trap, WasmBacktrace};
use wasmtime_wasi::{I32Exit, ResourceTableError};

const TEXT_BYTES: usize = 256;
/// Of a function's name in a backtrace: names are the guest's, and may be absurd.
const NAME_CHARACTERS_MAX: usize = 120;
/// A table element is a pointer.
const TABLE_ELEMENT_BYTES: u64 = 8;

/// `enum engine_exit_kind`.
#[derive(Clone, Copy)]
#[repr(i32)]
enum Kind {
    Returned,
    Status,
    Trap,
    Memory,
    Stopped,
    Host,
    Full,
    Fault,
}

/// `enum engine_trap`.
#[derive(Clone, Copy)]
#[repr(i32)]
enum TrapKind {
    Unreachable,
    StackOverflow,
    MemoryBounds,
    TableBounds,
    Division,
    IndirectCall,
    Conversion,
    Other,
}

/// `struct engine_exit`.
#[repr(C)]
pub struct CExit {
    kind: c_int,
    trap: c_int,
    status: i32,
    asked_bytes: u64,
    ceiling_bytes: u64,
    text: [c_char; TEXT_BYTES],
    backtrace: *mut c_char,
}

fn set(ret: &mut CExit, kind: Kind, text: &str) {
    ret.kind = kind as c_int;
    ret.trap = TrapKind::Other as c_int;
    ret.status = 0;
    ret.asked_bytes = 0;
    ret.ceiling_bytes = 0;
    fill_text(&mut ret.text, text);
    ret.backtrace = std::ptr::null_mut();
}

pub fn returned(ret: &mut CExit) {
    set(ret, Kind::Returned, "");
}

pub fn fault(ret: &mut CExit, text: &str) {
    set(ret, Kind::Fault, text);
}

fn trap_words(trap: Trap) -> (TrapKind, String) {
    let (kind, words) = match trap {
        Trap::UnreachableCodeReached => (TrapKind::Unreachable, "unreachable code reached"),
        Trap::StackOverflow => (TrapKind::StackOverflow, "stack overflow"),
        Trap::MemoryOutOfBounds => (TrapKind::MemoryBounds, "memory access out of bounds"),
        Trap::TableOutOfBounds => (TrapKind::TableBounds, "table access out of bounds"),
        Trap::IntegerDivisionByZero => (TrapKind::Division, "division by zero"),
        Trap::IntegerOverflow => (TrapKind::Division, "integer overflow"),
        Trap::IndirectCallToNull => (TrapKind::IndirectCall, "call of a function that is not set"),
        Trap::BadSignature => {
            (TrapKind::IndirectCall, "call of a function pointer of another type")
        }
        Trap::BadConversionToInteger => (TrapKind::Conversion, "conversion of NaN to an integer"),
        other => return (TrapKind::Other, other.to_string()),
    };
    (kind, words.to_string())
}

/// "  #0 name (file offset 0x12)" a line. Names come from the name section.
fn backtrace(error: &Error) -> *mut c_char {
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return std::ptr::null_mut() };
    if trace.frames().is_empty() {
        return std::ptr::null_mut();
    }
    let mut text = String::new();
    for (number, frame) in trace.frames().iter().enumerate() {
        let _ = write!(text, "  #{number} ");
        match frame.func_name() {
            Some(name) => text.extend(name.chars().take(NAME_CHARACTERS_MAX)),
            None => _ = write!(text, "function {}", frame.func_index()),
        }
        if let Some(offset) = frame.module_offset() {
            let offset = offset.saturating_sub(reuse::longer(frame.module()));
            let _ = write!(text, " (file offset {offset:#x})");
        }
        text.push('\n');
    }
    malloc_text(&text)
}

/// Of an engine that makes no backtraces: where an empty one comes from. No guest ever runs in it.
static TRACELESS: LazyLock<Option<Store<()>>> = LazyLock::new(|| {
    let engine = Engine::new(Config::new().wasm_backtrace_max_frames(None)).ok()?;
    Some(Store::new(&engine, ()))
});

/// An end of which nobody wants to see a backtrace. The engine makes none, which costs as much as half
/// of a spawn, where it finds one.
pub fn quiet(error: Error) -> Error {
    match TRACELESS.as_ref() {
        Some(store) => error.context(WasmBacktrace::capture(store)),
        None => error,
    }
}

/// Make ready what quiet() needs, which takes a millisecond.
pub fn prepare() {
    LazyLock::force(&TRACELESS);
}

/// Tell errors apart. What carries the most meaning is asked first: most errors of a running guest
/// carry a backtrace, an exit status too.
pub fn describe(ret: &mut CExit, error: &Error) {
    if error.downcast_ref::<Left>().is_some() {
        return returned(ret);
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        set(ret, Kind::Status, "");
        ret.status = exit.0;
        return;
    }
    if error.downcast_ref::<Stopped>().is_some() {
        return set(ret, Kind::Stopped, "stopped");
    }
    if let Some(full) = error.downcast_ref::<PoolConcurrencyLimitError>() {
        return set(ret, Kind::Full, &full.to_string());
    }
    if let Some(memory) = error.downcast_ref::<MemoryCeiling>() {
        set(ret, Kind::Memory, &memory.to_string());
        (ret.asked_bytes, ret.ceiling_bytes) = (memory.asked, memory.ceiling);
    } else if let Some(table) = error.downcast_ref::<TableCeiling>() {
        set(ret, Kind::Memory, &table.to_string());
        ret.asked_bytes = table.asked.saturating_mul(TABLE_ELEMENT_BYTES);
        ret.ceiling_bytes = table.ceiling.saturating_mul(TABLE_ELEMENT_BYTES);
    } else if let Some(host) = error.downcast_ref::<HostTrap>() {
        set(ret, Kind::Host, &host.0);
    } else if let Some(ResourceTableError::Full) = error.downcast_ref::<ResourceTableError>() {
        let text = format!("more than {RESOURCES_MAX} files, streams and timers of WASI at once");
        set(ret, Kind::Host, &text);
    } else if let Some(trap) = error.downcast_ref::<Trap>() {
        let (kind, words) = trap_words(*trap);
        set(ret, Kind::Trap, &words);
        ret.trap = kind as c_int;
    } else {
        // Such as memory that the operating system refused, or a component's broken promise.
        set(ret, Kind::Fault, &error.root_cause().to_string());
    }
    ret.backtrace = backtrace(error);
}

#[unsafe(no_mangle)]
pub extern "C" fn engine_exit_fini(exit: Option<&mut CExit>) {
    if let Some(exit) = exit {
        unsafe { free_text(exit.backtrace) };
        exit.backtrace = std::ptr::null_mut();
    }
}
