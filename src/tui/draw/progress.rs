//! Progress of the arms on one scale, one line each: the longer bar leads.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Scene;
use super::paint::{cols, put, row, span};
use crate::engine::event::RunState;
use crate::tui::model::{self, Pane, Role};
use crate::tui::widgets::bars::{self, Part};
use crate::tui::{format, text};

/// One line for each pane.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let narrow = area.width < 60;
    let most = usize::from(area.width / 5).clamp(10, 20);
    let labels: Vec<String> = scene.panes.iter().map(|pane| model::short_label(&pane.label, most)).collect();
    let label_width = labels.iter().map(|label| text::width(label)).max().unwrap_or(0);
    let counts: Vec<String> = scene.panes.iter().map(|pane| counts(pane, narrow)).collect();
    let count_width = counts.iter().map(|count| text::width(count)).max().unwrap_or(0);
    let ends: Vec<String> = scene.panes.iter().map(|pane| end(scene, pane, narrow)).collect();
    // The bars must not change their length whenever a time gets a digit.
    let end_width = ends.iter().map(|end| text::width(end)).max().unwrap_or(0).max(if narrow { 5 } else { 11 });
    for (index, pane) in scene.panes.iter().enumerate() {
        let line = row(area, u16::try_from(index).unwrap_or(u16::MAX));
        let mark = scene.mark(pane);
        let label = labels.get(index).map_or("", String::as_str);
        put(buf, cols(line, 1, u16::MAX), span(text::pad(label, label_width), scene.theme.strong));
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
        put(buf, cols(line, tail_at, tail_width), span(tail, scene.theme.strong));
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
        None if pane.role == Role::Live => "starting".chars().take(if narrow { 5 } else { 8 }).collect(),
        None => "–".to_owned(),
    }
}
