#![doc = include_str!("PROTOCOL.md")]
//!
//! # In here
//! `frame` has frames and what is wrong with them, `messages` what they carry, `encode` and `decode` one direction each.
//! Nothing in here reads, writes or waits.

mod decode;
mod encode;
mod frame;
mod messages;

pub use decode::{Concerns, concerns, decode_from_worker, decode_to_worker, is_hello};
pub use encode::{
    put_class, put_done, put_failed, put_handled, put_hello, put_initialize, put_initialized, put_late, put_nonsense,
    put_payload, put_probed, put_result, put_retire, put_setup, put_skipped, put_started, put_tasks, put_wrong,
};
pub use frame::{Frame, HEADER, MAX_PAYLOAD, ProtocolError, split};
pub use messages::{
    Changed, DoneFrame, Failure, FromWorker, Handled, Hello, Initialize, Initialized, LaneNumber, Late, Piece, Probed,
    PythonSetup, Setup, Started, TaskRun, Tells, ToWorker, WireRecord,
};

/// Version that both sides must speak.
pub const VERSION: u32 = 2;
/// Descriptor of the control socket in a worker.
pub const SOCKET_FD: i32 = 3;
/// Descriptor of the status board in a worker.
pub const BOARD_FD: i32 = 4;
/// Descriptor of what an interpreter is to run.
pub(crate) const CODE_FD: i32 = 5;
/// Most records in one `done` frame.
pub(crate) const MAX_RECORDS: usize = 512;
/// Most bytes that travel with a task, and with its result.
pub const MAX_BYTES: usize = 256 << 20;
/// Most bytes on their way for all lanes of a worker together, in each direction: of payloads that came with tasks which are
/// not reported, and of results that are incomplete.
pub const MAX_BYTES_TOGETHER: usize = 512 << 20;

/// Bytes of one entry of a `tasks` frame.
const RUN: usize = 24;
/// Bytes of one entry of a `skipped` frame.
const SKIPPED: usize = 16;
/// Bytes of a `started` frame.
const STARTED: usize = 24;
/// Bytes of the usage that begins a `done` frame.
const USAGE: usize = 48;
/// Bytes of one record of a `done` frame.
const RECORD: usize = 32;
/// Bytes of one entry of a `handled` frame.
const HANDLED: usize = 40;
/// Flag of a `payload` or `result` frame: the next one goes on with the same bytes.
const MORE: u8 = 1;
