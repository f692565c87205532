//! The comparison: which parts there are at which size, and where.
//!
//! A large font means few columns, so the small layout is the one for the back row: few parts, large, redundant signals.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::charts::Chart;
use super::paint::{cols, rows};
use super::{Scene, banner, charts, footer, header, kills, latency, notes, pane, progress, small, time_split};
use crate::tui::{failures, model};

/// Draws the layout that fits.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    if area.width < 80 || area.height < 24 {
        small::draw(scene, area, buf);
        return;
    }
    header::draw(scene, rows(area, 0, 2), buf);
    let bars = scene.panes.len() as u16;
    progress::draw(scene, rows(area, 2, bars), buf);
    let is_large = area.width >= 120 && area.height >= 36;
    let killed = kills::lines(scene, area.width, is_large);
    // What a kill has cost needs the line that is empty otherwise.
    let mut y = 2 + bars + u16::from(killed.is_empty());
    banner::draw(scene, rows(area, y, 3), buf);
    y += 3;
    let below = rows(area, y, area.height.saturating_sub(y + 1));
    if is_large {
        let taken = kills::draw(killed, below, buf);
        large(scene, rows(below, taken, below.height), buf);
    } else {
        let alert = notes::alert(scene);
        // A mere remark gives way to news of a kill.
        let gives_way =
            !killed.is_empty() && (alert.is_none() || kills::are_news(scene) && alert == notes::lint(scene));
        let alerts = u16::from(!gives_way);
        notes::draw_line(alert, rows(below, 0, alerts), buf);
        let taken = alerts + kills::draw(killed, rows(below, alerts, below.height), buf);
        compact(scene, rows(below, taken, below.height), buf);
    }
    footer::draw(scene.ui, failures::count(scene.view), model::is_running(scene.view), scene.theme, area, buf);
}

/// The areas of so many panes side by side.
fn side_by_side(area: Rect, panes: usize) -> Vec<Rect> {
    if panes < 2 {
        return vec![area];
    }
    let half = area.width / 2;
    vec![cols(area, 0, half), cols(area, half, area.width)]
}

fn compact(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    for (index, place) in side_by_side(area, scene.panes.len()).into_iter().enumerate() {
        pane::draw_compact(scene, index, place, buf);
    }
}

fn large(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let wall = area.width >= 180 && area.height >= 38;
    let shown_notes = if wall { notes::suspect(scene) } else { notes::suspect(scene).or_else(|| notes::lint(scene)) };
    notes::draw_line(shown_notes, rows(area, 0, 1), buf);
    let last_line = u16::from(!wall);
    if !wall {
        notes::draw_line(notes::warning(scene), rows(area, area.height - 1, 1), buf);
    }
    let body = rows(area, 1, area.height - 1 - last_line);
    let tables = match (wall, scene.panes.len()) {
        (true, 2) => 12,
        (true, _) => 8,
        (false, _) => 6,
    };
    let most_workers = scene.panes.iter().filter_map(|pane| pane.frame).map(|frame| frame.workers.len()).max();
    let wanted = u16::try_from(most_workers.unwrap_or(1)).unwrap_or(u16::MAX).saturating_add(5);
    let least_charts = if wall { 10 } else { 8 };
    let panes = wanted.clamp(8, body.height.saturating_sub(tables + least_charts).max(8));
    let charts = body.height.saturating_sub(tables + panes);
    for (index, place) in side_by_side(rows(body, 0, panes), scene.panes.len()).into_iter().enumerate() {
        pane::draw_table(scene, index, place, buf);
    }
    draw_charts(scene, rows(body, panes, charts), wall, buf);
    let last = rows(body, panes + charts, tables);
    if wall {
        let third = last.width / 3;
        latency::draw(scene, cols(last, 0, third), buf);
        time_split::draw(scene, cols(last, third, third), buf);
        notes::draw_panel(scene, cols(last, third * 2, last.width), buf);
    } else {
        let half = last.width / 2;
        latency::draw(scene, cols(last, 0, half), buf);
        time_split::draw(scene, cols(last, half, last.width), buf);
    }
}

fn draw_charts(scene: &Scene<'_>, area: Rect, wall: bool, buf: &mut Buffer) {
    let kinds: &[Chart] =
        if wall { &[Chart::Throughput, Chart::Queue, Chart::Cores] } else { &[Chart::Throughput, Chart::Queue] };
    let width = area.width / kinds.len() as u16;
    for (index, kind) in (0..).zip(kinds) {
        let rest = if index + 1 == kinds.len() as u16 { area.width } else { width };
        charts::draw(scene, *kind, cols(area, index * width, rest), buf);
    }
}
