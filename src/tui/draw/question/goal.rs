//! The line in which is typed what is to be looked for, with what is offered for it and what that means.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::frame;
use crate::tui::draw::paint::{cols, first_visible, put, row, rows, span};
use crate::tui::goal_line::{Asks, GoalLine};
use crate::tui::text;
use crate::tui::theme::Theme;

/// Columns with the frame.
const WIDTH: u16 = 96;

/// Draws it in the middle of the area.
pub(crate) fn draw(goal: &GoalLine, theme: &Theme, area: Rect, buf: &mut Buffer) {
    // The keys are in the footer.
    let area = rows(area, 0, area.height.saturating_sub(1));
    let title = match goal.asks {
        Asks::Goal => "What are the worker counts to be good for?",
        Asks::Sweep => "Which settings are to be swept?",
    };
    let room = usize::from(WIDTH.min(area.width)).saturating_sub(4);
    let wrong = goal.wrong.as_ref().map(|wrong| text::wrap(&text::clean(wrong), room)).unwrap_or_default();
    let all = u16::try_from(goal.offers.len()).unwrap_or(u16::MAX);
    let below = u16::try_from(wrong.len().clamp(1, 4)).unwrap_or(1);
    let inner = frame(title, (WIDTH, all.saturating_add(below).saturating_add(4)), theme, area, buf);
    let seen = goal.line.seen(usize::from(inner.width).saturating_sub(4).max(2));
    let cursor = theme.strong.add_modifier(Modifier::REVERSED);
    let typed = vec![
        span(" > ", theme.key),
        span(seen.before, theme.strong),
        span(seen.under, cursor),
        span(seen.after, theme.strong),
    ];
    put(buf, row(inner, 0), typed);
    let listed = inner.height.saturating_sub(1 + below);
    let first = first_visible(goal.chosen.unwrap_or(0), goal.offers.len(), usize::from(listed));
    let wide = goal.offers.iter().map(|(text, _)| text::width(text)).max().unwrap_or(0).min(room / 2);
    let offers = goal.offers.iter().enumerate().skip(first).take(usize::from(listed));
    for (line, (place, (offer, words))) in (1..).zip(offers) {
        let line = row(inner, line);
        let marked = goal.chosen == Some(place);
        let style = if marked { theme.strong } else { theme.base };
        let sign = if marked { "▸" } else { " " };
        let left = format!("{sign} {}  ", text::pad(&text::fit(offer, wide), wide));
        let columns = u16::try_from(text::width(&left)).unwrap_or(u16::MAX);
        put(buf, line, span(left, style));
        let rest = cols(line, columns, line.width);
        put(buf, rest, span(text::fit(words, usize::from(rest.width)), theme.dim));
        if marked {
            buf.set_style(line, theme.selected);
        }
    }
    let last = inner.height.saturating_sub(below);
    let help = match goal.asks {
        Asks::Goal => "The same as poolscope tune --target ...; a limit may be another one",
        Asks::Sweep => "FIELD=VALUES as for --sweep: 1,4,16 or 1..8 or 1ms..64msx2; two fields make a table",
    };
    if wrong.is_empty() {
        put(buf, row(inner, last), span(format!(" {}", text::fit(help, room)), theme.dim));
    }
    for (line, words) in (last..inner.height).zip(wrong) {
        put(buf, row(inner, line), span(format!(" {words}"), theme.bad));
    }
}
