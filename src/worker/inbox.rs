//! What the parent has sent and no lane has looked at yet. Knows frames and not what is in them.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;

use crate::worker::protocol::{self, Frame};

/// Bytes read at once, as many again as are there for a frame that is not whole yet: few at first, because each page of
/// the buffer costs a fault in a process that lives for one task.
const READ: usize = 1024;

/// Bytes of frames.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    /// Bytes from the beginning that were looked at.
    used: usize,
}

impl Inbox {
    /// One that has these bytes already.
    pub(super) fn holding(bytes: Vec<u8>) -> Self {
        Self { bytes, used: 0 }
    }

    /// Reads what there is, and waits until there is something; `false` at the end of the socket.
    pub(super) fn receive(&mut self, mut socket: &UnixStream) -> io::Result<bool> {
        self.bytes.drain(..self.used);
        self.used = 0;
        let begin = self.bytes.len();
        self.bytes.resize(begin + READ.max(begin), 0);
        let count = loop {
            match socket.read(&mut self.bytes[begin..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.bytes.truncate(begin + *count.as_ref().unwrap_or(&0));
        Ok(count? > 0)
    }

    /// The next whole frame that was read.
    pub(super) fn next(&mut self) -> io::Result<Option<Frame<'_>>> {
        let frame = protocol::split(&self.bytes[self.used..]).map_err(io::Error::other)?;
        self.used += frame.as_ref().map_or(0, Frame::length);
        Ok(frame)
    }
}
