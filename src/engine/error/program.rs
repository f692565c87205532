//! What the program of an external arm did that ended its run.

use std::time::Duration;

use super::Contradiction;
use crate::engine::outcome::Exit;

/// Why a run of a program could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// For longer than it may be.
    #[error("the program said nothing for {0:?}")]
    Silent(Duration),
    /// It is not needed any more.
    #[error("the program has nothing left to do and did not end within {0:?}")]
    Stays(Duration),
    /// Nothing can be said to it, or heard of it.
    #[error("the program has closed its socket and goes on")]
    SocketClosed,
    /// No JSON, an unknown `type`, or wrong fields.
    #[error("the program said something that is no line of the protocol: {line}")]
    Unreadable {
        /// Its beginning.
        line: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A line that would fill the memory.
    #[error("the program said something without an end: more than {most} bytes in one line")]
    LongLine {
        /// What a line may have.
        most: usize,
    },
    /// Another first line.
    #[error("the program did not begin with hello")]
    NoHello,
    /// Another version.
    #[error("the program speaks version {theirs} of the protocol; this is version {ours}")]
    Version {
        /// The program's.
        theirs: u32,
        /// This program's.
        ours: u32,
    },
    /// It said that it cannot end tasks.
    #[error("the workload has a timeout, which the program cannot do")]
    NoTimeouts,
    /// Something that cannot be.
    #[error("the program contradicts itself")]
    Contradiction(#[from] Contradiction),
    /// It starts others for ever.
    #[error("the initializer of {times} workers in a row failed")]
    NotInitialized {
        /// How many.
        times: u32,
    },
    /// Before its time.
    #[error("the program ended with {exit} while {left} tasks had no outcome")]
    EndedEarly {
        /// How.
        exit: Exit,
        /// Tasks without an outcome.
        left: u64,
    },
    /// Every task has its outcome, and yet.
    #[error("the program ended with {0} after its last task")]
    EndedBadly(Exit),
}
