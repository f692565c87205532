//! What an engine tells its observer. Events carry facts and times of the run clock; folding them is the observer's part.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::engine::death::DeathCause;
pub use crate::engine::moment::Moment;
pub use crate::engine::outcome::WaitingLimit;
use crate::engine::outcome::{AttemptReport, Counts, Exit};
pub use crate::engine::worker_id::{LaneId, Slot, WorkerId};
pub use crate::os::accounting::{PageFaults, Usage};
use crate::worker::spooled_output::ProgramOutput;
use crate::workload::model::{Attempt, ClassId, SubmitMode, TaskIndex};

/// One successful task as its worker reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Of the task in the stream.
    pub index: TaskIndex,
    /// Run clock at its first instruction.
    pub start: Moment,
    /// Work, in nanoseconds.
    pub service: u64,
    /// Nanoseconds from there until its worker was free: making a result ready to travel. 0 where nobody tells.
    pub after: u64,
    /// Result of the task, for the hash of all results.
    pub value: u64,
}

/// Successful tasks of one class, given out in one message, in the order they ran.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Of the lane that ran them.
    pub slot: Slot,
    /// Their class.
    pub class: ClassId,
    pub attempt: Attempt,
    /// Their intended arrival.
    pub arrival: Moment,
    /// When they were sent to the worker. A task waits until the worker is free for it, so its dispatch is the later of
    /// this and the end of the task before it.
    pub sent: Moment,
    /// End of the worker's task before the first of these.
    pub free_since: Moment,
    /// In the order in which they ran.
    pub records: &'a [Record],
}

/// Bytes that travelled with a task and with its result, and what that took beside the work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Bytes that came with the task.
    pub bytes_in: u64,
    /// Bytes that it returned.
    pub bytes_out: u64,
    /// Our making the bytes that went with it.
    pub packing_in: Duration,
    /// From their being sent, or from its worker's being free for the task if that was later, until the last of them was
    /// there.
    pub transfer_in: Duration,
    /// Its worker's making arguments of them.
    pub unpacking: Duration,
    /// Its worker's making bytes of the result.
    pub packing: Duration,
    /// Its worker's making a number of the result.
    pub hashing: Duration,
    /// From there until the last of them was here; what lies in a message that is not full yet waits for others.
    pub transfer_out: Duration,
    /// Whether the worker told its part; what it did not is 0.
    pub told: bool,
    /// Whether there is a result that no number can be made of.
    pub opaque: bool,
}

/// How grave a note is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Something went wrong and was dealt with.
    Warning,
    /// The run's figures must not be trusted, or it could not go on.
    Error,
}

/// What an initializer took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitializerFigures {
    /// Wall-clock time.
    pub wall: Duration,
    /// CPU time.
    pub cpu: Duration,
    /// Resident memory of the process afterwards, where known.
    pub rss_bytes: Option<u64>,
}

/// How a process came to be. Each moment is no earlier than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// When it was decided to start it now.
    pub called: Moment,
    /// Right before its program took over, or when it was forked.
    pub executed: Moment,
    /// Its first own instruction, and when it was ready for what comes next; `None` where it does not tell.
    pub own: Option<(Moment, Moment)>,
}

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// Tasks succeeded.
    Succeeded(Batch<'a>),
    /// An attempt ended otherwise; final unless `retried`.
    Attempt(&'a AttemptReport),
    /// So many tasks of a class waited for too long and were never begun, as far as they were waited for.
    Expired {
        /// Common to all of them.
        class: ClassId,
        /// How many tasks they are.
        count: u64,
        /// What ended their waiting.
        limit: WaitingLimit,
        /// Some of them one by one, at most [`crate::engine::dispatcher::queue::expired::NAMED`].
        reports: &'a [AttemptReport],
    },
    /// The caller gets results now, or errors: of all modes but `apply_async`, where that is the end of the task.
    Delivered(&'a [Delivered]),
    /// A worker process was started.
    WorkerStarted {
        worker: WorkerId,
        /// Process id.
        pid: u32,
        /// Whether it replaces one that died or was killed.
        restart: bool,
    },
    /// A worker is ready to work.
    WorkerReady {
        worker: WorkerId,
        /// From the decision to start it until now.
        took: Duration,
    },
    /// A worker's initializer went well.
    WorkerInitialized {
        worker: WorkerId,
        /// Wall-clock time of the initializer.
        wall: Duration,
        /// CPU time that it took.
        cpu: Duration,
        /// Resident memory of the worker afterwards, where known.
        rss_bytes: Option<u64>,
    },
    /// What the only lane of a worker had used, and how long it had waited for a processor, when it was ready for its first
    /// task: told where its thread is (see `LaneThread`).
    LaneBegins {
        lane: LaneId,
        /// CPU time.
        cpu: Duration,
        delay: Duration,
    },
    /// What the thread of a lane is, where it has one of its own, and how long it was ready and had no processor so far.
    LaneThread {
        lane: LaneId,
        /// The kernel's number of it.
        thread: u32,
        delay: Duration,
    },
    /// How a process came to be: told once, when it says hello, or right away where it is a program.
    WorkerBegan { worker: WorkerId, beginning: Beginning },
    /// A process was reaped so long after its end was noticed.
    WorkerReaped { worker: WorkerId, after: Duration },
    /// The caller has joined a process so long after its end, where it joins in the order of the starts.
    WorkerJoined { worker: WorkerId, delay: Duration },
    /// `/proc` was looked at: so many children had ended and were not reaped, and so many descendants that lost their parent
    /// have arrived here since the last look.
    Undead {
        zombies: u64,
        new_orphans: u64,
        /// Whether all tasks have their outcomes.
        over: bool,
    },
    /// The fork server was started.
    ForkServerStarted {
        /// Process id.
        pid: u32,
    },
    /// The fork server is ready to fork workers.
    ForkServerReady {
        /// Process id.
        pid: u32,
        /// From the decision to start it until now.
        took: Duration,
        /// What its initializer took, where it has one.
        initializer: Option<InitializerFigures>,
    },
    /// Workers were to be forked and are spawned: nothing can be forked from the server.
    NotForked {
        /// Why not.
        reason: &'a str,
    },
    /// The fork server ended and was reaped.
    ForkServerExited {
        exit: Exit,
        /// The kernel's own accounting of its whole life (`wait4`), without the workers.
        usage: Usage,
    },
    /// The bytes that a task returns. They count if it then succeeds.
    Returned {
        /// Of the lane that ran the task.
        slot: Slot,
        /// Of the task in the stream.
        index: TaskIndex,
        /// All of them; the engine does not look at what they mean.
        bytes: &'a [u8],
    },
    /// Everything that the program of a task has written that has ended by itself, right before it is told how. Told where
    /// that is asked for, and the program is no worker's.
    Wrote {
        /// Of the task in the stream.
        index: TaskIndex,
        /// Whoever wants it keeps it.
        output: &'a Arc<ProgramOutput>,
    },
    /// What bytes travelled with a task that was reported, and what that took.
    Carried {
        /// Of the lane that ran the task.
        slot: Slot,
        carried: Carried,
    },
    /// How much later than it was to the probe in an interpreter went on, each time since it was told last.
    Probed {
        late: &'a [Duration],
        /// After how long a thread of that interpreter asks for its lock.
        switch_interval: Duration,
    },
    /// What tasks were worth that had the value 0 when they succeeded; `None` where that will not be known, so that results
    /// cannot be compared.
    Values(Option<&'a [(TaskIndex, u64)]>),
    /// What a lane of a live worker has used since its own start, as the worker measures it. All lanes together have used
    /// what is known of the worker so far; a worker that does not tell its lanes apart tells everything of the first.
    WorkerUsage {
        lane: LaneId,
        /// User and system time, and faults.
        usage: Usage,
    },
    /// A worker is ended although the run goes on: it gets its signal now.
    WorkerEnding {
        worker: WorkerId,
        /// Of the lane that it is ended for: that of the task that timed out, or else its first.
        slot: Slot,
        /// Process id, if it has one by now.
        pid: Option<u32>,
        /// What ended it.
        reason: EndReason,
        /// Other workers that hold a task now.
        others: &'a [WorkerId],
    },
    /// A worker was killed and does not go: once for each.
    WorkerUnkillable {
        worker: WorkerId,
        /// Process id.
        pid: u32,
    },
    /// The caller of a task has given up, and its worker goes on with it.
    GhostBegan {
        /// What is in the task.
        lane: LaneId,
    },
    /// A ghost is gone: a worker has come to the end of a task whose caller had given up, or has ended in it.
    GhostEnded {
        /// What was in the task.
        lane: LaneId,
        /// From the moment at which the caller gave up until now.
        after: Duration,
        /// CPU time in that time, where it can be told.
        cpu: Option<Duration>,
    },
    /// What the ghosts that there are now have burnt so far, as far as it can be told: told before each state while there are
    /// any, and once when there are none any more.
    GhostsBurn {
        /// CPU time of all of them together.
        cpu: Duration,
    },
    /// The run is measured until now: every task has its outcome or, `early`, the run is ended before that.
    RunEnds { early: bool },
    /// A task that was in work when the run was ended is cancelled, whether it came to its end since or not.
    CutShort {
        /// Of the lane that it was in.
        slot: Slot,
        index: TaskIndex,
        /// When its lane was free for it.
        dispatched: Moment,
        /// Its first instruction.
        start: Moment,
        /// Its end, or that of its worker.
        ended: Moment,
    },
    /// So many of the results that were told last were made wrong on purpose.
    MadeWrong {
        /// Never 0.
        count: u64,
    },
    /// A worker process ended and was reaped.
    WorkerExited {
        worker: WorkerId,
        /// Process id.
        pid: u32,
        /// Exit code or signal.
        exit: Exit,
        /// The kernel's own accounting of its whole life (`wait4`).
        usage: Usage,
        /// Whether it ended because it was asked to, or had nothing left to do.
        expected: bool,
        /// Why it ended.
        cause: DeathCause,
        /// Largest resident memory, where known.
        peak_rss_bytes: Option<u64>,
    },
    /// The number of workers aimed at was changed.
    Resized {
        /// The number from now on.
        workers: u32,
    },
    /// The run stood still for so long, and its clock with it.
    Suspended(Duration),
    /// A line for people.
    Note {
        /// Whether something went wrong, and whether the figures are still good.
        severity: Severity,
        /// What happened, in words.
        text: String,
    },
}

/// Tasks whose results the caller gets at one moment, all of the same arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// How many.
    pub count: u64,
    /// Their intended arrival.
    pub arrival: Moment,
    /// The moments at which they ended, in nanoseconds, summed.
    pub ends: u128,
    /// The first of these moments.
    pub first_end: Moment,
}

/// Why a worker is ended although the run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The user asked for it (`K`).
    Request,
    /// Its task reached its `timeout`, or its `wait_timeout`.
    Timeout {
        /// That limit.
        limit: Duration,
    },
}

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerState {
    /// The slot has no process (process engine between tasks, or not started yet).
    Free,
    /// Its process is starting.
    Starting,
    /// Ready and without work.
    Idle,
    /// Working on a task.
    Busy,
    /// Busy with a task whose caller has given up.
    Ghost,
    /// Asked to finish its task and leave.
    Retiring,
    /// Being ended: signal sent, not gone yet.
    Ending,
    /// Killed, and still there a while later.
    Unkillable,
    /// Before its first task: it is in its initializer.
    Initializing,
}

impl WorkerState {
    /// The word used in JSON and on screen.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Starting => "start",
            Self::Initializing => "init",
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Ghost => "ghost",
            Self::Retiring => "leave",
            Self::Ending => "end",
            Self::Unkillable => "UNKILLABLE",
        }
    }
}

/// One slot as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotView {
    pub slot: Slot,
    /// Process id, if it has one.
    pub pid: Option<u32>,
    pub state: WorkerState,
    /// The task it is in, with its class and the run clock at its first instruction, where known.
    pub task: Option<(TaskIndex, ClassId, Moment)>,
}

/// A task that is being worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InTask {
    /// Of the task in the stream.
    pub index: TaskIndex,
    /// Run clock at its first instruction.
    pub started: Moment,
    /// The same at its last one, where that is over and its result is not on its way yet.
    pub ended: Option<Moment>,
}

impl InTask {
    /// Stands for the end of what is limited.
    pub(crate) const NO_LIMIT: Moment = Moment(u64::MAX);

    /// What a limit on the work counts from. A result that is made ready to travel has the same time again: that is not
    /// work, but user's code may be part of it and never end. What a worker does of its own is under no limit.
    pub(crate) fn limited_from(&self, limit: Duration) -> Moment {
        if self.ended == Some(Self::NO_LIMIT) {
            return Self::NO_LIMIT;
        }
        self.ended.filter(|ended| ended.since(self.started) <= limit).unwrap_or(self.started)
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Tasks are given out, or will be.
    Running,
    /// No work is given out.
    Paused,
    /// The clock stands still.
    Suspended,
    /// Being ended on request.
    Stopping,
    /// Every task has its outcome and every worker is gone.
    Finished,
    /// Ended on request before its last task.
    Stopped,
    /// The engine could not go on.
    Broken,
}

impl RunState {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::Stopped | Self::Broken)
    }
}

/// How long tasks have been in the system: queued or running, from their intended arrival on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Of all tasks together: the integral of their number over time, each until its end was reported. Those reported
    /// together were there until each ended, and the last until then.
    pub time: Duration,
    /// Of that, the time that tasks were held before they could be queued, because there was no room.
    pub outside: Duration,
    /// The last moment at which there was one.
    pub until: Moment,
}

/// The whole engine as it is now.
#[derive(Clone, Copy, Debug)]
pub struct EngineView<'a> {
    /// Where the run stands.
    pub state: RunState,
    /// Exact counts.
    pub counts: Counts,
    /// Tasks the run will have in all, where that is known.
    pub total: Option<u64>,
    /// How long the task that has waited longest has waited.
    pub oldest: Duration,
    /// How long tasks have been there, where that is known.
    pub presence: Option<Presence>,
    /// Number of workers aimed at.
    pub workers: u32,
    /// Every slot, in order.
    pub slots: &'a [SlotView],
    /// Who submits the tasks.
    pub caller: CallerView,
    /// How tasks travel; `None` where each has a process of its own, and where that is not known.
    pub chunks: Option<Chunks>,
}

/// How tasks travel to workers: several in one message, a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunks {
    /// Chunks that were sent.
    pub sent: u64,
    /// Tasks in them, each as often as it was sent.
    pub tasks: u64,
    /// Tasks of one chunk by the rule in force now, where there are tasks enough: what was set, or what `auto` has found to
    /// be right for the last class that was sent.
    pub size: NonZeroU32,
}

impl Default for Chunks {
    fn default() -> Self {
        Self { sent: 0, tasks: 0, size: NonZeroU32::MIN }
    }
}

impl Chunks {
    /// Tasks of a chunk on average; `None` before there was one.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.sent > 0).then(|| self.tasks as f64 / self.sent as f64)
    }

    /// Tasks of one chunk by the rule in force now, of so many tasks in all.
    #[must_use]
    pub fn size_of(&self, tasks: u64) -> u64 {
        u64::from(self.size.get()).min(tasks.max(1))
    }
}

/// The caller as it is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallerView {
    /// How it submits.
    pub mode: SubmitMode,
    /// Whether it waits for results, or for room to submit.
    pub blocked: bool,
    /// For how long it did so far.
    pub blocked_for: Duration,
}

/// Receives everything that happens in one run, on the engine's own thread: it must be quick and must not block.
pub trait Observer: Send {
    /// Something happened at `now`.
    fn event(&mut self, now: Moment, event: &Event<'_>);

    /// The state at `now`; called about ten times a second and once at the end, when every worker is gone.
    fn state(&mut self, now: Moment, view: &EngineView<'_>);
}

/// Several observers side by side: each is told everything, in this order, before the engine goes on.
#[derive(Default)]
pub struct Observers(Vec<Box<dyn Observer>>);

impl FromIterator<Box<dyn Observer>> for Observers {
    fn from_iter<I: IntoIterator<Item = Box<dyn Observer>>>(observers: I) -> Self {
        Self(observers.into_iter().collect())
    }
}

impl std::fmt::Debug for Observers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Observers({})", self.0.len())
    }
}

impl Observer for Observers {
    fn event(&mut self, now: Moment, event: &Event<'_>) {
        self.0.iter_mut().for_each(|observer| observer.event(now, event));
    }

    fn state(&mut self, now: Moment, view: &EngineView<'_>) {
        self.0.iter_mut().for_each(|observer| observer.state(now, view));
    }
}
