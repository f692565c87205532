//! What was measured in a session, in the words of a report.

use std::sync::Arc;

use crate::commands::drive::Driven;
use crate::engine::event::RunState;
use crate::report::ending::{Ending, Partial};
use crate::report::{ArmResult, Results};
use crate::session::view::{ArmView, Mode, SessionView};

/// The run in which an arm was cut off.
pub(super) fn partial(view: &SessionView, arm: &ArmView) -> Option<Partial> {
    let run = arm.latest().filter(|run| run.state != RunState::Finished)?;
    Some(Partial::of(run, view.position.is_warmup()))
}

/// What was measured in a session that was driven.
pub(super) fn results(driven: &Driven) -> Results {
    results_of(&driven.view, driven.stream_hash.clone(), driven.ending.clone())
}

/// What was measured in a session.
pub(super) fn results_of(view: &SessionView, stream_hash: String, ending: Ending) -> Results {
    let arm = |arm: &ArmView| {
        let (workers, runs) = (arm.told.0, &arm.told.1);
        ArmResult {
            spec: arm.spec.clone(),
            workers,
            runs: runs.to_vec(),
            rounds: runs.rounds().to_vec(),
            touched: arm.touched,
            partial: partial(view, arm).filter(|_| workers == arm.measured),
            track: Arc::clone(&arm.track),
            gil_probe: arm.gil_probe(workers),
        }
    };
    Results {
        workload: Arc::clone(&view.workload),
        host: Arc::clone(&view.host),
        stream_hash,
        arms: view.arms.iter().map(arm).collect(),
        baseline: view.baseline,
        looks: view.looks,
        precision: view.precision,
        control_cores: view.control_cores,
        sharing_cores: view.mode == Mode::Together,
        ending,
    }
}
