//! `poolscope tune`: looks for the settings that a target asks for, or for a place where something changes, in few runs.
//!
//! Each stage is a session of its own; what the runs of one show decides about the next.

mod budget;
mod edges;
mod kept;
mod settings;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use crate::analysis::failing::AllFailed;
use crate::analysis::tuning::{MORE, RUNS, most_counts};
use crate::cli::{Goal, Output, ResultFormat, TuneArgs};
use crate::commands::claims;
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
use crate::report::tune::{Outcome, TuneResults, TuneStep, json, markdown, text};
use crate::session::conductor::SessionSpec;
use crate::session::view::{ArmView, SessionCommand, SessionView};
use crate::workload::model::{EngineSpec, Workload};
use crate::workload::source::Source;
use crate::workload::stream::Stream;

pub(super) use kept::VERB;

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
    let TuneArgs { output, .. } = arguments;
    let mut stage = Headless { output, left_behind: false };
    let (tuner, place) = match prepared(arguments, &mut stage) {
        Ok(prepared) => prepared,
        Err(exit) => return Ok(exit),
    };
    let results = match tuner.search()? {
        Ok(results) => results,
        Err(exit) => return Ok(exit),
    };
    let left_behind = stage.left_behind;
    let on_page = place.is_standard() && output.format == ResultFormat::Text;
    let text = if output.format == ResultFormat::Json {
        json::text(&results)
    } else if output.format == ResultFormat::Markdown {
        markdown::text(&results)
    } else {
        let colour = write::colored_stdout(output.color) && place.is_standard();
        let text =
            text::render(&results, TextOptions { colour, width: write::stdout_width(), ..TextOptions::default() });
        write::shown_on(&text, place.is_standard()).into_owned()
    };
    let written = place.deliver(&text);
    Ok(leave(headless::verdict(&results, output, on_page).or_graver(written), left_behind))
}

/// Where the sessions of a search are run, and who is told of its steps.
pub(super) trait Stage {
    /// Runs a session to its end, or until somebody wants that.
    ///
    /// # Errors
    /// When it cannot be run at all.
    fn run(&mut self, spec: SessionSpec, command: SessionCommand) -> anyhow::Result<Driven>;

    /// A session is begun after these steps, for the sake of the next one, as far as that is known.
    fn begins(&mut self, steps: &[TuneStep], next: Option<&Trying>);
}

/// What is tried now, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trying {
    pub(super) what: String,
    pub(super) why: String,
}

/// Sessions with a line of progress.
struct Headless<'a> {
    output: &'a Output,
    /// Whether one had not come to its end.
    left_behind: bool,
}

impl Stage for Headless<'_> {
    fn run(&mut self, spec: SessionSpec, command: SessionCommand) -> anyhow::Result<Driven> {
        let driven = drive(spec, command, Progress::new(self.output, Console::detect()), None, None)?;
        self.left_behind |= driven.left_behind;
        Ok(driven)
    }

    fn begins(&mut self, _: &[TuneStep], _: Option<&Trying>) {}
}

fn prepared<'a>(arguments: &'a TuneArgs, stage: &'a mut dyn Stage) -> Prepared<(Tuner<'a>, Place)> {
    let TuneArgs { file, changes, output, .. } = arguments;
    let finds_workers = matches!(arguments.goal, Goal::Count(_));
    if changes.workers.is_some() && finds_workers {
        write::say("error: tune finds the number of workers; --workers is for break-even and knee, sweep and compare");
        return Err(ExitReason::BadInput);
    }
    prepare::one_count(changes, "tune", Some(file))?;
    if !arguments.also.is_empty() && !finds_workers {
        write::say(
            "error: --also is for a throughput, a latency or a memory limit; break-even and knee change no settings",
        );
        return Err(ExitReason::BadInput);
    }
    if !matches!(output.format, ResultFormat::Text | ResultFormat::Json | ResultFormat::Markdown)
        || output.events.is_some()
        || output.trace.is_some()
    {
        write::say(
            "error: tune has --format text, json and markdown, and no --events or --trace; sweep and compare have them",
        );
        return Err(ExitReason::BadInput);
    }
    let (source, workload) = prepare::source_and_workload(file, changes, output.color)?;
    let platform = Platform::detect();
    prepare::envelope(&workload, &platform, &budget::without(changes), false)?;
    if let Goal::Count(target) = arguments.goal
        && let Some(why) = target.needs_more(Stream::new(&workload).total())
    {
        write::say(&format!(
            "error: {why}: --set gives the workload more tasks, or another percentile (max: any number)"
        ));
        return Err(ExitReason::BadInput);
    }
    consent::settle(&workload, &extent(arguments, &workload), arguments.yes)?;
    let place = Place::open(output.output.as_deref(), &[file])?;
    claims::check(file, &workload, output, None, None)?;
    Ok((Tuner::new(arguments, (source, workload), platform, stage), place))
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

/// What a session has shown.
struct Seen {
    view: Arc<SessionView>,
    /// Whether it came to its end.
    whole: bool,
}

impl Seen {
    /// Goes on only where it came to its end: what it has shown was taken before.
    fn to_its_end(&self) -> Result<(), Halt> {
        if self.whole { Ok(()) } else { Err(Halt::Ended) }
    }
}

/// A search under way.
pub(super) struct Tuner<'a> {
    arguments: &'a TuneArgs,
    stage: &'a mut dyn Stage,
    source: Source,
    /// As the file and the command line say it.
    workload: Arc<Workload>,
    platform: Platform,
    /// What was changed last beside what the command line says.
    set: Vec<String>,
    /// What was said of sessions that are not kept.
    not_kept: Vec<String>,
    steps: Vec<TuneStep>,
    /// Whether a session was run: a step is marked when all of its sessions were.
    ran: bool,
    trying: Option<Trying>,
    failed: Vec<(String, AllFailed)>,
    unsuccessful: u64,
    ending: Ending,
    /// When it began, which its budget counts from.
    begun: Instant,
}

impl<'a> Tuner<'a> {
    /// A search that has not begun.
    pub(super) fn new(
        arguments: &'a TuneArgs,
        (source, workload): (Source, Arc<Workload>),
        platform: Platform,
        stage: &'a mut dyn Stage,
    ) -> Self {
        Self {
            arguments,
            stage,
            source,
            workload,
            platform,
            set: Vec::new(),
            not_kept: Vec::new(),
            steps: Vec::new(),
            ran: false,
            trying: None,
            failed: Vec::new(),
            unsuccessful: 0,
            ending: Ending::Finished,
            begun: Instant::now(),
        }
    }

    /// Looks for what is asked for. Where it cannot even begin, why was said.
    ///
    /// # Errors
    /// When a session cannot be run.
    pub(super) fn search(mut self) -> anyhow::Result<Prepared<TuneResults>> {
        let found = match self.arguments.goal {
            Goal::Count(target) => self.settings(target),
            Goal::BreakEven => self.break_even(),
            Goal::Knee => self.knee(),
        };
        let outcome = match found {
            Ok(outcome) => Some(outcome),
            Err(halt) => match self.until_now(halt) {
                Ok(()) | Err(Halt::Ended) => None,
                Err(Halt::Failed(error)) => return Err(error),
                Err(Halt::Refused(exit)) => return Ok(Err(exit)),
            },
        };
        Ok(Ok(self.results(outcome)))
    }

    /// What comes next is not run: how it ends is noted, and what was measured before is not lost.
    ///
    /// # Errors
    /// That it could not be done, or was refused before anything was measured.
    fn until_now(&mut self, halt: Halt) -> Result<(), Halt> {
        match halt {
            Halt::Ended => Ok(()),
            Halt::Refused(_) if !self.steps.is_empty() => {
                // What was said already is not said in other words.
                if self.ending == Ending::Finished {
                    let file = clean::line(&self.arguments.file);
                    self.ending = Ending::Broken(format!("{file}: the next step cannot be run here"));
                }
                Ok(())
            }
            halt => Err(halt),
        }
    }

    /// Whether it was ended before it was through.
    fn was_ended(&self) -> bool {
        self.ending != Ending::Finished
    }

    /// Says what the next session is for.
    fn tries(&mut self, what: &str, why: &str) {
        self.trying = Some(Trying { what: what.to_owned(), why: why.to_owned() });
    }

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
    fn changed(&mut self, set: &[String]) -> Prepared<Workload> {
        self.set = set.to_vec();
        prepare::reloaded(&self.source, &self.arguments.changes, set).map_err(|diagnostics| {
            write::say(&diagnostics.render(false));
            ExitReason::BadInput
        })
    }

    /// Runs a session to its end, or as far as it comes.
    fn session(&mut self, mut workload: Workload, command: SessionCommand) -> Result<Seen, Halt> {
        workload.measure.gil_probe = false;
        workload.measure.adaptive = None;
        workload.measure.repeats = NonZeroU32::new(self.runs()).unwrap_or(NonZeroU32::MIN);
        prepare::envelope(&workload, &self.platform, &budget::without(&self.arguments.changes), false)?;
        let limit = self.fits(&mut workload, &command)?;
        let workload = python::ready(Arc::new(workload)).map_err(|unfit| {
            unfit.0.iter().for_each(|line| write::say(line));
            ExitReason::BadInput
        })?;
        for arm in &workload.skipped {
            write::say(&format!("note: {} is skipped: {}", clean::line(&arm.name), clean::line(&arm.reason)));
        }
        let spec = prepare::session(workload, &self.platform, self.arguments.changes.i_know)
            .map_err(|error| Halt::Failed(error.into()))?;
        let mut keeper = self.begin(&spec.workload);
        self.stage.begins(&self.steps, self.trying.as_ref());
        let driven = match self.stage.run(spec, command.clone()) {
            Ok(driven) => driven,
            Err(error) => {
                keeper.forget();
                keeper.close();
                return Err(Halt::Failed(error));
            }
        };
        self.ran = true;
        self.keep(keeper, command, &driven);
        let Driven { view, ending, .. } = driven;
        for arm in &view.arms {
            self.account(arm);
        }
        let whole = ending == Ending::Finished;
        self.ending = self.named(ending, limit);
        Ok(Seen { view, whole })
    }

    /// Adds up what is to be said of all runs together.
    fn account(&mut self, arm: &ArmView) {
        for point in &arm.tuning.points {
            self.unsuccessful += point.unsuccessful;
        }
        let mut failed = arm.tuning.points.iter().map(|point| point.all_failed.as_ref());
        if let Some(Some(first)) = failed.next()
            && failed.all(|other| other.is_some())
        {
            self.failed.push((arm.spec.name.clone(), first.clone()));
        }
    }

    fn results(self, outcome: Option<Outcome>) -> TuneResults {
        let stream = Stream::new(&self.workload);
        TuneResults {
            workload: Arc::clone(&self.workload),
            host: Arc::clone(&self.platform.host),
            stream_hash: stream.hash().to_owned(),
            tasks: stream.total(),
            target: self.arguments.goal.to_string(),
            steps: self.steps,
            outcome,
            ending: self.ending,
            failed: self.failed,
            unsuccessful: self.unsuccessful,
        }
    }
}
