//! Why an engine could not go on. Travels with the end of a run ([`crate::engine::arm::ArmRun::join`]) to whoever asked
//! for it; the note that the observer is told says the same in words.

mod contradiction;
mod program;

use std::io;
use std::time::Duration;

pub use contradiction::Contradiction;
pub use program::ProgramError;

/// Why a run is broken.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Without its timer no limit would be met.
    #[error("the engine's timer failed")]
    Timer {
        /// What the system said.
        source: io::Error,
    },
    /// The end of a worker would not be noticed.
    #[error("a worker cannot be watched")]
    Watch {
        /// What the system said.
        source: io::Error,
    },
    /// Workers cannot be started at all.
    #[error(transparent)]
    NotStarted(#[from] NotStarted),
    /// The system was short of something for too long, and nobody was there to do any work.
    #[error("no worker could be started for {patience:?}")]
    Shortage {
        /// How long that was tried.
        patience: Duration,
        /// The last try.
        source: NotStarted,
    },
    /// Workers that end at once would be started for ever.
    #[error("{count} workers in a row ended before they did anything, the last one {how}")]
    EarlyDeaths {
        /// How many.
        count: u32,
        /// How the last one ended, with the last line that it wrote.
        how: String,
    },
    /// So would fork servers.
    #[error("{count} fork servers in a row ended before they had forked anything, the last one {how}")]
    ForkServer {
        /// How many.
        count: u32,
        /// How the last one ended, with the last line that it wrote.
        how: String,
    },
    /// So would workers whose initializer fails.
    #[error("the initializer failed {}: {reason}; no more workers are started", in_a_row(*.times))]
    Initializer {
        /// How often.
        times: u32,
        /// Why it failed the last time.
        reason: String,
    },
    /// The program of an external arm.
    #[error("{}", said(.wrote))]
    Program {
        /// The last line that it wrote, if any.
        wrote: Option<String>,
        /// What it did.
        source: ProgramError,
    },
    /// The engine's thread has panicked; the panic hook has printed how.
    #[error("the engine's thread ended in the middle of the run")]
    Gone,
}

/// A process that could not be started.
#[derive(Debug, thiserror::Error)]
#[error("{what} could not be started")]
pub struct NotStarted {
    /// A worker, or the name of a program.
    pub what: String,
    /// What the system said.
    pub source: io::Error,
}

impl EngineError {
    /// After so many failures; lines of the last reason after the first one were told.
    pub(crate) fn initializer(times: u32, reason: &str) -> Self {
        Self::Initializer { times, reason: reason.lines().next().unwrap_or_default().to_owned() }
    }
}

fn in_a_row(times: u32) -> String {
    if times == 1 { "once".to_owned() } else { format!("{times} times in a row") }
}

fn said(wrote: &Option<String>) -> String {
    match wrote {
        None => "the arm's program broke the run".to_owned(),
        Some(line) => format!("the arm's program broke the run (it wrote: {line})"),
    }
}
