//! A session without a dashboard: progress on standard error, the result on standard output, signals heeded.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{Format, Output};
use crate::commands::progress::Progress;
use crate::commands::{Exit, write};
use crate::engine::event::RunState;
use crate::os::job_control;
use crate::report::{self, ArmResult, Results};
use crate::session::conductor::{Session, SessionSpec};
use crate::session::stream::SharedStream;
use crate::session::view::{Mode, SessionCommand, SessionPhase, SessionView};

/// How long the workers get to stand still before the program is stopped itself.
const SUSPEND_LIMIT: Duration = Duration::from_millis(300);

/// Runs a session to its end and writes the result.
///
/// # Errors
/// See [`super::execute`].
pub(super) fn execute(spec: SessionSpec, mode: Mode, output: &Output) -> anyhow::Result<Exit> {
    let stream_hash = SharedStream::new(&spec.workload).hash().to_owned();
    let baseline = spec.baseline;
    let mut session = Session::start(spec).context("starting the session")?;
    let progress = Progress::new(!output.quiet && !output.no_progress, std::io::stderr().is_terminal());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    let ended = runtime.block_on(follow(&mut session, mode, progress))?;
    let view = Arc::clone(&session.handle.view.borrow());
    drop(session);
    let results = results(&view, stream_hash, baseline);
    let text = match output.format {
        Format::Json => report::json::text(&results),
        Format::Text => report::text::render(
            &results,
            report::text::Options {
                colour: write::colored_stdout(output.color) && output.output.is_none(),
                width: write::stdout_width(),
            },
        ),
    };
    let measured = results.arms.iter().any(|arm| !arm.runs.is_empty());
    if measured {
        write::result(&text, output.output.as_deref())?;
    }
    if mode == Mode::Together && !output.quiet {
        write::say("together: the arms shared the cores; this is not a measurement");
    }
    Ok(match (ended, &view.phase) {
        (Some(number), _) => Exit::Signal(number),
        (None, SessionPhase::Broken(reason)) => {
            write::say(&format!("error: {reason}"));
            Exit::Aborted
        }
        (None, SessionPhase::Stopped) => Exit::Aborted,
        _ if output.strict && results.arms.iter().flat_map(|arm| &arm.runs).any(|run| !run.suspect.is_empty()) => {
            Exit::Suspect
        }
        _ => Exit::Done,
    })
}

fn results(view: &SessionView, stream_hash: String, baseline: usize) -> Results {
    Results {
        workload: Arc::clone(&view.workload),
        host: Arc::clone(&view.host),
        stream_hash,
        arms: view
            .arms
            .iter()
            .map(|arm| ArmResult { spec: arm.spec.clone(), workers: arm.workers, runs: arm.finished.clone() })
            .collect(),
        baseline,
    }
}

fn is_over(phase: &SessionPhase) -> bool {
    matches!(phase, SessionPhase::Finished | SessionPhase::Stopped | SessionPhase::Broken(_))
}

/// Follows a session to its end. The first signal stops it gracefully, the second kills, the third leaves at once.
/// Returns the signal that ended it, if one did.
async fn follow(session: &mut Session, mode: Mode, mut progress: Progress) -> anyhow::Result<Option<i32>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("watching for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("watching for SIGTERM")?;
    let mut hangup = signal(SignalKind::hangup()).context("watching for SIGHUP")?;
    let mut stop = signal(SignalKind::from_raw(libc::SIGTSTP)).context("watching for SIGTSTP")?;
    let mut signals = 0;
    let mut first = None;
    session.handle.commands.send(SessionCommand::Run(mode)).context("the session is gone")?;
    let mut begun = false;
    loop {
        let number = tokio::select! {
            changed = session.handle.view.changed() => {
                changed.context("the session is gone")?;
                let view = Arc::clone(&session.handle.view.borrow_and_update());
                progress.show(&view);
                begun |= view.phase != SessionPhase::Ready;
                let idle = view.arms.iter().all(|arm| !arm.live);
                if begun && idle && is_over(&view.phase) {
                    progress.finish();
                    return Ok(first);
                }
                continue;
            }
            _ = interrupt.recv() => libc::SIGINT,
            _ = terminate.recv() => libc::SIGTERM,
            _ = hangup.recv() => libc::SIGHUP,
            _ = stop.recv() => {
                suspend(session).await;
                continue;
            }
        };
        signals += 1;
        first.get_or_insert(number);
        if signals > 2 {
            progress.finish();
            std::process::exit(128 + number);
        }
        progress.note(if signals == 1 { "stopping; once more to kill" } else { "killing" });
        let _ = session.handle.commands.send(SessionCommand::Stop);
    }
}

/// Ctrl-Z: workers and clock stand still before this process does.
async fn suspend(session: &mut Session) {
    let _ = session.handle.commands.send(SessionCommand::Suspend);
    let still = session.handle.view.wait_for(|view| {
        let mut live = view.arms.iter().filter(|arm| arm.live);
        live.all(|arm| arm.latest().is_some_and(|run| run.state == RunState::Suspended))
    });
    // A run that has just ended never says so: the wait is bounded.
    let _ = tokio::time::timeout(SUSPEND_LIMIT, still).await;
    if let Err(error) = job_control::raise_stop() {
        write::say(&format!("cannot be suspended: {error}"));
    }
    let _ = session.handle.commands.send(SessionCommand::Unsuspend);
}
