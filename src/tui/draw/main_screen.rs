//! The comparison: which parts there are at which size, and where.
//!
//! A large font means few columns, so the small layout is the one for the back row: few parts, large, redundant signals.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::banner::Statement;
use super::charts::Chart;
use super::lesson::Lesson;
use super::notes::Message;
use super::paint::{cols, rows};
use super::{Scene, banner, charts, footer, header, kills, latency, notes, pane, progress, ranking, small, time_split};

/// Draws the layout that fits.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    if area.width < 80 || area.height < 24 {
        small::draw(scene, area, buf);
        return;
    }
    let statement = banner::statement(scene);
    header::draw(scene, rows(area, 0, 2), buf);
    let arms = scene.with_bars(progress::most_bars(area));
    let bars = arms.len() as u16;
    progress::draw(scene, &arms, rows(area, 2, bars), buf);
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
        let alert = notes::alert(scene, &statement, unsaid, area.width);
        // A mere remark gives way to news of a kill.
        let gives_way =
            !killed.is_empty() && (alert.is_none() || kills::are_news(scene) && alert == notes::why(scene, &statement));
        let reasons = reasons(scene, &alert, area.width);
        let lines = match (gives_way, area.height >= 27) {
            (true, _) => 0,
            (false, true) => 2,
            (false, false) => 1,
        };
        let lines = if gives_way || reasons.is_empty() {
            notes::draw_message(alert, rows(below, 0, lines), buf);
            lines
        } else {
            notes::draw_message(alert, rows(below, 0, 1), buf);
            (1 + draw_lines(reasons, rows(below, 1, below.height), buf)).max(lines)
        };
        let taken = lines + kills::draw(killed, rows(below, lines, below.height), buf);
        compact(scene, rows(below, taken, below.height), buf);
    }
    footer::draw(scene.ui, &footer::Facts::of(scene), scene.theme, area, buf);
}

/// What stands below the sentence about the lock of an interpreter, where that is what is told.
fn reasons(scene: &Scene<'_>, told: &Option<Message>, width: u16) -> Vec<Message> {
    let is_lock = told.is_some() && *told == notes::lock(scene, width);
    if is_lock { notes::lock_reasons(scene, width) } else { Vec::new() }
}

/// Draws a message on each line; says how many.
fn draw_lines(messages: Vec<Message>, area: Rect, buf: &mut Buffer) -> u16 {
    let mut drawn = 0;
    for message in messages.into_iter().take(usize::from(area.height)) {
        notes::draw_message(Some(message), rows(area, drawn, 1), buf);
        drawn += 1;
    }
    drawn
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
    let lock = notes::lock(scene, area.width).filter(|_| !wall);
    let first = unsaid.or(lock).or_else(|| notes::why(scene, statement).filter(|_| !wall));
    let reasons = reasons(scene, &first, area.width);
    notes::draw_message(first, rows(area, 0, 1), buf);
    let above = 1 + draw_lines(reasons, rows(area, 1, area.height), buf);
    let last_line = u16::from(!wall);
    if !wall {
        notes::draw_message(notes::warning(scene), rows(area, area.height - 1, 1), buf);
    }
    let body = rows(area, above, area.height.saturating_sub(above + last_line));
    let tables = match (wall, scene.panes.len()) {
        (true, 2) => 12,
        (true, _) => 8,
        (false, _) => 6,
    };
    let wanted = pane::table_lines(scene, area.width / scene.panes.len().max(1) as u16)
        .saturating_add(2 + pane::lines_below(scene));
    let least_charts = if wall { 10 } else { 8 };
    let panes = wanted.clamp(8, body.height.saturating_sub(tables + least_charts).max(8));
    // Classes take lines of the charts.
    let room = body.height.saturating_sub(panes + least_charts);
    let tables = tables.max((4 + latency::lines_of_classes(scene) + scene.panes.len() as u16).min(room));
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
    // Where memory is what is to be seen, it takes the place of what is told elsewhere too.
    let kinds: &[Chart] = match (wall, Lesson::of(scene).memory) {
        (true, false) => &[Chart::Throughput, Chart::Queue, Chart::Cores],
        (true, true) => &[Chart::Throughput, Chart::Queue, Chart::Memory],
        (false, false) => &[Chart::Throughput, Chart::Queue],
        (false, true) => &[Chart::Throughput, Chart::Memory],
    };
    let width = area.width / kinds.len() as u16;
    for (index, kind) in (0..).zip(kinds) {
        let rest = if index + 1 == kinds.len() as u16 { area.width } else { width };
        charts::draw(scene, *kind, cols(area, index * width, rest), buf);
    }
}
