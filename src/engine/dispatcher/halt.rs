//! Ending a run before its last task because enough tasks have failed, or succeeded, or both.
//!
//! It is looked at after every outcome, before anything else is begun: of tasks that run one at a time nothing begins behind
//! the one that halts the run. What a worker of a pool holds in its window was given out before, and is begun.

use super::Dispatcher;
use super::input::Sink;
use super::lane::Lane;
use crate::engine::event::{Moment, RunState, Severity};
use crate::workload::model::{Halt, HaltWhen};

/// What is known of it.
#[derive(Debug)]
pub(super) struct Halting {
    rule: Option<Halt>,
    total: Option<u64>,
    /// Whether the rule was met: nothing more is begun, and nothing tried again.
    pub(super) reached: bool,
    /// Whether any task was cut off by it.
    cut_off: bool,
}

impl Halting {
    pub(super) fn new(rule: Option<Halt>, total: Option<u64>) -> Self {
        Self { rule, total, reached: false, cut_off: false }
    }

    /// How a run ends of which every task has its outcome.
    pub(super) fn ending(&self) -> RunState {
        if self.cut_off { RunState::Stopped } else { RunState::Finished }
    }
}

impl Dispatcher {
    /// A task has its outcome: it may be the one that halts the run.
    pub(super) fn look_at_halt(&mut self, now: Moment, out: &mut dyn Sink) {
        let Some(rule) = self.halting.rule.filter(|_| !self.halting.reached && self.ending.is_none()) else { return };
        if !rule.is_reached(self.counts.succeeded, self.counts.unsuccessful(), self.halting.total) {
            return;
        }
        self.halting.reached = true;
        let more = self.arrivals.has_more();
        self.arrivals.end();
        let retries: u64 = self.timers.take_retries().iter().map(|ticket| ticket.count).sum();
        self.retrying -= retries;
        let cancelled = self.queue.clear() + retries;
        self.counts.cancelled += cancelled;
        self.halting.cut_off = cancelled > 0 || more;
        self.note(now, Severity::Info, format!("halted by {rule}: nothing more is begun"), out);
    }

    /// Ends what is in work when a run is halted at once.
    pub(super) fn carry_out_halt(&mut self, now: Moment, out: &mut dyn Sink) {
        self.look_at_halt(now, out);
        let at_once = self.halting.rule.is_some_and(|rule| rule.when == HaltWhen::Now);
        if self.halting.reached && at_once && self.ending.is_none() {
            let held: u64 = self.table.lanes().iter().map(Lane::tasks).sum();
            if held > 0 || self.halting.cut_off {
                self.end_run(now, RunState::Stopped, false, out);
            }
        }
    }
}
