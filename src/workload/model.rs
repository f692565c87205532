//! The types of a loaded workload. Whatever can be built here has been checked: zero workers, a negative rate or a
//! distribution without a mean cannot be expressed.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

mod attempt;
mod batch;
mod command;
mod expect;
mod fault;
mod kind;
mod limits;
mod measure;
mod placement;
mod python;
mod retries;
mod served;
mod start_method;
mod submission;
mod worker_life;

pub use attempt::Attempt;
pub use batch::{BatchRules, Halt, HaltLimit, HaltWhen, HaltWhy};
pub use command::{CommandLine, CommandOptions, KeepOutput, ProgramInput, ProgramRules, Spool};
pub use expect::{Condition, Expectation, Figure, LatencyOf, Limit, Metric, Setting, Statistic, Test, Unit};
pub use fault::{BadResult, Fault, FaultKind, FaultRule, Mishap, Trigger};
pub(crate) use fault::{MOST_TIMED, timed_order};
pub use kind::{EngineKind, Hue, KindRow, WorkerCounts};
pub use limits::Limits;
pub(crate) use measure::DEFAULT_JOIN_TIMEOUT;
pub use measure::{Adaptive, LatencyFrom, Measure, RunOrder};
pub use placement::{CpuList, Placement};
pub use python::{
    Arguments, Comparison, Draw, Interpreter, PayloadSizes, PythonCall, PythonSettings, SkippedArm, ThreadPool, Value,
    Version, When,
};
pub use retries::{Backoff, Retries};
pub use served::ServedProgram;
pub use start_method::StartMethod;
pub use submission::{Dispatch, SubmitMode};
pub use worker_life::{Initializer, Recycling};

use crate::workload::items::TaskItems;
pub use crate::workload::sweep::Dimension;
use crate::workload::trace::Trace;

/// One workload file: what the tasks are, when they arrive, which engines run them and how it is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Short name: the picker, results and file names use it.
    pub name: String,
    /// One line for people; the name if the file has none.
    pub title: String,
    /// What the workload is about, in a few sentences.
    pub description: String,
    /// What an instructor shows with it.
    pub teaches: Vec<String>,
    /// Seeds every random choice: class of a task, its size, its arrival.
    pub seed: u64,
    /// Task classes in file order; [`ClassId`] is an index into this list.
    pub classes: Vec<TaskClass>,
    /// How many tasks there are.
    pub total: Total,
    /// In which order tasks are given out.
    pub order: Order,
    /// When tasks arrive.
    pub arrivals: Arrivals,
    /// The arms of a comparison, in file order; never empty.
    pub engines: Vec<EngineSpec>,
    /// Arms of the file that do not take part, because their condition does not hold here: known once it was looked at.
    pub skipped: Vec<SkippedArm>,
    /// Index into `engines` of the arm that the others are compared with.
    pub baseline: usize,
    /// What goes wrong on purpose.
    pub faults: Vec<FaultRule>,
    /// How often and in which order the arms are run.
    pub measure: Measure,
    /// What must hold of the results.
    pub expect: Vec<Expectation>,
    /// What it may take of a machine.
    pub limits: Limits,
    /// The interpreter of its tasks in Python, where an engine does not say otherwise.
    pub python: PythonSettings,
    /// Fields that a sweep tries values of.
    pub sweep: Vec<Dimension>,
    /// First 16 hexadecimal digits of the SHA-256 of the file's text and of what the command line has changed in it.
    pub hash: String,
    /// The same of the text alone.
    pub text_hash: String,
    /// The text of the file, with the values of each `env` taken out: what may be kept and shown to others.
    pub text: Arc<str>,
    /// The file as it was understood, as YAML, with what the command line has changed in it; values of `env` are left out.
    pub effective: Arc<str>,
    /// The folder of its file, absolute and without symbolic links: where its commands run. `None` for a bundled
    /// workload and for standard input, whose commands run in the current folder.
    pub folder: Option<PathBuf>,
    /// What is asked of a run beside the file.
    pub batch: BatchRules,
}

/// Index of a task class in [`Workload::classes`].
pub type ClassId = u16;

/// Identity of a task: its place in the seeded stream, from 0. The same task in every engine.
pub(crate) type TaskIndex = u64;

/// How many tasks a workload has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Total {
    /// Each class says its `count`; tasks of the first class come first.
    PerClass,
    /// `total` tasks; each draws its class by `weight`.
    Weighted(NonZeroU64),
    /// Weighted classes under open arrivals: as many tasks as arrive during the stages.
    ByDuration,
}

/// One class of tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskClass {
    /// Unique in its workload.
    pub name: String,
    /// How many tasks are of this class.
    pub share: Share,
    /// What each task is about; as many tasks there are.
    #[serde(skip)]
    pub items: Option<TaskItems>,
    /// What one task does.
    pub work: Work,
    /// Bytes that travel with a task and with its result beside what they need; those of a call in Python are with that.
    pub payload: PayloadSizes,
    /// Limit on the work itself, from its start; the task is ended when it is reached.
    pub timeout: Option<Duration>,
    /// What happens when that is reached, unless the arm says otherwise.
    pub on_timeout: OnTimeout,
    /// Limit on waiting in the queue, from the intended arrival.
    pub queue_timeout: Option<Duration>,
    /// How long the caller waits for a task, from its intended arrival; then it gives up.
    pub wait_timeout: Option<Duration>,
    /// From SIGTERM to SIGKILL; zero means SIGKILL at once.
    pub grace_period: Duration,
    /// Whether and when an unsuccessful attempt is repeated.
    pub retries: Retries,
}

impl TaskClass {
    /// Bytes that travel with each task and with its result, beside what they need.
    #[must_use]
    pub fn payload(&self) -> PayloadSizes {
        match &self.work {
            Work::Python(call) => call.payload,
            _ => self.payload,
        }
    }
}

/// How many tasks are of a class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Share {
    /// Exactly so many.
    Count(NonZeroU64),
    /// In proportion to the sum of all weights.
    Weight(f64),
}

/// What one task does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Work {
    /// Fixed work: as many iterations as a calibrated idle core does in the drawn time.
    Cpu(Dist),
    /// Sleeps for the drawn wall time.
    Sleep(Dist),
    /// Writes a temporary file, optionally syncs it to the disk, reads it back.
    Io(IoWork),
    /// Allocates memory and touches every page of it.
    Memory(MemoryWork),
    /// Several of the above, one after the other.
    Mixed(Vec<Phase>),
    /// A real algorithm with a checkable result.
    Kernel(Kernel),
    /// An external program.
    Command(CommandLine),
    /// Only in what workers are sent: an external program, and what is started comes with the task.
    Program(ProgramRules),
    /// An external program that is sent its tasks as lines.
    Served(Box<ServedProgram>),
    /// A function in Python.
    Python(Box<PythonCall>),
    /// Returns the bytes that came with it. No file can ask for it: it is how carrying them is tried.
    Echo,
}

/// One phase of [`Work::Mixed`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Phase {
    /// See [`Work::Cpu`].
    Cpu(Dist),
    /// See [`Work::Sleep`].
    Sleep(Dist),
    /// See [`Work::Io`].
    Io(IoWork),
    /// See [`Work::Memory`].
    Memory(MemoryWork),
}

/// File work of one task.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct IoWork {
    /// Bytes written and read back; at least 1.
    pub bytes: u64,
    /// Whether the file is flushed to the device (`fdatasync`) before it is read.
    pub sync: bool,
}

/// Memory work of one task.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryWork {
    /// Bytes allocated; at least 1.
    pub bytes: u64,
    /// How often every page is written; at least 1.
    pub passes: u32,
}

/// A real algorithm. Each yields one `u64` that depends on the arguments, the seed and the task's index alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Kernel {
    /// Nothing: the result is the task's index. Measures the engine itself.
    Noop,
    /// How many primes are below `n` (trial division).
    Primes {
        /// Upper bound, exclusive.
        n: u64,
    },
    /// Sum of escape times over a grid of the Mandelbrot set.
    Mandelbrot {
        /// Grid columns.
        width: u32,
        /// Grid rows.
        height: u32,
        /// Most iterations per point.
        iterations: u32,
    },
    /// Product of two n x n integer matrices filled from the seed; the wrapping sum of its elements.
    Matmul {
        /// Rows and columns.
        n: u32,
    },
    /// SHA-256 of so many bytes generated from the seed; the first eight bytes of the digest.
    Sha256 {
        /// Input length.
        bytes: u64,
    },
    /// Sorts `n` numbers generated from the seed; a position-dependent checksum of the sorted list.
    Sort { n: u64 },
    /// Random points in a square; how many of them lie in the circle.
    MonteCarloPi { samples: u64 },
}

/// Distribution of a service time. All times are in nanoseconds when drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Dist {
    /// Always the same.
    Constant(Duration),
    /// Evenly between two bounds.
    Uniform {
        /// Lower bound.
        min: Duration,
        /// Upper bound, at least `min`.
        max: Duration,
    },
    /// Memoryless with this mean, cut at `max` if there is one.
    Exponential {
        /// Mean before the cut.
        mean: Duration,
        /// Largest value drawn.
        max: Option<Duration>,
    },
    /// `median * exp(sigma * N(0,1))`, cut at `max` if there is one.
    Lognormal {
        median: Duration,
        /// Shape, at least 0.
        sigma: f64,
        /// Largest value drawn.
        max: Option<Duration>,
    },
    /// `min / u^(1/alpha)`, cut at `max`.
    Pareto {
        /// Smallest value.
        min: Duration,
        /// Tail index, above 0.
        alpha: f64,
        /// Largest value drawn; compulsory because the mean may be unbounded without it.
        max: Duration,
    },
    /// `slow` with probability `p_slow`, otherwise `fast`.
    Bimodal {
        /// The common value.
        fast: Duration,
        /// The rare value.
        slow: Duration,
        /// Probability of `slow`, from 0 to 1.
        p_slow: f64,
    },
    /// Recorded times.
    #[serde(skip_deserializing)]
    Trace {
        values: Trace,
        /// The task that has the first of them; the next has the next one, and so on, again and again.
        first: TaskIndex,
        /// Whether they are drawn at random instead.
        sampled: bool,
    },
    /// Only in what workers are sent: the time comes with the task, as bytes (see [`crate::workload::service::told_times`]).
    Told,
}

/// In which order tasks are given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As the stream generates them.
    AsGenerated,
    /// A seeded permutation.
    Shuffle,
    /// Longest processing time first (drawn service times; tasks without one count as zero).
    Lpt,
}

/// When tasks arrive.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrivals {
    /// All at the start.
    Batch,
    /// A new task when one ends.
    ClosedLoop {
        /// So many are queued and running together, until there are none left to come.
        max_in_flight: NonZeroU64,
    },
    /// At times of their own, whatever the engine does.
    Open(OpenArrivals),
}

/// Arrivals that do not wait for the engine.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenArrivals {
    /// Spacing.
    pub process: ArrivalProcess,
    /// One after the other; empty only where a trace has all tasks at the start. A single stage without a duration runs until the tasks are used up.
    pub stages: Vec<Stage>,
    /// Most tasks queued and running together.
    pub max_in_flight: Option<NonZeroU64>,
    /// What happens to an arrival beyond `max_in_flight`.
    pub on_full: OnFull,
}

/// Spacing of open arrivals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArrivalProcess {
    /// Evenly spaced.
    Constant,
    /// Exponential gaps.
    Poisson,
    /// Many at once, again and again, the first ones at the start. The rate of its one stage is their mean.
    Burst {
        /// How many at once.
        size: NonZeroU64,
        /// From one burst to the next; above 0.
        every: Duration,
    },
    /// Spaced by a rate that changes evenly within a stage.
    Ramp,
    /// At recorded moments since the start, in order. Its stages are those of the rate that these amount to.
    Trace(Trace),
}

/// A stretch of time and its arrival rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// How long; `None` only where a total ends the run.
    pub duration: Option<Duration>,
    /// Arrivals per second at its begin. Above 0, except at the ends of a ramp.
    pub rate: f64,
    /// Arrivals per second at its end: the same as `rate` unless it is part of a ramp.
    pub end_rate: f64,
}

/// What happens to an arrival when `max_in_flight` tasks are in the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// It is counted as dropped.
    Drop,
    /// Arrivals wait until there is room; latency still counts from the intended arrival.
    Block,
}

/// One arm of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineSpec {
    /// Unique in its workload.
    pub name: String,
    /// How tasks are executed.
    pub kind: EngineKind,
    /// Most tasks at once.
    pub workers: Workers,
    /// How many tasks a worker may hold.
    pub chunksize: Chunksize,
    /// How its workers are started.
    pub start_method: StartMethod,
    /// The same as the file says it; `None` where it leaves that open, so that one of CPython's own does as it is used to.
    pub chosen_start_method: Option<StartMethod>,
    /// How the caller of a process engine waits for its processes.
    pub join: Join,
    /// What becomes of processes that have ended.
    pub reap: Reap,
    /// How long a worker may say nothing after its start, or in answer to a task, before it is replaced.
    pub start_timeout: Duration,
    /// When its workers are replaced although they are well.
    pub recycling: Recycling,
    /// What its workers do once, before their first task.
    pub initializer: Option<Initializer>,
    /// What happens to a task that works longer than its `timeout`; `None` where that is the task's affair.
    pub on_timeout: Option<OnTimeout>,
    /// How its caller submits tasks.
    pub submit: SubmitMode,
    /// From where its workers take tasks.
    pub dispatch: Dispatch,
    /// Most tasks that wait for a worker; who submits one more is blocked. `None` for no limit.
    pub queue_capacity: Option<NonZeroU64>,
    /// Where its processes run, and before whom.
    pub placement: Placement,
    /// Where its interpreter is another one than that of the workload.
    pub python: PythonSettings,
    /// What must hold for it to take part.
    pub when: Option<When>,
    /// The interpreter that was found, once it was looked at.
    pub interpreter: Option<Arc<Interpreter>>,
}

/// How the caller of a process engine waits for its processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// Whichever ends, its place is taken by the next.
    #[default]
    AsCompleted,
    /// As many as there are places are started and joined in the order of their starts, before the next are started: `for p
    /// in ps: p.start()`, `for p in ps: p.join()`.
    StartAllJoinAll,
}

impl Join {
    /// For people: `joined as completed`.
    #[must_use]
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::AsCompleted => "joined as completed",
            Self::StartAllJoinAll => "joined in order",
        }
    }
}

/// What becomes of processes that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reap {
    /// They are reaped at once.
    #[default]
    Always,
    /// They are left as zombies until the run is over: what a caller does that never joins.
    Never,
}

/// The `start_timeout` of an engine that states none.
pub(crate) const DEFAULT_START_TIMEOUT: Duration = Duration::from_secs(10);

/// What happens to a task that works longer than its `timeout`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// It is ended, and its worker with it.
    #[default]
    Kill,
    /// The caller gives up and its worker goes on: it is a ghost until it has done the task, as after a
    /// `multiprocessing.pool.AsyncResult.get(timeout)`.
    Abandon,
}

impl EngineSpec {
    /// What happens at the timeouts of a workload on this arm; `None` where its classes differ.
    #[must_use]
    pub(crate) fn on_timeout_in(&self, workload: &Workload) -> Option<OnTimeout> {
        let mut of_classes = workload.classes.iter().filter(|class| class.has_limit()).map(|class| class.on_timeout);
        let first = of_classes.next().unwrap_or_default();
        self.on_timeout.or_else(|| of_classes.all(|other| other == first).then_some(first))
    }
}

impl TaskClass {
    /// Whether there is a time after which somebody gives up its tasks.
    #[must_use]
    pub(crate) fn has_limit(&self) -> bool {
        self.timeout.or(self.queue_timeout).or(self.wait_timeout).is_some()
    }
}

impl OnTimeout {
    /// The one that this is not.
    #[must_use]
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Kill => Self::Abandon,
            Self::Abandon => Self::Kill,
        }
    }

    /// The word used in YAML and on screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Abandon => "abandon",
        }
    }
}

/// Most tasks at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// As many as there are usable cores: the smaller of affinity and cgroup quota, at least 1; those of the engine's own
    /// `affinity` where it has one.
    Auto,
    Fixed(NonZeroU32),
    /// No limit but the safety envelope (process engine only).
    Unbounded,
}

/// How many tasks a pool worker may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunksize {
    /// Follows the measured service time: tiny tasks travel in large batches, long ones alone.
    Auto,
    /// So many per message, and the next message when they are done.
    Fixed(NonZeroU32),
    /// `ceil(n / 4W)`, as in CPython's `Pool.map`.
    Cpython,
}
