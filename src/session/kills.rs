//! Kills on request, which wait until there is a worker to kill, and what the kills of all runs cost.
//!
//! Counts and measures nothing: each run's recorder says what a kill cost; here its word is kept when the run is gone.

use std::sync::Arc;
use std::time::Instant;

use crate::engine::event::{Moment, RunState, Slot};
use crate::metrics::snapshot::{Kill, Snapshot, WorkerRow};
use crate::session::view::{KillRecord, KillsView};

/// Kills on request that are kept.
const REQUESTED: usize = 20;
/// Timeouts that are kept.
const TIMEOUTS: usize = 5;

/// See the module docs.
#[derive(Debug)]
pub(super) struct KillRequests {
    began: Instant,
    /// Arms of which a worker is to be killed, and in which slot.
    waiting: Vec<(usize, Option<Slot>)>,
    /// Runs that have begun.
    runs: u64,
    /// The run that each arm is in, or was in last.
    current: Vec<Current>,
    requested: Arc<Vec<KillRecord>>,
    timeouts: Arc<Vec<KillRecord>>,
}

#[derive(Clone, Copy, Debug)]
struct Current {
    arm: usize,
    run: u64,
    /// When the last kill before the one that was asked for last happened.
    asked_after: Option<Option<Moment>>,
}

/// When the last kill on request happened in a run.
fn last(snapshot: &Snapshot) -> Option<Moment> {
    snapshot.kills.last().map(|kill| kill.at)
}

impl KillRequests {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            waiting: Vec::new(),
            runs: 0,
            current: Vec::new(),
            requested: Arc::default(),
            timeouts: Arc::default(),
        }
    }

    pub(crate) fn view(&self) -> KillsView {
        KillsView {
            waiting: self.waiting.iter().map(|(arm, _)| *arm).collect(),
            requested: Arc::clone(&self.requested),
            timeouts: Arc::clone(&self.timeouts),
            runs: self.runs,
        }
    }

    /// Whether a worker of this arm is to be killed.
    pub(crate) fn waits(&self, arm: usize) -> bool {
        self.waiting.iter().any(|(of, _)| *of == arm)
    }

    /// The user wants a worker killed, or does not any more.
    pub(crate) fn request(&mut self, arm: usize, slot: Option<Slot>) {
        match self.waiting.iter().position(|(of, _)| *of == arm) {
            Some(at) => drop(self.waiting.remove(at)),
            None => self.waiting.push((arm, slot)),
        }
    }

    pub(crate) fn forget_requests(&mut self) {
        self.waiting.clear();
    }

    /// Which worker to kill now, if one of this arm is to be killed and there is one in a task, or, where one was chosen
    /// and `idle_too`, a worker. `None` is the first one that is found in a task.
    pub(crate) fn victim(&mut self, arm: usize, now: &Snapshot, idle_too: bool) -> Option<Option<Slot>> {
        let at = self.waiting.iter().position(|(of, _)| *of == arm)?;
        let (_, slot) = *self.waiting.get(at)?;
        // A slot that this run has not got is as good as any.
        let slot = slot.filter(|slot| now.workers.iter().any(|row| row.slot == *slot));
        let mut meant = now.workers.iter().filter(|row| slot.is_none_or(|slot| row.slot == slot));
        let there = |row: &WorkerRow| row.task.is_some() || idle_too && slot.is_some() && row.pid.is_some();
        if now.state != RunState::Running || !meant.any(there) {
            return None;
        }
        self.waiting.remove(at);
        if let Some(current) = self.current.iter_mut().find(|current| current.arm == arm) {
            current.asked_after = Some(last(now));
        }
        Some(slot)
    }

    /// A run begins.
    pub(crate) fn run_began(&mut self, arm: usize) {
        self.runs += 1;
        self.current.retain(|current| current.arm != arm);
        self.current.push(Current { arm, run: self.runs, asked_after: None });
    }

    /// Keeps what a run tells of its kills.
    pub(crate) fn keep(&mut self, arm: usize, snapshot: &Snapshot) {
        let Some(current) = self.current.iter().find(|current| current.arm == arm).copied() else { return };
        let since_start = |kill: &Kill| self.began.elapsed().saturating_sub(snapshot.at.since(kill.at));
        let record = |kill: &Kill| KillRecord {
            arm,
            run: current.run,
            id: snapshot.run,
            workers: snapshot.workers_target,
            since_start: since_start(kill),
            kill: kill.clone(),
        };
        merge(&mut self.requested, snapshot.kills.iter().map(record), REQUESTED);
        merge(&mut self.timeouts, snapshot.timeouts.iter().map(record), TIMEOUTS);
        // The kill came when no worker was in a task any more: there is another run.
        if snapshot.state == RunState::Finished && current.asked_after.is_some_and(|before| before == last(snapshot)) {
            self.waiting.push((arm, None));
        }
    }
}

/// Adds records, or brings those up to date that are there.
fn merge(kept: &mut Arc<Vec<KillRecord>>, records: impl Iterator<Item = KillRecord>, most: usize) {
    for record in records {
        match kept.iter().position(|known| known.is_of_same_kill(&record)) {
            Some(at) if kept.get(at).is_some_and(|known| known.kill == record.kill) => {}
            Some(at) => {
                if let Some(known) = Arc::make_mut(kept).get_mut(at) {
                    known.kill = record.kill;
                }
            }
            // Told already, and gone since to make room.
            None if kept.len() >= most && kept.first().is_some_and(|oldest| record.is_older(oldest)) => {}
            None => {
                let kept = Arc::make_mut(kept);
                if kept.len() >= most {
                    kept.remove(0);
                }
                kept.push(record);
            }
        }
    }
}

impl KillRecord {
    fn is_of_same_kill(&self, other: &Self) -> bool {
        self.run == other.run && self.kill.slot == other.kill.slot && self.kill.at == other.kill.at
    }

    fn is_older(&self, other: &Self) -> bool {
        (self.run, self.kill.at) < (other.run, other.kill.at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::event::{EndReason, WorkerState};
    use crate::metrics::fixtures::snapshot;
    use crate::metrics::snapshot::{Cost, Replaced};

    fn kill(at: u64) -> Kill {
        Kill::new(Moment::from(Duration::from_millis(at)), Slot(1), Some(70), EndReason::Request)
    }

    fn with(kills: Vec<Kill>, state: RunState) -> Snapshot {
        let at = Moment::from(Duration::from_secs(600));
        Snapshot { at, state, kills: Arc::new(kills), ..snapshot() }
    }

    /// Two workers, of which the second one is in a task.
    fn at_work() -> Snapshot {
        let mut frame = with(Vec::new(), RunState::Running);
        let row = frame.workers[0].clone();
        frame.workers = vec![
            WorkerRow { slot: Slot(0), pid: Some(70), state: WorkerState::Idle, task: None, ..row.clone() },
            WorkerRow { slot: Slot(1), pid: Some(71), state: WorkerState::Busy, task: Some((3, 0)), ..row },
        ];
        frame
    }

    #[test]
    fn a_request_waits_for_a_worker_in_a_task_and_a_second_one_takes_it_back() {
        let mut kills = KillRequests::new();
        let none = Snapshot { workers: Vec::new(), ..at_work() };
        kills.request(1, None);
        assert_eq!((kills.view().waiting, kills.victim(1, &none, true)), (vec![1], None));
        assert_eq!(kills.victim(0, &at_work(), true), None, "of another arm");
        assert_eq!(kills.victim(1, &Snapshot { state: RunState::Paused, ..at_work() }, true), None);
        assert_eq!(kills.victim(1, &at_work(), false), Some(None));
        assert_eq!(kills.victim(1, &at_work(), true), None, "once");
        kills.request(1, None);
        kills.request(1, Some(Slot(0)));
        assert_eq!(kills.victim(1, &at_work(), true), None, "taken back");
        kills.request(1, Some(Slot(0)));
        assert_eq!(kills.victim(1, &at_work(), false), None, "in the next run it is to be at work");
        assert_eq!(kills.victim(1, &at_work(), true), Some(Some(Slot(0))), "seen idle and chosen");
        kills.request(1, Some(Slot(9)));
        assert_eq!(kills.victim(1, &at_work(), false), Some(None), "no such slot in this run");
    }

    #[test]
    fn a_kill_that_came_too_late_waits_for_the_next_run() {
        let mut kills = KillRequests::new();
        kills.run_began(0);
        kills.request(0, None);
        assert_eq!(kills.victim(0, &at_work(), true), Some(None));
        kills.keep(0, &with(vec![kill(5)], RunState::Finished));
        assert!(!kills.waits(0), "it was carried out");
        kills.run_began(0);
        kills.request(0, None);
        assert_eq!(kills.victim(0, &at_work(), true), Some(None));
        kills.keep(0, &with(Vec::new(), RunState::Finished));
        assert!(kills.waits(0));
    }

    #[test]
    fn records_outlive_their_run_are_brought_up_to_date_and_bounded() {
        let mut kills = KillRequests::new();
        kills.run_began(0);
        kills.keep(0, &with(vec![kill(5)], RunState::Running));
        let done = Kill { cost: Cost::Nothing, replaced: Replaced::Never, ..kill(5) };
        kills.keep(0, &with(vec![done.clone()], RunState::Finished));
        kills.run_began(0);
        kills.keep(0, &with(Vec::new(), RunState::Running));
        assert_eq!(kills.view().requested.iter().map(|record| record.kill.clone()).collect::<Vec<_>>(), [done]);
        for run in 0..40u64 {
            kills.run_began(0);
            // What a run told before it tells again.
            let told: Vec<Kill> = (0..=run % 3).map(kill).collect();
            kills.keep(0, &with(told.clone(), RunState::Running));
            kills.keep(0, &with(told, RunState::Finished));
        }
        let view = kills.view();
        assert_eq!(view.requested.len(), REQUESTED);
        let order: Vec<_> = view.requested.iter().map(|record| (record.run, record.kill.at)).collect();
        assert!(order.is_sorted() && order.windows(2).all(|pair| pair[0] != pair[1]), "{order:?}");
        assert_eq!(order.last().unwrap().0, view.runs);
    }
}
