//! The figure of one run that an expectation is about.

use std::time::Duration;

use crate::metrics::distribution::Distribution;
use crate::metrics::snapshot::Snapshot;
use crate::workload::model::{Expectation, Figure, LatencyOf, Metric, Statistic};

/// In the unit of its metric; `None` where it was not measured.
pub(super) fn of(expectation: &Expectation, run: &Snapshot, workers: u32, usable_cores: u32) -> Option<f64> {
    match expectation.metric {
        Metric::Latency(of, statistic) => latency(run, of, statistic),
        Metric::Figure(figure) => single(figure, expectation.stage, run, workers, usable_cores),
    }
}

fn single(figure: Figure, stage: Option<usize>, run: &Snapshot, workers: u32, usable_cores: u32) -> Option<f64> {
    let count = |count: u64| Some(count as f64);
    let counts = run.counts;
    match figure {
        Figure::Throughput => Some(run.throughput_whole),
        Figure::Makespan => Some(run.wall().as_secs_f64()),
        Figure::CoresUsed => Some(run.cpu.cores_used_whole),
        Figure::ParallelEfficiency => {
            let most = workers.min(usable_cores);
            (most > 0).then(|| run.cpu.cores_used_whole / f64::from(most))
        }
        Figure::Utilisation => match stage {
            Some(stage) => run.stages.get(stage)?.utilisation,
            None => run.load.utilisation,
        },
        Figure::Imbalance => run.imbalance(),
        // A part of a sum is no sum.
        Figure::GhostCpu => (run.ghosts.unmeasured == 0).then_some(run.ghosts.cpu.as_secs_f64()),
        Figure::PeakPss => run.memory.peak_pss_bytes.and_then(count),
        Figure::PeakRss => Some(run.memory.peak_rss_bytes).filter(|bytes| *bytes > 0).and_then(count),
        Figure::QueueMax => count(run.queue.max),
        Figure::SucceededTasks => count(counts.succeeded),
        Figure::FailedTasks => count(counts.failed),
        Figure::TimedOutTasks => count(counts.timed_out),
        Figure::LostTasks => count(counts.lost),
        Figure::DroppedTasks => count(counts.dropped),
        Figure::UnsuccessfulTasks => count(counts.finished() - counts.succeeded),
        Figure::Retries => count(counts.retries),
        Figure::WorkerStarts => count(run.worker_starts),
        Figure::WorkerRestarts => count(run.worker_restarts),
        Figure::ZombiesAfterJoin => run.life.undead.zombies_at_end.and_then(count),
        Figure::ResultsEqual => None,
    }
}

/// The percentile that an expectation is about, and of how many tasks of a run it is; `None` where it is about none.
pub(super) fn percentile(expectation: &Expectation, run: &Snapshot) -> Option<(f64, u64)> {
    let Metric::Latency(of, Statistic::Percentile(percentile)) = expectation.metric else { return None };
    Some((percentile, times(run, of)?.count()))
}

/// In seconds; `None` where no task has such a time.
fn latency(run: &Snapshot, of: LatencyOf, statistic: Statistic) -> Option<f64> {
    let whole = times(run, of).filter(|whole| whole.count() > 0)?;
    let time: Duration = match statistic {
        Statistic::Mean => whole.summary().mean,
        Statistic::Max => whole.summary().max,
        Statistic::Percentile(percentile) => whole.quantile(percentile / 100.0),
    };
    Some(time.as_secs_f64())
}

/// All times of a run; `None` where it has not ended.
fn times(run: &Snapshot, of: LatencyOf) -> Option<&Distribution> {
    let end = run.end.as_deref()?;
    Some(match of {
        LatencyOf::Wait => &end.distributions.wait,
        LatencyOf::Startup => &end.distributions.startup,
        LatencyOf::Service => &end.distributions.service,
        LatencyOf::Delivered if run.delivery.mode.blocks() => &end.delivered,
        // With `apply_async` a result is there as soon as its task has ended.
        LatencyOf::Sojourn | LatencyOf::Delivered => &end.distributions.sojourn,
    })
}
