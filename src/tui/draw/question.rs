//! A question in front of everything else.

mod fault;
pub(super) mod goal;

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
        Question::Fault { arm, chosen } => return fault::draw(model, (arm, chosen), theme, area, buf),
    };
    let height = u16::try_from(lines.len() + 4).unwrap_or(u16::MAX).max(6);
    let inner = frame("?", (38, height), theme, area, buf);
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

/// An empty frame of a size in the middle of the area, as far as there is room; returns its inside.
fn frame(title: &str, (width, height): (u16, u16), theme: &Theme, area: Rect, buf: &mut Buffer) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    let place = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    clear(buf, place, theme.base);
    panel(buf, place, Line::styled(title.to_owned(), theme.strong), Line::default(), true, theme)
}
