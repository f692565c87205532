//! The page of a search: what is looked for, every step with its reason or every point of a sweep, what is tried now, and what
//! came out.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use crate::report::ending::Ending;
use crate::report::sweep::grid::{self, Place};
use crate::report::sweep::{SweepResults, SweptArm};
use crate::report::tune::{Outcome, TuneStep};
use crate::report::{shell, units};
use crate::session::view::{RunPosition, SessionView};
use crate::tui::draw::paint::{put, row, span};
use crate::tui::model;
use crate::tui::search::{State, Story};
use crate::tui::theme::Theme;
use crate::tui::{format, text};

/// Columns of a bar at most.
const BAR: usize = 60;

/// How far the page goes beyond a screen of a size.
#[must_use]
pub(crate) fn last_scroll(view: &SessionView, story: &Story, (width, height): (u16, u16), theme: &Theme) -> usize {
    lines(view, story, usize::from(width), theme).len().saturating_sub(usize::from(height.saturating_sub(3)))
}

/// Draws the page, scrolled so far.
pub(super) fn draw(view: &SessionView, story: &Story, scroll: usize, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let lines = lines(view, story, usize::from(area.width), theme);
    let last = lines.len().saturating_sub(usize::from(area.height));
    for (index, line) in (0..area.height).zip(lines.into_iter().skip(scroll.min(last))) {
        put(buf, row(area, index), line);
    }
}

/// The page: the head and what goes on now come first, so that they are seen wherever it is long.
fn lines(view: &SessionView, story: &Story, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let room = width.saturating_sub(2);
    let mut page = vec![head(story, room, theme)];
    let mut say = |words: &str, style: Style| {
        page.extend(text::wrap(words, room).into_iter().map(|words| Line::from(span(format!(" {words}"), style))));
    };
    if story.is_under_way() {
        say(&now(view, story), theme.strong);
        say("Esc, x or a key of worker counts takes over", theme.dim);
    }
    if let (false, Some((what, why))) = (story.is_under_way(), &story.trying) {
        say(&format!("tried when it was taken over: {what} ({why})"), theme.warn);
    }
    if let State::Over(ending) = &story.state
        && let Some(why) = ending.aborted().filter(|_| *ending != Ending::Stopped(None))
    {
        say(&why, theme.bad);
    }
    if let Some(outcome) = &story.outcome {
        found(outcome, &mut say, theme);
    }
    if let Some(swept) = &story.swept {
        for words in grid::fastest(swept) {
            say(&words, if story.is_under_way() { theme.strong } else { theme.good });
        }
    }
    let refused = story.state == State::Refused;
    for words in &story.said {
        // What a file is like is shown with its marks, a line each.
        words.lines().for_each(|line| say(&text::clean(line), if refused { theme.bad } else { theme.dim }));
    }
    page.push(Line::default());
    page.extend(steps(&story.steps, room, theme));
    if let Some(swept) = &story.swept {
        page.extend(points(view, swept, room, theme));
    }
    page
}

fn head(story: &Story, room: usize, theme: &Theme) -> Line<'static> {
    let (word, style) = match &story.state {
        State::UnderWay => ("LOOKING", theme.strong),
        State::Over(Ending::Finished) => ("DONE", theme.good),
        State::Over(Ending::Stopped(_)) => ("TAKEN OVER: what was found until then", theme.warn),
        State::Over(_) => ("ABORTED", theme.bad),
        State::Refused => ("CANNOT BE LOOKED FOR", theme.bad),
    };
    let runs = story.runs();
    let made = format!("  {runs} run{}", if runs == 1 { "" } else { "s" });
    let wanted = text::fit(&story.wanted.to_string(), room.saturating_sub(text::width(word) + made.len() + 2).max(12));
    Line::from(vec![span(format!(" {wanted}  "), theme.strong), span(word, style), span(made, theme.base)])
}

/// What is tried now, and the run under way.
fn now(view: &SessionView, story: &Story) -> String {
    let live = view.arms.iter().find(|arm| arm.live);
    let run = live.map(|arm| {
        let position = match view.position {
            RunPosition::Sweep { run: 0, .. } => "warm-up".to_owned(),
            RunPosition::Sweep { run, runs, .. } => format!("run {run}/{runs}"),
            position => position.to_string(),
        };
        let done = arm.latest().map(|run| format!(", {} of {} tasks", run.done(), run.total));
        format!("{} {position}{}", model::label(arm), done.unwrap_or_default())
    });
    let run = run.unwrap_or_else(|| "getting ready".to_owned());
    match &story.trying {
        Some((what, why)) => format!("now: {what} ({why}) · {run}"),
        None => format!("now: {run}"),
    }
}

fn found(outcome: &Outcome, say: &mut impl FnMut(&str, Style), theme: &Theme) {
    let style = if outcome.met == Some(true) { theme.good } else { theme.warn };
    say(&text::clean(&outcome.marked()), style);
    say(&format!("why: {}", text::clean(&outcome.why)), theme.base);
    if !outcome.set.is_empty() {
        let options: Vec<String> = outcome.set.iter().map(|set| format!("--set {}", shell::quote(set))).collect();
        say(&format!("as options: {}", text::clean(&options.join(" "))), theme.dim);
    }
}

/// The trail: a line for each step; where there is no room for its reason beside it, that stands below.
fn steps(steps: &[TuneStep], room: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let wide = |cell: fn(&TuneStep) -> String| steps.iter().map(|step| text::width(&cell(step))).max().unwrap_or(0);
    let what = |step: &TuneStep| text::clean(&step.what);
    let (first, second) = (wide(what), wide(figures));
    for (number, step) in (1..).zip(steps) {
        let lead = format!(" {number:>2}. {}  {}  ", text::pad(&what(step), first), text::pad(&figures(step), second));
        let why = text::clean(&step.why);
        if text::width(&lead) + text::width(&why) <= room {
            lines.push(Line::from(vec![span(lead, theme.base), span(why, theme.dim)]));
        } else {
            lines.push(Line::from(span(text::fit(&lead, room), theme.base)));
            lines.push(Line::from(span(text::fit(&format!("     {why}"), room), theme.dim)));
        }
    }
    lines
}

fn figures(step: &TuneStep) -> String {
    let half = |(low, high): (f64, f64)| format!(" ±{}", units::rate((high - low) / 2.0));
    let rate = step.rate.map(|rate| format!("{}/s{}", units::rate(rate.mean), rate.ci95.map_or(String::new(), half)));
    let suspect = if step.suspect > 0 { format!(", {} suspect", step.suspect) } else { String::new() };
    let runs = (step.runs > 0).then(|| format!("{} run{}{suspect}", step.runs, if step.runs == 1 { "" } else { "s" }));
    let figure = step.figure.as_ref().map(|figure| text::clean(figure));
    figure.into_iter().chain(rate).chain(runs).collect::<Vec<_>>().join("  ")
}

/// The points of a sweep: bars where one setting was swept, tables otherwise; then what follows about worker counts.
fn points(view: &SessionView, swept: &SweepResults, room: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let dropped = swept.places().any(|place| place.point.dropped);
    match swept.dimensions.as_slice() {
        [one] if !one.is_workers() => lines.extend(bars(view, swept, &one.path, &one.values, room, theme)),
        _ => {
            for table in grid::tables(swept) {
                lines.push(Line::from(span(format!(" {}", text::clean(&table.title)), theme.strong)));
                for (number, words) in table.lines().into_iter().enumerate() {
                    let style = if number == 0 { theme.dim } else { theme.base };
                    lines.push(Line::from(span(format!("   {}", text::fit(&words, room.saturating_sub(2))), style)));
                }
                lines.push(Line::default());
            }
        }
    }
    // Where worker counts are a field, each of the others has its own best count.
    for arm in swept.arms.iter().filter(|arm| arm.tuning.points.len() > 1) {
        let name = text::clean(&arm.spec.name);
        let fit = match &arm.tuning.fit {
            Ok(fit) => fit.to_string(),
            Err(none) => none.to_string(),
        };
        let words = format!(" {name}: {}", arm.tuning.headline());
        lines.push(Line::from(span(text::fit(&words, room), theme.strong)));
        lines.push(Line::from(span(text::fit(&format!("   {fit}"), room), theme.dim)));
    }
    if dropped {
        let words = " ↓ dropped: in the worse half after a round, and below 80 % of the best";
        lines.push(Line::from(span(text::fit(words, room), theme.dim)));
    }
    let best = if swept.best().is_empty() { "" } else { "▸ fastest of its engine · " };
    let marks = format!(" {best}n: runs, ! suspect · ±: half of 95 % interval");
    lines.push(Line::from(span(text::fit(&marks, room), theme.dim)));
    lines
}

/// A line for each value and engine; the bars have one scale.
fn bars(
    view: &SessionView,
    swept: &SweepResults,
    path: &str,
    values: &[String],
    room: usize,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let best = swept.best();
    let is_best = |place: &Place<'_>| best.iter().any(|one| std::ptr::eq(one.point, place.point));
    let top = swept.places().filter_map(|place| place.point.mean()).fold(0.0, f64::max);
    let value_wide =
        values.iter().map(|value| text::width(value)).chain([text::width(path)]).max().unwrap_or(0).min(24);
    let name_wide = swept.arms.iter().map(|arm| text::width(&text::clean(&arm.base))).max().unwrap_or(0).min(20);
    let bar_room = room.saturating_sub(value_wide + name_wide + 43).min(BAR);
    let mut lines = vec![Line::from(span(format!(" {}  tasks/s", text::fit(path, room)), theme.dim))];
    // An engine that the field does not apply to has a line of its own, once.
    let apart = swept.arms.iter().enumerate().filter(|(_, arm)| arm.settings.is_empty()).map(|arm| (None, arm));
    let with = values.iter().flat_map(|value| {
        let has = move |arm: &(usize, &SweptArm)| arm.1.settings.iter().any(|(own, set)| own == path && set == value);
        swept.arms.iter().enumerate().filter(has).map(move |arm| (Some(value), arm))
    });
    let mut before: Option<&String> = None;
    for (value, (index, arm)) in with.chain(apart) {
        let mark = theme.mark(arm.spec.kind, false);
        let shown = if value.is_some() && value == before {
            String::new()
        } else {
            value.map_or("any".to_owned(), Clone::clone)
        };
        before = value;
        let place = arm.tuning.points.first().map(|point| Place { arm, point });
        let live = view.arms.get(index).is_some_and(|one| one.live && one.spec.name == arm.spec.name);
        let mean = place.and_then(|place| place.point.mean());
        let length = mean
            .map_or(0, |mean| ((mean / top.max(1e-9) * bar_room as f64).round() as usize).clamp(1, bar_room.max(1)));
        let length = if bar_room == 0 { 0 } else { length };
        let half = place.and_then(|place| Some(place.point.precision()? * place.point.mean()?));
        let half = half.map_or(String::new(), |half| format!(" ±{}", format::rate(half)));
        let rate = mean.map_or_else(|| "–".to_owned(), format::rate);
        let runs = place.map_or(0, |place| place.point.runs());
        let sign = match place {
            Some(place) if place.point.dropped => " ↓ dropped",
            Some(place) if is_best(&place) => " ▸ fastest",
            _ => "",
        };
        let suspect = if place.is_some_and(|place| !place.point.suspect.is_empty()) { "!" } else { "" };
        let now = if live { " ▶" } else { "" };
        let style = if sign.contains('▸') { theme.strong } else { theme.base };
        lines.push(Line::from(vec![
            span(format!(" {}  ", text::pad(&text::fit(&shown, value_wide), value_wide)), theme.base),
            span(
                format!("{} {} ", mark.sign, text::pad(&text::fit(&text::clean(&arm.base), name_wide), name_wide)),
                mark.style,
            ),
            span(mark.bar.repeat(length), mark.style),
            span(" ".repeat(bar_room - length.min(bar_room)), theme.base),
            span(format!(" {}{}", text::pad_left(&rate, 8), text::pad(&half, 9)), style),
            span(format!(" n {runs}{suspect}{now}"), theme.dim),
            span(sign, style),
        ]));
    }
    lines
}
