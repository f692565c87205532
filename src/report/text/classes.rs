//! Task classes, where a workload has several: a table with the arms of each class below each other, which is how they are
//! compared, and what follows for each class.

use std::fmt::Write as _;
use std::time::Duration;

use super::comparison::{excludes_one, interval_name, marked, names, style, word};
use super::table::{fit, pad, pad_left, width};
use super::{Paint, label, line};
use crate::analysis::latencies::{self, LatencyVerdict};
use crate::analysis::statistics::estimate;
use crate::analysis::verdict::Finding;
use crate::metrics::distribution::{Distribution, Distributions};
use crate::metrics::snapshot::{ClassCounts, ClassFigures, Snapshot};
use crate::report::{ArmResult, Results, clean, units};
use crate::workload::model::LatencyFrom;

/// Columns that the name of an arm has.
const NAME: usize = 24;
const NONE: &str = "–";

/// A column of the table: its head, what is in it, and whether it may be left out where there is no room.
struct Column {
    head: String,
    cells: Vec<String>,
    /// 0 is never left out; the highest goes first.
    rank: u8,
}

/// One arm in one class.
struct Cell<'a> {
    arm: &'a ArmResult,
    place: usize,
    /// The tasks of all runs together.
    whole: Option<&'a Distributions>,
}

impl Cell<'_> {
    fn of_runs(&self) -> impl Iterator<Item = (&Snapshot, &ClassFigures)> {
        self.arm.runs.iter().filter_map(|run| Some((run.as_ref(), run.classes.get(self.place)?)))
    }

    fn counts(&self) -> ClassCounts {
        let mut sum = ClassCounts::default();
        self.of_runs().for_each(|(_, class)| sum.add(&class.tasks));
        sum
    }

    fn quantile(&self, pick: fn(&Distributions) -> &Distribution, percentile: f64) -> String {
        let whole = self.whole.map(pick).filter(|whole| whole.count() > 0);
        whole.map_or_else(|| NONE.to_owned(), |whole| units::duration(whole.quantile(percentile / 100.0)))
    }

    fn rate(&self) -> String {
        let rates: Vec<f64> = self.of_runs().map(|(run, class)| class.throughput(run.wall())).collect();
        estimate(&rates).map_or_else(|| NONE.to_owned(), |estimate| units::rate(estimate.mean))
    }

    fn cpu(&self) -> String {
        let told = self.of_runs().filter_map(|(_, class)| class.cpu);
        let (time, tasks) =
            told.fold((0.0, 0), |(time, tasks), cpu| (time + cpu.time.as_secs_f64(), tasks + cpu.tasks));
        let mean = (tasks > 0).then(|| Duration::try_from_secs_f64(time / tasks as f64).unwrap_or_default());
        mean.map_or_else(|| NONE.to_owned(), units::duration)
    }
}

/// The table, in at most so many columns: what does not fit is left out, the least important first.
pub(super) fn table(out: &mut String, results: &Results, most: usize, paint: Paint) {
    let classes = results.arms.iter().flat_map(|arm| &arm.runs).map(|run| run.classes.len()).max().unwrap_or(0);
    if classes == 0 {
        return;
    }
    let wholes: Vec<Vec<Distributions>> = results
        .arms
        .iter()
        .map(|arm| arm.distributions().map(|all| all.classes.into_vec()).unwrap_or_default())
        .collect();
    let cells: Vec<Cell<'_>> = (0..classes)
        .flat_map(|place| {
            let arms = results.arms.iter().zip(&wholes);
            arms.map(move |(arm, whole)| Cell { arm, place, whole: whole.get(place) })
        })
        .collect();
    let columns = columns(results, &cells);
    let names = cells.iter().map(|cell| width(&label(&cell.arm.spec)).min(NAME)).max().unwrap_or(0) + 4;
    let mut widths: Vec<usize> = columns
        .iter()
        .map(|column| column.cells.iter().chain([&column.head]).map(|cell| width(cell) + 2).max().unwrap_or(0))
        .collect();
    for rank in (1..=u8::MAX).rev() {
        if names + widths.iter().sum::<usize>() <= most {
            break;
        }
        let of_rank = widths.iter_mut().zip(&columns).filter(|(_, column)| column.rank == rank);
        of_rank.for_each(|(width, _)| *width = 0);
    }
    let row = |name: String, cell: &dyn Fn(&Column) -> String| {
        let shown = columns.iter().zip(&widths).filter(|(_, width)| **width > 0);
        shown.fold(pad(&name, names), |mut text, (column, width)| {
            let _ = write!(text, "{}", pad_left(&cell(column), *width));
            text
        })
    };
    out.push('\n');
    line(out, &paint.with(Paint::BOLD, row("by class".to_owned(), &|column| column.head.clone()).trim_end()));
    for (number, cell) in cells.iter().enumerate() {
        if number.is_multiple_of(results.arms.len()) {
            line(out, &format!("  {}", clean::line(&results.name_of_class(cell.place).unwrap_or_default())));
        }
        let name = format!("    {}", fit(&label(&cell.arm.spec), NAME));
        line(out, &row(name, &|column| column.cells.get(number).cloned().unwrap_or_default()));
    }
}

fn columns(results: &Results, cells: &[Cell<'_>]) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    let mut column = |head: &str, rank, cell: &dyn Fn(&Cell<'_>) -> String| {
        columns.push(Column { head: head.to_owned(), cells: cells.iter().map(cell).collect(), rank });
    };
    type Count = fn(&ClassCounts) -> u64;
    let outcomes: [(&str, Count); 5] = [
        ("succeeded", |counts| counts.succeeded),
        ("failed", |counts| counts.failed),
        ("timed out", |counts| counts.timed_out),
        ("lost", |counts| counts.lost),
        ("retries", |counts| counts.retries),
    ];
    for (head, count) in outcomes {
        // Always how many succeeded; the others where there are any.
        if head == "succeeded" || cells.iter().any(|cell| count(&cell.counts()) > 0) {
            column(head, 0, &|cell| count(&cell.counts()).to_string());
        }
    }
    column("tasks/s", 3, &|cell| cell.rate());
    column("CPU/task", 2, &|cell| cell.cpu());
    let service: Family = ("service", |all| &all.service);
    let sojourn: Family = ("sojourn", |all| &all.sojourn);
    let wait: Family = ("wait", |all| &all.wait);
    let (first, others) = match results.workload.measure.latency_from {
        LatencyFrom::IntendedArrival => (sojourn, [service, wait]),
        LatencyFrom::Start => (service, [sojourn, wait]),
    };
    let percentiles = &results.workload.measure.percentiles;
    let between = |place: usize| if place == 0 || place + 1 == percentiles.len() { 0 } else { 4 };
    for (place, percentile) in percentiles.iter().enumerate() {
        let name = if place == 0 { format!("{} p{percentile}", first.0) } else { format!("p{percentile}") };
        column(&name, between(place), &|cell| cell.quantile(first.1, *percentile));
    }
    for ((name, pick), rank) in others.into_iter().zip([1, 5]) {
        if let Some(percentile) = percentiles.first() {
            column(&format!("{name} p{percentile}"), rank, &|cell| cell.quantile(pick, *percentile));
        }
    }
    columns
}

/// A latency: its name and its whole distribution.
type Family = (&'static str, fn(&Distributions) -> &Distribution);

/// What the first and the last percentile of each class are against the baseline's: one line for each arm and class.
pub(super) fn comparison(out: &mut String, results: &Results, paint: Paint) {
    let found = results.latencies_of_classes();
    for of_arm in found.chunk_by(|one, other| one.arm == other.arm) {
        let Some(first) = of_arm.first().filter(|_| of_arm.iter().any(|one| one.ratio_ci95.is_some())) else {
            continue;
        };
        let (arm, baseline) = names(results, first.arm, first.baseline);
        let interval = interval_name(!results.looks.is_one(first.pairs));
        let latency = latencies::name(first.from);
        line(out, &format!("{latency} by class, {} against {}, {interval}", fit(&arm, NAME), fit(&baseline, NAME)));
        let of_class = of_arm.chunk_by(|one, other| one.class == other.class);
        let name = |group: &[LatencyVerdict]| {
            let place = group.first().and_then(|one| one.class);
            clean::line(&place.and_then(|place| results.name_of_class(place)).unwrap_or_default()).into_owned()
        };
        let widest = of_class.clone().map(|group| width(&name(group))).max().unwrap_or(0).min(NAME);
        for group in of_class {
            let ends = [group.first(), group.last().filter(|_| group.len() > 1)];
            let words: Vec<String> = ends.into_iter().flatten().map(|verdict| words(verdict, paint)).collect();
            line(out, &format!("  {}  {}", pad(&fit(&name(group), widest), widest), words.join(" · ")));
        }
    }
}

/// `p50 31 times as long (29–33)`, `p99 no clear difference`.
fn words(verdict: &LatencyVerdict, paint: Paint) -> String {
    let name = format!("p{}", verdict.percentile);
    if let Some(tasks) = verdict.too_few {
        return format!("{name} not judged: {tasks} a run are too few");
    }
    let (Some(ratio), Some((low, high))) = (verdict.ratio, verdict.ratio_ci95) else { return format!("{name} {NONE}") };
    let interval = format!("{}–{}", units::factor(low), units::factor(high));
    let among = match verdict.p {
        Some(p) if verdict.finding == Finding::NoClearDifference && excludes_one(verdict.ratio_ci95) => {
            format!(" among {}", p.comparisons)
        }
        _ => String::new(),
    };
    let word = marked(format!("{}{among}", word(verdict.finding)), verdict.suspect);
    let word = paint.with(style(verdict.finding), &word);
    format!("{name} {} ({interval}) {word}", units::ratio(ratio))
}

#[cfg(test)]
mod tests;
