//! What an engine needs to know of the tasks: in which order they come and of which class each is.

use std::time::Duration;

use crate::engine::event::{Event, Moment};
pub use crate::engine::outcome::WaitingLimit;
use crate::workload::model::{ClassId, OnFull, OnTimeout, Retries, TaskIndex};

/// The seeded stream of tasks as an engine sees it. The same stream for every arm of a comparison.
pub trait TaskStream: Send {
    /// How many tasks there are; `None` where that is not known yet (see [`Admission::Submitted`]).
    fn total(&self) -> Option<u64>;

    /// How many tasks are of this class.
    fn class_total(&self, class: ClassId) -> u64;

    /// The tasks that come at `position` and directly after it, as far as their indices are consecutive and their class
    /// is the same; at most `most`, at least one. `position` is within the stream and `most` is not 0.
    fn run_at(&self, position: u64, most: u64) -> StreamRun;
}

/// Tasks with consecutive indices, of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamRun {
    pub first: TaskIndex,
    pub count: u64,
    pub class: ClassId,
}

/// What the dispatcher needs to know of a task class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassRules {
    /// See [`crate::workload::model::TaskClass::timeout`].
    pub timeout: Option<Duration>,
    /// What happens when that runs out.
    pub on_timeout: OnTimeout,
    /// See [`crate::workload::model::TaskClass::queue_timeout`].
    pub queue_timeout: Option<Duration>,
    /// See [`crate::workload::model::TaskClass::wait_timeout`].
    pub wait_timeout: Option<Duration>,
    /// See [`crate::workload::model::TaskClass::grace_period`].
    pub grace_period: Duration,
    /// Whether its program answers with a line: one that is ended without a word may not have flushed it.
    pub answers: bool,
    /// See [`crate::workload::model::TaskClass::retries`].
    pub retries: Retries,
}

impl ClassRules {
    /// Whether a worker may go on with a task whose caller has given up, now or after a change of `on_timeout`.
    #[must_use]
    pub(crate) fn may_abandon(&self) -> bool {
        self.timeout.is_some() || self.wait_timeout.is_some()
    }

    /// When the caller of a task that arrived at this moment gives up.
    #[must_use]
    pub(crate) fn gives_up(&self, arrival: Moment) -> Option<Moment> {
        self.wait_timeout.map(|limit| arrival + limit)
    }

    /// How long a task may wait before it is begun, and what ends that.
    #[must_use]
    pub(crate) fn waiting_limit(&self) -> Option<WaitingLimit> {
        let caller = self.wait_timeout.map(WaitingLimit::Caller);
        let queue = self.queue_timeout.map(WaitingLimit::Queue);
        [queue, caller].into_iter().flatten().min_by_key(|limit| limit.duration())
    }
}

/// What a submitter wants to submit now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submission {
    /// The next so many tasks of the stream; it is asked again at once.
    Tasks(u64),
    /// Nothing at the moment: it is asked again after the next thing that happens, its own [`Command::Submit`] included.
    ///
    /// [`Command::Submit`]: crate::engine::control::Command::Submit
    Nothing,
    /// No more will come.
    Closed,
}

/// Submits tasks while a run goes on, as a caller does who waits for results in between: a submit mode, a reader of an
/// endless file, a user of the library. It is asked on the engine's thread and must neither wait nor take long.
pub trait Submitter: Send {
    /// What it submits at `now`, at most `room` tasks: more would exceed the capacity of the queue. What is submitted
    /// must be there in the stream.
    fn submit(&mut self, now: Moment, room: u64) -> Submission;

    /// What became of tasks: [`Event::Succeeded`], [`Event::Attempt`] and [`Event::Expired`], and what they returned
    /// ([`Event::Returned`], before that), as the observer is told. Tasks that are cancelled with the run are not told one by
    /// one: the submitter is dropped at the end of the run.
    fn told(&mut self, now: Moment, event: &Event<'_>);

    /// How many tasks it will have submitted in the end, where that is known.
    fn total(&self) -> Option<u64> {
        None
    }
}

/// Submits whatever there is room for: with a capacity, a new task whenever one has ended.
#[derive(Clone, Copy, Debug)]
pub struct ClosedLoop {
    total: u64,
    left: u64,
}

impl ClosedLoop {
    /// Submits so many tasks.
    #[must_use]
    pub fn new(total: u64) -> Self {
        Self { total, left: total }
    }
}

impl Submitter for ClosedLoop {
    fn submit(&mut self, _: Moment, room: u64) -> Submission {
        if self.left == 0 {
            return Submission::Closed;
        }
        let count = self.left.min(room);
        self.left -= count;
        Submission::Tasks(count)
    }

    fn told(&mut self, _: Moment, _: &Event<'_>) {}

    fn total(&self) -> Option<u64> {
        Some(self.total)
    }
}

/// Moments at which tasks arrive, in order. They can be read again from any place on, so that those that have come need
/// not be kept: every iterator that can be cloned is such a list.
pub trait ArrivalMoments: Iterator<Item = Moment> + Send {
    /// Those that are still to come, once more.
    fn again(&self) -> Box<dyn ArrivalMoments>;
}

impl<T: Iterator<Item = Moment> + Clone + Send + 'static> ArrivalMoments for T {
    fn again(&self) -> Box<dyn ArrivalMoments> {
        Box::new(self.clone())
    }
}

/// When tasks are admitted to the queue.
pub enum Admission {
    /// All at the start.
    Batch,
    /// At these moments, in order.
    Open {
        /// One for each task.
        times: Box<dyn ArrivalMoments>,
        /// Most tasks queued and running together.
        max_in_flight: Option<u64>,
        /// What happens to an arrival beyond that.
        on_full: OnFull,
    },
    /// Whenever the submitter submits them.
    Submitted {
        /// Asked on the engine's thread.
        submitter: Box<dyn Submitter>,
        /// Most tasks that wait and run together; nothing more is asked for while there are so many.
        capacity: Option<u64>,
    },
}

impl std::fmt::Debug for Admission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Batch => f.write_str("Batch"),
            Self::Submitted { capacity, .. } => {
                f.debug_struct("Submitted").field("capacity", capacity).finish_non_exhaustive()
            }
            Self::Open { max_in_flight, on_full, .. } => f
                .debug_struct("Open")
                .field("max_in_flight", max_in_flight)
                .field("on_full", on_full)
                .finish_non_exhaustive(),
        }
    }
}
