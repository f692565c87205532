//! The last line: which keys there are. The answer to the last key stands above it and covers none of them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Scene;
use super::paint::{fill, put, row, rows, span};
use crate::engine::control::Capabilities;
use crate::session::view::ArmView;
use crate::tui::keys::{self, Action, Binding, Shown};
use crate::tui::state::{Screen, UiState};
use crate::tui::theme::Theme;
use crate::tui::{arms, failures, model, text};
use crate::workload::model::{OnTimeout, TaskClass};

/// Most columns of an arm's name.
const NAME: usize = 12;
/// Columns below which a line has no room to give away.
const NARROW: usize = 100;
/// Most lines of an answer.
const MOST_LINES: usize = 3;

/// What the keys that are shown depend on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// How many unsuccessful attempts are listed.
    failures: usize,
    running: bool,
    /// Whether all that runs can pause: nobody pauses otherwise.
    pausable: bool,
    /// Whether a task of what runs can be made to go wrong.
    faults: bool,
    /// What a key does at a timeout, where what runs can do something else and there is one: in many words and in few.
    on_timeout: Option<[String; 2]>,
    /// Whom a key kills, if not any that is busy.
    victim: Option<String>,
    /// How many engines there are.
    arms: usize,
    /// Whether there was a search.
    pub(super) search: bool,
    /// Whether it is under way.
    pub(super) searching: bool,
}

impl Facts {
    pub(crate) fn of(scene: &Scene<'_>) -> Self {
        let (view, ui) = (scene.view, scene.ui);
        let running = model::is_running(view);
        let can = |able: fn(&Capabilities) -> bool| {
            running && view.arms.iter().any(|arm| arm.live && able(&arm.capabilities))
        };
        let limits = view.workload.classes.iter().any(TaskClass::has_limit);
        let chosen = ui.pair.get(ui.focus).copied();
        let changes = arms::live(view, chosen).filter(|(_, arm)| running && limits && arm.capabilities.on_timeout);
        Self {
            failures: failures::count(view),
            running,
            pausable: running && view.arms.iter().all(|arm| !arm.live || arm.capabilities.pause),
            faults: can(|able| able.inject_fault),
            on_timeout: changes.map(|(_, arm)| on_timeout(arm)),
            victim: victim(scene),
            arms: view.arms.len(),
            search: false,
            searching: false,
        }
    }

    fn show(&self, shown: Shown) -> bool {
        match shown {
            Shown::Always => true,
            Shown::Running => self.running,
            Shown::Resting => !self.running,
            Shown::Pausable => self.pausable,
            Shown::Faults => self.faults,
            Shown::Timeouts => self.on_timeout.is_some(),
            Shown::ManyArms => self.arms > 2,
            Shown::Several => self.arms > 1,
            Shown::Search => self.search,
            Shown::NoSearch => !self.searching,
            Shown::Together => self.arms > 1 && !self.running,
        }
    }
}

/// What is in force at a timeout in the run of an arm, and what a key makes of it.
fn on_timeout(arm: &ArmView) -> [String; 2] {
    let change = format!("{}→{}", arm.on_timeout.map_or("file", OnTimeout::word), model::next_on_timeout(arm).word());
    [format!("timeout {change} in {}", model::short_label(&model::name(arm), NAME)), format!("timeout {change}")]
}

/// The chosen worker, where one is chosen in the chosen pane.
fn victim(scene: &Scene<'_>) -> Option<String> {
    let line = scene.ui.worker.get(scene.ui.focus).copied().flatten()?;
    let row = scene.panes.get(scene.ui.focus)?.frame?.workers.get(line)?;
    Some(format!("kill worker {}", row.slot))
}

/// The last line of an area. How many failures there are stands behind the name of their list; what was said of a stop has
/// its place only while something is running.
pub(crate) fn draw(ui: &UiState, facts: &Facts, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let line = row(area, area.height.saturating_sub(1));
    if let Some(notice) = ui.notice.as_ref().filter(|_| facts.running || !ui.stopping) {
        answer(&text::clean(notice), theme, rows(area, 0, area.height.saturating_sub(1)), buf);
    }
    let gap = if usize::from(line.width) < NARROW { 1 } else { 2 };
    let shown = fitting(ui, facts, theme, (usize::from(line.width), gap));
    let mut spans: Vec<Span<'_>> = vec![Span::raw(" ")];
    let mut tabs = true;
    for (index, (binding, piece)) in shown.into_iter().enumerate() {
        let gap = match (index, tabs && !binding.tab) {
            (0, _) => "",
            (_, true) => "│ ",
            (_, false) if gap < 2 => "",
            (_, false) => " ",
        };
        tabs = binding.tab;
        spans.push(span(gap, theme.dim));
        spans.extend(piece);
        spans.push(Span::raw(" "));
    }
    put(buf, line, Line::from(spans));
}

/// On the last lines of an area, whatever was there.
fn answer(notice: &str, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let room = usize::from(area.width).saturating_sub(2);
    let mut lines = text::wrap(notice, room);
    lines.truncate(MOST_LINES.min(usize::from(area.height)));
    let first = area.height.saturating_sub(u16::try_from(lines.len()).unwrap_or(u16::MAX));
    for (index, line) in (first..).zip(lines) {
        fill(buf, row(area, index), " ", theme.base);
        put(buf, row(area, index), span(format!(" {line}"), theme.warn));
    }
}

/// Keys without which a user finds neither the others nor the way out.
fn is_vital(binding: &Binding) -> bool {
    let vital = [Action::Help, Action::Quit, Action::Back, Action::Open, Action::Yes, Action::No];
    binding.keys.iter().any(|(_, action)| vital.contains(action))
}

/// The entries for which there is room, so far from each other: first the vital ones, then in the order of the table.
fn fitting<'a>(
    ui: &UiState,
    facts: &Facts,
    theme: &Theme,
    (width, gap): (usize, usize),
) -> Vec<(&'static Binding, Vec<Span<'a>>)> {
    // What lies over the screen has its own keys; those below would be wrong.
    let shown = keys::footer(ui.context()).filter(|binding| facts.show(binding.shown));
    let entries: Vec<_> = shown.map(|binding| (binding, entries(binding, ui, facts, width, theme))).collect();
    let size = |piece: &[Span<'_>]| piece.iter().map(Span::width).sum::<usize>() + gap;
    let shortest = |words: &Vec<Vec<Span<'a>>>| words.last().map_or(0, |piece| size(piece));
    let vital: usize = entries.iter().filter(|(binding, _)| is_vital(binding)).map(|(_, words)| shortest(words)).sum();
    // A column before the first entry, and the bar after the tabs.
    let mut free = width.saturating_sub(vital + 2);
    let mut fits = |(binding, words): &(&'static Binding, Vec<Vec<Span<'a>>>)| {
        let fits = is_vital(binding) || shortest(words) <= free;
        if fits && !is_vital(binding) {
            free -= shortest(words);
        }
        fits
    };
    // Where there is little room, the way to what was measured before gives way to the keys of what is measured now.
    let is_late = |binding: &Binding| {
        width < NARROW
            && ui.screen.view() != Screen::History
            && binding.keys.iter().any(|(_, action)| *action == Action::History)
    };
    let mut chosen: Vec<bool> = entries.iter().map(|entry| !is_late(entry.0) && fits(entry)).collect();
    for (entry, chosen) in entries.iter().zip(&mut chosen) {
        *chosen |= is_late(entry.0) && fits(entry);
    }
    let fitting: Vec<_> =
        entries.into_iter().zip(chosen).filter_map(|(entry, chosen)| chosen.then_some(entry)).collect();
    // What is left over is for more words.
    let said = |(binding, words): (&'static Binding, Vec<Vec<Span<'a>>>)| {
        let least = shortest(&words);
        let piece = words.into_iter().find(|piece| size(piece) <= least + free)?;
        free -= size(&piece) - least;
        Some((binding, piece))
    };
    fitting.into_iter().filter_map(said).collect()
}

/// Keys and what they do, in many words and, where that can be said, in fewer.
fn entries<'a>(binding: &Binding, ui: &UiState, facts: &Facts, width: usize, theme: &Theme) -> Vec<Vec<Span<'a>>> {
    let does = |wanted: Action| binding.keys.iter().any(|(_, action)| *action == wanted);
    let current = binding.tab
        && match ui.screen.view() {
            Screen::Main => does(Action::Main),
            Screen::Tasks => does(Action::Tasks),
            Screen::Tune => does(Action::Tune),
            Screen::History => does(Action::History),
            Screen::Picker | Screen::Detail | Screen::Session => false,
        };
    let style = if current { theme.selected } else { theme.base };
    let words: Vec<String> = match (&facts.on_timeout, &facts.victim) {
        // A narrow line has other keys to show.
        (Some(words), _) if does(Action::OnTimeout) && width >= NARROW => words.to_vec(),
        (_, Some(words)) if does(Action::KillWorker) => vec![words.clone(), binding.footer.to_owned()],
        _ => vec![binding.footer.to_owned()],
    };
    let piece = |words: String| {
        let mut piece = vec![span(format!("{} ", binding.short_keys()), theme.key), span(words, style)];
        if facts.failures > 0 && does(Action::Tasks) {
            piece.push(span(format!(" ({})", facts.failures), theme.bad));
        }
        piece
    };
    words.into_iter().map(piece).collect()
}
