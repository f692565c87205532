//! `classes`: tasks, latencies and CPU time of each task class; empty where the workload has one.
//!
//! `classes` of an entry is 1, but for the last one of a workload with more than 16 classes, which is of all from its own
//! class on. `cpu` is `null` where no task's CPU time could be told; its `tasks` are those of which it could.

use serde::Serialize;

use super::{LatenciesOut, latencies, seconds};
use crate::metrics::snapshot::{ClassCounts, ClassCpu, ClassFigures, Snapshot};
use crate::workload::model::Workload;

#[derive(Serialize)]
pub(super) struct ClassOut {
    name: String,
    classes: u16,
    throughput: f64,
    tasks: ClassCounts,
    latency_s: LatenciesOut,
    cpu: Option<ClassCpuOut>,
}

#[derive(Serialize)]
struct ClassCpuOut {
    total_s: f64,
    tasks: u64,
    mean_s: f64,
}

impl From<ClassCpu> for ClassCpuOut {
    fn from(cpu: ClassCpu) -> Self {
        Self { total_s: seconds(cpu.time), tasks: cpu.tasks, mean_s: seconds(cpu.mean()) }
    }
}

pub(super) fn of_run(run: &Snapshot, workload: &Workload) -> Vec<ClassOut> {
    let out = |class: &ClassFigures| ClassOut {
        name: class.name(workload),
        classes: class.classes,
        throughput: class.throughput(run.wall()),
        tasks: class.tasks,
        latency_s: latencies(&class.latency, class.whole.as_deref(), &workload.measure.percentiles),
        cpu: class.cpu.map(ClassCpuOut::from),
    };
    run.classes.iter().map(out).collect()
}
