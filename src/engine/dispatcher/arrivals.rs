//! Tasks that come: all at once, at their own times without waiting for the engine, or as a submitter submits them.
//!
//! Those that come at their own times and find no room wait outside with `on_full: block`. They are not kept: what comes
//! next stays where it is until there is room, and the door of the queue reads ahead for those whose limits run out before.

use super::Dispatcher;
use super::input::Sink;
use super::queue::Upcoming;
use crate::engine::event::{Event, Moment, RunState};
use crate::engine::outcome::Counts;
use crate::engine::stream::{Admission, Submission, Submitter};
use crate::workload::model::OnFull;

/// Arrivals that are seen in one turn: some milliseconds' worth.
const AT_ONCE: u64 = 1 << 15;

/// The arrivals that are still to come.
pub(super) struct PendingArrivals {
    source: Source,
    /// Who submits, if anybody does: told of outcomes after the last submission too.
    submitter: Option<Box<dyn Submitter>>,
    /// Position in the stream of the next one.
    position: u64,
    max_in_flight: Option<u64>,
    on_full: OnFull,
    /// Arrivals that are seen before others have their turn. What comes faster than it is admitted would leave no time for
    /// anything else; the first that is left asks for the next turn by its time.
    left: u64,
}

enum Source {
    Batch,
    Times(Upcoming),
    Submitter,
    /// No more will come.
    Closed,
}

impl std::fmt::Debug for PendingArrivals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingArrivals")
            .field("next", &self.next())
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl PendingArrivals {
    pub(super) fn new(admission: Admission, total: Option<u64>) -> Self {
        let mut submitter = None;
        let total = total.unwrap_or(u64::MAX);
        let (source, max_in_flight, on_full) = match admission {
            Admission::Batch => (Source::Batch, None, OnFull::Block),
            Admission::Open { times, max_in_flight, on_full } => {
                (Source::Times(Upcoming::new(times, total)), max_in_flight, on_full)
            }
            Admission::Submitted { submitter: somebody, capacity } => {
                submitter = Some(somebody);
                (Source::Submitter, capacity, OnFull::Block)
            }
        };
        Self { source, submitter, position: 0, max_in_flight, on_full, left: 0 }
    }

    pub(super) fn is_batch(&self) -> bool {
        matches!(self.source, Source::Batch)
    }

    pub(super) fn exhausted(&self) -> bool {
        self.next().is_none() && !matches!(self.source, Source::Submitter)
    }

    /// Whether tasks will come that nobody has counted yet.
    pub(super) fn has_more(&self) -> bool {
        match &self.source {
            Source::Batch | Source::Closed => false,
            Source::Times(_) => self.next().is_some(),
            Source::Submitter => self.submitter.as_ref().and_then(|it| it.total()) != Some(self.position),
        }
    }

    /// No more will come.
    pub(super) fn end(&mut self) {
        self.source = Source::Closed;
    }

    /// Tasks that there will have been at the end, where that is known.
    pub(super) fn total(&self, of_stream: Option<u64>) -> Option<u64> {
        match self.source {
            Source::Submitter => self.submitter.as_ref()?.total(),
            Source::Closed => self.submitter.as_ref().map_or(of_stream, |it| it.total().or(Some(self.position))),
            _ => of_stream,
        }
    }

    /// When the next one comes, where that is known.
    fn next(&self) -> Option<Moment> {
        let Source::Times(upcoming) = &self.source else { return None };
        upcoming.next()
    }

    /// When the next one came, if it is there and has its turn.
    fn due(&self, now: Moment) -> Option<Moment> {
        self.next().filter(|at| *at <= now && self.left > 0)
    }

    /// Others have had their turn.
    pub(super) fn turn_begins(&mut self) {
        self.left = AT_ONCE;
    }

    /// The next one has been seen.
    fn pass(&mut self) {
        let Source::Times(upcoming) = &mut self.source else { return };
        upcoming.pass();
        self.position += 1;
        self.left = self.left.saturating_sub(1);
    }
}

pub(super) fn in_system(counts: &Counts) -> u64 {
    counts.submitted - counts.finished()
}

impl Dispatcher {
    /// When the next arrival is to be looked at; `None` while arrivals are blocked that may wait for ever, or whose limits
    /// are watched already.
    pub(super) fn next_arrival(&self) -> Option<Moment> {
        let is_of_interest = |_: &Moment| !self.blocked() || self.queue.limits().any() && !self.queue.watches_outside();
        self.arrivals.next().filter(is_of_interest)
    }

    fn full(&self) -> bool {
        self.room() == 0
    }

    /// How many more tasks may be submitted now.
    fn room(&self) -> u64 {
        let in_flight = self.arrivals.max_in_flight.map(|most| most.saturating_sub(in_system(&self.counts)));
        // A place in the queue is taken until the task leaves it, whether somebody waits for it or not; but nobody is started
        // for those that nobody waits for, and what no worker is there to take holds nothing up.
        let anybody = || self.table.workers().iter().any(|worker| !worker.is_free());
        let given_up = || if anybody() { self.queue.given_up() } else { 0 };
        let taken = || self.counts().queued + given_up();
        let queue = self.queue_capacity.map(|most| most.saturating_sub(taken()));
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
            _ => self.arrivals.next().filter(|_| self.blocked()).map(|at| at.max(now)),
        }
    }

    fn blocked(&self) -> bool {
        self.arrivals.on_full == OnFull::Block && self.full()
    }

    /// Admits every task whose time has come, and ends the waiting of those whose limit has run out.
    pub(super) fn admit(&mut self, now: Moment, out: &mut dyn Sink) {
        if self.state.is_over() || self.state == RunState::Suspended {
            return;
        }
        self.ask_submitter(now, out);
        self.admit_due(now, out);
        // What expires leaves room, and what is late may have expired outside.
        while self.expire_queue(now, out) {
            self.ask_submitter(now, out);
            self.admit_due(now, out);
        }
    }

    /// Takes what the submitter wants to submit, as far as there is room.
    fn ask_submitter(&mut self, now: Moment, out: &mut dyn Sink) {
        while matches!(self.arrivals.source, Source::Submitter) {
            self.make_room(now, out);
            let mut room = self.room();
            if self.queue.limits().any() {
                // Each has its own entry in the queue.
                room = room.min(self.arrivals.left);
                self.unfinished |= self.arrivals.left == 0;
            }
            let Some(submitter) = self.arrivals.submitter.as_mut().filter(|_| room > 0) else { return };
            match submitter.submit(now, room) {
                Submission::Tasks(0) | Submission::Nothing => return,
                Submission::Closed => self.arrivals.end(),
                Submission::Tasks(count) => {
                    let count = count.min(room);
                    self.queue.admit_next(self.arrivals.position, count, now);
                    self.counts.submitted += count;
                    self.arrivals.position += count;
                    self.arrivals.left = self.arrivals.left.saturating_sub(count);
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
        let was_blocked = self.caller.is_blocked(now);
        while self.arrivals.due(now).is_some() {
            self.make_room(now, out);
            // What there is no room for may have been given up just now.
            let Some(at) = self.arrivals.due(now) else { break };
            if self.blocked() {
                return self.watch_outside();
            }
            let full = self.full();
            self.counts.submitted += 1;
            if full {
                self.counts.dropped += 1;
            } else {
                self.queue.admit(self.arrivals.position, at);
                match was_blocked {
                    true => self.present.came_from_outside(now.since(at).as_nanos()),
                    false => self.present.came(now, 1, at),
                }
            }
            self.arrivals.pass();
            self.pass_given_up();
        }
        // Those that have their turn later may have given up outside before.
        if self.arrivals.next().is_none_or(|at| at > now) {
            self.queue.watch_nobody();
        }
    }

    /// Those whose time has come wait outside, each with its own limit.
    fn watch_outside(&mut self) {
        if let Source::Times(upcoming) = &self.arrivals.source {
            self.queue.watch_outside(self.arrivals.position, upcoming);
        }
    }

    /// Leaves out those that have given up outside.
    pub(super) fn pass_given_up(&mut self) {
        while self.arrivals.next().is_some() && self.queue.was_given_up_outside(self.arrivals.position) {
            self.arrivals.pass();
        }
    }
}
