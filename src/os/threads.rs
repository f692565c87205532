//! Threads that are guests in their process: no signal that it gets is handled on one of them.

use std::io;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::os::signals::Blocked;

/// Starts a thread on which all signals are blocked but those of its own faults.
///
/// A handler of the host would run on it otherwise and interrupt it, and what is written to a reader that has gone
/// would end the process where SIGPIPE has its default.
///
/// # Errors
/// When the system has no thread left to give.
pub(crate) fn start<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    // A thread begins with the mask of the one that starts it.
    let _blocked = Blocked::all_but_faults();
    Builder::new().name(name.to_owned()).spawn(body)
}

/// CPU time of the calling thread.
#[must_use]
pub(crate) fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::process_owner::ProcessOwner;

    #[test]
    fn signals_are_for_others() {
        let mask = || {
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
            u64::from_str_radix(line.trim(), 16).unwrap()
        };
        let before = mask();
        let blocked = start("test", mask).unwrap().join().unwrap();
        assert_eq!(mask(), before, "the thread that starts another keeps its mask");
        let has = |signal: i32| blocked >> (signal - 1) & 1 == 1;
        // That of a guest; in a process of ours there is nobody for it.
        assert_eq!(has(libc::SIGCHLD), ProcessOwner::current().is_none());
        assert!([libc::SIGTERM, libc::SIGPIPE, libc::SIGUSR1, libc::SIGPROF].into_iter().all(has));
        assert!(![libc::SIGSEGV, libc::SIGBUS, libc::SIGABRT].into_iter().any(has));
    }
}
