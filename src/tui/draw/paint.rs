//! Placing lines and frames. Everything here clips, so that no terminal is too small for it.

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::border;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use crate::tui::text;
use crate::tui::theme::Theme;

/// Something to say, and how it looks.
pub(crate) type Message = (String, Style);

/// One line of an area, counted from its top; empty beyond its end.
#[must_use]
pub(crate) fn row(area: Rect, index: u16) -> Rect {
    if index < area.height { Rect { y: area.y + index, height: 1, ..area } } else { Rect { height: 0, ..area } }
}

/// The columns of an area from `x` on, at most `width` of them.
#[must_use]
pub(crate) fn cols(area: Rect, x: u16, width: u16) -> Rect {
    let x = x.min(area.width);
    Rect { x: area.x + x, width: width.min(area.width - x), ..area }
}

/// The lines of an area from `y` on, at most `height` of them.
#[must_use]
pub(crate) fn rows(area: Rect, y: u16, height: u16) -> Rect {
    let y = y.min(area.height);
    Rect { y: area.y + y, height: height.min(area.height - y), ..area }
}

/// A piece of text with a style.
#[must_use]
pub(crate) fn span<'a>(content: impl Into<std::borrow::Cow<'a, str>>, style: Style) -> Span<'a> {
    Span::styled(content, style)
}

/// The cells of the first line of an area.
fn cells(buf: &mut Buffer, area: Rect) -> &mut [Cell] {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return &mut [];
    }
    let first = buf.index_of(area.x, area.y);
    buf.content.get_mut(first..first + usize::from(area.width)).unwrap_or_default()
}

/// Forgets what stood in an area.
pub(crate) fn clear(buf: &mut Buffer, area: Rect, style: Style) {
    let mut ground = Cell::EMPTY;
    ground.set_style(style);
    for line in 0..area.height {
        cells(buf, row(area, line)).fill(ground.clone());
    }
}

/// Puts a line at the start of an area.
///
/// As ratatui does it, but without looking up what Unicode says of characters that are plain: half of the cost of a frame.
pub(crate) fn put<'a>(buf: &mut Buffer, area: Rect, line: impl Into<Line<'a>>) {
    let line = line.into();
    #[cfg(test)]
    written::remember(area, &line);
    let area = Rect { height: 1, ..area.intersection(buf.area) };
    if width(&line) == 0 {
        return;
    }
    if line.style != Style::default() {
        buf.set_style(area, line.style);
    }
    let mut x = 0;
    for span in &line.spans {
        let rest = cols(area, x, area.width);
        if rest.is_empty() {
            return;
        }
        if text::is_plain(&span.content) {
            for (cell, c) in cells(buf, rest).iter_mut().zip(span.content.chars()) {
                cell.set_char(c).set_style(span.style);
                x += 1;
            }
        } else if let columns @ 1.. = text::width(&span.content) {
            span.render(rest, buf);
            x = x.saturating_add(u16::try_from(columns).unwrap_or(u16::MAX));
        }
    }
}

/// Columns that a line takes.
fn width(line: &Line<'_>) -> u16 {
    let columns = line.spans.iter().map(|span| text::width(&span.content)).sum::<usize>();
    u16::try_from(columns).unwrap_or(u16::MAX)
}

/// Which texts were put where, for tests that look for texts over others and for texts that were cut.
#[cfg(test)]
pub(crate) mod written {
    use std::cell::RefCell;

    use ratatui::layout::Rect;
    use ratatui::text::Line;

    /// A text and the area it was put into.
    pub(crate) type Text = (Rect, String);

    thread_local! {
        static TEXTS: RefCell<Option<Vec<Text>>> = const { RefCell::new(None) };
    }

    pub(crate) fn remember(area: Rect, line: &Line<'_>) {
        TEXTS.with_borrow_mut(|texts| {
            if let Some(texts) = texts {
                texts.push((area, line.spans.iter().map(|span| &*span.content).collect()));
            }
        });
    }

    /// All texts that are put while something is drawn.
    pub(crate) fn during(draw: impl FnOnce()) -> Vec<Text> {
        TEXTS.set(Some(Vec::new()));
        draw();
        TEXTS.take().unwrap_or_default()
    }
}

/// Puts a line at the right end of an area.
pub(crate) fn put_right<'a>(buf: &mut Buffer, area: Rect, line: impl Into<Line<'a>>) {
    let line = line.into();
    let width = width(&line).min(area.width);
    put(buf, cols(area, area.width - width, width), line);
}

/// Fills an area with one symbol.
pub(crate) fn fill(buf: &mut Buffer, area: Rect, symbol: &str, style: Style) {
    for line in 0..area.height {
        for cell in cells(buf, row(area, line)) {
            cell.set_symbol(symbol).set_style(style);
        }
    }
}

/// A frame with a title at the left and one at the right of its upper edge; returns what is inside.
pub(crate) fn panel(
    buf: &mut Buffer,
    area: Rect,
    left: Line<'_>,
    right: Line<'_>,
    focused: bool,
    theme: &Theme,
) -> Rect {
    let area = area.intersection(buf.area);
    let (set, style) = if focused { (border::THICK, theme.focus) } else { (border::PLAIN, theme.border) };
    border(buf, area, set, style);
    let inner = cols(rows(area, 1, area.height.saturating_sub(2)), 1, area.width.saturating_sub(2));
    let edge = row(cols(area, 1, area.width.saturating_sub(2)), 0);
    let room = edge.width.saturating_sub(2);
    let right_width = width(&right);
    let left_width = width(&left).min(room);
    title(buf, cols(edge, 0, left_width + 2), left);
    if right_width > 0 && left_width + right_width + 4 <= edge.width {
        title(buf, cols(edge, edge.width - right_width - 2, right_width + 2), right);
    }
    inner
}

/// The edges of an area, and nothing of what is inside.
fn border(buf: &mut Buffer, area: Rect, set: border::Set<'_>, style: Style) {
    let (last_column, last_line) = (area.width.saturating_sub(1), area.height.saturating_sub(1));
    fill(buf, row(area, 0), set.horizontal_top, style);
    fill(buf, row(area, last_line), set.horizontal_bottom, style);
    fill(buf, cols(area, 0, 1), set.vertical_left, style);
    fill(buf, cols(area, last_column, 1), set.vertical_right, style);
    let (top, bottom) = (row(area, 0), row(area, last_line));
    fill(buf, cols(bottom, last_column, 1), set.bottom_right, style);
    fill(buf, cols(top, last_column, 1), set.top_right, style);
    fill(buf, cols(bottom, 0, 1), set.bottom_left, style);
    fill(buf, cols(top, 0, 1), set.top_left, style);
}

fn title(buf: &mut Buffer, area: Rect, line: Line<'_>) {
    if width(&line) == 0 || area.width < 3 {
        return;
    }
    fill(buf, area, " ", line.style);
    put(buf, cols(area, 1, area.width - 2), line);
}

/// Pieces of text on one line, two columns apart where that fits, one otherwise; what then does not fit is left out
/// from the end.
#[must_use]
pub(crate) fn joined<'a>(pieces: Vec<Span<'a>>, width: u16) -> Line<'a> {
    let total: usize = pieces.iter().map(|piece| text::width(&piece.content)).sum();
    let wide = total + pieces.len().saturating_sub(1) * 2 <= usize::from(width);
    let gap = if wide { "  " } else { " " };
    let mut spans: Vec<Span<'a>> = Vec::new();
    let mut used = 0;
    for piece in pieces {
        used += text::width(&piece.content) + if spans.is_empty() { 0 } else { gap.len() };
        if used > usize::from(width) {
            break;
        }
        if !spans.is_empty() {
            spans.push(Span::raw(gap));
        }
        spans.push(piece);
    }
    Line::from(spans)
}

/// The part of a list of `len` lines that fits into `height` with line `chosen` in it: its first line.
#[must_use]
pub(crate) fn first_visible(chosen: usize, len: usize, height: usize) -> usize {
    chosen.saturating_sub(height / 2).min(len.saturating_sub(height))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::style::{Color, Modifier};
    use ratatui::widgets::{Block, BorderType};

    use super::*;
    use crate::tui::theme::{ColorDepth, ThemeName};

    /// Something in every cell, so that what is left alone shows.
    fn used() -> Buffer {
        let mut buf = Buffer::empty(Rect::new(0, 0, 12, 5));
        fill(&mut buf, Rect::new(0, 0, 12, 5), "?", Style::new().bg(Color::Blue));
        buf
    }

    fn style() -> impl Strategy<Value = Style> {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        prop::sample::select(vec![Style::new(), Style::new().fg(Color::Red), bold.bg(Color::Green)])
    }

    fn line() -> impl Strategy<Value = Line<'static>> {
        let span = ("[a-c \u{e9}…─█✓⡇工⚡\u{301}\u{200b}\u{fe0f}\t]{0,6}", style())
            .prop_map(|(text, style)| span(text, style));
        (prop::collection::vec(span, 0..4), style()).prop_map(|(spans, style)| Line::from(spans).style(style))
    }

    proptest! {
        #[test]
        fn lines_look_as_ratatui_has_them(line in line(), x in 0..14_u16, y in 0..6_u16, columns in 0..14_u16) {
            let area = Rect::new(x, y, columns, 2);
            let (mut ours, mut theirs) = (used(), used());
            put(&mut ours, area, line.clone());
            (&line).render(area, &mut theirs);
            prop_assert_eq!(ours, theirs);
        }

        #[test]
        fn frames_look_as_ratatui_has_them(x in 0..14_u16, y in 0..6_u16, columns in 0..14_u16, lines in 0..7_u16) {
            let area = Rect::new(x, y, columns, lines);
            for focused in [false, true] {
                let theme = Theme::new(ThemeName::Dark, ColorDepth::Rgb, false);
                let (mut ours, mut theirs) = (used(), used());
                let inner = panel(&mut ours, area, Line::default(), Line::default(), focused, &theme);
                let (kind, style) =
                    if focused { (BorderType::Thick, theme.focus) } else { (BorderType::Plain, theme.border) };
                let block = Block::bordered().border_type(kind).border_style(style);
                let seen = area.intersection(theirs.area);
                prop_assert_eq!(inner.area(), block.inner(seen).area());
                prop_assert!(inner.is_empty() || inner == block.inner(seen));
                block.render(seen, &mut theirs);
                prop_assert_eq!(ours, theirs);
            }
        }
    }

    #[test]
    fn what_stood_there_is_forgotten() {
        let mut buf = used();
        clear(&mut buf, Rect::new(1, 1, 50, 2), Style::new().fg(Color::Red));
        let mut wanted = used();
        for position in Rect::new(1, 1, 11, 2).positions() {
            wanted[position].reset();
            wanted[position].set_style(Style::new().fg(Color::Red));
        }
        assert_eq!(buf, wanted);
    }

    #[test]
    fn the_chosen_line_is_visible() {
        for len in 0..30 {
            for height in 1..12 {
                for chosen in 0..len {
                    let first = first_visible(chosen, len, height);
                    assert!(first <= chosen && chosen < first + height);
                    assert!(len <= height || first + height <= len);
                }
            }
        }
    }

    #[test]
    fn pieces_move_together_before_they_are_left_out() {
        let pieces = || vec![Span::raw("aa"), Span::raw("bb"), Span::raw("cc")];
        let text = |width| joined(pieces(), width).spans.iter().map(|span| &*span.content).collect::<String>();
        assert_eq!([text(10), text(9), text(8), text(7)], ["aa  bb  cc", "aa bb cc", "aa bb cc", "aa bb"]);
    }
}
