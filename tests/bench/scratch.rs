//! scratch
#[path = "../support/mod.rs"]
mod support;
use poolscope::engine::dispatcher::*;
use poolscope::engine::driver::{Run, RunSpec};
use poolscope::engine::event::*;
use poolscope::workload::model::*;
struct Null;
impl Observer for Null {
    fn event(&mut self, _: Moment, _: &Event<'_>) {}
    fn state(&mut self, _: Moment, _: &EngineView<'_>) {}
}
fn main() {
    for (policy, n, workers) in [
        (Policy::Reuse, 10_000_000u64, 2u32),
        (Policy::OneTask, 3000, 2),
        (Policy::Reuse, 10_000_000u64, 2u32),
        (Policy::OneTask, 3000, 2),
    ] {
        let t = std::time::Instant::now();
        let spec = RunSpec {
            plan: Plan {
                policy,
                workers,
                max_workers: 64,
                chunk: if policy == Policy::Reuse {
                    poolscope::engine::window::Chunk::Adaptive
                } else {
                    poolscope::engine::window::Chunk::One
                },
                classes: vec![support::rules()],
                admission: poolscope::engine::stream::Admission::Batch,
                seed: 1,
            },
            stream: Box::new(support::Blocks(vec![n])),
            works: vec![Work::Kernel(Kernel::Noop)],
            iterations_per_second: 5e8,
            worker_program: env!("CARGO_BIN_EXE_poolscope").into(),
        };
        let s = Run::start(spec, Box::new(Null)).unwrap().join();
        let d = t.elapsed().as_secs_f64();
        println!("{policy:?} {s:?} {:.0}/s", n as f64 / d);
    }
}
