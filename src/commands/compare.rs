//! `poolscope compare`: all arms, interleaved, headless.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::cli::{CompareArgs, SweepArgs};
use crate::commands::headless::{self, Job};
use crate::commands::prepare::{self, Platform, Prepared};
use crate::commands::target::Target;
use crate::commands::{ExitReason, measured, sweep, write};
use crate::session::view::{Mode, SessionCommand};

/// Compares the arms of a workload.
///
/// # Errors
/// See [`super::execute`].
pub(crate) fn execute(arguments: &CompareArgs) -> anyhow::Result<ExitReason> {
    if arguments.changes.workers.as_ref().is_some_and(|counts| counts.single().is_none()) {
        return several(arguments);
    }
    headless::execute(prepared(arguments), &arguments.changes, &arguments.output, measured::results)
}

fn prepared(arguments: &CompareArgs) -> Prepared<Job> {
    let CompareArgs { file, changes, output, together, .. } = arguments;
    let workload = prepare::workload(file, changes, output.color)?;
    let mut changed = prepare::with_arms(&workload, prepare::arms(&workload, &arguments.engines)?);
    if let Some(repeats) = arguments.repeats.and_then(NonZeroU32::new) {
        changed.measure.repeats = repeats;
    }
    if let Some(warmup) = arguments.warmup {
        changed.measure.warmup = warmup;
    }
    let platform = Platform::detect();
    prepare::envelope(&changed, &platform, changes, *together)?;
    let target = Target::open(output.output.as_deref(), &[file])?;
    let mode = if *together { Mode::Together } else { Mode::Interleaved };
    Ok(Job { workload: Arc::new(changed), platform, command: SessionCommand::Run(mode), target })
}

/// With several worker counts it is a sweep, each of them as often as arms are compared.
fn several(arguments: &CompareArgs) -> anyhow::Result<ExitReason> {
    if arguments.together {
        write::say("error: --together runs every arm once at the same time; it takes one number of workers");
        return Ok(ExitReason::BadInput);
    }
    let CompareArgs { file, engines, repeats, warmup, changes, output, .. } = arguments;
    let arguments = SweepArgs {
        file: file.clone(),
        engines: engines.clone(),
        repeats: *repeats,
        warmup: *warmup,
        changes: changes.clone(),
        output: output.clone(),
    };
    sweep::with_repeats(&arguments, |workload| workload.measure.repeats.get())
}
