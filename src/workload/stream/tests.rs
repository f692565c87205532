//! Order, classes and identity of streams. Properties over many streams are in `tests/loader_properties.rs`.

use std::time::Instant;

use super::*;
use crate::workload::load::load;

fn stream(text: &str) -> Stream {
    Stream::new(&load(text, "test").unwrap_or_else(|problems| panic!("{problems}")).workload)
}

fn counted(rest: &str) -> Stream {
    stream(&format!(
        "version: 1\nseed: 9\ntasks:\n  - {{ name: a, kind: kernel, kernel: noop, count: 3 }}\n  \
         - {{ name: b, kind: sleep, count: 2, service_time: {{ dist: constant, value: 5ms }} }}\n{rest}\n"
    ))
}

#[test]
fn tasks_of_the_first_class_come_first() {
    let stream = counted("");
    assert_eq!(stream.total(), 5);
    let classes: Vec<ClassId> = (0..5).map(|position| stream.class_of(stream.index_at(position))).collect();
    assert_eq!(classes, [0, 0, 0, 1, 1]);
    assert_eq!((stream.class_total(0), stream.class_total(1), stream.class_total(2)), (3, 2, 0));
    assert_eq!((stream.service_time(0), stream.service_time(4)), (None, Some(Duration::from_millis(5))));
    assert!(stream.arrivals().is_none());
}

#[test]
fn longest_first_puts_tasks_without_a_time_last() {
    let stream = counted("order: lpt");
    let order: Vec<TaskIndex> = (0..5).map(|position| stream.index_at(position)).collect();
    assert_eq!(order, [3, 4, 0, 1, 2]);
}

#[test]
fn arrivals_that_end_early_leave_out_the_last_tasks() {
    let stream = stream(
        "version: 1\nseed: 1\ntotal: 1000\ntasks:\n  - { name: a, kind: kernel, kernel: noop, weight: 1 }\n  \
         - { name: b, kind: kernel, kernel: noop, weight: 0 }\narrivals: { mode: open, process: constant, rate: 10/s, duration: 2s }\n",
    );
    assert_eq!((stream.total(), stream.class_total(0), stream.class_total(1)), (20, 20, 0));
    assert_eq!(stream.arrivals().unwrap().count(), 20);
}

#[test]
fn the_hash_sees_what_matters_and_nothing_else() {
    let base = counted("");
    for other in ["order: shuffle", "order: lpt", "arrivals: { mode: open, process: constant, rate: 5/s }"] {
        assert_ne!(counted(other).hash(), base.hash(), "{other}");
    }
    for same in ["name: other", "engines: [{ kind: serial }]", "measure: { repeats: 2 }", "grace_period: 1s"] {
        assert_eq!(counted(same).hash(), base.hash(), "{same}");
    }
    let sleep = |value: &str, seed: u32| {
        stream(&format!(
            "version: 1\nseed: {seed}\ntasks: [{{ name: t, kind: sleep, count: 9, service_time: {{ dist: constant, value: {value} }} }}]\n"
        ))
    };
    assert_ne!(sleep("1ms", 1).hash(), sleep("2ms", 1).hash());
    assert_ne!(sleep("1ms", 1).hash(), sleep("1ms", 2).hash());
    assert_eq!(base.hash().len(), 16);
}

/// A change here changes every exported `stream_hash`, so it must be meant.
#[test]
fn the_hash_and_the_draws_stay_the_same_from_version_to_version() {
    let stream = stream(
        "version: 1\nseed: 42\ntotal: 100\norder: shuffle\ntasks:\n  \
         - { name: a, kind: cpu, weight: 3, service_time: { dist: lognormal, median: 8ms, sigma: 0.6 } }\n  \
         - { name: b, kind: sleep, weight: 1, service_time: { dist: pareto, min: 1ms, alpha: 1.5, max: 1s } }\n",
    );
    let first: Vec<(u64, ClassId, u128)> = (0..4)
        .map(|position| stream.index_at(position))
        .map(|index| (index, stream.class_of(index), stream.service_time(index).unwrap().as_nanos()))
        .collect();
    assert_eq!(first, PINNED);
    assert_eq!(stream.hash(), PINNED_HASH);
}

/// The draws were computed from the formulas in `random` and `dist` by a program in another language.
const PINNED: [(u64, ClassId, u128); 4] =
    [(57, 0, 18_150_614), (50, 0, 10_452_732), (88, 0, 5_073_484), (91, 0, 5_229_146)];
const PINNED_HASH: &str = "57f7a5b0864bd9f9";

#[test]
fn billions_of_tasks_cost_nothing_until_they_are_asked_for() {
    let start = Instant::now();
    let stream = stream(
        "version: 1\nseed: 1\ntotal: 10000000000\norder: shuffle\ntasks:\n  \
         - { name: a, kind: cpu, weight: 3, service_time: { dist: exponential, mean: 8ms } }\n  \
         - { name: b, kind: kernel, kernel: noop, weight: 1 }\n",
    );
    assert_eq!(stream.hash().len(), 16);
    let index = stream.index_at(9_999_999_999);
    assert!(index < stream.total());
    assert!(stream.class_of(index) < 2);
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

#[test]
fn the_hash_covers_every_value_of_a_trace() {
    struct Text(String);
    impl crate::workload::load::NamedFiles for Text {
        fn read(&self, _: &str, _: u64) -> Result<String, String> {
            Ok(self.0.clone())
        }
    }
    let hash = |rest: &str, trace: &str| {
        let text = format!("version: 1\nseed: 1\n{rest}\n");
        let loaded = crate::workload::load::load_with_files(&text, "test", &Text(trace.to_owned()));
        Stream::new(&loaded.unwrap_or_else(|problems| panic!("{problems}")).workload).hash().to_owned()
    };
    let lines = |last: u64| (0..5000).chain([last]).map(|value| format!("{value}us\n")).collect::<String>();
    for rest in [
        "tasks: [{ name: t, kind: sleep, count: 9000, service_time: { dist: trace, file: f } }]",
        "tasks: [{ name: t, kind: sleep, count: 9, service_time: { dist: trace, file: f, sample: true } }]",
        "arrivals: { mode: open, process: trace, file: f }\ntasks: [{ name: t, kind: kernel, kernel: noop }]",
    ] {
        assert_eq!(hash(rest, &lines(5000)), hash(rest, &lines(5000)), "{rest}");
        assert_ne!(hash(rest, &lines(5000)), hash(rest, &lines(5001)), "{rest}");
    }
    // What no task can have is no part of the stream.
    let few = "tasks: [{ name: t, kind: sleep, count: 9, service_time: { dist: trace, file: f } }]";
    assert_eq!(hash(few, &lines(5000)), hash(few, &lines(5001)));
}
