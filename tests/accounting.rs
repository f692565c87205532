//! CPU time of short processes against the kernel's own sum. A test program of its own: nothing else may reap children
//! meanwhile.

#[path = "support/mod.rs"]
mod support;

use std::time::Duration;

use poolscope::os::child::{UsageOf, own_usage};
use poolscope::workload::model::{Dist, Work};
use support::{process, rules};

#[test]
fn cpu_time_of_2_ms_tasks_is_the_kernels_within_5_percent() {
    let before = own_usage(UsageOf::Children).cpu();
    let work = Work::Cpu(Dist::Constant(Duration::from_millis(2)));
    let story = process(2).tasks(200, work, rules()).start().finish();
    let kernel = (own_usage(UsageOf::Children).cpu() - before).as_secs_f64();
    assert_eq!(story.counts.succeeded, 200);
    let told: f64 = story.exits.iter().map(|(_, _, _, usage, _)| usage.cpu().as_secs_f64()).sum();
    assert!((told / kernel - 1.0).abs() < 0.05, "told {told} s, the kernel says {kernel} s");
    let work: f64 = story.records.iter().map(|record| record.service as f64 / 1e9).sum();
    assert!(told > work * 0.5, "{told} s of CPU for {work} s of work");
}
