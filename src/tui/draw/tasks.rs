//! The unsuccessful attempts, newest first, and why the chosen one did not succeed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::paint::{cols, fill, first_visible, panel, put, put_right, row, rows, span};
use super::{Scene, columns, detail, filter_line, footer};
use crate::engine::outcome::AttemptReport;
use crate::tui::failures::{self, FailedAttempt, FailureColumn, List, outcome_word, run_word};
use crate::tui::theme::EngineStyle;
use crate::tui::{format, model, text};

/// The list, and the details of the chosen attempt below it where there is room.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let list = scene.ui.tasks.list(scene.view);
    head(scene, &list, area, buf);
    let body = rows(area, 2, area.height.saturating_sub(3));
    let with_detail = body.height >= 16 && list.chosen.is_some();
    let lines = u16::try_from(list.shown.len()).unwrap_or(u16::MAX).saturating_add(2);
    let list_height = if with_detail { (body.height * 2 / 5).min(lines).max(4) } else { body.height };
    draw_list(scene, &list, rows(body, 0, list_height), buf);
    if let (true, Some(failure)) = (with_detail, list.chosen) {
        draw_panel(scene, failure, list.gone, 0, rows(body, list_height, body.height), buf);
    }
    footer::draw(scene.ui, &footer::Facts::of(scene), scene.theme, area, buf);
}

/// The details of the chosen attempt on the whole screen.
pub(crate) fn draw_detail(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let list = scene.ui.tasks.list(scene.view);
    head(scene, &list, area, buf);
    let body = rows(area, 2, area.height.saturating_sub(3));
    match scene.ui.tasks.opened_attempt(scene.view) {
        Some(failure) => draw_panel(scene, failure, list.gone, scene.ui.tasks.scroll, body, buf),
        None => put(buf, row(body, 0), span(" nothing failed", scene.theme.base)),
    }
    footer::draw(scene.ui, &footer::Facts::of(scene), scene.theme, area, buf);
}

/// ` NAME ▸ Tasks   filter: WORDS   3 of 400   sort: ended ▾`: what is least needed goes first.
fn head(scene: &Scene<'_>, list: &List<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let first = row(area, 0);
    fill(buf, row(area, 1), "─", theme.border);
    let tasks = &scene.ui.tasks;
    let filtered = tasks.typing || !tasks.filter.text().is_empty();
    let counts = match (filtered, area.width) {
        (true, _) => format!("{} of {}", list.shown.len(), list.total),
        (false, ..70) => format!("{} kept", list.total),
        (false, _) => {
            let unsuccessful = failures::unsuccessful(scene.view);
            let plural = if unsuccessful == 1 { "" } else { "s" };
            format!("{} kept · {} task{plural} unsuccessful", list.total, format::count(unsuccessful))
        }
    };
    let mut right = format!("   {counts} ");
    if area.width >= 70 {
        right = format!("   {counts}   sort: {} ", tasks.sort.words());
    }
    let room = usize::from(area.width).saturating_sub(text::width(&right));
    let heading =
        format!(" {} ▸ Tasks", text::fit(&text::clean(&scene.view.workload.name), usize::from(area.width / 4)));
    let whole = format!("{heading} that failed");
    let heading = if filtered || text::width(&whole) > room { heading } else { whole };
    // What is typed must be seen.
    let heading = if tasks.typing && room < text::width(&heading) + 24 { String::new() } else { heading };
    let mut left = vec![span(text::fit(&heading, room), theme.strong)];
    let room = room.saturating_sub(text::width(&heading));
    if filtered && room > FILTER.len() {
        left.push(span(FILTER, theme.dim));
        left.extend(filter_line::spans(&tasks.filter, tasks.typing, theme, room - FILTER.len()));
    }
    put(buf, first, Line::from(left));
    put_right(buf, first, span(right, theme.base));
}

/// Before the words of the filter.
const FILTER: &str = "   filter: ";

/// Signs of an arm outside the panes; the panes decide which of two engines of a kind is the second.
fn mark(scene: &Scene<'_>, arm: usize) -> EngineStyle {
    let pane = scene.panes.iter().find(|pane| pane.arm == arm);
    let kind = scene.view.arms.get(arm).map(|arm| arm.spec.kind);
    match (pane, kind) {
        (Some(pane), _) => scene.mark(pane),
        (None, Some(kind)) => scene.theme.mark(kind, false),
        (None, None) => scene.theme.mark(crate::workload::model::EngineKind::Pool, false),
    }
}

fn cell(scene: &Scene<'_>, failure: &FailedAttempt<'_>, column: FailureColumn) -> String {
    let report = failure.report;
    let time = |time: Option<_>| time.map_or_else(|| "–".to_owned(), format::duration);
    match column {
        FailureColumn::Task => format!("#{}", report.index),
        FailureColumn::Engine => {
            let label = scene.view.arms.get(failure.arm).map(model::name).unwrap_or_default();
            format!("{} {label}", mark(scene, failure.arm).sign)
        }
        FailureColumn::Run if failure.run.warmup => format!("w{}", failure.run.round),
        FailureColumn::Run => failure.run.round.to_string(),
        FailureColumn::Class => {
            let class = scene.view.workload.classes.get(usize::from(report.class));
            class.map_or_else(|| "?".to_owned(), |class| text::clean(&class.name))
        }
        FailureColumn::Outcome => outcome_word(report.outcome).to_owned(),
        FailureColumn::Try => format!("{}/{}", report.attempt, report.attempts_allowed),
        FailureColumn::Worker => report.slot.map_or_else(|| "–".to_owned(), |slot| slot.to_string()),
        FailureColumn::Wait => time(report.wait),
        FailureColumn::Start => time(report.startup),
        FailureColumn::Work => time(report.service),
        FailureColumn::Ended => format!("{:.3}", report.ended.elapsed().as_secs_f64()),
    }
}

/// Which item it was, why the attempt failed, and the last that it said about it.
fn why(scene: &Scene<'_>, report: &AttemptReport, room: usize) -> String {
    let mut why = text::clean(&report.cause.to_string());
    if let Some(item) = scene.view.workload.item_text(report.index) {
        // Paths of one folder differ at their end.
        why = format!("{} · {why}", text::fit_end(&item, room / 2));
    }
    if let Some(said) = text::clean_lines(&report.stderr_tail, 1).first() {
        why.push_str(" · ");
        why.push_str(said.trim());
    }
    why
}

fn put_cell(buf: &mut Buffer, cell: Rect, right: bool, words: Span<'_>) {
    if right {
        put_right(buf, cell, words);
    } else {
        put(buf, cell, words);
    }
}

fn draw_list(scene: &Scene<'_>, list: &List<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    if list.shown.is_empty() {
        let words = match list.total {
            0 => span("  Nothing failed, timed out or was lost.", theme.good),
            _ => span("  Nothing fits the filter; Esc clears it.", theme.warn),
        };
        put(buf, row(area, 1), words);
        return;
    }
    let shown = columns::fitting(scene.view, list, scene.ui.tasks.sort.by, area.width);
    let mut x = columns::MARKER;
    for column in &shown {
        let style = if column.of == scene.ui.tasks.sort.by { theme.strong } else { theme.dim };
        put_cell(buf, cols(row(area, 0), x, column.width), column.right, span(column.of.title(), style));
        x += column.width + 1;
    }
    put(
        buf,
        cols(row(area, 0), x + 1, area.width),
        span(if scene.view.workload.has_items() { "item · why" } else { "why" }, theme.dim),
    );
    let body = rows(area, 1, area.height);
    let height = usize::from(body.height);
    let first = first_visible(list.place, list.shown.len(), height);
    for (line, (number, failure)) in (0..).zip(list.shown.iter().enumerate().skip(first).take(height)) {
        let line = row(body, line);
        let style = if failure.report.retried { theme.base } else { theme.strong };
        let marked = list.stands && number == list.place;
        put(buf, cols(line, 0, columns::MARKER), span(if marked { "▸" } else { " " }, theme.strong));
        let mut x = columns::MARKER;
        for column in &shown {
            let place = cols(line, x, column.width);
            let words = text::fit(&cell(scene, failure, column.of), usize::from(place.width));
            put_cell(buf, place, column.right, span(words, style));
            x += column.width + 1;
        }
        let rest = cols(line, x + 1, line.width);
        put(
            buf,
            rest,
            span(text::fit(&why(scene, failure.report, usize::from(rest.width)), usize::from(rest.width)), style),
        );
        if marked {
            buf.set_style(line, theme.selected);
        }
    }
}

fn draw_panel(scene: &Scene<'_>, failure: FailedAttempt<'_>, gone: bool, scroll: usize, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let report: &AttemptReport = failure.report;
    let mark = mark(scene, failure.arm);
    let label = scene.view.arms.get(failure.arm).map(model::name).unwrap_or_default();
    let run = if failure.run.warmup { "" } else { "run " };
    let run = format!("{run}{}", run_word(failure.run));
    let words = format!("task {} · try {}/{} · {run} · ", report.index, report.attempt, report.attempts_allowed);
    let left = Line::from(vec![
        span(words, theme.strong),
        span(format!("{} {}", mark.sign, text::fit(&label, 16)), mark.style),
    ]);
    let right = Line::styled(outcome_word(report.outcome), theme.bad);
    let inner = panel(buf, area, left, right, scene.ui.screen == crate::tui::state::Screen::Detail, theme);
    let lines = detail::lines(scene.view, failure, gone, inner.width.saturating_sub(2), theme);
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
