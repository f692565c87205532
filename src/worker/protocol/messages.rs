//! What frames carry. The document has the meaning of every field; here are the types.

use serde::{Deserialize, Serialize};

use super::frame::u64_at;
use super::{RECORD, VERSION};
use crate::os::accounting::{Exit, Usage};
use crate::os::inherited::Caller;
use crate::workload::model::{Attempt, ClassId, Fault, PayloadSizes, PythonCall, TaskIndex, Work};

/// Which of a worker's lanes.
pub type LaneNumber = u16;

fn one() -> LaneNumber {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// First frame to a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// Protocol version of the parent.
    pub protocol: u32,
    /// Seed of the workload.
    pub seed: u64,
    /// What a calibrated idle core does: iterations of the CPU kernel in a second.
    pub iterations_per_second: f64,
    /// Lanes at the start; at least 1.
    #[serde(default = "one")]
    pub lanes: LaneNumber,
    /// Whether more may be opened later.
    #[serde(default)]
    pub grows: bool,
    /// Umask and limits for programs that the worker starts; absent where they are its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
    /// Folder that programs are started in, as bytes; absent where it is the worker's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<Vec<u8>>,
    /// What the worker is to do wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// What an interpreter needs to know; absent for other workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<PythonSetup>,
    /// What travels with tasks beside what they need, by class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payloads: Vec<(ClassId, PayloadSizes)>,
    /// Whether it is to be told what handling bytes took.
    #[serde(default, skip_serializing_if = "is_false")]
    pub handling: bool,
    /// Whether it is to be told what programs that stay did after their answers.
    #[serde(default, skip_serializing_if = "is_false")]
    pub late: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What an interpreter needs to know before its first task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PythonSetup {
    /// Folders that modules are looked for in first; each byte of a name as the character of its number.
    pub path: Vec<String>,
    /// What its tasks will call: it is imported at once.
    pub callables: Vec<String>,
    /// What is called when it is told to initialize.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initializer: Option<PythonCall>,
    /// Whether results are pickled and returned, or stay where they are.
    pub pickles: bool,
    /// What marks the ends of what its tasks print: 16 bytes in hexadecimal digits.
    pub mark: String,
    /// Whether it tells what tasks change in their process for those after them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub watches: bool,
    /// Whether a thread in it probes how long the lock of the interpreter is held.
    #[serde(default, skip_serializing_if = "is_false")]
    pub gil_probe: bool,
    /// Whether each lane has an interpreter of its own, in a thread of its own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub interpreters: bool,
}

impl Setup {
    /// One lane, nothing of the caller's, no faults.
    #[must_use]
    pub fn of(seed: u64, iterations_per_second: f64) -> Self {
        Self {
            protocol: VERSION,
            seed,
            iterations_per_second,
            lanes: 1,
            grows: false,
            caller: None,
            folder: None,
            faults: Vec::new(),
            python: None,
            payloads: Vec::new(),
            handling: false,
            late: false,
        }
    }
}

/// What a worker does before its first task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Initialize {
    /// Work, as the time that it takes a calibrated idle core.
    pub cpu_ns: u64,
    /// Memory that is written to and kept.
    pub memory_bytes: u64,
    /// Probability of its failing.
    pub fail_rate: f64,
    /// The how manieth worker of the run this is, from 0: what the failing is drawn with.
    pub start: u64,
}

/// How the initializer went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Initialized {
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Where it was raised, where the worker can tell.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub trace: String,
    pub wall_ns: u64,
    /// CPU time that it took.
    pub cpu_ns: u64,
    /// Resident set of the worker after it; 0 where it cannot be told.
    pub rss_bytes: u64,
}

impl Initialized {
    /// Why it failed, if it did; lines after the first one say where.
    pub(crate) fn failure(self) -> Option<String> {
        let error = self.error?.replace('\n', " ");
        let trace = self.trace.trim_end();
        Some(if trace.is_empty() { error } else { format!("{error}\n{trace}") })
    }
}

/// How a worker tells which task it is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tells {
    /// On the status board.
    Board,
    /// With a `started` frame.
    Started,
    /// Not at all.
    #[default]
    Nothing,
}

/// First frame from a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Protocol version of the worker.
    pub protocol: u32,
    pub pid: u32,
    /// Most lanes that it can have.
    #[serde(default = "one")]
    pub lanes: LaneNumber,
    /// How it tells which task it is in.
    #[serde(default)]
    pub tells: Tells,
    /// `CLOCK_MONOTONIC` in nanoseconds at its first own instruction; 0 where it does not tell.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub began: u64,
    /// The same when it was ready for what comes next.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ready: u64,
}

/// Tasks with consecutive indices, of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskRun {
    pub first: TaskIndex,
    /// How many; at least 1.
    pub count: u32,
    /// Their class.
    pub class: ClassId,
    /// Written with 16 bits.
    pub attempt: Attempt,
    /// `CLOCK_MONOTONIC` in nanoseconds from which on they are not to be begun any more; 0 for never.
    pub begin_by: u64,
}

/// One successful task. Times are of the worker's `CLOCK_MONOTONIC`, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireRecord {
    pub index: TaskIndex,
    /// Its first instruction.
    pub start: u64,
    pub service: u64,
    /// Its result.
    pub value: u64,
}

/// One unsuccessful task. Times are of the worker's `CLOCK_MONOTONIC`, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub index: TaskIndex,
    /// Its first instruction.
    pub start: u64,
    pub service: u64,
    /// The error, where the task did not end as a program of its own.
    pub message: Option<String>,
    /// How its program ended, where it has one.
    pub exit: Option<Exit>,
    /// Whether trying again cannot help: its program could not be started.
    #[serde(default)]
    pub not_started: bool,
    /// End of its standard output.
    #[serde(default)]
    pub stdout_tail: String,
    /// End of its standard error.
    #[serde(default)]
    pub stderr_tail: String,
    /// Bytes of output that were left out.
    #[serde(default)]
    pub output_omitted_bytes: u64,
    /// The number of the mark that ends what it printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
}

/// A piece of the bytes that travel with a task or with its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    pub index: TaskIndex,
    /// Whether the next frame of this kind on the same lane goes on with them.
    pub more: bool,
    pub bytes: &'a [u8],
}

/// What handling the bytes of a task took its worker, beside the work. Lengths are nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handled {
    pub index: TaskIndex,
    /// `CLOCK_MONOTONIC` in nanoseconds at which the last of the bytes that came with it was there; 0 where none came.
    pub received: u64,
    /// Making arguments of them.
    pub unpacking: u64,
    /// Making bytes of its result.
    pub packing: u64,
    /// Making a number of its result.
    pub hashing: u64,
}

/// What tasks have changed in their process for those after them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// It was one of the tasks from this one ...
    pub first: TaskIndex,
    /// ... to this one.
    pub last: TaskIndex,
    /// What is not as it was, in words: `environment`.
    pub what: String,
    /// More about it.
    pub how: String,
    /// Whether the worker has undone it, so that nobody finds it so.
    #[serde(default, skip_serializing_if = "is_false")]
    pub undone: bool,
}

/// What a program that stays with its worker did after its answer, and should not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Late {
    /// The task that it had answered last.
    pub index: TaskIndex,
    /// How it has ended; `None` where it has not, and has written more than its answer.
    pub exit: Option<Exit>,
}

/// How late the probe of an interpreter went on each time, since it was told last. Lengths are nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// After how long a thread asks for the lock.
    pub switch_interval: u64,
    pub late: Vec<u64>,
}

/// A task has begun. Only from a worker that does not use the status board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    pub index: TaskIndex,
    /// `CLOCK_MONOTONIC` in nanoseconds at its first instruction.
    pub at: u64,
    /// The program that is the task; `None` where it is not a program.
    pub program: Option<u32>,
}

/// A frame to a worker.
#[derive(Clone, Debug, PartialEq)]
pub enum ToWorker<'a> {
    /// First of all.
    Setup(Box<Setup>),
    /// A class, before its first task.
    Class(ClassId, Work),
    /// Tasks for a lane to work on, in this order.
    Tasks(Vec<TaskRun>),
    /// To be done before the first task.
    Initialize(Initialize),
    /// What travels with a task of a lane, before it is sent.
    Payload(Piece<'a>),
    /// A lane is to leave after the task that it is in.
    Retire,
}

/// A frame from a worker.
#[derive(Clone, Debug, PartialEq)]
pub enum FromWorker<'a> {
    /// First of all.
    Hello(Hello),
    /// Successful tasks.
    Done(DoneFrame<'a>),
    /// An unsuccessful task.
    Failed(Failure),
    /// Tasks that were not begun: first index and count of each run of them.
    Skipped(Vec<(TaskIndex, u64)>),
    /// The initializer's end.
    Initialized(Initialized),
    /// What a task returns, before its record.
    Result(Piece<'a>),
    /// A task has begun.
    Started(Started),
    /// What handling the bytes of tasks took, before they are reported.
    Handled(Vec<Handled>),
    /// Tasks have changed something for those after them.
    Changed(Changed),
    /// What the probe of an interpreter has noted.
    Probed(Probed),
    /// The result of a task is made wrong on purpose, before its record.
    Wrong(TaskIndex),
    /// A program that stays did something after its answer.
    Late(Late),
}

/// A `done` frame that is decoded while it is read: it is the hot path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DoneFrame<'a> {
    /// The lane's own accounting since its start.
    pub usage: Usage,
    pub(super) records: &'a [u8],
}

impl<'a> DoneFrame<'a> {
    /// The records, in order.
    pub fn records(&self) -> impl ExactSizeIterator<Item = WireRecord> + use<'a> {
        self.records.chunks_exact(RECORD).map(|bytes| WireRecord {
            index: u64_at(bytes, 0),
            start: u64_at(bytes, 8),
            service: u64_at(bytes, 16),
            value: u64_at(bytes, 24),
        })
    }
}
