//! Whether workers leak: how fast their resident memory grows, how sure that is, and what recycling makes of it.
//!
//! Least squares over the lives of workers: each life has a level of its own, all have one slope. What a worker holds now
//! it mostly held a moment ago too, so readings are no independent ones, and the usual interval would be far too narrow.
//! The errors are therefore taken to be a first-order autoregression whose coefficient is estimated from the residuals,
//! corrected for its bias in short series (F. Marriott and J. Pope, Bias in the Estimation of Autocorrelations,
//! Biometrika 41, 1954), and the fit is made again over differences freed of it (S. Prais and C. Winsten, Trend Estimators
//! and Serial Correlation, 1954). In the limit, a memory that wanders like a random walk, that is the mean of the
//! differences. Degrees of freedom are those of so many independent readings as these are worth.
//!
//! A worker grows when it warms up, too: code is mapped in as it is first run, buffers are made, and that is all. Every worker
//! does so in the same way at the same age, which no interval tells from a leak. A leak goes on: it is there in the later
//! half of the lives as well.

use crate::analysis::statistics::t975;
use crate::metrics::snapshot::{LifeCourse, MemoryPoint, Snapshot};

/// A slope with what is known about its precision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Slope {
    /// For each unit of what it is over: seconds, or tasks.
    pub(crate) value: f64,
    /// 95 % confidence interval.
    pub(crate) ci95: (f64, f64),
}

impl Slope {
    /// Half of its interval.
    #[must_use]
    pub(crate) fn half(&self) -> f64 {
        (self.ci95.1 - self.ci95.0) / 2.0
    }

    fn times(self, factor: f64) -> Self {
        Self { value: self.value * factor, ci95: (self.ci95.0 * factor, self.ci95.1 * factor) }
    }
}

/// How the resident memory of the workers of a run grows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Leak {
    /// Bytes per second of all workers together, within their lives.
    pub(crate) slope: Slope,
    /// Bytes for each task that a worker has done.
    pub(crate) per_task: Option<Slope>,
    /// Where workers were replaced: between what the memory of one goes to and fro.
    pub(crate) sawtooth: Option<Sawtooth>,
    /// Readings that it was estimated from, and workers.
    pub(crate) points: usize,
    pub(crate) lives: usize,
    /// Whether it is sure that memory grows, its interval well away from none, that it still does when workers are no longer
    /// new, and by how much it grew in a run is worth a word.
    pub(crate) is_sure: bool,
}

/// The memory of one worker after another in bytes: medians over the workers that are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sawtooth {
    /// Least, to which it returns.
    pub(crate) low: u64,
    /// Most.
    pub(crate) high: u64,
}

/// Growth below this over a whole run is nothing to speak of.
const WORTH_A_WORD: f64 = (1 << 20) as f64;

impl Leak {
    /// That of the runs of an arm together; `None` where too little was read for an interval.
    #[must_use]
    pub(crate) fn of<'a>(runs: impl IntoIterator<Item = &'a Snapshot>) -> Option<Self> {
        let runs: Vec<&Snapshot> = runs.into_iter().collect();
        let lives = || runs.iter().flat_map(|run| &run.memory_course.lives);
        let by = |x: fn(&MemoryPoint) -> f64| -> Vec<Vec<(f64, f64)>> {
            let point = |point: &MemoryPoint| (x(point), point.rss_bytes as f64);
            lives().map(|life| life.points.iter().map(point).collect()).collect()
        };
        let series = by(|point| point.at.elapsed().as_secs_f64());
        let count = runs.len() as f64;
        let workers = runs.iter().map(|run| f64::from(run.workers_target)).sum::<f64>() / count;
        let seconds = runs.iter().map(|run| run.wall().as_secs_f64()).sum::<f64>() / count;
        let slope = slope(&series)?.times(workers);
        let teeth: Vec<&LifeCourse> = runs.iter().flat_map(|run| replaced(&run.memory_course.lives)).collect();
        Some(Self {
            slope,
            per_task: self::slope(&by(|point| point.tasks as f64)),
            sawtooth: sawtooth(&teeth),
            points: series.iter().map(Vec::len).sum(),
            lives: series.iter().filter(|points| points.len() > 1).count(),
            is_sure: slope.half() < slope.value / 2.0
                && slope.value * seconds >= WORTH_A_WORD
                && goes_on(&series, slope.value / workers),
        })
    }
}

/// Whether what grows at this rate over the whole lives of workers grows in their later halves too, and not much more slowly.
fn goes_on(series: &[Vec<(f64, f64)>], whole: f64) -> bool {
    let later: Vec<Vec<(f64, f64)>> =
        series.iter().map(|points| points.iter().skip(points.len() / 2).copied().collect()).collect();
    slope(&later).is_some_and(|later| later.ci95.0 > 0.0 && later.value > whole / 2.0)
}

/// Those that another one followed in their slot.
fn replaced(lives: &[LifeCourse]) -> Vec<&LifeCourse> {
    let followed = |life: &&LifeCourse| lives.iter().any(|other| other.slot == life.slot && other.pid != life.pid);
    lives.iter().filter(followed).filter(|life| life.over && life.points.len() > 1).collect()
}

fn sawtooth(replaced: &[&LifeCourse]) -> Option<Sawtooth> {
    let median = |mut values: Vec<u64>| {
        values.sort_unstable();
        values.get(values.len() / 2).copied()
    };
    let rss = |life: &&LifeCourse| life.points.iter().map(|point| point.rss_bytes).collect::<Vec<u64>>();
    let low = median(replaced.iter().filter_map(|life| rss(life).into_iter().min()).collect())?;
    let high = median(replaced.iter().filter_map(|life| rss(life).into_iter().max()).collect())?;
    Some(Sawtooth { low, high })
}

/// The common slope of several series of (seconds or tasks, value), about evenly spaced and with a level each; `None` below four readings
/// beyond those that the levels take.
#[must_use]
pub(crate) fn slope(series: &[Vec<(f64, f64)>]) -> Option<Slope> {
    let series: Vec<&Vec<(f64, f64)>> = series.iter().filter(|points| points.len() > 1).collect();
    let count: usize = series.iter().map(|points| points.len()).sum();
    if count < series.len() + 4 {
        return None;
    }
    let mean_length = count as f64 / series.len() as f64;
    let mut rho = 0.0;
    // What is left beside a line depends on the line: twice is enough.
    for _ in 0..2 {
        let fit = fit(&series, rho)?;
        let seen = correlation(&series, fit.value);
        // In series of n readings about a line it comes out too small by about (2 + 4 rho) / n.
        rho = ((seen + 2.0 / mean_length) / (1.0 - 4.0 / mean_length.max(8.0))).clamp(0.0, 1.0);
        // What cannot be told from a random walk is taken for one (P. Perron and T. Yabu, 2009).
        if 1.0 - rho < 2.0 / (count as f64).sqrt() {
            rho = 1.0;
        }
    }
    let fit = fit(&series, rho)?;
    // So many independent readings tell as much (G. Bayley and J. Hammersley, 1946); the steps of a random walk are all.
    let worth = if rho >= 1.0 { 0.0 } else { rho };
    let worth = (fit.freedom * (1.0 - worth) / (1.0 + worth)).max(series.len() as f64).clamp(2.0, fit.freedom);
    let half = t975(worth as usize)? * (fit.residuals / fit.freedom / fit.spread).sqrt();
    Some(Slope { value: fit.value, ci95: (fit.value - half, fit.value + half) })
}

struct Fit {
    value: f64,
    /// Sum of the squares beside the line.
    residuals: f64,
    /// Sum of the squares of the times about their level.
    spread: f64,
    freedom: f64,
}

/// Least squares over differences `y[t] - rho * y[t - 1]`, of which the level of a series is part. Its first reading counts
/// with the weight that it has by itself: none for a random walk.
fn fit(series: &[&Vec<(f64, f64)>], rho: f64) -> Option<Fit> {
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    let mut rows = 0usize;
    let mut levels = 0usize;
    for points in series {
        let Some(&(x0, y0)) = points.first() else { continue };
        let first = (1.0 - rho * rho).max(0.0).sqrt();
        let mut changed = vec![(first, 0.0, 0.0)];
        let pairs = points.iter().zip(points.iter().skip(1));
        // From the first reading on, so that nothing is lost to large numbers.
        changed.extend(pairs.map(|(a, b)| {
            let (ax, ay, bx, by) = (a.0 - x0, a.1 - y0, b.0 - x0, b.1 - y0);
            (1.0 - rho, bx - rho * ax, by - rho * ay)
        }));
        let sum = |pick: fn(&(f64, f64, f64)) -> f64| changed.iter().map(pick).sum::<f64>();
        let (cc, cx, cy) = (sum(|row| row.0 * row.0), sum(|row| row.0 * row.1), sum(|row| row.0 * row.2));
        let (has_level, by) = if cc > 1e-12 { (1, 1.0 / cc) } else { (0, 0.0) };
        xx += sum(|row| row.1 * row.1) - cx * cx * by;
        xy += sum(|row| row.1 * row.2) - cx * cy * by;
        yy += sum(|row| row.2 * row.2) - cy * cy * by;
        rows += points.len() - (1 - has_level);
        levels += has_level;
    }
    let freedom = rows.checked_sub(levels + 1).filter(|left| *left > 0)? as f64;
    if xx <= 0.0 {
        return None;
    }
    let value = xy / xx;
    Some(Fit { value, residuals: (yy - value * xy).max(0.0), spread: xx, freedom })
}

/// How much of what a reading lies beside the line the next one does too.
fn correlation(series: &[&Vec<(f64, f64)>], slope: f64) -> f64 {
    let (mut products, mut squares) = (0.0, 0.0);
    for points in series {
        let count = points.len() as f64;
        let beside = |point: &(f64, f64)| point.1 - slope * point.0;
        let level = points.iter().map(beside).sum::<f64>() / count;
        let left: Vec<f64> = points.iter().map(|point| beside(point) - level).collect();
        products += left.iter().zip(left.iter().skip(1)).map(|(a, b)| a * b).sum::<f64>();
        squares += left.iter().map(|value| value * value).sum::<f64>();
    }
    if squares > 0.0 { products / squares } else { 0.0 }
}

#[cfg(test)]
mod tests;
