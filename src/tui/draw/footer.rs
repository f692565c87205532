//! The last line: which keys there are. The answer to the last key stands above it and covers none of them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::paint::{fill, put, row, rows, span};
use crate::tui::keys::{self, Action, Binding};
use crate::tui::state::{Screen, UiState};
use crate::tui::text;
use crate::tui::theme::Theme;

/// Most lines of an answer.
const MOST_LINES: usize = 3;

/// The last line of an area. `failures` stands behind the name of the list of failures; what was said of a stop has its
/// place only while something is `running`.
pub(crate) fn draw(ui: &UiState, failures: usize, running: bool, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let line = row(area, area.height.saturating_sub(1));
    if let Some(notice) = ui.notice.as_ref().filter(|_| running || !ui.stopping) {
        answer(&text::clean(notice), theme, rows(area, 0, area.height.saturating_sub(1)), buf);
    }
    let shown = fitting(ui, failures, theme, usize::from(line.width));
    let mut spans: Vec<Span<'_>> = vec![Span::raw(" ")];
    let mut tabs = true;
    for (index, (binding, piece)) in shown.into_iter().enumerate() {
        let gap = match (index, tabs && !binding.tab) {
            (0, _) => "",
            (_, true) => "│ ",
            (_, false) => " ",
        };
        tabs = binding.tab;
        spans.push(span(gap, theme.dim));
        spans.extend(piece);
        spans.push(Span::raw(" "));
    }
    put(buf, line, Line::from(spans));
}

/// On the last lines of an area, whatever was there.
fn answer(notice: &str, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let room = usize::from(area.width).saturating_sub(2);
    let mut lines = text::wrap(notice, room);
    lines.truncate(MOST_LINES.min(usize::from(area.height)));
    let first = area.height.saturating_sub(u16::try_from(lines.len()).unwrap_or(u16::MAX));
    for (index, line) in (first..).zip(lines) {
        fill(buf, row(area, index), " ", theme.base);
        put(buf, row(area, index), span(format!(" {line}"), theme.warn));
    }
}

/// Keys without which a user finds neither the others nor the way out.
fn is_vital(binding: &Binding) -> bool {
    let vital = [Action::Help, Action::Quit, Action::Back, Action::Open, Action::Yes, Action::No];
    binding.keys.iter().any(|(_, action)| vital.contains(action))
}

/// The entries for which there is room: first the vital ones, then in the order of the table.
fn fitting<'a>(ui: &UiState, failures: usize, theme: &Theme, width: usize) -> Vec<(&'static Binding, Vec<Span<'a>>)> {
    // What lies over the screen has its own keys; those below would be wrong.
    let entries: Vec<_> =
        keys::footer(ui.context()).map(|binding| (binding, entry(binding, ui, failures, theme))).collect();
    let size = |piece: &[Span<'_>]| piece.iter().map(Span::width).sum::<usize>() + 2;
    let vital: usize = entries.iter().filter(|(binding, _)| is_vital(binding)).map(|(_, piece)| size(piece)).sum();
    // A column before the first entry, and the bar after the tabs.
    let mut free = width.saturating_sub(vital + 2);
    entries
        .into_iter()
        .filter(|(binding, piece)| {
            let fits = is_vital(binding) || size(piece) <= free;
            if fits && !is_vital(binding) {
                free -= size(piece);
            }
            fits
        })
        .collect()
}

fn entry<'a>(binding: &Binding, ui: &UiState, failures: usize, theme: &Theme) -> Vec<Span<'a>> {
    let does = |wanted: Action| binding.keys.iter().any(|(_, action)| *action == wanted);
    let current = binding.tab
        && match ui.screen {
            Screen::Main => does(Action::Main),
            Screen::Tasks | Screen::Detail => does(Action::Tasks),
            Screen::Tune => does(Action::Tune),
            Screen::Picker => false,
        };
    let words = if current { theme.selected } else { theme.base };
    let mut piece = vec![span(format!("{} ", binding.short_keys()), theme.key), span(binding.footer, words)];
    if failures > 0 && does(Action::Tasks) {
        piece.push(span(format!(" ({failures})"), theme.bad));
    }
    piece
}
