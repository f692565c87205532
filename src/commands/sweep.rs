//! `poolscope sweep`: worker counts, headless.

mod scope;

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::analysis::tuning::RUNS;
use crate::cli::SweepArgs;
use crate::commands::ExitReason;
use crate::commands::drive::Driven;
use crate::commands::headless::{self, Job};
use crate::commands::measured::{self, partial};
use crate::commands::prepare::{self, Platform, Prepared};
use crate::commands::run_log::Places;
use crate::commands::target::Target;
use crate::report::sweep::{SweepResults, SweptArm};
use crate::session::view::{ArmView, SessionCommand, Sweep};
use crate::workload::model::Workload;

/// Tries worker counts: those that were asked for, or those that the results lead to.
///
/// # Errors
/// See [`super::execute`].
pub(crate) fn execute(arguments: &SweepArgs) -> anyhow::Result<ExitReason> {
    with_repeats(arguments, |_| RUNS)
}

/// The same, with so many runs of each count if the command line does not say.
pub(super) fn with_repeats(arguments: &SweepArgs, repeats: fn(&Workload) -> u32) -> anyhow::Result<ExitReason> {
    of(prepare::workload(&arguments.file, &arguments.changes, arguments.output.color), arguments, repeats)
}

/// The same of a workload that is there already.
pub(super) fn of(
    workload: Prepared<Arc<Workload>>,
    arguments: &SweepArgs,
    repeats: fn(&Workload) -> u32,
) -> anyhow::Result<ExitReason> {
    headless::execute(prepared(workload, arguments, repeats), &arguments.changes, &arguments.output, results)
}

fn prepared(workload: Prepared<Arc<Workload>>, arguments: &SweepArgs, repeats: fn(&Workload) -> u32) -> Prepared<Job> {
    let SweepArgs { file, engines, changes, output, .. } = arguments;
    let workload = workload?;
    let platform = Platform::detect();
    let mut changed = prepare::with_arms(&workload, scope::arms(prepare::arms(&workload, engines)?)?);
    let runs = arguments.repeats.unwrap_or_else(|| repeats(&workload));
    // Counts are compared, not locks.
    changed.measure.gil_probe = false;
    changed.measure.adaptive = None;
    changed.measure.repeats = NonZeroU32::new(runs).unwrap_or(NonZeroU32::MIN);
    changed.measure.warmup = arguments.warmup.unwrap_or(changed.measure.warmup);
    let counts = scope::check(&mut changed, &platform, changes)?;
    let target = Target::open(output.output.as_deref(), &[file])?;
    let logs = Places::open(output, &[file])?;
    let sweep = Sweep { arms: (0..changed.engines.len()).collect(), counts, runs, show_best: false };
    Ok(Job { workload: Arc::new(changed), platform, command: SessionCommand::Sweep(sweep), target, logs })
}

fn results(driven: &Driven) -> SweepResults {
    let view = &driven.view;
    let arm = |arm: &ArmView| SweptArm {
        spec: arm.spec.clone(),
        tuning: Arc::clone(&arm.tuning),
        partial: partial(&driven.view, arm).map(|partial| (arm.measured, partial)),
    };
    SweepResults {
        workload: Arc::clone(&view.workload),
        host: Arc::clone(&view.host),
        stream_hash: driven.stream_hash.clone(),
        arms: view.arms.iter().map(arm).collect(),
        baseline: view.baseline,
        runs: view.workload.measure.repeats.get(),
        expectations: measured::results(driven).expectations(),
        ending: driven.ending.clone(),
    }
}
