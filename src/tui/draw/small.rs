//! Terminals that are too small for tables: bars, ratio, rates and errors, or a single message.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::banner::{self, Statement, Words};
use super::notes::Message;
use super::paint::{cols, fill, joined, put, put_right, row, rows, span};
use super::{LEAST, Scene, figures, footer, header, kills, notes, pane, progress, ranking};
use crate::session::view::SessionView;
use crate::tui::theme::Theme;
use crate::tui::{format, model, text};

/// The one message of a terminal that is smaller than the least size.
pub(crate) fn too_small(view: Option<&SessionView>, theme: &Theme, area: Rect, buf: &mut Buffer) {
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
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    head(scene, row(area, 0), buf);
    let arms = scene.with_bars(progress::most_bars(area));
    let bars = arms.len() as u16;
    progress::draw(scene, &arms, rows(area, 1, bars), buf);
    let statement = banner::statement(scene);
    let mut y = 1 + bars;
    let tall = area.height >= LEAST.1 + 4;
    if tall {
        match ranking::line(scene, usize::from(area.width).saturating_sub(2)) {
            Some(ranking) => notes::draw_message(Some((ranking, theme.base)), row(area, y), buf),
            None => fill(buf, row(area, y), "─", theme.border),
        }
        y += 1;
    }
    let unsaid = match banner::large(scene, &statement).filter(|_| tall) {
        Some(large) => {
            for (index, line) in (0..).zip(&large) {
                put(buf, cols(row(area, y + index), 2, 18), span(line.as_str(), statement.style));
            }
            y += 3;
            words(&statement, &statement.headline, 2, cols(rows(area, y - 3, 3), 20, area.width), buf)
        }
        None => {
            y += 2;
            words(&statement, &statement.one_line, 1, cols(rows(area, y - 2, 2), 1, area.width), buf)
        }
    };
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
        let suspect = notes::suspect(scene);
        notes::draw_message(suspect.or_else(|| notes::alert(scene, &statement, unsaid, area.width)), row(area, y), buf);
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
    footer::draw(scene.ui, &footer::Facts::of(scene), theme, area, buf);
}

/// The headline and, below it, the parts on so many lines; returns what had no place there.
fn words(statement: &Statement, headline: &Words, lines: usize, area: Rect, buf: &mut Buffer) -> Option<Message> {
    let room = usize::from(area.width);
    put(buf, row(area, 0), span(headline.fit(room), statement.style));
    let (packed, rest) = statement.packed(room, lines);
    for (index, (line, style)) in (1..).zip(packed) {
        put(buf, row(area, index), span(line, style));
    }
    rest
}

fn head(scene: &Scene<'_>, line: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let (word, style) = header::phase(scene.view, theme);
    let mut right = header::badge(scene, false);
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
    let theme = scene.theme;
    let mut pieces = Vec::new();
    match pane.frame {
        None => pieces.push(span(progress::without_run(scene), theme.strong)),
        Some(frame) => {
            let cores = scene.view.host.usable_cores();
            let (rate, used) = (figures::throughput(frame), figures::cores_used(frame));
            pieces.push(span(format!("{} tasks/s", format::rate(rate)), theme.strong));
            pieces.push(span(format!("cores {used:.1} of {cores}"), theme.strong));
        }
    }
    // It answers a key, so it comes before what may be left out.
    pieces.extend(pane.next_workers.map(|next| span(format!("→ {next} next"), theme.warn)));
    if pieces.len() == 3 {
        pieces.swap(1, 2);
    }
    put(buf, cols(line, 3, line.width), joined(pieces, line.width.saturating_sub(3)));
}

fn errors(scene: &Scene<'_>, pane: &model::Pane<'_>, line: Rect, buf: &mut Buffer) {
    let Some(frame) = pane.frame else { return };
    let mark = scene.mark(pane);
    put(buf, cols(line, 1, 2), span(mark.sign, mark.style));
    let pieces = pane::counts(frame, scene.theme);
    put(buf, cols(line, 3, line.width), joined(pieces, line.width.saturating_sub(3)));
}
