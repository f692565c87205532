//! What frames cost: how much is written for what changes, and how the work per frame compares with that of merely
//! going through the cells.

use std::sync::Arc;
use std::time::Duration;

use ratatui::buffer::Buffer;

use super::draw;
use super::fixture::{self, Engine, POOL, PROCESS};
use super::model::Model;
use super::screen::Screen;
use super::state::UiState;
use super::theme::{ColorDepth, Theme, ThemeName};
use crate::session::view::{Mode, SessionView};

const SIZE: (u16, u16) = (200, 50);

/// Two arms of 64 workers, both under way.
fn wide(at: Duration) -> SessionView {
    let pool = Engine { workers: 64, ..POOL };
    let process = Engine { workers: 64, ..PROCESS };
    let arms = vec![fixture::arm("pool", pool, true, at), fixture::arm("process", process, true, at)];
    SessionView { arms, mode: Mode::Together, ..fixture::together() }
}

fn model(at: Duration) -> Model {
    Model { catalogue: Arc::default(), session: Some(Arc::new(wide(at))) }
}

/// Draws the models one after the other, and says how many bytes each wrote.
fn bytes(models: &[Model]) -> Vec<usize> {
    let theme = Theme::new(ThemeName::Dark, ColorDepth::Rgb, false);
    let mut ui = UiState { size: SIZE, ..UiState::default() };
    if let Some(view) = models.first().and_then(|model| model.session.as_deref()) {
        ui.opened(view);
    }
    let mut screen = Screen::new();
    let mut out = Vec::new();
    let frame = |model: &Model| {
        out.clear();
        let drawn = |area, buf: &mut Buffer| draw::draw(model, &ui, &theme, area, buf);
        screen.present(&mut out, SIZE, drawn).unwrap();
        out.len()
    };
    models.iter().map(frame).collect()
}

#[test]
fn frames() {
    let models: Vec<Model> = (0..20).map(|step| model(Duration::from_millis(9_000 + 100 * step))).collect();
    for _ in 0..5 {
        println!("{:?}", bytes(&models));
    }
}
