//! The time that a search may take: `--max-time` is the budget of the whole of it. Nothing is begun that does not fit into what
//! is left, and what is under way when it has passed is ended.

use std::time::Duration;

use super::{Halt, Tuner};
use crate::cli::ChangeArgs;
use crate::commands::{ExitReason, prepare, write};
use crate::report::ending::Ending;
use crate::report::units;
use crate::session::view::SessionCommand;
use crate::workload::model::Workload;
use crate::workload::plan::MAX_TIME;
use crate::workload::units::format_duration;

/// What else is changed: time is looked at here.
pub(super) fn without(changes: &ChangeArgs) -> ChangeArgs {
    ChangeArgs { max_time: Some(Duration::MAX), ..changes.clone() }
}

impl Tuner<'_> {
    /// Ends a session with the budget of the search, and refuses one that cannot fit: the limit that it gets for that.
    pub(super) fn fits(&mut self, workload: &mut Workload, command: &SessionCommand) -> Result<Option<Duration>, Halt> {
        let plan = prepare::plan(workload, &self.platform, Some(Duration::MAX));
        let all = f64::from(plan.runs_per_engine.max(1));
        // Of a search for a count every arm is run once at least: the results decide about more.
        let share = if matches!(command, SessionCommand::Sweep(_)) { 1.0 / all } else { 1.0 };
        let least = plan.at_least_s.and_then(|least| Duration::try_from_secs_f64(least * share).ok());
        let Some(budget) = self.arguments.changes.max_time else {
            // Without one, no step may take as long as no comparison may.
            return match least.filter(|least| *least > MAX_TIME && !self.arguments.changes.i_know) {
                None => Ok(None),
                Some(least) => {
                    write::say(&format!(
                        "error: a step of this search takes at least {}: --max-time 2h gives that to the whole search (without \
                         it, a step that takes more than {} is refused)",
                        units::duration(least),
                        format_duration(MAX_TIME)
                    ));
                    Err(ExitReason::BadInput.into())
                }
            };
        };
        let left = budget.saturating_sub(self.begun.elapsed());
        match least.filter(|least| *least > left) {
            Some(least) if !self.ran => {
                write::say(&format!(
                    "error: --max-time {} is the budget of the whole search, and its first step takes at least {}; nothing was \
                     started",
                    format_duration(budget),
                    units::duration(least)
                ));
                Err(ExitReason::BadInput.into())
            }
            Some(least) => {
                self.ending = Ending::OutOfBudget { budget, next: Some(least) };
                Err(Halt::Ended)
            }
            None if left.is_zero() => {
                self.ending = Ending::OutOfBudget { budget, next: None };
                Err(Halt::Ended)
            }
            // The file may have a limit of its own for each session.
            None if workload.limits.max_time.is_some_and(|own| own < left) => Ok(None),
            None => {
                workload.limits.max_time = Some(left);
                Ok(Some(left))
            }
        }
    }

    /// How a session ended, by the name of what has ended it.
    pub(super) fn named(&self, ending: Ending, limit: Option<Duration>) -> Ending {
        match (ending, limit, self.arguments.changes.max_time) {
            (Ending::OutOfTime(after), Some(limit), Some(budget)) if after == limit => {
                Ending::OutOfBudget { budget, next: None }
            }
            (ending, ..) => ending,
        }
    }
}
