//! The comparison: which parts there are at which size, and where.
//!
//! A large font means few columns, so the small layout is the one for the back row: few parts, large, redundant signals.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::banner::Statement;
use super::charts::Chart;
use super::notes::Message;
use super::paint::{cols, rows};
use super::{Scene, banner, charts, footer, header, kills, latency, notes, pane, progress, ranking, small, time_split};
use crate::tui::{failures, model};

/// Draws the layout that fits.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    if area.width < 80 || area.height < 24 {
        small::draw(scene, area, buf);
        return;
    }
    let statement = banner::statement(scene);
    header::draw(scene, rows(area, 0, 2), buf);
    let bars = scene.panes.len() as u16;
    progress::draw(scene, rows(area, 2, bars), buf);
    let is_large = area.width >= 120 && area.height >= 36;
    let killed = kills::lines(scene, area.width, is_large);
    // Nothing moves when a run becomes suspect: its reason stands where otherwise nothing does.
    let ranking = ranking::line(scene, usize::from(area.width).saturating_sub(2));
    let suspect = notes::suspect(scene);
    // What a kill has cost needs the line that is empty otherwise.
    let tight = !killed.is_empty() && ranking.is_none() && suspect.is_none();
    let mut y = 2 + bars;
    let unsaid = banner::draw(scene, &statement, rows(area, y + u16::from(!tight), 3), buf);
    let (above, beside, unsaid) = match (ranking, suspect) {
        (Some(ranking), suspect) => (Some((ranking, scene.theme.base)), suspect, unsaid),
        (None, Some(suspect)) => (Some(suspect), None, unsaid),
        (None, None) if tight => (None, None, unsaid),
        (None, None) => (unsaid, None, None),
    };
    notes::draw_message(above, rows(area, y, u16::from(!tight)), buf);
    y += 3 + u16::from(!tight);
    if beside.is_some() {
        notes::draw_message(beside, rows(area, y, 1), buf);
        y += 1;
    }
    let below = rows(area, y, area.height.saturating_sub(y + 1));
    if is_large {
        let taken = kills::draw(killed, below, buf);
        large(scene, &statement, unsaid, rows(below, taken, below.height), buf);
    } else {
        let alert = notes::alert(scene, &statement, unsaid);
        // A mere remark gives way to news of a kill.
        let gives_way =
            !killed.is_empty() && (alert.is_none() || kills::are_news(scene) && alert == notes::why(scene, &statement));
        let lines = match (gives_way, area.height >= 27) {
            (true, _) => 0,
            (false, true) => 2,
            (false, false) => 1,
        };
        notes::draw_message(alert, rows(below, 0, lines), buf);
        let taken = lines + kills::draw(killed, rows(below, lines, below.height), buf);
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

fn large(scene: &Scene<'_>, statement: &Statement, unsaid: Option<Message>, area: Rect, buf: &mut Buffer) {
    let wall = area.width >= 180 && area.height >= 38;
    let unsaid = notes::broken(scene).or_else(|| notes::pending(scene)).or(unsaid);
    // A wall has the reasons in a panel.
    let first = unsaid.or_else(|| notes::why(scene, statement).filter(|_| !wall));
    notes::draw_message(first, rows(area, 0, 1), buf);
    let last_line = u16::from(!wall);
    if !wall {
        notes::draw_message(notes::warning(scene), rows(area, area.height - 1, 1), buf);
    }
    let body = rows(area, 1, area.height - 1 - last_line);
    let tables = match (wall, scene.panes.len()) {
        (true, 2) => 12,
        (true, _) => 8,
        (false, _) => 6,
    };
    let wanted = pane::table_lines(scene, area.width / scene.panes.len().max(1) as u16).saturating_add(4);
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
        notes::draw_panel(scene, statement, cols(last, third * 2, last.width), buf);
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
