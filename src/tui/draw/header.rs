//! The first lines: what runs, where, which round, and whether what is seen is live.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::Scene;
use super::paint::{fill, put, put_right, row, span};
use crate::session::view::{Mode, Place, SessionPhase, SessionView};
use crate::tui::model::{Pane, Role};
use crate::tui::theme::Theme;
use crate::tui::{format, text};

/// Two lines: the header and a rule.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let first = row(area, 0);
    let right = right(scene, area.width);
    let room = usize::from(area.width).saturating_sub(right.width() + 2);
    put(buf, first, span(text::fit(&left(scene, area.width), room), scene.theme.strong));
    put_right(buf, first, right);
    fill(buf, row(area, 1), "─", scene.theme.border);
}

fn left(scene: &Scene<'_>, width: u16) -> String {
    let view = scene.view;
    let total = scene.panes.iter().filter_map(|pane| pane.frame).map(|frame| frame.total).max().filter(|n| *n > 0);
    let tasks = match total.or_else(|| format::task_count(&view.workload)) {
        Some(count) => format!("{} tasks", format::count(count)),
        None => "open arrivals".to_owned(),
    };
    let mut counts: Vec<u32> = scene.panes.iter().map(|pane| workers(pane)).collect();
    counts.dedup();
    let workers = counts.iter().map(u32::to_string).collect::<Vec<_>>().join("/");
    let plural = if workers == "1" { "" } else { "s" };
    let cores = format::cores(&view.host, width >= 120);
    let mut line = format!(" {} · {tasks} · {workers} worker{plural} · {cores}", text::clean(&view.workload.name));
    if width >= 160 {
        line.push_str(&format!(" · host {}", text::clean(&view.host.name)));
    }
    line
}

fn workers(pane: &Pane<'_>) -> u32 {
    pane.frame.map_or(pane.view.workers, |frame| frame.workers_target)
}

/// The word for where the comparison stands, and its style.
pub fn phase(view: &SessionView, theme: &Theme) -> (&'static str, Style) {
    match view.phase {
        SessionPhase::Ready => ("READY", theme.strong),
        SessionPhase::Running => ("▶", theme.good),
        SessionPhase::Paused => ("PAUSED", theme.warn),
        SessionPhase::Stopping => ("STOPPING", theme.warn),
        SessionPhase::Finished => ("FINISHED", theme.good),
        SessionPhase::Stopped => ("STOPPED", theme.warn),
        SessionPhase::Broken(_) => ("BROKEN", theme.bad),
    }
}

/// Which run it is: `warm-up 1/1`, `run 2/5` or `sweep ×8 1/3`; nothing before the first.
pub fn round(view: &SessionView) -> String {
    match view.place {
        Place::Round { round: 0, .. } => String::new(),
        Place::Round { round, warmup, .. } if round <= warmup => format!("warm-up {round}/{warmup}"),
        Place::Round { round, rounds, warmup } => format!("run {}/{}", round - warmup, rounds.saturating_sub(warmup)),
        Place::Again { run, runs, .. } => format!("again {run}/{runs}"),
        Place::Sweep { workers, run: 0, .. } => format!("sweep ×{workers} warm-up"),
        Place::Sweep { workers, run, runs, .. } => format!("sweep ×{workers} {run}/{}", runs.max(run)),
    }
}

/// The run clock: that of the live arm, or of what is shown.
pub fn clock(scene: &Scene<'_>) -> Option<Duration> {
    let live = scene.panes.iter().filter(|pane| pane.role == Role::Live).filter_map(|pane| pane.frame);
    let hidden = scene.view.arms.iter().filter(|arm| arm.live).filter_map(|arm| arm.latest()).map(|frame| frame.at);
    live.map(|frame| frame.at).chain(hidden).max()
}

/// What the arms show: `● replay ■ LIVE`; empty when nothing runs.
pub fn roles<'a>(scene: &Scene<'a>) -> Vec<Span<'a>> {
    let mut spans = Vec::new();
    if scene.view.mode == Mode::Together {
        return vec![span("TOGETHER", scene.theme.warn)];
    }
    if scene.panes.iter().all(|pane| matches!(pane.role, Role::Last | Role::Waiting)) {
        return spans;
    }
    for pane in &scene.panes {
        let mark = scene.mark(pane);
        let (word, style) = role_word(pane.role, scene.theme);
        spans.push(span(format!("{} ", mark.sign), mark.style));
        spans.push(span(format!("{word} "), style));
    }
    // With more than two arms, the one that runs may be in neither pane.
    let hidden = scene
        .view
        .arms
        .iter()
        .enumerate()
        .find(|(arm, view)| view.live && scene.panes.iter().all(|pane| pane.arm != *arm));
    if let Some((_, arm)) = hidden {
        spans.push(span(format!("+ {} ", text::clean(&arm.spec.name)), scene.theme.base));
        let (word, style) = role_word(Role::Live, scene.theme);
        spans.push(span(format!("{word} "), style));
    }
    spans
}

/// The word for what a pane shows.
pub fn role_word(role: Role, theme: &Theme) -> (&'static str, Style) {
    match role {
        Role::Live => ("LIVE", theme.strong),
        Role::Replay => ("replay", theme.base),
        Role::ReplayOver => ("finished", theme.base),
        Role::Last => ("last run", theme.base),
        Role::Waiting => ("waiting", theme.dim),
    }
}

fn right<'a>(scene: &Scene<'a>, width: u16) -> Line<'a> {
    let theme = scene.theme;
    let (word, style) = phase(scene.view, theme);
    let mut spans = Vec::new();
    if scene.ui.frozen.is_some() {
        spans.push(span("FROZEN ", theme.warn));
    }
    spans.push(span(word, style));
    let round = round(scene.view);
    let round = if width < 100 { round.trim_start_matches("run ").to_owned() } else { round };
    if !round.is_empty() {
        spans.push(span(format!(" {round}"), theme.base));
    }
    if let Some(at) = clock(scene) {
        spans.push(span(format!("  {}", format::clock(at)), theme.strong));
    }
    let roles = roles(scene);
    spans.push(span(if roles.is_empty() { " " } else { "  " }, theme.base));
    spans.extend(roles);
    Line::from(spans)
}
