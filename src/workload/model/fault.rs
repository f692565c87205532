//! What goes wrong on purpose: for lessons, and to see what an engine makes of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::workload::model::{ClassId, TaskIndex};

/// An entry of `faults`.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultRule {
    /// Name of the arm it is for, whatever place that has among those that are run; every arm where there is none.
    pub engine: Option<String>,
    /// What happens.
    pub mishap: Mishap,
}

impl FaultRule {
    /// Whether it is for the arm of this name.
    #[must_use]
    pub(crate) fn is_for(&self, arm: &str) -> bool {
        self.engine.as_ref().is_none_or(|name| name == arm)
    }
}

/// What goes wrong, and where.
#[derive(Clone, Debug, PartialEq)]
pub enum Mishap {
    /// In tasks: a worker does it.
    InTask(Fault),
    /// A worker is killed so long after the start of the run: the one in this slot, or the first one found in a task.
    KillWorker {
        /// Since the start of the run.
        at: Duration,
        /// The slot.
        worker: Option<u32>,
    },
}

/// Something that a worker is to do wrong in a task.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    pub kind: FaultKind,
    pub at: Trigger,
    /// Only in tasks of this class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ClassId>,
    /// What its rate is drawn with: its place in the file, so that it is the same in every arm. Its place in the list of a
    /// worker where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<u64>,
}

/// What goes wrong in a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The worker process ends by this signal.
    Crash(i32),
    /// The worker process ends with this exit code.
    Exit(u8),
    /// The task never ends.
    Hang,
    /// So many bytes are written to and never given back.
    Leak(u64),
    /// The worker ignores SIGTERM from then on.
    IgnoreSigterm,
    /// What comes back is not the result.
    BadResult(BadResult),
}

/// Faults with a time that an arm may have: each has a bit of the orders on its status board.
pub(crate) const MOST_TIMED: usize = 48;

impl FaultKind {
    /// What may be asked for while a run is under way, in the order of the orders on the status board.
    pub const ON_REQUEST: [Self; 6] = [
        Self::Crash(libc::SIGSEGV),
        Self::Hang,
        Self::Leak(64 << 20),
        Self::IgnoreSigterm,
        Self::BadResult(BadResult::Undecodable),
        Self::BadResult(BadResult::Oversized),
    ];

    /// The word used in YAML and on screen.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Crash(_) | Self::Exit(_) => "crash",
            Self::Hang => "hang",
            Self::Leak(_) => "leak",
            Self::IgnoreSigterm => "ignore_sigterm",
            Self::BadResult(_) => "bad_result",
        }
    }

    /// Its order on the status board, where it may be asked for.
    #[must_use]
    pub(crate) fn order(self) -> Option<u8> {
        Self::ON_REQUEST.iter().zip(0..).find(|(kind, _)| **kind == self).map(|(_, order)| order)
    }
}

/// The order of the faults with a time, by their place among those of an arm.
pub(crate) fn timed_order(place: usize) -> Option<u8> {
    u8::try_from(FaultKind::ON_REQUEST.len() + place).ok().filter(|_| place < MOST_TIMED)
}

/// What a result is instead of what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadResult {
    /// The task succeeds with the bits of its value flipped.
    Wrong,
    /// A frame that nobody can decode.
    Undecodable,
    /// A frame that is announced as larger than any may be.
    Oversized,
}

/// In which tasks something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// With this probability, drawn for each attempt.
    Rate(f64),
    /// In each attempt of this task.
    Index(TaskIndex),
    /// Once: in the first task that begins when so much of the run has passed, whichever worker begins it.
    Time(Duration),
}
