use std::time::Duration;

use crate::error::{done, Error, ErrorKind, Result};
use crate::mail::FOR_EVER;
use crate::process::milliseconds;
use crate::stream::Stream;
use crate::{abi, memory, task};

/// A request to somebody else that is being put together, as the capability's `allow-network` grants.
#[derive(Clone, Debug)]
pub struct FetchBuilder {
    method: String,
    url: String,
    headers: String,
    options: FetchOptions,
}

#[derive(Clone, Copy, Debug, Default)]
struct FetchOptions {
    has_body: bool,
    length: Option<u64>,
    redirects: u32,
    deadline: Duration,
}

impl FetchBuilder {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> FetchBuilder {
        memory::add_header(&mut self.headers, name, value);
        self
    }

    /// How many redirects of GET and HEAD are followed; at most 20.
    pub fn redirects(mut self, most: u32) -> FetchBuilder {
        self.options.redirects = most;
        self
    }

    /// For all of it.
    pub fn deadline(mut self, time: Duration) -> FetchBuilder {
        self.options.deadline = time;
        self
    }

    /// It has a body, which is written to [`Fetch::body`] and ended. `length`: where it is known.
    pub fn with_body(mut self, length: Option<u64>) -> FetchBuilder {
        self.options.has_body = true;
        self.options.length = length;
        self
    }

    /// Sends it, without waiting.
    pub fn start(&self) -> Result<Fetch> {
        let has_body = if self.options.has_body { abi::FETCH_BODY } else { 0 };
        let has_length = if self.options.length.is_some() { abi::FETCH_LENGTH } else { 0 };
        let options = abi::FetchOptions {
            flags: has_body | has_length,
            redirects: self.options.redirects,
            body_bytes: self.options.length.unwrap_or(0),
            deadline_ms: milliseconds(self.options.deadline),
            ..abi::FetchOptions::ZERO
        };
        let (method, url, headers) = (&self.method, &self.url, &self.headers);
        let mut result = abi::Fetched::ZERO;
        // SAFETY: all of them live until it returns.
        done(unsafe {
            abi::fetch_start(
                method.as_ptr(),
                method.len(),
                url.as_ptr(),
                url.len(),
                headers.as_ptr(),
                headers.len(),
                &options,
                &mut result,
            )
        })?;
        Ok(Fetch {
            handle: result.fetch,
            body: (result.body != 0).then(|| Stream::of(result.body)),
            answer: Stream::of(result.answer),
        })
    }
}

/// A request under way. Dropped, it is cancelled, as far as it is not over.
#[derive(Debug)]
pub struct Fetch {
    handle: i32,
    /// What its body is written to.
    pub body: Option<Stream>,
    /// What the body of its answer is read from.
    pub answer: Stream,
}

const REASONS: [&str; 11] = [
    "nothing went wrong",
    "the address is not granted",
    "there is no such host",
    "nobody answers there",
    "no TLS, or a certificate that is not trusted",
    "one of its times is over",
    "the server left before the end",
    "what came is no HTTP",
    "the head of the answer is too large",
    "given up",
    "the node has no memory",
];

impl Fetch {
    #[allow(clippy::new_ret_no_self)]
    pub fn new(method: &str, url: &str) -> FetchBuilder {
        FetchBuilder {
            method: method.to_string(),
            url: url.to_string(),
            headers: String::new(),
            options: FetchOptions::default(),
        }
    }

    pub fn get(url: &str) -> FetchBuilder {
        Fetch::new("GET", url)
    }

    fn try_head(&self, timeout_ns: i64) -> Result<u16> {
        let mut head = abi::FetchHead::ZERO;
        // SAFETY: it lives until it returns.
        match unsafe { abi::fetch_head(self.handle, &mut head, timeout_ns) } {
            abi::ERR_ABORTED => Err(self.why()),
            result => done(result).map(|_| head.status as u16),
        }
    }

    /// Waits for the answer's head, and gives its status.
    pub fn status(&self) -> Result<u16> {
        self.try_head(FOR_EVER)
    }

    /// The same; other tasks go on.
    pub async fn status_async(&self) -> Result<u16> {
        loop {
            match self.try_head(0) {
                Err(error) if error.kind() == ErrorKind::Timeout => task::ready(abi::WAIT_FETCHED, self.handle).await?,
                result => return result,
            }
        }
    }

    /// Why there is no answer, or no more of it.
    pub fn why(&self) -> Error {
        // SAFETY: a number is passed.
        let reason = done(unsafe { abi::fetch_reason(self.handle) }).unwrap_or(0);
        let kind = match reason {
            abi::FETCH_DENIED => ErrorKind::Denied,
            // One of its own times; a Timeout of the ABI means that it is not there yet.
            _ => ErrorKind::Aborted,
        };
        let text = REASONS.get(reason as usize).unwrap_or(&"unknown");
        Error::new(kind, format!("no answer: {text}"))
    }

    /// A header of the answer.
    pub fn header(&self, name: &str) -> Option<String> {
        // SAFETY: memory::text tells how much room there is.
        memory::text(|to, room| unsafe { abi::fetch_header(self.handle, name.as_ptr(), name.len(), to, room) }).ok()
    }

    /// All of them.
    pub fn headers(&self) -> Vec<(String, String)> {
        // SAFETY: as above.
        let lines = memory::text(|to, room| unsafe { abi::fetch_headers(self.handle, to, room) });
        memory::headers(&lines.unwrap_or_default())
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        // SAFETY: a number is passed. Its streams close themselves.
        unsafe { abi::fetch_close(self.handle) };
    }
}
