//! Writing results: a closed pipe is the reader's right, everything else is an error that is told.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::Context as _;

use crate::cli::Color;

/// Writes to standard output. A reader that has gone is no error.
///
/// # Errors
/// A full disk and the like.
pub(super) fn stdout(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("writing to standard output"),
    }
}

/// Writes a file whole or not at all, or to standard output without a path.
///
/// # Errors
/// What the system says, with the path.
pub(super) fn result(text: &str, path: Option<&Path>) -> anyhow::Result<()> {
    let Some(path) = path else { return stdout(text) };
    let context = || format!("writing {}", path.display());
    // Something that is no regular file (a pipe, /dev/stdout) can only be written to as it is.
    let special = path.metadata().is_ok_and(|metadata| !metadata.is_file());
    if special {
        return std::fs::write(path, text).with_context(context);
    }
    let name = path.file_name().with_context(context)?.to_string_lossy().into_owned();
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written.with_context(context)
}

/// Says something to people, on standard error. Nobody may be listening.
pub(super) fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
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

fn colored(color: Color, terminal: bool) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        // https://no-color.org: set and not empty means no.
        Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}
