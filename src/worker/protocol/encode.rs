//! Messages into bytes.

use serde::Serialize;

use super::messages::{
    Failure, Handled, Hello, Initialize, Initialized, LaneNumber, Late, Probed, Setup, Started, TaskRun, Tells,
    WireRecord,
};
use super::{HEADER, MAX_PAYLOAD, MORE, RECORD};
use crate::os::accounting::Usage;
use crate::workload::model::{BadResult, ClassId, TaskIndex, Work};

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, lane: LaneNumber, payload: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    let [lane0, lane1] = lane.to_le_bytes();
    out.extend_from_slice(&[0, 0, 0, 0, kind, flags, lane0, lane1]);
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
    frame(out, 1, 0, 0, |out| json(out, setup));
}

/// Appends a `class` frame.
pub fn put_class(out: &mut Vec<u8>, id: ClassId, work: &Work) {
    frame(out, 2, 0, 0, |out| {
        out.extend_from_slice(&id.to_le_bytes());
        json(out, work);
    });
}

/// Appends a `tasks` frame.
pub fn put_tasks(out: &mut Vec<u8>, lane: LaneNumber, runs: &[TaskRun]) {
    frame(out, 3, 0, lane, |out| {
        for run in runs {
            out.extend_from_slice(&run.first.to_le_bytes());
            out.extend_from_slice(&run.count.to_le_bytes());
            out.extend_from_slice(&run.class.to_le_bytes());
            let attempt = u16::try_from(run.attempt.number()).unwrap_or(u16::MAX);
            out.extend_from_slice(&attempt.to_le_bytes());
            out.extend_from_slice(&run.begin_by.to_le_bytes());
        }
    });
}

/// Appends an `initialize` frame.
pub fn put_initialize(out: &mut Vec<u8>, initialize: &Initialize) {
    frame(out, 4, 0, 0, |out| json(out, initialize));
}

/// Appends what travels with a task, in as many `payload` frames as it takes.
pub fn put_payload(out: &mut Vec<u8>, lane: LaneNumber, index: TaskIndex, bytes: &[u8]) {
    put_pieces(out, 5, lane, index, bytes);
}

/// Appends a `retire` frame.
pub fn put_retire(out: &mut Vec<u8>, lane: LaneNumber) {
    frame(out, 6, 0, lane, |_| {});
}

/// Appends a `hello` frame. Its few numbers are written here: each piece of a serialiser that a process uses once, its only
/// task being an empty one, costs a page fault.
pub fn put_hello(out: &mut Vec<u8>, hello: &Hello) {
    out.reserve(256);
    let tells: &[u8] = match hello.tells {
        Tells::Board => b",\"tells\":\"board\"",
        Tells::Started => b",\"tells\":\"started\"",
        Tells::Nothing => b",\"tells\":\"nothing\"",
    };
    frame(out, 1, 0, 0, |out| {
        member(out, b"{\"protocol\":", hello.protocol.into());
        member(out, b",\"pid\":", hello.pid.into());
        member(out, b",\"lanes\":", hello.lanes.into());
        out.extend_from_slice(tells);
        for (name, time) in [(b",\"began\":", hello.began), (b",\"ready\":", hello.ready)] {
            if time > 0 {
                member(out, name, time);
            }
        }
        out.push(b'}');
    });
}

fn member(out: &mut Vec<u8>, name: &[u8], mut number: u64) {
    out.extend_from_slice(name);
    let (mut digits, mut begin) = ([0; 20], 20);
    loop {
        begin -= 1;
        digits[begin] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[begin..]);
}

/// Appends a `done` frame.
pub fn put_done(out: &mut Vec<u8>, lane: LaneNumber, usage: &Usage, records: &[WireRecord]) {
    frame(out, 2, 0, lane, |out| {
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
pub fn put_failed(out: &mut Vec<u8>, lane: LaneNumber, failure: &Failure) {
    frame(out, 3, 0, lane, |out| json(out, failure));
}

/// Appends a `skipped` frame: first index and count of each run of tasks.
pub fn put_skipped(out: &mut Vec<u8>, lane: LaneNumber, runs: &[(TaskIndex, u64)]) {
    frame(out, 4, 0, lane, |out| {
        for (first, count) in runs {
            out.extend_from_slice(&first.to_le_bytes());
            out.extend_from_slice(&count.to_le_bytes());
        }
    });
}

/// Appends an `initialized` frame.
pub fn put_initialized(out: &mut Vec<u8>, initialized: &Initialized) {
    frame(out, 5, 0, 0, |out| json(out, initialized));
}

/// Appends what a task returns, in as many `result` frames as it takes.
pub fn put_result(out: &mut Vec<u8>, lane: LaneNumber, index: TaskIndex, bytes: &[u8]) {
    put_pieces(out, 6, lane, index, bytes);
}

/// Appends a `started` frame.
pub fn put_started(out: &mut Vec<u8>, lane: LaneNumber, started: &Started) {
    frame(out, 7, 0, lane, |out| {
        out.extend_from_slice(&started.index.to_le_bytes());
        out.extend_from_slice(&started.at.to_le_bytes());
        out.extend_from_slice(&started.program.unwrap_or(0).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
    });
}

/// Appends a `handled` frame.
pub fn put_handled(out: &mut Vec<u8>, lane: LaneNumber, handled: &Handled) {
    frame(out, 8, 0, lane, |out| {
        for number in [handled.index, handled.received, handled.unpacking, handled.packing, handled.hashing] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    });
}

/// Appends a `probed` frame.
pub fn put_probed(out: &mut Vec<u8>, probed: &Probed) {
    frame(out, 10, 0, 0, |out| {
        for number in std::iter::once(&probed.switch_interval).chain(&probed.late) {
            out.extend_from_slice(&number.to_le_bytes());
        }
    });
}

/// Appends a `wrong` frame.
pub fn put_wrong(out: &mut Vec<u8>, lane: LaneNumber, index: TaskIndex) {
    frame(out, 11, 0, lane, |out| out.extend_from_slice(&index.to_le_bytes()));
}

/// Appends a `late` frame.
pub fn put_late(out: &mut Vec<u8>, lane: LaneNumber, late: &Late) {
    frame(out, 12, 0, lane, |out| json(out, late));
}

fn put_pieces(out: &mut Vec<u8>, kind: u8, lane: LaneNumber, index: TaskIndex, bytes: &[u8]) {
    let mut rest = bytes;
    loop {
        let (piece, later) = rest.split_at(rest.len().min(MAX_PAYLOAD - 8));
        frame(out, kind, if later.is_empty() { 0 } else { MORE }, lane, |out| {
            out.extend_from_slice(&index.to_le_bytes());
            out.extend_from_slice(piece);
        });
        rest = later;
        if rest.is_empty() {
            return;
        }
    }
}

/// Appends what looks like a `done` frame and is none: for a fault that was asked for.
pub fn put_nonsense(out: &mut Vec<u8>, lane: LaneNumber, bad: BadResult) {
    let begin = out.len();
    frame(out, 2, 0, lane, |out| out.extend_from_slice(b"no result"));
    if bad == BadResult::Oversized {
        out[begin..begin + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::worker::protocol::{FromWorker, decode_from_worker, split};

    proptest! {
        #[test]
        fn a_hello_is_read_as_it_was_written(
            (protocol, pid, lanes, began, ready) in any::<(u32, u32, LaneNumber, u64, u64)>(),
            tells in prop_oneof![Just(Tells::Board), Just(Tells::Started), Just(Tells::Nothing)],
        ) {
            let hello = Hello { protocol, pid, lanes, tells, began, ready };
            let mut bytes = Vec::new();
            put_hello(&mut bytes, &hello);
            prop_assert_eq!(serde_json::from_slice::<Hello>(&bytes[HEADER..]).expect("a hello"), hello);
            let frame = split(&bytes).expect("a frame").expect("a whole one");
            prop_assert!(protocol != super::super::VERSION || decode_from_worker(frame) == Ok(FromWorker::Hello(hello)));
        }
    }
}
