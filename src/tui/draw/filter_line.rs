//! The words of a filter, with the cursor where they are being typed.

use ratatui::style::Modifier;
use ratatui::text::Span;

use super::paint::span;
use crate::tui::line_edit::LineEdit;
use crate::tui::text;
use crate::tui::theme::Theme;

/// In at most so many columns.
pub(crate) fn spans<'a>(filter: &LineEdit, typing: bool, theme: &Theme, room: usize) -> Vec<Span<'a>> {
    if !typing {
        return vec![span(text::fit(filter.text(), room), theme.strong)];
    }
    let seen = filter.seen(room.max(2));
    let cursor = theme.strong.add_modifier(Modifier::REVERSED);
    vec![span(seen.before, theme.strong), span(seen.under, cursor), span(seen.after, theme.strong)]
}
