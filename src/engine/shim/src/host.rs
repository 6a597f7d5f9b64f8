//! Host functions: how a guest's call reaches a C function and its answer comes back.

use crate::exit;
use crate::ffi::{Answer, Code, fail, slice_of, str_of};
use crate::fiber::Function;
use crate::store::{Data, HostTrap, Left};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::future::Future;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};
use wasmtime::{
    Caller, Engine, Error, Extern, FuncType, Instance, Linker, ModuleExport, Result, Store,
    TypedFunc, Val, ValRaw, ValType,
};

const ARGUMENTS_MAX: usize = 10;
const TEXT_BYTES: usize = 200;

/// `struct engine_call`.
#[repr(C)]
pub struct CCall {
    process: *mut c_void,
    memory: *mut u8,
    memory_bytes: usize,
    pub arguments: [u64; ARGUMENTS_MAX],
    pub result: u64,
    pub state: u64,
    direct: bool,
    body: *const u8,
    body_bytes: usize,
    text: [MaybeUninit<c_char>; TEXT_BYTES],
}

pub type CFunction = extern "C" fn(*mut CCall) -> c_int;
const DONE: c_int = 0;
const PARK: c_int = 1;
const LEAVE: c_int = 3;

/// `struct engine_import`.
#[repr(C)]
pub struct CImport {
    module: *const c_char,
    name: *const c_char,
    signature: *const c_char,
    parks: bool,
    function: CFunction,
}

impl CImport {
    pub fn module_name(&self) -> *const c_char {
        self.module
    }

    pub fn names(&self) -> (*const c_char, *const c_char) {
        (self.module, self.name)
    }

    pub fn function(&self) -> CFunction {
        self.function
    }

    /// Whether it is offered to modules at all.
    pub fn is_for_modules(&self) -> bool {
        !self.signature.is_null()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    I32,
    I64,
}

/// "iI:i", read.
struct Signature {
    parameters: Vec<Kind>,
    result: Option<Kind>,
}

fn signature_parse(text: &str) -> Option<Signature> {
    let kinds = |part: &str| -> Option<Vec<Kind>> {
        part.chars()
            .map(|letter| match letter {
                'i' => Some(Kind::I32),
                'I' => Some(Kind::I64),
                _ => None,
            })
            .collect()
    };
    let (parameters, result) = text.split_once(':')?;
    let (parameters, result) = (kinds(parameters)?, kinds(result)?);
    if parameters.len() > ARGUMENTS_MAX || result.len() > 1 {
        return None;
    }
    Some(Signature { parameters, result: result.first().copied() })
}

/// What a call has to know of its function.
#[derive(Clone, Copy)]
struct Host {
    function: CFunction,
    count: u8,
    /// Bit n: parameter n is an i64.
    wide: u16,
    result: Option<Kind>,
}

/// The exported memory, from the cache; looked up the first time, which works in start functions
/// too.
#[inline]
fn window(caller: &mut Caller<'_, Data>) -> (*mut u8, usize) {
    let memory = match caller.data().memory {
        Some(memory) => memory,
        None => match find_memory(caller) {
            Some(memory) => memory,
            None => return (std::ptr::null_mut(), 0),
        },
    };
    let bytes = memory.data_mut(caller);
    (bytes.as_mut_ptr(), bytes.len())
}

#[cold]
fn find_memory(caller: &mut Caller<'_, Data>) -> Option<wasmtime::Memory> {
    // The image outlives its fibers.
    let image = unsafe { &*caller.data().image };
    let memory = match caller.get_module_export(image.memory()?)? {
        Extern::Memory(memory) => memory,
        _ => return None,
    };
    caller.data_mut().memory = Some(memory);
    Some(memory)
}

impl CCall {
    /// Fill `place`, which stays where C will look: copying a call would cost more than making it.
    #[inline]
    pub fn at(place: &mut MaybeUninit<CCall>, state: u64) -> &mut CCall {
        let call = place.as_mut_ptr();
        // Every field is written, but for the text, which is not read before C has written it.
        unsafe {
            (&raw mut (*call).process).write(std::ptr::null_mut());
            (&raw mut (*call).memory).write(std::ptr::null_mut());
            (&raw mut (*call).memory_bytes).write(0);
            (&raw mut (*call).arguments).write([0; ARGUMENTS_MAX]);
            (&raw mut (*call).result).write(0);
            (&raw mut (*call).state).write(state);
            (&raw mut (*call).direct).write(false);
            (&raw mut (*call).body).write(std::ptr::null());
            (&raw mut (*call).body_bytes).write(0);
            (*call).text[0].write(0);
            place.assume_init_mut()
        }
    }

    /// A typed call: pointers among the arguments are addresses.
    #[inline]
    pub fn direct(&mut self, data: &Data) {
        self.process = data.process;
        self.memory_bytes = data.limiter.memory_used_bytes as usize;
        self.direct = true;
    }

    /// A typed call whose pointers are offsets in `stage`.
    pub fn stage(&mut self, data: &Data, stage: &mut [u8]) {
        self.process = data.process;
        (self.memory, self.memory_bytes) = (stage.as_mut_ptr(), stage.len());
    }

    /// What C has to say of a call that was answered: why it failed; mostly nothing.
    pub fn text(&self) -> String {
        let text = unsafe { CStr::from_ptr(self.text.as_ptr().cast()) };
        text.to_string_lossy().into_owned()
    }

    /// What a direct call gave back.
    ///
    /// # Safety
    /// It is good until the guest calls again.
    pub unsafe fn body(&self) -> &'static [u8] {
        unsafe { slice_of(self.body, self.body_bytes) }
    }
}

#[derive(PartialEq)]
pub enum Outcome {
    Done,
    Park,
}

/// One try: show C the memory as it is now, and ask.
#[inline]
fn attempt(
    caller: &mut Caller<'_, Data>,
    function: CFunction,
    call: &mut CCall,
) -> Result<Outcome> {
    (call.memory, call.memory_bytes) = window(caller);
    call.process = caller.data().process;
    outcome_of(function, call)
}

#[inline]
pub fn outcome_of(function: CFunction, call: &mut CCall) -> Result<Outcome> {
    match function(call) {
        DONE => Ok(Outcome::Done),
        PARK => Ok(Outcome::Park),
        LEAVE => Err(exit::quiet(Error::new(Left))),
        _ => Err(trapped(call)),
    }
}

#[cold]
fn trapped(call: &CCall) -> Error {
    // C terminates it; byte 0 is a terminator from the start.
    let text = unsafe { CStr::from_ptr(call.text.as_ptr().cast()) };
    Error::new(HostTrap(text.to_string_lossy().into_owned()))
}

#[cold]
pub fn parked_without_leave() -> Error {
    Error::msg("a host function that may not park did")
}

/// The fast path: raw values on the stack, no future.
fn call_now(
    mut caller: Caller<'_, Data>,
    host: Host,
    values: &mut [MaybeUninit<ValRaw>],
) -> Result<()> {
    let mut place = MaybeUninit::uninit();
    let call = CCall::at(&mut place, 0);
    for (index, argument) in call.arguments.iter_mut().enumerate().take(host.count.into()) {
        // The engine filled one value per parameter.
        let value = unsafe { values[index].assume_init_ref() };
        let wide = host.wide >> index & 1 == 1;
        *argument = if wide { value.get_u64() } else { value.get_u32().into() };
    }
    if attempt(&mut caller, host.function, call)? == Outcome::Park {
        return Err(parked_without_leave());
    }
    match host.result {
        None => {}
        Some(Kind::I32) => _ = values[0].write(ValRaw::u32(call.result as u32)),
        Some(Kind::I64) => _ = values[0].write(ValRaw::u64(call.result)),
    }
    Ok(())
}

/// A value of a Wasm signature as C gets it.
trait Argument {
    fn widen(self) -> u64;
}
impl Argument for u32 {
    fn widen(self) -> u64 {
        self.into()
    }
}
impl Argument for u64 {
    fn widen(self) -> u64 {
        self
    }
}

trait Answered: Unpin + Send {
    fn narrow(result: u64) -> Self;
}
impl Answered for () {
    fn narrow(_: u64) {}
}
impl Answered for u32 {
    fn narrow(result: u64) -> u32 {
        result as u32
    }
}
impl Answered for u64 {
    fn narrow(result: u64) -> u64 {
        result
    }
}

/// A call that may wait: asks C at once, and again at every poll while C says park. Who wakes the
/// process is C's business, so the waker is not kept.
struct Waiting<'a, const N: usize, R> {
    caller: Caller<'a, Data>,
    function: CFunction,
    arguments: [u64; N],
    state: u64,
    result: PhantomData<fn() -> R>,
}

impl<const N: usize, R: Answered> Future for Waiting<'_, N, R> {
    type Output = Result<R>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<R>> {
        let this = &mut *self;
        let mut place = MaybeUninit::uninit();
        let call = CCall::at(&mut place, this.state);
        call.arguments[..N].copy_from_slice(&this.arguments);
        match attempt(&mut this.caller, this.function, call) {
            Ok(Outcome::Done) => Poll::Ready(Ok(R::narrow(call.result))),
            Ok(Outcome::Park) => {
                this.state = call.state;
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

/// One arm per signature: a typed wrapper costs less than the generic one with its boxed values.
macro_rules! link_waiting {
    ($linker:ident, $module:ident, $name:ident, $function:ident, $text:ident;
     $( $signature:literal ( $($argument:ident : $kind:ty),* ) $answer:ty; )*) => {
        match $text {
            $( $signature => {
                $linker.func_wrap_async(
                    $module,
                    $name,
                    move |caller: Caller<'_, Data>, ($($argument,)*): ($($kind,)*)| {
                        Box::new(Waiting {
                            caller,
                            function: $function,
                            arguments: [$($argument.widen()),*],
                            state: 0,
                            result: PhantomData::<fn() -> $answer>,
                        })
                    },
                )?;
                true
            } )*
            _ => false,
        }
    };
}

/// True: `signature` is one of those that have a wrapper of their own.
#[rustfmt::skip]
fn link_typed(
    linker: &mut Linker<Data>,
    module: &str,
    name: &str,
    signature: &str,
    function: CFunction,
) -> Result<bool> {
    Ok(link_waiting! { linker, module, name, function, signature;
        ":" () ();
        ":i" () u32;
        ":I" () u64;
        "i:" (a: u32) ();
        "i:i" (a: u32) u32;
        "i:I" (a: u32) u64;
        "ii:" (a: u32, b: u32) ();
        "ii:i" (a: u32, b: u32) u32;
        "ii:I" (a: u32, b: u32) u64;
        "iii:" (a: u32, b: u32, c: u32) ();
        "iii:i" (a: u32, b: u32, c: u32) u32;
        "iii:I" (a: u32, b: u32, c: u32) u64;
        "iiii:" (a: u32, b: u32, c: u32, d: u32) ();
        "iiii:i" (a: u32, b: u32, c: u32, d: u32) u32;
        "iiii:I" (a: u32, b: u32, c: u32, d: u32) u64;
        "iiiii:" (a: u32, b: u32, c: u32, d: u32, e: u32) ();
        "iiiii:i" (a: u32, b: u32, c: u32, d: u32, e: u32) u32;
        "iiiii:I" (a: u32, b: u32, c: u32, d: u32, e: u32) u64;
        "iiiiii:" (a: u32, b: u32, c: u32, d: u32, e: u32, f: u32) ();
        "iiiiii:i" (a: u32, b: u32, c: u32, d: u32, e: u32, f: u32) u32;
        "iiiiii:I" (a: u32, b: u32, c: u32, d: u32, e: u32, f: u32) u64;
        "iiiiiii:i" (a: u32, b: u32, c: u32, d: u32, e: u32, f: u32, g: u32) u32;
        "I:" (a: u64) ();
        "I:i" (a: u64) u32;
        "I:I" (a: u64) u64;
        "iI:i" (a: u32, b: u64) u32;
        "iiI:i" (a: u32, b: u32, c: u64) u32;
        "iiiI:i" (a: u32, b: u32, c: u32, d: u64) u32;
        "iiiiI:i" (a: u32, b: u32, c: u32, d: u32, e: u64) u32;
        "iiiiiI:i" (a: u32, b: u32, c: u32, d: u32, e: u32, f: u64) u32;
        "Ii:i" (a: u64, b: u32) u32;
        "Iii:i" (a: u64, b: u32, c: u32) u32;
        "IiiI:i" (a: u64, b: u32, c: u32, d: u64) u32;
    })
}

/// Any other signature that may park.
async fn call_waiting(
    mut caller: Caller<'_, Data>,
    host: Host,
    parameters: &[Val],
    results: &mut [Val],
) -> Result<()> {
    let mut arguments = [0; ARGUMENTS_MAX];
    for (argument, value) in arguments.iter_mut().zip(parameters) {
        *argument = match value {
            Val::I32(value) => value.cast_unsigned().into(),
            Val::I64(value) => value.cast_unsigned(),
            _ => 0, // The linker checked the types.
        };
    }
    let mut state = 0;
    let result = std::future::poll_fn(|_| {
        let mut place = MaybeUninit::uninit();
        let call = CCall::at(&mut place, state);
        call.arguments = arguments;
        match attempt(&mut caller, host.function, call) {
            Ok(Outcome::Done) => Poll::Ready(Ok(call.result)),
            Ok(Outcome::Park) => {
                state = call.state;
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    })
    .await?;
    match host.result {
        None => {}
        Some(Kind::I32) => results[0] = Val::I32((result as u32).cast_signed()),
        Some(Kind::I64) => results[0] = Val::I64(result.cast_signed()),
    }
    Ok(())
}

fn value_type(kind: &Kind) -> ValType {
    match kind {
        Kind::I32 => ValType::I32,
        Kind::I64 => ValType::I64,
    }
}

/// Define one C function in a linker.
///
/// # Safety
/// The import's strings are terminated and its function is callable.
pub unsafe fn link(linker: &mut Linker<Data>, engine: &Engine, import: &CImport) -> Answer<()> {
    let (module, name, text) =
        unsafe { (str_of(import.module), str_of(import.name), str_of(import.signature)) };
    let Some(signature) = signature_parse(&text) else {
        return fail(Code::Input, format!("{module}::{name}: signature \"{text}\""));
    };
    let wide = signature.parameters.iter().enumerate();
    let wide = wide.fold(0, |bits, (index, kind)| bits | u16::from(*kind == Kind::I64) << index);
    let host = Host {
        function: import.function,
        count: signature.parameters.len() as u8,
        wide,
        result: signature.result,
    };
    let parameters = signature.parameters.iter().map(value_type);
    let function_type = FuncType::new(engine, parameters, signature.result.iter().map(value_type));
    let linked = if !import.parks {
        unsafe {
            linker.func_new_unchecked(&module, &name, function_type, move |caller, values| {
                call_now(caller, host, values)
            })
        }
        .map(|_| ())
    } else {
        link_typed(linker, &module, &name, &text, host.function).and_then(|typed| {
            if !typed {
                linker.func_new_async(&module, &name, function_type, move |caller, from, to| {
                    Box::new(call_waiting(caller, host, from, to))
                })?;
            }
            Ok(())
        })
    };
    linked.or_else(|error| fail(Code::Input, format!("{module}::{name}: {error:#}")))
}

/// An export, as something to call.
///
/// # Safety
/// It is a function of type () -> (): checked once, when the image was loaded, because finding a type
/// again takes a lock and several shared counters.
pub unsafe fn function(
    store: &mut Store<Data>,
    instance: Instance,
    export: &ModuleExport,
) -> Result<Function> {
    match instance.get_module_export(&mut *store, export) {
        Some(Extern::Func(function)) => Ok(unsafe { TypedFunc::new_unchecked(&*store, function) }),
        _ => Err(Error::msg("an entry is no function")),
    }
}
