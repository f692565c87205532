//! A long run in which everything goes wrong all the time, in both engines: tasks crash and hang, workers ignore SIGTERM,
//! are killed from outside and on request, and their number changes. At the end every task has exactly one outcome, nobody
//! is left, no descriptor is open that was not before, and the parent has not grown.
//!
//! A few thousand tasks belong to the ordinary tests; all of it is
//! `cargo test --release --test soak -- --ignored --nocapture`. `POOLSCOPE_SOAK_TASKS=n` changes its length, and
//! `POOLSCOPE_SOAK_SEED=n` repeats what was drawn.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "soak/ledger.rs"]
mod ledger;
mod support;

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use ledger::{Ledger, Shared};
use poolscope::engine::control::Command;
use poolscope::engine::driver::{Run, WorkerOrders};
use poolscope::engine::event::{Observer, Observers, Slot};
use poolscope::engine::outcome::Outcome;
use poolscope::engine::stream::ClassRules;
use poolscope::workload::model::{Dist, Fault, FaultKind, Retries, Trigger, Work};
use poolscope::{Completion, Recorder, RecorderConfig, RunId};
use rand_core::{Rng as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;
use rustix::process::{Pid, Signal, kill_process};
use support::program::{children, parent};
use support::{NOOP, Setting, both, eventually, rules};

const TASKS: u64 = 200_000;
const FEW: u64 = 2_000;
const WORKERS: u32 = 8;
const MOST_WORKERS: u64 = 12;
/// Share of the tasks that crash, and of those that hang.
const RATE: f64 = 0.01;
/// What ends those that hang: long enough that this machine, however busy, gets through any other task.
const TIMEOUT: Duration = Duration::from_millis(100);
/// Tasks from one change or kill to the next, on average: those that hang are to have the time for their timeout, too.
const BETWEEN_STROKES: u64 = 200;
/// What the parent may have grown by, from the second quarter of a run to the last one.
const GROWTH: u64 = 4 << 20;

/// Only one of these tests at a time: they count the descriptors and children of this process.
static ALONE: Mutex<()> = Mutex::new(());

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

fn seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    number("POOLSCOPE_SOAK_SEED").unwrap_or(u64::from(now.subsec_nanos()))
}

#[test]
fn a_few_thousand_tasks_come_to_exactly_one_end_each() {
    soak(FEW, seed());
}

#[test]
#[ignore = "takes minutes"]
fn the_whole_soak() {
    support::hard_limit_of(Duration::from_secs(1800));
    soak(number("POOLSCOPE_SOAK_TASKS").unwrap_or(TASKS), seed());
}

fn soak(tasks: u64, seed: u64) {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    println!("POOLSCOPE_SOAK_TASKS={tasks} POOLSCOPE_SOAK_SEED={seed}");
    // What is opened once for all runs is open then.
    both(WORKERS).into_iter().for_each(|setting| drop(run(setting, 400, seed)));
    let before = descriptors();
    let [pool, process] = both(WORKERS).map(|setting| {
        let name = if setting.workers_are_kept() { "pool" } else { "process" };
        let begin = Instant::now();
        let ledger = run(setting, tasks, seed);
        ledger.print(name, begin.elapsed());
        ledger.is_balanced(tasks);
        ledger.has_seen_everything(tasks as f64 * RATE);
        let growth = ledger.growth();
        assert!(growth < GROWTH, "{name}: the parent grew by {growth} bytes: {:?}", ledger.sizes);
        eventually("nobody is left", || children(std::process::id()).is_empty());
        eventually("no descriptor is left", || descriptors() == before);
        ledger
    });
    // The same tasks crash in both: none of them can have succeeded in the other one.
    let crashed = |ledger: &Ledger| ledger.crashed.iter().copied().collect::<Vec<_>>();
    for (from, into) in [(&pool, &process), (&process, &pool)] {
        for index in crashed(from) {
            assert_ne!(into.outcome(index), Some(Outcome::Succeeded), "task {index} crashes in one engine alone");
        }
    }
}

/// Runs so many tasks, half of them tried again, while everything goes wrong that can.
fn run(setting: Setting, tasks: u64, seed: u64) -> Ledger {
    let fault = |kind, rate| Fault { kind, at: Trigger::Rate(rate), class: None, draw: None };
    let faults = vec![
        fault(FaultKind::IgnoreSigterm, RATE / 10.0),
        fault(FaultKind::Crash(libc::SIGSEGV), RATE),
        fault(FaultKind::Hang, RATE),
    ];
    let limited = ClassRules { timeout: Some(TIMEOUT), grace_period: Duration::from_millis(20), ..rules() };
    let retried = ClassRules { retries: Retries { max: 2, ..limited.retries }, ..limited };
    let nap = || Work::Sleep(Dist::Exponential { mean: Duration::from_micros(300), max: None });
    let quarter = tasks / 4;
    let setting = Setting { orders: WorkerOrders { faults, ..WorkerOrders::default() }, seed, ..setting }
        .tasks(quarter, NOOP, limited)
        .tasks(quarter, nap(), retried)
        .tasks(quarter, nap(), limited)
        .tasks(tasks - 3 * quarter, NOOP, retried);
    let (recorder, snapshots) = Recorder::new(RecorderConfig {
        sample_interval: None,
        cores: WORKERS,
        capabilities: setting.capabilities,
        unbounded: false,
        run: RunId::default(),
    });
    let shared = Shared::new(tasks);
    let observers: [Box<dyn Observer>; 2] = [Box::new(recorder), Box::new(shared.clone())];
    let run = setting.start_told(Box::new(observers.into_iter().collect::<Observers>()));
    strike(&run, &shared, tasks, seed);
    assert_eq!(run.join().unwrap(), Completion::Finished);
    let ledger = shared.take();
    assert_eq!(snapshots.borrow().counts, ledger.counts, "the recorder has counted the same");
    ledger
}

/// Changes the number of workers and kills some, whenever so many tasks more have ended, until the run is over.
fn strike(run: &Run, shared: &Shared, tasks: u64, seed: u64) {
    let mut dice = Pcg64Mcg::seed_from_u64(seed);
    let mut roll = |sides: u64| dice.next_u64() % sides;
    let step = BETWEEN_STROKES.min(tasks / 50);
    let mut next = roll(step);
    while shared.reach(next) {
        next += 1 + roll(2 * step);
        match roll(10) {
            0..3 => run.command(Command::Resize(u32::try_from(1 + roll(MOST_WORKERS)).unwrap().try_into().unwrap())),
            3..7 => shared.kill_from_outside(roll(MOST_WORKERS)),
            7..9 => run.command(Command::KillWorker(None)),
            _ => run.command(Command::KillWorker(Some(Slot(u32::try_from(roll(MOST_WORKERS)).unwrap())))),
        }
    }
}

/// SIGKILL, if it is still a child of ours.
fn kill_child(pid: u32) -> bool {
    let ours = parent(Path::new(&format!("/proc/{pid}"))) == std::process::id();
    let raw = i32::try_from(pid).unwrap();
    // One that ends in this very moment is no victim.
    ours && kill_process(Pid::from_raw(raw).unwrap(), Signal::KILL).is_ok()
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
