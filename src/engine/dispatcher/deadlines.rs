//! Time that runs out: task timeouts, silence, grace periods, workers that do not go.
//!
//! A worker is looked at by one timer, however many tasks it holds. It is due at the first moment at which a limit of
//! that worker *can* be reached, whatever it is in by then: a task cannot have begun before it was sent, and one that had
//! not begun at the last look cannot have begun before that. What comes in by a new message can only move it forward.
//! When it is due, the status board says what the worker is in and since when; then a limit has been reached, or the
//! next look is set by the same rule. So limits are met exactly and cost nothing for each task.

use std::time::Duration;

use super::input::{Effect, Sink, Stop};
use super::slot::{Life, Overdue, Slot, Termination, Why};
use super::timers::Timer;
use super::{Dispatcher, Policy};
use crate::engine::dispatcher::queue::Ticket;
use crate::engine::event::{EndReason, Event, InTask, Moment, Severity};

/// How long a worker without work may take to leave.
pub(super) const LEAVE: Duration = Duration::from_secs(2);
/// How long a killed worker may take to be gone.
const GONE: Duration = Duration::from_secs(5);
/// The same once the run is being stopped: whoever asks to leave is not held up by a worker that nobody can end.
const GONE_AT_STOP: Duration = Duration::from_millis(800);
/// How long a process may go on after its socket is closed: one that is ending closes it a moment before its end.
const CLOSING: Duration = Duration::from_millis(50);

impl Dispatcher {
    /// A worker was sent tasks, or is being started: it is looked at no later than their limits ask for.
    pub(super) fn watch_sent(&mut self, now: Moment, slot: u32, tickets: &[Ticket]) {
        let Some(entry) = self.slots.get(slot as usize) else { return };
        let mut at = entry.heard + self.start_timeout / 2;
        for ticket in tickets {
            if let Some(limit) = self.rules(ticket.class).timeout {
                at = at.min(now + limit);
            }
            // A process that is started for a task takes it out of the queue.
            if let Some(expires) = ticket.expires.filter(|_| self.policy == Policy::Reuse) {
                at = at.min(expires);
            }
        }
        if entry.watched_until.is_none_or(|until| at < until) {
            self.watch(slot, Some(at));
        }
    }

    pub(super) fn watch(&mut self, slot: u32, at: Option<Moment>) {
        let Some(entry) = self.slots.get_mut(slot as usize) else { return };
        let before = std::mem::replace(&mut entry.watched_until, at);
        self.timers.watch(slot, before, at);
    }

    /// It is time to look at a worker.
    pub(super) fn look(&mut self, slot: u32, out: &mut dyn Sink) {
        let Some(entry) = self.slots.get_mut(slot as usize) else { return };
        entry.watched_until = None;
        if entry.owes() || !entry.held.is_empty() {
            out.effect(Effect::Probe { slot, epoch: entry.epoch });
        }
    }

    /// The answer to a look: what the worker is in.
    pub(super) fn progress(&mut self, now: Moment, slot: u32, epoch: u32, task: Option<InTask>, out: &mut dyn Sink) {
        let Some(entry) = self.live(slot, epoch) else { return };
        let known = |index| entry.class_of(index).is_some() || entry.has_expired(index);
        let task = task.filter(|task| known(task.index));
        if let Some(task) = task {
            entry.hear(now);
            entry.begun(task.index);
        }
        if self.policy == Policy::Reuse {
            self.expire_held(now, slot, task.is_some(), out);
        }
        self.judge(now, slot, task, out);
        if task.is_some() {
            self.found_busy(now, slot, out);
        }
        let next = self.slots.get(slot as usize).and_then(|entry| self.next_look(now, entry, task));
        self.watch(slot, next);
    }

    /// Ends the worker if one of its limits is reached.
    fn judge(&mut self, now: Moment, slot: u32, task: Option<InTask>, out: &mut dyn Sink) {
        let Some(entry) = self.slots.get_mut(slot as usize) else { return };
        if !entry.owes() {
            return;
        }
        let Some(task) = task else {
            // One that is in no task at one look may just be about to report. One that is silent is in none at two.
            let quiet_since = *entry.quiet_since.get_or_insert(now);
            if entry.heard + self.start_timeout <= now && quiet_since + self.start_timeout / 2 <= now {
                let text = format!("said nothing for {:?} and is ended", self.start_timeout);
                self.note_worker(now, slot, &text, out);
                self.end_worker(now, slot, Why::Silent, Duration::ZERO, out);
            }
            return;
        };
        let Some(class) = entry.class_of(task.index) else {
            // It began at the last moment what was given up at that moment.
            return self.end_worker(now, slot, Why::Outlived, Duration::ZERO, out);
        };
        let rules = self.rules(class);
        let Some(limit) = rules.timeout.filter(|limit| task.started + *limit <= now) else { return };
        let held = self.slots.get_mut(slot as usize).and_then(|entry| entry.take_task(task.index));
        if let Some(task_held) = held {
            let overdue = Overdue { task: task_held, started: task.started, limit, last_words: None };
            self.end_worker(now, slot, Why::Timeout(overdue), rules.grace_period, out);
        }
    }

    /// The first moment at which a limit of this worker can be reached, if `task` is what it is in now.
    fn next_look(&self, now: Moment, entry: &Slot, task: Option<InTask>) -> Option<Moment> {
        let silence = match entry.quiet_since {
            Some(since) => (entry.heard + self.start_timeout).max(since + self.start_timeout / 2),
            None => entry.heard + self.start_timeout / 2,
        };
        let mut next = entry.owes().then_some(silence);
        let mut at = |moment: Moment| next = Some(next.map_or(moment, |next| next.min(moment)));
        if entry.owes() {
            let limit = |class| self.rules(class).timeout;
            if let Some(task) = task
                && let Some(limit) = entry.class_of(task.index).and_then(limit)
            {
                at(task.started + limit);
            }
            entry
                .open()
                .filter_map(|held| limit(held.ticket.class))
                .min()
                .into_iter()
                .for_each(|limit| at(now + limit));
        }
        if let Some(expires) = self.held_expiry(now, entry) {
            at(expires);
        }
        next
    }

    /// Ends a worker: SIGTERM and a grace period, or SIGKILL where that is zero.
    pub(super) fn end_worker(&mut self, now: Moment, slot: u32, why: Why, grace: Duration, out: &mut dyn Sink) {
        self.idle.remove(&slot);
        let Some(entry) = self.slots.get_mut(slot as usize) else { return };
        let epoch = entry.epoch;
        let kill = grace.is_zero();
        let how = if kill { Stop::Kill } else { Stop::Terminate };
        let pid = entry.pid;
        let reason = why.reason();
        entry.life = Life::Ending(Box::new(Termination { why, killed: false, sent: how }));
        if let Some(reason) = reason {
            let held = (0u32..).zip(&self.slots).filter(|(other, entry)| *other != slot && entry.busy());
            let others: Vec<u32> = held.map(|(other, _)| other).collect();
            out.event(now, &Event::WorkerEnding { slot, pid, reason, others: &others });
        }
        out.effect(Effect::Stop { slot, epoch, how });
        if kill {
            self.expect_gone(now, slot, epoch);
        } else {
            self.timers.set(now + grace, Timer::Grace { slot, epoch });
        }
    }

    pub(super) fn grace_over(&mut self, now: Moment, slot: u32, epoch: u32, out: &mut dyn Sink) {
        let Some(entry) = self.live(slot, epoch) else { return };
        let Life::Ending(ending) = &mut entry.life else { return };
        // Its SIGKILL may have come first, because the user would not wait.
        if ending.sent == Stop::Kill {
            return;
        }
        (ending.killed, ending.sent) = (true, Stop::Kill);
        out.effect(Effect::Stop { slot, epoch, how: Stop::Kill });
        self.expect_gone(now, slot, epoch);
    }

    /// A worker was killed: it is waited for so long and no longer.
    pub(super) fn expect_gone(&mut self, now: Moment, slot: u32, epoch: u32) {
        let patience = if self.stopped_at.is_some() { GONE_AT_STOP } else { GONE };
        self.timers.set(now + patience, Timer::Stuck { slot, epoch });
    }

    /// A killed worker is still there: it is given up.
    pub(super) fn stuck(&mut self, slot: u32, epoch: u32, out: &mut dyn Sink) {
        if self.live(slot, epoch).is_some_and(|entry| matches!(entry.life, Life::Ending(_))) {
            out.effect(Effect::Abandon { slot, epoch });
        }
    }

    /// A worker without work did not leave.
    pub(super) fn overstayed(&mut self, now: Moment, slot: u32, epoch: u32, out: &mut dyn Sink) {
        let Some(entry) = self.live(slot, epoch) else { return };
        if !matches!(entry.life, Life::Leaving) || !entry.is_empty() {
            return;
        }
        self.note_worker(now, slot, &format!("did not leave within {LEAVE:?} and is ended"), out);
        self.end_worker(now, slot, Why::RunEnds, Duration::ZERO, out);
    }

    /// A worker's socket is closed. One that is ending is gone in a moment; until then it gets nothing more.
    pub(super) fn closed(&mut self, now: Moment, slot: u32, epoch: u32) {
        let Some(entry) = self.live(slot, epoch) else { return };
        if !std::mem::replace(&mut entry.closed, true) {
            self.idle.remove(&slot);
            self.timers.set(now + CLOSING, Timer::Closed { slot, epoch });
        }
    }

    /// A worker lives on without its socket.
    pub(super) fn still_there(&mut self, now: Moment, slot: u32, epoch: u32, out: &mut dyn Sink) {
        let Some(entry) = self.live(slot, epoch) else { return };
        let ends_anyway = matches!(entry.life, Life::Leaving) && entry.is_empty();
        if ends_anyway || !matches!(entry.life, Life::Starting(_) | Life::Working | Life::Leaving) {
            return;
        }
        self.note_worker(now, slot, "closed its socket, lived on and is ended", out);
        self.end_worker(now, slot, Why::Closed, Duration::ZERO, out);
    }

    fn note_worker(&self, now: Moment, slot: u32, what: &str, out: &mut dyn Sink) {
        let pid = self.slots.get(slot as usize).and_then(|entry| entry.pid).unwrap_or(0);
        self.note(now, Severity::Warning, format!("worker {slot} (process {pid}) {what}"), out);
    }
}

impl Why {
    /// What is told about it, where it is the end of a worker in the middle of its work.
    fn reason(&self) -> Option<EndReason> {
        match self {
            Self::User => Some(EndReason::Request),
            Self::Timeout(overdue) => Some(EndReason::Timeout { limit: overdue.limit }),
            Self::RunEnds | Self::Misbehaved(_) | Self::Silent | Self::Closed | Self::Outlived => None,
        }
    }
}
