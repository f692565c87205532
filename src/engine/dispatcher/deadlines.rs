//! Time that runs out: task timeouts, grace periods, workers that do not go.
//!
//! A worker has at most one deadline timer, however many tasks it works off: when it fires, the status board says what
//! the worker is in and since when, and the timer is set anew or the task's time is over.

use std::time::Duration;

use super::Dispatcher;
use super::input::{Effect, Output, Stop};
use super::slot::{Ending, Life, Overdue, Why};
use super::timers::Timer;
use crate::engine::event::{InTask, Moment, Severity};

/// How long a worker without work may take to leave.
pub(super) const LEAVE: Duration = Duration::from_secs(2);
/// How long a killed worker may take to be gone.
const GONE: Duration = Duration::from_secs(5);

impl Dispatcher {
    /// Sets the deadline timer of a worker that holds a task with a timeout.
    pub(super) fn watch(&mut self, now: Moment, slot: u32) {
        let Some(entry) = self.slots.get(slot as usize) else { return };
        if entry.watched {
            return;
        }
        let limits = entry.held.iter().filter_map(|held| self.rules(held.ticket.class).timeout);
        let Some(limit) = limits.min() else { return };
        let epoch = entry.epoch;
        if let Some(entry) = self.slots.get_mut(slot as usize) {
            entry.watched = true;
        }
        self.timers.set(now + limit, Timer::Deadline { slot, epoch });
    }

    pub(super) fn deadline(&mut self, _now: Moment, slot: u32, epoch: u32, out: &mut dyn Output) {
        let Some(entry) = self.live(slot, epoch) else { return };
        entry.watched = false;
        if matches!(entry.life, Life::Starting(_) | Life::Working | Life::Leaving) && !entry.held.is_empty() {
            out.effect(Effect::Probe { slot, epoch });
        }
    }

    pub(super) fn progress(&mut self, now: Moment, slot: u32, epoch: u32, task: Option<InTask>, out: &mut dyn Output) {
        let Some(entry) = self.live(slot, epoch) else { return };
        if !matches!(entry.life, Life::Starting(_) | Life::Working | Life::Leaving) {
            return;
        }
        let task = task.and_then(|task| Some((task, entry.class_of(task.index)?)));
        let Some((task, class)) = task else { return self.watch(now, slot) };
        let Some(limit) = self.rules(class).timeout else { return self.watch(now, slot) };
        let due = task.started + limit;
        if due > now {
            if let Some(entry) = self.live(slot, epoch) {
                entry.watched = true;
            }
            self.timers.set(due, Timer::Deadline { slot, epoch });
            return;
        }
        let Some(held) = self.live(slot, epoch).and_then(|entry| entry.take_task(task.index)) else { return };
        let overdue = Overdue { task: held, started: task.started, limit, last_words: None };
        let grace = self.rules(class).grace_period;
        self.end_worker(now, slot, Why::Timeout(overdue), grace, out);
    }

    /// Ends a worker: SIGTERM and a grace period, or SIGKILL where that is zero.
    pub(super) fn end_worker(&mut self, now: Moment, slot: u32, why: Why, grace: Duration, out: &mut dyn Output) {
        self.idle.remove(&slot);
        let Some(entry) = self.slots.get_mut(slot as usize) else { return };
        let epoch = entry.epoch;
        let kill = grace.is_zero();
        entry.life = Life::Ending(Box::new(Ending { why, killed: false }));
        out.effect(Effect::Stop { slot, epoch, how: if kill { Stop::Kill } else { Stop::Terminate } });
        if kill {
            self.timers.set(now + GONE, Timer::Stuck { slot, epoch });
        } else {
            self.timers.set(now + grace, Timer::Grace { slot, epoch });
        }
    }

    pub(super) fn grace_over(&mut self, now: Moment, slot: u32, epoch: u32, out: &mut dyn Output) {
        let Some(entry) = self.live(slot, epoch) else { return };
        let Life::Ending(ending) = &mut entry.life else { return };
        ending.killed = true;
        out.effect(Effect::Stop { slot, epoch, how: Stop::Kill });
        self.timers.set(now + GONE, Timer::Stuck { slot, epoch });
    }

    pub(super) fn stuck(&mut self, now: Moment, slot: u32, epoch: u32, out: &mut dyn Output) {
        let Some(entry) = self.live(slot, epoch) else { return };
        if !matches!(entry.life, Life::Ending(_)) {
            return;
        }
        let pid = entry.pid.unwrap_or(0);
        let text = format!("process {pid} is still there {GONE:?} after SIGKILL (uninterruptible sleep?)");
        self.note(now, Severity::Warning, text, out);
        out.effect(Effect::Stop { slot, epoch, how: Stop::Kill });
        self.timers.set(now + GONE, Timer::Stuck { slot, epoch });
    }

    /// A worker without work did not leave.
    pub(super) fn overstayed(&mut self, now: Moment, slot: u32, epoch: u32, out: &mut dyn Output) {
        let Some(entry) = self.live(slot, epoch) else { return };
        if !matches!(entry.life, Life::Leaving) || !entry.held.is_empty() {
            return;
        }
        let pid = entry.pid.unwrap_or(0);
        let text = format!("worker {slot} (process {pid}) did not leave within {LEAVE:?} and is ended");
        self.note(now, Severity::Warning, text, out);
        self.end_worker(now, slot, Why::RunEnds, Duration::ZERO, out);
    }
}
