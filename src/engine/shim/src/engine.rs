//! An engine: settings, a pool, the compiler.

use crate::exit;
use crate::ffi::{self, Answer, CBytes, CErr, Code, Failure, contain, export, fail, slice_of};
use crate::reuse;
use crate::spare::{Count, Spares};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use wasmtime::{Config, Enabled, PoolingAllocationConfig};

/// Address space behind a memory that no guest may touch: what its bounds checks rely on.
const MEMORY_GUARD_BYTES: u64 = 64 << 10;
/// Of a stack that was used, this much stays resident for the next fiber; more where guests are large: interpreters.
const STACK_KEEP_BYTES: usize = 8 << 10;
const STACK_KEEP_LARGE_BYTES: usize = 64 << 10;
/// A component is several modules; more than this is no longer an honest one.
const PER_COMPONENT_MAX: u32 = 24;
const PER_MODULE_MAX: u32 = 4;
const STACK_MIN_BYTES: u32 = 32 << 10;

/// `struct engine_options`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct COptions {
    fibers: u32,
    core_instances: u32,
    component_instances: u32,
    memories: u32,
    tables: u32,
    memory_reservation_bytes: u64,
    memory_keep_bytes: u64,
    table_keep_bytes: u64,
    table_elements: u32,
    stack_bytes: u32,
    pagemap_scan: bool,
    spares: u32,
}

/// `struct engine_usage`.
#[repr(C)]
#[derive(Default)]
pub struct CUsage {
    core_instances: u64,
    component_instances: u64,
    memories: u64,
    tables: u64,
    stacks: u64,
    spares: u64,
}

/// `struct engine`.
pub struct Engine {
    pub engine: wasmtime::Engine,
    pub memory_reservation_bytes: u64,
    pub table_elements: u64,
    pub spares: Arc<Spares>,
}

fn check(options: &COptions) -> Answer<()> {
    if options.fibers == 0 {
        return fail(Code::Input, "engine: a pool for no fibers");
    }
    if options.stack_bytes < STACK_MIN_BYTES {
        let text = format!("engine: stacks of less than {STACK_MIN_BYTES} bytes");
        return fail(Code::Input, text);
    }
    if options.memory_reservation_bytes == 0 || options.memory_reservation_bytes % 65536 != 0 {
        return fail(Code::Input, "engine: memory reservation is no multiple of 64 KiB");
    }
    Ok(())
}

fn pool(options: &COptions) -> PoolingAllocationConfig {
    let stack_keep = if options.pagemap_scan { STACK_KEEP_LARGE_BYTES } else { STACK_KEEP_BYTES };
    let mut pool = PoolingAllocationConfig::new();
    pool.total_stacks(options.fibers + options.spares)
        .total_core_instances(options.core_instances + options.spares)
        .total_component_instances(options.component_instances)
        .total_memories(options.memories + options.spares)
        .total_tables(options.tables + options.spares)
        .max_memory_size(options.memory_reservation_bytes as usize)
        .table_elements(options.table_elements as usize)
        .linear_memory_keep_resident(options.memory_keep_bytes as usize)
        .table_keep_resident(options.table_keep_bytes as usize)
        .async_stack_keep_resident(stack_keep)
        .max_core_instances_per_component(options.core_instances.min(PER_COMPONENT_MAX))
        .max_memories_per_component(options.memories.min(PER_COMPONENT_MAX))
        .max_tables_per_component(options.tables.min(PER_COMPONENT_MAX))
        .max_memories_per_module(options.memories.min(PER_MODULE_MAX))
        .max_tables_per_module(options.tables.min(PER_MODULE_MAX));
    if options.pagemap_scan {
        pool.pagemap_scan(Enabled::Auto);
    }
    pool
}

fn create(options: &COptions) -> Answer<Box<Engine>> {
    ffi::quiet_panics();
    exit::prepare();
    check(options)?;
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .wasm_component_model(true)
        .wasm_custom_page_sizes(true)
        .concurrency_support(false)
        .async_stack_size(options.stack_bytes as usize)
        .max_wasm_stack(options.stack_bytes as usize / 2)
        .memory_init_cow(true)
        .memory_reservation(options.memory_reservation_bytes)
        .memory_guard_size(MEMORY_GUARD_BYTES)
        .allocation_strategy(pool(options));
    match wasmtime::Engine::new(&config) {
        Ok(engine) => Ok(Box::new(Engine {
            engine,
            memory_reservation_bytes: options.memory_reservation_bytes,
            table_elements: options.table_elements.into(),
            spares: Arc::new(Spares::new(options.spares as usize)),
        })),
        // The settings were checked above: what is left is the operating system's refusal.
        Err(error) => {
            fail(Code::Limit, format!("engine: a pool of {} fibers: {error:#}", options.fibers))
        }
    }
}

/// # Safety
/// See engine.h; the same holds for every export of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_create(options: &COptions, err: *mut CErr) -> *mut Engine {
    unsafe { export(err, std::ptr::null_mut(), || create(options).map(Box::into_raw)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_destroy(engine: *mut Engine) {
    if !engine.is_null() {
        contain((), || drop(unsafe { Box::from_raw(engine) }));
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn engine_tick(engine: &Engine) {
    engine.engine.increment_epoch();
}

#[unsafe(no_mangle)]
pub extern "C" fn engine_fingerprint(engine: &Engine) -> u64 {
    contain(0, || {
        let mut hasher = DefaultHasher::new();
        engine.engine.precompile_compatibility_hash().hash(&mut hasher);
        reuse::FORM.hash(&mut hasher);
        hasher.finish()
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn engine_usage(engine: &Engine) -> CUsage {
    contain(CUsage::default(), || match engine.engine.pooling_allocator_metrics() {
        Some(metrics) => {
            // What waits for its next guest is nobody's now.
            let Count { spares, tables } = engine.spares.count();
            CUsage {
                core_instances: metrics.core_instances().saturating_sub(spares),
                component_instances: metrics.component_instances(),
                memories: (metrics.memories() as u64).saturating_sub(spares),
                tables: (metrics.tables() as u64).saturating_sub(tables),
                stacks: (metrics.stacks() as u64).saturating_sub(spares),
                spares,
            }
        }
        None => CUsage::default(),
    })
}

fn compile(engine: &Engine, wasm: &[u8]) -> Answer<Vec<u8>> {
    let compiled = if wasmparser::Parser::is_component(wasm) {
        engine.engine.precompile_component(wasm)
    } else if reuse::claims(wasm) {
        let text = "exports a name that begins with \"mote:state \", which no module may";
        return fail(Code::Input, text);
    } else {
        let prepared = reuse::prepare(wasm);
        match prepared.map(|wasm| engine.engine.precompile_module(&wasm)) {
            Some(Ok(artefact)) => Ok(artefact),
            // Errors name places of the file.
            _ => engine.engine.precompile_module(wasm),
        }
    };
    compiled.map_err(|error| Failure { code: Code::Input, text: compile_text(&error) })
}

/// Two kinds of error say where the Wasm is wrong: the parser's, and the translator's, in words only.
fn compile_text(error: &wasmtime::Error) -> String {
    if let Some(error) = error.downcast_ref::<wasmparser::BinaryReaderError>() {
        return format!("invalid: {} at byte {:#x}", error.message(), error.offset());
    }
    let cause = error.root_cause().to_string();
    let translated = cause.strip_prefix("Invalid input WebAssembly code at offset ");
    match translated.and_then(|rest| rest.split_once(": ")) {
        Some((offset, what)) => match offset.parse::<u64>() {
            Ok(offset) => format!("invalid: {what} at byte {offset:#x}"),
            Err(_) => cause,
        },
        None => format!("{error:#}"),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_compile(
    engine: &Engine,
    wasm: *const u8,
    size_bytes: usize,
    ret: *mut CBytes,
    err: *mut CErr,
) -> bool {
    unsafe {
        export(err, false, || {
            let artefact = compile(engine, slice_of(wasm, size_bytes))?;
            if !ffi::append(ret, &artefact) {
                return fail(Code::Memory, "out of memory");
            }
            Ok(true)
        })
    }
}
