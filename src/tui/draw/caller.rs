//! The lane of the caller: when it was blocked, because it waits for results or for room to submit, and when it was free.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::Scene;
use super::charts;
use super::paint::{cols, put, put_right, span};
use crate::metrics::snapshot::Snapshot;
use crate::tui::model::Pane;
use crate::tui::theme::Theme;

/// Whether there is something to be seen: with `apply_async` and an unbounded queue the caller is never blocked.
pub(crate) fn is_worth_a_line(frame: &Snapshot) -> bool {
    frame.delivery.mode.blocks() || !frame.delivery.blocked_for.is_zero()
}

/// What the caller does now, or did, in words: `BLOCKED 83%`.
pub(crate) fn words(frame: &Snapshot, theme: &Theme) -> Span<'static> {
    let delivery = &frame.delivery;
    let share = delivery.blocked_share(frame.at.elapsed().max(frame.wall()));
    let (word, style) = match (delivery.blocked, frame.state.is_over()) {
        (_, true) => ("blocked", theme.base),
        (true, false) => ("BLOCKED", theme.warn),
        (false, false) => ("free", theme.base),
    };
    span(format!("{word} {:.0}%", share * 100.0), style)
}

/// One line over time: full blocks where it was blocked, light ones where it was free.
pub(crate) fn draw_line(scene: &Scene<'_>, pane: &Pane<'_>, frame: &Snapshot, line: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    put(buf, line, span("caller", theme.base));
    let lane = cols(line, 7, line.width.saturating_sub(7 + 14)).intersection(buf.area);
    let end = charts::end_of_time(scene).elapsed().as_secs_f64();
    let mut stretches = stretches(pane).into_iter().peekable();
    for (column, x) in (lane.x..lane.right()).enumerate() {
        let middle = (column as f64 + 0.5) / f64::from(lane.width) * end;
        while stretches.next_if(|(until, _)| *until < middle).is_some() {}
        let Some((_, share)) = stretches.peek() else { break };
        let (symbol, style) = match *share {
            share if share > 2.0 / 3.0 => ("█", theme.warn),
            share if share > 1.0 / 3.0 => ("▒", theme.warn),
            _ => ("░", theme.dim),
        };
        buf[(x, lane.y)].set_symbol(symbol).set_style(style);
    }
    put_right(buf, line, words(frame, theme));
}

/// Between each two frames: until which second, and the share of that time in which the caller was blocked.
fn stretches(pane: &Pane<'_>) -> Vec<(f64, f64)> {
    let mut before = (0.0, 0.0);
    let frames = pane.past.iter().map(|frame| (frame.wall().as_secs_f64(), frame.delivery.blocked_for.as_secs_f64()));
    let mut stretches = Vec::new();
    for (at, blocked) in frames {
        if at > before.0 {
            stretches.push((at, (blocked - before.1) / (at - before.0)));
            before = (at, blocked);
        }
    }
    stretches
}
