//! The key table: what a key does where. The handler, the footer and the help screen all read it, so they cannot differ.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What a key asks for. What it means depends on the screen; see `state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Open or close the help screen.
    Help,
    /// Leave the program.
    Quit,
    /// Close what is open; never leaves the program.
    Back,
    /// Ctrl-C: stop, then kill, then leave.
    Interrupt,
    /// Ctrl-Z: stop everything until `fg`.
    Suspend,
    /// Draw every cell again.
    Redraw,
    /// Next theme.
    Theme,
    /// The main screen.
    Main,
    /// The list of unsuccessful attempts.
    Tasks,
    /// The worker counts that were tried.
    Tune,
    /// What was measured before.
    History,
    /// The workload picker.
    Picker,
    /// The next pane, and behind the last one the next view.
    NextPane,
    /// Likewise back.
    PreviousPane,
    Down,
    Up,
    /// Down by half a screen.
    HalfDown,
    /// Up by half a screen.
    HalfUp,
    First,
    Last,
    /// Open the chosen one.
    Open,
    /// Another arm in the chosen pane.
    CycleArm,
    /// Start, or start again.
    Run,
    /// Start, or start again, all arms at the same time.
    RunTogether,
    /// Stop giving out work, or give it out again.
    Pause,
    /// End the comparison.
    Stop,
    MoreWorkers,
    FewerWorkers,
    /// Twice as many workers.
    DoubleWorkers,
    /// Half as many workers.
    HalveWorkers,
    /// The same worker count for every arm.
    SameWorkers,
    /// Find the best worker count.
    Sweep,
    /// Ask which fields are to be swept.
    SweepFields,
    /// Ask for what worker counts are to be good.
    TuneFor,
    /// The page of the last search, or the worker counts again.
    SearchPage,
    /// Compare the others with the chosen arm.
    Baseline,
    /// Kill the chosen worker.
    KillWorker,
    /// At a timeout, kill or abandon.
    OnTimeout,
    /// Choose what is to go wrong in the next task.
    Fault,
    /// The choice with this number, from 0.
    Choose(u8),
    /// Keep the picture as it is, or let it go on.
    Freeze,
    /// Agree with a question.
    Yes,
    /// Disagree with a question.
    No,
    /// Type the words of a filter.
    Filter,
    /// Sort by the column to the left.
    SortLeft,
    /// Write the workload's file.
    Save,
    /// Sort by the column to the right.
    SortRight,
    /// Sort the other way round.
    Invert,
    /// The chosen line is what is compared with.
    SetA,
    /// The chosen line is what is compared.
    SetB,
    /// Show clear differences alone, or everything.
    Differences,
    /// Write the comparison as a file.
    WriteComparison,
    /// The next attempt that fits.
    NextMatch,
    PreviousMatch,
    /// A character that is typed.
    Type(char),
    /// Take away the character before the cursor.
    Erase,
    /// Take away the character under the cursor.
    EraseNext,
    /// Take away the word before the cursor.
    EraseWord,
    /// Take away everything.
    EraseAll,
    /// The cursor to the left.
    Left,
    /// The cursor to the right.
    Right,
}

/// Where keys are pressed; a set, so that a binding can hold in several places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyContext(u16);

impl KeyContext {
    /// The workload picker.
    pub(crate) const PICKER: Self = Self(1);
    /// The main screen.
    pub(crate) const MAIN: Self = Self(2);
    /// The list of unsuccessful attempts.
    pub(crate) const TASKS: Self = Self(4);
    /// One unsuccessful attempt.
    pub(crate) const DETAIL: Self = Self(8);
    /// The worker counts that were tried.
    pub(crate) const TUNE: Self = Self(64);
    /// What was measured before.
    pub(crate) const HISTORY: Self = Self(512);
    /// One session of that.
    pub(crate) const SESSION: Self = Self(1024);
    /// The help screen.
    pub(crate) const HELP: Self = Self(16);
    /// A question with yes and no.
    pub(crate) const ASK: Self = Self(32);
    /// A question with several answers.
    pub(crate) const CHOOSE: Self = Self(256);
    /// A line of text that is typed: characters are characters.
    pub(crate) const TYPE: Self = Self(128);

    /// The line in which is typed what is to be looked for.
    pub(crate) const LINE: Self = Self(2048);

    const VIEWS: Self = Self(2 | 4 | 8 | 64);
    /// With what was measured before, which no key of worker counts acts on.
    const ALL_VIEWS: Self = Self(2 | 4 | 8 | 64 | 512 | 1024);
    const LISTS: Self = Self(1 | 2 | 4 | 8 | 16 | 64 | 512 | 1024);
    const ALL: Self = Self(4095);
    const NOT_ASK: Self = Self(31 | 64 | 512 | 1024);

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether two sets have a place in common.
    #[must_use]
    pub(crate) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// A key as the table names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// Which.
    pub(crate) code: KeyCode,
    /// Together with Ctrl.
    pub(crate) ctrl: bool,
}

const fn ch(c: char) -> Key {
    Key { code: KeyCode::Char(c), ctrl: false }
}

const fn ctrl(c: char) -> Key {
    Key { code: KeyCode::Char(c), ctrl: true }
}

const fn code(code: KeyCode) -> Key {
    Key { code, ctrl: false }
}

impl Key {
    /// The name on screen.
    #[must_use]
    pub(crate) fn label(self) -> String {
        match self.code {
            KeyCode::Char(' ') => "Space".to_owned(),
            KeyCode::Char(c) if self.ctrl => format!("^{}", c.to_ascii_uppercase()),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::F(n) => format!("F{n}"),
            KeyCode::Up => "↑".to_owned(),
            KeyCode::Down => "↓".to_owned(),
            KeyCode::Home => "Home".to_owned(),
            KeyCode::End => "End".to_owned(),
            KeyCode::PageUp => "PgUp".to_owned(),
            KeyCode::PageDown => "PgDn".to_owned(),
            KeyCode::Enter => "Enter".to_owned(),
            KeyCode::Tab => "Tab".to_owned(),
            KeyCode::BackTab => "Shift-Tab".to_owned(),
            KeyCode::Esc => "Esc".to_owned(),
            other => format!("{other:?}"),
        }
    }
}

/// Groups of the help screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HelpGroup {
    /// Works on every screen.
    Everywhere,
    Run,
    /// Worker counts.
    Workers,
    /// Lists and tables.
    Lists,
    Look,
}

impl HelpGroup {
    /// In the order of the help screen.
    pub(crate) const ALL: [Self; 5] = [Self::Everywhere, Self::Run, Self::Workers, Self::Lists, Self::Look];

    #[must_use]
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Run => "Run",
            Self::Workers => "Worker counts",
            Self::Lists => "Lists and tables",
            Self::Look => "Look",
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    /// Keys and what each does.
    pub(crate) keys: &'static [(Key, Action)],
    pub(crate) context: KeyContext,
    /// Under which heading help lists it; `None` leaves it out.
    pub(crate) group: Option<HelpGroup>,
    /// What help says.
    pub(crate) help: &'static str,
    /// What the footer says; empty leaves it out.
    pub(crate) footer: &'static str,
    /// Whether it is a view of the footer's first part.
    pub(crate) tab: bool,
    /// When the footer shows it.
    pub(crate) shown: Shown,
}

/// When the footer shows a key: where it would only be refused, it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Always,
    /// While something runs.
    Running,
    /// While nothing does.
    Resting,
    /// While something runs that can pause.
    Pausable,
    /// While something runs whose tasks can be made to go wrong.
    Faults,
    /// While something runs whose tasks have a timeout that it can do something else at.
    Timeouts,
    /// Where there are more engines than panes.
    ManyArms,
    /// Where there are several engines.
    Several,
    /// Where several engines could run, and none does.
    Together,
    /// Where there was a search.
    Search,
    /// While none is under way.
    NoSearch,
}

const fn bind(
    keys: &'static [(Key, Action)],
    context: KeyContext,
    group: Option<HelpGroup>,
    help: &'static str,
    footer: &'static str,
) -> Binding {
    Binding { keys, context, group, help, footer, tab: false, shown: Shown::Always }
}

const fn tab(keys: &'static [(Key, Action)], help: &'static str, footer: &'static str) -> Binding {
    Binding {
        keys,
        context: KeyContext::ALL_VIEWS,
        group: Some(HelpGroup::Everywhere),
        help,
        footer,
        tab: true,
        shown: Shown::Always,
    }
}

/// The same, in the footer only then.
const fn when(shown: Shown, binding: Binding) -> Binding {
    Binding { shown, ..binding }
}

use Action as A;
use HelpGroup as G;
use KeyContext as C;

/// The table. Earlier lines come first in the footer and are the last to be left out when it is narrow.
pub(crate) const TABLE: &[Binding] = &[
    tab(&[(ch('1'), A::Main)], "main screen", "Main"),
    tab(&[(ch('2'), A::Tasks)], "failed tasks, and why", "Tasks"),
    tab(&[(ch('3'), A::Tune)], "how many workers?", "Tune"),
    tab(&[(ch('5'), A::History)], "what was measured before", "History"),
    bind(&[(ch('y'), A::Yes)], C::ASK, None, "yes", "yes"),
    bind(&[(ch('n'), A::No), (code(KeyCode::Esc), A::No)], C::ASK, None, "no", "no"),
    bind(&[(ch('j'), A::Down), (ch('k'), A::Up)], C::CHOOSE, None, "choose", "choose"),
    bind(&[(code(KeyCode::Enter), A::Yes)], C::CHOOSE, None, "have it happen", "have it happen"),
    bind(&[(code(KeyCode::Esc), A::No), (ch('n'), A::No)], C::CHOOSE, None, "nothing", "nothing"),
    bind(
        &[
            (code(KeyCode::Down), A::Down),
            (code(KeyCode::Up), A::Up),
            (ch('g'), A::First),
            (ch('G'), A::Last),
            (ch('1'), A::Choose(0)),
            (ch('2'), A::Choose(1)),
            (ch('3'), A::Choose(2)),
            (ch('4'), A::Choose(3)),
            (ch('5'), A::Choose(4)),
            (ch('6'), A::Choose(5)),
        ],
        C::CHOOSE,
        None,
        "choose",
        "",
    ),
    bind(&[(code(KeyCode::Enter), A::Open), (ch('d'), A::Open)], C::PICKER, None, "run", "run"),
    bind(
        &[(code(KeyCode::Enter), A::Open), (ch('d'), A::Open)],
        C::TASKS.or(C::HISTORY),
        Some(G::Lists),
        "details",
        "details",
    ),
    bind(&[(ch('a'), A::SetA), (ch('b'), A::SetB)], C::HISTORY, Some(G::Lists), "in 5: set A, B to compare", "A, B"),
    bind(&[(ch('D'), A::Differences)], C::HISTORY, Some(G::Lists), "in 5: differences only", "differences"),
    bind(&[(ch('w'), A::WriteComparison)], C::HISTORY, Some(G::Lists), "in 5: write comparison", "write report"),
    when(Shown::NoSearch, bind(&[(ch('s'), A::Sweep)], C::TUNE, Some(G::Workers), "in 3: best count", "sweep")),
    when(Shown::NoSearch, bind(&[(ch('f'), A::TuneFor)], C::TUNE, None, "find for a target", "tune")),
    bind(&[(ch('f'), A::TuneFor), (ch('S'), A::SweepFields)], C::MAIN, Some(G::Workers), "for a target; settings", ""),
    when(Shown::Search, bind(&[(ch('v'), A::SearchPage)], C::TUNE, Some(G::Workers), "in 3: last search", "search")),
    when(
        Shown::NoSearch,
        bind(&[(code(KeyCode::Enter), A::Open)], C::TUNE, Some(G::Workers), "in 3: measure again", "again"),
    ),
    bind(&[(code(KeyCode::Enter), A::Open)], C::MAIN, Some(G::Workers), "measure changed engines", ""),
    bind(&[(ch('/'), A::Filter)], C::TASKS.or(C::HISTORY), Some(G::Lists), "filter the list", "filter"),
    bind(
        &[(ch('<'), A::SortLeft), (ch('>'), A::SortRight)],
        C::TASKS,
        Some(G::Lists),
        "sort by another column",
        "sort",
    ),
    bind(&[(ch('I'), A::Invert)], C::TASKS, Some(G::Lists), "sort the other way", "invert"),
    bind(
        &[(ch('n'), A::NextMatch), (ch('N'), A::PreviousMatch)],
        C::TASKS.or(C::DETAIL),
        Some(G::Lists),
        "next, previous failure",
        "next",
    ),
    bind(
        &[(ch('+'), A::MoreWorkers), (ch('-'), A::FewerWorkers), (ch('='), A::MoreWorkers), (ch('_'), A::FewerWorkers)],
        C::VIEWS,
        Some(G::Workers),
        "one worker more, fewer",
        "workers",
    ),
    when(Shown::NoSearch, bind(&[(ch('S'), A::SweepFields)], C::TUNE, None, "sweep settings", "settings")),
    when(Shown::Faults, bind(&[(ch('F'), A::Fault)], C::MAIN, Some(G::Run), "fault in the next task", "fault")),
    when(Shown::Timeouts, bind(&[(ch('A'), A::OnTimeout)], C::MAIN, Some(G::Run), "timeout: kill, abandon", "timeout")),
    when(
        Shown::ManyArms,
        bind(&[(ch('a'), A::CycleArm)], C::MAIN.or(C::TUNE), Some(G::Look), "next engine in pane", "engine"),
    ),
    bind(&[(code(KeyCode::Enter), A::Open)], C::TYPE, None, "keep the filter", "keep"),
    bind(&[(code(KeyCode::Esc), A::Back)], C::TYPE, None, "no filter", "no filter"),
    bind(&[(code(KeyCode::Enter), A::Open)], C::LINE, None, "look for it", "look for it"),
    bind(&[(code(KeyCode::Esc), A::Back)], C::LINE, None, "close", "close"),
    bind(
        &[(code(KeyCode::Up), A::Up), (code(KeyCode::Down), A::Down)],
        C::TYPE.or(C::LINE),
        None,
        "move in the list",
        "move",
    ),
    bind(&[(ctrl('u'), A::EraseAll)], C::TYPE.or(C::LINE), None, "empty the line", "empty"),
    bind(
        &[
            (code(KeyCode::Backspace), A::Erase),
            (ctrl('h'), A::Erase),
            (code(KeyCode::Delete), A::EraseNext),
            (ctrl('w'), A::EraseWord),
            (code(KeyCode::Left), A::Left),
            (code(KeyCode::Right), A::Right),
            (code(KeyCode::Home), A::First),
            (code(KeyCode::End), A::Last),
            (ctrl('a'), A::First),
            (ctrl('e'), A::Last),
        ],
        C::TYPE.or(C::LINE),
        None,
        "edit the line",
        "",
    ),
    when(Shown::Resting, bind(&[(ch('r'), A::Run)], C::ALL_VIEWS, Some(G::Run), "run / run again", "run")),
    when(Shown::Pausable, bind(&[(ch('p'), A::Pause)], C::ALL_VIEWS, Some(G::Run), "pause, resume", "pause")),
    when(Shown::Running, bind(&[(ch('x'), A::Stop)], C::ALL_VIEWS, Some(G::Run), "stop; again: kill", "stop")),
    when(
        Shown::Running,
        bind(&[(ch('K'), A::KillWorker)], C::MAIN, Some(G::Run), "kill chosen, else busy", "kill worker"),
    ),
    when(
        Shown::Together,
        bind(&[(ch('T'), A::RunTogether)], C::VIEWS, Some(G::Run), "all at once: no measure", "together"),
    ),
    bind(
        &[(ch(']'), A::DoubleWorkers), (ch('['), A::HalveWorkers)],
        C::VIEWS,
        Some(G::Workers),
        "twice, half as many",
        "double, halve",
    ),
    bind(&[(ch('E'), A::SameWorkers)], C::VIEWS, Some(G::Workers), "as many in every engine", "same for all"),
    when(
        Shown::Several,
        bind(&[(ch('m'), A::Baseline)], C::MAIN.or(C::TUNE), Some(G::Workers), "compare with this one", "baseline"),
    ),
    bind(
        &[(code(KeyCode::Esc), A::Back)],
        C::DETAIL.or(C::TASKS).or(C::HELP).or(C::HISTORY).or(C::SESSION),
        None,
        "back",
        "back",
    ),
    bind(
        &[(code(KeyCode::Esc), A::Back)],
        C::MAIN.or(C::TUNE).or(C::PICKER),
        Some(G::Everywhere),
        "back, close, let go",
        "",
    ),
    bind(&[(ch('?'), A::Help), (code(KeyCode::F(1)), A::Help)], C::NOT_ASK, Some(G::Everywhere), "help", "help"),
    bind(&[(ch('q'), A::Quit)], C::NOT_ASK, Some(G::Everywhere), "quit (asks if running)", "quit"),
    bind(&[(ch(' '), A::Freeze)], C::VIEWS, Some(G::Look), "freeze the picture", "freeze"),
    bind(&[(ch('o'), A::Picker)], C::ALL_VIEWS, Some(G::Everywhere), "other workload", "workloads"),
    bind(&[(ch('w'), A::Save)], C::VIEWS, Some(G::Run), "write its file here", "write file"),
    bind(
        &[(code(KeyCode::Tab), A::NextPane)],
        C::ALL_VIEWS.or(C::PICKER),
        Some(G::Everywhere),
        "next pane, next view",
        "pane",
    ),
    bind(&[(code(KeyCode::BackTab), A::PreviousPane)], C::ALL_VIEWS, Some(G::Everywhere), "the one before", ""),
    bind(&[(ch('5'), A::History)], C::PICKER, None, "what was measured before", "history"),
    bind(&[(ch('t'), A::Theme)], C::NOT_ASK, Some(G::Look), "colours", "colours"),
    bind(&[(ctrl('c'), A::Interrupt)], C::ALL, Some(G::Everywhere), "stop, kill, leave", ""),
    bind(&[(ctrl('z'), A::Suspend)], C::ALL, Some(G::Everywhere), "suspend, fg resumes", ""),
    bind(&[(ctrl('l'), A::Redraw)], C::ALL, Some(G::Look), "draw again", ""),
    bind(
        &[(ch('j'), A::Down), (ch('k'), A::Up), (code(KeyCode::Down), A::Down), (code(KeyCode::Up), A::Up)],
        C::LISTS,
        Some(G::Lists),
        "move",
        "",
    ),
    bind(
        &[(ch('g'), A::First), (ch('G'), A::Last), (code(KeyCode::Home), A::First), (code(KeyCode::End), A::Last)],
        C::LISTS,
        Some(G::Lists),
        "first, last",
        "",
    ),
    bind(
        &[
            (ctrl('d'), A::HalfDown),
            (ctrl('u'), A::HalfUp),
            (code(KeyCode::PageDown), A::HalfDown),
            (code(KeyCode::PageUp), A::HalfUp),
        ],
        C::LISTS,
        Some(G::Lists),
        "half a screen",
        "",
    ),
];

/// What a key event asks for in a context.
#[must_use]
pub(crate) fn action(event: KeyEvent, context: KeyContext) -> Option<Action> {
    if event.kind == KeyEventKind::Release || event.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SUPER) {
        return None;
    }
    let pressed = Key { code: event.code, ctrl: event.modifiers.contains(KeyModifiers::CONTROL) };
    if let (KeyCode::Char(c), false, true) = (pressed.code, pressed.ctrl, context.meets(C::TYPE.or(C::LINE))) {
        return Some(Action::Type(c));
    }
    TABLE
        .iter()
        .filter(|binding| binding.context.meets(context))
        .flat_map(|binding| binding.keys)
        .find(|(key, _)| *key == pressed)
        .map(|(_, action)| *action)
}

impl Binding {
    /// The keys as help names them: `j k ↓ ↑`.
    #[must_use]
    pub(crate) fn all_keys(&self) -> String {
        self.keys.iter().map(|(key, _)| key.label()).collect::<Vec<_>>().join(" ")
    }

    /// The first key of each of its actions, as the footer names them: `+/-`.
    #[must_use]
    pub(crate) fn short_keys(&self) -> String {
        let mut seen: Vec<Action> = Vec::new();
        let mut labels: Vec<String> = Vec::new();
        for (key, action) in self.keys {
            if !seen.contains(action) {
                seen.push(*action);
                labels.push(key.label());
            }
        }
        labels.join("/")
    }
}

/// The lines of a context that the footer shows, most important first.
pub(crate) fn footer(context: KeyContext) -> impl Iterator<Item = &'static Binding> {
    TABLE.iter().filter(move |binding| binding.context.meets(context) && !binding.footer.is_empty())
}

/// The lines of a group of the help screen.
pub(crate) fn help(group: HelpGroup) -> impl Iterator<Item = &'static Binding> {
    TABLE.iter().filter(move |binding| binding.group == Some(group))
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
