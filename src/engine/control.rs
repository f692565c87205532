//! What a user may ask of a running engine, and what of that an engine can do.

use std::num::NonZeroU32;

use crate::engine::worker_id::Slot;

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
    /// SIGKILL the worker in this slot, or the first one found in a task, as soon as there is one. For demonstration.
    KillWorker(Option<Slot>),
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
    /// Each of its tasks has a process of its own.
    pub process_per_task: bool,
    /// A worker of it can have several lanes: a kill ends the tasks of all of them.
    pub lanes: bool,
}

impl Capabilities {
    /// Nothing beyond what every engine can do.
    pub const LEAST: Self =
        Self { resize: false, pause: false, kill_worker: false, process_per_task: false, lanes: false };

    /// Whether a command is heeded.
    #[must_use]
    pub fn allow(self, command: Command) -> bool {
        match command {
            Command::Resize(_) => self.resize,
            Command::Pause | Command::Resume => self.pause,
            Command::KillWorker(_) => self.kill_worker,
            Command::Submit | Command::Suspend | Command::Unsuspend | Command::Stop | Command::Kill => true,
        }
    }
}
