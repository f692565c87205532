//! What is said of a sweep in the same words in every format.

use super::{SweepResults, SweptArm};
use crate::analysis::tuning::arms::{AtCounts, Basis};
use crate::analysis::tuning::{Advice, Point, Tuning};
use crate::analysis::verdict::Comparison;
use crate::report::clean;
use crate::report::text::comparison::{Found, finding_line};
use crate::report::text::{Paint, line};

/// Why points have fewer runs than others.
pub(crate) const DROPPED: &str = "clearly bad after a round (in the worse half, below 80 % of the best), so no more runs; --full makes \
them all";

/// What is said where nothing was swept.
pub(crate) const ONE_POINT: &str =
    "one point alone: there was nothing to sweep. Several values make a sweep: --sweep workers=1..8";

/// Marks of points.
pub(in crate::report) const SUSPECT: &str = "SUSPECT";
pub(in crate::report) const ALL_FAILED: &str = "ALL FAILED";
const NO_MORE_RUNS: &str = "dropped";

/// What is to be known of a point before its figures are believed.
pub(in crate::report) fn marks(point: &Point) -> impl Iterator<Item = &'static str> {
    let marks =
        [(!point.suspect.is_empty(), SUSPECT), (point.dropped, NO_MORE_RUNS), (point.all_failed.is_some(), ALL_FAILED)];
    marks.into_iter().filter_map(|(has, mark)| has.then_some(mark))
}

/// What an arm is advised.
pub(in crate::report) fn headline(tuning: &Tuning) -> String {
    let next = match (tuning.advice, tuning.next) {
        (Advice::Rising { .. }, Some(next)) => format!(". Try {next}"),
        _ => String::new(),
    };
    format!("{}{next}", tuning.headline())
}

/// The law of its rates with its intervals and where it may be trusted, or why there is none.
pub(in crate::report) fn fit(tuning: &Tuning) -> String {
    match &tuning.fit {
        Ok(fit) => fit.to_string(),
        Err(none) => none.to_string(),
    }
}

/// Of which points no more runs were made, and why.
pub(in crate::report) fn dropped(results: &SweepResults) -> Option<String> {
    let of = |(arm, counts): (&SweptArm, Vec<u32>)| {
        let counts: Vec<String> = counts.iter().map(|count| format!("×{count}")).collect();
        format!("{} {}", clean::line(&arm.spec.name), counts.join(" "))
    };
    let all: Vec<String> = results.dropped().map(of).collect();
    (!all.is_empty()).then(|| format!("{}: {DROPPED}", all.join(", ")))
}

/// The arms against the baseline, a sentence each.
pub(in crate::report) fn comparisons(results: &SweepResults) -> Vec<String> {
    let one = |(baseline, arm, found)| {
        let mut out = String::new();
        compared(&mut out, baseline, arm, &found, Paint(false));
        out.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
    };
    results.compared().map(one).collect()
}

/// An arm against the baseline.
pub(super) fn compared(out: &mut String, baseline: &SweptArm, arm: &SweptArm, found: &AtCounts, paint: Paint) {
    let name = |arm: &SweptArm, workers| format!("{} ×{workers}", clean::line(&arm.spec.name));
    let names = (name(arm, found.arm), name(baseline, found.baseline));
    let Comparison { ratio, ci95, always_valid, rank_p, pairs, suspect, .. } = found.comparison;
    let finding = found.finding;
    let apart = matches!(found.basis, Basis::Apart);
    finding_line(
        out,
        (&names.0, &names.1),
        Found { finding, ratio, ci95, always_valid, rank_p, pairs, suspect, apart },
        || Some("they have no pair of runs".to_owned()),
        paint,
    );
    let one_count = [baseline, arm].iter().all(|arm| arm.tuning.points.len() <= 1);
    let about = match found.basis {
        Basis::Best | Basis::Equal if one_count => "each with the workers that it has",
        Basis::Apart if one_count => "measured at different times, which the interval allows for",
        Basis::Best => "each with its best count",
        Basis::Equal => "with equal counts, at which both together did most",
        Basis::Apart => "each with its best count, measured at different times, which the interval allows for",
    };
    let about = match found.taken_back() {
        Some(asked) => format!("{about}; it differs by itself, and not as one of {asked} comparisons (Holm)"),
        None => about.to_owned(),
    };
    line(out, &paint.with(Paint::DIM, &format!("  {about}")));
    out.push('\n');
}
