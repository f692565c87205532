//! Tuning and sweeps by key: what is typed, and what is asked first. No I/O, no clock.

use crate::analysis::tuning::{MORE, RUNS};
use crate::session::view::{SessionCommand, SessionView, Sweep, SweepCounts};
use crate::tui::goal_line::{Asks, GoalLine, Look};
use crate::tui::keys::Action;
use crate::tui::model::{self, Model};
use crate::tui::search::Wanted;
use crate::tui::state::{Asked, Question, Screen, UiEffect, UiState};
use crate::tui::tune;

/// `f` and `S`: opens the line.
pub(super) fn ask(ui: &mut UiState, model: &Model, asks: Asks) -> Vec<UiEffect> {
    let Some((_, view, arm)) = tune::chosen(ui, model) else { return tune::none(ui) };
    if model.searching().is_some() {
        return tune::busy(ui);
    }
    if model::is_running(view) && asks_first(view) {
        return tune::busy(ui);
    }
    ui.frozen = None;
    ui.screen = Screen::Tune;
    let last = ui.last_goals.get(place(asks)).and_then(Option::as_deref);
    ui.goal = Some(GoalLine::new(asks, view, arm, last));
    Vec::new()
}

fn place(asks: Asks) -> usize {
    usize::from(asks == Asks::Sweep)
}

/// Whether runs are not the dashboard's to make more of.
fn asks_first(view: &SessionView) -> bool {
    !view.measures_by_itself || tune::changes_the_world(&view.workload)
}

/// An action while the line is open; `None` for one that has nothing to do with it.
pub(super) fn type_goal(ui: &mut UiState, model: &Model, action: Action) -> Option<Vec<UiEffect>> {
    let line = ui.goal.as_mut()?;
    match action {
        Action::Up => line.step(-1),
        Action::Down => line.step(1),
        Action::Back => ui.goal = None,
        Action::Open => match line.read().and_then(|look| judged(model, look)) {
            Ok(look) => {
                let (asks, text) = (line.asks, line.line.text().trim().to_owned());
                if let Some(last) = ui.last_goals.get_mut(place(asks)) {
                    *last = Some(text);
                }
                ui.goal = None;
                return Some(wanted(ui, model, look));
            }
            Err(wrong) => line.wrong = Some(wrong),
        },
        _ if line.edit(action) => {}
        _ => return None,
    }
    Some(Vec::new())
}

/// Refuses a limit that runs of so few tasks cannot tell about.
fn judged(model: &Model, look: Look) -> Result<Look, String> {
    let tasks = model.session.as_deref().map_or(0, tune::tasks);
    match &look {
        Look::Here(SweepCounts::For(target)) => target.needs_more(tasks).map_or(Ok(look), Err),
        _ => Ok(look),
    }
}

/// Begins to look, or asks first.
pub(super) fn wanted(ui: &mut UiState, model: &Model, look: Look) -> Vec<UiEffect> {
    let Some((_, view, _)) = tune::chosen(ui, model) else { return tune::none(ui) };
    if matches!(look, Look::Here(_)) && tune::on_screen(ui, view).next().is_none() {
        return ui.say("the engines on screen have one worker: there is no count to look for");
    }
    if let (Look::Beside(_), Some(changed)) = (&look, tune::pending(view).filter(|_| view.measures_by_itself)) {
        return ui.say(&format!("first, {changed}"));
    }
    let each = match &look {
        Look::Here(_) => Some(tune::tasks(view) * u64::from(RUNS * MORE)),
        Look::Beside(Wanted::Sweep(_)) => Some(tune::tasks(view) * u64::from(RUNS)),
        Look::Beside(Wanted::Edge(_)) => None,
    };
    ui.look = Some(look);
    let asked = match (model::is_running(view), asks_first(view)) {
        (true, true) => return tune::busy(ui),
        (true, false) => Asked::LookInstead,
        (false, true) => Asked::Look { each },
        (false, false) => return begin(ui, view),
    };
    ui.question = Some(Question::Commands(asked));
    Vec::new()
}

/// Begins with what was typed last.
pub(super) fn begin(ui: &mut UiState, view: &SessionView) -> Vec<UiEffect> {
    let Some(look) = ui.look.take() else { return Vec::new() };
    ui.frozen = None;
    ui.count = [None; 2];
    match look {
        Look::Here(counts) => {
            ui.search_page = None;
            let arms: Vec<usize> = tune::on_screen(ui, view).collect();
            let most = |arm: &usize| view.arms.get(*arm).map_or(1, |arm| arm.most_workers);
            let counts = match counts {
                SweepCounts::Given(given) => {
                    let most = arms.iter().map(most).min().unwrap_or(1);
                    let mut kept: Vec<u32> = given.iter().map(|count| (*count).min(most)).collect();
                    kept.dedup();
                    if kept != given {
                        ui.notice = Some(format!("no more than {most} workers make sense here: not tried"));
                    }
                    SweepCounts::Given(kept)
                }
                other => other,
            };
            if let SweepCounts::For(target) = counts {
                ui.notice = Some(format!("looking for {target}: Esc, x or a key of worker counts takes over"));
            }
            let show_best = view.measures_by_itself;
            let sweep = Sweep { arms, counts, groups: Vec::new(), runs: RUNS, show_best };
            vec![UiEffect::Send(SessionCommand::Sweep(sweep))]
        }
        Look::Beside(wanted) => beside(ui, wanted),
    }
}

/// A search in sessions of its own.
fn beside(ui: &mut UiState, wanted: Wanted) -> Vec<UiEffect> {
    ui.search_page = Some(0);
    let arm = ui.pair.get(ui.focus).copied().unwrap_or(0);
    vec![UiEffect::Search(wanted, arm)]
}

/// `v`: the page of the last search, or the worker counts.
pub(super) fn page(ui: &mut UiState, model: &Model) {
    match (&model.search, ui.search_page) {
        (None, _) => ui.notice = Some("nothing was searched for: f or S".to_owned()),
        (Some(_), None) => ui.search_page = Some(0),
        (Some(_), Some(_)) => ui.search_page = None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::analysis::tuning::goal::Goal;
    use crate::analysis::tuning::target::Target;
    use crate::session::view::{Change, RunPosition, SessionPhase};
    use crate::tui::fixture;
    use crate::tui::keys::KeyContext;
    use crate::tui::search::{State, Story};

    fn open(view: SessionView) -> (UiState, Model) {
        let mut ui = UiState::default();
        ui.opened(&view);
        (ui, Model { session: Some(Arc::new(view)), ..Model::default() })
    }

    fn press(ui: &mut UiState, model: &Model, actions: &[Action]) -> Vec<UiEffect> {
        actions.iter().flat_map(|action| ui.update(model, *action, 0)).collect()
    }

    fn typed(ui: &mut UiState, model: &Model, text: &str) -> Vec<UiEffect> {
        let mut actions = vec![Action::EraseAll];
        actions.extend(text.chars().map(Action::Type));
        actions.push(Action::Open);
        press(ui, model, &actions)
    }

    fn sweep(counts: SweepCounts, show_best: bool) -> UiEffect {
        let sweep = Sweep { arms: vec![0, 1], counts, groups: Vec::new(), runs: RUNS, show_best };
        UiEffect::Send(SessionCommand::Sweep(sweep))
    }

    /// The same with runs of 20 tasks.
    fn few_tasks(model: &Model) -> Model {
        let mut view = SessionView::clone(model.session.as_deref().unwrap());
        for arm in &mut view.arms {
            for frame in &mut Arc::make_mut(&mut arm.track).frames {
                Arc::make_mut(frame).total = 20;
            }
        }
        Model { session: Some(Arc::new(view)), ..Model::default() }
    }

    fn latency() -> Target {
        "p99<40ms".parse().unwrap()
    }

    #[test]
    fn a_target_is_typed_and_looked_for_on_the_arms_that_are_shown() {
        let (mut ui, model) = open(fixture::tuned());
        assert_eq!(press(&mut ui, &model, &[Action::TuneFor]), []);
        assert_eq!((ui.context(), ui.screen), (KeyContext::LINE, Screen::Tune));
        // The first offer is the highest rate.
        assert_eq!(press(&mut ui, &model, &[Action::Open]), [sweep(SweepCounts::For(Target::Throughput), true)]);
        let _line = press(&mut ui, &model, &[Action::TuneFor]);
        assert_eq!(typed(&mut ui, &model, "p99<40"), [], "a limit has a unit");
        assert!(ui.goal.as_ref().is_some_and(|line| line.wrong.is_some()), "the line stays, with what is wrong");
        assert_eq!(typed(&mut ui, &few_tasks(&model), "p99<40ms"), [], "20 tasks have no p99");
        let wrong = ui.goal.as_ref().and_then(|line| line.wrong.clone()).unwrap_or_default();
        assert!(wrong.contains("20 tasks a run are too few, it takes 200"), "{wrong}");
        assert_eq!(typed(&mut ui, &model, "p99<40ms"), [sweep(SweepCounts::For(latency()), true)]);
        assert_eq!(ui.goal, None);
        let _line = press(&mut ui, &model, &[Action::TuneFor]);
        assert_eq!(ui.goal.as_ref().map(|line| line.line.text()), Some("p99<40ms"), "what was typed last is offered");
        assert_eq!(press(&mut ui, &model, &[Action::Back]), []);
        assert_eq!(ui.goal, None);
    }

    #[test]
    fn edges_and_settings_are_looked_for_beside_and_counts_here() {
        let (mut ui, model) = open(fixture::tuned());
        let _line = press(&mut ui, &model, &[Action::NextPane, Action::TuneFor]);
        assert_eq!(typed(&mut ui, &model, "knee"), [UiEffect::Search(Wanted::Edge(Goal::Knee), 1)]);
        assert_eq!(ui.search_page, Some(0));
        let _line = press(&mut ui, &model, &[Action::SweepFields]);
        let found = typed(&mut ui, &model, "chunksize=1,4 workers=1,2");
        let [UiEffect::Search(Wanted::Sweep(fields), 1)] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(fields.len(), 2);
        let _line = press(&mut ui, &model, &[Action::SweepFields]);
        assert_eq!(typed(&mut ui, &model, "workers=1,2,9999"), [sweep(SweepCounts::Given(vec![1, 2, 4096]), true)]);
        assert!(ui.notice.as_ref().is_some_and(|notice| notice.contains("4096")));
    }

    #[test]
    fn what_runs_is_stopped_only_when_asked_and_commands_are_run_again_only_then() {
        let (mut ui, model) = open(fixture::running());
        let _line = press(&mut ui, &model, &[Action::TuneFor]);
        assert_eq!(typed(&mut ui, &model, "break-even"), []);
        assert_eq!(ui.question, Some(Question::Commands(Asked::LookInstead)));
        assert_eq!(press(&mut ui, &model, &[Action::Yes]), [UiEffect::Search(Wanted::Edge(Goal::BreakEven), 0)]);
        let mut view = fixture::tuned();
        view.measures_by_itself = false;
        for (asks, text, each) in [
            (Action::TuneFor, "throughput", Some(9000)),
            (Action::TuneFor, "knee", None),
            (Action::SweepFields, "rate=1/s,2/s", Some(3000)),
        ] {
            let (mut ui, model) = open(view.clone());
            let _line = press(&mut ui, &model, &[asks]);
            assert_eq!(typed(&mut ui, &model, text), [], "{text}");
            assert_eq!(ui.question, Some(Question::Commands(Asked::Look { each })), "{text}");
            assert_eq!(press(&mut ui, &model, &[Action::No]), []);
            let _line = press(&mut ui, &model, &[asks]);
            let _asked = typed(&mut ui, &model, text);
            assert_eq!(press(&mut ui, &model, &[Action::Yes]).len(), 1, "{text}");
        }
        let mut view = fixture::running();
        view.measures_by_itself = false;
        let (mut ui, model) = open(view);
        assert_eq!(press(&mut ui, &model, &[Action::TuneFor]), []);
        assert!(ui.goal.is_none() && ui.notice.is_some(), "somebody's commands are not stopped for it");
    }

    #[test]
    fn the_user_takes_over_with_any_key_of_worker_counts_and_with_escape() {
        let stop = || UiEffect::Send(SessionCommand::Stop);
        let change = |change| UiEffect::Send(SessionCommand::ChangeWorkers { arm: 0, change });
        let mut view = fixture::running();
        view.position = RunPosition::Sweep { arm: 0, workers: 4, run: 1, runs: 3 };
        view.target = Some(latency());
        let keys = [
            (Action::MoreWorkers, Some(change(Change::By(1)))),
            (Action::HalveWorkers, Some(change(Change::Halve))),
            (Action::SameWorkers, Some(UiEffect::Send(SessionCommand::SameWorkers(0)))),
            (Action::Back, None),
            (Action::Stop, None),
        ];
        for (key, own) in keys.clone() {
            let (mut ui, model) = open(view.clone());
            ui.screen = Screen::Tune;
            let wanted: Vec<UiEffect> = std::iter::once(stop()).chain(own).collect();
            assert_eq!(press(&mut ui, &model, &[key]), wanted, "{key:?}");
            assert!(ui.notice.as_ref().is_some_and(|notice| notice.contains("take over: p99<40ms")), "{:?}", ui.notice);
        }
        // What is stopping already is not killed.
        let (mut ui, mut model) = open(SessionView { phase: SessionPhase::Stopping, ..view.clone() });
        assert_eq!(press(&mut ui, &model, &[Action::MoreWorkers]), [change(Change::By(1))]);
        // A search has other arms: a key ends it and changes nothing else.
        view.target = None;
        view.position = fixture::running().position;
        model.session = Some(Arc::new(view));
        model.search = Some(Arc::new(Story::new(Wanted::Edge(Goal::Knee))));
        for (key, _) in keys {
            let (mut ui, _) = open(fixture::running());
            assert_eq!(press(&mut ui, &model, &[key]), [stop()], "{key:?}");
            assert!(ui.notice.as_ref().is_some_and(|notice| notice.contains("take over: knee")), "{:?}", ui.notice);
        }
        for key in [Action::Sweep, Action::Baseline, Action::TuneFor] {
            let (mut ui, _) = open(fixture::running());
            assert_eq!(press(&mut ui, &model, &[key]), [], "{key:?}");
            assert!(ui.notice.is_some() && ui.goal.is_none(), "one thing at a time");
        }
    }

    #[test]
    fn a_sweep_is_taken_over_by_worker_keys_and_escape_only_leaves_its_view() {
        let mut view = fixture::running();
        view.position = RunPosition::Sweep { arm: 0, workers: 4, run: 1, runs: 3 };
        let (mut ui, model) = open(view);
        ui.screen = Screen::Tune;
        assert_eq!(press(&mut ui, &model, &[Action::Back]), []);
        assert_eq!(ui.screen, Screen::Main);
        assert_eq!(press(&mut ui, &model, &[Action::FewerWorkers]).len(), 2);
    }

    #[test]
    fn the_page_of_a_search_is_put_away_and_shown_again() {
        let (mut ui, mut model) = open(fixture::tuned());
        ui.screen = Screen::Tune;
        let _none = press(&mut ui, &model, &[Action::SearchPage]);
        assert_eq!(ui.search_page, None);
        let story = Story { state: State::Refused, ..Story::new(Wanted::Edge(Goal::Knee)) };
        model.search = Some(Arc::new(story));
        let _shown = press(&mut ui, &model, &[Action::SearchPage]);
        assert_eq!(ui.search_page, Some(0));
        let _back = press(&mut ui, &model, &[Action::Back]);
        assert_eq!((ui.search_page, ui.screen), (None, Screen::Tune));
    }
}
