//! Why a session could not be started, or could not go on.

use std::io;

use crate::engine::arm::StartError;
use crate::engine::chain;
use crate::engine::error::EngineError;

/// Why a session could not go on.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A run could not be started.
    #[error("{arm}")]
    NotStarted {
        /// The arm's name.
        arm: String,
        /// Why not.
        source: StartError,
    },
    /// A run came to an end by itself.
    #[error("{arm}")]
    Broke {
        /// The arm's name.
        arm: String,
        /// Why its engine could not go on.
        source: EngineError,
    },
    /// The session's own thread is gone.
    #[error("the session ended in the middle of a run")]
    Gone,
}

impl SessionError {
    /// The error and everything that it comes from, in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// Two errors that read the same are the same: the system's own cannot be compared.
impl PartialEq for SessionError {
    fn eq(&self, other: &Self) -> bool {
        self.chain() == other.chain()
    }
}

impl Eq for SessionError {}

/// Why a session could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SessionStartError {
    /// No runtime for it.
    #[error("the session's runtime could not be made")]
    Runtime {
        /// What the system said.
        source: io::Error,
    },
    /// No thread for it.
    #[error("the session's thread could not be started")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
}
