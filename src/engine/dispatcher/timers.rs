//! Pending timers, as data. A timer about a worker carries its epoch, so that a stale one is harmless.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::engine::event::Moment;
use crate::engine::queue::Ticket;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// See whether the worker's task has worked too long.
    Deadline { slot: u32, epoch: u32 },
    /// The grace period after SIGTERM is over.
    Grace { slot: u32, epoch: u32 },
    /// A killed worker should be gone.
    Stuck { slot: u32, epoch: u32 },
    /// A worker without work should have left.
    Leave { slot: u32, epoch: u32 },
    /// Try again to start a worker.
    Start { slot: u32, epoch: u32 },
    /// The pause before another attempt is over.
    Retry(Ticket),
}

#[derive(Debug)]
struct Entry {
    at: Moment,
    sequence: u64,
    timer: Timer,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Entry {
    fn key(&self) -> (Moment, u64) {
        (self.at, self.sequence)
    }
}

/// Pending timers in order of time; those of the same time in the order in which they were set.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
}

impl Timers {
    pub(super) fn set(&mut self, at: Moment, timer: Timer) {
        self.sequence += 1;
        self.heap.push(Reverse(Entry { at, sequence: self.sequence, timer }));
    }

    pub(super) fn next(&self) -> Option<Moment> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    pub(super) fn pop_due(&mut self, now: Moment) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry.timer)
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
