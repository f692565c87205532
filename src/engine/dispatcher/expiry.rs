//! Waiting that lasts too long: the `queue_timeout` and `wait_timeout` of tasks in the queue and of tasks in a worker's
//! window.
//!
//! A task in a window waits like one in the queue until its worker begins it. What the worker is in, by the status board,
//! and the order of the window say what has not begun; that expires at its moment and stays in the window as a mark,
//! because the worker will still say that it skipped it: it was told until when it may begin.

use std::time::Duration;

use super::Dispatcher;
use super::input::Sink;
use super::lane::Lane;
use super::worker::Life;
use crate::engine::dispatcher::queue::Ticket;
use crate::engine::dispatcher::queue::expired::{Expired, Gone};
use crate::engine::event::{Event, LaneId, Moment, Slot};
use crate::engine::outcome::{AttemptReport, Outcome};
use crate::engine::stream::WaitingLimit;
use crate::workload::model::{Attempt, ClassId, TaskIndex};

/// How long a worker that is in no task is waited for before what it holds expires: it may just be reporting that it has
/// done some of it (at the latest 100 µs after the task).
const REPORTING: Duration = Duration::from_millis(5);
/// How often it is looked at in that time.
const AGAIN: Duration = Duration::from_millis(1);

impl Dispatcher {
    /// Ends the waiting of tasks in the queue, and outside of it, whose limit ran out; says whether there were any.
    pub(super) fn expire_queue(&mut self, now: Moment, out: &mut dyn Sink) -> bool {
        let mut any = false;
        let Some(gone) = self.queue.expire(now, self.deliveries.is_some()) else { return false };
        self.present.ended_earlier(gone.behind);
        if gone.outside.count > 0 {
            self.counts.submitted += gone.outside.count;
            self.present.came_from_outside(gone.outside.waited);
            self.pass_given_up();
        }
        for (class, limit, expired) in gone.groups() {
            self.expired(now, class, limit, &expired, out);
            any = true;
        }
        any
    }

    /// Tells the callers of tasks in the batch that their waiting is over, as many as there is time for in this turn.
    pub(super) fn tell_expired(&mut self, now: Moment, out: &mut dyn Sink) {
        while let Some((ended, places)) = self.queue.next_untold() {
            self.deliver_errors(now, ended, &places, out);
        }
    }

    /// When something in a worker's window expires that the worker has not begun.
    pub(super) fn held_expiry(&self, now: Moment, lane: &Lane) -> Option<Moment> {
        let first = self.first_expiry(lane)?;
        // Whatever else it is looked at for in between, it is looked at when its patience is over.
        let moments = [first, first + REPORTING, now + AGAIN];
        moments.into_iter().filter(|at| *at > now).min()
    }

    fn first_expiry(&self, lane: &Lane) -> Option<Moment> {
        // What a run leaves behind is cancelled; a process that is started for a task takes it out of the queue.
        let waits = self.ending.is_none() && self.policy.keeps_workers();
        lane.open().filter_map(|held| held.ticket.expires).min().filter(|_| waits)
    }

    /// Ends the waiting of tasks in a worker's window. Those that it has begun were taken out of the reckoning before;
    /// `in_task` says whether they are known.
    pub(super) fn expire_held(&mut self, now: Moment, slot: Slot, in_task: bool, out: &mut dyn Sink) {
        let Some((worker, lane)) = self.table.at(slot) else { return };
        let Some(first) = self.first_expiry(lane) else { return };
        // One that is being ended does not report any more.
        let patience = if in_task || matches!(worker.life, Life::Ending(_)) { Duration::ZERO } else { REPORTING };
        if first + patience > now {
            return;
        }
        let Some((worker, lane)) = self.table.at_mut(slot) else { return };
        let mut gone = Gone::new(now, self.deliveries.is_some(), None);
        let mut given_up = None;
        for held in lane.held.iter_mut().filter(|held| !held.expired) {
            let mut ticket = held.ticket;
            if ticket.expires.is_none_or(|at| at > now) {
                continue;
            }
            if gone.add(&mut ticket, self.queue.limits()) {
                // It is the only one here: where callers can give up, lanes are sent one task at a time.
                given_up = Some(ticket);
            } else {
                // What it will not do is none of the tasks that it may do.
                worker.given = worker.given.saturating_sub(ticket.count);
            }
            held.expired = true;
        }
        if let Some(ticket) = given_up {
            lane.held.retain(|held| held.ticket.first != ticket.first);
            self.haunt(now, slot, &ticket, out);
        }
        for (class, limit, expired) in gone.groups() {
            self.expired(now, class, limit, &expired, out);
        }
        // Room in the system lets a blocked arrival in.
        self.admit(now, out);
        self.pump(now, out);
    }

    fn expired(&mut self, now: Moment, class: ClassId, limit: WaitingLimit, expired: &Expired, out: &mut dyn Sink) {
        self.counts.timed_out += expired.count;
        *(match limit {
            WaitingLimit::Queue(_) => &mut self.counts.queue_timed_out,
            WaitingLimit::Caller(_) => &mut self.counts.wait_timed_out,
        }) += expired.count;
        let reports: Vec<AttemptReport> =
            expired.named.iter().map(|named| self.expired_report(now, class, *named, limit)).collect();
        self.tell(now, &Event::Expired { class, count: expired.count, limit, reports: &reports }, out);
        if let Some(places) = &expired.places {
            self.deliver_errors(now, now, places, out);
        }
    }

    /// `named`: the task, and which attempt at it was waited for.
    fn expired_report(
        &self,
        now: Moment,
        class: ClassId,
        named: (TaskIndex, Attempt),
        limit: WaitingLimit,
    ) -> AttemptReport {
        let (index, attempt) = named;
        AttemptReport {
            index,
            class,
            attempt,
            attempts_allowed: self.rules(class).retries.max + 1,
            outcome: Outcome::TimedOut,
            cause: limit.into(),
            retried: false,
            slot: None,
            pid: None,
            ended: now,
            wait: Some(limit.duration()),
            startup: None,
            service: None,
            exit: None,
            killed: false,
            peak_rss_bytes: None,
            stdout_tail: String::new(),
            stderr_tail: String::new(),
            output_omitted_bytes: 0,
        }
    }

    /// A worker did not begin tasks whose time had passed. Those that have not expired here (the clock stood still in
    /// between) go back to the head of the queue.
    pub(super) fn skipped(&mut self, now: Moment, id: LaneId, first: TaskIndex, count: u64, out: &mut dyn Sink) {
        let Some((worker, lane)) = self.table.lane_mut(id) else { return };
        if lane.taken_back.iter().any(|held| held.contains(first)) {
            return;
        }
        if count == 1 && lane.ghost.is_some_and(|ghost| ghost.index == first) {
            // It was told until when it may begin, before its caller was to leave it alone. It was not begun.
            worker.given = worker.given.saturating_sub(1);
            self.is_unheard_or_skipped(now, id, first, true, out);
            return self.after_result(now, id.slot(), out);
        }
        let leaves = !matches!(worker.life, Life::Working);
        let mut unasked = false;
        let mut back: Vec<Ticket> = Vec::new();
        let (mut next, end) = (first, first.saturating_add(count));
        while next < end {
            let Some(held) = lane.held.front_mut().filter(|held| held.ticket.first == next) else { break };
            let (part, rest) = held.split(held.ticket.count.min(end - next));
            match rest {
                Some(rest) => *held = rest,
                None => drop(lane.held.pop_front()),
            }
            next += part.ticket.count;
            if !part.expired {
                // Whether it was told until when is not known any more of what it was given back before.
                unasked |= part.ticket.expires.is_none();
                worker.given = worker.given.saturating_sub(part.ticket.count);
                back.push(part.ticket);
            }
        }
        lane.hear(now);
        if self.ending.is_some() {
            // It will not be taken out of the queue any more.
            self.counts.cancelled += back.iter().map(|ticket| ticket.count).sum::<u64>();
        } else {
            self.queue.give_back(back.into_iter());
        }
        if (unasked || count == 0) && !leaves {
            let reason = format!("skipped task {first}, which may be begun at any time");
            return self.misbehaved(now, id.worker, reason, out);
        }
        if next < end {
            let reason = format!("skipped task {next} that was not next");
            return self.misbehaved(now, id.worker, reason, out);
        }
        self.expire_queue(now, out);
        self.after_result(now, id.slot(), out);
    }
}
