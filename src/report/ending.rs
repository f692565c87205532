//! How what is reported came to its end, and runs that did not come to theirs.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::event::RunState;
use crate::metrics::snapshot::Snapshot;
use crate::os::signals;
use crate::workload::units::format_duration;

/// How a comparison ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Every run was made.
    Finished,
    /// On request, by this signal if by one.
    Stopped(Option<i32>),
    /// The file's own `limits.max_time` had passed: that long.
    OutOfTime(Duration),
    /// An engine could not go on: which, and why.
    Broken(String),
}

impl Ending {
    /// Why it was aborted, in words; `None` if it was not.
    #[must_use]
    pub(crate) fn aborted(&self) -> Option<String> {
        match self {
            Self::Finished => None,
            Self::Stopped(Some(signal)) => Some(format!("ended by SIG{}", signals::name(*signal))),
            Self::Stopped(None) => Some("stopped on request".to_owned()),
            Self::OutOfTime(limit) => Some(format!("limits.max_time of {} had passed", format_duration(*limit))),
            Self::Broken(reason) => Some(reason.clone()),
        }
    }
}

/// A run that did not come to its end.
#[derive(Clone, Debug)]
pub(crate) struct Partial {
    /// The last that is known of it.
    pub(crate) run: Arc<Snapshot>,
    /// Whether it would not have counted anyway.
    pub(crate) warmup: bool,
}

/// How a run ended and how far it came: `stopped after 260 of 300 tasks (86 %)`; `None` for one that was made to its end.
#[must_use]
pub(crate) fn how_far(run: &Snapshot) -> Option<String> {
    let word = match run.state {
        RunState::Finished => return None,
        RunState::Stopped | RunState::Stopping => "stopped",
        RunState::Broken => "broken",
        RunState::Running | RunState::Paused | RunState::Suspended => "unfinished",
    };
    Some(format!("{word} after {} of {} tasks ({})", made(run), run.total, percent_made(run)))
}

/// The share of its tasks that a run got to.
#[must_use]
pub(crate) fn percent_made(run: &Snapshot) -> String {
    format!("{} %", (made(run) * 100).checked_div(run.total).unwrap_or(100))
}

/// Tasks that ended otherwise than by the end of the run.
#[must_use]
pub(crate) fn made(run: &Snapshot) -> u64 {
    run.counts.finished() - run.counts.cancelled
}
