//! Recycling: a worker that is well is replaced when it has done its number of tasks, or has grown too large.
//!
//! It is given no more than it may do, and asked to leave when it has done that; its place is taken as soon as it has
//! gone. A worker that others share stays: there is only the one.

use super::Dispatcher;
use super::input::Sink;
use super::worker::Life;
use crate::engine::event::{Moment, Slot, WorkerId};

impl Dispatcher {
    /// How many more tasks the worker of a slot may be given.
    pub(super) fn allowance(&self, slot: Slot) -> u64 {
        let most = self.recycling.max_tasks.filter(|_| !self.policy.shares_worker());
        let given = self.table.at(slot).map_or(0, |(worker, _)| worker.given);
        most.map_or(u64::MAX, |most| most.get().saturating_sub(given))
    }

    /// Asks a worker to leave that has done all it may do. Says whether it did.
    pub(super) fn leave_if_spent(&mut self, now: Moment, slot: Slot, out: &mut dyn Sink) -> bool {
        let Some(id) = self.table.lane_id(slot).map(|lane| lane.worker) else { return false };
        let spent = self.allowance(slot) == 0 && self.is_at_rest(id);
        if spent {
            self.retire(now, id, out);
        }
        spent
    }

    /// A worker has grown beyond its limit: it leaves after the task that it is in, and what else it holds goes to others.
    pub(super) fn grown(&mut self, now: Moment, id: WorkerId, out: &mut dyn Sink) {
        let works = self.table.worker(id).is_some_and(|worker| matches!(worker.life, Life::Working));
        if works && !self.policy.shares_worker() {
            self.retire(now, id, out);
        }
    }
}
