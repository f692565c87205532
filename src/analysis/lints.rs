//! What a run shows about its setting, as far as its measurements go. Each lint has its own rule and its own words.

use std::fmt;
use std::time::Duration;

use crate::engine::event::RunState;
use crate::metrics::snapshot::{Snapshot, WorkerTime};

/// Share of worker time that start-up may take.
const STARTUP: f64 = 0.5;
/// Share of worker time that work should have.
const WORKING: f64 = 0.8;
/// Share of worker time that workers may stand idle while the last tasks run.
const TAIL: f64 = 0.1;
/// Share of the usable cores beyond which the processor is the bottleneck.
const SATURATED: f64 = 0.9;
/// Finished tasks that a figure of a run under way needs.
const ENOUGH: u64 = 10;

/// One thing that the measurements show.
#[derive(Clone, Debug, PartialEq)]
pub enum Lint {
    /// More than half of the worker time passes between dispatch and the first instruction; holds its share.
    StartupBound(f64),
    /// Less than 80 % of the worker time is work; holds that share.
    LowWorkingRatio(f64),
    /// There are more workers than cores and the cores are busy: more workers only wait for each other.
    MoreWorkersThanCores {
        /// Workers aimed at.
        workers: u32,
        /// Cores they may use.
        cores: u32,
    },
    /// Workers stood idle while others worked on the last tasks; holds the share of worker time.
    UnevenTail(f64),
    /// The figures should not be trusted, for this reason.
    Suspect(String),
}

impl Lint {
    /// Its name, for a verdict and for machines. [`Display`](fmt::Display) says it with figures.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::StartupBound(_) => "start-up bound",
            Self::LowWorkingRatio(_) => "low working ratio",
            Self::MoreWorkersThanCores { .. } => "more workers than cores",
            Self::UnevenTail(_) => "uneven tail",
            Self::Suspect(_) => "suspect",
        }
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StartupBound(share) => {
                write!(
                    f,
                    "start-up bound: {:.0} % of worker time passes before the first instruction of a task",
                    share * 100.0
                )
            }
            Self::LowWorkingRatio(share) => write!(f, "workers work only {:.0} % of their time", share * 100.0),
            Self::MoreWorkersThanCores { workers, cores } => {
                write!(f, "{workers} workers share {cores} busy core{}", if *cores == 1 { "" } else { "s" })
            }
            Self::UnevenTail(share) => {
                write!(f, "uneven tail: {:.0} % of worker time is idle while the last tasks run", share * 100.0)
            }
            Self::Suspect(reason) => write!(f, "suspect: {reason}"),
        }
    }
}

/// Whether the figures of a run show anything about its setting: not where it was stopped, because its end is not that of
/// its work, and not where not one task succeeded, because that was not the work.
#[must_use]
pub fn speaks(run: &Snapshot) -> bool {
    let cut_off = matches!(run.state, RunState::Stopping | RunState::Stopped | RunState::Broken);
    run.counts.succeeded > 0 && !cut_off
}

/// Everything that a run shows. `usable_cores` adds the lint about too many workers; `None` where it is not known.
#[must_use]
pub fn lints(run: &Snapshot, usable_cores: Option<u32>) -> Vec<Lint> {
    let mut lints = together([run], usable_cores);
    lints.extend(run.suspect.iter().cloned().map(Lint::Suspect));
    lints
}

/// What the runs of an arm show together, in the same figures as a table of all of them. Whether single runs are suspect
/// is left to [`lints`].
#[must_use]
pub fn together<'a>(runs: impl IntoIterator<Item = &'a Snapshot>, usable_cores: Option<u32>) -> Vec<Lint> {
    let enough = |run: &&Snapshot| run.end.is_some() || run.counts.succeeded + run.counts.unsuccessful() >= ENOUGH;
    let runs: Vec<&Snapshot> = runs.into_iter().filter(|run| speaks(run)).filter(enough).collect();
    let mut lints = worker_time(&runs);
    lints.extend(usable_cores.and_then(|cores| too_many_workers(&runs, cores)));
    lints
}

fn worker_time(runs: &[&Snapshot]) -> Vec<Lint> {
    let time: WorkerTime = runs.iter().map(|run| run.worker_time).sum();
    let (work, startup, idle) = time.shares();
    if work + startup + idle <= 0.0 {
        return Vec::new();
    }
    let mut lints = Vec::new();
    if startup > STARTUP {
        lints.push(Lint::StartupBound(startup));
    } else if work < WORKING {
        lints.push(Lint::LowWorkingRatio(work));
    }
    let whole = (time.work + time.startup + time.idle).as_secs_f64();
    let tail: Duration = runs.iter().filter_map(|run| run.end.as_ref()).map(|end| end.tail_idle).sum();
    let tail = tail.as_secs_f64() / whole;
    if tail > TAIL {
        lints.push(Lint::UnevenTail(tail));
    }
    lints
}

/// Workers that sleep or wait may well outnumber the cores; it is in the way only when the cores are busy.
fn too_many_workers(runs: &[&Snapshot], cores: u32) -> Option<Lint> {
    let workers = runs.last()?.workers_target;
    let used = runs.iter().map(|run| run.cpu.cores_used_whole).sum::<f64>() / runs.len() as f64;
    let busy = used >= SATURATED * f64::from(cores);
    (workers > cores && busy).then_some(Lint::MoreWorkersThanCores { workers, cores })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::metrics::fixtures::snapshot;
    use crate::metrics::snapshot::RunEnd;

    fn with_time(work: u64, startup: u64, idle: u64) -> Snapshot {
        let [work, startup, idle] = [work, startup, idle].map(Duration::from_secs);
        Snapshot { worker_time: WorkerTime { work, startup, idle }, ..snapshot() }
    }

    fn words(run: &Snapshot) -> Vec<String> {
        lints(run, Some(2)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn good_run_has_none() {
        assert_eq!(words(&snapshot()), Vec::<String>::new());
    }

    #[test]
    fn start_up_over_half_of_the_time_explains_the_low_working_ratio() {
        assert_eq!(
            words(&with_time(32, 67, 1)),
            ["start-up bound: 67 % of worker time passes before the first instruction of a task"]
        );
        assert_eq!(words(&with_time(50, 50, 0)), ["workers work only 50 % of their time"]);
        assert_eq!(words(&with_time(80, 10, 10)), Vec::<String>::new());
        assert_eq!(words(&with_time(0, 0, 0)), Vec::<String>::new());
    }

    #[test]
    fn more_workers_than_cores_only_matters_when_cores_are_busy() {
        let mut run = snapshot();
        run.workers_target = 8;
        assert_eq!(words(&run), Vec::<String>::new(), "1.78 of 2 cores: they have room");
        run.cpu.cores_used_whole = 1.9;
        assert_eq!(words(&run), ["8 workers share 2 busy cores"]);
        assert_eq!(lints(&run, None), []);
    }

    #[test]
    fn uneven_tail() {
        let mut run = with_time(85, 0, 15);
        run.end = Some(Arc::new(RunEnd { tail_idle: Duration::from_secs(12), ..RunEnd::default() }));
        assert_eq!(words(&run), ["uneven tail: 12 % of worker time is idle while the last tasks run"]);
    }

    #[test]
    fn runs_that_were_cut_off_or_did_no_work_show_nothing() {
        assert_eq!(words(&with_time(1, 9, 0)).len(), 1);
        for state in [RunState::Stopping, RunState::Stopped, RunState::Broken] {
            let mut run = with_time(1, 9, 90);
            run.state = state;
            assert_eq!(words(&run), Vec::<String>::new(), "{state:?}");
        }
        let mut run = with_time(1, 9, 90);
        (run.counts.succeeded, run.counts.failed) = (0, 1000);
        assert_eq!(words(&run), Vec::<String>::new());
    }

    #[test]
    fn runs_together_show_the_figures_of_all_of_them() {
        let runs = [with_time(20, 0, 80), with_time(60, 0, 40), with_time(70, 0, 30)];
        let said: Vec<_> = together(&runs, None).iter().map(ToString::to_string).collect();
        assert_eq!(said, ["workers work only 50 % of their time"], "neither 20 nor 70");
        assert_eq!(together(&[], Some(2)), []);
    }

    #[test]
    fn nothing_is_said_about_the_first_moments_but_a_disturbance() {
        let mut run = with_time(1, 9, 0);
        run.end = None;
        run.counts.succeeded = 3;
        assert_eq!(words(&run), Vec::<String>::new());
        run.suspect.push("the run was suspended for 1.0 s".to_owned());
        assert_eq!(words(&run), ["suspect: the run was suspended for 1.0 s"]);
    }
}
