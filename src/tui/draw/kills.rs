//! What the last killed worker has cost: it stays for the session, so that it can be read when the moment is over.
//!
//! Says what the records say; decides nothing about who is killed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::Scene;
use super::paint::{put, row, span};
use crate::engine::event::EndReason;
use crate::engine::outcome::Outcome;
use crate::metrics::snapshot::{Cost, Kill, Replaced};
use crate::session::view::{KillRecord, SessionView};
use crate::tui::failures::FailedAttempt;
use crate::tui::model;
use crate::tui::{format, text};

/// Most columns of an arm's name.
const NAME: usize = 12;

/// The kill that waits, and the last one: on request, or else by a timeout; both where the screen is large.
pub(crate) fn lines(scene: &Scene<'_>, width: u16, large: bool) -> Vec<Line<'static>> {
    let kills = &scene.view.kills;
    let mut lines: Vec<Line<'static>> = kills.waiting.iter().filter_map(|arm| waiting(scene, *arm)).collect();
    let (requested, timeout) = (kills.requested.last(), kills.timeouts.last());
    let second = timeout.filter(|_| large || requested.is_none());
    // The bars of a third arm leave no room for a third line: its last pieces go.
    let most = if large || scene.view.arms.len() < 3 { usize::MAX } else { 2 };
    for record in requested.into_iter().chain(second) {
        let pieces = pieces(scene, record);
        let parts = (1..=pieces.len()).rev().filter_map(|count| pieces.get(..count));
        let fitting = parts.map(|parts| wrapped(parts.to_vec(), width)).find(|lines| lines.len() <= most);
        lines.extend(fitting.unwrap_or_default());
    }
    lines
}

/// Whether they are about the newest run.
pub(crate) fn are_news(scene: &Scene<'_>) -> bool {
    let kills = &scene.view.kills;
    let last = kills.requested.last().or(kills.timeouts.last());
    !kills.waiting.is_empty() || last.is_some_and(|record| record.run == kills.runs)
}

/// Draws lines at the top of an area; says how many there was room for.
pub(crate) fn draw(lines: Vec<Line<'static>>, area: Rect, buf: &mut Buffer) -> u16 {
    let count = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height);
    for (index, line) in (0..count).zip(lines) {
        put(buf, row(area, index), line);
    }
    count
}

/// What else the end of the worker of an attempt has cost.
pub(crate) fn beside(view: &SessionView, failure: FailedAttempt<'_>) -> Option<String> {
    let of = |record: &&KillRecord| {
        let attempt = matches!(record.kill.cost, Cost::Attempt { index, .. } if index == failure.report.index);
        record.arm == failure.arm && attempt && record.kill.pid == failure.report.pid
    };
    let record = view.kills.requested.iter().chain(view.kills.timeouts.iter()).rev().find(of)?;
    Some(format!("worker {}, {}", replaced(&record.kill), others(view, record)))
}

/// `POOL ×4` with its sign, or without a count.
fn arm(scene: &Scene<'_>, index: usize, workers: Option<u32>) -> Option<[Span<'static>; 2]> {
    let view = scene.view.arms.get(index)?;
    let mark = match scene.panes.iter().find(|pane| pane.arm == index) {
        Some(pane) => scene.mark(pane),
        None => scene.theme.mark(view.spec.kind, false),
    };
    let name = match workers {
        Some(workers) => model::short_label(&model::labelled(view, workers), NAME + 6),
        None => text::fit(&model::name(view), NAME),
    };
    Some([span(format!("{} ", mark.sign), mark.style), span(name, scene.theme.strong)])
}

fn waiting(scene: &Scene<'_>, index: usize) -> Option<Line<'static>> {
    let live = scene.view.arms.get(index)?.live;
    let [sign, name] = arm(scene, index, None)?;
    let what = match (live, scene.view.phase.is_over()) {
        (true, _) => " waits until a worker is busy",
        (false, false) => " waits for its next run",
        (false, true) => " waits for its next run (r)",
    };
    let rest = span(format!("{what}; K again takes it back"), scene.theme.warn);
    Some(Line::from(vec![span(" K ", scene.theme.strong), sign, name, rest]))
}

/// The parts of a line, which is broken between them.
fn pieces(scene: &Scene<'_>, record: &KillRecord) -> Vec<Vec<Span<'static>>> {
    let (theme, kill) = (scene.theme, &record.kill);
    let by = if kill.reason == EndReason::Request { "K" } else { "!" };
    let when = format!("{}, {:.1} s ", record.id, kill.at.elapsed().as_secs_f64());
    let mut head = vec![span(format!("{by} "), theme.strong), span(when, theme.base)];
    head.extend(arm(scene, record.arm, Some(record.workers)).into_iter().flatten());
    let who =
        kill.pid.map_or_else(|| format!("worker {}", kill.slot), |pid| format!("worker {} (pid {pid})", kill.slot));
    let end = if kill.reason == EndReason::Request { "killed" } else { "ended" };
    head.push(span(format!(": {who} {end}"), theme.base));
    let (task, style) = task(kill, theme.bad, theme.base);
    vec![
        head,
        vec![span(task, style)],
        vec![span(replaced(kill), theme.base)],
        vec![span(others(scene.view, record), theme.base)],
    ]
}

fn task(kill: &Kill, bad: Style, base: Style) -> (String, Style) {
    let Cost::Attempt { index, outcome, retried, ran, .. } = kill.cost else {
        let words = match (kill.cost, kill.reason) {
            (Cost::Nothing, _) => "nothing was lost: it was in no task".to_owned(),
            (_, EndReason::Timeout { limit }) => format!("its task ran longer than {}", format::duration(limit)),
            _ => "not gone yet".to_owned(),
        };
        return (words, base);
    };
    let after = ran.map_or_else(|| "before it began".to_owned(), |ran| format!("after {}", format::duration(ran)));
    match (outcome, retried) {
        (Outcome::TimedOut, false) => (format!("task #{index} TIMED OUT {after}"), bad),
        (Outcome::TimedOut, true) => (format!("task #{index} timed out {after}, tried again"), bad),
        (_, true) => (format!("task #{index} lost {after}, tried again"), bad),
        (Outcome::Lost, false) => (format!("task #{index} LOST {after}"), bad),
        (other, false) => (format!("task #{index} {} {after}", other.word()), bad),
    }
}

fn replaced(kill: &Kill) -> String {
    match kill.replaced {
        Replaced::Open => "not replaced yet".to_owned(),
        Replaced::After(time) => format!("replaced after {}", format::duration(time)),
        Replaced::Never => "not replaced (run over)".to_owned(),
    }
}

fn others(view: &SessionView, record: &KillRecord) -> String {
    let kill = &record.kill;
    if view.arms.get(record.arm).is_some_and(|arm| arm.spec.kind.shares_process()) {
        return "with its process, and what else ran in that".to_owned();
    }
    match (kill.others_unaffected(), kill.others_ended) {
        (0, 0) => "no other was busy".to_owned(),
        (1, 0) => "1 other unaffected".to_owned(),
        (others, 0) => format!("{others} others unaffected"),
        (others, ended) => format!("{others} unaffected, {ended} died too"),
    }
}

/// The parts in as few lines as possible; the last thing to be cut is a figure.
fn wrapped(pieces: Vec<Vec<Span<'static>>>, width: u16) -> Vec<Line<'static>> {
    let room = usize::from(width).saturating_sub(1);
    let mut lines: Vec<Line<'static>> = Vec::new();
    for piece in pieces {
        let piece = Line::from(piece);
        match lines.last_mut() {
            Some(line) if line.width() + 2 + piece.width() < room => {
                line.push_span(Span::raw(", "));
                piece.spans.into_iter().for_each(|span| line.push_span(span));
            }
            before => {
                if let Some(line) = before {
                    line.push_span(Span::raw(","));
                }
                let indent = if lines.is_empty() { " " } else { "   " };
                let mut line = Line::from(indent);
                piece.spans.into_iter().for_each(|span| line.push_span(span));
                lines.push(line);
            }
        }
    }
    lines
}
