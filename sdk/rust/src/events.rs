use crate::error::{done, Result};
use crate::{abi, memory};

/// One of a stream of server-sent events. The default has nothing but an empty `data`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Event<'a> {
    /// `None`: "message".
    pub name: Option<&'a str>,
    pub id: Option<&'a str>,
    pub data: &'a str,
}

/// An answer that is a stream of events; it ends when the exported function returns.
#[derive(Debug)]
pub struct Events(());

fn place(text: Option<&str>) -> (*const u8, usize) {
    text.map_or((std::ptr::null(), 0), |text| (text.as_ptr(), text.len()))
}

impl Events {
    /// Begins one. Where a client that was connected before left off says the header `last-event-id`.
    pub fn begin(headers: &[(&str, &str)]) -> Result<Events> {
        let mut lines = String::new();
        headers.iter().for_each(|(name, value)| memory::add_header(&mut lines, name, value));
        // SAFETY: the host reads the headers only.
        done(unsafe { abi::sse_begin(lines.as_ptr(), lines.len()) })?;
        Ok(Events(()))
    }

    /// Sends an event, and waits, with all tasks, while the client is slow. [`Closed`](crate::ErrorKind::Closed): it has left.
    pub fn send(&self, event: Event<'_>) -> Result {
        let ((name, name_size), (id, id_size)) = (place(event.name), place(event.id));
        // SAFETY: the host reads them only.
        done(unsafe { abi::sse_send(name, name_size, id, id_size, -1, event.data.as_ptr(), event.data.len()) })
            .map(drop)
    }

    /// Sends what clients skip.
    pub fn comment(&self, text: &str) -> Result {
        // SAFETY: the host reads it only.
        done(unsafe { abi::sse_comment(text.as_ptr(), text.len()) }).map(drop)
    }
}
