//! `poolscope sweep`: worker counts, headless.

mod scope;

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::analysis::tuning::RUNS;
use crate::cli::{Format, Output, SweepArgs};
use crate::commands::headless::{Driven, all_failed, drive, ended, partial};
use crate::commands::target::Target;
use crate::commands::{Exit, prepare, write};
use crate::report::sweep::{self, SweepResults, SweptArm};
use crate::report::text::Options;
use crate::session::conductor::SessionSpec;
use crate::session::view::{ArmView, SessionCommand, Sweep};
use crate::workload::model::Workload;

/// Tries worker counts: those that were asked for, or those that the results lead to.
///
/// # Errors
/// See [`super::execute`].
pub fn execute(arguments: &SweepArgs) -> anyhow::Result<Exit> {
    with_repeats(arguments, |_| RUNS)
}

/// The same, with so many runs of each count if the command line does not say.
pub(super) fn with_repeats(arguments: &SweepArgs, repeats: fn(&Workload) -> u32) -> anyhow::Result<Exit> {
    let SweepArgs { file, engines, changes, output, .. } = arguments;
    let prepared = || {
        let workload = prepare::workload(file, changes, output.color)?;
        let place = prepare::Place::detect();
        let mut changed = Workload::clone(&workload);
        changed.engines = scope::arms(prepare::arms(&workload, engines)?)?;
        let baseline = workload.engines.get(workload.baseline).map(|engine| &engine.name);
        changed.baseline = changed.engines.iter().position(|arm| Some(&arm.name) == baseline).unwrap_or(0);
        let runs = arguments.repeats.unwrap_or_else(|| repeats(&workload));
        changed.measure.repeats = NonZeroU32::new(runs).unwrap_or(NonZeroU32::MIN);
        changed.measure.warmup = arguments.warmup.unwrap_or(changed.measure.warmup);
        let counts = scope::check(&mut changed, &place, changes)?;
        let target = Target::open(output.output.as_deref(), &[file])?;
        Ok((Arc::new(changed), counts, runs, place, target))
    };
    let (workload, counts, runs, place, target) = match prepared() {
        Ok(prepared) => prepared,
        Err(exit) => return Ok(exit),
    };
    let arms = workload.engines.clone();
    let sweep = Sweep { arms: (0..arms.len()).collect(), counts, runs, show_best: false };
    let spec: SessionSpec = prepare::session(workload, arms, &place, changes.i_know)?;
    let baseline = spec.baseline;
    let driven = drive(spec, SessionCommand::Sweep(sweep), output)?;
    let results = results(&driven, baseline, runs);
    let on_page = target.is_standard() && output.format == Format::Text;
    let text = text(&results, output, target.is_standard());
    let written = target.deliver(&text);
    driven.leave(verdict(&results, output.strict, on_page).or_graver(written))
}

fn results(driven: &Driven, baseline: usize, runs: u32) -> SweepResults {
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
        baseline,
        runs,
        ending: driven.ending.clone(),
    }
}

fn text(results: &SweepResults, output: &Output, standard: bool) -> String {
    match output.format {
        Format::Json => sweep::json::text(results),
        Format::Text => {
            let colour = write::colored_stdout(output.color) && standard;
            let text =
                sweep::text::render(results, Options { colour, width: write::stdout_width(), ..Options::default() });
            write::shown_on(&text, standard).into_owned()
        }
    }
}

/// The exit code of what was measured, as of other results.
fn verdict(results: &SweepResults, strict: bool, on_page: bool) -> Exit {
    let failed = results.all_failed().map(|(arm, found)| all_failed(&arm.spec.name, found, on_page));
    let exit = failed.fold(ended(&results.ending), Exit::or_graver);
    let suspect = results.arms.iter().flat_map(|arm| &arm.tuning.points).any(|point| !point.suspect.is_empty());
    if strict && suspect { exit.or_graver(Exit::Suspect) } else { exit }
}
