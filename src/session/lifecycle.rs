//! What has happened to a session since it began, and which phase follows from it.

use std::sync::Arc;
use std::time::Duration;

use crate::session::error::SessionError;
use crate::session::view::SessionPhase;

/// What has happened to a comparison since it began. Facts alone, each of which stays: so in whatever order the runs of
/// several arms end, the same follows.
#[derive(Clone, Debug, Default)]
pub(super) struct Lifecycle {
    /// Whether it began at all.
    pub(crate) begun: bool,
    /// Whether no work is given out.
    pub(crate) paused: bool,
    /// How often the user has asked for the end.
    pub(crate) stops: u32,
    /// Whether a run was ended before its last task.
    pub(crate) stopped: bool,
    /// The `limits.max_time` that has passed, if it has.
    pub(crate) out_of_time: Option<Duration>,
    /// The first reason why an engine could not go on: its arm runs no more, and the others do.
    pub(crate) broken: Option<Arc<SessionError>>,
    /// Whether that is of no use: arms that run together are one comparison.
    pub(crate) in_vain: bool,
}

impl Lifecycle {
    pub(crate) fn may_go_on(&self) -> bool {
        self.stops == 0 && !self.stopped && !self.in_vain
    }

    pub(crate) fn phase(&self, under_way: bool) -> SessionPhase {
        match &self.broken {
            _ if !self.begun => SessionPhase::Ready,
            _ if under_way && !self.may_go_on() => SessionPhase::Stopping,
            _ if under_way && self.paused => SessionPhase::Paused,
            _ if under_way => SessionPhase::Running,
            Some(reason) => SessionPhase::Broken(Arc::clone(reason)),
            None if !self.may_go_on() => SessionPhase::Stopped,
            None => SessionPhase::Finished,
        }
    }
}

#[cfg(test)]
#[path = "lifecycle_tests.rs"]
mod tests;
