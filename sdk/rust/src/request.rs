use std::io::{self, Read};

use crate::cbor::Value;
use crate::error::{done, Error, ErrorKind, Result};
use crate::{abi, json, memory, task};

/// The request of this process, or the handshake of its WebSocket.
#[derive(Debug)]
pub struct Request(());

fn part(number: u32) -> String {
    // SAFETY: memory::text tells how much room there is; so everywhere here.
    memory::text(|to, room| unsafe { abi::request_get(number as i32, to, room) }).unwrap_or_default()
}

impl Request {
    pub fn current() -> Request {
        Request(())
    }

    pub fn method(&self) -> String {
        part(abi::REQUEST_FIELD_METHOD)
    }

    /// Decoded.
    pub fn path(&self) -> String {
        part(abi::REQUEST_FIELD_PATH)
    }

    /// As sent, without the `?`.
    pub fn query_string(&self) -> String {
        part(abi::REQUEST_FIELD_QUERY)
    }

    /// Path and query as sent.
    pub fn target(&self) -> String {
        part(abi::REQUEST_FIELD_TARGET)
    }

    pub fn host(&self) -> String {
        part(abi::REQUEST_FIELD_HOST)
    }

    /// The client's address.
    pub fn remote(&self) -> String {
        part(abi::REQUEST_FIELD_REMOTE)
    }

    /// As in the answer's `X-Request-Id` and in the node's log.
    pub fn id(&self) -> String {
        part(abi::REQUEST_FIELD_ID)
    }

    /// `https` when the client speaks TLS, else `http`.
    pub fn scheme(&self) -> String {
        part(abi::REQUEST_FIELD_SCHEME)
    }

    /// Of a WebSocket: what was agreed on, or empty.
    pub fn subprotocol(&self) -> String {
        part(abi::REQUEST_FIELD_SUBPROTOCOL)
    }

    /// The subject of the client's verified certificate, or empty.
    pub fn certificate(&self) -> String {
        part(abi::REQUEST_FIELD_CERTIFICATE)
    }

    /// A `:name` of the route, decoded; `*` is its rest. Empty: the route has none.
    pub fn param(&self, name: &str) -> String {
        // SAFETY: as above.
        memory::text(|to, room| unsafe { abi::request_param(name.as_ptr(), name.len(), to, room) })
            .unwrap_or_default()
    }

    /// The first value of that name in the query, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        // SAFETY: as above.
        memory::text(|to, room| unsafe { abi::request_query_value(name.as_ptr(), name.len(), to, room) }).ok()
    }

    /// The first header of that name, whose case does not count.
    pub fn header(&self, name: &str) -> Option<String> {
        // SAFETY: as above.
        memory::text(|to, room| unsafe { abi::request_header(name.as_ptr(), name.len(), to, room) }).ok()
    }

    /// All of them, as they came.
    pub fn headers(&self) -> Vec<(String, String)> {
        // SAFETY: as above.
        let line = |at| memory::text(|to, room| unsafe { abi::request_header_at(at, to, room) }).ok();
        let lines: Vec<String> = (0..).map_while(line).collect();
        memory::headers(&lines.join("\n"))
    }

    /// The whole body, of at most `limit` bytes, else [`Limit`](ErrorKind::Limit).
    pub fn body(&mut self, limit: usize) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let size = self.read_some(&mut piece)?;
            if size == 0 {
                return Ok(body);
            }
            if size > limit - body.len() {
                return Err(Error::new(ErrorKind::Limit, format!("a body of more than {limit} bytes")));
            }
            body.extend_from_slice(&piece[..size]);
        }
    }

    /// The body as JSON.
    pub fn json<T: Value>(&mut self, limit: usize) -> Result<T> {
        json::from_slice(&self.body(limit)?)
    }

    fn read_some(&mut self, to: &mut [u8]) -> Result<usize> {
        // SAFETY: the host writes at most as much as there is room for.
        done(unsafe { abi::request_read(to.as_mut_ptr(), to.len()) }).map(|size| size as usize)
    }

    /// Whether the client is known to have left.
    pub fn client_is_gone(&self) -> bool {
        // SAFETY: nothing is passed.
        unsafe { abi::client_gone() == 1 }
    }

    /// Waits until it has; other tasks go on.
    pub async fn client_left_async(&self) -> Result {
        while !self.client_is_gone() {
            task::ready(abi::WAIT_CLIENT_GONE, 0).await?;
        }
        Ok(())
    }
}

impl Read for Request {
    /// Reads of the body, as it comes. While this waits for the client, all tasks do.
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if to.is_empty() {
            return Ok(0);
        }
        Ok(self.read_some(to)?)
    }
}
