//! Results as text for people: one column for each arm, then what follows from the figures, then what went wrong.

pub(in crate::report) mod failing;
mod figures;
pub(in crate::report) mod table;

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::analysis::lints::together;
use crate::analysis::verdict::{Finding, Verdict};
use crate::engine::event::Severity;
use crate::engine::outcome::AttemptReport;
use crate::metrics::log::tells_of_strays;
use crate::metrics::snapshot::Note;
use crate::os::host::Host;
use crate::report::{ArmResult, Results, clean, settings, units};
use crate::workload::model::{EngineSpec, Workload};

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TextOptions {
    /// Whether colours are used; everything they say is said in words too.
    pub(crate) colour: bool,
    /// Columns of the terminal or page. Arms that do not fit beside each other come below each other.
    pub(crate) width: usize,
    /// Unsuccessful attempts that are told in full.
    pub(crate) attempts: usize,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self { colour: false, width: 100, attempts: FAILURES }
    }
}

/// Failures that are told in full.
const FAILURES: usize = 5;
/// Warnings of one run that are told.
const NOTES: usize = 3;
/// Lines of a failed task's standard error.
const LINES: usize = 4;

/// The whole report, with a newline at its end.
#[must_use]
pub(crate) fn render(results: &Results, options: TextOptions) -> String {
    let paint = Paint(options.colour);
    let mut out = String::new();
    // Verdicts are about counted runs alone.
    let verdicts = results.verdicts();
    let shown = &results.shown();
    let tasks = shown.arms.iter().flat_map(|arm| &arm.runs).map(|run| run.total).max();
    header(&mut out, (&shown.workload, &shown.host, &shown.stream_hash), tasks, paint);
    failing::aborted(&mut out, &results.ending, paint);
    figures::write(&mut out, shown, options, paint);
    failing::all_failed(&mut out, results, paint);
    for verdict in verdicts {
        out.push('\n');
        verdict_line(&mut out, results, &verdict, paint);
        failing::unsuccessful(&mut out, results, &verdict, paint);
    }
    failing::sharing_cores(&mut out, results, paint);
    failing::partial_runs(&mut out, results, paint);
    let results = shown;
    remarks(&mut out, results, paint);
    out.push('\n');
    same_results(&mut out, results, paint);
    conservation(&mut out, results, paint);
    failures(&mut out, results, options.attempts, paint);
    out
}

/// Colours, or none.
#[derive(Clone, Copy, Debug)]
pub(in crate::report) struct Paint(pub bool);

impl Paint {
    pub(crate) const BOLD: Style = Style::new().bold();
    pub(crate) const DIM: Style = Style::new().dimmed();
    pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
    pub(crate) const WARN: Style = AnsiColor::Yellow.on_default().bold();
    pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();

    pub(crate) fn with(self, style: Style, text: &str) -> String {
        if self.0 { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// What marks an arm wherever it appears: the shape of its kind, and its name.
pub(in crate::report) fn label(spec: &EngineSpec) -> String {
    format!("{} {}", spec.kind.row().signs[0], clean::line(&spec.name))
}

fn name(results: &Results, arm: usize) -> String {
    results.arms.get(arm).map_or_else(|| "?".to_owned(), |arm| clean::line(&arm.spec.name).into_owned())
}

/// What was run, and where: a workload, a host and the hash of the stream.
pub(in crate::report) fn header(
    out: &mut String,
    (workload, host, stream_hash): (&Workload, &Host, &str),
    tasks: Option<u64>,
    paint: Paint,
) {
    let title = clean::line(&workload.title);
    let name = clean::line(&workload.name);
    line(
        out,
        &if title == name {
            paint.with(Paint::BOLD, &name)
        } else {
            format!("{}: {title}", paint.with(Paint::BOLD, &name))
        },
    );
    let tasks = tasks.map_or_else(|| "no run was finished".to_owned(), |tasks| plural(tasks, "task"));
    let mut cores = format!("{} usable", plural(u64::from(host.usable_cores()), "core"));
    if host.usable_cores() != host.cores_online {
        let quota = host.cores_quota.map_or_else(|| "none".to_owned(), |quota| format!("{quota:.1}"));
        let _ = write!(cores, " ({} online, affinity {}, quota {quota})", host.cores_online, host.cores_affinity);
    }
    let facts = [
        tasks,
        format!("seed {}", workload.seed),
        format!("stream {}", stream_hash.get(..8).unwrap_or(stream_hash)),
        format!("{}: {cores}", clean::line(&host.name)),
    ];
    line(out, &paint.with(Paint::DIM, &facts.join(" · ")));
    out.push('\n');
}

/// The verdict in plain words, from the point of view of the arm that is ahead.
fn verdict_line(out: &mut String, results: &Results, verdict: &Verdict, paint: Paint) {
    let count = |arm: usize| results.arms.get(arm).map(|arm| arm.workers);
    let (arm, baseline) = (name(results, verdict.arm), name(results, verdict.baseline));
    let (arm, baseline) = match (count(verdict.arm), count(verdict.baseline)) {
        // Where the counts differ they are part of what is compared.
        (Some(one), Some(other)) if one != other => (format!("{arm} ×{one}"), format!("{baseline} ×{other}")),
        _ => (arm, baseline),
    };
    let found = (verdict.finding, verdict.ratio, verdict.ci95, verdict.pairs);
    finding_line(out, (&arm, &baseline), found, verdict.apart, || results.no_pair_because(verdict), paint);
}

/// What came out of a comparison of an arm with a baseline: a finding, a ratio, its interval and the pairs of runs.
pub(in crate::report) fn finding_line(
    out: &mut String,
    (arm, baseline): (&str, &str),
    (finding, ratio, ci95, pairs): (Finding, Option<f64>, Option<(f64, f64)>, usize),
    apart: bool,
    no_pair_because: impl FnOnce() -> Option<String>,
    paint: Paint,
) {
    let count = pairs;
    let pairs = match apart {
        true => format!("{} each, measured apart", plural(pairs as u64, "run")),
        false => format!("{} of runs", plural(pairs as u64, "pair")),
    };
    let sure = |low: f64, high: f64| format!("95 % CI {}–{}, {pairs}", units::factor(low), units::factor(high));
    let (headline, rest) = match (finding, ratio, ci95) {
        (Finding::Faster, Some(ratio), Some((low, high))) => {
            (format!("{arm} is {} faster than {baseline}", units::ratio(ratio)), format!(" ({})", sure(low, high)))
        }
        (Finding::Slower, Some(ratio), Some((low, high))) => (
            format!("{baseline} is {} faster than {arm}", units::ratio(1.0 / ratio)),
            format!(" ({})", sure(1.0 / high, 1.0 / low)),
        ),
        (Finding::NoClearDifference, Some(ratio), Some((low, high))) => (
            format!("no clear difference between {arm} and {baseline}"),
            format!(": ratio {} ({})", units::factor(ratio), sure(low, high)),
        ),
        (_, Some(ratio), _) if count > 0 => (
            format!("too early to compare {arm} with {baseline}"),
            format!(
                ": ratio {} of one pair of runs, two are needed to tell chance from difference",
                units::factor(ratio)
            ),
        ),
        _ => (
            format!("{arm} cannot be compared with {baseline}"),
            no_pair_because().map_or_else(String::new, |reason| format!(": {reason}")),
        ),
    };
    let style = match finding {
        Finding::Faster | Finding::Slower => Paint::BOLD,
        Finding::NoClearDifference | Finding::TooEarly => Paint::WARN,
    };
    line(out, &format!("{}{rest}", paint.with(style, &headline)));
}

/// What the runs of each arm show, and which runs are suspect.
fn remarks(out: &mut String, results: &Results, paint: Paint) {
    let cores = Some(results.host.usable_cores());
    for arm in &results.arms {
        let placed = settings::of_placement(&arm.spec.placement).join(", ");
        if !placed.is_empty() {
            line(out, &format!("  {}: its processes run {placed}", label(&arm.spec)));
        }
        for lint in together(arm.runs.iter().map(AsRef::as_ref), cores) {
            line(out, &format!("  {}", lint.sentence(&label(&arm.spec))));
        }
        for (run, number) in arm.runs.iter().zip(1..) {
            for reason in &run.suspect {
                let word = paint.with(Paint::WARN, "SUSPECT");
                line(out, &format!("! {}, run {number}: {word}: {}", label(&arm.spec), clean::line(reason)));
            }
            let last = run.notes.iter().rev().find(|note| tells_of_strays(note));
            if let Some(note) = last {
                line(out, &format!("! {}, run {number}: {}", label(&arm.spec), clean::line(&note.text)));
            }
            let grave = |note: &&Note| note.severity >= Severity::Warning && !tells_of_strays(note);
            for note in run.notes.iter().filter(grave).take(NOTES) {
                let at = units::duration(note.at.elapsed());
                line(out, &format!("! {}, run {number}, after {at}: {}", label(&arm.spec), clean::line(&note.text)));
            }
        }
    }
}

/// Equal tasks must have equal results, whatever executes them.
fn same_results(out: &mut String, results: &Results, paint: Paint) {
    let complete = |arm: &ArmResult| -> Vec<u64> {
        let runs = arm.runs.iter().filter(|run| run.counts.succeeded == run.total && run.total > 0);
        runs.map(|run| run.results_hash).collect()
    };
    let hashes: Vec<u64> = results.arms.iter().flat_map(complete).collect();
    let [first, others @ ..] = hashes.as_slice() else { return };
    if others.iter().all(|hash| hash == first) {
        if !others.is_empty() {
            let runs = plural(hashes.len() as u64, "complete run");
            let check = paint.with(Paint::GOOD, "✓");
            line(out, &format!("{check} same results in {runs} (hash {first:016x})"));
        }
    } else {
        let mark = paint.with(Paint::BAD, "✗ RESULTS DIFFER");
        line(out, &format!("{mark} between runs of the same tasks: {}", summary_of(&hashes)));
    }
}

fn summary_of(hashes: &[u64]) -> String {
    let mut different = hashes.to_vec();
    different.sort_unstable();
    different.dedup();
    let shown: Vec<String> = different.iter().take(4).map(|hash| format!("{hash:016x}")).collect();
    shown.join(", ")
}

/// Every task is in exactly one state: the sums, and whether they add up.
fn conservation(out: &mut String, results: &Results, paint: Paint) {
    let width = results.arms.iter().map(|arm| table::width(&label(&arm.spec))).max().unwrap_or(0);
    for arm in results.arms.iter().filter(|arm| !arm.runs.is_empty()) {
        let counts = figures::totals(arm);
        let timed_out = match (counts.queue_timed_out, counts.wait_timed_out) {
            (0, 0) => "timed out".to_owned(),
            (queued, 0) => format!("timed out ({queued} of them in the queue)"),
            (0, waited) => format!("timed out ({waited} of their callers gave up)"),
            (queued, waited) => {
                format!("timed out ({queued} of them in the queue, {waited} of their callers gave up)")
            }
        };
        let states = [
            (counts.queued, "queued"),
            (counts.running, "running"),
            (counts.succeeded, "succeeded"),
            (counts.failed, "failed"),
            (counts.timed_out, timed_out.as_str()),
            (counts.lost, "lost"),
            (counts.cancelled, "cancelled"),
            (counts.dropped, "dropped"),
        ];
        // The law names all states; those that no task is in add nothing.
        let mut terms: Vec<String> =
            states.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        if terms.is_empty() {
            terms.push("0".to_owned());
        }
        let (mark, equals) = if counts.conserved() {
            (paint.with(Paint::GOOD, "✓"), "=")
        } else {
            (paint.with(Paint::BAD, "✗"), "≠")
        };
        let label = table::pad(&label(&arm.spec), width);
        line(out, &format!("{mark} {label}  {} submitted {equals} {}", counts.submitted, terms.join(" + ")));
    }
}

/// The first unsuccessful attempts, and how many there are in all.
fn failures(out: &mut String, results: &Results, most: usize, paint: Paint) {
    let all = results.arms.iter().flat_map(|arm| {
        let runs = arm.runs.iter().zip(1..);
        runs.flat_map(move |(run, number)| run.failures.iter().map(move |report| (arm, number, report)))
    });
    let total: u64 = results.arms.iter().map(figures::totals).map(|sum| sum.unsuccessful() + sum.retries).sum();
    for (place, (arm, run, report)) in all.take(most).enumerate() {
        if place == 0 {
            let shown = if total > most as u64 { format!(" (the first {most} of {total})") } else { String::new() };
            let _ = write!(out, "\n{}{shown}\n", paint.with(Paint::BOLD, "Unsuccessful attempts"));
        }
        failure(out, results, arm, run, report, paint);
    }
}

fn failure(out: &mut String, results: &Results, arm: &ArmResult, run: usize, report: &AttemptReport, paint: Paint) {
    let class = results.workload.classes.get(usize::from(report.class)).map_or("?", |class| &class.name);
    let attempt = if report.attempts_allowed > 1 {
        format!(", attempt {} of {}", report.attempt, report.attempts_allowed)
    } else {
        String::new()
    };
    let outcome = report.outcome.word().replace('_', " ");
    let outcome = if report.retried { format!("{outcome}, tried again") } else { outcome };
    let cause = report.cause.to_string();
    line(
        out,
        &format!(
            "  {}, run {run}, task {} ({}){attempt}: {}: {}",
            label(&arm.spec),
            report.index,
            clean::line(class),
            paint.with(Paint::BAD, &outcome),
            clean::line(&cause)
        ),
    );
    for text in clean::last_lines(&report.stderr_tail, LINES) {
        line(out, &paint.with(Paint::DIM, &format!("    | {text}")));
    }
}

pub(in crate::report) fn plural(count: u64, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

pub(in crate::report) fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

#[cfg(test)]
mod tests;
