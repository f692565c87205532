//! From a name on the command line to a workload that may be run here.

use std::io::IsTerminal as _;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::{ChangeArgs, Color, WorkerCounts};
use crate::commands::calibration::Origin;
use crate::commands::{ExitReason, placing, write};
use crate::engine::context::RunContext;
use crate::os::board;
use crate::os::host::Host;
use crate::os::limits::{self, DESCRIPTORS_PER_WORKER, Limits};
use crate::report::clean;
use crate::session::conductor::{ArmSpec, SessionSpec};
use crate::worker::calibration::Calibration;
use crate::workload::diagnostic::Diagnostics;
use crate::workload::load::Loaded;
use crate::workload::model::{Chunksize, EngineKind, EngineSpec, StartMethod, Workers, Workload};
use crate::workload::plan::{self, Machine, Plan};
use crate::workload::source::{self, Input, Source};

/// What came of preparing: ready, or an exit whose reason was told.
pub(super) type Prepared<T> = Result<T, ExitReason>;

/// Workers are made of this program's own file.
#[derive(Debug, thiserror::Error)]
#[error("finding this program's own file")]
pub(super) struct OwnProgramUnknown(#[from] std::io::Error);

/// The machine a workload is run on.
#[derive(Clone, Debug)]
pub(super) struct Platform {
    pub(crate) host: Arc<Host>,
    pub(crate) limits: Limits,
}

impl Platform {
    pub(super) fn detect() -> Self {
        Self { host: Arc::new(Host::detect()), limits: Limits::read() }
    }

    pub(super) fn machine(&self) -> Machine {
        Machine {
            cores: self.host.usable_cores(),
            memory_bytes: self.limits.memory_available.unwrap_or(self.host.memory_bytes),
            memory_source: self.limits.memory_source,
            processes: room(self.limits.process_room(), 1),
            descriptors: self.limits.descriptors.map(|descriptors| room(descriptors, DESCRIPTORS_PER_WORKER)),
        }
    }

    /// Loads or measures the calibration; a cache that cannot be used is told on standard error.
    /// `i_know` lifts the safety limit on processes.
    pub(super) fn run_context(&self, i_know: bool) -> Result<RunContext, OwnProgramUnknown> {
        let (calibration, origin) = Calibration::load_or_measure(&self.host.cpu_model);
        if let Origin::NotStored(reason) = origin {
            write::say(&format!("note: the calibration could not be stored and is measured at every start ({reason})"));
        }
        Ok(RunContext {
            usable_cores: self.host.usable_cores(),
            max_processes: if i_know { board::SLOTS } else { self.limits.safe_workers() },
            iterations_per_second: calibration.iterations_per_second,
            worker_program: std::env::current_exe()?.into_os_string(),
        })
    }
}

fn room(limits::Headroom { limit, used, reserve, source }: limits::Headroom, each: u64) -> plan::Room {
    plan::Room { limit, used, reserve, each, source }
}

/// Opens and loads a workload and applies what the command line changes. What is wrong is told on standard error.
pub(super) fn workload(name: &str, changes: &ChangeArgs, color: Color) -> Prepared<Arc<Workload>> {
    source_and_workload(name, changes, color).map(|(_, workload)| workload)
}

/// The same with where it came from.
pub(super) fn source_and_workload(name: &str, changes: &ChangeArgs, color: Color) -> Prepared<(Source, Arc<Workload>)> {
    announce(name);
    changed(source::load(name, changes.allow_exec, &changes.set, Input::Whole), changes, color)
}

/// [`workload`], whose items may still be coming on standard input ([`super::batch::live`]).
pub(super) fn live_workload(name: &str, changes: &ChangeArgs, color: Color) -> Prepared<Arc<Workload>> {
    announce(name);
    let loaded = source::load(name, changes.allow_exec, &changes.set, Input::Streamed);
    changed(loaded, changes, color).map(|(_, workload)| workload)
}

/// The same for a text that the command line says: it runs here and now.
pub(super) fn typed(
    text: String,
    changes: &ChangeArgs,
    color: Color,
    input: Input,
) -> Prepared<(Source, Arc<Workload>)> {
    changed(source::typed(text, &changes.set, input), changes, color)
}

fn changed(
    loaded: Result<(Source, Loaded), Diagnostics>,
    changes: &ChangeArgs,
    color: Color,
) -> Prepared<(Source, Arc<Workload>)> {
    let colored = write::colored_stderr(color);
    let (source, loaded) = loaded.map_err(|diagnostics| {
        write::say(&diagnostics.render(colored));
        ExitReason::BadInput
    })?;
    for warning in &loaded.warnings {
        write::say(&warning.render(colored));
    }
    Ok((source, Arc::new(with(loaded.workload, changes))))
}

/// The workload with what else the command line changes in it, told as `--set` would.
///
/// # Errors
/// All problems.
pub(super) fn reloaded(source: &Source, changes: &ChangeArgs, more: &[String]) -> Result<Workload, Diagnostics> {
    let set: Vec<String> = changes.set.iter().chain(more).cloned().collect();
    source.load(&set).map(|loaded| with(loaded.workload, changes))
}

fn with(mut workload: Workload, changes: &ChangeArgs) -> Workload {
    if let Some(seed) = changes.seed {
        workload.reseed(seed);
    }
    // Several counts are a sweep's.
    if let Some(workers) = changes.workers.as_ref().and_then(WorkerCounts::single).and_then(NonZeroU32::new) {
        for engine in workload.engines.iter_mut().filter(|engine| engine.kind.has_worker_count()) {
            engine.workers = Workers::Fixed(workers);
        }
    }
    workload
}

/// Refuses several worker counts where one is needed; `who` needs it.
pub(super) fn one_count(changes: &ChangeArgs, who: &str, file: Option<&str>) -> Prepared<()> {
    match changes.workers.as_ref().filter(|counts| counts.single().is_none()) {
        None => Ok(()),
        Some(counts) => {
            let (counts, file) = (clean::line(&counts.to_string()).into_owned(), clean::line(file.unwrap_or("FILE")));
            write::say(&format!(
                "error: {who} takes one number of workers; several are tried by poolscope sweep {file} --workers {counts}"
            ));
            Err(ExitReason::BadInput)
        }
    }
}

/// Says what is waited for where the user has to type it.
pub(super) fn announce(name: &str) {
    if source::is_standard_input(name) && std::io::stdin().is_terminal() {
        write::say("reading the workload from the terminal; Ctrl-D ends it");
    } else if source::is_named_pipe(name) {
        write::say(&format!("reading the workload from the pipe {}", clean::line(name)));
    }
}

/// Refuses a plan that this machine cannot bear, unless it is asked for; tells warnings. `together`: all arms at once.
pub(super) fn envelope(workload: &Workload, platform: &Platform, changes: &ChangeArgs, together: bool) -> Prepared<()> {
    let mut plan = plan(workload, platform, changes.max_time);
    if together {
        plan.refusals.extend(all_at_once(workload, &plan, platform.machine()));
    }
    check_limits(&plan, platform, changes)
}

/// Refuses a plan that has refusals, unless it is asked for; tells warnings.
pub(super) fn check_limits(plan: &Plan, platform: &Platform, changes: &ChangeArgs) -> Prepared<()> {
    for warning in &plan.warnings {
        write::say(&format!("warning: {}: {}", warning.key, warning.message));
    }
    for refusal in &plan.refusals {
        let word = if changes.i_know { "warning" } else { "error" };
        write::say(&format!("{word}: {}: {}", refusal.key, refusal.message));
    }
    for note in &plan.impossible {
        write::say(&format!("error: {}: {}", note.key, note.message));
    }
    if !plan.impossible.is_empty() {
        write::say("nothing was started");
        return Err(ExitReason::BadInput);
    }
    // No flag makes more room on the status board.
    let too_many =
        plan.engines.iter().find(|engine| engine.workers.is_some_and(|workers| workers > board::SLOTS.into()));
    if let Some(engine) = too_many {
        write::say(&format!("error: {}: no more than {} workers are possible", engine.name, board::SLOTS));
        return Err(ExitReason::BadInput);
    }
    // Workers that there is no room for wait for it, but one has to be there.
    let descriptors = platform.machine().descriptors.filter(|room| room.left() < room.each);
    if let Some(room) = descriptors {
        let least = room.used + room.reserve + room.each;
        write::say(&format!("error: a limit of {} open files is too low: one worker needs {least}", room.limit));
        return Err(ExitReason::BadInput);
    }
    if plan.refusals.is_empty() || changes.i_know {
        return Ok(());
    }
    write::say("nothing was started; --i-know runs it all the same");
    Err(ExitReason::BadInput)
}

/// Why the arms cannot run at the same time, though each could by itself.
fn all_at_once(workload: &Workload, plan: &Plan, machine: Machine) -> Vec<plan::PlanNote> {
    let workers: u64 = plan.engines.iter().filter_map(|engine| engine.workers).sum();
    let processes: u64 = plan.engines.iter().map(|engine| engine.peak_processes).sum();
    let room = plan::process_room(workload, machine);
    let needs = [(Some(room), processes, "processes"), (machine.descriptors, workers, "open files")];
    let short = needs.into_iter().filter_map(|(room, count, what)| {
        let room = room?;
        let need = count.saturating_mul(room.each);
        let (left, source) = (room.left(), room.source);
        let message = format!("all arms together need {need} {what}; {left} are left for workers ({source})");
        (need > room.left()).then(|| plan::PlanNote { key: "--together".to_owned(), message })
    });
    short.collect()
}

/// What a workload would do here, and whether that is within limits.
pub(super) fn plan(workload: &Workload, platform: &Platform, max_time: Option<Duration>) -> Plan {
    let plan = plan::plan(workload, platform.machine()).limited(max_time);
    Plan { impossible: placing::impossible(workload), ..plan }
}

/// A single run that is asked for a longest time is ended then: how long it takes cannot be told before, as it can of several.
pub(super) fn end_in_time(workload: &mut Workload, max_time: Option<Duration>) {
    let measure = &workload.measure;
    let single = workload.engines.len() == 1 && measure.repeats.get() == 1 && measure.warmup == 0;
    if let Some(most) = max_time.filter(|_| single && measure.adaptive.is_none()) {
        workload.limits.max_time = Some(workload.limits.max_time.map_or(most, |own| own.min(most)));
    }
}

/// The arm that a name on the command line means: an entry of `engines:`, or a kind with its defaults.
pub(super) fn arm(workload: &Workload, name: &str) -> Prepared<EngineSpec> {
    if let Some(engine) = workload.engines.iter().find(|engine| engine.name == name) {
        return Ok(engine.clone());
    }
    let Some(kind) = EngineKind::from_word(name) else {
        let known: Vec<&str> = workload.engines.iter().map(|engine| engine.name.as_str()).collect();
        let kinds: Vec<&str> = EngineKind::in_files().map(EngineKind::word).collect();
        write::say(&format!(
            "error: no engine {name:?}: this workload has {}; a kind ({}) runs with its defaults",
            known.join(", "),
            kinds.join(", ")
        ));
        return Err(ExitReason::BadInput);
    };
    if kind.shares_process() && workload.classes.iter().any(|class| class.work.callable().is_none()) {
        write::say(&format!(
            "error: a {name} engine cannot run tasks of this kind: it runs functions in Python (`kind: python`) alone"
        ));
        return Err(ExitReason::BadInput);
    }
    // `--workers` has changed every entry of the file alike; a kind that is not in it takes the same.
    let workers =
        workload.engines.iter().find(|engine| engine.kind == kind).map_or(Workers::Auto, |engine| engine.workers);
    let defaults = EngineSpec::of_kind(kind, workers);
    let in_python = workload.classes.iter().any(|class| class.work.callable().is_some());
    let start_method = StartMethod::usual(kind, in_python);
    // CPython's own know no such thing.
    let chunksize = if kind.is_reference() { defaults.chunksize } else { Chunksize::Auto };
    Ok(EngineSpec { name: name.to_owned(), workers, chunksize, start_method, ..defaults })
}

/// The arms that names on the command line mean; without any, all entries of `engines:`.
pub(super) fn arms(workload: &Workload, names: &[String]) -> Prepared<Vec<EngineSpec>> {
    if names.is_empty() {
        return Ok(workload.engines.clone());
    }
    let arms: Vec<EngineSpec> = names.iter().map(|name| arm(workload, name)).collect::<Result<_, _>>()?;
    let double = arms.iter().enumerate().find(|(index, arm)| arms.iter().take(*index).any(|one| one.name == arm.name));
    if let Some((_, arm)) = double {
        write::say(&format!("error: --engines names {} twice", clean::line(&arm.name)));
        return Err(ExitReason::BadInput);
    }
    Ok(arms)
}

/// The workload with these arms as its engines; the baseline stays the same arm where it takes part.
pub(super) fn with_arms(workload: &Workload, arms: Vec<EngineSpec>) -> Workload {
    let preferred = workload.engines.get(workload.baseline).map(|engine| &engine.name);
    let baseline = arms.iter().position(|arm| Some(&arm.name) == preferred).unwrap_or(0);
    Workload { engines: arms, baseline, ..workload.clone() }
}

/// A session over all arms of a workload.
pub(super) fn session(
    workload: Arc<Workload>,
    platform: &Platform,
    i_know: bool,
) -> Result<SessionSpec, OwnProgramUnknown> {
    session_of(workload, &[], platform, i_know)
}

/// The same where each arm runs a workload of its own.
pub(super) fn session_of(
    workload: Arc<Workload>,
    own: &[Arc<Workload>],
    platform: &Platform,
    i_know: bool,
) -> Result<SessionSpec, OwnProgramUnknown> {
    let mut context = platform.run_context(i_know)?;
    let mut arms: Vec<ArmSpec> = workload.engines.iter().cloned().map(ArmSpec::of_entry).collect();
    for (arm, own) in arms.iter_mut().zip(own) {
        arm.workload = Some(Arc::clone(own));
    }
    if !i_know {
        // A key or a sweep gives no more workers than a file could ask for.
        for arm in &mut arms {
            let of = arm.workload.as_ref().unwrap_or(&workload);
            arm.most_workers = Some(plan::most_workers_of(of, platform.machine(), &arm.entry));
        }
        let most = arms.iter().filter_map(|arm| arm.most_workers).max().unwrap_or(u32::MAX);
        context.max_processes = context.max_processes.min(most);
    }
    let (baseline, host) = (workload.baseline, Arc::clone(&platform.host));
    Ok(SessionSpec { workload, arms, baseline, host, context, observers: Vec::new() })
}
