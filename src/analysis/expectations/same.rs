//! Whether the results of several arms are the same.

use super::{ArmFacts, Checked, Judgement, blank};
use crate::metrics::snapshot::Snapshot;
use crate::workload::model::Expectation;

pub(super) fn check(expectation: &Expectation, arms: &[ArmFacts<'_>]) -> Checked {
    let names: Vec<&str> = arms.iter().map(|arm| arm.name).collect();
    let judged = |judgement, runs| Checked { runs, ..blank(expectation, &names.join(", "), judgement) };
    if let Some(absent) = expectation.engines.iter().find(|engine| !names.contains(&engine.as_str())) {
        return judged(Judgement::Skipped(format!("{absent} took no part")), 0);
    }
    let complete = |arm: &ArmFacts<'_>| -> Vec<(u64, u64)> {
        let whole = |run: &&std::sync::Arc<Snapshot>| run.counts.succeeded == run.total && run.results_hash != 0;
        let opaque = |run: &Snapshot| run.carriage.as_ref().map_or(0, |carriage| carriage.opaque);
        arm.counted.runs.iter().filter(whole).map(|run| (run.results_hash, opaque(run))).collect()
    };
    let results: Vec<Vec<(u64, u64)>> = arms.iter().map(complete).collect();
    if let Some((name, _)) = names.iter().zip(&results).find(|(_, runs)| runs.is_empty()) {
        return judged(Judgement::NotMeasured(format!("no run of {name} in which every task has a result")), 0);
    }
    let all: Vec<(u64, u64)> = results.concat();
    let [(first, opaque), others @ ..] = all.as_slice() else {
        return judged(Judgement::NotMeasured("no run".to_owned()), 0);
    };
    if others.is_empty() {
        return judged(Judgement::NotMeasured("one run has nothing to be compared with".to_owned()), 1);
    }
    if others.iter().all(|(hash, _)| hash == first) {
        return judged(Judgement::Holds, all.len());
    }
    if others.iter().any(|(_, other)| other != opaque) {
        return judged(Judgement::NotMeasured("some results are of no comparable kind".to_owned()), all.len());
    }
    let mut different: Vec<u64> = all.iter().map(|(hash, _)| *hash).collect();
    different.sort_unstable();
    different.dedup();
    judged(Judgement::Fails(format!("{} different results in {} runs", different.len(), all.len())), all.len())
}
