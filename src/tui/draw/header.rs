//! The first lines: what runs, where, which round, how long it will take, and whether what is seen is live and to be
//! trusted.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::paint::{fill, put, put_right, row, span};
use super::{Scene, time_left};
use crate::engine::event::Moment;
use crate::session::view::{Mode, RunPosition, SessionPhase, SessionView};
use crate::tui::model::{self, Role};
use crate::tui::theme::Theme;
use crate::tui::{format, text};

/// Columns that the left side keeps for what the workload is.
const LEAST_LEFT: usize = 24;

/// Two lines: the header and a rule.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let first = row(area, 0);
    let width = usize::from(area.width);
    let most = width.saturating_sub(LEAST_LEFT + 2);
    let right = Detail::ALL.into_iter().map(|detail| right(scene, detail)).find(|line| line.width() <= most);
    let right = right.unwrap_or_else(|| self::right(scene, Detail::Least));
    let room = width.saturating_sub(right.width() + 2);
    put(buf, first, span(left(scene, room), scene.theme.strong));
    put_right(buf, first, right);
    fill(buf, row(area, 1), "─", scene.theme.border);
}

/// What is run and on how many cores, as far as there is room.
fn left(scene: &Scene<'_>, room: usize) -> String {
    let view = scene.view;
    let total = scene.panes.iter().filter_map(|pane| pane.frame).map(|frame| frame.total).max().filter(|n| *n > 0);
    let tasks = match total.or_else(|| format::task_count(&view.workload)) {
        Some(count) => format!("{} tasks", format::count(count)),
        None => "open arrivals".to_owned(),
    };
    let mut line = text::fit(&format!(" {}", text::clean(&view.workload.name)), room);
    let mut add = |piece: &str| {
        let fits = text::width(&line) + 3 + text::width(piece) <= room;
        if fits {
            line.push_str(" · ");
            line.push_str(piece);
        }
        fits
    };
    if add(&tasks) && !add(&format::cores(&view.host, true)) {
        add(&format::cores(&view.host, false));
    }
    if room >= 100 {
        add(&format!("host {}", text::clean(&view.host.name)));
    }
    line
}

/// The word for where the comparison stands, and its style.
pub(crate) fn phase(view: &SessionView, theme: &Theme) -> (&'static str, Style) {
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
pub(crate) fn round(view: &SessionView) -> String {
    match view.position {
        RunPosition::Round { round: 0, .. } => String::new(),
        position @ RunPosition::Round { .. } => position.to_string(),
        RunPosition::Again { run, runs, .. } => format!("again {run}/{runs}"),
        RunPosition::Sweep { workers, run, runs, .. } => {
            let verb = if view.target.is_some() { "tune" } else { "sweep" };
            match run {
                0 => format!("{verb} ×{workers} warm-up"),
                // Where the usual ones do not tell enough there are more, and how many is not known.
                run if run > runs => format!("{verb} ×{workers} {run}"),
                run => format!("{verb} ×{workers} {run}/{runs}"),
            }
        }
    }
}

/// The run clock: that of the live arm, or of what is shown.
pub(crate) fn clock(scene: &Scene<'_>) -> Option<Moment> {
    let live = scene.panes.iter().filter(|pane| pane.role == Role::Live).filter_map(|pane| pane.frame);
    let hidden = scene.view.arms.iter().filter(|arm| arm.live).filter_map(|arm| arm.latest()).map(|frame| frame.at);
    live.map(|frame| frame.at).chain(hidden).max()
}

/// What the arms show: `● replay ■ LIVE`; empty when nothing runs.
pub(crate) fn roles<'a>(scene: &Scene<'a>) -> Vec<Span<'a>> {
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
        spans.push(span(format!("+ {} ", model::short_label(&model::label(arm), 14)), scene.theme.base));
        let (word, style) = role_word(Role::Live, scene.theme);
        spans.push(span(format!("{word} "), style));
    }
    spans
}

/// The word for what a pane shows.
pub(crate) fn role_word(role: Role, theme: &Theme) -> (&'static str, Style) {
    match role {
        Role::Live => ("LIVE", theme.strong),
        Role::Replay => ("replay", theme.base),
        Role::ReplayOver => ("finished", theme.base),
        Role::Last => ("last run", theme.base),
        Role::Waiting => ("waiting", theme.dim),
    }
}

/// How much the right side says; each says less than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Detail {
    All,
    /// An arm that is suspect has its sign instead of its name.
    Signs,
    NoClock,
    NoTimeLeft,
    Least,
}

impl Detail {
    const ALL: [Self; 5] = [Self::All, Self::Signs, Self::NoClock, Self::NoTimeLeft, Self::Least];
}

fn right<'a>(scene: &Scene<'a>, detail: Detail) -> Line<'a> {
    let theme = scene.theme;
    let (word, style) = phase(scene.view, theme);
    let mut spans = badge(scene, detail == Detail::All);
    if scene.ui.frozen.is_some() {
        spans.push(span("FROZEN ", theme.warn));
    }
    spans.push(span(word, style));
    let round = round(scene.view);
    let round = if detail == Detail::All { round } else { round.trim_start_matches("run ").to_owned() };
    if !round.is_empty() {
        spans.push(span(format!(" {round}"), theme.base));
    }
    if let Some(at) = clock(scene).filter(|_| detail < Detail::NoClock) {
        spans.push(span(format!("  {}", format::clock(at)), theme.strong));
    }
    if let Some(left) = time_left::of(scene).filter(|_| detail < Detail::NoTimeLeft) {
        spans.push(span(format!("  {}", time_left::words(left)), theme.base));
    }
    let roles = if detail < Detail::Least { roles(scene) } else { Vec::new() };
    spans.push(span(if roles.is_empty() { " " } else { "  " }, theme.base));
    spans.extend(roles);
    Line::from(spans)
}

/// `SUSPECT` and the arms whose figures are not to be trusted, by their signs or their names; empty is good.
pub(crate) fn badge<'a>(scene: &Scene<'a>, names: bool) -> Vec<Span<'a>> {
    let suspect = || scene.panes.iter().filter(|pane| pane.frame.is_some_and(|frame| !frame.suspect.is_empty()));
    let mut spans = Vec::new();
    for pane in suspect() {
        let mark = scene.mark(pane);
        if spans.is_empty() {
            spans.push(span("SUSPECT ", scene.theme.bad));
        }
        spans.push(span(format!("{} ", mark.sign), mark.style));
        if names {
            spans.push(span(format!("{} ", model::short_label(&pane.label, 20)), scene.theme.strong));
        }
    }
    if !spans.is_empty() {
        spans.push(span(" ", scene.theme.base));
    }
    spans
}
