//! The one loop that waits: for keys, views, signals and the time of the next frame. It draws and passes commands on, and
//! never waits for an engine except, bounded, when it stops or suspends one.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossterm::event::Event;
use rustix::termios::tcgetwinsize;

use crate::engine::event::RunState;
use crate::os::job_control;
use crate::session::handle::SessionHandle;
use crate::session::view::{Mode, SessionCommand, SessionPhase, SessionView};
use crate::tui::input::Input;
use crate::tui::model::{self, Model};
use crate::tui::pacer::Pacer;
use crate::tui::screen::Screen;
use crate::tui::signals::{Caught, Signals};
use crate::tui::state::{self, Effect, UiState};
use crate::tui::theme::{ColorDepth, Theme};
use crate::tui::{Ended, Options, draw, keys, terminal};
use crate::workload::model::Workload;

/// How long the workers get to end when a signal ends the program, before they are killed; and as long again then.
const END_LIMIT: Duration = Duration::from_millis(1500);
/// How long the workers get to stand still before the program is stopped itself.
const SUSPEND_LIMIT: Duration = Duration::from_millis(300);

/// Longest time from the request to stop until it takes effect; time spent stopped counts, so `fg` ends the wait at once.
const CONTINUE_LIMIT: Duration = Duration::from_secs(2);

/// Takes the terminal, shows the dashboard until the user or a signal ends it, gives the terminal back.
///
/// # Errors
/// When there is no terminal, or it cannot be read or written any more.
pub fn run(options: Options) -> anyhow::Result<Ended> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the dashboard")?;
    let guard = terminal::Guard::new().context("cannot use the terminal")?;
    let ended = runtime.block_on(async { Dashboard::new(options)?.run().await });
    drop(guard);
    ended
}

/// Everything the loop holds.
struct Dashboard {
    options: Options,
    depth: ColorDepth,
    model: Model,
    ui: UiState,
    session: Option<SessionHandle>,
    /// Opened as soon as the session under way has ended.
    next: Option<usize>,
    screen: Screen,
    out: File,
    pacer: Pacer,
    input: Input,
    signals: Signals,
    /// Our own suspension ends with a SIGCONT too.
    expect_continue: bool,
}

/// Why the loop woke up.
enum Wake {
    Signal(Caught),
    Frame,
    Input(Option<io::Result<Event>>),
    View,
    SessionGone,
}

impl Dashboard {
    fn new(options: Options) -> anyhow::Result<Self> {
        let out = File::from(io::stdout().as_fd().try_clone_to_owned().context("cannot use the terminal")?);
        let model = Model { catalogue: Arc::new(options.catalogue.clone()), session: None };
        Ok(Self {
            depth: ColorDepth::detect(|name| std::env::var(name).ok()),
            model,
            ui: UiState { theme: options.theme, ..UiState::default() },
            session: None,
            next: None,
            screen: Screen::new(),
            out,
            pacer: Pacer::new(options.fps),
            input: Input::new().context("cannot read the terminal")?,
            signals: Signals::new().context("cannot watch for signals")?,
            expect_continue: false,
            options,
        })
    }

    async fn run(mut self) -> anyhow::Result<Ended> {
        if let Some(workload) = self.options.initial.take() {
            self.open(workload);
        }
        self.pacer.input();
        let result = self.wait_and_act().await;
        let early = !matches!(result, Ok(Ended::Quit));
        if early {
            // Nobody looks any more: first the terminal, then the workers.
            terminal::give_back();
        }
        self.end_session(early).await;
        result
    }

    async fn wait_and_act(&mut self) -> anyhow::Result<Ended> {
        loop {
            match self.wait().await {
                Wake::Signal(Caught::End(signal)) => return Ok(Ended::Signal(signal)),
                Wake::Signal(Caught::Stop) => self.suspend().await?,
                Wake::Signal(Caught::Continue) => self.continued()?,
                Wake::Frame => match self.frame() {
                    Err(error) if is_hangup(&error) => return Ok(Ended::Signal(libc::SIGHUP)),
                    drawn => drawn.context("cannot write to the terminal")?,
                },
                // A terminal that is gone may show here before its signal comes.
                Wake::Input(None) => return Ok(Ended::Signal(libc::SIGHUP)),
                Wake::Input(Some(Err(error))) if is_hangup(&error) => return Ok(Ended::Signal(libc::SIGHUP)),
                Wake::Input(Some(event)) => {
                    if self.handle(event).await? {
                        return Ok(Ended::Quit);
                    }
                }
                Wake::View => self.new_view(),
                Wake::SessionGone => self.session_gone(),
            }
            let running = self.model.session.as_deref().is_some_and(model::is_running);
            if !running && self.ui.leaving {
                return Ok(Ended::Quit);
            }
            if !running && let Some(entry) = self.next.take() {
                self.open_entry(entry);
            }
        }
    }

    async fn wait(&mut self) -> Wake {
        let due = self.pacer.due(Instant::now());
        let session = &mut self.session;
        tokio::select! {
            biased;
            caught = self.signals.next() => Wake::Signal(caught),
            () = sleep_until(due) => Wake::Frame,
            event = self.input.next() => Wake::Input(event),
            changed = changed(session) => if changed { Wake::View } else { Wake::SessionGone },
        }
    }

    /// Handles an event and all that wait behind it; `true` ends the program.
    async fn handle(&mut self, first: io::Result<Event>) -> anyhow::Result<bool> {
        let mut event = Some(first);
        while let Some(current) = event {
            match current.context("cannot read the terminal")? {
                Event::Key(key) => {
                    if let Some(action) = keys::action(key, self.ui.context()) {
                        self.pacer.input();
                        for effect in self.ui.update(&self.model, action) {
                            if self.carry_out(effect).await? {
                                return Ok(true);
                            }
                        }
                    } else if self.ui.notice.take().is_some() {
                        self.pacer.input();
                    }
                }
                // The size is asked for when the frame is drawn, so any number of these is one.
                Event::Resize(..) => self.pacer.input(),
                Event::FocusGained | Event::FocusLost | Event::Mouse(_) | Event::Paste(_) => {}
            }
            event = self.input.waiting();
        }
        Ok(false)
    }

    async fn carry_out(&mut self, effect: Effect) -> anyhow::Result<bool> {
        match effect {
            Effect::Quit => return Ok(true),
            Effect::Send(command) => self.send(command),
            Effect::Open(entry) => self.open_entry(entry),
            Effect::OpenNext(entry) => {
                self.next = Some(entry);
                self.send(SessionCommand::Stop);
            }
            Effect::Suspend => self.suspend().await?,
            Effect::Redraw => self.screen.invalidate(),
        }
        Ok(false)
    }

    fn send(&mut self, command: SessionCommand) {
        let sent = self.session.as_ref().is_some_and(|session| session.commands.send(command).is_ok());
        if !sent {
            self.ui.notice = Some("the session has ended; o chooses a workload".to_owned());
        }
    }

    fn open_entry(&mut self, entry: usize) {
        if let Some(Ok(workload)) = self.model.catalogue.get(entry).map(|entry| entry.outcome.clone()) {
            self.open(workload);
        }
    }

    /// Opens a workload and runs it.
    fn open(&mut self, workload: Arc<Workload>) {
        self.session = None;
        self.pacer.input();
        match (self.options.start)(workload) {
            Ok(mut session) => {
                let view = Arc::clone(&session.view.borrow_and_update());
                self.ui.opened(&view);
                self.model.session = Some(view);
                self.session = Some(session);
                self.send(SessionCommand::Run(Mode::Interleaved));
            }
            Err(error) => {
                self.model.session = None;
                self.ui.screen = state::Screen::Picker;
                self.ui.notice = Some(format!("cannot run it: {error:#}"));
            }
        }
    }

    fn new_view(&mut self) {
        if let Some(session) = &mut self.session {
            let view = Arc::clone(&session.view.borrow_and_update());
            if !model::is_running(&view) {
                self.ui.stops = 0;
            }
            self.model.session = Some(view);
        }
        if self.ui.frozen.is_none() {
            self.pacer.data();
        }
        self.report_panic();
    }

    /// The other end is gone. If that was in the middle of something, it shows.
    fn session_gone(&mut self) {
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
    async fn suspend(&mut self) -> anyhow::Result<()> {
        self.pacer.input();
        if !job_control::can_stop() {
            self.ui.notice = Some("cannot suspend: no shell would continue this program".to_owned());
            return Ok(());
        }
        let running = self.model.session.as_deref().is_some_and(model::is_running);
        terminal::give_back();
        if running {
            self.send(SessionCommand::Suspend);
            // Stopping ourselves stops the engine's threads too; they must have stopped the workers first.
            self.wait_for_view(SUSPEND_LIMIT, stands_still).await;
        }
        let stopped = job_control::raise_stop();
        // The call can return before the stop takes effect. Only the signal says that the terminal is ours again.
        let continued = match stopped {
            Ok(()) => tokio::time::timeout(CONTINUE_LIMIT, self.signals.continued()).await.is_ok(),
            Err(_) => true,
        };
        self.expect_continue = !continued;
        terminal::take().context("cannot take the terminal again")?;
        self.input = Input::new().context("cannot read the terminal")?;
        self.screen.invalidate();
        if running {
            self.send(SessionCommand::Unsuspend);
        }
        if let Err(error) = stopped {
            self.ui.notice = Some(format!("cannot suspend: {error}"));
        }
        Ok(())
    }

    /// Someone else stopped and continued us: a shell may have changed the terminal meanwhile.
    fn continued(&mut self) -> anyhow::Result<()> {
        if !std::mem::take(&mut self.expect_continue) {
            terminal::give_back();
            terminal::take().context("cannot take the terminal again")?;
        }
        self.screen.invalidate();
        self.pacer.input();
        Ok(())
    }

    /// Waits, bounded, until a view has come for which `until` holds, or none can come.
    async fn wait_for_view(&mut self, limit: Duration, until: fn(&SessionView) -> bool) {
        let Some(session) = &mut self.session else { return };
        // Running out of time, like a session that is gone, is an answer: the wait is over.
        drop(tokio::time::timeout(limit, session.view.wait_for(|view| until(view))).await);
        self.model.session = Some(Arc::clone(&session.view.borrow_and_update()));
    }

    /// Leaves no run behind: asks it to end, then kills.
    async fn end_session(&mut self, patient: bool) {
        for _ in 0..2 {
            let running = self.session.as_ref().is_some_and(|session| model::is_running(&session.view.borrow()));
            if !running {
                return;
            }
            self.send(SessionCommand::Stop);
            if patient {
                self.wait_for_view(END_LIMIT, |view| !model::is_running(view)).await;
            }
        }
    }
}

/// Whether every arm that runs has been suspended.
fn stands_still(view: &SessionView) -> bool {
    view.arms
        .iter()
        .filter(|arm| arm.live)
        .all(|arm| arm.latest().is_some_and(|frame| frame.state == RunState::Suspended || frame.state.is_over()))
}

/// A view of a session that went away in the middle.
fn abandoned(view: &SessionView) -> SessionView {
    let mut view = view.clone();
    view.phase = SessionPhase::Broken("the session ended in the middle of a run".to_owned());
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

/// Whether there is a new view (`true`) or never will be (`false`); waits for ever without a session.
async fn changed(session: &mut Option<SessionHandle>) -> bool {
    match session {
        Some(session) => session.view.changed().await.is_ok(),
        None => std::future::pending().await,
    }
}
