//! Fibers: one run of one entry in a fresh instance, as a future that C polls.

use crate::exit::{self, CExit};
use crate::ffi::{contain, panic_text};
use crate::host;
use crate::http::{self, CHttp};
use crate::image::{Code, ComponentCode, Entry, Image, ModuleCode};
use crate::outgoing::Fetches;
use crate::reuse::Reuse;
use crate::store::{Data, Limiter, Stopped};
use crate::wasi::{self, CWasi};
use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use tokio::runtime::EnterGuard;
use wasmtime::{Error, Instance, Result, Store, TypedFunc, UpdateDeadline};

/// `struct engine_process_functions`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CProcessFunctions {
    tick: extern "C" fn(*mut c_void) -> c_int,
    retain: extern "C" fn(*mut c_void),
    wake: extern "C" fn(*mut c_void),
    release: extern "C" fn(*mut c_void),
}

/// What the library may copy of a component's arguments in one call, whatever they overlap.
const HOSTCALL_BYTES_MAX: usize = 16 << 20;

/// Set once by the node; tests may set it again between fibers, so the old ones are kept.
static FUNCTIONS: AtomicPtr<CProcessFunctions> = AtomicPtr::new(std::ptr::null_mut());
static ALL_FUNCTIONS: Mutex<Vec<Box<CProcessFunctions>>> = Mutex::new(Vec::new());

#[unsafe(no_mangle)]
pub extern "C" fn engine_set_process_functions(functions: &CProcessFunctions) {
    contain((), || {
        let mut all = ALL_FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Box::new(*functions));
        let newest: *mut CProcessFunctions = &mut **all.last_mut().expect("one was put there");
        FUNCTIONS.store(newest, Ordering::Release);
    });
}

fn functions() -> &'static CProcessFunctions {
    // Pairs with the release above; engine.h wants it set before the first fiber.
    unsafe { FUNCTIONS.load(Ordering::Acquire).as_ref() }.expect("process functions are set")
}

static WAKER: RawWakerVTable = RawWakerVTable::new(
    |process| {
        (functions().retain)(process.cast_mut().cast());
        RawWaker::new(process, &WAKER)
    },
    |process| {
        (functions().wake)(process.cast_mut().cast());
        (functions().release)(process.cast_mut().cast());
    },
    |process| (functions().wake)(process.cast_mut().cast()),
    |process| (functions().release)(process.cast_mut().cast()),
);

/// `struct engine_spawn_options`.
#[repr(C)]
pub struct CSpawn {
    process: *mut c_void,
    entry: u32,
    memory_max_bytes: u64,
    memory_bytes: Option<&'static AtomicU64>,
    wasi: *const CWasi,
    http: *const CHttp,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Live,
    Ended,
}

/// Stores in which the engine panicked. They stay, so that their slots never serve another guest; as
/// many as the pools have slots, at most.
static BROKEN: Mutex<Vec<Store<Data>>> = Mutex::new(Vec::new());

/// The store of a run: dropped at its end, but kept out of the way when a panic passes.
pub struct Held(pub ManuallyDrop<Store<Data>>);

impl Held {
    /// Its run is over.
    fn release(mut self) -> Store<Data> {
        let store = unsafe { ManuallyDrop::take(&mut self.0) };
        std::mem::forget(self);
        store
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let store = unsafe { ManuallyDrop::take(&mut self.0) };
        if std::thread::panicking() {
            BROKEN.lock().unwrap_or_else(PoisonError::into_inner).push(store);
        }
    }
}

/// `struct engine_fiber`: the head of a task, whose future lies behind it.
pub struct Fiber {
    process: *mut c_void,
    poll: unsafe fn(*mut Fiber, &mut Context<'_>) -> Poll<Result<()>>,
    drop_future: unsafe fn(*mut Fiber),
    free: unsafe fn(*mut Fiber),
    state: Cell<State>,
    /// This guest has a WASI context: polls and the end of its future need the runtime.
    wasi: Cell<bool>,
    entered: RefCell<Option<EnterGuard<'static>>>,
    /// Its turn ended by the clock: in this poll the guest waits for nothing. For http.rs, which clears it.
    pub preempted: Cell<bool>,
    /// Requests of its own that are under way; None: it never had one.
    pub fetches: RefCell<Option<Fetches>>,
}

/// A process that is kept from being freed.
pub struct Retained(*mut c_void);

// Retain, release and what is asked of it are for any thread (engine.h).
unsafe impl Send for Retained {}
unsafe impl Sync for Retained {}

impl Retained {
    pub fn new(process: *mut c_void) -> Retained {
        (functions().retain)(process);
        Retained(process)
    }

    pub fn get(&self) -> *mut c_void {
        self.0
    }
}

impl Drop for Retained {
    fn drop(&mut self) {
        (functions().release)(self.0);
    }
}

impl Fiber {
    /// Called at each WASI call, inside a poll: from now on this thread has a runtime until the
    /// poll ends. Guests that make no WASI call never touch the runtime's shared counters.
    #[inline]
    pub fn needs_runtime(&self) {
        let mut entered = self.entered.borrow_mut();
        if entered.is_none() {
            self.wasi.set(true);
            *entered = wasi::enter();
        }
    }

    fn give_up_fetches(&self) {
        let fetches = self.fetches.borrow_mut().take();
        contain((), || drop(fetches));
    }

    fn enter(&self) {
        if self.wasi.get() {
            *self.entered.borrow_mut() = wasi::enter();
        }
    }

    fn leave(&self) {
        drop(self.entered.borrow_mut().take());
    }
}

#[repr(C)]
struct Task<F> {
    head: Fiber,
    future: ManuallyDrop<F>,
}

impl<F: Future<Output = Result<()>>> Task<F> {
    /// `make` gets the address the fiber will have, before it is there: to keep, not to use.
    fn create(process: *mut c_void, make: impl FnOnce(*const Fiber) -> F) -> *mut Fiber {
        let memory = Box::into_raw(Box::<Task<F>>::new_uninit()).cast::<Task<F>>();
        let task = Task {
            head: Fiber {
                process,
                poll: Self::poll,
                drop_future: Self::drop_future,
                free: Self::free,
                state: Cell::new(State::Live),
                wasi: Cell::new(false),
                entered: RefCell::new(None),
                preempted: Cell::new(false),
                fetches: RefCell::new(None),
            },
            future: ManuallyDrop::new(make(memory.cast())),
        };
        unsafe { memory.write(task) };
        memory.cast()
    }

    unsafe fn poll(fiber: *mut Fiber, context: &mut Context<'_>) -> Poll<Result<()>> {
        // A field of its own, so that the future may look at the head while it runs.
        let future = unsafe { &raw mut (*fiber.cast::<Task<F>>()).future };
        let future: &mut F = unsafe { &mut *future };
        unsafe { Pin::new_unchecked(future) }.poll(context)
    }

    unsafe fn drop_future(fiber: *mut Fiber) {
        unsafe { ManuallyDrop::drop(&mut *(&raw mut (*fiber.cast::<Task<F>>()).future)) }
    }

    unsafe fn free(fiber: *mut Fiber) {
        // The future is ManuallyDrop: this frees memory only.
        drop(unsafe { Box::from_raw(fiber.cast::<Task<F>>()) });
    }
}

/// What a run needs to know; small, because it waits inside the future until the first poll.
pub struct Run {
    pub image: *const Image,
    pub process: *mut c_void,
    pub fiber: *const Fiber,
    wasi: *const CWasi,
    pub http: *const CHttp,
    memory_max_bytes: u64,
    memory_bytes: Option<&'static AtomicU64>,
    entry: u32,
}

/// A store's data for one run of an image.
fn data(run: &Run, image: &Image) -> Data {
    Data {
        process: run.process,
        image: run.image,
        fiber: run.fiber,
        memory: None,
        limiter: Limiter {
            memory_bytes: run.memory_max_bytes,
            memory_each_bytes: image.memory_reservation_bytes,
            memory_used_bytes: 0,
            account: run.memory_bytes,
            table_elements: image.table_elements,
        },
        wasi: run.wasi,
        preview1: None,
        preview2: None,
        state: None,
    }
}

pub fn store(run: &Run, image: &Image) -> Held {
    let mut store = Store::new(&image.engine, data(run, image));
    store.limiter(|data| &mut data.limiter);
    store.set_epoch_deadline(1);
    store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
    store.epoch_deadline_callback(|store| match (functions().tick)(store.data().process) {
        0 => Ok(UpdateDeadline::Continue(1)),
        1 => {
            unsafe { &*store.data().fiber }.preempted.set(true);
            Ok(UpdateDeadline::Yield(1))
        }
        _ => Err(exit::quiet(Error::new(Stopped))),
    });
    Held(ManuallyDrop::new(store))
}

/// A store with an instance that was put back to its beginning, for this run. None: there is none, or its
/// memory is more than this run may have, which a new instance finds out and says.
fn used_store(run: &Run, image: &Image, reuse: &Reuse) -> Option<(Held, Instance)> {
    let spare = image.spares.take(image)?;
    let bytes = reuse.memory_bytes();
    if bytes > run.memory_max_bytes {
        image.spares.give(image, spare.store, spare.state, reuse.tables);
        return None;
    }
    let mut store = spare.store;
    let instance = spare.state.instance;
    let mut data = data(run, image);
    data.state = Some(spare.state);
    data.limiter.memory_used_bytes = bytes;
    // Relaxed: as in the limiter.
    if let Some(account) = run.memory_bytes {
        account.store(bytes, Ordering::Relaxed);
    }
    *store.data_mut() = data;
    store.set_epoch_deadline(1);
    store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
    Some((Held(ManuallyDrop::new(store)), instance))
}

/// The entry has returned: another run may have the instance, unless it cannot be put back.
fn keep(mut held: Held, instance: Instance, image: &Image, reuse: &Reuse) {
    let data = held.0.data_mut();
    data.process = std::ptr::null_mut();
    data.fiber = std::ptr::null();
    data.preview1 = None;
    data.preview2 = None;
    data.limiter.account = None;
    let state = data.state.take();
    if let Some(state) = reuse.reset(&mut held.0, instance, state) {
        image.spares.give(image, held.release(), state, reuse.tables);
    }
}

async fn run_module(run: Run, code: &ModuleCode) -> Result<()> {
    let image = unsafe { &*run.image };
    let used = code.reuse.as_ref().and_then(|reuse| used_store(&run, image, reuse));
    let is_new = used.is_none();
    let (mut held, instance) = match used {
        Some((held, instance)) => (held, Some(instance)),
        None => (store(&run, image), None),
    };
    let store = &mut *held.0;
    if image.wasi {
        wasi::open_preopens(store.data_mut(), false)?;
    }
    let instance = match instance {
        Some(instance) => instance,
        // In a box of its own: it is over soon, but would be two thirds of what a parked fiber keeps.
        None => Box::pin(code.pre.instantiate_async(&mut *store)).await?,
    };
    if let Some(reuse) = &code.reuse
        && is_new
    {
        reuse.begin(store, instance);
    }
    let entry = &image.entries[run.entry as usize];
    let Entry::Module { export, is_start } = entry else { unreachable!("a module's entry") };
    // Both were checked to be of type () -> (): image.rs, entry_of().
    if let Some(initialize) = &code.initialize
        && !is_start
    {
        let function = unsafe { host::function(store, instance, initialize) }?;
        function.call_async(&mut *store, ()).await?;
    }
    let function = unsafe { host::function(store, instance, export) }?;
    function.call_async(&mut *store, ()).await?;
    if let Some(reuse) = &code.reuse {
        keep(held, instance, image, reuse);
    }
    Ok(())
}

async fn run_component(run: Run, code: &ComponentCode) -> Result<()> {
    let image = unsafe { &*run.image };
    let mut held = store(&run, image);
    let store = &mut *held.0;
    if image.wasi {
        wasi::open_preopens(store.data_mut(), true)?;
    }
    // Boxed as above.
    let instance = Box::pin(code.pre.instantiate_async(&mut *store)).await?;
    match &image.entries[run.entry as usize] {
        Entry::ComponentRun(export) => {
            let run = instance.get_typed_func::<(), (Result<(), ()>,)>(&mut *store, export)?;
            let (result,) = run.call_async(&mut *store, ()).await?;
            // What a shell would call status 1.
            result.map_err(|()| Error::new(wasmtime_wasi::I32Exit(1)))
        }
        Entry::Component(export) => {
            let run = instance.get_typed_func::<(), ()>(&mut *store, export)?;
            run.call_async(&mut *store, ()).await
        }
        Entry::Module { .. } | Entry::ComponentHttp => unreachable!("a component's entry to call"),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn engine_fiber_create(image: &'static Image, options: &CSpawn) -> *mut Fiber {
    let run = |fiber| Run {
        image,
        process: options.process,
        fiber,
        wasi: options.wasi,
        http: options.http,
        memory_max_bytes: options.memory_max_bytes,
        memory_bytes: options.memory_bytes,
        entry: options.entry,
    };
    contain(std::ptr::null_mut(), || match &image.code {
        Code::Module(code) => Task::create(options.process, |fiber| run_module(run(fiber), code)),
        Code::Component(code) if image.is_http(options.entry) => {
            Task::create(options.process, |fiber| http::run(run(fiber), code))
        }
        Code::Component(code) => {
            Task::create(options.process, |fiber| run_component(run(fiber), code))
        }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_fiber_poll(fiber: *mut Fiber, ret: &mut CExit) -> bool {
    let head = unsafe { &*fiber };
    if head.state.get() != State::Live {
        exit::fault(ret, "polled after its end");
        return true;
    }
    // Not dropped: it borrows the reference that C holds while it polls.
    let waker = unsafe { Waker::from_raw(RawWaker::new(head.process.cast(), &WAKER)) };
    let waker = ManuallyDrop::new(waker);
    let mut context = Context::from_waker(&waker);
    head.enter();
    let polled = catch_unwind(AssertUnwindSafe(|| unsafe { (head.poll)(fiber, &mut context) }));
    let ended = match polled {
        Ok(Poll::Pending) => {
            if let Some(fetches) = &mut *head.fetches.borrow_mut() {
                fetches.advance(&mut context);
            }
            false
        }
        Ok(Poll::Ready(result)) => {
            // Ended before the description, so that a panic in there drops nothing twice.
            head.state.set(State::Ended);
            contain((), || unsafe { (head.drop_future)(fiber) });
            head.give_up_fetches();
            match result {
                Ok(()) => exit::returned(ret),
                Err(error) => contain((), || exit::describe(ret, &error)),
            }
            true
        }
        Err(payload) => {
            // The unwinding dropped all that the future held.
            head.state.set(State::Ended);
            head.give_up_fetches();
            exit::fault(ret, &format!("the engine failed: {}", panic_text(payload.as_ref())));
            true
        }
    };
    head.leave();
    ended
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_fiber_destroy(fiber: *mut Fiber) {
    let Some(head) = (unsafe { fiber.as_ref() }) else { return };
    if head.state.get() == State::Live {
        head.state.set(State::Ended);
        head.enter();
        contain((), || unsafe { (head.drop_future)(fiber) });
        head.give_up_fetches();
        head.leave();
    }
    unsafe { (head.free)(fiber) };
}

/// `() -> ()`.
pub type Function = TypedFunc<(), ()>;
