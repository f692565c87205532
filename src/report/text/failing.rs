//! What must not be overlooked: an aborted comparison, arms of which nothing succeeded, ratios of unequal work.

use super::{Paint, label, line, name, plural};
use crate::analysis::failing::AllFailed;
use crate::analysis::futile;
use crate::analysis::verdict::Verdict;
use crate::report::ending::{Ending, Partial, how_far};
use crate::report::{ArmResult, Results, clean, units};
use crate::workload::model::StartMethod;

/// Says so at the top if not everything was made.
pub(in crate::report) fn aborted(out: &mut String, ending: &Ending, paint: Paint) {
    if let Some(reason) = ending.aborted() {
        let word = paint.with(Paint::BAD, "ABORTED");
        // Another arm than the one that broke has had all its runs.
        let when = if matches!(ending, Ending::Broken(_)) { "all the same" } else { "until then" };
        line(out, &format!("{word}: {}; what follows is what was measured {when}", clean::line(&reason)));
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

/// What is to be known beside the verdicts, each once.
pub(super) fn of_verdicts(out: &mut String, results: &Results, verdicts: &[Verdict], paint: Paint) {
    let mut said: Vec<String> = Vec::new();
    for verdict in verdicts {
        let mut lines = String::new();
        unsuccessful(&mut lines, results, verdict, paint);
        start_methods(&mut lines, results, verdict, paint);
        interpreters(&mut lines, results, verdict, paint);
        for text in lines.lines().filter(|text| !text.is_empty()) {
            if !said.iter().any(|before| before == text) {
                line(out, text);
                said.push(text.to_owned());
            }
        }
    }
}

/// Of tasks that had to time out again when they were tried again.
pub(super) fn futile_retries(out: &mut String, results: &Results, paint: Paint) {
    for arm in &results.arms {
        for found in futile::futile_retries(&results.workload, &arm.runs) {
            let cannot_help = paint.with(Paint::WARN, "retries cannot help");
            let (attempts, tasks) = (plural(found.attempts, "retry"), plural(found.tasks, "task"));
            let attempts = attempts.replace("retrys", "retries");
            let tasks = if found.at_least { format!("at least {tasks}") } else { tasks };
            line(
                out,
                &format!(
                    "! {}, {}: {cannot_help} {tasks} ({attempts} timed out again): their time is drawn, is not below the timeout \
                     of {}, and is the same in every attempt; with `redraw: true` in `retries` it is drawn anew",
                    label(&arm.spec),
                    clean::line(&found.class),
                    units::duration(found.timeout),
                ),
            );
        }
    }
}

/// Beside a ratio: of which arm so much did not succeed that it is no ratio of equal work.
fn unsuccessful(out: &mut String, results: &Results, verdict: &Verdict, paint: Paint) {
    // Without a ratio its reason was told already.
    for found in verdict.unsuccessful.iter().filter(|_| verdict.ratio.is_some()) {
        let words =
            format!("{} of the tasks of {} did not succeed", units::percent(found.share), name(results, found.arm));
        line(out, &format!("! {}", paint.with(Paint::WARN, &words)));
    }
}

/// Beside a ratio: that the processes of its arms come to be in different ways, which is part of what is compared.
fn start_methods(out: &mut String, results: &Results, verdict: &Verdict, paint: Paint) {
    let of = |arm: usize| results.arms.get(arm).and_then(ArmResult::start_method).map(StartMethod::word);
    if let (Some(arm), Some(baseline)) = (of(verdict.arm), of(verdict.baseline))
        && arm != baseline
        && verdict.ratio.is_some()
    {
        let (one, other) = (name(results, verdict.arm), name(results, verdict.baseline));
        let words = format!("processes start differently: {one} {arm}, {other} {baseline}");
        line(out, &format!("! {}", paint.with(Paint::WARN, &words)));
    }
}

/// Beside a ratio: that its arms are run by different interpreters, whose own speed is then a part of what is compared.
fn interpreters(out: &mut String, results: &Results, verdict: &Verdict, paint: Paint) {
    let of = |arm: usize| results.arms.get(arm).and_then(|arm| arm.spec.interpreter.as_ref());
    if let (Some(arm), Some(baseline)) = (of(verdict.arm), of(verdict.baseline))
        && !arm.is_like(baseline)
        && verdict.ratio.is_some()
    {
        let (one, other) = (name(results, verdict.arm), name(results, verdict.baseline));
        let [arm, baseline] = [arm, baseline].map(|found| clean::line(&found.words()).into_owned());
        let words = format!("interpreters differ: {one} {arm}, {other} {baseline}");
        line(out, &format!("! {}", paint.with(Paint::WARN, &words)));
    }
}

/// Runs that were cut off, where there are whole ones that are shown instead.
pub(super) fn partial_runs(out: &mut String, results: &Results, paint: Paint) {
    for arm in &results.arms {
        let Some(partial) = &arm.partial else { continue };
        cut_off(out, &label(&arm.spec), partial, paint);
    }
}

/// Runs that are in no figure: how many, and why.
pub(super) fn touched_runs(out: &mut String, results: &Results, paint: Paint) {
    for arm in results.arms.iter().filter(|arm| arm.touched > 0) {
        let not_counted = paint.with(Paint::WARN, "not counted");
        let (runs, them) = (plural(arm.touched.into(), "whole run"), if arm.touched == 1 { "it" } else { "them" });
        let hand = format!("a key changed something in {them}: workers, a pause, a kill, a fault or on_timeout");
        line(out, &format!("! {}, {runs} {not_counted}: {hand}", label(&arm.spec)));
    }
}

/// A run that was cut off.
pub(in crate::report) fn cut_off(out: &mut String, label: &str, partial: &Partial, paint: Paint) {
    let how_far = paint.with(Paint::WARN, &how_far(&partial.run).unwrap_or_default());
    let left = partial.left.map(|left| format!("; {left}")).unwrap_or_default();
    line(out, &format!("! {label}, {}: {how_far}{left}; not counted", partial.run.run));
}
