//! How a task ended, why, and the law that no task is lost or counted twice.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::moment::Moment;
use crate::engine::worker_id::Slot;
pub use crate::os::accounting::Exit;
use crate::workload::model::{Attempt, ClassId, TaskIndex};

/// Final state of a task. Each task has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It returned a result.
    Succeeded,
    /// It reported an error or a non-zero exit code.
    Failed,
    /// It ran, or waited, longer than allowed.
    TimedOut,
    /// Its worker died under it. A program that a pool runs is in its worker's group, so one that kills its whole group
    /// (`kill -9 0`) kills its worker and is lost; run by the process engine it has only failed.
    Lost,
    /// The run was stopped before it ended, however it ended then: in its grace period or by a signal.
    Cancelled,
    /// It was never admitted.
    Dropped,
}

impl Outcome {
    /// The word used in YAML, JSON and on screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
            Self::Dropped => "dropped",
        }
    }
}

/// Exact number of tasks in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Tasks that have arrived.
    pub submitted: u64,
    /// Waiting: in the queue, in a worker's window or for a retry.
    pub queued: u64,
    /// Being worked on.
    pub running: u64,
    /// See [`Outcome::Succeeded`].
    pub succeeded: u64,
    /// See [`Outcome::Failed`].
    pub failed: u64,
    /// See [`Outcome::TimedOut`].
    pub timed_out: u64,
    /// Of those that timed out: they waited longer than their `queue_timeout` and never began.
    pub queue_timed_out: u64,
    /// Of those that timed out: their `wait_timeout` was reached, in the queue or in work.
    pub wait_timed_out: u64,
    /// See [`Outcome::Lost`].
    pub lost: u64,
    /// See [`Outcome::Cancelled`].
    pub cancelled: u64,
    /// See [`Outcome::Dropped`].
    pub dropped: u64,
    /// Attempts beyond the first of their task; not part of the law.
    pub retries: u64,
}

impl Counts {
    /// Tasks with a final outcome.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.succeeded + self.failed + self.timed_out + self.lost + self.cancelled + self.dropped
    }

    /// The conservation law: every submitted task is in exactly one state.
    #[must_use]
    pub fn conserved(&self) -> bool {
        self.submitted == self.queued + self.running + self.finished()
    }

    /// Tasks that ended neither well nor on purpose.
    #[must_use]
    pub fn unsuccessful(&self) -> u64 {
        self.failed + self.timed_out + self.lost
    }
}

/// What is told of a program that is to answer with a line and was ended without one.
pub(crate) const NO_LINE: &str = "no line of an answer had come: what does not go to a terminal is kept back until it \
                                 is flushed (awk: fflush(), Python: flush=True, perl: $| = 1), and some wait for more \
                                 to read (mawk: -W interactive)";

/// Why an attempt did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The task reported an error of its own.
    Error {
        /// The error in the task's own words.
        message: String,
    },
    /// Its program ended with this status.
    Exited {
        /// Exit code or signal.
        exit: Exit,
    },
    /// It could not be started, and trying again would not help (no such program, no permission).
    NotStarted {
        /// What the operating system said.
        message: String,
    },
    /// It worked longer than its `timeout`.
    Timeout {
        /// The `timeout` of its class.
        limit: Duration,
    },
    /// It waited longer than its `queue_timeout`.
    QueueTimeout {
        /// The `queue_timeout` of its class.
        limit: Duration,
    },
    /// Its caller waited longer than its `wait_timeout` and gave up.
    WaitTimeout {
        /// The `wait_timeout` of its class.
        limit: Duration,
    },
    /// Its worker process died while working on it.
    WorkerDied {
        /// How the worker ended.
        exit: Exit,
        /// Whether it was ended on the user's request (`K`).
        by_user: bool,
        /// Whether the kernel ended it for want of memory, as far as that can be told.
        out_of_memory: bool,
    },
}

/// What ends the waiting of a task that has not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WaitingLimit {
    /// Its `queue_timeout`.
    Queue(Duration),
    /// Its `wait_timeout`: its caller gives up.
    Caller(Duration),
}

impl From<WaitingLimit> for Cause {
    fn from(limit: WaitingLimit) -> Self {
        match limit {
            WaitingLimit::Queue(limit) => Self::QueueTimeout { limit },
            WaitingLimit::Caller(limit) => Self::WaitTimeout { limit },
        }
    }
}

impl WaitingLimit {
    /// From the intended arrival.
    #[must_use]
    pub fn duration(self) -> Duration {
        match self {
            Self::Queue(limit) | Self::Caller(limit) => limit,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error { message } => f.write_str(message),
            Self::Exited { exit } => write!(f, "ended with {exit}"),
            Self::NotStarted { message } => write!(f, "could not be started: {message}"),
            Self::Timeout { limit } => write!(f, "ran longer than its timeout of {limit:?}"),
            Self::QueueTimeout { limit } => write!(f, "waited longer than its queue_timeout of {limit:?}"),
            Self::WaitTimeout { limit } => write!(f, "its caller gave up after its wait_timeout of {limit:?}"),
            Self::WorkerDied { by_user: true, .. } => f.write_str("its worker was killed on request"),
            Self::WorkerDied { out_of_memory: true, exit, .. } => {
                write!(f, "its worker died: {exit}, the kernel ran out of memory")
            }
            Self::WorkerDied { exit, .. } => write!(f, "its worker died: {exit}"),
        }
    }
}

/// The times of an attempt that started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Intended arrival to dispatch.
    pub wait: Duration,
    /// Dispatch to first instruction.
    pub startup: Duration,
    /// First instruction to the last.
    pub service: Duration,
}

/// All that is known about one unsuccessful attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptReport {
    /// Of the task in the stream.
    pub index: TaskIndex,
    /// Of the task.
    pub class: ClassId,
    pub attempt: Attempt,
    /// The first one and all retries.
    pub attempts_allowed: u32,
    /// What it would count as; final unless `retried`.
    pub outcome: Outcome,
    /// Why it has that outcome.
    pub cause: Cause,
    /// Whether another attempt follows.
    pub retried: bool,
    /// Where it ran, if it ran.
    pub slot: Option<Slot>,
    /// Process that ran it, if it ran.
    pub pid: Option<u32>,
    /// Run clock at its end.
    pub ended: Moment,
    /// Intended arrival to dispatch; of one that was not begun in time, its limit. `None` if it never started for
    /// another reason: what did not happen has no times.
    pub wait: Option<Duration>,
    /// Dispatch to first instruction; `None` if it never started.
    pub startup: Option<Duration>,
    /// Work; `None` if it never started.
    pub service: Option<Duration>,
    /// How the process that ran it ended, where it ended.
    pub exit: Option<Exit>,
    /// Whether it had to be killed after the grace period.
    pub killed: bool,
    /// Largest resident memory of the process, where known.
    pub peak_rss_bytes: Option<u64>,
    /// End of what it wrote to its standard output (lossy UTF-8, bounded, not yet cleaned for a terminal).
    pub stdout_tail: String,
    /// End of what it wrote to its standard error (lossy UTF-8, bounded, not yet cleaned for a terminal).
    pub stderr_tail: String,
    /// Bytes of output that were left out between head and tail.
    pub output_omitted_bytes: u64,
}

impl AttemptReport {
    /// The times of an attempt that started, `None` of one that did not.
    #[must_use]
    pub fn times(&self) -> Option<Times> {
        Some(Times { wait: self.wait?, startup: self.startup?, service: self.service? })
    }

    /// States the times of an attempt that started.
    pub fn set_times(&mut self, times: Times) {
        (self.wait, self.startup, self.service) = (Some(times.wait), Some(times.startup), Some(times.service));
    }
}
