//! Keys from the terminal although standard input is something else.

use std::fs::File;
use std::io::{self, IsTerminal as _};

use crate::os::process_owner::ProcessOwner;

/// Makes the terminal of this process its standard input, if that is something else, which must have been read.
///
/// # Errors
/// Where there is no terminal (`/dev/tty`).
pub(crate) fn take(_process: ProcessOwner) -> io::Result<()> {
    if io::stdin().is_terminal() {
        return Ok(());
    }
    let terminal = File::options().read(true).write(true).open("/dev/tty")?;
    rustix::stdio::dup2_stdin(&terminal)?;
    Ok(())
}
