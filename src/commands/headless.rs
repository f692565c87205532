//! The whole way of a command that runs something without a dashboard: prepared by its verb, driven as a session, reported.

use std::sync::Arc;

use crate::analysis::failing::AllFailed;
use crate::cli::{ChangeArgs, Format, Output};
use crate::commands::drive::{Driven, drive};
use crate::commands::prepare::{self, Platform, Prepared};
use crate::commands::sweep_state::State;
use crate::commands::target::Target;
use crate::commands::{ExitReason, leave, python, write};
use crate::report::ending::Ending;
use crate::report::text::TextOptions;
use crate::report::{self, Results};
use crate::report::{clean, sweep, tune};
use crate::session::view::SessionCommand;
use crate::workload::model::Workload;

/// What a verb has made of its arguments: everything was checked, and nothing was started.
pub(super) struct Job {
    /// The workload as it is run: its engines are the arms that take part.
    pub(crate) workload: Arc<Workload>,
    /// What each of its arms runs, where that differs: they are ready to be run. Empty where it does not.
    pub(crate) own: Vec<Arc<Workload>>,
    pub(crate) platform: Platform,
    /// What the session is asked for.
    pub(crate) command: SessionCommand,
    /// Where the result goes.
    pub(crate) target: Target,
    /// Where its runs are kept, and those that were made before.
    pub(crate) state: Option<State>,
}

/// Prepares, runs and reports.
///
/// # Errors
/// See [`super::execute`].
pub(super) fn execute<R: Report>(
    prepared: Prepared<Job>,
    changes: &ChangeArgs,
    output: &Output,
    results: impl FnOnce(&Driven) -> R,
) -> anyhow::Result<ExitReason> {
    let Job { workload, own, platform, command, target, state } = match prepared {
        Ok(job) => job,
        Err(exit) => return Ok(exit),
    };
    let ready = if own.is_empty() { python::ready(workload) } else { Ok(workload) };
    let workload = match ready {
        Ok(workload) => workload,
        Err(unfit) => {
            unfit.0.iter().for_each(|line| write::say(line));
            return Ok(ExitReason::BadInput);
        }
    };
    for arm in &workload.skipped {
        write::say(&format!("note: {} is skipped: {}", clean::line(&arm.name), clean::line(&arm.reason)));
    }
    let spec = prepare::session_of(workload, &own, &platform, changes.i_know)?;
    let driven = drive(spec, command, output, state)?;
    Ok(leave(deliver(&results(&driven), output, target), driven.left_behind))
}

/// Writes results where they belong, and judges them.
pub(super) fn deliver(results: &impl Report, output: &Output, target: Target) -> ExitReason {
    let on_page = target.is_standard() && output.format == Format::Text;
    let text = page(results, output, target.is_standard());
    let written = target.deliver(&text);
    verdict(results, output, on_page).or_graver(written)
}

/// Results that can be written and judged.
pub(super) trait Report {
    fn json(&self) -> String;
    /// As text for people.
    fn text(&self, options: TextOptions) -> String;
    /// How the session came to its end.
    fn ending(&self) -> &Ending;
    /// Names of the arms of which not one task succeeded, and why not.
    fn all_failed(&self) -> Vec<(&str, AllFailed)>;
    /// Whether the figures of any run should not be trusted.
    fn is_suspect(&self) -> bool;
    /// Tasks that did not succeed, over all counted runs.
    fn unsuccessful(&self) -> u64;
}

impl Report for Results {
    fn json(&self) -> String {
        report::json::text(self)
    }

    fn text(&self, options: TextOptions) -> String {
        report::text::render(self, options)
    }

    fn ending(&self) -> &Ending {
        &self.ending
    }

    fn all_failed(&self) -> Vec<(&str, AllFailed)> {
        Results::all_failed(self).map(|(arm, found)| (arm.spec.name.as_str(), found)).collect()
    }

    fn is_suspect(&self) -> bool {
        self.arms.iter().flat_map(|arm| &arm.runs).any(|run| !run.suspect.is_empty())
    }

    fn unsuccessful(&self) -> u64 {
        self.arms.iter().flat_map(|arm| &arm.runs).map(|run| run.counts.finished() - run.counts.succeeded).sum()
    }
}

impl Report for sweep::SweepResults {
    fn json(&self) -> String {
        sweep::json::text(self)
    }

    fn text(&self, options: TextOptions) -> String {
        sweep::text::render(self, options)
    }

    fn ending(&self) -> &Ending {
        &self.ending
    }

    fn all_failed(&self) -> Vec<(&str, AllFailed)> {
        sweep::SweepResults::all_failed(self).map(|(arm, found)| (arm.spec.name.as_str(), found.clone())).collect()
    }

    fn is_suspect(&self) -> bool {
        self.arms.iter().flat_map(|arm| &arm.tuning.points).any(|point| !point.suspect.is_empty())
    }

    fn unsuccessful(&self) -> u64 {
        self.arms.iter().flat_map(|arm| &arm.tuning.points).map(|point| point.unsuccessful).sum()
    }
}

impl Report for tune::TuneResults {
    fn json(&self) -> String {
        tune::json::text(self)
    }

    fn text(&self, options: TextOptions) -> String {
        tune::text::render(self, options)
    }

    fn ending(&self) -> &Ending {
        &self.ending
    }

    fn all_failed(&self) -> Vec<(&str, AllFailed)> {
        self.failed.iter().map(|(name, found)| (name.as_str(), found.clone())).collect()
    }

    fn is_suspect(&self) -> bool {
        self.suspect > 0
    }

    fn unsuccessful(&self) -> u64 {
        self.unsuccessful
    }
}

fn page(results: &impl Report, output: &Output, standard: bool) -> String {
    match output.format {
        Format::Json => results.json(),
        Format::Text => {
            let colour = write::colored_stdout(output.color) && standard;
            let text = results.text(TextOptions { colour, width: write::stdout_width(), ..TextOptions::default() });
            write::shown_on(&text, standard).into_owned()
        }
    }
}

/// The exit code of what was measured; says why it is none of success, unless the page did.
fn verdict(results: &impl Report, output: &Output, on_page: bool) -> ExitReason {
    let failed = results.all_failed();
    let failed = failed.iter().map(|(name, found)| all_failed(name, found, on_page));
    let exit = failed.fold(ended(results.ending()), ExitReason::or_graver);
    let exit = if output.strict && results.is_suspect() { exit.or_graver(ExitReason::Suspect) } else { exit };
    match results.unsuccessful() {
        0 => exit,
        _ if !output.fail_on_error => exit,
        count => {
            if !on_page {
                write::say(&format!("error: {count} of the tasks did not succeed"));
            }
            exit.or_graver(ExitReason::Failed)
        }
    }
}

/// The exit code of an ending; says what broke.
fn ended(ending: &Ending) -> ExitReason {
    match ending {
        Ending::Finished => ExitReason::Done,
        Ending::Stopped(Some(signal)) => ExitReason::Signal(*signal),
        Ending::Stopped(None) | Ending::OutOfTime(_) => ExitReason::Aborted,
        Ending::Broken(reason) => {
            write::say(&format!("error: {}", clean::line(reason)));
            ExitReason::Aborted
        }
    }
}

/// The exit code of an arm of which not one task succeeded; says so, unless the page did.
fn all_failed(name: &str, AllFailed { tasks, cause }: &AllFailed, on_page: bool) -> ExitReason {
    if !on_page {
        let (name, cause) = (clean::line(name), clean::line(cause));
        write::say(&format!("error: {name}: ALL {tasks} TASKS FAILED: {cause}"));
    }
    ExitReason::Aborted
}
