use std::fmt;

use crate::abi;

/// What kind of failure an [`Error`] is: the numbers of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Not granted; the log has the line of the manifest that would allow it.
    Denied,
    /// No such process, name, timer, handle or value, or none in reach.
    NotFound,
    /// An argument is out of range or malformed.
    Invalid,
    /// A quota or a size limit.
    Limit,
    /// The other side is gone.
    Closed,
    /// Not in this kind of process, or not now.
    Misplaced,
    /// The node has no memory.
    NoMemory,
    /// What came from outside is broken.
    Malformed,
    /// It did not happen in time.
    Timeout,
    /// Taken already.
    Exists,
    /// The receiver's mailbox is full, and it refuses.
    Full,
    /// The writer of a stream gave up.
    Aborted,
}

const KINDS: [(i32, ErrorKind, &str); 12] = [
    (abi::ERR_DENIED, ErrorKind::Denied, "not granted"),
    (abi::ERR_NOT_FOUND, ErrorKind::NotFound, "not found"),
    (abi::ERR_INVALID, ErrorKind::Invalid, "invalid"),
    (abi::ERR_LIMIT, ErrorKind::Limit, "limit reached"),
    (abi::ERR_CLOSED, ErrorKind::Closed, "closed"),
    (abi::ERR_MISPLACED, ErrorKind::Misplaced, "not possible here"),
    (abi::ERR_NO_MEMORY, ErrorKind::NoMemory, "the node has no memory"),
    (abi::ERR_MALFORMED, ErrorKind::Malformed, "malformed"),
    (abi::ERR_TIMEOUT, ErrorKind::Timeout, "timeout"),
    (abi::ERR_EXISTS, ErrorKind::Exists, "exists already"),
    (abi::ERR_FULL, ErrorKind::Full, "the mailbox is full"),
    (abi::ERR_ABORTED, ErrorKind::Aborted, "aborted"),
];

impl ErrorKind {
    pub(crate) fn of(number: i64) -> ErrorKind {
        KINDS.iter().find(|one| i64::from(one.0) == number).map_or(ErrorKind::Invalid, |one| one.1)
    }

    pub(crate) fn number(self) -> i32 {
        KINDS.iter().find(|one| one.1 == self).map_or(abi::ERR_INVALID, |one| one.0)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(KINDS.iter().find(|one| one.1 == *self).map_or("unknown", |one| one.2))
    }
}

/// What did not happen, and perhaps why. A function of a service answers with one, whose kind and text the caller gets.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    text: Option<Box<str>>,
}

/// The result of almost everything here.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

impl Error {
    /// One with a text that says more.
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Error {
        Error { kind, text: Some(text.into().into_boxed_str()) }
    }

    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What it says beyond its kind.
    pub(crate) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    pub(crate) fn malformed(text: &str) -> Error {
        Error::new(ErrorKind::Malformed, text)
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Error {
        Error { kind, text: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => to.write_str(text),
            None => self.kind.fmt(to),
        }
    }
}

impl std::error::Error for Error {}

macro_rules! invalid_from {
    ($($other:ty),*) => {$(
        impl From<$other> for Error {
            fn from(other: $other) -> Error {
                Error::new(ErrorKind::Invalid, other.to_string())
            }
        }
    )*};
}
invalid_from!(std::num::ParseIntError, std::num::ParseFloatError, std::str::Utf8Error, std::string::FromUtf8Error, &str, String);

impl From<std::io::Error> for Error {
    /// One that went through an `io::Read` or `io::Write` comes out as it was.
    fn from(other: std::io::Error) -> Error {
        let text = other.to_string();
        match other.into_inner().map(|inner| inner.downcast::<Error>()) {
            Some(Ok(error)) => *error,
            _ => Error::new(ErrorKind::Invalid, text),
        }
    }
}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> std::io::Error {
        use std::io::ErrorKind as Io;
        let kind = match error.kind {
            ErrorKind::Denied => Io::PermissionDenied,
            ErrorKind::NotFound => Io::NotFound,
            ErrorKind::Closed => Io::BrokenPipe,
            ErrorKind::Timeout => Io::TimedOut,
            ErrorKind::Malformed => Io::InvalidData,
            ErrorKind::Invalid => Io::InvalidInput,
            ErrorKind::Aborted => Io::ConnectionAborted,
            _ => Io::Other,
        };
        std::io::Error::new(kind, error)
    }
}

/// A result of the ABI: below zero it is an error.
pub(crate) fn done(result: i32) -> Result<u32> {
    u32::try_from(result).map_err(|_| ErrorKind::of(result.into()).into())
}

/// The same for those of 64 bits.
pub(crate) fn reference(result: i64) -> Result<u64> {
    u64::try_from(result).map_err(|_| ErrorKind::of(result).into())
}
