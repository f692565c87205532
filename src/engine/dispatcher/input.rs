//! What goes into a dispatcher and what comes out of it.

use crate::engine::control::Command;
use crate::engine::dispatcher::queue::Ticket;
use crate::engine::event::{Event, InTask, Moment, Record, RunState, Usage};
use crate::engine::outcome::Exit;
use crate::workload::model::TaskIndex;

/// Something that happened. `slot` and `epoch` name a worker: the epoch tells it from others that had its slot.
#[derive(Debug)]
pub enum Input<'a> {
    /// The run begins.
    Begin,
    /// The time that [`super::Dispatcher::next_wake`] asked for has come.
    Wake,
    /// The user asks for something.
    Control(Command),
    /// The driver cannot go on.
    Broken(String),
    /// A worker process was started.
    Started {
        /// Its place.
        slot: u32,
        /// Its life.
        epoch: u32,
        /// Its process.
        pid: u32,
    },
    /// A worker process could not be started.
    StartFailed {
        /// Its place.
        slot: u32,
        /// Its life.
        epoch: u32,
        /// Why.
        failure: StartFailure,
    },
    /// A worker said hello.
    Ready {
        /// Its place.
        slot: u32,
        /// Its life.
        epoch: u32,
    },
    /// Tasks succeeded, in the order in which they were sent.
    Done {
        /// Their worker's place.
        slot: u32,
        /// Its life.
        epoch: u32,
        /// The tasks.
        records: &'a [Record],
    },
    /// A task reported that it did not succeed.
    Failed {
        /// Its worker's place.
        slot: u32,
        /// Its life.
        epoch: u32,
        /// What it said.
        failure: Box<TaskFailure>,
    },
    /// Answer to [`Effect::Probe`].
    Progress {
        /// The worker's place.
        slot: u32,
        /// Its life.
        epoch: u32,
        /// What it is in.
        task: Option<InTask>,
    },
    /// A worker did not begin these tasks, because the time up to which it was to begin them had passed; in the order in
    /// which they were sent.
    Skipped {
        /// Their worker's place.
        slot: u32,
        /// Its life.
        epoch: u32,
        /// First of them.
        first: TaskIndex,
        /// How many, with consecutive indices.
        count: u64,
    },
    /// A worker will never say anything more, or does not listen any more: its end of the socket is closed, in one
    /// direction at least. All it had said before was handed in before.
    Closed {
        /// Its place.
        slot: u32,
        /// Its life.
        epoch: u32,
    },
    /// A worker sent something that cannot be understood.
    Misbehaved {
        /// Its place.
        slot: u32,
        /// Its life.
        epoch: u32,
        /// What.
        reason: String,
    },
    /// A worker ended and was reaped; all it had said before was handed in before.
    Exited {
        /// Its place.
        slot: u32,
        /// Its life.
        epoch: u32,
        /// How.
        ended: Box<Ended>,
    },
}

/// Why a worker could not be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartFailure {
    /// The system is short of something: trying again later may help.
    Transient(String),
    /// The task's own program cannot be run: the task has failed.
    Task(String),
    /// Workers cannot be run at all: the engine cannot go on.
    Engine(String),
}

/// A task that reported that it did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFailure {
    /// Which task.
    pub index: TaskIndex,
    /// Run clock at its first instruction.
    pub start: Moment,
    /// Nanoseconds of work.
    pub service: u64,
    /// Its own error, where it is not a program.
    pub message: Option<String>,
    /// How its program ended, where it is one.
    pub exit: Option<Exit>,
    /// Whether its program could not be started at all.
    pub not_started: bool,
    /// What it wrote.
    pub output: TaskOutput,
}

/// What a task wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskOutput {
    /// Beginning and end of its standard output.
    pub stdout: String,
    /// Beginning and end of its standard error.
    pub stderr: String,
    /// Bytes that are in neither.
    pub omitted: u64,
}

/// How a worker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit status.
    pub exit: Exit,
    /// The task that it was in according to the status board.
    pub task: Option<InTask>,
    /// The kernel's accounting of its whole life.
    pub usage: Usage,
    /// Largest resident set, where known.
    pub peak_rss_bytes: Option<u64>,
    /// Whether the kernel killed it for want of memory.
    pub out_of_memory: bool,
    /// What it wrote.
    pub output: TaskOutput,
}

/// How a worker is to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM, then SIGCONT so that a stopped one can react.
    Terminate,
    /// SIGKILL.
    Kill,
}

/// Something to be done by the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start a worker; with `task` it is started for this one task, which has left the queue with that and does not
    /// expire any more. Answered by `Started` or `StartFailed`.
    Start {
        /// Where.
        slot: u32,
        /// Its life.
        epoch: u32,
        /// The task it is started for.
        task: Option<Ticket>,
    },
    /// Send tasks to a worker, in this order.
    Send {
        /// Where.
        slot: u32,
        /// Its life.
        epoch: u32,
        /// The tasks.
        tickets: Vec<Ticket>,
    },
    /// Say what a worker is in, at once. Answered by `Progress`.
    Probe {
        /// Where.
        slot: u32,
        /// Its life.
        epoch: u32,
    },
    /// Ask a worker to leave after its task.
    Retire {
        /// Where.
        slot: u32,
        /// Its life.
        epoch: u32,
    },
    /// End a worker.
    Stop {
        /// Where.
        slot: u32,
        /// Its life.
        epoch: u32,
        /// How.
        how: Stop,
    },
    /// Leave a worker behind that cannot be ended: nobody waits for it any more. Answered by `Exited`.
    Abandon {
        /// Where.
        slot: u32,
        /// Its life.
        epoch: u32,
    },
    /// The run is over and every worker is gone.
    Over(RunState),
}

/// Takes what comes out of a dispatcher.
pub trait Sink {
    /// Something is to be done.
    fn effect(&mut self, effect: Effect);

    /// Something is to be told.
    fn event(&mut self, now: Moment, event: &Event<'_>);
}
