//! Tasks that come: all at once, at their own times without waiting for the engine, or as a submitter submits them.

use super::Dispatcher;
use super::input::Sink;
use crate::engine::event::{Event, Moment, RunState};
use crate::engine::outcome::Counts;
use crate::engine::stream::{Admission, Submission, Submitter};
use crate::workload::model::OnFull;

/// The arrivals that are still to come.
pub(super) struct PendingArrivals {
    source: Source,
    /// Who submits, if anybody does: told of outcomes after the last submission too.
    submitter: Option<Box<dyn Submitter>>,
    /// The next one that is known.
    next: Option<Moment>,
    /// Position in the stream of the next one.
    position: u64,
    total: u64,
    max_in_flight: Option<u64>,
    on_full: OnFull,
}

enum Source {
    Batch,
    Times(Box<dyn Iterator<Item = Moment> + Send>),
    Submitter,
    /// No more will come.
    Closed,
}

impl std::fmt::Debug for PendingArrivals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingArrivals")
            .field("next", &self.next)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl PendingArrivals {
    pub(super) fn new(admission: Admission, total: Option<u64>) -> Self {
        let mut submitter = None;
        let (source, max_in_flight, on_full) = match admission {
            Admission::Batch => (Source::Batch, None, OnFull::Block),
            Admission::Open { times, max_in_flight, on_full } => (Source::Times(times), max_in_flight, on_full),
            Admission::Submitted { submitter: somebody, capacity } => {
                submitter = Some(somebody);
                (Source::Submitter, capacity, OnFull::Block)
            }
        };
        let total = total.unwrap_or(u64::MAX);
        let mut arrivals = Self { source, submitter, next: None, position: 0, total, max_in_flight, on_full };
        arrivals.draw();
        arrivals
    }

    pub(super) fn is_batch(&self) -> bool {
        matches!(self.source, Source::Batch)
    }

    pub(super) fn exhausted(&self) -> bool {
        self.next.is_none() && !matches!(self.source, Source::Submitter)
    }

    /// No more will come.
    pub(super) fn end(&mut self) {
        (self.next, self.source) = (None, Source::Closed);
    }

    /// Tasks that there will have been at the end, where that is known.
    pub(super) fn total(&self, of_stream: Option<u64>) -> Option<u64> {
        match self.source {
            Source::Submitter => self.submitter.as_ref()?.total(),
            Source::Closed => self.submitter.as_ref().map_or(of_stream, |it| it.total().or(Some(self.position))),
            _ => of_stream,
        }
    }

    fn draw(&mut self) {
        let Source::Times(times) = &mut self.source else { return };
        self.next = (self.position < self.total).then(|| times.next()).flatten();
    }
}

pub(super) fn in_system(counts: &Counts) -> u64 {
    counts.submitted - counts.finished()
}

impl Dispatcher {
    /// When the next arrival can be admitted; `None` while arrivals are blocked.
    pub(super) fn next_arrival(&self) -> Option<Moment> {
        self.arrivals.next.filter(|_| !self.blocked())
    }

    fn full(&self) -> bool {
        self.room() == 0
    }

    /// How many more tasks may be submitted now.
    fn room(&self) -> u64 {
        let in_flight = self.arrivals.max_in_flight.map(|most| most.saturating_sub(in_system(&self.counts)));
        let queue = self.queue_capacity.map(|most| most.saturating_sub(self.counts().queued));
        [in_flight, queue].into_iter().flatten().min().unwrap_or(u64::MAX)
    }

    /// Where the queue is bounded, what was submitted goes to the lanes that are free before the next is.
    fn make_room(&mut self, now: Moment, out: &mut dyn Sink) {
        if self.queue_capacity.is_some() {
            // Nothing is given out whose time is over.
            self.expire_queue(now, out);
            self.pump(now, out);
        }
    }

    /// From when on whoever submits is blocked, if nothing happens.
    pub(super) fn submission_blocked_from(&self, now: Moment) -> Option<Moment> {
        match self.arrivals.source {
            Source::Submitter => self.full().then_some(now),
            _ => self.arrivals.next.filter(|_| self.blocked()).map(|at| at.max(now)),
        }
    }

    fn blocked(&self) -> bool {
        self.arrivals.on_full == OnFull::Block && self.full()
    }

    /// Admits every task whose time has come, and ends the waiting of those whose `queue_timeout` has run out.
    pub(super) fn admit(&mut self, now: Moment, out: &mut dyn Sink) {
        if self.state.is_over() || self.state == RunState::Suspended {
            return;
        }
        self.ask_submitter(now, out);
        self.admit_due(now, out);
        // What expires leaves room, and what was blocked until now may have expired outside.
        while self.expire_queue(now, out) {
            self.ask_submitter(now, out);
            self.admit_due(now, out);
        }
    }

    /// Takes what the submitter wants to submit, as far as there is room.
    fn ask_submitter(&mut self, now: Moment, out: &mut dyn Sink) {
        while matches!(self.arrivals.source, Source::Submitter) {
            self.make_room(now, out);
            let room = self.room();
            let Some(submitter) = self.arrivals.submitter.as_mut().filter(|_| room > 0) else { return };
            match submitter.submit(now, room) {
                Submission::Tasks(0) | Submission::Nothing => return,
                Submission::Closed => self.arrivals.end(),
                Submission::Tasks(count) => {
                    let count = count.min(room);
                    self.queue.admit_next(self.arrivals.position, count, now);
                    self.counts.submitted += count;
                    self.arrivals.position += count;
                }
            }
        }
    }

    /// Tells what became of tasks.
    pub(super) fn tell(&mut self, now: Moment, event: &Event<'_>, out: &mut dyn Sink) {
        out.event(now, event);
        if let Some(submitter) = &mut self.arrivals.submitter {
            submitter.told(now, event);
        }
    }

    fn admit_due(&mut self, now: Moment, out: &mut dyn Sink) {
        while let Some(at) = self.arrivals.next.filter(|at| *at <= now) {
            self.make_room(now, out);
            if self.blocked() {
                return;
            }
            let full = self.full();
            self.counts.submitted += 1;
            if full {
                self.counts.dropped += 1;
            } else {
                self.queue.admit(self.arrivals.position, at);
                self.present.came(now, 1, at);
            }
            self.arrivals.position += 1;
            self.arrivals.draw();
        }
    }
}
