//! Bytes that travel with tasks and results.

use poolscope::os::capture::Capture;
use poolscope::worker::protocol::{self, MAX_PAYLOAD, Setup};
use poolscope::workload::model::Work;

use crate::parent::{Parent, Said, every_worker, run};
use crate::support::NOOP;

fn text(length: usize, salt: usize) -> Vec<u8> {
    (0..length).map(|n| ((n + salt) % 251) as u8).collect()
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hash = Capture::default();
    hash.push(bytes);
    hash.hash()
}

#[test]
fn bytes_come_back_before_the_record_of_their_task() {
    for (name, program) in every_worker() {
        let mut parent = Parent::with_classes(&program, &Setup::of(1, 5e8), &[Work::Echo, NOOP]);
        // Nothing, a little, exactly a frame's worth, and several frames; the last one between tasks without any.
        let lengths = [0, 5, MAX_PAYLOAD - 8, if name == "ours" { 3 * MAX_PAYLOAD } else { MAX_PAYLOAD + 1 }];
        for (length, index) in lengths.into_iter().zip(10..) {
            let bytes = text(length, index as usize);
            parent.send(|out| {
                protocol::put_payload(out, 0, index, &bytes);
                protocol::put_tasks(out, 0, &[run(index, 1, 0), run(1000, 2, 1)]);
            });
            let mut back = Vec::new();
            let mut more = true;
            while more {
                let Said::Result(0, of, goes_on, piece) = parent.next() else { panic!("{name}: a result") };
                assert_eq!(of, index, "{name}");
                (more, back) = (goes_on, [back, piece].concat());
            }
            assert!(back == bytes, "{name}: {length} bytes");
            let records = parent.records(0, 3);
            assert_eq!((records[0].index, records[0].value), (index, hash(&bytes)), "{name}");
        }
    }
}

#[test]
fn bytes_of_many_tasks_do_not_mix_and_one_without_returns_none() {
    for (name, program) in every_worker() {
        let mut parent = Parent::with_classes(&program, &Setup::of(1, 5e8), &[Work::Echo]);
        parent.send(|out| {
            for index in (0..100).filter(|index| index % 3 != 0) {
                protocol::put_payload(out, 0, index, &text(index as usize, 0));
            }
            protocol::put_tasks(out, 0, &[run(0, 100, 0)]);
        });
        let (mut results, mut records) = (0, 0);
        while records < 100 {
            match parent.next() {
                Said::Result(0, index, false, bytes) => {
                    let length = if index % 3 == 0 { 0 } else { index as usize };
                    assert_eq!((index, bytes), (results, text(length, 0)), "{name}");
                    results += 1;
                }
                Said::Done(0, _, done) => {
                    records += done.len() as u64;
                    assert!(results >= records, "{name}: a record before its result");
                }
                other => panic!("{name}: {other:?}"),
            }
        }
        assert_eq!(results, 100);
    }
}
