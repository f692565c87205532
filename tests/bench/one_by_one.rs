//! Tasks that travel alone. The pool with `chunksize: 1`, one task running and at most one waiting at each worker, against
//! the limit with as many in flight; and the round trip of a call that waits for its result (`submit: apply`) against one
//! message there and one back over a bare socket pair. Each pair in turn, several times; the ratios are what counts.
//!
//! `cargo bench --bench one_by_one`
#![expect(clippy::expect_used, reason = "a benchmark that cannot run says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod limit;
mod ours;
mod ratios;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::event::{EngineView, Event, Moment, Observer, Observers};
use poolscope::workload::model::{EngineKind, Kernel, SubmitMode, Work};

const ROUNDS: usize = 9;
const WORKERS: u32 = 2;
const TASKS: u64 = 200_000;
/// Tasks at a worker: one running, one waiting.
const WINDOW: u64 = 2;
const CALLS: u64 = 20_000;

/// When each result came to the caller, who makes the next call at once.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<Instant>>>);

impl Observer for Calls {
    fn event(&mut self, _: Moment, event: &Event<'_>) {
        if matches!(event, Event::Delivered(_)) {
            self.0.lock().expect("nobody panics with it").push(Instant::now());
        }
    }

    fn state(&mut self, _: Moment, _: &EngineView<'_>) {}
}

/// How long each call takes, from one result to the next.
fn round_trips() -> Vec<Duration> {
    let calls = Calls::default();
    let noop = Work::Kernel(Kernel::Noop);
    let case = ours::Case { submit: SubmitMode::Apply, ..ours::Case::new(EngineKind::Pool, 1, CALLS, noop) };
    let observers: Observers = [Box::new(calls.clone()) as Box<dyn Observer>].into_iter().collect();
    ours::tasks_per_second_observed(case, observers);
    let moments = calls.0.lock().expect("nobody panics with it");
    assert_eq!(moments.len() as u64, CALLS, "each result is delivered for itself");
    moments.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

fn median_micros(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e6
}

fn main() {
    if limit::taken_over() {
        return;
    }
    let mut pool = ratios::Ratios::new("pool, chunksize 1 / limit, as many in flight", 0.6, 0.8);
    let mut apply = ratios::Ratios::of_times("apply, p50 / bare ping-pong, p50", " us", 1.6, 1.3);
    for _ in 0..ROUNDS {
        let limit = limit::tasks_per_second(WORKERS, TASKS, WINDOW, 1);
        let noop = Work::Kernel(Kernel::Noop);
        let case = ours::Case { chunk: Chunk::Fixed(1), ..ours::Case::new(EngineKind::Pool, WORKERS, TASKS, noop) };
        pool.round(limit, ours::tasks_per_second(case));
        apply.round(median_micros(limit::round_trips(CALLS)), median_micros(round_trips()));
    }
    pool.verdict();
    apply.verdict();
}
