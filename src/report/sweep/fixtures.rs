//! A sweep for tests: the same on every machine.

use std::sync::Arc;

use super::{SweepResults, SweptArm};
use crate::analysis::tuning::{Bounds, Point, Tuning};
use crate::metrics::kept::Runs;
use crate::report::ending::Ending;
use crate::report::fixtures::{comparison, run};

/// Of counts with the seconds that a run took: what was measured in three rounds each, in turn.
pub(crate) fn tuning(counts: &[(u32, f64)]) -> Tuning {
    let points = counts.iter().zip(0..).map(|((workers, seconds), place)| {
        let mut runs = Runs::default();
        for (pass, scatter) in (0..).zip([1.0, 1.01, 0.99]) {
            let mut run = run(1, 10, seconds * scatter);
            run.workers_target = *workers;
            run.cpu.cores_used_whole = 10.0 / seconds;
            runs.push(Arc::new(run), 1 + place + pass * 10, &[]);
        }
        Point::of_runs(*workers, &runs, 0)
    });
    Tuning::of(points.collect(), Bounds { most: 64, cores: 2, open_arrivals: false, free: false })
}

/// Two arms with 1, 2 and 4 workers: one is as fast as it gets with two, the other is not there yet.
pub(crate) fn sweep() -> SweepResults {
    let results = comparison();
    let counts = [[(1, 10.0), (2, 5.1), (4, 5.0)], [(1, 40.0), (2, 20.0), (4, 10.0)]];
    let arms = results.arms.iter().zip(&counts).zip(0..).map(|((arm, counts), group)| SweptArm {
        spec: arm.spec.clone(),
        base: arm.spec.name.clone(),
        settings: Vec::new(),
        group,
        tuning: Arc::new(tuning(counts)),
        partial: None,
    });
    SweepResults {
        arms: arms.collect(),
        workload: results.workload,
        host: results.host,
        stream_hash: results.stream_hash,
        dimensions: Vec::new(),
        baseline: 0,
        runs: 3,
        expectations: Vec::new(),
        ending: Ending::Finished,
    }
}

/// The same arms with two chunksizes each, the second of which is faster, and what does not apply to the second arm.
pub(crate) fn settings() -> SweepResults {
    let results = sweep();
    let arm = |place: usize, size: &str, seconds: f64| {
        let base: &SweptArm = &results.arms[place];
        let name = format!("{} chunksize={size}", base.spec.name);
        SweptArm {
            spec: crate::workload::model::EngineSpec { name, ..base.spec.clone() },
            settings: vec![("chunksize".to_owned(), size.to_owned())],
            tuning: Arc::new(tuning(&[(2, seconds)])),
            ..base.clone()
        }
    };
    let mut arms = vec![arm(0, "1", 10.0), arm(0, "16", 5.0), arm(1, "1", 20.0), arm(1, "16", 21.0)];
    for arm in &mut arms {
        arm.group = usize::from(arm.base != "pool");
    }
    let dimensions = vec!["chunksize=1,16".parse().expect("a dimension")];
    SweepResults { arms, dimensions, ..results }
}
