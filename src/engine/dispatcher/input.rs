//! What goes into a dispatcher and what comes out of it.

use crate::engine::control::Command;
use crate::engine::dispatcher::queue::Ticket;
use crate::engine::error::{EngineError, NotStarted};
pub use crate::engine::event::InitializerFigures;
use crate::engine::event::{Event, InTask, LaneId, Moment, Record, RunState, Usage, WorkerId};
use crate::engine::outcome::Exit;
use crate::workload::model::TaskIndex;

/// Something that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The run begins.
    Begin,
    /// The time that [`super::Dispatcher::next_wake`] asked for has come.
    Wake,
    /// The user asks for something.
    Control(Command),
    /// The driver cannot go on.
    Broken(EngineError),
    /// A worker process was started.
    Started { worker: WorkerId, pid: u32 },
    /// The fork server was asked for a worker. What becomes of that follows.
    ForkAskedFor { worker: WorkerId },
    /// A worker process could not be started.
    StartFailed { worker: WorkerId, failure: StartFailure },
    /// A worker said hello: it is there, and ready unless it has an initializer to run.
    Hello { worker: WorkerId },
    /// A worker has run its initializer.
    Initialized {
        worker: WorkerId,
        /// What it took, where there was one to run, or why it failed, in its own words.
        result: Result<Option<InitializerFigures>, String>,
    },
    /// Tasks succeeded, in the order in which they were sent.
    Done { lane: LaneId, records: &'a [Record] },
    /// A task reported that it did not succeed.
    Failed { lane: LaneId, failure: Box<TaskFailure> },
    /// A task returned bytes; its record follows.
    Returned { lane: LaneId, index: TaskIndex, bytes: &'a [u8] },
    /// Nobody has seen the moment at which the process of a lane's task has ended: what it tells next as the time of the
    /// task is an upper bound.
    EndedUnseen { lane: LaneId },
    /// A worker that has not said hello was seen to be getting ready for it: it is not silent.
    GettingReady { lane: LaneId },
    /// Answer to [`Effect::LookFor`]: the worker has not ended.
    StillThere { worker: WorkerId, due: Due },
    /// Answer to [`Effect::Probe`].
    Progress {
        /// Which lane was asked for.
        lane: LaneId,
        /// What it is in.
        task: Option<InTask>,
    },
    /// A worker did not begin these tasks, because the time up to which it was to begin them had passed; in the order in
    /// which they were sent.
    Skipped {
        /// Where they were to run.
        lane: LaneId,
        /// First of them.
        first: TaskIndex,
        /// How many, with consecutive indices.
        count: u64,
    },
    /// A worker has grown beyond the resident memory that it may have.
    Grown { worker: WorkerId },
    /// These tasks of an [`Effect::Send`] were not sent: there is no room at the worker for the bytes that come with them
    /// until some that it holds are reported.
    Unsent {
        /// Where they were to run.
        lane: LaneId,
        tickets: Vec<Ticket>,
        /// Why the first of them can never be sent, if it cannot.
        refused: Option<String>,
    },
    /// A worker will never say anything more, or does not listen any more: its end of the socket is closed, in one
    /// direction at least. All it had said before was handed in before.
    Closed { worker: WorkerId },
    /// A worker sent something that cannot be understood.
    Misbehaved { worker: WorkerId, reason: String },
    /// The fork server was started.
    ForkServerStarted {
        /// Process id.
        pid: u32,
    },
    /// The fork server said hello: it is there, and ready unless it has an initializer to run.
    ForkServerHello,
    /// The fork server has run its initializer, or says why that failed.
    ForkServerInitialized { result: Result<InitializerFigures, String> },
    /// Nothing can be forked from the fork server, for a reason that the next one would have too. It is on its way out.
    ForkServerUnfit { reason: String },
    /// The fork server said something that cannot be understood, or that nobody has asked it.
    ForkServerMisbehaved { reason: String },
    /// The fork server could not be started.
    ForkServerNotStarted { failure: StartFailure },
    /// The fork server ended and was reaped. The workers that it was asked for and did not start have failed to start, which
    /// follows.
    ForkServerEnded {
        exit: Exit,
        /// The kernel's accounting of its whole life, without the workers.
        usage: Usage,
        /// What it wrote.
        wrote: String,
    },
    /// A worker ended and was reaped; all it had said before was handed in before.
    Exited { worker: WorkerId, ended: Box<Ended> },
}

/// Why a worker could not be started.
#[derive(Debug)]
pub enum StartFailure {
    /// The system is short of something: trying again later may help.
    Transient(NotStarted),
    /// The task's own program cannot be run: the task has failed.
    Task(String),
    /// Workers cannot be run at all: the engine cannot go on.
    Engine(NotStarted),
}

/// A task that reported that it did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFailure {
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

impl TaskOutput {
    /// Adds a line of ours to what it wrote to its standard error.
    pub(super) fn add_line(&mut self, line: &str) {
        if !self.stderr.is_empty() && !self.stderr.ends_with('\n') {
            self.stderr.push('\n');
        }
        self.stderr.push_str(line);
    }
}

/// How a worker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit status.
    pub exit: Exit,
    /// When it ended, as far as that was seen: it may be told a while later.
    pub at: Moment,
    /// The tasks that its lanes were in according to the status board, with the numbers of the lanes.
    pub tasks: Vec<(u16, InTask)>,
    /// The lane whose task has ended it, where there are several and it is known.
    pub culprit: Option<u16>,
    /// The kernel's accounting of its whole life.
    pub usage: Usage,
    /// Largest resident set, where known.
    pub peak_rss_bytes: Option<u64>,
    /// Whether the kernel killed it for want of memory.
    pub out_of_memory: bool,
    /// Whether it did wrong because it was told to.
    pub fault: bool,
    /// Whether it has not ended at all: it could not be killed.
    pub left_behind: bool,
    pub output: TaskOutput,
}

/// What a worker is late with. Its end may have come without having been heard yet: then it is not accused of anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Its initializer.
    Initializer,
    /// Its end after SIGTERM.
    Grace,
    /// Its end after SIGKILL.
    Killed,
    /// Its end after that of its socket.
    Closed,
    /// Its departure, as it has no work.
    Leave,
    /// Its departure, as nobody has any.
    Join,
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
        worker: WorkerId,
        /// Lanes that it is to have at first.
        lanes: u16,
        /// The task it is started for.
        task: Option<Ticket>,
    },
    /// Start what workers are forked from. Answered by `ForkServerStarted` or `ForkServerNotStarted`.
    StartForkServer,
    /// End it at once. Answered by `ForkServerEnded`.
    StopForkServer,
    /// Workers are spawned from here on.
    NoMoreForks,
    /// Leave it behind: it could not be ended, and is waited for no longer. Answered by `ForkServerEnded`.
    AbandonForkServer,
    /// Send tasks to a lane, in this order. A worker makes the lanes that it is sent tasks for.
    Send { lane: LaneId, tickets: Vec<Ticket> },
    /// Say what a lane is in, at once. Answered by `Progress`.
    Probe { lane: LaneId },
    /// Say whether a worker is still there. Answered by `StillThere` if it is; if not, its end is about to be told.
    LookFor { worker: WorkerId, due: Due },
    /// Ask a worker to leave after its task.
    Retire { worker: WorkerId },
    /// End a worker.
    Stop { worker: WorkerId, how: Stop },
    /// Something is to go wrong in whichever task begins next: the number of the order.
    Order(u8),
    /// Leave a worker behind that cannot be ended: the dispatcher waits for it no longer. Answered by `Exited`.
    Abandon { worker: WorkerId },
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
