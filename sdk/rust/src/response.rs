use std::borrow::Cow;
use std::io::{self, Write};

use crate::cbor::Value;
use crate::error::{done, Result};
use crate::{abi, json, memory};

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Response {
    status: u16,
    headers: Cow<'static, str>,
    body: Cow<'static, [u8]>,
}

impl Response {
    /// One without a body.
    pub fn new(status: u16) -> Response {
        Response { status, headers: Cow::Borrowed(""), body: Cow::Borrowed(&[]) }
    }

    /// `line`: its content type, as a header. What is known beforehand needs no memory of its own.
    fn of(line: &'static str, body: Cow<'static, [u8]>) -> Response {
        Response { status: 200, headers: Cow::Borrowed(line), body }
    }

    pub fn text(text: impl Into<Cow<'static, str>>) -> Response {
        Response::of("content-type: text/plain; charset=utf-8\n", bytes_of(text.into()))
    }

    pub fn html(text: impl Into<Cow<'static, str>>) -> Response {
        Response::of("content-type: text/html; charset=utf-8\n", bytes_of(text.into()))
    }

    /// A value as JSON, with a newline behind it.
    pub fn json<T: Value>(value: &T) -> Response {
        match json::to_string(value) {
            Ok(text) => Response::of("content-type: application/json\n", Cow::Owned((text + "\n").into_bytes())),
            Err(error) => Response::text(format!("{error}\n")).status(500),
        }
    }

    pub fn bytes(kind: &str, body: impl Into<Cow<'static, [u8]>>) -> Response {
        Response::of("", body.into()).header("content-type", kind)
    }

    /// 200 when it is not said.
    pub fn status(mut self, status: u16) -> Response {
        self.status = status;
        self
    }

    /// Adds a header. Those of the connection and the length are the platform's.
    pub fn header(mut self, name: &str, value: &str) -> Response {
        memory::add_header(self.headers.to_mut(), name, value);
        self
    }

    /// Gives it; a function that returns one need not.
    pub fn send(&self) -> Result {
        let (headers, body) = (&self.headers, &self.body);
        // SAFETY: the host reads them only.
        let rest = done(unsafe {
            abi::respond(i32::from(self.status), headers.as_ptr(), headers.len(), body.as_ptr(), body.len())
        })?;
        match rest {
            0 => Ok(()),
            _ => Ok(Answer(()).write_all(body)?), // a large one: so far only its head is on its way
        }
    }
}

fn bytes_of(text: Cow<'static, str>) -> Cow<'static, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// An answer that is written piece by piece; it ends when the exported function returns.
#[derive(Debug)]
pub struct Answer(());

impl Answer {
    /// Begins one. `length`: of the body, where it is known.
    pub fn begin(status: u16, headers: &[(&str, &str)], length: Option<u64>) -> Result<Answer> {
        let mut lines = String::new();
        headers.iter().for_each(|(name, value)| memory::add_header(&mut lines, name, value));
        let length = length.and_then(|length| i64::try_from(length).ok()).unwrap_or(-1);
        // SAFETY: the host reads the headers only.
        done(unsafe { abi::respond_begin(status.into(), lines.as_ptr(), lines.len(), length) })?;
        Ok(Answer(()))
    }
}

impl Write for Answer {
    /// Sends some of it, and waits, with all tasks, while the client is slow.
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let piece = &data[..data.len().min(1 << 16)];
        // SAFETY: the host reads it only.
        done(unsafe { abi::respond_write(piece.as_ptr(), piece.len()) })?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
