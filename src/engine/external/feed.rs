//! Which task of the stream comes next, and when it may: arrivals, and what waits for the program to want it. Pure.

use std::collections::VecDeque;

use crate::engine::event::Moment;
use crate::engine::outcome::Counts;
use crate::engine::stream::{Admission, ArrivalMoments, StreamRun, TaskStream};
use crate::workload::model::OnFull;

/// See the module docs.
pub(super) struct Feed {
    stream: Box<dyn TaskStream>,
    total: u64,
    arrivals: Option<ArrivalTimes>,
    /// Positions that were given out, of a batch.
    given: u64,
    /// Positions that have arrived and were not given out, with their arrivals; empty for a batch.
    waiting: VecDeque<(u64, Moment)>,
}

struct ArrivalTimes {
    times: Box<dyn ArrivalMoments>,
    next: Option<Moment>,
    position: u64,
    max_in_flight: Option<u64>,
    on_full: OnFull,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("total", &self.total).field("given", &self.given).finish_non_exhaustive()
    }
}

impl ArrivalTimes {
    fn draw(&mut self, total: u64) {
        self.next = (self.position < total).then(|| self.times.next()).flatten();
    }

    fn is_full(&self, counts: &Counts) -> bool {
        self.max_in_flight.is_some_and(|most| counts.submitted - counts.finished() >= most)
    }

    fn is_blocked(&self, counts: &Counts) -> bool {
        self.on_full == OnFull::Block && self.is_full(counts)
    }
}

impl Feed {
    /// `None` where tasks are submitted while the run goes on.
    pub(super) fn new(stream: Box<dyn TaskStream>, admission: Admission) -> Option<Self> {
        let total = stream.total()?;
        let arrivals = match admission {
            Admission::Batch => None,
            Admission::Submitted { .. } => return None,
            Admission::Open { times, max_in_flight, on_full } => {
                let mut arrivals = ArrivalTimes { times, next: None, position: 0, max_in_flight, on_full };
                arrivals.draw(total);
                Some(arrivals)
            }
        };
        Some(Self { stream, total, arrivals, given: 0, waiting: VecDeque::new() })
    }

    /// Tasks that are there from the start.
    pub(super) fn submitted_at_start(&self) -> u64 {
        if self.arrivals.is_none() { self.total } else { 0 }
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Admits every task whose time has come.
    pub(super) fn admit(&mut self, now: Moment, counts: &mut Counts) {
        let Some(arrivals) = &mut self.arrivals else { return };
        while let Some(at) = arrivals.next.filter(|at| *at <= now) {
            if arrivals.is_blocked(counts) {
                return;
            }
            if arrivals.is_full(counts) {
                counts.dropped += 1;
            } else {
                self.waiting.push_back((arrivals.position, at));
            }
            counts.submitted += 1;
            arrivals.position += 1;
            arrivals.draw(self.total);
        }
    }

    /// When the next task arrives; `None` where none is waited for.
    pub(super) fn next_arrival(&self, counts: &Counts) -> Option<Moment> {
        self.arrivals.as_ref().filter(|arrivals| !arrivals.is_blocked(counts))?.next
    }

    /// The next tasks to be given out, at most `most`, and their arrival.
    pub(super) fn next(&mut self, most: u64) -> Option<(StreamRun, Moment)> {
        if most == 0 {
            return None;
        }
        if self.arrivals.is_some() {
            let (position, arrival) = self.waiting.pop_front()?;
            return Some((self.stream.run_at(position, 1), arrival));
        }
        let left = self.total - self.given;
        if left == 0 {
            return None;
        }
        let run = self.stream.run_at(self.given, most.min(left));
        self.given += run.count;
        Some((run, Moment::ZERO))
    }

    /// When the task that has waited longest here arrived.
    pub(super) fn oldest(&self) -> Option<Moment> {
        match &self.arrivals {
            None => (self.given < self.total).then_some(Moment::ZERO),
            Some(_) => self.waiting.front().map(|(_, arrival)| *arrival),
        }
    }

    /// Whether every task was given out.
    pub(super) fn is_exhausted(&self) -> bool {
        match &self.arrivals {
            None => self.given == self.total,
            Some(arrivals) => arrivals.next.is_none() && self.waiting.is_empty(),
        }
    }
}
