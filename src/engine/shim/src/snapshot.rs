//! Snapshots: a core module that has been run once, as a module that begins where it stopped.

use crate::ffi::{self, Answer, CBytes, CErr, Code, Failure, export, fail, slice_of};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use wasm_encoder::{ExportKind, ExportSection, RawSection};
use wasmparser::{ExternalKind, Payload, ValType};
use wasmtime::{
    Caller, Config, Engine, Error, Extern, FuncType, Instance, Linker, Memory, Module, OptLevel,
    Result, Store, StoreLimits, StoreLimitsBuilder, Val,
};
use wasmtime_wizer::{InstanceState, SnapshotVal, Wizer};

/// What the module calls first, with the size of its input: where to put it.
const ROOM: &str = "mote_snapshot_room";
/// What runs it, with that size: the address of `struct said`.
const RUN: &str = "mote_snapshot_run";
/// Functions () -> (), one for each entry that the module names.
const ENTRY: &str = "mote_entry_";
/// Exports of this kind are for the snapshot alone.
const OURS: &str = "mote_";

const MEMORY_BYTES_MAX: usize = 512 << 20;
const TEXT_BYTES_MAX: usize = 1 << 20;
/// A loop without an end at the top of a script is found after some seconds.
const FUEL: u64 = 5_000_000_000;
const WASM_STACK_BYTES: usize = 4 << 20;
const THREAD_STACK_BYTES: usize = 16 << 20;

type CLog = extern "C" fn(text: *const u8, size_bytes: usize);

/// `struct engine_snapshot`.
#[repr(C)]
pub struct CSnapshot {
    wasm: *const u8,
    wasm_bytes: usize,
    input: *const u8,
    input_bytes: usize,
    log: CLog,
}

struct World {
    limits: StoreLimits,
    log: CLog,
}

/// What the module says of its run: a status, 0 when it went well, and lines.
struct Said {
    status: u32,
    text: String,
}

fn engine() -> Result<Engine> {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .cranelift_opt_level(OptLevel::None)
        .async_stack_size(WASM_STACK_BYTES * 2)
        .max_wasm_stack(WASM_STACK_BYTES);
    Engine::new(&config)
}

fn memory_of(caller: &mut Caller<'_, World>) -> Option<Memory> {
    caller.get_export("memory").and_then(Extern::into_memory)
}

/// The world at build time: lines for the terminal, clocks that stand still, and nothing else.
fn link(linker: &mut Linker<World>, module: &Module) -> Result<()> {
    linker.func_wrap(
        "mote",
        "log",
        |mut caller: Caller<'_, World>, _level: i32, text: u32, size: u32| -> i32 {
            if let Some(memory) = memory_of(&mut caller) {
                let range = text as usize..(text as usize).saturating_add(size as usize);
                if let Some(bytes) = memory.data(&caller).get(range) {
                    (caller.data().log)(bytes.as_ptr(), bytes.len());
                }
            }
            0
        },
    )?;
    linker.func_wrap("mote", "clock", || -> i64 { 0 })?;
    linker.func_wrap("mote", "wall_clock", || -> i64 { 0 })?;
    for import in module.imports() {
        let (from, name) = (import.module().to_string(), import.name().to_string());
        let Some(function) = import.ty().func().cloned() else { continue };
        if from == "mote" && matches!(name.as_str(), "log" | "clock" | "wall_clock") {
            continue;
        }
        refuse(linker, &from, &name, function)?;
    }
    Ok(())
}

fn refuse(linker: &mut Linker<World>, from: &str, name: &str, function: FuncType) -> Result<()> {
    let text = format!("{from}.{name} cannot be called while the app is loaded");
    linker.func_new(from, name, function, move |_, _, _| Err(Error::msg(text.clone())))?;
    Ok(())
}

fn word(memory: &[u8], at: usize) -> Option<u32> {
    let bytes = memory.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn said_at(memory: &[u8], at: usize) -> Option<Said> {
    let (status, size) = (word(memory, at)?, word(memory, at + 4)? as usize);
    let text = word(memory, at + 8)? as usize;
    let bytes = memory.get(text..text.checked_add(size.min(TEXT_BYTES_MAX))?)?;
    Some(Said { status, text: String::from_utf8_lossy(bytes).into_owned() })
}

fn run(store: &mut Store<World>, instance: &Instance, input: &[u8]) -> Result<Said> {
    let malformed = || Error::msg("the module does not do what a snapshot asks of it");
    let size = u32::try_from(input.len()).map_err(|_| malformed())?;
    let memory = instance.get_memory(&mut *store, "memory").ok_or_else(malformed)?;
    let room = instance.get_typed_func::<u32, u32>(&mut *store, ROOM)?;
    let begin = instance.get_typed_func::<u32, u32>(&mut *store, RUN)?;
    let at = room.call(&mut *store, size)? as usize;
    memory.write(&mut *store, at, input)?;
    let answer = begin.call(&mut *store, size)? as usize;
    said_at(memory.data(&*store), answer).ok_or_else(malformed)
}

struct State<'a> {
    store: &'a mut Store<World>,
    instance: Instance,
}

impl InstanceState for State<'_> {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        let global = self.instance.get_global(&mut *self.store, name);
        match global.map(|global| global.get(&mut *self.store)) {
            Some(Val::I32(value)) => SnapshotVal::I32(value),
            Some(Val::I64(value)) => SnapshotVal::I64(value),
            Some(Val::F32(value)) => SnapshotVal::F32(value),
            Some(Val::F64(value)) => SnapshotVal::F64(value),
            Some(Val::V128(value)) => SnapshotVal::V128(value.as_u128()),
            _ => panic!("a global of a kind that no snapshot has"),
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        let memory = self.instance.get_memory(&mut *self.store, name);
        contents(memory.map_or(&[], |memory| memory.data(&*self.store)));
    }
}

/// Nothing here waits for anything.
fn at_once<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(Error::msg("a snapshot waited")),
    }
}

/// The exports as the app has them: an entry under its own name, and nothing of the making.
fn exports(from: wasmparser::ExportSectionReader<'_>, names: &[&str]) -> Result<ExportSection> {
    let mut section = ExportSection::new();
    for one in from {
        let one = one?;
        let entry = one.name.strip_prefix(ENTRY).and_then(|number| number.parse::<usize>().ok());
        let name = match entry {
            Some(number) => match names.get(number) {
                Some(name) => *name,
                None => continue,
            },
            None if one.name.starts_with(OURS) => continue,
            None => one.name,
        };
        let kind = match one.kind {
            ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
            ExternalKind::Table => ExportKind::Table,
            ExternalKind::Memory => ExportKind::Memory,
            ExternalKind::Global => ExportKind::Global,
            ExternalKind::Tag => ExportKind::Tag,
        };
        section.export(name, kind, one.index);
    }
    Ok(section)
}

fn rename(wasm: &[u8], names: &[&str]) -> Result<Vec<u8>> {
    let mut module = wasm_encoder::Module::new();
    for payload in wasmparser::Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        if let Payload::ExportSection(section) = payload {
            module.section(&exports(section, names)?);
        } else if let Some((id, range)) = payload.as_section() {
            module.section(&RawSection { id, data: &wasm[range] });
        }
    }
    Ok(module.finish())
}

fn take(wasm: &[u8], input: &[u8], log: CLog) -> Result<(Vec<u8>, Said)> {
    let wizer = Wizer::new();
    let (context, instrumented) = wizer.instrument(wasm)?;
    let engine = engine()?;
    let module = Module::new(&engine, &instrumented)?;
    let limits = StoreLimitsBuilder::new().memory_size(MEMORY_BYTES_MAX).build();
    let mut store = Store::new(&engine, World { limits, log });
    store.limiter(|world| &mut world.limits);
    store.set_fuel(FUEL)?;
    let mut linker = Linker::new(&engine);
    link(&mut linker, &module)?;
    let instance = linker.instantiate(&mut store, &module)?;
    let said = run(&mut store, &instance, input)?;
    if said.status != 0 {
        return Ok((Vec::new(), said));
    }
    let state = &mut State { store: &mut store, instance };
    let frozen = at_once(wizer.snapshot(&context, state))?;
    let names = said.text.lines().collect::<Vec<_>>();
    Ok((rename(&frozen, &names)?, said))
}

fn failure(error: &Error) -> Failure {
    let text = match error.downcast_ref::<wasmtime::Trap>() {
        Some(wasmtime::Trap::OutOfFuel) => "it did not come to an end".to_string(),
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    Failure { code: Code::Input, text: format!("the app could not be loaded: {text}") }
}

/// On a thread of its own: scripts nest deeper than a caller's stack may be.
fn snapshot(wasm: &[u8], input: &[u8], log: CLog) -> Answer<(Vec<u8>, Said)> {
    ffi::quiet_panics();
    std::thread::scope(|scope| {
        let body = || take(wasm, input, log);
        let thread = std::thread::Builder::new().stack_size(THREAD_STACK_BYTES);
        match thread.spawn_scoped(scope, body).map(|thread| thread.join()) {
            Ok(Ok(taken)) => taken.map_err(|error| failure(&error)),
            Ok(Err(payload)) => fail(Code::Limit, ffi::panic_text(payload.as_ref())),
            Err(error) => fail(Code::Os, format!("a thread for the snapshot: {error}")),
        }
    })
}

/// # Safety
/// See engine.h.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_snapshot(
    options: &CSnapshot,
    ret: *mut CBytes,
    ret_text: *mut CBytes,
    err: *mut CErr,
) -> bool {
    unsafe {
        export(err, false, || {
            let wasm = slice_of(options.wasm, options.wasm_bytes);
            let input = slice_of(options.input, options.input_bytes);
            let (taken, said) = snapshot(wasm, input, options.log)?;
            if !ffi::append(ret, &taken) || !ffi::append(ret_text, said.text.as_bytes()) {
                return fail(Code::Memory, "out of memory");
            }
            if said.status != 0 {
                return fail(Code::Input, "the app could not be loaded");
            }
            Ok(true)
        })
    }
}
