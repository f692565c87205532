//! Two lines of the list beside each other: figures, change, interval and verdict.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::super::paint::{panel, span};
use super::scrolled;
use crate::analysis::verdict::Finding;
use crate::report::history::{Compared, ComparedArms, ComparedFigure, NOT_IN_TURNS, finding_words};
use crate::tui::history::archive::Past;
use crate::tui::history::choice::Choice;
use crate::tui::text;
use crate::tui::theme::Theme;

/// Columns of what a figure is called, of its values, of the change and of its interval.
const NAME: usize = 8;
const VALUE: usize = 10;
const CHANGE: usize = 9;
/// The same where there is no room for intervals, and from which room on there is.
const NARROW: usize = 8;
const WIDE: usize = 56;
const INTERVAL: usize = 21;

/// What is to be said; `None` where no line was chosen.
pub(crate) fn lines(past: &Past, choice: &Choice, width: u16, theme: &Theme) -> Option<Vec<Line<'static>>> {
    let room = usize::from(width);
    let say = |words: &str, style| wrapped("", words, room, style);
    let pair = match (choice.sides, choice.pair()) {
        (_, Some(pair)) => pair,
        ([None, None], _) => return None,
        ([Some(_), _], _) => {
            return Some(say("A is set; b on another line sets B, and both are compared here.", theme.base));
        }
        _ => return Some(say("B is set; a on another line sets A, and both are compared here.", theme.base)),
    };
    Some(match past.compared.as_ref().filter(|(of, _)| *of == pair) {
        Some((_, Ok(compared))) => of(compared, choice.differences, room, theme),
        Some((_, Err(why))) => say(&text::clean(why), theme.warn),
        None => say(past.waiting.as_deref().unwrap_or("comparing …"), theme.base),
    })
}

/// The same for a few lines: what follows, or why nothing does.
pub(crate) fn brief(past: &Past, choice: &Choice, width: u16, theme: &Theme) -> Option<Vec<Line<'static>>> {
    let (of, compared) = past.compared.as_ref()?;
    let compared = compared.as_ref().ok().filter(|_| choice.pair().as_ref() == Some(of))?;
    let room = usize::from(width);
    if !compared.refused.is_empty() {
        return Some(refused(compared, room, theme));
    }
    let (words, finding) = compared.arms.first()?.verdict.as_ref()?;
    Some(wrapped("", words, room, finding_style(*finding, theme)))
}

fn of(compared: &Compared, differences: bool, room: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut out = Vec::new();
    for (side, words) in ["A ", "B "].into_iter().zip(&compared.sides) {
        out.push(Line::styled(text::fit(&format!("{side}{}", text::clean(words.trim_start())), room), theme.base));
    }
    out.extend(refused(compared, room, theme));
    let comparable = compared.refused.is_empty();
    for arms in &compared.arms {
        out.extend(of_arms(arms, differences, comparable, room, theme));
    }
    let warned = compared.arms.iter().flat_map(|arms| &arms.warned).chain(&compared.warned);
    out.extend(warned.flat_map(|why| wrapped("! ", &text::clean(why), room, theme.warn)));
    out.extend(wrapped("", NOT_IN_TURNS, room, theme.dim));
    out
}

/// Every reason for which nothing follows.
fn refused(compared: &Compared, room: usize, theme: &Theme) -> Vec<Line<'static>> {
    let say = |why: &String| wrapped("! ", &format!("NOT COMPARABLE: {}", text::clean(why)), room, theme.bad);
    compared.refused.iter().flat_map(say).collect()
}

fn of_arms(arms: &ComparedArms, differences: bool, comparable: bool, room: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut out = Vec::new();
    let (value, change) = widths(room);
    let [a, b] = arms.labels.each_ref().map(|label| text::pad_left(&text::clean(label), value));
    let head = format!("{} {a} {b} {}  95 % interval", text::pad("", NAME), text::pad_left("change", change));
    out.push(Line::styled(text::fit(&head, room), theme.dim));
    let is_clear = |figure: &&ComparedFigure| matches!(figure.finding, Finding::Faster | Finding::Slower);
    let figures = arms.figures.iter().filter(|figure| !differences || is_clear(figure));
    let mut lines: Vec<Line<'static>> = figures.map(|figure| of_figure(figure, comparable, room, theme)).collect();
    let counts = arms.counts.iter().filter(|[_, a, b]| !differences || a != b);
    lines.extend(counts.map(|[name, a, b]| {
        let words = format!("{} {} {}", text::pad(name, NAME), text::pad_left(a, value), text::pad_left(b, value));
        Line::styled(text::fit(&words, room), theme.base)
    }));
    if lines.is_empty() {
        lines.extend(wrapped("", "nothing differs clearly; D shows all figures", room, theme.base));
    }
    out.extend(lines);
    if let Some((words, finding)) = &arms.verdict {
        let words = format!("{words} ({} and {} runs)", arms.runs[0], arms.runs[1]);
        let style = finding_style(*finding, theme);
        let (words, style) =
            if comparable { (words.as_str(), style) } else { ("none: they are not comparable", theme.bad) };
        out.extend(wrapped("verdict  ", words, room, style));
    }
    out
}

fn of_figure(figure: &ComparedFigure, comparable: bool, room: usize, theme: &Theme) -> Line<'static> {
    let ComparedFigure { name, values: [a, b], change, interval, too_few, finding } = figure;
    let (value, wide) = widths(room);
    let words = format!(
        "{} {} {} {}  {} ",
        text::pad(name, NAME),
        text::pad_left(a, value),
        text::pad_left(b, value),
        text::pad_left(change, wide),
        // Where there is no interval it says why.
        text::pad(interval.as_deref().unwrap_or("too few runs"), INTERVAL),
    );
    let words = text::fit(&words, room);
    let rest = room.saturating_sub(text::width(&words));
    let said = match finding {
        Finding::NoClearDifference if rest < text::width(finding_words(*finding)) => "unclear",
        _ if interval.is_none() => "",
        _ if too_few.is_some() && rest < text::width(&figure.words()) => "not judged",
        _ => &figure.words(),
    };
    let said = if comparable { said } else { "" };
    Line::from(vec![span(words, theme.base), span(text::fit(said, rest), finding_style(*finding, theme))])
}

/// Columns of a value and of a change.
fn widths(room: usize) -> (usize, usize) {
    if room < WIDE { (NARROW, NARROW) } else { (VALUE, CHANGE) }
}

fn finding_style(finding: Finding, theme: &Theme) -> Style {
    match finding {
        Finding::Faster => theme.good,
        Finding::Slower => theme.bad,
        Finding::TooEarly | Finding::NoClearDifference => theme.warn,
    }
}

fn wrapped(lead: &str, words: &str, room: usize, style: Style) -> Vec<Line<'static>> {
    let indent = text::width(lead);
    let lines = text::wrap(words, room.saturating_sub(indent)).into_iter().enumerate();
    lines
        .map(|(index, line)| {
            let lead = if index == 0 { lead.to_owned() } else { " ".repeat(indent) };
            Line::styled(format!("{lead}{line}"), style)
        })
        .collect()
}

/// The lines in their frame.
pub(crate) fn draw(lines: Vec<Line<'static>>, choice: &Choice, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let title = if choice.differences { "B against A, clear differences" } else { "B against A" };
    let hint = if choice.on_comparison { "Esc: the list" } else { "Tab: all of it" };
    let hint = if choice.pair().is_some() { hint } else { "" };
    let titles = [title, hint].map(|words| Line::styled(words, theme.strong));
    let [left, right] = titles;
    let inner = panel(buf, area, left, right, choice.on_comparison, theme);
    let scroll = if choice.on_comparison { choice.scroll } else { 0 };
    scrolled(lines, scroll, inner, theme, buf);
}
