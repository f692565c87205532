//! The lines that Poolscope and the program of an external arm exchange.
//!
//! This document is all that is needed to write such a program, in any language (`tests/external/forks.pl` was written from
//! it). A caller of the library names it with its arguments: `External::new`. It is started as the leader of a process group,
//! with a connected
//! stream socket as **descriptor 3**, in the folder of the workload file, with standard input empty; what it writes to
//! standard output and standard error is kept for messages. Both sides write **JSON objects, one on each line**, in UTF-8,
//! each with a `type`; a line has at most [`MOST_LINE`] bytes. Unknown fields are to be ignored. Times are nanoseconds of
//! `CLOCK_MONOTONIC` (`time.monotonic_ns()` in Python on Linux), lengths of time are nanoseconds too; all numbers are integers
//! without exponent, but for `iterations_per_second`.
//!
//! # From Poolscope
//! | `type` | fields | meaning |
//! |---|---|---|
//! | `start` | `version` (1), `workers`, `total`, `seed`, `iterations_per_second`, `silence`, `classes` | The first line. `classes` is a list of `{ name, work, timeout, grace }`: `work` is what a task of the class does, as `class` in `src/worker/PROTOCOL.md` (the times that are `"Told"` there come with `service`); `timeout` is null or the limit on the work of a task. |
//! | `tasks` | `class`, `first`, `count`, `service` | Tasks with the indices `first` to `first + count - 1`, of the class with this number (from 0). `service` is null, where nothing is drawn, or a list with the drawn service time of each: CPU and sleep together. |
//! | `end` | | No more tasks will come. |
//! | `pause`, `resume` | | Begin no task until `resume`. Only to a program that said that it can. |
//! | `resize` | `workers` | Have so many workers. Likewise. |
//! | `kill_worker` | `worker` | Kill this worker (SIGKILL). Likewise. Where the user wants one killed that is in a task, it is sent when a `started` says which that is. |
//! | `stop` | | End: running tasks have the longest `grace` of the classes, then everything is killed, and any exit code will do. What ended before the stop by its own `start` and `service` has the outcome that is reported, also if that is reported after it; everything else is cancelled, in whatever way it ends: as in every engine. |
//!
//! # From the program
//! | `type` | fields | meaning |
//! |---|---|---|
//! | `hello` | `version` (1), `can` | The first line. `can` is a list of `pause`, `resize`, `kill_worker`, `timeout`, `lanes` (a worker may have several). |
//! | `want` | `tasks` | So many more tasks may be sent. Without it none are: this is how memory stays flat on both sides. At most [`MOST_GIVEN`] tasks are without an outcome at any time. |
//! | `alive` | | Nothing to say. After `silence` without a line the program is taken for hung and killed. |
//! | `worker_started` | `worker`, `pid`, `lanes`, `restart` | A worker with a number chosen by the program, its process and its lanes: rows of the table, numbers from 0 that no other living worker has. `restart`: it replaces one that died. The program itself may be the worker. |
//! | `worker_ready` | `worker` | It can work. |
//! | `worker_usage` | `worker`, `user`, `system` | CPU time since its start. |
//! | `worker_exited` | `worker`, `code` or `signal`, `user`, `system`, `peak_rss_bytes`, `expected` | Its process is gone; what is not known may be left out. Tasks that were in its lanes are lost. For a worker that is the program itself this is left out: Poolscope sees its end. |
//! | `started` | `lane`, `task`, `at` | A task began. May be left out where only the end of a task is known. |
//! | `succeeded` | `lane`, `tasks` | `tasks` is a list of `[index, start, service, value]`, in the order in which the lane did them; `value` is an unsigned number. |
//! | `failed` | `lane`, `task`, `start`, `service`, `message`, `code` or `signal` | An error, or the exit of its program. `lane`, `start` and `service` are left out for a task that never began. |
//! | `timed_out` | `lane`, `task`, `start`, `service` | It reached its `timeout`. |
//! | `lost` | `lane`, `task`, `start`, `service`, `signal` | Its worker died under it and the worker's number is not known; otherwise `worker_exited` says it. |
//! | `counts` | `succeeded`, `failed`, `timed_out`, `lost` | What the program has counted so far. Poolscope counts by itself; if the two differ, one of them is wrong, and the run is broken. |
//!
//! # Rules
//! * A task has one attempt and exactly one outcome. What was not given cannot be reported, and nothing twice.
//! * A lane does one task at a time: a task starts at the end of the one before it in its lane, or later, and not before
//!   it was given; nothing ends in the future.
//! * When `end` has come and every task has its outcome, the program ends its workers, reports that, and exits with 0, all
//!   within `silence`. One that closes its socket before it has nothing left to do must have ended 500 ms later.
//! * CPU time is what `worker_exited` says, or else the last `worker_usage`; only of the program itself the kernel is asked.
//! * What the program leaves behind is ended with it, whatever it did to its group, its session and its environment: the
//!   program is to the rule of strays what a task is in the other engines.
//! * `worker_ready`, `counts`, `started` and a `message` may be left out; an unknown `type` breaks the run.
//! * A workload with `retries`, a `queue_timeout`, a `wait_timeout`, a `submit` mode other than `apply_async`, a
//!   `queue_capacity` or `dispatch: round_robin` is refused, and one with a `timeout` for a program that cannot do that. Callers
//!   of reference arms (below) know `submit` and `wait_timeout`.
//! * A program that breaks a rule, falls silent, or ends early is killed with its process group, and the run is broken:
//!   tasks in a lane are lost, the others cancelled.
//! * The clock of the run begins with `hello`: what a program needs to come up is not part of it.
//!
//! # Callers of reference arms
//! CPython's own `Pool`, `ProcessPoolExecutor` and `Process` are arms too (`kind: mp_pool`, `ppe`, `mp_process`). Their program
//! is the *caller*, which makes the calls of a plain script (`reference/caller.py`), and a *shim* in its processes says through
//! a pipe of its own what its workers do (`src/worker/shim`). Beside what is said above:
//!
//! | from Poolscope | fields | meaning |
//! |---|---|---|
//! | `start` | `kind`, `submit`, `chunksize`, `start_method`, `max_tasks_per_child`, `initializer`, `python_path` | Which of the three, and with which calls; `chunksize` null: the rule of the method that is called; `initializer` null, or the call of it. A class has `wait_timeout`: `get(timeout)`, whereafter the worker stays busy. |
//! | `tasks` | `draws`, `told` | Numbers that were drawn for the arguments of each task, and what was made of its item for them: a list, as a text of JSON, or `{"unreadable": why}`. |
//! | `kill_worker` | `worker` | The number of a worker is that of its process. |
//!
//! | from the caller | fields | meaning |
//! |---|---|---|
//! | `back` | `results` | A list of `[job, piece, at, since]`: these results are with the caller; `since` is when they were handed in or their processes started, or 0. |
//! | `unsuccessful` | `job`, `piece`, `at`, `since`, `message`, `trace`, `broken` | The same with an exception. Of a chunk, tasks before the one that has raised ran and were not delivered, those after it were never run. `broken`: nothing comes of any other task either. |
//! | `ended` | `job`, `code` or `signal` | Its process has ended without a result. |
//! | `delivered` | `results` | A list of `[count, at]`: so many more results were taken by the caller, at this time: of `map`, `imap`, `imap_unordered`. |
//! | `stuck` | `why` | No result can come back any more. |
//! | `over` | | Every result is there; what follows is not part of the run. |
//! | `values`, `not_compared` | `values` | A list of `[index, value]` of all that succeeded; or that this is not known. |
//! | `closing` | `by` | Nothing is left to be said: it waits for its workers to end, in this call. Those that do not are told of after the time that workers have for it (`measure.join.timeout`) and ended with their caller. |
//! | `note` | `text` | For people. |
//!
//! `job` and `piece` are the numbers by which CPython knows what was handed in. Tasks are handed in in the order in which they
//! are given; the shim says with which number that begins, and of how many tasks a piece is.
//! That a caller waits for ever is said where a worker that has taken a piece is gone without its result, or where `stuck`
//! says so, and in no other case. When nothing else is left to come, the run is ended: what is waited for is lost.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::engine::event::Slot;
use crate::engine::outcome::Exit;
use crate::workload::items::ItemError;
use crate::workload::model::{ClassId, PythonCall, StartMethod, SubmitMode, TaskIndex, Work};

/// Version of the protocol.
pub(crate) const VERSION: u32 = 1;
/// The descriptor of the socket.
pub(crate) const SOCKET_FD: std::os::fd::RawFd = 3;
/// Longest line in bytes.
pub(crate) const MOST_LINE: usize = 1 << 20;
/// Most tasks that are given and have no outcome yet.
pub(crate) const MOST_GIVEN: u64 = 1 << 18;

/// A line to the program.
/// What was made of an item.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum OfItem {
    /// A list of values, in JSON of its own: one that cannot be read there is the affair of its task alone.
    List(String),
    /// The item could not be read, and why.
    Unreadable { unreadable: String },
}

impl From<Result<String, ItemError>> for OfItem {
    fn from(told: Result<String, ItemError>) -> Self {
        told.map_or_else(|error| Self::Unreadable { unreadable: error.to_string() }, Self::List)
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ToProgram<'a> {
    Start {
        version: u32,
        workers: u32,
        total: u64,
        seed: u64,
        iterations_per_second: f64,
        silence: u64,
        classes: &'a [Class<'a>],
        #[serde(flatten)]
        caller: Option<&'a CallerOrders>,
    },
    Tasks {
        class: ClassId,
        first: TaskIndex,
        count: u64,
        service: Option<Vec<u64>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        draws: Option<Vec<Vec<f64>>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        told: Option<Vec<OfItem>>,
    },
    End,
    Pause,
    Resume,
    Resize {
        workers: u32,
    },
    KillWorker {
        worker: u32,
    },
    Stop,
}

#[derive(Debug, Serialize)]
pub(super) struct Class<'a> {
    pub(crate) name: &'a str,
    pub(crate) work: Cow<'a, Work>,
    pub(crate) timeout: Option<u64>,
    pub(crate) grace: u64,
    pub(crate) wait_timeout: Option<u64>,
}

/// How a caller of a reference arm makes its calls.
#[derive(Clone, Debug, Serialize)]
pub(in crate::engine) struct CallerOrders {
    pub(in crate::engine) kind: &'static str,
    pub(in crate::engine) submit: SubmitMode,
    pub(in crate::engine) chunksize: Option<u32>,
    pub(in crate::engine) start_method: StartMethod,
    pub(in crate::engine) max_tasks_per_child: Option<u64>,
    pub(in crate::engine) initializer: Option<PythonCall>,
    /// Each byte of a name as the character of its number.
    pub(in crate::engine) python_path: Vec<String>,
}

/// A line from the program.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum FromProgram {
    Hello {
        version: u32,
        #[serde(default)]
        can: Vec<String>,
    },
    Want {
        tasks: u64,
    },
    Alive,
    WorkerStarted {
        worker: u32,
        pid: u32,
        lanes: Vec<Slot>,
        #[serde(default)]
        restart: bool,
    },
    WorkerReady {
        worker: u32,
    },
    WorkerUsage {
        worker: u32,
        user: u64,
        system: u64,
    },
    WorkerExited {
        worker: u32,
        code: Option<i32>,
        signal: Option<i32>,
        user: Option<u64>,
        system: Option<u64>,
        peak_rss_bytes: Option<u64>,
        #[serde(default)]
        expected: bool,
    },
    Started {
        lane: Slot,
        task: TaskIndex,
        at: u64,
    },
    Succeeded {
        lane: Slot,
        tasks: Vec<(TaskIndex, u64, u64, u64)>,
    },
    Failed {
        task: TaskIndex,
        lane: Option<Slot>,
        start: Option<u64>,
        service: Option<u64>,
        #[serde(default)]
        message: String,
        code: Option<i32>,
        signal: Option<i32>,
    },
    TimedOut {
        task: TaskIndex,
        lane: Slot,
        start: u64,
        service: u64,
    },
    Lost {
        task: TaskIndex,
        lane: Option<Slot>,
        start: Option<u64>,
        service: Option<u64>,
        signal: Option<i32>,
    },
    Counts(Told),
    Back {
        results: Vec<(u64, u64, u64, u64)>,
    },
    Unsuccessful {
        job: u64,
        piece: u64,
        at: u64,
        #[serde(default)]
        since: u64,
        #[serde(default)]
        message: String,
        #[serde(default)]
        trace: String,
        #[serde(default)]
        broken: bool,
    },
    Ended {
        job: u64,
        code: Option<i32>,
        signal: Option<i32>,
    },
    Delivered {
        results: Vec<(u64, u64)>,
    },
    Stuck {
        why: String,
    },
    Over,
    Values {
        values: Vec<(TaskIndex, u64)>,
    },
    NotCompared,
    Closing {
        by: String,
    },
    Note {
        text: String,
    },
}

/// What the program has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) timed_out: u64,
    pub(crate) lost: u64,
}

/// How a process ended, as far as that was told.
pub(super) fn exit(code: Option<i32>, signal: Option<i32>) -> Option<Exit> {
    signal.map(Exit::Signal).or(code.map(Exit::Code))
}
