//! Ends a session on request, and within bounds: the same for headless commands and the dashboard.

use std::time::{Duration, Instant};

use crate::os::job_control::{self, Stopping};
use crate::os::signal_watch::{Caught, SignalWatch};
use crate::session::escalation::{Escalation, StopLevel, leave_by};
use crate::session::handle::SessionHandle;
use crate::session::suspension::suspend;
use crate::session::view::{SessionCommand, SessionView};

/// Before the program leaves by itself, it kills.
pub(crate) const KILL_BEFORE: Duration = Duration::from_millis(500);

/// What became of a session that was asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum SessionEnd {
    /// It has ended.
    Whole,
    /// It has not, and is not waited for any longer: joining its thread could take for ever.
    LeftBehind,
}

/// Longest grace period of any task.
#[must_use]
pub(crate) fn grace_period(view: &SessionView) -> Duration {
    view.workload.classes.iter().map(|class| class.grace_period).max().unwrap_or_default()
}

/// So much later; a moment that is centuries off stays.
pub(crate) fn later(moment: Instant, by: Duration) -> Instant {
    moment.checked_add(by).unwrap_or(moment)
}

/// A signal has come: asks a session to end and waits for that, at most for the grace period of its tasks plus a second.
/// Signals that come meanwhile kill, then leave; `told` hears of each level. Time for which it is suspended does not count.
pub async fn end(
    session: &mut SessionHandle,
    signals: &mut SignalWatch,
    escalation: &mut Escalation,
    mut told: impl FnMut(StopLevel),
) -> SessionEnd {
    let now = Instant::now();
    let mut leave_at = leave_by(now, grace_period(&session.view.borrow()));
    let mut kill_at = leave_at.checked_sub(KILL_BEFORE).unwrap_or(leave_at);
    let mut killed = false;
    let mut asked = escalation.signal(now);
    loop {
        if let Some(level) = asked.take() {
            told(level);
            if level == StopLevel::Leave {
                return SessionEnd::LeftBehind;
            }
            killed |= level == StopLevel::Kill;
            // Each one is a level for the session too. One that is gone has ended.
            let _ = session.commands.send(SessionCommand::Stop);
        }
        let caught = tokio::select! {
            biased;
            // A session that is gone is over.
            _ = session.view.wait_for(|view| view.phase.is_over()) => return SessionEnd::Whole,
            caught = signals.next() => caught,
            () = tokio::time::sleep_until(kill_at.into()), if !killed => {
                asked = Some(escalation.key().min(StopLevel::Kill));
                continue;
            }
            () = tokio::time::sleep_until(leave_at.into()) => return SessionEnd::LeftBehind,
        };
        match caught {
            Caught::End(_) => asked = escalation.signal(Instant::now()),
            Caught::Stop if job_control::can_stop() => {
                let stopped = Instant::now();
                // If it cannot be, it goes on to its end.
                let _ = suspend(Some(&mut *session), signals, Stopping::Alone).await;
                let stood = stopped.elapsed();
                (kill_at, leave_at) = (later(kill_at, stood), later(leave_at, stood));
            }
            Caught::Stop | Caught::Continue => {}
        }
    }
}
