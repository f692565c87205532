//! What the end of a worker in the middle of its work costs: its task, the time until another one has its place, and
//! whether the others went on. Folded from the events of one run, each time as exact as the engine's own clock.
//!
//! Only the newest are kept and followed. Nothing here decides who is killed.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::event::{EndReason, Moment};
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
    pub at: Duration,
    pub slot: u32,
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
    pub(crate) fn new(at: Duration, slot: u32, pid: Option<u32>, reason: EndReason) -> Self {
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
    /// A worker gets its signal, while workers with these pids are busy.
    pub(crate) fn ending(&mut self, now: Moment, mut kill: Kill, others: Vec<u32>) {
        kill.others = u32::try_from(others.len()).unwrap_or(u32::MAX);
        match kill.reason {
            EndReason::Request => self.requested.push(now, kill, others),
            EndReason::Timeout { .. } => self.timeouts.push(now, kill, others),
        }
    }

    /// An attempt did not succeed.
    pub(crate) fn attempt(&mut self, report: &AttemptReport) {
        let list = match report.cause {
            Cause::WorkerDied { by_user: true, .. } => &mut self.requested,
            Cause::Timeout { .. } => &mut self.timeouts,
            _ => return,
        };
        list.change(
            |entry| entry.is_of(report.slot, report.pid),
            |entry| {
                let AttemptReport { index, class, outcome, retried, service: ran, .. } = *report;
                entry.kill.cost = Cost::Attempt { index, class, outcome, retried, ran };
            },
        );
    }

    /// A worker was reaped.
    pub(crate) fn exited(&mut self, now: Moment, slot: u32, pid: u32, expected: bool) {
        for list in [&mut self.requested, &mut self.timeouts] {
            list.change(
                |entry| entry.is_of(Some(slot), Some(pid)),
                |entry| {
                    entry.gone = true;
                    if entry.kill.cost == Cost::Open {
                        entry.kill.cost = Cost::Nothing;
                    }
                },
            );
            if !expected {
                list.change(
                    |entry| entry.others.contains(&pid) && now.since(entry.since) <= WATCHED,
                    |entry| entry.kill.others_ended += 1,
                );
            }
        }
    }

    /// A slot has a worker that is ready, or in a task, since a moment.
    pub(crate) fn replaced(&mut self, slot: u32, at: Moment) {
        for list in [&mut self.requested, &mut self.timeouts] {
            list.change(
                |entry| entry.gone && entry.kill.slot == slot && at >= entry.since,
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
    since: Moment,
    gone: bool,
    /// Processes of the others.
    others: Vec<u32>,
}

impl PendingKill {
    fn is_of(&self, slot: Option<u32>, pid: Option<u32>) -> bool {
        // One that got its signal before its pid was known is the only one of its slot that is not gone.
        !self.gone && Some(self.kill.slot) == slot && (self.kill.pid.is_none() || self.kill.pid == pid)
    }

    fn is_open(&self) -> bool {
        self.kill.replaced == Replaced::Open
    }
}

impl Followed {
    fn new(most: usize) -> Self {
        Self { most, entries: Vec::new(), open: 0, shared: Arc::default(), changed: false }
    }

    fn push(&mut self, since: Moment, kill: Kill, others: Vec<u32>) {
        if self.entries.len() >= self.most {
            self.entries.remove(0);
        }
        self.entries.push(PendingKill { kill, since, gone: false, others });
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

    fn request(slot: u32, pid: u32) -> Kill {
        Kill::new(Duration::ZERO, slot, Some(pid), EndReason::Request)
    }

    fn lost(slot: u32, pid: u32, retried: bool) -> AttemptReport {
        AttemptReport {
            outcome: Outcome::Lost,
            cause: Cause::WorkerDied { exit: Exit::Signal(libc::SIGKILL), by_user: true, out_of_memory: false },
            slot: Some(slot),
            pid: Some(pid),
            service: Some(Duration::from_millis(80)),
            retried,
            ..attempt(7)
        }
    }

    #[test]
    fn a_kill_is_followed_until_its_place_is_taken() {
        let mut kills = Kills::default();
        kills.ending(at(100), request(1, 71), vec![70, 72]);
        kills.replaced(1, at(100));
        assert_eq!(kills.requested.shared()[0].replaced, Replaced::Open, "it is not gone yet");
        kills.attempt(&lost(1, 71, false));
        kills.exited(at(103), 1, 71, false);
        kills.exited(at(104), 2, 72, true);
        kills.replaced(0, at(105));
        kills.replaced(1, at(99));
        assert_eq!(kills.requested.shared()[0].replaced, Replaced::Open);
        kills.replaced(1, at(114));
        // What happens after that has another cause.
        kills.exited(at(115), 0, 70, false);
        kills.replaced(1, at(200));
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
    fn what_died_with_it_is_told_and_what_died_much_later_is_not() {
        let mut kills = Kills::default();
        kills.ending(at(100), request(1, 71), vec![70, 72]);
        kills.exited(at(101), 0, 70, false);
        kills.exited(at(1_101), 2, 72, false);
        kills.exited(at(1_102), 1, 71, false);
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
            kills.ending(at(u64::from(number)), kill, vec![]);
            let timeout = AttemptReport { cause: Cause::Timeout { limit }, ..lost(number % 4, number, true) };
            kills.attempt(&timeout);
            kills.exited(at(u64::from(number)), number % 4, number, false);
        }
        let pids: Vec<_> = kills.timeouts.shared().iter().filter_map(|kill| kill.pid).collect();
        assert_eq!(pids, [95, 96, 97, 98, 99]);
        assert!(kills.timeouts.shared().iter().all(|kill| matches!(kill.cost, Cost::Attempt { retried: true, .. })));
        assert_eq!(kills.timeouts.open, 5);
    }
}
