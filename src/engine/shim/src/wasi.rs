//! WASI for guests: the context that C describes, made at a guest's first WASI call, and the one
//! small runtime that its timers and files wait on.

use crate::denial::CDenied;
use crate::ffi::{Answer, Code, Failure, slice_of, str_of};
use crate::outgoing::{self, Hooks};
use crate::store::{Data, HostTrap};
use bytes::Bytes;
use std::ffi::{c_char, c_int, c_void};
use std::io::Write;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::sync::OnceLock;
use tokio::runtime::{EnterGuard, Runtime};
use wasmtime::Error;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::{FsPerms, ResourceTable, WasiCtx, WasiCtxBuilder, WasiView};
use wasmtime_wasi_http::WasiHttpCtx;

/// Of one call: they are made one by one, and nothing can break that off.
const RANDOM_BYTES_MAX: u64 = 1 << 20;
/// Threads that may block in file operations of guests.
const BLOCKING_THREADS_MAX: usize = 8;
/// What a guest may have open at once: files, folders, streams, timers it waits for; preopens are not
/// counted. Each may hold a descriptor of the node.
pub const RESOURCES_MAX: usize = 256;
/// What one list of header lines may take, with what the library needs for it.
const FIELDS_BYTES_MAX: usize = 64 << 10;
/// At most so much of a guest's output is copied at a time.
const OUTPUT_CHUNK_BYTES: usize = 64 << 10;

/// `struct engine_preopen`.
#[repr(C)]
pub struct CPreopen {
    host_path: *const c_char,
    guest_path: *const c_char,
    read_only: bool,
}

type COutput = extern "C" fn(*mut c_void, c_int, *const u8, usize) -> bool;

/// `struct engine_wasi`.
#[repr(C)]
pub struct CWasi {
    arguments: *const *const c_char,
    environment: *const *const c_char,
    preopens: *const CPreopen,
    preopen_count: usize,
    inherit_stdin: bool,
    inherit_stdout: bool,
    inherit_stderr: bool,
    output: Option<COutput>,
    pub denied: Option<CDenied>,
}

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// Start the runtime unless it runs. Images that link WASI call this before any fiber exists.
pub fn start_runtime() -> Answer<()> {
    if RUNTIME.get().is_some() {
        return Ok(());
    }
    let built = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_name("mote-wasi")
        .enable_all()
        .build();
    match built {
        // Two images may be loaded at once; the second runtime is dropped.
        Ok(runtime) => {
            let _ = RUNTIME.set(runtime);
            Ok(())
        }
        Err(error) => Err(Failure { code: Code::Os, text: format!("WASI runtime: {error}") }),
    }
}

/// Make the runtime the current one of this thread: sleeps and files need it.
pub fn enter() -> Option<EnterGuard<'static>> {
    RUNTIME.get().map(Runtime::enter)
}

/// A component's WASI context.
pub struct Preview2 {
    pub context: WasiCtx,
    pub table: ResourceTable,
    pub http: WasiHttpCtx,
    pub hooks: Hooks,
}

impl Preview2 {
    fn new(context: WasiCtx, preopen_count: usize, hooks: Hooks) -> Box<Preview2> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX + preopen_count);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS_BYTES_MAX);
        Box::new(Preview2 { context, table, http, hooks })
    }

    /// The context of this guest, made now if this is its first WASI call.
    pub fn of(data: &mut Data) -> &mut Preview2 {
        prepare(data);
        Preview2::quietly(data)
    }

    /// The same for calls that wait for nothing that the runtime has.
    pub fn quietly(data: &mut Data) -> &mut Preview2 {
        let (wasi, process, fiber) = (data.wasi, data.process, data.fiber);
        data.preview2.get_or_insert_with(|| {
            let mut builder = builder_without_preopens(wasi, process);
            outgoing::grant_sockets(&mut builder, process);
            Preview2::new(builder.build(), 0, Hooks::new(fiber, process))
        })
    }
}

/// The same for a module.
pub fn preview1(data: &mut Data) -> &mut WasiP1Ctx {
    prepare(data);
    let (wasi, process) = (data.wasi, data.process);
    data.preview1
        .get_or_insert_with(|| preview1_new(&mut builder_without_preopens(wasi, process), 0))
}

fn preview1_new(builder: &mut WasiCtxBuilder, preopen_count: usize) -> Box<WasiP1Ctx> {
    let mut world = Box::new(builder.build_p1());
    world.ctx().table.set_max_capacity(RESOURCES_MAX + preopen_count);
    world
}

fn prepare(data: &mut Data) {
    // The fiber outlives its store.
    unsafe { &*data.fiber }.needs_runtime();
}

/// Folders are opened before the guest begins, so that failing to is an ordinary error.
pub fn open_preopens(data: &mut Data, component: bool) -> Result<(), Error> {
    let Some(wasi) = (unsafe { data.wasi.as_ref() }) else { return Ok(()) };
    let preopens = unsafe { slice_of(wasi.preopens, wasi.preopen_count) };
    if preopens.is_empty() {
        return Ok(());
    }
    unsafe { &*data.fiber }.needs_runtime();
    let mut builder = builder_without_preopens(data.wasi, data.process);
    for preopen in preopens {
        let (host, guest) = unsafe { (str_of(preopen.host_path), str_of(preopen.guest_path)) };
        let rights = if preopen.read_only { FsPerms::ReadOnly } else { FsPerms::ReadWrite };
        if let Err(error) = builder.preopened_dir(&*host, &*guest, rights) {
            let cause = error.root_cause();
            return Err(Error::new(HostTrap(format!("open folder {host} for the guest: {cause}"))));
        }
    }
    if component {
        outgoing::grant_sockets(&mut builder, data.process);
        let hooks = Hooks::new(data.fiber, data.process);
        data.preview2 = Some(Preview2::new(builder.build(), preopens.len(), hooks));
    } else {
        data.preview1 = Some(preview1_new(&mut builder, preopens.len()));
    }
    Ok(())
}

/// # Safety
/// `list` is NULL or an array of C strings that ends with NULL.
unsafe fn strings(list: *const *const c_char) -> Vec<String> {
    let mut result = Vec::new();
    let mut at = list;
    while !at.is_null() && !unsafe { *at }.is_null() {
        result.push(unsafe { str_of(*at) }.into_owned());
        at = unsafe { at.add(1) };
    }
    result
}

fn builder_without_preopens(wasi: *const CWasi, process: *mut c_void) -> WasiCtxBuilder {
    let mut builder = WasiCtxBuilder::new();
    builder.max_random_size(RANDOM_BYTES_MAX);
    let Some(wasi) = (unsafe { wasi.as_ref() }) else {
        builder.stdout(Output::refused(1)).stderr(Output::refused(2));
        return builder;
    };
    builder.args(&unsafe { strings(wasi.arguments) });
    for variable in unsafe { strings(wasi.environment) } {
        let (key, value) = variable.split_once('=').unwrap_or((&variable, ""));
        builder.env(key, value);
    }
    if wasi.inherit_stdin {
        builder.inherit_stdin();
    }
    if wasi.inherit_stdout {
        builder.stdout(Inherited { fd: 1 });
    } else {
        builder.stdout(Output { output: wasi.output, process, fd: 1 });
    }
    if wasi.inherit_stderr {
        builder.stderr(Inherited { fd: 2 });
    } else {
        builder.stderr(Output { output: wasi.output, process, fd: 2 });
    }
    builder
}

/// Standard output or error of a guest, given to C.
#[derive(Clone)]
struct Output {
    output: Option<COutput>,
    process: *mut c_void,
    fd: c_int,
}

// Used by the thread that polls the fiber only; C says in engine.h that this may change.
unsafe impl Send for Output {}
unsafe impl Sync for Output {}

impl Output {
    fn refused(fd: c_int) -> Output {
        Output { output: None, process: std::ptr::null_mut(), fd }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

#[async_trait::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let taken = self
            .output
            .is_some_and(|output| output(self.process, self.fd, bytes.as_ptr(), bytes.len()));
        if taken {
            return Ok(());
        }
        let refused = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        Err(StreamError::LastOperationFailed(refused.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(OUTPUT_CHUNK_BYTES)
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink()) // Only WASI 0.3 asks for it, which is not linked.
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

/// The node's own descriptor. Unbuffered, so that nothing is lost however the node ends, and
/// complete, also on a descriptor that someone else made non-blocking.
#[derive(Clone)]
struct Inherited {
    fd: c_int,
}

#[repr(C)]
struct CPollFd {
    fd: c_int,
    events: i16,
    revents: i16,
}

unsafe extern "C" {
    fn poll(fds: *mut CPollFd, count: std::ffi::c_ulong, timeout_ms: c_int) -> c_int;
}
const POLLOUT: i16 = 4;

impl Inherited {
    fn write_all(&self, mut bytes: &[u8]) -> std::io::Result<()> {
        let mut file = ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(self.fd) });
        while !bytes.is_empty() {
            match file.write(bytes) {
                Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    let mut wait = CPollFd { fd: self.fd, events: POLLOUT, revents: 0 };
                    unsafe { poll(&mut wait, 1, -1) };
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl IsTerminal for Inherited {
    fn is_terminal(&self) -> bool {
        let file = ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(self.fd) });
        std::io::IsTerminal::is_terminal(&*file)
    }
}

#[async_trait::async_trait]
impl Pollable for Inherited {
    async fn ready(&mut self) {}
}

impl OutputStream for Inherited {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        match self.write_all(&bytes) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                Err(StreamError::Closed)
            }
            Err(error) => Err(StreamError::LastOperationFailed(error.into())),
        }
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(OUTPUT_CHUNK_BYTES)
    }
}

impl StdoutStream for Inherited {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink()) // As above.
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}
