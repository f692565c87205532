//! What was measured before: the list, two of its lines beside each other, and one session.

mod comparison;
mod list;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::paint::{cols, fill, panel, put, put_right, row, rows, span};
use super::{Scene, filter_line, footer, header};
use crate::session::view::SessionView;
use crate::tui::format;
use crate::tui::history::archive::Past;
use crate::tui::model::Model;
use crate::tui::state::{Screen, UiState};
use crate::tui::text;
use crate::tui::theme::Theme;

/// Lines of the screen beside the body: the head with its rule, and the keys.
const OTHER: u16 = 3;
/// Lines that the list keeps when there is a comparison: the head and some.
const LEAST_LIST: u16 = 4;

/// Lines of a comparison, with its frame, below which it says its verdict alone.
const FEW: u16 = 8;

/// The list, and the comparison below it.
pub(crate) fn draw(
    model: &Model,
    view: Option<&SessionView>,
    ui: &UiState,
    theme: &Theme,
    area: Rect,
    buf: &mut Buffer,
) {
    let (past, choice) = (&model.past, &ui.history);
    head(past, view, ui, theme, area, buf);
    let body = body(area);
    let lines = comparison::lines(past, choice, body.width.saturating_sub(4), theme);
    let height = match &lines {
        _ if past.failed.is_some() => 0,
        None => 0,
        Some(_) if choice.on_comparison => body.height,
        Some(lines) => {
            let wanted = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
            wanted.min(body.height.saturating_sub(LEAST_LIST)).min(body.height * 3 / 4)
        }
    };
    let above = rows(body, 0, body.height - height);
    match message(past) {
        Some((words, style)) => say(&words, style, above, buf),
        None => list::draw(past, choice, theme, above, buf),
    }
    let brief = || comparison::brief(past, choice, body.width.saturating_sub(4), theme);
    let few = height < FEW && !choice.on_comparison;
    let lines = if few { brief().or(lines) } else { lines };
    if let Some(lines) = lines.filter(|_| height > 0) {
        comparison::draw(lines, choice, theme, rows(body, body.height - height, height), buf);
    }
    keys(view, ui, theme, area, buf);
}

/// Everything that there is to say of one session.
pub(crate) fn draw_session(
    model: &Model,
    view: Option<&SessionView>,
    ui: &UiState,
    theme: &Theme,
    area: Rect,
    buf: &mut Buffer,
) {
    head(&model.past, view, ui, theme, area, buf);
    let title = ui.history.open.map_or_else(String::new, |id| format!("session {id}"));
    let inner = panel(buf, body(area), Line::styled(title, theme.strong), Line::default(), true, theme);
    let lines = session_lines(&model.past, ui, inner.width);
    let style = if matches!(&model.past.opened, Some((_, Err(_)))) { theme.warn } else { theme.base };
    let lines = lines.into_iter().map(|line| Line::styled(line, style)).collect();
    scrolled(lines, ui.history.scroll, inner, theme, buf);
    keys(view, ui, theme, area, buf);
}

/// How far what has the screen can be scrolled.
pub(super) fn last_scroll(model: &Model, ui: &UiState) -> usize {
    let (width, height) = ui.size;
    let room = usize::from(height.saturating_sub(OTHER + 2));
    let theme = Theme::new(crate::tui::theme::ThemeName::Mono, crate::tui::theme::ColorDepth::None, false);
    let lines = match ui.screen {
        Screen::Session => session_lines(&model.past, ui, width.saturating_sub(2)).len(),
        _ if ui.history.on_comparison => {
            comparison::lines(&model.past, &ui.history, width.saturating_sub(4), &theme).map_or(0, |lines| lines.len())
        }
        _ => return 0,
    };
    lines.saturating_sub(room)
}

fn body(area: Rect) -> Rect {
    rows(area, 2, area.height.saturating_sub(OTHER))
}

fn session_lines(past: &Past, ui: &UiState, width: u16) -> Vec<String> {
    let room = usize::from(width.saturating_sub(2));
    match (&past.opened, ui.history.open) {
        (Some((id, Ok(lines))), Some(open)) if *id == open => {
            lines.iter().flat_map(|line| text::fold(&text::clean(line), room)).collect()
        }
        (Some((id, Err(why))), Some(open)) if *id == open => text::wrap(&text::clean(why), room),
        _ => vec![past.waiting.as_ref().map_or_else(|| "reading …".to_owned(), |why| text::clean(why))],
    }
}

/// As many lines as there is room for, from one on.
fn scrolled(lines: Vec<Line<'_>>, scroll: usize, area: Rect, theme: &Theme, buf: &mut Buffer) {
    let height = usize::from(area.height);
    let first = scroll.min(lines.len().saturating_sub(height));
    let more = lines.len() > first + height;
    for (index, line) in (0..area.height).zip(lines.into_iter().skip(first)) {
        put(buf, cols(row(area, index), 1, area.width.saturating_sub(2)), line);
    }
    if more && area.height > 0 {
        put_right(buf, row(area, area.height - 1), span(" more ↓ ", theme.strong));
    }
}

/// What stands in the place of a list that is not there.
fn message(past: &Past) -> Option<(String, Style)> {
    let style = Style::default();
    if let Some(why) = &past.failed {
        return Some((text::clean(why), style));
    }
    if !past.lines.is_empty() {
        return None;
    }
    Some(match &past.waiting {
        Some(why) => (format!("waiting: {}", text::clean(why)), style),
        None if past.is_whole => {
            ("nothing is stored yet: r runs a workload, and its runs are kept here".to_owned(), style)
        }
        None => ("reading the history …".to_owned(), style),
    })
}

fn say(words: &str, style: Style, area: Rect, buf: &mut Buffer) {
    for (index, line) in (1..).zip(text::wrap(words, usize::from(area.width).saturating_sub(4))) {
        put(buf, cols(row(area, index), 2, area.width), span(line, style));
    }
}

/// ` History   12 sessions   filter: WORDS          ▶ 3/5`.
fn head(past: &Past, view: Option<&SessionView>, ui: &UiState, theme: &Theme, area: Rect, buf: &mut Buffer) {
    const FILTER: &str = "   filter: ";
    let first = row(area, 0);
    fill(buf, row(area, 1), "─", theme.border);
    let mut right: Vec<Span<'_>> = Vec::new();
    if let Some(view) = view {
        let (word, style) = header::phase(view, theme);
        right.push(span(word, style));
        right.push(span(format!(" {} ", header::round(view).trim_start_matches("run ")), theme.base));
    }
    let right = Line::from(right);
    let room = usize::from(area.width).saturating_sub(right.width() + 2);
    let choice = &ui.history;
    let plural = if past.sessions == 1 { "" } else { "s" };
    let mut left = vec![span(" History", theme.strong)];
    let mut used = 8;
    let mut add = |left: &mut Vec<Span<'_>>, words: String, style| {
        let fits = used + text::width(&words) <= room;
        if fits {
            used += text::width(&words);
            left.push(span(words, style));
        }
    };
    if past.failed.is_none() && !choice.typing {
        add(&mut left, format!("   {} session{plural}", format::count(past.sessions)), theme.base);
    }
    if past.waiting.is_some() && !past.lines.is_empty() {
        add(&mut left, "   WAITING: somebody else has it".to_owned(), theme.warn);
    }
    let filtered = choice.typing || !choice.filter.text().is_empty();
    if !filtered && past.failed.is_none() {
        add(&mut left, "   A baseline, B candidate".to_owned(), theme.dim);
        add(&mut left, "   times in UTC".to_owned(), theme.dim);
    }
    if filtered && used + FILTER.len() < room {
        let state = if past.is_whole { "" } else { " (still reading)" };
        left.push(span(FILTER, theme.dim));
        let room = room.saturating_sub(used + FILTER.len() + state.len());
        left.extend(filter_line::spans(&choice.filter, choice.typing, theme, room));
        left.push(span(state, theme.dim));
    }
    put(buf, first, Line::from(left));
    put_right(buf, first, right);
}

fn keys(view: Option<&SessionView>, ui: &UiState, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let facts = view.map(|view| footer::Facts::of(&Scene::new(view, ui, theme))).unwrap_or_default();
    footer::draw(ui, &facts, theme, area, buf);
}
