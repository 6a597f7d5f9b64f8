use std::io::{self, Read, Write};

use crate::error::{done, ErrorKind, Result};
use crate::mail::FOR_EVER;
use crate::{abi, task};

/// One end of a stream of bytes. Dropped, a reader's tells the writer that nobody reads; a writer's that was not ended has given
/// up, so that nobody takes half for all.
#[derive(Debug)]
pub struct Stream {
    handle: i32,
}

/// What a stream that can do nothing right now says.
fn unless_busy(result: i32) -> Option<Result<usize>> {
    (result != abi::ERR_TIMEOUT).then(|| done(result).map(|size| size as usize))
}

impl Stream {
    pub(crate) fn of(handle: i32) -> Stream {
        Stream { handle }
    }

    pub(crate) fn handle(&self) -> i32 {
        self.handle
    }

    /// It is another's now.
    pub(crate) fn forget(self) {
        std::mem::forget(self);
    }

    /// A new stream, as its reader and its writer, that holds as much as the capability allows.
    pub fn pair() -> Result<(Stream, Stream)> {
        let mut pair = abi::StreamPair::ZERO;
        // SAFETY: it lives until it returns.
        done(unsafe { abi::stream_open(0, &mut pair) })?;
        Ok((Stream::of(pair.reader), Stream::of(pair.writer)))
    }

    /// Reads at least one byte; other tasks go on. 0: all was read.
    pub async fn read_async(&mut self, to: &mut [u8]) -> Result<usize> {
        loop {
            // SAFETY: the host writes at most as much as there is room for.
            let read = unsafe { abi::stream_try_read(self.handle, to.as_mut_ptr(), to.len()) };
            if let Some(result) = unless_busy(read) {
                return result;
            }
            task::ready(abi::WAIT_READABLE, self.handle).await?;
        }
    }

    /// Reads all that comes; other tasks go on.
    pub async fn read_to_end_async(&mut self) -> Result<Vec<u8>> {
        let (mut all, mut piece) = (Vec::new(), vec![0; 4096]);
        loop {
            let size = self.read_async(&mut piece).await?;
            if size == 0 {
                return Ok(all);
            }
            all.extend_from_slice(&piece[..size]);
        }
    }

    /// Writes all; other tasks go on.
    pub async fn write_all_async(&mut self, mut data: &[u8]) -> Result {
        while !data.is_empty() {
            // SAFETY: the host reads it only.
            let written = unsafe { abi::stream_try_write(self.handle, data.as_ptr(), data.len()) };
            match unless_busy(written) {
                Some(result) => data = &data[result?.min(data.len())..],
                None => task::ready(abi::WAIT_WRITABLE, self.handle).await?,
            }
        }
        Ok(())
    }

    /// No more will be written: the reader gets what is unread, and then the end.
    pub fn end(self) -> Result {
        // SAFETY: a number is passed; so with those below.
        let result = done(unsafe { abi::stream_end(self.handle) }).map(drop);
        self.forget();
        result
    }

    /// Gives up writing: the reader gets [`Aborted`](ErrorKind::Aborted), and can ask for the reason, a number above 0.
    pub fn abort(self, reason: i32) -> Result {
        // SAFETY: as above.
        let result = done(unsafe { abi::stream_abort(self.handle, reason) }).map(drop);
        if result.is_ok() {
            self.forget();
        }
        result
    }

    /// Why the writer aborted.
    pub fn reason(&self) -> u32 {
        // SAFETY: as above.
        done(unsafe { abi::stream_reason(self.handle) }).unwrap_or(0)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { abi::stream_close(self.handle) };
    }
}

impl Read for Stream {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if to.is_empty() {
            return Ok(0);
        }
        // SAFETY: the host writes at most as much as there is room for.
        Ok(done(unsafe { abi::stream_read(self.handle, to.as_mut_ptr(), to.len(), FOR_EVER) })? as usize)
    }
}

impl Write for Stream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.is_empty() {
            return Ok(0);
        }
        // SAFETY: the host reads it only.
        let written = done(unsafe { abi::stream_write(self.handle, data.as_ptr(), data.len(), FOR_EVER) })?;
        match written {
            0 => Err(crate::Error::from(ErrorKind::Closed).into()),
            _ => Ok(written as usize),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
