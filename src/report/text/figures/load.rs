//! Utilisation, stage by stage too, and Little's law: only where tasks do not all come at the start.

use super::{NONE, Rows};
use crate::analysis::statistics::estimate;
use crate::metrics::snapshot::{Little, Snapshot};
use crate::report::{ArmResult, Results, units};
use crate::workload::model::{Arrivals, Stage};
use crate::workload::plan;

/// Stages that are told one by one; JSON has all.
const STAGES: usize = 8;

pub(super) fn rows(rows: &mut Rows<'_>, results: &Results) {
    match &results.workload.arrivals {
        Arrivals::Batch => return,
        Arrivals::ClosedLoop { .. } => {
            rows.row("utilisation, mean ρ", |arm| of(arm, |run| run.load.utilisation, two_digits));
        }
        Arrivals::Open(_) => stages(rows, results, &plan::stages(&results.workload)),
    }
    let little = |figure: fn(&Little) -> f64| move |run: &Snapshot| run.load.little.as_ref().map(figure);
    rows.row("Little: rate λ", |arm| of(arm, little(|little| little.rate), |rate| format!("{}/s", units::rate(rate))));
    rows.detail("mean sojourn W", |arm| {
        of(arm, little(|little| little.sojourn.as_secs_f64()), |seconds| units::duration(super::secs(seconds)))
    });
    rows.detail("λW", |arm| of(arm, little(Little::expected), two_digits));
    rows.detail("seen in the system L", |arm| of(arm, little(|little| little.in_system), two_digits));
    // Of all runs, the worst: errors do not cancel out.
    rows.detail(if super::several(rows.arms) { "error, worst run" } else { "error" }, |arm| {
        let errors = arm.runs.iter().filter_map(|run| run.load.little).map(|little| little.error());
        errors.reduce(f64::max).map_or_else(|| NONE.to_owned(), units::percent)
    });
    let cut = |arm: &ArmResult| -> u64 {
        arm.runs.iter().filter_map(|run| run.load.little).map(|little| little.without_sojourn).sum()
    };
    if results.arms.iter().any(|arm| cut(arm) > 0) {
        rows.detail("tasks in L alone", |arm| cut(arm).to_string());
    }
}

/// Measured, and predicted beside it, over all stages together and for each.
fn stages(rows: &mut Rows<'_>, results: &Results, stages: &[Stage]) {
    let predicted = |arm: &ArmResult| results.offered(arm);
    let both = |measured: String, predicted: Option<f64>| match predicted {
        Some(predicted) => format!("{measured} ({})", two_digits(predicted)),
        None => measured,
    };
    rows.row("mean ρ (predicted)", |arm| {
        let measured = of(arm, |run| run.load.utilisation, two_digits);
        let one = predicted(arm).first().copied().filter(|_| stages.len() == 1);
        both(measured, one)
    });
    if stages.len() < 2 {
        return;
    }
    for (place, stage) in stages.iter().enumerate().take(STAGES) {
        rows.detail(&format!("stage {}, {}", place + 1, rate(stage)), |arm| {
            let measured = of(arm, |run| run.stages.get(place)?.utilisation, two_digits);
            both(measured, predicted(arm).get(place).copied())
        });
    }
    if stages.len() > STAGES {
        rows.detail(&format!("{} more in JSON", stages.len() - STAGES), |_| String::new());
    }
}

fn rate(stage: &Stage) -> String {
    match stage.is_ramp() {
        true => format!("{} to {}/s", units::rate(stage.rate), units::rate(stage.end_rate)),
        false => format!("{}/s", units::rate(stage.rate)),
    }
}

/// The mean over the runs that have the figure.
fn of(arm: &ArmResult, figure: impl Fn(&Snapshot) -> Option<f64>, words: fn(f64) -> String) -> String {
    let figures: Vec<f64> = arm.runs.iter().filter_map(|run| figure(run)).collect();
    estimate(&figures).map_or_else(|| NONE.to_owned(), |estimate| words(estimate.mean))
}

fn two_digits(value: f64) -> String {
    format!("{value:.2}")
}
