//! Giving out work: which slot gets how many tasks, and when a worker is started.

use std::time::Duration;

use super::deadlines::LEAVE;
use super::input::{Effect, Output, StartFailure};
use super::slot::{Held, Life, Slot};
use super::timers::Timer;
use super::{Dispatcher, Policy};
use crate::engine::event::{Event, Moment, RunState, Severity};
use crate::engine::outcome::{Cause, Outcome};
use crate::engine::queue::Ticket;
use crate::engine::stream::ClassRules;
use crate::engine::window::Holding;
use crate::workload::model::{Backoff, ClassId, Retries};

/// Most runs in one message.
const MOST_RUNS: usize = 1024;
/// First and longest pause before another try to start a worker.
const START_PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// How long starts may fail, while no worker is there at all, before the engine gives up.
const START_PATIENCE: Duration = Duration::from_secs(60);

const NO_RULES: ClassRules = ClassRules {
    timeout: None,
    queue_timeout: None,
    grace_period: Duration::ZERO,
    retries: Retries {
        max: 0,
        on_crash: false,
        on_timeout: false,
        on_error: false,
        backoff: Backoff { delay: Duration::ZERO, factor: 1.0, max_delay: Duration::ZERO, jitter: false },
    },
};

impl Dispatcher {
    pub(super) fn rules(&self, class: ClassId) -> ClassRules {
        self.classes.get(usize::from(class)).copied().unwrap_or(NO_RULES)
    }

    /// Makes the table as long as the number of workers, and starts or dismisses workers to fit it.
    pub(super) fn fit_slots(&mut self, now: Moment, out: &mut dyn Output) {
        if self.ending.is_some() {
            return;
        }
        while self.slots.len() < self.workers as usize {
            self.slots.push(Slot::default());
        }
        for slot in 0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX) {
            if slot < self.workers {
                self.occupy(now, slot, out);
            } else {
                self.idle.remove(&slot);
                self.retire(now, slot, out);
            }
        }
        self.pump(now, out);
    }

    /// Sees to it that a slot is ready for work: a reused worker is started, a free slot waits for its task.
    pub(super) fn occupy(&mut self, now: Moment, slot: u32, out: &mut dyn Output) {
        let Some(entry) = self.slots.get(slot as usize) else { return };
        if slot >= self.workers || self.ending.is_some() || !matches!(entry.life, Life::Free) {
            return;
        }
        match self.policy {
            Policy::Reuse => self.start(now, slot, None, out),
            Policy::OneTask => {
                self.idle.insert(slot);
            }
        }
    }

    fn start(&mut self, now: Moment, slot: u32, task: Option<Ticket>, out: &mut dyn Output) {
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
        entry.watched = false;
        entry.proven = false;
        entry.free_since = now;
        entry.held.clear();
        if let Some(ticket) = task {
            entry.held.push_back(Held { ticket, sent: now, estimate: 0 });
        }
        let epoch = entry.epoch;
        out.effect(Effect::Start { slot, epoch, task });
        if task.is_some() {
            self.watch(now, slot);
        }
    }

    /// Gives work to everyone who waits for it.
    pub(super) fn pump(&mut self, now: Moment, out: &mut dyn Output) {
        while self.state == RunState::Running && !self.queue.is_empty() {
            let Some(slot) = self.idle.pop_first() else { return };
            match self.policy {
                Policy::Reuse => self.refill(now, slot, out),
                Policy::OneTask => {
                    if let Some(ticket) = self.queue.take(1) {
                        self.start(now, slot, Some(ticket), out);
                    }
                }
            }
        }
    }

    /// Fills a worker's window.
    pub(super) fn refill(&mut self, now: Moment, slot: u32, out: &mut dyn Output) {
        let Some(entry) = self.slots.get(slot as usize) else { return };
        if !matches!(entry.life, Life::Working) {
            return;
        }
        let epoch = entry.epoch;
        let mut tickets = Vec::new();
        if self.state == RunState::Running {
            self.fill(now, slot, &mut tickets);
        }
        if tickets.is_empty() {
            if self.slots.get(slot as usize).is_some_and(|slot| slot.held.is_empty()) {
                self.idle.insert(slot);
            }
            return;
        }
        self.idle.remove(&slot);
        out.effect(Effect::Send { slot, epoch, tickets });
        self.watch(now, slot);
    }

    fn fill(&mut self, now: Moment, slot: u32, tickets: &mut Vec<Ticket>) {
        let Some(entry) = self.slots.get_mut(slot as usize) else { return };
        let mut holding = Holding { tasks: 0, nanos: 0 };
        for held in &entry.held {
            holding.tasks += held.ticket.count;
            holding.nanos += held.ticket.count.saturating_mul(held.estimate);
        }
        let waiting = self.queue.len();
        let mut room = None;
        while tickets.len() < MOST_RUNS {
            let Some(class) = self.queue.next_class() else { return };
            let estimate = self.estimates.nanos(class);
            // A fixed chunk is decided once; the adaptive window follows the classes that go into it.
            let most = match room {
                Some(left) if !self.chunk.is_adaptive() => left,
                _ => {
                    let first = tickets.is_empty();
                    self.chunk.room(holding, estimate, waiting, self.workers, first)
                }
            };
            if most == 0 {
                return;
            }
            let Some(ticket) = self.queue.take(most) else { return };
            room = Some(most - ticket.count);
            holding.tasks += ticket.count;
            holding.nanos += ticket.count.saturating_mul(estimate);
            entry.held.push_back(Held { ticket, sent: now, estimate });
            tickets.push(ticket);
        }
    }

    pub(super) fn started(&mut self, now: Moment, slot: u32, epoch: u32, pid: u32, out: &mut dyn Output) {
        self.failed_starts = 0;
        self.start_blocked_until = Moment::ZERO;
        let Some(entry) = self.live(slot, epoch) else { return };
        entry.pid = Some(pid);
        let restart = std::mem::take(&mut entry.replaces);
        out.event(now, &Event::WorkerStarted { slot, pid, restart });
    }

    pub(super) fn ready(&mut self, now: Moment, slot: u32, epoch: u32, out: &mut dyn Output) {
        let policy = self.policy;
        let Some(entry) = self.live(slot, epoch) else { return };
        let Life::Starting(since) = entry.life else { return };
        entry.life = Life::Working;
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
        out: &mut dyn Output,
    ) {
        let Some(entry) = self.live(slot, epoch) else { return };
        let held = entry.held.pop_front();
        match failure {
            StartFailure::Engine(reason) => {
                entry.life = Life::Free;
                self.queue.give_back(held.map(|held| held.ticket).into_iter());
                self.give_up(now, &reason, out);
            }
            StartFailure::Task(message) => {
                entry.life = Life::Free;
                if let Some(held) = held {
                    let mut report = self.report(now, slot, &held, Outcome::Failed, Cause::NotStarted { message });
                    report.wait = held.sent.since(held.ticket.arrival);
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
    fn block_starts(&mut self, now: Moment, reason: &str, out: &mut dyn Output) {
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

    pub(super) fn start_again(&mut self, now: Moment, slot: u32, epoch: u32, out: &mut dyn Output) {
        let Some(entry) = self.live(slot, epoch) else { return };
        if matches!(entry.life, Life::Waiting) {
            entry.life = Life::Free;
            self.occupy(now, slot, out);
            self.pump(now, out);
        }
    }

    /// Asks a worker to leave after its task.
    pub(super) fn retire(&mut self, now: Moment, slot: u32, out: &mut dyn Output) {
        let policy = self.policy;
        let Some(entry) = self.slots.get_mut(slot as usize) else { return };
        let epoch = entry.epoch;
        match entry.life {
            Life::Waiting => entry.life = Life::Free,
            // A process with its only task is left to finish it.
            Life::Starting(_) | Life::Working if policy == Policy::Reuse => {
                entry.life = Life::Leaving;
                let idle = entry.held.is_empty();
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
