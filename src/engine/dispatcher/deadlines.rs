//! Time that runs out: task timeouts, silence, grace periods, workers that do not go.
//!
//! A worker is looked at by one timer, however many tasks it holds. It is due at the first moment at which a limit of
//! that worker *can* be reached, whatever it is in by then: a task cannot have begun before it was sent, and one that had
//! not begun at the last look cannot have begun before that. What comes in by a new message can only move it forward.
//! When it is due, the status board says what the worker is in and since when; then a limit has been reached, or the
//! next look is set by the same rule. So limits are met exactly and cost nothing for each task.

use std::time::Duration;

use super::Dispatcher;
use super::input::{Due, Effect, Sink, Stop};
use super::lane::{Held, Lane, Overdue};
use super::queue::Ticket;
use super::timers::Timer;
use super::worker::{Life, Termination, Why, Worker};
use crate::engine::event::{EndReason, Event, InTask, LaneId, Moment, Severity, Slot, WorkerId};
use crate::engine::outcome::{Cause, Outcome};
use crate::workload::model::OnTimeout;

/// How long a worker without work may take to leave.
pub(super) const LEAVE: Duration = Duration::from_secs(2);
/// A turn that comes so long after the one before may have a lot to hear.
pub(super) const LATE: Duration = Duration::from_millis(200);
/// How long a killed worker may take to be gone before it is called unkillable: a large memory takes a while to give back.
const VERIFY: Duration = Duration::from_secs(2);
/// How long it may take before it is waited for no longer.
const GONE: Duration = Duration::from_secs(5);
/// The same once the run is being stopped: a user who asks to leave is not held up by a worker that cannot be ended.
const GONE_AT_STOP: Duration = Duration::from_millis(800);
/// How long a process may go on after its socket is closed: one that is ending closes it a moment before its end.
const CLOSING: Duration = Duration::from_millis(50);
/// How long the lanes of a worker may all say nothing while one of them is in a task that has worked too long.
const HELD_UP: Duration = Duration::from_secs(2);

impl Dispatcher {
    /// A worker was sent tasks, or is being started: it is looked at no later than their limits ask for.
    pub(super) fn watch_sent(&mut self, now: Moment, slot: Slot, tickets: &[Ticket]) {
        let Some((_, lane)) = self.table.at(slot) else { return };
        let mut at = lane.heard + self.patience() / 2;
        for ticket in tickets {
            let rules = self.rules(ticket.class);
            if let Some(limit) = rules.timeout {
                at = at.min(now + limit);
            }
            if let Some(gives_up) = rules.gives_up(ticket.arrival).filter(|_| !ticket.given_up) {
                at = at.min(gives_up.max(now));
            }
            // A process that is started for a task takes it out of the queue.
            if let Some(expires) = ticket.expires.filter(|_| self.policy.keeps_workers()) {
                at = at.min(expires);
            }
        }
        if lane.watched_until.is_none_or(|until| at < until) {
            self.watch(slot, Some(at));
        }
    }

    pub(super) fn watch(&mut self, slot: Slot, at: Option<Moment>) {
        let Some((_, lane)) = self.table.at_mut(slot) else { return };
        let before = std::mem::replace(&mut lane.watched_until, at);
        self.timers.watch(slot, before, at);
    }

    /// It is time to look at a lane.
    pub(super) fn look(&mut self, slot: Slot, out: &mut dyn Sink) {
        let Some(id) = self.table.lane_id(slot) else { return };
        let Some((worker, lane)) = self.table.at_mut(slot) else { return };
        lane.watched_until = None;
        if worker.owes(lane) || !lane.held.is_empty() {
            out.effect(Effect::Probe { lane: id });
        }
    }

    /// The answer to a look: what the lane is in.
    pub(super) fn progress(&mut self, now: Moment, id: LaneId, task: Option<InTask>, out: &mut dyn Sink) {
        let slot = id.slot();
        let keeps_workers = self.policy.keeps_workers();
        let Some((worker, lane)) = self.table.lane_mut(id) else { return };
        let ghost = lane.ghost.map(|ghost| ghost.index);
        let known = |index| lane.class_of(index).is_some() || lane.has_expired(index) || ghost == Some(index);
        let task = task.filter(|task| known(task.index)).map(|task| lane.found_in(now, task));
        if let Some(task) = task {
            lane.hear(now);
            lane.begun(task.index);
            if let Some(ghost) = lane.ghost.as_mut().filter(|ghost| ghost.index == task.index) {
                ghost.begun = true;
                // A process that is its task says hello with its result.
                if worker.is_new() && !keeps_workers {
                    worker.life = Life::Working;
                }
            }
        }
        if self.policy.keeps_workers() {
            self.expire_held(now, slot, task.is_some(), out);
        }
        self.enforce_limits(now, id, task, out);
        if task.is_some() {
            self.found_busy(now, slot, out);
        }
        let next = self.table.at(slot).and_then(|(worker, lane)| self.next_look(now, worker, lane, task));
        self.watch(slot, next);
    }

    /// Ends the worker if one of its limits is reached.
    fn enforce_limits(&mut self, now: Moment, id: LaneId, task: Option<InTask>, out: &mut dyn Sink) {
        let patience = self.patience();
        if self.caller_has_given_up(now, id, task, out) {
            return;
        }
        let Some((worker, lane)) = self.table.lane_mut(id) else { return };
        // An initializer has its own limit; a process that is its task may be in it before it says hello.
        let may_begin = task.is_some() && worker.is_new();
        if !worker.owes(lane) && !may_begin {
            return;
        }
        let Some(task) = task else {
            if worker.pid.is_none() {
                // It is not there yet: whoever forks it owes a word, and has a limit of its own.
                return lane.hear(now);
            }
            // One that is in no task at one look may just be about to report. One that is silent is in none at two.
            let quiet_since = *lane.quiet_since.get_or_insert(now);
            if lane.heard + patience <= now && quiet_since + patience / 2 <= now {
                let text = format!("said nothing for {patience:?} and is ended");
                self.note_worker(now, id.worker, &text, out);
                self.end_worker(now, id.worker, Why::Silent, Duration::ZERO, out);
            }
            return;
        };
        if lane.ghost.is_some_and(|ghost| ghost.index == task.index) {
            return;
        }
        let Some(class) = lane.class_of(task.index) else {
            // It began at the last moment what was given up at that moment.
            return self.end_worker(now, id.worker, Why::Outlived, Duration::ZERO, out);
        };
        let rules = self.rules(class);
        let Some(limit) = rules.timeout.filter(|limit| task.limited_from(*limit) + *limit <= now) else { return };
        let Some((_, lane)) = self.table.lane_mut(id) else { return };
        let Some(held) = lane.take_task(task.index) else { return };
        self.too_late(now, id, held, Some(task.started), Cause::Timeout { limit }, out);
    }

    /// Deals with the task that a lane is in, or that its process was started for, if its caller waits no longer. Says
    /// whether that is so.
    fn caller_has_given_up(&mut self, now: Moment, id: LaneId, task: Option<InTask>, out: &mut dyn Sink) -> bool {
        let keeps_workers = self.policy.keeps_workers();
        let Some((worker, lane)) = self.table.lane_mut(id) else { return false };
        let ending = !worker.is_alive();
        if self.stopped_at.is_some() {
            // What is in work is cancelled.
            return false;
        }
        // What is not begun in a window has another way out, unless its worker is being ended.
        let held = match task {
            Some(task) => lane.open_task(task.index),
            None => lane.open().next().filter(|_| !keeps_workers || ending),
        };
        let Some(Held { ticket, .. }) = held.copied() else { return false };
        let rules = self.rules(ticket.class);
        let Some(limit) = rules.wait_timeout.filter(|limit| ticket.arrival + *limit <= now) else { return false };
        if let (Some(work), Some(task)) = (rules.timeout, task)
            && task.started + work < ticket.arrival + limit
        {
            // The other limit was reached first.
            return false;
        }
        let index = task.map_or(ticket.first, |task| task.index);
        let Some(held) = self.table.lane_mut(id).and_then(|(_, lane)| lane.take_task(index)) else { return false };
        let (started, cause) = (task.map(|task| task.started), Cause::WaitTimeout { limit });
        if ending {
            // It is waited for no longer, however long its worker takes to go.
            let report = self.report(now, id.slot(), &held, Outcome::TimedOut, cause);
            self.attempt_over(now, &held, report, false, out);
        } else {
            self.too_late(now, id, held, started, cause, out);
        }
        true
    }

    /// A task that was taken from its lane has reached a limit.
    fn too_late(
        &mut self,
        now: Moment,
        id: LaneId,
        held: Held,
        started: Option<Moment>,
        cause: Cause,
        out: &mut dyn Sink,
    ) {
        let rules = self.rules(held.ticket.class);
        if rules.on_timeout == OnTimeout::Abandon {
            return self.abandon(now, id, &held, started, cause, out);
        }
        let (Cause::Timeout { limit } | Cause::WaitTimeout { limit }) = cause else { return };
        if self.table.worker(id.worker).is_some_and(|worker| worker.pid.is_none()) {
            // There is no process yet, and nobody knows whether there will be one: its caller waits no longer.
            let report = self.report(now, id.slot(), &held, Outcome::TimedOut, cause);
            self.attempt_over(now, &held, report, false, out);
            return self.end_worker(now, id.worker, Why::Outlived, Duration::ZERO, out);
        }
        if let Some((_, lane)) = self.table.lane_mut(id) {
            lane.overdue = Some(Overdue { task: held, started, cause, last_words: None });
        }
        self.end_worker(now, id.worker, Why::Timeout { limit }, rules.grace_period, out);
    }

    /// How long a worker may say nothing while something is due from it. One of whose tasks has worked too long may hold
    /// what all of its lanes need (the GIL of an interpreter), for as long as it likes.
    fn patience(&self) -> Duration {
        if self.overdue_ghosts() == 0 { self.start_timeout } else { self.start_timeout.min(HELD_UP) }
    }

    /// The first moment at which a limit of this lane can be reached, if `task` is what it is in now.
    fn next_look(&self, now: Moment, worker: &Worker, lane: &Lane, task: Option<InTask>) -> Option<Moment> {
        let owes = worker.owes(lane);
        let silence = match lane.quiet_since {
            Some(since) => (lane.heard + self.patience()).max(since + self.patience() / 2),
            None => lane.heard + self.patience() / 2,
        };
        let mut next = owes.then_some(silence);
        let mut at = |moment: Moment| next = Some(next.map_or(moment, |next| next.min(moment)));
        if owes || worker.is_new() {
            let limit = |class| self.rules(class).timeout;
            if let Some(task) = task
                && let Some(limit) = lane.class_of(task.index).and_then(limit)
            {
                at(task.limited_from(limit) + limit);
            }
            lane.open().filter_map(|held| limit(held.ticket.class)).min().into_iter().for_each(|limit| at(now + limit));
        }
        let gives_up = |held: &Held| self.rules(held.ticket.class).gives_up(held.ticket.arrival);
        lane.open().filter_map(gives_up).filter(|moment| *moment > now).min().into_iter().for_each(&mut at);
        if let Some(expires) = self.held_expiry(now, lane) {
            at(expires);
        }
        next
    }

    /// Ends a worker: SIGTERM and a grace period, or SIGKILL where that is zero.
    pub(super) fn end_worker(&mut self, now: Moment, id: WorkerId, why: Why, grace: Duration, out: &mut dyn Sink) {
        let own = self.table.slots_of(id);
        own.clone().for_each(|slot| _ = self.idle.remove(&Slot(slot)));
        let Some(worker) = self.table.worker_mut(id) else { return };
        let kill = grace.is_zero();
        let how = if kill { Stop::Kill } else { Stop::Terminate };
        let pid = worker.pid;
        let reason = why.reason();
        worker.life = Life::Ending(Box::new(Termination { why, killed: false, sent: how, unkillable: false }));
        if let Some(reason) = reason {
            let overdue = (own.start..).zip(self.table.lanes_of(id)).find(|(_, lane)| lane.overdue.is_some());
            let slot = overdue.map_or(id.slot, |(slot, _)| Slot(slot));
            let busy = |other: &WorkerId| *other != id && self.table.lanes_of(*other).iter().any(Lane::busy);
            let others: Vec<WorkerId> = self.table.ids().filter(busy).collect();
            out.event(now, &Event::WorkerEnding { worker: id, slot, pid, reason, others: &others });
        }
        out.effect(Effect::Stop { worker: id, how });
        if kill {
            self.expect_gone(now, id);
        } else {
            self.timers.set(now + grace, Timer::Due(id, Due::Grace));
        }
    }

    /// A worker should have come so far by now. Whatever it is late with, it may have ended without having been heard yet.
    pub(super) fn look_for(&mut self, id: WorkerId, due: Due, out: &mut dyn Sink) {
        if self.table.worker(id).is_some_and(|worker| !worker.is_free()) {
            out.effect(Effect::LookFor { worker: id, due });
        }
    }

    /// It has not ended.
    pub(super) fn still_there(&mut self, now: Moment, id: WorkerId, due: Due, out: &mut dyn Sink) {
        match due {
            Due::Initializer => self.initializer_overdue(now, id, out),
            Due::Grace => self.grace_over(now, id, out),
            Due::Killed => self.unkillable(now, id, out),
            Due::Closed => self.lives_on(now, id, out),
            Due::Leave => self.overstayed(now, id, out),
            Due::Join => self.not_joined(now, id, out),
        }
    }

    pub(super) fn grace_over(&mut self, now: Moment, id: WorkerId, out: &mut dyn Sink) {
        let Some(worker) = self.table.worker_mut(id) else { return };
        let Life::Ending(ending) = &mut worker.life else { return };
        // Its SIGKILL may have come first, because the user would not wait.
        if ending.sent == Stop::Kill {
            return;
        }
        (ending.killed, ending.sent) = (true, Stop::Kill);
        out.effect(Effect::Stop { worker: id, how: Stop::Kill });
        self.expect_gone(now, id);
    }

    /// A worker was killed: it is waited for so long and no longer.
    pub(super) fn expect_gone(&mut self, now: Moment, id: WorkerId) {
        self.timers.set(now + VERIFY, Timer::Due(id, Due::Killed));
        self.timers.set(now + self.patience_with_the_killed(), Timer::Stuck(id));
    }

    /// How long what was killed is waited for.
    pub(super) fn patience_with_the_killed(&self) -> Duration {
        if self.stopped_at.is_some() { GONE_AT_STOP } else { GONE }
    }

    /// A killed worker is still there: that is told. It is waited for a while longer.
    fn unkillable(&mut self, now: Moment, id: WorkerId, out: &mut dyn Sink) {
        let Some(worker) = self.table.worker_mut(id) else { return };
        // Nothing was killed where there is no process yet.
        let Some(pid) = worker.pid else { return };
        let Life::Ending(ending) = &mut worker.life else { return };
        if !std::mem::replace(&mut ending.unkillable, true) {
            out.event(now, &Event::WorkerUnkillable { worker: id, pid });
            self.note_worker(now, id, "is UNKILLABLE: SIGKILL was sent and it is still there", out);
        }
    }

    /// A killed worker is still there: it is given up.
    pub(super) fn stuck(&mut self, now: Moment, id: WorkerId, out: &mut dyn Sink) {
        let Some(worker) = self.table.worker(id).filter(|worker| matches!(worker.life, Life::Ending(_))) else {
            return;
        };
        if worker.pid.is_none() {
            // It was never there: it has failed to start when what it was to be forked from is gone.
            return self.fork_server_silent(now, self.patience_with_the_killed(), out);
        }
        out.effect(Effect::Abandon { worker: id });
    }

    /// Whether none of a worker's lanes holds anything without an outcome.
    pub(super) fn holds_nothing(&self, id: WorkerId) -> bool {
        self.table.lanes_of(id).iter().all(Lane::is_empty)
    }

    /// A worker without work did not leave.
    fn overstayed(&mut self, now: Moment, id: WorkerId, out: &mut dyn Sink) {
        let Some(worker) = self.table.worker(id) else { return };
        // A run without work gives all of them the same time.
        if !matches!(worker.life, Life::Leaving) || !self.is_at_rest(id) || self.ending.is_some() {
            return;
        }
        self.note_worker(now, id, &format!("did not leave within {LEAVE:?} and is ended"), out);
        self.end_worker(now, id, Why::RunEnds, Duration::ZERO, out);
    }

    /// The run has had no more work for as long as workers may take to leave, and this one has not.
    fn not_joined(&mut self, now: Moment, id: WorkerId, out: &mut dyn Sink) {
        let Some(worker) = self.table.worker(id).filter(|worker| worker.is_alive()) else { return };
        let does = match worker.life {
            Life::Initializing(_) => "it is in its initializer",
            _ if !worker.proven => "it has not begun anything yet",
            _ => "it has done its tasks and was asked to leave",
        };
        let text =
            format!("did not leave within {:?} of the end of the last task and is ended: {does}", self.join_timeout);
        self.note_worker(now, id, &text, out);
        self.end_worker(now, id, Why::RunEnds, Duration::ZERO, out);
    }

    /// A worker's socket is closed. One that is ending is gone in a moment; until then it gets nothing more.
    pub(super) fn closed(&mut self, now: Moment, id: WorkerId) {
        let Some(worker) = self.table.worker_mut(id) else { return };
        if !std::mem::replace(&mut worker.closed, true) {
            self.table.slots_of(id).for_each(|slot| _ = self.idle.remove(&Slot(slot)));
            self.timers.set(now + CLOSING, Timer::Due(id, Due::Closed));
        }
    }

    /// A worker lives on without its socket.
    fn lives_on(&mut self, now: Moment, id: WorkerId, out: &mut dyn Sink) {
        let Some(worker) = self.table.worker(id).filter(|worker| worker.is_alive()) else { return };
        // What was asked to leave and does has closed its socket too.
        if matches!(worker.life, Life::Leaving) && !worker.deaf && self.is_at_rest(id) {
            return;
        }
        self.note_worker(now, id, "closed its socket, lived on and is ended", out);
        self.end_worker(now, id, Why::Closed, Duration::ZERO, out);
    }

    fn note_worker(&self, now: Moment, id: WorkerId, what: &str, out: &mut dyn Sink) {
        let pid = self.table.worker(id).and_then(|worker| worker.pid);
        let process = pid.map_or_else(|| "no process yet".to_owned(), |pid| format!("pid {pid}"));
        self.note(now, Severity::Warning, format!("worker {} ({process}) {what}", id.slot), out);
    }
}

impl Why {
    /// What is told about it, where it is the end of a worker in the middle of its work.
    fn reason(&self) -> Option<EndReason> {
        match self {
            Self::User => Some(EndReason::Request),
            Self::Timeout { limit } => Some(EndReason::Timeout { limit: *limit }),
            Self::RunEnds
            | Self::NotInitialized(_)
            | Self::Misbehaved(_)
            | Self::Silent
            | Self::Closed
            | Self::Haunted { .. }
            | Self::Outlived => None,
        }
    }
}
