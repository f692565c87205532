//! A sweep as text: a table for each arm with a row for each count, what follows, and the arms against each other.

use std::time::Duration;

use super::{SweepResults, SweptArm, grid, words};
use crate::analysis::tuning::{Advice, Point, RULE, Tuning};
use crate::report::text::{Paint, TextOptions, expectations, failing, header, label, line, plural, table};
use crate::report::{clean, units};

/// Between two columns.
const GAP: usize = 2;
/// Where there is no figure.
const NONE: &str = "–";
/// Runs with fewer samples than this takes may hide a peak of memory between them.
const SHORT: Duration = Duration::from_secs(1);
/// Reasons of suspect runs that are told of an arm.
const REASONS: usize = 3;

/// The whole report, with a newline at its end.
#[must_use]
pub(crate) fn render(results: &SweepResults, options: TextOptions) -> String {
    let paint = Paint(options.colour);
    let mut out = String::new();
    header(&mut out, (&results.workload, &results.host, &results.stream_hash), results.tasks(), paint);
    failing::aborted(&mut out, &results.ending, paint);
    if results.has_settings() {
        grid::draw(&mut out, results, paint);
    }
    let tries_counts = results.tries_counts();
    if !tries_counts {
        for arm in &results.arms {
            trouble(&mut out, arm, paint);
        }
    } else {
        tables(&mut out, &results.arms, options.width, paint);
    }
    if results.is_one_point() {
        wrapped(&mut out, "", words::ONE_POINT, options.width, paint, Paint::WARN);
    }
    dropped(&mut out, results, options.width, paint);
    for (baseline, arm, found) in results.compared() {
        words::compared(&mut out, baseline, arm, &found, paint);
    }
    if !results.expectations.is_empty() {
        if tries_counts {
            line(&mut out, "with the counts that are recommended, or else those of the last runs:");
        }
        expectations::write(&mut out, &results.expectations, options.width, paint);
    }
    if tries_counts {
        wrapped(&mut out, "rule: ", RULE, options.width, paint, Paint::DIM);
    }
    out
}

/// Of which points no more runs were made.
fn dropped(out: &mut String, results: &SweepResults, width: usize, paint: Paint) {
    if let Some(words) = words::dropped(results) {
        wrapped(out, "dropped: ", &words, width, paint, Paint::WARN);
        out.push('\n');
    }
}

/// What went wrong in an arm.
fn trouble(out: &mut String, arm: &SweptArm, paint: Paint) {
    let label = label(&arm.spec);
    if let Some(found) = arm.all_failed() {
        failing::nothing_succeeded(out, &label, found, paint);
    }
    suspect(out, &label, &arm.tuning, paint);
    if let Some((workers, partial)) = &arm.partial {
        failing::cut_off(out, &at(&label, *workers), partial, paint);
    }
}

/// What was measured of each arm with each count, and the rule: where a report tells more than that.
#[must_use]
pub(crate) fn counts(arms: &[SweptArm], options: TextOptions) -> String {
    let paint = Paint(options.colour);
    let mut out = String::new();
    tables(&mut out, arms, options.width, paint);
    wrapped(&mut out, "rule: ", RULE, options.width, paint, Paint::DIM);
    out
}

fn tables(out: &mut String, arms: &[SweptArm], width: usize, paint: Paint) {
    for arm in arms {
        one_arm(out, arm, width, paint);
        out.push('\n');
    }
}

fn one_arm(out: &mut String, arm: &SweptArm, width: usize, paint: Paint) {
    let label = label(&arm.spec);
    line(out, &paint.with(Paint::BOLD, &label));
    let tuning = &arm.tuning;
    if !tuning.points.is_empty() {
        rows(out, tuning, width, paint);
    }
    if let Some(found) = arm.all_failed() {
        failing::nothing_succeeded(out, &label, found, paint);
    } else {
        let style = match tuning.advice {
            Advice::Use { .. } => Paint::GOOD,
            _ => Paint::WARN,
        };
        wrapped(out, "  ", &words::headline(tuning), width, paint, style);
        if !tuning.why.is_empty() {
            wrapped(out, "  why: ", &clean::line(&tuning.why), width, paint, anstyle::Style::new());
        }
        wrapped(out, "  ", &words::fit(tuning), width, paint, Paint::DIM);
        for point in &tuning.points {
            if let Some(found) = &point.all_failed {
                failing::nothing_succeeded(out, &at(&label, point.workers), found, paint);
            }
        }
    }
    suspect(out, &label, tuning, paint);
    if let Some((workers, partial)) = &arm.partial {
        failing::cut_off(out, &at(&label, *workers), partial, paint);
    }
}

/// A column: its title, its cell for a point, and whether it is left out first where there is no room.
struct Column {
    title: &'static str,
    cells: Vec<String>,
    extra: bool,
}

fn rows(out: &mut String, tuning: &Tuning, width: usize, paint: Paint) {
    let mut columns = columns(tuning);
    let column_width = |column: &Column| {
        column.cells.iter().map(|cell| table::width(cell)).max().unwrap_or(0).max(table::width(column.title))
    };
    let marked = tuning.points.iter().map(|point| {
        let marks: Vec<usize> = marks(point).iter().map(|(word, _)| table::width(word)).collect();
        marks.iter().sum::<usize>() + marks.len() + 1
    });
    let marked = marked.max().unwrap_or(0);
    let too_wide = |columns: &[Column]| {
        2 + columns.iter().map(|column| column_width(column) + GAP).sum::<usize>() + marked > width
    };
    while too_wide(&columns)
        && let Some(extra) = columns.iter().rposition(|column| column.extra)
    {
        columns.remove(extra);
    }
    let widths: Vec<usize> = columns.iter().map(column_width).collect();
    let memory = columns.iter().any(|column| column.title == "memory");
    let join = |cells: &mut dyn Iterator<Item = &str>| {
        let cells =
            cells.zip(&widths).map(|(cell, width)| format!("{}{}", " ".repeat(GAP), table::pad_left(cell, *width)));
        cells.collect::<String>()
    };
    line(out, &paint.with(Paint::DIM, &format!("  {}", join(&mut columns.iter().map(|column| column.title)))));
    for (row, point) in tuning.points.iter().enumerate() {
        let cells = join(&mut columns.iter().filter_map(|column| column.cells.get(row)).map(String::as_str));
        let about = tuning.advice.workers() == Some(point.workers);
        let text = format!("{} {cells}", if about { "▸" } else { " " });
        let text = if about { paint.with(Paint::BOLD, &text) } else { text };
        let marks: Vec<String> = marks(point).into_iter().map(|(word, style)| paint.with(style, word)).collect();
        line(out, format!("{text}  {}", marks.join(" ")).trim_end());
    }
    let is_short = |point: &&Point| point.runs() > 0 && point.wall / point.runs() < SHORT;
    if memory && tuning.points.iter().any(|point| is_short(&point)) {
        line(
            out,
            &paint.with(Paint::DIM, "  memory is sampled: runs of less than a second may have had more than was seen"),
        );
    }
}

/// What stands behind the row of a point.
fn marks(point: &Point) -> Vec<(&'static str, anstyle::Style)> {
    let style = |mark| match mark {
        words::SUSPECT => Paint::WARN,
        words::ALL_FAILED => Paint::BAD,
        _ => Paint::DIM,
    };
    words::marks(point).map(|mark| (mark, style(mark))).collect()
}

fn columns(tuning: &Tuning) -> Vec<Column> {
    let column = |title, extra, cell: &dyn Fn(&Point) -> Option<String>| Column {
        title,
        extra,
        cells: tuning.points.iter().map(|point| cell(point).unwrap_or_else(|| NONE.to_owned())).collect(),
    };
    let mut columns = vec![
        column("workers", false, &|point| Some(point.workers.to_string())),
        column("tasks/s", false, &|point| Some(units::rate(point.rate?.mean))),
        column("±95 %", false, &|point| Some(format!("±{}", units::rate(point.precision()? * point.mean()?)))),
        column("gain", false, &|point| Some(signed(tuning.gain(point.workers)?))),
        column("cores", false, &|point| point.rate.map(|_| format!("{:.1}", point.cores_used))),
        column("sojourn p95", false, &|point| Some(units::duration(point.sojourn_p95?))),
        column("n", false, &|point| Some(point.runs().to_string())),
        column("eff", true, &|point| Some(units::percent(tuning.efficiency(point.workers)?))),
        column("memory", true, &|point| Some(units::bytes(point.peak_pss_bytes?))),
        column("start-up", true, &|point| point.rate.map(|_| units::percent(point.worker_time.shares().1))),
        column("speedup", true, &|point| Some(format!("{:.2}", tuning.speedup(point.workers)?))),
    ];
    if tuning.points.iter().any(|point| point.unsuccessful > 0) {
        columns.insert(7, column("unsuccessful", false, &|point| Some(units::percent(point.unsuccessful_share()))));
    }
    columns
}

pub(in crate::report) fn signed(share: f64) -> String {
    let percent = (share * 100.0).round();
    // Neither +0 nor -0.
    if percent == 0.0 { "0 %".to_owned() } else { format!("{percent:+.0} %") }
}

/// Which counts had suspect runs, and why.
fn suspect(out: &mut String, label: &str, tuning: &Tuning, paint: Paint) {
    let reasons =
        tuning.points.iter().flat_map(|point| point.suspect.iter().map(move |reason| (point.workers, reason)));
    let total = reasons.clone().count();
    for (workers, reason) in reasons.take(REASONS) {
        let word = paint.with(Paint::WARN, "SUSPECT");
        line(out, &format!("! {}: {word}: {}", at(label, workers), clean::line(reason)));
    }
    if total > REASONS {
        line(out, &format!("! {label}: {} more suspect", plural((total - REASONS) as u64, "run")));
    }
}

fn at(label: &str, workers: u32) -> String {
    format!("{label} ×{workers}")
}

/// A text in lines of the width, those after the first indented as far as it is by `lead`.
pub(in crate::report) fn wrapped(
    out: &mut String,
    lead: &str,
    text: &str,
    width: usize,
    paint: Paint,
    style: anstyle::Style,
) {
    let indent = " ".repeat(table::width(lead));
    let room = width.saturating_sub(indent.len()).max(20);
    let mut current = String::new();
    let mut lines = Vec::new();
    for word in text.split(' ') {
        if !current.is_empty() && table::width(&current) + 1 + table::width(word) > room {
            lines.push(std::mem::take(&mut current));
        }
        if !current.is_empty() {
            current.push(' ');
        }
        current.push_str(word);
    }
    lines.push(current);
    for (place, text) in lines.iter().enumerate() {
        line(out, &format!("{}{}", if place == 0 { lead } else { &indent }, paint.with(style, text)));
    }
}

#[cfg(test)]
mod tests;
