//! Ghosts: workers that go on with a task whose caller has given up (`on_timeout: abandon`).
//!
//! The task has its outcome. Its worker keeps its place until it has done the task, or is asked to leave after it where it
//! holds other tasks: those are given to others at once, and what it says of them afterwards is not heard.

use std::time::Duration;

use super::Dispatcher;
use super::input::Sink;
use super::lane::{Ghost, Held, Lane};
use super::worker::Life;
use crate::engine::event::{Event, LaneId, Moment, Severity, WorkerId};
use crate::engine::outcome::{Cause, Outcome};
use crate::workload::model::TaskIndex;

impl Dispatcher {
    /// A task has reached its limit and its caller waits no longer.
    pub(super) fn abandon(
        &mut self,
        now: Moment,
        id: LaneId,
        task: &Held,
        started: Moment,
        limit: Duration,
        out: &mut dyn Sink,
    ) {
        let slot = id.slot();
        let shared = self.policy.shares_worker();
        let Some((worker, lane)) = self.table.lane_mut(id) else { return };
        let (index, class) = (task.ticket.first, task.ticket.class);
        lane.ghost = Some(Ghost { index, class, started, since: now });
        let service = u64::try_from(now.since(started).as_nanos()).unwrap_or(u64::MAX);
        let times = lane.times(task, started, service);
        worker.proven = true;
        if worker.is_new() {
            // One that is its task says hello with its result; that it is in its task says as much.
            worker.life = Life::Working;
        }
        lane.taken_back = lane.held.drain(..).collect();
        let open = lane.taken_back.iter().filter(|held| !held.expired).map(|held| held.ticket).collect::<Vec<_>>();
        let leaves = !open.is_empty() && !shared;
        let mut report = self.report(now, slot, task, Outcome::TimedOut, Cause::Timeout { limit });
        report.set_times(times);
        if leaves {
            self.retire(now, id.worker, out);
        }
        self.queue.give_back(open.into_iter());
        self.expire_queue(now, out);
        let may_retry = self.rules(task.ticket.class).retries.on_timeout;
        self.attempt_over(now, task, report, may_retry, out);
        out.event(now, &Event::GhostBegan { lane: id });
        // Another worker may be of use now.
        self.fit_table(now, out);
        self.tell_if_haunted(now, out);
    }

    /// Says once that nothing can be given out because every lane is in a task that nobody waits for.
    fn tell_if_haunted(&mut self, now: Moment, out: &mut dyn Sink) {
        let aimed_at = self.table.lanes().iter().take(self.workers as usize);
        if !self.told_haunted && !self.queue.is_empty() && aimed_at.clone().all(|lane| lane.ghost.is_some()) {
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
        let Some((_, lane)) = self.table.lane_mut(id) else { return true };
        match lane.ghost {
            Some(ghost) if ghost.index == index => {
                lane.ghost = None;
                lane.free_since = now;
                let after = now.since(ghost.since);
                // How much it burnt is for the driver to say.
                out.event(now, &Event::GhostEnded { lane: id, after, cpu: None });
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
