//! What a user may ask of a running engine.

use std::num::NonZeroU32;

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
    KillWorker(Option<u32>),
}
