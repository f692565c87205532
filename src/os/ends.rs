//! When processes ended, seen by a thread that does nothing else.
//!
//! The kernel tells that a process has ended, and not when. Whoever starts processes is busy for a while with each, and
//! learns of ends late; this thread sleeps until there is one and reads the clock. It costs a wake-up for each end that is
//! awaited, so nobody is awaited here whose own word says when its work was done. Reaps nobody and signals nobody.
//!
//! Where this whole program is stopped (SIGSTOP) the thread is too, and what it reads afterwards is later than the end. It
//! wakes ten times a second to know: after a gap in that, an end has come at some moment in the gap.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use crate::os::clock::monotonic;
use crate::os::pipe::pipe;
use crate::os::threads;

/// How often the thread wakes without an end.
const BEAT: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// Nanoseconds without a wake-up in which it may have been stopped: more than a busy machine makes of a beat.
pub(crate) const GAP: u64 = 400_000_000;
/// In what is kept of an end: it came after a gap.
const AFTER_GAP: u64 = 1 << 63;
/// Tells the thread that it is not needed any more.
const OVER: u64 = 0;
/// Ends that are read at once.
const AT_ONCE: usize = 64;

/// The thread. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Ends {
    shared: Arc<Shared>,
    /// The thread ends when this is closed.
    open: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
    last: u64,
}

#[derive(Debug)]
struct Shared {
    epoll: OwnedFd,
    awaited: Mutex<BTreeMap<u64, Arc<AtomicU64>>>,
}

impl Shared {
    fn awaited(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<AtomicU64>>> {
        // A thread that panicked with the lock did not leave the table half changed.
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of one process.
#[derive(Debug)]
pub(crate) struct End {
    shared: Arc<Shared>,
    key: u64,
    /// 0 until it was seen.
    at: Arc<AtomicU64>,
    /// It is seen as long as a descriptor of its kind is open.
    pidfd: Option<OwnedFd>,
}

impl End {
    /// Keeps the pidfd that it was awaited by, which nobody else has.
    #[must_use]
    pub(crate) fn keeping(mut self, pidfd: OwnedFd) -> Self {
        self.pidfd = Some(pidfd);
        self
    }

    /// When it was seen, and whether it may have come long before. `None` until then.
    #[must_use]
    pub(crate) fn seen(&self) -> Option<Seen> {
        let seen = Some(self.at.load(Ordering::Acquire)).filter(|at| *at > 0)?;
        Some(Seen { at: seen & !AFTER_GAP, after_gap: seen & AFTER_GAP != 0 })
    }
}

/// When an end was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// A reading of the monotonic clock, as early as the system has let the thread have its turn.
    pub at: u64,
    /// Whether the thread had stood still before.
    pub after_gap: bool,
}

impl Drop for End {
    fn drop(&mut self) {
        self.shared.awaited().remove(&self.key);
    }
}

impl Ends {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no descriptor or no thread left.
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let (closed, open) = pipe()?;
        epoll::add(&epoll, &closed, EventData::new_u64(OVER), EventFlags::IN)?;
        let shared = Arc::new(Shared { epoll, awaited: Mutex::default() });
        let seen = Arc::clone(&shared);
        let thread = threads::start("ends", move || {
            watch(&seen);
            drop(closed);
        })?;
        Ok(Self { shared, open: Some(open), thread: Some(thread), last: OVER })
    }

    /// Awaits the end of the process of this pidfd, which may have ended already.
    ///
    /// # Errors
    /// When the system does not watch any more descriptors.
    pub(crate) fn of(&mut self, pidfd: impl AsFd) -> io::Result<End> {
        self.last += 1;
        let end = End { shared: Arc::clone(&self.shared), key: self.last, at: Arc::default(), pidfd: None };
        self.shared.awaited().insert(end.key, Arc::clone(&end.at));
        // It leaves the set with the last descriptor of its kind.
        let flags = EventFlags::IN | EventFlags::ONESHOT;
        epoll::add(&self.shared.epoll, pidfd, EventData::new_u64(end.key), flags)?;
        Ok(end)
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        drop(self.open.take());
        if let Some(thread) = self.thread.take() {
            // What a panic there said was printed by the panic hook.
            let _ = thread.join();
        }
    }
}

fn watch(shared: &Shared) {
    let nothing = Event { flags: EventFlags::empty(), data: EventData::new_u64(OVER) };
    let mut events = [nothing; AT_ONCE];
    let mut last = monotonic();
    loop {
        let count = match epoll::wait(&shared.epoll, &mut events[..], Some(&BEAT)) {
            Ok(count) => count,
            Err(rustix::io::Errno::INTR) => continue,
            // Nothing can be seen any more: whoever asks is told so.
            Err(_) => return,
        };
        let now = monotonic();
        let gap = if now.saturating_sub(last) > GAP { AFTER_GAP } else { 0 };
        last = now;
        let mut awaited = shared.awaited();
        for event in &events[..count] {
            let key = event.data.u64();
            if key == OVER {
                return;
            }
            if let Some(at) = awaited.remove(&key) {
                at.store(now | gap, Ordering::Release);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::spawn::Program;

    #[test]
    fn an_end_is_seen_when_it_comes_and_not_when_it_is_asked_for() {
        let mut ends = Ends::new().unwrap();
        // Nothing that ends with its input, which may be none.
        let mut child = Program::new(&["/bin/sleep", "600"]).unwrap().spawn(&[]).unwrap();
        let end = ends.of(child.pidfd().unwrap()).unwrap();
        assert_eq!(end.seen(), None, "it lives");
        let before = monotonic();
        child.signal(rustix::process::Signal::KILL).unwrap();
        while end.seen().is_none() {
            std::thread::yield_now();
        }
        let seen = end.seen().unwrap();
        assert!(!seen.after_gap && seen.at >= before && seen.at <= monotonic());
        child.wait().unwrap();
        assert_eq!(end.seen(), Some(seen), "however late it is reaped");
        let mut other = Program::new(&["/bin/sleep", "600"]).unwrap().spawn(&[]).unwrap();
        drop(ends.of(other.pidfd().unwrap()).unwrap());
        assert!(ends.shared.awaited().is_empty(), "nobody waits for what nobody asks for any more");
        other.signal(rustix::process::Signal::KILL).unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn what_has_ended_before_is_seen_at_once() {
        let child = Program::new(&["/bin/true"]).unwrap().spawn(&[]).unwrap();
        while !child.has_ended() {
            std::thread::yield_now();
        }
        let mut ends = Ends::new().unwrap();
        let end = ends.of(child.pidfd().unwrap()).unwrap();
        while end.seen().is_none() {
            std::thread::yield_now();
        }
    }
}
