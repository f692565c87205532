//! The workloads there are, and beside the list what the chosen one is, or what is wrong with its file.
//!
//! Shows text; nothing that is only looked at is run.

use std::collections::BTreeSet;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::footer;
use super::paint::{cols, fill, first_visible, panel, put, put_right, row, rows, span};
use crate::tui::model::{Brief, CatalogueEntry, Model, READS_INPUT};
use crate::tui::state::{PickerFocus, UiState};
use crate::tui::theme::Theme;
use crate::tui::{format, text};
use crate::workload::model::EngineKind;

/// Draws the whole screen.
pub(crate) fn draw(model: &Model, ui: &UiState, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let broken = model.catalogue.iter().filter(|entry| entry.outcome.is_err()).count();
    let errors = match broken {
        0 => String::new(),
        n => format!(", {n} with errors"),
    };
    let head = format!(" Poolscope ▸ workloads ({}{errors})", model.catalogue.len());
    put(buf, row(area, 0), span(text::fit(&head, usize::from(area.width)), theme.strong));
    let room = usize::from(area.width).saturating_sub(text::width(&head) + 2);
    if let Some(session) = model.session.as_deref() {
        let (word, style) = super::header::phase(session, theme);
        let name = text::fit(&text::clean(&session.workload.name), room.saturating_sub(word.len() + 6).min(40));
        let open = vec![span("Esc ", theme.key), span(format!("{name} "), theme.base), span(format!("{word} "), style)];
        if room >= 20 {
            put_right(buf, row(area, 0), open);
        }
    }
    fill(buf, row(area, 1), "─", theme.border);
    let body = rows(area, 2, area.height.saturating_sub(3));
    let chosen = ui.entry.min(model.catalogue.len().saturating_sub(1));
    if body.width >= 64 {
        let left = (body.width * 2 / 5).min(80);
        list(model, ui, chosen, theme, cols(body, 0, left), buf);
        preview(model, ui, chosen, theme, cols(body, left, body.width), buf);
    } else if ui.picker_focus == PickerFocus::Preview {
        preview(model, ui, chosen, theme, body, buf);
    } else {
        list(model, ui, chosen, theme, body, buf);
    }
    footer::draw(ui, &footer::Facts::default(), theme, area, buf);
}

fn list(model: &Model, ui: &UiState, chosen: usize, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let focused = ui.picker_focus == PickerFocus::List;
    let title = Line::styled("workloads", theme.strong);
    let place = format!("{}/{}", (chosen + 1).min(model.catalogue.len()), model.catalogue.len());
    let inner = panel(buf, area, title, Line::styled(place, theme.base), focused, theme);
    if model.catalogue.is_empty() {
        put(buf, row(inner, 0), span(" no workload found", theme.warn));
        return;
    }
    let names = model.catalogue.iter().map(|entry| text::width(&text::clean(&entry.name))).max().unwrap_or(0);
    let names = names.clamp(6, usize::from(inner.width / 2).max(6));
    // A sign with a space on both sides, two spaces behind the name.
    let room = usize::from(inner.width).saturating_sub(names + 5);
    let facts: Vec<String> = model.catalogue.iter().map(|entry| facts(&entry.brief, theme, room)).collect();
    let widest = facts.iter().map(|facts| text::width(facts)).max().unwrap_or(0);
    let titles = room.saturating_sub(widest + 2);
    let height = usize::from(inner.height);
    let first = first_visible(chosen, model.catalogue.len(), height);
    for (line, (number, entry)) in (0..).zip(model.catalogue.iter().enumerate().skip(first).take(height)) {
        let line = row(inner, line);
        let (sign, style) = match (&entry.outcome, number == chosen) {
            (Err(_), _) if entry.title != READS_INPUT => ("✗", theme.bad),
            // It waits for items, which is no error.
            (Err(_), _) => ("·", theme.warn),
            (Ok(_), true) => ("▸", theme.strong),
            (Ok(_), false) => (" ", theme.base),
        };
        let name = text::pad(&text::fit_end(&text::clean(&entry.name), names), names);
        let words = match (&entry.outcome, facts.get(number)) {
            (Ok(_), Some(facts)) if titles >= LEAST_TITLE => {
                let title = text::fit(&text::clean(&entry.title), titles);
                format!(" {sign} {name}  {}  {title}", text::pad(facts, widest))
            }
            (Ok(_), Some(facts)) => format!(" {sign} {name}  {facts}"),
            _ if entry.title != READS_INPUT => format!(" {sign} {name}  {}", text::fit("has errors", room)),
            _ => format!(" {sign} {name}  {}", text::fit(&text::clean(&entry.title), room)),
        };
        put(buf, line, span(words, style));
        if number == chosen {
            buf.set_style(line, theme.selected);
        }
    }
}

/// Columns of a title below which it says nothing.
const LEAST_TITLE: usize = 14;

/// `pool×4 process×4 · 5 runs` in so many columns: with signs for names where there is less room.
fn facts(brief: &Brief, theme: &Theme, room: usize) -> String {
    if brief.arms.is_empty() {
        return String::new();
    }
    let list = |arm: fn(&Theme, EngineKind, &str, &str) -> String| {
        let arms = brief.arms.iter().map(|(kind, name, workers)| {
            let workers = workers.map_or_else(|| "∞".to_owned(), |workers| workers.to_string());
            arm(theme, *kind, name, &workers)
        });
        arms.collect::<Vec<_>>().join(" ")
    };
    let named = list(|_, kind, name, workers| match kind.has_worker_count() {
        true => format!("{}×{workers}", text::clean(name)),
        false => text::clean(name),
    });
    let signs = list(|theme, kind, _, workers| format!("{}{workers}", theme.mark(kind, false).sign));
    let plural = if brief.runs == 1 { "" } else { "s" };
    let runs = brief.runs;
    let forms = [format!("{named} · {runs} run{plural}"), format!("{signs} · {runs} run{plural}")];
    let short = format!("{signs} ·{runs}");
    let fitting = forms.into_iter().find(|form| text::width(form) <= room);
    fitting.unwrap_or_else(|| text::fit(&short, room))
}

/// Lines before the text of the file.
fn introduction(entry: &CatalogueEntry, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    match &entry.outcome {
        Ok(workload) => {
            lines.extend(
                text::wrap(&text::clean(&entry.title), width).into_iter().map(|l| Line::styled(l, theme.strong)),
            );
            let words = text::clean(&workload.description);
            if words.trim() != text::clean(&entry.title).trim() {
                lines.extend(text::wrap(&words, width).into_iter().map(|l| Line::styled(l, theme.base)));
            }
            lines.push(Line::default());
            lines.extend(entry.summary.iter().flat_map(|line| titled(&text::clean(line), theme, width)));
            if !workload.teaches.is_empty() {
                lines.push(Line::default());
                for (number, lesson) in workload.teaches.iter().enumerate() {
                    let head = if number == 0 { "teaches" } else { "" };
                    lines.extend(titled(&format!("{head:<TITLE$}{}", text::clean(lesson)), theme, width));
                }
            }
        }
        Err(problems) => {
            lines.push(Line::styled("This file cannot be run:", theme.bad));
            for line in text::clean_lines(problems, usize::MAX) {
                // Messages must be read to their end; the columns of a source line with its carets must stay.
                let parts =
                    if line.starts_with(' ') || line.contains(" | ") { vec![line] } else { text::wrap(&line, width) };
                lines.extend(parts.into_iter().map(|line| Line::styled(line, theme.base)));
            }
        }
    }
    lines.push(Line::default());
    lines.push(Line::styled(text::clean(&entry.source), theme.dim));
    lines
}

/// Columns of the title that begins a line of facts.
const TITLE: usize = 10;

/// A line of facts: a title of ten columns, then words that wrap beside it.
fn titled(line: &str, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let split = line.char_indices().nth(TITLE).map_or(line.len(), |(at, _)| at);
    let (title, words) = line.split_at(split);
    // What is indented further stays so when it wraps.
    let indent = words.len() - words.trim_start().len();
    let room = width.saturating_sub(TITLE + indent).max(1);
    text::wrap(words.trim_start(), room)
        .into_iter()
        .enumerate()
        .map(|(number, part)| {
            let title = if number == 0 { title } else { "" };
            Line::styled(format!("{title:<TITLE$}{:indent$}{part}", ""), theme.base)
        })
        .collect()
}

/// The text of the file with line numbers; lines that a problem names are marked.
fn file_lines(entry: &CatalogueEntry, theme: &Theme) -> Vec<Line<'static>> {
    let marked = entry.outcome.as_ref().err().map(|problems| named_lines(problems)).unwrap_or_default();
    let mut lines = Vec::new();
    for (number, line) in (1_usize..).zip(entry.text.lines()) {
        let bad = marked.contains(&number);
        let style = if bad { theme.bad } else { theme.base };
        let sign = if bad { "✗" } else { " " };
        let content: Vec<Span<'static>> = vec![
            span(format!("{sign}{number:>4} "), if bad { theme.bad } else { theme.dim }),
            span(text::clean(line), style),
        ];
        lines.push(Line::from(content));
    }
    lines
}

/// Line numbers of the problems: each begins with `FILE:LINE:COLUMN: `.
fn named_lines(problems: &str) -> BTreeSet<usize> {
    let place = |line: &str| {
        let mut parts = line.split_once(": ")?.0.rsplitn(3, ':');
        let (column, number) = (parts.next()?.parse::<usize>().ok()?, parts.next()?.parse::<usize>().ok()?);
        let begins = !line.starts_with(char::is_whitespace) && parts.next().is_some();
        (begins && column > 0).then_some(number)
    };
    // Messages begin at the first column; source lines and carets do not.
    problems.lines().map(text::clean).filter_map(|line| place(&line)).collect()
}

/// How far the text beside the list can be scrolled; wrapping may add lines, which the end of the text makes up for.
#[must_use]
pub(super) fn last_scroll(entry: &CatalogueEntry) -> usize {
    let problems = entry.outcome.as_ref().err().map_or(0, |problems| problems.lines().count());
    7 + entry.summary.len() + problems + entry.text.lines().count()
}

fn preview(model: &Model, ui: &UiState, chosen: usize, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let Some(entry) = model.catalogue.get(chosen) else { return };
    let focused = ui.picker_focus == PickerFocus::Preview;
    let least = entry.brief.at_least.map(|least| format!("takes {} or more", format::eta(least))).unwrap_or_default();
    let room = usize::from(area.width).saturating_sub(text::width(&least) + 9);
    let name = text::fit_end(&text::clean(&entry.name), room);
    let inner = panel(buf, area, Line::styled(name, theme.strong), Line::styled(least, theme.base), focused, theme);
    let inner = cols(inner, 1, inner.width.saturating_sub(2));
    let mut lines = introduction(entry, theme, usize::from(inner.width));
    lines.extend(file_lines(entry, theme));
    let first = ui.preview_scroll.min(lines.len().saturating_sub(1));
    for (index, line) in (0..inner.height).zip(lines.into_iter().skip(first)) {
        put(buf, row(inner, index), line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_name_their_lines() {
        let text = "version: 1\nengines:\n  - kind: pool\n    worker: 4\n";
        let problems = crate::workload::load::load(text, "dir/x:y.yaml").map(|_| ()).unwrap_err().render(false);
        // A required key that is missing is told at the beginning of the file.
        assert_eq!(named_lines(&problems).into_iter().collect::<Vec<_>>(), [1, 4], "{problems}");
        assert!(named_lines("a: b\n  x.yaml:3:1: indented\nx:0:0: no\n").is_empty());
    }
}
