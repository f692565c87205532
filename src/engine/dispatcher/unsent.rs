//! Tasks that could not be sent: too many bytes were to travel with them.

use super::Dispatcher;
use super::input::Sink;
use super::queue::Ticket;
use crate::engine::event::{LaneId, Moment, Slot, WorkerId};
use crate::engine::outcome::{Cause, Outcome};

impl Dispatcher {
    /// These tasks were to be sent and were not: there is no room at the worker now. The first of them is `refused` where
    /// there never is.
    pub(super) fn unsent(
        &mut self,
        now: Moment,
        id: LaneId,
        tickets: &[Ticket],
        refused: Option<String>,
        out: &mut dyn Sink,
    ) {
        let waits = refused.is_none();
        let Some((worker, lane)) = self.table.lane_mut(id) else { return };
        let ghost = tickets.first().filter(|first| lane.ghost.is_some_and(|ghost| ghost.index == first.first));
        if let Some(ghost) = ghost {
            return self.ghost_unsent(now, id, *ghost, waits, out);
        }
        let mut held: Vec<_> = tickets.iter().flat_map(|ticket| lane.take_back(ticket)).collect();
        worker.given = worker.given.saturating_sub(held.iter().map(|held| held.ticket.count).sum());
        // For what it still holds it will report, and be given more then.
        lane.waits_for_room = waits && lane.is_at_rest();
        if let Some(message) = refused
            && held.first().is_some_and(|first| tickets.iter().any(|ticket| ticket.first == first.ticket.first))
        {
            let (first, rest) = held.remove(0).split(1);
            rest.into_iter().for_each(|rest| held.insert(0, rest));
            let report = self.report(now, id.slot(), &first, Outcome::Failed, Cause::NotStarted { message });
            // Another attempt would find the same: no retry.
            self.attempt_over(now, &first, report, false, out);
        }
        if self.ending.is_some() {
            // They will not be taken out of the queue any more.
            self.counts.cancelled += held.iter().map(|held| held.ticket.count).sum::<u64>();
        } else {
            self.queue.give_back(held.into_iter().map(|held| held.ticket));
        }
        self.expire_queue(now, out);
        if !waits {
            self.after_result(now, id.slot(), out);
        }
    }

    /// The same of a task whose caller has given up, which travels alone and has its outcome: it is left out, or `waits`.
    fn ghost_unsent(&mut self, now: Moment, id: LaneId, ticket: Ticket, waits: bool, out: &mut dyn Sink) {
        if let Some((worker, lane)) = self.table.lane_mut(id) {
            worker.given = worker.given.saturating_sub(1);
            lane.waits_for_room = waits;
        }
        self.is_unheard(now, id, ticket.first, out);
        if !waits {
            self.after_result(now, id.slot(), out);
        } else if self.ending.is_none() {
            self.queue.give_back(std::iter::once(ticket));
        }
    }

    /// A lane of a worker has reported, which may have made room for what others of its lanes wait to be sent.
    pub(super) fn room_was_made(&mut self, now: Moment, id: WorkerId, out: &mut dyn Sink) {
        if !self.policy.shares_worker() {
            return;
        }
        let waiting = self
            .table
            .slots_of(id)
            .map(Slot)
            .filter(|slot| self.table.at(*slot).is_some_and(|(_, lane)| lane.waits_for_room));
        for slot in waiting.collect::<Vec<_>>() {
            if let Some((_, lane)) = self.table.at_mut(slot) {
                lane.waits_for_room = false;
            }
            self.refill(now, slot, out);
        }
    }
}
