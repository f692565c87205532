//! Pipes for the output of children.

use std::io;
use std::os::fd::OwnedFd;

use rustix::pipe::{PipeFlags, pipe_with};

use crate::os::capture::Capture;

/// A pipe whose ends are both closed on exec; (read end, write end). The read end does not block.
///
/// # Errors
/// `EMFILE` or `ENFILE` when no descriptor is left.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&read, true)?;
    Ok((read, write))
}

/// Whether a pipe has more to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every writer has closed it.
    Closed,
    /// A writer may still write.
    Open,
}

/// Most that a pipe holds without privileges (`/proc/sys/fs/pipe-max-size`, pipe(7)).
const MOST_HELD: usize = 1 << 20;

/// Reads what is there without waiting, and no more than a pipe can hold: a writer that is faster than this reader does
/// not hold the reader here.
pub fn drain(fd: &OwnedFd, capture: &mut Capture) -> Drained {
    let mut buffer = [0u8; 16 * 1024];
    for _ in 0..MOST_HELD / buffer.len() {
        match rustix::io::read(fd, &mut buffer) {
            Ok(0) => return Drained::Closed,
            Ok(count) => capture.push(&buffer[..count]),
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => return Drained::Open,
            // A broken pipe gives nothing more.
            Err(_) => return Drained::Closed,
        }
    }
    Drained::Open
}
