use std::borrow::Borrow;
use std::marker::PhantomData;
use std::time::Duration;

use crate::cbor::{self, Value};
use crate::error::{reference, Error, ErrorKind, Result};
use crate::mail::{label, nanoseconds, receive, receive_async, send, whole_body, Kind, Mail, Pid};
use crate::names::whereis;
use crate::process::{log, Level};
use crate::{abi, memory, task};

/// How long a call waits for its answer when it is not said.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// What an answer means: a label of 0 is a result.
fn answered(head: &abi::Mail, body: Vec<u8>) -> Result<Vec<u8>> {
    if head.kind == abi::MAIL_DOWN {
        let text = format!("the service has ended: {}", memory::readable(body));
        return Err(Error::new(ErrorKind::Closed, text));
    }
    match (head.label as i64, body.is_empty()) {
        (0, _) => Ok(body),
        (number, true) => Err(ErrorKind::of(number).into()),
        (number, false) => Err(Error::new(ErrorKind::of(number), memory::readable(body))),
    }
}

/// Asks a process for what has that label, and waits for its answer.
pub fn call_bytes(to: Pid, label: u64, request: &[u8], timeout: Duration) -> Result<Vec<u8>> {
    let mut head = abi::Mail { sender: to.0, label, ..abi::Mail::ZERO };
    let mut room = [0; 512];
    // SAFETY: all of them live until it returns.
    let result = unsafe {
        abi::call(
            &mut head,
            request.as_ptr(),
            request.len(),
            room.as_mut_ptr(),
            room.len(),
            nanoseconds(timeout),
        )
    };
    if result < 0 && !(result == abi::ERR_CLOSED && head.kind == abi::MAIL_DOWN) {
        return Err(ErrorKind::of(result.into()).into());
    }
    let body = whole_body(&room, head.size as usize);
    answered(&head, body)
}

/// A call whose answer may still come.
struct Open(u64);

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: a number is passed. After the answer it means nothing any more.
        unsafe { abi::demonitor(self.0) };
    }
}

/// The same; other tasks go on.
pub async fn call_bytes_async(to: Pid, label: u64, request: &[u8], timeout: Duration) -> Result<Vec<u8>> {
    // SAFETY: the host reads the request only.
    let open = Open(reference(unsafe { abi::call_begin(to.0, label, request.as_ptr(), request.len(), 0) })?);
    let piece = task::timeout(timeout, task::answer(open.0)).await??;
    answered(&piece.head, piece.body)
}

/// A function of a service: who defines one has a typed client.
///
/// ```ignore
/// const BUMP: Function<i64, i64> = Function::new("counter", "bump");
///
/// let total = BUMP.call(1)?;
/// ```
///
/// `()` as a type means nothing.
#[derive(Debug)]
pub struct Function<Request, Answer> {
    service: &'static str,
    name: &'static str,
    types: PhantomData<fn(Request) -> Answer>,
}

impl<Request: Value, Answer: Value> Function<Request, Answer> {
    /// `service`: as it is found by its name, a resident component, or who called `register`.
    pub const fn new(service: &'static str, name: &'static str) -> Self {
        Function { service, name, types: PhantomData }
    }

    /// Calls it and waits, at most [`CALL_TIMEOUT`]. [`NotFound`](ErrorKind::NotFound): there is no such service, or it has no such function;
    /// [`Closed`](ErrorKind::Closed): it ended meanwhile; else what it says.
    pub fn call(&self, request: impl Borrow<Request>) -> Result<Answer> {
        self.call_pid(whereis(self.service)?, request, CALL_TIMEOUT)
    }

    /// The same of a process that may have no name, and with a time of its own.
    pub fn call_pid(&self, pid: Pid, request: impl Borrow<Request>, timeout: Duration) -> Result<Answer> {
        let request = cbor::to_vec(request.borrow())?;
        cbor::from_slice(&call_bytes(pid, label(self.name), &request, timeout)?)
    }

    /// Calls it and waits; other tasks go on.
    pub async fn call_async(&self, request: impl Borrow<Request>) -> Result<Answer> {
        self.call_pid_async(whereis(self.service)?, request, CALL_TIMEOUT).await
    }

    /// The same of a process that may have no name, and with a time of its own.
    pub async fn call_pid_async(&self, pid: Pid, request: impl Borrow<Request>, timeout: Duration) -> Result<Answer> {
        let request = cbor::to_vec(request.borrow())?;
        cbor::from_slice(&call_bytes_async(pid, label(self.name), &request, timeout).await?)
    }

    /// Calls it and waits for nothing.
    pub fn cast(&self, request: impl Borrow<Request>) -> Result {
        send(whereis(self.service)?, label(self.name), &cbor::to_vec(request.borrow())?)
    }
}

type Handler<State> = Box<dyn FnMut(&mut State, &[u8]) -> Result<Vec<u8>>>;
type Others<State> = Box<dyn FnMut(&mut State, Mail)>;

/// A table of functions that other processes call, and what they work on.
pub struct Service<State> {
    state: State,
    functions: Vec<(u64, Handler<State>)>,
    others: Option<Others<State>>,
}

impl<State> Service<State> {
    pub fn new(state: State) -> Self {
        Service { state, functions: Vec::new(), others: None }
    }

    /// Adds a function. One call after the other is served, in order.
    pub fn on<Request: Value, Answer: Value>(
        mut self,
        function: Function<Request, Answer>,
        mut handler: impl FnMut(&mut State, Request) -> Result<Answer> + 'static,
    ) -> Self {
        let boxed = move |state: &mut State, request: &[u8]| {
            let answer = handler(state, cbor::from_slice(request)?)?;
            cbor::to_vec(&answer)
        };
        self.functions.push((label(function.name), Box::new(boxed)));
        self
    }

    /// What is done with mail that is for no function: other calls, timers. Without it such calls are answered with
    /// [`NotFound`](ErrorKind::NotFound), and everything else is dropped.
    pub fn others(mut self, handler: impl FnMut(&mut State, Mail) + 'static) -> Self {
        self.others = Some(Box::new(handler));
        self
    }

    /// Serves until the process is asked to stop.
    pub fn run(mut self) -> Result {
        while self.serve(receive()?) {}
        Ok(())
    }

    /// The same; tasks go on while it waits.
    pub async fn run_async(mut self) -> Result {
        while self.serve(receive_async().await?) {}
        Ok(())
    }

    fn serve(&mut self, mail: Mail) -> bool {
        let asked = mail.kind == Kind::Asked;
        let known = self.functions.iter().position(|one| one.0 == mail.label);
        match (mail.kind, known) {
            (Kind::Stop, _) => return false,
            (Kind::Asked | Kind::Sent, Some(at)) => {
                let result = (self.functions[at].1)(&mut self.state, &mail.body);
                if asked {
                    told(mail.reply(result));
                } else if let Err(error) = result {
                    log(Level::Warn, &format!("a cast failed: {error}"));
                }
            }
            _ => match &mut self.others {
                Some(others) => others(&mut self.state, mail),
                None if asked => told(mail.reply(Err(ErrorKind::NotFound.into()))),
                None => {}
            },
        }
        true
    }
}

fn told(result: Result) {
    if let Err(error) = result {
        log(Level::Warn, &format!("an answer was not taken: {error}"));
    }
}
