//! A seeded source of synthetic measurements for tests: what is planted in them is known, so that one can count how often
//! an answer is right. The seed is a test's own and is said in its messages.

use rand_core::{Rng as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

use crate::workload::normal;

/// A seeded source of measurements.
pub(crate) struct Trials(Pcg64Mcg);

impl Trials {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Pcg64Mcg::seed_from_u64(seed))
    }

    /// From 0 to 1, ends excluded.
    pub(crate) fn uniform(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// From one number to another.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Exponentially distributed, with this mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.uniform().ln()
    }

    /// Normally distributed around 0.
    pub(crate) fn normal(&mut self, deviation: f64) -> f64 {
        deviation * normal::inverse(self.uniform())
    }
}
