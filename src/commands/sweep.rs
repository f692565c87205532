//! `poolscope sweep`: worker counts and other settings, headless.

pub(super) mod cells;
pub(super) mod scope;

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::analysis::tuning::{MORE, RUNS, most_counts};
use crate::cli::{SweepArgs, WorkerCounts};
use crate::commands::batch;
use crate::commands::claims;
use crate::commands::consent::{self, Extent};
use crate::commands::drive::Driven;
use crate::commands::headless::{self, Job};
use crate::commands::measured::{self, partial};
use crate::commands::prepare::{self, Platform, Prepared};
use crate::commands::run_log::Places;
use crate::commands::sweep::cells::{ArmSettings, Origin};
use crate::commands::sweep_state::State;
use crate::commands::target::Target;
use crate::commands::{ExitReason, write};
use crate::report::ending::Ending;
use crate::report::sweep::{SweepResults, SweptArm};
use crate::session::view::{ArmView, SessionCommand, SessionView, Sweep, SweepCounts};
use crate::workload::model::{Dimension, Workload};
use crate::workload::source::Source;
use crate::workload::stream::Stream;

/// Tries what is asked for, or what the file says, or else worker counts that the results lead to.
///
/// # Errors
/// See [`super::execute`].
pub(crate) fn execute(arguments: &SweepArgs) -> anyhow::Result<ExitReason> {
    if let Err(exit) = batch::refused(&(&arguments.batch).into(), "sweep runs it with several settings", batch::RUN) {
        return Ok(exit);
    }
    let loaded = prepare::source_and_workload(&arguments.file, &arguments.changes, arguments.output.color);
    let from_file = |(_, workload): &(Source, Arc<Workload>)| workload.sweep.clone();
    let dimensions = match loaded.as_ref().ok() {
        Some(loaded) if arguments.sweep.is_empty() => from_file(loaded),
        _ => arguments.sweep.clone(),
    };
    of(loaded, dimensions, arguments, |_| RUNS)
}

/// Worker counts alone, with as many runs of each as the file says if the command line does not.
pub(super) fn with_repeats(arguments: &SweepArgs) -> anyhow::Result<ExitReason> {
    let loaded = prepare::source_and_workload(&arguments.file, &arguments.changes, arguments.output.color);
    of(loaded, Vec::new(), arguments, |workload| workload.measure.repeats.get())
}

/// The same of a workload that is there already.
pub(super) fn of(
    loaded: Prepared<(Source, Arc<Workload>)>,
    dimensions: Vec<Dimension>,
    arguments: &SweepArgs,
    repeats: fn(&Workload) -> u32,
) -> anyhow::Result<ExitReason> {
    match loaded.and_then(|loaded| prepared(loaded, dimensions, arguments, repeats)) {
        Ok((job, layout)) => {
            headless::execute(Ok(job), &arguments.changes, &arguments.output, |driven| results(driven, layout))
        }
        Err(exit) => Ok(exit),
    }
}

/// What the arms of a sweep are.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    dimensions: Vec<Dimension>,
    arms: Vec<ArmSettings>,
    runs: u32,
}

/// A sweep that may be run: everything was checked.
pub(super) struct Planned {
    /// Its engines are the arms.
    pub(super) workload: Workload,
    /// What each of them runs.
    pub(super) own: Vec<Arc<Workload>>,
    /// What the session is asked for.
    pub(super) sweep: Sweep,
    pub(super) layout: Layout,
    /// Whether worker counts vary.
    pub(super) counts_are_swept: bool,
}

fn prepared(
    loaded: (Source, Arc<Workload>),
    dimensions: Vec<Dimension>,
    arguments: &SweepArgs,
    repeats: fn(&Workload) -> u32,
) -> Prepared<(Job, Layout)> {
    let SweepArgs { file, output, .. } = arguments;
    let platform = Platform::detect();
    let base = Arc::clone(&loaded.1);
    let places = |extent: &Extent| {
        if output.keep.verb.is_none() {
            consent::settle(&base, &extent.words(), arguments.yes)?;
        }
        let target = Target::open(output.output.as_deref(), &[file])?;
        claims::check(file, &base, output, None, arguments.resume.as_deref())?;
        Ok((target, Places::open(output, &[file])?))
    };
    let (planned, (target, logs)) = planned(loaded, dimensions, arguments, &platform, repeats, places)?;
    let Planned { workload, own, sweep, layout, counts_are_swept } = planned;
    let folder = arguments.resume.as_deref();
    let counts = match &sweep.counts {
        SweepCounts::Given(counts) => Some(counts.as_slice()),
        SweepCounts::Own | SweepCounts::Found | SweepCounts::For(_) => None,
    };
    let open = |folder| State::open(folder, &workload, &workload.engines, counts_are_swept, counts, &platform.host);
    let state = folder.map(open).transpose()?;
    let (workload, command) = (Arc::new(workload), SessionCommand::Sweep(sweep));
    Ok((Job { verb: "sweep", workload, own, platform, command, target, batch: None, logs, state }, layout))
}

/// What is run for some dimensions. `checked` is told how often everything will be done once all is known to be good, before interpreters are looked at.
pub(super) fn planned<T>(
    (source, workload): (Source, Arc<Workload>),
    mut dimensions: Vec<Dimension>,
    arguments: &SweepArgs,
    platform: &Platform,
    repeats: fn(&Workload) -> u32,
    checked: impl FnOnce(&Extent) -> Prepared<T>,
) -> Prepared<(Planned, T)> {
    let SweepArgs { engines, changes, .. } = arguments;
    let mut changes = changes.clone();
    counts_of(&mut dimensions, &mut changes.workers)?;
    let swept: Vec<Dimension> = dimensions.iter().filter(|dimension| !dimension.is_workers()).cloned().collect();
    let several = changes.workers.as_ref().is_some_and(|counts| counts.single().is_none());
    // A single count is that of every arm, and not swept, unless nothing else is.
    let counts_are_swept = swept.is_empty() || several || dimensions.iter().any(Dimension::is_workers);
    let origin = Origin { source: &source, base: &workload, changes: &changes };
    let mut cells = cells::all(&origin, &swept, |workload| {
        let arms = prepare::arms(workload, engines)?;
        if counts_are_swept { scope::arms(arms) } else { Ok(arms) }
    })?;
    let runs = arguments.repeats.unwrap_or_else(|| repeats(&workload));
    for cell in &mut cells {
        let measure = &mut cell.workload.measure;
        // Settings are compared, not locks.
        measure.gil_probe = false;
        measure.adaptive = None;
        measure.repeats = NonZeroU32::new(runs).unwrap_or(NonZeroU32::MIN);
        measure.warmup = arguments.warmup.unwrap_or(measure.warmup);
    }
    let workloads = cells.iter_mut().map(|cell| &mut cell.workload).collect();
    let counts = scope::check(workloads, counts_are_swept, platform, &changes)?;
    let work: Vec<&Workload> = cells.iter().map(|cell| &cell.workload).collect();
    let checked = checked(&extent(&work, &counts, runs))?;
    let measure = cells.first().map_or(workload.measure.clone(), |cell| cell.workload.measure.clone());
    let flat = cells::flat(cells)?;
    let baseline = workload.engines.get(workload.baseline).map(|engine| engine.name.clone());
    let all = prepare::with_arms(&workload, flat.iter().map(|(engine, ..)| engine.clone()).collect());
    let baseline = flat.iter().position(|(_, arm, _)| Some(&arm.base) == baseline.as_ref()).unwrap_or(0);
    let all = Workload { measure, baseline, skipped: Vec::new(), ..all };
    let groups = flat.iter().map(|(_, arm, _)| arm.group).filter(|_| !arguments.full).collect();
    let sweep = Sweep { arms: (0..flat.len()).collect(), counts, groups, runs, show_best: false };
    let dimensions = dimensions.iter().map(Dimension::as_told).collect();
    let layout = Layout { dimensions, arms: flat.iter().map(|(_, arm, _)| arm.clone()).collect(), runs };
    let own = flat.into_iter().map(|(.., own)| own).collect();
    Ok((Planned { workload: all, own, sweep, layout, counts_are_swept }, checked))
}

/// How often everything is done, at most.
fn extent(cells: &[&Workload], counts: &SweepCounts, runs: u32) -> Extent {
    let tasks = cells.iter().map(|cell| Stream::new(cell).total()).max().unwrap_or(0);
    let arms = cells.iter().map(|cell| cell.engines.len() as u64).sum();
    let (counts, runs, open) = match counts {
        SweepCounts::Given(counts) => (counts.len() as u64, runs, false),
        SweepCounts::Own => (1, runs, false),
        SweepCounts::Found | SweepCounts::For(_) => {
            (most_counts(u32::try_from(tasks).unwrap_or(u32::MAX)), runs.saturating_mul(MORE), true)
        }
    };
    let warmest = cells.iter().max_by_key(|cell| cell.measure.warmup);
    warmest.map_or_else(Extent::default, |cell| Extent::of_sweep(tasks, cell, (arms, counts), runs.into(), open))
}

/// Worker counts are the same, whether they are said as a field or with `--workers`.
fn counts_of(dimensions: &mut [Dimension], workers: &mut Option<WorkerCounts>) -> Prepared<()> {
    let Some(dimension) = dimensions.iter_mut().find(|dimension| dimension.is_workers()) else { return Ok(()) };
    match dimension.values.join(",").parse::<WorkerCounts>() {
        // --workers is closer to whoever types it.
        Ok(_) if workers.is_some() => {}
        Ok(counts) => *workers = Some(counts),
        Err(wrong) => {
            write::say(&format!("error: workers: {wrong}"));
            return Err(ExitReason::BadInput);
        }
    }
    dimension.values = workers.iter().flat_map(WorkerCounts::all).map(u32::to_string).collect();
    Ok(())
}

pub(super) fn results(driven: &Driven, layout: Layout) -> SweepResults {
    let expectations = measured::results(driven).expectations();
    let swept = so_far(&driven.view, &driven.stream_hash, &driven.ending, layout);
    SweepResults { expectations, ..swept }
}

/// What the runs of a sweep have shown until now.
pub(super) fn so_far(
    view: &SessionView,
    stream_hash: &str,
    ending: &Ending,
    Layout { dimensions, arms, runs }: Layout,
) -> SweepResults {
    let arm = |(arm, of): (&ArmView, ArmSettings)| SweptArm {
        spec: arm.spec.clone(),
        base: of.base,
        settings: of.settings,
        group: of.group,
        tuning: Arc::clone(&arm.tuning),
        partial: partial(view, arm).map(|partial| (arm.measured, partial)),
    };
    SweepResults {
        workload: Arc::clone(&view.workload),
        host: Arc::clone(&view.host),
        stream_hash: stream_hash.to_owned(),
        arms: view.arms.iter().zip(arms).map(arm).collect(),
        dimensions,
        baseline: view.baseline,
        runs,
        expectations: Vec::new(),
        ending: ending.clone(),
    }
}
