//! Pending timers, as data. A timer about a worker names it for good, so that a stale one is harmless.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use crate::engine::dispatcher::input::Due;
use crate::engine::dispatcher::queue::Ticket;
use crate::engine::event::{Moment, Slot, WorkerId};

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// Look at a lane.
    Watch { slot: Slot },
    /// The fork server with this number should have said something.
    ForkServer(u32),
    /// The fork server with this number was killed and is waited for no longer.
    ForkServerStuck(u32),
    /// A worker should have come so far by now.
    Due(WorkerId, Due),
    /// A killed worker that is not gone is waited for no longer.
    Stuck(WorkerId),
    /// A worker without work should have left.
    Leave(WorkerId),
    /// The run has no more work, and every worker should have left.
    Join(WorkerId),
    /// Try again to start a worker.
    Start(WorkerId),
    /// The user wants a worker killed that is in a task: it is asked again who is.
    Kill,
    /// It was laid down that a worker is killed now.
    KillWorker(Option<Slot>),
    /// It was laid down that something goes wrong in the next task that begins: the number of the order.
    Fault(u8),
    /// The pause before another attempt is over.
    Retry(Ticket),
}

#[derive(Debug)]
struct PendingTimer {
    at: Moment,
    sequence: u64,
    timer: Timer,
}

impl PartialEq for PendingTimer {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for PendingTimer {}

impl PartialOrd for PendingTimer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PendingTimer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl PendingTimer {
    fn key(&self) -> (Moment, u64) {
        (self.at, self.sequence)
    }
}

/// Pending timers in order of time; those of the same time in the order in which they were set.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<PendingTimer>>,
    sequence: u64,
    /// When each lane is looked at next: one entry for each, which moves, so that their number stays small however
    /// often they move.
    watches: BTreeSet<(Moment, Slot)>,
}

impl Timers {
    pub(super) fn set(&mut self, at: Moment, timer: Timer) {
        self.sequence += 1;
        self.heap.push(Reverse(PendingTimer { at, sequence: self.sequence, timer }));
    }

    /// Moves the look at a lane.
    pub(super) fn watch(&mut self, slot: Slot, from: Option<Moment>, to: Option<Moment>) {
        if let Some(at) = from {
            self.watches.remove(&(at, slot));
        }
        if let Some(at) = to {
            self.watches.insert((at, slot));
        }
    }

    fn next_set(&self) -> Option<Moment> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    fn next_watch(&self) -> Option<Moment> {
        self.watches.first().map(|(at, _)| *at)
    }

    pub(super) fn next(&self) -> Option<Moment> {
        [self.next_set(), self.next_watch()].into_iter().flatten().min()
    }

    pub(super) fn pop_due(&mut self, now: Moment) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        if self.next_set().is_some_and(|at| at <= now) {
            return self.heap.pop().map(|Reverse(entry)| entry.timer);
        }
        self.watches.pop_first().map(|(_, slot)| Timer::Watch { slot })
    }

    /// Takes out every pending retry.
    pub(super) fn take_retries(&mut self) -> Vec<Ticket> {
        let (retries, rest): (Vec<_>, Vec<_>) =
            self.heap.drain().partition(|Reverse(entry)| matches!(entry.timer, Timer::Retry(_)));
        self.heap = rest.into();
        retries
            .into_iter()
            .filter_map(|Reverse(entry)| if let Timer::Retry(ticket) = entry.timer { Some(ticket) } else { None })
            .collect()
    }
}
