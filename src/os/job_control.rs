//! Job control: stopping ourselves so that the shell gets its terminal back.

use rustix::process::{Signal, getpid, getsid, kill_current_process_group};

/// Whether there is a shell to come back to: the leader of a session has none, and once stopped nobody would continue it.
#[must_use]
pub fn can_stop() -> bool {
    getsid(None).is_ok_and(|session| session != getpid())
}

/// Stops the whole foreground job, as the terminal would have done on Ctrl-Z.
///
/// May return a moment before the stop takes effect, because another thread may be the one that the kernel gives the
/// signal to: whoever must not go on before `fg` waits for SIGCONT.
///
/// The group rather than the process alone, because the shell waits for the program it started, which may be a wrapper
/// (`cargo run`, `sudo`). SIGSTOP rather than SIGTSTP, because the latter is caught here and could be ignored there.
/// Workers have groups of their own and are not reached.
///
/// # Errors
/// When the signal could not be sent.
pub fn raise_stop() -> std::io::Result<()> {
    Ok(kill_current_process_group(Signal::STOP)?)
}
