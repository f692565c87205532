//! `poolscope run`: one arm, headless.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::cli::{ResultFormat, RunArgs};
use crate::commands::ExitReason;
use crate::commands::batch;
use crate::commands::claims;
use crate::commands::headless::{self, Job};
use crate::commands::measured;
use crate::commands::prepare::{self, Platform, Prepared};
use crate::commands::run_log::Places;
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
    let workload = prepare::live_workload(file, changes, output.color)?;
    let first = workload.engines.first().map(|engine| engine.name.clone()).unwrap_or_default();
    let arm = prepare::arm(&workload, arguments.engine.as_ref().unwrap_or(&first))?;
    let mut once = (*workload).clone();
    (once.measure.warmup, once.measure.repeats) = (0, NonZeroU32::MIN);
    once.measure.adaptive = None;
    (once.engines, once.baseline) = (vec![arm], 0);
    let mut once = batch::live::settled(once, &arguments.batch)?;
    let platform = Platform::detect();
    prepare::envelope(&once, &platform, changes, false)?;
    prepare::end_in_time(&mut once, changes.max_time);
    let target = Target::open(output.output.as_deref(), &[file])?;
    claims::check(file, &once, output, Some(&arguments.batch), None)?;
    let is_batch = once.has_items() || arguments.batch.first().is_some();
    let output_is_free = is_batch && (output.format == ResultFormat::Text || !target.is_standard());
    let batch = batch::prepare(&arguments.batch, &mut once, output_is_free)?;
    let logs = Places::open(output, &[file])?;
    let (own, command) = (Vec::new(), SessionCommand::Run(Mode::Interleaved));
    Ok(Job { verb: "run", workload: Arc::new(once), own, platform, command, target, batch, logs, state: None })
}
