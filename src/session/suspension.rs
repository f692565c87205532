//! Ctrl-Z and SIGTSTP: workers and clock stand still, then this process stops; SIGCONT reverses it. The only way to do it:
//! headless commands and the dashboard share it, also while they end what runs.
//!
//! Where nobody would continue us nothing stands still, and that is told: the kernel discards a SIGTSTP there as well
//! (POSIX.1-2024, 2.4.3: the default action for an orphaned process group).

use std::io;
use std::time::Duration;

use futures_util::FutureExt as _;

use crate::engine::event::RunState;
use crate::os::job_control::{self, Stopping};
use crate::os::signal_watch::SignalWatch;
use crate::session::handle::SessionHandle;
use crate::session::view::{SessionCommand, SessionView};

/// How long the workers get to stand still before the program is stopped itself.
const STAND_STILL: Duration = Duration::from_millis(300);
/// Longest time from the request to stop until it takes effect; time spent stopped counts, so `fg` ends the wait at once.
const CONTINUED: Duration = Duration::from_secs(2);

/// What is told where no shell would continue this program.
pub(crate) const NOT_HERE: &str = "cannot be suspended: no shell would continue this program";

/// How the time stopped ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Resumed {
    /// The signal that continued us was seen.
    Seen,
    /// It may still come.
    NotYet,
}

/// Stops everything until we are continued. To be called only where [`job_control::can_stop`]; a terminal is given
/// back before and taken again afterwards by the caller.
///
/// # Errors
/// When the program cannot be stopped; everything goes on then.
pub(crate) async fn suspend(
    session: Option<&mut SessionHandle>,
    signals: &mut SignalWatch,
    stopping: Stopping,
) -> io::Result<Resumed> {
    // Several requests to stop are one. Whether a continuation that nobody has seen yet came before them or right behind
    // cannot be told: not to stop does less harm than to stand still when nobody will continue us any more.
    signals.forget_stops();
    let Some(session) = session else { return stop(signals, stopping).await };
    let _ = session.commands.send(SessionCommand::Suspend);
    // Stopping ourselves stops the engine's threads too: they must have stopped the workers first. A run that has just
    // ended never says that it stands still, so the wait is bounded.
    drop(tokio::time::timeout(STAND_STILL, session.view.wait_for(|view| stands_still(view))).await);
    let resumed = stop(signals, stopping).await;
    let _ = session.commands.send(SessionCommand::Unsuspend);
    resumed
}

async fn stop(signals: &mut SignalWatch, stopping: Stopping) -> io::Result<Resumed> {
    // One who continued us meanwhile will not do it again.
    tokio::task::yield_now().await;
    if signals.continued().now_or_never().is_some() {
        // And requests to stop that have come since the first one are over with it.
        signals.forget_stops();
        return Ok(Resumed::Seen);
    }
    job_control::raise_stop(signals.process(), stopping)?;
    // The call can return before the stop takes effect. Only the signal says that it is over.
    let seen = tokio::time::timeout(CONTINUED, signals.continued()).await;
    job_control::continue_others(signals.process(), stopping);
    // That has reached us too.
    tokio::task::yield_now().await;
    signals.forget_stops();
    signals.forget_continuations();
    Ok(if seen.is_ok() { Resumed::Seen } else { Resumed::NotYet })
}

/// Whether every arm that runs has been suspended.
fn stands_still(view: &SessionView) -> bool {
    view.arms
        .iter()
        .filter(|arm| arm.live)
        .all(|arm| arm.latest().is_some_and(|run| run.state == RunState::Suspended || run.state.is_over()))
}
