//! Forks for a process that is a fork server: the child runs on in a copy of its memory and is a child of the server's own
//! parent (`CLONE_PARENT`, clone(2)), which is told how it ended and what it used, as of any child that it starts itself.
//!
//! Such a child gets the signal of its end from its siblings (the server was started with SIGCHLD), and its
//! `PR_SET_PDEATHSIG` and `getppid` refer to that parent.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// What the system calls `clone`, `clone3` and `set_tid_address` (syscalls(2)), for programs that fork so themselves; 0 where
/// it has no such forks.
#[cfg(target_os = "linux")]
pub(crate) const NUMBERS: [i64; 3] = [libc::SYS_clone, libc::SYS_clone3, libc::SYS_set_tid_address];
#[cfg(not(target_os = "linux"))]
pub(crate) const NUMBERS: [i64; 3] = [0; 3];

/// Evidence that this process has one thread: a copy of one that has more would be a copy of some of their locks, held by
/// nobody.
#[derive(Debug)]
pub(crate) struct Alone(());

/// Where the caller of [`Alone::fork_sibling`] finds itself.
#[derive(Debug)]
pub(crate) enum Forked {
    /// In the server.
    Server { pid: u32, pidfd: OwnedFd },
    /// In the new process.
    Sibling,
}

impl Alone {
    /// # Errors
    /// When this process has more than one thread, or that cannot be told.
    pub(crate) fn claim() -> io::Result<Self> {
        match std::fs::read_dir("/proc/self/task")?.count() {
            1 => Ok(Self(())),
            threads => Err(io::Error::other(format!("a fork server with {threads} threads"))),
        }
    }

    /// Forks; the child is born in this control group (version 2), where one is given.
    ///
    /// # Errors
    /// `EAGAIN` and `ENOMEM` when the system is short of something; `Unsupported` where it has no such forks.
    pub(crate) fn fork_sibling(&self, group: Option<BorrowedFd<'_>>) -> io::Result<Forked> {
        #[cfg(target_os = "linux")]
        return linux::fork_sibling(group);
        #[cfg(not(target_os = "linux"))]
        {
            let _ = group;
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

    use super::Forked;
    use crate::os::spawn::start::{CLONE_INTO_CGROUP, CloneArguments};

    pub(super) fn fork_sibling(group: Option<BorrowedFd<'_>>) -> io::Result<Forked> {
        let flags = libc::CLONE_PARENT | libc::CLONE_PIDFD;
        let mut pidfd: RawFd = -1;
        let made = match group {
            None => {
                let (stack, nothing) = (0usize, 0usize);
                // SAFETY: without CLONE_VM the child has its own copy of everything, this stack included, and there is
                // one thread. The order of the last two arguments differs between machines; both are zero.
                unsafe { libc::syscall(libc::SYS_clone, flags as usize, stack, &raw mut pidfd, nothing, nothing) }
            }
            Some(group) => {
                // It refuses an exit signal beside CLONE_PARENT: the child has that of its siblings.
                let arguments = CloneArguments {
                    flags: flags as u64 | CLONE_INTO_CGROUP,
                    pidfd: &raw mut pidfd as u64,
                    cgroup: group.as_raw_fd() as u64,
                    ..CloneArguments::default()
                };
                // SAFETY: as above; without a stack of its own the child goes on on its copy of this one.
                unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<CloneArguments>()) }
            }
        };
        match u32::try_from(made) {
            Err(_) => Err(io::Error::last_os_error()),
            Ok(0) => Ok(Forked::Sibling),
            // SAFETY: the kernel has just made this descriptor for us.
            Ok(pid) => Ok(Forked::Server { pid, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } }),
        }
    }
}
