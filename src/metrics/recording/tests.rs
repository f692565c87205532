use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::engine::event::{EndReason, Moment, RunState, Severity, Slot, WorkerState};
use crate::engine::outcome::{AttemptReport, Cause, Exit, Outcome};
use crate::metrics::fixtures;
use crate::metrics::latency::Recorded;
use crate::metrics::life::ForkServerUse;
use crate::metrics::snapshot::{
    Carriage, Chunks, ClassCpu, ClassFigures, Cost, Kill, Little, Load, Note, Replaced, RunEnd, Snapshot, SoFar,
    StageLoad,
};

fn moment(elapsed: Duration) -> Moment {
    Moment::from(elapsed)
}

fn header() -> Header {
    Header::new("words", "pool", RunId { serial: 7, round: 2, warmup: false })
}

fn recording(track: Track) -> Recording {
    Recording { header: header(), track }
}

fn bytes(recording: &Recording) -> Vec<u8> {
    let mut bytes = Vec::new();
    recording.write(&mut bytes).unwrap();
    bytes
}

fn read(bytes: &[u8]) -> Result<Recording, ReadError> {
    Recording::read(bytes)
}

/// Different lists of the same kind of entries, some of them equal, some of them shared.
fn attempts() -> impl Strategy<Value = Vec<(u64, u8, Option<u64>, String)>> {
    vec((0..40u64, 0..6u8, proptest::option::of(any::<u64>()), ".{0,30}"), 0..12)
}

fn attempt((index, cause, nanos, text): (u64, u8, Option<u64>, String)) -> AttemptReport {
    let limit = Duration::from_millis(index);
    let exit = Exit::Signal(9);
    let cause = match cause {
        0 => Cause::Error { message: text.clone() },
        1 => Cause::Exited { exit: Exit::Code(i32::try_from(index).unwrap() - 7) },
        2 => Cause::NotStarted { message: text.clone() },
        3 => Cause::Timeout { limit },
        4 => Cause::QueueTimeout { limit },
        _ => Cause::WorkerDied { exit, by_user: index % 2 == 0, out_of_memory: index % 3 == 0 },
    };
    let service = nanos.map(Duration::from_nanos);
    AttemptReport { cause, service, stderr_tail: text, exit: nanos.map(|_| exit), ..fixtures::attempt(index) }
}

prop_compose! {
    fn frame(at: u64)(
        floats in vec(any::<f64>().prop_filter("equal to itself", |value| !value.is_nan()), 6),
        numbers in vec(any::<u64>(), 8),
        lists in (attempts(), vec(0..30u32, 0..6), vec(0..9u32, 0..5)),
        rows in vec((any::<u32>(), proptest::option::of(any::<u32>()), vec(any::<u8>(), 0..=30), any::<bool>()), 0..5),
        suspect in vec(".{0,20}", 0..3),
        over in any::<bool>(),
    ) -> Snapshot {
        let mut snapshot = fixtures::snapshot();
        let time = |place: usize| Duration::from_nanos(numbers[place]);
        snapshot.at = moment(Duration::from_millis(at));
        snapshot.paused = time(0);
        snapshot.state = [RunState::Running, RunState::Paused, RunState::Broken][usize::try_from(numbers[1] % 3).unwrap()];
        (snapshot.throughput, snapshot.throughput_whole) = (floats[0], floats[1]);
        (snapshot.queue.mean, snapshot.cpu.cores_used, snapshot.overhead.cores_used) = (floats[2], floats[3], floats[4]);
        snapshot.counts.submitted = numbers[2];
        snapshot.latency.wait.p99 = Duration::new(numbers[3], 999_999_999);
        snapshot.results_hash = numbers[4];
        let stage = StageLoad { begin: time(5), end: time(6), utilisation: over.then_some(floats[5]) };
        snapshot.stages = vec![stage; suspect.len()].into();
        snapshot.chunks = over.then(|| Box::new(Chunks { sent: numbers[1], tasks: numbers[3], size: NonZeroU32::MIN.saturating_add(numbers[6] as u32) }));
        snapshot.memory.pss_bytes = over.then_some(numbers[5]);
        (snapshot.worker_time.initializing, snapshot.worker_time.dispatch) = (time(5), time(3));
        let carried = Carriage { bytes_in: numbers[1], opaque: numbers[2], ..Carriage::default() };
        snapshot.carriage = over.then(|| Box::new(carried));
        snapshot.worker_time.carrying = if over { time(2) } else { Duration::ZERO };
        let suspect_count = suspect.len();
        let class = |class| ClassFigures { class, cpu: over.then(|| ClassCpu { time: time(1), tasks: 1 }), ..ClassFigures::default() };
        snapshot.classes = Arc::new((0..suspect_count as u16).map(class).collect());
        snapshot.suspect = suspect;
        snapshot.fork_server = over.then(|| {
            Box::new(ForkServerUse { cpu: time(1), rss_bytes: Some(numbers[0]), ..ForkServerUse::default() })
        });
        let (failures, notes, kills) = lists;
        snapshot.failures = Arc::new(failures.into_iter().map(attempt).collect());
        let note = |n: u32| Note { at: moment(time(6)), severity: Severity::Warning, text: format!("note {n}") };
        snapshot.notes = Arc::new(notes.into_iter().map(note).collect());
        let kill = |n: u32| Kill {
            cost: if n.is_multiple_of(2) { Cost::Nothing } else {
                Cost::Attempt { index: 1, class: 2, outcome: Outcome::Lost, retried: true, ran: Some(time(7)) }
            },
            replaced: if n.is_multiple_of(3) { Replaced::Never } else { Replaced::After(time(6)) },
            ..Kill::new(moment(time(0)), Slot(n), Some(n), if n == 1 { EndReason::Request } else { EndReason::Timeout { limit: time(7) } })
        };
        let kills: Vec<Kill> = kills.into_iter().map(kill).collect();
        (snapshot.timeouts, snapshot.kills) = (Arc::new(kills[..kills.len() / 2].to_vec()), Arc::new(kills));
        snapshot.workers = rows.into_iter().map(|(slot, pid, cpu_history, busy)| crate::metrics::snapshot::WorkerRow {
            pid,
            cpu_history,
            state: match (busy, slot % 2) {
                (true, _) => WorkerState::Busy,
                (false, 0) => WorkerState::Retiring,
                (false, _) => WorkerState::Initializing,
            },
            task: busy.then_some((numbers[5], 3)),
            cpu_percent: busy.then_some(12.5),
            rss_bytes: pid.map(u64::from),
            ..fixtures::row(Slot(slot))
        }).collect();
        snapshot.end = over.then(|| {
            let mut recorded = Recorded::new();
            numbers.iter().for_each(|number| recorded.record(*number));
            let distributions = crate::metrics::distribution::Distributions {
                wait: recorded.distribution(),
                ..Default::default()
            };
            let so_far = SoFar { all: distributions.clone(), classes: vec![distributions.clone(); suspect_count].into() };
            let so_far = (numbers[6] % 2 == 0).then(|| Arc::new(so_far));
            let delivered = distributions.wait.clone();
            Arc::new(RunEnd { wall: time(6), distributions, delivered, so_far, tail_idle: time(7), unreaped: numbers[7] })
        });
        snapshot
    }
}

/// A track as recorders make them: some frames have the very lists of the one before.
fn track() -> impl Strategy<Value = Track> {
    vec((1..5_000u64, any::<[bool; 4]>()), 0..12).prop_flat_map(|steps| {
        let mut at = 0;
        let times: Vec<u64> = steps
            .iter()
            .map(|(step, _)| {
                at += step;
                at
            })
            .collect();
        let frames: Vec<_> = times.into_iter().map(frame).collect();
        let shares: Vec<[bool; 4]> = steps.into_iter().map(|(_, shares)| shares).collect();
        frames.prop_map(move |mut frames| {
            for place in 1..frames.len() {
                let [notes, failures, kills, timeouts] = shares[place];
                let (before, now) = frames.split_at_mut(place);
                let (before, now) = (&before[place - 1], &mut now[0]);
                let share = |shared: bool, now: &mut Arc<Vec<Kill>>, before: &Arc<Vec<Kill>>| {
                    if shared {
                        *now = Arc::clone(before);
                    }
                };
                if notes {
                    now.notes = Arc::clone(&before.notes);
                }
                if failures {
                    now.failures = Arc::clone(&before.failures);
                }
                share(kills, &mut now.kills, &before.kills);
                share(timeouts, &mut now.timeouts, &before.timeouts);
            }
            frames.into_iter().map(Arc::new).collect()
        })
    })
}

fn shares(one: &Snapshot, other: &Snapshot) -> [bool; 4] {
    [
        Arc::ptr_eq(&one.notes, &other.notes),
        Arc::ptr_eq(&one.failures, &other.failures),
        Arc::ptr_eq(&one.kills, &other.kills),
        Arc::ptr_eq(&one.timeouts, &other.timeouts),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_track_is_read_as_it_was_written_and_shares_what_it_shared(track in track()) {
        let written = recording(track);
        let read = read(&bytes(&written)).unwrap();
        prop_assert_eq!(&read, &written);
        for (read, written) in read.track.frames.windows(2).zip(written.track.frames.windows(2)) {
            for (now, before) in shares(&read[0], &read[1]).into_iter().zip(shares(&written[0], &written[1])) {
                prop_assert!(now || !before, "what was one list is two");
            }
        }
    }

    #[test]
    fn what_was_changed_or_cut_is_refused(track in track(), places in vec((any::<prop::sample::Index>(), 1..=255u8), 1..4)) {
        let mut bytes = bytes(&recording(track));
        let cut = places[0].0.index(bytes.len());
        prop_assert!(matches!(read(&bytes[..cut]), Err(ReadError::Truncated)), "{cut} of {} bytes", bytes.len());
        for (place, change) in &places {
            let place = place.index(bytes.len());
            bytes[place] ^= change;
            if let Ok(read) = read(&bytes) {
                prop_assert!(false, "changed at {place}: {read:?}");
            }
        }
    }

    #[test]
    fn anything_is_refused_without_a_panic(bytes in vec(any::<u8>(), 0..400), sealed in any::<bool>()) {
        // Also what has a good checksum.
        let source = if sealed { seal(&[(2, bytes)]) } else { [line(1), bytes].concat() };
        prop_assert!(read(&source).is_err() || sealed);
    }
}

fn line(version: u32) -> Vec<u8> {
    format!("{FORMAT}/{version}\n").into_bytes()
}

/// A recording of these sections after its header, with a good end.
fn seal(sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
    use sha2::Digest as _;
    let mut bytes = line(1);
    let mut put = |kind: u8, payload: &[u8]| {
        bytes.push(kind);
        bytes.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
        bytes.extend(payload);
    };
    put(1, &postcard::to_stdvec(&header()).unwrap());
    sections.iter().for_each(|(kind, payload)| put(*kind, payload));
    let digest = sha2::Sha256::digest(&bytes);
    bytes.push(3);
    bytes.extend(32u32.to_le_bytes());
    bytes.extend(digest);
    bytes
}

/// The payloads of a recording's sections between its header and its end.
fn sections(recording: &Recording) -> Vec<(u8, Vec<u8>)> {
    let bytes = bytes(recording);
    let mut reader = sections::Reader::open(&*bytes).unwrap();
    std::iter::from_fn(|| reader.next().unwrap()).skip(1).collect()
}

fn sample() -> Track {
    let frame = |millis| Arc::new(Snapshot { at: moment(Duration::from_millis(millis)), ..fixtures::snapshot() });
    [100, 200, 300].map(frame).into_iter().collect()
}

#[test]
fn each_refusal_has_its_name() {
    let whole = bytes(&recording(sample()));
    let refused = |bytes: &[u8]| read(bytes).unwrap_err();
    assert!(matches!(refused(b""), ReadError::Truncated));
    assert!(matches!(refused(b"SQLite format 3\0"), ReadError::WrongFormat { begins } if begins == "S"));
    assert!(matches!(refused(b"poolscope.result/1\n"), ReadError::WrongFormat { begins } if begins == "poolscope.r"));
    for odd in ["poolscope.track/\n", "poolscope.track/0\n", "poolscope.track/+1\n", "poolscope.track/01\n"] {
        assert!(matches!(refused(odd.as_bytes()), ReadError::WrongFormat { .. }), "{odd}");
    }
    assert!(matches!(refused(&[b"poolscope.track/".to_vec(), vec![b'1'; 99]].concat()), ReadError::WrongFormat { .. }));
    let newer = refused(&[line(2), vec![1, 2, 3]].concat());
    assert!(matches!(newer, ReadError::NewerVersion { version: 2 }), "{newer:?}");
    assert_eq!(newer.to_string(), "the recording has format 2, and this program reads up to 1");
    assert!(matches!(refused(&whole[..whole.len() - 1]), ReadError::Truncated));
    let huge = [line(1), vec![2], u32::MAX.to_le_bytes().to_vec()].concat();
    assert!(matches!(refused(&huge), ReadError::TooLarge { what: "bytes", .. }));
    let announced = [line(1), vec![1], 60_000_000u32.to_le_bytes().to_vec()].concat();
    assert!(matches!(refused(&announced), ReadError::Truncated));
    let damaged = refused(&seal(&[(2, vec![0xff; 40])]));
    assert!(std::error::Error::source(&damaged).is_some(), "what decoding said is kept: {damaged:?}");
    let frames = sections(&recording(sample()));
    let twice = seal(&[frames[1].clone(), frames[1].clone()]);
    assert!(matches!(refused(&twice), ReadError::Damaged { source: None, .. }), "frames name what was not there");
}

#[test]
fn the_error_of_a_source_or_a_writer_is_kept() {
    struct Broken;
    impl io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(libc::EIO))
        }
    }
    impl io::Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(libc::ENOSPC))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let number = |error: &dyn std::error::Error| {
        error.source().and_then(|source| source.downcast_ref::<io::Error>()).and_then(io::Error::raw_os_error)
    };
    assert_eq!(number(&Recording::read(Broken).unwrap_err()), Some(libc::EIO));
    assert_eq!(number(&recording(sample()).write(Broken).unwrap_err()), Some(libc::ENOSPC));
}

#[test]
fn what_cannot_be_read_is_not_written() {
    let mut track = sample();
    track.frames.swap(0, 1);
    assert!(matches!(recording(track).write(io::sink()), Err(WriteError::Disordered)));
    let frame = &sample().frames[0];
    let at = |millis| Arc::new(Snapshot { at: moment(Duration::from_millis(millis)), ..Snapshot::clone(frame) });
    let many = Track { frames: (0..=MOST_FRAMES as u64).map(at).collect() };
    assert!(matches!(recording(many).write(io::sink()), Err(WriteError::TooLarge { what: "frames", .. })));
    let report = AttemptReport { stdout_tail: "x".repeat(1 << 20), ..fixtures::attempt(1) };
    // One entry, written once, in one list after the other: few bytes, and much memory.
    let lists = (1..=12u64).map(|count| Snapshot {
        at: moment(Duration::from_millis(count)),
        failures: Arc::new(vec![report.clone(); usize::try_from(count).unwrap()]),
        ..Snapshot::clone(frame)
    });
    let swelling = Track { frames: lists.map(Arc::new).collect() };
    assert!(matches!(recording(swelling).write(io::sink()), Err(WriteError::TooLarge { what: "bytes in lists", .. })));
}

#[test]
fn a_list_that_would_swell_is_refused() {
    let report = AttemptReport { stdout_tail: "x".repeat(1 << 20), ..fixtures::attempt(1) };
    let failures = Arc::new(vec![report]);
    let one: Track = [Arc::new(Snapshot { failures, ..fixtures::snapshot() })].into_iter().collect();
    let (_, payload) = sections(&recording(one)).remove(0);
    // The entry's number, once: [1 entry, number 0], and [1 new, ...]. Ninety more of it are ninety bytes more.
    let large = payload.windows(64).position(|bytes| bytes.iter().all(|byte| *byte == b'x')).unwrap();
    let list = (0..large).rev().find(|place| payload[*place..].starts_with(&[1, 1, 0, 1])).unwrap();
    let mut swollen = payload[..=list].to_vec();
    swollen.push(91);
    swollen.extend([0; 91]);
    swollen.extend(&payload[list + 3..]);
    let error = read(&seal(&[(2, swollen)])).unwrap_err();
    assert!(matches!(error, ReadError::TooLarge { what: "bytes in lists", .. }), "{error:?}");
}

#[test]
fn what_newer_programs_add_within_the_version_is_skipped() {
    let written = recording(sample());
    let mut with_more = vec![(77, b"a section of a later kind".to_vec())];
    for (kind, mut payload) in sections(&written) {
        payload.extend(b"a field of a later program");
        with_more.push((kind, payload));
    }
    assert_eq!(read(&seal(&with_more)).unwrap(), written);
}

#[test]
fn what_an_older_program_did_not_write_is_not_there() {
    let written = recording(sample());
    let shorter = |(kind, mut payload): (u8, Vec<u8>)| {
        // The latest fields, empty, at the end of a frame.
        if kind == 2 {
            assert_eq!(payload.split_off(payload.len() - LATEST), [0; LATEST]);
        }
        (kind, payload)
    };
    let older: Vec<_> = sections(&written).into_iter().map(shorter).collect();
    assert_eq!(read(&seal(&older)).unwrap(), written);
}

#[test]
fn a_failure_is_written_once_however_many_frames_have_it() {
    let report = |index: u64| AttemptReport { stderr_tail: format!("<{index}>"), ..fixtures::attempt(index) };
    let lists = [vec![report(1)], vec![report(1), report(2)], vec![report(1), report(2)], vec![report(2), report(3)]];
    let frame = |(at, list): (u64, Vec<AttemptReport>)| {
        Arc::new(Snapshot { at: moment(Duration::from_secs(at)), failures: Arc::new(list), ..fixtures::snapshot() })
    };
    let written = recording((1..).zip(lists).map(frame).collect());
    let bytes = bytes(&written);
    for index in 1..=3 {
        let text = format!("<{index}>");
        let count = bytes.windows(text.len()).filter(|part| *part == text.as_bytes()).count();
        assert_eq!(count, 1, "{text}");
    }
    assert_eq!(read(&bytes).unwrap(), written);
}

#[test]
fn nothing_beyond_the_end_is_read() {
    let written = recording(sample());
    let twice = [bytes(&written), bytes(&written), b"rest".to_vec()].concat();
    let mut source = &*twice;
    assert_eq!(Recording::read(&mut source).unwrap(), written);
    assert_eq!(Recording::read(&mut source).unwrap(), written);
    assert_eq!(source, b"rest");
}

#[test]
fn a_frame_of_before_there_was_a_load_or_a_fork_server_is_still_read() {
    let mut frame = fixtures::snapshot();
    let bytes = super::frame::Encoder::default().encode(&frame).unwrap();
    let decode = |bytes: &[u8]| super::frame::Decoder::default().decode(bytes);
    // At the end a load of nothing is two bytes, what came after it six, what came after that one each, classes three, and
    // dispatch with the cores of others two.
    for left_out in [2, 5, 6, 7, 8, LATEST, LATEST + 2] {
        assert_eq!(decode(&bytes[..bytes.len() - left_out]).unwrap(), frame, "{left_out}");
    }
    for left_out in [1, 3, 4, 9, 11, LATEST + 1] {
        assert!(decode(&bytes[..bytes.len() - left_out]).is_err(), "half of it is damage: {left_out}");
    }
    let little = Little { in_system: 1.5, rate: 2.0, sojourn: Duration::from_millis(740), left: 9, without_sojourn: 1 };
    *frame.load = Load { utilisation: Some(0.5), little: Some(little) };
    let not_forked = Some("a thread is left running".into());
    frame.fork_server =
        Some(Box::new(ForkServerUse { peak_pss_bytes: Some(7), not_forked, ..ForkServerUse::default() }));
    frame.wrong_results = 300;
    let bytes = super::frame::Encoder::default().encode(&frame).unwrap();
    assert_eq!(decode(&bytes).unwrap(), frame);
}

/// A change of these bytes makes older recordings unreadable: see the module docs before accepting a new snapshot.
#[test]
fn the_bytes_of_this_version_stay_as_they_are() {
    let mut frame = fixtures::snapshot();
    frame.workers.truncate(1);
    frame.failures = Arc::new((0..6u8).map(|cause| attempt((7, cause, Some(5), "text".to_owned()))).collect());
    frame.notes = Arc::new(vec![Note { at: frame.at, severity: Severity::Error, text: "note".to_owned() }]);
    let reason = EndReason::Timeout { limit: Duration::from_secs(2) };
    frame.kills = Arc::new(vec![
        Kill::new(frame.at, Slot(1), Some(2), EndReason::Request),
        Kill::new(frame.at, Slot(1), None, reason),
    ]);
    let header = Header { program: "poolscope 0".to_owned(), ..header() };
    let bytes = bytes(&Recording { header, track: [Arc::new(frame)].into_iter().collect() });
    let lines: Vec<String> =
        bytes.chunks(24).map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

/// A run of ten tasks a second and worker, whose figures all change from frame to frame.
fn realistic(workers: u32, frames: u64) -> Track {
    let mut random = 1u64;
    let mut next = move |below: u64| {
        random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (random >> 33) % below
    };
    let mut history = vec![Vec::new(); workers as usize];
    let mut failures = Arc::new(Vec::new());
    let frames = (1..=frames).map(|number| {
        let mut frame = fixtures::snapshot();
        frame.at = Moment(number * 100_000_000 + next(200_000));
        let mut quantiles = || {
            let mut time = || Duration::from_nanos(1_000_000 + next(9_000_000));
            let (mean, p50, p90, p95, p99, max) = (time(), time(), time(), time(), time(), time());
            crate::metrics::snapshot::Quantiles { count: number * 20, mean, p50, p90, p95, p99, max }
        };
        frame.latency = crate::metrics::snapshot::Latency {
            wait: quantiles(),
            startup: quantiles(),
            service: quantiles(),
            sojourn: quantiles(),
        };
        (frame.state, frame.end) = (RunState::Running, None);
        if number % 20 == 0 {
            let report =
                AttemptReport { stderr_tail: "Traceback: it failed\n".repeat(20), ..fixtures::attempt(number) };
            failures = Arc::new(failures.iter().cloned().chain([report]).collect());
        }
        frame.failures = Arc::clone(&failures);
        frame.workers = history
            .iter_mut()
            .zip(0..)
            .map(|(history, slot)| {
                if number % 3 == 0 {
                    history.push(u8::try_from(next(100)).unwrap());
                    history.drain(..history.len().saturating_sub(30));
                }
                crate::metrics::snapshot::WorkerRow {
                    pid: Some(100_000 + slot),
                    state: WorkerState::Busy,
                    task: Some((next(1 << 20), 0)),
                    task_for: Duration::from_nanos(next(9_000_000)),
                    cpu_percent: Some(97.0 + next(300) as f32 / 100.0),
                    cpu_history: history.clone(),
                    rss_bytes: Some((4000 + next(500)) << 12),
                    pss_bytes: Some((1000 + next(500)) << 10),
                    done: number * 12,
                    busy: Duration::from_nanos(number * 99_000_000 + next(1_000_000)),
                    cpu: Duration::from_nanos(number * 98_000_000 + next(1_000_000)),
                    ..fixtures::row(Slot(slot))
                }
            })
            .collect();
        Arc::new(frame)
    });
    frames.collect()
}

/// Bytes of the fields that came last, where there is nothing of them.
const LATEST: usize = 14;

#[test]
fn bytes_per_frame() {
    for (workers, most) in [(2, 480 + LATEST), (64, 4800)] {
        let track = realistic(workers, 200);
        let per_frame = bytes(&recording(track.clone())).len() / track.frames.len();
        println!("{workers} workers: {per_frame} bytes a frame");
        assert!(per_frame <= most, "{workers} workers: {per_frame} bytes a frame");
    }
}
