use crate::error::{done, Error, ErrorKind, Result};
use crate::mail::{bit, take, Piece, FOR_EVER};
use crate::{abi, memory, task};

/// The WebSocket of this process, which lives as long as its connection.
#[derive(Clone, Copy, Debug)]
pub struct Socket(());

/// A message of a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Text(String),
    Binary(Vec<u8>),
}

const KINDS: u32 = bit(abi::MAIL_FRAME) | bit(abi::MAIL_CLOSE);

impl Message {
    fn of(piece: Piece) -> Result<Message> {
        match (piece.head.kind, piece.head.label as u32) {
            (abi::MAIL_CLOSE, code) => {
                let reason = memory::readable(piece.body);
                Err(Error::new(ErrorKind::Closed, format!("the WebSocket is closed: {code} {reason}")))
            }
            (_, abi::WS_TEXT) => Ok(Message::Text(memory::readable(piece.body))),
            _ => Ok(Message::Binary(piece.body)),
        }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Message {
        Message::Text(text.to_string())
    }
}

impl Socket {
    pub fn current() -> Socket {
        Socket(())
    }

    /// Waits for the client's next message. [`Closed`](ErrorKind::Closed): it has left, or closed; then the function is to return,
    /// which `?` does.
    pub fn receive(&self) -> Result<Message> {
        Message::of(take(KINDS, 0, FOR_EVER)?)
    }

    /// Waits for it; other tasks go on.
    pub async fn receive_async(&self) -> Result<Message> {
        Message::of(task::mail(KINDS).await?)
    }

    /// Sends a message, and waits, with all tasks, while the client is slow.
    pub fn send(&self, message: &Message) -> Result {
        match message {
            Message::Text(text) => self.send_text(text),
            Message::Binary(bytes) => self.send_kind(abi::WS_BINARY, bytes),
        }
    }

    pub fn send_text(&self, text: &str) -> Result {
        self.send_kind(abi::WS_TEXT, text.as_bytes())
    }

    fn send_kind(&self, kind: u32, data: &[u8]) -> Result {
        // SAFETY: the host reads it only.
        done(unsafe { abi::ws_send(kind as i32, data.as_ptr(), data.len()) }).map(drop)
    }

    /// Closes it, behind what was sent.
    pub fn close(&self, code: u16, reason: &str) -> Result {
        // SAFETY: the host reads the text only.
        done(unsafe { abi::ws_close(code.into(), reason.as_ptr(), reason.len()) }).map(drop)
    }
}
