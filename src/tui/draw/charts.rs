//! What changed over time, both arms on the same axes.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::offered::{self, Begin};
use super::paint::{cols, fill, panel, put, put_right, row, rows, span};
use super::{Scene, figures, time_axis};
use crate::engine::event::Moment;
use crate::metrics::snapshot::Snapshot;
use crate::tui::model::Pane;
use crate::tui::widgets::plot::{self, Series, Stroke};
use crate::tui::{format, text};

/// The sign of the rate that is offered.
const OFFERED: &str = "─";

/// What a chart shows.
#[derive(Clone, Copy)]
pub(crate) enum Chart {
    /// Succeeded tasks per second.
    Throughput,
    /// Waiting tasks.
    Queue,
    /// CPU time per wall time.
    Cores,
    /// Of all workers, in MiB: what is really theirs, where the system tells that.
    Memory,
}

impl Chart {
    fn title(self) -> &'static str {
        match self {
            Self::Throughput => "throughput, tasks/s",
            Self::Queue => "queue depth",
            Self::Cores => "cores busy",
            Self::Memory => "memory of the workers, MiB",
        }
    }

    fn value(self, frame: &Snapshot) -> f64 {
        match self {
            Self::Throughput => frame.throughput,
            Self::Queue => frame.queue.depth as f64,
            Self::Cores => frame.cpu.cores_used,
            Self::Memory => figures::memory(frame) as f64 / f64::from(1 << 20),
        }
    }

    fn now(self, frame: &Snapshot) -> String {
        match self {
            Self::Throughput => format::rate(figures::throughput(frame)),
            Self::Queue => format::count(frame.queue.depth),
            Self::Cores => format!("{:.1}", figures::cores_used(frame)),
            Self::Memory => format::bytes_short(figures::memory(frame)),
        }
    }
}

/// The end of the time axis: the longest that an arm in a pane has run, so that the whole of a replay has its place.
pub(crate) fn end_of_time(scene: &Scene<'_>) -> Moment {
    let ends = scene.panes.iter().filter_map(|pane| pane.view.track.frames.last()).map(|frame| frame.at);
    ends.max().unwrap_or_default().max(Moment(100_000_000))
}

/// The end of the value axis that both arms share.
pub(crate) fn shared_max(scene: &Scene<'_>, value: impl Fn(&Snapshot) -> f64) -> f64 {
    let values = scene.panes.iter().flat_map(|pane| &pane.view.track.frames).map(|frame| value(frame));
    plot::nice_max(values.filter(|value| value.is_finite()).fold(0.0, f64::max))
}

/// The end of the axis of rates: what was done and what was offered.
pub(crate) fn rate_max(scene: &Scene<'_>) -> f64 {
    let done = shared_max(scene, |frame| frame.throughput);
    plot::nice_max(done.max(offered::highest(scene, end_of_time(scene))))
}

/// One value for each column of the time axis, up to the moment that the pane shows.
pub(crate) fn resample(
    scene: &Scene<'_>,
    pane: &Pane<'_>,
    columns: usize,
    value: impl Fn(&Snapshot) -> f64,
) -> Vec<Option<f64>> {
    let width = end_of_time(scene).elapsed().as_secs_f64() / columns.max(1) as f64;
    let Some(now) = pane.frame.map(|frame| frame.at.elapsed().as_secs_f64()) else { return vec![None; columns] };
    let mut frames = pane.past.iter().peekable();
    let mut last = None;
    (0..columns)
        .map(|column| {
            let start = column as f64 * width;
            while let Some(frame) = frames.next_if(|frame| frame.at.elapsed().as_secs_f64() <= start + width) {
                last = Some(value(frame));
            }
            if start <= now { last } else { None }
        })
        .collect()
}

/// Most stages that are marked.
const MOST_MARKED: usize = 10;
/// Columns that a sign and a depth take in the title of a chart, and their share of its frame.
const LAW_ASIDE: usize = 10;

/// A framed chart.
pub(crate) fn draw(scene: &Scene<'_>, chart: Chart, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    // Little's law goes with the queue, where there is room for both of its sides.
    let law = |pane: &Pane<'_>| {
        pane.frame.filter(|_| matches!(chart, Chart::Queue)).and_then(|frame| offered::little(scene, frame))
    };
    let laws: usize = scene.panes.iter().filter_map(law).map(|law| text::width(&law) + 1).sum();
    let has_room = laws + LAW_ASIDE * scene.panes.len() + text::width(chart.title()) <= usize::from(area.width);
    let mut now = Vec::new();
    for pane in &scene.panes {
        let mark = scene.mark(pane);
        now.push(span(format!("{} ", mark.sign), mark.style));
        let value = pane.frame.map_or_else(|| "–".to_owned(), |frame| chart.now(frame));
        match law(pane).filter(|_| has_room) {
            Some(law) => now.extend([span(format!("{value} "), theme.strong), span(format!("{law}  "), theme.base)]),
            None => now.push(span(format!("{value}  "), theme.strong)),
        }
    }
    let offers = matches!(chart, Chart::Throughput).then(|| offered::now(scene)).flatten();
    match (offers, now.last_mut()) {
        (Some(rate), _) => now.push(span(format!("{OFFERED} offered {}/s", axis_label(rate)), theme.base)),
        (None, Some(last)) => last.content = last.content.trim_end().to_owned().into(),
        (None, None) => {}
    }
    let title = Line::styled(chart.title(), theme.strong);
    let inner = panel(buf, area, title, Line::from(now), false, theme);
    let max = match chart {
        Chart::Throughput => rate_max(scene),
        Chart::Cores => shared_max(scene, |frame| chart.value(frame)).max(f64::from(scene.view.host.usable_cores())),
        Chart::Queue | Chart::Memory => shared_max(scene, |frame| chart.value(frame)),
    };
    // Rates of stages have a line of their own, where no line of the plot can cross them.
    let stages: Vec<Begin> = offered::stages(scene).collect();
    // So many of them, as of a trace, would hide the plot.
    let top = u16::from((2..=MOST_MARKED).contains(&stages.len()));
    let plot_height = inner.height.saturating_sub(1 + top);
    let body = cols(rows(inner, top, plot_height), 6, inner.width.saturating_sub(7));
    axis(scene, max, rows(inner, top, plot_height), buf);
    let end = end_of_time(scene).elapsed().as_secs_f64();
    if top > 0 {
        mark_stages(scene, &stages, end, rows(cols(inner, 6, body.width), 0, 1 + plot_height), buf);
    }
    let mut series = Vec::new();
    if matches!(chart, Chart::Throughput) && !stages.is_empty() {
        let points = usize::from(body.width) * 2;
        let values = (0..points).map(|point| offered::rate_at(scene, (point as f64 + 0.5) / points as f64 * end));
        series.push(Series { values: values.collect(), sign: OFFERED, style: theme.dim, stroke: Stroke::Whole });
    }
    series.extend(scene.panes.iter().enumerate().map(|(index, pane)| {
        let mark = scene.mark(pane);
        Series {
            values: resample(scene, pane, usize::from(body.width) * 2, |frame| chart.value(frame)),
            sign: mark.sign,
            style: mark.style,
            stroke: if index > 0 { Stroke::Dashed } else { Stroke::Whole },
        }
    }));
    plot::lines(buf, body, &series, max, theme.ascii);
    time_axis::draw(scene, end, cols(row(inner, top + plot_height), 6, body.width), buf);
}

/// A stroke where each stage begins, and its rate beside the upper end.
fn mark_stages(scene: &Scene<'_>, stages: &[Begin], end: f64, area: Rect, buf: &mut Buffer) {
    let style = scene.theme.dim;
    let column = |at: f64| (at / end * f64::from(area.width)).min(f64::from(u16::MAX)) as u16;
    for stage in stages.iter().filter(|stage| stage.at < end) {
        let (from, until) = (column(stage.at), column(stage.end).min(area.width));
        if stage.at > 0.0 {
            fill(buf, cols(area, from, 1), "┊", style);
        }
        let label = format!("{}/s", axis_label(stage.rate));
        if text::width(&label) + 2 <= usize::from(until.saturating_sub(from)) {
            put(buf, cols(row(area, 0), from + 1, until - from - 1), span(label, style));
        }
    }
}

/// A round number without the digits that say nothing.
pub(crate) fn axis_label(value: f64) -> String {
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
    fill(buf, cols(area, 5, 1), "│", style);
    let mut label = |line: u16, value: f64| {
        put_right(buf, cols(row(area, line), 0, 5), span(axis_label(value), style));
        fill(buf, cols(row(area, line), 5, 1), "┤", style);
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
