//! The faults of one file through every engine of ours: which tasks go wrong, and how, is the same.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use poolscope::engine::event::{EngineView, Event, Moment, Observer};
use poolscope::engine::outcome::{Exit, Outcome};
use poolscope::{Arm as _, Dispatched, RunContext, RunRequest, SharedStream, load};

use crate::support::hard_limit;

/// Task, attempt, what it counted as, and how its process ended where that is told.
type Wrong = BTreeSet<(u64, u32, String, Option<String>)>;

struct Collect(Arc<Mutex<Wrong>>);

impl Observer for Collect {
    fn event(&mut self, _: Moment, event: &Event<'_>) {
        if let Event::Attempt(report) = event {
            let exit = report.exit.filter(|exit| *exit != Exit::Unknown).map(|exit| exit.to_string());
            let outcome = Outcome::word(report.outcome).to_owned();
            self.0.lock().unwrap().insert((report.index, report.attempt.number(), outcome, exit));
        }
    }

    fn state(&mut self, _: Moment, _: &EngineView<'_>) {}
}

#[test]
fn the_same_tasks_fail_in_the_same_way_in_every_engine() {
    hard_limit();
    let text = "
        version: 1
        name: faulty
        seed: 7
        tasks:
          - { name: nap, kind: sleep, count: 150, service_time: { dist: constant, value: 1ms }, timeout: 150ms, grace_period: 0s, retries: { max: 1 } }
          - { name: program, kind: command, command: ['true'], count: 5 }
        engines:
          - { kind: pool, workers: 3 }
          - { kind: process, workers: 3 }
          - { kind: serial }
        faults:
          - { kind: crash, rate: 0.04 }
          - { kind: crash, exit: 9, rate: 0.04 }
          - { kind: kill_worker, at: 11 }
          - { kind: hang, rate: 0.02 }
          - { kind: ignore_sigterm, rate: 0.1 }
          - { kind: bad_result, result: undecodable, at: 20 }
          - { kind: bad_result, result: oversized, at: 30, task: nap }
          - { kind: bad_result, result: wrong, rate: 0.1 }
    ";
    let workload = load(text, "faulty").map_err(|error| error.to_string()).expect("a workload").workload;
    let context = RunContext {
        usable_cores: 2,
        max_processes: 100,
        iterations_per_second: 1e9,
        worker_program: env!("CARGO_BIN_EXE_poolscope").into(),
    };
    let mut all: Vec<Wrong> = Vec::new();
    for spec in &workload.engines {
        let stream = SharedStream::new(&workload);
        let wrong = Arc::new(Mutex::new(Wrong::new()));
        let request = RunRequest {
            workload: &workload,
            spec,
            workers: if spec.kind.has_worker_count() { 3 } else { 1 },
            admission: stream.admission(&workload),
            stream: Box::new(stream),
            context: &context,
            gil_probe: false,
        };
        let run = Dispatched(spec.kind).start(request, Box::new(Collect(Arc::clone(&wrong)))).expect("it starts");
        run.join().expect("it ends");
        let wrong = wrong.lock().unwrap().clone();
        assert!(wrong.len() > 15, "{}: {wrong:?}", spec.name);
        all.push(wrong);
    }
    assert_eq!(all[0], all[1], "pool and process");
    assert_eq!(all[0], all[2], "pool and serial");
}
