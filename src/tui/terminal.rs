//! Takes the terminal and gives it back, whatever happens: on leaving, on errors, panics and signals, and around Ctrl-Z.
//!
//! Ratatui's own helpers are not used: they leave paste mode and the cursor behind and their panic hook fires for every
//! thread. Nothing else in the program may switch terminal modes.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::execute;
use crossterm::style::{Attribute, ResetColor, SetAttribute};
use crossterm::terminal::{
    Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};

use crate::os::last_act;
use crate::os::process_owner::ProcessOwner;

/// Whether the terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// The thread that draws.
static UI_THREAD: Mutex<Option<ThreadId>> = Mutex::new(None);
/// What other threads had to say when they panicked while the terminal was ours.
static PANICS: Mutex<Vec<Panic>> = Mutex::new(Vec::new());
/// Set by each of them.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// What [`give_back`] writes, for an end that does not get there.
const FAREWELL: &[u8] = b"\x1b[?2026l\x1b[0m\x1b[?2004l\x1b[?25h\x1b[?1049l";

/// Most panics that are kept.
const MOST_PANICS: usize = 20;

/// A panic of another thread.
#[derive(Debug)]
struct Panic {
    /// For the screen.
    short: String,
    /// For the end.
    whole: String,
}

/// The terminal is ours as long as this lives.
#[derive(Debug)]
#[must_use = "dropping it gives the terminal back"]
pub(crate) struct Guard(());

impl Guard {
    /// Takes the terminal: raw mode, alternate screen, paste in brackets, no cursor.
    ///
    /// # Errors
    /// When standard input or output is no terminal, or it refuses.
    pub(crate) fn new(process: ProcessOwner) -> io::Result<Self> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(io::Error::other("the dashboard needs a terminal for its input and its output"));
        }
        install_panic_hook(process);
        *UI_THREAD.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current().id());
        // Colours are our theme's business: it knows NO_COLOR, and crossterm would put a bare reset for each colour.
        crossterm::style::force_color_output(true);
        take(process)?;
        Ok(Self(()))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        give_back();
        let panics = std::mem::take(&mut *PANICS.lock().unwrap_or_else(PoisonError::into_inner));
        for panic in panics {
            eprintln!("{}", panic.whole);
        }
    }
}

/// Takes the terminal, for the first time or again.
///
/// # Errors
/// When it refuses; then it is given back.
pub(crate) fn take(process: ProcessOwner) -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    last_act::arm(process, FAREWELL);
    let taken = enable_raw_mode()
        .and_then(|()| execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide, Clear(ClearType::All)));
    if taken.is_err() {
        give_back();
    }
    taken
}

/// Gives the terminal back; does nothing when that was done already.
pub(crate) fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    // The terminal may be gone (hang-up). There is no one to tell then, and the second step must follow the first.
    let _gone = execute!(
        io::stdout(),
        EndSynchronizedUpdate,
        ResetColor,
        SetAttribute(Attribute::Reset),
        DisableBracketedPaste,
        Show,
        LeaveAlternateScreen
    );
    let _gone = disable_raw_mode();
    last_act::disarm();
}

/// The text of a panic on another thread that was not reported yet.
pub(crate) fn new_panic() -> Option<String> {
    if !PANICKED.swap(false, Ordering::SeqCst) {
        return None;
    }
    PANICS.lock().unwrap_or_else(PoisonError::into_inner).last().map(|panic| panic.short.clone())
}

/// A panic that ends the program gives the terminal back before its message is printed. That of another thread must not
/// touch the screen: its message is kept for later.
fn install_panic_hook(_: ProcessOwner) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let current = thread::current();
            // `try_lock`: this very thread may hold it. Then it is the drawing one.
            let draws = UI_THREAD.try_lock().map_or(true, |ui| *ui == Some(current.id()));
            let ends_program = draws || current.name() == Some("main");
            if ends_program || !TAKEN.load(Ordering::SeqCst) {
                give_back();
                previous(info);
                return;
            }
            let name = current.name().unwrap_or("unnamed").to_owned();
            let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
            if panics.len() < MOST_PANICS {
                let message = info.payload_as_str().unwrap_or("no message");
                panics.push(Panic {
                    short: format!("thread {name}: {message}"),
                    whole: format!("thread {name}: {info}"),
                });
            }
            PANICKED.store(true, Ordering::SeqCst);
        }));
    });
}
