//! Strays: processes that a task left behind. They are ended when their task is over, in every engine by this one rule.
//!
//! Every program that is a task descends from this process, which as the program's own is a subreaper, so a process
//! that loses its parent arrives here as an orphan ([`crate::os::orphans`]). As a guest in another program's process it
//! may arrive elsewhere: then the end of the run is the end of strays ([`crate::os::process_owner`]). Which task an
//! orphan belongs to is told by the control group it was born in, where there are any, else by the marks in its
//! environment, and where these were cleared by its start: it cannot belong to a task that began later. It may live as
//! long as a task that it can belong to is running. Those of a task that we have ended go with it: nobody has left them
//! behind, and they are not counted as if somebody had. Trackers of resources (`os::resource_tracker`) have time to
//! remove what was left, as they have it beside an interpreter that nobody looks after. The program of an external arm counts as one task that lasts as long
//! as its run. Looking for strays is never part of a task's service time.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::os::board::Board;
use crate::os::clock;
use crate::os::orphans::{self, Orphan, Swept};
use crate::os::process_owner::ProcessOwner;
use crate::os::slot_groups::SlotGroups;
use crate::worker::environment;

/// Runs under way whose tasks are programs: several where arms run together.
static RUNS: Mutex<Vec<Arc<Territory>>> = Mutex::new(Vec::new());

/// How long the strays of a run may take to be gone at its end.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(500);

/// How long a tracker of resources may take, which has to come up first where its interpreter ended right after its start.
const TRACKER_PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);

/// What tells the strays of one run.
#[derive(Debug)]
struct Territory {
    /// Value of [`environment::RUN`].
    run: String,
    board: Arc<Board>,
    groups: Option<SlotGroups>,
    /// Whether orphans arrive in this process.
    arrive: bool,
    /// Whether the run is over: nothing of it may live on.
    over: AtomicBool,
    /// Tasks that did not end by themselves, the last ones.
    cut_short: Mutex<VecDeque<CutShort>>,
}

/// A task whose process was ended, or has died, in the middle of it.
#[derive(Debug)]
struct CutShort {
    task: u64,
    /// The process, which leads a group.
    leader: u32,
    /// `CLOCK_MONOTONIC` in nanoseconds.
    at: u64,
}

/// What a task that was cut short has orphaned is seen within this time.
const SEEN: std::time::Duration = std::time::Duration::from_secs(10);

/// Watches over the strays of one run, until it is dropped.
#[derive(Debug)]
pub(crate) struct Strays(Arc<Territory>);

impl Strays {
    /// Begins to watch. Control groups are made for so many slots where that is possible.
    #[must_use]
    pub(crate) fn watch(run: &str, board: &Arc<Board>, slots: u32) -> Self {
        let groups = SlotGroups::make(&format!("poolscope-{run}"), slots).ok();
        let territory = Arc::new(Territory {
            run: run.to_owned(),
            board: Arc::clone(board),
            groups,
            arrive: orphans::arrive_here(),
            over: AtomicBool::new(false),
            cut_short: Mutex::default(),
        });
        runs().push(Arc::clone(&territory));
        Self(territory)
    }

    /// The control groups, where there are any.
    #[must_use]
    pub(crate) fn groups(&self) -> Option<&SlotGroups> {
        self.0.groups.as_ref()
    }

    /// Whether strays are found while the run goes on.
    #[must_use]
    pub(crate) fn are_found(&self) -> bool {
        self.0.arrive
    }

    /// This process ends in the middle of a task, and what it has started with it.
    pub(crate) fn cut_short(&self, leader: u32, task: u64) {
        let at = clock::monotonic();
        let mut all = lock(&self.0.cut_short);
        while all.front().is_some_and(|first| at.saturating_sub(first.at) > SEEN.as_nanos() as u64) {
            all.pop_front();
        }
        all.push_back(CutShort { task, leader, at });
    }

    /// Ends the strays of tasks that are over, of every run.
    pub(crate) fn sweep(&self) -> Swept {
        if !self.0.arrive {
            return Swept::default();
        }
        self.look(true).0
    }

    /// Ends strays; trackers of resources, which end by themselves, only where they are not spared any more. Says how many
    /// of those are left that nobody needs.
    fn look(&self, spare_trackers: bool) -> (Swept, usize) {
        let (runs, mut trackers) = (runs(), 0);
        let keep = |orphan: &Orphan| {
            let is_tracker = || spare_trackers && orphan.is_resource_tracker();
            may_live(orphan, &runs)
                || is_tracker() && {
                    trackers += 1;
                    true
                }
        };
        let swept = orphans::sweep(keep, |orphan| was_cut_short(orphan, &runs));
        (swept, trackers)
    }

    /// Ends every stray of this run and waits for that, for a moment. Says how many were killed, and
    /// how many had arrived.
    pub(crate) fn end(&self) -> Swept {
        let begin = clock::monotonic();
        let (deadline, last) = (begin + PATIENCE.as_nanos() as u64, begin + TRACKER_PATIENCE.as_nanos() as u64);
        let mut all = Swept::default();
        self.0.over.store(true, Ordering::Relaxed);
        loop {
            let now = clock::monotonic();
            let in_time = now < last;
            let (swept, trackers) = if self.0.arrive { self.look(in_time) } else { Default::default() };
            all.killed += swept.killed;
            all.strays += swept.strays;
            all.arrived += swept.arrived;
            if trackers == 0 && (swept.killed + swept.dying == 0 || now >= deadline) || !in_time {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        runs().retain(|other| !Arc::ptr_eq(other, &self.0));
        all
    }
}

impl Drop for Strays {
    fn drop(&mut self) {
        self.end();
    }
}

fn runs() -> MutexGuard<'static, Vec<Arc<Territory>>> {
    lock(&RUNS)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked with the lock did not leave the list half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Territory {
    /// Whether an orphan can belong to what a slot is in; to exactly this task, where its mark names one.
    fn can_be_of(&self, slot: u32, orphan: &Orphan, task: Option<u64>) -> bool {
        if self.over.load(Ordering::Relaxed) {
            return false;
        }
        let entered = self.board.entered(slot).filter(|entered| task.is_none_or(|task| task == entered.index));
        entered.is_some_and(|entered| orphan.can_descend_from(entered.program, entered.at))
    }

    fn can_be_of_any(&self, orphan: &Orphan, task: Option<u64>) -> bool {
        self.board.used().any(|slot| self.can_be_of(slot, orphan, task))
    }
}

/// Whether an orphan is one because its task was cut short: it is in the group that ended, or carries the mark of the task.
fn was_cut_short(orphan: &Orphan, runs: &[Arc<Territory>]) -> bool {
    runs.iter().any(|run| {
        let all = lock(&run.cut_short);
        all.iter().rev().filter(|cut| orphan.was_there_at(cut.at)).any(|cut| {
            orphan.is_in_group_of(cut.leader)
                || orphan.variable(environment::RUN).as_deref() == Some(&run.run)
                    && orphan.variable(environment::TASK).and_then(|mark| environment::task_of(&mark)) == Some(cut.task)
        })
    })
}

/// Whether a task that an orphan can belong to is still running.
fn may_live(orphan: &Orphan, runs: &[Arc<Territory>]) -> bool {
    let task = orphan.variable(environment::TASK).and_then(|mark| environment::task_of(&mark));
    let group = if runs.iter().any(|run| run.groups.is_some()) { orphan.control_group() } else { None };
    for run in runs {
        if let (Some(groups), Some(path)) = (&run.groups, &group)
            && let Some(slot) = groups.slot_of(path)
        {
            return run.can_be_of(slot, orphan, task);
        }
    }
    if let Some(mark) = orphan.variable(environment::RUN) {
        // One that carries the mark of a run that is over, or of a Poolscope that a task had started, is no stray of
        // this run.
        let Some(run) = runs.iter().find(|run| run.run == mark) else { return !is_ours(&mark) };
        return run.can_be_of_any(orphan, task);
    }
    // Nothing tells whose it is. In a host's process it may be the host's own, and so it may where orphans of all the
    // others arrive; where every run has its groups, it is none of ours.
    let anybodys =
        ProcessOwner::current().is_none() || std::process::id() == 1 || runs.iter().all(|run| run.groups.is_some());
    anybodys || runs.iter().any(|run| run.can_be_of_any(orphan, None))
}

/// Whether a mark names a run of this process, or this process is the program, whose children are all ours.
fn is_ours(mark: &str) -> bool {
    ProcessOwner::current().is_some() || mark.starts_with(&format!("{}.", std::process::id()))
}
