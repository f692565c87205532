//! Who is faster, by how much, and whether that can be said; beside it the figures that explain it.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Scene;
use super::paint::{cols, put, row, span};
use crate::analysis::failing::all_failed;
use crate::analysis::verdict::{Finding, Verdict};
use crate::engine::event::RunState;
use crate::metrics::snapshot::Snapshot;
use crate::session::view::Mode;
use crate::tui::model::{self, Pane};
use crate::tui::widgets::digits;
use crate::tui::{format, text};

/// What can be said, in a few words.
pub struct Statement {
    /// The ratio in digits, if there is a finding.
    pub ratio: Option<String>,
    /// The finding.
    pub headline: String,
    /// The finding with its ratio, where there is no room for large digits.
    pub one_line: String,
    /// How it looks.
    pub style: Style,
    /// Its interval, or what is missing.
    pub detail: String,
    /// On how much it rests.
    pub basis: String,
    /// Why it is so.
    pub reasons: String,
    /// Of which arm so much did not succeed that the ratio is not one of equal work; empty is good.
    pub caveat: String,
}

/// What can be said about the arms in the panes.
pub fn statement(scene: &Scene<'_>) -> Statement {
    let theme = scene.theme;
    let silent = |headline: &str, detail: String, basis: String| Statement {
        ratio: None,
        headline: headline.to_owned(),
        one_line: headline.to_owned(),
        style: theme.strong,
        detail,
        basis,
        reasons: String::new(),
        caveat: String::new(),
    };
    if let Some((headline, cause, names)) = nothing_succeeded(scene) {
        return Statement { style: theme.bad, ..silent(&headline, cause, names) };
    }
    if scene.view.mode == Mode::Together {
        return Statement {
            style: theme.warn,
            ..silent("SHARING CORES", "not a measurement".to_owned(), "r measures in turn".to_owned())
        };
    }
    let [left, right] = scene.panes.as_slice() else {
        return silent("ONE ENGINE", "nothing to compare".to_owned(), String::new());
    };
    if left.frame.is_none() && right.frame.is_none() {
        return silent("NOT RUN YET", "r runs it".to_owned(), String::new());
    }
    let Some((verdict, about)) = model::verdict(scene.view, &scene.panes) else {
        let base = scene.view.arms.get(scene.view.baseline).map(model::label).unwrap_or_default();
        return silent("NOT COMPARED", so_far(left, right), format!("baseline: {base}"));
    };
    let (arm, base) = if about == 1 { (right, left) } else { (left, right) };
    let basis = pairs(scene, verdict);
    let caveat = caveat(scene, verdict);
    let reasons = verdict.reasons.iter().map(|reason| text::clean(reason)).collect::<Vec<_>>().join("; ");
    match (verdict.finding, verdict.ratio) {
        (Finding::Faster | Finding::Slower, Some(ratio)) => {
            let slower = verdict.finding == Finding::Slower;
            let winner = if slower { base } else { arm };
            let factor = if slower { 1.0 / ratio } else { ratio };
            let interval = verdict.ci95.map(|(low, high)| if slower { (1.0 / high, 1.0 / low) } else { (low, high) });
            Statement {
                ratio: Some(format!("{}×", format::ratio(factor))),
                headline: format!("{} IS FASTER", winner.label()),
                one_line: format!("{} IS {}× FASTER", winner.label(), format::ratio(factor)),
                style: scene.mark(winner).style.add_modifier(ratatui::style::Modifier::BOLD),
                detail: interval.map(ci).unwrap_or_default(),
                basis,
                reasons,
                caveat,
            }
        }
        (Finding::NoClearDifference, _) => Statement {
            reasons,
            caveat,
            ..silent("NO CLEAR DIFFERENCE", verdict.ci95.map(|range| arm_ci(arm, range)).unwrap_or_default(), basis)
        },
        _ => Statement { reasons, caveat, ..silent("TOO EARLY", so_far(left, right), basis) },
    }
}

/// What to say of the arms on screen of which not one task succeeded, the cause at the first, and which they are.
pub fn nothing_succeeded(scene: &Scene<'_>) -> Option<(String, String, String)> {
    let found = scene.panes.iter().filter_map(|pane| {
        // A warm-up run that is over is not among the counted ones, but tells the same.
        let warm = |frame: &&Snapshot| pane.view.finished.is_empty() && frame.state == RunState::Finished;
        let last = pane.frame.filter(warm).map(|frame| [Arc::new(frame.clone())]);
        let runs = last.as_ref().map_or(&**pane.view.finished, <[_; 1]>::as_slice);
        Some((pane.label(), all_failed(runs)?))
    });
    let found: Vec<_> = found.collect();
    let (_, first) = found.first()?;
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    Some((format!("ALL {} TASKS FAILED", first.tasks), text::clean(&first.cause), names.join(" and ")))
}

/// `POOL 33% failed`, or of both in the order of their panes `33%/12% failed`: there is little room.
fn caveat(scene: &Scene<'_>, verdict: &Verdict) -> String {
    let mut found = verdict.unsuccessful.clone();
    found.sort_by_key(|found| found.arm);
    let shares: Vec<String> = found.iter().map(|found| format!("{:.0}%", found.share * 100.0)).collect();
    let name = |arm: usize| scene.view.arms.get(arm).map(model::label).unwrap_or_default();
    match found.as_slice() {
        [] => String::new(),
        [one] => format!("{} {} failed", name(one.arm), shares.concat()),
        _ => format!("{} failed", shares.join("/")),
    }
}

fn pairs(scene: &Scene<'_>, verdict: &Verdict) -> String {
    match verdict.pairs {
        0 => {
            let reason = scene.panes.iter().find_map(|pane| uncounted(scene, pane));
            reason.unwrap_or_else(|| "no pair of runs yet".to_owned())
        }
        1 => "n = 1 pair of runs".to_owned(),
        n => format!("n = {n} pairs of runs"),
    }
}

/// Why an arm has no run that counts, when none will come any more.
fn uncounted(scene: &Scene<'_>, pane: &Pane<'_>) -> Option<String> {
    let last = pane.view.latest().filter(|_| scene.view.phase.is_over() && pane.view.finished.is_empty());
    match last.map(|run| run.state) {
        None => None,
        Some(RunState::Finished) => Some(format!("{}: your hand was in it", pane.label())),
        Some(_) => Some(format!("{} was stopped", pane.label())),
    }
}

fn ci((low, high): (f64, f64)) -> String {
    format!("95% CI {}–{}", format::ratio(low), format::ratio(high))
}

fn arm_ci(arm: &Pane<'_>, range: (f64, f64)) -> String {
    format!("{} {}", text::fit(&arm.label(), 10), ci(range))
}

/// The ratio of the two pictures as they are; a hint, not a finding.
fn so_far(left: &Pane<'_>, right: &Pane<'_>) -> String {
    let rate = |pane: &Pane<'_>| pane.frame.map_or(0.0, |frame| frame.throughput_whole);
    let (a, b) = (rate(left), rate(right));
    if a <= 0.0 || b <= 0.0 {
        return "both must run first".to_owned();
    }
    let (leader, factor) = if a >= b { (left, a / b) } else { (right, b / a) };
    format!("so far {} {}×", text::fit(&leader.label(), 12), format::ratio(factor))
}

/// Three lines.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let statement = statement(scene);
    let wide = area.width >= 120;
    let mut words_at = 3;
    if let Some(ratio) = &statement.ratio {
        if scene.theme.ascii {
            put(buf, cols(row(area, 1), 4, 14), span(format!("[ {ratio} ]"), statement.style));
            words_at = 18;
        } else {
            let large = digits::large(ratio);
            for (index, line) in (0..).zip(&large) {
                put(buf, cols(row(area, index), 3, 24), span(line.clone(), statement.style));
            }
            words_at = 3 + large.first().map_or(0, |line| text::width(line)) as u16 + 4;
        }
    }
    let figures_at = if wide { area.width / 2 - 8 } else { area.width.saturating_sub(39) };
    let words = cols(area, words_at, figures_at.saturating_sub(words_at + 1));
    let mut lines = vec![(statement.headline, statement.style)];
    let parts = [statement.detail.as_str(), statement.basis.as_str()];
    let basis = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    if !statement.caveat.is_empty() {
        lines.push((
            if text::width(&basis) <= usize::from(words.width) { basis } else { statement.detail },
            scene.theme.base,
        ));
        lines.push((statement.caveat, scene.theme.warn));
    } else if text::width(&basis) <= usize::from(words.width) {
        lines.push((basis, scene.theme.base));
        lines.push((statement.reasons, scene.theme.base));
    } else {
        lines.push((statement.detail, scene.theme.base));
        lines.push((statement.basis, scene.theme.base));
    }
    for (index, (line, style)) in (0..).zip(lines) {
        put(buf, row(words, index), span(text::fit(&line, usize::from(words.width)), style));
    }
    figures(scene, cols(area, figures_at, area.width), buf);
}

/// Succeeded tasks per second: of the last second while it runs, of the whole run at its end.
pub fn throughput(frame: &Snapshot) -> f64 {
    if frame.state.is_over() { frame.throughput_whole } else { frame.throughput }
}

/// CPU time per wall time, likewise.
pub fn cores_used(frame: &Snapshot) -> f64 {
    if frame.state.is_over() { frame.cpu.cores_used_whole } else { frame.cpu.cores_used }
}

/// A figure of one frame as a number and as text; `None` where nothing was measured yet.
type Figure = fn(&Snapshot) -> Option<(f64, String)>;

fn rate(frame: &Snapshot) -> Option<(f64, String)> {
    let value = throughput(frame);
    Some((value, format::rate(value)))
}

fn startup(frame: &Snapshot) -> Option<(f64, String)> {
    let mean = frame.latency.startup.mean;
    (frame.latency.startup.count > 0).then(|| (mean.as_secs_f64(), format::duration(mean)))
}

fn cores(frame: &Snapshot) -> Option<(f64, String)> {
    let value = cores_used(frame);
    Some((value, format!("{value:.1}")))
}

fn figures(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let busy = format!("cores busy of {}", scene.view.host.usable_cores());
    let table: [(&str, Figure); 3] = [("tasks/s", rate), ("start-up per task", startup), (&busy, cores)];
    let wide = area.width >= 60;
    // A difference to an arm that did no work says nothing.
    let comparable = nothing_succeeded(scene).is_none();
    let label_width: u16 = if wide { 20 } else { 18 };
    let value_width: u16 = if wide { 13 } else { 10 };
    for (index, (label, figure)) in (0..).zip(table) {
        let line = row(area, index);
        put(buf, line, span(label, scene.theme.base));
        let mut x = label_width;
        let mut values = Vec::new();
        for pane in &scene.panes {
            let mark = scene.mark(pane);
            let value = pane.frame.and_then(figure);
            let shown = value.as_ref().map_or("–", |(_, shown)| shown.as_str());
            put(buf, cols(line, x, 2), span(mark.sign, mark.style));
            put(buf, cols(line, x + 2, value_width - 3), span(shown.to_owned(), scene.theme.strong));
            values.push(value.map(|(number, _)| number));
            x += value_width;
        }
        if let (true, [Some(left), Some(right)]) = (wide && comparable, values.as_slice()) {
            put(buf, cols(line, x, 12), span(difference(*left, *right), scene.theme.base));
        }
    }
}

/// How the left figure differs from the right one: `▲ +212%`.
pub fn difference(left: f64, right: f64) -> String {
    let change = format::change(left, right);
    match change.chars().next() {
        None => String::new(),
        Some('−') => format!("▼ {change}"),
        Some('0') => format!("  {change}"),
        Some(_) => format!("▲ {change}"),
    }
}
