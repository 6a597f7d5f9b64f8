//! The C side of the door: its structs as `engine.h` and `base/` lay them out, and how a Rust
//! failure or panic becomes a C answer.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// `enum err_code` of base/err.h, as far as the engine answers it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(i32)]
pub enum Code {
    Input = 1,
    NotFound = 3,
    Limit = 4,
    Memory = 5,
    Os = 6,
}

/// Why something failed: what `struct err` will say.
#[derive(Debug)]
pub struct Failure {
    pub code: Code,
    pub text: String,
}

pub type Answer<T> = Result<T, Failure>;

pub fn fail<T>(code: Code, text: impl Into<String>) -> Answer<T> {
    Err(Failure { code, text: text.into() })
}

/// `struct err`; only C looks inside.
#[repr(C)]
pub struct CErr {
    private: [u8; 0],
}

/// `struct bytes`.
#[repr(C)]
pub struct CBytes {
    pub data: *const u8,
    pub size: usize,
    storage: *mut u8,
    capacity: usize,
}

unsafe extern "C" {
    fn err_set(err: *mut CErr, code: c_int, fmt: *const c_char, ...) -> bool;
    fn bytes_append(bytes: *mut CBytes, data: *const c_void, size_bytes: usize) -> bool;
    fn malloc(size_bytes: usize) -> *mut c_void;
    fn free(memory: *mut c_void);
}

/// Text without the zero bytes that would cut it short for C.
pub fn c_text(text: &str) -> CString {
    CString::new(text.replace('\0', "?")).unwrap_or_default()
}

/// Fill C's error. Its contract is one line.
///
/// # Safety
/// `err` points to a `struct err`.
pub unsafe fn report(err: *mut CErr, failure: &Failure) {
    let line = failure.text.split('\n').map(str::trim).filter(|part| !part.is_empty());
    let text = c_text(&line.collect::<Vec<_>>().join("; "));
    unsafe { err_set(err, failure.code as c_int, c"%s".as_ptr(), text.as_ptr()) };
}

/// Append to a `struct bytes`. False: out of memory.
///
/// # Safety
/// `bytes` points to a valid `struct bytes`.
pub unsafe fn append(bytes: *mut CBytes, data: &[u8]) -> bool {
    unsafe { bytes_append(bytes, data.as_ptr().cast(), data.len()) }
}

/// A copy that C may free(), or NULL.
pub fn malloc_text(text: &str) -> *mut c_char {
    let text = c_text(text);
    let bytes = text.as_bytes_with_nul();
    unsafe {
        let copy = malloc(bytes.len()).cast::<u8>();
        if !copy.is_null() {
            copy.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        copy.cast()
    }
}

/// # Safety
/// `memory` came from malloc_text() or is NULL.
pub unsafe fn free_text(memory: *mut c_char) {
    unsafe { free(memory.cast()) }
}

/// Copy into a C array, cut at a character, on one line, terminated.
pub fn fill_text(array: &mut [c_char], text: &str) {
    let mut end = text.len().min(array.len() - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    for (to, from) in array.iter_mut().zip(text.as_bytes()[..end].iter()) {
        *to = if matches!(*from, 0 | b'\n') { b' ' as c_char } else { *from as c_char };
    }
    array[end] = 0;
}

/// What a C string says, or "" for NULL. Names that are not UTF-8 match nothing anyway.
///
/// # Safety
/// `text` is NULL or terminated, and lives for 'a.
pub unsafe fn str_of<'a>(text: *const c_char) -> std::borrow::Cow<'a, str> {
    if text.is_null() {
        return "".into();
    }
    unsafe { CStr::from_ptr(text) }.to_string_lossy()
}

/// # Safety
/// `data` has `size` bytes for 'a, or `size` is 0.
pub unsafe fn slice_of<'a, T>(data: *const T, size: usize) -> &'a [T] {
    if size == 0 || data.is_null() {
        return &[];
    }
    unsafe { std::slice::from_raw_parts(data, size) }
}

thread_local! {
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keep panics off standard error: what they say goes where errors go. Only this library is Rust.
pub fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            let text = panic.to_string().replace('\n', " ");
            LAST_PANIC.with(|last| *last.borrow_mut() = text);
        }));
    });
}

/// What the panic just caught said.
pub fn panic_text(payload: &(dyn Any + Send)) -> String {
    let hooked = LAST_PANIC.with(|last| std::mem::take(&mut *last.borrow_mut()));
    if !hooked.is_empty() {
        return hooked;
    }
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_string(),
        (None, Some(text)) => text.clone(),
        (None, None) => "panic without a message".to_string(),
    }
}

/// Run one exported function: a failure or panic goes to `err`, and C gets `failed`.
///
/// # Safety
/// `err` points to a `struct err`.
pub unsafe fn export<T>(err: *mut CErr, failed: T, body: impl FnOnce() -> Answer<T>) -> T {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => return value,
        Ok(Err(failure)) => failure,
        Err(payload) => {
            let text = panic_text(payload.as_ref());
            Failure { code: Code::Limit, text: format!("the engine failed: {text}") }
        }
    };
    unsafe { report(err, &failure) };
    failed
}

/// The same for functions without an error to fill.
pub fn contain<T>(failed: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(failed)
}
