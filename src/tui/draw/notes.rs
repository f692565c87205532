//! What wants attention: one line of the most important, or the list of the last notes.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::paint::{panel, put, row, span};
use super::{Scene, banner};
use crate::engine::event::Severity;
use crate::metrics::log::tells_of_strays;
use crate::metrics::snapshot::Note;
use crate::session::view::SessionPhase;
use crate::tui::lints;
use crate::tui::model::{self, Pane, Role};
use crate::tui::{format, text};

/// How long a warning of a running arm keeps its place on the one line that others want too.
const RECENT: Duration = Duration::from_secs(10);

/// The most important thing to say: broken, suspect, an error or warning, a lint, or why the verdict is so.
pub fn alert(scene: &Scene<'_>) -> Option<(String, Style)> {
    let theme = scene.theme;
    if let SessionPhase::Broken(reason) = &scene.view.phase {
        return Some((format!("BROKEN: {}", text::clean(reason)), theme.bad));
    }
    let recent = warning(scene).filter(|_| scene.panes.iter().any(|pane| pane.role == Role::Live));
    suspect(scene).or(recent).or_else(|| lint(scene)).or_else(|| warning(scene))
}

/// Why the figures of a run should not be trusted.
pub fn suspect(scene: &Scene<'_>) -> Option<(String, Style)> {
    let found = scene.panes.iter().find_map(|pane| {
        let reasons = &pane.frame?.suspect;
        (!reasons.is_empty()).then(|| {
            let reasons: Vec<String> = reasons.iter().map(|reason| text::clean(reason)).collect();
            format!("SUSPECT: {} {}", pane.label(), reasons.join("; "))
        })
    });
    found.map(|text| (text, scene.theme.bad))
}

/// The newest warning or error of the runs in the panes.
pub fn warning(scene: &Scene<'_>) -> Option<(String, Style)> {
    let notes = scene.panes.iter().flat_map(|pane| notes(pane).map(move |note| (pane, note)));
    let recent = |(pane, note): &(&Pane<'_>, &Note)| {
        let now = pane.frame.map(|frame| frame.at).unwrap_or_default();
        pane.role != Role::Live || now.saturating_sub(note.at) <= RECENT
    };
    let wanted = |note: &Note| note.severity > Severity::Info || tells_of_strays(note);
    let grave = notes.filter(|(_, note)| wanted(note)).filter(recent).max_by_key(|(_, note)| note.at);
    grave.map(|(pane, note)| {
        let style = if note.severity == Severity::Error { scene.theme.bad } else { scene.theme.warn };
        let at = note.at.as_secs_f64();
        (format!("! {at:.1} s {} {} {}", scene.mark(pane).sign, pane.label(), text::clean(&note.text)), style)
    })
}

/// The first remark on the figures, unless it was not work that was measured.
pub fn lint(scene: &Scene<'_>) -> Option<(String, Style)> {
    if banner::nothing_succeeded(scene).is_some() {
        return None;
    }
    let cores = scene.view.host.usable_cores();
    let found = scene.panes.iter().find_map(|pane| {
        let remark = lints::check(pane.frame?, cores).into_iter().next()?;
        Some(format!("why: {} {} {remark}", scene.mark(pane).sign, pane.label()))
    });
    let reasons = || {
        let (verdict, _) = model::verdict(scene.view, &scene.panes)?;
        let reasons: Vec<String> = verdict.reasons.iter().map(|reason| text::clean(reason)).collect();
        (!reasons.is_empty()).then(|| format!("why: {}", reasons.join("; ")))
    };
    found.or_else(reasons).map(|text| (text, scene.theme.base))
}

fn notes<'a>(pane: &Pane<'a>) -> impl Iterator<Item = &'a Note> + use<'a> {
    pane.frame.map(|frame| frame.notes.as_slice()).unwrap_or_default().iter()
}

/// One line with one of the above.
pub fn draw_line(message: Option<(String, Style)>, area: Rect, buf: &mut Buffer) {
    if let Some((message, style)) = message {
        let room = usize::from(area.width).saturating_sub(2);
        put(buf, row(area, 0), span(format!(" {}", text::fit(&message, room)), style));
    }
}

/// The last notes of both arms, newest first, after the remarks on the figures.
pub fn draw_panel(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let title = Line::styled("notes", scene.theme.strong);
    let inner = panel(buf, area, title, Line::default(), false, scene.theme);
    let mut lines: Vec<(String, Style)> = Vec::new();
    let cores = scene.view.host.usable_cores();
    let explained = if banner::nothing_succeeded(scene).is_some() { &[] } else { scene.panes.as_slice() };
    for pane in explained {
        let remarks = pane.frame.map(|frame| lints::check(frame, cores)).unwrap_or_default();
        let sign = scene.mark(pane).sign;
        lines.extend(remarks.into_iter().map(|remark| (format!("{:>8} {sign} {remark}", "why:"), scene.theme.base)));
    }
    let mut all: Vec<(&Pane<'_>, &Note)> =
        scene.panes.iter().flat_map(|pane| notes(pane).map(move |note| (pane, note))).collect();
    all.sort_by_key(|(_, note)| std::cmp::Reverse(note.at));
    for (pane, note) in all.into_iter().take(usize::from(inner.height)) {
        let (flag, style) = match note.severity {
            Severity::Info => ("i", scene.theme.base),
            Severity::Warning => ("!", scene.theme.warn),
            Severity::Error => ("ERROR", scene.theme.bad),
        };
        let at = format::clock(note.at);
        lines.push((format!("{at:>8} {} {flag} {}", scene.mark(pane).sign, text::clean(&note.text)), style));
    }
    for (index, (line, style)) in (0..inner.height).zip(lines) {
        put(buf, row(inner, index), span(format!(" {}", text::fit(&line, usize::from(inner.width) - 1)), style));
    }
}
