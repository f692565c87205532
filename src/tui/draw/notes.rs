//! What wants attention: one line of the most important, or the list of the last notes.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::Scene;
use super::banner::Statement;
pub(crate) use super::paint::Message;
use super::paint::{panel, put, row, span};
use crate::analysis::gil;
use crate::analysis::lints::{Lint, together};
use crate::analysis::series::{Remark, remarks};
use crate::analysis::verdict::Counted;
use crate::engine::event::Severity;
use crate::metrics::log::tells_of_strays;
use crate::metrics::snapshot::Note;
use crate::session::view::{Mode, SessionPhase};
use crate::tui::model::{self, Pane, Role};
use crate::tui::{format, text, tune};
use crate::workload::units::format_duration;

/// How long a warning of a running arm keeps its place on the one line that others want too.
const RECENT: Duration = Duration::from_secs(10);
/// Columns of the time and the sign before a note.
const INDENT: usize = 13;

/// The most important thing to say: broken, what the banner has no room for, an error or warning, or why the arms are as
/// fast as they are. Why figures are suspect has a place of its own ([`suspect`]).
pub(crate) fn alert(scene: &Scene<'_>, statement: &Statement, unsaid: Option<Message>, width: u16) -> Option<Message> {
    let live = scene.panes.iter().any(|pane| pane.role == Role::Live);
    broken(scene)
        .or_else(|| pending(scene))
        .or(unsaid)
        .or_else(|| warning(scene).filter(|_| live))
        .or_else(|| lock(scene, width))
        .or_else(|| why(scene, statement))
        .or_else(|| warning(scene))
}

/// What the runs show of the lock of an interpreter: of the first arm with threads.
fn evidence(scene: &Scene<'_>) -> Option<gil::Evidence> {
    let view = scene.view;
    if view.mode == Mode::Together {
        return None;
    }
    let arms: Vec<gil::Arm<'_>> = view
        .arms
        .iter()
        .map(|arm| gil::Arm {
            spec: &arm.spec,
            workers: arm.measured,
            counted: Counted::from(&*arm.finished),
            probe: arm.gil_probe(arm.measured),
        })
        .collect();
    gil::of_arms(&arms, view.looks, view.host.usable_cores(), view.control_cores).into_iter().next()
}

/// The same in one sentence that an audience understands.
pub(crate) fn lock(scene: &Scene<'_>, width: u16) -> Option<Message> {
    let evidence = evidence(scene)?;
    let (doubt, style) = match evidence.suspect {
        Some(_) => ("SUSPECT ", scene.theme.warn),
        None => ("", scene.theme.strong),
    };
    let [sentence, short] = [evidence.sentence, evidence.short].map(|words| format!("{doubt}{}", text::clean(&words)));
    let room = usize::from(width).saturating_sub(2);
    Some((if text::width(&sentence) <= room { sentence } else { short }, style))
}

/// Why it is so, as far as that can be told, and what a probe of the threads has shown: on as few lines as they need.
pub(crate) fn lock_reasons(scene: &Scene<'_>, width: u16) -> Vec<Message> {
    let Some(evidence) = evidence(scene) else { return Vec::new() };
    let threads = scene.view.arms.iter().find(|arm| arm.spec.name == evidence.threads.name);
    let probe = threads.and_then(|arm| arm.gil_probe(arm.measured)).as_ref().map(gil::probe_words);
    let reason = evidence.suspect.or_else(|| evidence.details.into_iter().next());
    let room = usize::from(width).saturating_sub(2);
    let mut lines: Vec<String> = Vec::new();
    for words in reason.into_iter().chain(probe) {
        match lines.last_mut() {
            Some(line) if text::width(line) + 3 + text::width(&words) <= room => *line = format!("{line} · {words}"),
            _ => lines.push(text::fit(&words, room)),
        }
    }
    lines.into_iter().map(|line| (line, scene.theme.base)).collect()
}

/// What is to be measured because a worker count was changed.
pub(crate) fn pending(scene: &Scene<'_>) -> Option<Message> {
    tune::pending(scene.view).map(|pending| (pending, scene.theme.warn))
}

/// Why nothing goes on.
pub(crate) fn broken(scene: &Scene<'_>) -> Option<Message> {
    if let Some(limit) = scene.view.out_of_time {
        return Some((format!("limits.max_time of {} had passed", format_duration(limit)), scene.theme.warn));
    }
    match &scene.view.phase {
        SessionPhase::Broken(reason) => Some((format!("BROKEN: {}", text::clean(&reason.chain())), scene.theme.bad)),
        _ => None,
    }
}

/// Why the figures of a run should not be trusted.
pub(crate) fn suspect(scene: &Scene<'_>) -> Option<Message> {
    let found: Vec<String> = scene
        .panes
        .iter()
        .filter_map(|pane| {
            let reasons = &pane.frame?.suspect;
            (!reasons.is_empty()).then(|| {
                let reasons: Vec<String> = reasons.iter().map(|reason| text::clean(reason)).collect();
                format!("{} {}: {}", scene.mark(pane).sign, pane.label, reasons.join("; "))
            })
        })
        .collect();
    (!found.is_empty()).then(|| (format!("SUSPECT {}", found.join("; ")), scene.theme.bad))
}

/// The newest warning or error of the runs in the panes.
pub(crate) fn warning(scene: &Scene<'_>) -> Option<Message> {
    let notes = scene.panes.iter().flat_map(|pane| notes(pane).map(move |note| (pane, note)));
    let recent = |(pane, note): &(&Pane<'_>, &Note)| {
        let now = pane.frame.map(|frame| frame.at).unwrap_or_default();
        pane.role != Role::Live || now.since(note.at) <= RECENT
    };
    let wanted = |note: &Note| note.severity > Severity::Info || tells_of_strays(note);
    let grave = notes.filter(|(_, note)| wanted(note)).filter(recent).max_by_key(|(_, note)| note.at);
    grave.map(|(pane, note)| {
        let style = if note.severity == Severity::Error { scene.theme.bad } else { scene.theme.warn };
        let at = note.at.elapsed().as_secs_f64();
        (format!("! {at:.1} s {} {}: {}", scene.mark(pane).sign, pane.label, text::clean(&note.text)), style)
    })
}

/// The first reason why the arms are as fast as they are.
pub(crate) fn why(scene: &Scene<'_>, statement: &Statement) -> Option<Message> {
    reasons(scene, statement).into_iter().next().map(|(_, sentence)| (format!("why: {sentence}"), scene.theme.base))
}

/// What the runs of the arm that is behind show, or else what the runs in the panes do, each as a sign and a sentence;
/// nothing where it was not work that was measured.
fn reasons(scene: &Scene<'_>, statement: &Statement) -> Vec<(&'static str, String)> {
    if !statement.of_work {
        return Vec::new();
    }
    let said = |pane: &Pane<'_>, lint: &Lint| (scene.mark(pane).sign, text::clean(&lint.sentence(&pane.label)));
    let verdict = model::verdict(scene.view, &scene.panes).map(|(verdict, _)| verdict);
    let behind = verdict.and_then(|verdict| {
        let pane = scene.panes.iter().find(|pane| pane.arm == verdict.behind())?;
        // That a run is suspect is said elsewhere, with its reason.
        let reasons = verdict.reasons.iter().filter(|lint| !matches!(lint, Lint::Suspect { .. }));
        Some(reasons.map(|lint| said(pane, lint)).collect::<Vec<_>>())
    });
    let mut all = behind.unwrap_or_default();
    let cores = Some(scene.view.host.usable_cores());
    for pane in &scene.panes {
        let shown = verdict.is_none_or(|verdict| verdict.reasons.is_empty() || verdict.behind() != pane.arm);
        let lints = pane.frame.filter(|_| shown).map(|frame| together([frame], cores)).unwrap_or_default();
        all.extend(lints.iter().map(|lint| said(pane, lint)));
    }
    all
}

fn notes<'a>(pane: &Pane<'a>) -> impl Iterator<Item = &'a Note> + use<'a> {
    pane.frame.map(|frame| frame.notes.as_slice()).unwrap_or_default().iter()
}

/// A message on the lines of an area, whole if there is room.
pub(crate) fn draw_message(message: Option<Message>, area: Rect, buf: &mut Buffer) {
    let Some((message, style)) = message else { return };
    let room = usize::from(area.width).saturating_sub(2);
    for (index, line) in (0..area.height).zip(wrapped(&message, room, usize::from(area.height))) {
        put(buf, row(area, index), span(format!(" {line}"), style));
    }
}

/// A text on at most so many lines of a width; what is left over is cut.
fn wrapped(words: &str, room: usize, lines: usize) -> Vec<String> {
    if text::width(words) <= room {
        return vec![words.to_owned()];
    }
    // The figures in brackets are in the bars too.
    let sentence = words.strip_suffix(')').and_then(|words| words.rsplit_once(" (")).map(|(sentence, _)| sentence);
    if let Some(sentence) = sentence.filter(|sentence| lines == 1 && text::width(sentence) <= room) {
        return vec![sentence.to_owned()];
    }
    let mut wrapped = if lines > 1 { text::wrap(words, room) } else { Vec::new() };
    if wrapped.len() <= lines && !wrapped.is_empty() {
        return wrapped;
    }
    wrapped.truncate(lines.saturating_sub(1));
    // What is on the lines before is one space longer than its words for each line.
    let before: usize = wrapped.iter().map(|line| line.chars().count() + 1).sum();
    let rest: String = words.split_whitespace().collect::<Vec<_>>().join(" ").chars().skip(before).collect();
    wrapped.push(text::fit(&rest, room));
    wrapped
}

/// The last notes of both arms, newest first, after the reasons. Long ones take several lines.
pub(crate) fn draw_panel(scene: &Scene<'_>, statement: &Statement, area: Rect, buf: &mut Buffer) {
    let title = Line::styled("notes", scene.theme.strong);
    let inner = panel(buf, area, title, Line::default(), false, scene.theme);
    let mut lines: Vec<(String, String, Style)> = Vec::new();
    let evidence = evidence(scene);
    let details = evidence.as_ref().map(|evidence| evidence.details.clone()).unwrap_or_default();
    if let Some(evidence) = evidence {
        let doubt = evidence.suspect.iter().map(|reason| format!("SUSPECT: {reason}"));
        let told = std::iter::once(text::clean(&evidence.sentence)).chain(doubt);
        lines.extend(told.zip(0..).map(|(words, place)| {
            let (head, style) = if place == 0 { ("GIL:", scene.theme.strong) } else { ("", scene.theme.base) };
            (format!("{head:>8}    "), words.strip_prefix("GIL: ").map_or(words.clone(), str::to_owned), style)
        }));
    }
    for pane in &scene.panes {
        let probe = scene.view.arms.get(pane.arm).and_then(|arm| arm.gil_probe(arm.measured));
        if let Some(words) = probe.as_ref().map(gil::probe_words) {
            lines.push((format!("{:>8} {}  ", "GIL:", scene.mark(pane).sign), words, scene.theme.base));
        }
    }
    lines.extend(details.into_iter().map(|words| (" ".repeat(INDENT - 1), words, scene.theme.base)));
    for pane in &scene.panes {
        for remark in remarks(&pane.view.finished) {
            let run = if let Remark::Outlier { run, .. } = remark { format!("{run}: ") } else { String::new() };
            let head = format!("{:>8} {}  ", "runs:", scene.mark(pane).sign);
            lines.push((head, format!("{run}{}: {}", remark.word(), remark.sentence()), scene.theme.warn));
        }
    }
    for (sign, sentence) in reasons(scene, statement) {
        lines.push((format!("{:>8} {sign}  ", "why:"), sentence, scene.theme.base));
    }
    let mut all: Vec<(&Pane<'_>, &Note)> =
        scene.panes.iter().flat_map(|pane| notes(pane).map(move |note| (pane, note))).collect();
    all.sort_by_key(|(_, note)| std::cmp::Reverse(note.at));
    for (pane, note) in all.into_iter().take(usize::from(inner.height)) {
        let (flag, style) = match note.severity {
            Severity::Info => ("i", scene.theme.base),
            Severity::Warning => ("!", scene.theme.warn),
            Severity::Error => ("E", scene.theme.bad),
        };
        let head = format!("{:>8} {} {flag}", format::clock(note.at), scene.mark(pane).sign);
        lines.push((head, text::clean(&note.text), style));
    }
    let room = usize::from(inner.width).saturating_sub(INDENT + 2);
    let mut y = 0;
    for (head, words, style) in lines {
        let left = usize::from(inner.height.saturating_sub(y));
        if left == 0 {
            return;
        }
        put(buf, row(inner, y), span(format!(" {head} "), style));
        for line in wrapped(&words, room, left) {
            let line_area = super::paint::cols(row(inner, y), INDENT as u16 + 1, inner.width);
            put(buf, line_area, span(line, style));
            y += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_wrap_and_only_what_has_no_line_is_cut() {
        let words = "one two three four five";
        assert_eq!(wrapped(words, 30, 1), [words]);
        assert_eq!(wrapped(words, 9, 3), ["one two", "three", "four five"]);
        assert_eq!(wrapped(words, 9, 2), ["one two", "three fo…"]);
        assert_eq!(wrapped(words, 9, 1), ["one two …"]);
        assert_eq!(wrapped("one two (three four)", 9, 1), ["one two"]);
    }
}
