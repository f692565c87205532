//! Property tests of the worker protocol's codec: whatever is put comes back, in any pieces; noise is refused, not obeyed.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use poolscope::os::accounting::{Exit, Usage};
use poolscope::worker::protocol::{
    self, Failure, Frame, FromWorker, HEADER, Handled, Hello, Initialize, Initialized, Late, MAX_PAYLOAD, Piece,
    Probed, ProtocolError, Setup, Started, TaskRun, Tells, ToWorker, WireRecord, decode_from_worker, decode_to_worker,
    split,
};
use poolscope::workload::model::{Attempt, BadResult, Fault, FaultKind, Kernel, Trigger, Work};
use proptest::prelude::*;

fn records() -> impl Strategy<Value = Vec<WireRecord>> {
    let record = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>())
        .prop_map(|(index, start, service, value)| WireRecord { index, start, service, value });
    prop::collection::vec(record, 1..=512)
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
    let run = (any::<u64>(), any::<u32>(), any::<u16>(), 1..=u32::from(u16::MAX), any::<u64>()).prop_map(
        |(first, count, class, attempt, begin_by)| TaskRun {
            first,
            count,
            class,
            attempt: Attempt::new(attempt).unwrap(),
            begin_by,
        },
    );
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
            output: None,
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

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let kind = prop_oneof![
        any::<i32>().prop_map(FaultKind::Crash),
        any::<u8>().prop_map(FaultKind::Exit),
        Just(FaultKind::Hang),
        any::<u64>().prop_map(FaultKind::Leak),
        Just(FaultKind::IgnoreSigterm),
        Just(FaultKind::BadResult(BadResult::Wrong)),
    ];
    let at = prop_oneof![any::<u64>().prop_map(Trigger::Index), (0.0..=1.0).prop_map(Trigger::Rate)];
    let fault = (kind, at, any::<Option<u16>>(), any::<Option<u64>>()).prop_map(|(kind, at, class, draw)| Fault {
        kind,
        at,
        class,
        draw,
    });
    prop::collection::vec(fault, 0..5)
}

fn setup() -> impl Strategy<Value = Setup> {
    (any::<u64>(), 1..=u16::MAX, any::<bool>(), any::<Option<Vec<u8>>>(), faults()).prop_map(
        |(seed, lanes, grows, folder, faults)| Setup { lanes, grows, folder, faults, ..Setup::of(seed, 1.5e9) },
    )
}

fn hello() -> impl Strategy<Value = Hello> {
    let tells = prop_oneof![Just(Tells::Board), Just(Tells::Started), Just(Tells::Nothing)];
    (any::<u32>(), any::<u16>(), tells, any::<(u64, u64)>()).prop_map(|(pid, lanes, tells, (began, ready))| Hello {
        began,
        ready,
        protocol: protocol::VERSION,
        pid,
        lanes,
        tells,
    })
}

fn initialized() -> impl Strategy<Value = Initialized> {
    let any = (any::<Option<String>>(), any::<String>(), any::<[u64; 3]>());
    any.prop_map(|(error, trace, [wall_ns, cpu_ns, rss_bytes])| Initialized {
        error,
        trace,
        wall_ns,
        cpu_ns,
        rss_bytes,
    })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..2000)
}

prop_compose! {
    /// One of each frame that a worker says, of this lane.
    fn said()(
        hello in hello(), usage in usage(), records in records(), failure in failure(), initialized in initialized(),
        skipped in prop::collection::vec(any::<(u64, u64)>(), 1..50), lane in any::<u16>(), bytes in bytes(),
        started in (any::<u64>(), any::<u64>(), any::<u32>())
    ) -> (u16, Hello, Usage, Vec<WireRecord>, Failure, Initialized, Vec<(u64, u64)>, Vec<u8>, Started) {
        let started = Started { index: started.0, at: started.1, program: (started.2 != 0).then_some(started.2) };
        (lane, hello, usage, records, failure, initialized, skipped, bytes, started)
    }
}

/// One of each frame that a parent says, and where each begins.
fn to_worker(lane: u16, setup: &Setup, runs: &[TaskRun], bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    protocol::put_setup(&mut out, setup);
    protocol::put_initialize(&mut out, &Initialize { cpu_ns: 1, memory_bytes: 2, fail_rate: 0.5, start: 3 });
    protocol::put_class(&mut out, lane, &Work::Kernel(Kernel::Primes { n: 7 }));
    protocol::put_payload(&mut out, lane, 5, bytes);
    protocol::put_tasks(&mut out, lane, runs);
    protocol::put_retire(&mut out, lane);
    out
}

proptest! {
    #[test]
    fn what_a_worker_says_comes_back(
        (lane, hello, usage, records, failure, initialized, skipped, bytes, started) in said()
    ) {
        let mut out = Vec::new();
        protocol::put_hello(&mut out, &hello);
        protocol::put_done(&mut out, lane, &usage, &records);
        protocol::put_failed(&mut out, lane, &failure);
        protocol::put_skipped(&mut out, lane, &skipped);
        protocol::put_initialized(&mut out, &initialized);
        protocol::put_result(&mut out, lane, 9, &bytes);
        protocol::put_started(&mut out, lane, &started);
        let frames = frames(&out);
        prop_assert_eq!(frames.len(), 7);
        let lanes: Vec<u16> = frames.iter().map(|frame| frame.lane).collect();
        prop_assert_eq!(lanes, [0, lane, lane, lane, 0, lane, lane]);
        prop_assert_eq!(decode_from_worker(frames[0]).unwrap(), FromWorker::Hello(hello));
        let FromWorker::Done(done) = decode_from_worker(frames[1]).unwrap() else { panic!("a done frame") };
        prop_assert_eq!(done.usage, usage);
        prop_assert_eq!(done.records().collect::<Vec<_>>(), records);
        prop_assert_eq!(decode_from_worker(frames[2]).unwrap(), FromWorker::Failed(failure));
        prop_assert_eq!(decode_from_worker(frames[3]).unwrap(), FromWorker::Skipped(skipped));
        prop_assert_eq!(decode_from_worker(frames[4]).unwrap(), FromWorker::Initialized(initialized));
        let piece = Piece { index: 9, more: false, bytes: &bytes };
        prop_assert_eq!(decode_from_worker(frames[5]).unwrap(), FromWorker::Result(piece));
        prop_assert_eq!(decode_from_worker(frames[6]).unwrap(), FromWorker::Started(started));
    }

    #[test]
    fn what_a_parent_says_comes_back(
        setup in setup(), runs in runs(), lane in any::<u16>(), bytes in bytes()
    ) {
        let out = to_worker(lane, &setup, &runs, &bytes);
        let frames = frames(&out);
        let lanes: Vec<u16> = frames.iter().map(|frame| frame.lane).collect();
        prop_assert_eq!(lanes, [0, 0, 0, lane, lane, lane]);
        prop_assert_eq!(decode_to_worker(frames[0]).unwrap(), ToWorker::Setup(Box::new(setup)));
        let initialize = Initialize { cpu_ns: 1, memory_bytes: 2, fail_rate: 0.5, start: 3 };
        prop_assert_eq!(decode_to_worker(frames[1]).unwrap(), ToWorker::Initialize(initialize));
        prop_assert_eq!(
            decode_to_worker(frames[2]).unwrap(), ToWorker::Class(lane, Work::Kernel(Kernel::Primes { n: 7 }))
        );
        let piece = Piece { index: 5, more: false, bytes: &bytes };
        prop_assert_eq!(decode_to_worker(frames[3]).unwrap(), ToWorker::Payload(piece));
        prop_assert_eq!(decode_to_worker(frames[4]).unwrap(), ToWorker::Tasks(runs));
        prop_assert_eq!(decode_to_worker(frames[5]).unwrap(), ToWorker::Retire);
    }

    #[test]
    fn changed_bytes_are_refused_or_mean_something_else_and_are_never_a_panic(
        setup in setup(), runs in runs(), bytes in bytes(), said in said(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20), numbers in any::<[u64; 5]>()
    ) {
        let (lane, hello, usage, records, failure, initialized, skipped, _, started) = said;
        let mut both = [to_worker(lane, &setup, &runs, &bytes), Vec::new()];
        protocol::put_hello(&mut both[1], &hello);
        protocol::put_failed(&mut both[1], lane, &failure);
        protocol::put_initialized(&mut both[1], &initialized);
        protocol::put_skipped(&mut both[1], lane, &skipped);
        protocol::put_started(&mut both[1], lane, &started);
        protocol::put_result(&mut both[1], lane, 9, &bytes);
        let [index, received, unpacking, packing, hashing] = numbers;
        protocol::put_handled(&mut both[1], lane, &Handled { index, received, unpacking, packing, hashing });
        protocol::put_probed(&mut both[1], &Probed { switch_interval: index, late: vec![received, packing] });
        protocol::put_wrong(&mut both[1], lane, index);
        protocol::put_late(&mut both[1], lane, &Late { index, exit: None });
        protocol::put_done(&mut both[1], lane, &usage, &records);
        for mut out in both {
            for (place, byte) in &changes {
                let place = place.index(out.len());
                out[place] = *byte;
            }
            let mut rest = &out[..];
            while let Ok(Some(frame)) = split(rest) {
                let _ = decode_to_worker(frame);
                if let Ok(FromWorker::Done(done)) = decode_from_worker(frame) {
                    prop_assert_eq!(done.records().count(), (frame.payload.len() - 48) / 32);
                }
                rest = &rest[frame.length()..];
            }
        }
    }

    #[test]
    fn what_a_probe_noted_is_read_as_it_was_written(
        switch_interval in any::<u64>(), late in prop::collection::vec(any::<u64>(), 1..9)
    ) {
        let probed = Probed { switch_interval, late };
        let mut out = Vec::new();
        protocol::put_probed(&mut out, &probed);
        let frame = frames(&out)[0];
        prop_assert_eq!(decode_from_worker(frame).unwrap(), FromWorker::Probed(probed));
        for length in [0, 8, 15] {
            let cut = Frame { payload: &frame.payload[..length], ..frame };
            prop_assert_eq!(decode_from_worker(cut), Err(ProtocolError::Malformed("probed")));
        }
        let other = Frame { lane: 1, ..frame };
        prop_assert_eq!(decode_from_worker(other), Err(ProtocolError::Malformed("probed")));
    }

    #[test]
    fn what_handling_took_is_read_as_it_was_written(lane in any::<u16>(), numbers in any::<[u64; 5]>()) {
        let [index, received, unpacking, packing, hashing] = numbers;
        let handled = Handled { index, received, unpacking, packing, hashing };
        let mut out = Vec::new();
        protocol::put_handled(&mut out, lane, &handled);
        let frame = frames(&out)[0];
        prop_assert_eq!(decode_from_worker(frame).unwrap(), FromWorker::Handled(vec![handled]));
        let cut = Frame { payload: &frame.payload[..39], ..frame };
        prop_assert_eq!(decode_from_worker(cut), Err(ProtocolError::Malformed("handled")));
    }

    #[test]
    fn which_result_is_wrong_is_read_as_it_was_written(lane in any::<u16>(), index in any::<u64>()) {
        let mut out = Vec::new();
        protocol::put_wrong(&mut out, lane, index);
        let frame = frames(&out)[0];
        prop_assert_eq!((frame.lane, decode_from_worker(frame).unwrap()), (lane, FromWorker::Wrong(index)));
        let cut = Frame { payload: &frame.payload[..7], ..frame };
        prop_assert_eq!(decode_from_worker(cut), Err(ProtocolError::Malformed("wrong")));
    }

    #[test]
    fn what_a_program_did_late_is_read_as_it_was_written(
        lane in any::<u16>(), index in any::<u64>(), code in any::<Option<i32>>()
    ) {
        let late = Late { index, exit: code.map(Exit::Code) };
        let mut out = Vec::new();
        protocol::put_late(&mut out, lane, &late);
        let frame = frames(&out)[0];
        prop_assert_eq!((frame.lane, decode_from_worker(frame).unwrap()), (lane, FromWorker::Late(late)));
        let cut = Frame { payload: &frame.payload[..7], ..frame };
        prop_assert_eq!(decode_from_worker(cut), Err(ProtocolError::Malformed("late")));
    }

    #[test]
    fn a_frame_is_whole_only_with_its_last_byte(runs in runs(), rest in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut bytes = Vec::new();
        protocol::put_tasks(&mut bytes, 0, &runs);
        let length = bytes.len();
        for cut in [0, 1, HEADER - 1, HEADER, length - 1] {
            prop_assert_eq!(split(&bytes[..cut]).unwrap(), None);
        }
        bytes.extend(rest);
        prop_assert_eq!(split(&bytes).unwrap().unwrap().length(), length);
    }

    #[test]
    fn noise_is_refused_and_never_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400), kind in any::<u8>(), flags in any::<u8>()
    ) {
        let frame = Frame { kind, flags, lane: 0, payload: &bytes };
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
fn an_attempt_has_a_number_from_one() {
    let run = TaskRun { first: 7, count: 2, class: 0, attempt: Attempt::new(65_536).unwrap(), begin_by: 0 };
    let mut out = Vec::new();
    protocol::put_tasks(&mut out, 0, &[run]);
    let last = TaskRun { attempt: Attempt::new(65_535).unwrap(), ..run };
    let told = ToWorker::Tasks(vec![last]);
    assert_eq!(decode_to_worker(frames(&out)[0]), Ok(told), "there is no room for a higher one");
    out[HEADER + 14..HEADER + 16].fill(0);
    assert_eq!(decode_to_worker(frames(&out)[0]), Err(ProtocolError::Malformed("tasks")));
}

#[test]
fn another_version_is_refused_by_name_whatever_else_it_says() {
    let frame = |payload: &'static [u8]| Frame { kind: 1, flags: 0, lane: 0, payload };
    let other = frame(br#"{"protocol": 99, "pid": "of another kind"}"#);
    assert_eq!(decode_from_worker(other), Err(ProtocolError::Version(99)));
    assert_eq!(decode_to_worker(other), Err(ProtocolError::Version(99)));
    assert_eq!(decode_from_worker(frame(b"{}")), Err(ProtocolError::Malformed("hello")));
    let ours = frame(br#"{"protocol": 2, "pid": 1, "new": [], "tells": "nothing"}"#);
    assert!(matches!(decode_from_worker(ours), Ok(FromWorker::Hello(Hello { lanes: 1, tells: Tells::Nothing, .. }))));
}

#[test]
fn an_unknown_flag_is_refused_in_every_kind_of_frame() {
    for kind in 1..=7 {
        let frame = Frame { kind, flags: 0x82, lane: 0, payload: &[0; 24] };
        assert!(matches!(decode_to_worker(frame), Err(ProtocolError::Malformed(_))) || kind == 7);
        assert!(matches!(decode_from_worker(frame), Err(ProtocolError::Malformed(_))));
    }
}

#[test]
fn what_is_too_long_for_a_frame_travels_in_pieces() {
    for length in [0, 1, MAX_PAYLOAD - 8, MAX_PAYLOAD - 7, 3 * MAX_PAYLOAD] {
        let bytes: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        let mut out = Vec::new();
        protocol::put_payload(&mut out, 4, 77, &bytes);
        let (mut whole, mut last) = (Vec::new(), Vec::new());
        for frame in frames(&out) {
            let ToWorker::Payload(piece) = decode_to_worker(frame).unwrap() else { panic!("a payload frame") };
            assert_eq!((frame.lane, piece.index), (4, 77));
            whole.extend_from_slice(piece.bytes);
            last.push(!piece.more);
        }
        assert!(whole == bytes, "{length}");
        assert_eq!(last.iter().position(|last| *last), Some(last.len() - 1), "{length}: only the last one is the last");
    }
}

type Put<'a> = &'a dyn Fn(&mut Vec<u8>);

/// The frames of the document's example: direction and name, and bytes.
fn example() -> Vec<(String, Vec<u8>)> {
    let document = include_str!("../src/worker/PROTOCOL.md");
    let example = document.split("# An example").nth(1).unwrap().split("```").nth(1).unwrap();
    let mut frames: Vec<(String, Vec<u8>)> = Vec::new();
    for line in example.lines().skip(1) {
        if line.starts_with("->") || line.starts_with("<-") {
            frames.push((line.to_owned(), Vec::new()));
            continue;
        }
        let bytes = &mut frames.last_mut().unwrap().1;
        if line.starts_with('{') {
            bytes.extend_from_slice(line.as_bytes());
        } else {
            let hex = line.split(';').next().unwrap();
            bytes.extend(hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()));
        }
    }
    frames
}

#[test]
fn the_documents_example_is_what_the_program_says_and_understands() {
    let usage = Usage { user: Duration::from_nanos(1000), minor_faults: 2, ..Usage::default() };
    let record = |index, start| WireRecord { index, start, service: 50, value: index };
    let failure =
        Failure { index: 9, start: 2_000_000, service: 1, message: Some("no".to_owned()), ..Failure::default() };
    let hello = Hello { protocol: 2, pid: 4711, lanes: 1, tells: Tells::Board, began: 0, ready: 0 };
    let run = TaskRun { first: 7, count: 2, class: 0, attempt: Attempt::FIRST, begin_by: 0 };
    let handled = Handled { index: 9, received: 1_900_000, unpacking: 0, packing: 700, hashing: 0 };
    let put: [(&str, Put<'_>); 12] = [
        ("-> setup", &|out| protocol::put_setup(out, &Setup::of(1, 5e8))),
        ("-> class", &|out| protocol::put_class(out, 0, &Work::Kernel(Kernel::Noop))),
        ("<- hello", &|out| protocol::put_hello(out, &hello)),
        ("-> tasks", &|out| protocol::put_tasks(out, 0, &[run])),
        ("<- done", &|out| protocol::put_done(out, 0, &usage, &[record(7, 1_000_000), record(8, 1_000_050)])),
        ("-> payload", &|out| protocol::put_payload(out, 3, 9, b"abc")),
        ("<- started", &|out| protocol::put_started(out, 3, &Started { index: 9, at: 2_000_000, program: None })),
        ("<- result", &|out| protocol::put_result(out, 3, 9, b"abc")),
        ("<- handled", &|out| protocol::put_handled(out, 3, &handled)),
        ("<- wrong", &|out| protocol::put_wrong(out, 3, 9)),
        ("<- skipped", &|out| protocol::put_skipped(out, 0, &[(10, 5)])),
        ("-> retire", &|out| protocol::put_retire(out, 0)),
    ];
    let mut example = example();
    let failed = example.iter().position(|(name, _)| name == "<- failed").unwrap();
    let (_, bytes) = example.remove(failed);
    // What may be left out is left out here.
    assert_eq!(decode_from_worker(frames(&bytes)[0]), Ok(FromWorker::Failed(failure)));
    assert_eq!(frames(&bytes)[0].lane, 3);
    let names: Vec<&str> = example.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, put.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for ((name, bytes), (_, put)) in example.iter().zip(put) {
        let mut ours = Vec::new();
        put(&mut ours);
        assert_eq!(bytes, &ours, "{name}: {:?}", String::from_utf8_lossy(&ours));
        assert_eq!(frames(bytes).len(), 1, "{name}");
    }
}
