//! What happens to a worker around a task: the only difference between the engines.

use std::num::NonZeroU32;

/// A policy answers questions; the dispatcher never asks which one it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Workers are started once and reused (pool, serial).
    Reuse,
    /// A worker is started for each task, with the task, and ends with it (process).
    OneTask,
    /// One worker with as many lanes as there are to be tasks at once (thread).
    OneWorker,
}

impl Policy {
    /// Whether a worker is kept for other tasks. If not, it is started with its only task and ends with it.
    #[must_use]
    pub fn keeps_workers(self) -> bool {
        self != Self::OneTask
    }

    /// Lanes of a worker where `lanes` of them are wanted in all.
    #[must_use]
    pub(crate) fn lanes_of_a_worker(self, lanes: NonZeroU32) -> u16 {
        match self {
            Self::Reuse | Self::OneTask => 1,
            Self::OneWorker => u16::try_from(lanes.get()).unwrap_or(u16::MAX),
        }
    }

    /// Whether every lane belongs to one and the same worker.
    #[must_use]
    pub fn shares_worker(self) -> bool {
        self == Self::OneWorker
    }
}
