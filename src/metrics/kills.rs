//! What the end of a worker in the middle of its work costs: its task, the time until another one has its place, and
//! whether the others went on. Folded from the events of one run, each time as exact as the engine's own clock.
//!
//! Only the newest are kept and followed. Nothing here decides who is killed.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::event::{EndReason, Moment, Slot, WorkerId};
use crate::engine::outcome::{AttemptReport, Cause, Outcome};
use crate::workload::model::{ClassId, TaskIndex};

/// Workers killed on request that are kept of a run.
const REQUESTED: usize = 20;
/// Workers ended by a timeout that are kept of a run.
const TIMEOUTS: usize = 5;
/// How long after its signal the end of another worker is put down to it, unless its place is taken before.
const WATCHED: Duration = Duration::from_secs(1);

/// A worker that was ended although the run went on, and what that cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kill {
    /// Run clock when it got its signal, as in [`crate::metrics::snapshot::Snapshot::at`].
    pub at: Moment,
    /// Of the lane that it was ended for.
    pub slot: Slot,
    /// Its process, if it had one by then.
    pub pid: Option<u32>,
    /// Why it was ended.
    pub reason: EndReason,
    /// What was lost.
    pub cost: Cost,
    /// When its place was taken.
    pub replaced: Replaced,
    /// Other workers that were busy when it got its signal.
    pub others: u32,
    /// Of those, workers that died too before its place was taken, within a second.
    pub others_ended: u32,
}

/// What was lost with a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cost {
    /// It is not gone yet.
    Open,
    /// Nothing: it was in no task.
    Nothing,
    Attempt {
        index: TaskIndex,
        class: ClassId,
        /// What became of the task, unless it is tried again.
        outcome: Outcome,
        /// Whether it is tried again.
        retried: bool,
        /// How long it had run; `None` if it had not begun.
        ran: Option<Duration>,
    },
}

/// When the place of a worker was taken by the next one: by a reused worker when it is ready, by a process with its task
/// when it begins that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Replaced {
    /// Not yet.
    Open,
    /// So long after the first signal.
    After(Duration),
    /// The run ended before: there was no work left for another one.
    Never,
}

impl Kill {
    /// A worker gets its signal.
    #[must_use]
    pub(crate) fn new(at: Moment, slot: Slot, pid: Option<u32>, reason: EndReason) -> Self {
        Self { at, slot, pid, reason, cost: Cost::Open, replaced: Replaced::Open, others: 0, others_ended: 0 }
    }

    /// Other busy workers that did not die with it.
    #[must_use]
    pub(crate) fn others_unaffected(&self) -> u32 {
        self.others.saturating_sub(self.others_ended)
    }
}

/// The newest ends of workers in one run.
#[derive(Debug)]
pub(crate) struct Kills {
    /// Those on request.
    pub(crate) requested: Followed,
    /// Those because of a timeout.
    pub(crate) timeouts: Followed,
}

impl Default for Kills {
    fn default() -> Self {
        Self { requested: Followed::new(REQUESTED), timeouts: Followed::new(TIMEOUTS) }
    }
}

impl Kills {
    /// A worker gets its signal, while others are busy.
    pub(crate) fn ending(&mut self, now: Moment, worker: WorkerId, mut kill: Kill, others: &[WorkerId]) {
        kill.others = u32::try_from(others.len()).unwrap_or(u32::MAX);
        let list = match kill.reason {
            EndReason::Request => &mut self.requested,
            EndReason::Timeout { .. } => &mut self.timeouts,
        };
        list.push(PendingKill { kill, worker, since: now, gone: false, others: others.to_vec() });
    }

    /// An attempt did not succeed.
    pub(crate) fn attempt(&mut self, report: &AttemptReport) {
        let list = match report.cause {
            Cause::WorkerDied { by_user: true, .. } => &mut self.requested,
            Cause::Timeout { .. } | Cause::WaitTimeout { .. } => &mut self.timeouts,
            _ => return,
        };
        list.change(
            |entry| entry.has_cost(report),
            |entry| {
                let AttemptReport { index, class, outcome, retried, service: ran, .. } = *report;
                entry.kill.cost = Cost::Attempt { index, class, outcome, retried, ran };
            },
        );
    }

    /// A worker was reaped.
    pub(crate) fn exited(&mut self, now: Moment, worker: WorkerId, expected: bool) {
        for list in [&mut self.requested, &mut self.timeouts] {
            list.change(
                |entry| !entry.gone && entry.worker == worker,
                |entry| {
                    entry.gone = true;
                    if entry.kill.cost == Cost::Open {
                        entry.kill.cost = Cost::Nothing;
                    }
                },
            );
            if !expected {
                list.change(
                    |entry| entry.others.contains(&worker) && now.since(entry.since) <= WATCHED,
                    |entry| entry.kill.others_ended += 1,
                );
            }
        }
    }

    /// The place of a worker has another one that is ready, or in a task, since a moment.
    pub(crate) fn replaced(&mut self, slot: Slot, at: Moment) {
        for list in [&mut self.requested, &mut self.timeouts] {
            list.change(
                |entry| entry.gone && entry.worker.slot == slot && at >= entry.since,
                |entry| entry.kill.replaced = Replaced::After(at.since(entry.since)),
            );
        }
    }

    /// The run is over.
    pub(crate) fn over(&mut self) {
        for list in [&mut self.requested, &mut self.timeouts] {
            list.change(|_| true, |entry| entry.kill.replaced = Replaced::Never);
        }
    }
}

/// The newest entries of a kind, of which those whose place is not taken yet are followed.
#[derive(Debug)]
pub(crate) struct Followed {
    most: usize,
    entries: Vec<PendingKill>,
    /// Entries whose place is not taken yet.
    open: usize,
    shared: Arc<Vec<Kill>>,
    changed: bool,
}

#[derive(Debug)]
struct PendingKill {
    kill: Kill,
    worker: WorkerId,
    since: Moment,
    gone: bool,
    others: Vec<WorkerId>,
}

impl PendingKill {
    /// Whether it has cost this attempt. Of a worker with several lanes it can have cost others too: the one in the lane
    /// that it was ended for counts, or else the first that is told.
    fn has_cost(&self, report: &AttemptReport) -> bool {
        let of_its_lane = report.slot == Some(self.kill.slot);
        // One that got its signal before its pid was known is the only one of its slot that is not gone.
        let of_it = if self.kill.pid.is_some() { self.kill.pid == report.pid } else { of_its_lane };
        !self.gone && of_it && (of_its_lane || self.kill.cost == Cost::Open)
    }

    fn is_open(&self) -> bool {
        self.kill.replaced == Replaced::Open
    }
}

impl Followed {
    fn new(most: usize) -> Self {
        Self { most, entries: Vec::new(), open: 0, shared: Arc::default(), changed: false }
    }

    fn push(&mut self, entry: PendingKill) {
        if self.entries.len() >= self.most {
            self.entries.remove(0);
        }
        self.entries.push(entry);
        self.count();
    }

    fn count(&mut self) {
        self.changed = true;
        self.open = self.entries.iter().filter(|entry| entry.is_open()).count();
    }

    fn change(&mut self, which: impl Fn(&PendingKill) -> bool, change: impl Fn(&mut PendingKill)) {
        if self.open == 0 {
            return;
        }
        let mut found = false;
        for entry in self.entries.iter_mut().filter(|entry| entry.is_open() && which(entry)) {
            change(entry);
            found = true;
        }
        if found {
            self.count();
        }
    }

    /// All of them, oldest first; the same list as before if nothing has changed.
    pub(crate) fn shared(&mut self) -> Arc<Vec<Kill>> {
        if std::mem::take(&mut self.changed) {
            self.shared = Arc::new(self.entries.iter().map(|entry| entry.kill.clone()).collect());
        }
        Arc::clone(&self.shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::fixtures::attempt;
    use crate::os::accounting::Exit;

    fn at(millis: u64) -> Moment {
        Moment(millis * 1_000_000)
    }

    /// The worker whose process has this pid.
    fn worker(slot: u32, pid: u32) -> WorkerId {
        WorkerId { slot: Slot(slot), epoch: pid }
    }

    fn request(slot: u32, pid: u32) -> Kill {
        Kill::new(Moment::ZERO, Slot(slot), Some(pid), EndReason::Request)
    }

    fn lost(slot: u32, pid: u32, retried: bool) -> AttemptReport {
        AttemptReport {
            outcome: Outcome::Lost,
            cause: Cause::WorkerDied { exit: Exit::Signal(libc::SIGKILL), by_user: true, out_of_memory: false },
            slot: Some(Slot(slot)),
            pid: Some(pid),
            service: Some(Duration::from_millis(80)),
            retried,
            ..attempt(7)
        }
    }

    #[test]
    fn a_kill_is_followed_until_its_place_is_taken() {
        let mut kills = Kills::default();
        kills.ending(at(100), worker(1, 71), request(1, 71), &[worker(0, 70), worker(2, 72)]);
        kills.replaced(Slot(1), at(100));
        assert_eq!(kills.requested.shared()[0].replaced, Replaced::Open, "it is not gone yet");
        kills.attempt(&lost(1, 71, false));
        kills.exited(at(103), worker(1, 71), false);
        kills.exited(at(104), worker(2, 72), true);
        kills.replaced(Slot(0), at(105));
        kills.replaced(Slot(1), at(99));
        assert_eq!(kills.requested.shared()[0].replaced, Replaced::Open);
        kills.replaced(Slot(1), at(114));
        // What happens after that has another cause.
        kills.exited(at(115), worker(0, 70), false);
        kills.replaced(Slot(1), at(200));
        kills.over();
        let list = kills.requested.shared();
        let (index, class, outcome, ran) = (7, 0, Outcome::Lost, Some(Duration::from_millis(80)));
        assert_eq!(list[0].cost, Cost::Attempt { index, class, outcome, retried: false, ran });
        assert_eq!(list[0].replaced, Replaced::After(Duration::from_millis(14)));
        assert_eq!((list[0].others, list[0].others_unaffected()), (2, 2));
        assert!(Arc::ptr_eq(&list, &kills.requested.shared()), "nothing changed, nothing is made anew");
        assert!(kills.timeouts.shared().is_empty());
    }

    #[test]
    fn a_worker_with_several_lanes_is_one_worker_whose_lane_was_overdue() {
        let mut kills = Kills::default();
        let limit = Duration::from_secs(2);
        let kill = Kill { reason: EndReason::Timeout { limit }, ..request(2, 71) };
        kills.ending(at(100), worker(0, 71), kill, &[]);
        kills.attempt(&AttemptReport { cause: Cause::Timeout { limit }, ..lost(2, 71, true) });
        kills.exited(at(103), worker(0, 71), false);
        kills.replaced(Slot(0), at(114));
        let list = kills.timeouts.shared();
        assert!(matches!(list[0].cost, Cost::Attempt { retried: true, .. }), "{list:?}");
        assert_eq!((list[0].slot, list[0].replaced), (Slot(2), Replaced::After(Duration::from_millis(14))));
        assert_eq!((list[0].others, list[0].others_ended), (0, 0));
        // On request every lane loses its task: the one that was chosen is told, or else the first.
        kills.ending(at(200), worker(0, 72), request(0, 72), &[]);
        for slot in [1, 2] {
            kills.attempt(&AttemptReport { index: u64::from(slot), ..lost(slot, 72, false) });
        }
        kills.ending(at(200), worker(0, 73), request(2, 73), &[]);
        for slot in [1, 2] {
            kills.attempt(&AttemptReport { index: u64::from(slot), ..lost(slot, 73, false) });
        }
        let costs = kills.requested.shared().iter().map(|kill| kill.cost).collect::<Vec<_>>();
        let told = |cost: &Cost, task| matches!(cost, Cost::Attempt { index, .. } if *index == task);
        assert!(told(&costs[0], 1) && told(&costs[1], 2), "{costs:?}");
    }

    #[test]
    fn what_died_with_it_is_told_and_what_died_much_later_is_not() {
        let mut kills = Kills::default();
        kills.ending(at(100), worker(1, 71), request(1, 71), &[worker(0, 70), worker(2, 72)]);
        kills.exited(at(101), worker(0, 70), false);
        kills.exited(at(1_101), worker(2, 72), false);
        kills.exited(at(1_102), worker(1, 71), false);
        kills.over();
        let list = kills.requested.shared();
        assert_eq!((list[0].others_unaffected(), list[0].others_ended), (1, 1));
        assert_eq!((list[0].cost, list[0].replaced), (Cost::Nothing, Replaced::Never));
    }

    #[test]
    fn of_a_flood_the_newest_are_kept() {
        let mut kills = Kills::default();
        for number in 0..100u32 {
            let limit = Duration::from_secs(2);
            let kill = Kill { reason: EndReason::Timeout { limit }, ..request(number % 4, number) };
            let id = worker(number % 4, number);
            kills.ending(at(u64::from(number)), id, kill, &[]);
            let timeout = AttemptReport { cause: Cause::Timeout { limit }, ..lost(number % 4, number, true) };
            kills.attempt(&timeout);
            kills.exited(at(u64::from(number)), id, false);
        }
        let pids: Vec<_> = kills.timeouts.shared().iter().filter_map(|kill| kill.pid).collect();
        assert_eq!(pids, [95, 96, 97, 98, 99]);
        assert!(kills.timeouts.shared().iter().all(|kill| matches!(kill.cost, Cost::Attempt { retried: true, .. })));
        assert_eq!(kills.timeouts.open, 5);
    }
}
