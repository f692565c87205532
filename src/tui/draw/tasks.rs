//! The unsuccessful attempts, newest first, and why the chosen one did not succeed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::paint::{cols, fill, first_visible, panel, put, put_right, row, rows, span};
use super::{Scene, detail, footer};
use crate::engine::outcome::{AttemptReport, Outcome};
use crate::tui::model::{self, Failure};
use crate::tui::theme::Mark;
use crate::tui::{format, text};

/// The list, and the details of the chosen attempt below it where there is room.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let list = model::failures(scene.view);
    head(scene, &list, area, buf);
    let body = rows(area, 2, area.height.saturating_sub(3));
    let with_detail = body.height >= 16 && !list.is_empty();
    let list_height = if with_detail { (body.height * 2 / 5).min(list.len() as u16 + 2).max(4) } else { body.height };
    draw_list(scene, &list, rows(body, 0, list_height), buf);
    if let (true, Some(failure)) = (with_detail, chosen(scene, &list)) {
        draw_panel(scene, failure, 0, rows(body, list_height, body.height), buf);
    }
    footer::draw(scene.ui, list.len(), model::is_running(scene.view), scene.theme, area, buf);
}

/// The details of the chosen attempt on the whole screen.
pub fn draw_detail(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let list = model::failures(scene.view);
    head(scene, &list, area, buf);
    let body = rows(area, 2, area.height.saturating_sub(3));
    match chosen(scene, &list) {
        Some(failure) => draw_panel(scene, failure, scene.ui.detail_scroll, body, buf),
        None => put(buf, row(body, 0), span(" nothing failed", scene.theme.base)),
    }
    footer::draw(scene.ui, list.len(), model::is_running(scene.view), scene.theme, area, buf);
}

fn chosen<'a>(scene: &Scene<'_>, list: &[Failure<'a>]) -> Option<Failure<'a>> {
    list.get(model::position(list, scene.ui.attempt)).copied()
}

fn head(scene: &Scene<'_>, list: &[Failure<'_>], area: Rect, buf: &mut Buffer) {
    let first = row(area, 0);
    let name = text::clean(&scene.view.workload.name);
    put(buf, first, span(format!(" {name} ▸ tasks that failed"), scene.theme.strong));
    let unsuccessful: u64 = scene.view.arms.iter().map(|arm| arm.counts().unsuccessful()).sum();
    let kept = format!("{} kept · {} tasks unsuccessful ", list.len(), format::count(unsuccessful));
    if area.width >= 70 {
        put_right(buf, first, span(kept, scene.theme.base));
    }
    fill(buf, row(area, 1), "─", scene.theme.border);
}

/// Signs of an arm outside the panes; the panes decide which of two engines of a kind is the second.
fn mark(scene: &Scene<'_>, arm: usize) -> Mark {
    let pane = scene.panes.iter().find(|pane| pane.arm == arm);
    let kind = scene.view.arms.get(arm).map(|arm| arm.spec.kind);
    match (pane, kind) {
        (Some(pane), _) => scene.mark(pane),
        (None, Some(kind)) => scene.theme.mark(kind, false),
        (None, None) => scene.theme.mark(crate::workload::model::EngineKind::Pool, false),
    }
}

/// The outcome as it shouts.
pub fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "ok",
        Outcome::Failed => "FAILED",
        Outcome::TimedOut => "TIMEOUT",
        Outcome::Lost => "LOST",
        Outcome::Cancelled => "cancelled",
        Outcome::Dropped => "DROPPED",
    }
}

/// A column: its heading, its width, whether its text stands at the right, and how much of the width it needs.
struct Column {
    title: &'static str,
    width: u16,
    right: bool,
    least: u16,
}

const fn column(title: &'static str, width: u16, right: bool, least: u16) -> Column {
    Column { title, width, right, least }
}

/// From the left; a column is left out where the screen is narrower than its last number.
const COLUMNS: [Column; 10] = [
    column("task", 8, false, 0),
    column("engine", 13, false, 0),
    column("class", 10, false, 70),
    column("outcome", 8, false, 0),
    column("try", 4, true, 0),
    column("worker", 6, true, 90),
    column("wait", 8, true, 100),
    column("start", 8, true, 110),
    column("work", 8, true, 70),
    column("ended", 9, true, 60),
];

fn cells(scene: &Scene<'_>, failure: &Failure<'_>) -> [String; 10] {
    let report = failure.report;
    let class = scene.view.workload.classes.get(usize::from(report.class)).map(|class| text::clean(&class.name));
    let label = scene.view.arms.get(failure.arm).map(model::label).unwrap_or_default();
    [
        format!("#{}", report.index),
        format!("{} {label}", mark(scene, failure.arm).sign),
        class.unwrap_or_else(|| "?".to_owned()),
        outcome_word(report.outcome).to_owned(),
        format!("{}/{}", report.attempt, report.attempts_allowed),
        report.slot.map_or_else(|| "–".to_owned(), |slot| slot.to_string()),
        report.wait.map_or_else(|| "–".to_owned(), format::duration),
        report.startup.map_or_else(|| "–".to_owned(), format::duration),
        report.service.map_or_else(|| "–".to_owned(), format::duration),
        format!("{:.3}", report.ended.as_secs_f64()),
    ]
}

fn put_cell(buf: &mut Buffer, cell: Rect, right: bool, words: Span<'_>) {
    if right {
        put_right(buf, cell, words);
    } else {
        put(buf, cell, words);
    }
}

fn draw_list(scene: &Scene<'_>, list: &[Failure<'_>], area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    if list.is_empty() {
        put(buf, row(area, 1), span("  Nothing failed, timed out or was lost.", theme.good));
        return;
    }
    let shown: Vec<(usize, &Column)> =
        COLUMNS.iter().enumerate().filter(|(_, column)| area.width >= column.least).collect();
    let mut x = 2;
    for (_, column) in &shown {
        let cell = cols(row(area, 0), x, column.width);
        put_cell(buf, cell, column.right, span(column.title, theme.dim));
        x += column.width + 1;
    }
    let why_fits = area.width.saturating_sub(x + 1) >= 8;
    if why_fits {
        put(buf, cols(row(area, 0), x + 1, area.width), span("why", theme.dim));
    }
    let body = rows(area, 1, area.height);
    let height = usize::from(body.height);
    let place = model::position(list, scene.ui.attempt);
    let first = first_visible(place, list.len(), height);
    for (line, (number, failure)) in (0..).zip(list.iter().enumerate().skip(first).take(height)) {
        let line = row(body, line);
        let style = if failure.report.retried { theme.base } else { theme.strong };
        put(buf, cols(line, 0, 2), span(if number == place { "▸" } else { " " }, theme.strong));
        let cells = cells(scene, failure);
        let mut x = 2;
        for (index, column) in &shown {
            let cell = cols(line, x, column.width);
            let words = text::fit(cells.get(*index).map_or("", String::as_str), usize::from(cell.width));
            put_cell(buf, cell, column.right, span(words, style));
            x += column.width + 1;
        }
        let why = cols(line, x + 1, if why_fits { line.width } else { 0 });
        put(buf, why, span(text::fit(&text::clean(&failure.report.cause.to_string()), usize::from(why.width)), style));
        if number == place {
            buf.set_style(line, theme.selected);
        }
    }
}

fn draw_panel(scene: &Scene<'_>, failure: Failure<'_>, scroll: usize, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let report: &AttemptReport = failure.report;
    let mark = mark(scene, failure.arm);
    let label = scene.view.arms.get(failure.arm).map(model::label).unwrap_or_default();
    let left = Line::from(vec![
        span(format!("task {} · try {}/{} · ", report.index, report.attempt, report.attempts_allowed), theme.strong),
        span(format!("{} {}", mark.sign, text::fit(&label, 16)), mark.style),
    ]);
    let right = Line::styled(outcome_word(report.outcome), theme.bad);
    let inner = panel(buf, area, left, right, scene.ui.screen == crate::tui::state::Screen::Detail, theme);
    let lines = detail::lines(scene.view, failure, inner.width.saturating_sub(2), theme);
    let first = scroll.min(lines.len().saturating_sub(usize::from(inner.height)));
    let more = lines.len() > first + usize::from(inner.height);
    for (index, line) in (0..inner.height).zip(lines.into_iter().skip(first)) {
        put(buf, cols(row(inner, index), 1, inner.width.saturating_sub(2)), line);
    }
    if more {
        put_right(
            buf,
            cols(row(area, area.height.saturating_sub(1)), 0, area.width.saturating_sub(2)),
            span(" more ↓ ", theme.base),
        );
    }
}
