//! What must not be overlooked: an aborted comparison, arms of which nothing succeeded, ratios of unequal work.

use super::{Paint, label, line, name};
use crate::analysis::failing::AllFailed;
use crate::analysis::verdict::Verdict;
use crate::report::ending::{Ending, Partial, how_far};
use crate::report::{Results, clean, units};

/// Says so at the top if not everything was made.
pub(in crate::report) fn aborted(out: &mut String, ending: &Ending, paint: Paint) {
    if let Some(reason) = ending.aborted() {
        let word = paint.with(Paint::BAD, "ABORTED");
        line(out, &format!("{word}: {}; what follows is what was measured until then", clean::line(&reason)));
        out.push('\n');
    }
}

/// Instead of a verdict.
pub(super) fn sharing_cores(out: &mut String, results: &Results, paint: Paint) {
    if results.sharing_cores {
        let words = paint.with(Paint::WARN, "not a measurement");
        line(out, &format!("\ntogether: the arms shared the cores; this is {words}"));
    }
}

/// One line for each arm of which not one task succeeded.
pub(super) fn all_failed(out: &mut String, results: &Results, paint: Paint) {
    for (place, (arm, found)) in results.all_failed().enumerate() {
        if place == 0 {
            out.push('\n');
        }
        nothing_succeeded(out, &label(&arm.spec), &found, paint);
    }
}

/// Says so of one.
pub(in crate::report) fn nothing_succeeded(out: &mut String, label: &str, found: &AllFailed, paint: Paint) {
    let words = format!("ALL {} TASKS FAILED: {}", found.tasks, clean::line(&found.cause));
    line(out, &format!("✗ {label}: {}", paint.with(Paint::BAD, &words)));
}

/// Beside a ratio: of which arm so much did not succeed that it is no ratio of equal work.
pub(super) fn unsuccessful(out: &mut String, results: &Results, verdict: &Verdict, paint: Paint) {
    // Without a ratio its reason was told already.
    for found in verdict.unsuccessful.iter().filter(|_| verdict.ratio.is_some()) {
        let words =
            format!("{} of the tasks of {} did not succeed", units::percent(found.share), name(results, found.arm));
        line(out, &format!("! {}", paint.with(Paint::WARN, &words)));
    }
}

/// Runs that were cut off, where there are whole ones that are shown instead.
pub(super) fn partial_runs(out: &mut String, results: &Results, paint: Paint) {
    for arm in &results.arms {
        let Some(partial) = &arm.partial else { continue };
        cut_off(out, &label(&arm.spec), partial, arm.runs.len(), paint);
    }
}

/// A run that was cut off after so many whole ones.
pub(in crate::report) fn cut_off(out: &mut String, label: &str, partial: &Partial, whole: usize, paint: Paint) {
    let how_far = paint.with(Paint::WARN, &how_far(&partial.run).unwrap_or_default());
    let number = if partial.warmup { "warm-up".to_owned() } else { format!("run {}", whole + 1) };
    line(out, &format!("! {label}, {number}: {how_far}; not counted"));
}
