//! What an external program may not say.

use crate::engine::event::Slot;
use crate::workload::model::TaskIndex;

/// What a program has said that cannot be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Contradiction {
    /// An outcome of a task that has none to come.
    #[error("it reports task {task}, which it was not given or has reported before")]
    NotGiven { task: TaskIndex },
    /// A lane that belongs to no living worker.
    #[error("it reports task {task} in lane {lane}, which belongs to no worker")]
    NoLane { task: TaskIndex, lane: Slot },
    /// Two tasks in a lane.
    #[error("it reports task {task} in lane {lane}, which is in task {other}")]
    Busy {
        task: TaskIndex,
        lane: Slot,
        /// What the lane was in.
        other: TaskIndex,
    },
    /// Times that cannot be.
    #[error("it reports task {task} {how}")]
    Times {
        task: TaskIndex,
        /// What is wrong with its times.
        how: &'static str,
    },
    /// A timeout where there is no limit.
    #[error("it reports that task {task} has timed out, which has no timeout")]
    NoTimeout { task: TaskIndex },
    /// A worker that cannot be.
    #[error("it reports worker {worker}, {how}")]
    Worker { worker: u32, how: &'static str },
    /// Other counts than ours.
    #[error("it has counted {told}, and reported {reported}")]
    Counts {
        told: String,
        /// What it has reported.
        reported: String,
    },
    /// A line out of its turn.
    #[error("{0}")]
    Order(&'static str),
}
