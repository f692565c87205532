//! How what is reported came to its end, and runs that did not come to theirs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::event::RunState;
use crate::metrics::snapshot::Snapshot;
use crate::os::signals;
use crate::report::units;
use crate::workload::model::Halt;
use crate::workload::units::format_duration;

/// How a comparison ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Every run was made.
    Finished,
    /// On request, by this signal if by one.
    Stopped(Option<i32>),
    /// Enough tasks had failed, or succeeded, by this rule.
    Halted(Halt),
    /// The file's own `limits.max_time` had passed: that long.
    OutOfTime(Duration),
    /// The budget of a search was used up, or what is left of it is less than what comes next takes at least.
    OutOfBudget {
        /// Of the whole search.
        budget: Duration,
        /// What comes next takes at least that long; `None` where that was under way.
        next: Option<Duration>,
    },
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
            Self::Halted(halt) => Some(format!("halted by {halt}")),
            Self::OutOfTime(limit) => Some(format!("limits.max_time of {} had passed", format_duration(*limit))),
            Self::OutOfBudget { budget, next } => {
                let budget = format_duration(*budget);
                Some(match next {
                    None => format!("--max-time of {budget}, the budget of the whole search, had passed"),
                    Some(next) => format!(
                        "the next step takes at least {}, and less is left of --max-time {budget}, the budget of the whole search",
                        units::duration(*next)
                    ),
                })
            }
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
    /// What was given up with it, where its end was not waited for.
    pub(crate) left: Option<LeftTasks>,
}

/// Tasks that had no outcome when a run was left before it had ended. They are cancelled, as those of a run that is stopped:
/// nobody will hear of them any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeftTasks {
    /// Under way.
    pub(crate) running: u64,
    /// Waiting, be it at a worker.
    pub(crate) queued: u64,
}

impl fmt::Display for LeftTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { running, queued } = self;
        let plural = if *running == 1 { "" } else { "s" };
        write!(f, "left before it had ended, with {running} task{plural} under way and {queued} waiting, ")?;
        f.write_str("counted as cancelled")
    }
}

impl Partial {
    /// Of the last that is known of a run. One that has not ended will not be heard of again: its sums are closed.
    #[must_use]
    pub(crate) fn of(last: &Arc<Snapshot>, warmup: bool) -> Self {
        if last.state.is_over() {
            return Self { run: Arc::clone(last), warmup, left: None };
        }
        let mut run = Snapshot::clone(last);
        let left = LeftTasks { running: run.counts.running, queued: run.counts.queued };
        run.state = RunState::Stopped;
        run.counts.cancelled += left.running + left.queued;
        (run.counts.running, run.counts.queued) = (0, 0);
        Self { run: Arc::new(run), warmup, left: Some(left) }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::outcome::Counts;

    #[test]
    fn a_run_that_is_left_before_its_end_has_closed_sums_and_says_so() {
        let counts = Counts { submitted: 20, queued: 11, running: 2, succeeded: 6, failed: 1, ..Counts::default() };
        let last = Snapshot { total: 20, counts, state: RunState::Stopping, ..Snapshot::empty() };
        let partial = Partial::of(&Arc::new(last.clone()), false);
        let closed = partial.run.counts;
        assert!(closed.conserved() && closed.finished() == 20 && closed.cancelled == 13, "{closed:?}");
        assert!(partial.run.state.is_over());
        assert_eq!(how_far(&partial.run).as_deref(), Some("stopped after 7 of 20 tasks (35 %)"));
        let left = partial.left.map(|left| left.to_string()).unwrap_or_default();
        assert!(left.contains("2 tasks under way and 11 waiting"), "{left}");
        let ended = Arc::new(Snapshot { state: RunState::Stopped, ..last });
        assert_eq!(Partial::of(&ended, false).left, None, "one that has ended speaks for itself");
    }
}
