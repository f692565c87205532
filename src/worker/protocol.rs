//! The worker protocol, version 2.
//!
//! A worker is any program that speaks this over a Unix stream socket that it inherits as file descriptor 3. It also
//! inherits the status board ([`crate::os::board`]) as descriptor 4. All integers are little-endian.
//!
//! ```text
//! frame   = length: u32 (payload bytes), kind: u8, zero: [u8; 3], payload
//!
//! parent -> worker
//!   1 setup   JSON Setup            first frame; says the protocol version
//!   2 class   id: u16, JSON Work    once for each class, before its first task
//!   3 tasks   { first: u64, count: u32, class: u16, attempt: u16, begin_by: u64 } repeated
//!
//! worker -> parent
//!   1 hello   JSON Hello            first frame; says the protocol version
//!   2 done    usage: [u64; 6], { index: u64, start: u64, service: u64, value: u64 } repeated
//!   3 failed  JSON Failure          one unsuccessful task
//!   4 skipped { first: u64, count: u64 } repeated
//! ```
//!
//! Tasks are worked on in the order in which they were sent, and reported in that order, whichever frame a task is in.
//! `start` is `CLOCK_MONOTONIC` in nanoseconds at the first instruction of the task, `service` the nanoseconds it took.
//! `usage` is the worker's own CPU accounting since its start: user ns, system ns, minor faults, major faults, voluntary
//! and involuntary context switches. A worker reports at the latest 100 µs after a task's end unless the next task keeps
//! it busy, leaves between two tasks when its recall flag on the board is set, and exits when the socket ends.
//!
//! `begin_by` is the reading of `CLOCK_MONOTONIC` in nanoseconds from which on the tasks of that run are not to be begun
//! any more, 0 if they may be begun at any time: their `queue_timeout`. A worker looks at it before each task, against the
//! very reading that becomes the task's `start`, and reports what it does not begin in a `skipped` frame. So a task either
//! has a `start` before its `begin_by` or is skipped, and the parent, which lets it expire at the same moment, need not
//! wait for the worker to know. Where the parent's clock stood still in between (a suspended run), the worker skips early;
//! the parent then gives the tasks out again.
//!
//! Within its `start_timeout` (10 s if nothing else is said) a worker says hello, or writes on the board that it is in a
//! task; and it begins, or reports, what it was sent. One that does not is ended and replaced, and so is one that closes
//! its socket, in either direction, and lives on (one that only stops reading is found when it is written to next). What
//! it had not begun is given to another.

use serde::{Deserialize, Serialize};

use crate::os::accounting::{Exit, Usage};
use crate::os::inherited::Caller;
use crate::workload::model::{ClassId, TaskIndex, Work};

/// Version that both sides must speak.
pub const VERSION: u32 = 2;
/// Descriptor of the control socket in a worker.
pub const SOCKET_FD: i32 = 3;
/// Descriptor of the status board in a worker.
pub const BOARD_FD: i32 = 4;
/// Longest payload either side accepts.
pub const MAX_PAYLOAD: usize = 1 << 20;
/// Most records in one `done` frame.
pub const MAX_RECORDS: usize = 512;

/// Bytes of a frame before its payload.
pub const HEADER: usize = 8;
/// Bytes of one entry of a `tasks` frame.
const RUN: usize = 24;
/// Bytes of one entry of a `skipped` frame.
const SKIPPED: usize = 16;
/// Bytes of the usage that begins a `done` frame.
const USAGE: usize = 48;
/// Bytes of one record of a `done` frame.
const RECORD: usize = 32;

/// First frame to a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// Protocol version of the parent.
    pub protocol: u32,
    /// Seed of the workload.
    pub seed: u64,
    /// What a calibrated idle core does: iterations of the CPU kernel in a second.
    pub iterations_per_second: f64,
    /// Umask and limits for programs that the worker starts; absent where they are its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
    /// Folder that programs are started in, as bytes; absent where it is the worker's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<Vec<u8>>,
}

/// First frame from a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Protocol version of the worker.
    pub protocol: u32,
    /// Its process.
    pub pid: u32,
}

/// Tasks with consecutive indices, of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskRun {
    /// First index.
    pub first: TaskIndex,
    /// How many; at least 1.
    pub count: u32,
    /// Their class.
    pub class: ClassId,
    /// 1 for the first attempt.
    pub attempt: u16,
    /// `CLOCK_MONOTONIC` in nanoseconds from which on they are not to be begun any more; 0 for never.
    pub begin_by: u64,
}

/// One successful task. Times are of the worker's `CLOCK_MONOTONIC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireRecord {
    /// Which task.
    pub index: TaskIndex,
    /// Nanoseconds.
    pub start: u64,
    /// Nanoseconds.
    pub service: u64,
    /// Its result.
    pub value: u64,
}

/// One unsuccessful task. Times are of the worker's `CLOCK_MONOTONIC`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which task.
    pub index: TaskIndex,
    /// Nanoseconds.
    pub start: u64,
    /// Nanoseconds.
    pub service: u64,
    /// The error, where the task did not end as a program of its own.
    pub message: Option<String>,
    /// How its program ended, where it has one.
    pub exit: Option<Exit>,
    /// Whether trying again cannot help: its program could not be started.
    pub not_started: bool,
    /// End of its standard output.
    pub stdout_tail: String,
    /// End of its standard error.
    pub stderr_tail: String,
    /// Bytes of output that were left out.
    pub output_omitted_bytes: u64,
}

/// A frame to a worker.
#[derive(Clone, Debug, PartialEq)]
pub enum ToWorker {
    /// First of all.
    Setup(Setup),
    /// A class, before its first task.
    Class(ClassId, Work),
    /// Tasks to work on, in this order.
    Tasks(Vec<TaskRun>),
}

/// A frame from a worker, except `done` frames, which [`FromWorker::Done`] hands on undecoded.
#[derive(Clone, Debug, PartialEq)]
pub enum FromWorker<'a> {
    /// First of all.
    Hello(Hello),
    /// Successful tasks.
    Done(DoneFrame<'a>),
    /// An unsuccessful task.
    Failed(Failure),
    /// Tasks that were not begun in time: first index and count of each run of them.
    Skipped(Vec<(TaskIndex, u64)>),
}

/// A `done` frame that is decoded while it is read: it is the hot path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DoneFrame<'a> {
    /// The worker's own accounting since its start.
    pub usage: Usage,
    records: &'a [u8],
}

impl<'a> DoneFrame<'a> {
    /// The records, in order.
    pub fn records(&self) -> impl ExactSizeIterator<Item = WireRecord> + use<'a> {
        self.records.chunks_exact(RECORD).map(|bytes| WireRecord {
            index: u64_at(bytes, 0),
            start: u64_at(bytes, 8),
            service: u64_at(bytes, 16),
            value: u64_at(bytes, 24),
        })
    }
}

/// What is wrong with a frame. A peer that sends one cannot be understood any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The length exceeds [`MAX_PAYLOAD`].
    #[error("frame of {0} bytes is longer than the {MAX_PAYLOAD} allowed")]
    TooLong(usize),
    /// No such kind in this direction.
    #[error("unknown frame kind {0}")]
    UnknownKind(u8),
    /// The payload is not what its kind says.
    #[error("malformed {0} frame")]
    Malformed(&'static str),
    /// The peer speaks another version.
    #[error("peer speaks protocol {0}, this program speaks {VERSION}")]
    Version(u32),
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|b| b.try_into().ok()).map_or(0, u16::from_le_bytes)
}

fn frame(out: &mut Vec<u8>, kind: u8, payload: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, kind, 0, 0, 0]);
    payload(out);
    let length = u32::try_from(out.len() - begin - HEADER).unwrap_or(u32::MAX);
    out[begin..begin + 4].copy_from_slice(&length.to_le_bytes());
}

fn json(out: &mut Vec<u8>, value: &impl Serialize) {
    // Serialising plain structs into memory cannot fail; if it did, the empty payload is refused by the peer.
    let _ = serde_json::to_writer(out, value);
}

/// Appends a `setup` frame.
pub fn put_setup(out: &mut Vec<u8>, setup: &Setup) {
    frame(out, 1, |out| json(out, setup));
}

/// Appends a `class` frame.
pub fn put_class(out: &mut Vec<u8>, id: ClassId, work: &Work) {
    frame(out, 2, |out| {
        out.extend_from_slice(&id.to_le_bytes());
        json(out, work);
    });
}

/// Appends a `tasks` frame.
pub fn put_tasks(out: &mut Vec<u8>, runs: &[TaskRun]) {
    frame(out, 3, |out| {
        for run in runs {
            out.extend_from_slice(&run.first.to_le_bytes());
            out.extend_from_slice(&run.count.to_le_bytes());
            out.extend_from_slice(&run.class.to_le_bytes());
            out.extend_from_slice(&run.attempt.to_le_bytes());
            out.extend_from_slice(&run.begin_by.to_le_bytes());
        }
    });
}

/// Appends a `hello` frame.
pub fn put_hello(out: &mut Vec<u8>, hello: &Hello) {
    frame(out, 1, |out| json(out, hello));
}

/// Appends a `done` frame.
pub fn put_done(out: &mut Vec<u8>, usage: &Usage, records: &[WireRecord]) {
    frame(out, 2, |out| {
        let nanos = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let numbers = [
            nanos(usage.user),
            nanos(usage.system),
            usage.minor_faults,
            usage.major_faults,
            usage.voluntary_switches,
            usage.involuntary_switches,
        ];
        for number in numbers {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.reserve(records.len() * RECORD);
        for record in records {
            let mut bytes = [0u8; RECORD];
            bytes[..8].copy_from_slice(&record.index.to_le_bytes());
            bytes[8..16].copy_from_slice(&record.start.to_le_bytes());
            bytes[16..24].copy_from_slice(&record.service.to_le_bytes());
            bytes[24..].copy_from_slice(&record.value.to_le_bytes());
            out.extend_from_slice(&bytes);
        }
    });
}

/// Appends a `failed` frame.
pub fn put_failed(out: &mut Vec<u8>, failure: &Failure) {
    frame(out, 3, |out| json(out, failure));
}

/// Appends a `skipped` frame: first index and count of each run of tasks.
pub fn put_skipped(out: &mut Vec<u8>, runs: &[(TaskIndex, u64)]) {
    frame(out, 4, |out| {
        for (first, count) in runs {
            out.extend_from_slice(&first.to_le_bytes());
            out.extend_from_slice(&count.to_le_bytes());
        }
    });
}

/// A whole frame, not decoded yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its kind.
    pub kind: u8,
    /// What follows the header.
    pub payload: &'a [u8],
}

impl Frame<'_> {
    /// Bytes it takes up, with its header.
    #[must_use]
    pub fn length(&self) -> usize {
        HEADER + self.payload.len()
    }
}

/// Splits the first whole frame off `bytes`; `None` while it is incomplete.
///
/// # Errors
/// [`ProtocolError::TooLong`] as soon as the header says so.
pub fn split(bytes: &[u8]) -> Result<Option<Frame<'_>>, ProtocolError> {
    if bytes.len() < HEADER {
        return Ok(None);
    }
    let length = u32_at(bytes, 0) as usize;
    if length > MAX_PAYLOAD {
        return Err(ProtocolError::TooLong(length));
    }
    let kind = bytes.get(4).copied().unwrap_or(0);
    Ok(bytes.get(HEADER..HEADER + length).map(|payload| Frame { kind, payload }))
}

/// Decodes a frame that a worker received.
///
/// # Errors
/// Whatever [`ProtocolError`] names.
pub fn decode_to_worker(frame: Frame<'_>) -> Result<ToWorker, ProtocolError> {
    let payload = frame.payload;
    match frame.kind {
        1 => {
            let setup: Setup = serde_json::from_slice(payload).map_err(|_| ProtocolError::Malformed("setup"))?;
            if setup.protocol != VERSION {
                return Err(ProtocolError::Version(setup.protocol));
            }
            Ok(ToWorker::Setup(setup))
        }
        2 => {
            let json = payload.get(2..).ok_or(ProtocolError::Malformed("class"))?;
            let work = serde_json::from_slice(json).map_err(|_| ProtocolError::Malformed("class"))?;
            Ok(ToWorker::Class(u16_at(payload, 0), work))
        }
        3 => {
            if payload.is_empty() || !payload.len().is_multiple_of(RUN) {
                return Err(ProtocolError::Malformed("tasks"));
            }
            let runs = payload
                .chunks_exact(RUN)
                .map(|b| TaskRun {
                    first: u64_at(b, 0),
                    count: u32_at(b, 8),
                    class: u16_at(b, 12),
                    attempt: u16_at(b, 14),
                    begin_by: u64_at(b, 16),
                })
                .collect();
            Ok(ToWorker::Tasks(runs))
        }
        kind => Err(ProtocolError::UnknownKind(kind)),
    }
}

/// Decodes a frame that the parent received.
///
/// # Errors
/// Whatever [`ProtocolError`] names.
pub fn decode_from_worker(frame: Frame<'_>) -> Result<FromWorker<'_>, ProtocolError> {
    let payload = frame.payload;
    match frame.kind {
        1 => {
            let hello: Hello = serde_json::from_slice(payload).map_err(|_| ProtocolError::Malformed("hello"))?;
            if hello.protocol != VERSION {
                return Err(ProtocolError::Version(hello.protocol));
            }
            Ok(FromWorker::Hello(hello))
        }
        2 => {
            if payload.len() < USAGE || !(payload.len() - USAGE).is_multiple_of(RECORD) {
                return Err(ProtocolError::Malformed("done"));
            }
            let (usage, records) = payload.split_at(USAGE);
            let nanos = |at| std::time::Duration::from_nanos(u64_at(usage, at));
            Ok(FromWorker::Done(DoneFrame {
                usage: Usage {
                    user: nanos(0),
                    system: nanos(8),
                    minor_faults: u64_at(usage, 16),
                    major_faults: u64_at(usage, 24),
                    voluntary_switches: u64_at(usage, 32),
                    involuntary_switches: u64_at(usage, 40),
                },
                records,
            }))
        }
        3 => {
            let failure = serde_json::from_slice(payload).map_err(|_| ProtocolError::Malformed("failed"))?;
            Ok(FromWorker::Failed(failure))
        }
        4 => {
            if payload.is_empty() || !payload.len().is_multiple_of(SKIPPED) {
                return Err(ProtocolError::Malformed("skipped"));
            }
            Ok(FromWorker::Skipped(payload.chunks_exact(SKIPPED).map(|b| (u64_at(b, 0), u64_at(b, 8))).collect()))
        }
        kind => Err(ProtocolError::UnknownKind(kind)),
    }
}
