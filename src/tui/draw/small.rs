//! Terminals that are too small for tables: bars, ratio, rates and errors, or a single message.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::paint::{cols, fill, joined, put, put_right, row, rows, span};
use super::{LEAST, Scene, banner, footer, header, kills, notes, pane, progress};
use crate::session::view::SessionView;
use crate::tui::theme::Theme;
use crate::tui::widgets::digits;
use crate::tui::{failures, format, model, text};

/// The one message of a terminal that is smaller than the least size.
pub fn too_small(view: Option<&SessionView>, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let mut lines = vec![format!("needs {}x{}", LEAST.0, LEAST.1), format!("has {}x{}", area.width, area.height)];
    if let Some(view) = view {
        lines.insert(0, header::phase(view, theme).0.to_owned());
    }
    lines.push("q quits".to_owned());
    for (index, line) in (0..area.height).zip(lines) {
        put(buf, row(area, index), span(text::fit(&line, usize::from(area.width)), theme.base));
    }
}

/// The whole screen; returns nothing below the last line it needs, so a taller one may put a pane there.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    head(scene, row(area, 0), buf);
    let bars = scene.panes.len() as u16;
    progress::draw(scene, rows(area, 1, bars), buf);
    let mut statement = banner::statement(scene);
    if !statement.caveat.is_empty() {
        statement.basis = statement.caveat.clone();
    }
    let mut y = 1 + bars;
    let tall = area.height >= LEAST.1 + 4;
    if tall {
        fill(buf, row(area, y), "─", theme.border);
        y += 1;
    }
    match &statement.ratio {
        Some(ratio) if tall && !theme.ascii => {
            for (index, line) in (0..).zip(digits::large(ratio)) {
                put(buf, cols(row(area, y + index), 2, 20), span(line, statement.style));
            }
            let words = cols(rows(area, y, 3), 20, area.width);
            for (index, line) in (0..).zip([&statement.headline, &statement.detail, &statement.basis]) {
                put(buf, row(words, index), span(text::fit(line, usize::from(words.width)), statement.style));
            }
            y += 3;
        }
        _ => {
            let headline = format!(" {}", statement.one_line);
            put(buf, row(area, y), span(text::fit(&headline, usize::from(area.width)), statement.style));
            let detail = format!(" {}, {}", statement.detail, statement.basis);
            let detail = detail.trim_end_matches([',', ' ']);
            put(buf, row(area, y + 1), span(text::fit(detail, usize::from(area.width)), theme.base));
            y += 2;
        }
    }
    for pane in &scene.panes {
        rates(scene, pane, row(area, y), buf);
        y += 1;
    }
    for pane in &scene.panes {
        if y + 1 < area.height {
            errors(scene, pane, row(area, y), buf);
            y += 1;
        }
    }
    if y + 1 < area.height {
        notes::draw_line(notes::alert(scene), row(area, y), buf);
        y += 1;
    }
    let killed = kills::lines(scene, area.width, false);
    if usize::from(y) + killed.len() < usize::from(area.height) {
        y += kills::draw(killed, rows(area, y, area.height), buf);
    }
    if y + 12 <= area.height {
        let below = rows(area, y, area.height - y - 1);
        pane::draw_compact(scene, scene.focus(), below, buf);
    }
    footer::draw(scene.ui, failures::count(scene.view), model::is_running(scene.view), theme, area, buf);
}

fn head(scene: &Scene<'_>, line: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let (word, style) = header::phase(scene.view, theme);
    let mut right = vec![];
    if scene.ui.frozen.is_some() {
        right.push(span("FROZEN ", theme.warn));
    }
    right.push(span(format!("{word} "), style));
    if let Some(at) = header::clock(scene) {
        right.push(span(format!("{} ", format::clock(at)), theme.strong));
    }
    right.extend(header::roles(scene));
    let right = Line::from(right);
    let room = usize::from(line.width).saturating_sub(right.width() + 2);
    let name = text::fit(&text::clean(&scene.view.workload.name), room);
    put(buf, line, span(format!(" {name}"), theme.strong));
    put_right(buf, line, right);
}

fn rates(scene: &Scene<'_>, pane: &model::Pane<'_>, line: Rect, buf: &mut Buffer) {
    let mark = scene.mark(pane);
    put(buf, cols(line, 1, 2), span(mark.sign, mark.style));
    let words = match pane.frame {
        None => "waiting".to_owned(),
        Some(frame) => {
            let cores = scene.view.host.usable_cores();
            let (rate, used) = (banner::throughput(frame), banner::cores_used(frame));
            format!("{} tasks/s  cores {used:.1} of {cores}", format::rate(rate))
        }
    };
    put(buf, cols(line, 3, line.width), span(words, scene.theme.strong));
}

fn errors(scene: &Scene<'_>, pane: &model::Pane<'_>, line: Rect, buf: &mut Buffer) {
    let Some(frame) = pane.frame else { return };
    let mark = scene.mark(pane);
    put(buf, cols(line, 1, 2), span(mark.sign, mark.style));
    let pieces = pane::counts(frame, scene.theme);
    put(buf, cols(line, 3, line.width), joined(pieces, line.width.saturating_sub(3)));
}
