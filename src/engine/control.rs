//! What a user may ask of a running engine, and what of that an engine can do.

use std::num::NonZeroU32;

use crate::engine::worker_id::Slot;
use crate::workload::model::{FaultKind, OnTimeout};

/// A request to a running engine. Requests that make no sense in its state are ignored; the snapshot shows the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// A submitter has something to submit, or has closed: it is asked (see [`Admission::Submitted`]).
    ///
    /// [`Admission::Submitted`]: crate::engine::stream::Admission::Submitted
    Submit,
    /// Change the number of workers. Nothing is lost: a worker that must go finishes its task first.
    Resize(NonZeroU32),
    /// Stop giving out work; what runs is finished.
    Pause,
    /// Give out work again.
    Resume,
    /// Freeze: workers are stopped (SIGSTOP), timers and the run clock stand still.
    Suspend,
    /// Reverse of `Suspend`.
    Unsuspend,
    /// End the run: running tasks get SIGTERM and their grace period, everything else is cancelled.
    Stop,
    /// End the run now: SIGKILL.
    Kill,
    /// From now on this happens to tasks that reach their `timeout` or `wait_timeout`.
    OnTimeout(OnTimeout),
    /// SIGKILL the worker in this slot, or the first one found in a task, as soon as there is one; a slot that there will
    /// not be is not waited for. For demonstration.
    KillWorker(Option<Slot>),
    /// Have this go wrong in the next task that begins, whichever worker begins it; one of [`FaultKind::ON_REQUEST`], any
    /// other is ignored. Programs do their own wrong. For demonstration.
    InjectFault(FaultKind),
}

/// What an engine can be asked for; the rest it refuses. Who asks looks here, never at the kind of engine. Every engine can
/// be stopped and killed, and stands still when it is suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Its number of workers can be changed while it runs ([`Command::Resize`]).
    pub resize: bool,
    /// It gives out no work until it is told to ([`Command::Pause`], [`Command::Resume`]).
    pub pause: bool,
    /// One of its workers can be killed ([`Command::KillWorker`]).
    pub kill_worker: bool,
    /// What happens at a timeout can be changed while it runs ([`Command::OnTimeout`]).
    pub on_timeout: bool,
    /// Something can be made to go wrong in one of its tasks ([`Command::InjectFault`]).
    pub inject_fault: bool,
    /// Each of its tasks has a process of its own.
    pub process_per_task: bool,
    /// A worker of it can have several lanes: a kill ends the tasks of all of them.
    pub lanes: bool,
}

impl Capabilities {
    /// Nothing beyond what every engine can do.
    pub const LEAST: Self = Self {
        resize: false,
        pause: false,
        kill_worker: false,
        on_timeout: false,
        inject_fault: false,
        process_per_task: false,
        lanes: false,
    };

    /// Whether a command is heeded.
    ///
    /// # Errors
    /// When it is not: the words in which it is refused.
    pub fn check(self, command: Command) -> Result<(), Refusal> {
        let refused = match command {
            Command::Resize(_) => (!self.resize).then_some(Refusal::Resize),
            Command::Pause | Command::Resume => (!self.pause).then_some(Refusal::Pause),
            Command::KillWorker(_) => (!self.kill_worker).then_some(Refusal::KillWorker),
            Command::OnTimeout(_) => (!self.on_timeout).then_some(Refusal::OnTimeout),
            Command::InjectFault(_) => (!self.inject_fault).then_some(Refusal::InjectFault),
            Command::Submit | Command::Suspend | Command::Unsuspend | Command::Stop | Command::Kill => None,
        };
        refused.map_or(Ok(()), Err)
    }
}

/// A command that an engine cannot do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// [`Command::Resize`].
    #[error("this engine cannot change its number of workers while it runs")]
    Resize,
    /// [`Command::Pause`] and [`Command::Resume`].
    #[error("this engine cannot pause")]
    Pause,
    /// [`Command::OnTimeout`].
    #[error("this engine cannot change what happens at a timeout while it runs")]
    OnTimeout,
    /// [`Command::KillWorker`].
    #[error("this engine cannot kill one of its workers")]
    KillWorker,
    /// [`Command::InjectFault`].
    #[error("faults cannot be injected into the tasks of this engine")]
    InjectFault,
}
