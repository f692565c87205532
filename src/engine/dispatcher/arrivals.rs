//! Tasks that come: an open workload's arrivals do not wait for the engine.

use std::time::Duration;

use super::Dispatcher;
use super::input::Sink;
use crate::engine::event::{Moment, RunState};
use crate::engine::outcome::Counts;
use crate::engine::stream::Admission;
use crate::workload::model::OnFull;

/// The arrivals that are still to come.
pub(super) struct Arrivals {
    times: Option<Box<dyn Iterator<Item = Duration> + Send>>,
    /// The next one, drawn from `times` already.
    next: Option<Moment>,
    /// Position in the stream of the next one.
    position: u64,
    total: u64,
    max_in_flight: Option<u64>,
    on_full: OnFull,
}

impl std::fmt::Debug for Arrivals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arrivals").field("next", &self.next).field("position", &self.position).finish_non_exhaustive()
    }
}

impl Arrivals {
    pub(super) fn new(admission: Admission, total: u64) -> Self {
        let mut arrivals = match admission {
            Admission::Batch => {
                Self { times: None, next: None, position: 0, total, max_in_flight: None, on_full: OnFull::Block }
            }
            Admission::Open { times, max_in_flight, on_full } => {
                Self { times: Some(times), next: None, position: 0, total, max_in_flight, on_full }
            }
        };
        arrivals.draw();
        arrivals
    }

    pub(super) fn is_batch(&self) -> bool {
        self.times.is_none() && self.position == 0
    }

    pub(super) fn exhausted(&self) -> bool {
        self.next.is_none()
    }

    /// No more will come.
    pub(super) fn end(&mut self) {
        self.next = None;
    }

    fn draw(&mut self) {
        self.next = (self.position < self.total)
            .then(|| self.times.as_mut().and_then(Iterator::next))
            .flatten()
            .map(|time| Moment::ZERO + time);
    }
}

fn in_system(counts: &Counts) -> u64 {
    counts.submitted - counts.finished()
}

impl Dispatcher {
    /// When the next arrival can be admitted; `None` while arrivals are blocked.
    pub(super) fn next_arrival(&self) -> Option<Moment> {
        self.arrivals.next.filter(|_| !self.blocked())
    }

    fn full(&self) -> bool {
        self.arrivals.max_in_flight.is_some_and(|most| in_system(&self.counts) >= most)
    }

    fn blocked(&self) -> bool {
        self.arrivals.on_full == OnFull::Block && self.full()
    }

    /// Admits every task whose time has come, and ends the waiting of those whose `queue_timeout` has run out.
    pub(super) fn admit(&mut self, now: Moment, out: &mut dyn Sink) {
        if self.state.is_over() || self.state == RunState::Suspended {
            return;
        }
        self.admit_due(now);
        // What expires leaves room, and what was blocked until now may have expired outside.
        while self.expire_queue(now, out) {
            self.admit_due(now);
        }
    }

    fn admit_due(&mut self, now: Moment) {
        while let Some(at) = self.arrivals.next.filter(|at| *at <= now) {
            if self.blocked() {
                return;
            }
            self.counts.submitted += 1;
            let full = self.arrivals.max_in_flight.is_some_and(|most| in_system(&self.counts) > most);
            if full {
                self.counts.dropped += 1;
            } else {
                self.queue.admit(self.arrivals.position, at);
            }
            self.arrivals.position += 1;
            self.arrivals.draw();
        }
    }
}
