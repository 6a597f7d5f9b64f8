use std::time::Duration;

use crate::error::{done, Result};
use crate::process::{Exit, ExitClass};
use crate::stream::Stream;
use crate::{abi, memory, task};

/// The name of a process. It is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pid(pub u64);

/// What a piece of mail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Sent or published.
    Sent,
    /// A call, which waits for [`Mail::reply`].
    Asked,
    /// An exit signal, to who traps exits.
    Exited,
    /// A timer of `send_after` or `interval`.
    Fired,
    /// Asked to stop: finish, and return.
    Stop,
}

/// A piece of mail.
#[derive(Debug)]
pub struct Mail {
    pub kind: Kind,
    /// `None`: the platform.
    pub sender: Option<Pid>,
    /// What the sender says that it is.
    pub label: u64,
    pub body: Vec<u8>,
    /// Of a call: whom to reply to; of a timer: which.
    pub reference: u64,
    /// Of an exit signal.
    pub exit: Option<Exit>,
    /// An end of a stream that came with it.
    pub stream: Option<Stream>,
}

/// The label of a name, as every language makes it: 64 bits of FNV-1a.
pub const fn label(name: &str) -> u64 {
    let (bytes, mut hash, mut at) = (name.as_bytes(), 0xcbf2_9ce4_8422_2325_u64, 0);
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x100_0000_01b3);
        at += 1;
    }
    hash
}

pub(crate) const fn bit(kind: u32) -> u32 {
    1 << kind
}

/// What `receive` gets.
pub(crate) const PLAIN: u32 = bit(abi::MAIL_SEND)
    | bit(abi::MAIL_CALL)
    | bit(abi::MAIL_EXIT)
    | bit(abi::MAIL_TIMER)
    | bit(abi::MAIL_STOP);
pub(crate) const FOR_EVER: i64 = -1;

/// Mail of any kind, as it was read.
pub(crate) struct Piece {
    pub(crate) head: abi::Mail,
    pub(crate) body: Vec<u8>,
}

impl Piece {
    pub(crate) fn exit(&self) -> Exit {
        Exit {
            process: Pid(self.head.sender),
            class: ExitClass::of(self.head.exit_class),
            status: self.head.status,
            reason: memory::readable(self.body.clone()),
        }
    }

    pub(crate) fn mail(self) -> Mail {
        let kind = match self.head.kind {
            abi::MAIL_CALL => Kind::Asked,
            abi::MAIL_EXIT => Kind::Exited,
            abi::MAIL_TIMER => Kind::Fired,
            abi::MAIL_STOP => Kind::Stop,
            _ => Kind::Sent,
        };
        Mail {
            kind,
            sender: (self.head.sender != 0).then_some(Pid(self.head.sender)),
            label: self.head.label,
            exit: (kind == Kind::Exited).then(|| self.exit()),
            reference: self.head.reference,
            stream: (self.head.stream > 0).then(|| Stream::of(self.head.stream)),
            body: self.body,
        }
    }
}

/// The body that a function wrote to `room` as far as it fitted.
pub(crate) fn whole_body(room: &[u8], size: usize) -> Vec<u8> {
    if size <= room.len() {
        return room[..size].to_vec();
    }
    let mut body = vec![0; size];
    // SAFETY: the buffer is as large as said.
    unsafe { abi::mail_read(0, body.as_mut_ptr(), body.len()) };
    body
}

/// Takes the oldest mail of some kinds, of any reference when that is 0.
pub(crate) fn take(kinds: u32, reference: u64, timeout_ns: i64) -> Result<Piece> {
    let filter = abi::Filter { kinds, reference, ..abi::Filter::ZERO };
    let (mut head, mut room) = (abi::Mail::ZERO, [0; 512]);
    // SAFETY: all of them live until it returns.
    done(unsafe { abi::receive(&filter, &mut head, room.as_mut_ptr(), room.len(), timeout_ns) })?;
    let body = whole_body(&room, head.size as usize);
    Ok(Piece { head, body })
}

pub(crate) fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// Waits for the next piece of mail. Answers of calls, ends of monitored processes and the messages of a WebSocket come by
/// what asked for them instead.
pub fn receive() -> Result<Mail> {
    take(PLAIN, 0, FOR_EVER).map(Piece::mail)
}

/// The same for at most that time, else [`Timeout`](crate::ErrorKind::Timeout).
pub fn receive_within(time: Duration) -> Result<Mail> {
    take(PLAIN, 0, nanoseconds(time)).map(Piece::mail)
}

/// Waits for the next piece of mail; other tasks go on.
pub async fn receive_async() -> Result<Mail> {
    task::mail(PLAIN).await.map(Piece::mail)
}

/// Sends a message. That a process is gone is no error: a monitor tells.
pub fn send(to: Pid, label: u64, body: &[u8]) -> Result {
    // SAFETY: the host reads the body only.
    done(unsafe { abi::send(to.0, label, body.as_ptr(), body.len(), 0) }).map(drop)
}

/// Sends an end of a stream along, which is then no longer ours.
pub fn send_stream(to: Pid, label: u64, body: &[u8], stream: impl Into<Stream>) -> Result {
    let stream = stream.into();
    // SAFETY: as above.
    done(unsafe { abi::send(to.0, label, body.as_ptr(), body.len(), stream.handle()) })?;
    stream.forget();
    Ok(())
}

impl Mail {
    /// Answers a call with bytes; what is a [`Value`](crate::Value) goes through [`cbor`](crate::cbor), or through a
    /// [`Service`](crate::Service).
    pub fn reply(&self, result: Result<Vec<u8>>) -> Result {
        let (label, body) = match result {
            Ok(body) => (0, body),
            Err(error) => (i64::from(error.kind().number()) as u64, error.text().as_bytes().to_vec()),
        };
        let to = self.sender.map_or(0, |pid| pid.0);
        // SAFETY: the host reads the body only.
        done(unsafe { abi::reply(to, self.reference, label, body.as_ptr(), body.len(), 0) }).map(drop)
    }
}
