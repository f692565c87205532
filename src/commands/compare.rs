//! `poolscope compare`: all arms, interleaved, headless.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::cli::{BatchArgs, ChangeArgs, CompareArgs, HiddenBatchArgs, SweepArgs};
use crate::commands::batch::{self, Batch};
use crate::commands::claims;
use crate::commands::headless::{self, Job};
use crate::commands::prepare::{self, Platform, Prepared};
use crate::commands::run_log::Places;
use crate::commands::target::Target;
use crate::commands::{ExitReason, measured, sweep, write};
use crate::session::view::{Mode, SessionCommand};
use crate::workload::model::Workload;
use crate::workload::units::format_duration;

/// Compares the arms of a workload.
///
/// # Errors
/// See [`super::execute`].
pub(crate) fn execute(arguments: &CompareArgs) -> anyhow::Result<ExitReason> {
    let asked = BatchArgs { resume: arguments.resume.clone(), ..BatchArgs::from(&arguments.batch) };
    if let Err(exit) = batch::refused(&asked, "compare runs each arm several times", batch::RUN) {
        return Ok(exit);
    }
    if arguments.changes.workers.as_ref().is_some_and(|counts| counts.single().is_none()) {
        return several(arguments);
    }
    let changes = with_precision(arguments);
    of(prepare::workload(&arguments.file, &changes, arguments.output.color), arguments, None)
}

/// The same of a workload that is there already, of which a batch may be written down.
pub(super) fn of(
    workload: Prepared<Arc<Workload>>,
    arguments: &CompareArgs,
    batch: Option<Batch>,
) -> anyhow::Result<ExitReason> {
    let job = prepared(workload, arguments).map(|job| Job { batch, ..job });
    headless::execute(job, &arguments.changes, &arguments.output, measured::results)
}

fn prepared(workload: Prepared<Arc<Workload>>, arguments: &CompareArgs) -> Prepared<Job> {
    let CompareArgs { file, output, together, .. } = arguments;
    let changes = &with_precision(arguments);
    let workload = workload?;
    let mut changed = prepare::with_arms(&workload, prepare::arms(&workload, &arguments.engines)?);
    if let Some(repeats) = arguments.repeats.and_then(NonZeroU32::new) {
        changed.measure.repeats = repeats;
        if let Some(adaptive) = &mut changed.measure.adaptive {
            adaptive.max_repeats = adaptive.max_repeats.max(repeats);
        }
    }
    if let Some(warmup) = arguments.warmup {
        changed.measure.warmup = warmup;
    }
    let platform = Platform::detect();
    prepare::envelope(&changed, &platform, changes, *together)?;
    prepare::end_in_time(&mut changed, changes.max_time);
    let target = Target::open(output.output.as_deref(), &[file])?;
    claims::check(file, &changed, output, None, None)?;
    let logs = Places::open(output, &[file])?;
    let mode = if *together { Mode::Together } else { Mode::Interleaved };
    Ok(Job {
        verb: "compare",
        workload: Arc::new(changed),
        own: Vec::new(),
        platform,
        command: SessionCommand::Run(mode),
        target,
        batch: None,
        logs,
        state: None,
    })
}

/// What the command line says of precision is said as the file would say it.
fn with_precision(arguments: &CompareArgs) -> ChangeArgs {
    let CompareArgs { precision, max_repeats, changes, .. } = arguments;
    let set = |key: &str, value: Option<String>| value.map(|value| format!("measure.{key}={value}"));
    let time = changes.max_time.filter(|_| precision.is_some()).map(format_duration);
    let said = [
        set("precision", precision.clone()),
        set("max_repeats", max_repeats.map(|most| most.to_string())),
        set("max_time", time),
    ];
    let mut changes = changes.clone();
    changes.set.extend(said.into_iter().flatten());
    changes
}

/// With several worker counts it is a sweep, each of them as often as arms are compared.
fn several(arguments: &CompareArgs) -> anyhow::Result<ExitReason> {
    if arguments.together {
        write::say("error: --together runs every arm once at the same time; it takes one number of workers");
        return Ok(ExitReason::BadInput);
    }
    if arguments.precision.is_some() || arguments.max_repeats.is_some() {
        write::say("error: --precision and --max-repeats take one number of workers; a sweep decides on its own runs");
        return Ok(ExitReason::BadInput);
    }
    let CompareArgs { file, engines, repeats, warmup, yes, changes, output, .. } = arguments;
    let arguments = SweepArgs {
        file: file.clone(),
        engines: engines.clone(),
        sweep: Vec::new(),
        full: true,
        resume: None,
        repeats: *repeats,
        warmup: *warmup,
        yes: *yes,
        batch: HiddenBatchArgs::default(),
        changes: changes.clone(),
        output: output.clone(),
    };
    sweep::with_repeats(&arguments)
}
