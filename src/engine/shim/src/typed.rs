//! Typed functions for components: what the import module `mote` is for core modules, package
//! `mote:runtime` is for them. Both end in the same C functions. Which there are, and their types, says
//! typed_table.rs; here is how values of the component model become arguments and results. A second
//! table, typed_rusm.rs, is for components that were made for another runtime.
//!
//! What a guest passes was checked by the engine: lists and strings lie in its memory, enums have a
//! case. C gets the addresses themselves (`direct` in engine.h), so bytes are copied once, by C.

use crate::ffi::str_of;
use crate::host::{CCall, CFunction, CImport, Outcome, outcome_of, parked_without_leave};
use crate::store::Data;
use crate::typed_arguments::{Arguments, Inputs};
use crate::typed_results::{Answer, Output};
use crate::{typed_rusm, typed_table};
use std::future::Future;
use std::mem::MaybeUninit;
use std::task::Poll;
use wasmtime::component::Linker;
use wasmtime::{Result, StoreContextMut};

/// A package of interfaces that is offered.
struct Package {
    /// How the names of its interfaces begin.
    prefix: &'static str,
    version: &'static str,
    /// The modules of C whose functions serve it.
    modules: &'static [&'static str],
    table: fn(&mut Link<'_>) -> Result<()>,
}

const PACKAGES: [Package; 2] = [
    Package {
        prefix: "mote:runtime/",
        version: typed_table::VERSION,
        modules: &["mote"],
        table: typed_table::link,
    },
    Package {
        prefix: "rusm:runtime/",
        version: typed_rusm::VERSION,
        modules: &["rusm", "rusm:runtime"],
        table: typed_rusm::link,
    },
];

/// An address for nothing at all.
pub const NOWHERE: u64 = 8;

pub type Store<'a> = StoreContextMut<'a, Data>;

/// An enum of WIT whose cases are numbers of the ABI.
macro_rules! typed_enum {
    ($name:ident { $($case:ident $text:literal $number:literal,)* }) => {
        #[derive(ComponentType, Lift, Lower, Clone, Copy)]
        #[component(enum)]
        #[repr(u8)]
        pub enum $name {
            $(#[component(name = $text)] $case,)*
        }
        #[allow(dead_code)]
        impl $name {
            pub fn number(self) -> i64 {
                match self {
                    $($name::$case => $number,)*
                }
            }

            pub fn of(number: impl Into<i64>) -> Result<$name> {
                match number.into() {
                    $($number => Ok($name::$case),)*
                    other => Err(wasmtime::Error::msg(format!("a {} of {other}", stringify!($name)))),
                }
            }
        }
        impl $crate::typed_arguments::Argument for $name {
            fn put(&self, _: &mut $crate::typed::Store<'_>, to: &mut Arguments) -> Result<()> {
                to.push(self.number().cast_unsigned());
                Ok(())
            }
        }
    };
}
pub(crate) use typed_enum;

// ---- calls ----

/// One try. None: it waits.
#[inline]
fn attempt<P: Inputs, O: Output>(
    store: &mut Store<'_>,
    how: How,
    parameters: &P,
    output: &mut O,
    state: &mut u64,
) -> Result<Option<O::Returned>> {
    loop {
        let mut place = MaybeUninit::uninit();
        let mut arguments = Arguments::of(CCall::at(&mut place, *state));
        parameters.put(store, &mut arguments, how.at, output)?;
        let call = &mut *arguments.call;
        match &mut arguments.staged {
            Some(stage) => call.stage(store.data(), stage),
            None => call.direct(store.data()),
        }
        match outcome_of(how.function, call)? {
            Outcome::Park => {
                *state = call.state;
                output.rest();
                return Ok(None);
            }
            Outcome::Done => {
                let call = &*arguments.call;
                let answer = Answer { result: call.result, call, arguments: &arguments };
                if let Some(returned) = output.finish(&answer)? {
                    return Ok(Some(returned));
                }
                *state = 0;
            }
        }
    }
}

#[derive(Clone, Copy)]
struct How {
    function: CFunction,
    at: usize,
}

/// What the table of functions is entered into.
pub struct Link<'a> {
    linker: &'a mut Linker<Data>,
    imports: &'a [CImport],
    package: &'static Package,
    interface: String,
}

impl Link<'_> {
    pub fn interface(&mut self, name: &str) {
        self.interface = format!("{}{name}@{}", self.package.prefix, self.package.version);
    }

    /// The C function; None: not offered here, so that a component that wants it is refused.
    fn find(&self, name: &str, at: usize) -> Option<How> {
        let found = self.imports.iter().find(|import| {
            let (module, function) = import.names();
            let (module, function) = unsafe { (str_of(module), str_of(function)) };
            function == name && self.package.modules.iter().any(|one| *one == module)
        });
        found.map(|import| How { function: import.function(), at })
    }

    pub fn now<P: Inputs, O: Output>(&mut self, name: &str, host: &str, at: usize) -> Result<()> {
        let Some(how) = self.find(host, at) else { return Ok(()) };
        let mut instance = self.linker.instance(&self.interface)?;
        instance.func_wrap(name, move |mut store: Store<'_>, parameters: P| {
            let mut output = O::default();
            match attempt(&mut store, how, &parameters, &mut output, &mut 0)? {
                Some(returned) => Ok(returned),
                None => Err(parked_without_leave()),
            }
        })
    }

    pub fn waiting<P: Inputs, O: Output>(
        &mut self,
        name: &str,
        host: &str,
        at: usize,
    ) -> Result<()> {
        let Some(how) = self.find(host, at) else { return Ok(()) };
        let mut instance = self.linker.instance(&self.interface)?;
        instance.func_wrap_async(name, move |store: Store<'_>, parameters: P| {
            Box::new(wait(store, how, parameters, O::default()))
        })
    }
}

/// Asks C at once, and again at every poll while C says park.
fn wait<'a, P: Inputs, O: Output>(
    mut store: Store<'a>,
    how: How,
    parameters: P,
    mut output: O,
) -> impl Future<Output = Result<O::Returned>> + Send + 'a {
    let mut state = 0;
    std::future::poll_fn(move |_| {
        match attempt(&mut store, how, &parameters, &mut output, &mut state) {
            Ok(Some(returned)) => Poll::Ready(Ok(returned)),
            Ok(None) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    })
}

/// Offer what there is of `imports` to a component that imports interfaces of these names.
pub fn link<'a>(
    linker: &mut Linker<Data>,
    imports: &[CImport],
    names: impl Iterator<Item = &'a str> + Clone,
) -> Result<()> {
    for package in &PACKAGES {
        if names.clone().any(|name| name.starts_with(package.prefix)) {
            let mut to = Link { linker, imports, package, interface: String::new() };
            (package.table)(&mut to)?;
        }
    }
    Ok(())
}
