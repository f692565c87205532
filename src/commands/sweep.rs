//! `poolscope sweep`: worker counts and other settings, headless.

mod cells;
pub(super) mod scope;

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::analysis::tuning::{MORE, RUNS, most_counts};
use crate::cli::{SweepArgs, WorkerCounts};
use crate::commands::batch;
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
use crate::report::sweep::{SweepResults, SweptArm};
use crate::session::view::{ArmView, SessionCommand, Sweep, SweepCounts};
use crate::workload::model::{Dimension, EngineSpec, Workload};
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
struct Layout {
    dimensions: Vec<Dimension>,
    arms: Vec<ArmSettings>,
    runs: u32,
}

fn prepared(
    (source, workload): (Source, Arc<Workload>),
    mut dimensions: Vec<Dimension>,
    arguments: &SweepArgs,
    repeats: fn(&Workload) -> u32,
) -> Prepared<(Job, Layout)> {
    let SweepArgs { file, engines, changes, output, .. } = arguments;
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
    let platform = Platform::detect();
    let workloads = cells.iter_mut().map(|cell| &mut cell.workload).collect();
    let counts = scope::check(workloads, counts_are_swept, &platform, &changes)?;
    if output.keep.verb.is_none() {
        let work: Vec<&Workload> = cells.iter().map(|cell| &cell.workload).collect();
        consent::settle(&workload, &extent(&work, &counts, runs).words(), arguments.yes)?;
    }
    let target = Target::open(output.output.as_deref(), &[file])?;
    let logs = Places::open(output, &[file])?;
    let measure = cells.first().map_or(workload.measure.clone(), |cell| cell.workload.measure.clone());
    let flat = cells::flat(cells)?;
    let baseline = workload.engines.get(workload.baseline).map(|engine| engine.name.clone());
    let all = prepare::with_arms(&workload, flat.iter().map(|(engine, ..)| engine.clone()).collect());
    let baseline = flat.iter().position(|(_, arm, _)| Some(&arm.base) == baseline.as_ref()).unwrap_or(0);
    let all = Workload { measure, baseline, skipped: Vec::new(), ..all };
    let arms: Vec<EngineSpec> = flat.iter().map(|(engine, ..)| engine.clone()).collect();
    let folder = arguments.resume.as_deref();
    let state = folder.map(|folder| State::open(folder, &all, &arms, &platform.host)).transpose()?;
    let groups = flat.iter().map(|(_, arm, _)| arm.group).filter(|_| !arguments.full).collect();
    let sweep = Sweep { arms: (0..flat.len()).collect(), counts, groups, runs, show_best: false };
    let layout = Layout { dimensions, arms: flat.iter().map(|(_, arm, _)| arm.clone()).collect(), runs };
    let own = flat.into_iter().map(|(.., own)| own).collect();
    let (workload, command) = (Arc::new(all), SessionCommand::Sweep(sweep));
    Ok((Job { verb: "sweep", workload, own, platform, command, target, batch: None, logs, state }, layout))
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

fn results(driven: &Driven, Layout { dimensions, arms, runs }: Layout) -> SweepResults {
    let view = &driven.view;
    let arm = |(arm, of): (&ArmView, ArmSettings)| SweptArm {
        spec: arm.spec.clone(),
        base: of.base,
        settings: of.settings,
        group: of.group,
        tuning: Arc::clone(&arm.tuning),
        partial: partial(&driven.view, arm).map(|partial| (arm.measured, partial)),
    };
    SweepResults {
        workload: Arc::clone(&view.workload),
        host: Arc::clone(&view.host),
        stream_hash: driven.stream_hash.clone(),
        arms: view.arms.iter().zip(arms).map(arm).collect(),
        dimensions,
        baseline: view.baseline,
        runs,
        expectations: measured::results(driven).expectations(),
        ending: driven.ending.clone(),
    }
}
