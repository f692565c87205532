//! How many workers: rate against worker count, what was measured of each count, and what follows.

mod chart;
mod search;
mod table;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::paint::{cols, put, row, rows, span};
use super::{Scene, footer, header, notes};
use crate::analysis::tuning::found::{self, Found};
use crate::analysis::tuning::target::{self, Target};
use crate::analysis::tuning::trail::{Stop, trail};
use crate::analysis::tuning::{Advice, Point, RULE, Tuning};
use crate::session::view::{Answer, SessionView};
use crate::tui::model::{self, Pane, Role};
use crate::tui::search::Story;
use crate::tui::theme::{ColorDepth, Theme, ThemeName};
use crate::tui::{text, tune};

/// Least height at which there is room for a chart above the table.
const CHART: u16 = 16;

/// Least height of the chart where there is one.
const LEAST_CHART: u16 = 6;
/// Lines beside the table's own: the advice, the reason, the fit, the trail, the head and the rule.
const OTHER: u16 = 9;

/// How far the page of a search goes beyond a screen of a size.
#[must_use]
pub(super) fn last_scroll(view: &SessionView, story: &Story, size: (u16, u16)) -> usize {
    search::last_scroll(view, story, size, &Theme::new(ThemeName::Mono, ColorDepth::None, false))
}

/// The whole screen: the worker counts, or the page of a search.
pub(crate) fn draw(scene: &Scene<'_>, story: Option<&Story>, area: Rect, buf: &mut Buffer) {
    header::draw(scene, rows(area, 0, 2), buf);
    let body = rows(area, 2, area.height.saturating_sub(3));
    let mut facts = footer::Facts::of(scene);
    (facts.search, facts.searching) = (story.is_some(), story.is_some_and(Story::is_under_way));
    if let Some((story, scroll)) = story.zip(scene.ui.search_page) {
        search::draw(scene.view, story, scroll, scene.theme, body, buf);
    } else {
        counts(scene, body, area.width, buf);
    }
    footer::draw(scene.ui, &facts, scene.theme, area, buf);
}

/// The worker counts.
fn counts(scene: &Scene<'_>, body: Rect, width: u16, buf: &mut Buffer) {
    // The chart gives way to the table, but not altogether.
    let table = scene.panes.iter().map(|pane| tune::counts(&pane.view.tuning, pane.view.workers).len()).max();
    let table = u16::try_from(table.unwrap_or(0)).unwrap_or(u16::MAX).saturating_add(OTHER);
    let least = body.height.saturating_sub(table).clamp(LEAST_CHART, body.height);
    let chart = if body.height >= CHART { (body.height * 2 / 5).min(20).min(least) } else { 0 };
    chart::draw(scene, rows(body, 0, chart), buf);
    let mut below = rows(body, chart, body.height);
    let live = scene.panes.iter().any(|pane| pane.role == Role::Live);
    let pending = tune::pending(scene.view).map(|pending| (pending, scene.theme.warn));
    // What keeps a run from going on, or has ended it.
    let trouble = notes::broken(scene).or_else(|| notes::warning(scene).filter(|_| live));
    if let Some(message) = pending.or(trouble) {
        notes::draw_message(Some(message), row(below, 0), buf);
        below = rows(below, 1, below.height);
    }
    // The rule stands beside the result wherever there is room for both.
    let rule = text::wrap(&format!("{RULE} n: runs, ! suspect, +1 your hand was in it."), room(below));
    let rule_height = u16::try_from(rule.len()).unwrap_or(u16::MAX);
    if below.height >= rule_height + 11 {
        let place = rows(below, below.height - rule_height, rule_height);
        for (index, line) in (0..).zip(rule) {
            put(buf, row(place, index), span(format!(" {line}"), scene.theme.dim));
        }
        below = rows(below, 0, below.height - rule_height);
    }
    let found: Vec<Option<Found>> = scene.panes.iter().map(|pane| found(scene, pane)).collect();
    let first = winner(scene, &found);
    let wide = width >= 120 && scene.panes.len() > 1;
    for ((index, pane), found) in scene.panes.iter().enumerate().zip(found) {
        let found = found.map(|found| (found, first == Some(index)));
        if wide {
            let half = below.width / 2;
            draw_arm(scene, (index, found), pane, cols(below, index as u16 * half, half), buf);
        } else if scene.focus() == index {
            draw_arm(scene, (index, found), pane, below, buf);
        }
    }
}

fn room(area: Rect) -> usize {
    usize::from(area.width).saturating_sub(2)
}

/// The counts in the order in which they were tried, and why the last of them; `None` below two.
fn trail_of(tuning: &Tuning) -> Option<String> {
    let stops = trail(&tuning.points);
    let last = stops.last().filter(|_| stops.len() > 1)?;
    let counts: Vec<String> = stops.iter().map(|stop| stop.workers.to_string()).collect();
    Some(format!("trail {}: {}", counts.join(" "), last.why))
}

/// What was found for a limit; `None` where there is none, and where nothing was measured.
fn found(scene: &Scene<'_>, pane: &Pane<'_>) -> Option<Found> {
    let tuning = &pane.view.tuning;
    let target = scene.view.target.filter(|target| *target != Target::Throughput)?;
    (tuning.advice != Advice::Nothing).then(|| found::found(tuning, target, scene.view.bounds(pane.view)))
}

/// The pane with the arm to use, where each of several has found something.
fn winner(scene: &Scene<'_>, found: &[Option<Found>]) -> Option<usize> {
    let rate = |(pane, found): (&Pane<'_>, &Found)| pane.view.tuning.point(found.workers?).and_then(Point::mean);
    let all: Vec<(Option<f64>, &Found)> = scene
        .panes
        .iter()
        .zip(found)
        .filter_map(|(pane, found)| found.as_ref().map(|found| (rate((pane, found)), found)))
        .collect();
    if all.len() < 2 { None } else { found::best(all.into_iter(), scene.view.target?) }
}

/// The recommendation, the sentence why, and the table of one arm.
fn draw_arm(
    scene: &Scene<'_>,
    (index, found): (usize, Option<(Found, bool)>),
    pane: &Pane<'_>,
    area: Rect,
    buf: &mut Buffer,
) {
    let theme = scene.theme;
    let mark = scene.mark(pane);
    let tuning = &pane.view.tuning;
    let name = text::fit(&model::name(pane.view), 24);
    let here = if scene.panes.len() > 1 && scene.focus() == index { "▸" } else { " " };
    let sweeping =
        matches!(scene.view.position, crate::session::view::RunPosition::Sweep { .. }) && model::is_running(scene.view);
    let words = room(area).saturating_sub(text::width(&name) + 4);
    let advice = match tuning.advice {
        Advice::Nothing => match tuning.points.iter().find_map(|point| point.all_failed.as_ref()) {
            Some(found) => format!("ALL {} TASKS FAILED: {}", found.tasks, text::clean(&found.cause)),
            None => "nothing measured yet: s sweeps, or r runs it".to_owned(),
        },
        Advice::Rising { best } if sweeping => format!("{best} is the best so far"),
        // The rule says the rest.
        Advice::Use { workers, .. } if text::width(&tuning.headline()) > words => {
            format!("{}USE {workers}", if tuning.is_suspect() { "SUSPECT " } else { "" })
        }
        _ => tuning.headline(),
    };
    let advice = match (&found, scene.view.target) {
        (Some(_), Some(target)) if sweeping => format!("looking for {target}"),
        (Some((found, true)), Some(target)) if found.met == Some(false) => {
            format!("{}, the nearest engine", found.words(target))
        }
        (Some((found, true)), Some(target)) => format!("{}, the faster engine", found.words(target)),
        (Some((found, false)), Some(target)) => found.words(target),
        _ => advice,
    };
    let style = match tuning.advice {
        Advice::Use { .. } => theme.good,
        Advice::Nothing if tuning.points.iter().any(|point| point.all_failed.is_some()) => theme.bad,
        Advice::Nothing => theme.dim,
        Advice::Rising { .. } | Advice::Unclear { .. } => theme.warn,
    };
    let style = match &found {
        Some((found, _)) if found.met == Some(true) && !sweeping => theme.good,
        Some(_) => theme.warn,
        None => style,
    };
    let title = vec![
        span(here, theme.strong),
        span(format!("{} {name}  ", mark.sign), mark.style),
        span(text::fit(&advice, words), style),
    ];
    put(buf, row(area, 0), title);
    let why = found.as_ref().map_or(&tuning.why, |(found, _)| &found.why);
    let why = text::wrap(&text::clean(why), room(area).saturating_sub(5));
    let lines = u16::try_from(why.len().min(2)).unwrap_or(0);
    for (line, words) in (1..).zip(why.into_iter().take(2)) {
        let lead = if line == 1 { "why: " } else { "     " };
        put(buf, row(area, line), span(format!(" {lead}{words}"), theme.base));
    }
    let rows_of_table = tune::counts(tuning, pane.view.workers).len() + 1;
    let free = usize::from(area.height).saturating_sub(usize::from(1 + lines) + rows_of_table);
    // Where there is room for it, every step has a line of its own below the table.
    let steps = marks(tuning, scene.view.target, room(area));
    let marked = steps.len() > 1 && free > steps.len() + 2;
    let fit = match &tuning.fit {
        _ if tuning.points.is_empty() => None,
        Ok(fit) => Some(fit.to_string()),
        Err(none) => Some(none.to_string()),
    };
    let earlier = earlier(scene.view, pane.arm);
    let extra = earlier.into_iter().chain(fit).chain(trail_of(tuning).filter(|_| !marked));
    let extra: Vec<String> = extra.take(free).collect();
    let mut next = 1 + lines;
    for words in extra {
        put(buf, row(area, next), span(format!(" {}", text::fit(&words, room(area))), theme.dim));
        next += 1;
    }
    let table = u16::try_from(rows_of_table).unwrap_or(u16::MAX);
    table::draw(scene, index, pane, rows(area, next, if marked { table } else { area.height }), buf);
    if marked {
        let first = next.saturating_add(table).saturating_add(1);
        put(buf, row(area, first), span(" trail: each count as it was tried, and why", theme.dim));
        for (line, words) in (first + 1..).zip(steps) {
            put(buf, row(area, line), span(format!(" {words}"), theme.base));
        }
    }
}

/// What was found before for other targets, the newest first.
fn earlier(view: &SessionView, arm: usize) -> Vec<String> {
    let current = view.answers.last().filter(|last| Some(last.target) == view.target).map(|_| 1).unwrap_or(0);
    let before = view.answers.iter().rev().skip(current);
    let words = |answer: &Answer| {
        let (_, found) = answer.found.iter().find(|(index, _)| *index == arm)?;
        let ended = if answer.ended { ", ended before it was through" } else { "" };
        Some(format!("before, {}{ended}: {}", found.words(answer.target), text::clean(&found.why)))
    };
    before.filter_map(words).collect()
}

/// The trail with a line for each count, in so many columns.
fn marks(tuning: &Tuning, target: Option<Target>, room: usize) -> Vec<String> {
    let stops = trail(&tuning.points);
    let line = |(number, stop): (usize, &Stop)| {
        let figure = target.zip(tuning.point(stop.workers)).and_then(|(target, point)| target::figure(point, target));
        let figure = figure.map_or(String::new(), |figure| format!("{figure}  "));
        text::fit(&format!("{number:>2}. ×{:<4} {figure}{}", stop.workers, stop.why), room)
    };
    (1..).zip(&stops).map(line).collect()
}
