//! What each action does to the state and asks of the outside.

use std::sync::Arc;

use super::*;
use crate::engine::event::Slot;
use crate::session::view::{SessionView, Sweep, SweepCounts};
use crate::tui::theme::ThemeName;
use crate::tui::{draw, fixture};
use crate::workload::model::{CommandLine, FaultKind, OnTimeout, Work};

fn open(view: SessionView) -> (UiState, Model) {
    let mut ui = UiState { size: (80, 24), ..UiState::default() };
    ui.opened(&view);
    let (catalogue, session) = (Arc::new(fixture::catalogue()), Some(Arc::new(view)));
    (ui, Model { catalogue, session, ..Model::default() })
}

/// As the event loop does it.
fn update(ui: &mut UiState, model: &Model, action: Action) -> Vec<UiEffect> {
    let last_scroll = draw::last_scroll(model, ui);
    ui.update(model, action, last_scroll)
}

#[test]
fn quitting_asks_only_while_something_runs() {
    let (mut ui, model) = open(fixture::finished());
    assert_eq!(update(&mut ui, &model, Action::Quit), [UiEffect::Leave(DashboardEnd::QUIT)]);
    let (mut ui, model) = open(fixture::running());
    assert_eq!(update(&mut ui, &model, Action::Quit), []);
    assert_eq!(ui.context(), KeyContext::ASK);
    assert_eq!(update(&mut ui, &model, Action::No), []);
    assert!(ui.question.is_none() && ui.leaving.is_none());
    let _asked = update(&mut ui, &model, Action::Quit);
    assert_eq!(update(&mut ui, &model, Action::Yes), [UiEffect::Send(SessionCommand::Stop)]);
    assert_eq!(ui.leaving, Some(DashboardEnd::QUIT));
}

#[test]
fn interrupts_stop_then_kill_then_leave() {
    let (mut ui, model) = open(fixture::running());
    assert_eq!(update(&mut ui, &model, Action::Interrupt), [UiEffect::Send(SessionCommand::Stop)]);
    assert_eq!(ui.leaving, None);
    assert_eq!(update(&mut ui, &model, Action::Interrupt), [UiEffect::Send(SessionCommand::Stop)]);
    assert_eq!(ui.leaving, Some(DashboardEnd::INTERRUPTED));
    assert_eq!(update(&mut ui, &model, Action::Interrupt), [UiEffect::Leave(DashboardEnd::INTERRUPTED.at_once())]);
    let (mut ui, model) = open(fixture::finished());
    assert_eq!(update(&mut ui, &model, Action::Interrupt), [UiEffect::Leave(DashboardEnd::INTERRUPTED)]);
}

#[test]
fn escape_closes_but_never_leaves() {
    let (mut ui, model) = open(fixture::with_failures());
    for action in [Action::Tasks, Action::Open, Action::Help] {
        let _effects = update(&mut ui, &model, action);
    }
    let expected = [(Screen::Detail, None), (Screen::Tasks, None), (Screen::Main, None), (Screen::Main, None)];
    for (screen, help) in expected {
        assert_eq!(update(&mut ui, &model, Action::Back), []);
        assert_eq!((ui.screen, ui.help), (screen, help));
    }
}

fn sent(command: SessionCommand) -> Vec<UiEffect> {
    vec![UiEffect::Send(command)]
}

#[test]
fn worker_counts_change_in_every_state() {
    for (name, view) in fixture::every() {
        let arms = view.arms.len();
        let (mut ui, model) = open(view);
        if name == "serial" {
            assert_eq!(update(&mut ui, &model, Action::MoreWorkers), []);
            assert!(ui.notice.as_ref().is_some_and(|notice| notice.contains("serial")));
        }
        if arms > 1 {
            let _moved = update(&mut ui, &model, Action::NextPane);
        }
        let arm = ui.pair[ui.focus];
        for (action, change) in [
            (Action::MoreWorkers, Change::By(1)),
            (Action::FewerWorkers, Change::By(-1)),
            (Action::DoubleWorkers, Change::Double),
            (Action::HalveWorkers, Change::Halve),
        ] {
            assert_eq!(update(&mut ui, &model, action), sent(SessionCommand::ChangeWorkers { arm, change }), "{name}");
        }
        assert_eq!(update(&mut ui, &model, Action::SameWorkers), sent(SessionCommand::SameWorkers(arm)));
        let compared = if arms > 1 { sent(SessionCommand::Baseline(arm)) } else { Vec::new() };
        assert_eq!(update(&mut ui, &model, Action::Baseline), compared, "{name}");
    }
}

#[test]
fn bounds_of_worker_counts_are_told() {
    let mut view = fixture::finished();
    view.arms[0].workers = 1;
    view.arms[1].workers = view.arms[1].most_workers;
    let (mut ui, model) = open(view);
    assert_eq!(update(&mut ui, &model, Action::FewerWorkers), []);
    assert!(ui.notice.as_ref().is_some_and(|notice| notice.contains("least")));
    let _moved = update(&mut ui, &model, Action::NextPane);
    for action in [Action::MoreWorkers, Action::DoubleWorkers] {
        assert_eq!(update(&mut ui, &model, action), []);
        assert!(ui.notice.as_ref().is_some_and(|notice| notice.contains("4096")));
    }
}

#[test]
fn a_sweep_and_a_measurement_begin_only_when_nothing_runs() {
    let (mut ui, model) = open(fixture::tuned());
    ui.screen = Screen::Tune;
    let sweep = Sweep {
        arms: vec![0, 1],
        counts: SweepCounts::Found,
        groups: Vec::new(),
        runs: crate::analysis::tuning::RUNS,
        show_best: true,
    };
    assert_eq!(update(&mut ui, &model, Action::Sweep), sent(SessionCommand::Sweep(sweep)));
    // The line of the wanted count is chosen at first; up goes to the one below it.
    assert_eq!(update(&mut ui, &model, Action::Open), sent(SessionCommand::Measure(Some((0, 8)))));
    let _moved = update(&mut ui, &model, Action::Up);
    assert_eq!(update(&mut ui, &model, Action::Open), sent(SessionCommand::Measure(Some((0, 6)))));
    let (mut ui, model) = open(fixture::running());
    ui.screen = Screen::Tune;
    assert_eq!(update(&mut ui, &model, Action::Open), []);
    assert!(ui.notice.as_ref().is_some_and(|notice| notice.contains("running")));
    assert_eq!(update(&mut ui, &model, Action::Sweep), []);
    assert_eq!(ui.question, Some(Question::Commands(Asked::SweepInstead)), "it is asked for first");
    let sweep = Sweep {
        arms: vec![0, 1],
        counts: SweepCounts::Found,
        groups: Vec::new(),
        runs: crate::analysis::tuning::RUNS,
        show_best: true,
    };
    assert_eq!(update(&mut ui, &model, Action::Yes), sent(SessionCommand::Sweep(sweep)));
}

#[test]
fn commands_are_run_only_when_that_was_agreed_to() {
    let mut view = fixture::tuned();
    view.measures_by_itself = false;
    let (mut ui, model) = open(view.clone());
    ui.screen = Screen::Tune;
    for (action, figure) in [(Action::Sweep, "9000"), (Action::Open, "5000")] {
        assert_eq!(update(&mut ui, &model, action), []);
        let Some(Question::Commands(asked)) = ui.question else { panic!("no question") };
        assert!(asked.lines()[0].replace([',', ' ', '_'], "").contains(figure), "{:?}", asked.lines());
        let _refused = update(&mut ui, &model, Action::No);
        assert_eq!(ui.question, None);
        let _asked = update(&mut ui, &model, action);
        assert_eq!(update(&mut ui, &model, Action::Yes).len(), 1);
    }
    view.arms[1].owed = 3;
    view.arms[1].workers = 12;
    let (mut ui, model) = open(view);
    for screen in [Screen::Main, Screen::Tune] {
        ui.screen = screen;
        assert_eq!(update(&mut ui, &model, Action::Open), []);
        let Some(Question::Commands(asked @ Asked::MeasureChanged { all })) = ui.question else {
            panic!("no question")
        };
        assert!(all > 0 && asked.lines()[0].contains("once more"), "{asked:?}");
        assert_eq!(update(&mut ui, &model, Action::Yes), sent(SessionCommand::Measure(None)));
    }
}

#[test]
fn a_fault_is_chosen_for_the_arm_that_runs() {
    let (mut ui, model) = open(fixture::running());
    assert_eq!(update(&mut ui, &model, Action::Fault), []);
    let asks = |chosen| Some(Question::Fault { arm: 1, chosen });
    assert_eq!(ui.question, asks(0), "the pool of the chosen pane waits for its turn");
    assert_eq!(ui.context(), KeyContext::CHOOSE);
    for (action, chosen) in [
        (Action::Down, 1),
        (Action::Last, 5),
        (Action::Down, 5),
        (Action::First, 0),
        (Action::Up, 0),
        (Action::Choose(1), 1),
    ] {
        assert_eq!((update(&mut ui, &model, action), ui.question), (vec![], asks(chosen)), "{action:?}");
    }
    let hang = SessionCommand::InjectFault { arm: 1, kind: FaultKind::Hang };
    assert_eq!(update(&mut ui, &model, Action::Yes), [UiEffect::Send(hang)]);
    assert_eq!((ui.question, update(&mut ui, &model, Action::Yes)), (None, vec![]));
    let _asked = update(&mut ui, &model, Action::Fault);
    let over = Model { session: Some(Arc::new(fixture::finished())), ..model.clone() };
    assert_eq!((update(&mut ui, &over, Action::Yes), ui.question), (vec![], None), "its run is over");
    assert!(ui.notice.as_deref().is_some_and(|notice| notice.contains("is over")), "{:?}", ui.notice);
    let _asked = update(&mut ui, &model, Action::Fault);
    assert_eq!((update(&mut ui, &model, Action::No), ui.question), (vec![], None));
    let mut unable = fixture::running();
    unable.arms.iter_mut().for_each(|arm| arm.capabilities.inject_fault = false);
    for (view, word) in [(fixture::finished(), "nothing runs"), (unable, "cannot be injected")] {
        let (mut ui, model) = open(view);
        assert_eq!((update(&mut ui, &model, Action::Fault), ui.question), (vec![], None));
        assert!(ui.notice.as_deref().is_some_and(|notice| notice.contains(word)), "{:?}", ui.notice);
    }
}

#[test]
fn the_chosen_worker_is_killed_or_a_busy_one_or_one_of_the_next_run() {
    let (mut ui, model) = open(fixture::running());
    let any = |arm| [UiEffect::Send(SessionCommand::KillWorker { arm, slot: None })];
    assert_eq!(update(&mut ui, &model, Action::KillWorker), any(0), "the pool waits for its turn");
    let _moved = update(&mut ui, &model, Action::NextPane);
    assert_eq!(update(&mut ui, &model, Action::KillWorker), any(1));
    for action in [Action::Down, Action::Down, Action::Down, Action::Up] {
        let _moved = update(&mut ui, &model, action);
    }
    let expected = SessionCommand::KillWorker { arm: 1, slot: Some(Slot(1)) };
    assert_eq!(update(&mut ui, &model, Action::KillWorker), [UiEffect::Send(expected)]);
    assert_eq!(ui.notice, None, "the session says what comes of it");
    for idle in [fixture::finished(), fixture::ready(), fixture::broken()] {
        let (mut ui, model) = open(idle);
        assert_eq!(update(&mut ui, &model, Action::KillWorker), []);
        assert_eq!(ui.notice.as_deref(), Some("nothing runs: r, then K"));
    }
    let mut waits = fixture::finished();
    waits.kills.waiting = vec![0];
    let (mut ui, model) = open(waits);
    assert_eq!(update(&mut ui, &model, Action::KillWorker), any(0), "it is taken back");
}

#[test]
fn what_happens_at_a_timeout_is_changed_where_something_runs() {
    let view = fixture::running();
    let live = view.arms.iter().position(|arm| arm.live).unwrap();
    let (mut ui, model) = open(view.clone());
    let change = |then| [UiEffect::Send(SessionCommand::OnTimeout { arm: live, then })];
    assert_eq!(update(&mut ui, &model, Action::OnTimeout), change(OnTimeout::Abandon));
    let says = "PROCESS ×4, at a timeout: abandon, until now kill; in this run, which does not count any more";
    assert_eq!(ui.notice.as_deref(), Some(says));
    for (before, then, says) in [
        (Some(OnTimeout::Abandon), OnTimeout::Kill, "kill, until now abandon"),
        (None, OnTimeout::Kill, "kill, until now as the file says"),
    ] {
        let mut view = view.clone();
        view.arms[live].on_timeout = before;
        let (mut ui, model) = open(view);
        assert_eq!(update(&mut ui, &model, Action::OnTimeout), change(then));
        assert!(ui.notice.as_deref().is_some_and(|notice| notice.contains(says)), "{:?}", ui.notice);
    }
    let (mut ui, model) = open(fixture::finished());
    assert_eq!(update(&mut ui, &model, Action::OnTimeout), []);
    assert_eq!(ui.notice.as_deref(), Some("nothing runs: r, then A"));
    let mut unable = view.clone();
    unable.arms[live].capabilities.on_timeout = false;
    let (mut ui, model) = open(unable);
    assert_eq!(update(&mut ui, &model, Action::OnTimeout), []);
    assert!(ui.notice.is_some_and(|notice| notice.contains("cannot change")));
    let mut unlimited = view;
    for class in &mut Arc::make_mut(&mut unlimited.workload).classes {
        (class.timeout, class.queue_timeout, class.wait_timeout) = (None, None, None);
    }
    let (mut ui, model) = open(unlimited);
    assert_eq!(update(&mut ui, &model, Action::OnTimeout), [], "the run would not count any more, for nothing");
    assert!(ui.notice.is_some_and(|notice| notice.contains("no task of this workload has a timeout")));
}

#[test]
fn what_takes_two_engines_is_not_done_with_one() {
    for (action, says) in
        [(Action::RunTogether, "no other engine to run"), (Action::Baseline, "no other engine to compare")]
    {
        let mut alone = fixture::one_arm();
        alone.phase = fixture::finished().phase;
        alone.arms.iter_mut().for_each(|arm| arm.live = false);
        let (mut ui, model) = open(alone);
        assert_eq!(update(&mut ui, &model, action), []);
        assert!(ui.notice.as_deref().is_some_and(|notice| notice.contains(says)), "{:?}", ui.notice);
        let (mut ui, model) = open(fixture::finished());
        assert_eq!(update(&mut ui, &model, action).len(), 1);
    }
}

#[test]
fn the_choice_stays_inside_the_list() {
    let (mut ui, model) = open(fixture::running());
    for action in [Action::Last, Action::Down, Action::HalfDown] {
        let _moved = update(&mut ui, &model, action);
    }
    assert_eq!(ui.worker[0], Some(3));
    for action in [Action::First, Action::Up, Action::HalfUp] {
        let _moved = update(&mut ui, &model, action);
    }
    assert_eq!(ui.worker[0], Some(0));
    ui.screen = Screen::Picker;
    let _moved = update(&mut ui, &model, Action::Last);
    assert_eq!(ui.entry, model.catalogue.len() - 1);
}

#[test]
fn what_changes_the_world_is_done_again_only_when_that_was_agreed_to() {
    let mut view = fixture::finished();
    let mut workload = (*view.workload).clone();
    workload.classes[0].work = Work::Command(CommandLine::new(vec!["true".to_owned()]));
    view.workload = Arc::new(workload);
    let (mut ui, model) = open(view);
    for (action, mode) in [(Action::Run, Mode::Interleaved), (Action::RunTogether, Mode::Together)] {
        assert_eq!(update(&mut ui, &model, action), []);
        let Some(Question::Commands(Asked::RunAgain { mode: asked, all })) = ui.question else { panic!("no question") };
        assert!(asked == mode && all > 0, "{asked:?} {all}");
        let _refused = update(&mut ui, &model, Action::No);
        assert_eq!(ui.question, None);
        let _asked = update(&mut ui, &model, action);
        assert_eq!(update(&mut ui, &model, Action::Yes), sent(SessionCommand::Run(mode)));
    }
    assert_eq!(update(&mut ui, &model, Action::Save), [UiEffect::Save]);
}

#[test]
fn a_run_is_not_started_twice() {
    let (mut ui, model) = open(fixture::running());
    assert_eq!(update(&mut ui, &model, Action::Run), []);
    assert!(ui.notice.is_some());
    let (mut ui, model) = open(fixture::finished());
    assert_eq!(update(&mut ui, &model, Action::Run), [UiEffect::Send(SessionCommand::Run(Mode::Interleaved))]);
    assert_eq!(update(&mut ui, &model, Action::RunTogether), [UiEffect::Send(SessionCommand::Run(Mode::Together))]);
    assert_eq!(update(&mut ui, &model, Action::Pause), []);
    assert_eq!(update(&mut ui, &model, Action::Stop), []);
}

#[test]
fn a_workload_with_errors_is_not_opened_and_a_running_one_not_replaced_without_asking() {
    let (mut ui, model) = open(fixture::running());
    ui.screen = Screen::Picker;
    ui.entry = model.catalogue.iter().position(|entry| entry.outcome.is_err()).unwrap();
    assert_eq!(update(&mut ui, &model, Action::Open), []);
    assert!(ui.notice.is_some() && ui.question.is_none());
    ui.entry = 0;
    assert_eq!(update(&mut ui, &model, Action::Open), []);
    assert_eq!(ui.question, Some(Question::Replace(0)));
    assert_eq!(update(&mut ui, &model, Action::Yes), [UiEffect::OpenNext(0)]);
    let (mut ui, model) = open(fixture::finished());
    ui.screen = Screen::Picker;
    assert_eq!(update(&mut ui, &model, Action::Open), [UiEffect::Open(0)]);
}

#[test]
fn a_frozen_picture_stays() {
    let (mut ui, mut model) = open(fixture::running());
    let _frozen = update(&mut ui, &model, Action::Freeze);
    model.session = Some(Arc::new(fixture::finished()));
    assert_eq!(ui.shown(&model).unwrap().phase, SessionPhase::Running);
    let _thawed = update(&mut ui, &model, Action::Freeze);
    assert_eq!(ui.shown(&model).unwrap().phase, SessionPhase::Finished);
}

#[test]
fn panes_go_through_the_arms() {
    let (mut ui, model) = open(fixture::three_arms());
    let _cycled = update(&mut ui, &model, Action::CycleArm);
    assert_eq!(ui.pair, [1, 2]);
    let _moved = update(&mut ui, &model, Action::NextPane);
    let _cycled = update(&mut ui, &model, Action::CycleArm);
    assert_eq!(ui.pair, [1, 0]);
}

#[test]
fn themes_go_round() {
    let (mut ui, model) = open(fixture::finished());
    for _ in 0..5 {
        let _changed = update(&mut ui, &model, Action::Theme);
    }
    assert_eq!(ui.theme, ThemeName::Auto);
}

#[test]
fn scrolling_ends_where_the_text_ends() {
    let (mut ui, model) = open(fixture::with_failures());
    ui.size = (40, 10);
    let _opened = update(&mut ui, &model, Action::Help);
    let _scrolled = update(&mut ui, &model, Action::Last);
    let help = ui.help.unwrap();
    assert!(help > 5, "{help}");
    let _back = update(&mut ui, &model, Action::Up);
    assert_eq!(ui.help, Some(help - 1));
    for action in [Action::Help, Action::Tasks, Action::Open, Action::Last] {
        let _effects = update(&mut ui, &model, action);
    }
    assert!((1..60).contains(&ui.tasks.scroll), "{}", ui.tasks.scroll);
    ui.size = (200, 60);
    let _scrolled = update(&mut ui, &model, Action::Last);
    assert_eq!(ui.tasks.scroll, 0);
}

#[test]
fn escape_in_the_picker_goes_back_to_the_open_workload() {
    let (mut ui, model) = open(fixture::finished());
    let _picker = update(&mut ui, &model, Action::Picker);
    let _preview = update(&mut ui, &model, Action::NextPane);
    assert_eq!((ui.screen, ui.picker_focus), (Screen::Picker, PickerFocus::Preview));
    let _list = update(&mut ui, &model, Action::Back);
    assert_eq!((ui.screen, ui.picker_focus), (Screen::Picker, PickerFocus::List));
    let _main = update(&mut ui, &model, Action::Back);
    assert_eq!(ui.screen, Screen::Main);
    let mut alone = UiState::default();
    let _nothing = update(&mut alone, &Model::default(), Action::Back);
    assert_eq!(alone.screen, Screen::Picker);
}

fn press(ui: &mut UiState, model: &Model, actions: &[Action]) {
    for action in actions {
        assert_eq!(update(ui, model, *action), [], "{action:?}");
    }
}

fn chosen(ui: &UiState) -> (u32, u64) {
    let failure = ui.tasks.chosen.as_deref().unwrap().failure();
    (failure.run.serial, failure.report.index)
}

#[test]
fn open_details_stay_whatever_fails_or_begins() {
    let (mut ui, mut model) = open(fixture::failures_of_three_runs());
    press(&mut ui, &model, &[Action::Tasks, Action::Down, Action::Open]);
    assert_eq!((ui.screen, chosen(&ui)), (Screen::Detail, (6, 17)));
    for failures in [1, 50] {
        let view = fixture::next_run(&fixture::failures_of_three_runs(), 1000, failures);
        model.session = Some(Arc::new(view));
        ui.settle(&model);
        let view = ui.shown(&model).unwrap();
        let shown = ui.tasks.opened_attempt(view).unwrap();
        assert_eq!((shown.run.serial, shown.report.index), (6, 17), "{failures}");
    }
    // All that was known is gone: another comparison began.
    model.session = Some(Arc::new(fixture::first_run()));
    ui.settle(&model);
    assert_eq!(chosen(&ui), (6, 17));
    assert!(ui.tasks.list(ui.shown(&model).unwrap()).gone);
    press(&mut ui, &model, &[Action::Main, Action::Tasks]);
    assert!(ui.tasks.chosen.is_none(), "who comes anew sees what there is");
}

#[test]
fn the_choice_in_the_list_stays_too_even_the_first_one() {
    let (mut ui, mut model) = open(fixture::failures_of_three_runs());
    press(&mut ui, &model, &[Action::Tasks]);
    assert_eq!(chosen(&ui), (6, 41));
    press(&mut ui, &model, &[Action::NextMatch, Action::NextMatch, Action::PreviousMatch]);
    assert_eq!(chosen(&ui), (6, 17));
    model.session = Some(Arc::new(fixture::next_run(&fixture::failures_of_three_runs(), 1000, 9)));
    ui.settle(&model);
    let list = ui.tasks.list(ui.shown(&model).unwrap());
    assert_eq!((chosen(&ui), list.place), ((6, 17), 9));
    press(&mut ui, &model, &[Action::Up]);
    assert_eq!(chosen(&ui), (8, 1000));
    // An empty list takes the first that comes.
    let (mut ui, mut model) = open(fixture::running());
    press(&mut ui, &model, &[Action::Tasks, Action::Down, Action::Open]);
    assert!(ui.tasks.chosen.is_none() && ui.screen == Screen::Tasks);
    model.session = Some(Arc::new(fixture::with_failures()));
    ui.settle(&model);
    assert_eq!(chosen(&ui).1, 41);
}

#[test]
fn an_attempt_that_is_known_no_longer_stays_open_until_something_else_is_chosen() {
    let (mut ui, mut model) = open(fixture::failures_of_three_runs());
    press(&mut ui, &model, &[Action::Tasks]);
    model.session = Some(Arc::new(fixture::next_run(&fixture::failures_of_three_runs(), 1000, 2)));
    ui.settle(&model);
    assert!(ui.tasks.list(ui.shown(&model).unwrap()).gone);
    press(&mut ui, &model, &[Action::Open]);
    assert_eq!((ui.screen, chosen(&ui)), (Screen::Detail, (6, 41)));
    press(&mut ui, &model, &[Action::NextMatch]);
    assert_eq!((ui.screen, chosen(&ui)), (Screen::Detail, (6, 17)), "the one that follows it");
    press(&mut ui, &model, &[Action::PreviousMatch]);
    assert_eq!(chosen(&ui), (8, 1000));
}

#[test]
fn typing_a_filter_triggers_no_key() {
    let (mut ui, model) = open(fixture::failures_of_three_runs());
    press(&mut ui, &model, &[Action::Tasks, Action::Filter]);
    assert_eq!(ui.context(), KeyContext::TYPE);
    for c in "status:q x1".chars() {
        let event = crossterm::event::KeyEvent::from(crossterm::event::KeyCode::Char(c));
        let action = crate::tui::keys::action(event, ui.context()).unwrap();
        assert_eq!(update(&mut ui, &model, action), [], "{c}");
    }
    assert_eq!((ui.screen, ui.tasks.filter.text()), (Screen::Tasks, "status:q x1"));
    press(&mut ui, &model, &[Action::EraseAll]);
    ui.paste("status:\x1b[31mfailed\r\n");
    assert_eq!(ui.tasks.filter.text(), "status:failed");
    assert_eq!(ui.tasks.list(ui.shown(&model).unwrap()).shown.len(), 5);
    press(&mut ui, &model, &[Action::Open, Action::Down, Action::Up]);
    assert_eq!((ui.context(), chosen(&ui)), (KeyContext::TASKS, (6, 17)), "kept, and moved in");
    ui.paste("no line takes it");
    press(&mut ui, &model, &[Action::Back]);
    assert_eq!((ui.screen, ui.tasks.filter.text()), (Screen::Tasks, ""));
    press(&mut ui, &model, &[Action::Filter, Action::Type('x'), Action::Back]);
    assert_eq!((ui.context(), ui.tasks.filter.text()), (KeyContext::TASKS, ""));
    press(&mut ui, &model, &[Action::Back]);
    assert_eq!(ui.screen, Screen::Main);
}

#[test]
fn the_picker_keeps_its_place_and_goes_back_to_where_it_was_opened() {
    let (mut ui, model) = open(fixture::failures_of_three_runs());
    press(&mut ui, &model, &[Action::Tasks, Action::Down, Action::Picker, Action::Down, Action::Down, Action::Back]);
    assert_eq!((ui.screen, chosen(&ui)), (Screen::Tasks, (6, 17)));
    press(&mut ui, &model, &[Action::Picker]);
    assert_eq!(ui.entry, 2);
    press(&mut ui, &model, &[Action::Back, Action::Open, Action::Picker, Action::Back]);
    assert_eq!((ui.screen, chosen(&ui)), (Screen::Detail, (6, 17)));
}

#[test]
fn tab_goes_through_all_panes_and_views_and_back() {
    let (mut ui, mut model) = open(fixture::running());
    model.past = fixture::past::with_comparison(&[]);
    ui.history.sides = [Some(fixture::past::A), Some(fixture::past::B)];
    let place = |ui: &UiState| (ui.screen, ui.pane());
    let mut seen = vec![place(&ui)];
    for _ in 0..7 {
        let _moved = update(&mut ui, &model, Action::NextPane);
        seen.push(place(&ui));
    }
    let views: Vec<Screen> = seen.iter().map(|(screen, _)| *screen).collect();
    use Screen::{History, Main, Tasks, Tune};
    assert_eq!(views, [Main, Main, Tasks, Tune, Tune, History, History, Main]);
    assert_eq!(seen[7], seen[0]);
    for before in seen[..7].iter().rev() {
        let _moved = update(&mut ui, &model, Action::PreviousPane);
        assert_eq!(place(&ui), *before);
    }
}

#[test]
fn escape_leads_out_of_the_history_step_by_step() {
    let (mut ui, mut model) = open(fixture::running());
    model.past = fixture::past::with_comparison(&[]);
    let _shown = update(&mut ui, &model, Action::History);
    ui.history.filter.insert("cpu");
    assert_eq!(update(&mut ui, &model, Action::WriteComparison), []);
    assert!(ui.notice.as_ref().is_some_and(|notice| notice.contains("a and b")));
    let (a, b) = (fixture::past::A, fixture::past::B);
    for action in [Action::SetA, Action::Down, Action::Down, Action::SetB] {
        let _effects = update(&mut ui, &model, action);
    }
    assert_eq!(update(&mut ui, &model, Action::WriteComparison), [UiEffect::WriteComparison(a, b)]);
    let _opened = update(&mut ui, &model, Action::Open);
    assert_eq!((ui.screen, ui.history.open), (Screen::Session, Some(11)));
    for (screen, filter) in [(Screen::History, "cpu"), (Screen::History, ""), (Screen::Main, "")] {
        let _back = update(&mut ui, &model, Action::Back);
        assert_eq!((ui.screen, ui.history.filter.text()), (screen, filter));
    }
    // What is typed is the filter's, and a run is stopped from here too.
    let _typed = [Action::History, Action::Filter, Action::Type('x')].map(|action| update(&mut ui, &model, action));
    ui.paste("yz\n");
    assert_eq!((ui.context(), ui.history.filter.text()), (KeyContext::TYPE, "xyz"));
    let _kept = update(&mut ui, &model, Action::Open);
    assert_eq!(update(&mut ui, &model, Action::Stop), [UiEffect::Send(SessionCommand::Stop)]);
}
