//! A question in front of everything else.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::paint::{clear, panel, put, row, span};
use crate::tui::model::Model;
use crate::tui::state::Question;
use crate::tui::text;
use crate::tui::theme::Theme;

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
    };
    let width = 38.min(area.width);
    let height = 6.min(area.height);
    let place = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    clear(buf, place, theme.base);
    let inner = panel(buf, place, Line::styled("?", theme.strong), Line::default(), true, theme);
    let room = usize::from(inner.width).saturating_sub(2);
    for (index, line) in (0..).zip(lines) {
        put(buf, row(inner, index), span(format!(" {}", text::fit(&line, room)), theme.strong));
    }
    let answer = vec![
        span(" y", theme.key),
        span(" or Enter: yes   ", theme.base),
        span("n", theme.key),
        span(" or Esc: no", theme.base),
    ];
    put(buf, row(inner, inner.height.saturating_sub(1)), answer);
}
