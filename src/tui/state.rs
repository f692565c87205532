//! What the user has chosen. Knows what it is and what follows from it, and no key: `update` changes it.

use std::sync::Arc;

use crate::session::escalation::Escalation;
use crate::session::view::{Mode, SessionCommand, SessionView};
use crate::tui::DashboardEnd;
use crate::tui::arms;
use crate::tui::format;
use crate::tui::goal_line::{GoalLine, Look};
use crate::tui::history::Choice;
use crate::tui::history::archive::LineKey;
use crate::tui::keys::KeyContext;
use crate::tui::model::Model;
use crate::tui::search::Wanted;
use crate::tui::task_list::TaskList;
use crate::tui::theme::ThemeName;

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
    /// What was measured before.
    History,
    /// One session of that.
    Session,
}

impl Screen {
    /// The views in the order of their keys.
    pub(crate) const VIEWS: [Self; 4] = [Self::Main, Self::Tasks, Self::Tune, Self::History];

    /// The view that it belongs to.
    pub(crate) fn view(self) -> Self {
        match self {
            Self::Detail => Self::Tasks,
            Self::Session => Self::History,
            other => other,
        }
    }
}

/// A question in front of everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Leave although a comparison is under way?
    Quit,
    /// Stop the comparison under way and open this entry of the catalogue?
    Replace(usize),
    /// Run the commands of the workload's file again?
    Commands(Asked),
    /// What is to go wrong in the next task?
    Fault {
        /// Index of the arm whose task that is.
        arm: usize,
        /// Place of the chosen answer in [`FaultKind::ON_REQUEST`](crate::workload::model::FaultKind::ON_REQUEST).
        chosen: usize,
    },
}

/// The commands of a workload's file are run again only when the user has agreed: what is to be done with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A sweep; each count of each arm runs so many of them.
    Sweep {
        /// Commands.
        each: u64,
    },
    /// A sweep in the place of what runs.
    SweepInstead,
    /// So many runs of an arm with one count.
    Measure {
        /// Index of the arm.
        arm: usize,
        /// Worker count.
        workers: u32,
        /// Commands in all.
        all: u64,
    },
    /// The runs of the engines whose worker count was changed.
    MeasureChanged {
        /// Commands in all.
        all: u64,
    },
    /// What was typed last; each point of each arm does up to so many tasks.
    Look {
        /// Tasks; `None` where what is found decides how many there are.
        each: Option<u64>,
    },
    /// What was typed last in the place of what runs.
    LookInstead,
    /// All runs once more.
    RunAgain {
        /// How.
        mode: Mode,
        /// Tasks in all.
        all: u64,
    },
}

impl Asked {
    pub(crate) fn lines(self) -> Vec<String> {
        match self {
            Self::Sweep { each } => {
                vec![
                    format!("Each count runs up to {} commands", format::count(each)),
                    "in each engine. Sweep?".to_owned(),
                ]
            }
            Self::SweepInstead => vec!["Something is running.".to_owned(), "Stop it and sweep?".to_owned()],
            Self::Look { each: Some(each) } => vec![
                format!("Each step does up to {} tasks", format::count(each)),
                "for real, once more. Look for it?".to_owned(),
            ],
            Self::Look { each: None } => {
                vec!["This does tasks for real, over and".to_owned(), "over, as many as it needs. Do it?".to_owned()]
            }
            Self::LookInstead => vec!["Something is running.".to_owned(), "Stop it and look for this?".to_owned()],
            Self::Measure { workers, all, .. } => vec![
                format!("This runs {} commands", format::count(all)),
                format!("with {workers} at a time. Run them?"),
            ],
            Self::MeasureChanged { all } => {
                vec![format!("This runs {} commands once more,", format::count(all)), "for real. Run them?".to_owned()]
            }
            Self::RunAgain { all, .. } => {
                vec![
                    format!("This does {} tasks for real,", format::count(all)),
                    "once more. Run them again?".to_owned(),
                ]
            }
        }
    }
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
    /// The pane in which the user has chosen an arm: that stays there, whatever runs.
    pub(crate) kept: Option<usize>,
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
    /// The list of what was measured before.
    pub(crate) history: Choice,
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
    /// The line in which is typed what is to be looked for, while it is open.
    pub(crate) goal: Option<GoalLine>,
    /// What was typed last in each of the two.
    pub(crate) last_goals: [Option<String>; 2],
    /// What is looked for once the user has agreed.
    pub(crate) look: Option<Look>,
    /// Whether the Tune view shows the page of the last search, and how far that is scrolled.
    pub(crate) search_page: Option<usize>,
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
    /// Write the file of the workload that is open, where it has none.
    Save,
    /// Begin a search, for the arm with this index; what runs is stopped for it.
    Search(Wanted, usize),
    /// Write the comparison of two lines of the history.
    WriteComparison(LineKey, LineKey),
}

impl UiState {
    /// Where keys are pressed.
    #[must_use]
    pub(crate) fn context(&self) -> KeyContext {
        match (self.question, self.help, self.screen) {
            (Some(Question::Fault { .. }), _, _) => KeyContext::CHOOSE,
            (Some(_), _, _) => KeyContext::ASK,
            _ if self.goal.is_some() => KeyContext::LINE,
            (None, Some(_), _) => KeyContext::HELP,
            (None, None, Screen::Picker) => KeyContext::PICKER,
            (None, None, Screen::Main) => KeyContext::MAIN,
            (None, None, Screen::Tasks) if self.tasks.typing => KeyContext::TYPE,
            (None, None, Screen::Tasks) => KeyContext::TASKS,
            (None, None, Screen::Detail) => KeyContext::DETAIL,
            (None, None, Screen::Tune) => KeyContext::TUNE,
            (None, None, Screen::History) if self.history.typing => KeyContext::TYPE,
            (None, None, Screen::History) => KeyContext::HISTORY,
            (None, None, Screen::Session) => KeyContext::SESSION,
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
        self.pair = arms::first_pair(view);
        self.kept = None;
        self.worker = [None; 2];
        self.count = [None; 2];
        self.tasks.opened();
        self.before_picker = Screen::Main;
        self.frozen = None;
        self.asked = Escalation::default();
        (self.goal, self.look, self.search_page) = (None, None, None);
        self.last_goals = [None, None];
    }

    /// There may be something new to see. The first attempt that is listed stays the one that is looked at; on the other
    /// screens the panes follow what runs, but for the one on which counts are chosen.
    pub(crate) fn settle(&mut self, model: &Model) {
        let Some(view) = shown(self.frozen.as_ref(), model) else { return };
        match self.screen {
            Screen::Tasks | Screen::Detail => self.tasks.settle(view),
            Screen::Main => {
                let pair = arms::follow(view, self.pair, self.kept);
                self.show(pair);
            }
            Screen::Picker | Screen::Tune | Screen::History | Screen::Session => {}
        }
    }

    /// Puts arms in the panes; what was chosen in a pane belongs to its arm.
    pub(super) fn show(&mut self, pair: [usize; 2]) {
        let chosen = self.worker.iter_mut().zip(&mut self.count);
        for ((before, now), (worker, count)) in self.pair.iter().zip(&pair).zip(chosen) {
            if before != now {
                (*worker, *count) = (None, None);
            }
        }
        self.pair = pair;
    }

    /// A text was pasted: it goes where text is typed, and nowhere else.
    pub(crate) fn paste(&mut self, text: &str) {
        let text = text.trim_end_matches(['\n', '\r']);
        match (self.context(), &mut self.goal) {
            (KeyContext::TYPE, _) if self.screen == Screen::History => self.history.filter.insert(text),
            (KeyContext::TYPE, _) => self.tasks.filter.insert(text),
            (KeyContext::LINE, Some(goal)) => goal.paste(text),
            _ => {}
        }
    }

    pub(super) fn say(&mut self, text: &str) -> Vec<UiEffect> {
        self.notice = Some(text.to_owned());
        Vec::new()
    }
}

/// The same, where the rest of the state is borrowed otherwise.
pub(super) fn shown<'a>(frozen: Option<&'a Arc<SessionView>>, model: &'a Model) -> Option<&'a SessionView> {
    frozen.or(model.session.as_ref()).map(|view| &**view)
}
