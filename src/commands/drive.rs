//! Drives a session without a dashboard: to its end, or until a signal asks for that.

use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context as _;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::commands::batch::Ask;
use crate::commands::process;
use crate::commands::progress::Progress;
use crate::commands::sweep_state::State;
use crate::commands::write;
use crate::os::job_control::{self, Stopping};
use crate::os::signal_watch::{Caught, SignalWatch};
use crate::report::ending::Ending;
use crate::session::conductor::{Session, SessionSpec};
use crate::session::ending::{SessionEnd, end};
use crate::session::escalation::{Escalation, StopLevel};
use crate::session::keeping::Keeping;
use crate::session::stream::SharedStream;
use crate::session::suspension::{self, suspend};
use crate::session::view::{ArmView, SessionCommand, SessionPhase, SessionView};
use crate::workload::model::Halt;

/// A session that has come to its end, or that was left.
pub(super) struct Driven {
    /// The last view of it.
    pub(crate) view: Arc<SessionView>,
    /// How it came to its end.
    pub(crate) ending: Ending,
    /// Hash of the stream of tasks.
    pub(crate) stream_hash: String,
    /// Whether it had not come to its end: waiting for it may take for ever.
    pub(crate) left_behind: bool,
}

/// Lets a session do what it is asked for, to its end or until a signal comes.
///
/// # Errors
/// See [`super::execute`].
pub(super) fn drive(
    spec: SessionSpec,
    command: SessionCommand,
    progress: Progress,
    asks: Option<&mut UnboundedReceiver<Ask>>,
    state: Option<State>,
) -> anyhow::Result<Driven> {
    let stream_hash = SharedStream::new(&spec.workload).hash().to_owned();
    let (keeping, writer) = match state.map(State::keeping).transpose().context("keeping the state of the sweep")? {
        Some((keeping, writer)) => (keeping, Some(writer)),
        None => (Keeping::default(), None),
    };
    let mut session = Session::resume(spec, keeping)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    let watched = runtime.block_on(watch(&mut session, command, progress, asks))?;
    let view = Arc::clone(&session.handle.view.borrow());
    let left_behind = matches!(watched, Watched::Signalled(_, SessionEnd::LeftBehind));
    if left_behind {
        // Waiting for its thread could take for ever.
        std::mem::forget(session);
    } else {
        drop(session);
        // Its last run is on disk before anything is said.
        if let Some(Err(_)) = writer.map(JoinHandle::join) {
            write::say("note: the state of the sweep was not written to its end");
        }
    }
    let signal = match watched {
        Watched::ToItsEnd => None,
        Watched::Signalled(number, _) => Some(number),
    };
    let ending = ending(&view, signal);
    Ok(Driven { view, ending, stream_hash, left_behind })
}

/// How a session was watched.
#[derive(Clone, Copy)]
enum Watched {
    ToItsEnd,
    /// Until this signal came.
    Signalled(i32, SessionEnd),
}

/// Watches a session to its end, or ends it when a signal asks for that.
async fn watch(
    session: &mut Session,
    command: SessionCommand,
    mut progress: Progress,
    mut asks: Option<&mut UnboundedReceiver<Ask>>,
) -> anyhow::Result<Watched> {
    let mut signals = SignalWatch::new(process()?).context("watching for signals")?;
    let handle = &mut session.handle;
    handle.commands.send(command).context("the session is gone")?;
    let watched = loop {
        tokio::select! {
            caught = signals.next() => match caught {
                Caught::End(number) => {
                    let told = |level| progress.note(match level {
                        StopLevel::Stop => "stopping: running tasks are asked to end; once more to kill",
                        StopLevel::Kill => "killing; once more to leave at once",
                        StopLevel::Leave => "leaving",
                    });
                    break Watched::Signalled(number, end(handle, &mut signals, &mut Escalation::default(), told).await);
                }
                Caught::Stop if !job_control::can_stop() => progress.note(suspension::NOT_HERE),
                Caught::Stop => if let Err(error) = suspend(Some(&mut *handle), &mut signals, Stopping::Alone).await {
                    progress.note(&format!("cannot be suspended: {error}"));
                },
                Caught::Continue => {}
            },
            ask = next_ask(&mut asks) => {
                let asked = match ask {
                    Ask::Backlog(waiting) => SessionCommand::Hold(waiting.is_much()),
                    Ask::MoreTasks => SessionCommand::MoreTasks,
                    Ask::End => SessionCommand::Stop,
                };
                handle.commands.send(asked).context("the session is gone")?;
            }
            changed = handle.view.changed() => {
                changed.context("the session is gone")?;
                let view = Arc::clone(&handle.view.borrow_and_update());
                progress.show(&view);
                if view.phase.is_over() {
                    break Watched::ToItsEnd;
                }
            }
        }
    };
    progress.finish();
    Ok(watched)
}

/// What is asked of a session next; never where nobody asks.
async fn next_ask(asks: &mut Option<&mut UnboundedReceiver<Ask>>) -> Ask {
    match asks {
        Some(asks) => match asks.recv().await {
            Some(ask) => ask,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

/// How a session came to its end; `signal` has ended it, if one has.
pub(super) fn ending(view: &SessionView, signal: Option<i32>) -> Ending {
    match (signal, &view.phase) {
        (Some(_), _) => Ending::Stopped(signal),
        (None, SessionPhase::Broken(reason)) => Ending::Broken(reason.chain()),
        (None, SessionPhase::Finished) => Ending::Finished,
        (None, _) => match (view.out_of_time, halted(view)) {
            (Some(limit), _) => Ending::OutOfTime(limit),
            (None, Some(halt)) => Ending::Halted(halt),
            (None, None) => Ending::Stopped(None),
        },
    }
}

/// The rule that has ended a run before its last task, if one has.
fn halted(view: &SessionView) -> Option<Halt> {
    let halt = view.workload.batch.halt?;
    let reached = |arm: &ArmView| {
        let run = arm.latest()?;
        Some(halt.is_reached(run.counts.succeeded, run.counts.unsuccessful(), Some(run.total)))
    };
    view.arms.iter().any(|arm| reached(arm).unwrap_or(false)).then_some(halt)
}
