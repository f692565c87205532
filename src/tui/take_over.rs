//! How the user takes over from what is looked for: it ends, and what was found stays. No I/O, no clock.

use crate::session::escalation::Escalation;
use crate::session::view::{RunPosition, SessionCommand, SessionPhase, SessionView};
use crate::tui::model::{self, Model};
use crate::tui::state::{UiEffect, UiState};

/// Whether a target or a search is being looked for: what Esc takes over from.
pub(super) fn is_tuning(model: &Model) -> bool {
    let here = model.session.as_deref().filter(|view| sweeps(view)).is_some_and(|view| view.target.is_some());
    here || model.searching().is_some()
}

/// The same, or a sweep: what a worker key takes over from.
pub(super) fn goes_on(model: &Model) -> bool {
    model.searching().is_some() || model.session.as_deref().is_some_and(sweeps)
}

fn sweeps(view: &SessionView) -> bool {
    model::is_running(view) && matches!(view.position, RunPosition::Sweep { .. })
}

/// What is said of it.
pub(super) fn words(model: &Model) -> String {
    let target = model.session.as_deref().and_then(|view| view.target);
    let what = match (model.searching(), target) {
        (Some(story), _) => story.wanted.to_string(),
        (None, Some(target)) => target.to_string(),
        (None, None) => "the sweep".to_owned(),
    };
    format!("you take over: {what} is looked for no further; what was found stays")
}

/// Ends what is being looked for; what was found stays.
pub(super) fn now(ui: &mut UiState, model: &Model) -> Vec<UiEffect> {
    let Some(view) = model.session.as_deref() else { return Vec::new() };
    ui.notice = Some(words(model));
    // What is asked twice to stop is killed: that has a key of its own.
    if view.phase == SessionPhase::Stopping || ui.asked != Escalation::default() {
        return Vec::new();
    }
    ui.asked.key();
    vec![UiEffect::Send(SessionCommand::Stop)]
}

/// The same by a key of worker counts, which has its own effect too where its arms are those that are open.
pub(super) fn with(ui: &mut UiState, model: &Model, command: SessionCommand) -> Vec<UiEffect> {
    let mut effects = now(ui, model);
    if model.searching().is_none() {
        effects.push(UiEffect::Send(command));
    }
    effects
}
