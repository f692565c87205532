//! What a series of runs of one arm shows beside its mean: runs that stand apart from the others, and a trend.
//!
//! Both are told and neither is acted upon: a run that stands apart may be the only one that met what matters, and to
//! leave it out would make every interval too narrow.

use std::sync::Arc;

use crate::analysis::statistics::{t_quantile, two_sided};
use crate::metrics::snapshot::{RunId, Snapshot};

/// Chance that something is said of a series in which there is nothing.
const ALPHA: f64 = 0.01;
/// Runs below which nothing is said.
const LEAST: usize = 5;
/// A change over all runs together below which a trend is of no importance.
const NOTABLE: f64 = 0.01;

/// A trend over the runs of an arm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Drift {
    /// Last value / first value of the line through all of them, less 1.
    pub(crate) change: f64,
    /// How many runs it is seen over.
    pub(crate) runs: usize,
    /// The chance of such a line where there is no trend.
    pub(crate) p: f64,
}

/// Something that the runs of an arm show beside their mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Remark {
    /// A run that stands apart: its place, which run it is, and its rate / the mean of the others, less 1.
    Outlier { place: usize, run: RunId, by: f64 },
    /// A trend.
    Drift(Drift),
}

impl Remark {
    /// In one word, in capitals: it is to be seen.
    #[must_use]
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Outlier { .. } => "OUTLIER",
            Self::Drift(_) => "DRIFT",
        }
    }

    /// What the runs show, and what that means.
    #[must_use]
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Outlier { by, .. } => {
                let way = if *by < 0.0 { "below" } else { "above" };
                format!("its rate is {:.0} % {way} the mean of its other runs; it counts", by.abs() * 100.0)
            }
            Self::Drift(Drift { change, runs, p }) => {
                let way = if *change < 0.0 { "fell" } else { "rose" };
                let p = if *p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") };
                let but = "what all arms share falls out of their ratios";
                format!("its rate {way} by {:.0} % over {runs} runs ({p}); {but}", change.abs() * 100.0)
            }
        }
    }
}

/// Everything that the runs of an arm show, oldest first.
#[must_use]
pub(crate) fn remarks(runs: &[Arc<Snapshot>]) -> Vec<Remark> {
    let rates: Vec<f64> = runs.iter().map(|run| run.throughput_whole).collect();
    let sum: f64 = rates.iter().sum();
    let outlier = |place: usize| {
        let (run, rate) = (runs.get(place)?.run, rates.get(place)?);
        let mean = (sum - rate) / (rates.len() as f64 - 1.0);
        Some(Remark::Outlier { place, run, by: rate / mean - 1.0 })
    };
    let found = outliers(&rates).into_iter().filter_map(outlier);
    found.chain(drift(&rates).map(Remark::Drift)).collect()
}

/// Places of the rates that stand apart from the others, in their order.
///
/// Looks at logarithms, takes away one after the other what lies farthest from the mean of the rest, at most a fifth of
/// them, and asks which of these still is too far off for its kind (the generalised extreme studentised deviate: Rosner,
/// Percentage points for a generalized ESD many-outlier procedure, Technometrics 25, 1983; for one outlier it is Grubbs').
#[must_use]
fn outliers(rates: &[f64]) -> Vec<usize> {
    let Some(mut left) = logarithms(rates) else { return Vec::new() };
    let (mut taken, mut apart) = (Vec::new(), 0);
    for _ in 0..rates.len() / LEAST {
        let n = left.len() as f64;
        let mean = left.iter().map(|(_, value)| value).sum::<f64>() / n;
        let deviation = (left.iter().map(|(_, value)| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        let distance = |(_, value): &(usize, f64)| (value - mean).abs();
        let farthest = left.iter().enumerate().max_by(|(_, a), (_, b)| distance(a).total_cmp(&distance(b)));
        let (Some((at, far)), Some(t)) = (farthest, t_quantile(1.0 - ALPHA / (2.0 * n), n - 2.0)) else { break };
        let limit = (n - 1.0) * t / ((n - 2.0 + t * t) * n).sqrt();
        let too_far = distance(far) > limit * deviation;
        taken.push(far.0);
        left.remove(at);
        if too_far {
            apart = taken.len();
        }
    }
    taken.truncate(apart);
    taken.sort_unstable();
    taken
}

/// The trend of rates over the runs of an arm, in their order, if there is one: the slope of their logarithms is tested
/// with Student's t. It shows what goes on through all of them: a machine that becomes warm, a leak, a cache that fills.
#[must_use]
fn drift(rates: &[f64]) -> Option<Drift> {
    let values = logarithms(rates)?;
    let n = values.len() as f64;
    let (middle, mean) = ((n - 1.0) / 2.0, values.iter().map(|(_, value)| value).sum::<f64>() / n);
    let spread: f64 = values.iter().map(|(place, _)| (*place as f64 - middle).powi(2)).sum();
    let slope = values.iter().map(|(place, value)| (*place as f64 - middle) * (value - mean)).sum::<f64>() / spread;
    let residuals: f64 =
        values.iter().map(|(place, value)| (value - mean - slope * (*place as f64 - middle)).powi(2)).sum();
    let t = slope / (residuals / (n - 2.0) / spread).sqrt();
    let (change, p) = ((slope * (n - 1.0)).exp() - 1.0, two_sided(t, n - 2.0)?);
    (p < ALPHA && change.abs() > NOTABLE).then_some(Drift { change, runs: values.len(), p })
}

/// (place, logarithm) of each rate; `None` if there are too few, or some that are no rate.
fn logarithms(rates: &[f64]) -> Option<Vec<(usize, f64)>> {
    let usable = rates.len() >= LEAST && rates.iter().all(|rate| rate.is_finite() && *rate > 0.0);
    usable.then(|| rates.iter().map(|rate| rate.ln()).enumerate().collect())
}

#[cfg(test)]
mod tests;
