//! `poolscope compare`: all arms, interleaved, headless.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::cli::{CompareArgs, SweepArgs};
use crate::commands::target::Target;
use crate::commands::{Exit, headless, prepare, sweep, write};
use crate::session::view::Mode;

/// Compares the arms of a workload.
///
/// # Errors
/// See [`super::execute`].
pub fn execute(arguments: &CompareArgs) -> anyhow::Result<Exit> {
    if arguments.changes.workers.as_ref().is_some_and(|counts| counts.single().is_none()) {
        return several(arguments);
    }
    let prepared = || {
        let workload = prepare::workload(&arguments.file, &arguments.changes, arguments.output.color)?;
        let arms = prepare::arms(&workload, &arguments.engines)?;
        let mut changed = (*workload).clone();
        if let Some(repeats) = arguments.repeats.and_then(NonZeroU32::new) {
            changed.measure.repeats = repeats;
        }
        if let Some(warmup) = arguments.warmup {
            changed.measure.warmup = warmup;
        }
        let baseline = changed.engines.get(changed.baseline).map(|engine| engine.name.clone());
        changed.baseline = arms.iter().position(|arm| Some(&arm.name) == baseline.as_ref()).unwrap_or(0);
        changed.engines.clone_from(&arms);
        let place = prepare::Place::detect();
        prepare::envelope(&changed, &place, &arguments.changes, arguments.together)?;
        let target = Target::open(arguments.output.output.as_deref(), &[&arguments.file])?;
        Ok((Arc::new(changed), arms, place, target))
    };
    let mode = if arguments.together { Mode::Together } else { Mode::Interleaved };
    match prepared() {
        Ok((workload, arms, place, target)) => headless::execute(
            prepare::session(workload, arms, &place, arguments.changes.i_know)?,
            mode,
            &arguments.output,
            target,
        ),
        Err(exit) => Ok(exit),
    }
}

/// With several worker counts it is a sweep, each of them as often as arms are compared.
fn several(arguments: &CompareArgs) -> anyhow::Result<Exit> {
    if arguments.together {
        write::say("error: --together runs every arm once at the same time; it takes one number of workers");
        return Ok(Exit::BadInput);
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
