//! What a worker may not say, or not at that moment: it cannot be believed any more, and is ended for it.

use crate::worker::protocol::{LaneNumber, MAX_BYTES_TOGETHER, ProtocolError};
use crate::workload::model::TaskIndex;

/// How a worker broke the protocol.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Breach {
    /// A frame by itself.
    #[error(transparent)]
    Frame(#[from] ProtocolError),
    #[error("something before its hello")]
    NoHello,
    #[error("a second hello")]
    SecondHello,
    #[error("it can have {can} lanes and was asked for {asked}")]
    FewLanes { can: LaneNumber, asked: LaneNumber },
    #[error("a frame from lane {lane}, where it has {lanes}")]
    NoLane { lane: LaneNumber, lanes: LaneNumber },
    #[error("answer of an initializer that was not asked for, or a second one")]
    NotAsked,
    #[error("a word about a task before its initializer has gone well")]
    NotInitialized,
    #[error("a started frame, which its hello did not promise")]
    NotPromised,
    #[error("a started frame of task {0}, which it does not hold")]
    NotHeld(TaskIndex),
    #[error("bytes of task {found} within those of task {of}")]
    Mixed { found: TaskIndex, of: TaskIndex },
    #[error("a report while the bytes of task {0} are incomplete")]
    Incomplete(TaskIndex),
    #[error("more than {MAX_BYTES_TOGETHER} bytes of incomplete results in its lanes together")]
    TooMuchTogether,
    #[error("word of more than {} wrong results that it has not reported", super::wrong_results::MOST)]
    TooManyWrong,
}
