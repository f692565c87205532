//! An arm that is not ours to dispatch: a program that is given the stream of tasks over a socket and says what becomes
//! of them. CPython's own `Pool`, a cluster or a script can be compared with our engines this way.
//!
//! * [`protocol`]: what the two sides say to each other; all that is needed to write such a program.
//! * `feed`: which task may be given next. Pure.
//! * `ledger`: what was given and reported, held against the rules ([`crate::engine::error::Contradiction`]), counted and told to the observer.
//! * `conversation`: lines and commands, and every limit. No I/O.
//! * [`reference`](mod@reference): CPython's own `Pool`, `ProcessPoolExecutor` and `Process`, as such programs.
//! * `run`: the program itself, from its start until it was reaped: its socket and its output.
//!
//! Nothing in here decides where or in which order a task runs: that is the program's part. Nothing believes its counts:
//! they are derived from what it reports task by task.

mod conversation;
mod feed;
mod ledger;
pub(crate) mod protocol;
pub mod reference;
mod run;
mod spec;

use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::mpsc;

use spec::Spec;

use crate::engine::arm::{Arm, ArmRun, Completion, RunRequest, StartError};
use crate::engine::control::{Capabilities, Command};
use crate::engine::error::EngineError;
use crate::engine::event::Observer;
use crate::os::spawn::Program;
use crate::os::threads;
use crate::workload::model::{Dispatch, EngineSpec, Workload};

/// A program as an arm.
#[derive(Debug)]
pub struct External {
    argv: Vec<OsString>,
    capabilities: SaidCapabilities,
}

impl External {
    /// The arm of this program, given by its path or a name that is looked up in `PATH`, with its arguments.
    #[must_use]
    pub fn new(argv: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), capabilities: SaidCapabilities::default() }
    }
}

impl Arm for External {
    fn capabilities(&self) -> Capabilities {
        self.capabilities.get()
    }

    fn start(&self, request: RunRequest<'_>, observer: Box<dyn Observer>) -> Result<Box<dyn ArmRun>, StartError> {
        refuse_unsupported(request.workload, request.spec)?;
        let name = self.argv.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let program =
            Program::new(&self.argv).and_then(|program| program.in_folder(request.workload.folder.as_deref()));
        let program = program.map_err(|source| StartError::Program { program: name.clone(), source })?;
        launch(Spec::new((program, name), request, self.capabilities.clone())?, observer)
    }
}

/// Starts a run on a thread of its own.
fn launch(spec: Spec, observer: Box<dyn Observer>) -> Result<Box<dyn ArmRun>, StartError> {
    let capabilities = spec.said.clone();
    let (commands, requests) = mpsc::unbounded_channel();
    let (ready, started) = std::sync::mpsc::channel();
    // The program dies with the thread that starts it.
    let thread = threads::start("external", move || run::on_this_thread(spec, observer, requests, &ready))
        .map_err(|source| StartError::Thread { source })?;
    started.recv().unwrap_or(Err(StartError::Gone))?;
    Ok(Box::new(ExternalRun { commands, thread: Some(thread), capabilities }))
}

/// A task has one attempt there, and how long it waits in the program's own queue is not ours to end.
fn refuse_unsupported(workload: &Workload, spec: &EngineSpec) -> Result<(), StartError> {
    let classes = || workload.classes.iter();
    let refused = [
        ("retries", classes().any(|class| class.retries.max > 0)),
        ("queue_timeout", classes().any(|class| class.queue_timeout.is_some())),
        ("wait_timeout", classes().any(|class| class.wait_timeout.is_some())),
        ("submit", spec.submit.blocks()),
        ("dispatch", spec.dispatch != Dispatch::Shared),
        ("queue_capacity", spec.queue_capacity.is_some()),
    ];
    match refused.into_iter().find(|(_, used)| *used) {
        Some((what, _)) => Err(StartError::Unsupported { what }),
        None => Ok(()),
    }
}

/// What the program has said that it can do, in its newest run.
#[derive(Clone, Debug)]
struct SaidCapabilities(Arc<Mutex<Capabilities>>);

impl Default for SaidCapabilities {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Capabilities::LEAST)))
    }
}

impl SaidCapabilities {
    fn get(&self) -> Capabilities {
        // A plain value is whole even if a thread panicked with the lock.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, capabilities: Capabilities) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = capabilities;
    }
}

#[derive(Debug)]
struct ExternalRun {
    commands: mpsc::UnboundedSender<Command>,
    thread: Option<JoinHandle<Result<Completion, EngineError>>>,
    capabilities: SaidCapabilities,
}

impl ExternalRun {
    fn wait(&mut self) -> Result<Completion, EngineError> {
        // A panic on that thread was printed by the panic hook.
        let ended = self.thread.take().and_then(|thread| thread.join().ok());
        ended.unwrap_or(Err(EngineError::Gone))
    }
}

impl ArmRun for ExternalRun {
    fn command(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities.get()
    }

    fn join(mut self: Box<Self>) -> Result<Completion, EngineError> {
        self.wait()
    }
}

impl Drop for ExternalRun {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.command(Command::Kill);
            // Nobody is there any more to be told how it ended.
            let _ = self.wait();
        }
    }
}
