//! Drives a session without a dashboard: to its end, or until a signal asks for that.

use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context as _;

use crate::cli::Output;
use crate::commands::console::Console;
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
use crate::session::view::{SessionCommand, SessionPhase, SessionView};

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
    output: &Output,
    state: Option<State>,
) -> anyhow::Result<Driven> {
    let stream_hash = SharedStream::new(&spec.workload).hash().to_owned();
    let (keeping, writer) = match state.map(State::keeping).transpose().context("keeping the state of the sweep")? {
        Some((keeping, writer)) => (keeping, Some(writer)),
        None => (Keeping::default(), None),
    };
    let mut session = Session::resume(spec, keeping)?;
    let progress = Progress::new(output, Console::detect());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    let watched = runtime.block_on(watch(&mut session, command, progress))?;
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
async fn watch(session: &mut Session, command: SessionCommand, mut progress: Progress) -> anyhow::Result<Watched> {
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

/// How a session came to its end; `signal` has ended it, if one has.
pub(super) fn ending(view: &SessionView, signal: Option<i32>) -> Ending {
    match (signal, &view.phase) {
        (Some(_), _) => Ending::Stopped(signal),
        (None, SessionPhase::Broken(reason)) => Ending::Broken(reason.chain()),
        (None, SessionPhase::Finished) => Ending::Finished,
        (None, _) => view.out_of_time.map_or(Ending::Stopped(None), Ending::OutOfTime),
    }
}
