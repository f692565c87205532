//! Rows about the bytes that travel with tasks and results, where any do.

use super::{NONE, Rows};
use crate::analysis::statistics::estimate;
use crate::metrics::snapshot::{Carriage, Quantiles};
use crate::report::{ArmResult, units};

/// Less is what any task of any arm needs to be told: nobody has asked for these bytes.
const WORTH_TELLING: f64 = 1024.0;

pub(super) fn rows(rows: &mut Rows<'_>) {
    let all = |arm: &ArmResult| -> Vec<Carriage> {
        arm.runs.iter().filter_map(|run| run.carriage.as_deref()).cloned().collect()
    };
    let found: Vec<Carriage> = rows.arms.iter().flat_map(all).collect();
    let each = |carriage: &Carriage, bytes: u64| bytes as f64 / carriage.tasks.max(1) as f64;
    if found.iter().any(|one| each(one, one.bytes_in + one.bytes_out) >= WORTH_TELLING) {
        let size = |arm: &ArmResult, bytes: fn(&Carriage) -> u64| {
            let sizes: Vec<f64> = all(arm).iter().map(|one| each(one, bytes(one))).collect();
            estimate(&sizes).map_or_else(|| NONE.to_owned(), |estimate| units::bytes(estimate.mean as u64))
        };
        rows.row("bytes with a task", |arm| size(arm, |one| one.bytes_in));
        rows.detail("with its result", |arm| size(arm, |one| one.bytes_out));
        for place in 0..6 {
            let (name, _) = Carriage::default().times()[place];
            let times = |arm: &ArmResult| -> Vec<Quantiles> {
                let times = all(arm).into_iter().map(|one| *one.times()[place].1);
                times.filter(|times| times.count > 0).collect()
            };
            if rows.arms.iter().any(|arm| !times(arm).is_empty()) {
                rows.detail(name, |arm| {
                    let means: Vec<f64> = times(arm).iter().map(|times| times.mean.as_secs_f64()).collect();
                    let largest = times(arm).iter().map(|times| times.p99).max().unwrap_or_default();
                    estimate(&means).map_or_else(
                        || NONE.to_owned(),
                        |estimate| {
                            let mean = std::time::Duration::try_from_secs_f64(estimate.mean).unwrap_or_default();
                            format!("{}, p99 {}", units::duration(mean), units::duration(largest))
                        },
                    )
                });
            }
        }
    }
    if found.iter().any(|one| one.opaque > 0) {
        rows.row("results not comparable", |arm| {
            all(arm).last().map_or_else(|| NONE.to_owned(), |one| one.opaque.to_string())
        });
    }
}
