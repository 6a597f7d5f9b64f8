//! Parameters of typed functions: from the component model to arguments of C.

use crate::host::CCall;
use crate::typed::{NOWHERE, Store};
use crate::typed_bytes::ByteList;
use crate::typed_results::Output;
use crate::typed_table::*;
use std::any::Any;
use wasmtime::Result;
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, WasmList, WasmStr, flags};

/// Above what C takes: a longer list is not looked at.
const WAIT_ITEMS_MAX: usize = 65;
const CHILDREN_MAX: usize = 1024; // As core/supervisor.h: more are refused.

/// The arguments of a call to C, which are filled where C reads them, and what they point to.
pub struct Arguments<'a> {
    pub call: &'a mut CCall,
    pub count: usize,
    pub kept: Vec<Box<dyn Any>>,
    /// For C they are offsets in here, not addresses.
    pub staged: Option<Vec<u8>>,
}

impl<'a> Arguments<'a> {
    #[inline]
    pub fn of(call: &'a mut CCall) -> Arguments<'a> {
        Arguments { call, count: 0, kept: Vec::new(), staged: None }
    }

    #[inline]
    pub fn push(&mut self, value: u64) {
        self.call.arguments[self.count] = value;
        self.count += 1;
    }

    fn push_bytes(&mut self, bytes: &[u8]) {
        self.push(bytes.as_ptr() as u64);
        self.push(bytes.len() as u64);
    }

    /// The address of something that lives until the call is over.
    fn keep<T: 'static>(&mut self, value: T) -> u64 {
        let value = Box::new(value);
        let address = &raw const *value as u64;
        self.kept.push(value);
        address
    }
}

/// A parameter.
pub trait Argument {
    fn put(&self, store: &mut Store<'_>, to: &mut Arguments) -> Result<()>;
}

macro_rules! plain_argument {
    ($($kind:ty: $value:ident => $wide:expr;)*) => { $(
        impl Argument for $kind {
            fn put(&self, _: &mut Store<'_>, to: &mut Arguments) -> Result<()> {
                let $value = *self;
                to.push($wide);
                Ok(())
            }
        }
    )* };
}
plain_argument! {
    u16: value => value.into();
    u32: value => value.into();
    i32: value => value.cast_unsigned().into();
    u64: value => value;
    i64: value => value.cast_unsigned();
    bool: value => value.into();
    // A handle; 0: none.
    Option<i32>: value => value.unwrap_or(0).cast_unsigned().into();
    // A timeout; -1: for ever, which no number means.
    Option<u64>: value => value.map_or(u64::MAX, |value| value.min(u64::MAX - 1));
    // -1: none.
    Option<u32>: value => value.map_or(u64::MAX, u64::from);
}

impl Argument for ByteList {
    #[inline]
    fn put(&self, _: &mut Store<'_>, to: &mut Arguments) -> Result<()> {
        to.push(self.address());
        to.push(self.size());
        Ok(())
    }
}

impl Argument for WasmStr {
    fn put(&self, store: &mut Store<'_>, to: &mut Arguments) -> Result<()> {
        match self.to_str(&*store)? {
            std::borrow::Cow::Borrowed(text) => to.push_bytes(text.as_bytes()),
            std::borrow::Cow::Owned(text) => {
                to.push_bytes(text.as_bytes());
                to.kept.push(Box::new(text));
            }
        }
        Ok(())
    }
}

/// An array of addresses and sizes.
impl Argument for WasmList<WasmStr> {
    fn put(&self, store: &mut Store<'_>, to: &mut Arguments) -> Result<()> {
        let mut texts = Vec::new();
        // They overlap, or the guest has all of it: its own memory is the bound.
        let mut room = store.data().limiter.memory_used_bytes as usize;
        // Too many: C refuses the count without a look.
        let count = if self.len() > CHILDREN_MAX { 0 } else { self.len() };
        for index in 0..count {
            let Some(text) = self.get(&mut *store, index).transpose()? else { break };
            let text = text.to_str(&*store)?;
            if text.len() > room {
                return Err(wasmtime::Error::msg("the texts of a list overlap in memory"));
            }
            room -= text.len();
            texts.push([text.as_ptr() as u64, text.len() as u64]);
            if let std::borrow::Cow::Owned(text) = text {
                to.kept.push(Box::new(text));
            }
        }
        to.push(if texts.is_empty() { NOWHERE } else { texts.as_ptr() as u64 });
        to.push(self.len() as u64);
        to.kept.push(Box::new(texts));
        Ok(())
    }
}

/// A text or bytes that may be missing: address 0.
macro_rules! optional_bytes {
    ($($kind:ty),*) => { $(
        impl Argument for Option<$kind> {
            fn put(&self, store: &mut Store<'_>, to: &mut Arguments) -> Result<()> {
                match self {
                    Some(bytes) => bytes.put(store, to),
                    None => {
                        to.push(0);
                        to.push(0);
                        Ok(())
                    }
                }
            }
        }
    )* };
}
optional_bytes!(WasmStr, ByteList);

flags! {
    MailKinds {
        #[component(name = "send")]
        const SEND;
        #[component(name = "call")]
        const CALL;
        #[component(name = "reply")]
        const REPLY;
        #[component(name = "down")]
        const DOWN;
        #[component(name = "exit")]
        const EXIT;
        #[component(name = "timer")]
        const TIMER;
        #[component(name = "stop")]
        const STOP;
        #[component(name = "frame")]
        const FRAME;
        #[component(name = "close")]
        const CLOSE;
    }
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub struct Filter {
    kinds: MailKinds,
    reference: u64,
    labels: WasmList<u64>,
}

impl Argument for Option<Filter> {
    fn put(&self, store: &mut Store<'_>, to: &mut Arguments) -> Result<()> {
        let Some(filter) = self else {
            to.push(0);
            return Ok(());
        };
        let given = filter.labels.as_le_slice(&*store);
        let mut labels = [0; 8];
        for (label, given) in labels.iter_mut().zip(given) {
            *label = u64::from_le(*given);
        }
        let address = to.keep(CFilter {
            kinds: filter.kinds.as_array()[0],
            label_count: given.len() as u32, // above 8: C refuses it
            reference: filter.reference,
            labels,
        });
        to.push(address);
        Ok(())
    }
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub struct SpawnOptions {
    link: bool,
    monitor: bool,
    #[component(name = "max-memory-mb")]
    max_memory_mb: u32,
    #[component(name = "max-cpu-ms")]
    max_cpu_ms: u32,
    #[component(name = "deadline-ms")]
    deadline_ms: u32,
}

impl Argument for Option<SpawnOptions> {
    fn put(&self, _: &mut Store<'_>, to: &mut Arguments) -> Result<()> {
        let address = self.as_ref().map_or(0, |options| {
            to.keep(CSpawnOptions {
                flags: u32::from(options.link) | u32::from(options.monitor) << 1,
                max_memory_mb: options.max_memory_mb,
                max_cpu_ms: options.max_cpu_ms,
                deadline_ms: options.deadline_ms,
            })
        });
        to.push(address);
        Ok(())
    }
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub struct FetchOptions {
    #[component(name = "has-body")]
    has_body: bool,
    #[component(name = "body-bytes")]
    body_bytes: Option<u64>,
    redirects: u32,
    #[component(name = "connect-ms")]
    connect_ms: u32,
    #[component(name = "head-ms")]
    head_ms: u32,
    #[component(name = "idle-ms")]
    idle_ms: u32,
    #[component(name = "deadline-ms")]
    deadline_ms: u32,
}

impl Argument for Option<FetchOptions> {
    fn put(&self, _: &mut Store<'_>, to: &mut Arguments) -> Result<()> {
        let address = self.as_ref().map_or(0, |options| {
            to.keep(CFetchOptions {
                flags: u32::from(options.has_body) | u32::from(options.body_bytes.is_some()) << 1,
                redirects: options.redirects,
                body_bytes: options.body_bytes.unwrap_or(0),
                connect_ms: options.connect_ms,
                head_ms: options.head_ms,
                idle_ms: options.idle_ms,
                deadline_ms: options.deadline_ms,
            })
        });
        to.push(address);
        Ok(())
    }
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub struct WaitItem {
    kind: WaitKind,
    handle: i32,
}

impl Argument for WasmList<WaitItem> {
    fn put(&self, store: &mut Store<'_>, to: &mut Arguments) -> Result<()> {
        let mut items = Vec::new();
        if self.len() <= WAIT_ITEMS_MAX {
            for item in self.iter(&mut *store)? {
                let item = item?;
                let kind = item.kind.number() as u32;
                items.push(CWait { kind, handle: item.handle, ready: 0, reserved: 0 });
            }
        }
        // Too many: C refuses the count without a look.
        to.push(if items.is_empty() { NOWHERE } else { items.as_ptr() as u64 });
        to.push(self.len() as u64);
        to.kept.push(Box::new(items));
        Ok(())
    }
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub struct Child {
    name: WasmStr,
    component: WasmStr,
    input: ByteList,
    restart: Restart,
    #[component(name = "shutdown-ms")]
    shutdown_ms: u32,
    #[component(name = "start-timeout-ms")]
    start_timeout_ms: u32,
}

impl Argument for SupervisorSpec {
    fn put(&self, _: &mut Store<'_>, to: &mut Arguments) -> Result<()> {
        let strategy = self.strategy.number() as u32;
        let (max_restarts, window_ms) = (self.max_restarts, self.window_ms);
        let words = [strategy, max_restarts, window_ms, 0];
        to.push(0);
        to.staged = Some(words.iter().flat_map(|word| word.to_le_bytes()).collect());
        Ok(())
    }
}

/// Children point to their texts: all of it is laid out as a core module has it in its memory.
impl Argument for WasmList<Child> {
    fn put(&self, store: &mut Store<'_>, to: &mut Arguments) -> Result<()> {
        let mut stage = to.staged.take().unwrap_or_default();
        let at = stage.len();
        to.push(at as u64);
        to.push(self.len() as u64);
        // Behind the children, where C writes the pid.
        let count = if self.len() > CHILDREN_MAX { 0 } else { self.len() };
        let mut texts = at + count * size_of::<CChildSpec>();
        to.push(texts as u64);
        texts += size_of::<u64>();
        stage.resize(texts, 0);
        // They overlap, or the guest has all of it: its own memory is the bound.
        let bound = store.data().limiter.memory_used_bytes as usize;
        for index in 0..count {
            let Some(child) = self.get(&mut *store, index).transpose()? else { break };
            let mut place = |bytes: &[u8]| -> Result<[u32; 2]> {
                if bytes.len() > bound.saturating_sub(stage.len() - texts) {
                    return Err(wasmtime::Error::msg(
                        "the children of a supervisor overlap in memory",
                    ));
                }
                let start = stage.len() as u32;
                stage.extend_from_slice(bytes);
                Ok([start, bytes.len() as u32])
            };
            let [name, name_size] = place(child.name.to_str(&*store)?.as_bytes())?;
            let [component, component_size] = place(child.component.to_str(&*store)?.as_bytes())?;
            let [input, input_size] = place(child.input.slice(store))?;
            let spec = [
                name,
                name_size,
                component,
                component_size,
                input,
                input_size,
                child.restart.number() as u32,
                child.shutdown_ms,
                child.start_timeout_ms,
                0,
            ];
            let start = at + index * size_of::<CChildSpec>();
            let bytes = spec.iter().flat_map(|word| word.to_le_bytes());
            stage[start..].iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
        }
        to.staged = Some(stage);
        Ok(())
    }
}

/// All parameters of a function. The output stands before number `at` of them.
pub trait Inputs: ComponentNamedList + Lift + Send + Sync + 'static {
    fn put<O: Output>(
        &self,
        store: &mut Store<'_>,
        to: &mut Arguments,
        at: usize,
        output: &mut O,
    ) -> Result<()>;
}

macro_rules! inputs {
    ($($name:ident)*) => {
        impl<$($name),*> Inputs for ($($name,)*)
        where
            ($($name,)*): ComponentNamedList + Lift + Send + Sync + 'static,
            $($name: Argument,)*
        {
            #[allow(non_snake_case, unused_variables, unused_mut, unused_assignments)]
            fn put<O: Output>(
                &self,
                store: &mut Store<'_>,
                to: &mut Arguments,
                at: usize,
                output: &mut O,
            ) -> Result<()> {
                let ($($name,)*) = self;
                let mut index = 0;
                $(
                    if index == at {
                        output.put(to);
                    }
                    $name.put(store, to)?;
                    index += 1;
                )*
                if index == at {
                    output.put(to);
                }
                Ok(())
            }
        }
    };
}
inputs!();
inputs!(A);
inputs!(A B);
inputs!(A B C);
inputs!(A B C D);
inputs!(A B C D E);
