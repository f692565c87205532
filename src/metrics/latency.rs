//! The four latencies of a run, recorded as fast as results arrive. This is the program's hot path: up to ten million
//! records a second pass through [`Latencies::batch`]. Nothing here may allocate, lock or call through a pointer.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::engine::event::{Batch, Moment};
use crate::engine::outcome::AttemptReport;
use crate::metrics::distribution::{Distribution, Distributions};
use crate::metrics::nanos::{nanos, ns};
use crate::metrics::quantiles::{Latency, Quantiles};
use crate::metrics::results_hash::ResultsHash;

/// Largest time that is told apart: an hour. Longer ones count as this in percentiles; mean and maximum stay exact.
pub(crate) const LARGEST: u64 = 3_600_000_000_000;
/// Significant digits of a percentile: 3 means it is at most 0.1 % too high.
const DIGITS: u8 = 3;
/// The percentiles of [`Quantiles`].
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// One latency: a histogram for its percentiles, exact count, sum and maximum.
///
/// Successive times of one batch mostly fall into the same bucket (its tasks begin and end within a millisecond of each
/// other while they waited for seconds), so equal buckets are counted here and written to the histogram together.
#[derive(Debug)]
pub(crate) struct Recorded {
    histogram: Histogram<u64>,
    sum: u128,
    max: u64,
    /// Bounds of the bucket that is being counted, inclusive; `low > high` before the first value.
    low: u64,
    high: u64,
    pending: u64,
}

impl Recorded {
    /// Empty, for times up to [`LARGEST`].
    #[must_use]
    pub(crate) fn new() -> Self {
        // The bounds are constants that hdrhistogram accepts (low >= 1, high >= 2 low, at most 5 digits).
        #[expect(clippy::expect_used, reason = "constant arguments, checked by every test of this module")]
        let histogram = Histogram::new_with_bounds(1, LARGEST, DIGITS).expect("constant bounds are valid");
        Self { histogram, sum: 0, max: 0, low: 1, high: 0, pending: 0 }
    }

    /// Adds one time, in nanoseconds.
    #[inline]
    pub(crate) fn record(&mut self, nanos: u64) {
        self.sum += u128::from(nanos);
        self.max = self.max.max(nanos);
        if self.low <= nanos && nanos <= self.high {
            self.pending += 1;
        } else {
            self.next_bucket(nanos);
        }
    }

    /// Adds the same time so many times.
    pub(crate) fn record_many(&mut self, nanos: u64, count: u64) {
        self.sum += u128::from(nanos) * u128::from(count);
        self.max = self.max.max(nanos);
        self.histogram.saturating_record_n(nanos, count);
    }

    /// Adds one time that rarely falls into the bucket of the one before.
    #[inline]
    pub(crate) fn record_scattered(&mut self, nanos: u64) {
        self.sum += u128::from(nanos);
        self.max = self.max.max(nanos);
        self.histogram.saturating_record(nanos);
    }

    #[inline]
    fn next_bucket(&mut self, nanos: u64) {
        self.flush();
        let kept = nanos.min(LARGEST);
        self.low = self.histogram.lowest_equivalent(kept);
        self.high = if nanos >= LARGEST { u64::MAX } else { self.histogram.highest_equivalent(kept) };
        self.pending = 1;
    }

    /// Writes what is pending; must come before anything is read.
    #[inline]
    fn flush(&mut self) {
        if self.pending > 0 {
            self.histogram.saturating_record_n(self.low, self.pending);
            self.pending = 0;
        }
    }

    #[must_use]
    pub(crate) fn count(&self) -> u64 {
        self.histogram.len().saturating_add(self.pending)
    }

    /// Sum of all times.
    #[must_use]
    pub(crate) fn sum(&self) -> Duration {
        nanos(self.sum)
    }

    /// Adds the times of another one.
    fn absorb(&mut self, other: &mut Self) {
        other.flush();
        // All have the same bounds: there is nothing that would not fit.
        let added = self.histogram.add(&other.histogram);
        debug_assert!(added.is_ok(), "{added:?}");
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    /// Forgets all times.
    fn clear(&mut self) {
        self.histogram.reset();
        (self.sum, self.max, self.low, self.high, self.pending) = (0, 0, 1, 0, 0);
    }

    /// Percentiles so far.
    pub(crate) fn quantiles(&mut self) -> Quantiles {
        self.flush();
        let count = self.histogram.len();
        if count == 0 {
            return Quantiles::default();
        }
        let mut values = self.histogram.value_at_quantiles(QUANTILES).map(|value| value.min(self.max));
        let mut next = || Duration::from_nanos(values.next().unwrap_or(0));
        let (p50, p90, p95, p99) = (next(), next(), next(), next());
        let mean = nanos(self.sum / u128::from(count));
        Quantiles { count, mean, p50, p90, p95, p99, max: Duration::from_nanos(self.max) }
    }

    /// Everything, in a form that is small when few different times occurred.
    pub(crate) fn distribution(&mut self) -> Distribution {
        self.flush();
        let buckets = self.histogram.iter_recorded().map(|bucket| {
            let value = bucket.value_iterated_to();
            (value, bucket.count_since_last_iteration())
        });
        Distribution::new(buckets.collect(), self.sum, self.max)
    }
}

impl Default for Recorded {
    fn default() -> Self {
        Self::new()
    }
}

/// What one batch adds to its slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BatchSums {
    /// Nanoseconds of work.
    pub(crate) work: u64,
    /// Nanoseconds between dispatch and first instruction.
    pub(crate) startup: u64,
    /// Nanoseconds between the end of work and the worker's being free.
    pub(crate) after: u64,
    /// End of the last task.
    pub(crate) end: Moment,
}

/// The four latencies.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    wait: Recorded,
    startup: Recorded,
    service: Recorded,
    sojourn: Recorded,
}

impl Latencies {
    /// Records a batch of successful tasks and adds their results to the hash.
    ///
    /// A task is dispatched when its worker is free for it: the first one at the later of its batch's sending and the
    /// end of the worker's task before, each following one when the one before it ends.
    #[inline]
    pub(crate) fn batch(&mut self, batch: &Batch<'_>, hash: &mut ResultsHash) -> BatchSums {
        let (arrival, sent) = (batch.arrival.0, batch.sent.0);
        let mut free = batch.free_since.0;
        let mut sums = BatchSums::default();
        for record in batch.records {
            let dispatched = free.max(sent);
            let start = record.start.0;
            let end = start.saturating_add(record.service);
            let startup = start.saturating_sub(dispatched);
            self.wait.record(dispatched.saturating_sub(arrival));
            self.startup.record(startup);
            self.service.record_scattered(record.service);
            self.sojourn.record(end.saturating_sub(arrival));
            hash.add(record.index, record.value);
            sums.work = sums.work.saturating_add(record.service);
            sums.startup = sums.startup.saturating_add(startup);
            sums.after = sums.after.saturating_add(record.after);
            free = end.saturating_add(record.after);
        }
        sums.end = Moment(free);
        sums
    }

    /// Records an attempt that did not succeed, if it started: what did not happen is not measured. Its sojourn counts only if no other attempt follows: a task has
    /// one.
    pub(crate) fn attempt(&mut self, report: &AttemptReport) {
        let Some(times) = report.times() else { return };
        let (wait, startup, service) = (ns(times.wait), ns(times.startup), ns(times.service));
        self.wait.record(wait);
        self.startup.record(startup);
        self.service.record_scattered(service);
        if !report.retried {
            self.sojourn.record(wait.saturating_add(startup).saturating_add(service));
        }
    }

    /// Adds the latencies of other tasks.
    pub(crate) fn absorb(&mut self, other: &mut Self) {
        self.wait.absorb(&mut other.wait);
        self.startup.absorb(&mut other.startup);
        self.service.absorb(&mut other.service);
        self.sojourn.absorb(&mut other.sojourn);
    }

    /// Forgets all latencies.
    pub(crate) fn clear(&mut self) {
        let Self { wait, startup, service, sojourn } = self;
        [wait, startup, service, sojourn].into_iter().for_each(Recorded::clear);
    }

    /// Percentiles so far.
    pub(crate) fn summary(&mut self) -> Latency {
        Latency {
            wait: self.wait.quantiles(),
            startup: self.startup.quantiles(),
            service: self.service.quantiles(),
            sojourn: self.sojourn.quantiles(),
        }
    }

    /// Everything, for the end of a run.
    pub(crate) fn distributions(&mut self) -> Distributions {
        Distributions {
            wait: self.wait.distribution(),
            startup: self.startup.distribution(),
            service: self.service.distribution(),
            sojourn: self.sojourn.distribution(),
        }
    }

    /// How many waits were recorded: attempts that ran.
    #[must_use]
    pub(crate) fn waits(&self) -> u64 {
        self.wait.count()
    }

    /// How many tasks have a sojourn: those that ran and have their outcome.
    #[must_use]
    pub(crate) fn sojourns(&self) -> u64 {
        self.sojourn.count()
    }

    /// Sum of all sojourns.
    #[must_use]
    pub(crate) fn sojourned(&self) -> Duration {
        self.sojourn.sum()
    }

    /// Sum of all waits: the integral of the queue depth over time (Little's identity).
    #[must_use]
    pub(crate) fn waited(&self) -> Duration {
        self.wait.sum()
    }
}

#[cfg(test)]
mod tests;
