//! A session without a dashboard: progress on standard error, the result on standard output, signals heeded.

use std::sync::Arc;

use anyhow::Context as _;

use crate::analysis::failing::AllFailed;
use crate::cli::{Format, Output};
use crate::commands::console::Console;
use crate::commands::progress::Progress;
use crate::commands::target::Target;
use crate::commands::{Exit, process, write};
use crate::engine::event::RunState;
use crate::os::job_control;
use crate::os::signal_watch::{Caught, SignalWatch};
use crate::report::ending::{Ending, Partial};
use crate::report::{self, ArmResult, Results, clean};
use crate::session::conductor::{Session, SessionSpec};
use crate::session::ending::{Ended, end};
use crate::session::escalation::{Escalation, Level};
use crate::session::stream::SharedStream;
use crate::session::suspension::{self, suspend};
use crate::session::view::{ArmView, Mode, SessionCommand, SessionPhase, SessionView};

/// Runs a session to its end and writes the result.
///
/// # Errors
/// See [`super::execute`].
pub(super) fn execute(spec: SessionSpec, mode: Mode, output: &Output, target: Target) -> anyhow::Result<Exit> {
    let driven = drive(spec, SessionCommand::Run(mode), output)?;
    let results = results(&driven.view, driven.stream_hash.clone(), driven.ending.clone());
    let on_page = target.is_standard() && output.format == Format::Text;
    let text = text(&results, output, target.is_standard());
    let written = target.deliver(&text);
    driven.leave(verdict(&results, output.strict, on_page).or_graver(written))
}

/// A session that has come to its end, or that was left.
pub(super) struct Driven {
    /// The last view of it.
    pub view: Arc<SessionView>,
    /// How it came to its end.
    pub ending: Ending,
    /// Hash of the stream of tasks.
    pub stream_hash: String,
    left_behind: bool,
}

impl Driven {
    /// What is left of this process is its exit code. Workers of a session that was left behind end with it.
    pub fn leave(&self, exit: Exit) -> anyhow::Result<Exit> {
        if self.left_behind {
            std::process::exit(exit.code().into());
        }
        Ok(exit)
    }
}

/// Lets a session do what it is asked for, to its end or until a signal comes.
///
/// # Errors
/// See [`super::execute`].
pub(super) fn drive(spec: SessionSpec, command: SessionCommand, output: &Output) -> anyhow::Result<Driven> {
    let stream_hash = SharedStream::new(&spec.workload).hash().to_owned();
    let mut session = Session::start(spec).context("starting the session")?;
    let progress = Progress::new(output, Console::detect());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    let followed = runtime.block_on(follow(&mut session, command, progress))?;
    let view = Arc::clone(&session.handle.view.borrow());
    let left_behind = matches!(followed, Followed::Signalled(_, Ended::LeftBehind));
    if left_behind {
        // Waiting for its thread could take for ever.
        std::mem::forget(session);
    } else {
        drop(session);
    }
    let signal = match followed {
        Followed::ToItsEnd => None,
        Followed::Signalled(number, _) => Some(number),
    };
    let ending = ending(&view, signal);
    Ok(Driven { view, ending, stream_hash, left_behind })
}

fn text(results: &Results, output: &Output, standard: bool) -> String {
    match output.format {
        Format::Json => report::json::text(results),
        Format::Text => {
            let colour = write::colored_stdout(output.color) && standard;
            let text = report::text::render(
                results,
                report::text::Options { colour, width: write::stdout_width(), ..Default::default() },
            );
            write::shown_on(&text, standard).into_owned()
        }
    }
}

/// The exit code of what was measured; says why it is none of success, unless the page did.
fn verdict(results: &Results, strict: bool, on_page: bool) -> Exit {
    let mut exit = ended(&results.ending);
    for (arm, found) in results.all_failed() {
        exit = exit.or_graver(all_failed(&arm.spec.name, &found, on_page));
    }
    let mut runs = results.arms.iter().flat_map(|arm| &arm.runs);
    if strict && runs.any(|run| !run.suspect.is_empty()) {
        exit = exit.or_graver(Exit::Suspect);
    }
    exit
}

/// The exit code of an ending; says what broke.
pub(super) fn ended(ending: &Ending) -> Exit {
    match ending {
        Ending::Finished => Exit::Done,
        Ending::Stopped(Some(signal)) => Exit::Signal(*signal),
        Ending::Stopped(None) => Exit::Aborted,
        Ending::Broken(reason) => {
            write::say(&format!("error: {}", clean::line(reason)));
            Exit::Aborted
        }
    }
}

/// The exit code of an arm of which not one task succeeded; says so, unless the page did.
pub(super) fn all_failed(name: &str, AllFailed { tasks, cause }: &AllFailed, on_page: bool) -> Exit {
    if !on_page {
        let (name, cause) = (clean::line(name), clean::line(cause));
        write::say(&format!("error: {name}: ALL {tasks} TASKS FAILED: {cause}"));
    }
    Exit::Aborted
}

/// How a session came to its end; `signal` has ended it, if one has.
pub(super) fn ending(view: &SessionView, signal: Option<i32>) -> Ending {
    match (signal, &view.phase) {
        (Some(_), _) => Ending::Stopped(signal),
        (None, SessionPhase::Broken(reason)) => Ending::Broken(reason.clone()),
        (None, SessionPhase::Finished) => Ending::Finished,
        (None, _) => Ending::Stopped(None),
    }
}

/// The run in which an arm was cut off.
pub(super) fn partial(view: &SessionView, arm: &ArmView) -> Option<Partial> {
    let run = arm.latest().filter(|run| run.state != RunState::Finished)?;
    Some(Partial { run: Arc::clone(run), warmup: view.place.is_warmup() })
}

/// What was measured in a session.
pub(super) fn results(view: &SessionView, stream_hash: String, ending: Ending) -> Results {
    let arm = |arm: &ArmView| {
        let (workers, runs) = (arm.told.0, &arm.told.1);
        ArmResult {
            spec: arm.spec.clone(),
            workers,
            runs: runs.to_vec(),
            rounds: runs.rounds().to_vec(),
            partial: partial(view, arm).filter(|_| workers == arm.measured),
        }
    };
    Results {
        workload: Arc::clone(&view.workload),
        host: Arc::clone(&view.host),
        stream_hash,
        arms: view.arms.iter().map(arm).collect(),
        baseline: view.baseline,
        sharing_cores: view.mode == Mode::Together,
        ending,
    }
}

/// How a session was followed.
#[derive(Clone, Copy)]
enum Followed {
    ToItsEnd,
    /// Until this signal came.
    Signalled(i32, Ended),
}

/// Follows a session to its end, or ends it when a signal asks for that.
async fn follow(session: &mut Session, command: SessionCommand, mut progress: Progress) -> anyhow::Result<Followed> {
    let mut signals = SignalWatch::new(process()?).context("watching for signals")?;
    let handle = &mut session.handle;
    handle.commands.send(command).context("the session is gone")?;
    let followed = loop {
        tokio::select! {
            caught = signals.next() => match caught {
                Caught::End(number) => {
                    let told = |level| progress.note(match level {
                        Level::Stop => "stopping: running tasks are asked to end; once more to kill",
                        Level::Kill => "killing; once more to leave at once",
                        Level::Leave => "leaving",
                    });
                    break Followed::Signalled(number, end(handle, &mut signals, &mut Escalation::default(), told).await);
                }
                Caught::Stop if !job_control::can_stop() => progress.note(suspension::NOT_HERE),
                Caught::Stop => if let Err(error) = suspend(Some(&mut *handle), &mut signals).await {
                    progress.note(&format!("cannot be suspended: {error}"));
                },
                Caught::Continue => {}
            },
            changed = handle.view.changed() => {
                changed.context("the session is gone")?;
                let view = Arc::clone(&handle.view.borrow_and_update());
                progress.show(&view);
                if view.phase.is_over() {
                    break Followed::ToItsEnd;
                }
            }
        }
    };
    progress.finish();
    Ok(followed)
}
