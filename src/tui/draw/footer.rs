//! The last line: the answer to the last key, or which keys there are.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::paint::{put, row, span};
use crate::tui::keys::{self, Action, Binding};
use crate::tui::state::{Screen, UiState};
use crate::tui::text;
use crate::tui::theme::Theme;

/// The last line of an area. `failures` stands behind the name of the list of failures.
pub fn draw(ui: &UiState, failures: usize, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let line = row(area, area.height.saturating_sub(1));
    if let Some(notice) = &ui.notice {
        let notice = text::fit(&text::clean(notice), usize::from(line.width).saturating_sub(2));
        put(buf, line, span(format!(" {notice}"), theme.warn));
        return;
    }
    // What lies over the screen has its own keys; those below would be wrong.
    let context = ui.context();
    let mut spans: Vec<Span<'_>> = vec![Span::raw(" ")];
    let mut used = 1;
    let mut tabs = true;
    for binding in keys::footer(context) {
        let mut piece = entry(binding, ui, theme);
        if binding.tab && failures > 0 && binding.keys.iter().any(|(_, action)| *action == Action::Tasks) {
            piece.push(span(format!(" ({failures})"), theme.bad));
        }
        let gap = match (spans.len(), tabs && !binding.tab) {
            (1, _) => "",
            (_, true) => " │ ",
            (_, false) => "  ",
        };
        let width = text::width(gap) + piece.iter().map(|part| text::width(&part.content)).sum::<usize>();
        if used + width > usize::from(line.width) {
            continue;
        }
        tabs = binding.tab;
        used += width;
        spans.push(span(gap, theme.dim));
        spans.extend(piece);
    }
    put(buf, line, ratatui::text::Line::from(spans));
}

fn entry<'a>(binding: &Binding, ui: &UiState, theme: &Theme) -> Vec<Span<'a>> {
    let current = binding.keys.iter().any(|(_, action)| match action {
        Action::Main => ui.screen == Screen::Main,
        Action::Tasks => matches!(ui.screen, Screen::Tasks | Screen::Detail),
        _ => false,
    });
    let words = if current { theme.selected } else { theme.base };
    vec![span(format!("{} ", binding.short_keys()), theme.key), span(binding.footer, words)]
}
