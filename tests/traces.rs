//! Recorded service times in real workers, which never have the trace: each task gets its own time, in every engine.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use poolscope::workload::load::{NamedFiles, load_with_files};
use poolscope::{
    Admission, Arm as _, Dispatched, EngineView, Event, Moment, Observer, Outcome, RunContext, RunRequest,
    SharedStream, Workload,
};

/// A megabyte of times, which must not travel to every process.
fn trace() -> Vec<u64> {
    (0..100_000).map(|n| 1_000_000 + n * 7919 % 3_000_000).collect()
}

struct Files;

impl NamedFiles for Files {
    fn read(&self, _: &str, _: u64) -> Result<String, String> {
        Ok(trace().iter().map(|nanos| format!("{nanos}ns\n")).collect())
    }
}

#[derive(Clone, Default)]
struct Values {
    /// Result of each task: for one that sleeps, the nanoseconds that it slept for.
    values: Arc<Mutex<BTreeMap<u64, u64>>>,
    lost: Arc<Mutex<Vec<u64>>>,
}

impl Observer for Values {
    fn event(&mut self, _: Moment, event: &Event<'_>) {
        match event {
            Event::Succeeded(batch) => {
                self.values.lock().unwrap().extend(batch.records.iter().map(|record| (record.index, record.value)));
            }
            Event::Attempt(report) if report.outcome == Outcome::Lost => self.lost.lock().unwrap().push(report.index),
            Event::Attempt(report) => panic!("{report:?}"),
            _ => {}
        }
    }

    fn state(&mut self, _: Moment, view: &EngineView<'_>) {
        assert!(view.counts.conserved(), "{:?}", view.counts);
    }
}

fn run(workload: &Workload, engine: usize) -> Values {
    let (spec, stream) = (&workload.engines[engine], SharedStream::new(workload));
    let context = RunContext {
        usable_cores: 2,
        max_processes: 64,
        iterations_per_second: 5e8,
        worker_program: env!("CARGO_BIN_EXE_poolscope").into(),
    };
    let admission: Admission = stream.admission(workload);
    let values = Values::default();
    let request = RunRequest {
        workload,
        spec,
        workers: 2,
        admission,
        stream: Box::new(stream),
        context: &context,
        gil_probe: false,
    };
    Dispatched(spec.kind).start(request, Box::new(values.clone())).unwrap().join().unwrap();
    values
}

#[test]
fn each_task_has_its_own_time_in_both_engines_and_again_when_it_is_tried_again() {
    support::hard_limit();
    let text = "
version: 1
seed: 1
tasks:
  - { name: a, kind: sleep, count: 30, retries: 2, service_time: { dist: trace, file: f } }
  - { name: b, kind: sleep, count: 20, service_time: { dist: trace, file: f, sample: true } }
  - { name: c, kind: mixed, count: 5, phases: [{ kind: sleep, service_time: { dist: trace, file: f } }] }
faults: [{ kind: crash, task: a, at: 7 }, { kind: hang, task: b, rate: 0 }]
engines: [{ kind: pool, workers: 2 }, { kind: pool, name: chunks, chunksize: 16 }, { kind: process, workers: 2 }]
";
    let text = text.replace("at: 7 }", "at: 7, exit: 3 }").replace(", { kind: hang, task: b, rate: 0 }", "");
    let workload = load_with_files(&text, "traces.yaml", &Files).unwrap_or_else(|bad| panic!("{bad}")).workload;
    let mut sampled = Vec::new();
    for engine in 0..workload.engines.len() {
        let Values { values, lost } = run(&workload, engine);
        let values = values.lock().unwrap();
        assert_eq!(*lost.lock().unwrap(), [7, 7, 7], "it crashes in every attempt");
        assert_eq!(values.len(), 54, "{:?}", values.keys());
        let of =
            |range: std::ops::Range<u64>| range.filter_map(|index| values.get(&index).copied()).collect::<Vec<_>>();
        let mut expected = trace()[..30].to_vec();
        expected.remove(7);
        assert_eq!(of(0..30), expected, "in their order");
        assert!(of(30..50).iter().all(|value| trace().contains(value)), "drawn of the trace");
        sampled.push(of(30..50));
        // The value of mixed work is a checksum of its parts: with one part, that part.
        assert_eq!(of(50..55), trace()[..5], "each class begins the file anew");
    }
    assert!(sampled.iter().all(|drawn| *drawn == sampled[0]), "the same in every engine");
}
