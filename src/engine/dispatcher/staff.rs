//! The workers: who is started, when, and who is asked to leave.

use std::time::Duration;

use super::deadlines::LEAVE;
use super::input::{Effect, Sink, StartFailure};
use super::slot::{Held, Life, Slot};
use super::timers::Timer;
use super::{Dispatcher, Policy};
use crate::engine::dispatcher::queue::Ticket;
use crate::engine::event::{Event, Moment, Severity};
use crate::engine::outcome::{Cause, Outcome};

/// First and longest pause before another try to start a worker.
const START_PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// How long starts may fail, while no worker is there at all, before the engine gives up.
const START_PATIENCE: Duration = Duration::from_secs(60);

impl Dispatcher {
    /// Makes the table as long as the number of workers, and starts or dismisses workers to fit it.
    pub(super) fn fit_slots(&mut self, now: Moment, out: &mut dyn Sink) {
        if self.ending.is_some() {
            return;
        }
        while self.slots.len() < self.workers as usize {
            self.slots.push(Slot::default());
        }
        let slots = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        for slot in self.workers..slots {
            self.idle.remove(&slot);
            self.retire(now, slot, out);
        }
        let mut vacancies = self.vacancies();
        for slot in 0..self.workers {
            if vacancies > 0 && self.take_place(now, slot, out) {
                vacancies -= 1;
            }
        }
        self.pump(now, out);
    }

    /// How many more workers there may be: never more than tasks that are still to be done, now or later.
    fn vacancies(&self) -> u32 {
        let left = self.queue.total().saturating_sub(self.counts.finished());
        if self.policy == Policy::OneTask || left >= u64::from(self.workers) {
            return u32::MAX;
        }
        let places = self.slots.iter().take(self.workers as usize);
        let taken = places.filter(|slot| !matches!(slot.life, Life::Free)).count() as u64;
        u32::try_from(left.saturating_sub(taken)).unwrap_or(u32::MAX)
    }

    /// A slot may have become free: a worker takes its place if one is needed.
    pub(super) fn occupy(&mut self, now: Moment, slot: u32, out: &mut dyn Sink) {
        let free = self.slots.get(slot as usize).is_some_and(|entry| matches!(entry.life, Life::Free));
        if free && slot < self.workers && self.vacancies() > 0 {
            self.take_place(now, slot, out);
        }
    }

    /// Sees to it that a slot is ready for work: a reused worker is started, a free slot waits for its task. Says whether
    /// a worker took the place.
    fn take_place(&mut self, now: Moment, slot: u32, out: &mut dyn Sink) -> bool {
        let free = self.slots.get(slot as usize).is_some_and(|entry| matches!(entry.life, Life::Free));
        if !free || self.ending.is_some() {
            return false;
        }
        match self.policy {
            Policy::Reuse if self.starts_left == 0 => self.unfinished = true,
            Policy::Reuse => {
                self.start(now, slot, None, out);
                return true;
            }
            Policy::OneTask => {
                self.idle.insert(slot);
            }
        }
        false
    }

    pub(super) fn start(&mut self, now: Moment, slot: u32, task: Option<Ticket>, out: &mut dyn Sink) {
        let blocked = now < self.start_blocked_until;
        let Some(entry) = self.slots.get_mut(slot as usize) else { return };
        entry.epoch += 1;
        if blocked {
            entry.life = Life::Waiting;
            let epoch = entry.epoch;
            self.queue.give_back(task.into_iter());
            self.timers.set(self.start_blocked_until, Timer::Start { slot, epoch });
            return;
        }
        entry.life = Life::Starting(now);
        entry.pid = None;
        entry.hear(now);
        entry.closed = false;
        entry.proven = false;
        entry.free_since = now;
        entry.held.clear();
        if let Some(ticket) = task {
            entry.held.push_back(Held::new(ticket, now, 0));
        }
        let epoch = entry.epoch;
        self.starts_left = self.starts_left.saturating_sub(1);
        let in_work = task.map(|ticket| Ticket { expires: None, ..ticket });
        out.effect(Effect::Start { slot, epoch, task: in_work });
        self.watch_sent(now, slot, task.as_slice());
    }

    pub(super) fn started(&mut self, now: Moment, slot: u32, epoch: u32, pid: u32, out: &mut dyn Sink) {
        self.failed_starts = 0;
        self.start_blocked_until = Moment::ZERO;
        let Some(entry) = self.live(slot, epoch) else { return };
        entry.pid = Some(pid);
        entry.hear(now);
        let restart = std::mem::take(&mut entry.replaces);
        out.event(now, &Event::WorkerStarted { slot, pid, restart });
    }

    pub(super) fn ready(&mut self, now: Moment, slot: u32, epoch: u32, out: &mut dyn Sink) {
        let policy = self.policy;
        let Some(entry) = self.live(slot, epoch) else { return };
        let Life::Starting(since) = entry.life else { return };
        entry.life = Life::Working;
        entry.hear(now);
        out.event(now, &Event::WorkerReady { slot, took: now.since(since) });
        if policy == Policy::Reuse {
            entry.free_since = now;
            if slot >= self.workers {
                self.retire(now, slot, out);
            } else {
                self.refill(now, slot, out);
            }
        }
    }

    pub(super) fn start_failed(
        &mut self,
        now: Moment,
        slot: u32,
        epoch: u32,
        failure: StartFailure,
        out: &mut dyn Sink,
    ) {
        let Some(entry) = self.live(slot, epoch) else { return };
        let held = entry.held.pop_front();
        self.watch(slot, None);
        let stopped = self.stopped_at.is_some();
        let Some(entry) = self.live(slot, epoch) else { return };
        if stopped {
            entry.life = Life::Free;
            self.counts.cancelled += held.map_or(0, |held| held.ticket.count);
            return;
        }
        match failure {
            StartFailure::Engine(reason) => {
                entry.life = Life::Free;
                self.queue.give_back(held.map(|held| held.ticket).into_iter());
                self.give_up(now, &reason, out);
            }
            StartFailure::Task(message) => {
                entry.life = Life::Free;
                // The system was not short of anything.
                self.failed_starts = 0;
                self.start_blocked_until = Moment::ZERO;
                if let Some(held) = held {
                    let report = self.report(now, slot, &held, Outcome::Failed, Cause::NotStarted { message });
                    // Another attempt would find the same: no retry.
                    self.attempt_over(now, &held, report, false, out);
                }
                self.occupy(now, slot, out);
                self.pump(now, out);
            }
            StartFailure::Transient(reason) => {
                entry.life = Life::Waiting;
                self.queue.give_back(held.map(|held| held.ticket).into_iter());
                // Several that were asked for at the same time are one failure.
                if now >= self.start_blocked_until {
                    self.block_starts(now, &reason, out);
                }
                let anyone = self.slots.iter().any(|slot| slot.pid.is_some());
                if !anyone && now.since(self.failing_since) > START_PATIENCE {
                    self.give_up(now, &format!("no worker could be started for {START_PATIENCE:?}: {reason}"), out);
                    return;
                }
                self.timers.set(self.start_blocked_until, Timer::Start { slot, epoch });
            }
        }
    }

    /// The system is short of something: for a while nobody is started, each time for longer.
    fn block_starts(&mut self, now: Moment, reason: &str, out: &mut dyn Sink) {
        if self.failed_starts == 0 {
            self.failing_since = now;
        }
        let doublings = self.failed_starts.min(16);
        self.failed_starts += 1;
        let pause = START_PAUSE.0.saturating_mul(1 << doublings).min(START_PAUSE.1);
        self.start_blocked_until = now + pause;
        self.shortages += 1;
        // Often enough to be seen, rarely enough to leave room for other notes.
        if self.shortages.is_power_of_two() {
            let text = format!("{reason}; trying again in {pause:?} (short {} times so far)", self.shortages);
            self.note(now, Severity::Warning, text, out);
        }
    }

    pub(super) fn start_again(&mut self, now: Moment, slot: u32, epoch: u32, out: &mut dyn Sink) {
        let Some(entry) = self.live(slot, epoch) else { return };
        if matches!(entry.life, Life::Waiting) {
            entry.life = Life::Free;
            self.occupy(now, slot, out);
            self.pump(now, out);
        }
    }

    /// Asks a worker to leave after its task.
    pub(super) fn retire(&mut self, now: Moment, slot: u32, out: &mut dyn Sink) {
        let policy = self.policy;
        let Some(entry) = self.slots.get_mut(slot as usize) else { return };
        let epoch = entry.epoch;
        match entry.life {
            Life::Waiting => entry.life = Life::Free,
            // A process with its only task is left to finish it.
            Life::Starting(_) | Life::Working if policy == Policy::Reuse => {
                entry.life = Life::Leaving;
                let idle = entry.is_empty();
                self.idle.remove(&slot);
                out.effect(Effect::Retire { slot, epoch });
                if idle {
                    self.timers.set(now + LEAVE, Timer::Leave { slot, epoch });
                }
            }
            _ => {}
        }
    }
}
