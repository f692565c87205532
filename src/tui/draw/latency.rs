//! How long tasks took: percentiles of both arms and their difference.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Scene;
use super::figures::{Better, same_moment};
use super::paint::{cols, panel, put, put_right, row, span};
use crate::metrics::snapshot::{Quantiles, Snapshot};
use crate::tui::format;
use crate::workload::model::{Arrivals, LatencyFrom};

/// Whether the latency that comes first begins at the arrival. When all tasks arrive at the start it would only say how
/// far the run has come, the same for every engine at the same second; then the work comes first.
fn from_arrival(scene: &Scene<'_>) -> bool {
    let workload = &scene.view.workload;
    workload.measure.latency_from == LatencyFrom::IntendedArrival && workload.arrivals != Arrivals::Batch
}

fn leading(scene: &Scene<'_>, frame: &Snapshot) -> Quantiles {
    if from_arrival(scene) { frame.latency.sojourn } else { frame.latency.service }
}

fn shown(quantiles: &Quantiles, value: Duration) -> String {
    if quantiles.count == 0 { "–".to_owned() } else { format::duration(value) }
}

/// Three percentiles for a narrow pane, and where there is room what they are of.
pub(crate) fn short(scene: &Scene<'_>, frame: &Snapshot, room: u16) -> Vec<Span<'static>> {
    let q = leading(scene, frame);
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
    let parts = inner.height >= 2 + 4 * scene.panes.len() as u16;
    let label = if parts { 16 } else { 4 };
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
        let q = leading(scene, frame);
        leading_rows.push(q);
        let mark = scene.mark(pane);
        put(buf, cols(row(inner, line), 1, 2), span(mark.sign, mark.style));
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
    }
}

fn values(q: &Quantiles, label: u16, width: u16, line: Rect, scene: &Scene<'_>, buf: &mut Buffer) {
    for (index, (_, value, _)) in (0..).zip(COLUMNS) {
        put_right(buf, cols(line, label + index * width, width), span(shown(q, value(q)), scene.theme.base));
    }
}
