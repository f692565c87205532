//! A question in front of everything else.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::paint::{clear, panel, put, row, span};
use crate::tui::format;
use crate::tui::model::{self, Model};
use crate::tui::state::Question;
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::workload::model::{BadResult, FaultKind};

/// What may go wrong in the next task that begins.
fn faults() -> Vec<String> {
    let line = |(kind, number): (FaultKind, u8)| {
        let more = match kind {
            FaultKind::Crash(signal) => format!(" (signal {signal})"),
            FaultKind::Leak(bytes) => format!(" ({})", format::bytes(bytes)),
            FaultKind::BadResult(BadResult::Undecodable) => " (undecodable)".to_owned(),
            FaultKind::BadResult(BadResult::Oversized) => " (oversized)".to_owned(),
            _ => String::new(),
        };
        format!("{number} {}{more}", kind.word())
    };
    let head = ["What is to go wrong in the next task?".to_owned()];
    head.into_iter().chain(FaultKind::ON_REQUEST.into_iter().zip(1..).map(line)).collect()
}

/// Draws it in the middle of the area.
pub(crate) fn draw(question: Question, model: &Model, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let lines = match question {
        Question::Quit => {
            vec!["A comparison is running.".to_owned(), "Stop it and leave?".to_owned()]
        }
        Question::Replace(entry) => {
            let name = model.catalogue.get(entry).map(|entry| text::clean(&entry.name)).unwrap_or_default();
            vec!["A comparison is running.".to_owned(), format!("Stop it and run {name}?")]
        }
        Question::Commands(asked) => asked.lines(),
        Question::Fault(_) => faults(),
    };
    let width = 38.min(area.width);
    let height = u16::try_from(lines.len() + 4).unwrap_or(u16::MAX).max(6).min(area.height);
    let place = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    clear(buf, place, theme.base);
    let inner = panel(buf, place, Line::styled("?", theme.strong), Line::default(), true, theme);
    let room = usize::from(inner.width).saturating_sub(2);
    for (index, line) in (0..).zip(lines) {
        put(buf, row(inner, index), span(format!(" {}", text::fit(&line, room)), theme.strong));
    }
    if let Question::Fault(arm) = question {
        let arm = model.session.as_deref().and_then(|view| view.arms.get(arm)).map(model::name).unwrap_or_default();
        let room = room.saturating_sub(14);
        let answer = vec![
            span(" 1-6", theme.key),
            span(format!(": in {}   ", text::fit(&arm, room)), theme.base),
            span("Esc", theme.key),
            span(": none", theme.base),
        ];
        put(buf, row(inner, inner.height.saturating_sub(1)), answer);
        return;
    }
    let answer = vec![
        span(" y", theme.key),
        span(" or Enter: yes   ", theme.base),
        span("n", theme.key),
        span(" or Esc: no", theme.base),
    ];
    put(buf, row(inner, inner.height.saturating_sub(1)), answer);
}
