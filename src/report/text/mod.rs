//! Results as text for people: one column for each arm, then what follows from the figures, then what went wrong.

mod classes;
pub(in crate::report) mod comparison;
pub(in crate::report) mod expectations;
pub(in crate::report) mod failing;
mod figures;
mod lessons;
mod series;
pub(crate) mod table;

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::analysis::verdict::Verdict;
use crate::engine::event::Severity;
use crate::engine::outcome::AttemptReport;
use crate::metrics::log::{self, tells_of_strays};
use crate::metrics::snapshot::{Note, RunId, Snapshot};
use crate::os::host::Host;
use crate::report::{ArmResult, Results, clean, settings, units};
use crate::workload::model::{Arrivals, EngineSpec, Workload};
use crate::workload::text::shortened;

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
/// Suspect runs of an arm that are told with their reasons.
const SUSPECTS: usize = 8;
/// Warnings of one run that are told.
const NOTES: usize = 3;
/// Lines of a traceback that are shown of a note.
const TRACE_LINES: usize = 20;
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
    lessons::description(&mut out, shown, options.width, paint);
    failing::aborted(&mut out, &results.ending, paint);
    figures::write(&mut out, shown, options, paint);
    classes::table(&mut out, shown, options.width, paint);
    failing::all_failed(&mut out, results, paint);
    comparison::write(&mut out, results, &verdicts, options.width, paint);
    failing::of_verdicts(&mut out, results, &verdicts, paint);
    comparison::latencies(&mut out, results, paint);
    classes::comparison(&mut out, results, paint);
    expectations::write(&mut out, &results.expectations(), options.width, paint);
    lessons::of_the_lock(&mut out, results, paint);
    failing::sharing_cores(&mut out, results, paint);
    failing::partial_runs(&mut out, results, paint);
    failing::touched_runs(&mut out, results, paint);
    let results = shown;
    let shown = shown_by(results, &verdicts);
    lessons::lessons(&mut out, results, !shown.is_empty(), options.width, paint);
    shown.iter().for_each(|sentence| line(&mut out, sentence));
    series::of_runs(&mut out, results, paint);
    remarks(&mut out, results, paint);
    out.push('\n');
    same_results(&mut out, results, paint);
    conservation(&mut out, results, paint);
    failures(&mut out, results, options.attempts, paint);
    failing::futile_retries(&mut out, results, paint);
    out
}

/// What follows from the runs, a sentence each: who is faster and how sure that is, which arm is the best, and why.
#[must_use]
pub(in crate::report) fn verdict_sentences(results: &Results) -> Vec<String> {
    let verdicts = results.verdicts();
    let mut out = String::new();
    comparison::sentences(&mut out, results, &verdicts);
    let shown = shown_by(results, &verdicts);
    out.lines().chain(shown.iter().map(String::as_str)).map(|line| line.trim().to_owned()).collect()
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

    /// What stands before a statement on suspect runs.
    fn suspect(self) -> String {
        format!("{} ", self.with(Self::WARN, "SUSPECT"))
    }

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

/// What the runs of each arm show.
fn shown_by(results: &Results, verdicts: &[Verdict]) -> Vec<String> {
    let of = |(index, arm): (usize, &ArmResult)| {
        let lints = results.lints(index, verdicts);
        lints.iter().map(|lint| format!("  {}", lint.sentence(&label(&arm.spec)))).collect::<Vec<_>>()
    };
    results.arms.iter().enumerate().flat_map(of).collect()
}

/// What else is worth knowing of them, which runs are suspect, and which arms are skipped.
fn remarks(out: &mut String, results: &Results, paint: Paint) {
    for arm in &results.workload.skipped {
        line(out, &format!("  {} is skipped: {}", clean::line(&arm.name), clean::line(&arm.reason)));
    }
    for arm in &results.arms {
        if let Some(found) = &arm.spec.interpreter {
            let variables: String =
                found.variables.iter().map(|(name, value)| format!(", {name}={}", shortened(value, 60))).collect();
            let label = label(&arm.spec);
            let own = || arm.start_method().map(|method| format!("start method {}", method.word()));
            let method = settings::of_start(&arm.spec).or_else(own).unwrap_or_default();
            line(out, &format!("  {label}: {}", clean::line(&format!("{}, {method}{variables}", found.words()))));
            if let Some(reason) = arm.runs.iter().find_map(|run| run.not_forked()) {
                line(out, &format!("! {label}: its workers are not forked: {}", clean::line(reason)));
            }
        }
        let limited = results.workload.classes.iter().any(|class| class.timeout.is_some());
        if limited && arm.spec.kind.shares_process() {
            let what = "a task beyond its timeout is given up and goes on as a ghost: a thread cannot be killed";
            line(out, &format!("  {}: {what}", label(&arm.spec)));
        }
        let placed = settings::of_placement(&arm.spec.placement).join(", ");
        if !placed.is_empty() {
            line(out, &format!("  {}: its processes run {placed}", label(&arm.spec)));
        }
        if let Some(words) = dropped(results, arm) {
            line(out, &format!("! {}: {words}", label(&arm.spec)));
        }
        let suspects = arm.runs.iter().filter(|run| !run.suspect.is_empty()).count();
        let mut told = 0;
        for run in &arm.runs {
            let id = run.run;
            let word = paint.with(Paint::WARN, "SUSPECT");
            told += usize::from(!run.suspect.is_empty());
            for reason in run.suspect.iter().filter(|_| told <= SUSPECTS) {
                line(out, &format!("! {}, {id}: {word}: {}", label(&arm.spec), clean::line(reason)));
            }
            if !run.suspect.is_empty() && told == SUSPECTS + 1 {
                line(
                    out,
                    &format!(
                        "! {}: and {} more: {word}",
                        label(&arm.spec),
                        plural((suspects - SUSPECTS) as u64, "run")
                    ),
                );
            }
            let last = run.notes.iter().rev().find(|note| tells_of_strays(note));
            if let Some(note) = last {
                line(out, &format!("! {}, {id}: {}", label(&arm.spec), clean::line(&note.text)));
            }
            let grave = |note: &&Note| note.severity >= Severity::Warning && !tells_of_strays(note);
            for note in run.notes.iter().filter(grave).take(NOTES) {
                let at = units::duration(note.at.elapsed());
                let (text, trace) = note.text.split_once('\n').unwrap_or((&note.text, ""));
                line(out, &format!("! {}, {id}, after {at}: {}", label(&arm.spec), clean::line(text)));
                for text in trace.lines().take(TRACE_LINES) {
                    line(out, &format!("    {}", clean::line(text)));
                }
            }
        }
    }
}

/// How many arrivals an arm turned away, and by which of its limits.
fn dropped(results: &Results, arm: &ArmResult) -> Option<String> {
    let count = figures::totals(arm).dropped;
    let Arrivals::Open(open) = &results.workload.arrivals else { return None };
    let flight = open.max_in_flight.map(|most| format!("max_in_flight {most}"));
    let queue = arm.spec.queue_capacity.map(|most| format!("queue_capacity {most}"));
    let limits: Vec<String> = flight.into_iter().chain(queue).collect();
    let words = if count == 1 { "1 arrival was".to_owned() } else { format!("{count} arrivals were") };
    (count > 0 && !limits.is_empty()).then(|| format!("{words} dropped: there was no room ({})", limits.join(", ")))
}

/// Equal tasks must have equal results, whatever executes them.
fn same_results(out: &mut String, results: &Results, paint: Paint) {
    let complete = |arm: &ArmResult| -> Vec<u64> {
        let runs = arm.runs.iter().filter(|run| run.counts.succeeded == run.total && run.results_hash != 0);
        runs.map(|run| run.results_hash).collect()
    };
    let hashes: Vec<u64> = results.arms.iter().flat_map(complete).collect();
    let [first, others @ ..] = hashes.as_slice() else { return };
    if others.iter().all(|hash| hash == first) {
        if !others.is_empty() {
            let runs = plural(hashes.len() as u64, "complete run");
            let check = paint.with(Paint::GOOD, "✓");
            let opaque = results.arms.iter().flat_map(|arm| &arm.runs).filter_map(|run| run.carriage.as_ref());
            let but = match opaque.map(|carriage| carriage.opaque).max() {
                Some(count) if count > 0 => format!(", but for {count} in a run that are not comparable"),
                _ => String::new(),
            };
            line(out, &format!("{check} same results in {runs}{but} (hash {first:016x})"));
        }
    } else if let Some((least, most)) = opaque_counts(results).filter(|(least, most)| least < most) {
        // What is comparable in one run and not in another is no different result.
        let mark = paint.with(Paint::WARN, "!");
        line(out, &format!("{mark} results cannot be compared: {least} to {most} in a run are of no comparable kind"));
    } else {
        let mark = paint.with(Paint::BAD, "✗ RESULTS DIFFER");
        line(out, &format!("{mark} between runs of the same tasks: {}", summary_of(&hashes)));
        let wrong: u64 = results.arms.iter().flat_map(|arm| &arm.runs).map(|run| run.wrong_results).sum();
        if wrong > 0 {
            line(
                out,
                &format!("  {} of these runs made wrong on purpose (faults: bad_result)", plural(wrong, "result")),
            );
        }
    }
}

/// Fewest and most results of a complete run that cannot be compared.
fn opaque_counts(results: &Results) -> Option<(u64, u64)> {
    let runs = results.arms.iter().flat_map(|arm| &arm.runs);
    let complete = runs.filter(|run| run.counts.succeeded == run.total && run.results_hash != 0);
    let counts = || complete.clone().map(|run| run.carriage.as_ref().map_or(0, |carriage| carriage.opaque));
    counts().min().zip(counts().max())
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
    let all: Vec<(&ArmResult, RunId, &AttemptReport)> = results
        .arms
        .iter()
        .flat_map(|arm| {
            arm.runs.iter().flat_map(move |run| run.failures.iter().map(move |report| (arm, run.run, report)))
        })
        .collect();
    let total: u64 = results.arms.iter().map(figures::totals).map(|sum| sum.unsuccessful() + sum.retries).sum();
    let chosen = log::of_each_sort(&all, most, |(arm, ..)| arm.spec.name.as_str(), |(.., report)| report);
    for (place, chosen_place) in chosen.iter().enumerate() {
        let Some((arm, run, report)) = all.get(*chosen_place) else { continue };
        if place == 0 {
            let shown = if total > chosen.len() as u64 {
                let many = |run: &Snapshot| run.counts.unsuccessful() + run.counts.retries > log::KEPT as u64;
                let all_known = !results.arms.iter().flat_map(|arm| &arm.runs).any(|run| many(run));
                let known =
                    if all_known { String::new() } else { format!("; of a run the last {} are known", log::KEPT) };
                format!(" ({} of {total}: of each arm, class and cause, final ones first{known})", chosen.len())
            } else {
                String::new()
            };
            let _ = write!(out, "\n{}{shown}\n", paint.with(Paint::BOLD, "Unsuccessful attempts"));
        }
        failure(out, results, arm, *run, report, paint);
    }
}

fn failure(out: &mut String, results: &Results, arm: &ArmResult, run: RunId, report: &AttemptReport, paint: Paint) {
    let class = results.workload.classes.get(usize::from(report.class)).map_or("?", |class| &class.name);
    let attempt = if report.attempts_allowed > 1 {
        format!(", attempt {} of {}", report.attempt, report.attempts_allowed)
    } else {
        String::new()
    };
    let outcome = report.outcome.word().replace('_', " ");
    let outcome = if report.retried { format!("{outcome}, tried again") } else { outcome };
    let cause = report.cause.to_string();
    let item = results.workload.item_text(report.index).map(|item| format!(", {item}")).unwrap_or_default();
    line(
        out,
        &format!(
            "  {}, {run}, task {} ({}{item}){attempt}: {}: {}",
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
