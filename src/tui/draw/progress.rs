//! Progress of the arms on one scale, one line each: the longer bar leads. More arms than the panes have their bars too.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Scene;
use super::paint::{cols, put, row, span};
use crate::engine::event::RunState;
use crate::tui::model::{self, Pane, Role};
use crate::tui::theme::EngineStyle;
use crate::tui::widgets::bars::{self, Part};
use crate::tui::{format, text};

/// Lines of an area that may go to bars.
pub(crate) fn most_bars(area: Rect) -> usize {
    match area.height {
        0..24 => 2,
        24..36 => 3,
        _ => 6,
    }
}

/// One line for each arm that has a bar.
pub(crate) fn draw(scene: &Scene<'_>, arms: &[usize], area: Rect, buf: &mut Buffer) {
    let panes = &model::shown(scene.view, arms);
    let narrow = area.width < 60;
    let most = usize::from(area.width / 5).clamp(10, 20);
    let labels: Vec<String> = panes.iter().map(|pane| model::short_label(&pane.label, most)).collect();
    let label_width = labels.iter().map(|label| text::width(label)).max().unwrap_or(0);
    let counts: Vec<String> = panes.iter().map(|pane| counts(pane, narrow)).collect();
    let count_width = counts.iter().map(|count| text::width(count)).max().unwrap_or(0);
    let ends: Vec<String> = panes.iter().map(|pane| end(scene, pane, narrow)).collect();
    // The bars must not change their length whenever a time gets a digit.
    let end_width = ends.iter().map(|end| text::width(end)).max().unwrap_or(0).max(if narrow { 5 } else { 11 });
    for (index, pane) in panes.iter().enumerate() {
        let line = row(area, u16::try_from(index).unwrap_or(u16::MAX));
        let (mark, weight) = match scene.panes.iter().find(|shown| shown.arm == pane.arm) {
            Some(pane) => (scene.mark(pane), scene.theme.strong),
            // Signs are told apart in the panes alone.
            None => (EngineStyle { sign: " ", ..scene.theme.mark(pane.kind(), false) }, scene.theme.base),
        };
        let label = labels.get(index).map_or("", String::as_str);
        put(buf, cols(line, 1, u16::MAX), span(text::pad(label, label_width), weight));
        let sign_at = 2 + label_width as u16;
        put(buf, cols(line, sign_at, 1), span(mark.sign, mark.style));
        let (done, total) = pane.progress();
        let mut tail = text::pad_left(counts.get(index).map_or("", String::as_str), count_width);
        if !narrow {
            tail.push_str("  ");
        }
        tail = format!(
            "{tail}{} {}",
            text::pad_left(&format::percent(done, total), 4),
            text::pad_left(ends.get(index).map_or("", String::as_str), end_width),
        );
        let tail_width = text::width(&tail) as u16;
        let bar_at = sign_at + 2;
        let bar = cols(line, bar_at, line.width.saturating_sub(bar_at + tail_width + if narrow { 2 } else { 3 }));
        let share = if total == 0 { 0.0 } else { done as f64 / total as f64 };
        let part = Part { share, symbol: mark.bar, style: mark.style };
        bars::stacked(buf, bar, &[part], ("░", scene.theme.dim));
        let tail_at = line.width.saturating_sub(tail_width + 1);
        put(buf, cols(line, tail_at, tail_width), span(tail, weight));
    }
}

fn counts(pane: &Pane<'_>, narrow: bool) -> String {
    let (done, total) = pane.progress();
    match (narrow, total) {
        (true, _) => String::new(),
        (false, 0) => "0".to_owned(),
        (false, total) => format!("{}/{}", format::count(done), format::count(total)),
    }
}

fn done_with(pane: &Pane<'_>) -> bool {
    let (done, total) = pane.progress();
    total > 0 && done == total
}

/// The word for an arm without a run.
pub(crate) fn without_run(scene: &Scene<'_>) -> &'static str {
    if model::is_running(scene.view) { "waiting" } else { "not run" }
}

/// When it ends, or how it ended.
fn end(scene: &Scene<'_>, pane: &Pane<'_>, narrow: bool) -> String {
    let Some(frame) = pane.frame else { return if narrow { "–" } else { without_run(scene) }.to_owned() };
    match frame.state {
        RunState::Paused => return if narrow { "pause" } else { "paused" }.to_owned(),
        RunState::Suspended => return if narrow { "susp." } else { "suspended" }.to_owned(),
        RunState::Stopping => return if narrow { "stop" } else { "stopping" }.to_owned(),
        RunState::Stopped => return if narrow { "stop" } else { "stopped" }.to_owned(),
        RunState::Broken => return if narrow { "BROKE" } else { "BROKEN" }.to_owned(),
        RunState::Finished => {
            let took = format::duration(frame.at.elapsed());
            return if narrow { took.replace(' ', "") } else { format!("took {took}") };
        }
        RunState::Running => {}
    }
    match pane.remaining() {
        Some(left) if narrow => format::eta(left),
        Some(left) => format!("done in {}", format::eta(left)),
        // All tasks have their outcomes, and the workers are ended.
        None if pane.role == Role::Live && done_with(pane) => if narrow { "ends" } else { "ending" }.to_owned(),
        None if pane.role == Role::Live => "starting".chars().take(if narrow { 5 } else { 8 }).collect(),
        None => "–".to_owned(),
    }
}
