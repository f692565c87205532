//! Makespan of heavy-tailed tasks in a pool with `chunksize: auto`, against greedy list scheduling: every task, in the order
//! of the stream and for the very time that it was measured to take, goes to the worker that is free first, and nothing
//! else takes any time. Tasks sleep, so that other load does not count and there may be more workers than cores.
//!
//! `cargo bench --bench makespan`
#![expect(clippy::expect_used, reason = "a benchmark that cannot run says so by panicking")]

mod ratios;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use poolscope::engine::event::Record;
use poolscope::{
    Arm as _, Completion, Dispatched, EngineView, Event, Moment, Observer, RunContext, RunRequest, SharedStream,
    TaskStream as _, Workload,
};

const ROUNDS: u64 = 7;
const WORKERS: u32 = 4;
/// Tasks: total, and the classes.
const CASES: [(&str, u32, &str); 3] = [
    (
        "a class of short and one of long tasks",
        1000,
        "  - { name: short, kind: sleep, weight: 95, service_time: { dist: lognormal, median: 6ms, sigma: 0.6, max: 200ms } }
  - { name: long, kind: sleep, weight: 5, service_time: { dist: pareto, min: 60ms, alpha: 1.5, max: 1000ms } }",
    ),
    (
        "one class of which nobody knows which are long",
        4000,
        "  - { name: any, kind: sleep, service_time: { dist: pareto, min: 300us, alpha: 1.3, max: 400ms } }",
    ),
    (
        "tiny tasks that travel together, and rare long ones",
        8000,
        "  - { name: tiny, kind: sleep, weight: 99, service_time: { dist: lognormal, median: 100us, sigma: 0.6, max: 2ms } }
  - { name: long, kind: sleep, weight: 1, service_time: { dist: pareto, min: 20ms, alpha: 1.5, max: 300ms } }",
    ),
];

/// Remembers each task's times.
#[derive(Clone, Default)]
struct Records(Arc<Mutex<Vec<Record>>>);

impl Observer for Records {
    fn event(&mut self, _: Moment, event: &Event<'_>) {
        if let Event::Succeeded(batch) = event {
            self.0.lock().expect("nobody panics with it").extend_from_slice(batch.records);
        }
    }

    fn state(&mut self, _: Moment, _: &EngineView<'_>) {}
}

fn workload(total: u32, tasks: &str, seed: u64) -> Workload {
    let text = format!(
        "version: 1\nname: tail\nseed: {seed}\ntotal: {total}\ntasks:\n{tasks}\n\
         engines: [{{ kind: pool, workers: {WORKERS}, chunksize: auto }}]\n"
    );
    poolscope::load(&text, "tail").unwrap_or_else(|errors| panic!("{errors:?}\n{text}")).workload
}

/// Runs all tasks; what is remembered of them.
fn run(workload: &Workload, stream: &SharedStream) -> Vec<Record> {
    let (records, spec) = (Records::default(), &workload.engines[0]);
    let context = RunContext {
        usable_cores: WORKERS,
        max_processes: 100,
        iterations_per_second: 1e9,
        worker_program: env!("CARGO_BIN_EXE_poolscope").into(),
    };
    let request = RunRequest {
        workload,
        spec,
        workers: WORKERS,
        admission: stream.admission(workload),
        stream: Box::new(stream.clone()),
        context: &context,
        gil_probe: false,
    };
    let run = Dispatched(spec.kind).start(request, Box::new(records.clone())).expect("the engine starts");
    assert_eq!(run.join().expect("the engine goes on"), Completion::Finished);
    let records = records.0.lock().expect("nobody panics with it");
    assert_eq!(records.len() as u64, stream.total());
    records.clone()
}

/// Nanoseconds from the beginning of the run to the end of its last task.
fn makespan(records: &[Record]) -> u64 {
    records.iter().map(|record| record.start.0 + record.service).max().expect("tasks")
}

/// The same by greedy list scheduling (Graham, 1969).
fn list_makespan(records: &[Record], stream: &SharedStream) -> u64 {
    let service: HashMap<u64, u64> = records.iter().map(|record| (record.index, record.service)).collect();
    let mut free_at = vec![0u64; WORKERS as usize];
    let mut position = 0;
    while position < stream.total() {
        let run = stream.run_at(position, u64::MAX);
        for index in run.first..run.first + run.count {
            let first_free = free_at.iter_mut().min().expect("workers");
            *first_free += service[&index];
        }
        position += run.count;
    }
    free_at.into_iter().max().expect("workers")
}

fn main() {
    let mut ratios = CASES.map(|(name, _, _)| ratios::Ratios::of_times(name, " ms", 1.1, 1.05));
    for seed in 1..=ROUNDS {
        for ((_, total, tasks), ratios) in CASES.iter().zip(&mut ratios) {
            let workload = workload(*total, tasks, seed);
            let stream = SharedStream::new(&workload);
            let records = run(&workload, &stream);
            ratios.round(list_makespan(&records, &stream) as f64 / 1e6, makespan(&records) as f64 / 1e6);
        }
    }
    ratios.into_iter().for_each(ratios::Ratios::verdict);
}
