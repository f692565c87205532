//! A hash over the results of a run that does not depend on the order in which tasks finish.

use crate::workload::model::TaskIndex;

/// Sum (wrapping) of a mixed 64-bit value for every (index, result) pair: equal sets of pairs give equal sums, whatever
/// their order. It tells different results apart; it is no protection against an intended collision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResultsHash(u64, bool);

impl ResultsHash {
    /// Adds one result.
    #[inline]
    pub(crate) fn add(&mut self, index: TaskIndex, value: u64) {
        self.0 = self.0.wrapping_add(mix(index, value));
    }

    /// A result that was added as 0 has this value.
    pub(crate) fn correct(&mut self, index: TaskIndex, value: u64) {
        self.0 = self.0.wrapping_sub(mix(index, 0)).wrapping_add(mix(index, value));
    }

    /// That of results which are not known.
    pub(crate) fn unknown() -> Self {
        Self(0, true)
    }

    /// The hash so far; 0 where results are not known.
    #[must_use]
    pub(crate) fn value(self) -> u64 {
        if self.1 { 0 } else { self.0 }
    }
}

/// Golden ratio x 2^64, the increment of splitmix64.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finaliser of splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014), applied to
/// the index and again to the index's bits combined with the result, so that exchanging two results shows.
#[inline]
fn mix(index: TaskIndex, value: u64) -> u64 {
    finalise(finalise(index.wrapping_add(1).wrapping_mul(GOLDEN)) ^ value)
}

#[inline]
fn finalise(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(pairs: &[(u64, u64)]) -> u64 {
        let mut hash = ResultsHash::default();
        for (index, value) in pairs {
            hash.add(*index, *value);
        }
        hash.value()
    }

    #[test]
    fn order_does_not_matter_and_everything_else_does() {
        let expected = hash(&[(0, 5), (1, 9), (2, 5)]);
        assert_eq!(hash(&[(2, 5), (0, 5), (1, 9)]), expected);
        assert_ne!(hash(&[(0, 9), (1, 5), (2, 5)]), expected, "exchanged results");
        assert_ne!(hash(&[(0, 5), (1, 9)]), expected, "missing task");
        assert_ne!(hash(&[(0, 5), (1, 9), (2, 5), (2, 5)]), expected, "task counted twice");
        assert_ne!(hash(&[(0, 5), (1, 9), (2, 4)]), expected, "another result");
    }

    #[test]
    fn a_result_that_is_told_late_counts_as_one_that_was_told_at_once() {
        let mut late = ResultsHash::default();
        [(3, 0), (4, 9)].iter().for_each(|(index, value)| late.add(*index, *value));
        late.correct(3, 7);
        assert_eq!(late.value(), hash(&[(3, 7), (4, 9)]));
        assert_eq!(ResultsHash::unknown().value(), 0);
    }

    #[test]
    fn first_output_of_splitmix64() {
        // splitmix64 seeded with 0 yields this first: finalise(GOLDEN).
        assert_eq!(finalise(GOLDEN), 0xE220_A839_7B1D_CDAF);
    }

    #[test]
    fn result_equal_to_the_index_is_not_nothing() {
        assert_ne!(hash(&[(0, 0)]), 0);
        assert_ne!(hash(&[(7, 7)]), hash(&[(8, 8)]));
    }
}
