//! What each action does to the state and asks of the outside.

use super::*;
use crate::tui::fixture;

fn open(view: SessionView) -> (UiState, Model) {
    let mut ui = UiState { size: (80, 24), ..UiState::default() };
    ui.opened(&view);
    (ui, Model { catalogue: Arc::new(fixture::catalogue()), session: Some(Arc::new(view)) })
}

#[test]
fn quitting_asks_only_while_something_runs() {
    let (mut ui, model) = open(fixture::finished());
    assert_eq!(ui.update(&model, Action::Quit), [Effect::Leave(Ended::QUIT)]);
    let (mut ui, model) = open(fixture::running());
    assert_eq!(ui.update(&model, Action::Quit), []);
    assert_eq!(ui.context(), Context::ASK);
    assert_eq!(ui.update(&model, Action::No), []);
    assert!(ui.question.is_none() && ui.leaving.is_none());
    let _asked = ui.update(&model, Action::Quit);
    assert_eq!(ui.update(&model, Action::Yes), [Effect::Send(SessionCommand::Stop)]);
    assert_eq!(ui.leaving, Some(Ended::QUIT));
}

#[test]
fn interrupts_stop_then_kill_then_leave() {
    let (mut ui, model) = open(fixture::running());
    assert_eq!(ui.update(&model, Action::Interrupt), [Effect::Send(SessionCommand::Stop)]);
    assert_eq!(ui.leaving, None);
    assert_eq!(ui.update(&model, Action::Interrupt), [Effect::Send(SessionCommand::Stop)]);
    assert_eq!(ui.leaving, Some(Ended::INTERRUPTED));
    assert_eq!(ui.update(&model, Action::Interrupt), [Effect::Leave(Ended::INTERRUPTED.at_once())]);
    let (mut ui, model) = open(fixture::finished());
    assert_eq!(ui.update(&model, Action::Interrupt), [Effect::Leave(Ended::INTERRUPTED)]);
}

#[test]
fn escape_closes_but_never_leaves() {
    let (mut ui, model) = open(fixture::with_failures());
    for action in [Action::Tasks, Action::Open, Action::Help] {
        let _effects = ui.update(&model, action);
    }
    let expected = [(Screen::Detail, None), (Screen::Tasks, None), (Screen::Main, None), (Screen::Main, None)];
    for (screen, help) in expected {
        assert_eq!(ui.update(&model, Action::Back), []);
        assert_eq!((ui.screen, ui.help), (screen, help));
    }
}

#[test]
fn workers_change_only_in_a_running_engine() {
    let (mut ui, model) = open(fixture::running());
    assert_eq!(ui.update(&model, Action::MoreWorkers), []);
    assert!(ui.notice.is_some());
    let _moved = ui.update(&model, Action::NextPane);
    let expected = SessionCommand::ChangeWorkers { arm: 1, change: Change::By(-1) };
    assert_eq!(ui.update(&model, Action::FewerWorkers), [Effect::Send(expected)]);
    assert!(ui.notice.is_some_and(|notice| notice.contains("anew")), "what was measured does not count any more");
}

#[test]
fn the_chosen_worker_is_killed_or_a_busy_one_or_one_of_the_next_run() {
    let (mut ui, model) = open(fixture::running());
    let any = |arm| [Effect::Send(SessionCommand::KillWorker { arm, slot: None })];
    assert_eq!(ui.update(&model, Action::KillWorker), any(0), "the pool waits for its turn");
    let _moved = ui.update(&model, Action::NextPane);
    assert_eq!(ui.update(&model, Action::KillWorker), any(1));
    for action in [Action::Down, Action::Down, Action::Down, Action::Up] {
        let _moved = ui.update(&model, action);
    }
    let expected = SessionCommand::KillWorker { arm: 1, slot: Some(1) };
    assert_eq!(ui.update(&model, Action::KillWorker), [Effect::Send(expected)]);
    assert_eq!(ui.notice, None, "the session says what comes of it");
    for idle in [fixture::finished(), fixture::ready(), fixture::broken()] {
        let (mut ui, model) = open(idle);
        assert_eq!(ui.update(&model, Action::KillWorker), []);
        assert_eq!(ui.notice.as_deref(), Some("nothing runs: r, then K"));
    }
    let mut waits = fixture::finished();
    waits.kills.waiting = vec![0];
    let (mut ui, model) = open(waits);
    assert_eq!(ui.update(&model, Action::KillWorker), any(0), "it is taken back");
}

#[test]
fn the_choice_stays_inside_the_list() {
    let (mut ui, model) = open(fixture::running());
    for action in [Action::Last, Action::Down, Action::HalfDown] {
        let _moved = ui.update(&model, action);
    }
    assert_eq!(ui.worker[0], Some(3));
    for action in [Action::First, Action::Up, Action::HalfUp] {
        let _moved = ui.update(&model, action);
    }
    assert_eq!(ui.worker[0], Some(0));
    ui.screen = Screen::Picker;
    let _moved = ui.update(&model, Action::Last);
    assert_eq!(ui.entry, model.catalogue.len() - 1);
}

#[test]
fn a_run_is_not_started_twice() {
    let (mut ui, model) = open(fixture::running());
    assert_eq!(ui.update(&model, Action::Run), []);
    assert!(ui.notice.is_some());
    let (mut ui, model) = open(fixture::finished());
    assert_eq!(ui.update(&model, Action::Run), [Effect::Send(SessionCommand::Run(Mode::Interleaved))]);
    assert_eq!(ui.update(&model, Action::RunTogether), [Effect::Send(SessionCommand::Run(Mode::Together))]);
    assert_eq!(ui.update(&model, Action::Pause), []);
    assert_eq!(ui.update(&model, Action::Stop), []);
}

#[test]
fn a_workload_with_errors_is_not_opened_and_a_running_one_not_replaced_without_asking() {
    let (mut ui, model) = open(fixture::running());
    ui.screen = Screen::Picker;
    ui.entry = model.catalogue.iter().position(|entry| entry.outcome.is_err()).unwrap();
    assert_eq!(ui.update(&model, Action::Open), []);
    assert!(ui.notice.is_some() && ui.question.is_none());
    ui.entry = 0;
    assert_eq!(ui.update(&model, Action::Open), []);
    assert_eq!(ui.question, Some(Question::Replace(0)));
    assert_eq!(ui.update(&model, Action::Yes), [Effect::OpenNext(0)]);
    let (mut ui, model) = open(fixture::finished());
    ui.screen = Screen::Picker;
    assert_eq!(ui.update(&model, Action::Open), [Effect::Open(0)]);
}

#[test]
fn a_frozen_picture_stays() {
    let (mut ui, mut model) = open(fixture::running());
    let _frozen = ui.update(&model, Action::Freeze);
    model.session = Some(Arc::new(fixture::finished()));
    assert_eq!(ui.shown(&model).unwrap().phase, SessionPhase::Running);
    let _thawed = ui.update(&model, Action::Freeze);
    assert_eq!(ui.shown(&model).unwrap().phase, SessionPhase::Finished);
}

#[test]
fn panes_go_through_the_arms() {
    let (mut ui, model) = open(fixture::three_arms());
    let _cycled = ui.update(&model, Action::CycleArm);
    assert_eq!(ui.pair, [1, 2]);
    let _moved = ui.update(&model, Action::NextPane);
    let _cycled = ui.update(&model, Action::CycleArm);
    assert_eq!(ui.pair, [1, 0]);
}

#[test]
fn themes_go_round() {
    let (mut ui, model) = open(fixture::finished());
    for _ in 0..5 {
        let _changed = ui.update(&model, Action::Theme);
    }
    assert_eq!(ui.theme, ThemeName::Auto);
}

#[test]
fn scrolling_ends_where_the_text_ends() {
    let (mut ui, model) = open(fixture::with_failures());
    ui.size = (40, 10);
    let _opened = ui.update(&model, Action::Help);
    let _scrolled = ui.update(&model, Action::Last);
    let help = ui.help.unwrap();
    assert!(help > 5, "{help}");
    let _back = ui.update(&model, Action::Up);
    assert_eq!(ui.help, Some(help - 1));
    for action in [Action::Help, Action::Tasks, Action::Open, Action::Last] {
        let _effects = ui.update(&model, action);
    }
    assert!((1..60).contains(&ui.detail_scroll), "{}", ui.detail_scroll);
    ui.size = (200, 60);
    let _scrolled = ui.update(&model, Action::Last);
    assert_eq!(ui.detail_scroll, 0);
}

#[test]
fn escape_in_the_picker_goes_back_to_the_open_workload() {
    let (mut ui, model) = open(fixture::finished());
    let _picker = ui.update(&model, Action::Picker);
    let _preview = ui.update(&model, Action::NextPane);
    assert_eq!((ui.screen, ui.picker_focus), (Screen::Picker, PickerFocus::Preview));
    let _list = ui.update(&model, Action::Back);
    assert_eq!((ui.screen, ui.picker_focus), (Screen::Picker, PickerFocus::List));
    let _main = ui.update(&model, Action::Back);
    assert_eq!(ui.screen, Screen::Main);
    let mut alone = UiState::default();
    let _nothing = alone.update(&Model::default(), Action::Back);
    assert_eq!(alone.screen, Screen::Picker);
}
