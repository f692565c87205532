//! What a process was started with: descriptors, signals, umask and limits.
//!
//! The program that starts Poolscope may have left behind ignored or blocked signals, an odd umask, or low limits. For
//! the program itself they are put right once, at its start ([`settle`]); what belongs to the caller is kept for the
//! processes that are started ([`caller`]). A library in a host's process changes none of it.

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::os::process_owner::ProcessOwner;
use crate::os::signals;

/// What the caller of the program had, for the processes that it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    pub umask: u32,
    /// Its soft limit of open descriptors (`RLIMIT_NOFILE`).
    pub descriptors: u64,
    /// The hard one.
    pub most_descriptors: u64,
    /// Its soft limit of the size of files (`RLIMIT_FSIZE`).
    pub file_size: u64,
    /// The hard one.
    pub most_file_size: u64,
}

impl Caller {
    /// The same with another limit of open files, where one is given.
    #[must_use]
    pub(crate) fn with_open_files(self, most: Option<u64>) -> Self {
        most.map_or(self, |most| Self { descriptors: most, most_descriptors: most, ..self })
    }
}

static CALLER: OnceLock<Caller> = OnceLock::new();

/// The caller's settings, where this process has changed its own; `None` where it has not.
#[must_use]
pub(crate) fn caller() -> Option<Caller> {
    CALLER.get().copied()
}

/// Takes over the caller's settings from the process that has changed them: for a worker, which starts programs too.
pub(crate) fn set_caller(caller: Option<Caller>) {
    if let Some(caller) = caller {
        // The first one stands: a process has one caller.
        let _ = CALLER.set(caller);
    }
}

/// Puts right what the program was started with. To be called once, before anything else is set up.
///
/// * Signals get their default, and none stays blocked: an ignored SIGCHLD would take the ends of children away, an
///   ignored SIGTERM the way out. SIGHUP stays ignored where it was (nohup(1)).
/// * Files that are written can be read by their owner, whatever the umask says; the rest of it holds.
/// * As many descriptors may be open, and files be as large, as the hard limits allow; descriptors beyond the first three
///   are not passed on.
/// * A file that becomes too large (`RLIMIT_FSIZE`) is an error instead of the end.
pub fn settle(process: ProcessOwner) {
    // SAFETY: plain system calls on values, and on plain data that lives here.
    unsafe {
        for signal in 1..=signals::LAST {
            // The runtime itself ignores SIGPIPE, so that a reader that has gone is an error.
            if !matches!(signal, libc::SIGPIPE | libc::SIGHUP) && signals::is_ignored(signal) {
                signals::reset(signal);
            }
        }
        signals::report_file_size(process);
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());

        let umask = libc::umask(0o077);
        libc::umask(umask & 0o077);
        let (descriptors, files) = (raise(libc::RLIMIT_NOFILE), raise(libc::RLIMIT_FSIZE));
        set_caller(Some(Caller {
            umask,
            descriptors: descriptors.rlim_cur,
            most_descriptors: descriptors.rlim_max,
            file_size: files.rlim_cur,
            most_file_size: files.rlim_max,
        }));
        // No child gets what was open here.
        libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_int);
    }
}

/// Raises a soft limit to the hard one; what it was before.
///
/// # Safety
/// None is needed: it is a system call on plain data.
unsafe fn raise(resource: libc::__rlimit_resource_t) -> libc::rlimit {
    let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: plain data that lives here.
    unsafe {
        libc::getrlimit(resource, &raw mut before);
        let raised = libc::rlimit { rlim_cur: before.rlim_max, ..before };
        // Where it may not be raised, what needs it says so.
        libc::setrlimit(resource, &raw const raised);
    }
    before
}

/// Takes over an inherited descriptor. To be called once for each number, before anything else is opened; programs that
/// this process starts do not inherit it in turn.
///
/// # Errors
/// When there is none of this number.
pub(crate) fn take(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: the descriptor is only looked at; an invalid one is reported by the call.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_setfd(borrowed, rustix::io::FdFlags::CLOEXEC)?;
    // SAFETY: the descriptor is open, as was just seen, and nothing else in this process knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
