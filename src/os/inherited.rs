//! Descriptors that a process was started with.

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd};

/// Takes over an inherited descriptor. To be called once for each number, before anything else is opened; programs that
/// this process starts do not inherit it in turn.
///
/// # Errors
/// When there is none of this number.
pub fn take(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: the descriptor is only looked at; an invalid one is reported by the call.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_setfd(borrowed, rustix::io::FdFlags::CLOEXEC)?;
    // SAFETY: the descriptor is open, as was just seen, and nobody else in this process knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
