//! Pool or process, how many workers, and how do I know?
//!
//! Poolscope loads a workload from YAML, runs the same seeded stream of tasks through each engine and shows what
//! happened, live in a terminal or as text and JSON.
//!
//! # As a library
//! What a program uses is listed below; everything else is there for Poolscope's own program, tests and benchmarks, may
//! change at any time and shows in these pages only with `--cfg rooms`. A run of one arm, from the text of a workload
//! to its last snapshot:
//!
//! ```standalone_crate
//! use poolscope::{Arm as _, Dispatched, Host, Recorder, RecorderConfig, RunContext, RunId, RunRequest, SharedStream};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Workers are this same program started again: there it does their work and does not return.
//! poolscope::take_over();
//! let text = "
//!     version: 1
//!     name: naps
//!     tasks: [{ name: nap, kind: sleep, count: 20, service_time: { dist: constant, value: 1ms } }]
//!     engines: [{ kind: pool, workers: 2 }]
//! ";
//! let workload = poolscope::load(text, "naps")?.workload;
//! let (spec, stream) = (&workload.engines[0], SharedStream::new(&workload));
//! let context = RunContext {
//!     usable_cores: Host::detect().usable_cores(),
//!     max_processes: 100,
//!     iterations_per_second: 1e9,
//!     worker_program: std::env::current_exe()?.into(),
//! };
//! let (recorder, snapshots) = Recorder::new(RecorderConfig {
//!     sample_interval: None,
//!     cores: context.usable_cores,
//!     capabilities: Dispatched(spec.kind).capabilities(),
//!     unbounded: false,
//!     run: RunId::default(),
//! });
//! let run = Dispatched(spec.kind).start(
//!     RunRequest {
//!         workload: &workload,
//!         spec,
//!         workers: 2,
//!         admission: stream.admission(&workload),
//!         stream: Box::new(stream),
//!         context: &context,
//!         gil_probe: false,
//!     },
//!     Box::new(recorder),
//! )?;
//! run.join()?;
//! assert_eq!(snapshots.borrow().counts.succeeded, 20);
//! # Ok(())
//! # }
//! ```
//!
//! [`load_file`] reads a workload from its file, [`load_with_files`] from a text that names files which are wherever the
//! program says. A [`Session`] runs several arms in turn and compares them. Poolscope is a guest in the process of the program that
//! uses it; what that means, and what a program of its own may claim, is said at [`ProcessOwner`].
//!
//! # Words
//! * A *worker* is an operating-system process that executes tasks; it has a pid, a socket, accounts and an exit
//!   ([`engine::event::WorkerId`]).
//! * A *lane* runs one task at a time in a worker ([`engine::event::LaneId`]): most workers have one, those of a thread
//!   engine have several.
//! * A *slot* is the stable place of a lane, a row of every table ([`engine::event::Slot`]); workers that replace each other
//!   take the same one.
//! * An *arm* is one side of a comparison: whatever can run the stream, usually an entry of `engines:` ([`Arm`]).
//! * The *stream* is the seeded sequence of tasks, the same for every arm ([`TaskStream`]).
//! * An *attempt* is one try at a task, counted from 1; what went wrong in it is an [`AttemptReport`].
//! * The *outcome* is what became of a task in the end, of which each has exactly one ([`Outcome`]).
//! * A *track* is the history of one run in a bounded number of frames, each a [`Snapshot`] ([`Track`]).
//!
//! # One task, from file to screen
//! 1. [`workload::load`] checks the file; [`workload::stream`] says which tasks it means and in which order.
//! 2. [`session::conductor`] starts the arm whose turn it is ([`Arm::start`]) with that stream.
//! 3. [`engine::dispatcher`] admits the task to its `queue` when it arrives, ...
//! 4. ... takes it out when a lane has room, as part of a `Ticket`, and asks for that to be sent (`Effect::Send`).
//! 5. [`engine::driver`] carries the effect out: a frame of the protocol in the socket of the lane's worker.
//! 6. [`worker`]: the lane writes the task on the status board, does it (`work`, `kernels`), and reports a record.
//! 7. The driver reads that (`frames`) and hands it to the dispatcher as `Input::Done`.
//! 8. The dispatcher counts the outcome, gives the lane more, and tells its observers ([`Event::Succeeded`]).
//! 9. [`metrics::recorder`] folds the event into the newest [`Snapshot`], and now and then publishes it.
//! 10. The session puts that into its view ([`session::view`]); [`tui`] draws it, and [`report`] prints the last one.
//!
//! # The tour
//! Who lives where, and who may use whom. A test reads this table and holds the code to it.
//!
//! | part | what it is | may use |
//! |---|---|---|
//! | [`workload`] | WHAT runs: the file, its loader, the seeded stream of tasks | |
//! | [`os`] | processes, signals, shared memory, CPU and memory readings; knows no tasks | |
//! | [`worker`] | the child's side: protocol, entry, kernels | `workload`, `os` |
//! | [`engine`] | HOW it runs: an arm is whatever can run the stream; one pure dispatcher with the driver that carries out its effects, or another program | `workload`, `worker`, `os` |
//! | [`metrics`] | folds events into bounded aggregates and publishes snapshots | `workload`, `os`, `vocabulary` |
//! | [`analysis`] | statistics and verdicts, pure functions | `workload`, `os`, `vocabulary`, `metrics` |
//! | [`report`] | text and JSON | `workload`, `os`, `vocabulary`, `metrics`, `analysis` |
//! | [`history`] | the run store: what every session has measured, in an embedded database | `workload`, `os`, `vocabulary`, `metrics`, `analysis` |
//! | [`session`] | one comparison in progress; the same for headless commands and the dashboard | `workload`, `os`, `worker`, `engine`, `metrics`, `analysis` |
//! | [`tui`] | the dashboard | `workload`, `os`, `vocabulary`, `metrics`, `analysis`, `report`, `session` |
//! | [`cli`] | the arguments, as they are typed | `workload`, `analysis` |
//! | [`commands`] | one file per verb of the command line | `workload`, `os`, `worker`, `engine`, `metrics`, `analysis`, `report`, `history`, `session`, `tui`, `cli` |
//!
//! The *vocabulary* of an engine is what those know who observe or command it, and not how it works: `engine::event`,
//! `engine::outcome`, `engine::control`.

#![cfg_attr(rooms, allow(missing_docs))]
#![warn(unreachable_pub)]
#![allow(rustdoc::private_intra_doc_links, reason = "they are for readers of the source")]

#[cfg(not(unix))]
compile_error!(
    "Poolscope needs a Unix system (Linux or macOS): it starts, signals and accounts for processes the POSIX way."
);

// Public for `main.rs`, tests and benchmarks.
#[cfg_attr(not(rooms), doc(hidden))]
pub mod analysis;
#[cfg_attr(not(rooms), doc(hidden))]
pub mod cli;
#[cfg_attr(not(rooms), doc(hidden))]
pub mod commands;
#[cfg_attr(not(rooms), doc(hidden))]
pub mod engine;
mod history;
#[cfg_attr(not(rooms), doc(hidden))]
pub mod metrics;
#[cfg_attr(not(rooms), doc(hidden))]
pub mod os;
mod report;
#[cfg_attr(not(rooms), doc(hidden))]
pub mod session;
mod tui;
#[cfg_attr(not(rooms), doc(hidden))]
pub mod worker;
#[cfg_attr(not(rooms), doc(hidden))]
pub mod workload;

// WHAT runs.
pub use workload::diagnostic::{Diagnostic, Diagnostics};
pub use workload::load::{Loaded, NamedFiles, load, load_with_files};
pub use workload::model::{Attempt, EngineKind, EngineSpec, Workload};
pub use workload::source::load_file;
// One run of one arm.
pub use engine::arm::{Arm, ArmRun, Completion, RunRequest, StartError};
pub use engine::context::RunContext;
pub use engine::control::{Capabilities, Command, Refusal};
pub use engine::dispatched::Dispatched;
pub use engine::error::EngineError;
pub use engine::external::External;
pub use engine::stream::{Admission, ArrivalMoments, Submission, Submitter, TaskStream};
pub use session::stream::SharedStream;
// What is told of it.
pub use engine::event::{EngineView, Event, LaneId, Moment, Observer, Observers, RunState, Slot, WorkerId};
pub use engine::outcome::{AttemptReport, Counts, Outcome};
pub use metrics::recorder::{Recorder, RecorderConfig};
pub use metrics::recording::{Header, ReadError, Recording, WriteError};
pub use metrics::snapshot::{RunId, Snapshot};
pub use metrics::track::Track;
// A comparison of several arms.
pub use session::conductor::{ArmSpec, Session, SessionSpec};
pub use session::handle::SessionHandle;
pub use session::view::{ArmView, SessionCommand, SessionPhase, SessionView};
// The machine and the process.
pub use os::host::Host;
pub use os::process_owner::ProcessOwner;
pub use worker::entry::take_over;
