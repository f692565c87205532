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

/// A pipe for one line of so many bytes, which tells when it is taken out, if that can be had: the line must fit in one page.
/// Its write end does not block.
///
/// # Errors
/// `EMFILE` or `ENFILE` when no descriptor is left.
pub(crate) fn telling_pipe(bytes: usize) -> io::Result<(OwnedFd, OwnedFd, Tells)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&write, true)?;
    let tells = bytes <= rustix::param::page_size() && is_one_page(&write);
    Ok((read, write, if tells { Tells::WhenTaken } else { Tells::Nothing }))
}

/// Has a pipe hold a single page. One that does is full with a single byte, and ready for more when that is taken out (pipe(7)).
#[cfg(target_os = "linux")]
fn is_one_page(write: &OwnedFd) -> bool {
    let page = rustix::param::page_size();
    rustix::pipe::fcntl_setpipe_size(write, page).is_ok_and(|size| size == page)
}

#[cfg(not(target_os = "linux"))]
fn is_one_page(_: &OwnedFd) -> bool {
    false
}

/// Whether a pipe tells that it was emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tells {
    /// Its write end becomes ready then.
    WhenTaken,
    Nothing,
}

/// Whether everything was taken out of a pipe, by its write end.
pub(crate) fn is_taken(write: &OwnedFd) -> bool {
    rustix::io::ioctl_fionread(write).is_ok_and(|held| held == 0)
}

/// Lets a pipe hold as much as pipes do. One that cannot is only slower.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "none was made smaller"))]
pub(crate) fn widen(write: &OwnedFd) {
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(write, 64 * 1024);
}

/// Takes what comes out of a pipe.
pub trait Sink {
    /// Takes the next bytes.
    fn push(&mut self, bytes: &[u8]);
}

impl Sink for Capture {
    fn push(&mut self, bytes: &[u8]) {
        Capture::push(self, bytes);
    }
}

impl Sink for Vec<u8> {
    fn push(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
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
pub fn drain(fd: &OwnedFd, sink: &mut impl Sink) -> Drained {
    let mut buffer = [0u8; 16 * 1024];
    for _ in 0..MOST_HELD / buffer.len() {
        match rustix::io::read(fd, &mut buffer) {
            Ok(0) => return Drained::Closed,
            Ok(count) => sink.push(&buffer[..count]),
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => return Drained::Open,
            // A broken pipe gives nothing more.
            Err(_) => return Drained::Closed,
        }
    }
    Drained::Open
}
