//! The help screen, made from the key table.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::paint::{clear, cols, panel, put, row, span};
use crate::tui::keys::{self, HelpGroup};
use crate::tui::text;
use crate::tui::theme::{ColorDepth, Theme, ThemeName};

/// Lines of one group: a heading, its keys, an empty line.
fn group_lines(group: HelpGroup, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled(format!(" {}", group.title()), theme.strong)];
    for binding in keys::help(group) {
        let keys = binding.all_keys();
        // Long lists of keys name the first of each action only.
        let keys = if text::width(&keys) > 11 { binding.short_keys() } else { keys };
        let words = text::fit(binding.help, width.saturating_sub(16));
        lines.push(Line::from(vec![span(format!("   {} ", text::pad(&keys, 11)), theme.key), span(words, theme.base)]));
    }
    lines.push(Line::default());
    lines
}

/// What is measured, as the screens and reports call it.
const TERMS: [(&str, &str); 6] = [
    ("wait", "arrival to dispatch"),
    ("start-up", "dispatch to first step"),
    ("work", "the task alone (service)"),
    ("sojourn", "arrival to end, all three"),
    ("p95", "95 % of tasks are faster"),
    ("95% CI", "range of the true ratio"),
];

fn term_lines(width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled(" Words", theme.strong)];
    for (term, meaning) in TERMS {
        let term = span(format!("   {} ", text::pad(term, 9)), theme.strong);
        lines.push(Line::from(vec![term, span(text::fit(meaning, width.saturating_sub(13)), theme.base)]));
    }
    lines.push(Line::default());
    lines
}

fn columns(width: u16, theme: &Theme) -> Vec<Vec<Line<'static>>> {
    let lines = |groups: &[HelpGroup], width: u16| -> Vec<Line<'static>> {
        groups.iter().flat_map(|group| group_lines(*group, usize::from(width), theme)).collect()
    };
    if width >= 74 {
        let half = width / 2;
        let mut columns = vec![
            lines(&[HelpGroup::Everywhere, HelpGroup::Look], half),
            lines(&[HelpGroup::Run, HelpGroup::Workers, HelpGroup::Lists], half),
        ];
        // The shorter column has room for the words.
        if let Some(shorter) = columns.iter_mut().min_by_key(|column| column.len()) {
            shorter.extend(term_lines(usize::from(half), theme));
        }
        columns
    } else {
        let mut all = lines(&HelpGroup::ALL, width);
        all.extend(term_lines(usize::from(width), theme));
        vec![all]
    }
}

fn place(area: Rect) -> Rect {
    let width = area.width.min(84);
    let height = area.height.min(30);
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

/// How far help can be scrolled on a screen of a size.
#[must_use]
pub(super) fn last_scroll((width, height): (u16, u16)) -> usize {
    let theme = Theme::new(ThemeName::Mono, ColorDepth::None, false);
    let place = place(Rect::new(0, 0, width, height));
    let longest = longest(&columns(place.width.saturating_sub(2), &theme));
    longest.saturating_sub(usize::from(place.height.saturating_sub(2)))
}

/// Lines of the longest column, without the empty one that ends each group.
fn longest(columns: &[Vec<Line<'_>>]) -> usize {
    columns.iter().map(Vec::len).max().unwrap_or(0).saturating_sub(1)
}

/// Draws it over whatever is there.
pub(crate) fn draw(scroll: usize, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let mut place = place(area);
    let columns = columns(place.width.saturating_sub(2), theme);
    let longest = longest(&columns);
    let fitting = u16::try_from(longest + 2).unwrap_or(u16::MAX).clamp(3, place.height.max(3));
    place.y += place.height.saturating_sub(fitting) / 2;
    place.height = fitting;
    clear(buf, place, theme.base);
    let last = longest.saturating_sub(usize::from(place.height.saturating_sub(2)));
    let first = scroll.min(last);
    let right = if last > 0 { "j k scroll" } else { "" };
    let title = Line::styled("Help (? or Esc closes)", theme.strong);
    let inner = panel(buf, place, title, Line::styled(right, theme.base), true, theme);
    let width = inner.width / columns.len().max(1) as u16;
    for (number, lines) in (0..).zip(columns) {
        let column = cols(inner, number * width, width);
        for (index, line) in (0..inner.height).zip(lines.into_iter().skip(first)) {
            put(buf, row(column, index), line);
        }
    }
}
