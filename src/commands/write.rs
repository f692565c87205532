//! Writing to standard output and standard error: in the characters that can be shown there, and with whose colours.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Context as _;

use crate::cli::Color;
use crate::commands::console::Console;
use crate::os::standard_output;
use crate::report::ascii;

/// Writes to standard output. A reader that has gone is no error.
///
/// # Errors
/// A full disk and the like, or that there is none.
pub(super) fn stdout(text: &str) -> anyhow::Result<()> {
    if standard_output::was_closed() {
        anyhow::bail!("writing to standard output: it is closed");
    }
    let mut out = io::stdout().lock();
    tolerate_closed(out.write_all(text.as_bytes()).and_then(|()| out.flush())).context("writing to standard output")
}

/// A reader that has gone is no error.
pub(super) fn tolerate_closed(written: io::Result<()>) -> io::Result<()> {
    written.or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}

/// A text for people as it can be shown.
pub(super) fn shown(text: &str, on_terminal: bool) -> Cow<'_, str> {
    if Console::detect().ascii(on_terminal) { ascii::text(text) } else { Cow::Borrowed(text) }
}

/// [`shown`] for standard output or another place.
pub(super) fn shown_on(text: &str, standard: bool) -> Cow<'_, str> {
    shown(text, standard && io::stdout().is_terminal())
}

thread_local! {
    /// What this thread has said while standard error is not the place for it.
    static KEPT: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Does something on a thread of which nobody sees standard error, as the screen is the dashboard's: what it says is kept, and
/// given back.
pub(super) fn keeping<T>(act: impl FnOnce() -> T) -> (T, Vec<String>) {
    KEPT.set(Some(Vec::new()));
    let done = act();
    (done, KEPT.take().unwrap_or_default())
}

/// Says something to people, on standard error, which may be closed; or keeps it for who called [`keeping`].
pub(super) fn say(text: &str) {
    let kept = KEPT.with_borrow_mut(|kept| kept.as_mut().map(|kept| kept.push(text.to_owned())).is_some());
    if kept {
        return;
    }
    let mut err = io::stderr().lock();
    let _ = writeln!(err, "{}", shown(text, err.is_terminal()));
}

/// Whether to use colours on standard output.
pub(super) fn colored_stdout(color: Color) -> bool {
    colored(color, io::stdout().is_terminal())
}

/// Whether to use colours on standard error.
pub(super) fn colored_stderr(color: Color) -> bool {
    colored(color, io::stderr().is_terminal())
}

/// Columns of standard output: those of the terminal, or 100.
pub(super) fn stdout_width() -> usize {
    rustix::termios::tcgetwinsize(io::stdout()).map_or(100, |size| usize::from(size.ws_col).max(40))
}

/// The same of standard error.
pub(super) fn stderr_width() -> usize {
    rustix::termios::tcgetwinsize(io::stderr()).map_or(100, |size| usize::from(size.ws_col).max(40))
}

fn colored(color: Color, terminal: bool) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        // https://no-color.org: set and not empty means no.
        Color::Auto => {
            terminal
                && !Console::detect().is_dumb()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_kept_where_nobody_would_see_it() {
        let (answer, said) = keeping(|| {
            say("one");
            std::thread::spawn(|| say("of another thread")).join().unwrap();
            say("two");
            7
        });
        assert_eq!((answer, said), (7, vec!["one".to_owned(), "two".to_owned()]));
        assert_eq!(keeping(|| ()).1, Vec::<String>::new(), "nothing is left of it");
    }
}
