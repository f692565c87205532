//! What is to go wrong in the next task: every answer with what it will do, and to whom, before it is given.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::frame;
use crate::os::signals;
use crate::session::view::{ArmView, SessionView};
use crate::tui::draw::paint::{cols, first_visible, put, row, rows, span};
use crate::tui::model::{self, Model};
use crate::tui::theme::Theme;
use crate::tui::{format, text};
use crate::workload::model::{BadResult, FaultKind};

/// Columns of the number and the name of an answer.
const NAMES: u16 = 19;
/// Inside the frame, where there is room: the names and the longest words.
const WIDTH: u16 = 76;

/// The name of a fault as it is listed.
fn name(kind: FaultKind) -> String {
    match kind {
        FaultKind::Leak(bytes) => format!("{} {}", kind.word(), format::bytes_short(bytes)),
        kind => kind.word().to_owned(),
    }
}

/// What becomes of the task and of who does it.
fn effect(view: &SessionView, arm: &ArmView, kind: FaultKind) -> String {
    let who = if arm.spec.kind.process_per_task() { "process" } else { "worker" };
    let all = if arm.capabilities.lanes { " with all lanes" } else { "" };
    let mut timeouts = view.workload.classes.iter().map(|class| class.timeout.is_some());
    let limits = (timeouts.clone().all(|has_one| has_one), timeouts.any(|has_one| has_one));
    match kind {
        FaultKind::Crash(signal) => {
            format!("its {who} dies of SIG{}{all}: the task is lost", signals::name(signal))
        }
        FaultKind::Exit(code) => format!("its {who} exits with {code}{all}: the task is lost"),
        FaultKind::Hang => match limits {
            (true, _) => "it never ends by itself: its timeout is reached".to_owned(),
            (false, true) => "it never ends: without a timeout of its class, K or x".to_owned(),
            (false, false) => "it never ends: there is no timeout, only K or x".to_owned(),
        },
        FaultKind::Leak(_) if arm.spec.kind.process_per_task() => {
            "its process takes that memory until it ends".to_owned()
        }
        FaultKind::Leak(_) => "its worker keeps that memory until it is replaced".to_owned(),
        FaultKind::IgnoreSigterm => format!("from now on only SIGKILL ends its {who}"),
        FaultKind::BadResult(BadResult::Wrong) => "it succeeds with a wrong value".to_owned(),
        FaultKind::BadResult(BadResult::Undecodable) => {
            format!("no one can read its result: it fails, its {who} ends{all}")
        }
        FaultKind::BadResult(BadResult::Oversized) => {
            format!("its result is too long: it fails, its {who} ends{all}")
        }
    }
}

/// Draws the question about an arm (its index, and the place of the chosen answer).
pub(super) fn draw(model: &Model, (arm, chosen): (usize, usize), theme: &Theme, area: Rect, buf: &mut Buffer) {
    let Some(view) = model.session.as_deref() else { return };
    let Some(arm) = view.arms.get(arm) else { return };
    let answers = FaultKind::ON_REQUEST;
    let label = model::label(arm);
    let title = format!("What is to go wrong in {}?", model::short_label(&label, usize::from(area.width / 3)));
    let wide = area.width > WIDTH;
    // Where the words have no room beside the names, those of the chosen one stand below.
    let below: u16 = match (wide, area.height) {
        (true, _) => 0,
        (false, ..14) => 2,
        (false, _) => 3,
    };
    // The keys are in the footer.
    let area = rows(area, 0, area.height.saturating_sub(1));
    let all = answers.len() as u16;
    let inner = frame(&title, (WIDTH + 2, all + below + 5), theme, area, buf);
    let room = usize::from(inner.width).saturating_sub(2);
    let listed = all.min(inner.height.saturating_sub(below));
    let spare = inner.height.saturating_sub(listed + below);
    let mut say =
        |line: u16, words: &str, style| put(buf, row(inner, line), span(format!(" {}", text::fit(words, room)), style));
    let head = u16::from(spare > 0);
    if head > 0 {
        let happens = match arm.live {
            true => format!("It happens to the next task that begins in {label}, in any worker."),
            false => format!("The run of {label} is over: nothing will happen."),
        };
        say(0, &happens, theme.base);
    }
    if spare > 1 {
        say(head + listed + below, "The run goes on, is shown, and does not count as a measurement.", theme.base);
    }
    if let (false, Some(kind)) = (wide, answers.get(chosen)) {
        let lines = text::wrap(&effect(view, arm, *kind), room);
        (0..below).zip(lines).for_each(|(line, words)| say(head + listed + line, &words, theme.strong));
    }
    let first = first_visible(chosen, answers.len(), usize::from(listed));
    for (line, (place, kind)) in (head..).zip(answers.into_iter().enumerate().skip(first).take(usize::from(listed))) {
        let line = row(inner, line);
        let marked = place == chosen;
        let style = if marked { theme.strong } else { theme.base };
        let sign = if marked { "▸" } else { " " };
        put(buf, cols(line, 0, NAMES), span(format!("{sign}{} {}", place + 1, name(kind)), style));
        if wide {
            put(buf, cols(line, NAMES, line.width), span(effect(view, arm, kind), style));
        }
        if marked {
            buf.set_style(line, theme.selected);
        }
    }
    if spare > 2 {
        let answer = vec![
            span(" 1-6 j k", theme.key),
            span(" choose   ", theme.base),
            span("Enter", theme.key),
            span(" have it happen   ", theme.base),
            span("Esc", theme.key),
            span(" nothing", theme.base),
        ];
        put(buf, row(inner, inner.height - 1), answer);
    }
}
