//! Property tests of the worker protocol's codec: whatever is put comes back, in any pieces; noise is refused, not obeyed.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use poolscope::os::accounting::{Exit, Usage};
use poolscope::worker::protocol::{
    self, Failure, Frame, FromWorker, HEADER, Hello, MAX_PAYLOAD, ProtocolError, Setup, TaskRun, ToWorker, WireRecord,
    decode_from_worker, decode_to_worker, split,
};
use poolscope::workload::model::{Kernel, Work};
use proptest::prelude::*;

fn records() -> impl Strategy<Value = Vec<WireRecord>> {
    let record = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>())
        .prop_map(|(index, start, service, value)| WireRecord { index, start, service, value });
    prop::collection::vec(record, 0..600)
}

fn usage() -> impl Strategy<Value = Usage> {
    (any::<u64>(), any::<u64>(), any::<[u64; 4]>()).prop_map(
        |(user, system, [minor, major, voluntary, involuntary])| Usage {
            user: Duration::from_nanos(user),
            system: Duration::from_nanos(system),
            minor_faults: minor,
            major_faults: major,
            voluntary_switches: voluntary,
            involuntary_switches: involuntary,
        },
    )
}

fn runs() -> impl Strategy<Value = Vec<TaskRun>> {
    let run = (any::<u64>(), any::<u32>(), any::<u16>(), any::<u16>(), any::<u64>())
        .prop_map(|(first, count, class, attempt, begin_by)| TaskRun { first, count, class, attempt, begin_by });
    prop::collection::vec(run, 1..300)
}

fn failure() -> impl Strategy<Value = Failure> {
    let exit = prop_oneof![
        Just(None),
        any::<i32>().prop_map(|code| Some(Exit::Code(code))),
        any::<i32>().prop_map(|signal| Some(Exit::Signal(signal)))
    ];
    (any::<[u64; 4]>(), any::<Option<String>>(), exit, any::<bool>(), ".{0,2000}", ".{0,2000}").prop_map(
        |([index, start, service, omitted], message, exit, not_started, stdout_tail, stderr_tail)| Failure {
            index,
            start,
            service,
            message,
            exit,
            not_started,
            stdout_tail,
            stderr_tail,
            output_omitted_bytes: omitted,
        },
    )
}

/// All frames in `bytes`, which must be whole.
fn frames(mut bytes: &[u8]) -> Vec<Frame<'_>> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let frame = split(bytes).unwrap().expect("whole frames");
        bytes = &bytes[frame.length()..];
        frames.push(frame);
    }
    frames
}

proptest! {
    #[test]
    fn what_a_worker_says_comes_back(
        usage in usage(), records in records(), failure in failure(), pid in any::<u32>(),
        skipped in prop::collection::vec(any::<(u64, u64)>(), 1..50)
    ) {
        let mut bytes = Vec::new();
        let hello = Hello { protocol: protocol::VERSION, pid };
        protocol::put_hello(&mut bytes, &hello);
        protocol::put_done(&mut bytes, &usage, &records);
        protocol::put_failed(&mut bytes, &failure);
        protocol::put_skipped(&mut bytes, &skipped);
        let frames = frames(&bytes);
        prop_assert_eq!(frames.len(), 4);
        prop_assert_eq!(decode_from_worker(frames[0]).unwrap(), FromWorker::Hello(hello));
        let FromWorker::Done(done) = decode_from_worker(frames[1]).unwrap() else { panic!("a done frame") };
        prop_assert_eq!(done.usage, usage);
        prop_assert_eq!(done.records().collect::<Vec<_>>(), records);
        prop_assert_eq!(decode_from_worker(frames[2]).unwrap(), FromWorker::Failed(failure));
        prop_assert_eq!(decode_from_worker(frames[3]).unwrap(), FromWorker::Skipped(skipped));
    }

    #[test]
    fn what_a_parent_says_comes_back(runs in runs(), seed in any::<u64>(), id in any::<u16>(), n in any::<u64>()) {
        let setup = Setup { protocol: protocol::VERSION, seed, iterations_per_second: 1.5e9, caller: None, folder: None };
        let work = Work::Kernel(Kernel::Primes { n });
        let mut bytes = Vec::new();
        protocol::put_setup(&mut bytes, &setup);
        protocol::put_class(&mut bytes, id, &work);
        protocol::put_tasks(&mut bytes, &runs);
        let frames = frames(&bytes);
        prop_assert_eq!(decode_to_worker(frames[0]).unwrap(), ToWorker::Setup(setup));
        prop_assert_eq!(decode_to_worker(frames[1]).unwrap(), ToWorker::Class(id, work));
        prop_assert_eq!(decode_to_worker(frames[2]).unwrap(), ToWorker::Tasks(runs));
    }

    #[test]
    fn a_frame_is_whole_only_with_its_last_byte(runs in runs(), rest in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut bytes = Vec::new();
        protocol::put_tasks(&mut bytes, &runs);
        let length = bytes.len();
        for cut in [0, 1, HEADER - 1, HEADER, length - 1] {
            prop_assert_eq!(split(&bytes[..cut]).unwrap(), None);
        }
        bytes.extend(rest);
        prop_assert_eq!(split(&bytes).unwrap().unwrap().length(), length);
    }

    #[test]
    fn noise_is_refused_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), kind in any::<u8>()) {
        let frame = Frame { kind, payload: &bytes };
        // Both sides of the protocol have to live with whatever comes.
        let _ = decode_to_worker(frame);
        let _ = decode_from_worker(frame);
        match split(&bytes) {
            Ok(Some(frame)) => prop_assert!(frame.length() <= bytes.len()),
            Ok(None) => {}
            Err(error) => prop_assert!(matches!(error, ProtocolError::TooLong(length) if length > MAX_PAYLOAD)),
        }
    }
}

#[test]
fn another_version_is_refused_by_name() {
    let mut bytes = Vec::new();
    protocol::put_hello(&mut bytes, &Hello { protocol: 99, pid: 1 });
    assert_eq!(decode_from_worker(frames(&bytes)[0]), Err(ProtocolError::Version(99)));
}
