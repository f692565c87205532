//! The table of figures: one row for each figure, one column for each arm.

mod carriage;
mod load;
mod startup;

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Paint, TextOptions, label, line, table};
use crate::analysis::leak::{Leak, Sawtooth, Slope};
use crate::analysis::statistics::estimate;
use crate::engine::event::PageFaults;
use crate::engine::outcome::Counts;
use crate::metrics::distribution::{Distribution, Distributions};
use crate::metrics::life::Undead;
use crate::metrics::snapshot::{Chunks, Snapshot, WorkerTime};
use crate::report::ending::{how_far, percent_made};
use crate::report::{ArmResult, Results, units};
use crate::workload::model::{Chunksize, Dispatch, LatencyFrom};

/// A column is at least so wide, and a name that is longer than the widest one is cut.
const COLUMN: (usize, usize) = (14, 26);
/// Between two columns.
const GAP: usize = 3;
/// Where there is no figure.
const NONE: &str = "–";

struct Row {
    title: String,
    cells: Vec<String>,
    /// Whether it belongs to the row before it.
    detail: bool,
}

/// Writes the table, as many arms beside each other as fit.
pub(super) fn write(out: &mut String, results: &Results, options: TextOptions, paint: Paint) {
    let rows = rows(results);
    let titles = rows.iter().map(|row| table::width(&row.title) + 2).max().unwrap_or(0);
    let widths: Vec<usize> = (0..results.arms.len()).map(|arm| column(results, &rows, arm)).collect();
    let mut begin = 0;
    while begin < widths.len() {
        let mut used = titles;
        let fitting = widths.get(begin..).unwrap_or_default().iter().take_while(|width| {
            used += *width + GAP;
            used <= options.width
        });
        let end = begin + fitting.count().max(1);
        if begin > 0 {
            out.push('\n');
        }
        block(out, results, &rows, titles, begin..end, &widths, paint);
        begin = end;
    }
}

fn column(results: &Results, rows: &[Row], arm: usize) -> usize {
    let cells = rows.iter().filter_map(|row| row.cells.get(arm)).map(|cell| table::width(cell)).max().unwrap_or(0);
    let name = results.arms.get(arm).map_or(0, |arm| table::width(&label(&arm.spec))).min(COLUMN.1);
    cells.max(name).max(COLUMN.0)
}

fn block(
    out: &mut String,
    results: &Results,
    rows: &[Row],
    titles: usize,
    arms: std::ops::Range<usize>,
    widths: &[usize],
    paint: Paint,
) {
    let cell = |text: &str, width: usize| format!("{}{}", " ".repeat(GAP), table::pad_left(text, width));
    let mut head = " ".repeat(titles);
    for (arm, width) in results.arms.iter().zip(widths).skip(arms.start).take(arms.len()) {
        head.push_str(&paint.with(Paint::BOLD, &cell(&table::fit(&label(&arm.spec), *width), *width)));
    }
    line(out, &head);
    for row in rows {
        let indent = if row.detail { "    " } else { "  " };
        let mut text = table::pad(&format!("{indent}{}", row.title.trim_start()), titles);
        if row.detail {
            text = paint.with(Paint::DIM, &text);
        }
        for (value, width) in row.cells.iter().zip(widths).skip(arms.start).take(arms.len()) {
            text.push_str(&cell(value, *width));
        }
        line(out, &text);
    }
}

fn rows(results: &Results) -> Vec<Row> {
    let mut rows = Rows { arms: &results.arms, rows: Vec::new() };
    rows.row("workers", |arm| arm.workers.to_string());
    if results.arms.iter().any(|arm| arm.runs.len() != 1) {
        rows.row("runs (figures: mean)", |arm| arm.runs.len().to_string());
    }
    if results.arms.iter().flat_map(|arm| &arm.runs).any(|run| how_far(run).is_some()) {
        rows.row("got to", |arm| match arm.runs.last() {
            Some(run) => percent_made(run),
            None => NONE.to_owned(),
        });
    }
    rows.row("wall time", |arm| mean(arm, |run| run.wall().as_secs_f64(), |seconds| units::duration(secs(seconds))));
    rows.row("tasks/s", |arm| mean(arm, |run| run.throughput_whole, units::rate));
    if results.arms.iter().any(|arm| arm.runs.len() > 1) {
        rows.detail("95 % CI", interval);
    }
    latencies(&mut rows, results);
    callers(&mut rows, results);
    chunks(&mut rows);
    carriage::rows(&mut rows);
    rows.row("start-up per task", |arm| {
        // A run in which nothing started has no start-up time, not one of zero.
        let started = arm.runs.iter().filter(|run| run.latency.startup.count > 0);
        let means: Vec<f64> = started.map(|run| run.latency.startup.mean.as_secs_f64()).collect();
        estimate(&means).map_or_else(|| NONE.to_owned(), |estimate| units::duration(secs(estimate.mean)))
    });
    startup::rows(&mut rows);
    lives(&mut rows);
    rows.row("worker time: work", |arm| share(arm, |shares| shares.0));
    rows.detail("start-up", |arm| share(arm, |shares| shares.1));
    if results.arms.iter().any(|arm| !arm.spec.kind.process_per_task() && !arm.runs.is_empty()) {
        rows.detail("dispatch", |arm| match arm.spec.kind.process_per_task() {
            // Handing the task over is starting its process.
            true => "in start-up".to_owned(),
            false => units::percent(arm.runs.iter().map(|run| run.worker_time).sum::<WorkerTime>().dispatch_share()),
        });
    }
    if results.arms.iter().flat_map(|arm| &arm.runs).any(|run| run.ghosts.began > 0) {
        rows.detail("ghosts", |arm| {
            let time = arm.runs.iter().map(|run| run.worker_time).sum::<WorkerTime>();
            units::percent(time.ghost_share())
        });
    }
    if results.arms.iter().flat_map(|arm| &arm.runs).any(|run| !run.worker_time.initializing.is_zero()) {
        rows.detail("initializing", |arm| {
            // A process that is its task begins with it, and what that takes is a part of its start-up.
            if arm.spec.kind.process_per_task() && arm.runs.iter().any(|run| run.initializers.count > 0) {
                return "in start-up".to_owned();
            }
            let time = arm.runs.iter().map(|run| run.worker_time).sum::<WorkerTime>();
            units::percent(time.initializing_share())
        });
    }
    if results.arms.iter().flat_map(|arm| &arm.runs).any(|run| run.worker_time.carrying_share() >= 0.001) {
        rows.detail("bytes of tasks", |arm| {
            let time = arm.runs.iter().map(|run| run.worker_time).sum::<WorkerTime>();
            units::percent(time.carrying_share())
        });
    }
    rows.detail("idle", |arm| share(arm, |shares| shares.2));
    load::rows(&mut rows, results);
    ghosts(&mut rows, results);
    made_wrong(&mut rows, results);
    rows.row("cores used", |arm| {
        mean(arm, |run| run.cpu.cores_used_whole, |cores| format!("{cores:.1} of {}", results.host.usable_cores()))
    });
    rows.row("peak memory (PSS)", |arm| peak(arm, |run| run.memory.peak_pss_bytes));
    rows.detail("RSS", |arm| peak(arm, |run| Some(run.memory.peak_rss_bytes).filter(|bytes| *bytes > 0)));
    leaks(&mut rows);
    rows.row("page faults", |arm| page_faults(arm, |faults| faults.minor + faults.major));
    rows.detail("with I/O (major)", |arm| page_faults(arm, |faults| faults.major));
    rows.row("processes started", |arm| mean(arm, |run| run.worker_starts as f64, |starts| format!("{starts:.0}")));
    if results.arms.iter().flat_map(|arm| &arm.runs).any(|run| run.life.fork_servers.starts > 0) {
        rows.row("fork servers", |arm| {
            mean(arm, |run| run.life.fork_servers.starts as f64, |starts| format!("{starts:.0}"))
        });
        rows.detail("start-up", |arm| match arm.runs.iter().any(|run| run.life.fork_servers.starts > 0) {
            true => {
                mean(arm, |run| run.life.fork_servers.startup.as_secs_f64(), |seconds| units::duration(secs(seconds)))
            }
            false => NONE.to_owned(),
        });
        rows.detail("CPU", |arm| {
            mean(arm, |run| run.life.fork_servers.cpu.as_secs_f64(), |seconds| units::duration(secs(seconds)))
        });
        rows.detail("peak memory (PSS)", |arm| peak(arm, |run| run.fork_server.as_ref()?.peak_pss_bytes));
        rows.detail("RSS", |arm| peak(arm, |run| run.fork_server.as_ref()?.peak_rss_bytes));
    }
    if several(&results.arms) {
        rows.rows.push(Row { title: "all runs together:".to_owned(), cells: Vec::new(), detail: false });
    }
    deaths(&mut rows);
    outcomes(&mut rows);
    rows.rows
}

/// Whether there is a difference between one run and all.
fn several(arms: &[ArmResult]) -> bool {
    arms.iter().any(|arm| arm.runs.len() > 1)
}

/// How tasks travelled, where several may travel together.
fn chunks(rows: &mut Rows<'_>) {
    let told =
        |arm: &ArmResult| -> Vec<Chunks> { arm.runs.iter().filter_map(|run| run.chunks.as_deref().copied()).collect() };
    if !rows.arms.iter().flat_map(told).any(|chunks| chunks.sent > 0) {
        return;
    }
    rows.row("tasks per chunk", |arm| {
        let means: Vec<f64> = told(arm).iter().filter_map(Chunks::mean).collect();
        estimate(&means).map_or_else(|| NONE.to_owned(), |estimate| units::rate(estimate.mean))
    });
    rows.detail("chunksize at the end", |arm| {
        let last = arm.runs.iter().rev().find_map(|run| Some((run.chunks.as_deref()?, run.total)));
        match (last, arm.spec.chunksize) {
            (None, _) => NONE.to_owned(),
            (Some((last, _)), Chunksize::Fixed(_)) => last.size.to_string(),
            (Some((last, tasks)), Chunksize::Auto) => format!("auto: {}", last.size_of(tasks)),
            (Some((last, tasks)), Chunksize::Cpython) => format!("cpython: {}", last.size_of(tasks)),
        }
    });
}

/// The most bytes of any run.
fn peak(arm: &ArmResult, bytes: impl Fn(&Snapshot) -> Option<u64>) -> String {
    arm.runs.iter().filter_map(|run| bytes(run)).max().map_or_else(|| NONE.to_owned(), units::bytes)
}

/// When the caller had its results, and for how long it was blocked: only where that is a question.
fn callers(rows: &mut Rows<'_>, results: &Results) {
    let runs = || results.arms.iter().flat_map(|arm| &arm.runs);
    if runs().any(|run| run.delivery.mode.blocks()) {
        rows.row("submitted with", |arm| arm.spec.submit.word().to_owned());
        rows.row("delivered p50", |arm| {
            mean(arm, |run| run.delivered().p50.as_secs_f64(), |seconds| units::duration(secs(seconds)))
        });
        // What never began has no sojourn, and is delivered all the same.
        let tasks = |arm: &ArmResult, count: fn(&Snapshot) -> u64| arm.runs.iter().map(|run| count(run)).sum::<u64>();
        let delivered = |arm: &ArmResult| tasks(arm, |run| run.delivered().count);
        let ran = |arm: &ArmResult| tasks(arm, |run| run.latency.sojourn.count);
        if results.arms.iter().any(|arm| delivered(arm) != ran(arm)) {
            rows.detail("tasks; with a sojourn", |arm| format!("{}; {}", delivered(arm), ran(arm)));
        }
        rows.detail("held back, mean", |arm| match arm.runs.iter().any(|run| run.delivery.delivered.count > 0) {
            true => mean(arm, |run| run.delivery.held_back_mean().as_secs_f64(), |s| units::duration(secs(s))),
            false => NONE.to_owned(),
        });
    }
    if runs().any(|run| !run.delivery.blocked_for.is_zero()) {
        rows.row("caller blocked", |arm| mean(arm, |run| run.delivery.blocked_share(run.wall()), units::percent));
    }
    if results.arms.iter().any(|arm| arm.spec.dispatch != Dispatch::Shared) {
        rows.row("imbalance", |arm| match arm.runs.iter().any(|run| run.imbalance().is_some()) {
            true => mean(arm, |run| run.imbalance().unwrap_or(0.0), units::percent),
            false => NONE.to_owned(),
        });
        rows.detail("idle at the end", |arm| {
            let idle = |run: &Snapshot| run.end.as_ref().map_or(0.0, |end| end.tail_idle.as_secs_f64());
            mean(arm, idle, |seconds| units::duration(secs(seconds)))
        });
    }
}

/// Workers that came to another end than that of their work, and why, as far as they are kept.
fn deaths(rows: &mut Rows<'_>) {
    let runs = |arm: &ArmResult| arm.runs.iter().map(|run| run.deaths_total).sum::<u64>();
    if !rows.arms.iter().any(|arm| runs(arm) > 0) {
        return;
    }
    rows.row("workers died", |arm| runs(arm).to_string());
    let all = rows.arms.iter().flat_map(|arm| &arm.runs).flat_map(|run| run.deaths.iter());
    let causes: BTreeSet<String> = all.map(|death| death.cause.to_string()).collect();
    for cause in causes {
        rows.detail(&cause, |arm| {
            let theirs = arm.runs.iter().flat_map(|run| run.deaths.iter());
            theirs.filter(|death| death.cause.to_string() == cause).count().to_string()
        });
    }
}

/// How fast memory grows, where it is sure that it does in an arm.
fn leaks(rows: &mut Rows<'_>) {
    let arms = rows.arms;
    let leaks: Vec<Option<Leak>> = arms.iter().map(|arm| Leak::of(arm.runs.iter().map(AsRef::as_ref))).collect();
    if !leaks.iter().flatten().any(|leak| leak.is_sure) {
        return;
    }
    let cells = |cell: &dyn Fn(&Leak) -> String| -> Vec<String> {
        let sure = |leak: &Option<Leak>| leak.filter(|leak| leak.is_sure);
        leaks.iter().map(|leak| sure(leak).as_ref().map_or_else(|| NONE.to_owned(), cell)).collect()
    };
    let mut row = |title: &str, cells, detail| rows.rows.push(Row { title: title.to_owned(), cells, detail });
    row("workers leak", cells(&|leak| format!("{}/s", with_interval(&leak.slope))), false);
    row("per task", cells(&|leak| leak.per_task.as_ref().map_or_else(|| NONE.to_owned(), with_interval)), true);
    if leaks.iter().flatten().any(|leak| leak.sawtooth.is_some()) {
        let tooth = |tooth: Sawtooth| format!("{} – {}", units::bytes(tooth.low), units::bytes(tooth.high));
        row("recycled: each from, to", cells(&|leak| leak.sawtooth.map_or_else(|| NONE.to_owned(), tooth)), true);
    }
}

fn with_interval(slope: &Slope) -> String {
    let size = |bytes: f64| units::bytes(bytes.abs().round() as u64);
    let sign = if slope.value < 0.0 { "-" } else { "" };
    format!("{sign}{} ± {}", size(slope.value), size(slope.half()))
}

/// The mean over the runs in which the kernel told them.
fn page_faults(arm: &ArmResult, pick: fn(PageFaults) -> u64) -> String {
    let told: Vec<f64> = arm
        .runs
        .iter()
        .filter_map(|run| run.page_faults.as_deref().copied())
        .map(|faults| pick(faults) as f64)
        .collect();
    estimate(&told).map_or_else(|| NONE.to_owned(), |estimate| units::rate(estimate.mean))
}

/// How processes went: only what there is something to say about.
fn lives(rows: &mut Rows<'_>) {
    type Count = fn(&Undead) -> u64;
    let delays = |arm: &ArmResult| -> Vec<f64> {
        let told = arm.runs.iter().map(|run| run.life.join_delay).filter(|delay| delay.count > 0);
        told.map(|delay| delay.mean.as_secs_f64()).collect()
    };
    if rows.arms.iter().any(|arm| !delays(arm).is_empty()) {
        rows.row("join delay", |arm| {
            estimate(&delays(arm)).map_or_else(|| NONE.to_owned(), |estimate| units::duration(secs(estimate.mean)))
        });
    }
    let kinds: [(&str, Count); 2] =
        [("zombies at the end", |undead| undead.zombies_at_end.unwrap_or(0)), ("orphans", |undead| undead.orphans)];
    for (title, pick) in kinds {
        if rows.arms.iter().flat_map(|arm| &arm.runs).any(|run| pick(&run.life.undead) > 0) {
            let title = if several(rows.arms) { format!("{title}, most") } else { title.to_owned() };
            rows.row(&title, |arm| {
                let most = arm.runs.iter().map(|run| pick(&run.life.undead)).max();
                most.map_or_else(|| NONE.to_owned(), |most| most.to_string())
            });
        }
    }
}

/// Results that nobody should wonder about: only where there are any.
fn made_wrong(rows: &mut Rows<'_>, results: &Results) {
    if results.arms.iter().flat_map(|arm| &arm.runs).any(|run| run.wrong_results > 0) {
        rows.row("results made wrong", |arm| mean(arm, |run| run.wrong_results as f64, |count| format!("{count:.0}")));
    }
}

/// What was burnt for nobody, and what could not be ended: only where there is any.
fn ghosts(rows: &mut Rows<'_>, results: &Results) {
    let runs = || results.arms.iter().flat_map(|arm| &arm.runs);
    if runs().any(|run| run.ghosts.began > 0) {
        rows.row("ghosts", |arm| mean(arm, |run| run.ghosts.began as f64, |count| format!("{count:.0}")));
        rows.detail("CPU", |arm| {
            mean(arm, |run| run.ghosts.cpu.as_secs_f64(), |seconds| units::duration(secs(seconds)))
        });
    }
    if runs().any(|run| run.unkillable > 0) {
        rows.row("UNKILLABLE workers", |arm| mean(arm, |run| run.unkillable as f64, |count| format!("{count:.0}")));
    }
}

/// The percentiles that the workload asks for; the latency that it leads with comes first.
fn latencies(rows: &mut Rows<'_>, results: &Results) {
    let measure = &results.workload.measure;
    let wholes: Vec<Option<Distributions>> = results.arms.iter().map(|arm| Some(arm.distributions()?.all)).collect();
    let sojourn: Family = ("sojourn", |all| &all.sojourn);
    let service: Family = ("service", |all| &all.service);
    let families = match measure.latency_from {
        LatencyFrom::IntendedArrival => [sojourn, service],
        LatencyFrom::Start => [service, sojourn],
    };
    for (name, pick) in families {
        for (place, percentile) in measure.percentiles.iter().enumerate() {
            let cells = wholes.iter().map(|all| quantile(all.as_ref().map(pick), *percentile)).collect();
            let title = if place == 0 { format!("{name} p{percentile}") } else { format!("p{percentile}") };
            rows.rows.push(Row { title, cells, detail: place > 0 });
        }
    }
}

/// A latency: its name and its whole distribution.
type Family = (&'static str, fn(&Distributions) -> &Distribution);

fn quantile(whole: Option<&Distribution>, percentile: f64) -> String {
    match whole {
        Some(whole) if whole.count() > 0 => units::duration(whole.quantile(percentile / 100.0)),
        _ => NONE.to_owned(),
    }
}

/// Always how many succeeded and failed; the other outcomes where there are any.
fn outcomes(rows: &mut Rows<'_>) {
    type Outcomes = [(&'static str, fn(&Counts) -> u64); 7];
    let outcomes: Outcomes = [
        ("succeeded", |counts| counts.succeeded),
        ("failed", |counts| counts.failed),
        ("timed out", |counts| counts.timed_out),
        ("lost", |counts| counts.lost),
        ("cancelled", |counts| counts.cancelled),
        ("dropped", |counts| counts.dropped),
        ("retries", |counts| counts.retries),
    ];
    for (place, (title, count)) in outcomes.into_iter().enumerate() {
        if place < 2 || rows.arms.iter().any(|arm| count(&totals(arm)) > 0) {
            rows.row(title, |arm| count(&totals(arm)).to_string());
        }
        if title == "timed out" && rows.arms.iter().any(|arm| totals(arm).wait_timed_out > 0) {
            rows.detail("callers gave up", |arm| totals(arm).wait_timed_out.to_string());
        }
        if title == "timed out" && rows.arms.iter().any(|arm| totals(arm).queue_timed_out > 0) {
            rows.detail("in the queue", |arm| totals(arm).queue_timed_out.to_string());
        }
    }
}

struct Rows<'a> {
    arms: &'a [ArmResult],
    rows: Vec<Row>,
}

impl Rows<'_> {
    fn row(&mut self, title: &str, cell: impl Fn(&ArmResult) -> String) {
        let cells = self.arms.iter().map(cell).collect();
        self.rows.push(Row { title: title.to_owned(), cells, detail: false });
    }

    fn detail(&mut self, title: &str, cell: impl Fn(&ArmResult) -> String) {
        self.row(title, cell);
        if let Some(row) = self.rows.last_mut() {
            row.detail = true;
        }
    }
}

/// Counts of all runs of an arm together.
pub(super) fn totals(arm: &ArmResult) -> Counts {
    let mut sum = Counts::default();
    for run in &arm.runs {
        let counts = &run.counts;
        sum.submitted += counts.submitted;
        sum.queued += counts.queued;
        sum.running += counts.running;
        sum.succeeded += counts.succeeded;
        sum.failed += counts.failed;
        sum.timed_out += counts.timed_out;
        sum.queue_timed_out += counts.queue_timed_out;
        sum.lost += counts.lost;
        sum.cancelled += counts.cancelled;
        sum.dropped += counts.dropped;
        sum.retries += counts.retries;
    }
    sum
}

fn mean(arm: &ArmResult, figure: impl Fn(&Snapshot) -> f64, words: impl Fn(f64) -> String) -> String {
    estimate(&arm.figures(figure)).map_or_else(|| NONE.to_owned(), |estimate| words(estimate.mean))
}

fn interval(arm: &ArmResult) -> String {
    let throughput = estimate(&arm.figures(|run| run.throughput_whole));
    throughput.and_then(|estimate| estimate.ci95).map_or_else(
        || NONE.to_owned(),
        // A rate is never negative, even where Student's interval reaches below zero.
        |(low, high)| format!("{}–{}", units::rate(low.max(0.0)), units::rate(high)),
    )
}

/// A share of the worker time of all runs together.
fn share(arm: &ArmResult, pick: impl Fn((f64, f64, f64)) -> f64) -> String {
    let shares = arm.runs.iter().map(|run| run.worker_time).sum::<WorkerTime>().shares();
    if shares == (0.0, 0.0, 0.0) { NONE.to_owned() } else { units::percent(pick(shares)) }
}

fn secs(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
