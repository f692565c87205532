//! Draws one frame. Pure: no clock, no environment, no lock; everything a frame needs is in the arguments, so the same
//! arguments always give the same picture.

mod banner;
mod caller;
mod charts;
mod columns;
mod detail;
mod figures;
mod filter_line;
mod footer;
mod header;
mod heat_map;
mod help;
mod history;
mod kills;
mod latency;
mod lesson;
mod main_screen;
mod notes;
mod offered;
mod paint;
mod pane;
mod picker;
mod progress;
mod question;
mod ranking;
mod small;
mod tasks;
mod time_axis;
mod time_left;
mod time_split;
mod tune;
mod worker_table;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::session::view::SessionView;
use crate::tui::arms;
use crate::tui::model::{self, Model, Pane};
use crate::tui::state::{PickerFocus, Screen, UiState};
use crate::tui::theme::{self, EngineStyle, Theme};

/// What the parts of the main screen draw from.
pub(crate) struct Scene<'a> {
    view: &'a SessionView,
    panes: Vec<Pane<'a>>,
    ui: &'a UiState,
    theme: &'a Theme,
}

impl<'a> Scene<'a> {
    fn new(view: &'a SessionView, ui: &'a UiState, theme: &'a Theme) -> Self {
        Self { view, panes: model::panes(view, ui.pair), ui, theme }
    }

    fn mark(&self, pane: &Pane<'_>) -> EngineStyle {
        self.theme.mark(pane.kind(), pane.second)
    }

    /// The arms that have a bar.
    fn with_bars(&self, most: usize) -> Vec<usize> {
        let panes: Vec<usize> = self.panes.iter().map(|pane| pane.arm).collect();
        arms::with_bars(self.view, &panes, most)
    }

    /// The pane that keys act on.
    fn focus(&self) -> usize {
        self.ui.focus.min(self.panes.len().saturating_sub(1))
    }
}

/// The least size at which there is room for bars, ratio, rates and errors.
pub(crate) const LEAST: (u16, u16) = (40, 10);

/// Draws the screen that the state asks for, over whatever stood in the area.
pub(crate) fn draw(model: &Model, ui: &UiState, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    paint::clear(buf, area, theme.base);
    let view = ui.shown(model);
    if area.width < LEAST.0 || area.height < LEAST.1 {
        small::too_small(view, theme, area, buf);
    } else {
        match (ui.screen, view) {
            (Screen::History, view) => history::draw(model, view, ui, theme, area, buf),
            (Screen::Session, view) => history::draw_session(model, view, ui, theme, area, buf),
            (Screen::Picker, _) | (_, None) => picker::draw(model, ui, theme, area, buf),
            (Screen::Main, Some(view)) => main_screen::draw(&Scene::new(view, ui, theme), area, buf),
            (Screen::Tasks, Some(view)) => tasks::draw(&Scene::new(view, ui, theme), area, buf),
            (Screen::Detail, Some(view)) => tasks::draw_detail(&Scene::new(view, ui, theme), area, buf),
            (Screen::Tune, Some(view)) => tune::draw(&Scene::new(view, ui, theme), model.search.as_deref(), area, buf),
        }
        if let Some(goal) = &ui.goal {
            question::goal::draw(goal, theme, area, buf);
        }
        if let Some(scroll) = ui.help {
            help::draw(scroll, theme, area, buf);
        }
        if let Some(question) = ui.question {
            question::draw(question, model, theme, area, buf);
        }
    }
    if theme.ascii {
        to_ascii(area, buf);
    }
}

/// How far the page that keys scroll can be scrolled: 0 where they do something else.
pub(crate) fn last_scroll(model: &Model, ui: &UiState) -> usize {
    match (ui.help, ui.screen, ui.shown(model)) {
        (Some(_), _, _) => help::last_scroll(ui.size),
        (None, Screen::Picker, _) if ui.picker_focus == PickerFocus::Preview => {
            model.catalogue.get(ui.entry).map_or(0, picker::last_scroll)
        }
        (None, Screen::Detail, Some(view)) => {
            let opened = ui.tasks.opened_attempt(view);
            opened.map_or(0, |failure| detail::last_scroll(view, failure, ui.size))
        }
        (None, Screen::Tune, Some(view)) => match (&model.search, ui.search_page) {
            (Some(story), Some(_)) => tune::last_scroll(view, story, ui.size),
            _ => 0,
        },
        (None, Screen::History | Screen::Session, _) => history::last_scroll(model, ui),
        _ => 0,
    }
}

/// Replaces every symbol that is not ASCII; text of files and tasks may have signs that nothing stands for.
fn to_ascii(area: Rect, buf: &mut Buffer) {
    for position in area.positions() {
        let cell = &mut buf[position];
        if !cell.symbol().is_ascii() {
            let symbol = cell.symbol().chars().next().and_then(theme::ascii_for).unwrap_or('?');
            cell.set_char(symbol);
        }
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod history_tests;
#[cfg(test)]
#[path = "main_tests.rs"]
mod main_tests;
#[cfg(test)]
#[path = "draw_tests.rs"]
mod tests;
