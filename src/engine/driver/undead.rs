//! Processes after their end: reaping them, or leaving them as zombies until the end of the run where that is the lesson, and
//! what `/proc` shows of those that are dead or have lost their parent.

use std::io;
use std::time::{Duration, Instant};

use super::core::Core;
use crate::engine::event::{Event, Severity, WorkerId};
use crate::os::child::Reaped;
use crate::os::clock::monotonic;
use crate::os::orphans;

/// Looking may take one part in so many of the time.
const SHARE: u32 = 50;

/// How pressing a look is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// All tasks have their outcomes.
    Now,
    /// As often as it costs little.
    NowAndThen,
}

impl Core {
    /// What became of a worker whose end was noticed at this reading of the monotonic clock; `None` where it is not ours any
    /// more.
    pub(super) fn reap(&mut self, worker: WorkerId, noticed: u64) -> Option<io::Result<Option<Reaped>>> {
        let leaves_zombies = self.leaves_zombies;
        let place = &mut self.link(worker)?.child;
        let child = place.as_mut()?;
        if leaves_zombies {
            let looked = child.try_look();
            if let (Ok(Some(_)), Some(child)) = (&looked, place.take_if(|_| matches!(looked, Ok(Some(_))))) {
                self.undead.zombies.push((worker, child, noticed));
            }
            return Some(looked);
        }
        let reaped = child.try_reap();
        if let Ok(Some(_)) = reaped {
            self.tell_reaped(worker, noticed);
        }
        Some(reaped)
    }

    fn tell_reaped(&mut self, worker: WorkerId, noticed: u64) {
        let after = Duration::from_nanos(monotonic().saturating_sub(noticed));
        self.observer.event(self.clock.now(), &Event::WorkerReaped { worker, after });
    }

    /// The run is over: nobody is left as a zombie.
    pub(super) fn reap_zombies(&mut self) {
        let zombies = std::mem::take(&mut self.undead.zombies);
        if !zombies.is_empty() {
            let text = format!("{} processes that had ended were left as zombies until now", zombies.len());
            self.note(Severity::Info, text);
        }
        for (worker, mut child, noticed) in zombies {
            match child.try_reap() {
                Ok(Some(_)) => self.tell_reaped(worker, noticed),
                Ok(None) => {}
                Err(error) => self.note(Severity::Warning, format!("a zombie could not be reaped: {error}")),
            }
        }
    }

    /// Counts in `/proc`.
    pub(super) fn look_at_undead(&mut self, looked: Looked) {
        let begin = Instant::now();
        if looked == Looked::NowAndThen && self.undead.next_look.is_some_and(|next| begin < next) {
            return;
        }
        // As long as they are left on purpose, their number is known, and to look at thousands would hold up everything.
        let left = self.undead.zombies.len() as u64;
        let zombies = if looked == Looked::NowAndThen && left > 0 { left } else { orphans::zombies_of_this_thread() };
        let new_orphans = std::mem::take(&mut self.new_orphans);
        self.undead.next_look = Some(begin + begin.elapsed() * SHARE);
        self.observer.event(self.clock.now(), &Event::Undead { zombies, new_orphans, over: looked == Looked::Now });
    }
}
