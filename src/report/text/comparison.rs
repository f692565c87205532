//! What came out of a comparison: who is faster, by how much, and how sure that is.

use std::fmt::Write as _;
use std::time::Duration;

use super::table::{fit, pad, pad_left, width};
use super::{Paint, label, line, name, plural};
use crate::analysis::latencies::{self, LatencyVerdict};
use crate::analysis::precision::{Precision, PrecisionEnd};
use crate::analysis::ranking::Best;
use crate::analysis::verdict::{Finding, P, Verdict, taken_back};
use crate::report::{Results, units};
use crate::workload::units::format_duration;

/// Columns that a name has in a table.
const NAME: usize = 24;

/// A finding, a ratio and what it rests on.
#[derive(Clone, Copy, Debug)]
pub(in crate::report) struct Found {
    pub(in crate::report) finding: Finding,
    pub(in crate::report) ratio: Option<f64>,
    pub(in crate::report) ci95: Option<(f64, f64)>,
    pub(in crate::report) always_valid: bool,
    pub(in crate::report) rank_p: Option<f64>,
    pub(in crate::report) pairs: usize,
    pub(in crate::report) suspect: usize,
    pub(in crate::report) apart: bool,
}

impl From<&Verdict> for Found {
    fn from(verdict: &Verdict) -> Self {
        let Verdict { finding, ratio, ci95, always_valid, rank_p, pairs, suspect, apart, .. } = *verdict;
        Self { finding, ratio, ci95, always_valid, rank_p, pairs, suspect, apart }
    }
}

/// Two arms in a sentence each, more of them in a table.
pub(super) fn write(out: &mut String, results: &Results, verdicts: &[Verdict], columns: usize, paint: Paint) {
    match verdicts {
        [] => {}
        [verdict] => {
            out.push('\n');
            verdict_line(out, results, verdict, paint);
        }
        several => {
            out.push('\n');
            table(out, results, several, columns, paint);
            best_line(out, results, paint);
        }
    }
    if let Some(precision) = results.precision {
        precision_line(out, results, precision, paint);
    }
}

/// The names of the two arms of a comparison. Where their worker counts differ those are part of what is compared.
pub(super) fn names(results: &Results, arm: usize, baseline: usize) -> (String, String) {
    let count = |arm: usize| results.arms.get(arm).map(|arm| arm.workers);
    let (arm_name, baseline_name) = (name(results, arm), name(results, baseline));
    match (count(arm), count(baseline)) {
        (Some(one), Some(other)) if one != other => (format!("{arm_name} ×{one}"), format!("{baseline_name} ×{other}")),
        _ => (arm_name, baseline_name),
    }
}

/// The verdict in plain words, from the point of view of the arm that is ahead.
fn verdict_line(out: &mut String, results: &Results, verdict: &Verdict, paint: Paint) {
    let (arm, baseline) = names(results, verdict.arm, verdict.baseline);
    finding_line(out, (&arm, &baseline), verdict.into(), || results.no_pair_because(verdict), paint);
}

/// What came out of a comparison of an arm with a baseline.
pub(in crate::report) fn finding_line(
    out: &mut String,
    (arm, baseline): (&str, &str),
    found: Found,
    no_pair_because: impl FnOnce() -> Option<String>,
    paint: Paint,
) {
    let Found { finding, ratio, ci95, always_valid, rank_p, pairs: count, suspect, apart } = found;
    let pairs = match apart {
        true => format!("{} each, measured apart", plural(count as u64, "run")),
        false => format!("{} of runs", plural(count as u64, "pair")),
    };
    let pairs = if suspect > 0 { format!("{pairs}, {suspect} of them suspect") } else { pairs };
    let ranks = rank_p.map_or(String::new(), |p| format!(", rank test p {}", p_value(p)));
    let sure = |low: f64, high: f64| {
        format!("{} {}–{}, {pairs}{ranks}", interval_name(always_valid), units::factor(low), units::factor(high))
    };
    let (headline, rest) = match (finding, ratio, ci95) {
        (Finding::Faster, Some(ratio), Some((low, high))) => {
            (format!("{arm} is {} as fast as {baseline}", units::ratio(ratio)), format!(" ({})", sure(low, high)))
        }
        (Finding::Slower, Some(ratio), Some((low, high))) => (
            format!("{baseline} is {} as fast as {arm}", units::ratio(1.0 / ratio)),
            format!(" ({})", sure(1.0 / high, 1.0 / low)),
        ),
        (Finding::NoClearDifference, Some(ratio), Some((low, high))) => (
            format!("no clear difference between {arm} and {baseline}"),
            format!(": ratio {} ({})", units::factor(ratio), sure(low, high)),
        ),
        (_, Some(ratio), _) if count > 0 => {
            let so_many = if count == 1 { "one pair" } else { "two pairs" };
            // As many as tell it however they were added, so that the number does not grow with them.
            (
                format!("too early to compare {arm} with {baseline}"),
                format!(
                    ": ratio {} of {so_many} of runs; three or more tell chance from difference (--repeats 3)",
                    units::factor(ratio)
                ),
            )
        }
        _ => (
            format!("{arm} cannot be compared with {baseline}"),
            no_pair_because().map_or_else(String::new, |reason| format!(": {reason}")),
        ),
    };
    let doubt = if suspect > 0 { paint.suspect() } else { String::new() };
    line(out, &format!("{doubt}{}{rest}", paint.with(style(finding), &headline)));
}

/// Behind a verdict on suspect runs.
pub(super) fn marked(word: String, suspect: usize) -> String {
    if suspect > 0 { format!("{word} SUSPECT") } else { word }
}

pub(super) fn style(finding: Finding) -> anstyle::Style {
    match finding {
        Finding::Faster | Finding::Slower => Paint::BOLD,
        Finding::NoClearDifference | Finding::TooEarly => Paint::WARN,
    }
}

pub(super) fn word(finding: Finding) -> &'static str {
    match finding {
        Finding::Faster => "faster",
        Finding::Slower => "slower",
        Finding::NoClearDifference => "no clear difference",
        Finding::TooEarly => "too early",
    }
}

/// What an interval is called: by how often it holds.
pub(super) fn interval_name(always_valid: bool) -> &'static str {
    if always_valid { "always-valid 95 % CI" } else { "95 % CI" }
}

fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("= {p:.3}") }
}

/// Each arm against the baseline, one row each, in at most so many columns: what does not fit is left out, the least
/// important first.
fn table(out: &mut String, results: &Results, verdicts: &[Verdict], most: usize, paint: Paint) {
    let Some(first) = verdicts.first() else { return };
    let ranks = verdicts.iter().any(|verdict| verdict.rank_p.is_some());
    let asked = verdicts.iter().find_map(|verdict| verdict.p).map_or(verdicts.len(), |p| p.comparisons);
    let p = |p: Option<P>| p.map_or("–".to_owned(), |p| p_value(p.corrected).trim_start_matches("= ").to_owned());
    let mut rows: Vec<Vec<String>> = vec![vec![
        format!("against {}", fit(&name(results, first.baseline), NAME)),
        "ratio".to_owned(),
        interval_name(first.always_valid).to_owned(),
        "pairs".to_owned(),
        format!("p of {asked}"),
        if ranks { "rank p" } else { "" }.to_owned(),
    ]];
    rows.extend(verdicts.iter().map(|verdict| {
        let arm = results.arms.get(verdict.arm);
        let interval = verdict.ci95.map(|(low, high)| format!("{}–{}", units::factor(low), units::factor(high)));
        vec![
            arm.map_or_else(String::new, |arm| format!("{} ×{}", fit(&label(&arm.spec), NAME), arm.workers)),
            verdict.ratio.map_or("–".to_owned(), units::ratio),
            interval.unwrap_or("–".to_owned()),
            verdict.pairs.to_string(),
            p(verdict.p),
            verdict.rank_p.map_or_else(String::new, |p| p_value(p).trim_start_matches("= ").to_owned()),
        ]
    }));
    let said = |verdict: &Verdict| {
        let because = results.no_pair_because(verdict);
        let found = || marked(word(verdict.finding).to_owned(), verdict.suspect);
        because.map_or_else(found, |reason| format!("not compared: {reason}"))
    };
    let mut widths: Vec<usize> = (0..6).map(|at| rows.iter().map(|row| width(&row[at])).max().unwrap_or(0)).collect();
    let found = |verdict: &Verdict| width(&marked(word(verdict.finding).to_owned(), verdict.suspect));
    let words = verdicts.iter().map(found).max().unwrap_or(0);
    for least_important in [5, 4, 3, 2] {
        let whole: usize = widths.iter().filter(|columns| **columns > 0).map(|columns| columns + 2).sum();
        if whole + words + 2 > most {
            widths[least_important] = 0;
        }
    }
    for (place, row) in rows.iter().enumerate() {
        let mut text = String::from("  ");
        for (column, (cell, columns)) in row.iter().zip(&widths).enumerate().filter(|(_, (_, columns))| **columns > 0) {
            let cell = if column == 0 { pad(cell, *columns) } else { pad_left(cell, *columns) };
            let _ = write!(text, "{cell}  ");
        }
        let verdict = place.checked_sub(1).and_then(|place| verdicts.get(place));
        let verdict = verdict.map(|verdict| paint.with(style(verdict.finding), &said(verdict)));
        line(out, format!("{text}{}", verdict.unwrap_or("verdict".to_owned())).trim_end());
    }
    for verdict in verdicts.iter().filter(|verdict| verdict.taken_back().is_some()) {
        let (arm, _) = names(results, verdict.arm, verdict.baseline);
        line(out, &format!("  {arm}: its interval is of one question; with {asked} at once 1 is not excluded (Holm)"));
    }
}

pub(super) fn excludes_one(interval: Option<(f64, f64)>) -> bool {
    interval.is_some_and(|(low, high)| low > 1.0 || high < 1.0)
}

/// Which arm is the best, and which ones are as good as far as can be told.
fn best_line(out: &mut String, results: &Results, paint: Paint) {
    let Some(Best { arm, ties, open, suspect }) = results.best() else { return };
    let list = |arms: &[usize]| arms.iter().map(|arm| name(results, *arm)).collect::<Vec<_>>().join(", ");
    // What is the best is told only where the others are told apart from it.
    let head = if ties.is_empty() && open.is_empty() { "best" } else { "highest rate" };
    let doubt = if suspect { paint.suspect() } else { String::new() };
    let mut words = format!("{doubt}{}", paint.with(Paint::BOLD, &format!("{head}: {}", name(results, arm))));
    if !ties.is_empty() {
        let asked = results.arms.len().saturating_sub(1);
        let _ = write!(words, "; no clear difference to it among {asked} comparisons (Holm): {}", list(&ties));
    }
    if !open.is_empty() {
        let _ = write!(words, "; too early to tell: {}", list(&open));
    }
    line(out, &words);
}

/// Why so many rounds were made.
fn precision_line(out: &mut String, results: &Results, precision: Precision, paint: Paint) {
    let Precision { wanted, reached, rounds, end } = precision;
    let reached = reached.map_or("no bound yet".to_owned(), |reached| format!("±{}", percentage(reached)));
    let rounds = plural(u64::from(rounds), "round");
    let asked = format!("±{} asked for", percentage(wanted));
    let adaptive = results.workload.measure.adaptive;
    let (words, style) = match (end, adaptive) {
        (Some(PrecisionEnd::Reached), _) => (format!("{rounds}: precise to {reached} ({asked})"), Paint::GOOD),
        (Some(PrecisionEnd::MaxRepeats), _) => (format!("{rounds} (max_repeats): {reached}, {asked}"), Paint::WARN),
        (Some(PrecisionEnd::MaxTime), Some(adaptive)) => {
            let limit = format_duration(adaptive.max_time);
            (format!("{rounds}: one more would not fit into max_time ({limit}): {reached}, {asked}"), Paint::WARN)
        }
        (Some(PrecisionEnd::Nothing), _) => (format!("{rounds}: nothing to compare; {asked}"), Paint::WARN),
        (_, _) => (format!("{rounds}, ended early: {reached}, {asked}"), Paint::WARN),
    };
    line(out, &paint.with(style, &words));
}

/// A share with the digits that matter: `2 %`, `0.35 %`.
fn percentage(share: f64) -> String {
    let percent = share * 100.0;
    let digits = if percent >= 9.95 {
        0
    } else if percent >= 0.995 {
        1
    } else {
        2
    };
    let text = format!("{percent:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} %")
}

/// A line for each arm against the baseline, and one for the best.
pub(super) fn sentences(out: &mut String, results: &Results, verdicts: &[Verdict]) {
    verdicts.iter().for_each(|verdict| verdict_line(out, results, verdict, Paint(false)));
    if verdicts.len() > 1 {
        best_line(out, results, Paint(false));
    }
}

/// Percentiles of the latency that the workload leads with, each arm against the baseline.
pub(super) fn latencies(out: &mut String, results: &Results, paint: Paint) {
    let found = results.latencies();
    for group in found.chunk_by(|one, other| one.arm == other.arm) {
        let Some(first) = group.first().filter(|_| group.iter().any(|one| one.ratio_ci95.is_some())) else { continue };
        let (arm, baseline) = names(results, first.arm, first.baseline);
        let interval = interval_name(!results.looks.is_one(first.pairs));
        let latency = latencies::name(first.from);
        line(out, &format!("{latency} of {} against {}, {interval}", fit(&arm, NAME), fit(&baseline, NAME)));
        let rows: Vec<[String; 3]> = group.iter().map(cells).collect();
        let columns = |column: usize| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0);
        for (row, verdict) in rows.iter().zip(group) {
            let [percentile, difference, ratio] = row;
            let text = format!(
                "  {}  {}  {}  {}",
                pad(percentile, columns(0)),
                pad(difference, columns(1)),
                pad(ratio, columns(2)),
                paint.with(style(verdict.finding), &words(verdict))
            );
            line(out, &text);
        }
    }
}

/// What is found, and what is not because so many are asked at once.
fn words(verdict: &LatencyVerdict) -> String {
    if let Some(tasks) = verdict.too_few {
        return format!("not judged: {tasks} a run are too few");
    }
    let word = word(verdict.finding);
    let word = match taken_back(verdict.finding, verdict.ratio_ci95, verdict.p) {
        Some(asked) => format!("{word} among {asked} comparisons (Holm)"),
        None => word.to_owned(),
    };
    marked(word, verdict.suspect)
}

fn cells(verdict: &LatencyVerdict) -> [String; 3] {
    let with = |value: Option<String>, interval: Option<String>| match (value, interval) {
        (Some(value), Some(interval)) => format!("{value} ({interval})"),
        (Some(value), None) => value,
        (None, _) => "–".to_owned(),
    };
    let difference = with(
        verdict.difference.map(signed),
        verdict.difference_ci95.map(|(low, high)| format!("{} to {}", signed(low), signed(high))),
    );
    let ratio = with(
        verdict.ratio.map(units::ratio),
        verdict.ratio_ci95.map(|(low, high)| format!("{}–{}", units::factor(low), units::factor(high))),
    );
    [format!("p{}", verdict.percentile), difference, ratio]
}

/// A difference of times: `+12 ms`, `−3.1 s`.
fn signed(seconds: f64) -> String {
    let size = units::duration(Duration::try_from_secs_f64(seconds.abs()).unwrap_or(Duration::MAX));
    let sign = if seconds < 0.0 { '−' } else { '+' };
    format!("{sign}{size}")
}

#[cfg(test)]
mod tests;
