//! `poolscope run`: one arm, headless.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::cli::RunArgs;
use crate::commands::ExitReason;
use crate::commands::headless::{self, Job};
use crate::commands::measured;
use crate::commands::prepare::{self, Platform, Prepared};
use crate::commands::target::Target;
use crate::session::view::{Mode, SessionCommand};

/// Runs one arm once.
///
/// # Errors
/// See [`super::execute`].
pub(crate) fn execute(arguments: &RunArgs) -> anyhow::Result<ExitReason> {
    headless::execute(prepared(arguments), &arguments.changes, &arguments.output, measured::results)
}

fn prepared(arguments: &RunArgs) -> Prepared<Job> {
    let RunArgs { file, changes, output, .. } = arguments;
    prepare::one_count(changes, "run", Some(file))?;
    let workload = prepare::workload(file, changes, output.color)?;
    let first = workload.engines.first().map(|engine| engine.name.clone()).unwrap_or_default();
    let arm = prepare::arm(&workload, arguments.engine.as_ref().unwrap_or(&first))?;
    let mut once = (*workload).clone();
    (once.measure.warmup, once.measure.repeats) = (0, NonZeroU32::MIN);
    once.measure.adaptive = None;
    (once.engines, once.baseline) = (vec![arm], 0);
    let platform = Platform::detect();
    prepare::envelope(&once, &platform, changes, false)?;
    let target = Target::open(output.output.as_deref(), &[file])?;
    Ok(Job {
        workload: Arc::new(once),
        own: Vec::new(),
        platform,
        command: SessionCommand::Run(Mode::Interleaved),
        target,
        state: None,
    })
}
