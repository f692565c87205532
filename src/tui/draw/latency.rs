//! How long tasks took: percentiles of both arms and their difference; class by class where there are several, because a
//! median over tasks that have nothing in common says nothing.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Scene;
use super::figures::{Better, same_moment};
use super::paint::{cols, panel, put, put_right, row, rows, span};
use crate::metrics::snapshot::{ClassFigures, Latency, Quantiles, Snapshot};
use crate::tui::{format, text};
use crate::workload::model::{Arrivals, LatencyFrom};

/// Whether the latency that comes first begins at the arrival. When all tasks arrive at the start it would only say how
/// far the run has come, the same for every engine at the same second; then the work comes first.
fn from_arrival(scene: &Scene<'_>) -> bool {
    let workload = &scene.view.workload;
    workload.measure.latency_from == LatencyFrom::IntendedArrival && workload.arrivals != Arrivals::Batch
}

fn leading(scene: &Scene<'_>, latency: &Latency) -> Quantiles {
    if from_arrival(scene) { latency.sojourn } else { latency.service }
}

fn class_name(scene: &Scene<'_>, class: &ClassFigures) -> String {
    text::clean(&class.name(&scene.view.workload))
}

/// `work p50: ask 15 ms compute 34 ms`.
fn medians(scene: &Scene<'_>, frame: &Snapshot, room: u16) -> Option<Vec<Span<'static>>> {
    let style = scene.theme.base;
    let name = if from_arrival(scene) { "latency p50:" } else { "work p50:" };
    let of = |class: &ClassFigures| {
        let q = leading(scene, &class.latency);
        span(format!("{} {}", class_name(scene, class), shown(&q, q.p50)), style)
    };
    let classes: Vec<_> = frame.classes.iter().map(of).collect();
    let fits = |pieces: &Vec<Span<'static>>| {
        pieces.iter().map(|piece| piece.width() + 1).sum::<usize>() <= usize::from(room) + 1
    };
    let with = |name: &'static str| -> Vec<_> { std::iter::once(span(name, style)).chain(classes.clone()).collect() };
    let wanted = [with(name), with("p50:")];
    wanted.into_iter().find(|pieces| !classes.is_empty() && fits(pieces))
}

/// Lines that the panel would like to have for classes.
pub(crate) fn lines_of_classes(scene: &Scene<'_>) -> u16 {
    let classes = scene.panes.iter().filter_map(|pane| pane.frame).map(|frame| frame.classes.len());
    (classes.max().unwrap_or(0) * scene.panes.len()) as u16
}

fn shown(quantiles: &Quantiles, value: Duration) -> String {
    if quantiles.count == 0 { "–".to_owned() } else { format::duration(value) }
}

/// Three percentiles for a narrow pane, and where there is room what they are of. Of several classes the median of each,
/// where these fit.
pub(crate) fn short(scene: &Scene<'_>, frame: &Snapshot, room: u16) -> Vec<Span<'static>> {
    if let Some(medians) = medians(scene, frame, room) {
        return medians;
    }
    let q = leading(scene, &frame.latency);
    let percentile = |name: &str, value| span(format!("{name} {}", shown(&q, value)), scene.theme.base);
    let mut pieces = vec![percentile("p50", q.p50), percentile("p95", q.p95), percentile("p99", q.p99)];
    let name = if from_arrival(scene) { "latency" } else { "work" };
    let width: usize = pieces.iter().map(|piece| piece.width() + 1).sum();
    if width + name.len() <= usize::from(room) {
        pieces.insert(0, span(name, scene.theme.base));
    }
    pieces
}

/// A heading, the percentile below it, and the values without which its difference is chance: ten beyond it would be
/// better, one is the least.
type Column = (&'static str, fn(&Quantiles) -> Duration, u64);

const COLUMNS: [Column; 5] = [
    ("p50", |q| q.p50, 2),
    ("p90", |q| q.p90, 10),
    ("p95", |q| q.p95, 20),
    ("p99", |q| q.p99, 100),
    ("max", |q| q.max, 2),
];

/// A framed table: the leading latency of each arm and the difference; with more room also its parts.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let title = if from_arrival(scene) { "latency, arrival to end" } else { "latency of the work" };
    let inner = panel(buf, area, Line::styled(title, theme.strong), Line::default(), false, theme);
    let classes = lines_of_classes(scene) > 0;
    let parts = !classes && inner.height >= 2 + 4 * scene.panes.len() as u16;
    let label = if parts || classes { 16 } else { 4 };
    let width = (inner.width.saturating_sub(label + 1) / 5).min(12);
    for (index, (name, ..)) in (0..).zip(COLUMNS) {
        put_right(buf, cols(row(inner, 0), label + index * width, width), span(name, theme.dim));
    }
    let mut line = 1;
    let mut leading_rows = Vec::new();
    for pane in &scene.panes {
        let Some(frame) = pane.frame else {
            line += 1;
            continue;
        };
        let q = leading(scene, &frame.latency);
        leading_rows.push(q);
        let mark = scene.mark(pane);
        put(buf, cols(row(inner, line), 1, 2), span(mark.sign, mark.style));
        if classes {
            put(buf, cols(row(inner, line), 3, label), span("all classes", theme.dim));
        }
        values(&q, label, width, row(inner, line), scene, buf);
        line += 1;
        if parts {
            let latency = &frame.latency;
            let last =
                if from_arrival(scene) { ("work", latency.service) } else { ("arrival to end", latency.sojourn) };
            for (name, q) in [("wait", latency.wait), ("start-up", latency.startup), last] {
                put(buf, cols(row(inner, line), 3, label), span(name, theme.dim));
                values(&q, label, width, row(inner, line), scene, buf);
                line += 1;
            }
        }
    }
    if let [left, right] = leading_rows.as_slice()
        && same_moment(scene)
    {
        put(buf, cols(row(inner, line), 1, 2), span("Δ", theme.strong));
        for (index, (_, value, least)) in (0..).zip(COLUMNS) {
            if left.count.min(right.count) < least {
                continue;
            }
            let (a, b) = (value(left).as_secs_f64(), value(right).as_secs_f64());
            let (_, style) = Better::Lower.judge(a, b, theme);
            let cell = cols(row(inner, line), label + index * width, width);
            put_right(buf, cell, span(format::change(a, b), style));
        }
        line += 1;
    }
    if classes {
        draw_classes(scene, rows(inner, line, inner.height), label, width, buf);
    }
}

/// The arms of each class below each other, as many classes as there is room for; what is missing is said.
fn draw_classes(scene: &Scene<'_>, area: Rect, label: u16, width: u16, buf: &mut Buffer) {
    let each = scene.panes.len() as u16;
    let count = lines_of_classes(scene) / each.max(1);
    let fitting = if count * each <= area.height { count } else { area.height.saturating_sub(1) / each };
    for place in 0..fitting {
        for (number, pane) in (0..).zip(&scene.panes) {
            let Some(class) = pane.frame.and_then(|frame| frame.classes.get(usize::from(place))) else { continue };
            let line = row(area, place * each + number);
            let mark = scene.mark(pane);
            put(buf, cols(line, 1, 2), span(mark.sign, mark.style));
            put(buf, cols(line, 3, label.saturating_sub(4)), span(class_name(scene, class), scene.theme.base));
            values(&leading(scene, &class.latency), label, width, line, scene, buf);
        }
    }
    if fitting < count {
        let words = format!("and {} more: see the report", count - fitting);
        put(buf, cols(row(area, fitting * each), 3, area.width), span(words, scene.theme.dim));
    }
}

fn values(q: &Quantiles, label: u16, width: u16, line: Rect, scene: &Scene<'_>, buf: &mut Buffer) {
    for (index, (_, value, _)) in (0..).zip(COLUMNS) {
        put_right(buf, cols(line, label + index * width, width), span(shown(q, value(q)), scene.theme.base));
    }
}
