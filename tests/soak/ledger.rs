//! What is kept of a soak: one byte for each task, who is alive, and how large this process was.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use poolscope::engine::event::{EngineView, Event, Moment, Observer};
use poolscope::engine::outcome::{AttemptReport, Cause, Counts, Exit, Outcome};

use crate::support::WALL;

/// See the module docs.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Of each task: 0 without an outcome, otherwise one more than its outcome's place in [`OUTCOMES`].
    outcomes: Vec<u8>,
    /// Tasks that crashed in their only attempt.
    pub crashed: BTreeSet<u64>,
    crashes: u64,
    pub counts: Counts,
    finished: u64,
    hung: u64,
    retried: u64,
    killed_outside: u64,
    killed_on_request: u64,
    resized: u64,
    workers: u32,
    alive: BTreeSet<u32>,
    started: u64,
    exited: u64,
    over: bool,
    /// Resident bytes of this process, with the number of tasks that had ended.
    pub sizes: Vec<(u64, u64)>,
}

const OUTCOMES: [Outcome; 6] =
    [Outcome::Succeeded, Outcome::Failed, Outcome::TimedOut, Outcome::Lost, Outcome::Cancelled, Outcome::Dropped];

impl Ledger {
    pub fn outcome(&self, index: u64) -> Option<Outcome> {
        let code = self.outcomes[usize::try_from(index).unwrap()];
        usize::from(code).checked_sub(1).map(|place| OUTCOMES[place])
    }

    fn enter(&mut self, index: u64, outcome: Outcome) {
        let before = self.outcome(index);
        assert_eq!(before, None, "task {index} has a second outcome, {outcome:?}");
        let place = OUTCOMES.iter().position(|known| *known == outcome).unwrap();
        self.outcomes[usize::try_from(index).unwrap()] = u8::try_from(place).unwrap() + 1;
        self.finished += 1;
    }

    fn attempt(&mut self, report: &AttemptReport) {
        self.retried += u64::from(report.retried);
        self.hung += u64::from(matches!(report.cause, Cause::Timeout { .. }));
        if let Cause::WorkerDied { by_user: true, .. } = report.cause {
            self.killed_on_request += 1;
        }
        let crashed = report.exit == Some(Exit::Signal(libc::SIGSEGV));
        self.crashes += u64::from(crashed);
        if crashed && report.attempts_allowed == 1 {
            self.crashed.insert(report.index);
        }
        if !report.retried {
            self.enter(report.index, report.outcome);
        }
    }

    /// Each task has one outcome, and the engine has counted the same.
    pub fn is_balanced(&self, tasks: u64) {
        let missing: Vec<u64> = (0..tasks).filter(|index| self.outcome(*index).is_none()).take(10).collect();
        assert_eq!(missing, [0; 0], "tasks without an outcome");
        let [succeeded, failed, timed_out, lost, cancelled, dropped] =
            OUTCOMES.map(|outcome| (0..tasks).filter(|index| self.outcome(*index) == Some(outcome)).count() as u64);
        let counts =
            Counts { submitted: tasks, succeeded, failed, timed_out, lost, retries: self.retried, ..Counts::default() };
        assert_eq!(self.counts, counts);
        assert_eq!((cancelled, dropped), (0, 0));
        assert_eq!(succeeded + failed + timed_out + lost, tasks);
        assert_eq!(self.started, self.exited, "every process that was started was reaped");
        assert!(self.alive.is_empty(), "{:?}", self.alive);
    }

    /// A soak in which nothing goes wrong is worth nothing.
    pub fn has_seen_everything(&self, expected: f64) {
        // Some of these tasks are ended otherwise before, and where they are few it may be most of them.
        let least = (expected / 4.0 - 10.0).max(1.0);
        for (what, count) in [("crashes", self.crashes), ("hangs", self.hung)] {
            assert!(count as f64 >= least, "{what}: {count}, and {expected} were expected");
        }
        assert!(self.counts.retries > 0 && self.counts.lost > 0, "{:?}", self.counts);
        assert!(self.killed_outside > 0, "no worker was killed from outside");
    }

    /// Bytes by which this process is larger in the last quarter than it was in the second.
    pub fn growth(&self) -> u64 {
        let largest = |quarter: u64| {
            let tasks = self.outcomes.len() as u64;
            let within = self.sizes.iter().filter(|(finished, _)| (finished * 4 / tasks).min(3) == quarter);
            within.map(|(_, bytes)| *bytes).max()
        };
        let before = largest(1).or(largest(0)).unwrap_or(0);
        largest(3).unwrap_or(before).saturating_sub(before)
    }

    pub fn print(&self, name: &str, took: Duration) {
        let Counts { succeeded, timed_out, lost, retries, .. } = self.counts;
        let rate = self.outcomes.len() as f64 / took.as_secs_f64();
        println!(
            "{name}: {succeeded} succeeded, {timed_out} timed out, {lost} lost, {retries} retries; {} crashes, {} \
             processes, {} killed from outside, {} on request, {} resizes; {} KiB, grown by {}; {took:.1?}, {rate:.0} \
             tasks/s",
            self.crashes,
            self.started,
            self.killed_outside,
            self.killed_on_request,
            self.resized,
            self.sizes.last().map_or(0, |size| size.1) / 1024,
            self.growth() / 1024,
        );
    }
}

/// One that the engine writes and the test reads.
#[derive(Clone)]
pub struct Shared(Arc<(Mutex<Ledger>, Condvar)>);

impl Shared {
    pub fn new(tasks: u64) -> Self {
        let outcomes = vec![0; usize::try_from(tasks).unwrap()];
        Self(Arc::new((Mutex::new(Ledger { outcomes, ..Ledger::default() }), Condvar::new())))
    }

    pub fn take(&self) -> Ledger {
        std::mem::take(&mut *self.0.0.lock().unwrap())
    }

    /// Waits until so many tasks have ended; whether the run goes on then.
    pub fn reach(&self, finished: u64) -> bool {
        let mut ledger = self.0.0.lock().unwrap();
        let mut moved = (ledger.finished, Instant::now());
        while !ledger.over && ledger.finished < finished {
            if ledger.finished > moved.0 {
                moved = (ledger.finished, Instant::now());
            }
            let left = WALL.saturating_sub(moved.1.elapsed());
            assert!(!left.is_zero(), "nothing has moved for {WALL:?}: {:?}, {:?}", ledger.counts, ledger.alive);
            ledger = self.0.1.wait_timeout(ledger, left).unwrap().0;
        }
        !ledger.over
    }

    /// Kills one of the workers that are there, behind the engine's back.
    pub fn kill_from_outside(&self, place: u64) {
        let mut ledger = self.0.0.lock().unwrap();
        let count = ledger.alive.len().max(1);
        let victim = ledger.alive.iter().nth(usize::try_from(place).unwrap() % count).copied();
        ledger.killed_outside += u64::from(victim.is_some_and(crate::kill_child));
    }
}

impl Observer for Shared {
    fn event(&mut self, _: Moment, event: &Event<'_>) {
        let mut ledger = self.0.0.lock().unwrap();
        match event {
            Event::Succeeded(batch) => {
                batch.records.iter().for_each(|record| ledger.enter(record.index, Outcome::Succeeded));
            }
            Event::Attempt(report) => ledger.attempt(report),
            Event::Expired { .. } => panic!("nothing waits with a limit: {event:?}"),
            Event::WorkerStarted { pid, .. } => {
                ledger.started += 1;
                ledger.alive.insert(*pid);
            }
            Event::WorkerExited { pid, .. } => {
                ledger.exited += 1;
                ledger.alive.remove(pid);
            }
            _ => return,
        }
        self.0.1.notify_all();
    }

    fn state(&mut self, _: Moment, view: &EngineView<'_>) {
        assert!(view.counts.conserved(), "{:?}", view.counts);
        let mut ledger = self.0.0.lock().unwrap();
        ledger.counts = view.counts;
        ledger.over = view.state.is_over();
        ledger.resized += u64::from(ledger.workers != 0 && ledger.workers != view.workers);
        ledger.workers = view.workers;
        let size = (ledger.finished, resident_bytes());
        ledger.sizes.push(size);
        self.0.1.notify_all();
    }
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap();
    pages * rustix::param::page_size() as u64
}
