//! What changed over time, both arms on the same axes.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Scene;
use super::banner;
use super::paint::{cols, panel, put, put_right, row, rows, span};
use crate::metrics::snapshot::Snapshot;
use crate::tui::format;
use crate::tui::model::Pane;
use crate::tui::widgets::plot::{self, Series};

/// What a chart shows.
#[derive(Clone, Copy)]
pub enum Chart {
    /// Succeeded tasks per second.
    Throughput,
    /// Waiting tasks.
    Queue,
    /// CPU time per wall time.
    Cores,
}

impl Chart {
    fn title(self) -> &'static str {
        match self {
            Self::Throughput => "throughput, tasks/s",
            Self::Queue => "queue depth",
            Self::Cores => "cores busy",
        }
    }

    fn value(self, frame: &Snapshot) -> f64 {
        match self {
            Self::Throughput => frame.throughput,
            Self::Queue => frame.queue.depth as f64,
            Self::Cores => frame.cpu.cores_used,
        }
    }

    fn now(self, frame: &Snapshot) -> String {
        match self {
            Self::Throughput => format::rate(banner::throughput(frame)),
            Self::Queue => format::count(frame.queue.depth),
            Self::Cores => format!("{:.1}", banner::cores_used(frame)),
        }
    }
}

/// The end of the time axis: the longest that an arm in a pane has run, so that the whole of a replay has its place.
pub fn span_of_time(scene: &Scene<'_>) -> Duration {
    let ends = scene.panes.iter().filter_map(|pane| pane.view.track.frames.last()).map(|frame| frame.at);
    ends.max().unwrap_or_default().max(Duration::from_millis(100))
}

/// The end of the value axis that both arms share.
pub fn shared_max(scene: &Scene<'_>, value: impl Fn(&Snapshot) -> f64) -> f64 {
    let values = scene.panes.iter().flat_map(|pane| &pane.view.track.frames).map(|frame| value(frame));
    plot::nice_max(values.filter(|value| value.is_finite()).fold(0.0, f64::max))
}

/// One value for each column of the time axis, up to the moment that the pane shows.
pub fn resample(
    scene: &Scene<'_>,
    pane: &Pane<'_>,
    columns: usize,
    value: impl Fn(&Snapshot) -> f64,
) -> Vec<Option<f64>> {
    let width = span_of_time(scene).as_secs_f64() / columns.max(1) as f64;
    let Some(now) = pane.frame.map(|frame| frame.at.as_secs_f64()) else { return vec![None; columns] };
    let mut frames = pane.past.iter().peekable();
    let mut last = None;
    (0..columns)
        .map(|column| {
            let start = column as f64 * width;
            while let Some(frame) = frames.next_if(|frame| frame.at.as_secs_f64() <= start + width) {
                last = Some(value(frame));
            }
            if start <= now { last } else { None }
        })
        .collect()
}

/// A framed chart.
pub fn draw(scene: &Scene<'_>, chart: Chart, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let mut now = Vec::new();
    for pane in &scene.panes {
        let mark = scene.mark(pane);
        now.push(span(format!("{} ", mark.sign), mark.style));
        let value = pane.frame.map_or_else(|| "–".to_owned(), |frame| chart.now(frame));
        now.push(span(format!("{value}  "), theme.strong));
    }
    if let Some(last) = now.last_mut() {
        last.content = last.content.trim_end().to_owned().into();
    }
    let title = Line::styled(chart.title(), theme.strong);
    let inner = panel(buf, area, title, Line::from(now), false, theme);
    let max = match chart {
        Chart::Cores => shared_max(scene, |frame| chart.value(frame)).max(f64::from(scene.view.host.usable_cores())),
        Chart::Throughput | Chart::Queue => shared_max(scene, |frame| chart.value(frame)),
    };
    let plot_height = inner.height.saturating_sub(1);
    let body = cols(rows(inner, 0, plot_height), 6, inner.width.saturating_sub(7));
    axis(scene, max, rows(inner, 0, plot_height), buf);
    let series: Vec<Series> = scene
        .panes
        .iter()
        .enumerate()
        .map(|(index, pane)| {
            let mark = scene.mark(pane);
            Series {
                values: resample(scene, pane, usize::from(body.width) * 2, |frame| chart.value(frame)),
                sign: mark.sign,
                style: mark.style,
                dashed: index > 0,
            }
        })
        .collect();
    plot::lines(buf, body, &series, max, theme.ascii);
    let below = cols(row(inner, plot_height), 6, inner.width.saturating_sub(7));
    put(buf, below, span("0 s", theme.dim));
    put_right(buf, below, span(format::duration(span_of_time(scene)), theme.dim));
}

/// A round number without the digits that say nothing.
pub fn axis_label(value: f64) -> String {
    let label = format::rate(value);
    if label.contains('.') && label.ends_with('0') {
        label.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        label.replace(".0k", "k").replace(".0M", "M")
    }
}

fn axis(scene: &Scene<'_>, max: f64, area: Rect, buf: &mut Buffer) {
    let style = scene.theme.dim;
    let last = area.height.saturating_sub(1);
    for line in 0..area.height {
        put(buf, cols(row(area, line), 5, 1), span("│", style));
    }
    let mut label = |line: u16, value: f64| {
        put_right(buf, cols(row(area, line), 0, 5), span(axis_label(value), style));
        put(buf, cols(row(area, line), 5, 1), span("┤", style));
    };
    label(0, max);
    if area.height >= 5 {
        // The middle is exact only where the number of lines is odd; an axis that is off by a line would lie.
        if last.is_multiple_of(2) {
            label(last / 2, max / 2.0);
        }
    }
    if last > 0 {
        label(last, 0.0);
    }
}
