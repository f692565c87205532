//! What it takes until a process can work: parts that add up to a whole, each over the same processes. Initializers come
//! after that and are told apart.

use std::time::Duration;

use super::{NONE, Rows};
use crate::metrics::life::StartupSums;
use crate::report::{ArmResult, units};

pub(super) fn rows(rows: &mut Rows<'_>) {
    if rows.arms.iter().any(|arm| sums(arm).processes > 0) {
        rows.row("start-up per process", |arm| each(arm, StartupSums::whole));
        // Those of a program that tells nothing are part of its work.
        rows.detail("fork/exec", |arm| each(arm, |sums| sums.fork_exec));
        rows.detail("+ loading", |arm| each(arm, |sums| sums.loading));
        rows.detail("+ ready", |arm| each(arm, |sums| sums.ready));
        rows.detail("of all in a run", |arm| of_a_run(arm, sums(arm).processes, sums(arm).whole()));
    }
    if rows.arms.iter().flat_map(|arm| &arm.runs).any(|run| run.initializers.count > 0) {
        rows.row("initializer, each", |arm| {
            let (count, wall) = initializers(arm);
            u32::try_from(count)
                .ok()
                .filter(|count| *count > 0)
                .map_or_else(none, |count| units::duration(wall / count))
        });
        rows.detail("of all in a run", |arm| {
            let (count, wall) = initializers(arm);
            of_a_run(arm, count, wall)
        });
        rows.detail("how many in a run", |arm| {
            super::mean(arm, |run| run.initializers.count as f64, |count| format!("{count:.0}"))
        });
    }
}

fn none() -> String {
    NONE.to_owned()
}

fn sums(arm: &ArmResult) -> StartupSums {
    arm.runs.iter().map(|run| run.life.startup.sums()).sum()
}

fn initializers(arm: &ArmResult) -> (u64, Duration) {
    (arm.runs.iter().map(|run| run.initializers.count).sum(), arm.runs.iter().map(|run| run.initializers.wall).sum())
}

/// A part of the start of one process; of all, where some do not tell theirs.
fn each(arm: &ArmResult, part: impl Fn(&StartupSums) -> Duration) -> String {
    let sums = sums(arm);
    match sums.processes {
        0 => none(),
        processes => units::duration(Duration::from_secs_f64(part(&sums).as_secs_f64() / processes as f64)),
    }
}

fn of_a_run(arm: &ArmResult, count: u64, all: Duration) -> String {
    match (u32::try_from(arm.runs.len()), count) {
        (Err(_) | Ok(0), _) | (_, 0) => none(),
        (Ok(runs), _) => units::duration(all / runs),
    }
}
