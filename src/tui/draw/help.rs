//! The help screen: the keys, made from the key table, and below them the words.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::paint::{clear, cols, panel, put, row, span};
use crate::tui::glossary::{GROUPS, Group};
use crate::tui::keys::{self, HelpGroup};
use crate::tui::text;
use crate::tui::theme::{ColorDepth, Theme, ThemeName};

/// Most lines with the frame: all keys, and the first words.
const MOST_LINES: u16 = 50;

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

/// Columns of a word.
const TERM: usize = 14;

/// A heading, then one line for each word where there is room for it.
fn glossary_lines((title, words): &Group, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled(format!(" {title}"), theme.strong)];
    // Beside the word, or below it where that leaves nothing.
    let beside = width >= 2 * TERM + 8;
    let (indent, room) = if beside { (TERM + 2, width.saturating_sub(TERM + 3)) } else { (4, width.saturating_sub(5)) };
    for (term, meaning) in *words {
        let mut head = vec![span(format!(" {} ", text::pad(term, TERM)), theme.key)];
        let mut meaning = text::wrap(meaning, room).into_iter().map(|words| span(words, theme.base)).peekable();
        head.extend(meaning.next_if(|_| beside));
        lines.push(Line::from(head));
        lines.extend(meaning.map(|words| Line::from(vec![Span::raw(" ".repeat(indent)), words])));
    }
    lines.push(Line::default());
    lines
}

/// What stands on one line: two parts beside each other, or one alone.
type Row = [Line<'static>; 2];

/// All keys, in two columns where there is room for them, and then all words.
fn all(width: u16, theme: &Theme) -> Vec<Row> {
    let half = if width >= 74 { width / 2 } else { width };
    let lines = |groups: &[HelpGroup]| -> Vec<Line<'static>> {
        groups.iter().flat_map(|group| group_lines(*group, usize::from(half), theme)).collect()
    };
    let alone = |line: Line<'static>| [line, Line::default()];
    let mut rows: Vec<Row> = if half < width {
        let mut left = lines(&[HelpGroup::Everywhere, HelpGroup::Look]);
        let mut right = lines(&[HelpGroup::Run, HelpGroup::Workers, HelpGroup::Lists]);
        let both = left.len().max(right.len());
        left.resize(both, Line::default());
        right.resize(both, Line::default());
        left.into_iter().zip(right).map(|(left, right)| [left, right]).collect()
    } else {
        lines(&HelpGroup::ALL).into_iter().map(alone).collect()
    };
    rows.extend(GROUPS.iter().flat_map(|group| glossary_lines(group, usize::from(width), theme)).map(alone));
    // The empty one that ends the last group.
    rows.pop();
    rows
}

fn place(area: Rect) -> Rect {
    let width = area.width.min(84);
    let height = area.height.min(MOST_LINES);
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

/// How far help can be scrolled on a screen of a size.
#[must_use]
pub(super) fn last_scroll((width, height): (u16, u16)) -> usize {
    let theme = Theme::new(ThemeName::Mono, ColorDepth::None, false);
    let place = place(Rect::new(0, 0, width, height));
    let lines = all(place.width.saturating_sub(2), &theme).len();
    lines.saturating_sub(usize::from(place.height.saturating_sub(2)))
}

/// Draws it over whatever is there.
pub(crate) fn draw(scroll: usize, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let place = place(area);
    let lines = all(place.width.saturating_sub(2), theme);
    clear(buf, place, theme.base);
    let height = usize::from(place.height.saturating_sub(2));
    let last = lines.len().saturating_sub(height);
    let first = scroll.min(last);
    let shown = format!("j k scroll  {}-{} of {}", first + 1, (first + height).min(lines.len()), lines.len());
    let right = if last > 0 { shown } else { String::new() };
    let title = Line::styled("Help (? or Esc closes)", theme.strong);
    let inner = panel(buf, place, title, Line::styled(right, theme.base), true, theme);
    for (index, [left, right]) in (0..inner.height).zip(lines.into_iter().skip(first)) {
        let line = row(inner, index);
        if right.spans.is_empty() {
            put(buf, line, left);
        } else {
            put(buf, cols(line, 0, inner.width / 2), left);
            put(buf, cols(line, inner.width / 2, inner.width / 2), right);
        }
    }
}
