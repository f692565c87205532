//! What the user has chosen, and how an action changes it. A reducer: no I/O, no clock; what must be done outside is
//! returned as effects.

use std::sync::Arc;

use crate::session::escalation::{Escalation, StopLevel};
use crate::session::view::{Change, Mode, SessionCommand, SessionPhase, SessionView};
use crate::tui::DashboardEnd;
use crate::tui::draw;
use crate::tui::keys::{Action, KeyContext};
use crate::tui::model::{self, Model};
use crate::tui::task_list::TaskList;
use crate::tui::theme::ThemeName;
use crate::tui::tune;

/// Which screen is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Screen {
    /// Workload picker.
    #[default]
    Picker,
    Main,
    /// The unsuccessful attempts.
    Tasks,
    /// One of them.
    Detail,
    /// The worker counts that were tried.
    Tune,
}

/// A question in front of everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Leave although a comparison is under way?
    Quit,
    /// Stop the comparison under way and open this entry of the catalogue?
    Replace(usize),
    /// Run the commands of the workload's file again?
    Commands(tune::Asked),
}

/// Which part of the picker keys act on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PickerFocus {
    #[default]
    List,
    /// The text beside it.
    Preview,
}

/// What the user has chosen.
#[derive(Clone, Debug, Default)]
pub(crate) struct UiState {
    /// Which screen is shown.
    pub(crate) screen: Screen,
    /// Whether help lies over it, and how far it is scrolled.
    pub(crate) help: Option<usize>,
    /// A question in front of everything else.
    pub(crate) question: Option<Question>,
    /// The pane that keys act on: 0 left, 1 right.
    pub(crate) focus: usize,
    /// The arms in the panes.
    pub(crate) pair: [usize; 2],
    /// The chosen line of each pane's worker table.
    pub(crate) worker: [Option<usize>; 2],
    /// The chosen worker count of each pane in the Tune view; `None` is the one that the arm is to have.
    pub(crate) count: [Option<u32>; 2],
    /// The chosen line of the picker.
    pub(crate) entry: usize,
    /// Which part of the picker keys act on.
    pub(crate) picker_focus: PickerFocus,
    /// How far the text beside the list is scrolled.
    pub(crate) preview_scroll: usize,
    /// The list of unsuccessful attempts.
    pub(crate) tasks: TaskList,
    /// The screen that the picker was opened from.
    pub(crate) before_picker: Screen,
    /// Colours.
    pub(crate) theme: ThemeName,
    /// The picture that is kept, if it is frozen.
    pub(crate) frozen: Option<Arc<SessionView>>,
    /// An answer to the last key, until the next one or until it has been there long enough.
    pub(crate) notice: Option<String>,
    /// Whether that answer is about a stop: it stays while something runs, and is true no longer when nothing does.
    pub(crate) stopping: bool,
    /// Columns and lines of the screen.
    pub(crate) size: (u16, u16),
    /// How the program ends as soon as the session has, if it is to.
    pub(crate) leaving: Option<DashboardEnd>,
    /// How hard the user has asked the running comparison to end.
    pub(crate) asked: Escalation,
}

/// What must be done outside the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UiEffect {
    /// Tell the session.
    Send(SessionCommand),
    /// Open an entry of the catalogue and run it.
    Open(usize),
    /// Stop the session, and when it has ended open an entry of the catalogue and run it.
    OpenNext(usize),
    /// Leave now.
    Leave(DashboardEnd),
    /// Stop everything until the shell continues it.
    Suspend,
    /// Draw every cell again.
    Redraw,
}

impl UiState {
    /// Where keys are pressed.
    #[must_use]
    pub(crate) fn context(&self) -> KeyContext {
        match (self.question, self.help, self.screen) {
            (Some(_), _, _) => KeyContext::ASK,
            (None, Some(_), _) => KeyContext::HELP,
            (None, None, Screen::Picker) => KeyContext::PICKER,
            (None, None, Screen::Main) => KeyContext::MAIN,
            (None, None, Screen::Tasks) if self.tasks.typing => KeyContext::TYPE,
            (None, None, Screen::Tasks) => KeyContext::TASKS,
            (None, None, Screen::Detail) => KeyContext::DETAIL,
            (None, None, Screen::Tune) => KeyContext::TUNE,
        }
    }

    /// The view that is drawn: the frozen one, or the newest.
    #[must_use]
    pub(crate) fn shown<'a>(&'a self, model: &'a Model) -> Option<&'a SessionView> {
        shown(self.frozen.as_ref(), model)
    }

    /// A session was opened: everything that belonged to the one before is forgotten.
    pub(crate) fn opened(&mut self, view: &SessionView) {
        self.screen = Screen::Main;
        self.help = None;
        self.question = None;
        self.focus = 0;
        self.pair = model::first_pair(view);
        self.worker = [None; 2];
        self.count = [None; 2];
        self.tasks.opened();
        self.before_picker = Screen::Main;
        self.frozen = None;
        self.asked = Escalation::default();
    }

    /// Carries out an action.
    #[must_use]
    pub(crate) fn update(&mut self, model: &Model, action: Action) -> Vec<UiEffect> {
        let effects = self.act(model, action);
        self.settle(model);
        effects
    }

    /// There may be something new to see. The first attempt that is listed stays the one that is looked at.
    pub(crate) fn settle(&mut self, model: &Model) {
        if matches!(self.screen, Screen::Tasks | Screen::Detail)
            && let Some(view) = shown(self.frozen.as_ref(), model)
        {
            self.tasks.settle(view);
        }
    }

    /// A text was pasted: it goes where text is typed, and nowhere else.
    pub(crate) fn paste(&mut self, text: &str) {
        if self.context() == KeyContext::TYPE {
            self.tasks.filter.insert(text.trim_end_matches(['\n', '\r']));
        }
    }

    fn act(&mut self, model: &Model, action: Action) -> Vec<UiEffect> {
        let typing = self.context() == KeyContext::TYPE;
        self.notice = None;
        self.stopping = false;
        if typing && self.tasks.edit(action) || self.tasks.act(action) {
            return Vec::new();
        }
        match action {
            Action::Interrupt => return self.interrupt(model),
            Action::Suspend => return vec![UiEffect::Suspend],
            Action::Redraw => return vec![UiEffect::Redraw],
            Action::Theme => {
                self.theme = self.theme.next();
                self.notice = Some(format!("colours: {}", self.theme.word()));
            }
            Action::Help => self.help = if self.help.is_some() { None } else { Some(0) },
            Action::Quit => return self.quit(model),
            Action::Back => self.back(model),
            Action::Yes => return self.answer(model),
            Action::No => self.question = None,
            Action::Main => self.screen = Screen::Main,
            Action::Tasks => self.show_tasks(model),
            Action::Tune => self.screen = Screen::Tune,
            Action::Picker => {
                self.before_picker = self.screen;
                self.screen = Screen::Picker;
            }
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
            Action::MoreWorkers => return tune::change(self, model, Change::By(1)),
            Action::FewerWorkers => return tune::change(self, model, Change::By(-1)),
            Action::DoubleWorkers => return tune::change(self, model, Change::Double),
            Action::HalveWorkers => return tune::change(self, model, Change::Halve),
            Action::SameWorkers => return tune::same(self, model),
            Action::Sweep => return tune::sweep(self, model),
            Action::Baseline => return tune::baseline(self, model),
            Action::KillWorker => return self.kill_worker(model),
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
            | Action::Right => {}
        }
        Vec::new()
    }

    pub(super) fn say(&mut self, text: &str) -> Vec<UiEffect> {
        self.notice = Some(text.to_owned());
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

    fn back(&mut self, model: &Model) {
        if self.help.take().is_some() {
            return;
        }
        match self.screen {
            Screen::Detail => self.screen = Screen::Tasks,
            Screen::Tasks if self.tasks.back() => {}
            Screen::Tasks | Screen::Tune => self.screen = Screen::Main,
            Screen::Main => {
                self.frozen = None;
                self.worker = [None; 2];
            }
            Screen::Picker if self.picker_focus == PickerFocus::Preview => self.picker_focus = PickerFocus::List,
            Screen::Picker if model.session.is_some() => self.screen = self.before_picker,
            Screen::Picker => {}
        }
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
            Some(Question::Commands(asked)) => tune::agreed(self, model, asked),
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
            Screen::Main => tune::measure_changed(model),
            Screen::Tune => tune::measure(self, model),
            Screen::Detail => Vec::new(),
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
            Screen::Tune => tune::step(self, model, by),
            Screen::Tasks => self.step_attempt(model, by),
            Screen::Detail => {
                let Some(view) = self.shown(model) else { return };
                let chosen = self.tasks.opened_attempt(view);
                let last = chosen.map_or(0, |failure| draw::detail::last_scroll(view, failure, self.size));
                self.tasks.scroll = moved(self.tasks.scroll, last + 1);
            }
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
        self.notice = Some("stopping; x again kills".to_owned());
        self.stopping = true;
        vec![UiEffect::Send(SessionCommand::Stop)]
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
}

fn shown<'a>(frozen: Option<&'a Arc<SessionView>>, model: &'a Model) -> Option<&'a SessionView> {
    frozen.or(model.session.as_ref()).map(|view| &**view)
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
