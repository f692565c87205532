//! Rate against worker count of the arms on screen, with intervals and the cores marked. The axis of counts is
//! logarithmic: doubling is one step everywhere.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::Scene;
use super::super::charts::axis_label;
use super::super::paint::{cols, fill, put, put_right, row, rows, span};
use crate::analysis::tuning::Point;
use crate::tui::format;
use crate::tui::model::Pane;
use crate::tui::widgets::plot::{self, Series, Stroke};

/// Columns of the axis of rates.
const LEFT: u16 = 7;
/// Columns right of the highest count, for its figure.
const RIGHT: u16 = 8;

struct Axes {
    body: Rect,
    /// Logarithm of the highest count shown.
    highest: f64,
    max: f64,
}

impl Axes {
    fn x(&self, workers: u32) -> u16 {
        let share = f64::from(workers.max(1)).log2() / self.highest;
        self.body.x + (share * f64::from(self.span())).round() as u16
    }

    fn span(&self) -> u16 {
        self.body.width.saturating_sub(RIGHT + 1)
    }

    fn y(&self, rate: f64) -> u16 {
        let last = self.body.height.saturating_sub(1);
        let share = (rate / self.max).clamp(0.0, 1.0);
        self.body.y + last - (share * f64::from(last)).round() as u16
    }
}

/// The chart: nothing where no count was measured.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    if area.height < 4 || area.width < LEFT + RIGHT + 8 {
        return;
    }
    let theme = scene.theme;
    let points = || scene.panes.iter().flat_map(|pane| &pane.view.tuning.points);
    let cores = scene.view.host.usable_cores();
    let wanted = scene.panes.iter().map(|pane| pane.view.workers);
    let highest = points().map(|point| point.workers).chain(wanted).chain([cores, 4]).max().unwrap_or(4);
    let top = points().filter_map(|point| point.rate).map(|rate| rate.ci95.map_or(rate.mean, |(_, high)| high));
    let max = plot::nice_max(top.filter(|top| top.is_finite()).fold(0.0, f64::max));
    let body = cols(rows(area, 0, area.height - 1), LEFT, area.width - LEFT);
    let axes = Axes { body, highest: f64::from(highest).log2(), max };
    frame(scene, &axes, area, buf);
    mark_cores(scene, &axes, cores, buf);
    let fits = scene.panes.iter().filter_map(|pane| fit(scene, &axes, pane));
    let measured = scene.panes.iter().enumerate().map(|(index, pane)| series(scene, &axes, pane, index));
    let lines: Vec<Series> = fits.chain(measured).collect();
    plot::lines(buf, body, &lines, max, theme.ascii);
    for pane in &scene.panes {
        for point in &pane.view.tuning.points {
            interval(scene, &axes, pane, point, buf);
        }
    }
    for pane in &scene.panes {
        for point in &pane.view.tuning.points {
            sign(scene, &axes, pane, point, buf);
        }
    }
    name_cores(scene, &axes, cores, buf);
    counts(scene, &axes, row(area, area.height - 1), buf);
}

/// Both axes and the figures of the left one.
fn frame(scene: &Scene<'_>, axes: &Axes, area: Rect, buf: &mut Buffer) {
    let style = scene.theme.dim;
    let last = axes.body.height - 1;
    for line in 0..axes.body.height {
        put(buf, cols(row(area, line), LEFT - 1, 1), span("│", style));
    }
    let mut labels = vec![(0, axes.max), (last, 0.0)];
    if last >= 4 && last.is_multiple_of(2) {
        labels.push((last / 2, axes.max / 2.0));
    }
    for (line, value) in labels {
        put_right(buf, cols(row(area, line), 0, LEFT - 1), span(axis_label(value), style));
        put(buf, cols(row(area, line), LEFT - 1, 1), span("┤", style));
    }
}

fn mark_cores(scene: &Scene<'_>, axes: &Axes, cores: u32, buf: &mut Buffer) {
    let x = axes.x(cores);
    let style = scene.theme.dim;
    fill(buf, Rect { x, width: 1, ..axes.body }, "┊", style);
}

/// Beside the mark, on the lowest line on which nothing else stands there.
fn name_cores(scene: &Scene<'_>, axes: &Axes, cores: u32, buf: &mut Buffer) {
    let words = format!("{cores} core{}", if cores == 1 { "" } else { "s" });
    let width = words.len() as u16;
    let place = Rect { x: axes.x(cores) + 1, y: axes.body.y, width, height: 1 };
    let free = (axes.body.y..axes.body.bottom()).rev().map(|y| Rect { y, ..place }).find(|place| {
        place.intersection(axes.body) == *place && place.positions().all(|position| buf[position].symbol() == " ")
    });
    if let Some(place) = free {
        put(buf, place, span(words, scene.theme.dim));
    }
}

/// The points of an arm joined by straight lines, half a column at a time.
fn series(scene: &Scene<'_>, axes: &Axes, pane: &Pane<'_>, index: usize) -> Series {
    let mark = scene.mark(pane);
    let measured: Vec<(f64, f64)> = pane
        .view
        .tuning
        .points
        .iter()
        .filter_map(|point| Some((f64::from(axes.x(point.workers) - axes.body.x) * 2.0, point.mean()?)))
        .collect();
    let values = (0..axes.body.width * 2).map(f64::from).map(|x| {
        let pair = measured.windows(2).find(|pair| matches!(pair, [from, to] if from.0 <= x && x <= to.0))?;
        let [from, to] = pair else { return None };
        Some(from.1 + (to.1 - from.1) * (x - from.0) / (to.0 - from.0).max(1.0))
    });
    let stroke = if index > 0 { Stroke::Dashed } else { Stroke::Whole };
    Series { values: values.collect(), sign: mark.sign, style: mark.style, stroke }
}

/// The fitted law where it may be trusted.
fn fit(scene: &Scene<'_>, axes: &Axes, pane: &Pane<'_>) -> Option<Series> {
    let fit = pane.view.tuning.fit.as_ref().ok()?;
    let last = f64::from(axes.span()) * 2.0;
    let values = (0..axes.body.width * 2).map(f64::from).map(|x| fit.rate((x / last * axes.highest).exp2()));
    let values = values.map(|rate| rate.filter(|rate| *rate <= axes.max)).collect();
    Some(Series { values, sign: ".", style: scene.mark(pane).style, stroke: Stroke::Dotted })
}

fn interval(scene: &Scene<'_>, axes: &Axes, pane: &Pane<'_>, point: &Point, buf: &mut Buffer) {
    let Some((low, high)) = point.rate.and_then(|rate| rate.ci95) else { return };
    let (top, bottom) = (axes.y(high), axes.y(low.max(0.0)));
    if bottom > top {
        let place = Rect { x: axes.x(point.workers), y: top, width: 1, height: bottom - top + 1 };
        fill(buf, place, "│", scene.mark(pane).style);
    }
}

/// The sign of the arm, and the rate beside it where nothing else stands.
fn sign(scene: &Scene<'_>, axes: &Axes, pane: &Pane<'_>, point: &Point, buf: &mut Buffer) {
    let Some(mean) = point.mean() else { return };
    let mark = scene.mark(pane);
    let (x, y) = (axes.x(point.workers), axes.y(mean));
    let place = Rect { x, y, width: 1, height: 1 };
    put(buf, place.intersection(axes.body), span(mark.sign, mark.style));
    let words = format::rate(mean);
    let width = u16::try_from(words.len()).unwrap_or(u16::MAX);
    let right = Rect { x: x + 1, y, width, height: 1 };
    let left = Rect { x: x.saturating_sub(width), y, width, height: 1 };
    for beside in [right, left] {
        let inside = beside.intersection(axes.body) == beside;
        if inside && beside.positions().all(|position| buf[position].symbol() == " ") {
            put(buf, beside, span(words, mark.style));
            return;
        }
    }
}

/// The counts that were tried, below the chart; those for which there is no room are left out.
fn counts(scene: &Scene<'_>, axes: &Axes, line: Rect, buf: &mut Buffer) {
    let mut counts: Vec<u32> = scene
        .panes
        .iter()
        .flat_map(|pane| pane.view.tuning.points.iter().map(|point| point.workers).chain([pane.view.workers]))
        .collect();
    counts.sort_unstable();
    counts.dedup();
    let mut free = line.x;
    for workers in counts {
        let words = workers.to_string();
        let width = words.len() as u16;
        let x = axes.x(workers).saturating_sub(width / 2);
        if x >= free {
            put(buf, Rect { x, width, ..line }.intersection(line), span(words, scene.theme.base));
            free = x + width + 1;
        }
    }
    let title = "tasks/s by worker count ";
    if usize::from(line.right().saturating_sub(free)) > title.len() {
        put_right(buf, line, span(title, scene.theme.dim));
    }
}
