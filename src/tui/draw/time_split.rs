//! Where the time of the workers goes: work, start-up, idle.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Scene;
use super::caller;
use super::figures;
use super::offered;
use super::paint::{cols, joined, panel, put, put_right, row, span};
use crate::metrics::snapshot::Snapshot;
use crate::tui::format;
use crate::tui::model::Pane;
use crate::tui::widgets::bars::{self, Part};

/// One line: a stacked bar, and the largest share in words.
pub(crate) fn draw_line(scene: &Scene<'_>, pane: &Pane<'_>, frame: &Snapshot, line: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let (work, startup, idle) = frame.worker_time.shares();
    let ghost = frame.worker_time.ghost_share();
    let init = frame.worker_time.initializing_share();
    let data = frame.worker_time.carrying_share();
    let dispatch = frame.worker_time.dispatch_share();
    let shares = [
        ("work", work),
        ("start", startup),
        ("dispatch", dispatch),
        ("init", init),
        ("data", data),
        ("ghost", ghost),
        ("idle", idle),
    ];
    let largest = shares.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, share)| *share > 0.0);
    put(buf, line, span("time", theme.base));
    let mark = scene.mark(pane);
    let parts = [
        Part { share: startup, symbol: "+", style: theme.warn },
        Part { share: dispatch, symbol: "h", style: theme.warn },
        Part { share: init, symbol: "i", style: theme.warn },
        Part { share: data, symbol: "d", style: theme.warn },
        Part { share: work, symbol: mark.bar, style: mark.style },
        Part { share: ghost, symbol: "g", style: theme.bad },
    ];
    bars::stacked(buf, cols(line, 5, line.width.saturating_sub(16)), &parts, ("░", theme.dim));
    if let Some((word, share)) = largest {
        put_right(buf, line, span(format!("{word} {:.0}%", share * 100.0), theme.strong));
    }
}

/// A framed chart: for each arm its shares in words, and below them the bar that they make.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let cores: Vec<String> = scene
        .panes
        .iter()
        .map(|pane| pane.frame.map_or_else(|| "–".to_owned(), |frame| format!("{:.1}", figures::cores_used(frame))))
        .collect();
    let busy = format!("cores busy {} of {}", cores.join(" | "), scene.view.host.usable_cores());
    let title = Line::styled("where worker time goes", theme.strong);
    let inner = panel(buf, area, title, Line::styled(busy, theme.base), false, theme);
    let lines_each = if usize::from(inner.height) >= scene.panes.len() * 3 { 3 } else { 2 };
    for (index, pane) in (0..).zip(&scene.panes) {
        let mark = scene.mark(pane);
        let words = row(inner, index * lines_each);
        put(buf, cols(words, 1, 2), span(mark.sign, mark.style));
        let Some(frame) = pane.frame else { continue };
        let (work, startup, idle) = frame.worker_time.shares();
        let share = |name: &str, share: f64| format!("{name} {:.0}%", share * 100.0);
        // The signs of the bar explain themselves where their words are.
        let mut pieces = vec![
            span(format!("{} {}", mark.bar, share("work", work)), mark.style),
            span(format!("+ {}", share("start-up", startup)), theme.warn),
            span(format!("░ {}", share("idle", idle)), theme.base),
        ];
        let (ghost, init) = (frame.worker_time.ghost_share(), frame.worker_time.initializing_share());
        if ghost > 0.0 {
            pieces.insert(2, span(format!("g {}", share("ghosts", ghost)), theme.bad));
        }
        if init > 0.0 {
            pieces.insert(2, span(format!("i {}", share("init", init)), theme.warn));
        }
        let dispatch = frame.worker_time.dispatch_share();
        if dispatch >= 0.005 {
            pieces.insert(2, span(format!("h {}", share("dispatch", dispatch)), theme.warn));
        }
        let data = frame.worker_time.carrying_share();
        if data >= 0.005 {
            pieces.insert(2, span(format!("d {}", share("data", data)), theme.warn));
        }
        pieces.extend(offered::utilisation(scene, frame));
        let room = inner.width.saturating_sub(4);
        put(buf, cols(words, 3, room), joined(pieces, room));
        let bar = cols(row(inner, index * lines_each + 1), 3, room);
        let parts = [
            Part { share: startup, symbol: "+", style: theme.warn },
            Part { share: dispatch, symbol: "h", style: theme.warn },
            Part { share: init, symbol: "i", style: theme.warn },
            Part { share: data, symbol: "d", style: theme.warn },
            Part { share: work, symbol: mark.bar, style: mark.style },
            Part { share: ghost, symbol: "g", style: theme.bad },
        ];
        bars::stacked(buf, bar, &parts, ("░", theme.dim));
        let third = cols(row(inner, index * lines_each + 2), 3, room);
        if lines_each > 2 && caller::is_worth_a_line(frame) {
            caller::draw_line(scene, pane, frame, third, buf);
        } else if lines_each > 2 {
            put(buf, third, span(data_in_parts(frame).unwrap_or_else(|| start_in_parts(frame)), theme.dim));
        }
    }
}

/// What travels with a task, and how long that takes on average, where it takes a share of the time that is seen.
fn data_in_parts(frame: &Snapshot) -> Option<String> {
    let carriage = frame.carriage.as_deref().filter(|_| frame.worker_time.carrying_share() >= 0.005)?;
    let told: Vec<String> = carriage
        .times()
        .into_iter()
        .filter(|(_, times)| times.count > 0)
        .map(|(name, times)| format!("{name} {}", format::duration(times.mean)))
        .collect();
    let each = |bytes: u64| format::bytes(bytes / carriage.tasks.max(1));
    let sizes = format!("{} in, {} out", each(carriage.bytes_in), each(carriage.bytes_out));
    Some(format!("data: {sizes}: {}", told.join(" + ")))
}

/// How long the parts of a process's start take on average; nothing where no process has told.
fn start_in_parts(frame: &Snapshot) -> String {
    let startup = &frame.life.startup;
    let parts = [("fork/exec", startup.fork_exec), ("loading", startup.loading), ("ready", startup.ready)];
    let told: Vec<String> = parts
        .into_iter()
        .filter(|(_, times)| times.count > 0)
        .map(|(name, times)| format!("{name} {}", format::duration(times.mean)))
        .collect();
    if told.is_empty() { String::new() } else { format!("a start: {}", told.join(" + ")) }
}
