//! What a run shows about its setting, as far as its measurements go. Each lint has its own rule and its own words; the
//! dashboard and reports say the same.

use std::time::Duration;

use crate::analysis::shares::{Shares, percent};
use crate::engine::event::RunState;
use crate::metrics::snapshot::{Snapshot, WorkerTime};
use crate::workload::model::SubmitMode;

/// Share of worker time that start-up may take.
const STARTUP: f64 = 0.5;
/// Share of worker time that work should have.
const WORKING: f64 = 0.8;
/// Share of it that is worth a word where it explains a difference, and the parts of a difference that are most of it and
/// as good as all.
const NOTABLE: f64 = 0.05;
const MOST: f64 = 0.5;
const WHOLE: f64 = 0.9;
/// Share of worker time that workers may stand idle while the last tasks run.
const TAIL: f64 = 0.1;
/// Share of the usable cores beyond which the processor is the bottleneck.
const SATURATED: f64 = 0.9;
/// Cores that a worker uses beyond which more than rounding and what passes between tasks says that it is not one thread.
const THREADS: f64 = 1.25;
/// Finished tasks and time that the figures of a run under way need.
const ENOUGH: u64 = 10;
const LEAST_TIME: Duration = Duration::from_secs(1);

/// One thing that the measurements show.
#[derive(Clone, Debug, PartialEq)]
pub enum Lint {
    /// More than half of the worker time is that of processes that were starting; holds its share.
    StartupBound(f64),
    /// The arm that is behind spends so much of its worker time on start-up that this is most of the difference.
    StartupExplains {
        /// Share of its worker time in which processes were starting.
        share: f64,
        /// Mean length of its tasks.
        service: Duration,
        /// How much of the difference, of logarithms: 1 is all of it.
        part: f64,
    },
    /// Less than 80 % of the worker time is work, although there were tasks to do.
    LowWorkingRatio(Shares),
    /// There are more workers than cores and the cores are busy: more workers only wait for each other.
    MoreWorkersThanCores {
        /// Workers aimed at.
        workers: u32,
        /// Cores they may use.
        cores: u32,
    },
    /// The tasks keep the cores busy with threads or processes of their own, beside those of the workers.
    ThreadsOfTasks {
        /// Cores that each busy worker uses; one that has a single thread uses 1 at most.
        each: f64,
        /// Workers aimed at.
        workers: u32,
        /// Cores they may use.
        cores: u32,
    },
    /// Workers stood idle while others worked on the last tasks; holds the share of worker time.
    UnevenTail(f64),
    /// Workers went on with tasks whose callers had given up.
    Ghosts {
        /// How many tasks.
        count: u64,
        /// Share of the worker time that this took.
        share: f64,
        /// CPU time that it took, as far as it is known.
        cpu: Duration,
    },
    /// At least half of the runs are suspect; each has its reason beside it.
    Suspect {
        /// How many are.
        suspect: usize,
        /// Of so many.
        runs: usize,
    },
}

impl Lint {
    /// Its name, for machines. [`Lint::sentence`] says it to people.
    #[must_use]
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::StartupExplains { share, .. } if *share <= STARTUP => "start-up",
            Self::StartupBound(_) | Self::StartupExplains { .. } => "start-up bound",
            Self::LowWorkingRatio(_) => "low working ratio",
            Self::MoreWorkersThanCores { .. } => "more workers than cores",
            Self::ThreadsOfTasks { .. } => "threads of tasks",
            Self::UnevenTail(_) => "uneven tail",
            Self::Ghosts { .. } => "ghosts",
            Self::Suspect { .. } => "suspect",
        }
    }

    /// A sentence about an arm, with its figures.
    #[must_use]
    pub(crate) fn sentence(&self, arm: &str) -> String {
        match self {
            Self::StartupBound(share) => format!("{arm} spends {} of its worker time on start-up", percent(*share)),
            Self::StartupExplains { share, service, part } => {
                let (share, service) = (percent(*share), task_length(*service));
                let part = if *part >= WHOLE { "the whole" } else { "most of the" };
                format!(
                    "{arm} spends {share} of its worker time on start-up; at {service} a task that is {part} difference"
                )
            }
            Self::LowWorkingRatio(shares) => {
                let work = percent(shares.work);
                format!("{arm} works only {work} of its worker time ({})", shares.beside_work())
            }
            Self::MoreWorkersThanCores { workers, cores } => {
                let plural = if *cores == 1 { "" } else { "s" };
                format!("{arm} has {workers} workers on {cores} busy core{plural}: more workers cannot be faster")
            }
            Self::ThreadsOfTasks { each, workers, cores } => {
                let plural = if *workers == 1 { "" } else { "s" };
                format!(
                    "{arm} uses {each:.1} cores in each of {workers} worker{plural}, so that all {cores} are busy: its tasks start \
                     threads or processes of their own (of BLAS or OpenMP, OMP_NUM_THREADS=1 leaves one)"
                )
            }
            Self::UnevenTail(share) => {
                format!("{arm} is idle {} of its worker time while the last tasks run", percent(*share))
            }
            Self::Ghosts { count, share, cpu } => {
                let (tasks, callers) = if *count == 1 { ("task", "whose caller") } else { ("tasks", "whose callers") };
                let (share, cpu) = (percent(*share), task_length(*cpu));
                format!(
                    "{arm} spends {share} of its worker time on {count} {tasks} {callers} had given up ({cpu} of CPU)"
                )
            }
            Self::Suspect { suspect, runs } => {
                let plural = if *runs == 1 { "" } else { "s" };
                format!("{suspect} of {runs} run{plural} of {arm} {} suspect", if *suspect == 1 { "is" } else { "are" })
            }
        }
    }
}

/// The length of a task in few digits.
fn task_length(time: Duration) -> String {
    let (value, unit) = match time.as_secs_f64() {
        seconds if seconds >= 0.9995 => (seconds, "s"),
        seconds if seconds >= 0.000_999_5 => (seconds * 1e3, "ms"),
        seconds => (seconds * 1e6, "µs"),
    };
    if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// Whether what the runs of an arm that is behind spend on start-up is most of what it is behind. `ratio` is its
/// throughput / that of the other. Without start-up its workers would do as much more as that is a share of their time;
/// both are compared as logarithms, in which parts of a ratio add up.
#[must_use]
pub(crate) fn startup_explains<'a>(runs: impl IntoIterator<Item = &'a Snapshot>, ratio: f64) -> Option<Lint> {
    let runs: Vec<&Snapshot> = runs.into_iter().filter(|run| speaks(run)).collect();
    let (_, share, _) = runs.iter().map(|run| run.worker_time).sum::<WorkerTime>().shares();
    let part = (1.0 - share).ln() / ratio.ln();
    let times = runs.iter().map(|run| run.latency.service.mean.as_secs_f64()).sum::<f64>() / runs.len() as f64;
    let service = Duration::try_from_secs_f64(times).unwrap_or_default();
    (ratio < 1.0 && share > NOTABLE && part > MOST).then_some(Lint::StartupExplains { share, service, part })
}

/// Whether the figures of a run show anything about its setting: not where it was stopped, because its end is not that of
/// its work, and not where not one task succeeded, because that was not the work.
#[must_use]
pub(crate) fn speaks(run: &Snapshot) -> bool {
    let cut_off = matches!(run.state, RunState::Stopping | RunState::Stopped | RunState::Broken);
    run.counts.succeeded > 0 && !cut_off
}

/// Everything that a run shows. `usable_cores` adds the lint about too many workers; `None` where it is not known.
#[cfg(test)]
#[must_use]
pub(crate) fn lints(run: &Snapshot, usable_cores: Option<u32>) -> Vec<Lint> {
    together([run], usable_cores)
}

/// What the runs of an arm show together, in the same figures as a table of all of them. Whether single runs are suspect
/// is told run by run.
#[must_use]
pub(crate) fn together<'a>(runs: impl IntoIterator<Item = &'a Snapshot>, usable_cores: Option<u32>) -> Vec<Lint> {
    let enough = |run: &&Snapshot| {
        let ended = run.counts.succeeded + run.counts.unsuccessful();
        run.end.is_some() || ended >= ENOUGH && run.at.elapsed() >= LEAST_TIME
    };
    let runs: Vec<&Snapshot> = runs.into_iter().filter(|run| speaks(run)).filter(enough).collect();
    let mut lints = worker_time(&runs);
    lints.extend(usable_cores.and_then(|cores| too_many_workers(&runs, cores)));
    lints.extend(usable_cores.and_then(|cores| threads_of_tasks(&runs, cores)));
    lints.extend(ghosts(&runs));
    lints
}

fn worker_time(runs: &[&Snapshot]) -> Vec<Lint> {
    let time: WorkerTime = runs.iter().map(|run| run.worker_time).sum();
    let shares = Shares::of(&time);
    if shares.sum() <= 0.0 {
        return Vec::new();
    }
    let Shares { work, startup, dispatch, initializing, bytes, idle, .. } = shares;
    let mut lints = Vec::new();
    if startup > STARTUP {
        lints.push(Lint::StartupBound(startup));
    } else if work < WORKING && (startup + dispatch + initializing + bytes > idle || waited(runs)) {
        lints.push(Lint::LowWorkingRatio(shares));
    }
    let tail: Duration = runs.iter().filter_map(|run| run.end.as_ref()).map(|end| end.tail_idle).sum();
    let tail = time.share(tail);
    // A caller who hands in one task at a time leaves the others idle all along.
    let one_by_one = runs.iter().any(|run| run.delivery.mode == SubmitMode::Apply);
    if tail > TAIL && !one_by_one {
        lints.push(Lint::UnevenTail(tail));
    }
    lints
}

/// Whether tasks waited, on average at least one for each worker: workers that idle because nothing has arrived are right.
fn waited(runs: &[&Snapshot]) -> bool {
    runs.iter().any(|run| run.queue.mean >= f64::from(run.workers_target))
}

/// A ghost takes a worker that others wait for, and CPU time that nobody gets anything for.
fn ghosts(runs: &[&Snapshot]) -> Option<Lint> {
    let count: u64 = runs.iter().map(|run| run.ghosts.began).sum();
    let cpu = runs.iter().map(|run| run.ghosts.cpu).sum();
    let share = runs.iter().map(|run| run.worker_time).sum::<WorkerTime>().ghost_share();
    (count > 0 && share > NOTABLE).then_some(Lint::Ghosts { count, share, cpu })
}

/// Workers that sleep or wait may well outnumber the cores; it is in the way only when the cores are busy.
fn too_many_workers(runs: &[&Snapshot], cores: u32) -> Option<Lint> {
    let workers = runs.last()?.workers_target;
    let used = runs.iter().map(|run| run.cpu.cores_used_whole).sum::<f64>() / runs.len() as f64;
    let busy = used >= SATURATED * f64::from(cores);
    (workers > cores && busy).then_some(Lint::MoreWorkersThanCores { workers, cores })
}

/// A worker with a single thread has no more CPU time than it has time in which it does not stand idle, be that start-up or
/// work. More of it is that of others, which the number of workers does not show.
fn threads_of_tasks(runs: &[&Snapshot], cores: u32) -> Option<Lint> {
    let workers = runs.last()?.workers_target;
    let time: WorkerTime = runs.iter().map(|run| run.worker_time).sum();
    let busy = Shares::of(&time);
    let busy = (busy.sum() - busy.idle) * time.all();
    // That of the workers alone: who hands out their tasks has a thread too.
    let cpu: Duration = runs.iter().flat_map(|run| &run.workers).map(|row| row.cpu).sum();
    let each = cpu.as_secs_f64() / busy;
    let used = runs.iter().map(|run| run.cpu.cores_used_whole).sum::<f64>() / runs.len() as f64;
    let saturated = used >= SATURATED * f64::from(cores);
    (busy > 0.0 && each > THREADS && cores > 1 && saturated).then_some(Lint::ThreadsOfTasks { each, workers, cores })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::event::Moment;
    use crate::metrics::fixtures::snapshot;
    use crate::metrics::snapshot::RunEnd;

    fn with_time(work: u64, startup: u64, idle: u64) -> Snapshot {
        let [work, startup, idle] = [work, startup, idle].map(Duration::from_secs);
        Snapshot { worker_time: WorkerTime { work, startup, idle, ..WorkerTime::default() }, ..snapshot() }
    }

    fn words(run: &Snapshot) -> Vec<String> {
        lints(run, Some(2)).iter().map(|lint| lint.sentence("pool")).collect()
    }

    #[test]
    fn good_run_has_none() {
        assert_eq!(words(&snapshot()), Vec::<String>::new());
    }

    #[test]
    fn start_up_over_half_of_the_time_explains_the_low_working_ratio() {
        assert_eq!(words(&with_time(32, 67, 1)), ["pool spends 67 % of its worker time on start-up"]);
        assert_eq!(words(&with_time(50, 50, 0)), ["pool works only 50 % of its worker time (50 % start-up, 0 % idle)"]);
        assert_eq!(words(&with_time(80, 10, 10)), Vec::<String>::new());
        assert_eq!(words(&with_time(0, 0, 0)), Vec::<String>::new());
    }

    #[test]
    fn start_up_is_said_to_explain_what_it_explains() {
        let said = |share: u64, ratio: f64| {
            let lint = startup_explains([&with_time(100 - share, share, 0)], ratio)?;
            Some(lint.sentence("PROCESS"))
        };
        let whole = "PROCESS spends 16 % of its worker time on start-up; at 10 ms a task that is the whole difference";
        // Without start-up it would do 1 / 0.84 = 1.19 times as much.
        assert_eq!(said(16, 0.84).as_deref(), Some(whole));
        assert_eq!(said(16, 0.75), Some(whole.replace("the whole", "most of the")), "0.17 of 0.29");
        assert_eq!(said(16, 0.5), None, "0.17 of 0.69 is not what makes it twice as slow");
        assert_eq!(said(4, 0.96), None, "too little to speak of");
        assert_eq!(said(16, 1.2), None, "it is ahead");
        let of = |share, part| Lint::StartupExplains { share, service: Duration::from_micros(250), part };
        assert_eq!((of(0.2, 1.0).name(), of(0.6, 1.0).name()), ("start-up", "start-up bound"));
        assert!(of(0.2, 1.0).sentence("a").contains("at 250 µs a task"));
    }

    #[test]
    fn what_initializers_take_is_not_idle() {
        let mut run = with_time(40, 1, 9);
        run.worker_time.initializing = Duration::from_secs(50);
        let said = "pool works only 40 % of its worker time (1 % start-up, 50 % initializing, 9 % idle)";
        assert_eq!(words(&run), [said]);
    }

    #[test]
    fn handing_tasks_to_workers_that_are_there_is_no_start_up() {
        let mut run = with_time(20, 4, 6);
        run.worker_time.dispatch = Duration::from_secs(70);
        assert_eq!(words(&run), ["pool works only 20 % of its worker time (4 % start-up, 70 % dispatch, 6 % idle)"]);
    }

    #[test]
    fn what_bytes_take_is_neither_work_nor_idle() {
        let mut run = with_time(40, 5, 5);
        run.worker_time.carrying = Duration::from_secs(50);
        assert_eq!(
            words(&run),
            ["pool works only 40 % of its worker time (5 % start-up, 50 % bytes of tasks, 5 % idle)"]
        );
    }

    #[test]
    fn what_ghosts_take_is_told() {
        let mut run = with_time(28, 0, 0);
        run.worker_time.ghost = Duration::from_secs(72);
        assert_eq!(words(&run), ["pool works only 28 % of its worker time (0 % start-up, 72 % ghosts, 0 % idle)"]);
    }

    #[test]
    fn that_runs_are_suspect_is_told_with_their_number() {
        let said = |suspect, runs| Lint::Suspect { suspect, runs }.sentence("pool");
        assert_eq!(
            (said(2, 3).as_str(), said(1, 1).as_str()),
            ("2 of 3 runs of pool are suspect", "1 of 1 run of pool is suspect")
        );
    }

    #[test]
    fn threads_that_tasks_start_are_told_where_the_cores_are_busy() {
        let of = |cpu: u64, used: f64| {
            let mut run = with_time(90, 5, 5);
            run.workers_target = 2;
            run.workers.iter_mut().for_each(|row| row.cpu = Duration::ZERO);
            run.workers[0].cpu = Duration::from_secs(cpu);
            run.cpu.cores_used_whole = used;
            together([&run], Some(4)).iter().map(|lint| lint.sentence("pool")).collect::<Vec<_>>()
        };
        let said = of(190, 3.8);
        assert!(said[0].starts_with("pool uses 2.0 cores in each of 2 workers, so that all 4 are busy"), "{said:?}");
        assert_eq!(said.len(), 1, "two workers on four cores are not too many");
        assert_eq!(of(190, 2.0), Vec::<String>::new(), "there is room");
        assert_eq!(of(94, 3.8), Vec::<String>::new(), "one thread each");
    }

    #[test]
    fn ghosts_are_counted_and_their_time_is_told() {
        let mut run = with_time(90, 0, 0);
        (run.worker_time.ghost, run.ghosts.began) = (Duration::from_secs(10), 12);
        run.ghosts.cpu = Duration::from_millis(8_200);
        let said = "pool spends 10 % of its worker time on 12 tasks whose callers had given up (8.2 s of CPU)";
        assert_eq!(words(&run), [said]);
        run.ghosts.began = 1;
        assert!(words(&run)[0].contains("1 task whose caller had"), "{:?}", words(&run));
        run.worker_time.ghost = Duration::from_secs(4);
        assert_eq!(words(&run), Vec::<String>::new(), "too little to speak of");
    }

    #[test]
    fn idle_workers_are_no_fault_where_nothing_waits_for_them() {
        let mut run = with_time(19, 0, 81);
        assert_eq!(words(&run).len(), 1);
        run.queue.mean = 0.4;
        assert_eq!(words(&run), Vec::<String>::new());
        run.worker_time = with_time(60, 30, 10).worker_time;
        assert_eq!(words(&run).len(), 1, "start-up is one whoever waits");
    }

    #[test]
    fn more_workers_than_cores_only_matters_when_cores_are_busy() {
        let mut run = snapshot();
        run.workers_target = 8;
        assert_eq!(words(&run), Vec::<String>::new(), "1.78 of 2 cores: they have room");
        run.cpu.cores_used_whole = 1.9;
        assert_eq!(words(&run), ["pool has 8 workers on 2 busy cores: more workers cannot be faster"]);
        assert_eq!(lints(&run, None), []);
    }

    #[test]
    fn uneven_tail() {
        let mut run = with_time(85, 0, 15);
        run.end = Some(Arc::new(RunEnd { tail_idle: Duration::from_secs(12), ..RunEnd::default() }));
        assert_eq!(words(&run), ["pool is idle 12 % of its worker time while the last tasks run"]);
    }

    #[test]
    fn share_at_the_end_is_one_of_all_worker_time() {
        let mut run = with_time(16, 0, 20);
        run.worker_time.ghost = Duration::from_secs(64);
        run.end = Some(Arc::new(RunEnd { tail_idle: Duration::from_secs(15), ..RunEnd::default() }));
        let said = words(&run);
        assert!(said.contains(&"pool is idle 15 % of its worker time while the last tasks run".to_owned()), "{said:?}");
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
        let said: Vec<_> = together(&runs, None).iter().map(|lint| lint.sentence("pool")).collect();
        assert_eq!(said, ["pool works only 50 % of its worker time (0 % start-up, 50 % idle)"], "neither 20 nor 70");
        assert_eq!(together(&[], Some(2)), []);
    }

    #[test]
    fn nothing_is_said_about_the_first_moments() {
        let mut run = with_time(1, 9, 0);
        run.end = None;
        run.counts.succeeded = 3;
        assert_eq!(words(&run), Vec::<String>::new());
        (run.counts.succeeded, run.at) = (100, Moment(900_000_000));
        assert_eq!(words(&run), Vec::<String>::new());
        run.at = Moment(1_000_000_000);
        assert_eq!(words(&run), ["pool spends 90 % of its worker time on start-up"]);
    }
}
