//! The random numbers of a workload. Counter-based: each is a function of the seed, what it is for, and the task it
//! belongs to, so that any worker in any language can draw the same without a shared generator.
//!
//! ```text
//! mix(x)   = the finaliser of splitmix64 (Steele, Lea and Flood, 2014)
//! bits     = mix(mix(mix(seed + PURPOSE * G) + index * G) + draw * G),   G = 0x9E3779B97F4A7C15, arithmetic modulo 2^64
//! uniform  = ((bits >> 11) + 0.5) / 2^53, strictly between 0 and 1
//! ```

use std::time::Duration;

use crate::workload::model::{Dist, TaskIndex};

/// What a number is for. The values are part of the format: changing one changes every stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The class of a task.
    Class = 1,
    /// The service time of a task; `draw` is twice the number of its phase, plus 1 for the second number it may need.
    Service = 2,
    /// The gap before an arrival.
    Arrival = 3,
    /// The permutation of a shuffled order.
    Order = 4,
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// 64 random bits. See the module docs for the formula.
#[must_use]
pub fn bits(seed: u64, purpose: Purpose, index: u64, draw: u64) -> u64 {
    let keyed = mix(seed.wrapping_add((purpose as u64).wrapping_mul(GOLDEN)));
    let placed = mix(keyed.wrapping_add(index.wrapping_mul(GOLDEN)));
    mix(placed.wrapping_add(draw.wrapping_mul(GOLDEN)))
}

/// A number strictly between 0 and 1.
#[must_use]
pub fn uniform(seed: u64, purpose: Purpose, index: u64, draw: u64) -> f64 {
    ((bits(seed, purpose, index, draw) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

fn seconds(value: f64, max: Option<Duration>) -> Duration {
    let time = Duration::try_from_secs_f64(value).unwrap_or(Duration::MAX);
    max.map_or(time, |max| time.min(max))
}

impl Dist {
    /// The value that belongs to two uniform numbers, by inversion; the second is used by the lognormal alone
    /// (Box and Muller, 1958).
    #[must_use]
    pub fn at(&self, u: f64, v: f64) -> Duration {
        match *self {
            Self::Constant(value) => value,
            Self::Uniform { min, max } => {
                seconds(min.as_secs_f64() + u * max.saturating_sub(min).as_secs_f64(), Some(max))
            }
            Self::Exponential { mean, max } => seconds(-u.ln() * mean.as_secs_f64(), max),
            Self::Lognormal { median, sigma, max } => {
                let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
                seconds(median.as_secs_f64() * (sigma * normal).exp(), max)
            }
            Self::Pareto { min, alpha, max } => seconds(min.as_secs_f64() * u.powf(-1.0 / alpha), Some(max)),
            Self::Bimodal { fast, slow, p_slow } => {
                if u < p_slow {
                    slow
                } else {
                    fast
                }
            }
        }
    }

    /// The value that a task draws for one of its phases (0 where it has none).
    #[must_use]
    pub fn draw(&self, seed: u64, index: TaskIndex, phase: u32) -> Duration {
        if let Self::Constant(value) = *self {
            return value;
        }
        let draw = u64::from(phase) * 2;
        let u = uniform(seed, Purpose::Service, index, draw);
        let v = match self {
            Self::Lognormal { .. } => uniform(seed, Purpose::Service, index, draw + 1),
            _ => 0.5,
        };
        self.at(u, v)
    }

    /// Mean of the values drawn, cut off where there is a `max`; found numerically where there is no simple formula.
    #[must_use]
    pub fn mean(&self) -> Duration {
        match *self {
            Self::Constant(value) => value,
            Self::Uniform { min, max } => (min + max) / 2,
            Self::Bimodal { fast, slow, p_slow } => {
                seconds(fast.as_secs_f64() * (1.0 - p_slow) + slow.as_secs_f64() * p_slow, None)
            }
            Self::Exponential { mean, max: None } => mean,
            // Integral of min(x, max): mean (1 - e^(-max/mean)).
            Self::Exponential { mean, max: Some(max) } => {
                let mean = mean.as_secs_f64();
                let cut = if mean > 0.0 { 1.0 - (-max.as_secs_f64() / mean).exp() } else { 0.0 };
                seconds(mean * cut, None)
            }
            Self::Lognormal { .. } | Self::Pareto { .. } => {
                const STEPS: u32 = 256;
                let middle = |step: u32| (f64::from(step) + 0.5) / f64::from(STEPS);
                let both = matches!(self, Self::Lognormal { .. });
                let inner = if both { STEPS } else { 1 };
                let sum: f64 = (0..STEPS)
                    .flat_map(|i| (0..inner).map(move |j| (i, j)))
                    .map(|(i, j)| {
                        let v = (f64::from(j) + 0.5) / f64::from(inner);
                        self.at(middle(i), v).as_secs_f64()
                    })
                    .sum();
                seconds(sum / f64::from(STEPS) / f64::from(inner), None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn sample_mean(dist: &Dist) -> f64 {
        let count = 40_000;
        (0..count).map(|index| dist.draw(9, index, 0).as_secs_f64()).sum::<f64>() / count as f64
    }

    #[test]
    fn means_agree_with_what_is_drawn() {
        let dists = [
            Dist::Uniform { min: MS, max: MS * 3 },
            Dist::Exponential { mean: MS * 5, max: None },
            Dist::Exponential { mean: MS * 5, max: Some(MS * 6) },
            Dist::Lognormal { median: MS * 8, sigma: 0.6, max: Some(MS * 200) },
            Dist::Pareto { min: MS * 10, alpha: 1.5, max: MS * 100 },
            Dist::Bimodal { fast: MS, slow: MS * 100, p_slow: 0.1 },
        ];
        for dist in dists {
            let (drawn, told) = (sample_mean(&dist), dist.mean().as_secs_f64());
            assert!((drawn / told - 1.0).abs() < 0.05, "{dist:?}: drawn {drawn}, told {told}");
        }
    }

    #[test]
    fn values_keep_within_their_bounds() {
        let pareto = Dist::Pareto { min: MS * 10, alpha: 0.5, max: MS * 50 };
        let uniform = Dist::Uniform { min: MS * 2, max: MS * 3 };
        for index in 0..10_000 {
            assert!((MS * 10..=MS * 50).contains(&pareto.draw(1, index, 0)));
            assert!((MS * 2..=MS * 3).contains(&uniform.draw(1, index, 0)));
        }
    }

    #[test]
    fn the_formula_is_fixed() {
        // Computed independently from the formula in the module docs.
        assert_eq!(mix(0), 0);
        assert_eq!(mix(GOLDEN), 0xE220_A839_7B1D_CDAF);
        assert_ne!(bits(1, Purpose::Class, 0, 0), bits(1, Purpose::Service, 0, 0));
        assert_ne!(bits(1, Purpose::Class, 0, 0), bits(1, Purpose::Class, 1, 0));
        assert_ne!(bits(1, Purpose::Class, 0, 0), bits(2, Purpose::Class, 0, 0));
    }
}
