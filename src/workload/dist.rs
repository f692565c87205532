//! Distributions of service times: drawing by inversion, and means.
//!
//! Inversion uses exactly one uniform number per draw, so the same number gives the same quantile in every language.
//! With `u` between 0 and 1 and all times in nanoseconds, rounded to the nearest at the end:
//!
//! | distribution | value |
//! | --- | --- |
//! | constant | `value` |
//! | uniform | `min + u * (max - min)` |
//! | exponential | `-ln(u) * mean` |
//! | lognormal | `median * exp(sigma * z)`, `z` the inverse of the standard normal distribution at `u` (AS 241) |
//! | pareto | `min * u^(-1/alpha)` |
//! | bimodal | `slow` if `u < p_slow`, otherwise `fast` |
//! | trace, sampled | the recorded value at the place `floor(u * n)`, from 0 |
//!
//! A trace that is not sampled needs no number: task `i` has the value at `(i - first) mod n`.
//!
//! Where there is a `max`, a larger value becomes `max`; no value is ever longer than a year.

use std::time::Duration;

use crate::workload::model::Dist;
use crate::workload::normal;
use crate::workload::random::{Purpose, unit};
use crate::workload::units::LONGEST;

impl Dist {
    /// The service time of a task: phase `phase` (0 where there are no phases) of task `index`.
    #[must_use]
    pub(crate) fn draw(&self, seed: u64, index: u64, phase: u64) -> Duration {
        match self {
            Self::Constant(value) => *value,
            Self::Trace { values, first, sampled: false } => values.wrapping(index.wrapping_sub(*first)),
            _ => self.quantile(unit(seed, Purpose::Service, index, phase)),
        }
    }

    /// The value that belongs to a uniform random number between 0 and 1, ends excluded. It is not always rising: for
    /// exponential, pareto and bimodal small numbers give long times.
    #[must_use]
    pub(crate) fn quantile(&self, u: f64) -> Duration {
        match *self {
            Self::Constant(value) => value,
            Self::Trace { ref values, .. } => values.at(u),
            // Nobody draws it: it is replaced before (see `service::with_times`).
            Self::Told => Duration::ZERO,
            Self::Uniform { min, max } => nanos(in_nanos(min) + u * (in_nanos(max) - in_nanos(min)), Some(max)),
            Self::Exponential { mean, max } => nanos(-u.ln() * in_nanos(mean), max),
            Self::Lognormal { median, sigma, max } => nanos(in_nanos(median) * (sigma * normal::inverse(u)).exp(), max),
            Self::Pareto { min, alpha, max } => nanos(in_nanos(min) * u.powf(-1.0 / alpha), Some(max)),
            Self::Bimodal { fast, slow, p_slow } => {
                if u < p_slow {
                    slow
                } else {
                    fast
                }
            }
        }
    }

    /// The mean, with the cut at `max` taken into account (a cut value counts as `max`).
    #[must_use]
    pub fn mean(&self) -> Duration {
        match *self {
            Self::Constant(value) => value,
            Self::Trace { ref values, .. } => values.mean(),
            Self::Told => Duration::ZERO,
            Self::Uniform { min, max } => nanos((in_nanos(min) + in_nanos(max)) / 2.0, None),
            // E[min(X, m)] is the integral of P(X > x) from 0 to m.
            Self::Exponential { mean, max } => {
                let mean = in_nanos(mean);
                nanos(max.map_or(mean, |max| mean * -(-in_nanos(max) / mean).exp_m1()), None)
            }
            Self::Lognormal { median, sigma, max } => nanos(lognormal_mean(in_nanos(median), sigma, max), None),
            Self::Pareto { min, alpha, max } => {
                let (min, max) = (in_nanos(min), in_nanos(max));
                let ratio = max / min;
                let tail = if (alpha - 1.0).abs() < 1e-9 {
                    ratio.ln()
                } else {
                    (ratio.powf(1.0 - alpha) - 1.0) / (1.0 - alpha)
                };
                nanos(min + min * tail, None)
            }
            Self::Bimodal { fast, slow, p_slow } => {
                nanos(in_nanos(fast) * (1.0 - p_slow) + in_nanos(slow) * p_slow, None)
            }
        }
    }

    /// A value that the longest of `n` draws exceeds in about one of a hundred streams.
    #[must_use]
    pub(crate) fn longest_of(&self, n: u64) -> Duration {
        if let Self::Trace { values, .. } = self {
            return values.longest();
        }
        let share = 0.01 / n.max(1) as f64;
        self.quantile(share).max(self.quantile(1.0 - share))
    }

    /// Whether every draw is the same.
    #[must_use]
    pub(crate) fn is_constant(&self) -> bool {
        match *self {
            Self::Constant(_) | Self::Told => true,
            Self::Trace { ref values, .. } => values.is_constant(),
            Self::Uniform { min, max } | Self::Pareto { min, max, .. } => min == max,
            Self::Exponential { .. } => false,
            Self::Lognormal { sigma, .. } => sigma == 0.0,
            Self::Bimodal { fast, slow, p_slow } => fast == slow || p_slow == 0.0 || p_slow == 1.0,
        }
    }
}

impl Dist {
    /// Whether chance has a part in it.
    #[must_use]
    pub(crate) fn is_random(&self) -> bool {
        !self.is_constant() && !matches!(self, Self::Trace { sampled: false, .. })
    }
}

/// `E[min(X, max)]` of `median * exp(sigma * N(0, 1))`.
fn lognormal_mean(median: f64, sigma: f64, max: Option<Duration>) -> f64 {
    let whole = median * (sigma * sigma / 2.0).exp();
    let Some(max) = max.map(in_nanos) else { return whole };
    if sigma == 0.0 {
        return median.min(max);
    }
    let z = (max / median).ln() / sigma;
    whole * normal::cdf(z - sigma) + max * normal::cdf(-z)
}

fn in_nanos(duration: Duration) -> f64 {
    duration.as_nanos() as f64
}

fn nanos(value: f64, max: Option<Duration>) -> Duration {
    // A float becomes the nearest integer that can be expressed: infinity the largest one, which is cut below.
    Duration::from_nanos(value.round() as u64).min(max.unwrap_or(LONGEST)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::trace::Trace;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn all() -> Vec<Dist> {
        vec![
            Dist::Constant(MS(5)),
            Dist::Uniform { min: MS(2), max: MS(10) },
            Dist::Exponential { mean: MS(12), max: None },
            Dist::Exponential { mean: MS(12), max: Some(MS(15)) },
            Dist::Lognormal { median: MS(8), sigma: 0.6, max: None },
            Dist::Lognormal { median: MS(8), sigma: 1.2, max: Some(MS(20)) },
            Dist::Lognormal { median: MS(8), sigma: 0.0, max: Some(MS(20)) },
            Dist::Pareto { min: MS(20), alpha: 1.5, max: MS(3000) },
            Dist::Pareto { min: MS(20), alpha: 1.0, max: MS(400) },
            Dist::Bimodal { fast: MS(1), slow: MS(100), p_slow: 0.05 },
            trace(true),
        ]
    }

    fn trace(sampled: bool) -> Dist {
        Dist::Trace { values: Trace::new(vec![7_000_000, 1_000_000, 4_000_000]).unwrap(), first: 10, sampled }
    }

    #[test]
    fn a_trace_is_in_its_order_and_begins_again() {
        let drawn: Vec<u128> = (10..15).map(|index| trace(false).draw(1, index, 0).as_millis()).collect();
        assert_eq!(drawn, [7, 1, 4, 7, 1]);
        let sampled: Vec<u128> = (10..90).map(|index| trace(true).draw(1, index, 0).as_millis()).collect();
        assert_ne!(sampled[..5], drawn);
        assert!([7, 1, 4].iter().all(|value| sampled.contains(value)), "{sampled:?}");
        assert_eq!((trace(false).mean(), trace(false).longest_of(1)), (MS(4), MS(7)));
        assert!(trace(true).is_random() && !trace(false).is_random());
    }

    #[test]
    fn the_mean_of_many_draws_is_the_mean() {
        for dist in all() {
            // Evenly spaced quantiles: no chance involved, so the tolerance can be tight.
            let n = 200_000;
            let sum: f64 = (0..n).map(|i| dist.quantile((f64::from(i) + 0.5) / f64::from(n)).as_secs_f64()).sum();
            let (measured, computed) = (sum / f64::from(n), dist.mean().as_secs_f64());
            assert!((measured / computed - 1.0).abs() < 2e-3, "{dist:?}: {measured} drawn, {computed} computed");
        }
    }

    #[test]
    fn draws_depend_on_the_seed_the_task_and_the_phase_only() {
        let dist = Dist::Exponential { mean: MS(12), max: None };
        assert_eq!(dist.draw(1, 2, 3), dist.draw(1, 2, 3));
        assert_ne!(dist.draw(1, 2, 3), dist.draw(2, 2, 3));
        assert_ne!(dist.draw(1, 2, 3), dist.draw(1, 3, 3));
        assert_ne!(dist.draw(1, 2, 3), dist.draw(1, 2, 4));
    }

    #[test]
    fn no_draw_leaves_its_bounds() {
        let ends = [f64::from_bits(1), 1e-300, f64::EPSILON, 0.5, 1.0 - f64::EPSILON];
        for u in ends {
            for dist in all() {
                assert!(dist.quantile(u) <= LONGEST);
                let (Dist::Exponential { max: Some(max), .. }
                | Dist::Lognormal { max: Some(max), .. }
                | Dist::Pareto { max, .. }
                | Dist::Uniform { max, .. }) = dist
                else {
                    continue;
                };
                assert!(dist.quantile(u) <= max, "{dist:?} at {u}");
            }
        }
        let wild = Dist::Lognormal { median: LONGEST, sigma: 10.0, max: None };
        assert_eq!((wild.quantile(1.0 - f64::EPSILON), wild.mean()), (LONGEST, LONGEST));
    }
}
