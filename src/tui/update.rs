//! How an action changes what the user has chosen. A reducer: no I/O, no clock, nothing drawn; what must be done outside
//! is returned as effects.

use crate::session::escalation::{Escalation, StopLevel};
use crate::session::view::{Change, Mode, SessionCommand, SessionPhase};
use crate::tui::DashboardEnd;
use crate::tui::arms;
use crate::tui::goal_line::Asks;
use crate::tui::history::choice::Done;
use crate::tui::keys::{Action, KeyContext};
use crate::tui::model::{self, Model};
use crate::tui::state::{Asked, PickerFocus, Question, Screen, UiEffect, UiState, shown};
use crate::tui::{look, take_over, tune};
use crate::workload::model::{FaultKind, OnTimeout, TaskClass};

impl UiState {
    /// Carries out an action. `last_scroll`: how far the page that keys scroll goes, which only who draws it knows.
    #[must_use]
    pub(crate) fn update(&mut self, model: &Model, action: Action, last_scroll: usize) -> Vec<UiEffect> {
        let effects = self.act(model, action, last_scroll);
        self.settle(model);
        effects
    }

    fn act(&mut self, model: &Model, action: Action, last_scroll: usize) -> Vec<UiEffect> {
        let typing = self.context() == KeyContext::TYPE;
        self.notice = None;
        self.stopping = false;
        if self.context().meets(KeyContext::HISTORY) || typing && self.screen == Screen::History {
            if typing && self.history.edit(action) {
                return Vec::new();
            }
            match self.history.act(&model.past, action) {
                Done::Not => {}
                Done::Yes => return Vec::new(),
                Done::Said(words) => return self.say(words),
            }
        } else if typing && self.tasks.edit(action) || self.tasks.act(action) {
            return Vec::new();
        }
        if self.context() == KeyContext::LINE
            && let Some(effects) = look::type_goal(self, model, action)
        {
            return effects;
        }
        match action {
            Action::Interrupt => return self.interrupt(model),
            Action::Suspend => return vec![UiEffect::Suspend],
            Action::Redraw => return vec![UiEffect::Redraw],
            Action::Save if model.session.is_some() => return vec![UiEffect::Save],
            Action::Save => return self.say("no workload is open"),
            Action::Theme => {
                self.theme = self.theme.next();
                self.notice = Some(format!("colours: {}", self.theme.word()));
            }
            Action::Help => self.help = if self.help.is_some() { None } else { Some(0) },
            Action::Quit => return self.quit(model),
            Action::Back => return self.back(model),
            Action::Yes => return self.answer(model),
            Action::No => self.question = None,
            Action::Main => self.screen = Screen::Main,
            Action::Tasks => self.show_tasks(model),
            Action::Tune => self.screen = Screen::Tune,
            Action::History => self.screen = Screen::History,
            Action::WriteComparison => return self.write_comparison(model),
            Action::Picker => {
                self.before_picker = self.screen;
                self.screen = Screen::Picker;
            }
            Action::Open => return self.open(model),
            Action::Down => self.step(model, 1, last_scroll),
            Action::Up => self.step(model, -1, last_scroll),
            Action::HalfDown => self.step(model, self.half(), last_scroll),
            Action::HalfUp => self.step(model, -self.half(), last_scroll),
            Action::First => self.step(model, isize::MIN / 2, last_scroll),
            Action::Last => self.step(model, isize::MAX / 2, last_scroll),
            Action::NextPane => self.next_pane(model),
            Action::PreviousPane => self.previous_pane(model),
            Action::CycleArm => self.cycle_arm(model),
            Action::Freeze => self.frozen = if self.frozen.is_some() { None } else { model.session.clone() },
            Action::Run => return self.run(model, Mode::Interleaved),
            Action::RunTogether => return self.run(model, Mode::Together),
            Action::Pause => return self.pause(model),
            Action::Stop => return self.stop(model),
            Action::MoreWorkers => return tune::change(self, model, Change::By(1)),
            Action::FewerWorkers => return tune::change(self, model, Change::By(-1)),
            Action::DoubleWorkers => return tune::change(self, model, Change::Double),
            Action::HalveWorkers => return tune::change(self, model, Change::Halve),
            Action::SameWorkers => return tune::same(self, model),
            Action::Sweep => return tune::sweep(self, model),
            Action::SweepFields => return look::ask(self, model, Asks::Sweep),
            Action::TuneFor => return look::ask(self, model, Asks::Goal),
            Action::SearchPage => look::page(self, model),
            Action::Baseline => return tune::baseline(self, model),
            Action::KillWorker => return self.kill_worker(model),
            Action::OnTimeout => return self.on_timeout(model),
            Action::Fault => return self.ask_for_fault(model),
            Action::Choose(number) => self.choose(|_| usize::from(number)),
            Action::NextMatch => self.step_attempt(model, 1),
            Action::PreviousMatch => self.step_attempt(model, -1),
            // They are the list's, which has had its turn.
            Action::Filter
            | Action::SortLeft
            | Action::SortRight
            | Action::Invert
            | Action::Type(_)
            | Action::Erase
            | Action::EraseNext
            | Action::EraseWord
            | Action::EraseAll
            | Action::Left
            | Action::Right
            | Action::SetA
            | Action::SetB
            | Action::Differences => {}
        }
        Vec::new()
    }

    fn half(&self) -> isize {
        isize::try_from(self.size.1 / 2).unwrap_or(1).max(1)
    }

    /// First stops, then kills, then leaves: a comparison that hangs must not hold the terminal.
    fn interrupt(&mut self, model: &Model) -> Vec<UiEffect> {
        self.question = None;
        if !model.session.as_deref().is_some_and(model::is_running) {
            return vec![UiEffect::Leave(DashboardEnd::INTERRUPTED)];
        }
        match self.asked.key() {
            StopLevel::Stop => {
                self.notice = Some("stopping; ^C again kills and leaves".to_owned());
                self.stopping = true;
                vec![UiEffect::Send(SessionCommand::Stop)]
            }
            StopLevel::Kill => {
                self.leaving = Some(DashboardEnd::INTERRUPTED);
                self.notice = Some("killing; ^C again leaves at once".to_owned());
                self.stopping = true;
                vec![UiEffect::Send(SessionCommand::Stop)]
            }
            StopLevel::Leave => vec![UiEffect::Leave(DashboardEnd::INTERRUPTED.at_once())],
        }
    }

    fn quit(&mut self, model: &Model) -> Vec<UiEffect> {
        if model.session.as_deref().is_some_and(model::is_running) {
            self.question = Some(Question::Quit);
            return Vec::new();
        }
        vec![UiEffect::Leave(DashboardEnd::QUIT)]
    }

    fn back(&mut self, model: &Model) -> Vec<UiEffect> {
        if self.help.take().is_some() {
            return Vec::new();
        }
        let let_go = self.screen == Screen::Main && (self.frozen.is_some() || self.worker.iter().any(Option::is_some));
        if let (Screen::Main | Screen::Tune, false) = (self.screen, let_go)
            && take_over::is_tuning(model)
        {
            return take_over::now(self, model);
        }
        match self.screen {
            Screen::Tune if self.search_page.is_some() => self.search_page = None,
            Screen::Detail => self.screen = Screen::Tasks,
            Screen::Tasks if self.tasks.back() => {}
            Screen::Session => self.screen = Screen::History,
            Screen::History if self.history.back() => {}
            Screen::History if model.session.is_none() => self.screen = Screen::Picker,
            Screen::Tasks | Screen::Tune | Screen::History => self.screen = Screen::Main,
            Screen::Main => {
                self.frozen = None;
                self.worker = [None; 2];
                self.kept = None;
            }
            Screen::Picker if self.picker_focus == PickerFocus::Preview => self.picker_focus = PickerFocus::List,
            Screen::Picker if model.session.is_some() => self.screen = self.before_picker,
            Screen::Picker => {}
        }
        Vec::new()
    }

    fn answer(&mut self, model: &Model) -> Vec<UiEffect> {
        match self.question.take() {
            Some(Question::Quit) => {
                self.leaving = Some(DashboardEnd::QUIT);
                self.asked.key();
                self.notice = Some("stopping, then leaving; ^C leaves sooner".to_owned());
                vec![UiEffect::Send(SessionCommand::Stop)]
            }
            Some(Question::Replace(entry)) => {
                self.notice = Some("stopping the comparison under way".to_owned());
                vec![UiEffect::OpenNext(entry)]
            }
            Some(Question::Commands(Asked::Look { .. } | Asked::LookInstead)) => {
                model.session.as_deref().map_or_else(Vec::new, |view| look::begin(self, view))
            }
            Some(Question::Commands(asked)) => tune::agreed(self, model, asked),
            Some(Question::Fault { arm, chosen }) => self.inject(model, arm, chosen),
            None => Vec::new(),
        }
    }

    fn open(&mut self, model: &Model) -> Vec<UiEffect> {
        match self.screen {
            Screen::Picker => match model.catalogue.get(self.entry) {
                Some(entry) if entry.outcome.is_err() => {
                    self.say("this file has errors; they are shown beside the list")
                }
                Some(_) if model.session.as_deref().is_some_and(model::is_running) => {
                    self.question = Some(Question::Replace(self.entry));
                    Vec::new()
                }
                Some(_) => vec![UiEffect::Open(self.entry)],
                None => self.say("there is no workload to run"),
            },
            Screen::Tasks => {
                if shown(self.frozen.as_ref(), model).is_some_and(|view| self.tasks.open(view)) {
                    self.screen = Screen::Detail;
                }
                Vec::new()
            }
            Screen::Main => tune::measure_changed(self, model),
            Screen::Tune if self.search_page.is_some() => {
                self.say("v shows the worker counts: Enter measures one again")
            }
            Screen::Tune => tune::measure(self, model),
            Screen::History => self.open_session(model),
            Screen::Detail | Screen::Session => Vec::new(),
        }
    }

    fn next_pane(&mut self, model: &Model) {
        if self.screen == Screen::Picker {
            self.picker_focus = match self.picker_focus {
                PickerFocus::List => PickerFocus::Preview,
                PickerFocus::Preview => PickerFocus::List,
            };
        } else if self.pane() + 1 < self.panes(model) {
            self.enter_pane(1);
        } else {
            self.enter_view(model, 1);
            self.enter_pane(0);
        }
    }

    fn previous_pane(&mut self, model: &Model) {
        if self.pane() > 0 {
            self.enter_pane(0);
        } else {
            self.enter_view(model, -1);
            self.enter_pane(self.panes(model) - 1);
        }
    }

    /// How many panes the view has that keys can act on.
    fn panes(&self, model: &Model) -> usize {
        let several = match self.screen {
            Screen::Main | Screen::Tune => model.session.as_ref().is_some_and(|view| view.arms.len() > 1),
            Screen::History => self.history.pair().is_some(),
            _ => false,
        };
        1 + usize::from(several)
    }

    fn pane(&self) -> usize {
        match self.screen {
            Screen::Main | Screen::Tune => self.focus.min(1),
            Screen::History => usize::from(self.history.on_comparison),
            _ => 0,
        }
    }

    fn enter_pane(&mut self, pane: usize) {
        match self.screen {
            Screen::Main | Screen::Tune => self.focus = pane,
            Screen::History => (self.history.on_comparison, self.history.scroll) = (pane > 0, 0),
            _ => {}
        }
    }

    /// The view after the one that is shown, or before it; behind the last comes the first.
    fn enter_view(&mut self, model: &Model, by: isize) {
        let views = Screen::VIEWS;
        // Without a workload there is nothing but what was measured before.
        if model.session.is_none() {
            return;
        }
        let at = views.iter().position(|view| *view == self.screen.view()).unwrap_or(0);
        let next = (at + views.len()).saturating_add_signed(by) % views.len();
        match views.get(next).copied() {
            Some(Screen::Tasks) => self.show_tasks(model),
            Some(view) => self.screen = view,
            None => {}
        }
    }

    fn open_session(&mut self, model: &Model) -> Vec<UiEffect> {
        let Some(line) = self.history.line(&model.past) else { return self.say("there is nothing to open") };
        (self.history.open, self.history.scroll) = (Some(line.id), 0);
        self.screen = Screen::Session;
        Vec::new()
    }

    fn write_comparison(&mut self, model: &Model) -> Vec<UiEffect> {
        match self.history.pair() {
            Some((a, b)) if model.past.failed.is_none() => vec![UiEffect::WriteComparison(a, b)],
            _ => self.say("a and b set the two lines whose comparison is written"),
        }
    }

    fn cycle_arm(&mut self, model: &Model) {
        let Some(view) = model.session.as_deref() else { return };
        let focus = self.focus.min(1);
        let [left, right] = self.pair;
        if view.arms.len() < 3 {
            self.notice = Some("all engines of this workload are on screen".to_owned());
            return;
        }
        let pair =
            if focus == 0 { [arms::next(view, left, right), right] } else { [left, arms::next(view, right, left)] };
        self.show(pair);
        // The other pane follows what runs.
        self.kept = Some(focus);
    }

    fn step(&mut self, model: &Model, by: isize, last_scroll: usize) {
        let moved = |from: usize, last: usize| from.saturating_add_signed(by).min(last);
        if self.question.is_some() {
            return self.choose(|from| from.saturating_add_signed(by));
        }
        if let Some(scroll) = self.help {
            self.help = Some(moved(scroll, last_scroll));
            return;
        }
        match self.screen {
            Screen::Picker if self.picker_focus == PickerFocus::Preview => {
                self.preview_scroll = moved(self.preview_scroll, last_scroll);
            }
            Screen::Picker => {
                self.entry = moved(self.entry, model.catalogue.len().saturating_sub(1));
                self.preview_scroll = 0;
            }
            Screen::Main => self.step_worker(model, by),
            Screen::Tune => match &mut self.search_page {
                Some(scroll) => *scroll = moved(*scroll, last_scroll),
                None => tune::step(self, model, by),
            },
            Screen::Tasks => self.step_attempt(model, by),
            Screen::Detail => self.tasks.scroll = moved(self.tasks.scroll, last_scroll),
            Screen::History if !self.history.on_comparison => self.history.step(&model.past, by),
            Screen::History | Screen::Session => self.history.scroll = moved(self.history.scroll, last_scroll),
        }
    }

    fn show_tasks(&mut self, model: &Model) {
        let elsewhere = !matches!(self.screen, Screen::Tasks | Screen::Detail);
        if let Some(view) = shown(self.frozen.as_ref(), model).filter(|_| elsewhere) {
            self.tasks.enter(view);
        }
        self.screen = Screen::Tasks;
    }

    fn step_attempt(&mut self, model: &Model, by: isize) {
        if let Some(view) = shown(self.frozen.as_ref(), model) {
            self.tasks.step(view, by);
        }
    }

    fn step_worker(&mut self, model: &Model, by: isize) {
        let Some(view) = self.shown(model) else { return };
        let focus = self.focus.min(1);
        let workers =
            model::panes(view, self.pair).get(focus).and_then(|pane| pane.frame).map_or(0, |f| f.workers.len());
        if let Some(worker) = self.worker.get_mut(focus) {
            *worker = match *worker {
                _ if workers == 0 => None,
                None => Some(0_usize.saturating_add_signed(by.max(1) - 1).min(workers - 1)),
                Some(line) => Some(line.saturating_add_signed(by).min(workers - 1)),
            };
        }
    }

    fn run(&mut self, model: &Model, mode: Mode) -> Vec<UiEffect> {
        let Some(view) = model.session.as_deref() else { return self.say("no workload is open") };
        if model::is_running(view) {
            return self.say("already running: x stops it, then r runs it again");
        }
        if mode == Mode::Together && view.arms.len() < 2 {
            return self.say("there is no other engine to run at the same time: r runs this one");
        }
        // What changes the world is not done again by one key.
        if view.phase.is_over() && tune::changes_the_world(&view.workload) {
            self.question =
                Some(Question::Commands(Asked::RunAgain { mode, all: tune::tasks_of_all_runs(view, mode) }));
            return Vec::new();
        }
        self.begin(mode)
    }

    /// Runs everything, whatever was asked before.
    pub(super) fn begin(&mut self, mode: Mode) -> Vec<UiEffect> {
        self.frozen = None;
        self.asked = Escalation::default();
        self.screen = Screen::Main;
        vec![UiEffect::Send(SessionCommand::Run(mode))]
    }

    fn pause(&mut self, model: &Model) -> Vec<UiEffect> {
        if let Some(name) = self.cannot_pause(model) {
            return self.say(&format!("{name} cannot pause"));
        }
        match model.session.as_deref().map(|view| &view.phase) {
            Some(SessionPhase::Running | SessionPhase::Paused) => vec![UiEffect::Send(SessionCommand::TogglePause)],
            _ => self.say("nothing is running"),
        }
    }

    /// The arm that runs and cannot pause.
    fn cannot_pause(&self, model: &Model) -> Option<String> {
        let mut live = model.session.as_deref()?.arms.iter().filter(|arm| arm.live);
        live.find(|arm| !arm.capabilities.pause).map(model::name)
    }

    fn stop(&mut self, model: &Model) -> Vec<UiEffect> {
        if !model.session.as_deref().is_some_and(model::is_running) {
            return self.say("nothing is running");
        }
        self.asked.key();
        let words = if take_over::is_tuning(model) { take_over::words(model) } else { "stopping".to_owned() };
        self.notice = Some(format!("{words}; x again kills"));
        self.stopping = true;
        vec![UiEffect::Send(SessionCommand::Stop)]
    }

    /// Asks what is to go wrong in the arm that runs: that of the chosen pane, where several do.
    fn ask_for_fault(&mut self, model: &Model) -> Vec<UiEffect> {
        let Some(view) = model.session.as_deref() else { return self.say("no workload is open") };
        let Some((arm, of)) = arms::live(view, self.pair.get(self.focus).copied()) else {
            return self.say("nothing runs: r, then F");
        };
        if !of.capabilities.inject_fault {
            return self.say(&format!("faults cannot be injected into the tasks of {}", model::name(of)));
        }
        self.question = Some(Question::Fault { arm, chosen: 0 });
        Vec::new()
    }

    /// Moves to an answer of a question that has several.
    fn choose(&mut self, place: impl FnOnce(usize) -> usize) {
        if let Some(Question::Fault { chosen, .. }) = &mut self.question {
            *chosen = place(*chosen).min(FaultKind::ON_REQUEST.len() - 1);
        }
    }

    /// The run that was asked about may be over by now: nothing is kept for another one.
    fn inject(&mut self, model: &Model, arm: usize, chosen: usize) -> Vec<UiEffect> {
        let of = model.session.as_deref().and_then(|view| view.arms.get(arm));
        let (Some(of), Some(kind)) = (of, FaultKind::ON_REQUEST.get(chosen).copied()) else { return Vec::new() };
        let label = model::label(of);
        if !of.live {
            return self.say(&format!("the run of {label} is over: nothing was asked for"));
        }
        let words = format!("{label}: {} in the next task; this run does not count any more", kind.word());
        self.notice = Some(words);
        vec![UiEffect::Send(SessionCommand::InjectFault { arm, kind })]
    }

    /// The chosen worker of the chosen pane's arm, or a busy one. What comes of it, be it a wait, has its own line.
    fn kill_worker(&mut self, model: &Model) -> Vec<UiEffect> {
        let Some(view) = model.session.as_deref() else { return self.say("no workload is open") };
        let Some(arm) = self.pair.get(self.focus).copied().filter(|arm| *arm < view.arms.len()) else {
            return Vec::new();
        };
        if let Some(of) = view.arms.get(arm).filter(|of| !of.capabilities.kill_worker) {
            return self.say(&format!("{} cannot kill one of its workers", model::name(of)));
        }
        if !model::is_running(view) && !view.kills.waiting.contains(&arm) {
            return self.say("nothing runs: r, then K");
        }
        let pane = model::panes(self.shown(model).unwrap_or(view), self.pair).into_iter().nth(self.focus);
        let row = self.worker.get(self.focus).copied().flatten().and_then(|line| pane?.frame?.workers.get(line));
        vec![UiEffect::Send(SessionCommand::KillWorker { arm, slot: row.map(|row| row.slot) })]
    }

    /// The other of kill and abandon, for the live run of the chosen pane's arm, or of another one if that runs alone.
    fn on_timeout(&mut self, model: &Model) -> Vec<UiEffect> {
        let Some(view) = model.session.as_deref() else { return self.say("no workload is open") };
        let Some((arm, of)) = arms::live(view, self.pair.get(self.focus).copied()) else {
            return self.say("nothing runs: r, then A");
        };
        let label = model::label(of);
        if !of.capabilities.on_timeout {
            return self.say(&format!("{label} cannot change what happens at a timeout"));
        }
        if !view.workload.classes.iter().any(TaskClass::has_limit) {
            return self.say("no task of this workload has a timeout: there is nothing to change");
        }
        let then = model::next_on_timeout(of);
        let before = of.on_timeout.map_or("as the file says", OnTimeout::word);
        self.notice = Some(format!(
            "{label}, at a timeout: {}, until now {before}; in this run, which does not count any more",
            then.word()
        ));
        vec![UiEffect::Send(SessionCommand::OnTimeout { arm, then })]
    }
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
