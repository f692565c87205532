//! One line for each worker count of an arm that was tried, and for the one that is wanted.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::super::Scene;
use super::super::paint::{cols, first_visible, put, put_right, row, rows, span};
use crate::analysis::tuning::target::{Percentile, Target};
use crate::analysis::tuning::{Point, Tuning};
use crate::tui::model::{Pane, Role};
use crate::tui::theme::Theme;
use crate::tui::{format, tune};
use crate::workload::model::Arrivals;

/// A column: its heading, its width, and the least width of the table that has it.
type Column = (&'static str, u16, u16);

const COLUMNS: [Column; 10] = [
    ("w", 5, 0),
    ("tasks/s", 8, 0),
    ("±95 %", 8, 30),
    ("gain", 6, 0),
    ("eff", 6, 56),
    ("cores", 6, 36),
    ("p95", 12, 48),
    ("start-up", 9, 70),
    ("memory", 8, 78),
    ("n", 8, 50),
];

/// The table; the chosen line is always visible.
pub(crate) fn draw(scene: &Scene<'_>, index: usize, pane: &Pane<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let arm = pane.view;
    let counts = tune::counts(&arm.tuning, arm.workers);
    let chosen = scene.ui.count.get(index).copied().flatten().unwrap_or(arm.workers);
    let place = counts.iter().position(|count| *count == chosen).unwrap_or(0);
    let open = matches!(scene.view.workload.arrivals, Arrivals::Open(_));
    let percentile = match scene.view.target {
        Some(Target::Latency { percentile, .. }) => Some(percentile),
        _ => None,
    };
    let figure = percentile.map(|percentile| format!("sojourn {}", percentile.word()));
    let heading = |column: usize| match (COLUMNS[column].0, &figure) {
        ("p95", Some(figure)) => figure.as_str(),
        (heading, _) => heading_of(heading, open),
    };
    let figures = Figures { open, percentile };
    line(row(area, 0), |column| span(heading(column).to_owned(), theme.dim), buf);
    let body = rows(area, 1, area.height);
    let height = usize::from(body.height);
    let first = first_visible(place, counts.len(), height);
    let live = (pane.role == Role::Live).then(|| pane.frame.map(|frame| frame.workers_target)).flatten();
    for (number, workers) in (0..).zip(counts.iter().skip(first).take(height)) {
        let place = row(body, number);
        let point = arm.tuning.point(*workers);
        let rate = pane.frame.filter(|_| live == Some(*workers)).map(|frame| frame.throughput_whole);
        line(place, |column| cell(COLUMNS[column].0, *workers, point, rate, &arm.tuning, figures, theme), buf);
        let sign = if *workers == arm.workers { "▸" } else { " " };
        put(buf, cols(place, 0, 1), span(sign, theme.strong));
        if *workers == chosen && scene.focus() == index {
            buf.set_style(cols(place, 0, width(area.width)), theme.selected);
        }
    }
}

/// Which latency is shown.
#[derive(Clone, Copy)]
struct Figures {
    /// Whether tasks arrive on a schedule of their own.
    open: bool,
    /// Of the sojourn, that a target is about.
    percentile: Option<Percentile>,
}

/// Which latency it is: reports tell the sojourn alone.
fn heading_of(column: &'static str, open: bool) -> &'static str {
    match column {
        "p95" if open => "sojourn p95",
        "p95" => "service p95",
        heading => heading,
    }
}

fn width(available: u16) -> u16 {
    1 + COLUMNS.iter().filter(|(.., least)| available >= *least).map(|(_, width, _)| width).sum::<u16>()
}

fn line<'a>(area: Rect, words: impl Fn(usize) -> Span<'a>, buf: &mut Buffer) {
    let mut x = 1;
    for (column, (_, width, least)) in COLUMNS.iter().enumerate() {
        if area.width >= *least {
            put_right(buf, cols(area, x, *width), words(column));
            x += width;
        }
    }
}

fn cell(
    column: &str,
    workers: u32,
    point: Option<&Point>,
    live: Option<f64>,
    tuning: &Tuning,
    Figures { open, percentile }: Figures,
    theme: &Theme,
) -> Span<'static> {
    let best = tuning.advice.workers() == Some(workers);
    let strong = if best { theme.strong } else { theme.base };
    if column == "w" {
        return span(workers.to_string(), strong);
    }
    let measured = point.filter(|point| point.runs() > 0);
    let words = match (column, measured) {
        // What runs is shown, in the place of what is not known yet.
        ("tasks/s", None) => live.map(format::rate),
        ("n", _) => return runs(point, live.is_some(), theme),
        ("tasks/s", Some(point)) => point.rate.map(|rate| format::rate(rate.mean)),
        ("±95 %", Some(point)) => {
            point.rate.and_then(|rate| rate.ci95).map(|(low, high)| format!("±{}", format::rate((high - low) / 2.0)))
        }
        ("gain", Some(_)) => tuning.gain(workers).map(|gain| format!("{:+.0}%", gain * 100.0)),
        ("eff", Some(_)) => tuning.efficiency(workers).map(|share| format!("{:.0}%", share * 100.0)),
        ("cores", Some(point)) => Some(format!("{:.1}", point.cores_used)),
        // What is looked for is what is shown.
        ("p95", Some(point)) if percentile.is_some() => {
            percentile.and_then(|percentile| percentile.of_point(point)).map(format::duration)
        }
        // A batch waits as one: what differs there is the work.
        ("p95", Some(point)) if open => point.sojourn_p95.map(format::duration),
        ("p95", Some(point)) => point.service_p95.map(format::duration),
        ("start-up", Some(point)) => Some(format!("{:.0}%", point.worker_time.shares().1 * 100.0)),
        ("memory", Some(point)) => point.peak_pss_bytes.map(format::bytes_short),
        _ => None,
    };
    span(words.unwrap_or_else(|| "–".to_owned()), strong)
}

/// Counted runs; `+1` for one in which the user had a hand, `!` where one is suspect, `▶` while one is under way.
fn runs(point: Option<&Point>, live: bool, theme: &Theme) -> Span<'static> {
    let (runs, touched, suspect) =
        point.map_or((0, 0, false), |point| (point.runs(), point.touched, !point.suspect.is_empty()));
    let mut words = String::new();
    if live {
        words.push('▶');
    }
    words.push_str(&runs.to_string());
    if touched > 0 {
        words.push_str(&format!("+{touched}"));
    }
    if suspect {
        words.push('!');
    }
    span(words, if suspect { theme.warn } else { theme.base })
}
