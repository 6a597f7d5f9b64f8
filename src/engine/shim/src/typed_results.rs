//! Results of typed functions: from what C answers and writes to the component model.

use crate::host::CCall;
use crate::typed::NOWHERE;
use crate::typed_arguments::Arguments;
use crate::typed_table::*;
use wasmtime::component::{ComponentNamedList, ComponentType, Lower};
use wasmtime::{Error as Trap, Result};

/// C's buffer for a text at the first try; a longer one takes a second.
const TEXT_BYTES: usize = 256;
/// What one read of a stream gets at most.
const PIECE_BYTES_MAX: usize = 1 << 20;
const PIDS: usize = 64;

/// Of a message that C keeps until this guest's next receive.
pub type Body = &'static [u8];
pub const NO_BODY: Body = &[];

/// A text that ends with a zero byte, or with the array.
pub fn text_of(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// What C answered: a number, and of a message its bytes.
pub struct Answer<'a> {
    pub result: u64,
    pub call: &'a CCall,
    pub arguments: &'a Arguments<'a>,
}

impl Answer<'_> {
    /// An i32: an error of the ABI, or a number.
    fn size(&self) -> Result<Result<u32, Error>> {
        let value = (self.result as u32).cast_signed();
        Ok(if value < 0 { Err(Error::of(value)?) } else { Ok(value.cast_unsigned()) })
    }
}

/// What a function returns, and where C puts it.
pub trait Output: Default + Send + 'static {
    type Returned: ComponentNamedList + Lower + Send + Sync + 'static;
    /// Add what C writes to.
    fn put(&mut self, _: &mut Arguments) {}
    /// None: there was too little room; now there is more.
    fn finish(&mut self, answer: &Answer<'_>) -> Result<Option<Self::Returned>>;
    /// The call waits: needs no room now.
    fn rest(&mut self) {}
}

macro_rules! number_outputs {
    ($($name:ident -> $kind:ty: $answer:ident => $value:expr;)*) => { $(
        #[derive(Default)]
        pub struct $name;
        impl Output for $name {
            type Returned = $kind;
            fn finish(&mut self, $answer: &Answer<'_>) -> Result<Option<$kind>> {
                Ok(Some($value))
            }
        }
    )* };
}
number_outputs! {
    Nothing -> (): _answer => ();
    Plain -> (u64,): answer => (answer.result,);
    Status -> (Result<(), Error>,): answer => (answer.size()?.map(|_| ()),);
    Size -> (Result<u32, Error>,): answer => (answer.size()?,);
    Flag -> (Result<bool, Error>,): answer => (answer.size()?.map(|value| value != 0),);
    Wide -> (Result<u64, Error>,): answer => {
        let value = answer.result.cast_signed();
        (if value < 0 { Err(Error::of(value)?) } else { Ok(value.cast_unsigned()) },)
    };
}

/// Of a function that has no errors.
#[derive(Default)]
pub struct Sure<O>(O);

impl<T, O> Output for Sure<O>
where
    O: Output<Returned = (Result<T, Error>,)>,
    (T,): ComponentNamedList + Lower + Send + Sync + 'static,
{
    type Returned = (T,);
    fn put(&mut self, to: &mut Arguments) {
        self.0.put(to);
    }
    fn finish(&mut self, answer: &Answer<'_>) -> Result<Option<(T,)>> {
        match self.0.finish(answer)? {
            Some((Ok(value),)) => Ok(Some((value,))),
            Some((Err(error),)) => Err(Trap::msg(format!("an error {}", error.number()))),
            None => Ok(None),
        }
    }
}

/// What C writes, and what a component sees of it.
pub trait Layout: Copy + Send + Sync + 'static {
    type Record: ComponentType + Lower + Send + Sync + 'static;
    fn record(&self) -> Result<Self::Record>;
}

impl Layout for u64 {
    type Record = u64;
    fn record(&self) -> Result<u64> {
        Ok(*self)
    }
}

/// A struct that C writes: integers only, so that zero is a value.
pub struct Out<L>(L);

impl<L: Layout> Default for Out<L> {
    fn default() -> Self {
        Out(unsafe { std::mem::zeroed() })
    }
}

impl<L: Layout> Output for Out<L> {
    type Returned = (Result<L::Record, Error>,);
    fn put(&mut self, to: &mut Arguments) {
        to.push(&raw mut self.0 as u64);
    }
    fn finish(&mut self, answer: &Answer<'_>) -> Result<Option<Self::Returned>> {
        Ok(Some((match answer.size()? {
            Ok(_) => Ok(self.0.record()?),
            Err(error) => Err(error),
        },)))
    }
}

/// Bytes of which C says how many there are, and writes as many as there is room for.
pub struct Whole<T> {
    buffer: Vec<u8>,
    kind: std::marker::PhantomData<fn() -> T>,
}

impl<T> Default for Whole<T> {
    fn default() -> Self {
        Whole { buffer: Vec::with_capacity(TEXT_BYTES), kind: std::marker::PhantomData }
    }
}

impl<T> Output for Whole<T>
where
    T: From<Bytes> + ComponentType + Lower + Send + Sync + 'static,
{
    type Returned = (Result<T, Error>,);
    fn put(&mut self, to: &mut Arguments) {
        to.push(self.buffer.as_mut_ptr() as u64);
        to.push(self.buffer.capacity() as u64);
    }
    fn finish(&mut self, answer: &Answer<'_>) -> Result<Option<Self::Returned>> {
        let size = match answer.size()? {
            Ok(size) => size as usize,
            Err(error) => return Ok(Some((Err(error),))),
        };
        if size > self.buffer.capacity() {
            self.buffer.reserve(size);
            return Ok(None);
        }
        unsafe { self.buffer.set_len(size) };
        Ok(Some((Ok(T::from(Bytes(std::mem::take(&mut self.buffer)))),)))
    }
}

pub struct Bytes(Vec<u8>);
impl From<Bytes> for Vec<u8> {
    fn from(bytes: Bytes) -> Vec<u8> {
        bytes.0
    }
}
/// What is no UTF-8 is replaced: a string has nothing else.
impl From<Bytes> for String {
    fn from(bytes: Bytes) -> String {
        String::from_utf8(bytes.0)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

/// At most as many bytes as the guest asks for, which is the argument before.
#[derive(Default)]
pub struct Part(Vec<u8>);

fn put_capacity(buffer: &mut Vec<u8>, to: &mut Arguments) {
    to.count -= 1;
    let capacity = (to.call.arguments[to.count] as usize).min(PIECE_BYTES_MAX);
    buffer.reserve_exact(capacity);
    to.push(buffer.as_mut_ptr() as u64);
    to.push(capacity as u64);
}

impl Output for Part {
    type Returned = (Result<Option<Vec<u8>>, Error>,);
    fn put(&mut self, to: &mut Arguments) {
        put_capacity(&mut self.0, to);
    }
    fn finish(&mut self, answer: &Answer<'_>) -> Result<Option<Self::Returned>> {
        Ok(Some((answer.size()?.map(|size| {
            unsafe { self.0.set_len(size as usize) };
            (size > 0).then(|| std::mem::take(&mut self.0))
        }),)))
    }
    fn rest(&mut self) {
        self.0 = Vec::new();
    }
}

/// As many bytes as the guest asks for.
#[derive(Default)]
pub struct Filled(Vec<u8>, usize);

impl Output for Filled {
    type Returned = (Result<Vec<u8>, Error>,);
    fn put(&mut self, to: &mut Arguments) {
        put_capacity(&mut self.0, to);
        self.1 = to.call.arguments[to.count - 1] as usize;
    }
    fn finish(&mut self, answer: &Answer<'_>) -> Result<Option<Self::Returned>> {
        Ok(Some((answer.size()?.map(|_| {
            unsafe { self.0.set_len(self.1) };
            std::mem::take(&mut self.0)
        }),)))
    }
}

/// An array of which C says how long it is, and writes as much as there is room for.
pub struct Many<L>(Vec<L>);

impl<L> Default for Many<L> {
    fn default() -> Self {
        Many(Vec::with_capacity(PIDS))
    }
}

impl<L: Layout> Output for Many<L> {
    type Returned = (Result<Vec<L::Record>, Error>,);
    fn put(&mut self, to: &mut Arguments) {
        to.push(self.0.as_mut_ptr() as u64);
        to.push(self.0.capacity() as u64);
    }
    fn finish(&mut self, answer: &Answer<'_>) -> Result<Option<Self::Returned>> {
        let count = match answer.size()? {
            Ok(count) => count as usize,
            Err(error) => return Ok(Some((Err(error),))),
        };
        if count > self.0.capacity() {
            self.0.reserve(count);
            return Ok(None);
        }
        unsafe { self.0.set_len(count) };
        let records = self.0.iter().map(Layout::record).collect::<Result<Vec<_>>>()?;
        Ok(Some((Ok(records),)))
    }
}

const NO_MAIL: CMail = CMail {
    kind: 0,
    size: 0,
    sender: 0,
    label: 0,
    reference: 0,
    exit_class: 0,
    status: 0,
    stream: 0,
    reserved: [0; 5],
};

fn mail_of(mail: &CMail, answer: &Answer<'_>) -> Result<Mail> {
    let mut record = mail.record()?;
    record.body = unsafe { answer.call.body() };
    Ok(record)
}

/// A piece of mail, whose body goes from C's message into the guest.
pub struct Received(CMail);

impl Default for Received {
    fn default() -> Self {
        Received(NO_MAIL)
    }
}

impl Output for Received {
    type Returned = (Result<Mail, Error>,);
    fn put(&mut self, to: &mut Arguments) {
        to.push(&raw mut self.0 as u64);
        to.push(NOWHERE);
        to.push(0);
    }
    fn finish(&mut self, answer: &Answer<'_>) -> Result<Option<Self::Returned>> {
        Ok(Some((match answer.size()? {
            Ok(_) => Ok(mail_of(&self.0, answer)?),
            Err(error) => Err(error),
        },)))
    }
}

#[derive(ComponentType, Lower)]
#[component(variant)]
pub enum CallError {
    #[component(name = "failed")]
    Failed(Error),
    #[component(name = "ended")]
    Ended(Mail),
}

/// A call: C wants receiver, label and stream in the mail that becomes the reply.
pub struct Calling(CMail);

impl Default for Calling {
    fn default() -> Self {
        Calling(NO_MAIL)
    }
}

impl Output for Calling {
    type Returned = (Result<Mail, CallError>,);
    fn put(&mut self, to: &mut Arguments) {
        let [pid, label, data, size, stream, timeout, ..] = to.call.arguments;
        let stream = (stream as u32).cast_signed();
        self.0 = CMail { sender: pid, label, stream, ..NO_MAIL };
        to.call.arguments = [&raw mut self.0 as u64, data, size, NOWHERE, 0, timeout, 0, 0, 0, 0];
    }
    fn finish(&mut self, answer: &Answer<'_>) -> Result<Option<Self::Returned>> {
        Ok(Some((match answer.size()? {
            Ok(_) => Ok(mail_of(&self.0, answer)?),
            Err(Error::Closed) if self.0.kind == MailKind::Down.number() as u32 => {
                Err(CallError::Ended(mail_of(&self.0, answer)?))
            }
            Err(error) => Err(CallError::Failed(error)),
        },)))
    }
}

/// The positions of the entries that C marked.
#[derive(Default)]
pub struct Positions;

impl Output for Positions {
    type Returned = (Result<Vec<u32>, Error>,);
    fn finish(&mut self, answer: &Answer<'_>) -> Result<Option<Self::Returned>> {
        let items = answer.arguments.kept.iter().find_map(|one| one.downcast_ref::<Vec<CWait>>());
        let marked = items.into_iter().flatten().enumerate().filter(|(_, item)| item.ready != 0);
        let positions = marked.map(|(index, _)| index as u32).collect();
        Ok(Some((answer.size()?.map(|_| positions),)))
    }
}

/// The pid of a new supervisor, which C writes to the stage.
#[derive(Default)]
pub struct Family;

impl Output for Family {
    type Returned = (Result<u64, Error>,);
    fn finish(&mut self, answer: &Answer<'_>) -> Result<Option<Self::Returned>> {
        let at = answer.call.arguments[3] as usize;
        let stage = answer.arguments.staged.as_deref().unwrap_or_default();
        let pid = stage.get(at..at + size_of::<u64>()).and_then(|bytes| bytes.try_into().ok());
        Ok(Some((answer.size()?.map(|_| u64::from_le_bytes(pid.unwrap_or_default())),)))
    }
}
