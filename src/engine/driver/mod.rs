//! The driver: carries out a dispatcher's effects on real processes and feeds back what happens.
//!
//! One thread per run, one single-threaded runtime in it. Each source of events (a worker's socket, the end of a process,
//! the alarm, the user) is a small local task that borrows the core for as long as it takes to feed one input;
//! no borrow is held across an `await`. Nothing in here decides anything: that is the dispatcher's part.

mod breach;
mod commands;
mod core;
mod fork_server;
mod forks;
mod frames;
mod ghost_meter;
pub(in crate::engine) mod guardian;
mod lane_threads;
mod left_behind;
mod links;
mod marks;
mod payloads;
mod programs;
mod progress;
mod receive;
mod results;
pub(in crate::engine) mod strays;
mod undead;
mod watch;
mod workers;
mod wrong_results;

use std::cell::RefCell;
use std::ffi::OsString;
use std::path::PathBuf;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::engine::arm::{Completion, StartError};
use crate::engine::control::{Capabilities, Command};
use crate::engine::dispatcher::Settings;
use crate::engine::error::EngineError;
use crate::engine::event::Observer;
use crate::engine::stream::TaskStream;
use crate::os::surroundings::Surroundings;
use crate::os::threads;
use crate::worker::protocol::{Initialize, MAX_BYTES_TOGETHER};
use crate::worker::python::PythonWorkers;
use crate::workload::model::{Attempt, ClassId, Fault, PayloadSizes, TaskIndex, Work};

/// How often the observer is told the state.
const STATE_INTERVAL: Duration = Duration::from_millis(100);

/// Everything a run needs.
pub struct RunSpec {
    /// What the dispatcher needs.
    pub settings: Settings,
    pub stream: Box<dyn TaskStream>,
    /// What the tasks of each class do.
    pub works: Vec<Work>,
    /// Iterations of the CPU kernel in a second of an idle core.
    pub iterations_per_second: f64,
    /// The program that is started as a worker: this one, unless a test says otherwise.
    pub worker_program: OsString,
    /// Where workers are interpreters, what they are told; `worker_program` is of no use then.
    pub python: Option<PythonWorkers>,
    /// Poolscope's own program, which is started as the guardian of what programs leave behind.
    pub own_program: OsString,
    /// Where processes are started; `None` for the folder of this process.
    pub folder: Option<PathBuf>,
    /// CPUs, niceness and limits of workers and of programs that are tasks.
    pub surroundings: Surroundings,
    /// What may be asked of the run; the rest is refused.
    pub capabilities: Capabilities,
    /// What workers are told beyond tasks.
    pub orders: WorkerOrders,
    /// Whether processes that have ended are left as zombies until the run is over.
    pub leaves_zombies: bool,
}

/// What workers are told beyond tasks.
pub struct WorkerOrders {
    /// What each does before its first task; the dispatcher's settings say how long it may take.
    pub initialize: Option<Initialize>,
    /// What they do wrong.
    pub faults: Vec<Fault>,
    /// The bytes that come with a task, for tasks that have any.
    pub payload: Option<Payload>,
    /// What travels with tasks and their results beside what they need, by class.
    pub payloads: Vec<(ClassId, PayloadSizes)>,
    /// Most of these bytes that are on their way to a worker, in tasks that it has not reported; what is more waits. Those
    /// of one task are at most [`MAX_BYTES`](crate::worker::protocol::MAX_BYTES), and never wait for room of their own.
    pub payload_budget: usize,
}

impl Default for WorkerOrders {
    fn default() -> Self {
        Self {
            initialize: None,
            faults: Vec::new(),
            payload: None,
            payloads: Vec::new(),
            payload_budget: MAX_BYTES_TOGETHER,
        }
    }
}

/// Tells the bytes that come with an attempt at a task, or why they cannot be told; `None` for a task without.
pub(crate) type Payload = Box<dyn Fn(ClassId, TaskIndex, Attempt) -> Option<Result<Vec<u8>, String>> + Send>;

impl std::fmt::Debug for RunSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunSpec").field("settings", &self.settings).field("works", &self.works).finish_non_exhaustive()
    }
}

/// A run under way. Dropping it ends the run at once and waits for it.
#[derive(Debug)]
pub struct Run {
    commands: mpsc::UnboundedSender<Command>,
    thread: Option<JoinHandle<Result<Completion, EngineError>>>,
}

impl Run {
    /// Starts a run on a thread of its own; `observer` is told everything from there.
    ///
    /// # Errors
    /// When the thread, its runtime or the status board cannot be made; nothing was started then.
    pub fn start(spec: RunSpec, observer: Box<dyn Observer>) -> Result<Self, StartError> {
        let (commands, requests) = mpsc::unbounded_channel();
        let (ready, started) = std::sync::mpsc::channel();
        let thread = threads::start("engine", move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(source) => {
                    let _ = ready.send(Err(StartError::Runtime { source }));
                    // Nobody has this run, and so nobody hears its end.
                    return Err(EngineError::Gone);
                }
            };
            let local = tokio::task::LocalSet::new();
            local.block_on(&runtime, async move {
                match core::Core::new(spec, observer) {
                    Ok(core) => {
                        let _ = ready.send(Ok(()));
                        watch::drive(Rc::new(RefCell::new(core)), requests).await
                    }
                    Err(source) => {
                        let _ = ready.send(Err(StartError::Setup { source }));
                        Err(EngineError::Gone)
                    }
                }
            })
        });
        let thread = thread.map_err(|source| StartError::Thread { source })?;
        match started.recv() {
            Ok(Ok(())) => Ok(Self { commands, thread: Some(thread) }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(StartError::Gone),
        }
    }

    /// Asks for something. Without effect once the run is over.
    pub fn command(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When the engine could not go on.
    pub fn join(mut self) -> Result<Completion, EngineError> {
        self.wait()
    }

    fn wait(&mut self) -> Result<Completion, EngineError> {
        // A panic on the engine's thread was printed by the panic hook.
        let ended = self.thread.take().and_then(|thread| thread.join().ok());
        ended.unwrap_or(Err(EngineError::Gone))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.command(Command::Kill);
            // Nobody is there any more to be told how it ended.
            let _ = self.wait();
        }
    }
}
