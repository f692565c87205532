//! `poolscope compare`: all arms, interleaved, headless.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::cli::CompareArgs;
use crate::commands::target::Target;
use crate::commands::{Exit, headless, prepare, write};
use crate::report::clean;
use crate::session::view::Mode;
use crate::workload::model::EngineSpec;

/// Compares the arms of a workload.
///
/// # Errors
/// See [`super::execute`].
pub fn execute(arguments: &CompareArgs) -> anyhow::Result<Exit> {
    let prepared = || {
        let workload = prepare::workload(&arguments.file, &arguments.changes, arguments.output.color)?;
        let arms: Vec<EngineSpec> = if arguments.engines.is_empty() {
            workload.engines.clone()
        } else {
            arguments.engines.iter().map(|name| prepare::arm(&workload, name)).collect::<Result<_, _>>()?
        };
        let double =
            arms.iter().enumerate().find(|(index, arm)| arms.iter().take(*index).any(|one| one.name == arm.name));
        if let Some((_, arm)) = double {
            write::say(&format!("error: --engines names {} twice", clean::line(&arm.name)));
            return Err(Exit::BadInput);
        }
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
