//! Who is faster, by how much, and whether that can be said; beside it the figures that explain it.
//!
//! Names give way where there is little room; figures are never cut: what has no place here is handed back.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::Scene;
use super::figures::Figures;
use super::paint::Message;
use super::paint::{cols, put, row, span};
use crate::analysis::failing::all_failed;
use crate::analysis::verdict::{Finding, Verdict};
use crate::engine::event::RunState;
use crate::metrics::snapshot::Snapshot;
use crate::session::view::Mode;
use crate::tui::model::{self, Pane};
use crate::tui::widgets::digits;
use crate::tui::{format, text};
use crate::workload::model::EngineKind;

/// Columns that a name keeps when it is shortened.
const LEAST_NAME: usize = 4;
/// Widest ratio that is drawn in large digits, in columns.
const LARGEST: usize = 17;

/// Words around a name, which may be shortened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    before: String,
    name: String,
    after: String,
    style: Style,
}

impl Words {
    fn about(name: &str, after: impl Into<String>, style: Style) -> Self {
        Self { before: String::new(), name: name.to_owned(), after: after.into(), style }
    }

    fn plain(words: impl Into<String>, style: Style) -> Self {
        Self { after: words.into(), style, ..Self::default() }
    }

    fn width(&self) -> usize {
        text::width(&self.before) + text::width(&self.name) + text::width(&self.after)
    }

    /// Columns without which something else than a name would be cut.
    fn least(&self) -> usize {
        self.width() - text::width(&self.name).saturating_sub(LEAST_NAME)
    }

    /// In at most so many columns.
    pub(crate) fn fit(&self, columns: usize) -> String {
        let room = columns.saturating_sub(text::width(&self.before) + text::width(&self.after));
        let whole = format!("{}{}{}", self.before, model::short_label(&self.name, room), self.after);
        if text::width(&whole) <= columns { whole } else { text::fit(&whole, columns) }
    }
}

/// What can be said, in a few words.
pub(crate) struct Statement {
    /// The ratio in digits, if there is a finding.
    pub(crate) ratio: Option<String>,
    pub(crate) headline: Words,
    /// The finding with its ratio, where there is no room for large digits.
    pub(crate) one_line: Words,
    pub(crate) style: Style,
    /// On what it rests, what is missing and what speaks against it, the most important first.
    pub(crate) parts: Vec<Words>,
    /// Whether the figures are of work; not where no task of an arm succeeded.
    pub(crate) of_work: bool,
}

impl Statement {
    /// It rests on suspect runs, which is said wherever it is.
    fn doubted(&mut self, why: &str, style: Style) {
        for words in [&mut self.headline, &mut self.one_line] {
            words.before.insert_str(0, "SUSPECT ");
            words.style = style;
        }
        self.style = style;
        self.parts.insert(self.parts.len().min(1), Words::plain(why, style));
    }

    /// The parts on at most so many lines of a width, as many on each as fit; and those without a place.
    pub(crate) fn packed(&self, columns: usize, lines: usize) -> (Vec<Message>, Option<Message>) {
        let mut packed: Vec<Message> = Vec::new();
        let mut rest: Vec<&Words> = Vec::new();
        for part in &self.parts {
            let joins = packed
                .last()
                .is_some_and(|(line, style)| *style == part.style && text::width(line) + 2 + part.width() <= columns);
            if let Some((line, _)) = packed.last_mut().filter(|_| joins) {
                *line = format!("{line}, {}", part.fit(columns));
            } else if packed.len() < lines && part.least() <= columns {
                packed.push((part.fit(columns), part.style));
            } else {
                rest.push(part);
            }
        }
        let style = rest.first().map(|part| part.style);
        let rest = rest.into_iter().map(|part| part.fit(part.least() + 8)).collect::<Vec<_>>().join(", ");
        (packed, style.map(|style| (rest, style)))
    }
}

/// What can be said about the arms in the panes.
pub(crate) fn statement(scene: &Scene<'_>) -> Statement {
    let theme = scene.theme;
    let plain = |words: &str| Words::plain(words, theme.base);
    let silent = |headline: &str, parts: Vec<Words>| {
        let headline = Words::plain(headline, theme.strong);
        Statement { ratio: None, one_line: headline.clone(), headline, style: theme.strong, parts, of_work: true }
    };
    if let Some((headline, cause, names)) = nothing_succeeded(scene) {
        let parts =
            vec![Words { name: cause, style: theme.base, ..Words::default() }, Words::about(&names, "", theme.base)];
        return Statement { style: theme.bad, of_work: false, ..silent(&headline, parts) };
    }
    if scene.view.mode == Mode::Together {
        let parts = vec![plain("not a measurement"), plain("r measures in turn")];
        return Statement { style: theme.warn, ..silent("SHARING CORES", parts) };
    }
    let [left, right] = scene.panes.as_slice() else {
        return silent("ONE ENGINE", vec![plain("nothing to compare")]);
    };
    if left.frame.is_none() && right.frame.is_none() && !model::is_running(scene.view) {
        return silent("NOT RUN YET", vec![plain("r runs it")]);
    }
    let Some((verdict, about)) = model::verdict(scene.view, &scene.panes) else {
        return silent("TOO EARLY", vec![so_far(scene, left, right)]);
    };
    let (arm, base) = if about == 1 { (right, left) } else { (left, right) };
    let mut against: Vec<Words> = caveat(scene, verdict).into_iter().chain(unequal(scene, left, right)).collect();
    against.extend(started_differently(scene, left, right));
    against.extend(run_by_others(scene, left, right));
    against.extend(verdict.apart.then(|| plain("measured apart")));
    let of_runs = if against.is_empty() { " of runs" } else { "" };
    // How narrow the widest interval is, and how narrow it shall be.
    let precision = scene.view.precision.and_then(|found| Some((found.reached?, found.wanted)));
    let precision = precision.map(|(reached, wanted)| format!(", ±{} of {}", percentage(reached), percentage(wanted)));
    let of_runs = precision.as_deref().unwrap_or(of_runs);
    let basis = Words::plain(format!("n = {} pairs{of_runs}", verdict.pairs), theme.base);
    let mut statement = match (verdict.finding, verdict.ratio) {
        (Finding::Faster | Finding::Slower, Some(ratio)) => {
            let slower = verdict.finding == Finding::Slower;
            let winner = if slower { base } else { arm };
            let factor = format::ratio(if slower { 1.0 / ratio } else { ratio });
            let interval = verdict.ci95.map(|(low, high)| if slower { (1.0 / high, 1.0 / low) } else { (low, high) });
            let style = if verdict.suspect > 0 { theme.warn } else { scene.mark(winner).style };
            let style = style.add_modifier(Modifier::BOLD);
            let ci95 = interval.map(|range| Words::plain(ci(range), theme.base));
            Statement {
                headline: Words::about(&winner.label, " IS FASTER", style),
                one_line: Words::about(&winner.label, format!(" IS {factor}× AS FAST"), style),
                ratio: Some(format!("{factor}×")),
                style,
                parts: ci95.into_iter().chain([basis]).collect(),
                of_work: true,
            }
        }
        (Finding::NoClearDifference, _) => {
            // An interval without 1 would contradict what several comparisons at once allow to be said.
            let asked = verdict.taken_back();
            let among = asked.map(|asked| plain(&format!("among {asked} comparisons (Holm)")));
            let by_itself = if asked.is_some() { " by itself" } else { "" };
            let of_arm = |range| Words::about(&arm.label, format!("{by_itself} {}", ci(range)), theme.base);
            let of_arm = verdict.ci95.map(of_arm);
            silent("NO CLEAR DIFFERENCE", among.into_iter().chain(of_arm).chain([basis]).collect())
        }
        _ if scene.view.phase.is_over() => silent("TOO FEW RUNS", missing(scene, verdict)),
        _ => {
            let pairs = match verdict.pairs {
                0 => "no pair of runs yet".to_owned(),
                1 => "n = 1 pair of runs".to_owned(),
                pairs => format!("n = {pairs} pairs of runs"),
            };
            silent("TOO EARLY", vec![so_far(scene, left, right), plain(&pairs)])
        }
    };
    statement.parts.extend(against);
    if verdict.suspect > 0 {
        statement.doubted(&format!("{} of {} pairs suspect", verdict.suspect, verdict.pairs), theme.warn);
    }
    statement
}

/// What to say of the arms on screen of which not one task succeeded, the cause at the first, and which they are.
fn nothing_succeeded(scene: &Scene<'_>) -> Option<(String, String, String)> {
    let found = scene.panes.iter().filter_map(|pane| {
        // A warm-up run that is over is not among the counted ones, but tells the same.
        let warm = |frame: &&Snapshot| pane.view.finished.is_empty() && frame.state == RunState::Finished;
        let last = pane.frame.filter(warm).map(|frame| [Arc::new(frame.clone())]);
        let runs = last.as_ref().map_or(&**pane.view.finished, <[_; 1]>::as_slice);
        Some((pane.label.as_str(), all_failed(runs)?))
    });
    let found: Vec<_> = found.collect();
    let (_, first) = found.first()?;
    let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
    Some((format!("ALL {} TASKS FAILED", first.tasks), text::clean(&first.cause), names.join(" and ")))
}

/// `POOL 33% unsuccessful`, or of both in the order of their panes `33%/12% unsuccessful`: there is little room.
fn caveat(scene: &Scene<'_>, verdict: &Verdict) -> Option<Words> {
    let mut found: Vec<_> = verdict.unsuccessful.iter().collect();
    let place = |arm: usize| scene.panes.iter().position(|pane| pane.arm == arm);
    found.sort_by_key(|found| place(found.arm));
    let shares: Vec<String> = found.iter().map(|found| format!("{:.0}%", found.share * 100.0)).collect();
    let shares = format!("{} unsuccessful", shares.join("/"));
    let style = scene.theme.warn;
    match found.as_slice() {
        [] => None,
        [one] => {
            let name = scene.panes.iter().find(|pane| pane.arm == one.arm).map_or("", |pane| &pane.label);
            Some(Words::about(name, format!(" {shares}"), style))
        }
        _ => Some(Words::plain(shares, style)),
    }
}

/// Arms with different worker counts are told apart by more than their engine.
fn unequal(scene: &Scene<'_>, left: &Pane<'_>, right: &Pane<'_>) -> Option<Words> {
    let (a, b) = (left.workers(), right.workers());
    (a != b).then(|| Words::plain(format!("{a} against {b} workers"), scene.theme.base))
}

/// Nor do processes that come to be in different ways cost the same.
fn started_differently(scene: &Scene<'_>, left: &Pane<'_>, right: &Pane<'_>) -> Option<Words> {
    let method = |pane: &Pane<'_>| {
        let asked = pane.view.spec.start_method;
        let last = pane.view.track.frames.last();
        (pane.kind() != EngineKind::External).then(|| last.map_or(asked, |frame| frame.start_method(asked)).word())
    };
    let (a, b) = (method(left)?, method(right)?);
    (a != b).then(|| Words::plain(format!("{a} against {b}"), scene.theme.base))
}

/// Nor are interpreters equally fast.
fn run_by_others(scene: &Scene<'_>, left: &Pane<'_>, right: &Pane<'_>) -> Option<Words> {
    let (a, b) = (left.view.spec.interpreter.as_ref()?, right.view.spec.interpreter.as_ref()?);
    let words = || text::clean(&format!("{} against {}", a.words(), b.words()));
    (!a.is_like(b)).then(|| Words::plain(words(), scene.theme.base))
}

/// What a comparison that is over lacks, and which key adds it.
fn missing(scene: &Scene<'_>, verdict: &Verdict) -> Vec<Words> {
    let style = scene.theme.base;
    // It is over: what a key adds is beyond what was planned.
    let needed = scene.view.looks.least(usize::MAX);
    let what = match verdict.pairs {
        0 => {
            let reason = scene.panes.iter().find_map(|pane| uncounted(scene, pane));
            reason.unwrap_or_else(|| Words::plain(format!("no pair of runs, {needed} needed"), style))
        }
        1 => Words::plain(format!("1 pair of runs, {needed} needed"), style),
        pairs => Words::plain(format!("{pairs} pairs of runs, {needed} needed"), style),
    };
    vec![what, Words::plain("r runs again", style)]
}

/// Why an arm has no run that counts.
fn uncounted(scene: &Scene<'_>, pane: &Pane<'_>) -> Option<Words> {
    let last = pane.view.latest().filter(|run| pane.view.finished.is_empty() && !run.run.warmup)?;
    let why = match last.state {
        RunState::Finished => ": your hand was in it",
        RunState::Broken => " broke",
        _ => " was stopped",
    };
    Some(Words::about(&pane.label, why, scene.theme.base))
}

/// `12%`, `2%`, `1.5%`, `0.35%`.
fn percentage(share: f64) -> String {
    match share * 100.0 {
        percent if percent >= 9.95 || (percent - percent.round()).abs() < 0.05 && percent >= 0.95 => {
            format!("{percent:.0}%")
        }
        percent if percent >= 0.995 => format!("{percent:.1}%"),
        percent => format!("{percent:.2}%"),
    }
}

fn ci((low, high): (f64, f64)) -> String {
    format!("95% CI {}–{}", bound(low), bound(high))
}

/// An end of an interval; one that is not 1 does not look as if it were.
fn bound(value: f64) -> String {
    match format::ratio(value) {
        rounded if rounded == "1.00" && value != 1.0 => format!("{value:.4}"),
        rounded => rounded,
    }
}

/// The ratio of the two pictures as they are; a hint, not a finding.
fn so_far(scene: &Scene<'_>, left: &Pane<'_>, right: &Pane<'_>) -> Words {
    let style = scene.theme.base;
    let rate = |pane: &Pane<'_>| pane.frame.map_or(0.0, |frame| frame.throughput_whole);
    let (a, b) = (rate(left), rate(right));
    if a <= 0.0 || b <= 0.0 {
        return Words::plain("both must run first", style);
    }
    let (leader, factor) = if a >= b { (left, a / b) } else { (right, b / a) };
    let before = "so far ".to_owned();
    Words { before, ..Words::about(&leader.label, format!(" {}×", format::ratio(factor)), style) }
}

/// Large digits of a ratio, where it has any that are not too wide.
pub(crate) fn large(scene: &Scene<'_>, statement: &Statement) -> Option<[String; 3]> {
    let ratio = statement.ratio.as_ref().filter(|_| !scene.theme.ascii)?;
    Some(digits::large(ratio)).filter(|lines| text::width(&lines[0]) <= LARGEST)
}

/// Three lines; returns what had no place in them.
pub(crate) fn draw(scene: &Scene<'_>, statement: &Statement, area: Rect, buf: &mut Buffer) -> Option<Message> {
    let figures = Figures::new(scene, area.width);
    let figures_at = if area.width >= 120 { area.width / 2 - 8 } else { area.width.saturating_sub(figures.width()) };
    let large = large(scene, statement);
    let words_at = large.as_ref().map_or(3, |lines| 3 + text::width(&lines[0]) as u16 + 2);
    let words = cols(area, words_at, figures_at.saturating_sub(words_at + 1));
    let room = usize::from(words.width);
    if let Some(large) = &large {
        for (index, line) in (0..).zip(large) {
            put(buf, cols(row(area, index), 3, words_at - 3), span(line.as_str(), statement.style));
        }
    }
    let headline = if large.is_some() { &statement.headline } else { &statement.one_line };
    put(buf, row(words, 0), span(headline.fit(room), statement.style));
    let (lines, rest) = statement.packed(room, 2);
    for (index, (line, style)) in (1..).zip(lines) {
        put(buf, row(words, index), span(line, style));
    }
    figures.draw(scene, statement.of_work, cols(area, figures_at, area.width), buf);
    rest
}
