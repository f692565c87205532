//! Ghosts: workers that go on with a task whose caller has given up (`on_timeout: abandon`).
//!
//! The task has its outcome. Its worker keeps its place until it has done the task, or is asked to leave after it where it
//! holds other tasks: those are given to others at once, and what it says of them afterwards is not heard. Where lanes share a
//! worker, there is another lane instead of one with a task that has worked too long, until there are as many of these as
//! lanes are wanted: then the worker is replaced.

use std::time::Duration;

use super::Dispatcher;
use super::input::Sink;
use super::lane::{Ghost, Held, Lane};
use super::queue::Ticket;
use super::worker::{Life, Why};
use crate::engine::event::{Event, LaneId, Moment, Severity, Slot, WorkerId};
use crate::engine::outcome::{Cause, Outcome};
use crate::workload::model::TaskIndex;

impl Dispatcher {
    /// A task has reached its limit and its caller waits no longer.
    pub(super) fn abandon(
        &mut self,
        now: Moment,
        id: LaneId,
        task: &Held,
        started: Option<Moment>,
        cause: Cause,
        out: &mut dyn Sink,
    ) {
        let slot = id.slot();
        let shared = self.policy.shares_worker();
        let overdue = if let Cause::Timeout { limit } = cause { Some(limit) } else { None };
        let Some((worker, lane)) = self.table.lane_mut(id) else { return };
        let (index, class) = (task.ticket.first, task.ticket.class);
        // Where there is none yet, it is a ghost as soon as there is one.
        let has_process = worker.pid.is_some();
        lane.ghost = Some(Ghost {
            index,
            class,
            started: started.unwrap_or(now),
            since: now,
            begun: started.is_some(),
            overdue: overdue.is_some(),
        });
        let work = started.map(|started| (started, u64::try_from(now.since(started).as_nanos()).unwrap_or(u64::MAX)));
        let times = work.map(|(started, service)| lane.times(task, started, service));
        worker.proven = true;
        if worker.is_new() && started.is_some() {
            // One that is its task says hello with its result; that it is in its task says as much.
            worker.life = Life::Working;
        }
        lane.taken_back = lane.held.drain(..).collect();
        let open = lane.taken_back.iter().filter(|held| !held.expired).map(|held| held.ticket).collect::<Vec<_>>();
        let leaves = !open.is_empty() && !shared;
        let may_retry = self.rules(task.ticket.class).retries.on_timeout && !matches!(cause, Cause::WaitTimeout { .. });
        let mut report = self.report(now, slot, task, Outcome::TimedOut, cause);
        times.into_iter().for_each(|times| report.set_times(times));
        if leaves {
            self.retire(now, id.worker, out);
        }
        self.queue.give_back(open.into_iter());
        self.expire_queue(now, out);
        self.attempt_over(now, task, report, may_retry, out);
        if has_process {
            out.event(now, &Event::GhostBegan { lane: id });
        }
        if let Some(limit) = overdue.filter(|_| shared && self.overdue_ghosts() >= self.workers) {
            return self.replace_haunted(now, id.worker, limit, out);
        }
        // Another worker may be of use now, or another lane.
        self.fit_table(now, out);
        self.tell_if_haunted(now, out);
    }

    /// Gives a lane that has nothing a task whose caller has given up: a ghost from its first instruction.
    pub(super) fn send_ghost(&mut self, now: Moment, slot: Slot, tickets: &mut Vec<Ticket>, out: &mut dyn Sink) {
        let Some(ticket) = self.queue.take(slot, 1) else { return };
        if let Some((worker, _)) = self.table.at_mut(slot) {
            worker.given += 1;
        }
        self.haunt(now, slot, &ticket, out);
        tickets.push(Ticket { expires: None, ..ticket });
    }

    /// A task that its worker holds and has not begun, as far as is known, is given up by its caller.
    pub(super) fn haunt(&mut self, now: Moment, slot: Slot, ticket: &Ticket, out: &mut dyn Sink) {
        let Some(id) = self.table.lane_id(slot) else { return };
        let Some((worker, lane)) = self.table.at_mut(slot) else { return };
        worker.proven = true;
        lane.ghost = Some(Ghost::of(ticket, now));
        lane.taken_back.clear();
        out.event(now, &Event::GhostBegan { lane: id });
        self.deal_to_lanes();
    }

    /// Says which lanes are to be dealt tasks: those that are to be there, but for ghosts, of which nobody knows when they
    /// end. What others were dealt is for these.
    pub(super) fn deal_to_lanes(&mut self) {
        if !self.queue.is_dealt() {
            return;
        }
        let lanes = self.table.lanes().iter().map(|lane| lane.ghost.is_none()).chain(std::iter::repeat(true));
        self.queue.set_lanes(lanes.take(self.lanes_aimed_at() as usize));
    }

    /// Lanes that are to be there. Where they share a worker, one is added for each that is taken up by a task that has
    /// worked too long: it cannot be ended, and nobody knows when it ends. Other ghosts are work like any other.
    pub(super) fn lanes_aimed_at(&self) -> u32 {
        if !self.policy.shares_worker() {
            return self.workers;
        }
        let mut wanted = self.workers;
        let mut lanes = 0;
        for lane in self.table.lanes() {
            if wanted == 0 {
                return lanes;
            }
            lanes += 1;
            wanted -= u32::from(!lane.is_overdue());
        }
        lanes + wanted
    }

    pub(super) fn overdue_ghosts(&self) -> u32 {
        if !self.policy.shares_worker() {
            return 0;
        }
        self.table.lanes().iter().map(|lane| u32::from(lane.is_overdue())).sum()
    }

    /// As many lanes of a worker are taken up for nothing as there are to be at work: it is replaced, and what is in it is lost.
    fn replace_haunted(&mut self, now: Moment, id: WorkerId, limit: Duration, out: &mut dyn Sink) {
        let ghosts = self.overdue_ghosts();
        let plural = if ghosts == 1 { "a task" } else { "tasks" };
        let text = format!(
            "worker {} is replaced: it is still in {plural} whose caller has given up ({ghosts}), as many as it has threads",
            id.slot
        );
        self.note(now, Severity::Warning, text, out);
        self.end_worker(now, id, Why::Haunted { ghosts, limit }, Duration::ZERO, out);
    }

    /// Says once that nothing can be given out because every lane is in a task that nobody waits for.
    fn tell_if_haunted(&mut self, now: Moment, out: &mut dyn Sink) {
        let aimed_at = self.table.lanes().iter().take(self.workers as usize);
        if !self.told_haunted && self.queue.waiting() > 0 && aimed_at.clone().all(|lane| lane.ghost.is_some()) {
            self.told_haunted = true;
            let text = format!(
                "every worker ({}) is in a task whose caller has given up: nothing is begun until one of these ends",
                aimed_at.count()
            );
            self.note(now, Severity::Warning, text, out);
        }
    }

    /// Whether what a worker says of this task is not to be heard: it is its ghost, or was taken back from it.
    pub(super) fn is_unheard(&mut self, now: Moment, id: LaneId, index: TaskIndex, out: &mut dyn Sink) -> bool {
        self.is_unheard_or_skipped(now, id, index, false, out)
    }

    /// The same; `skipped`: it says that it will not do the task.
    pub(super) fn is_unheard_or_skipped(
        &mut self,
        now: Moment,
        id: LaneId,
        index: TaskIndex,
        skipped: bool,
        out: &mut dyn Sink,
    ) -> bool {
        let Some((_, lane)) = self.table.lane_mut(id) else { return true };
        match lane.ghost {
            Some(ghost) if ghost.index == index => {
                lane.ghost = None;
                // The next attempt at the same task has a start of its own.
                lane.found_in = None;
                lane.free_since = now;
                let after = now.since(ghost.since);
                // How much it burnt is for the driver to say, if it was there at all.
                let cpu = skipped.then_some(Duration::ZERO);
                out.event(now, &Event::GhostEnded { lane: id, after, cpu });
                // There may be a lane less: what it was dealt is for others.
                self.deal_to_lanes();
                true
            }
            _ => lane.taken_back.iter().any(|held| held.contains(index)),
        }
    }

    /// Whether none of a worker's lanes has anything to do.
    pub(super) fn is_at_rest(&self, id: WorkerId) -> bool {
        self.table.lanes_of(id).iter().all(Lane::is_at_rest)
    }
}
