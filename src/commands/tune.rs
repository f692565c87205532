//! `poolscope tune`: looks for the settings that a target asks for, or for a place where something changes, in few runs.
//!
//! Each stage is a session of its own; what the runs of one show decides about the next.

mod edges;
mod settings;

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::analysis::failing::AllFailed;
use crate::analysis::tuning::target::Target;
use crate::analysis::tuning::{Bounds, MORE, RUNS, most_counts};
use crate::cli::{Goal, ResultFormat, TuneArgs};
use crate::commands::console::Console;
use crate::commands::drive::{Driven, drive};
use crate::commands::headless;
use crate::commands::prepare::{self, Platform, Prepared};
use crate::commands::progress::Progress;
use crate::commands::target::Target as Place;
use crate::commands::{ExitReason, consent, leave, python, write};
use crate::report::clean;
use crate::report::ending::Ending;
use crate::report::text::TextOptions;
use crate::report::tune::{Outcome, TuneResults, TuneStep, json, text};
use crate::session::view::{ArmView, SessionCommand, SessionView};
use crate::workload::model::{Arrivals, EngineSpec, Workload};
use crate::workload::source::Source;
use crate::workload::stream::Stream;

/// Why a search goes no further.
enum Halt {
    /// What comes next cannot be run here: was told.
    Refused(ExitReason),
    /// A session was ended before its last run.
    Ended,
    /// It could not be done.
    Failed(anyhow::Error),
}

impl From<ExitReason> for Halt {
    fn from(exit: ExitReason) -> Self {
        Self::Refused(exit)
    }
}

/// Looks for what is asked for.
///
/// # Errors
/// See [`super::execute`].
pub(crate) fn execute(arguments: &TuneArgs) -> anyhow::Result<ExitReason> {
    let TuneArgs { file, output, goal, .. } = arguments;
    let prepared = prepared(arguments);
    let (mut tuner, place) = match prepared {
        Ok(prepared) => prepared,
        Err(exit) => return Ok(exit),
    };
    let found = match goal {
        Goal::Count(target) => tuner.settings(*target),
        Goal::BreakEven => tuner.break_even(),
        Goal::Knee => tuner.knee(),
    };
    let outcome = match found {
        Ok(outcome) => Some(outcome),
        Err(Halt::Ended) => None,
        // What was measured before is not lost.
        Err(Halt::Refused(exit)) if tuner.steps.is_empty() => return Ok(exit),
        Err(Halt::Refused(_)) => {
            tuner.ending = Ending::Broken(format!("{}: the next step cannot be run here", clean::line(file)));
            None
        }
        Err(Halt::Failed(error)) => return Err(error),
    };
    let left_behind = tuner.left_behind;
    let results = tuner.results(outcome);
    let on_page = place.is_standard() && output.format == ResultFormat::Text;
    let text = if output.format == ResultFormat::Json {
        json::text(&results)
    } else {
        let colour = write::colored_stdout(output.color) && place.is_standard();
        let text =
            text::render(&results, TextOptions { colour, width: write::stdout_width(), ..TextOptions::default() });
        write::shown_on(&text, place.is_standard()).into_owned()
    };
    let written = place.deliver(&text);
    Ok(leave(headless::verdict(&results, output, on_page).or_graver(written), left_behind))
}

fn prepared(arguments: &TuneArgs) -> Prepared<(Tuner<'_>, Place)> {
    let TuneArgs { file, changes, output, .. } = arguments;
    if changes.workers.is_some() {
        write::say("error: tune finds the number of workers; --workers is for sweep and compare");
        return Err(ExitReason::BadInput);
    }
    if !matches!(output.format, ResultFormat::Text | ResultFormat::Json)
        || output.events.is_some()
        || output.trace.is_some()
    {
        write::say("error: tune has --format text and json, and no --events or --trace; sweep and compare have them");
        return Err(ExitReason::BadInput);
    }
    if output.keep.db.is_some() {
        write::say("error: tune keeps nothing in the history, and takes no --db");
        return Err(ExitReason::BadInput);
    }
    let (source, workload) = prepare::source_and_workload(file, changes, output.color)?;
    let platform = Platform::detect();
    prepare::envelope(&workload, &platform, changes, false)?;
    consent::settle(&workload, &extent(arguments, &workload), arguments.yes)?;
    let place = Place::open(output.output.as_deref(), &[file])?;
    let tuner = Tuner {
        arguments,
        source,
        workload,
        platform,
        steps: Vec::new(),
        failed: Vec::new(),
        suspect: 0,
        unsuccessful: 0,
        ending: Ending::Finished,
        left_behind: false,
    };
    Ok((tuner, place))
}

/// How often everything is done: in a search the results decide about that.
fn extent(arguments: &TuneArgs, workload: &Workload) -> String {
    let tasks = Stream::new(workload).total();
    let most = most_counts(u32::try_from(tasks).unwrap_or(u32::MAX));
    let runs = u64::from(arguments.repeats.unwrap_or(RUNS).saturating_mul(MORE));
    let warmups = u64::from(workload.measure.warmup);
    let most = match (arguments.goal, arguments.also.is_empty()) {
        (Goal::Count(_), true) => format!(": up to {} runs", most.saturating_mul(runs).saturating_add(warmups)),
        _ => String::new(),
    };
    format!("{tasks} executions in each run, and the results decide how many runs there are{most}")
}

/// A search under way.
struct Tuner<'a> {
    arguments: &'a TuneArgs,
    source: Source,
    /// As the file and the command line say it.
    workload: Arc<Workload>,
    platform: Platform,
    steps: Vec<TuneStep>,
    failed: Vec<(String, AllFailed)>,
    suspect: u32,
    unsuccessful: u64,
    ending: Ending,
    left_behind: bool,
}

impl Tuner<'_> {
    /// Counted runs of each point.
    fn runs(&self) -> u32 {
        self.arguments.repeats.unwrap_or(RUNS)
    }

    /// The arm that is tuned where it is one.
    fn arm(&self) -> Prepared<EngineSpec> {
        let baseline = self.workload.engines.get(self.workload.baseline).map(|engine| engine.name.clone());
        prepare::arm(&self.workload, self.arguments.engine.as_ref().or(baseline.as_ref()).map_or("", String::as_str))
    }

    /// The workload with other changes, told as `--set` would.
    fn changed(&self, set: &[String]) -> Prepared<Workload> {
        prepare::reloaded(&self.source, &self.arguments.changes, set).map_err(|diagnostics| {
            write::say(&diagnostics.render(false));
            ExitReason::BadInput
        })
    }

    /// Runs a session to its end.
    fn session(&mut self, mut workload: Workload, command: SessionCommand) -> Result<Arc<SessionView>, Halt> {
        workload.measure.gil_probe = false;
        workload.measure.adaptive = None;
        workload.measure.repeats = NonZeroU32::new(self.runs()).unwrap_or(NonZeroU32::MIN);
        let changes = &self.arguments.changes;
        prepare::envelope(&workload, &self.platform, changes, false)?;
        let workload = python::ready(Arc::new(workload)).map_err(|unfit| {
            unfit.0.iter().for_each(|line| write::say(line));
            ExitReason::BadInput
        })?;
        for arm in &workload.skipped {
            write::say(&format!("note: {} is skipped: {}", clean::line(&arm.name), clean::line(&arm.reason)));
        }
        let spec =
            prepare::session(workload, &self.platform, changes.i_know).map_err(|error| Halt::Failed(error.into()))?;
        let Driven { view, ending, left_behind, .. } =
            drive(spec, command, Progress::new(&self.arguments.output, Console::detect()), None, None)
                .map_err(Halt::Failed)?;
        self.left_behind |= left_behind;
        for arm in &view.arms {
            self.account(arm);
        }
        if ending == Ending::Finished {
            Ok(view)
        } else {
            self.ending = ending;
            Err(Halt::Ended)
        }
    }

    /// Adds up what is to be said of all runs together.
    fn account(&mut self, arm: &ArmView) {
        for point in &arm.tuning.points {
            self.suspect = self.suspect.saturating_add(u32::try_from(point.suspect.len()).unwrap_or(u32::MAX));
            self.unsuccessful += point.unsuccessful;
        }
        let mut failed = arm.tuning.points.iter().map(|point| point.all_failed.as_ref());
        if let Some(Some(first)) = failed.next()
            && failed.all(|other| other.is_some())
        {
            self.failed.push((arm.spec.name.clone(), first.clone()));
        }
    }

    fn bounds(view: &SessionView, arm: &ArmView) -> Bounds {
        Bounds {
            most: arm.most_workers,
            cores: view.host.usable_cores(),
            open_arrivals: matches!(view.workload.arrivals, Arrivals::Open(_)),
            free: view.measures_by_itself,
        }
    }

    fn results(self, outcome: Option<Outcome>) -> TuneResults {
        let stream = Stream::new(&self.workload);
        let target = match self.arguments.goal {
            Goal::Count(Target::Throughput) => "throughput".to_owned(),
            Goal::Count(target) => target.to_string(),
            Goal::BreakEven => "break-even".to_owned(),
            Goal::Knee => "knee".to_owned(),
        };
        TuneResults {
            workload: Arc::clone(&self.workload),
            host: Arc::clone(&self.platform.host),
            stream_hash: stream.hash().to_owned(),
            tasks: stream.total(),
            target,
            steps: self.steps,
            outcome,
            ending: self.ending,
            failed: self.failed,
            suspect: self.suspect,
            unsuccessful: self.unsuccessful,
        }
    }
}
