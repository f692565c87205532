//! Searches of the dashboard: `tune` and `sweep` on a thread of their own, whose sessions are shown and stopped by keys. What
//! decides is what decides for those verbs.

use std::collections::VecDeque;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::watch;

use crate::analysis::tuning::RUNS;
use crate::analysis::tuning::goal::Goal;
use crate::cli::{ChangeArgs, DashboardArgs, Output, SweepArgs, TuneArgs};
use crate::commands::dashboard::again::Repeated;
use crate::commands::drive::{self, Driven};
use crate::commands::farewell::Again;
use crate::commands::keep::{Keeper, Over};
use crate::commands::prepare::{self, Platform, Prepared};
use crate::commands::sweep::{self, Layout, Planned};
use crate::commands::tune::{Stage, Trying, Tuner};
use crate::commands::{ExitReason, headless, write};
use crate::os::threads;
use crate::report::ending::Ending;
use crate::report::sweep::SweepResults;
use crate::report::text::TextOptions;
use crate::report::tune::{TuneResults, TuneStep};
use crate::report::{self, ascii};
use crate::session::conductor::{Session, SessionSpec};
use crate::session::handle::SessionHandle;
use crate::session::stream::SharedStream;
use crate::session::view::{SessionCommand, SessionPhase, SessionView};
use crate::tui::search::{Request, Search, StartSearch, State, Story, Wanted};
use crate::workload::model::{BatchRules, Dimension, Workload};
use crate::workload::source::Source;

/// Where the workload that was named on the command line came from.
#[derive(Clone)]
pub(super) struct Origin {
    /// Its place in the catalogue.
    pub(super) entry: usize,
    pub(super) source: Source,
    pub(super) workload: Arc<Workload>,
    pub(super) changes: ChangeArgs,
    /// The command line that says it, where that is what it came from, and whether that says all of it.
    pub(super) again: Option<Again>,
    pub(super) typed: bool,
}

/// What the searches of a dashboard have found, to be told when it is left; their threads are waited for.
#[derive(Clone, Default)]
pub(super) struct Found(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    /// With the lines that tell how to look for it again.
    results: Vec<(Results, String)>,
    threads: Vec<JoinHandle<()>>,
    /// What became of the sweep that the command line asked for; before it has ended, nothing.
    asked: Option<ExitReason>,
}

enum Results {
    Tuned(Box<TuneResults>),
    Swept(Box<SweepResults>),
}

impl Found {
    fn with<T>(&self, change: impl FnOnce(&mut Shared) -> T) -> T {
        // A poisoned list is only a list.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes the reports of all searches, as `tune` and `sweep` would. `left_behind`: nothing is waited for. The exit code of the
    /// sweep that the command line asked for is that of `sweep`; searches that keys have begun have none.
    pub(super) fn tell(&self, output: &Output, only_ascii: bool, left_behind: bool) -> ExitReason {
        if !left_behind {
            // One that panicked was on screen.
            self.with(|shared| std::mem::take(&mut shared.threads)).into_iter().for_each(|thread| drop(thread.join()));
        }
        let colour = write::colored_stdout(output.color);
        let options = TextOptions { colour, width: write::stdout_width(), ..TextOptions::default() };
        for (results, again) in self.with(|shared| std::mem::take(&mut shared.results)) {
            let text = match results {
                Results::Tuned(results) => report::tune::text::render(&results, options),
                Results::Swept(results) => report::sweep::text::render(&results, options),
            };
            let text = if only_ascii { ascii::text(&text) } else { write::shown_on(&text, true) };
            if let Err(error) = write::stdout(&format!("\n{text}\n{again}")) {
                write::say(&format!("error: {error:#}"));
            }
        }
        self.with(|shared| shared.asked.take()).unwrap_or(ExitReason::Done)
    }
}

/// Whether `sweep` would carry out what the command line asks for; otherwise it is said why not, as there.
///
/// # Errors
/// The exit code of `sweep`.
pub(super) fn check_sweep(platform: &Platform, origin: Option<&Origin>, arguments: &DashboardArgs) -> Prepared<()> {
    let Some(origin) = origin.filter(|_| !arguments.sweep.is_empty()) else { return Ok(()) };
    let DashboardArgs { file, sweep: fields, changes, output, .. } = arguments;
    let file = file.clone().unwrap_or_default();
    let sweep = SweepArgs::of_all(file, fields.clone(), changes.clone(), output.clone());
    let loaded = (origin.source.clone(), Arc::clone(&origin.workload));
    let mut fits = false;
    let (planned, said) = write::keeping(|| {
        sweep::planned(
            loaded,
            fields.clone(),
            &sweep,
            platform,
            |_| RUNS,
            |_| {
                fits = true;
                // Interpreters are looked at when it begins.
                Err::<(), _>(ExitReason::Done)
            },
        )
    });
    match planned {
        Err(exit) if !fits => {
            // What it notes otherwise stands beside its results.
            said.iter().for_each(|line| write::say(line));
            Err(exit)
        }
        _ => Ok(()),
    }
}

/// Starts searches.
pub(super) fn starter(
    platform: Platform,
    names: Vec<String>,
    origin: Option<Origin>,
    found: Found,
    arguments: &DashboardArgs,
) -> StartSearch {
    let (changes, output, fields) = (arguments.changes.clone(), arguments.output.clone(), arguments.sweep.clone());
    Arc::new(move |request: Request| {
        let (commands, asked) = mpsc::unbounded_channel();
        let first = SessionView { phase: SessionPhase::Running, ..SessionView::clone(&request.base) };
        let (views, view) = watch::channel(Arc::new(first));
        let (told, story) = watch::channel(Arc::new(Story::new(request.wanted.clone())));
        let runtime = Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
        let stage = Shown { views, told, asked, runtime, stopped: false, layout: None };
        let named = origin.as_ref().filter(|origin| origin.entry == request.entry).cloned();
        let work = Work {
            platform: platform.clone(),
            named,
            name: names.get(request.entry).cloned().unwrap_or_default(),
            changes: changes.clone(),
            output: output.clone(),
            found: found.clone(),
            asked: fields.clone(),
            request,
        };
        let thread = threads::start("search", move || work.carry_out(stage)).context("starting a thread")?;
        found.with(|shared| shared.threads.push(thread));
        Ok(Search { session: SessionHandle { view, commands }, story })
    })
}

/// A workload, and where it came from.
type Loaded = (Source, Arc<Workload>);

/// A search to be carried out.
struct Work {
    platform: Platform,
    named: Option<Origin>,
    /// Name of the workload in the catalogue.
    name: String,
    changes: ChangeArgs,
    output: Output,
    found: Found,
    /// What the command line asked to be swept.
    asked: Vec<Dimension>,
    request: Request,
}

impl Work {
    fn carry_out(self, mut stage: Shown) {
        let mut again = String::new();
        let (found, said) = write::keeping(|| {
            let (loaded, changes) = match self.loaded() {
                Ok(loaded) => loaded,
                Err(exit) => return Ok(Err(exit)),
            };
            again = self.again(&changes);
            match self.request.wanted.clone() {
                Wanted::Edge(goal) => self.tune(goal, loaded, changes, &mut stage),
                Wanted::Sweep(fields) => self.sweep(fields, loaded, changes, &mut stage),
            }
        });
        let (state, results, failed, exit) = match found {
            Ok(Ok(results)) => {
                // The page says why.
                let exit = results.exit(&self.output);
                (State::Over(results.ending().clone()), Some(results), None, exit)
            }
            Ok(Err(exit)) => (State::Refused, None, None, exit),
            Err(error) => (State::Refused, None, Some(format!("error: {error:#}")), ExitReason::Aborted),
        };
        stage.told.send_modify(|story| {
            let story = Arc::make_mut(story);
            story.state = state;
            // Where it was taken over, that tells how far it was.
            story.trying = story.trying.take().filter(|_| story.state == State::Over(Ending::Stopped(None)));
            for note in said.into_iter().chain(failed) {
                if !story.said.contains(&note) {
                    story.said.push(note);
                }
            }
            match &results {
                Some(Results::Tuned(results)) => {
                    story.steps.clone_from(&results.steps);
                    story.outcome.clone_from(&results.outcome);
                }
                Some(Results::Swept(results)) => {
                    story.swept = Some(Arc::new(SweepResults::clone(results)));
                    if results.is_one_point() {
                        story.said.push(format!("note: {}", report::sweep::words::ONE_POINT));
                    }
                }
                None => {}
            }
        });
        self.found.with(|shared| {
            if self.is_of_command_line() && shared.asked.is_none() {
                shared.asked = Some(exit);
            }
        });
        let measured = |results: &Results| match results {
            Results::Tuned(results) => results.runs() > 0,
            Results::Swept(results) => results.places().any(|place| place.point.runs() > 0),
        };
        self.found.with(|shared| shared.results.extend(results.filter(measured).map(|results| (results, again))));
    }

    /// Whether it is the sweep that the command line asked for.
    fn is_of_command_line(&self) -> bool {
        self.named.is_some() && !self.asked.is_empty() && self.request.wanted == Wanted::Sweep(self.asked.clone())
    }

    /// How to look for the same again.
    fn again(&self, changes: &ChangeArgs) -> String {
        let given = self.named.as_ref().and_then(|origin| Some((origin.again.as_ref()?, origin.typed)));
        let Request { wanted, engine, base, .. } = &self.request;
        let has_items = base.workload.has_items();
        Repeated { name: &self.name, given, wanted, engine, changes, has_items }.lines()
    }

    /// What was asked for on the command line, as far as it was for this workload.
    fn changes(&self) -> ChangeArgs {
        match &self.named {
            Some(origin) => origin.changes.clone(),
            None => ChangeArgs { set: Vec::new(), seed: None, workers: None, ..self.changes.clone() },
        }
    }

    /// The workload as it was opened, and what changes it there.
    fn loaded(&self) -> Prepared<(Loaded, ChangeArgs)> {
        let mut changes = self.changes();
        let (source, workload) = match &self.named {
            Some(Origin { source, workload, .. }) => (source.clone(), Arc::clone(workload)),
            None => prepare::source_and_workload(&self.name, &changes, self.output.color)?,
        };
        if workload.hash != self.request.base.workload.hash {
            write::say("error: its file has changed since it was opened: o opens it again");
            return Err(ExitReason::BadInput);
        }
        if workload.batch != BatchRules::default() {
            write::say("error: it is a batch of which each task is to be done once");
            return Err(ExitReason::BadInput);
        }
        // `--workers` would have the last word on those that a key has changed.
        let everywhere = changes.workers.take().and_then(|counts| counts.single());
        for (place, engine) in workload.engines.iter().enumerate().filter(|(_, engine)| engine.kind.has_worker_count())
        {
            let own = self.request.workers.iter().find(|(name, _)| *name == engine.name).map(|(_, workers)| *workers);
            if let Some(workers) = own.or(everywhere) {
                changes.set.push(format!("engines.{place}.workers={workers}"));
            }
        }
        let workload = prepare::reloaded(&source, &changes, &[]).map_err(|diagnostics| {
            write::say(&diagnostics.render(false));
            ExitReason::BadInput
        })?;
        Ok(((source, Arc::new(workload)), changes))
    }

    fn tune(
        &self,
        goal: Goal,
        loaded: Loaded,
        changes: ChangeArgs,
        stage: &mut Shown,
    ) -> anyhow::Result<Prepared<Results>> {
        let arguments = TuneArgs {
            file: self.name.clone(),
            goal,
            also: Vec::new(),
            engine: Some(self.request.engine.clone()),
            repeats: None,
            // Who is at the keys was asked.
            yes: true,
            changes,
            output: self.output.clone(),
        };
        let tuner = Tuner::new(&arguments, loaded, self.platform.clone(), stage);
        Ok(tuner.search()?.map(|results| Results::Tuned(Box::new(results))))
    }

    fn sweep(
        &self,
        fields: Vec<Dimension>,
        loaded: Loaded,
        changes: ChangeArgs,
        stage: &mut Shown,
    ) -> anyhow::Result<Prepared<Results>> {
        let arguments = SweepArgs::of_all(self.name.clone(), fields.clone(), changes, self.output.clone());
        let planned = sweep::planned(loaded, fields, &arguments, &self.platform, |_| RUNS, |_| Ok(()));
        let planned = planned.map(|(planned, ())| planned);
        let Planned { workload, own, sweep, layout, .. } = match planned {
            Ok(planned) => planned,
            Err(exit) => return Ok(Err(exit)),
        };
        let spec = prepare::session_of(Arc::new(workload), &own, &self.platform, self.changes.i_know)?;
        let keep = &self.output.keep;
        let set = &arguments.changes.set;
        let mut keeper =
            Keeper::begin(keep, keep.verb.unwrap_or("sweep"), &spec.workload, &self.platform.host, set, write::say);
        stage.layout = Some(layout.clone());
        let driven = match stage.run(spec, SessionCommand::Sweep(sweep)) {
            Ok(driven) => driven,
            Err(error) => {
                keeper.forget();
                return Err(error);
            }
        };
        let results = sweep::results(&driven, layout);
        if results.places().any(|place| place.point.runs() > 0) {
            let (stream_hash, ending, result) =
                (driven.stream_hash.clone(), &driven.ending, report::sweep::json::text(&results));
            let hurry = stage.asked.is_closed();
            keeper.finish(Over { view: &driven.view, stream_hash, ending, result, hurry }, write::say);
        } else {
            keeper.forget();
        }
        Ok(Ok(Results::Swept(Box::new(results))))
    }
}

impl Results {
    /// The exit code of what was found. One that its user has ended, to go on or to leave, is no failure.
    fn exit(&self, output: &Output) -> ExitReason {
        if matches!(self.ending(), Ending::Stopped(_)) {
            return ExitReason::Done;
        }
        // Nothing is written on the screen of the dashboard; the page has it.
        let judge = || match self {
            Self::Tuned(results) => headless::verdict(results.as_ref(), output, true),
            Self::Swept(results) => headless::verdict(results.as_ref(), output, true),
        };
        write::keeping(judge).0
    }

    fn ending(&self) -> &Ending {
        match self {
            Self::Tuned(results) => &results.ending,
            Self::Swept(results) => &results.ending,
        }
    }
}

/// Sessions that are shown and stopped by the dashboard.
struct Shown {
    views: watch::Sender<Arc<SessionView>>,
    told: watch::Sender<Arc<Story>>,
    asked: UnboundedReceiver<SessionCommand>,
    runtime: Runtime,
    /// Whether it was asked to end, or nobody listens any more: no other session is begun.
    stopped: bool,
    /// What the arms are, of a sweep.
    layout: Option<Layout>,
}

impl Shown {
    /// A view of the session under way, which goes on for who sees it until the search is over.
    fn show(&self, view: &SessionView) {
        let phase = if view.phase.is_over() { SessionPhase::Running } else { view.phase.clone() };
        self.views.send_replace(Arc::new(SessionView { phase, ..view.clone() }));
    }
}

impl Stage for Shown {
    fn run(&mut self, spec: SessionSpec, command: SessionCommand) -> anyhow::Result<Driven> {
        let stream_hash = SharedStream::new(&spec.workload).hash().to_owned();
        let mut session = Session::start(spec)?;
        let first = Arc::clone(&session.handle.view.borrow());
        let mut waiting: VecDeque<SessionCommand> = VecDeque::new();
        while let Ok(command) = self.asked.try_recv() {
            self.stopped |= command == SessionCommand::Stop;
            waiting.push_back(command);
        }
        self.stopped |= self.asked.is_closed();
        if self.stopped {
            return Ok(Driven { view: first, ending: Ending::Stopped(None), stream_hash, left_behind: false });
        }
        session.handle.commands.send(command).context("the session is gone")?;
        for command in waiting.into_iter().filter(is_of_a_run) {
            session.handle.commands.send(command).context("the session is gone")?;
        }
        let mut counted = 0;
        loop {
            let (asked, handle) = (&mut self.asked, &mut session.handle);
            let woken = self.runtime.block_on(async {
                tokio::select! {
                    command = asked.recv() => Ok(command),
                    changed = handle.view.changed() => Err(changed),
                }
            });
            match woken {
                Ok(None) => {
                    // Dropping the session ends it at once.
                    self.stopped = true;
                    break;
                }
                Ok(Some(command)) => {
                    self.stopped |= command == SessionCommand::Stop;
                    if is_of_a_run(&command) {
                        session.handle.commands.send(command).context("the session is gone")?;
                    }
                }
                Err(changed) => {
                    changed.context("the session is gone")?;
                    let view = Arc::clone(&session.handle.view.borrow_and_update());
                    let runs: u32 = view.arms.iter().flat_map(|arm| &arm.tuning.points).map(|point| point.runs()).sum();
                    if let Some(layout) = self.layout.as_ref().filter(|_| runs != counted || counted == 0) {
                        let swept = sweep::so_far(&view, &stream_hash, &Ending::Finished, layout.clone());
                        self.told.send_modify(|story| Arc::make_mut(story).swept = Some(Arc::new(swept)));
                    }
                    counted = runs;
                    self.show(&view);
                    if view.phase.is_over() {
                        break;
                    }
                }
            }
        }
        let view = Arc::clone(&session.handle.view.borrow());
        drop(session);
        let ending = match drive::ending(&view, None) {
            Ending::Finished if !view.phase.is_over() => Ending::Stopped(None),
            ending => ending,
        };
        Ok(Driven { view, ending, stream_hash, left_behind: false })
    }

    fn begins(&mut self, steps: &[TuneStep], next: Option<&Trying>) {
        self.told.send_modify(|story| {
            let story = Arc::make_mut(story);
            story.steps = steps.to_vec();
            story.trying = next.map(|next| (next.what.clone(), next.why.clone()));
        });
    }
}

/// Whether a command is for the run under way: the search itself decides what is run.
fn is_of_a_run(command: &SessionCommand) -> bool {
    match command {
        SessionCommand::TogglePause
        | SessionCommand::Stop
        | SessionCommand::KillWorker { .. }
        | SessionCommand::OnTimeout { .. }
        | SessionCommand::InjectFault { .. }
        | SessionCommand::Suspend
        | SessionCommand::Unsuspend => true,
        SessionCommand::Run(_)
        | SessionCommand::MoreTasks
        | SessionCommand::Hold(_)
        | SessionCommand::ChangeWorkers { .. }
        | SessionCommand::SameWorkers(_)
        | SessionCommand::Measure(_)
        | SessionCommand::Sweep(_)
        | SessionCommand::Baseline(_) => false,
    }
}
