//! Why a worker process ended: what its own exit status does not tell.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::outcome::Exit;

/// Why a worker process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeathCause {
    /// It left when it was asked to, or had nothing left to do.
    Left,
    /// By itself: its exit status is all that is known.
    Crashed,
    /// It did wrong because a fault of the workload, or the user, asked for it.
    Fault,
    /// The kernel killed it for want of memory.
    OutOfMemory,
    /// It used more CPU time than it may (`RLIMIT_CPU`).
    CpuLimit,
    /// It wrote a larger file than it may (`RLIMIT_FSIZE`).
    FileSizeLimit,
    /// We ended it because the user asked for it.
    Request,
    /// We ended it because its task worked longer than its `timeout`; of a worker with several lanes that cannot be ended one
    /// by one, because as many tasks as it was to have lanes did.
    Timeout {
        /// The `timeout` of its class.
        limit: Duration,
    },
    /// We ended it with its run.
    RunOver,
    /// We ended it because its initializer failed or took too long.
    Initializer,
    /// We ended it because it said nothing for too long.
    Silent,
    /// We ended it because it broke the protocol, or closed its socket and lived on.
    Misbehaved,
    /// We ended it because it had begun a task that had its outcome already.
    Outlived,
}

impl DeathCause {
    /// That of a worker that nobody ended.
    #[must_use]
    pub(crate) fn of_itself(exit: Exit, out_of_memory: bool, fault: bool) -> Self {
        match exit {
            _ if out_of_memory => Self::OutOfMemory,
            _ if fault => Self::Fault,
            Exit::Signal(libc::SIGXCPU) => Self::CpuLimit,
            Exit::Signal(libc::SIGXFSZ) => Self::FileSizeLimit,
            _ => Self::Crashed,
        }
    }

    /// Whether it is the end that every worker comes to, and no mishap.
    #[must_use]
    pub fn is_ordinary(self) -> bool {
        matches!(self, Self::Left | Self::RunOver)
    }
}

impl fmt::Display for DeathCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Left => "left",
            Self::Crashed => "crashed",
            Self::Fault => "fault",
            Self::OutOfMemory => "out of memory",
            Self::CpuLimit => "CPU limit",
            Self::FileSizeLimit => "file limit",
            Self::Request => "killed",
            Self::Timeout { .. } => "timeout",
            Self::RunOver => "run over",
            Self::Initializer => "initializer",
            Self::Silent => "silent",
            Self::Misbehaved => "misbehaved",
            Self::Outlived => "outlived",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_faults_are_told_from_crashes() {
        let of = |signal| DeathCause::of_itself(Exit::Signal(signal), false, false);
        assert_eq!(of(libc::SIGXCPU), DeathCause::CpuLimit);
        assert_eq!(of(libc::SIGXFSZ), DeathCause::FileSizeLimit);
        assert_eq!(of(libc::SIGSEGV), DeathCause::Crashed);
        assert_eq!(DeathCause::of_itself(Exit::Signal(libc::SIGKILL), true, false), DeathCause::OutOfMemory);
        assert_eq!(DeathCause::of_itself(Exit::Code(3), false, true), DeathCause::Fault);
    }
}
