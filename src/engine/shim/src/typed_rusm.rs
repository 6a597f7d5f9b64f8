//! The package rusm:runtime, which components that were made for RUSM import: its functions, by the C
//! functions of the modules "rusm" (which core modules import, too) and "rusm:runtime". What they do
//! says src/guest/rusm.h.

use crate::typed::{Link, NOWHERE};
use crate::typed_arguments::*;
use crate::typed_bytes::ByteList;
use crate::typed_results::*;
use crate::typed_table::{LogLevel, Strategy};
use std::marker::PhantomData;
use wasmtime::Result;
use wasmtime::component::{ComponentType, Lower, WasmList, WasmStr};

pub const VERSION: &str = "0.1.0";

/// Texts and numbers that C has put one behind the other: a u32 each, a text's bytes behind its size.
struct Packed<'a>(&'a [u8]);

impl Packed<'_> {
    fn number(&mut self) -> u32 {
        let Some((first, rest)) = self.0.split_first_chunk::<4>() else { return 0 };
        self.0 = rest;
        u32::from_le_bytes(*first)
    }

    fn text(&mut self) -> String {
        let size = (self.number() as usize).min(self.0.len());
        let (text, rest) = self.0.split_at(size);
        self.0 = rest;
        String::from_utf8_lossy(text).into_owned()
    }

    fn texts(&mut self) -> Vec<String> {
        (0..self.number()).map(|_| self.text()).collect()
    }

    fn pairs(&mut self) -> Vec<(String, String)> {
        (0..self.number()).map(|_| (self.text(), self.text())).collect()
    }
}

fn body(answer: &Answer<'_>) -> Body {
    unsafe { answer.call.body() }
}

/// 0, where C also has -1.
fn is_zero(answer: &Answer<'_>) -> bool {
    answer.result as u32 == 0
}

macro_rules! outputs {
    ($($(#[$text:meta])* $name:ident -> $kind:ty: $answer:ident => $value:expr;)*) => { $(
        $(#[$text])*
        #[derive(Default)]
        pub struct $name;
        impl Output for $name {
            type Returned = ($kind,);
            fn finish(&mut self, $answer: &Answer<'_>) -> Result<Option<($kind,)>> {
                Ok(Some(($value,)))
            }
        }
    )* };
}
outputs! {
    /// 0: yes; -1: no.
    Worked -> bool: answer => is_zero(answer);
    /// -1: none.
    Found -> Option<u64>: answer => (answer.result != u64::MAX).then_some(answer.result);
}

/// What a function gives when C says nothing of why it failed.
pub trait Value: Sized + Default + Send + 'static {
    fn of(answer: &Answer<'_>) -> Self;
}
impl Value for () {
    fn of(_: &Answer<'_>) {}
}
impl Value for u64 {
    fn of(answer: &Answer<'_>) -> u64 {
        answer.result
    }
}
impl Value for bool {
    fn of(answer: &Answer<'_>) -> bool {
        answer.result != 0
    }
}
impl Value for Option<Vec<u8>> {
    fn of(answer: &Answer<'_>) -> Option<Vec<u8>> {
        (answer.result != 0).then(|| body(answer).to_vec())
    }
}
impl Value for Vec<String> {
    fn of(answer: &Answer<'_>) -> Vec<String> {
        Packed(body(answer)).texts()
    }
}

/// A value, or in words why there is none.
#[derive(Default)]
pub struct Told<T>(PhantomData<T>);

impl<T> Output for Told<T>
where
    T: Value + ComponentType + Lower + Sync,
{
    type Returned = (std::result::Result<T, String>,);
    fn finish(&mut self, answer: &Answer<'_>) -> Result<Option<Self::Returned>> {
        let why = answer.call.text();
        Ok(Some((if why.is_empty() { Ok(T::of(answer)) } else { Err(why) },)))
    }
}

/// Bytes that C keeps until the guest's next call; of functions that write them into a module's memory.
#[derive(Default)]
pub struct Taken;

impl Output for Taken {
    type Returned = (Body,);
    fn put(&mut self, to: &mut Arguments) {
        to.push(NOWHERE);
        to.push(0);
    }
    fn finish(&mut self, answer: &Answer<'_>) -> Result<Option<Self::Returned>> {
        Ok(Some((body(answer),)))
    }
}

/// The same where there may be none: -1.
#[derive(Default)]
pub struct Perhaps(Taken);

impl Output for Perhaps {
    type Returned = (Option<Body>,);
    fn put(&mut self, to: &mut Arguments) {
        self.0.put(to);
    }
    fn finish(&mut self, answer: &Answer<'_>) -> Result<Option<Self::Returned>> {
        let none = answer.result as u32 == u32::MAX;
        Ok(Some(((!none).then(|| body(answer)),)))
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub struct ProcessInfo {
    pid: u64,
    links: u32,
    monitors: u32,
    names: Vec<String>,
    label: Option<String>,
    #[component(name = "mailbox-depth")]
    mailbox_depth: u32,
    #[component(name = "trap-exit")]
    trap_exit: bool,
}

#[derive(Default)]
pub struct Snapshot;

impl Output for Snapshot {
    type Returned = (Option<ProcessInfo>,);
    fn finish(&mut self, answer: &Answer<'_>) -> Result<Option<Self::Returned>> {
        let mut packed = Packed(body(answer));
        Ok(Some(((answer.result != 0).then(|| ProcessInfo {
            pid: answer.result,
            links: packed.number(),
            monitors: packed.number(),
            mailbox_depth: packed.number(),
            trap_exit: packed.number() != 0,
            label: Some(packed.text()).filter(|text| !text.is_empty()),
            names: packed.texts(),
        }),)))
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub struct ConnectionInfo {
    method: String,
    path: String,
    query: String,
    params: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    #[component(name = "remote-addr")]
    remote_addr: String,
    subprotocol: Option<String>,
}

#[derive(Default)]
pub struct Connection;

impl Output for Connection {
    type Returned = (Option<ConnectionInfo>,);
    fn finish(&mut self, answer: &Answer<'_>) -> Result<Option<Self::Returned>> {
        let mut packed = Packed(body(answer));
        Ok(Some((is_zero(answer).then(|| ConnectionInfo {
            method: packed.text(),
            path: packed.text(),
            query: packed.text(),
            remote_addr: packed.text(),
            subprotocol: Some(packed.text()).filter(|text| !text.is_empty()),
            params: packed.pairs(),
            headers: packed.pairs(),
        }),)))
    }
}

#[rustfmt::skip]
pub fn link(to: &mut Link<'_>) -> Result<()> {
    to.interface("actor");
    to.now::<(), Plain>("own-pid", "own_pid", 0)?;
    to.now::<(WasmStr,), Told<u64>>("spawn", "spawn", 1)?;
    to.now::<(WasmStr, WasmStr), Told<u64>>("spawn-from", "spawn_from", 2)?;
    to.now::<(u64,), Nothing>("monitor", "monitor", 1)?;
    to.waiting::<(u64, ByteList), Nothing>("send", "send", 2)?;
    to.waiting::<(), Taken>("receive", "receive", 0)?;
    to.waiting::<(u64,), Perhaps>("receive-timeout", "receive_timeout", 1)?;
    to.now::<(ByteList,), Nothing>("stash", "stash", 1)?;
    to.now::<(), Nothing>("unstash", "unstash", 0)?;
    to.waiting::<(), Sure<Many<u64>>>("list-processes", "list_processes", 0)?;
    to.now::<(u64,), Snapshot>("info", "info", 1)?;
    to.now::<(u64,), Sure<Flag>>("is-alive", "is_alive", 1)?;
    to.now::<(u64,), Sure<Flag>>("kill", "kill", 1)?;
    to.now::<(WasmStr,), Sure<Flag>>("register", "register", 1)?;
    to.now::<(WasmStr,), Found>("whereis", "whereis", 1)?;
    to.now::<(WasmStr,), Sure<Flag>>("unregister", "unregister", 1)?;
    to.now::<(WasmStr,), Nothing>("set-label", "set_label", 1)?;
    to.now::<(Strategy, WasmList<WasmStr>, u32, u32), Told<u64>>("supervise", "supervise", 4)?;
    to.now::<(u64, u64, ByteList), Plain>("send-after", "send_after", 3)?;
    to.now::<(u64,), Sure<Flag>>("cancel-timer", "cancel_timer", 1)?;
    to.interface("kv");
    to.now::<(WasmStr, WasmStr), Told<Option<Vec<u8>>>>("get", "kv", 2)?;
    to.now::<(WasmStr, WasmStr, ByteList), Told<()>>("set", "kv", 3)?;
    to.now::<(WasmStr, WasmStr), Told<bool>>("delete", "kv", 2)?;
    to.now::<(WasmStr, WasmStr), Told<bool>>("exists", "kv", 2)?;
    to.now::<(WasmStr,), Told<Vec<String>>>("list", "kv", 1)?;
    to.interface("log");
    to.now::<(LogLevel, WasmStr), Nothing>("log", "log", 2)?;
    to.interface("pg");
    to.now::<(WasmStr,), Nothing>("register-tag", "register_tag", 1)?;
    to.now::<(WasmStr,), Nothing>("unregister-tag", "unregister_tag", 1)?;
    to.now::<(WasmStr,), Sure<Many<u64>>>("whereis-tag", "whereis_tag", 1)?;
    to.now::<(WasmStr,), Sure<Size>>("kill-tag", "kill_tag", 1)?;
    to.interface("serve");
    to.now::<(), Connection>("connection", "connection", 0)?;
    to.waiting::<(ByteList,), Worked>("ws-send-text", "ws_send_text", 1)?;
    to.waiting::<(u16, WasmStr), Nothing>("ws-close", "ws_close", 2)?;
    to.waiting::<(ByteList, Option<WasmStr>, Option<WasmStr>, Option<u32>), Worked>("sse-send", "sse_send", 4)?;
    to.interface("streams");
    to.now::<(u64,), Found>("stream-open", "stream_open", 1)?;
    to.waiting::<(u64, ByteList), Worked>("stream-write", "stream_write", 2)?;
    to.now::<(u64,), Nothing>("stream-close", "stream_close", 1)?;
    to.waiting::<(), Plain>("stream-accept", "stream_accept", 0)?;
    to.waiting::<(u64,), Perhaps>("stream-read", "stream_read", 1)?;
    Ok(())
}
