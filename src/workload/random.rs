//! Counter-based random numbers: every draw is a function of what it is for, so that it does not matter who draws it,
//! when, or in which order. The parent plans with the same numbers that a worker works with.
//!
//! # Reproducing it in another language
//! All arithmetic is on unsigned 64-bit integers and wraps.
//! ```text
//! G = 0x9E3779B97F4A7C15
//! mix(z):  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
//!          z = (z ^ (z >> 27)) * 0x94D049BB133111EB
//!          return z ^ (z >> 31)
//! bits(seed, purpose, index, draw) = mix(mix(mix(seed + G * purpose) + G * (index + 1)) + G * (draw + 1))
//! unit(...)                        = ((bits(...) >> 11) + 0.5) / 2^53          in (0, 1), ends excluded
//! ```
//! `mix` is the finaliser of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014),
//! and each layer is that generator started from the layer before. The purposes are the numbers of [`Purpose`].
//! The service time of task `index` is its distribution's inverse at `unit(seed, 2, index, phase)`, where `phase` is
//! the position in `phases`, or 0; [`crate::workload::dist`] has the formulas. Logarithms and powers may differ in their last bit between
//! mathematical libraries, so two implementations agree to the nanosecond, give or take one.

/// What a random number is for: streams of different purposes are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Purpose {
    /// Class of a task, by weight.
    Class = 1,
    /// Service time of a task; draw number = phase.
    Service = 2,
    /// Gap before an arrival.
    Arrival = 3,
    /// Order of the tasks (`order: shuffle`).
    Order = 4,
    /// Jitter of a pause before a retry; draw number = attempt.
    Backoff = 5,
    /// Input data of a kernel.
    #[expect(dead_code, reason = "the number is taken")]
    Data = 6,
    /// Order of the runs (`order: randomized`); index = round.
    #[expect(dead_code, reason = "the number is taken")]
    Rounds = 7,
    /// Faults that a worker is told to have; draw number = attempt * 65536 + place in the list.
    Fault = 8,
    /// Whether a worker's initializer fails; index = how manieth worker.
    Initializer = 9,
    /// Seed of what is drawn anew for an attempt (`redraw`); index = attempt.
    Redraw = 10,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of SplitMix64: a bijection of the 64-bit integers.
#[must_use]
pub(crate) const fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// 64 random bits.
#[must_use]
pub(crate) const fn bits(seed: u64, purpose: Purpose, index: u64, draw: u64) -> u64 {
    let stream = mix(seed.wrapping_add(GOLDEN.wrapping_mul(purpose as u64)));
    let item = mix(stream.wrapping_add(GOLDEN.wrapping_mul(index.wrapping_add(1))));
    mix(item.wrapping_add(GOLDEN.wrapping_mul(draw.wrapping_add(1))))
}

/// A random number between 0 and 1, ends excluded.
#[must_use]
pub(crate) fn unit(seed: u64, purpose: Purpose, index: u64, draw: u64) -> f64 {
    const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
    ((bits(seed, purpose, index, draw) >> 11) as f64 + 0.5) * STEP
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SplitMix64 with seed 0 yields these numbers in every published implementation.
    #[test]
    fn the_finaliser_is_splitmix64() {
        assert_eq!(mix(GOLDEN), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mix(GOLDEN.wrapping_mul(2)), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn numbers_are_spread_evenly_and_never_at_the_ends() {
        let mut buckets = [0_u32; 20];
        for index in 0..100_000 {
            let u = unit(7, Purpose::Service, index, 0);
            assert!(u > 0.0 && u < 1.0);
            buckets[(u * 20.0) as usize] += 1;
        }
        // Chi-squared with 19 degrees of freedom: 43.8 is the 0.1 % point.
        let chi: f64 = buckets.iter().map(|count| (f64::from(*count) - 5000.0).powi(2) / 5000.0).sum();
        assert!(chi < 43.8, "{chi} {buckets:?}");
    }

    #[test]
    fn each_argument_matters() {
        let base = bits(1, Purpose::Class, 1, 1);
        for other in [
            bits(2, Purpose::Class, 1, 1),
            bits(1, Purpose::Service, 1, 1),
            bits(1, Purpose::Class, 2, 1),
            bits(1, Purpose::Class, 1, 2),
        ] {
            assert_ne!(base, other);
        }
    }
}
