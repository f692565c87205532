//! The whole way of a command that runs something without a dashboard: prepared by its verb, driven as a session, reported.

use std::sync::Arc;

use crate::analysis::expectations::{Checked, Judgement};
use crate::analysis::failing::AllFailed;
use crate::cli::{ChangeArgs, Output, ResultFormat};
use crate::commands::drive::{Driven, drive};
use crate::commands::prepare::{self, Platform, Prepared};
use crate::commands::run_log::Places;
use crate::commands::target::Target;
use crate::commands::task_rows::TaskRows;
use crate::commands::{ExitReason, leave, python, write};
use crate::metrics::snapshot::Snapshot;
use crate::report::ending::Ending;
use crate::report::text::TextOptions;
use crate::report::{self, Results};
use crate::report::{clean, expectation, sweep};
use crate::session::observing::ObserveRuns;
use crate::session::view::SessionCommand;
use crate::workload::model::Workload;

/// What a verb has made of its arguments: everything was checked, and nothing was started.
pub(super) struct Job {
    /// The workload as it is run: its engines are the arms that take part.
    pub(crate) workload: Arc<Workload>,
    pub(crate) platform: Platform,
    /// What the session is asked for.
    pub(crate) command: SessionCommand,
    /// Where the result goes.
    pub(crate) target: Target,
    /// Where logs go.
    pub(crate) logs: Places,
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
    let Job { workload, platform, command, target, logs } = match prepared {
        Ok(job) => job,
        Err(exit) => return Ok(exit),
    };
    let workload = match python::ready(workload) {
        Ok(workload) => workload,
        Err(unfit) => {
            unfit.0.iter().for_each(|line| write::say(line));
            return Ok(ExitReason::BadInput);
        }
    };
    for arm in &workload.skipped {
        write::say(&format!("note: {} is skipped: {}", clean::line(&arm.name), clean::line(&arm.reason)));
    }
    let mut spec = prepare::session(workload, &platform, changes.i_know)?;
    let logs = match logs.begin(&spec.workload, &spec.host) {
        Ok(logs) => logs,
        Err(exit) => return Ok(exit),
    };
    spec.observers.extend(logs.observers());
    let rows = (output.format == ResultFormat::Csv).then(TaskRows::new);
    spec.observers.extend(rows.clone().map(|rows| Arc::new(rows) as Arc<dyn ObserveRuns>));
    let driven = drive(spec, command, output);
    let logged = logs.finish();
    let driven = driven?;
    let results = results(&driven);
    let on_page = target.is_standard() && output.format == ResultFormat::Text;
    let text = page(&results, output, target.is_standard(), rows.as_ref());
    let written = target.deliver(&text);
    Ok(leave(verdict(&results, output, on_page).or_graver(written).or_graver(logged), driven.left_behind))
}

/// Results that can be written and judged.
pub(super) trait Report {
    /// What was run.
    fn workload(&self) -> &Workload;
    /// Hash of its stream of tasks.
    fn stream_hash(&self) -> &str;
    /// Names of the arms.
    fn arms(&self) -> Vec<&str>;
    fn json(&self) -> String;
    fn markdown(&self) -> String;
    fn html(&self) -> String;
    fn prometheus(&self) -> String;
    /// As text for people.
    fn text(&self, options: TextOptions) -> String;
    /// How the session came to its end.
    fn ending(&self) -> &Ending;
    /// Names of the arms of which not one task succeeded, and why not.
    fn all_failed(&self) -> Vec<(&str, AllFailed)>;
    /// What became of what the workload expects.
    fn expectations(&self) -> Vec<Checked>;
    /// Why the figures of runs should not be trusted.
    fn suspect(&self) -> Vec<String>;
    /// Tasks that did not succeed, over all counted runs.
    fn unsuccessful(&self) -> u64;
}

impl Report for Results {
    fn workload(&self) -> &Workload {
        &self.workload
    }

    fn stream_hash(&self) -> &str {
        &self.stream_hash
    }

    fn arms(&self) -> Vec<&str> {
        self.arms.iter().map(|arm| arm.spec.name.as_str()).collect()
    }

    fn json(&self) -> String {
        report::json::text(self)
    }

    fn markdown(&self) -> String {
        report::markdown::comparison(self, &self.expectations())
    }

    fn html(&self) -> String {
        report::html::comparison(self)
    }

    fn prometheus(&self) -> String {
        report::prometheus::text(self, &self.expectations())
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

    fn expectations(&self) -> Vec<Checked> {
        Results::expectations(self)
    }

    fn suspect(&self) -> Vec<String> {
        let of = |arm: &report::ArmResult| {
            let name = arm.spec.name.clone();
            let told = |run: &std::sync::Arc<Snapshot>| {
                run.suspect.iter().map(|why| format!("{name}, {}: {why}", run.run)).collect::<Vec<_>>()
            };
            arm.runs.iter().flat_map(told).collect::<Vec<_>>()
        };
        self.arms.iter().flat_map(of).collect()
    }

    fn unsuccessful(&self) -> u64 {
        self.arms.iter().flat_map(|arm| &arm.runs).map(|run| run.counts.finished() - run.counts.succeeded).sum()
    }
}

impl Report for sweep::SweepResults {
    fn workload(&self) -> &Workload {
        &self.workload
    }

    fn stream_hash(&self) -> &str {
        &self.stream_hash
    }

    fn arms(&self) -> Vec<&str> {
        self.arms.iter().map(|arm| arm.spec.name.as_str()).collect()
    }

    fn json(&self) -> String {
        sweep::json::text(self)
    }

    fn markdown(&self) -> String {
        report::markdown::sweep(self)
    }

    fn html(&self) -> String {
        report::html::sweep(self)
    }

    fn prometheus(&self) -> String {
        report::prometheus::sweep(self)
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

    fn expectations(&self) -> Vec<Checked> {
        self.expectations.clone()
    }

    fn suspect(&self) -> Vec<String> {
        let points = self.arms.iter().flat_map(|arm| arm.tuning.points.iter().map(move |point| (arm, point)));
        points
            .flat_map(|(arm, point)| {
                point.suspect.iter().map(|why| format!("{} ×{}: {why}", arm.spec.name, point.workers))
            })
            .collect()
    }

    fn unsuccessful(&self) -> u64 {
        self.arms.iter().flat_map(|arm| &arm.tuning.points).map(|point| point.unsuccessful).sum()
    }
}

fn page(results: &impl Report, output: &Output, standard: bool, rows: Option<&TaskRows>) -> String {
    match output.format {
        ResultFormat::Json => results.json(),
        ResultFormat::Junit => junit(results),
        ResultFormat::Markdown => results.markdown(),
        ResultFormat::Html => results.html(),
        ResultFormat::Prometheus => results.prometheus(),
        ResultFormat::Csv => {
            let (text, left_out) = rows.map(TaskRows::text).unwrap_or_default();
            if left_out > 0 {
                write::say(&format!("note: {left_out} more tasks have no row; --events has no such limit"));
            }
            text
        }
        ResultFormat::Text => {
            let colour = write::colored_stdout(output.color) && standard;
            let text = results.text(TextOptions { colour, width: write::stdout_width(), ..TextOptions::default() });
            write::shown_on(&text, standard).into_owned()
        }
    }
}

fn junit(results: &impl Report) -> String {
    let mut failed = results.all_failed();
    let mut arm = |name| {
        let place = failed.iter().position(|(failed, _)| *failed == name);
        (name, place.map(|place| failed.swap_remove(place).1))
    };
    report::junit::text(&report::junit::Told {
        workload: results.workload(),
        stream_hash: results.stream_hash(),
        ending: results.ending(),
        arms: results.arms().into_iter().map(&mut arm).collect(),
        expectations: &results.expectations(),
        suspect: results.suspect(),
    })
}

/// The exit code of what was measured; says why it is none of success, unless the page did.
fn verdict(results: &impl Report, output: &Output, on_page: bool) -> ExitReason {
    let failed = results.all_failed();
    let failed = failed.iter().map(|(name, found)| all_failed(name, found, on_page));
    let exit = failed.fold(ended(results.ending()), ExitReason::or_graver);
    let exit = if output.strict && !results.suspect().is_empty() { exit.or_graver(ExitReason::Suspect) } else { exit };
    let exit =
        results.expectations().iter().map(|one| expected(one, output, on_page)).fold(exit, ExitReason::or_graver);
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

/// The exit code of one expectation; says what does not hold, unless the page did.
fn expected(checked: &Checked, output: &Output, on_page: bool) -> ExitReason {
    let exit = match &checked.judgement {
        Judgement::Fails(_) => ExitReason::Failed,
        judgement if judgement.is_open() && output.strict => ExitReason::Suspect,
        _ => return ExitReason::Done,
    };
    if !on_page {
        write::say(&format!("error: expected of {}", expectation::sentence(checked)));
    }
    exit
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
