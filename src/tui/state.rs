//! What the user has chosen, and how an action changes it. A reducer: no I/O, no clock; what must be done outside is
//! returned as effects.

use std::sync::Arc;

use crate::session::escalation::{Escalation, Level};
use crate::session::view::{Change, Mode, SessionCommand, SessionPhase, SessionView};
use crate::tui::Ended;
use crate::tui::draw;
use crate::tui::keys::{Action, Context};
use crate::tui::model::{self, AttemptKey, Model};
use crate::tui::theme::ThemeName;

/// Which screen is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Screen {
    /// Workload picker.
    #[default]
    Picker,
    /// The comparison.
    Main,
    /// The unsuccessful attempts.
    Tasks,
    /// One of them.
    Detail,
}

/// A question in front of everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Leave although a comparison is under way?
    Quit,
    /// Stop the comparison under way and open this entry of the catalogue?
    Replace(usize),
}

/// Which part of the picker keys act on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PickerFocus {
    /// The list.
    #[default]
    List,
    /// The text beside it.
    Preview,
}

/// What the user has chosen.
#[derive(Clone, Debug, Default)]
pub struct UiState {
    /// Which screen is shown.
    pub screen: Screen,
    /// Whether help lies over it, and how far it is scrolled.
    pub help: Option<usize>,
    /// A question in front of everything else.
    pub question: Option<Question>,
    /// The pane that keys act on: 0 left, 1 right.
    pub focus: usize,
    /// The arms in the panes.
    pub pair: [usize; 2],
    /// The chosen line of each pane's worker table.
    pub worker: [Option<usize>; 2],
    /// The chosen line of the picker.
    pub entry: usize,
    /// Which part of the picker keys act on.
    pub picker_focus: PickerFocus,
    /// How far the text beside the list is scrolled.
    pub preview_scroll: usize,
    /// The chosen attempt; `None` is the newest.
    pub attempt: Option<AttemptKey>,
    /// How far its details are scrolled.
    pub detail_scroll: usize,
    /// Colours.
    pub theme: ThemeName,
    /// The picture that is kept, if it is frozen.
    pub frozen: Option<Arc<SessionView>>,
    /// An answer to the last key, until the next one or until it has been there long enough.
    pub notice: Option<String>,
    /// Whether that answer is about a stop: it stays while something runs, and is true no longer when nothing does.
    pub stopping: bool,
    /// Columns and lines of the screen.
    pub size: (u16, u16),
    /// How the program ends as soon as the session has, if it is to.
    pub leaving: Option<Ended>,
    /// How hard the user has asked the running comparison to end.
    pub asked: Escalation,
}

/// What must be done outside the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Tell the session.
    Send(SessionCommand),
    /// Open an entry of the catalogue and run it.
    Open(usize),
    /// Stop the session, and when it has ended open an entry of the catalogue and run it.
    OpenNext(usize),
    /// Leave now.
    Leave(Ended),
    /// Stop everything until the shell continues it.
    Suspend,
    /// Draw every cell again.
    Redraw,
}

impl UiState {
    /// Where keys are pressed.
    #[must_use]
    pub fn context(&self) -> Context {
        match (self.question, self.help, self.screen) {
            (Some(_), _, _) => Context::ASK,
            (None, Some(_), _) => Context::HELP,
            (None, None, Screen::Picker) => Context::PICKER,
            (None, None, Screen::Main) => Context::MAIN,
            (None, None, Screen::Tasks) => Context::TASKS,
            (None, None, Screen::Detail) => Context::DETAIL,
        }
    }

    /// The view that is drawn: the frozen one, or the newest.
    #[must_use]
    pub fn shown<'a>(&'a self, model: &'a Model) -> Option<&'a SessionView> {
        self.frozen.as_deref().or(model.session.as_deref())
    }

    /// A session was opened: everything that belonged to the one before is forgotten.
    pub fn opened(&mut self, view: &SessionView) {
        self.screen = Screen::Main;
        self.help = None;
        self.question = None;
        self.focus = 0;
        self.pair = model::first_pair(view);
        self.worker = [None; 2];
        self.attempt = None;
        self.detail_scroll = 0;
        self.frozen = None;
        self.asked = Escalation::default();
    }

    /// Carries out an action.
    #[must_use]
    pub fn update(&mut self, model: &Model, action: Action) -> Vec<Effect> {
        self.notice = None;
        self.stopping = false;
        match action {
            Action::Interrupt => return self.interrupt(model),
            Action::Suspend => return vec![Effect::Suspend],
            Action::Redraw => return vec![Effect::Redraw],
            Action::Theme => {
                self.theme = self.theme.next();
                self.notice = Some(format!("colours: {}", self.theme.word()));
            }
            Action::Help => self.help = if self.help.is_some() { None } else { Some(0) },
            Action::Quit => return self.quit(model),
            Action::Back => self.back(model),
            Action::Yes => return self.answer(),
            Action::No => self.question = None,
            Action::Main => self.screen = Screen::Main,
            Action::Tasks => self.screen = Screen::Tasks,
            Action::Picker => self.screen = Screen::Picker,
            Action::Open => return self.open(model),
            Action::Down => self.step(model, 1),
            Action::Up => self.step(model, -1),
            Action::HalfDown => self.step(model, self.half()),
            Action::HalfUp => self.step(model, -self.half()),
            Action::First => self.step(model, isize::MIN / 2),
            Action::Last => self.step(model, isize::MAX / 2),
            Action::NextPane => self.next_pane(model),
            Action::CycleArm => self.cycle_arm(model),
            Action::Freeze => self.frozen = if self.frozen.is_some() { None } else { model.session.clone() },
            Action::Run => return self.run(model, Mode::Interleaved),
            Action::RunTogether => return self.run(model, Mode::Together),
            Action::Pause => return self.pause(model),
            Action::Stop => return self.stop(model),
            Action::MoreWorkers => return self.change_workers(model, 1),
            Action::FewerWorkers => return self.change_workers(model, -1),
            Action::KillWorker => return self.kill_worker(model),
        }
        Vec::new()
    }

    fn say(&mut self, text: &str) -> Vec<Effect> {
        self.notice = Some(text.to_owned());
        Vec::new()
    }

    fn half(&self) -> isize {
        isize::try_from(self.size.1 / 2).unwrap_or(1).max(1)
    }

    /// First stops, then kills, then leaves: a comparison that hangs must not hold the terminal.
    fn interrupt(&mut self, model: &Model) -> Vec<Effect> {
        self.question = None;
        if !model.session.as_deref().is_some_and(model::is_running) {
            return vec![Effect::Leave(Ended::INTERRUPTED)];
        }
        match self.asked.key() {
            Level::Stop => {
                self.notice = Some("stopping; ^C again kills and leaves".to_owned());
                self.stopping = true;
                vec![Effect::Send(SessionCommand::Stop)]
            }
            Level::Kill => {
                self.leaving = Some(Ended::INTERRUPTED);
                self.notice = Some("killing; ^C again leaves at once".to_owned());
                self.stopping = true;
                vec![Effect::Send(SessionCommand::Stop)]
            }
            Level::Leave => vec![Effect::Leave(Ended::INTERRUPTED.at_once())],
        }
    }

    fn quit(&mut self, model: &Model) -> Vec<Effect> {
        if model.session.as_deref().is_some_and(model::is_running) {
            self.question = Some(Question::Quit);
            return Vec::new();
        }
        vec![Effect::Leave(Ended::QUIT)]
    }

    fn back(&mut self, model: &Model) {
        if self.help.take().is_some() {
            return;
        }
        match self.screen {
            Screen::Detail => self.screen = Screen::Tasks,
            Screen::Tasks => self.screen = Screen::Main,
            Screen::Main => {
                self.frozen = None;
                self.worker = [None; 2];
            }
            Screen::Picker if self.picker_focus == PickerFocus::Preview => self.picker_focus = PickerFocus::List,
            Screen::Picker if model.session.is_some() => self.screen = Screen::Main,
            Screen::Picker => {}
        }
    }

    fn answer(&mut self) -> Vec<Effect> {
        match self.question.take() {
            Some(Question::Quit) => {
                self.leaving = Some(Ended::QUIT);
                self.asked.key();
                self.notice = Some("stopping, then leaving; ^C leaves sooner".to_owned());
                vec![Effect::Send(SessionCommand::Stop)]
            }
            Some(Question::Replace(entry)) => {
                self.notice = Some("stopping the comparison under way".to_owned());
                vec![Effect::OpenNext(entry)]
            }
            None => Vec::new(),
        }
    }

    fn open(&mut self, model: &Model) -> Vec<Effect> {
        match self.screen {
            Screen::Picker => match model.catalogue.get(self.entry) {
                Some(entry) if entry.outcome.is_err() => {
                    self.say("this file has errors; they are shown beside the list")
                }
                Some(_) if model.session.as_deref().is_some_and(model::is_running) => {
                    self.question = Some(Question::Replace(self.entry));
                    Vec::new()
                }
                Some(_) => vec![Effect::Open(self.entry)],
                None => self.say("there is no workload to run"),
            },
            Screen::Tasks => {
                self.detail_scroll = 0;
                if self.shown(model).is_some_and(|view| !model::failures(view).is_empty()) {
                    self.screen = Screen::Detail;
                }
                Vec::new()
            }
            Screen::Main | Screen::Detail => Vec::new(),
        }
    }

    fn next_pane(&mut self, model: &Model) {
        if self.screen == Screen::Picker {
            self.picker_focus = match self.picker_focus {
                PickerFocus::List => PickerFocus::Preview,
                PickerFocus::Preview => PickerFocus::List,
            };
        } else if model.session.as_ref().is_some_and(|view| view.arms.len() > 1) {
            self.focus = 1 - self.focus.min(1);
        }
    }

    fn cycle_arm(&mut self, model: &Model) {
        let Some(view) = model.session.as_deref() else { return };
        let focus = self.focus.min(1);
        let [left, right] = self.pair;
        if view.arms.len() < 3 {
            self.notice = Some("all engines of this workload are on screen".to_owned());
        } else if focus == 0 {
            self.pair = [model::next_arm(view, left, right), right];
        } else {
            self.pair = [left, model::next_arm(view, right, left)];
        }
        if let Some(worker) = self.worker.get_mut(focus) {
            *worker = None;
        }
    }

    fn step(&mut self, model: &Model, by: isize) {
        let moved = |from: usize, len: usize| from.saturating_add_signed(by).min(len.saturating_sub(1));
        if let Some(scroll) = self.help {
            self.help = Some(moved(scroll, draw::help::last_scroll(self.size) + 1));
            return;
        }
        match self.screen {
            Screen::Picker if self.picker_focus == PickerFocus::Preview => {
                let lines = model.catalogue.get(self.entry).map_or(0, draw::picker::preview_len);
                self.preview_scroll = moved(self.preview_scroll, lines);
            }
            Screen::Picker => {
                self.entry = moved(self.entry, model.catalogue.len());
                self.preview_scroll = 0;
            }
            Screen::Main => self.step_worker(model, by),
            Screen::Tasks => {
                let Some(view) = self.shown(model) else { return };
                let list = model::failures(view);
                let place = moved(model::position(&list, self.attempt), list.len());
                self.attempt = list.get(place).map(model::Failure::key);
                self.detail_scroll = 0;
            }
            Screen::Detail => {
                let Some(view) = self.shown(model) else { return };
                let list = model::failures(view);
                let chosen = list.get(model::position(&list, self.attempt));
                let last = chosen.map_or(0, |failure| draw::detail::last_scroll(view, *failure, self.size));
                self.detail_scroll = moved(self.detail_scroll, last + 1);
            }
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

    fn run(&mut self, model: &Model, mode: Mode) -> Vec<Effect> {
        let Some(view) = model.session.as_deref() else { return self.say("no workload is open") };
        if model::is_running(view) {
            return self.say("already running: x stops it, then r runs it again");
        }
        self.frozen = None;
        self.asked = Escalation::default();
        self.screen = Screen::Main;
        vec![Effect::Send(SessionCommand::Run(mode))]
    }

    fn pause(&mut self, model: &Model) -> Vec<Effect> {
        match model.session.as_deref().map(|view| &view.phase) {
            Some(SessionPhase::Running | SessionPhase::Paused) => vec![Effect::Send(SessionCommand::TogglePause)],
            _ => self.say("nothing is running"),
        }
    }

    fn stop(&mut self, model: &Model) -> Vec<Effect> {
        if !model.session.as_deref().is_some_and(model::is_running) {
            return self.say("nothing is running");
        }
        self.asked.key();
        self.notice = Some("stopping; x again kills".to_owned());
        self.stopping = true;
        vec![Effect::Send(SessionCommand::Stop)]
    }

    /// The arm in the chosen pane, if it is running.
    fn live_arm(&self, model: &Model) -> Option<usize> {
        let arm = *self.pair.get(self.focus)?;
        model.session.as_deref()?.arms.get(arm).filter(|view| view.live).map(|_| arm)
    }

    fn change_workers(&mut self, model: &Model, by: i32) -> Vec<Effect> {
        let Some(arm) = self.live_arm(model) else {
            return self.say("this engine is not running now: Tab chooses the other pane");
        };
        self.notice = Some("workers changed: the comparison counts anew from the next round on".to_owned());
        vec![Effect::Send(SessionCommand::ChangeWorkers { arm, change: Change::By(by) })]
    }

    fn kill_worker(&mut self, model: &Model) -> Vec<Effect> {
        let Some(arm) = self.live_arm(model) else {
            return self.say("this engine is not running now: Tab chooses the other pane");
        };
        let line = self.worker.get(self.focus).copied().flatten();
        let frame = model.session.as_deref().and_then(|view| view.arms.get(arm)).and_then(|arm| arm.latest());
        let slot = line.and_then(|line| frame.and_then(|frame| frame.workers.get(line))).map(|row| row.slot);
        match slot {
            Some(slot) => vec![Effect::Send(SessionCommand::KillWorker { arm, slot })],
            None => self.say("choose a worker first: j and k move"),
        }
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
