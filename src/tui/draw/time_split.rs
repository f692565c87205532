//! Where the time of the workers goes: work, start-up, idle.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Scene;
use super::banner;
use super::paint::{cols, panel, put, put_right, row, span};
use crate::metrics::snapshot::Snapshot;
use crate::tui::model::Pane;
use crate::tui::widgets::bars::{self, Part};

/// One line: a stacked bar, and the largest share in words.
pub fn draw_line(scene: &Scene<'_>, pane: &Pane<'_>, frame: &Snapshot, line: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let (work, startup, idle) = frame.worker_time.shares();
    let largest = [("work", work), ("start", startup), ("idle", idle)]
        .into_iter()
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .filter(|(_, share)| *share > 0.0);
    put(buf, line, span("time", theme.base));
    let mark = scene.mark(pane);
    let parts = [
        Part { share: startup, symbol: "+", style: theme.warn },
        Part { share: work, symbol: mark.bar, style: mark.style },
    ];
    bars::stacked(buf, cols(line, 5, line.width.saturating_sub(16)), &parts, ("░", theme.dim));
    if let Some((word, share)) = largest {
        put_right(buf, line, span(format!("{word} {:.0}%", share * 100.0), theme.strong));
    }
}

/// A framed bar chart: work of each arm, and what takes most of the rest.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let cores: Vec<String> = scene
        .panes
        .iter()
        .map(|pane| pane.frame.map_or_else(|| "–".to_owned(), |frame| format!("{:.1}", banner::cores_used(frame))))
        .collect();
    let busy = format!("cores busy {} of {}", cores.join(" | "), scene.view.host.usable_cores());
    let title = Line::styled("where worker time goes", theme.strong);
    let inner = panel(buf, area, title, Line::styled(busy, theme.base), false, theme);
    let all = usize::from(inner.height) >= scene.panes.len() * 3;
    let mut line = 0;
    for pane in &scene.panes {
        let mark = scene.mark(pane);
        put(buf, cols(row(inner, line), 1, 2), span(mark.sign, mark.style));
        let Some(frame) = pane.frame else {
            line += 2;
            continue;
        };
        let (work, startup, idle) = frame.worker_time.shares();
        let startup_row = ("start-up", startup, "+", theme.warn);
        let idle_row = ("idle", idle, "░", theme.dim);
        let rows = match (all, startup >= idle) {
            (true, _) => vec![startup_row, idle_row],
            (false, true) => vec![startup_row],
            (false, false) => vec![idle_row],
        };
        for (name, share, symbol, style) in [("work", work, mark.bar, mark.style)].into_iter().chain(rows) {
            let area = row(inner, line);
            put_right(buf, cols(area, 3, 8), span(name, theme.base));
            let bar = cols(area, 12, area.width.saturating_sub(18));
            bars::stacked(buf, bar, &[Part { share, symbol, style }], (" ", theme.base));
            put_right(
                buf,
                cols(area, 0, area.width.saturating_sub(1)),
                span(format!("{:.0}%", share * 100.0), theme.strong),
            );
            line += 1;
        }
    }
}
