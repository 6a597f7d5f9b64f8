use crate::error::{Error, ErrorKind, Result};
use crate::process::{end, log, Level};
use crate::{Request, Response, Socket};

/// What an exported function may take.
pub trait Argument {
    fn take() -> Self;
}

impl Argument for Request {
    fn take() -> Request {
        Request::current()
    }
}

impl Argument for Socket {
    fn take() -> Socket {
        Socket::current()
    }
}

/// What an exported function may give.
pub trait Outcome {
    fn settle(self);
}

impl Outcome for () {
    fn settle(self) {}
}

impl Outcome for Response {
    fn settle(self) {
        if let Err(error) = self.send() {
            log(Level::Warn, &format!("the answer was refused: {error}"));
        }
    }
}

impl<T: Outcome> Outcome for Result<T, Error> {
    /// An error ends the process with it as the reason, except that the other side is gone, which happens.
    fn settle(self) {
        match self {
            Ok(outcome) => outcome.settle(),
            Err(error) if error.kind() == ErrorKind::Closed => {}
            Err(error) => {
                let reason = error.to_string();
                log(Level::Error, &reason);
                end(&reason)
            }
        }
    }
}

/// Runs what an exported function is. `#[mote::export]` calls it. A panic goes to the node's log, also where the component is not
/// granted standard error.
pub fn enter<T: Outcome>(function: impl FnOnce() -> T) {
    std::panic::set_hook(Box::new(tell));
    function().settle()
}

fn tell(panic: &std::panic::PanicHookInfo<'_>) {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a text");
    match panic.location() {
        Some(place) => log(Level::Error, &format!("panic at {place}: {text}")),
        None => log(Level::Error, &format!("panic: {text}")),
    }
}
