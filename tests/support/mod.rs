//! Runs real engines on real processes and remembers everything they tell.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    reason = "each test program uses its own part of the support"
)]

pub mod cli;
pub mod foreign;
pub mod program;

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use poolscope::engine::control::{Capabilities, Command};
use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::dispatcher::{InitializerRules, Policy, Settings, Submitting};
use poolscope::engine::driver::{Run, RunSpec, WorkerOrders};
use poolscope::engine::error::EngineError;
use poolscope::engine::event::{
    Beginning, DeathCause, Delivered, EngineView, Event, InitializerFigures, Moment, Observer, Observers, Record,
    RunState, Slot, SlotView, Usage, WorkerId,
};
use poolscope::engine::outcome::{AttemptReport, Counts, Exit};
use poolscope::engine::stream::{Admission, ClassRules, StreamRun, TaskStream};
use poolscope::engine::submission;
use poolscope::workload::model::{
    Backoff, ClassId, CommandLine, Dist, EngineSpec, Kernel, OnTimeout, Recycling, Retries, StartMethod, Work,
};

/// Longest any of these tests may take.
pub const WALL: Duration = Duration::from_secs(60);

/// Ends the whole test program if a test hangs.
pub fn hard_limit() {
    hard_limit_of(Duration::from_secs(400));
}

/// The same with another limit, if it is the first one of the program.
pub fn hard_limit_of(limit: Duration) {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        std::thread::spawn(move || {
            std::thread::sleep(limit);
            eprintln!("a test hangs: ending the test program");
            std::process::abort();
        });
    });
}

/// `count` tasks of each work, one class after the other.
#[derive(Clone)]
pub struct Blocks(pub Vec<u64>);

impl TaskStream for Blocks {
    fn total(&self) -> Option<u64> {
        Some(self.0.iter().sum())
    }

    fn class_total(&self, class: ClassId) -> u64 {
        self.0[usize::from(class)]
    }

    fn run_at(&self, position: u64, most: u64) -> StreamRun {
        let mut begin = 0;
        for (class, count) in self.0.iter().enumerate() {
            if position < begin + count {
                return StreamRun {
                    first: position,
                    count: most.min(begin + count - position),
                    class: ClassId::try_from(class).unwrap(),
                };
            }
            begin += count;
        }
        panic!("position {position} is beyond the stream");
    }
}

/// No limits, no retries.
pub fn rules() -> ClassRules {
    ClassRules {
        timeout: None,
        on_timeout: OnTimeout::Kill,
        queue_timeout: None,
        wait_timeout: None,
        grace_period: Duration::from_millis(200),
        answers: false,
        retries: Retries {
            max: 0,
            on_crash: true,
            on_timeout: true,
            on_error: true,
            backoff: Backoff { delay: Duration::ZERO, factor: 1.0, max_delay: Duration::ZERO, jitter: false },
            redraw: false,
        },
    }
}

pub fn program(argv: &[&str]) -> Work {
    Work::Command(CommandLine::new(argv.iter().map(|text| (*text).to_owned()).collect()))
}

pub const NOOP: Work = Work::Kernel(Kernel::Noop);

pub fn sleep(millis: u64) -> Work {
    Work::Sleep(Dist::Constant(Duration::from_millis(millis)))
}

pub fn shell(script: &str) -> Work {
    program(&["/bin/sh", "-c", script])
}

/// What to run.
pub struct Setting {
    pub policy: Policy,
    pub workers: u32,
    pub chunk: Chunk,
    pub classes: Vec<(u64, Work, ClassRules)>,
    pub admission: Admission,
    pub worker_program: OsString,
    pub start_timeout: Duration,
    pub initializer: Option<InitializerRules>,
    pub fork_server: bool,
    pub joins_all: bool,
    pub leaves_zombies: bool,
    pub recycling: Recycling,
    pub join_timeout: Duration,
    pub kills: Vec<(Duration, Option<Slot>)>,
    pub submitting: Submitting,
    pub submitted: Option<EngineSpec>,
    pub dealt: Option<u64>,
    pub orders: WorkerOrders,
    pub capabilities: Capabilities,
    pub seed: u64,
}

pub fn pool(workers: u32) -> Setting {
    Setting {
        policy: Policy::Reuse,
        workers,
        chunk: Chunk::Adaptive,
        classes: Vec::new(),
        admission: Admission::Batch,
        worker_program: env!("CARGO_BIN_EXE_poolscope").into(),
        start_timeout: Duration::from_secs(10),
        initializer: None,
        fork_server: false,
        joins_all: false,
        leaves_zombies: false,
        recycling: Recycling::default(),
        join_timeout: Duration::from_secs(2),
        kills: Vec::new(),
        submitting: Submitting::default(),
        submitted: None,
        dealt: None,
        orders: WorkerOrders::default(),
        capabilities: Capabilities {
            resize: true,
            pause: true,
            kill_worker: true,
            on_timeout: true,
            inject_fault: true,
            process_per_task: false,
            lanes: false,
        },
        seed: 1,
    }
}

pub fn process(workers: u32) -> Setting {
    let pool = pool(workers);
    let capabilities = Capabilities { process_per_task: true, ..pool.capabilities };
    Setting { policy: Policy::OneTask, chunk: Chunk::One, capabilities, ..pool }
}

/// Both engines.
pub fn both(workers: u32) -> [Setting; 2] {
    [pool(workers), process(workers)]
}

/// Pools of workers in another language that do all that ours do, by how they tell which task they are in.
fn pythons(workers: u32) -> impl Iterator<Item = Setting> {
    ["board", "started", "nothing"].into_iter().map(move |tells| foreign::with(foreign::python(tells), pool(workers)))
}

/// Pools of workers in a third one, which run no programs.
pub fn perls(workers: u32) -> impl Iterator<Item = Setting> {
    ["started", "nothing"].into_iter().map(move |tells| foreign::with(foreign::perl(tells), pool(workers)))
}

/// Pools of workers in other languages.
pub fn foreigners(workers: u32) -> impl Iterator<Item = Setting> {
    pythons(workers).chain(perls(workers))
}

/// Both engines, and pools of workers in other languages.
pub fn every(workers: u32) -> impl Iterator<Item = Setting> {
    both(workers).into_iter().chain(foreigners(workers))
}

/// The same, as far as they run programs.
pub fn every_with_programs(workers: u32) -> impl Iterator<Item = Setting> {
    both(workers).into_iter().chain(pythons(workers))
}

impl Setting {
    pub fn tasks(mut self, count: u64, work: Work, rules: ClassRules) -> Self {
        self.classes.push((count, work, rules));
        self
    }

    /// Submitted as an entry of `engines:` says; what else it says does not count.
    pub fn submitted_as(mut self, spec: &EngineSpec) -> Self {
        self.submitted = Some(spec.clone());
        self
    }

    /// Whether a worker takes one task after the other.
    pub fn workers_are_kept(&self) -> bool {
        self.policy == Policy::Reuse
    }

    pub fn start(self) -> Running {
        self.start_with(Observers::default())
    }

    /// Starts it with others that observe it too; they are told first.
    pub fn start_with(self, others: Observers) -> Running {
        let shared = Arc::new(SharedStory::default());
        let remember = Box::new(Remember(Arc::clone(&shared)));
        let observers: Observers = [Box::new(others) as Box<dyn Observer>, remember].into_iter().collect();
        Running { run: self.start_told(Box::new(observers)), shared }
    }

    /// Starts it and remembers nothing: whatever happens is told to this observer alone.
    pub fn start_told(mut self, observer: Box<dyn Observer>) -> Run {
        hard_limit();
        if let Some(spec) = self.submitted.take() {
            let total = self.classes.iter().map(|(count, _, _)| count).sum();
            self.admission = submission::admission(self.admission, &spec, Some(total));
            self.submitting = submission::submitting(&spec, self.chunk);
        }
        let spec = RunSpec {
            settings: Settings {
                policy: self.policy,
                workers: self.workers,
                max_workers: 4096,
                chunk: self.chunk,
                start_timeout: self.start_timeout,
                initializer: self.initializer,
                joins_all: self.joins_all,
                start_method: if self.fork_server { StartMethod::Forkserver } else { StartMethod::Spawn },
                recycling: self.recycling,
                join_timeout: self.join_timeout,
                kills: self.kills,
                classes: self.classes.iter().map(|(_, _, rules)| *rules).collect(),
                admission: self.admission,
                submitting: self.submitting,
                dealt: self.dealt,
                halt: None,
                seed: self.seed,
            },
            stream: Box::new(Blocks(self.classes.iter().map(|(count, _, _)| *count).collect())),
            works: self.classes.into_iter().map(|(_, work, _)| work).collect(),
            iterations_per_second: 5e8,
            worker_program: self.worker_program,
            python: None,
            own_program: env!("CARGO_BIN_EXE_poolscope").into(),
            folder: None,
            surroundings: poolscope::os::surroundings::Surroundings::default(),
            capabilities: self.capabilities,
            orders: self.orders,
            leaves_zombies: self.leaves_zombies,
        };
        Run::start(spec, observer).expect("the engine starts")
    }
}

/// Everything an engine told.
#[derive(Debug, Default, Clone)]
pub struct Story {
    pub records: Vec<Record>,
    /// For each of them, when its task arrived and when it was told.
    pub arrivals: Vec<(Moment, Moment)>,
    pub succeeded: u64,
    /// What the caller got at once, and when.
    pub delivered: Vec<(Moment, Delivered)>,
    /// Tasks that there will be.
    pub total: Option<u64>,
    pub attempts: Vec<AttemptReport>,
    pub expired: u64,
    pub exits: Vec<(WorkerId, u32, Exit, Usage, bool)>,
    pub started: Vec<(WorkerId, u32, bool)>,
    /// Why workers ended, by pid.
    pub deaths: Vec<(u32, DeathCause)>,
    pub notes: Vec<String>,
    /// When each of them was told.
    pub noted: Vec<Moment>,
    pub suspended: Duration,
    pub counts: Counts,
    /// Most tasks that were seen to wait and run together.
    pub most_in_system: u64,
    pub state: Option<RunState>,
    /// Why it is broken, if it is and is over.
    pub error: Option<Arc<EngineError>>,
    pub at: Moment,
    pub slots: Vec<SlotView>,
    pub last_end: Moment,
    /// What tasks returned.
    pub returned: Vec<(u64, Vec<u8>)>,
    /// Initializers that went well: worker, how long each took, and its CPU time.
    pub initialized: Vec<(WorkerId, Duration, Duration)>,
    /// Workers that were killed and did not go, by pid.
    pub unkillable: Vec<u32>,
    /// How processes came to be, how long after their ends they were reaped, and joined.
    pub began: Vec<(WorkerId, Beginning)>,
    pub reaped: Vec<(WorkerId, Duration)>,
    pub joined: Vec<(WorkerId, Duration)>,
    /// Zombies and new orphans at each look.
    pub undead: Vec<(u64, u64)>,
    /// Process ids of all fork servers.
    pub fork_server_starts: Vec<u32>,
    /// Fork servers that became ready: process id, and what the initializer took.
    pub fork_servers: Vec<(u32, Option<InitializerFigures>)>,
    /// What those used that have ended, and how they ended.
    pub fork_server_exits: Vec<(Exit, Usage)>,
    /// Ghosts that are gone: how long they were one, and the CPU time of that.
    pub ghosts: Vec<(Duration, Option<Duration>)>,
    /// How many records came together.
    pub batches: Vec<usize>,
    /// When each process was started and when it was gone, by pid.
    pub lives: HashMap<u32, (Moment, Option<Moment>)>,
}

impl Story {
    /// Every process that was started is gone and was reaped.
    pub fn nobody_is_left(&self) {
        for (_, pid, _) in &self.started {
            assert!(!lives(*pid), "process {pid} is left behind");
        }
        assert_eq!(self.started.len(), self.exits.len(), "every worker that was started was reaped");
    }

    /// When the first process was started.
    pub fn first_start(&self) -> Moment {
        self.lives.values().map(|life| life.0).min().unwrap_or_default()
    }
}

#[derive(Default)]
struct SharedStory {
    story: Mutex<Story>,
    changed: Condvar,
}

struct Remember(Arc<SharedStory>);

impl Observer for Remember {
    fn event(&mut self, now: Moment, event: &Event<'_>) {
        let mut story = self.0.story.lock().unwrap();
        match event {
            Event::Succeeded(batch) => {
                story.succeeded += batch.records.len() as u64;
                story.last_end = now;
                story.batches.push(batch.records.len());
                if story.records.len() < 100_000 {
                    story.records.extend_from_slice(batch.records);
                    story.arrivals.extend(batch.records.iter().map(|_| (batch.arrival, now)));
                }
            }
            Event::Delivered(parts) => story.delivered.extend(parts.iter().map(|part| (now, *part))),
            Event::Attempt(report) => {
                story.attempts.push((*report).clone());
                story.last_end = now;
            }
            Event::Expired { count, reports, .. } => {
                story.expired += count;
                story.attempts.extend_from_slice(reports);
            }
            Event::WorkerStarted { worker, pid, restart } => {
                story.started.push((*worker, *pid, *restart));
                story.lives.insert(*pid, (now, None));
            }
            Event::WorkerExited { worker, pid, exit, usage, expected, cause, .. } => {
                story.deaths.push((*pid, *cause));
                if let Some(life) = story.lives.get_mut(pid) {
                    life.1 = Some(now);
                }
                story.exits.push((*worker, *pid, *exit, *usage, *expected));
            }
            Event::WorkerUnkillable { pid, .. } => story.unkillable.push(*pid),
            Event::Returned { index, bytes, .. } => story.returned.push((*index, bytes.to_vec())),
            Event::WorkerBegan { worker, beginning } => story.began.push((*worker, *beginning)),
            Event::WorkerReaped { worker, after } => story.reaped.push((*worker, *after)),
            Event::WorkerJoined { worker, delay } => story.joined.push((*worker, *delay)),
            Event::Undead { zombies, new_orphans, .. } => story.undead.push((*zombies, *new_orphans)),
            Event::ForkServerStarted { pid } => story.fork_server_starts.push(*pid),
            Event::ForkServerReady { pid, initializer, .. } => story.fork_servers.push((*pid, *initializer)),
            Event::ForkServerExited { exit, usage } => story.fork_server_exits.push((*exit, *usage)),
            Event::GhostEnded { after, cpu, .. } => story.ghosts.push((*after, *cpu)),
            Event::WorkerInitialized { worker, wall, cpu, .. } => story.initialized.push((*worker, *wall, *cpu)),
            Event::Note { text, .. } => {
                story.notes.push(text.clone());
                story.noted.push(now);
            }
            Event::Suspended(time) => story.suspended += *time,
            _ => {}
        }
        self.0.changed.notify_all();
    }

    fn state(&mut self, now: Moment, view: &EngineView<'_>) {
        assert!(view.counts.conserved(), "{:?}", view.counts);
        let mut story = self.0.story.lock().unwrap();
        story.most_in_system = story.most_in_system.max(view.counts.queued + view.counts.running);
        story.counts = view.counts;
        story.total = view.total;
        story.state = Some(view.state);
        story.slots = view.slots.to_vec();
        story.at = now;
        self.0.changed.notify_all();
    }
}

/// A run under way.
pub struct Running {
    run: Run,
    shared: Arc<SharedStory>,
}

impl Running {
    pub fn command(&self, command: Command) {
        self.run.command(command);
    }

    /// What was told so far.
    pub fn story(&self) -> Story {
        self.shared.story.lock().unwrap().clone()
    }

    /// Waits until what was told fulfils a condition.
    pub fn until(&self, what: &str, condition: impl Fn(&Story) -> bool) -> Story {
        self.wait(what, condition).clone()
    }

    /// The same for those who do not want all of it.
    pub fn wait(&self, what: &str, condition: impl Fn(&Story) -> bool) -> MutexGuard<'_, Story> {
        let deadline = Instant::now() + WALL;
        let mut story = self.shared.story.lock().unwrap();
        while !condition(&story) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain until {what}: {story:#?}");
            story = self.shared.changed.wait_timeout(story, left).unwrap().0;
        }
        story
    }

    /// Waits for the end.
    pub fn finish(self) -> Story {
        self.until("the run is over", |story| story.state.is_some_and(RunState::is_over));
        let ended = self.run.join();
        let mut story = self.shared.story.lock().unwrap().clone();
        story.state = Some(ended.as_ref().map_or(RunState::Broken, |completion| RunState::from(*completion)));
        story.error = ended.err().map(Arc::new);
        story
    }
}

/// A thread that sleeps to one moment after the other and remembers by how much it woke too late: what this machine does
/// to anybody's timers while a test runs.
pub struct Control {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Duration>,
}

impl Control {
    pub fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut worst, step) = (Duration::ZERO, Duration::from_millis(5));
            let mut next = Instant::now() + step;
            while !seen.load(Ordering::Relaxed) {
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
                worst = worst.max(Instant::now().saturating_duration_since(next));
                next = Instant::now() + step;
            }
            worst
        });
        Self { stop, thread }
    }

    /// How late something may be that is to be met within 20 ms.
    pub fn allowance(self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        Duration::from_millis(20) + self.thread.join().unwrap()
    }
}

/// Tries something with a limit, and with twice as long a one as often as this machine was too busy for it: until it says
/// that it has seen what it is about.
pub fn patiently(least: Duration, mut tried: impl FnMut(Duration) -> bool) {
    let mut limits = std::iter::successors(Some(least), |limit| Some(*limit * 2)).take_while(|limit| *limit <= WALL);
    assert!(limits.any(&mut tried), "this machine is too busy");
}

/// Whether a process exists and is not a zombie.
pub fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z") && !stat.contains(") X")
}

/// Waits until a condition holds.
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + WALL;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub fn kill(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}
