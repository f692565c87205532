//! The seam between a session and whatever can run the stream of a workload.
//!
//! An [`Arm`] is asked to start a run and hands back an [`ArmRun`], which takes commands and comes to an end; everything
//! that happens in between is told to the run's [`Observer`]. Two implementations: [`crate::engine::dispatched`] (our
//! dispatcher on our worker processes) and [`crate::engine::external`] (a program that dispatches by itself).
//! A session knows these traits alone, and asks for [`Capabilities`] instead of what kind of engine it is.

use std::fmt::Debug;
use std::io;

use crate::engine::context::RunContext;
use crate::engine::control::{Capabilities, Command};
use crate::engine::error::EngineError;
use crate::engine::event::{Observer, RunState};
use crate::engine::stream::{Admission, TaskStream};
use crate::workload::model::{EngineSpec, Workload};

/// Whatever can run the stream of a workload.
pub trait Arm: Debug + Send + Sync {
    /// What may be asked of its runs, as far as that is known before one says so itself.
    fn capabilities(&self) -> Capabilities;

    /// Starts a run; `observer` is told everything, last of all a state that is over.
    ///
    /// # Errors
    /// When nothing was started: nothing is told to the observer then.
    fn start(&self, request: RunRequest<'_>, observer: Box<dyn Observer>) -> Result<Box<dyn ArmRun>, StartError>;
}

/// A run under way. Dropping it ends the run at once and waits for that.
pub trait ArmRun: Debug + Send {
    /// Asks for something. What it cannot do is refused with a note; without effect once the run is over.
    fn command(&self, command: Command);

    /// What may be asked of it.
    fn capabilities(&self) -> Capabilities;

    /// Waits for the end.
    ///
    /// # Errors
    /// When the engine could not go on.
    fn join(self: Box<Self>) -> Result<Completion, EngineError>;
}

/// How a run ended that is not broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// Every task has its outcome.
    Finished,
    /// It was ended on request before its last task.
    Stopped,
}

impl From<Completion> for RunState {
    fn from(completion: Completion) -> Self {
        match completion {
            Completion::Finished => Self::Finished,
            Completion::Stopped => Self::Stopped,
        }
    }
}

/// What an arm needs to know to start a run.
pub struct RunRequest<'a> {
    /// Says what the tasks of each class do.
    pub workload: &'a Workload,
    /// The arm's entry in the workload's `engines`.
    pub spec: &'a EngineSpec,
    /// How many workers it begins with.
    pub workers: u32,
    /// The tasks in their order.
    pub stream: Box<dyn TaskStream>,
    /// When its tasks are admitted to the queue.
    pub admission: Admission,
    /// What is the same for every run of the session.
    pub context: &'a RunContext,
    /// Whether the interpreters of its tasks are probed, which disturbs them.
    pub gil_probe: bool,
}

impl Debug for RunRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunRequest").field("spec", &self.spec).field("workers", &self.workers).finish_non_exhaustive()
    }
}

/// Why a run could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No thread for it.
    #[error("the engine's thread could not be started")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
    /// No runtime on that thread.
    #[error("the engine's runtime could not be made")]
    Runtime {
        /// What the system said.
        source: io::Error,
    },
    /// Something that the engine needs before its first worker.
    #[error("the engine could not be set up")]
    Setup {
        /// What the system said.
        source: io::Error,
    },
    /// The program of an external arm.
    #[error("the program {program} could not be started")]
    Program {
        /// Its path or name.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// The workload needs what this kind of arm has not got.
    #[error("the workload has {what}, which an external arm cannot do")]
    Unsupported {
        /// The key in the workload.
        what: &'static str,
    },
    /// One of CPython's own has not got what the workload needs.
    #[error("the arm cannot run this workload: {reason}")]
    Cannot {
        /// In words.
        reason: String,
    },
    /// Nobody has looked at the interpreter of its tasks ([`crate::worker::python::probe()`]).
    #[error("the tasks are in Python, and the interpreter is not known")]
    NoInterpreter,
    /// The engine's thread panicked before it began.
    #[error("the engine's thread ended before it began")]
    Gone,
}
