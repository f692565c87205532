//! Everything that is known about one unsuccessful attempt, as lines.

use ratatui::text::Line;

use super::kills::beside;
use super::paint::span;
use crate::engine::outcome::Cause;
use crate::session::view::SessionView;
use crate::tui::failures::FailedAttempt;
use crate::tui::theme::{ColorDepth, Theme, ThemeName};
use crate::tui::{format, text, work};

/// Most lines of one output that are shown.
const OUTPUT_LINES: usize = 200;

/// How far the details can be scrolled on a screen of a size: it has five lines and four columns for other things.
#[must_use]
pub(super) fn last_scroll(view: &SessionView, failure: FailedAttempt<'_>, (width, height): (u16, u16)) -> usize {
    let theme = Theme::new(ThemeName::Mono, ColorDepth::None, false);
    lines(view, failure, true, width.saturating_sub(4), &theme)
        .len()
        .saturating_sub(usize::from(height.saturating_sub(5)))
}

/// The lines, wrapped to a width. `gone`: no run has the attempt any more; the screen keeps what it shows.
pub(crate) fn lines(
    view: &SessionView,
    failure: FailedAttempt<'_>,
    gone: bool,
    width: u16,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let report = failure.report;
    let mut out = Vec::new();
    let mut field = |name: &'static str, value: &str| {
        let room = usize::from(width).saturating_sub(10).max(10);
        for (index, part) in text::fold(value, room).into_iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            out.push(Line::from(vec![span(format!("{name:<9} "), theme.dim), span(part, theme.base)]));
        }
    };
    if gone {
        field("note", "no longer in the list: later ones have taken its place");
    }
    if let Some(item) = view.workload.item_text(report.index) {
        field("item", &item);
    }
    field("why", &text::clean(&report.cause.to_string()));
    let end = match (report.exit, report.killed) {
        (Some(exit), true) => format!("{exit}; did not end in its grace period and was killed"),
        (Some(exit), false) => exit.to_string(),
        (None, true) => "killed after its grace period".to_owned(),
        (None, false) if report.slot.is_none() => match report.cause {
            // With on_timeout: abandon it stays where it is, and is a ghost when its turn comes.
            Cause::WaitTimeout { .. } => "it had not begun when its caller gave up".to_owned(),
            _ => "it never ran".to_owned(),
        },
        (None, false) => "its worker lives on".to_owned(),
    };
    field("exit", &end);
    let next =
        if report.retried { "another attempt follows".to_owned() } else { format!("final: {}", report.outcome.word()) };
    field("attempt", &format!("{} of {}, {next}", report.attempt, report.attempts_allowed));
    let mut place = vec![match report.slot {
        Some(slot) => format!("worker {slot}"),
        None if matches!(report.cause, Cause::WaitTimeout { .. }) => "in the queue".to_owned(),
        None => "it never ran".to_owned(),
    }];
    place.extend(report.pid.map(|pid| format!("pid {pid}")));
    place.extend(report.peak_rss_bytes.map(|bytes| format!("largest RSS {}", format::bytes(bytes))));
    field("where", &place.join(" · "));
    beside(view, failure).into_iter().for_each(|cost| field("cost", &cost));
    let known = [("wait", report.wait), ("start-up", report.startup), ("work", report.service)];
    let mut times: Vec<String> =
        known.iter().filter_map(|(name, time)| Some(format!("{name} {}", format::duration((*time)?)))).collect();
    times.push(format!("ended {:.3} s", report.ended.elapsed().as_secs_f64()));
    field("times", &times.join(" · "));
    if let Some(class) = view.workload.classes.get(usize::from(report.class)) {
        let (name, words) = work::lines(class, view.workload.seed, report.index, report.attempt);
        for (number, line) in words.iter().enumerate() {
            field(if number == 0 { name } else { "" }, line);
        }
        if let (true, Some(folder)) = (class.work.is_a_users(), &view.workload.folder) {
            field("in", &text::clean(&folder.display().to_string()));
        }
        let mut limits = vec![text::clean(&class.name)];
        limits.extend(class.timeout.map(|limit| format!("timeout {}", format::duration(limit))));
        limits.extend(class.queue_timeout.map(|limit| format!("queue_timeout {}", format::duration(limit))));
        limits.extend(class.wait_timeout.map(|limit| format!("wait_timeout {}", format::duration(limit))));
        limits.push(format!("grace_period {}", format::duration(class.grace_period)));
        field("class", &limits.join(" · "));
    }
    if report.output_omitted_bytes > 0 {
        field("output", &format!("{} in the middle were left out", format::bytes(report.output_omitted_bytes)));
    }
    for (name, output) in [("stderr", &report.stderr_tail), ("stdout", &report.stdout_tail)] {
        let shown = text::clean_lines(output, OUTPUT_LINES);
        let head = match shown.len() {
            0 => format!("{name}    nothing"),
            n => format!("{name}    the last {n} line{}", if n == 1 { "" } else { "s" }),
        };
        out.push(Line::styled(head, theme.dim));
        for line in shown {
            out.push(Line::from(vec![span("  │ ", theme.dim), span(line, theme.base)]));
        }
    }
    out
}
