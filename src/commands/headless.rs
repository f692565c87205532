//! The whole way of a command that runs something without a dashboard: prepared by its verb, driven as a session, reported.

use std::sync::Arc;

use crate::analysis::expectations::{Checked, Judgement};
use crate::analysis::failing::AllFailed;
use crate::cli::{ChangeArgs, Output, ResultFormat};
use crate::commands::batch::Batch;
use crate::commands::console::Console;
use crate::commands::drive::{Driven, drive};
use crate::commands::keep::{self, Keeper, Over};
use crate::commands::prepare::{self, Platform, Prepared};
use crate::commands::progress::Progress;
use crate::commands::run_log::Places;
use crate::commands::sweep_state::State;
use crate::commands::target::{Target, release_ending};
use crate::commands::task_rows::TaskRows;
use crate::commands::{ExitReason, leave, python, write};
use crate::metrics::snapshot::Snapshot;
use crate::report::ending::Ending;
use crate::report::text::TextOptions;
use crate::report::{self, Results};
use crate::report::{clean, expectation, sweep, tune};
use crate::session::observing::ObserveRuns;
use crate::session::stream::SharedStream;
use crate::session::view::{SessionCommand, SessionView};
use crate::workload::items::ItemError;
use crate::workload::model::{HaltWhy, Workload};
use crate::workload::stream::Stream;

/// What a verb has made of its arguments: everything was checked, and nothing was started.
pub(super) struct Job {
    /// By which verb.
    pub(crate) verb: &'static str,
    /// The workload as it is run: its engines are the arms that take part.
    pub(crate) workload: Arc<Workload>,
    /// What each of its arms runs, where that differs: they are ready to be run. Empty where it does not.
    pub(crate) own: Vec<Arc<Workload>>,
    pub(crate) platform: Platform,
    /// What the session is asked for.
    pub(crate) command: SessionCommand,
    /// Where the result goes.
    pub(crate) target: Target,
    /// What writes down its tasks as they end, if that is asked for.
    pub(crate) batch: Option<Batch>,
    /// Where logs go.
    pub(crate) logs: Places,
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
    let Job { verb, workload, own, platform, command, target, mut batch, logs, state } = match prepared {
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
    if let Some(done) = &workload.batch.done {
        write::say(&format!("{} tasks have succeeded before and are skipped", done.len()));
    }
    let mut spec = prepare::session_of(workload, &own, &platform, changes.i_know)?;
    let logs = match logs.begin(&spec.workload, &spec.host) {
        Ok(logs) => logs,
        Err(exit) => return Ok(exit),
    };
    spec.observers.extend(batch.as_ref().map(Batch::observers));
    spec.observers.extend(logs.observers());
    let rows = (output.format == ResultFormat::Csv).then(TaskRows::new);
    spec.observers.extend(rows.clone().map(|rows| Arc::new(rows) as Arc<dyn ObserveRuns>));
    let verb = output.keep.verb.unwrap_or(verb);
    let mut keeper = Keeper::begin(&output.keep, verb, &spec.workload, &platform.host, &changes.set, keep::say);
    let folder = state.as_ref().map(State::folder);
    let progress = Progress::new(output, Console::detect());
    batch.iter().for_each(|batch| batch.beside(progress.bar()));
    let driven = drive(spec, command, progress, batch.as_mut().map(|batch| &mut batch.asks), state);
    let logged = logs.finish();
    let mut driven = match driven {
        Ok(driven) => driven,
        Err(error) => {
            keeper.forget();
            keeper.close();
            return Err(error);
        }
    };
    let beside_output = batch.as_ref().is_some_and(|batch| batch.gives_output);
    let is_batch = batch.is_some();
    if let Some(Err(problem)) = batch.map(Batch::finish) {
        driven.ending = problem.ending(driven.ending, write::say);
    }
    if let Err(error) = settle(&mut driven) {
        driven.ending = with_lost_items(driven.ending, &error, write::say);
    }
    let results = results(&driven);
    let (exit, on_page) = if beside_output && target.is_standard() {
        let on_page = show_beside(&results, output);
        (verdict(&results, output, on_page), on_page)
    } else {
        let on_page = target.is_standard() && output.format == ResultFormat::Text;
        let text = page(&results, output, target.is_standard(), rows.as_ref());
        let written = target.deliver(&text);
        (verdict(&results, output, on_page).or_graver(written), on_page)
    };
    // An exit code of 0 alone would hide them.
    if is_batch && !on_page && exit == ExitReason::Done && results.unsuccessful() > 0 {
        let count = results.unsuccessful();
        write::say(&format!("warning: {count} of the tasks did not succeed; with --fail-on-error that is exit code 1"));
    }
    if keeper.keeps() {
        // Somebody may hold the database: a signal is not to wait for that.
        release_ending();
        let (stream_hash, ending) = (driven.stream_hash.clone(), &driven.ending);
        let hurry = matches!(ending, Ending::Stopped(Some(_)));
        if let Some((folder, true)) = &folder {
            keeper.completes(folder);
        }
        keeper.finish(Over { view: &driven.view, stream_hash, ending, result: results.json(), hurry }, keep::say);
        if let Some((folder, true)) = &folder {
            keeper.note_in(folder);
        }
        keeper.close();
    }
    Ok(leave(exit.or_graver(logged), driven.left_behind))
}

/// Results that can be written and judged.
pub(super) trait Report: Judged {
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
}

/// What an exit code follows from.
pub(super) trait Judged {
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
}

impl Judged for Results {
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
        let whole = self.arms.iter().flat_map(|arm| &arm.runs).map(|run| run.counts.finished() - run.counts.succeeded);
        // What was cut off is told by how it ended.
        let partial = self.arms.iter().filter_map(|arm| arm.partial.as_ref());
        whole.chain(partial.map(|partial| partial.run.counts.unsuccessful())).sum()
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
}

impl Judged for sweep::SweepResults {
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

impl Judged for tune::TuneResults {
    fn ending(&self) -> &Ending {
        &self.ending
    }

    fn all_failed(&self) -> Vec<(&str, AllFailed)> {
        self.failed.iter().map(|(name, found)| (name.as_str(), found.clone())).collect()
    }

    fn expectations(&self) -> Vec<Checked> {
        Vec::new()
    }

    fn suspect(&self) -> Vec<String> {
        let suspect = Self::suspect(self);
        (suspect > 0).then(|| format!("{suspect} runs of it")).into_iter().collect()
    }

    fn unsuccessful(&self) -> u64 {
        self.unsuccessful
    }
}

/// Of items that came while it ran it is known now how many there were, and which.
fn settle(driven: &mut Driven) -> Result<(), ItemError> {
    let Some(live) = driven.view.workload.live().cloned() else { return Ok(()) };
    let workload = Arc::new(driven.view.workload.settled()?);
    driven.stream_hash = SharedStream::new(&workload).hash().to_owned();
    driven.view = Arc::new(SessionView { workload, ..SessionView::clone(&driven.view) });
    live.error().map_or(Ok(()), Err)
}

/// How a run ended whose items could not all be had. What ended it before is told first; one that was to be ended before the last
/// of them has not missed those that it did not come to: that is how it ended, and `say` is told.
fn with_lost_items(ending: Ending, error: &ItemError, say: impl FnOnce(&str)) -> Ending {
    let lost = format!("the items on standard input: {error}");
    match ending {
        Ending::Finished => Ending::Broken(lost),
        Ending::Broken(first) => Ending::Broken(format!("{first}; {lost}")),
        // A rule has ended it before they were looked at, or nobody is there any more who wants to hear of it.
        Ending::Halted(_) | Ending::Stopped(Some(libc::SIGPIPE)) => ending,
        Ending::Stopped(_) | Ending::OutOfTime(_) | Ending::OutOfBudget { .. } => {
            say(&format!("error: {}", clean::line(&lost)));
            ending
        }
    }
}

/// Shows the result on standard error, where standard output is the tasks'. Says whether it did.
fn show_beside(results: &impl Report, output: &Output) -> bool {
    // Of one whose reader has gone nobody wants to hear any more.
    if output.quiet || *results.ending() == Ending::Stopped(Some(libc::SIGPIPE)) {
        return false;
    }
    if results.workload().batch.done.is_some() && Stream::new(results.workload()).total() == 0 {
        write::say("nothing is left to do");
        return true;
    }
    let (colour, width) = (write::colored_stderr(output.color), write::stderr_width());
    write::say(results.text(TextOptions { colour, width, ..TextOptions::default() }).trim_end());
    true
}

fn page(results: &impl Report, output: &Output, standard: bool, rows: Option<&TaskRows>) -> String {
    match output.format {
        ResultFormat::Json => results.json(),
        ResultFormat::Junit => junit(results, output.strict),
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

fn junit(results: &impl Report, strict: bool) -> String {
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
        strict,
    })
}

/// The exit code of what was measured; says why it is none of success, unless the page did.
pub(super) fn verdict(results: &impl Judged, output: &Output, on_page: bool) -> ExitReason {
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
        Ending::Stopped(Some(signal)) => ExitReason::Signal(*signal),
        Ending::Halted(halt) if halt.why == HaltWhy::Fail => ExitReason::Failed,
        Ending::Finished | Ending::Halted(_) => ExitReason::Done,
        Ending::Stopped(None) | Ending::OutOfTime(_) | Ending::OutOfBudget { .. } => ExitReason::Aborted,
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
