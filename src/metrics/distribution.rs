//! A finished distribution of times: as many numbers as there were different times, however many tasks there were.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::metrics::nanos::nanos;
use crate::metrics::quantiles::Quantiles;

/// How often each time occurred, each rounded up by at most 0.1 %; count, sum and maximum are exact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// (largest time of the bucket in nanoseconds, how many), ascending, counts above 0.
    buckets: Vec<(u64, u64)>,
    count: u64,
    sum: u128,
    max: u64,
}

/// The distributions of the four latencies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distributions {
    /// Intended arrival to dispatch.
    pub wait: Distribution,
    /// Dispatch to the first instruction of the task.
    pub startup: Distribution,
    /// The work itself.
    pub service: Distribution,
    /// Intended arrival to end.
    pub sojourn: Distribution,
}

impl Distribution {
    pub(super) fn new(buckets: Vec<(u64, u64)>, sum: u128, max: u64) -> Self {
        let count = buckets.iter().map(|(_, count)| count).sum();
        Self { buckets, count, sum, max }
    }

    /// (nanoseconds, how many), ascending.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn buckets(&self) -> &[(u64, u64)] {
        &self.buckets
    }

    /// How many times were recorded.
    #[must_use]
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The time that at least the share `q` (0 to 1) of all times do not exceed (nearest rank); zero when empty.
    #[must_use]
    pub(crate) fn quantile(&self, q: f64) -> Duration {
        let rank = ((q.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).max(1);
        let mut seen = 0u64;
        for (value, count) in &self.buckets {
            seen = seen.saturating_add(*count);
            if seen >= rank {
                return Duration::from_nanos((*value).min(self.max));
            }
        }
        Duration::from_nanos(self.max)
    }

    /// Percentiles, mean and maximum.
    #[must_use]
    pub(crate) fn summary(&self) -> Quantiles {
        if self.count == 0 {
            return Quantiles::default();
        }
        Quantiles {
            count: self.count,
            mean: nanos(self.sum / u128::from(self.count)),
            p50: self.quantile(0.5),
            p90: self.quantile(0.9),
            p95: self.quantile(0.95),
            p99: self.quantile(0.99),
            max: Duration::from_nanos(self.max),
        }
    }

    /// As much of it as is needed for some quantiles (0 to 1): they, the count, the mean and the maximum stay exact.
    #[must_use]
    pub(crate) fn reduced(&self, quantiles: impl IntoIterator<Item = f64>) -> Self {
        let mut bounds: Vec<u64> =
            quantiles.into_iter().map(|q| u64::try_from(self.quantile(q).as_nanos()).unwrap_or(u64::MAX)).collect();
        bounds.sort_unstable();
        bounds.dedup();
        let mut buckets: Vec<(u64, u64)> = bounds.into_iter().map(|bound| (bound, 0)).collect();
        let mut place = 0;
        let mut rest = 0;
        for (value, count) in &self.buckets {
            // A bucket's value may lie above the maximum, which is what its quantile is then.
            let value = (*value).min(self.max);
            while buckets.get(place).is_some_and(|(bound, _)| *bound < value) {
                place += 1;
            }
            match buckets.get_mut(place) {
                Some((_, sum)) => *sum += count,
                None => rest += count,
            }
        }
        if rest > 0 {
            buckets.push((self.max, rest));
        }
        buckets.retain(|(_, count)| *count > 0);
        buckets.shrink_to_fit();
        Self { buckets, ..*self }
    }

    /// Adds another distribution: what several runs took together.
    pub(crate) fn merge(&mut self, other: &Self) {
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(self.buckets.len() + other.buckets.len());
        let (mut mine, mut theirs) = (self.buckets.iter().peekable(), other.buckets.iter().peekable());
        loop {
            let next = match (mine.peek(), theirs.peek()) {
                (Some(a), Some(b)) if a.0 <= b.0 => mine.next(),
                (Some(_), None) => mine.next(),
                (_, Some(_)) => theirs.next(),
                (None, None) => break,
            };
            let Some((value, count)) = next.copied() else { break };
            match merged.last_mut() {
                Some(last) if last.0 == value => last.1 = last.1.saturating_add(count),
                _ => merged.push((value, count)),
            }
        }
        self.buckets = merged;
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::latency::Recorded;

    fn of(values: &[u64]) -> Distribution {
        let mut recorded = Recorded::new();
        values.iter().for_each(|value| recorded.record(*value));
        recorded.distribution()
    }

    #[test]
    fn quantiles_by_nearest_rank() {
        let distribution = of(&[10, 20, 30, 40]);
        for (q, wanted) in [(0.0, 10), (0.25, 10), (0.26, 20), (0.5, 20), (0.75, 30), (0.99, 40), (1.0, 40)] {
            assert_eq!(distribution.quantile(q), Duration::from_nanos(wanted), "q = {q}");
        }
        assert_eq!(distribution.summary().mean, Duration::from_nanos(25));
    }

    #[test]
    fn merged_distributions_equal_one_of_all_values() {
        let mut left = of(&[5, 900, 70_000, 70_001]);
        left.merge(&of(&[1, 900, 3_000_000]));
        assert_eq!(left, of(&[1, 5, 900, 900, 70_000, 70_001, 3_000_000]));
        let mut empty = Distribution::default();
        empty.merge(&left);
        assert_eq!(empty, left);
    }

    #[test]
    fn reduced_distributions_answer_what_they_were_reduced_to() {
        let whole = of(&(1..3000u64).map(|value| value * value * 17).collect::<Vec<_>>());
        for asked in [&[0.5, 0.9, 0.99][..], &[0.999, 0.001], &[1.0], &[]] {
            let reduced = whole.reduced(asked.iter().copied());
            assert!(reduced.buckets().len() <= asked.len() + 1, "{}", reduced.buckets().len());
            for q in asked {
                assert_eq!(reduced.quantile(*q), whole.quantile(*q), "{q} of {asked:?}");
            }
            let figures = |of: &Distribution| (of.count(), of.summary().mean, of.quantile(1.0));
            assert_eq!(figures(&reduced), figures(&whole));
            assert_eq!(reduced.buckets().iter().map(|(_, count)| count).sum::<u64>(), whole.count());
        }
        assert_eq!(Distribution::default().reduced([0.5]), Distribution::default());
    }

    #[test]
    fn summary_of_a_recording_and_of_its_distribution_are_the_same() {
        let mut recorded = Recorded::new();
        (1..5_000u64).for_each(|value| recorded.record(value * value));
        assert_eq!(recorded.quantiles(), recorded.distribution().summary());
    }
}
