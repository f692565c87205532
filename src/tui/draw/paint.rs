//! Placing lines and frames. Everything here clips, so that no terminal is too small for it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Widget};

use crate::tui::text;
use crate::tui::theme::Theme;

/// One line of an area, counted from its top; empty beyond its end.
#[must_use]
pub fn row(area: Rect, index: u16) -> Rect {
    if index < area.height { Rect { y: area.y + index, height: 1, ..area } } else { Rect { height: 0, ..area } }
}

/// The columns of an area from `x` on, at most `width` of them.
#[must_use]
pub fn cols(area: Rect, x: u16, width: u16) -> Rect {
    let x = x.min(area.width);
    Rect { x: area.x + x, width: width.min(area.width - x), ..area }
}

/// The lines of an area from `y` on, at most `height` of them.
#[must_use]
pub fn rows(area: Rect, y: u16, height: u16) -> Rect {
    let y = y.min(area.height);
    Rect { y: area.y + y, height: height.min(area.height - y), ..area }
}

/// A piece of text with a style.
#[must_use]
pub fn span<'a>(content: impl Into<std::borrow::Cow<'a, str>>, style: Style) -> Span<'a> {
    Span::styled(content, style)
}

/// Puts a line at the start of an area.
pub fn put<'a>(buf: &mut Buffer, area: Rect, line: impl Into<Line<'a>>) {
    let line = line.into();
    #[cfg(test)]
    written::remember(area, &line);
    line.render(area, buf);
}

/// Which texts were put where, for tests that look for texts over others and for texts that were cut.
#[cfg(test)]
pub mod written {
    use std::cell::RefCell;

    use ratatui::layout::Rect;
    use ratatui::text::Line;

    /// A text and the area it was put into.
    pub type Text = (Rect, String);

    thread_local! {
        static TEXTS: RefCell<Option<Vec<Text>>> = const { RefCell::new(None) };
    }

    pub fn remember(area: Rect, line: &Line<'_>) {
        TEXTS.with_borrow_mut(|texts| {
            if let Some(texts) = texts {
                texts.push((area, line.spans.iter().map(|span| &*span.content).collect()));
            }
        });
    }

    /// All texts that are put while something is drawn.
    pub fn during(draw: impl FnOnce()) -> Vec<Text> {
        TEXTS.set(Some(Vec::new()));
        draw();
        TEXTS.take().unwrap_or_default()
    }
}

/// Puts a line at the right end of an area.
pub fn put_right<'a>(buf: &mut Buffer, area: Rect, line: impl Into<Line<'a>>) {
    let line = line.into();
    let width = u16::try_from(line.width()).unwrap_or(u16::MAX).min(area.width);
    put(buf, cols(area, area.width - width, width), line);
}

/// Fills an area with one symbol.
pub fn fill(buf: &mut Buffer, area: Rect, symbol: &str, style: Style) {
    let area = area.intersection(buf.area);
    for position in area.positions() {
        buf[position].set_symbol(symbol).set_style(style);
    }
}

/// A frame with a title at the left and one at the right of its upper edge; returns what is inside.
pub fn panel(buf: &mut Buffer, area: Rect, left: Line<'_>, right: Line<'_>, focused: bool, theme: &Theme) -> Rect {
    let area = area.intersection(buf.area);
    let (kind, style) = if focused { (BorderType::Thick, theme.focus) } else { (BorderType::Plain, theme.border) };
    let block = Block::bordered().border_type(kind).border_style(style);
    let inner = block.inner(area);
    block.render(area, buf);
    let edge = row(cols(area, 1, area.width.saturating_sub(2)), 0);
    let room = edge.width.saturating_sub(2);
    let right_width = u16::try_from(right.width()).unwrap_or(u16::MAX);
    let left_width = u16::try_from(left.width()).unwrap_or(u16::MAX).min(room);
    title(buf, cols(edge, 0, left_width + 2), left);
    if right_width > 0 && left_width + right_width + 4 <= edge.width {
        title(buf, cols(edge, edge.width - right_width - 2, right_width + 2), right);
    }
    inner
}

fn title(buf: &mut Buffer, area: Rect, line: Line<'_>) {
    if line.width() == 0 || area.width < 3 {
        return;
    }
    fill(buf, area, " ", line.style);
    put(buf, cols(area, 1, area.width - 2), line);
}

/// Pieces of text on one line, two columns apart where that fits, one otherwise; what then does not fit is left out
/// from the end.
#[must_use]
pub fn joined<'a>(pieces: Vec<Span<'a>>, width: u16) -> Line<'a> {
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
pub fn first_visible(chosen: usize, len: usize, height: usize) -> usize {
    chosen.saturating_sub(height / 2).min(len.saturating_sub(height))
}

#[cfg(test)]
mod tests {
    use super::*;

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
