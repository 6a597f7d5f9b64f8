//! What WASI refuses a module for want of a grant is told to C, which logs it: the calls that go by a path. Each
//! is the library's own, looked at on its way back.

use crate::store::Data;
use crate::wasi;
use std::ffi::{CStr, c_char, c_int, c_void};
use wasmtime::{Caller, Extern, Linker, Result};
use wasmtime_wasi::p1::wasi_snapshot_preview1::{self as preview1, WasiSnapshotPreview1};
use wiggle::GuestMemory;

/// `engine_denied` of C: which call, and the errno that the guest gets.
pub type CDenied = extern "C" fn(*mut c_void, *const c_char, c_int);

/// Of preview 1, as they are answered where a guest has no descriptor of that kind, may not write, or would
/// leave its folder.
const BADF: i32 = 8;
const PERM: i32 = 63;
const ROFS: i32 = 69;
const NOTCAPABLE: i32 = 76;

fn look(data: &Data, call: &CStr, errno: i32) {
    if !matches!(errno, BADF | PERM | ROFS | NOTCAPABLE) {
        return;
    }
    let denied = unsafe { data.wasi.as_ref() }.and_then(|wasi| wasi.denied);
    if let Some(denied) = denied {
        denied(data.process, call.as_ptr(), errno);
    }
}

macro_rules! watch {
    ($linker:expr, $name:ident, $text:literal, $($argument:ident: $kind:ty),+) => {
        $linker.func_wrap_async(
            "wasi_snapshot_preview1",
            stringify!($name),
            |mut caller: Caller<'_, Data>, ($($argument,)+): ($($kind,)+)| {
                Box::new(async move {
                    let fuel = wasmtime::AsContextMut::as_context_mut(&mut caller).hostcall_fuel();
                    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
                        return Err(wasmtime::Error::msg("missing required memory export"));
                    };
                    let (bytes, data) = memory.data_and_store_mut(&mut caller);
                    let context = wasi::preview1(data);
                    context.set_hostcall_fuel(fuel);
                    let mut memory = GuestMemory::Unshared(bytes);
                    let errno = preview1::$name(context, &mut memory, $($argument),+).await?;
                    look(caller.data(), $text, errno);
                    Ok::<i32, wasmtime::Error>(errno)
                })
            },
        )
    };
}

/// In the place of the library's own, which were linked before.
pub fn link(linker: &mut Linker<Data>) -> Result<()> {
    linker.allow_shadowing(true);
    watch!(linker, path_create_directory, c"path_create_directory", a: i32, b: i32, c: i32)?;
    watch!(linker, path_filestat_set_times, c"path_filestat_set_times",
        a: i32, b: i32, c: i32, d: i32, e: i64, f: i64, g: i32)?;
    watch!(linker, path_link, c"path_link",
        a: i32, b: i32, c: i32, d: i32, e: i32, f: i32, g: i32)?;
    watch!(linker, path_open, c"path_open",
        a: i32, b: i32, c: i32, d: i32, e: i32, f: i64, g: i64, h: i32, i: i32)?;
    watch!(linker, path_remove_directory, c"path_remove_directory", a: i32, b: i32, c: i32)?;
    watch!(linker, path_rename, c"path_rename", a: i32, b: i32, c: i32, d: i32, e: i32, f: i32)?;
    watch!(linker, path_symlink, c"path_symlink", a: i32, b: i32, c: i32, d: i32, e: i32)?;
    watch!(linker, path_unlink_file, c"path_unlink_file", a: i32, b: i32, c: i32)?;
    linker.allow_shadowing(false);
    Ok(())
}
