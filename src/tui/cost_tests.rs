//! What frames of two arms with 64 workers each write to the terminal. What drawing them costs is measured by
//! `cargo bench --bench dashboard`.

use std::sync::Arc;
use std::time::Duration;

use ratatui::buffer::Buffer;

use super::draw;
use super::fixture::{self, Engine, POOL, PROCESS};
use super::model::Model;
use super::screen::TerminalScreen;
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
    Model { catalogue: Arc::default(), session: Some(Arc::new(wide(at))), ..Model::default() }
}

/// Draws the models one after the other, and says how many bytes each wrote.
fn bytes(models: &[Model]) -> Vec<usize> {
    let theme = Theme::new(ThemeName::Dark, ColorDepth::Rgb, false);
    let mut ui = UiState { size: SIZE, ..UiState::default() };
    if let Some(view) = models.first().and_then(|model| model.session.as_deref()) {
        ui.opened(view);
    }
    let mut screen = TerminalScreen::new();
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
fn a_frame_writes_what_changed_and_nothing_else() {
    let models: Vec<Model> = (0..20).map(|step| model(Duration::from_millis(9_000 + 100 * step))).collect();
    let bytes = bytes(&models);
    let (first, others) = (bytes[0], &bytes[1..]);
    assert!(others.iter().all(|count| (1..first / 15).contains(count)), "{bytes:?}");
}

#[test]
fn the_same_picture_writes_nothing() {
    let same = model(Duration::from_secs(9));
    assert_eq!(bytes(&[same.clone(), same.clone(), same])[1..], [0, 0]);
}
