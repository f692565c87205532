//! A seeded permutation of `0..n` in constant memory: a Feistel network with cycle walking.
//!
//! A balanced Feistel network is a bijection of `0..4^h` whatever its round function is (Luby, Rackoff 1988). With the
//! smallest `h` that covers `n`, a value outside `0..n` is sent through again until it falls inside, which it must,
//! because it moves along a cycle that started inside (Black, Rogaway 2002); on average that takes less than four steps.

use crate::workload::random::{Purpose, bits, mix};

const ROUNDS: u64 = 6;

/// A permutation of `0..n`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permutation {
    n: u64,
    /// Bits of each half.
    half: u32,
    key: u64,
}

impl Permutation {
    /// The permutation that belongs to a seed.
    pub(crate) fn new(n: u64, seed: u64) -> Self {
        let width = u64::BITS - n.saturating_sub(1).leading_zeros();
        Self { n, half: width.div_ceil(2).max(1), key: bits(seed, Purpose::Order, 0, 0) }
    }

    /// Where `position` goes; `position` itself if it is not below `n`.
    pub(crate) fn at(&self, position: u64) -> u64 {
        if position >= self.n {
            return position;
        }
        let mut value = self.encrypt(position);
        while value >= self.n {
            value = self.encrypt(value);
        }
        value
    }

    fn encrypt(&self, value: u64) -> u64 {
        let mask = (1_u64 << self.half) - 1;
        let (mut left, mut right) = (value >> self.half, value & mask);
        for round in 0..ROUNDS {
            let scrambled = mix(self.key.wrapping_add(round << 56) ^ mix(right.wrapping_add(round + 1)));
            (left, right) = (right, (left ^ scrambled) & mask);
        }
        (left << self.half) | right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_is_hit_once() {
        for n in [0, 1, 2, 3, 4, 5, 16, 17, 100, 1000, 4097] {
            for seed in [0, 1, 42] {
                let permutation = Permutation::new(n, seed);
                let mut hit: Vec<u64> = (0..n).map(|position| permutation.at(position)).collect();
                hit.sort_unstable();
                assert!(hit.into_iter().eq(0..n), "n = {n}, seed = {seed}");
            }
        }
    }

    #[test]
    fn small_permutations_depend_on_the_seed() {
        let mut seen = std::collections::HashSet::new();
        for seed in 0..500 {
            let permutation = Permutation::new(4, seed);
            seen.insert((0..4).map(|position| permutation.at(position)).collect::<Vec<_>>());
        }
        // A Feistel network makes even permutations of its domain only; half of the 24 are within reach.
        assert!(seen.len() >= 12, "{}", seen.len());
    }

    #[test]
    fn neighbours_are_torn_apart() {
        let n = 100_000;
        let permutation = Permutation::new(n, 7);
        let mean: f64 = (0..n - 1).map(|at| permutation.at(at).abs_diff(permutation.at(at + 1)) as f64).sum::<f64>()
            / (n - 1) as f64;
        // The distance of two random positions is n / 3 on average.
        assert!((mean / (n as f64 / 3.0) - 1.0).abs() < 0.02, "{mean}");
    }
}
