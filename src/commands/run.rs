//! `poolscope run`: one arm, headless.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::cli::RunArgs;
use crate::commands::target::Target;
use crate::commands::{Exit, headless, prepare};
use crate::session::view::Mode;

/// Runs one arm once.
///
/// # Errors
/// See [`super::execute`].
pub fn execute(arguments: &RunArgs) -> anyhow::Result<Exit> {
    let prepared = || {
        prepare::one_count(&arguments.changes, "run", Some(&arguments.file))?;
        let workload = prepare::workload(&arguments.file, &arguments.changes, arguments.output.color)?;
        let first = workload.engines.first().map(|engine| engine.name.clone()).unwrap_or_default();
        let arm = prepare::arm(&workload, arguments.engine.as_ref().unwrap_or(&first))?;
        let mut once = (*workload).clone();
        (once.measure.warmup, once.measure.repeats) = (0, NonZeroU32::MIN);
        (once.engines, once.baseline) = (vec![arm.clone()], 0);
        let place = prepare::Place::detect();
        prepare::envelope(&once, &place, &arguments.changes, false)?;
        let target = Target::open(arguments.output.output.as_deref(), &[&arguments.file])?;
        Ok((Arc::new(once), arm, place, target))
    };
    match prepared() {
        Ok((workload, arm, place, target)) => headless::execute(
            prepare::session(workload, vec![arm], &place, arguments.changes.i_know)?,
            Mode::Interleaved,
            &arguments.output,
            target,
        ),
        Err(exit) => Ok(exit),
    }
}
