//! Bytes into messages: whatever comes, it is understood or refused.

use std::time::Duration;

use super::frame::{u16_at, u32_at, u64_at};
use super::messages::{DoneFrame, FromWorker, Handled, Hello, Piece, Probed, Setup, Started, TaskRun, ToWorker};
use super::{Frame, HANDLED, MAX_RECORDS, MORE, ProtocolError, RECORD, RUN, SKIPPED, STARTED, USAGE, VERSION};
use crate::os::accounting::Usage;
use crate::workload::model::Attempt;

/// What a flag means is not known to a peer that does not know it: it cannot go on as if it were not there.
fn flag(frame: Frame<'_>, known: u8, kind: &'static str) -> Result<bool, ProtocolError> {
    if frame.flags & !known == 0 { Ok(frame.flags != 0) } else { Err(ProtocolError::Malformed(kind)) }
}

/// A frame without flags that concerns the whole worker.
fn of_worker(frame: Frame<'_>, kind: &'static str) -> Result<(), ProtocolError> {
    flag(frame, 0, kind)?;
    if frame.lane == 0 { Ok(()) } else { Err(ProtocolError::Malformed(kind)) }
}

fn json<'a, T: serde::Deserialize<'a>>(payload: &'a [u8], kind: &'static str) -> Result<T, ProtocolError> {
    serde_json::from_slice(payload).map_err(|_| ProtocolError::Malformed(kind))
}

fn piece<'a>(frame: Frame<'a>, kind: &'static str) -> Result<Piece<'a>, ProtocolError> {
    let more = flag(frame, MORE, kind)?;
    let bytes = frame.payload.get(8..).ok_or(ProtocolError::Malformed(kind))?;
    Ok(Piece { index: u64_at(frame.payload, 0), more, bytes })
}

/// The first frame of either side. Of another version only the number can be relied on.
fn first<'a, T: serde::Deserialize<'a>>(payload: &'a [u8], kind: &'static str) -> Result<T, ProtocolError> {
    #[derive(serde::Deserialize)]
    struct Version {
        protocol: u32,
    }
    json(payload, kind).map_err(|malformed| match serde_json::from_slice(payload) {
        Ok(Version { protocol }) if protocol != VERSION => ProtocolError::Version(protocol),
        _ => malformed,
    })
}

fn version(protocol: u32) -> Result<(), ProtocolError> {
    if protocol == VERSION { Ok(()) } else { Err(ProtocolError::Version(protocol)) }
}

/// Whom a frame to a worker concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concerns {
    /// The process.
    Worker,
    /// Each of its lanes.
    EveryLane,
    /// The lane that its head names.
    OneLane,
}

/// Says whom a frame to a worker concerns, without decoding it.
#[must_use]
pub fn concerns(frame: Frame<'_>) -> Concerns {
    match frame.kind {
        2 => Concerns::EveryLane,
        3 | 5 | 6 => Concerns::OneLane,
        _ => Concerns::Worker,
    }
}

/// Decodes a frame that a worker received.
///
/// # Errors
/// Whatever [`ProtocolError`] names.
pub fn decode_to_worker(frame: Frame<'_>) -> Result<ToWorker<'_>, ProtocolError> {
    let payload = frame.payload;
    match frame.kind {
        1 => {
            of_worker(frame, "setup")?;
            let setup: Box<Setup> = first(payload, "setup")?;
            version(setup.protocol)?;
            if setup.lanes == 0 { Err(ProtocolError::Malformed("setup")) } else { Ok(ToWorker::Setup(setup)) }
        }
        2 => {
            of_worker(frame, "class")?;
            let work = payload.get(2..).ok_or(ProtocolError::Malformed("class"))?;
            Ok(ToWorker::Class(u16_at(payload, 0), json(work, "class")?))
        }
        3 => {
            flag(frame, 0, "tasks")?;
            if payload.is_empty() || !payload.len().is_multiple_of(RUN) {
                return Err(ProtocolError::Malformed("tasks"));
            }
            let runs = payload.chunks_exact(RUN).map(|b| {
                Some(TaskRun {
                    first: u64_at(b, 0),
                    count: u32_at(b, 8),
                    class: u16_at(b, 12),
                    attempt: Attempt::new(u16_at(b, 14).into())?,
                    begin_by: u64_at(b, 16),
                })
            });
            let runs = runs.collect::<Option<_>>().ok_or(ProtocolError::Malformed("tasks"))?;
            Ok(ToWorker::Tasks(runs))
        }
        4 => {
            of_worker(frame, "initialize")?;
            Ok(ToWorker::Initialize(json(payload, "initialize")?))
        }
        5 => Ok(ToWorker::Payload(piece(frame, "payload")?)),
        6 => {
            flag(frame, 0, "retire")?;
            if payload.is_empty() { Ok(ToWorker::Retire) } else { Err(ProtocolError::Malformed("retire")) }
        }
        kind => Err(ProtocolError::UnknownKind(kind)),
    }
}

/// Whether a frame from a worker is its hello.
#[must_use]
pub fn is_hello(frame: Frame<'_>) -> bool {
    frame.kind == 1
}

/// Decodes a frame that the parent received.
///
/// # Errors
/// Whatever [`ProtocolError`] names.
pub fn decode_from_worker(frame: Frame<'_>) -> Result<FromWorker<'_>, ProtocolError> {
    let payload = frame.payload;
    match frame.kind {
        1 => {
            of_worker(frame, "hello")?;
            let hello: Hello = first(payload, "hello")?;
            version(hello.protocol)?;
            Ok(FromWorker::Hello(hello))
        }
        2 => {
            flag(frame, 0, "done")?;
            let (usage, records) = payload.split_at_checked(USAGE).ok_or(ProtocolError::Malformed("done"))?;
            if !records.len().is_multiple_of(RECORD) || !(1..=MAX_RECORDS).contains(&(records.len() / RECORD)) {
                return Err(ProtocolError::Malformed("done"));
            }
            let nanos = |at| Duration::from_nanos(u64_at(usage, at));
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
            flag(frame, 0, "failed")?;
            Ok(FromWorker::Failed(json(payload, "failed")?))
        }
        4 => {
            flag(frame, 0, "skipped")?;
            if payload.is_empty() || !payload.len().is_multiple_of(SKIPPED) {
                return Err(ProtocolError::Malformed("skipped"));
            }
            Ok(FromWorker::Skipped(payload.chunks_exact(SKIPPED).map(|b| (u64_at(b, 0), u64_at(b, 8))).collect()))
        }
        5 => {
            of_worker(frame, "initialized")?;
            Ok(FromWorker::Initialized(json(payload, "initialized")?))
        }
        6 => Ok(FromWorker::Result(piece(frame, "result")?)),
        7 => {
            flag(frame, 0, "started")?;
            if payload.len() != STARTED {
                return Err(ProtocolError::Malformed("started"));
            }
            let program = u32_at(payload, 16);
            Ok(FromWorker::Started(Started {
                index: u64_at(payload, 0),
                at: u64_at(payload, 8),
                program: (program != 0).then_some(program),
            }))
        }
        8 => {
            flag(frame, 0, "handled")?;
            if payload.is_empty() || !payload.len().is_multiple_of(HANDLED) {
                return Err(ProtocolError::Malformed("handled"));
            }
            let handled = payload.chunks_exact(HANDLED).map(|b| Handled {
                index: u64_at(b, 0),
                received: u64_at(b, 8),
                unpacking: u64_at(b, 16),
                packing: u64_at(b, 24),
                hashing: u64_at(b, 32),
            });
            Ok(FromWorker::Handled(handled.collect()))
        }
        9 => {
            flag(frame, 0, "changed")?;
            Ok(FromWorker::Changed(json(payload, "changed")?))
        }
        10 => {
            of_worker(frame, "probed")?;
            if payload.len() < 16 || !payload.len().is_multiple_of(8) {
                return Err(ProtocolError::Malformed("probed"));
            }
            let late = payload.chunks_exact(8).skip(1).map(|b| u64_at(b, 0)).collect();
            Ok(FromWorker::Probed(Probed { switch_interval: u64_at(payload, 0), late }))
        }
        11 => {
            flag(frame, 0, "wrong")?;
            let whole = payload.len() == size_of::<u64>();
            if whole { Ok(FromWorker::Wrong(u64_at(payload, 0))) } else { Err(ProtocolError::Malformed("wrong")) }
        }
        12 => {
            flag(frame, 0, "late")?;
            Ok(FromWorker::Late(json(payload, "late")?))
        }
        kind => Err(ProtocolError::UnknownKind(kind)),
    }
}
