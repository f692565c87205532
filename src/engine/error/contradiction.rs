//! What an external program may not say.

use crate::engine::event::Slot;
use crate::workload::model::TaskIndex;

/// What a program has said that cannot be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Contradiction {
    /// An outcome of a task that has none to come.
    #[error("it reports task {task}, which it was not given or has reported before")]
    NotGiven {
        /// Its index.
        task: TaskIndex,
    },
    /// A lane that belongs to no living worker.
    #[error("it reports task {task} in lane {lane}, which belongs to no worker")]
    NoLane {
        /// Its index.
        task: TaskIndex,
        /// The lane's number.
        lane: Slot,
    },
    /// Two tasks in a lane.
    #[error("it reports task {task} in lane {lane}, which is in task {other}")]
    Busy {
        /// Index of the one that is reported.
        task: TaskIndex,
        /// The lane's number.
        lane: Slot,
        /// What the lane was in.
        other: TaskIndex,
    },
    /// Times that cannot be.
    #[error("it reports task {task} {how}")]
    Times {
        /// Its index.
        task: TaskIndex,
        /// What is wrong with its times.
        how: &'static str,
    },
    /// A timeout where there is no limit.
    #[error("it reports that task {task} has timed out, which has no timeout")]
    NoTimeout {
        /// Its index.
        task: TaskIndex,
    },
    /// A worker that cannot be.
    #[error("it reports worker {worker}, {how}")]
    Worker {
        /// The number that the program gave it.
        worker: u32,
        /// What is wrong with it.
        how: &'static str,
    },
    /// Other counts than ours.
    #[error("it has counted {told}, and reported {reported}")]
    Counts {
        /// What it has counted.
        told: String,
        /// What it has reported.
        reported: String,
    },
    /// A line out of its turn.
    #[error("{0}")]
    Order(&'static str),
}
