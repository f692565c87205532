//! The one loop that waits: for keys, views, signals and the time of the next frame. It draws and passes commands on, and
//! never waits for an engine except, bounded, when it stops or suspends one.

mod searching;

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use crossterm::event::Event;
use rustix::termios::tcgetwinsize;

use crate::os::job_control::{self, Stopping};
use crate::os::signal_watch::{Caught, SignalWatch};
use crate::session::ending::{self, KILL_BEFORE, end, grace_period, later};
use crate::session::error::SessionError;
use crate::session::escalation::{Escalation, leave_by};
use crate::session::handle::SessionHandle;
use crate::session::suspension::{self, Resumed, suspend};
use crate::session::view::{Mode, SessionCommand, SessionPhase, SessionView};
use crate::tui::event_loop::searching::Searching;
use crate::tui::history::reader::{Answer, Answered, Reader};
use crate::tui::history::{Past, Wish};
use crate::tui::input::TerminalInput;
use crate::tui::model::{self, Model};
use crate::tui::notice::Notice;
use crate::tui::opening::{self, Opening};
use crate::tui::pacer::Pacer;
use crate::tui::screen::TerminalScreen;
use crate::tui::search::Wanted;
use crate::tui::state::{self, UiEffect, UiState};
use crate::tui::theme::{ColorDepth, Theme};
use crate::tui::{DashboardEnd, DashboardOptions, Left, Measured, draw, keys, terminal, text};
use crate::workload::model::Workload;

/// Takes the terminal, shows the dashboard until the user or a signal ends it, gives the terminal back.
///
/// # Errors
/// When there is no terminal, or it cannot be read or written any more.
pub(crate) fn run(options: DashboardOptions) -> anyhow::Result<Left> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the dashboard")?;
    let guard = terminal::Guard::new(options.process).context("cannot use the terminal")?;
    let left = runtime.block_on(async {
        let mut dashboard = Dashboard::new(options)?;
        let ended = dashboard.run().await?;
        Ok(Left { ended, measured: dashboard.measured() })
    });
    drop(guard);
    left
}

/// Everything the loop holds.
struct Dashboard {
    options: DashboardOptions,
    depth: ColorDepth,
    model: Model,
    ui: UiState,
    session: Option<SessionHandle>,
    /// Which entry it is of, and how many workers its arms had at first.
    opened: (usize, Vec<u32>),
    /// Whether the session under way is ended because the program was told to end.
    cut_short: bool,
    /// An earlier session in which something was measured.
    earlier: Option<Measured>,
    /// Opened as soon as the session under way has ended.
    next: Option<usize>,
    /// A session on its way.
    opening: Option<Opening>,
    /// A search under way; the session is its one then.
    searching: Option<Searching>,
    /// Begun as soon as what runs has ended: what is looked for, and for which arm.
    next_search: Option<(Wanted, usize)>,
    /// Tells what was measured before.
    reader: Option<Reader>,
    /// Whether that was shown a moment ago.
    history_shown: bool,
    screen: TerminalScreen,
    out: File,
    pacer: Pacer,
    input: TerminalInput,
    signals: SignalWatch,
    notice: Notice,
    /// Whether a key was handled since the last look at the answer to it.
    pressed: bool,
    /// The session under way gets until then to end, because the program leaves.
    leave_by: Option<Instant>,
    /// And until then to end without being killed.
    kill_by: Option<Instant>,
    /// Our own suspension ends with a SIGCONT too.
    expect_continue: bool,
}

/// Why the loop woke up.
enum Wake {
    Signal(Caught),
    Frame,
    Input(Option<io::Result<Event>>),
    View,
    /// The search has told more.
    Told,
    SessionGone,
    /// The session on its way is there, or will not be.
    Opened(usize, anyhow::Result<SessionHandle>),
    /// What was to end before we leave has not, and is killed.
    Late,
    /// Nor did that help.
    Overdue,
    /// The answer to a key has been there long enough.
    NoticeOver,
    /// Something of what was measured before.
    History(Answered),
}

impl Dashboard {
    fn new(options: DashboardOptions) -> anyhow::Result<Self> {
        let out = File::from(io::stdout().as_fd().try_clone_to_owned().context("cannot use the terminal")?);
        let started = options
            .history
            .clone()
            .and_then(|archive| Reader::start(archive).map_err(|error| format!("the history cannot be read: {error}")));
        let (reader, past) = match started {
            Ok(reader) => (Some(reader), Past::default()),
            Err(reason) => (None, Past::none(reason)),
        };
        let model = Model { catalogue: Arc::new(options.catalogue.clone()), session: None, past, search: None };
        Ok(Self {
            depth: ColorDepth::detect(|name| std::env::var(name).ok()),
            model,
            ui: UiState { theme: options.theme, ..UiState::default() },
            session: None,
            opened: (0, Vec::new()),
            cut_short: false,
            earlier: None,
            next: None,
            opening: None,
            searching: None,
            next_search: None,
            reader,
            history_shown: false,
            screen: TerminalScreen::new(),
            out,
            pacer: Pacer::new(options.fps),
            input: TerminalInput::new().context("cannot read the terminal")?,
            signals: SignalWatch::new(options.process).context("cannot watch for signals")?,
            notice: Notice::default(),
            pressed: false,
            leave_by: None,
            kill_by: None,
            expect_continue: false,
            options,
        })
    }

    async fn run(&mut self) -> anyhow::Result<DashboardEnd> {
        if let Some(entry) = self.options.initial {
            self.open_entry(entry).await;
        }
        self.pacer.input();
        match self.wait_and_act().await {
            Ok(ended @ (DashboardEnd { left_behind: true, .. } | DashboardEnd::QUIT)) => Ok(ended),
            result => {
                // The user has left: first the terminal, then the workers.
                terminal::give_back();
                let running = self.session.as_mut().filter(|session| model::is_running(&session.view.borrow()));
                let Some(session) = running else { return result };
                // What is asked of a search has no part in what was measured before it.
                self.cut_short = self.searching.is_none();
                match (end(session, &mut self.signals, &mut self.ui.asked, |_| {}).await, result) {
                    (ending::SessionEnd::Whole, result) => result,
                    (ending::SessionEnd::LeftBehind, Ok(ended)) => Ok(ended.at_once()),
                    (ending::SessionEnd::LeftBehind, Err(error)) => {
                        eprintln!("error: {error:#}");
                        Ok(DashboardEnd::QUIT.at_once())
                    }
                }
            }
        }
    }

    async fn wait_and_act(&mut self) -> anyhow::Result<DashboardEnd> {
        loop {
            match self.wait().await {
                Wake::Signal(Caught::End(signal)) => return Ok(DashboardEnd::by(signal)),
                Wake::Signal(Caught::Stop) => self.suspend(Stopping::Alone).await?,
                Wake::Signal(Caught::Continue) => self.continued()?,
                Wake::Frame => match self.frame() {
                    Err(error) if is_hangup(&error) => return Ok(DashboardEnd::by(libc::SIGHUP)),
                    drawn => drawn.context("cannot write to the terminal")?,
                },
                // A terminal that is gone may show here before its signal comes.
                Wake::Input(None) => return Ok(DashboardEnd::by(libc::SIGHUP)),
                Wake::Input(Some(Err(error))) if is_hangup(&error) => return Ok(DashboardEnd::by(libc::SIGHUP)),
                Wake::Input(Some(event)) => {
                    if let Some(ended) = self.handle(event).await? {
                        return Ok(ended);
                    }
                }
                Wake::View | Wake::Told => self.new_view(),
                Wake::SessionGone => self.session_gone(),
                Wake::Opened(entry, opened) => self.take_session(entry, opened),
                Wake::Late => {
                    self.kill_by = None;
                    if self.ui.asked.overdue() {
                        self.send(SessionCommand::Stop);
                    }
                }
                Wake::Overdue => return Ok(self.ui.leaving.unwrap_or(DashboardEnd::QUIT).at_once()),
                Wake::History(answered) => self.take_history(answered),
                Wake::NoticeOver => {
                    self.ui.notice = None;
                    self.pacer.input();
                }
            }
            self.ask_history();
            let pressed = std::mem::take(&mut self.pressed);
            let lasting = self.ui.stopping || self.ui.leaving.is_some() || self.opening.is_some();
            self.notice.is(self.ui.notice.as_deref(), pressed, lasting, Instant::now());
            let running = self.model.session.as_deref().is_some_and(model::is_running);
            if let Some(ended) = self.ui.leaving {
                if !running {
                    return Ok(ended);
                }
                let grace = self.model.session.as_deref().map(grace_period).unwrap_or_default();
                if self.leave_by.is_none() {
                    let at = leave_by(Instant::now(), grace);
                    (self.leave_by, self.kill_by) = (Some(at), at.checked_sub(KILL_BEFORE));
                }
            }
            if !running && let Some(entry) = self.next.take() {
                self.next_search = None;
                self.open_entry(entry).await;
            }
            if !running && let Some((wanted, arm)) = self.next_search.take() {
                self.look_for(wanted, arm);
            }
        }
    }

    async fn wait(&mut self) -> Wake {
        let due = self.pacer.due(Instant::now());
        let (session, opening) = (&mut self.session, &mut self.opening);
        let (searching, reader) = (&mut self.searching, &mut self.reader);
        tokio::select! {
            biased;
            caught = self.signals.next() => Wake::Signal(caught),
            () = sleep_until(self.leave_by) => Wake::Overdue,
            () = sleep_until(self.kill_by) => Wake::Late,
            () = sleep_until(due) => Wake::Frame,
            () = sleep_until(self.notice.until()) => Wake::NoticeOver,
            event = self.input.next() => Wake::Input(event),
            (entry, opened) = opened(opening) => Wake::Opened(entry, opened),
            () = searching::told(searching) => Wake::Told,
            answered = told(reader) => Wake::History(answered),
            changed = changed(session) => if changed { Wake::View } else { Wake::SessionGone },
        }
    }

    /// Handles an event and all that wait behind it; says how the program ends, if one of them ends it.
    async fn handle(&mut self, first: io::Result<Event>) -> anyhow::Result<Option<DashboardEnd>> {
        let mut event = Some(first);
        while let Some(current) = event {
            match current.context("cannot read the terminal")? {
                Event::Key(key) => {
                    self.pressed = true;
                    if let Some(action) = keys::action(key, self.ui.context()) {
                        self.pacer.input();
                        let last_scroll = draw::last_scroll(&self.model, &self.ui);
                        for effect in self.ui.update(&self.model, action, last_scroll) {
                            if let Some(ended) = self.carry_out(effect).await? {
                                return Ok(Some(ended));
                            }
                        }
                    } else if self.ui.notice.take().is_some() {
                        self.pacer.input();
                    }
                }
                // The size is asked for when the frame is drawn, so any number of these is one.
                Event::Resize(..) => self.pacer.input(),
                Event::Paste(text) => {
                    self.ui.paste(&text);
                    self.pacer.input();
                }
                Event::FocusGained | Event::FocusLost | Event::Mouse(_) => {}
            }
            event = self.input.waiting();
        }
        Ok(None)
    }

    async fn carry_out(&mut self, effect: UiEffect) -> anyhow::Result<Option<DashboardEnd>> {
        match effect {
            UiEffect::Leave(ended) => return Ok(Some(ended)),
            UiEffect::Send(command) => {
                if matches!(command, SessionCommand::Stop) {
                    self.next_search = None;
                }
                self.send(command);
            }
            UiEffect::Open(entry) => self.open_entry(entry).await,
            UiEffect::OpenNext(entry) => {
                self.next = Some(entry);
                self.send(SessionCommand::Stop);
            }
            UiEffect::Suspend => self.suspend(Stopping::WithTheJob).await?,
            UiEffect::Redraw => self.screen.invalidate(),
            UiEffect::Save => self.save(),
            UiEffect::Search(wanted, arm) => self.look_for(wanted, arm),
            UiEffect::WriteComparison(a, b) => {
                if let Some(reader) = &self.reader {
                    reader.ask(Wish::Write(a, b));
                }
            }
        }
        Ok(None)
    }

    /// Asks for what is missing in what is shown of the history.
    fn ask_history(&mut self) {
        let shown = self.ui.screen.view() == state::Screen::History;
        if shown && !std::mem::replace(&mut self.history_shown, shown) {
            self.model.past.stale();
        }
        self.history_shown = shown;
        let wish = shown.then(|| self.ui.history.wish(&self.model.past)).flatten();
        if let (Some(reader), Some(wish)) = (&self.reader, wish) {
            self.model.past.asked = Some(wish.clone());
            reader.ask(wish);
        }
    }

    fn take_history(&mut self, answered: Answered) {
        let past = &mut self.model.past;
        match answered {
            Some((_, Answer::Waiting(why))) => past.waits(why),
            Some((wish, Answer::Told(told))) => {
                let before = past.lines.clone();
                if let Some(words) = past.take(&wish, told) {
                    self.ui.notice = Some(words);
                }
                if matches!(wish, Wish::Page { before: None, .. }) {
                    self.ui.history.follow(&before, &past.lines);
                }
            }
            // Its thread broke; that is told as every other panic.
            None => {
                self.reader = None;
                *past = Past::none("the history cannot be read any more: an internal error".to_owned());
                self.report_panic();
            }
        }
        self.pacer.input();
    }

    fn save(&mut self) {
        let (entry, _) = self.opened;
        if let Some(entry) = self.model.catalogue.get(entry) {
            self.ui.notice = Some((self.options.save)(entry));
        }
    }

    fn send(&mut self, command: SessionCommand) {
        let sent = self.session.as_ref().is_some_and(|session| session.commands.send(command).is_ok());
        if !sent {
            self.ui.notice = Some("the session has ended; o chooses a workload".to_owned());
        }
    }

    async fn open_entry(&mut self, entry: usize) {
        if let Some(Ok(workload)) = self.model.catalogue.get(entry).map(|entry| entry.outcome.clone()) {
            self.earlier = self.measured();
            self.ui.entry = entry;
            self.open(entry, workload).await;
        }
    }

    /// The session under way, if something was measured in it, or else an earlier one.
    fn measured(&self) -> Option<Measured> {
        let base = self.searching.as_ref().map(|searching| Arc::clone(&searching.base_view));
        let newest = base.or_else(|| self.session.as_ref().map(|session| Arc::clone(&session.view.borrow())));
        let view = newest.or_else(|| self.model.session.clone()).filter(|view| model::was_measured(view));
        let (entry, opened_with) = self.opened.clone();
        let cut_short = self.cut_short;
        view.map(|view| Measured { entry, view, opened_with, cut_short }).or_else(|| self.earlier.clone())
    }

    /// Opens a workload and runs it.
    async fn open(&mut self, entry: usize, workload: Arc<Workload>) {
        self.session = None;
        (self.searching, self.model.search) = (None, None);
        let name = text::clean(&workload.name);
        let opened = match Opening::begin(entry, &self.options.start, workload) {
            Ok(mut opening) => {
                let opened = opening.ended_at_once().await;
                self.opening = opened.is_none().then_some(opening);
                opened
            }
            Err(error) => Some(Err(error)),
        };
        match opened {
            Some(opened) => self.take_session(entry, opened),
            None => {
                self.model.session = None;
                self.ui.screen = state::Screen::Picker;
                self.ui.notice = Some(format!("getting {name} ready: its interpreters are looked at"));
                self.pacer.input();
            }
        }
    }

    /// Shows a session and runs it, or says why there is none.
    fn take_session(&mut self, entry: usize, opened: anyhow::Result<SessionHandle>) {
        self.opening = None;
        self.pacer.input();
        match opened {
            Ok(mut session) => {
                let view = Arc::clone(&session.view.borrow_and_update());
                self.ui.opened(&view);
                self.ui.notice = opening::skipped(&view.workload).or_else(|| opening::offered(&view.workload));
                self.opened = (entry, view.arms.iter().map(|arm| arm.workers).collect());
                self.model.session = Some(view);
                self.model.past.stale();
                self.session = Some(session);
                let fields = if Some(entry) == self.options.initial {
                    std::mem::take(&mut self.options.sweep)
                } else {
                    Vec::new()
                };
                if fields.is_empty() {
                    self.send(SessionCommand::Run(Mode::Interleaved));
                } else {
                    self.sweep_at_once(fields);
                }
            }
            Err(error) => {
                self.model.session = None;
                self.ui.screen = state::Screen::Picker;
                self.ui.notice = Some(format!("cannot run it: {error:#}"));
            }
        }
    }

    fn new_view(&mut self) {
        let before = self.model.session.clone();
        if let Some(session) = &mut self.session {
            let view = Arc::clone(&session.view.borrow_and_update());
            if !model::is_running(&view) {
                self.ui.asked = Escalation::default();
                if self.model.session.as_deref().is_some_and(model::is_running) {
                    // What was measured can be stored now.
                    self.model.past.stale();
                }
            }
            self.model.session = Some(view);
            self.follow_search(before.as_deref());
            self.ui.settle(&self.model);
        }
        if self.ui.frozen.is_none() {
            self.pacer.data();
        }
        self.report_panic();
    }

    /// The other end is gone. If that was in the middle of something, it shows.
    fn session_gone(&mut self) {
        if self.search_is_over() {
            return;
        }
        self.session = None;
        if let Some(view) = self.model.session.as_deref().filter(|view| model::is_running(view)) {
            self.model.session = Some(Arc::new(abandoned(view)));
        }
        self.report_panic();
        self.pacer.input();
    }

    fn report_panic(&mut self) {
        if let Some(panic) = terminal::new_panic() {
            self.ui.notice = Some(format!("internal error in {panic}"));
            self.pacer.input();
        }
    }

    fn frame(&mut self) -> io::Result<()> {
        self.ui.size = size(&self.out);
        let theme = Theme::new(self.ui.theme, self.depth, self.options.ascii);
        let (model, ui) = (&self.model, &self.ui);
        let drawn = self.screen.present(&mut self.out, ui.size, |area, buf| draw::draw(model, ui, &theme, area, buf));
        self.pacer.drawn(Instant::now());
        drawn
    }

    /// Ctrl-Z: workers and clock stand still, the terminal goes to the shell, and everything comes back with `fg`.
    async fn suspend(&mut self, stopping: Stopping) -> anyhow::Result<()> {
        self.pacer.input();
        if !job_control::can_stop() {
            self.ui.notice = Some(suspension::NOT_HERE.to_owned());
            return Ok(());
        }
        terminal::give_back();
        let stopped = Instant::now();
        let resumed = suspend(self.session.as_mut(), &mut self.signals, stopping).await;
        let stood = stopped.elapsed();
        self.leave_by = self.leave_by.map(|at| later(at, stood));
        self.kill_by = self.kill_by.map(|at| later(at, stood));
        self.expect_continue = matches!(resumed, Ok(Resumed::NotYet));
        terminal::take(self.options.process).context("cannot take the terminal again")?;
        self.input = TerminalInput::new().context("cannot read the terminal")?;
        self.screen.invalidate();
        self.new_view();
        if let Err(error) = resumed {
            self.ui.notice = Some(format!("cannot be suspended: {error}"));
        }
        Ok(())
    }

    /// Another process stopped and continued us: a shell may have changed the terminal meanwhile.
    fn continued(&mut self) -> anyhow::Result<()> {
        if !std::mem::take(&mut self.expect_continue) {
            terminal::give_back();
            terminal::take(self.options.process).context("cannot take the terminal again")?;
        }
        self.screen.invalidate();
        self.pacer.input();
        Ok(())
    }
}

/// A view of a session that went away in the middle.
fn abandoned(view: &SessionView) -> SessionView {
    let mut view = view.clone();
    view.phase = SessionPhase::Broken(Arc::new(SessionError::Gone));
    for arm in &mut view.arms {
        arm.live = false;
    }
    view
}

/// What a write says when the terminal is gone; the signal may come a moment later or, without job control, never.
fn is_hangup(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::EPIPE | libc::ENXIO))
}

/// Columns and lines of the terminal; what terminals had for forty years where it does not say.
fn size(out: &File) -> (u16, u16) {
    match tcgetwinsize(out) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
        _ => (80, 24),
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// What came of the session on its way; waits for ever without one.
async fn opened(opening: &mut Option<Opening>) -> (usize, anyhow::Result<SessionHandle>) {
    match opening {
        Some(opening) => (opening.entry, opening.ended().await),
        None => std::future::pending().await,
    }
}

/// What comes of the history; waits for ever where nobody reads it.
async fn told(reader: &mut Option<Reader>) -> Answered {
    match reader {
        Some(reader) => reader.told().await,
        None => std::future::pending().await,
    }
}

/// Whether there is a new view (`true`) or never will be (`false`); waits for ever without a session.
async fn changed(session: &mut Option<SessionHandle>) -> bool {
    match session {
        Some(session) => session.view.changed().await.is_ok(),
        None => std::future::pending().await,
    }
}
