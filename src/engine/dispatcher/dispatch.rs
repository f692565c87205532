//! Giving out work: which slot gets how many tasks.

use std::time::Duration;

use super::input::{Effect, Sink};
use super::slot::{Held, Life};
use super::{Dispatcher, Policy};
use crate::engine::dispatcher::queue::Ticket;
use crate::engine::dispatcher::window::Holding;
use crate::engine::event::{Moment, RunState};
use crate::engine::stream::ClassRules;
use crate::workload::model::{Backoff, ClassId, Retries};

/// Most runs in one message.
const MOST_RUNS: usize = 1024;

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

    /// Gives work to everyone who waits for it.
    pub(super) fn pump(&mut self, now: Moment, out: &mut dyn Sink) {
        while self.state == RunState::Running && !self.queue.is_empty() {
            if self.policy == Policy::OneTask && self.starts_left == 0 {
                self.unfinished |= !self.idle.is_empty();
                return;
            }
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
    pub(super) fn refill(&mut self, now: Moment, slot: u32, out: &mut dyn Sink) {
        let Some(entry) = self.slots.get(slot as usize) else { return };
        if !matches!(entry.life, Life::Working) || entry.closed {
            return;
        }
        let epoch = entry.epoch;
        let mut tickets = Vec::new();
        if self.state == RunState::Running {
            self.fill(now, slot, &mut tickets);
        }
        if tickets.is_empty() {
            if self.slots.get(slot as usize).is_some_and(super::slot::Slot::is_empty) {
                self.idle.insert(slot);
            }
            return;
        }
        self.idle.remove(&slot);
        self.watch_sent(now, slot, &tickets);
        out.effect(Effect::Send { slot, epoch, tickets });
    }

    fn fill(&mut self, now: Moment, slot: u32, tickets: &mut Vec<Ticket>) {
        let Some(entry) = self.slots.get_mut(slot as usize) else { return };
        let mut holding = Holding { tasks: 0, nanos: 0 };
        if entry.held.is_empty() {
            entry.hear(now);
        }
        for held in entry.open() {
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
            entry.held.push_back(Held::new(ticket, now, estimate));
            tickets.push(ticket);
        }
    }
}
