//! When the caller gets its results, and for how long it is blocked: the fold of [`Event::Delivered`].
//!
//! [`Event::Delivered`]: crate::engine::event::Event::Delivered

use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::engine::event::{CallerView, Delivered, Moment};
use crate::metrics::distribution::Distribution;
use crate::metrics::latency::Recorded;
use crate::metrics::nanos::nanos;
use crate::metrics::quantiles::Quantiles;
use crate::workload::model::SubmitMode;

/// Results on their way to the caller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// How the caller submits.
    pub mode: SubmitMode,
    /// Intended arrival until the caller has the result; empty with `apply_async`, where that is the sojourn.
    pub delivered: Quantiles,
    /// From the end of a task until the caller has its result, summed: what waiting for others costs (head-of-line
    /// blocking), and the way back.
    pub held_back: Duration,
    /// The longest of these times.
    pub held_back_max: Duration,
    /// Whether the caller is blocked now: it waits for results, or for room to submit.
    pub blocked: bool,
    /// For how long it was.
    pub blocked_for: Duration,
}

impl Delivery {
    /// From the end of a task until the caller has its result, on average; zero before there is one.
    #[must_use]
    pub fn held_back_mean(&self) -> Duration {
        match self.delivered.count {
            0 => Duration::ZERO,
            count => Duration::from_secs_f64(self.held_back.as_secs_f64() / count as f64),
        }
    }

    /// Share of a time in which the caller was blocked.
    #[must_use]
    pub fn blocked_share(&self, of: Duration) -> f64 {
        if of.is_zero() { 0.0 } else { (self.blocked_for.as_secs_f64() / of.as_secs_f64()).min(1.0) }
    }
}

/// The fold.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    /// Nothing as long as nothing was delivered: most runs have no use for it.
    delivered: Option<Box<Recorded>>,
    held_back: u128,
    held_back_max: Duration,
}

impl Deliveries {
    pub(crate) fn delivered(&mut self, now: Moment, parts: &[Delivered]) {
        let recorded = self.delivered.get_or_insert_default();
        for part in parts {
            let latency = now.since(part.arrival);
            recorded.record_many(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX), part.count);
            let delivered = u128::from(now.0) * u128::from(part.count);
            self.held_back += delivered.saturating_sub(part.ends);
            self.held_back_max = self.held_back_max.max(now.since(part.first_end));
        }
    }

    /// The figures so far.
    pub(crate) fn figures(&mut self, caller: CallerView) -> Delivery {
        Delivery {
            mode: caller.mode,
            delivered: self.delivered.as_mut().map(|recorded| recorded.quantiles()).unwrap_or_default(),
            held_back: nanos(self.held_back),
            held_back_max: self.held_back_max,
            blocked: caller.blocked,
            blocked_for: caller.blocked_for,
        }
    }

    /// Everything, for the end of a run.
    pub(crate) fn distribution(&mut self) -> Distribution {
        self.delivered.as_mut().map(|recorded| recorded.distribution()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_that_are_held_back_count_until_their_delivery() {
        let mut deliveries = Deliveries::default();
        let ms = |value: u64| Moment(value * 1_000_000);
        // Three tasks ended at 10, 20 and 30 ms and were all delivered at 30 ms; another came at 40 ms, 5 ms after its end.
        let first = Delivered { count: 3, arrival: ms(0), ends: u128::from(ms(60).0), first_end: ms(10) };
        deliveries.delivered(ms(30), &[first]);
        let last = Delivered { count: 1, arrival: ms(20), ends: u128::from(ms(35).0), first_end: ms(35) };
        deliveries.delivered(ms(40), &[last]);
        let figures = deliveries.figures(CallerView::default());
        assert_eq!(figures.held_back, Duration::from_millis(20 + 10 + 5));
        assert_eq!(figures.held_back_max, Duration::from_millis(20));
        assert_eq!((figures.delivered.count, figures.delivered.max), (4, Duration::from_millis(30)));
        assert_eq!(figures.delivered.mean, Duration::from_micros(27_500));
    }
}
